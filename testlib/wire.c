#include "tst.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void tst_wire_close_fd(xmpp_test_conn *conn)
{
    conn->io = xmpp_slot_unref(conn->io);
    conn->delay = xmpp_slot_unref(conn->delay);
    conn->wait = xmpp_slot_unref(conn->wait);
    if (conn->fd >= 0)
        (void)close(conn->fd);
    conn->fd = -1;
}

/* The socket stays open until the client closes: closing it with unread data would be a reset. */
void tst_wire_drop(xmpp_test_conn *conn)
{
    conn->wire_out.len = 0;
    if (conn->fd >= 0)
        (void)shutdown(conn->fd, SHUT_WR);
    tst_conn_over(conn);
    tst_conn_update(conn);
}

void tst_wire_reset(xmpp_test_conn *conn)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    if (conn->fd >= 0)
        (void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    tst_wire_close_fd(conn);
    tst_conn_over(conn);
}

void tst_wire_lost(xmpp_test_conn *conn)
{
    tst_wire_close_fd(conn);
    tst_conn_over(conn);
    tst_server_event(conn->server, conn, XMPP_TEST_EVENT_TCP_END);
}

/* Longer than a TLS record can be: one that was begun is completed by it, and found to be forged. */
static void send_garbage(const xmpp_test_conn *conn)
{
    static const char garbage[] = "\x02\xfe<<>&\xff]]>\x16\x03\x03 garbage on the wire \xc0\xc1";

    for (size_t sent = 0; sent < 18000; sent += sizeof garbage - 1)
        (void)!send(conn->fd, garbage, sizeof garbage - 1, MSG_NOSIGNAL);
}

/* One of the faults that strike after so many bytes. *max becomes smaller when one is ahead. true: it struck. */
static bool strike(xmpp_test_conn *conn, size_t *max)
{
    static const int faults[] = {XMPP_TEST_FAULT_STOP_AFTER, XMPP_TEST_FAULT_DROP_AFTER,
                                 XMPP_TEST_FAULT_RESET_AFTER, XMPP_TEST_FAULT_GARBAGE_AFTER};
    uint64_t sent = conn->stats[XMPP_TEST_STAT_BYTES_OUT];

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        int64_t after = conn->faults[faults[i]];

        if (after < 0)
            continue;
        if (sent < (uint64_t)after) {
            if (*max > (uint64_t)after - sent)
                *max = (size_t)((uint64_t)after - sent);
            continue;
        }
        conn->stopped = true;
        conn->wire_out.len = 0;
        if (faults[i] == XMPP_TEST_FAULT_DROP_AFTER)
            tst_wire_drop(conn);
        else if (faults[i] == XMPP_TEST_FAULT_RESET_AFTER)
            tst_wire_reset(conn);
        else if (faults[i] == XMPP_TEST_FAULT_GARBAGE_AFTER)
            send_garbage(conn);
        return true;
    }
    return false;
}

/* xorshift: the same seed gives the same cuts */
static size_t next_random(xmpp_test_conn *conn)
{
    uint64_t x = conn->random;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    conn->random = x;
    return (size_t)(x >> 33);
}

static size_t cut(xmpp_test_conn *conn, size_t len)
{
    int64_t most = conn->faults[XMPP_TEST_FAULT_CUT];

    if (conn->faults[XMPP_TEST_FAULT_CUT_RANDOM] >= 0)
        most = (int64_t)(next_random(conn) % (next_random(conn) % 8 ? 32 : 2048)) + 1;
    return most > 0 && len > (uint64_t)most ? (size_t)most : len;
}

static void on_delay(xmpp_loop *loop, void *user_data)
{
    xmpp_test_conn *conn = user_data;

    (void)loop;
    tst_server_enter(conn->server);
    conn->delay = xmpp_slot_unref(conn->delay);
    conn->delayed = true;
    tst_wire_flush(conn);
    tst_server_leave(conn->server);
}

/* true: to be written later */
static bool delay(xmpp_test_conn *conn)
{
    int64_t us = conn->faults[XMPP_TEST_FAULT_DELAY];

    if (us <= 0 || conn->delayed)
        return false;
    if (!conn->delay && xmpp_loop_add_timer(conn->server->loop, &conn->delay, (uint64_t)us, 0,
                                            on_delay, conn, NULL) < 0)
        conn->wire_out.failed = true;
    return true;
}

/* Everything, or with cuts one piece: the next turn of the loop writes the next one. */
static void write_out(xmpp_test_conn *conn)
{
    bool is_cut =
        conn->faults[XMPP_TEST_FAULT_CUT] > 0 || conn->faults[XMPP_TEST_FAULT_CUT_RANDOM] >= 0;

    while (conn->fd >= 0 && conn->wire_out.len > 0 && !delay(conn)) {
        size_t len = conn->wire_out.len;
        ssize_t n;

        if (strike(conn, &len))
            return;
        n = send(conn->fd, conn->wire_out.data, cut(conn, len), MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) {
            tst_wire_lost(conn);
            return;
        }
        tst_count(conn, XMPP_TEST_STAT_BYTES_OUT, (uint64_t)n);
        tst_buf_consume(&conn->wire_out, (size_t)n);
        conn->delayed = false;
        len = SIZE_MAX;
        if (strike(conn, &len) || is_cut)
            return;
    }
}

void tst_wire_flush(xmpp_test_conn *conn)
{
    if (conn->stopped)
        conn->wire_out.len = 0;
    write_out(conn);
    if (conn->fd >= 0 && conn->closing && !conn->ended && conn->wire_out.len == 0 && !conn->stopped)
        tst_wire_drop(conn);
    tst_conn_update(conn);
}
