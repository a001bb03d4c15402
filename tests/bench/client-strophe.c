#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <strophe.h>

static xmpp_ctx_t *ctx;

struct peer {
    xmpp_conn_t *conn;
    int ready;
    int closed;
};

static struct peer peers[1024];
static int peer_count;

static int on_stanza(xmpp_conn_t *conn, xmpp_stanza_t *stanza, void *user_data)
{
    char *body = xmpp_message_get_body(stanza);

    (void)conn;
    (void)user_data;
    bench_stanza(body, xmpp_stanza_get_child_by_ns(stanza, "urn:xmpp:receipts") != NULL);
    if (body)
        xmpp_free(ctx, body);
    return 1;
}

static int on_other(xmpp_conn_t *conn, xmpp_stanza_t *stanza, void *user_data)
{
    (void)conn;
    (void)stanza;
    (void)user_data;
    return 1;
}

static void on_connection(xmpp_conn_t *conn, xmpp_conn_event_t event, int error,
                          xmpp_stream_error_t *stream_error, void *user_data)
{
    struct peer *peer = user_data;

    (void)conn;
    (void)error;
    (void)stream_error;
    if (event == XMPP_CONN_CONNECT) {
        peer->ready = 1;
    } else {
        if (!peer->ready)
            bench_fail("libstrophe cannot connect");
        peer->closed = 1;
    }
}

void peer_init(void)
{
    xmpp_initialize();
    ctx = xmpp_ctx_new(NULL, NULL);
    if (!ctx)
        bench_fail("libstrophe");
}

void *peer_open(void)
{
    static char ns[1000][64];
    struct peer *peer = &peers[peer_count++ % 1024];
    long flags = bench.tls == BENCH_PLAIN    ? XMPP_CONN_FLAG_DISABLE_TLS
                 : bench.tls == BENCH_DIRECT ? XMPP_CONN_FLAG_LEGACY_SSL
                                             : XMPP_CONN_FLAG_MANDATORY_TLS;

    memset(peer, 0, sizeof *peer);
    peer->conn = xmpp_conn_new(ctx);
    xmpp_conn_set_jid(peer->conn, BENCH_JID);
    xmpp_conn_set_pass(peer->conn, BENCH_PASSWORD);
    if (bench.ca_dir)
        xmpp_conn_set_capath(peer->conn, bench.ca_dir); /* as Debian's OpenSSL: read when needed */
    xmpp_conn_set_flags(peer->conn, flags | XMPP_CONN_FLAG_DISABLE_SM);
    /* The last argument differs because libstrophe takes the same function only once with the same data. */
    xmpp_handler_add(peer->conn, on_stanza, NULL, "message", NULL, (void *)1);
    xmpp_handler_add(peer->conn, on_stanza, NULL, "presence", NULL, (void *)2);
    xmpp_handler_add(peer->conn, on_stanza, NULL, "iq", NULL, (void *)3);
    for (long i = 1; i < bench.handlers && i < 1000; i++) {
        snprintf(ns[i], sizeof ns[i], "urn:example:feature:%ld", i);
        xmpp_handler_add(peer->conn, on_other, ns[i], NULL, NULL, ns[i]);
    }
    if (xmpp_connect_client(peer->conn, BENCH_HOST, bench.port, on_connection, peer) != XMPP_EOK)
        bench_fail("libstrophe cannot begin");
    return peer;
}

int peer_is_ready(void *peer)
{
    return ((struct peer *)peer)->ready;
}

void peer_announce(void *peer)
{
    xmpp_stanza_t *presence = xmpp_presence_new(ctx);

    xmpp_send(((struct peer *)peer)->conn, presence);
    xmpp_stanza_release(presence);
}

void *peer_reopen(void *peer)
{
    (void)peer;
    return NULL;
}

void peer_step(int wait_ms)
{
    xmpp_run_once(ctx, (unsigned long)wait_ms);
}

int peer_send(void *peer, const char *id, const char *body)
{
    xmpp_stanza_t *message = xmpp_message_new(ctx, "chat", BENCH_FRIEND, id);

    xmpp_message_set_body(message, body);
    xmpp_send(((struct peer *)peer)->conn, message);
    xmpp_stanza_release(message);
    return 1;
}

void peer_close(void *peer)
{
    struct peer *p = peer;

    xmpp_disconnect(p->conn);
    for (int i = 0; i < 100 && !p->closed; i++)
        xmpp_run_once(ctx, 20);
    xmpp_conn_release(p->conn);
    p->conn = NULL;
}

void peer_extra(void *peer, const char *mode)
{
    (void)peer;
    (void)mode;
}
