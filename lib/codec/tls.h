#ifndef CODEC_TLS_H
#define CODEC_TLS_H

#include "codec/codec.h"

#include <stdbool.h>
#include <stdint.h>
#include <xmpp/error.h>

/* Trust store and client certificate, loaded once and shared by all connections of the process that use the
 * same files (a process-wide table under a lock; the last user frees). Files are read here, once.
 *
 * The table's keys are the path and the identity of the file (device, inode, size, time of change): a file that was
 * replaced makes a new entry, sessions that run keep the old one. The system's trust store that was used last stays
 * loaded after its last user, until a changed one replaces it, so that clients which come one after another load it
 * once. An empty system store is no error: then nothing is trusted.
 *
 * Any thread. XMPP_ERR_SYSTEM: a file cannot be read (error number: errno). XMPP_ERR_TLS: no certificate inside, no
 * usable key, or the key belongs to another certificate (GnuTLS' number). XMPP_ERR_INVAL: a key without a
 * certificate. */
struct tls_creds;
int tls_creds_get(struct tls_creds **ret, const char *trust_path /* NULL: system */,
                  const char *cert_path /* NULL: none */,
                  const char *key_path /* NULL: in the file of the certificate */,
                  xmpp_error **ret_error /* NULL, or why, when it fails: new reference */);
struct tls_creds *tls_creds_ref(struct tls_creds *creds);
struct tls_creds *tls_creds_unref(struct tls_creds *creds); /* NULL ok; returns NULL */

/* What the codec functions do in each state:
 *
 *            | decode()                               | encode()
 * HANDSHAKE  | takes all, up to the end of the        | the first call begins the handshake; emits handshake
 *            | handshake                              | bytes; leaves app_in
 * VERIFY     | leaves wire_in: stop reading           | emits handshake bytes; leaves app_in
 * OPEN       | takes all that app_out has room for    | encrypts all that wire_out has room for
 * CLOSED     | takes all and drops it (RFC 8446 6.1)  | as in OPEN
 * FAILED     | returns the failure                    | emits the alert, returns the failure
 *
 * close() sends close_notify (a rejecting alert in VERIFY, when there are problems; nothing in HANDSHAKE). After it
 * encode() with data returns XMPP_ERR_STATE; decode() still works, so the peer's close_notify is seen. */
enum tls_state {
    TLS_HANDSHAKE = 0,
    TLS_VERIFY =
        1, /* handshake done, the peer is to be judged: tls_get_problems(), then tls_accept() */
    TLS_OPEN = 2,
    TLS_CLOSED = 3, /* the peer sent close_notify */
    TLS_FAILED = 4
};

struct tls; /* its first member is a struct codec */

struct tls_options {
    const char *domain; /* reference identity and SNI: A-label form of the JID's domain */
    const char *display_domain; /* U-label form, for XmppAddr; NULL: the same */
    bool is_ip; /* the domain is an address literal, without brackets: no SNI, iPAddress SAN */
    bool direct; /* ALPN xmpp-client */
};

/* Holds a reference to creds, copies the options. XMPP_ERR_INVAL, XMPP_ERR_NOMEM, XMPP_ERR_TLS. */
int tls_create(struct tls **ret, struct tls_creds *creds, const struct tls_options *options);
struct codec *tls_codec(struct tls *tls);
enum tls_state tls_get_state(const struct tls *tls);
/* while TLS_VERIFY, and later: bits of enum xmpp_cert_problem, 0: trusted. Verification is TLS-* and CERT-*.
 * XMPP_ERR_STATE when the certificate was not looked at. */
int tls_get_problems(const struct tls *tls);
/* to TLS_OPEN; decode and encode pass data from now on. Call decode() next: wire_in may hold data already.
 * XMPP_ERR_STATE unless TLS_VERIFY. */
int tls_accept(struct tls *tls);
/* "trusted, DNS name a.example", "expired 2020-02-01"; never NULL */
const char *tls_get_verdict(const struct tls *tls);
/* borrowed, lives with the codec; index 0 is the leaf; XMPP_ERR_NOTFOUND at the end */
int tls_get_cert_der(const struct tls *tls, size_t index, const uint8_t **ret, size_t *ret_len);
/* several lines, see xmpp_cert_get_text(); made by the first call (hence not const), NULL: none, or no memory */
const char *tls_get_cert_text(struct tls *tls);
/* NULL and 0 before the handshake is done */
const char *tls_get_version_name(const struct tls *tls); /* "TLS1.3" */
int tls_get_version(const struct tls *tls); /* 0x0304 */
const char *tls_get_suite(const struct tls *tls); /* "TLS_AES_256_GCM_SHA384" */
/* index 0, 1, ...: the bindings that this session has (TLS 1.2 tls-unique only with extended master secret), best
 * first; XMPP_ERR_NOTFOUND at the end */
int tls_get_binding(const struct tls *tls, size_t index, const char **ret_type,
                    const void **ret_data, size_t *ret_len);
/* the wire ended, and decode() has been given all of it: TLS-14. XMPP_ERR_TLS when it was truncated, XMPP_OK after
 * close_notify */
int tls_eof(struct tls *tls);
/* after a failure (also one of decode or encode): what happened; new reference. NULL: no failure. The code is
 * XMPP_ERR_TLS, _LIMIT or _NOMEM, the number GnuTLS'; the phase is set only if it was the handshake. */
xmpp_error *tls_get_error(const struct tls *tls);

#endif
