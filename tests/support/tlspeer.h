#ifndef SUPPORT_TLSPEER_H
#define SUPPORT_TLSPEER_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>

/* A TLS server in memory. Its allocations do not go through the library's allocator. */
struct tlspeer;

struct tlspeer_options {
    const char *cert; /* name of support/certs.h; NULL: "good" */
    int version; /* 0: 1.2 and 1.3; 11, 12, 13: only that */
    const char *alpn; /* what it selects; NULL: knows no ALPN */
    const char *priority; /* NULL: normal; replaces version and no_ems */
    bool no_ems; /* no extended master secret */
    bool request_cert; /* asks for a client certificate */
    bool require_cert; /* the same, and fails without */
    bool tickets; /* TLS 1.3: sends session tickets */
    size_t dribble; /* tlspeer_take() gives at most so many bytes; 0: all */
};

struct tlspeer *tlspeer_create(const struct tlspeer_options *options /* NULL: all default */);
struct tlspeer *tlspeer_free(struct tlspeer *peer);

/* Bytes from the client, all are taken: handshake, then data. 0, or the GnuTLS error number that ended it. */
int tlspeer_feed(struct tlspeer *peer, const void *data, size_t len);
/* Bytes for the client; the number, 0: none. */
size_t tlspeer_take(struct tlspeer *peer, void *dst, size_t size);
size_t tlspeer_queued(const struct tlspeer *peer);
/* One record per 16384 bytes; the handshake must be over. The functions that send give 0 or GnuTLS' error number. */
int tlspeer_write(struct tlspeer *peer, const void *data, size_t len);
/* What the client sent and was not read yet; borrowed until the next call. */
size_t tlspeer_peek(const struct tlspeer *peer, const void **ret_data);
void tlspeer_consume(struct tlspeer *peer, size_t len);

int tlspeer_close(struct tlspeer *peer); /* close_notify */
int tlspeer_send_alert(struct tlspeer *peer, bool is_fatal, gnutls_alert_description_t alert);
int tlspeer_send_tickets(struct tlspeer *peer, unsigned count); /* TLS 1.3 */
int tlspeer_key_update(struct tlspeer *peer, bool ask_back); /* TLS 1.3 */
int tlspeer_hello_request(struct tlspeer *peer); /* TLS 1.2 */
void tlspeer_send_raw(struct tlspeer *peer, const void *data, size_t len); /* past TLS */

bool tlspeer_is_open(const struct tlspeer *peer); /* the handshake is over */
bool tlspeer_is_closed(const struct tlspeer *peer); /* the client sent close_notify */
int tlspeer_error(const struct tlspeer *peer); /* GnuTLS' number, 0: none */
int tlspeer_alert(const struct tlspeer *peer); /* the last alert of the client, -1: none */
unsigned tlspeer_refusals(const struct tlspeer *peer); /* no_renegotiation received */
size_t tlspeer_records(const struct tlspeer *peer); /* data records received */
const char *tlspeer_sni(const struct tlspeer *peer); /* NULL: none */
const char *tlspeer_alpn(const struct tlspeer *peer); /* first one offered; NULL: none */
const char *tlspeer_client_address(const struct tlspeer *peer); /* XmppAddr; NULL: none */
/* true and the bytes, at most *len */
bool tlspeer_binding(const struct tlspeer *peer, const char *type, void *dst, size_t *len);
gnutls_session_t tlspeer_session(struct tlspeer *peer);

#endif
