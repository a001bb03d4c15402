#ifndef CODEC_TLS_H
#define CODEC_TLS_H

#include "codec/codec.h"

#include <stdbool.h>
#include <stdint.h>
#include <xmpp/error.h>

/* Trust store and client certificate, loaded once and shared by all connections of the process that use the
 * same files (a process-wide table under a lock; the last user frees). Files are read here, once. */
struct tls_creds;
int tls_creds_get(struct tls_creds **ret, const char *trust_path /* NULL: system */,
                  const char *cert_path /* NULL: none */, const char *key_path,
                  xmpp_error **ret_error /* why, when it fails */);
struct tls_creds *tls_creds_unref(struct tls_creds *creds);

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
    const char *display_domain; /* U-label form, for XmppAddr */
    bool is_ip; /* the domain is an address literal: no SNI, iPAddress SAN */
    bool direct; /* ALPN xmpp-client */
};

int tls_create(struct tls **ret, struct tls_creds *creds, const struct tls_options *options);
struct codec *tls_codec(struct tls *tls);
enum tls_state tls_get_state(const struct tls *tls);
/* while TLS_VERIFY, and later: bits of enum xmpp_cert_problem, 0: trusted. Verification is TLS-* and CERT-*. */
int tls_get_problems(const struct tls *tls);
int tls_accept(struct tls *tls); /* to TLS_OPEN; decode and encode pass data from now on */
const char *
tls_get_verdict(const struct tls *tls); /* "trusted, DNS name a.example", "expired 2020-02-01" */
int tls_get_cert_der(const struct tls *tls, size_t index, const uint8_t **ret, size_t *ret_len);
const char *tls_get_cert_text(const struct tls *tls); /* several lines, see xmpp_cert_get_text() */
const char *tls_get_version_name(const struct tls *tls); /* "TLS1.3" */
int tls_get_version(const struct tls *tls); /* 0x0304 */
const char *tls_get_suite(const struct tls *tls);
/* index 0, 1, ...: the bindings that this session has (TLS 1.2 tls-unique only with extended master secret), best
 * first; XMPP_ERR_NOTFOUND at the end */
int tls_get_binding(const struct tls *tls, size_t index, const char **ret_type,
                    const void **ret_data, size_t *ret_len);
/* the wire ended: TLS-14. XMPP_ERR_TLS when it was truncated, XMPP_OK after close_notify */
int tls_eof(struct tls *tls);
/* after a failure (also one of decode or encode): what happened; new reference */
xmpp_error *tls_get_error(const struct tls *tls);

#endif
