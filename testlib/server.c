#include "tst.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- life --- */

int xmpp_test_server_create(xmpp_test_server **ret, xmpp_loop *loop)
{
    xmpp_test_server *server;
    int r;

    if (!ret || !loop)
        return XMPP_ERR_INVAL;
    server = calloc(1, sizeof *server);
    if (!server)
        return XMPP_ERR_NOMEM;
    server->refs = 1;
    server->loop = xmpp_loop_ref(loop);
    server->cert = XMPP_TEST_CERT_GOOD;
    server->finished_told = true;
    server->domain = strdup("test.example");
    for (int i = 0; i < TST_TRANSPORTS; i++)
        server->listeners[i].fd = -1;
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
        server->refs++;
    return server;
}

static void free_accounts(xmpp_test_server *server)
{
    while (server->accounts) {
        struct tst_account *account = server->accounts;

        server->accounts = account->next;
        free(account->user);
        free(account->password);
        free(account);
    }
}

static void destroy(xmpp_test_server *server)
{
    xmpp_loop *loop = server->loop;

    for (int i = 0; i < TST_TRANSPORTS; i++) {
        xmpp_slot_unref(server->listeners[i].io);
        if (server->listeners[i].fd >= 0)
            (void)close(server->listeners[i].fd);
    }
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

xmpp_test_server *xmpp_test_server_unref(xmpp_test_server *server)
{
    if (server && --server->refs == 0)
        destroy(server);
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
    while (server->dirty) {
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

/* --- listening --- */

static void on_accept(xmpp_loop *loop, int fd, int events, void *user_data)
{
    xmpp_test_server *server = user_data;
    int transport = 0;
    int conn_fd;

    (void)loop;
    (void)events;
    while (server->listeners[transport].fd != fd)
        transport++;
    conn_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (conn_fd < 0)
        return;
    tst_server_enter(server);
    if (tst_conn_create(server, transport, conn_fd) < 0) {
        tst_server_fail(server, "out of memory");
        (void)close(conn_fd);
    }
    tst_server_leave(server);
}

static int open_socket(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
        (void)close(fd);
        return -1;
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

int xmpp_test_server_listen(xmpp_test_server *server, int transport, uint16_t *ret_port)
{
    struct tst_listener *listener;
    uint16_t port;
    int fd;
    int r;

    if (!server || transport < 0 || transport >= TST_TRANSPORTS)
        return XMPP_ERR_INVAL;
    listener = &server->listeners[transport];
    if (listener->fd < 0) {
        fd = open_socket(&port);
        if (fd < 0)
            return XMPP_ERR_SYSTEM;
        r = xmpp_loop_add_io(server->loop, &listener->io, fd, XMPP_IO_READ, on_accept, server,
                             NULL);
        if (r < 0) {
            (void)close(fd);
            return r;
        }
        listener->fd = fd;
        listener->port = port;
    }
    if (ret_port)
        *ret_port = listener->port;
    return XMPP_OK;
}
