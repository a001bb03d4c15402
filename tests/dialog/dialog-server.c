/* Plays dialogue files against the whole client, over sockets and TLS, with libxmpp-test as its peer:
 * dialog-server [--whole] FILE */
#include "dialog-app.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <xmpp/test.h>

#define PATIENCE_US 20000000 /* for what never comes */

struct target {
    struct app app;
    xmpp_test_server *server;
    xmpp_test_conn *conn;
    char *heard; /* what the client said, in plain text */
    size_t heard_len;
    bool tls; /* has begun */
    bool secured; /* the handshake is over */
    bool left; /* the client has ended TCP */
};

/* --- the peer --- */

static int on_data(xmpp_test_server *server, xmpp_test_conn *conn, const void *data, size_t len,
                   void *user_data)
{
    struct target *target = user_data;

    (void)server;
    /* after <proceed/> comes a ClientHello */
    if (!target->tls && *(const unsigned char *)data == 0x16) {
        target->tls = true;
        events_add(&target->app.events, "START_TLS", NULL, NULL);
        return xmpp_test_conn_act(conn, XMPP_TEST_START_TLS, NULL) < 0 ? XMPP_DONE : XMPP_PASS;
    }
    target->heard = realloc(target->heard, target->heard_len + len);
    memcpy(target->heard + target->heard_len, data, len);
    target->heard_len += len;
    return XMPP_DONE;
}

static void on_event(xmpp_test_server *server, xmpp_test_conn *conn, int event, void *user_data)
{
    struct target *target = user_data;

    (void)server;
    if (event == XMPP_TEST_EVENT_CONNECTED)
        target->conn = conn;
    if (event == XMPP_TEST_EVENT_SECURED)
        target->secured = true;
    if (event == XMPP_TEST_EVENT_TCP_END)
        target->left = true;
}

static bool is_everything_read(const struct target *target)
{
    const xmpp_client *client = target->app.client;

    return xmpp_test_conn_get_stat(target->conn, XMPP_TEST_STAT_BYTES_IN) ==
               xmpp_client_get_stat(client, XMPP_STAT_BYTES_OUT) &&
           xmpp_test_conn_get_stat(target->conn, XMPP_TEST_STAT_BYTES_OUT) ==
               xmpp_client_get_stat(client, XMPP_STAT_BYTES_IN);
}

/* Is nothing to be done, and nothing on its way between the sockets? */
static bool is_quiet(const struct target *target)
{
    struct pollfd ready = {.fd = xmpp_loop_get_fd(target->app.loop), .events = POLLIN};

    if (poll(&ready, 1, 0) != 0)
        return false;
    switch (xmpp_client_get_state(target->app.client)) {
    case XMPP_STATE_IDLE:
        return !target->conn || target->left;
    case XMPP_STATE_RESOLVING:
    case XMPP_STATE_CONNECTING:
        return false;
    default:
        /* an end of the server ends the client too */
        return xmpp_test_conn_is_open(target->conn) && is_everything_read(target);
    }
}

static int settle(struct target *target)
{
    xmpp_loop *loop = target->app.loop;
    uint64_t end = xmpp_loop_get_time(loop) + PATIENCE_US;

    while (!is_quiet(target)) {
        int r = xmpp_loop_step(loop, PATIENCE_US);

        if (r < 0)
            return r;
        if (xmpp_loop_get_time(loop) >= end)
            return XMPP_ERR_TIMEOUT;
    }
    return XMPP_OK;
}

/* --- life --- */

static int target_create(void **ret)
{
    *ret = calloc(1, sizeof(struct target));
    return XMPP_OK;
}

static void target_destroy(void *data)
{
    struct target *target = data;

    app_clear(&target->app);
    xmpp_test_server_unref(target->server);
    free(target->heard);
    free(target);
}

static int target_set(void *data, const char *name, const char *value)
{
    struct target *target = data;

    return settings_add(&target->app.settings, name, value);
}

static int open_server(struct target *target, struct app_server *ret)
{
    xmpp_test_server *server;
    int r;

    r = xmpp_test_server_create(&target->server, target->app.loop);
    if (r < 0)
        return r;
    server = target->server;
    r = xmpp_test_server_set_domain(server, "a.example");
    if (r == XMPP_OK)
        r = xmpp_test_server_add_account(server, "user", "pencil");
    if (r == XMPP_OK && settings_get(&target->app.settings, "external", NULL))
        r = xmpp_test_server_set_mechanisms(server, "EXTERNAL"); /* it asks for a certificate */
    if (r == XMPP_OK)
        r = xmpp_test_server_set_data_fn(server, on_data, target, NULL);
    if (r == XMPP_OK)
        r = xmpp_test_server_set_event_fn(server, on_event, target, NULL);
    if (r == XMPP_OK)
        r = xmpp_test_server_listen(server, XMPP_TEST_PLAIN, &ret->port);
    if (r == XMPP_OK)
        r = xmpp_test_server_listen(server, XMPP_TEST_DIRECT_TLS, &ret->direct_port);
    if (r == XMPP_OK)
        r = xmpp_test_server_get_cert_files(server, "user", &ret->cert, &ret->key);
    ret->trust = xmpp_test_server_get_trust_file(server);
    return r;
}

static int target_open(void *data)
{
    struct target *target = data;
    struct app_server server;
    int r;

    target->tls = settings_get(&target->app.settings, "secured", NULL) != NULL;
    r = xmpp_loop_create(&target->app.loop);
    if (r == XMPP_OK)
        r = open_server(target, &server);
    if (r == XMPP_OK)
        r = app_create(&target->app, &server);
    if (r == XMPP_OK)
        r = xmpp_client_connect(target->app.client);
    return r == XMPP_OK ? settle(target) : r;
}

/* --- what the dialogue says --- */

/* The client may have left, as it may in the middle of what the server says. */
static int target_feed(void *data, const char *bytes, size_t len)
{
    struct target *target = data;
    int r = xmpp_test_conn_send_bytes(target->conn, bytes, len);

    return r < 0 && r != XMPP_ERR_STATE ? r : settle(target);
}

static size_t target_peek(void *data, const char **ret_data)
{
    const struct target *target = data;

    *ret_data = target->heard_len > 0 ? target->heard : "";
    return target->heard_len;
}

static void target_consume(void *data, size_t len)
{
    struct target *target = data;

    target->heard_len -= len;
    memmove(target->heard, target->heard + len, target->heard_len);
}

static void target_next(void *data, struct dialog_event *ret)
{
    struct target *target = data;

    *ret = events_take(&target->app.events);
}

static bool target_is_busy(void *data)
{
    (void)data;
    return false; /* the loop computes */
}

static int target_tick(void *data, uint64_t us)
{
    (void)data;
    (void)us;
    return XMPP_ERR_NOTFOUND; /* time is that of the system */
}

static int target_command(void *data, const char *name, const char *arg)
{
    struct target *target = data;
    int r;

    if (!strcmp(name, "TLS"))
        return target->secured ? XMPP_OK : XMPP_ERR_TLS;
    if (!strcmp(name, "EOF"))
        r = xmpp_test_conn_act(target->conn, XMPP_TEST_CLOSE, NULL) == XMPP_ERR_INVAL
                ? XMPP_ERR_INVAL
                : XMPP_OK; /* it may have ended before */
    else
        r = app_command(&target->app, name, arg);
    return r < 0 ? r : settle(target);
}

static bool target_get(void *data, const char *name, char *dst, size_t size)
{
    const struct target *target = data;

    return app_get(&target->app, name, dst, size);
}

static const struct dialog_ops server_ops = {
    .level = "server",
    .create = target_create,
    .destroy = target_destroy,
    .set = target_set,
    .open = target_open,
    .feed = target_feed,
    .peek = target_peek,
    .consume = target_consume,
    .next = target_next,
    .is_busy = target_is_busy,
    .tick = target_tick,
    .command = target_command,
    .get = target_get,
};

int main(int argc, char **argv)
{
    return dialog_run(argc, argv, &server_ops, false, 3);
}
