#include "net/tcp.h"

#include "base/mem.h"
#include "net/loop.h"
#include "support/torture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BULK (10u * 1024 * 1024)

/* One end; the other one is a plain socket. */
struct line {
    xmpp_loop *loop;
    struct net_tcp *tcp;
    int fd; /* the tcp's */
    int peer;
    int reads;
    int writes;
    int result; /* of the last read */
    int number;
    size_t total;
    bool close_on_read;
    bool close_on_write;
    bool ignore; /* do not read */
};

static void on_readable(void *user_data)
{
    struct line *line = user_data;
    char data[4096];
    size_t len = 0;

    line->reads++;
    if (line->close_on_read) {
        net_tcp_close(line->tcp);
        line->tcp = NULL;
        return;
    }
    if (line->ignore)
        return;
    line->result = net_tcp_read(line->tcp, data, sizeof data, &len, &line->number);
    if (line->result == XMPP_OK)
        line->total += len;
    else
        assert_int_equal(net_tcp_want_read(line->tcp, false), XMPP_OK);
}

static void on_writable(void *user_data)
{
    struct line *line = user_data;

    line->writes++;
    if (line->close_on_write) {
        net_tcp_close(line->tcp);
        line->tcp = NULL;
        return;
    }
    assert_int_equal(net_tcp_want_write(line->tcp, false), XMPP_OK);
}

static const struct net_tcp_ops ops = {on_readable, on_writable};

static int make_pair(int *ret_peer)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct net_addr addr;
    struct pollfd p = {.events = POLLOUT};

    assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&in, &len), 0);
    assert_true(addr_parse(&addr, "127.0.0.1"));
    p.fd = tcp_open(&addr, ntohs(in.sin_port));
    assert_true(p.fd >= 0);
    *ret_peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(*ret_peer >= 0);
    assert_int_equal(poll(&p, 1, 2000), 1);
    close(listener);
    return p.fd;
}

static void line_open(struct line *line, bool with_ops)
{
    struct net_addr addr;

    memset(line, 0, sizeof *line);
    assert_true(addr_parse(&addr, "127.0.0.1"));
    assert_int_equal(xmpp_loop_create(&line->loop), XMPP_OK);
    line->fd = make_pair(&line->peer);
    assert_int_equal(tcp_create(&line->tcp, line->loop, line->fd, &addr), XMPP_OK);
    if (with_ops)
        net_tcp_set_ops(line->tcp, &ops, line);
}

static void line_close(struct line *line)
{
    net_tcp_close(line->tcp);
    if (line->peer >= 0)
        close(line->peer);
    xmpp_loop_unref(line->loop);
}

static bool is_readable(const struct line *line)
{
    struct pollfd p = {.fd = xmpp_loop_get_fd(line->loop), .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

static int get_option(int fd, int level, int option)
{
    int value = -1;
    socklen_t len = sizeof value;

    assert_int_equal(getsockopt(fd, level, option, &value, &len), 0);
    return value;
}

static void test_tcp_options(void **state)
{
    struct line line;

    (void)state;
    line_open(&line, true);
    assert_true(fcntl(line.fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(line.fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(get_option(line.fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(get_option(line.fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(get_option(line.fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
    assert_int_equal(get_option(line.fd, IPPROTO_TCP, TCP_KEEPINTVL), 20);
    assert_int_equal(get_option(line.fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
    assert_int_equal(get_option(line.fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
    assert_true(net_tcp_is_loopback(line.tcp));
    line_close(&line);
}

static void test_tcp_open_fails(void **state)
{
    struct rlimit old;
    struct rlimit none;
    struct net_addr addr;

    (void)state;
    assert_true(addr_parse(&addr, "127.0.0.1"));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(tcp_open(&addr, 1), -1);
    assert_int_equal(errno, EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_true(addr_parse(&addr, "255.255.255.255"));
    assert_int_equal(tcp_open(&addr, 1), -1);
    assert_int_not_equal(errno, 0);
}

static void test_tcp_read_and_end(void **state)
{
    struct line line;
    char data[8];
    size_t len = 99;

    (void)state;
    net_tcp_close(NULL);
    line_open(&line, true);
    assert_false(is_readable(&line));
    assert_int_equal(net_tcp_read(line.tcp, data, sizeof data, &len, &line.number), XMPP_OK);
    assert_int_equal(len, 0);
    assert_int_equal(net_tcp_read(line.tcp, data, 0, &len, &line.number), XMPP_OK);
    assert_int_equal(write(line.peer, "hello", 5), 5);
    assert_int_equal(xmpp_loop_step(line.loop, -1), 1);
    assert_int_equal(line.total, 5);
    assert_false(is_readable(&line));
    shutdown(line.peer, SHUT_WR);
    assert_int_equal(xmpp_loop_step(line.loop, -1), 1);
    assert_int_equal(line.result, XMPP_ERR_CLOSED);
    assert_false(is_readable(&line));
    line_close(&line);
}

static void test_tcp_reset_is_readable(void **state)
{
    struct linger linger = {1, 0};
    struct line line;

    (void)state;
    line_open(&line, true);
    setsockopt(line.peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(line.peer);
    line.peer = -1;
    assert_int_equal(xmpp_loop_step(line.loop, -1), 1);
    assert_int_equal(line.result, XMPP_ERR_SYSTEM);
    assert_int_equal(line.number, ECONNRESET);
    line_close(&line);
}

static void test_tcp_reset_is_writable_to_who_only_writes(void **state)
{
    struct linger linger = {1, 0};
    struct line line;
    size_t len = 0;
    int number = 0;

    (void)state;
    line_open(&line, true);
    assert_int_equal(net_tcp_want_read(line.tcp, false), XMPP_OK);
    setsockopt(line.peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(line.peer);
    line.peer = -1;
    assert_false(is_readable(&line)); /* nothing is wanted: silence */
    assert_int_equal(net_tcp_want_write(line.tcp, true), XMPP_OK);
    assert_int_equal(xmpp_loop_step(line.loop, -1), 1);
    assert_int_equal(line.reads, 0);
    assert_int_equal(line.writes, 1);
    assert_int_equal(net_tcp_write(line.tcp, "x", 1, &len, &number), XMPP_ERR_SYSTEM);
    assert_int_not_equal(number, 0);
    assert_int_equal(net_tcp_write(line.tcp, "x", 1, &len, &number), XMPP_ERR_SYSTEM);
    assert_int_equal(number, EPIPE); /* and no signal */
    line_close(&line);
}

static void test_tcp_writable_only_while_wanted(void **state)
{
    struct line line;

    (void)state;
    line_open(&line, true);
    assert_false(is_readable(&line));
    assert_int_equal(net_tcp_want_write(line.tcp, true), XMPP_OK);
    assert_int_equal(net_tcp_want_write(line.tcp, true), XMPP_OK);
    assert_true(is_readable(&line));
    assert_int_equal(xmpp_loop_dispatch(line.loop), 1);
    assert_int_equal(line.writes, 1);
    assert_false(is_readable(&line));
    line_close(&line);
}

static void test_tcp_read_paused(void **state)
{
    struct line line;

    (void)state;
    line_open(&line, true);
    assert_int_equal(net_tcp_want_read(line.tcp, false), XMPP_OK);
    assert_int_equal(write(line.peer, "hello", 5), 5);
    close(line.peer);
    line.peer = -1;
    assert_false(is_readable(&line));
    assert_int_equal(net_tcp_want_read(line.tcp, true), XMPP_OK);
    while (line.result != XMPP_ERR_CLOSED)
        assert_true(xmpp_loop_step(line.loop, -1) > 0);
    assert_int_equal(line.total, 5);
    line_close(&line);
}

static void test_tcp_without_ops_is_quiet(void **state)
{
    struct line line;

    (void)state;
    line_open(&line, false);
    assert_int_equal(write(line.peer, "hello", 5), 5);
    close(line.peer);
    line.peer = -1;
    assert_false(is_readable(&line));
    net_tcp_set_ops(line.tcp, &ops, &line);
    assert_true(is_readable(&line));
    line_close(&line);
}

static void test_tcp_shutdown(void **state)
{
    struct line line;
    char c;

    (void)state;
    line_open(&line, true);
    net_tcp_shutdown(line.tcp);
    assert_int_equal(read(line.peer, &c, 1), 0);
    assert_int_equal(write(line.peer, "x", 1), 1);
    assert_int_equal(xmpp_loop_step(line.loop, -1), 1);
    assert_int_equal(line.total, 1);
    net_tcp_shutdown(line.tcp);
    line_close(&line);
}

static void test_tcp_closed_in_callback(void **state)
{
    struct line line;

    (void)state;
    line_open(&line, true); /* both are due: the second is not delivered */
    line.close_on_read = true;
    assert_int_equal(net_tcp_want_write(line.tcp, true), XMPP_OK);
    assert_int_equal(write(line.peer, "x", 1), 1);
    assert_int_equal(xmpp_loop_step(line.loop, -1), 1);
    assert_int_equal(line.reads, 1);
    assert_int_equal(line.writes, 0);
    assert_int_equal(xmpp_loop_dispatch(line.loop), 0);
    line_close(&line);

    line_open(&line, true);
    line.close_on_write = true;
    assert_int_equal(net_tcp_want_write(line.tcp, true), XMPP_OK);
    assert_int_equal(xmpp_loop_step(line.loop, -1), 1);
    assert_int_equal(line.writes, 1);
    assert_null(line.tcp);
    line_close(&line);
}

static void test_tcp_closed_with_event_pending(void **state)
{
    struct line line;

    (void)state;
    line_open(&line, true);
    assert_int_equal(write(line.peer, "x", 1), 1);
    assert_true(is_readable(&line));
    net_tcp_close(line.tcp);
    line.tcp = NULL;
    assert_false(is_readable(&line));
    assert_int_equal(xmpp_loop_dispatch(line.loop), 0);
    assert_int_equal(line.reads, 0);
    line_close(&line);
}

/* The set refuses the socket: the first read tells. */
static void test_tcp_that_cannot_be_watched(void **state)
{
    struct net_addr addr;
    struct line line = {0};
    char c;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* epoll: EPERM */

    (void)state;
    line.peer = -1;
    assert_true(addr_parse(&addr, "192.0.2.1"));
    assert_int_equal(xmpp_loop_create(&line.loop), XMPP_OK);
    assert_true(file >= 0);
    assert_int_equal(tcp_create(&line.tcp, line.loop, file, &addr), XMPP_OK);
    assert_false(net_tcp_is_loopback(line.tcp));
    net_tcp_set_ops(line.tcp, &ops, &line);
    line.ignore = true;
    assert_int_equal(line.reads, 0);
    assert_int_equal(xmpp_loop_step(line.loop, -1), 1);
    assert_int_equal(line.reads, 1);
    assert_int_equal(net_tcp_read(line.tcp, &c, 1, &line.total, &line.number), XMPP_ERR_SYSTEM);
    assert_int_equal(line.number, EPERM);
    assert_int_equal(net_tcp_want_write(line.tcp, true), XMPP_ERR_SYSTEM);
    line_close(&line);
}

static int child_checks(struct line *line)
{
    char c;
    size_t len;
    int number = 0;

    if (net_tcp_read(line->tcp, &c, 1, &len, &number) != XMPP_ERR_SYSTEM || number != EBADF)
        return 1;
    if (net_tcp_write(line->tcp, "y", 1, &len, &number) != XMPP_ERR_SYSTEM)
        return 2;
    net_tcp_shutdown(line->tcp);
    net_tcp_close(line->tcp);
    xmpp_loop_unref(line->loop);
    return 0;
}

static void test_tcp_fork_child_leaves_it_alone(void **state)
{
    struct line line;
    int status = 0;
    pid_t pid;

    (void)state;
    line_open(&line, true);
    assert_int_equal(write(line.peer, "x", 1), 1);
    pid = fork();
    if (pid == 0)
        _exit(child_checks(&line));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(xmpp_loop_step(line.loop, -1), 1);
    assert_int_equal(line.total, 1);
    assert_int_equal(line.result, XMPP_OK);
    line_close(&line);
}

/* --- 10 MB there and back --- */

struct bulk {
    struct net_tcp *tcp;
    uint8_t *out;
    size_t out_len;
    size_t sent;
    size_t received;
    int partial;
    bool sum_ok;
};

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 13));
}

static void bulk_flush(struct bulk *bulk)
{
    while (bulk->sent < bulk->out_len) {
        size_t len = 0;
        int number;

        assert_int_equal(net_tcp_write(bulk->tcp, bulk->out + bulk->sent,
                                       bulk->out_len - bulk->sent, &len, &number),
                         XMPP_OK);
        bulk->sent += len;
        if (bulk->sent < bulk->out_len) {
            bulk->partial++;
            assert_int_equal(net_tcp_want_write(bulk->tcp, true), XMPP_OK);
            return;
        }
    }
    assert_int_equal(net_tcp_want_write(bulk->tcp, false), XMPP_OK);
}

static void on_bulk_writable(void *user_data)
{
    bulk_flush(user_data);
}

static void on_source_readable(void *user_data)
{
    static uint8_t data[65536];
    struct bulk *bulk = user_data;
    size_t len = 0;
    int number;

    assert_int_equal(net_tcp_read(bulk->tcp, data, sizeof data, &len, &number), XMPP_OK);
    for (size_t i = 0; i < len; i++)
        bulk->sum_ok = bulk->sum_ok && data[i] == pattern(bulk->received + i);
    bulk->received += len;
}

static void on_echo_readable(void *user_data)
{
    struct bulk *bulk = user_data;
    size_t len = 0;
    int number;

    assert_int_equal(
        net_tcp_read(bulk->tcp, bulk->out + bulk->out_len, BULK - bulk->out_len, &len, &number),
        XMPP_OK);
    bulk->out_len += len;
    bulk_flush(bulk);
}

static void test_tcp_echo_ten_megabytes(void **state)
{
    static const struct net_tcp_ops source_ops = {on_source_readable, on_bulk_writable};
    static const struct net_tcp_ops echo_ops = {on_echo_readable, on_bulk_writable};
    struct bulk source = {.out_len = BULK, .sum_ok = true};
    struct bulk echo = {0};
    xmpp_loop *loop = NULL;
    struct net_addr addr;
    int peer;
    int fd;

    (void)state;
    assert_true(addr_parse(&addr, "127.0.0.1"));
    assert_int_equal(xmpp_loop_create(&loop), XMPP_OK);
    fd = make_pair(&peer);
    assert_int_equal(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(tcp_create(&source.tcp, loop, fd, &addr), XMPP_OK);
    assert_int_equal(tcp_create(&echo.tcp, loop, peer, &addr), XMPP_OK);
    source.out = mem_alloc(BULK);
    echo.out = mem_alloc(BULK);
    for (size_t i = 0; i < BULK; i++)
        source.out[i] = pattern(i);
    net_tcp_set_ops(source.tcp, &source_ops, &source);
    net_tcp_set_ops(echo.tcp, &echo_ops, &echo);
    bulk_flush(&source);
    while (source.received < BULK)
        assert_true(xmpp_loop_step(loop, -1) >= 0);
    assert_true(source.sum_ok);
    assert_true(source.partial > 0);
    assert_int_equal(source.received, BULK);
    net_tcp_close(source.tcp);
    net_tcp_close(echo.tcp);
    mem_free(source.out);
    mem_free(echo.out);
    xmpp_loop_unref(loop);
}

static int scenario(void *user_data)
{
    struct net_addr addr;
    xmpp_loop *loop = NULL;
    struct net_tcp *tcp = NULL;
    int peer;
    int fd;
    int r;

    (void)user_data;
    r = xmpp_loop_create(&loop);
    if (r < 0)
        return r;
    assert_true(addr_parse(&addr, "127.0.0.1"));
    fd = make_pair(&peer);
    r = tcp_create(&tcp, loop, fd, &addr);
    if (r < 0)
        close(fd); /* still ours */
    net_tcp_close(tcp);
    close(peer);
    xmpp_loop_unref(loop);
    return r;
}

static void test_tcp_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp_options),
        cmocka_unit_test(test_tcp_open_fails),
        cmocka_unit_test(test_tcp_read_and_end),
        cmocka_unit_test(test_tcp_reset_is_readable),
        cmocka_unit_test(test_tcp_reset_is_writable_to_who_only_writes),
        cmocka_unit_test(test_tcp_writable_only_while_wanted),
        cmocka_unit_test(test_tcp_read_paused),
        cmocka_unit_test(test_tcp_without_ops_is_quiet),
        cmocka_unit_test(test_tcp_shutdown),
        cmocka_unit_test(test_tcp_closed_in_callback),
        cmocka_unit_test(test_tcp_closed_with_event_pending),
        cmocka_unit_test(test_tcp_that_cannot_be_watched),
        cmocka_unit_test(test_tcp_fork_child_leaves_it_alone),
        cmocka_unit_test(test_tcp_echo_ten_megabytes),
        cmocka_unit_test(test_tcp_out_of_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
