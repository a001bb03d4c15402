#include "bench.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmpp/xmpp.h>

static xmpp_loop *loop;
static xmpp_jid *jid;
static xmpp_jid *friend_jid;

static void *count_realloc(void *ptr, size_t size, void *user_data)
{
    void *block;

    (void)user_data;
    bench_own_bytes -= malloc_usable_size(ptr);
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    bench_own_allocs++;
    block = realloc(ptr, size);
    bench_own_bytes += malloc_usable_size(block);
    return block;
}

static int on_stanza(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    const xmpp_elem *body = xmpp_elem_first_child(stanza, "jabber:client", "body");

    (void)client;
    (void)user_data;
    bench_stanza(xmpp_elem_get_text(body),
                 xmpp_elem_first_child(stanza, "urn:xmpp:receipts", NULL) != NULL);
    return XMPP_PASS;
}

static int on_other(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    (void)client;
    (void)stanza;
    (void)user_data;
    return XMPP_PASS;
}

static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                     void *user_data)
{
    (void)client;
    (void)old_state;
    (void)user_data;
    if (new_state == XMPP_STATE_IDLE && error)
        bench_fail(xmpp_error_get_text(error));
}

void peer_init(void)
{
    if (bench.own && xmpp_mem_set_allocator(count_realloc, NULL) != XMPP_OK)
        bench_fail("allocator");
    if (xmpp_loop_create(&loop) < 0 || xmpp_jid_parse(&jid, BENCH_JID) < 0 ||
        xmpp_jid_parse(&friend_jid, BENCH_FRIEND) < 0)
        bench_fail("libxmpp");
}

/* Handlers that look for other payloads, as the parts of a large program do. */
static int add_others(xmpp_client *client)
{
    int r = XMPP_OK;

    for (long i = 1; i < bench.handlers && r >= 0; i++) {
        char ns[64];
        snprintf(ns, sizeof ns, "urn:example:feature:%ld", i);
        r = xmpp_client_add_handler(client, NULL, XMPP_MESSAGE | XMPP_PRESENCE | XMPP_IQ, ns, "x",
                                    on_other, NULL, NULL);
    }
    return r;
}

void *peer_open(void)
{
    xmpp_client *client = NULL;
    int r = xmpp_client_create(&client, loop);

    if (r >= 0)
        r = xmpp_client_set_jid(client, jid);
    if (r >= 0)
        r = xmpp_client_set_password(client, BENCH_PASSWORD);
    if (r >= 0)
        r = xmpp_client_set_endpoint(client, BENCH_HOST, bench.port, bench.tls == BENCH_DIRECT);
    if (r >= 0 && bench.tls == BENCH_PLAIN)
        r = xmpp_client_set_tls_mode(client, XMPP_TLS_LOCAL_ONLY);
    if (r >= 0)
        r = xmpp_client_set_trust_file(client, bench.ca_file);
    if (r >= 0)
        r = xmpp_client_on_state(client, NULL, on_state, NULL, NULL);
    if (r >= 0)
        r = xmpp_client_add_handler(client, NULL, XMPP_MESSAGE | XMPP_PRESENCE | XMPP_IQ, NULL,
                                    NULL, on_stanza, NULL, NULL);
    if (r >= 0)
        r = add_others(client);
    if (r >= 0)
        r = xmpp_client_connect(client);
    if (r < 0)
        bench_fail(xmpp_err_text(r));
    return client;
}

int peer_is_ready(void *peer)
{
    return xmpp_client_get_state(peer) == XMPP_STATE_READY;
}

void peer_announce(void *peer)
{
    xmpp_elem *presence = NULL;

    if (xmpp_elem_create_stanza(&presence, XMPP_PRESENCE, NULL, NULL) < 0 ||
        xmpp_client_send(peer, presence) < 0)
        bench_fail("presence");
    xmpp_elem_unref(presence);
}

void *peer_reopen(void *peer)
{
    xmpp_client_abort(peer);
    if (xmpp_client_connect(peer) < 0)
        bench_fail("connect again");
    return peer;
}

void peer_step(int wait_ms)
{
    xmpp_loop_step(loop, (int64_t)wait_ms * 1000);
}

int peer_send(void *peer, const char *id, const char *body)
{
    xmpp_elem *message;
    int r = xmpp_elem_create_stanza(&message, XMPP_MESSAGE, "chat", friend_jid);

    (void)id; /* the library makes one */
    if (r < 0)
        bench_fail(xmpp_err_text(r));
    xmpp_elem_add_child_text(message, NULL, "body", body);
    r = xmpp_client_send(peer, message);
    xmpp_elem_unref(message);
    if (r < 0 && r != XMPP_ERR_LIMIT)
        bench_fail(xmpp_err_text(r));
    return r >= 0;
}

void peer_close(void *peer)
{
    xmpp_client_unref(peer);
}

void peer_extra(void *peer, const char *mode)
{
    printf(", \"round_trips\": %llu",
           (unsigned long long)xmpp_client_get_stat(peer, XMPP_STAT_ROUND_TRIPS));
    if (strcmp(mode, "login") != 0)
        printf(", \"stat_writes\": %llu, \"stat_reads\": %llu, \"tls_version\": \"%s\"",
               (unsigned long long)xmpp_client_get_stat(peer, XMPP_STAT_WRITES),
               (unsigned long long)xmpp_client_get_stat(peer, XMPP_STAT_READS),
               bench.tls == BENCH_PLAIN ? "" : xmpp_client_get_info(peer, XMPP_INFO_TLS_VERSION));
}
