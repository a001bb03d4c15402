#include "tst.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- life --- */

static void free_accounts(xmpp_test_server *server)
{
    while (server->accounts) {
        struct tst_account *account = server->accounts;

        server->accounts = account->next;
        free(account->user);
        free(account->password);
        tst_file_clear(&account->cert);
        tst_file_clear(&account->key);
        free(account);
    }
}

static void destroy(void *user_data)
{
    xmpp_test_server *server = user_data;
    xmpp_loop *loop = server->loop;

    tst_listen_clear(server);
    for (size_t i = 0; i < server->conn_count; i++)
        tst_conn_free(server->conns[i]);
    free(server->conns);
    while (server->scripts) {
        struct tst_script *script = server->scripts;

        server->scripts = script->next;
        tst_script_free(script);
    }
    if (server->stanza_destroy)
        server->stanza_destroy(server->stanza_data);
    if (server->event_destroy)
        server->event_destroy(server->event_data);
    if (server->data_destroy)
        server->data_destroy(server->data_data);
    (void)xmpp_test_server_clear_faults(server);
    free_accounts(server);
    tst_certs_clear(&server->certs);
    tst_buf_clear(&server->error);
    free(server->mechanisms);
    free(server->bindings);
    free(server->domain);
    free(server);
    xmpp_loop_unref(loop);
}

/* The references are those of a slot, so that any thread may drop the last one: what the slot destroys is destroyed in
 * the thread of the loop. */
static void on_never(xmpp_loop *loop, void *user_data)
{
    (void)loop;
    (void)user_data;
}

int xmpp_test_server_create(xmpp_test_server **ret, xmpp_loop *loop)
{
    xmpp_test_server *server;
    int r;

    if (!ret || !loop)
        return XMPP_ERR_INVAL;
    server = calloc(1, sizeof *server);
    if (!server)
        return XMPP_ERR_NOMEM;
    r = xmpp_loop_add_timer(loop, &server->life, UINT64_MAX, 0, on_never, server, destroy);
    if (r < 0) {
        free(server);
        return r;
    }
    server->loop = xmpp_loop_ref(loop);
    server->cert = XMPP_TEST_CERT_GOOD;
    server->finished_told = true;
    server->domain = strdup("test.example");
    tst_listen_init(server);
    (void)xmpp_test_server_clear_faults(server);
    r = tst_certs_init(&server->certs);
    if (r >= 0 && !server->domain)
        r = XMPP_ERR_NOMEM;
    if (r < 0) {
        xmpp_test_server_unref(server);
        return r;
    }
    *ret = server;
    return XMPP_OK;
}

xmpp_test_server *xmpp_test_server_ref(xmpp_test_server *server)
{
    if (server)
        (void)xmpp_slot_ref(server->life);
    return server;
}

xmpp_test_server *xmpp_test_server_unref(xmpp_test_server *server)
{
    if (server)
        (void)xmpp_slot_unref(server->life);
    return NULL;
}

/* --- what the application is told --- */

void tst_server_event(xmpp_test_server *server, xmpp_test_conn *conn, int event)
{
    if (server->event_fn)
        server->event_fn(server, conn, event, server->event_data);
}

void tst_server_fail(xmpp_test_server *server, const char *format, ...)
{
    va_list args;

    server->dirty = true;
    if (server->failed)
        return;
    server->failed = true;
    va_start(args, format);
    if (vasprintf(&server->error.data, format, args) < 0)
        server->error.data = NULL;
    va_end(args);
}

void tst_server_enter(xmpp_test_server *server)
{
    xmpp_test_server_ref(server);
    server->entered++;
}

static void tell(xmpp_test_server *server)
{
    if (server->failed && !server->failed_told) {
        server->failed_told = true;
        tst_server_event(server, NULL, XMPP_TEST_EVENT_FAILED);
    }
    if (!server->failed && !server->finished_told && !server->scripts && server->running == 0) {
        server->finished_told = true;
        tst_server_event(server, NULL, XMPP_TEST_EVENT_FINISHED);
    }
}

void tst_server_leave(xmpp_test_server *server)
{
    while (server->entered == 1 && server->dirty) {
        server->dirty = false;
        for (size_t i = 0; i < server->conn_count; i++)
            tst_conn_settle(server->conns[i]);
        tell(server);
    }
    server->entered--;
    xmpp_test_server_unref(server);
}

void tst_count(xmpp_test_conn *conn, int stat, uint64_t n)
{
    conn->stats[stat] += n;
    conn->server->stats[stat] += n;
}

const char *xmpp_test_server_get_error(const xmpp_test_server *server)
{
    if (!server || !server->failed)
        return NULL;
    return server->error.data ? server->error.data : "out of memory";
}

int xmpp_test_server_is_finished(const xmpp_test_server *server)
{
    if (!server)
        return XMPP_ERR_INVAL;
    if (server->failed)
        return XMPP_ERR_PROTOCOL;
    return !server->scripts && server->running == 0;
}

int xmpp_test_server_run(xmpp_test_server *server, uint64_t timeout_us)
{
    uint64_t now;
    uint64_t end;
    int r;

    if (!server)
        return XMPP_ERR_INVAL;
    now = xmpp_loop_get_time(server->loop);
    end = timeout_us > (uint64_t)INT64_MAX - now ? (uint64_t)INT64_MAX : now + timeout_us;
    for (;;) {
        r = xmpp_test_server_is_finished(server);
        if (r != 0)
            return r < 0 ? r : XMPP_OK;
        now = xmpp_loop_get_time(server->loop);
        if (now >= end)
            return XMPP_ERR_TIMEOUT;
        r = xmpp_loop_step(server->loop, (int64_t)(end - now));
        if (r < 0)
            return r;
    }
}

uint64_t xmpp_test_server_get_stat(const xmpp_test_server *server, int stat)
{
    return server && stat > 0 && stat < TST_STATS ? server->stats[stat] : 0;
}

size_t xmpp_test_server_count_conns(const xmpp_test_server *server)
{
    return server ? server->conn_count : 0;
}

xmpp_test_conn *xmpp_test_server_get_conn(const xmpp_test_server *server, size_t index)
{
    return server && index < server->conn_count ? server->conns[index] : NULL;
}

xmpp_test_conn *xmpp_test_server_find_conn(const xmpp_test_server *server, const xmpp_jid *jid)
{
    return server && jid ? tst_conn_find(server, jid) : NULL;
}
