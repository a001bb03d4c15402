#ifndef XMPP_ERROR_H
#define XMPP_ERROR_H
#include <xmpp/base.h>
XMPP_BEGIN_DECLS

/* Values are fixed forever; new ones are only appended. */
enum xmpp_err {
    XMPP_OK = 0,
    XMPP_ERR_NOMEM = -1,
    XMPP_ERR_INVAL = -2, /* caller broke the contract */
    XMPP_ERR_STATE = -3, /* not allowed now */
    XMPP_ERR_BUSY = -4, /* re-entered from a callback */
    XMPP_ERR_THREAD = -5, /* wrong thread, or after fork() */
    XMPP_ERR_SEALED = -6, /* element is immutable */
    XMPP_ERR_LIMIT = -7, /* a configured limit was reached */
    XMPP_ERR_TIMEOUT = -8,
    XMPP_ERR_CANCELLED = -9,
    XMPP_ERR_CLOSED = -10, /* connection ended before the answer came */
    XMPP_ERR_NOTFOUND = -11,
    XMPP_ERR_SYSTEM = -20, /* see xmpp_error_get_number(): errno */
    XMPP_ERR_DNS = -21,
    XMPP_ERR_TLS = -22,
    XMPP_ERR_CERT = -23,
    XMPP_ERR_AUTH = -24,
    XMPP_ERR_XML = -30, /* not well-formed or forbidden in XMPP */
    XMPP_ERR_PROTOCOL = -31, /* well-formed, but the peer broke a rule */
    XMPP_ERR_STREAM = -32, /* <stream:error/>, see condition */
    XMPP_ERR_STANZA = -33, /* stanza of type "error", see condition */
    XMPP_ERR_JID = -40
};

/* "XMPP_ERR_NOMEM" and "out of memory": static strings, never NULL. */
XMPP_API const char *xmpp_err_name(int err);
XMPP_API const char *xmpp_err_text(int err);

/* Immutable, reference counted detail record. */
XMPP_API xmpp_error *xmpp_error_ref(const xmpp_error *error);
XMPP_API xmpp_error *xmpp_error_unref(xmpp_error *error);
XMPP_API int xmpp_error_get_code(const xmpp_error *error); /* enum xmpp_err */
XMPP_API int xmpp_error_get_number(const xmpp_error *error); /* errno / GnuTLS / c-ares code */
XMPP_API const char *
xmpp_error_get_type(const xmpp_error *error); /* "cancel", "wait", ... or NULL */
XMPP_API const char *
xmpp_error_get_condition(const xmpp_error *error); /* "item-not-found" or NULL */
XMPP_API const char *xmpp_error_get_text(const xmpp_error *error); /* for humans, never NULL */
XMPP_API const xmpp_elem *
xmpp_error_get_elem(const xmpp_error *error); /* <error/> as received or NULL */

/* How far a connection had come. The numbers are those of enum xmpp_state. */
enum xmpp_phase {
    XMPP_PHASE_NONE = 0,
    XMPP_PHASE_RESOLVING = 1,
    XMPP_PHASE_CONNECTING = 2,
    XMPP_PHASE_SECURING = 3,
    XMPP_PHASE_AUTHENTICATING = 4,
    XMPP_PHASE_BINDING = 5,
    XMPP_PHASE_READY = 6,
    XMPP_PHASE_CLOSING = 7
};
XMPP_API const char *xmpp_phase_name(int phase); /* "resolving", ...: static, never NULL */
XMPP_API int xmpp_error_get_phase(const xmpp_error *error);
/* <text/> as the peer sent it, or NULL */
XMPP_API const char *xmpp_error_get_peer_text(const xmpp_error *error);
/* bits of enum xmpp_cert_problem, 0 unless the code is XMPP_ERR_CERT */
XMPP_API int xmpp_error_get_cert_problems(const xmpp_error *error);
/* What was tried before giving up, in order: each address with its own failure. */
XMPP_API size_t xmpp_error_count_attempts(const xmpp_error *error);
/* target: "xmpp.example.org [2001:db8::1]:5223 (direct TLS)"; borrowed */
XMPP_API const xmpp_error *xmpp_error_get_attempt(const xmpp_error *error, size_t index,
                                                  const char **ret_target);

XMPP_END_DECLS
#endif
