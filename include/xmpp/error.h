#ifndef XMPP_ERROR_H
#define XMPP_ERROR_H

/**
 * @file
 * Result codes, and the details of failures that come later.
 *
 * A function that returns `int` returns XMPP_OK or a documented positive value on success, and a negative value of
 * enum xmpp_err on failure; a call that failed has had no effect. Failures of something that was started earlier
 * come to a callback, with an xmpp_error: immutable, reference counted, may be read by any number of threads.
 */

#include <xmpp/base.h>

XMPP_BEGIN_DECLS

/** Result codes. Values are fixed forever; new ones are only appended: expect unknown ones. */
enum xmpp_err {
    XMPP_OK = 0, /**< success */
    XMPP_ERR_NOMEM = -1, /**< out of memory */
    XMPP_ERR_INVAL = -2, /**< the caller broke the contract: NULL, out of range, not UTF-8 */
    XMPP_ERR_STATE = -3, /**< not allowed now */
    XMPP_ERR_BUSY = -4, /**< called from inside a callback, where it is not allowed */
    XMPP_ERR_THREAD = -5, /**< wrong thread, or after fork() */
    XMPP_ERR_SEALED = -6, /**< the element is immutable */
    XMPP_ERR_LIMIT = -7, /**< a limit was reached */
    XMPP_ERR_TIMEOUT = -8, /**< no answer in time */
    XMPP_ERR_CANCELLED = -9, /**< given up by the application */
    XMPP_ERR_CLOSED = -10, /**< the connection ended before the answer came */
    XMPP_ERR_NOTFOUND = -11, /**< there is no such thing */
    XMPP_ERR_SYSTEM = -20, /**< a system call failed, see xmpp_error_get_number(): errno */
    XMPP_ERR_DNS = -21, /**< name lookup failed; number: of c-ares */
    XMPP_ERR_TLS = -22, /**< TLS failed; number: of GnuTLS */
    XMPP_ERR_CERT = -23, /**< certificate not accepted, see xmpp_error_get_cert_problems() */
    XMPP_ERR_AUTH = -24, /**< authentication failed; condition: of RFC 6120, 6.5 */
    XMPP_ERR_XML = -30, /**< not well-formed, or forbidden in XMPP (RFC 6120, 11) */
    XMPP_ERR_PROTOCOL = -31, /**< well-formed, but the peer broke a rule */
    XMPP_ERR_STREAM = -32, /**< stream error, see the condition (RFC 6120, 4.9.3) */
    XMPP_ERR_STANZA = -33, /**< stanza of type "error", see the condition (RFC 6120, 8.3.3) */
    XMPP_ERR_JID = -40 /**< not an XMPP address (RFC 7622) */
};

/**
 * The name of a result code.
 *
 * Any thread.
 *
 * @param err  enum xmpp_err; any value is allowed
 * @return like "XMPP_ERR_NOMEM"; "XMPP_ERR_UNKNOWN" for unknown values; static, never NULL
 * @since 0.1
 */
XMPP_API const char *xmpp_err_name(int err);

/**
 * A result code in words.
 *
 * Any thread.
 *
 * @param err  enum xmpp_err; any value is allowed
 * @return English, like "out of memory"; static, never NULL
 * @since 0.1
 */
XMPP_API const char *xmpp_err_text(int err);

/**
 * Take another reference, to keep an error longer than a callback.
 *
 * Any thread.
 *
 * @param error  [optional] or NULL: nothing happens
 * @return error
 * @since 0.1
 */
XMPP_API xmpp_error *xmpp_error_ref(const xmpp_error *error);

/**
 * Drop a reference.
 *
 * Any thread.
 *
 * @param error  [optional] or NULL: nothing happens
 * @return always NULL
 * @since 0.1
 */
XMPP_API xmpp_error *xmpp_error_unref(xmpp_error *error);

/**
 * What kind of failure it is.
 *
 * Any thread.
 *
 * @param error  [optional] or NULL
 * @return enum xmpp_err, negative; XMPP_OK for NULL
 * @since 0.1
 */
XMPP_API int xmpp_error_get_code(const xmpp_error *error);

/**
 * The number that the system or a library gave as the reason.
 *
 * Any thread.
 *
 * @param error  [optional] or NULL
 * @return XMPP_ERR_SYSTEM: errno; XMPP_ERR_DNS: of c-ares; XMPP_ERR_TLS: of GnuTLS; else 0
 * @since 0.1
 */
XMPP_API int xmpp_error_get_number(const xmpp_error *error);

/**
 * The type of a stanza error (RFC 6120, 8.3.2).
 *
 * Any thread.
 *
 * @param error  [optional] or NULL
 * @return "auth", "cancel", "continue", "modify" or "wait", borrowed from error; NULL: none
 * @since 0.1
 */
XMPP_API const char *xmpp_error_get_type(const xmpp_error *error);

/**
 * The condition of a stanza, stream or SASL error: the name of its defining element.
 *
 * Any thread. Unknown conditions come as the peer sent them.
 *
 * @param error  [optional] or NULL
 * @return like "item-not-found", borrowed from error; NULL: none
 * @since 0.1
 */
XMPP_API const char *xmpp_error_get_condition(const xmpp_error *error);

/**
 * What happened, for humans and logs; not to be parsed.
 *
 * Any thread. doc/errors.md lists what it looks like, and what to do.
 *
 * @param error  [optional] or NULL
 * @return English, one line of at most 1000 bytes without control characters, also where it quotes the peer; UTF-8,
 *         borrowed from error; never NULL
 * @since 0.1
 */
XMPP_API const char *xmpp_error_get_text(const xmpp_error *error);

/**
 * The element that told the error, as it was received.
 *
 * Any thread. It holds what the getters do not show: application-specific conditions, texts in other languages.
 *
 * @param error  [optional] or NULL
 * @return the `<error/>` of a stanza, the stream error or the SASL failure, borrowed from error; NULL: none
 * @since 0.1
 */
XMPP_API const xmpp_elem *xmpp_error_get_elem(const xmpp_error *error);

/** How far a connection had come. The numbers are those of enum xmpp_state. */
enum xmpp_phase {
    XMPP_PHASE_NONE = 0, /**< not about a connection */
    XMPP_PHASE_RESOLVING = 1, /**< looking up names */
    XMPP_PHASE_CONNECTING = 2, /**< opening a socket */
    XMPP_PHASE_SECURING = 3, /**< STARTTLS, TLS handshake, certificate */
    XMPP_PHASE_AUTHENTICATING = 4, /**< SASL */
    XMPP_PHASE_BINDING = 5, /**< resource binding, or resumption */
    XMPP_PHASE_READY = 6, /**< the session was up */
    XMPP_PHASE_CLOSING = 7 /**< it was being closed */
};

/**
 * The name of a phase.
 *
 * Any thread.
 *
 * @param phase  enum xmpp_phase; any value is allowed
 * @return like "resolving"; "unknown" for unknown values; static, never NULL
 * @since 0.1
 */
XMPP_API const char *xmpp_phase_name(int phase);

/**
 * How far the connection had come when it failed.
 *
 * Any thread.
 *
 * @param error  [optional] or NULL
 * @return enum xmpp_phase
 * @since 0.1
 */
XMPP_API int xmpp_error_get_phase(const xmpp_error *error);

/**
 * The text that the peer sent with the error, for humans.
 *
 * Any thread. It is the peer's: it can say anything, over several lines. Do not show it as your own words.
 *
 * @param error  [optional] or NULL
 * @return UTF-8, borrowed from error; NULL: none
 * @since 0.1
 */
XMPP_API const char *xmpp_error_get_peer_text(const xmpp_error *error);

/**
 * What is wrong with the certificate.
 *
 * Any thread.
 *
 * @param error  [optional] or NULL
 * @return bits of enum xmpp_cert_problem; 0 unless the code is XMPP_ERR_CERT
 * @since 0.1
 */
XMPP_API int xmpp_error_get_cert_problems(const xmpp_error *error);

/**
 * How many hosts and addresses were tried.
 *
 * Any thread. A domain can have many hosts, a host many addresses; each has its own failure. If a connection came to
 * an end that the application did not want, its host and address are the last. Attempts above 256 are not kept.
 *
 * @param error  [optional] or NULL
 * @return number of attempts for xmpp_error_get_attempt(); 0: none was made, or the error is not about a connection
 * @since 0.1
 */
XMPP_API size_t xmpp_error_count_attempts(const xmpp_error *error);

/**
 * One of the attempts, in the order in which they failed.
 *
 * Any thread.
 *
 * @param error       [optional] or NULL
 * @param index       0 to xmpp_error_count_attempts() - 1
 * @param ret_target  [out, optional] what was tried, for humans, like
 *                    "xmpp.example.org [2001:db8::1]:5223 (direct TLS)"; borrowed from error; untouched when NULL
 *                    is returned
 * @return its own failure, borrowed from error; NULL: index too large
 * @since 0.1
 */
XMPP_API const xmpp_error *xmpp_error_get_attempt(const xmpp_error *error, size_t index,
                                                  const char **ret_target);

XMPP_END_DECLS
#endif
