#include "user.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xmpp/stream.h>

/* Sockets that the test has connected by itself: the server at one end, an engine without a net at the other. */

struct engine {
    xmpp_stream *stream;
    gnutls_session_t tls; /* NULL: plain text */
    gnutls_certificate_credentials_t creds;
    bool shaken;
    int fd;
    xmpp_slot *io;
    int last; /* the last event but progress */
};

static struct engine engine;

static ssize_t read_some(void *data, size_t size)
{
    return engine.tls ? gnutls_record_recv(engine.tls, data, size) : recv(engine.fd, data, size, 0);
}

static void write_out(void)
{
    const void *data;
    size_t len;

    while ((len = xmpp_stream_peek(engine.stream, &data)) > 0) {
        ssize_t n = engine.tls ? gnutls_record_send(engine.tls, data, len)
                               : send(engine.fd, data, len, MSG_NOSIGNAL);

        assert_true(n > 0);
        assert_int_equal(xmpp_stream_consume(engine.stream, (size_t)n), XMPP_OK);
    }
}

/* Events, computing, output: until there is nothing more. */
static void go_on(void)
{
    xmpp_elem *elem;
    xmpp_error *error;
    int event;

    do {
        if (xmpp_stream_get_deadline(engine.stream) == 0)
            assert_int_equal(xmpp_stream_tick(engine.stream, xmpp_loop_get_time(loop)), XMPP_OK);
        while ((event = xmpp_stream_next(engine.stream, &elem, &error)) != XMPP_EV_NONE) {
            if (event == XMPP_EV_FAILED)
                fail_msg("%s", xmpp_error_get_text(error));
            if (event != XMPP_EV_AUTHENTICATING && event != XMPP_EV_BINDING)
                engine.last = event;
            xmpp_elem_unref(elem);
            xmpp_error_unref(error);
        }
        write_out();
    } while (xmpp_stream_get_deadline(engine.stream) == 0);
}

static void open_stream(void)
{
    assert_int_equal(xmpp_stream_open(engine.stream, xmpp_loop_get_time(loop)), XMPP_OK);
    go_on();
}

static void shake_hands(void)
{
    int r = gnutls_handshake(engine.tls);

    if (r == GNUTLS_E_AGAIN)
        return;
    assert_int_equal(r, GNUTLS_E_SUCCESS);
    engine.shaken = true;
    assert_int_equal(xmpp_stream_secured(engine.stream, 0x0304, xmpp_loop_get_time(loop)), XMPP_OK);
    open_stream();
}

static void on_readable(xmpp_loop *from, int fd, int io_events, void *user_data)
{
    char data[4096];
    ssize_t n;

    (void)from;
    (void)fd;
    (void)io_events;
    (void)user_data;
    if (engine.tls && !engine.shaken) {
        shake_hands();
        if (!engine.shaken)
            return;
    }
    while ((n = read_some(data, sizeof data)) > 0) {
        assert_int_equal(xmpp_stream_feed(engine.stream, data, (size_t)n, xmpp_loop_get_time(loop)),
                         XMPP_OK);
        go_on();
    }
    if (n == 0) {
        assert_int_equal(xmpp_stream_feed_eof(engine.stream, xmpp_loop_get_time(loop)), XMPP_OK);
        engine.io = xmpp_slot_unref(engine.io);
    }
}

static void prepare_tls(void)
{
    assert_true(gnutls_certificate_allocate_credentials(&engine.creds) >= 0);
    assert_int_equal(gnutls_certificate_set_x509_trust_file(engine.creds,
                                                            xmpp_test_server_get_trust_file(server),
                                                            GNUTLS_X509_FMT_PEM),
                     1);
    assert_true(gnutls_init(&engine.tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) >= 0);
    assert_true(gnutls_priority_set_direct(engine.tls, "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL) >= 0);
    assert_true(gnutls_credentials_set(engine.tls, GNUTLS_CRD_CERTIFICATE, engine.creds) >= 0);
    gnutls_session_set_verify_cert(engine.tls, "test.example", 0);
    gnutls_transport_set_int(engine.tls, engine.fd);
}

static void engine_open(int transport)
{
    xmpp_jid *jid;
    int fds[2];

    memset(&engine, 0, sizeof engine);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(xmpp_test_server_accept(server, transport, fds[0]), XMPP_OK);
    assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    engine.fd = fds[1];
    assert_int_equal(fcntl(engine.fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(
        xmpp_loop_add_io(loop, &engine.io, engine.fd, XMPP_IO_READ, on_readable, NULL, NULL),
        XMPP_OK);
    assert_int_equal(xmpp_jid_parse(&jid, "alice@test.example/pair"), XMPP_OK);
    assert_int_equal(xmpp_stream_create(&engine.stream, jid, XMPP_FRAMING_STREAM), XMPP_OK);
    xmpp_jid_unref(jid);
    assert_int_equal(xmpp_stream_set_secret(engine.stream, "wonder", 6), XMPP_OK);
    if (transport == XMPP_TEST_DIRECT_TLS) {
        prepare_tls();
        shake_hands();
    } else {
        assert_int_equal(xmpp_stream_set_tls_required(engine.stream, 0), XMPP_OK);
        open_stream();
    }
}

static void engine_close(void)
{
    engine.io = xmpp_slot_unref(engine.io);
    engine.stream = xmpp_stream_free(engine.stream);
    if (engine.tls) {
        gnutls_deinit(engine.tls);
        gnutls_certificate_free_credentials(engine.creds);
    }
    close(engine.fd);
}

static void log_in_and_out(int transport)
{
    const xmpp_test_conn *conn;

    engine_open(transport);
    conn = xmpp_test_server_get_conn(server, 0);
    while (engine.last != XMPP_EV_READY)
        user_step();
    assert_string_equal(xmpp_jid_get_str(xmpp_stream_get_jid(engine.stream)),
                        "alice@test.example/pair");
    assert_int_equal(
        xmpp_jid_compare(xmpp_test_conn_get_jid(conn), xmpp_stream_get_jid(engine.stream)), 0);
    assert_int_equal(xmpp_stream_close(engine.stream, xmpp_loop_get_time(loop)), XMPP_OK);
    go_on();
    while (engine.last != XMPP_EV_CLOSED || engine.io)
        user_step();
    assert_false(xmpp_test_conn_is_open(conn));
    assert_null(xmpp_test_server_get_error(server));
    assert_int_equal(xmpp_test_server_get_stat(server, XMPP_TEST_STAT_LOGINS), 1);
    engine_close();
}

static void test_accept_plain(void **state)
{
    (void)state;
    log_in_and_out(XMPP_TEST_PLAIN);
}

static void test_accept_direct_tls(void **state)
{
    (void)state;
    log_in_and_out(XMPP_TEST_DIRECT_TLS);
}

/* Scripts and faults are those of any connection. */
static void test_accept_with_a_script(void **state)
{
    char text[64];
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(xmpp_test_server_play(server, XMPP_TEST_FROM_START, "S: hello\nWAIT 1\nCLOSE"),
                     XMPP_OK);
    assert_int_equal(xmpp_test_server_accept(server, XMPP_TEST_STARTTLS, fds[0]), XMPP_OK);
    assert_int_equal(xmpp_test_server_run(server, 10000000), XMPP_OK);
    while (xmpp_test_conn_is_open(xmpp_test_server_get_conn(server, 0)))
        user_step();
    assert_int_equal(recv(fds[1], text, sizeof text, MSG_WAITALL), 5);
    assert_memory_equal(text, "hello", 5);
    close(fds[1]);
}

static void check_refused(int transport, int fd)
{
    assert_int_equal(xmpp_test_server_accept(server, transport, fd), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_count_conns(server), 0);
    if (fd >= 0)
        assert_int_equal(close(fd), 0); /* it is still ours */
}

static void test_accept_refuses(void **state)
{
    int pair[2];
    int datagram[2];
    int pipes[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagram), 0);
    assert_int_equal(pipe(pipes), 0);
    check_refused(XMPP_TEST_PLAIN, -1);
    check_refused(3, pair[0]);
    check_refused(-1, pair[1]);
    check_refused(XMPP_TEST_PLAIN, datagram[0]);
    check_refused(XMPP_TEST_PLAIN, datagram[1]);
    check_refused(XMPP_TEST_PLAIN, pipes[0]);
    check_refused(XMPP_TEST_PLAIN, pipes[1]);
    check_refused(XMPP_TEST_PLAIN, socket(AF_INET, SOCK_STREAM, 0)); /* not connected */
    assert_int_equal(xmpp_test_server_accept(NULL, XMPP_TEST_PLAIN, 0), XMPP_ERR_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_accept_plain),
        TEST(test_accept_direct_tls),
        TEST(test_accept_with_a_script),
        TEST(test_accept_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
