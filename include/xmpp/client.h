#ifndef XMPP_CLIENT_H
#define XMPP_CLIENT_H
#include <xmpp/base.h>
XMPP_BEGIN_DECLS

enum xmpp_state {
    XMPP_STATE_IDLE = 0,
    XMPP_STATE_RESOLVING = 1,
    XMPP_STATE_CONNECTING = 2,
    XMPP_STATE_SECURING = 3,
    XMPP_STATE_AUTHENTICATING = 4,
    XMPP_STATE_BINDING = 5,
    XMPP_STATE_READY = 6,
    XMPP_STATE_CLOSING = 7
};
XMPP_API const char *xmpp_state_name(int state); /* "idle", "resolving", ...: static, never NULL */
enum xmpp_tls_mode {
    XMPP_TLS_REQUIRED = 0, /* default */
    XMPP_TLS_LOCAL_ONLY = 1 /* plain text allowed to loopback addresses only */
};

/* --- configure (XMPP_ERR_STATE unless idle) --- */
XMPP_API int xmpp_client_create(xmpp_client **ret, xmpp_loop *loop);
XMPP_API xmpp_client *xmpp_client_ref(xmpp_client *client);
XMPP_API xmpp_client *xmpp_client_unref(xmpp_client *client);
XMPP_API int xmpp_client_set_jid(xmpp_client *client, const xmpp_jid *jid);
XMPP_API int xmpp_client_set_password(xmpp_client *client, const char *password);
XMPP_API int xmpp_client_set_endpoint(xmpp_client *client, const char *host, uint16_t port,
                                      int direct_tls);
XMPP_API int xmpp_client_set_tls_mode(xmpp_client *client, int mode);
XMPP_API int xmpp_client_set_trust_file(xmpp_client *client, const char *pem_path);
XMPP_API int xmpp_client_set_timeout(xmpp_client *client, uint64_t connect_us, uint64_t reply_us);
/* client certificate for SASL EXTERNAL; PEM files */
XMPP_API int xmpp_client_set_cert_files(xmpp_client *client, const char *cert_path,
                                        const char *key_path);
/* SASL names when they are not the localpart of the JID; NULL: default */
XMPP_API int xmpp_client_set_authcid(xmpp_client *client, const char *authcid);
XMPP_API int xmpp_client_set_authzid(xmpp_client *client, const xmpp_jid *authzid);
/* space-separated SASL mechanisms in order of preference, nothing else is used; NULL: default.
 * The only way to have a mechanism of libsasl2 (GSSAPI, DIGEST-MD5, ...) tried. */
XMPP_API int xmpp_client_set_mechanisms(xmpp_client *client, const char *mechanisms);
XMPP_API int xmpp_client_set_lang(xmpp_client *client, const char *lang); /* BCP 47 or NULL */
/* one space between stanzas after idle_us of silence of ours; 0: never. Default 5 min. */
XMPP_API int xmpp_client_set_keepalive(xmpp_client *client, uint64_t idle_us);
XMPP_API int xmpp_client_set_limits(xmpp_client *client, size_t max_stanza_bytes,
                                    size_t max_queue_bytes);

/* --- run --- */
XMPP_API int xmpp_client_connect(xmpp_client *client);
XMPP_API int xmpp_client_disconnect(xmpp_client *client); /* graceful, asynchronous */
XMPP_API int xmpp_client_abort(xmpp_client *client); /* drop the socket now */
XMPP_API int xmpp_client_get_state(const xmpp_client *client);
XMPP_API const xmpp_jid *xmpp_client_get_jid(const xmpp_client *client); /* bound JID when ready */
XMPP_API xmpp_loop *xmpp_client_get_loop(const xmpp_client *client);

/* error is NULL for wanted changes; borrowed during the call. */
typedef void (*xmpp_state_fn)(xmpp_client *client, int old_state, int new_state,
                              const xmpp_error *error, void *user_data);
XMPP_API int xmpp_client_on_state(xmpp_client *client, xmpp_slot **ret_slot, xmpp_state_fn fn,
                                  void *user_data, xmpp_destroy_fn destroy);

/* --- send (loop thread); the stanza is sealed and referenced, not consumed --- */
XMPP_API int xmpp_client_send(xmpp_client *client, xmpp_elem *stanza);
XMPP_API size_t xmpp_client_get_queued_bytes(const xmpp_client *client);
/* fn runs when the queue, after a XMPP_ERR_LIMIT, has shrunk to low_bytes. */
typedef void (*xmpp_drain_fn)(xmpp_client *client, void *user_data);
XMPP_API int xmpp_client_on_drain(xmpp_client *client, xmpp_slot **ret_slot, size_t low_bytes,
                                  xmpp_drain_fn fn, void *user_data, xmpp_destroy_fn destroy);
/* --- send (any thread): queue, wake the loop; errors come as state changes --- */
XMPP_API int xmpp_client_post(xmpp_client *client, xmpp_elem *stanza);

/* --- request: fn runs exactly once unless the slot was cancelled --- */
typedef void (*xmpp_reply_fn)(xmpp_client *client, const xmpp_elem *reply, /* NULL on error */
                              const xmpp_error *error, /* NULL on result */
                              void *user_data);
XMPP_API int xmpp_client_request(xmpp_client *client, xmpp_slot **ret_slot, xmpp_elem *iq,
                                 uint64_t timeout_us, xmpp_reply_fn fn, void *user_data,
                                 xmpp_destroy_fn destroy);

/* --- handlers --- */
enum xmpp_handled {
    XMPP_PASS = 0, /* let the next handler look */
    XMPP_DONE = 1 /* stop here; for IQ get/set: this handler answers */
};
typedef int (*xmpp_stanza_fn)(xmpp_client *client, const xmpp_elem *stanza, void *user_data);

/* kinds: bits of enum xmpp_kind. ns/name: of a child element, NULL = any. */
XMPP_API int xmpp_client_add_handler(xmpp_client *client, xmpp_slot **ret_slot, int kinds,
                                     const char *ns, const char *name, xmpp_stanza_fn fn,
                                     void *user_data, xmpp_destroy_fn destroy);
/* --- what we advertise (used by disco and caps) --- */
XMPP_API int xmpp_client_add_feature(xmpp_client *client, xmpp_slot **ret_slot, const char *var);
XMPP_API size_t xmpp_client_count_features(const xmpp_client *client);
XMPP_API const char *xmpp_client_get_feature_at(const xmpp_client *client, size_t index);

/* --- what happened: readable at any time, kept until the next connect --- */
enum xmpp_stat {
    XMPP_STAT_BYTES_IN = 1, /* bytes on the wire */
    XMPP_STAT_BYTES_OUT = 2,
    XMPP_STAT_STANZAS_IN = 3,
    XMPP_STAT_STANZAS_OUT = 4,
    XMPP_STAT_ROUND_TRIPS =
        5, /* times that we waited for the peer, TCP connect included, DNS not */
    XMPP_STAT_RESOLVING_US = 6, /* microseconds spent in each phase */
    XMPP_STAT_CONNECTING_US = 7,
    XMPP_STAT_SECURING_US = 8,
    XMPP_STAT_AUTHENTICATING_US = 9,
    XMPP_STAT_BINDING_US = 10,
    XMPP_STAT_LOGIN_US = 11, /* connect() to READY */
    XMPP_STAT_WRITES = 12, /* system calls that wrote to the socket */
    XMPP_STAT_READS = 13
};
XMPP_API uint64_t xmpp_client_get_stat(const xmpp_client *client, int stat);
enum xmpp_info {
    XMPP_INFO_HOST = 1, /* SRV target, or the name given by hand */
    XMPP_INFO_ADDRESS = 2, /* "127.0.0.1:5222" */
    XMPP_INFO_TLS_VERSION = 3, /* "TLS1.3" */
    XMPP_INFO_TLS_SUITE = 4,
    XMPP_INFO_CERT = 5, /* verdict in words: "trusted, DNS name a.example", ... */
    XMPP_INFO_SASL_MECHANISM = 6,
    XMPP_INFO_CHANNEL_BINDING = 7, /* "tls-exporter", ... */
    XMPP_INFO_STREAM_ID = 8
};
/* NULL while unknown; borrowed until the next connect */
XMPP_API const char *xmpp_client_get_info(const xmpp_client *client, int info);
/* The endpoints that were found, in the order in which they are tried; XMPP_ERR_NOTFOUND marks the end.
 * priority and weight are -1 when the endpoint did not come from an SRV record. */
XMPP_API int xmpp_client_get_endpoint(const xmpp_client *client, size_t index,
                                      const char **ret_host, uint16_t *ret_port,
                                      int *ret_direct_tls, int *ret_priority, int *ret_weight);

/* --- certificate question; answer now, or return XMPP_CERT_LATER and call
 *     xmpp_cert_answer() from the loop thread --- */
typedef struct xmpp_cert xmpp_cert;
enum xmpp_cert_verdict { XMPP_CERT_REJECT = 0, XMPP_CERT_ACCEPT = 1, XMPP_CERT_LATER = 2 };
enum xmpp_cert_problem {
    XMPP_CERT_BAD_CHAIN = 1,
    XMPP_CERT_EXPIRED = 2,
    XMPP_CERT_NOT_YET_VALID = 4,
    XMPP_CERT_WRONG_NAME = 8,
    XMPP_CERT_REVOKED = 16,
    XMPP_CERT_WEAK = 32
};
typedef int (*xmpp_cert_fn)(xmpp_client *client, xmpp_cert *cert, void *user_data);
XMPP_API int xmpp_client_set_cert_fn(xmpp_client *client, xmpp_cert_fn fn, void *user_data,
                                     xmpp_destroy_fn destroy);
XMPP_API xmpp_cert *xmpp_cert_ref(xmpp_cert *cert);
XMPP_API xmpp_cert *xmpp_cert_unref(xmpp_cert *cert);
XMPP_API int xmpp_cert_get_problems(const xmpp_cert *cert);
/* index 0 is the leaf; XMPP_ERR_NOTFOUND marks the end of the chain */
XMPP_API int xmpp_cert_get_der(const xmpp_cert *cert, size_t index, const uint8_t **ret,
                               size_t *ret_len);
/* for a dialog: subject, issuer, validity, names, SHA-256 fingerprint; several lines of UTF-8 */
XMPP_API const char *xmpp_cert_get_text(const xmpp_cert *cert);
XMPP_API int xmpp_cert_answer(xmpp_cert *cert, int verdict);

/* --- credentials question; same pattern --- */
typedef struct xmpp_ask xmpp_ask;
enum xmpp_ask_kind { XMPP_ASK_PASSWORD = 1, XMPP_ASK_TOKEN = 2, XMPP_ASK_AUTHZID = 3 };
typedef void (*xmpp_ask_fn)(xmpp_client *client, xmpp_ask *ask, void *user_data);
XMPP_API int xmpp_client_set_ask_fn(xmpp_client *client, xmpp_ask_fn fn, void *user_data,
                                    xmpp_destroy_fn destroy);
XMPP_API xmpp_ask *xmpp_ask_ref(xmpp_ask *ask);
XMPP_API xmpp_ask *xmpp_ask_unref(xmpp_ask *ask); /* unanswered and last: counts as refused */
XMPP_API int xmpp_ask_get_kind(const xmpp_ask *ask);
XMPP_API const char *xmpp_ask_get_mechanism(const xmpp_ask *ask); /* "SCRAM-SHA-256-PLUS" */
XMPP_API int xmpp_ask_answer(xmpp_ask *ask, const char *secret, size_t len); /* copied, wiped */

XMPP_END_DECLS
#endif
