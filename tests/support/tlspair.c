#include "support/tlspair.h"

#include "support/certs.h"

#include <stdlib.h>
#include <string.h>

#define PIECE 65536

int tlspair_open(struct tlspair *pair, const char *trust, const char *client_cert,
                 const struct tls_options *options, const struct tlspeer_options *peer_options,
                 enum tlspair_cut cut)
{
    static const struct tls_options defaults = {.domain = "a.example", .direct = true};
    struct tls_creds *creds;
    int r;

    memset(pair, 0, sizeof(*pair));
    pair->cut = cut;
    pair->seed = 1;
    buf_init(&pair->wire_in, SIZE_MAX);
    buf_init(&pair->wire_out, SIZE_MAX);
    buf_init(&pair->app_in, SIZE_MAX);
    buf_init(&pair->app_out, SIZE_MAX);
    r = tls_creds_get(&creds, certs_crt_path(trust ? trust : "ca"),
                      client_cert ? certs_crt_path(client_cert) : NULL,
                      client_cert ? certs_key_path(client_cert) : NULL, NULL);
    if (r < 0)
        return r;
    r = tls_create(&pair->tls, creds, options ? options : &defaults);
    tls_creds_unref(creds);
    if (r < 0)
        return r;
    pair->codec = tls_codec(pair->tls);
    pair->peer = tlspeer_create(peer_options);
    return XMPP_OK;
}

static size_t piece(struct tlspair *pair)
{
    switch (pair->cut) {
    case CUT_BYTES:
        return 1;
    case CUT_RANDOM:
        return 1 + (size_t)rand_r(&pair->seed) % 700;
    default:
        return PIECE;
    }
}

/* Client to server; a failed codec has an alert to say. */
static int send_out(struct tlspair *pair, bool *moved)
{
    int r = pair->codec->ops->encode(pair->codec, &pair->app_in, &pair->wire_out);
    size_t len = buf_len(&pair->wire_out);

    if (len) {
        *moved = true;
        tlspeer_feed(pair->peer, buf_peek(&pair->wire_out), len);
        buf_consume(&pair->wire_out, len);
    }
    return r;
}

int tlspair_run(struct tlspair *pair)
{
    char data[PIECE];
    bool moved;

    do {
        size_t before = buf_len(&pair->wire_in);
        size_t had = buf_len(&pair->app_out);
        size_t n;
        int r;

        moved = false;
        r = send_out(pair, &moved);
        if (r < 0)
            return r;
        n = tlspeer_take(pair->peer, data, piece(pair));
        r = buf_append(&pair->wire_in, data, n);
        if (r < 0)
            return r;
        r = pair->codec->ops->decode(pair->codec, &pair->wire_in, &pair->app_out);
        if (r < 0) {
            (void)send_out(pair, &moved);
            return r;
        }
        if (n || buf_len(&pair->wire_in) != before || buf_len(&pair->app_out) != had)
            moved = true;
    } while (moved);
    return XMPP_OK;
}

int tlspair_secure(struct tlspair *pair, int problems)
{
    int r = tlspair_run(pair);

    if (r < 0)
        return r;
    if (tls_get_state(pair->tls) != TLS_VERIFY)
        return XMPP_ERR_STATE;
    if (tls_get_problems(pair->tls) != problems)
        return XMPP_ERR_CERT;
    r = tls_accept(pair->tls);
    return r < 0 ? r : tlspair_run(pair);
}

void tlspair_free(struct tlspair *pair)
{
    if (pair->codec)
        pair->codec->ops->free(pair->codec);
    tlspeer_free(pair->peer);
    buf_clear(&pair->wire_in);
    buf_clear(&pair->wire_out);
    buf_clear(&pair->app_in);
    buf_clear(&pair->app_out);
}
