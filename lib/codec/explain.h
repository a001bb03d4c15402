#ifndef CODEC_EXPLAIN_H
#define CODEC_EXPLAIN_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is known when a session fails. */
struct explain {
    int number; /* GnuTLS' */
    const char *domain;
    const uint8_t *head; /* the first bytes that the peer sent */
    size_t head_len;
    bool in_handshake;
    bool has_unsent; /* too much of what TLS itself has to say */
    unsigned controls; /* of the peer, in a row */
};

/* Words in which a developer sees what to do. */
void explain_failure(gnutls_session_t session, const struct explain *explain, char *dst,
                     size_t size);
/* could these be the first bytes of a TLS server? */
bool explain_is_tls(const uint8_t *head, size_t len);

#endif
