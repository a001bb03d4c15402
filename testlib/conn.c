#include "tst.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- output --- */

void tst_conn_put(xmpp_test_conn *conn, const void *data, size_t len)
{
    if (conn->ended || conn->closing || conn->silent || len == 0)
        return;
    if (!conn->tls)
        tst_buf_add(&conn->wire_out, data, len);
    else if (!conn->tls_open)
        tst_buf_add(&conn->plain_out, data, len);
    else if (tst_tls_write(conn, data, len) < 0)
        tst_wire_reset(conn);
    if (conn->wire_out.len + conn->plain_out.len > TST_MAX_QUEUE)
        conn->wire_out.failed = true;
    tst_conn_update(conn);
}

void tst_conn_raw(xmpp_test_conn *conn, const void *data, size_t len)
{
    if (!conn->tls || conn->tls_open) {
        tst_conn_put(conn, data, len);
    } else if (!conn->ended && !conn->silent) {
        tst_buf_add(&conn->wire_out, data, len);
        tst_conn_update(conn);
    }
}

void tst_conn_say(xmpp_test_conn *conn, const char *text)
{
    tst_conn_put(conn, text, strlen(text));
}

void tst_conn_printf(xmpp_test_conn *conn, const char *format, ...)
{
    char *text;
    va_list args;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0) {
        conn->wire_out.failed = true;
        return;
    }
    tst_conn_put(conn, text, (size_t)len);
    free(text);
}

int tst_conn_hand_over(xmpp_test_conn *conn, const xmpp_elem *elem)
{
    char *xml;
    size_t len;
    int r = xmpp_elem_to_xml(elem, &xml, &len);

    if (r < 0)
        return r;
    tst_count(conn, XMPP_TEST_STAT_STANZAS_OUT, 1);
    tst_conn_put(conn, xml, len);
    xmpp_mem_free(xml);
    return XMPP_OK;
}

/* --- input --- */

static void keep(xmpp_test_conn *conn, xmpp_elem *elem)
{
    if (conn->received_count == TST_MAX_RECEIVED)
        return;
    if (conn->received_count == conn->received_cap) {
        size_t cap = conn->received_cap * 2 + 8;
        xmpp_elem **fresh = realloc(conn->received, cap * sizeof *fresh);

        if (!fresh) {
            conn->wire_out.failed = true;
            return;
        }
        conn->received = fresh;
        conn->received_cap = cap;
    }
    conn->received[conn->received_count++] = xmpp_elem_ref(elem);
}

static void take_stanza(xmpp_test_conn *conn, const xmpp_elem *elem)
{
    xmpp_test_server *server = conn->server;

    if (tst_plan_at(conn, XMPP_TEST_AT_STANZA))
        return;
    if (server->stanza_fn &&
        server->stanza_fn(server, conn, elem, server->stanza_data) != XMPP_PASS)
        return;
    if (conn->ended)
        return;
    if (xmpp_elem_get_kind(elem) == 0)
        tst_stream_error(conn, "unsupported-stanza-type");
    else
        tst_route(conn, elem);
}

static void take_piece(xmpp_test_conn *conn, enum tst_piece piece, const xmpp_elem *elem)
{
    if (conn->script && tst_script_take(conn, piece, elem))
        return;
    if (piece == TST_END)
        tst_send_end(conn);
    else if (conn->scripted)
        return;
    else if (piece == TST_HEADER)
        tst_login_header(conn, elem);
    else if (conn->ready)
        take_stanza(conn, elem);
    else
        tst_login_elem(conn, elem);
}

static void read_piece(xmpp_test_conn *conn, enum tst_piece piece, const char *text, size_t len)
{
    xmpp_elem *elem = NULL;
    int r = XMPP_OK;

    if (piece == TST_HEADER || piece == TST_ELEM)
        r = tst_reader_parse(&conn->reader, piece, text, len, &elem);
    if (r == XMPP_ERR_NOMEM) {
        conn->wire_out.failed = true;
        return;
    }
    if (r < 0 || piece == TST_BAD) {
        tst_stream_error(conn, "not-well-formed");
        return;
    }
    if (piece == TST_ELEM)
        keep(conn, elem);
    if (conn->ready && elem && xmpp_elem_get_kind(elem) != 0)
        tst_count(conn, XMPP_TEST_STAT_STANZAS_IN, 1);
    take_piece(conn, piece, elem);
    xmpp_elem_unref(elem);
}

void tst_conn_process(xmpp_test_conn *conn)
{
    const char *text;
    size_t len;

    while (!conn->waiting && !conn->ended && !conn->closing && !tst_conn_has_failed(conn)) {
        enum tst_piece piece = tst_reader_next(&conn->reader, &text, &len);
        bool had_tls = conn->tls != NULL;

        if (piece == TST_NOTHING)
            return;
        read_piece(conn, piece, text, len);
        if (!had_tls && conn->tls)
            return; /* what follows is TLS */
    }
}

void tst_conn_take(xmpp_test_conn *conn, const void *data, size_t len)
{
    xmpp_test_server *server = conn->server;
    bool had_tls = conn->tls != NULL;

    if (server->data_fn && server->data_fn(server, conn, data, len, server->data_data) != XMPP_PASS)
        return;
    if (!conn->ended)
        tst_buf_add(!had_tls && conn->tls ? &conn->wire_in : &conn->reader.in, data, len);
}

static bool has_handshake(xmpp_test_conn *conn)
{
    struct tst_plan *plan = &conn->plans[XMPP_TEST_AT_HANDSHAKE];

    if (plan->action > 0)
        (void)tst_plan_at(conn, XMPP_TEST_AT_HANDSHAKE);
    if (plan->action != 0)
        plan->action = -1; /* once; what follows is not looked at */
    return !conn->silent && !conn->ended && !conn->closing && plan->action == 0;
}

static void take_tls(xmpp_test_conn *conn)
{
    if (!conn->tls_open && !has_handshake(conn))
        conn->wire_in.len = 0;
    else if (!conn->wire_in.failed && tst_tls_run(conn) < 0)
        conn->closing = true; /* behind the alert */
}

/* The test sees also what comes when we have ended the connection. */
static void take_bytes(xmpp_test_conn *conn, const char *data, size_t len)
{
    tst_count(conn, XMPP_TEST_STAT_BYTES_IN, len);
    if (conn->ended && !conn->server->data_fn)
        return;
    if (conn->tls) {
        tst_buf_add(&conn->wire_in, data, len);
    } else {
        tst_conn_take(conn, data, len);
        tst_conn_process(conn);
    }
    if (conn->tls && conn->wire_in.len > 0)
        take_tls(conn);
    tst_conn_process(conn);
}

static bool may_read(const xmpp_test_conn *conn)
{
    int64_t most = conn->faults[XMPP_TEST_FAULT_NEVER_READ];

    return most < 0 || conn->stats[XMPP_TEST_STAT_BYTES_IN] < (uint64_t)most;
}

static void receive(xmpp_test_conn *conn)
{
    static const size_t piece = 16384;
    char data[16384];
    ssize_t n = recv(conn->fd, data, piece, 0);

    if (n > 0) {
        take_bytes(conn, data, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        tst_wire_lost(conn);
    }
}

static void on_ready(xmpp_loop *loop, int fd, int events, void *user_data)
{
    xmpp_test_conn *conn = user_data;
    xmpp_test_server *server = conn->server;

    (void)loop;
    (void)fd;
    tst_server_enter(server);
    if (events & XMPP_IO_READ)
        receive(conn);
    if (conn->fd >= 0)
        tst_wire_flush(conn);
    tst_server_leave(server);
}

/* --- life --- */

void tst_conn_update(xmpp_test_conn *conn)
{
    int events = (may_read(conn) ? XMPP_IO_READ : 0) |
                 ((conn->wire_out.len > 0 || (conn->closing && !conn->ended)) && !conn->delay &&
                          !conn->stopped
                      ? XMPP_IO_WRITE
                      : 0);

    if (tst_conn_has_failed(conn))
        conn->server->dirty = true;
    if (!conn->io || events == conn->events)
        return;
    conn->events = events;
    if (xmpp_loop_set_io_events(conn->server->loop, conn->io, events) < 0)
        conn->server->dirty = conn->wire_out.failed = true;
}

bool tst_conn_has_failed(const xmpp_test_conn *conn)
{
    return conn->wire_out.failed || conn->wire_in.failed || conn->plain_out.failed ||
           conn->reader.in.failed || conn->reader.header.failed;
}

void tst_conn_over(xmpp_test_conn *conn)
{
    if (conn->ended)
        return;
    conn->ended = true;
    conn->server->dirty = true;
    tst_route_gone(conn);
    tst_script_lost(conn);
}

void tst_conn_settle(xmpp_test_conn *conn)
{
    if (tst_conn_has_failed(conn) && !conn->ended) {
        tst_server_fail(conn->server, "out of memory");
        tst_wire_reset(conn);
    }
    if (conn->ended && !conn->told) {
        conn->told = true;
        tst_server_event(conn->server, conn, XMPP_TEST_EVENT_CLOSED);
    }
    if (conn->fd < 0 && conn->tls) {
        gnutls_deinit(conn->tls);
        conn->tls = NULL;
        conn->tls_open = false;
    }
}

static bool copy_plans(xmpp_test_conn *conn)
{
    for (int i = 0; i < TST_POINTS; i++) {
        const struct tst_plan *plan = &conn->server->plans[i];

        conn->plans[i].action = plan->action;
        conn->plans[i].text = plan->text ? strdup(plan->text) : NULL;
        if (plan->text && !conn->plans[i].text)
            return false;
    }
    return true;
}

static bool add_to_server(xmpp_test_conn *conn)
{
    xmpp_test_server *server = conn->server;

    if (server->conn_count == server->conn_cap) {
        size_t cap = server->conn_cap * 2 + 8;
        xmpp_test_conn **fresh = realloc(server->conns, cap * sizeof(xmpp_test_conn *));

        if (!fresh)
            return false;
        server->conns = fresh;
        server->conn_cap = cap;
    }
    server->conns[server->conn_count++] = conn;
    conn->number = (unsigned)server->conn_count;
    return true;
}

int tst_conn_create(xmpp_test_server *server, int transport, int fd)
{
    xmpp_test_conn *conn = calloc(1, sizeof *conn);
    int one = 1;
    int r;

    if (!conn)
        return XMPP_ERR_NOMEM;
    conn->server = server;
    conn->transport = transport;
    conn->fd = -1;
    conn->events = XMPP_IO_READ;
    conn->cert = server->cert;
    conn->tls_version = server->tls_version;
    memcpy(conn->faults, server->faults, sizeof conn->faults);
    conn->random = 0x9e3779b97f4a7c15u ^ (uint64_t)conn->faults[XMPP_TEST_FAULT_CUT_RANDOM];
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    r = copy_plans(conn)
            ? xmpp_loop_add_io(server->loop, &conn->io, fd, XMPP_IO_READ, on_ready, conn, NULL)
            : XMPP_ERR_NOMEM;
    if (r >= 0 && transport == XMPP_TEST_DIRECT_TLS)
        r = tst_tls_start(conn);
    if (r >= 0 && !add_to_server(conn))
        r = XMPP_ERR_NOMEM;
    if (r < 0) {
        tst_conn_free(conn);
        return r;
    }
    conn->fd = fd;
    tst_count(conn, XMPP_TEST_STAT_CONNECTIONS, 1);
    tst_conn_update(conn);
    tst_server_event(server, conn, XMPP_TEST_EVENT_CONNECTED);
    if (!tst_plan_at(conn, XMPP_TEST_AT_ACCEPT))
        tst_script_begin(conn);
    return XMPP_OK;
}

void tst_conn_free(xmpp_test_conn *conn)
{
    tst_wire_close_fd(conn);
    if (conn->tls)
        gnutls_deinit(conn->tls);
    for (int i = 0; i < TST_POINTS; i++)
        free(conn->plans[i].text);
    for (size_t i = 0; i < conn->received_count; i++)
        xmpp_elem_unref(conn->received[i]);
    free(conn->received);
    tst_buf_clear(&conn->wire_in);
    tst_buf_clear(&conn->plain_out);
    tst_buf_clear(&conn->wire_out);
    tst_reader_clear(&conn->reader);
    tst_scram_clear(&conn->scram);
    tst_script_free(conn->script);
    xmpp_jid_unref(conn->jid);
    free(conn->peer);
    free(conn->user);
    free(conn);
}

xmpp_test_conn *tst_conn_find(const xmpp_test_server *server, const xmpp_jid *jid)
{
    for (size_t i = server->conn_count; i > 0; i--) {
        xmpp_test_conn *conn = server->conns[i - 1];

        if (!conn->ready || conn->ended)
            continue;
        if (xmpp_jid_get_resource(jid) ? xmpp_jid_compare(conn->jid, jid) == 0
                                       : xmpp_jid_equal_bare(conn->jid, jid))
            return conn;
    }
    return NULL;
}

/* --- public --- */

int xmpp_test_conn_is_open(const xmpp_test_conn *conn)
{
    return conn && !conn->ended;
}

const xmpp_jid *xmpp_test_conn_get_jid(const xmpp_test_conn *conn)
{
    return conn && conn->ready ? conn->jid : NULL;
}

uint64_t xmpp_test_conn_get_stat(const xmpp_test_conn *conn, int stat)
{
    return conn && stat > 0 && stat < TST_STATS ? conn->stats[stat] : 0;
}

size_t xmpp_test_conn_count_received(const xmpp_test_conn *conn)
{
    return conn ? conn->received_count : 0;
}

const xmpp_elem *xmpp_test_conn_get_received(const xmpp_test_conn *conn, size_t index)
{
    return conn && index < conn->received_count ? conn->received[index] : NULL;
}

int xmpp_test_conn_send(xmpp_test_conn *conn, xmpp_elem *elem)
{
    int r;

    if (!conn || !elem)
        return XMPP_ERR_INVAL;
    if (conn->ended || conn->closing)
        return XMPP_ERR_STATE;
    r = xmpp_elem_seal(elem);
    return r < 0 ? r : tst_conn_hand_over(conn, elem);
}

int xmpp_test_conn_act(xmpp_test_conn *conn, int action, const char *text)
{
    if (!conn || action == 0 || !tst_is_action(action, text))
        return XMPP_ERR_INVAL;
    if (conn->ended || conn->closing || (action == XMPP_TEST_START_TLS && conn->tls))
        return XMPP_ERR_STATE;
    tst_act(conn, action, text);
    return XMPP_OK;
}

int xmpp_test_conn_send_bytes(xmpp_test_conn *conn, const void *data, size_t len)
{
    if (!conn || (!data && len > 0))
        return XMPP_ERR_INVAL;
    if (conn->ended || conn->closing)
        return XMPP_ERR_STATE;
    tst_conn_raw(conn, data, len);
    return XMPP_OK;
}

int xmpp_test_conn_play(xmpp_test_conn *conn, const char *script)
{
    int r;

    if (!conn || !script)
        return XMPP_ERR_INVAL;
    if (conn->ended || conn->closing || conn->script || !conn->ready)
        return XMPP_ERR_STATE;
    r = tst_script_parse(conn->server, script, &conn->script);
    if (r < 0)
        return r;
    conn->server->finished_told = false;
    conn->server->running++;
    tst_script_go_on(conn);
    return XMPP_OK;
}
