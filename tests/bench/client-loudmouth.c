#include "bench.h"

#include <loudmouth/loudmouth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static GMainContext *context;

struct peer {
    LmConnection *connection;
    int ready;
};

static gboolean on_wake(gpointer user_data)
{
    (void)user_data;
    return TRUE;
}

static LmHandlerResult on_stanza(LmMessageHandler *handler, LmConnection *connection,
                                 LmMessage *message, gpointer user_data)
{
    LmMessageNode *node = lm_message_get_node(message);
    LmMessageNode *body = lm_message_node_get_child(node, "body");
    LmMessageNode *child = node->children;

    (void)handler;
    (void)connection;
    (void)user_data;
    while (child && g_strcmp0(lm_message_node_get_attribute(child, "xmlns"), "urn:xmpp:receipts"))
        child = child->next;
    bench_stanza(body ? lm_message_node_get_value(body) : NULL, child != NULL);
    return LM_HANDLER_RESULT_ALLOW_MORE_HANDLERS;
}

static LmHandlerResult on_other(LmMessageHandler *handler, LmConnection *connection,
                                LmMessage *message, gpointer user_data)
{
    (void)handler;
    (void)connection;
    (void)message;
    (void)user_data;
    return LM_HANDLER_RESULT_ALLOW_MORE_HANDLERS;
}

static LmSSLResponse on_ssl(LmSSL *ssl, LmSSLStatus status, gpointer user_data)
{
    (void)ssl;
    (void)status;
    (void)user_data;
    return LM_SSL_RESPONSE_CONTINUE;
}

static void on_authenticated(LmConnection *connection, gboolean success, gpointer user_data)
{
    struct peer *peer = user_data;

    (void)connection;
    if (!success)
        bench_fail("loudmouth cannot authenticate");
    peer->ready = 1;
}

static void on_open(LmConnection *connection, gboolean success, gpointer user_data)
{
    if (!success || !lm_connection_authenticate(connection, "bench", BENCH_PASSWORD, "bench",
                                                on_authenticated, user_data, NULL, NULL))
        bench_fail("loudmouth cannot connect");
}

void peer_init(void)
{
    context = g_main_context_new();
}

static void add_handler(LmConnection *connection, LmHandleMessageFunction function)
{
    static const LmMessageType types[] = {LM_MESSAGE_TYPE_MESSAGE, LM_MESSAGE_TYPE_PRESENCE,
                                          LM_MESSAGE_TYPE_IQ};
    LmMessageHandler *handler = lm_message_handler_new(function, NULL, NULL);

    for (int i = 0; i < 3; i++)
        lm_connection_register_message_handler(connection, handler, types[i],
                                               LM_HANDLER_PRIORITY_NORMAL);
    lm_message_handler_unref(handler);
}

void *peer_open(void)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (!peer)
        bench_fail("memory");
    peer->connection = lm_connection_new_with_context(BENCH_HOST, context);
    lm_connection_set_port(peer->connection, bench.port);
    lm_connection_set_jid(peer->connection, "bench@localhost");
    if (bench.tls != BENCH_PLAIN) {
        LmSSL *ssl = lm_ssl_new(NULL, on_ssl, NULL, NULL);
        lm_ssl_set_ca(ssl, bench.ca_file);
        if (bench.tls == BENCH_STARTTLS)
            lm_ssl_use_starttls(ssl, TRUE, TRUE);
        lm_connection_set_ssl(peer->connection, ssl);
        lm_ssl_unref(ssl);
    }
    add_handler(peer->connection, on_stanza);
    for (long i = 1; i < bench.handlers; i++)
        add_handler(peer->connection, on_other);
    if (!lm_connection_open(peer->connection, on_open, peer, NULL, NULL))
        bench_fail("loudmouth cannot begin");
    return peer;
}

int peer_is_ready(void *peer)
{
    return ((struct peer *)peer)->ready;
}

void peer_announce(void *peer)
{
    LmMessage *presence = lm_message_new(NULL, LM_MESSAGE_TYPE_PRESENCE);

    lm_connection_send(((struct peer *)peer)->connection, presence, NULL);
    lm_message_unref(presence);
}

void *peer_reopen(void *peer)
{
    (void)peer;
    return NULL;
}

void peer_step(int wait_ms)
{
    GSource *timer;

    if (wait_ms <= 0 || g_main_context_pending(context)) {
        g_main_context_iteration(context, FALSE);
        return;
    }
    timer = g_timeout_source_new((guint)wait_ms);
    g_source_set_callback(timer, on_wake, NULL, NULL);
    g_source_attach(timer, context);
    g_main_context_iteration(context, TRUE);
    g_source_destroy(timer);
    g_source_unref(timer);
}

int peer_send(void *peer, const char *id, const char *body)
{
    LmMessage *message = lm_message_new_with_sub_type(BENCH_FRIEND, LM_MESSAGE_TYPE_MESSAGE,
                                                      LM_MESSAGE_SUB_TYPE_CHAT);

    lm_message_node_set_attribute(lm_message_get_node(message), "id", id);
    lm_message_node_add_child(lm_message_get_node(message), "body", body);
    if (!lm_connection_send(((struct peer *)peer)->connection, message, NULL))
        bench_fail("loudmouth cannot send");
    lm_message_unref(message);
    return 1;
}

void peer_close(void *peer)
{
    struct peer *p = peer;

    lm_connection_close(p->connection, NULL);
    lm_connection_unref(p->connection);
    free(p);
}

void peer_extra(void *peer, const char *mode)
{
    (void)peer;
    (void)mode;
}
