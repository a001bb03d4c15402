/* The fake net does what it was told, and nothing of the real one is linked beside it. */
#include "fake/fake.h"
#include "net/net.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Defined by the objects of the real net layer that must not be here. */
__attribute__((weak)) int tcp_open(const void *addr, uint16_t port);
__attribute__((weak)) void lookup_free(void *lookup);
__attribute__((weak)) int dns_chan_open(void *chan, xmpp_loop *loop, void *task);

struct seen {
    xmpp_loop *loop;
    struct net_tcp *tcp;
    struct net_race *race;
    struct net_srv_query *query;
    size_t target;
    char log[400];
    bool cancel;
};

static void note(struct seen *seen, const char *what)
{
    strcat(seen->log, what);
    strcat(seen->log, " ");
    assert_true(net_is_dispatching(seen->loop));
}

static int setup(void **state)
{
    static struct seen seen;

    memset(&seen, 0, sizeof seen);
    fake_reset();
    *state = &seen;
    return xmpp_loop_create(&seen.loop);
}

static int teardown(void **state)
{
    struct seen *seen = *state;

    net_tcp_close(seen->tcp);
    net_race_free(seen->race);
    xmpp_loop_unref(seen->loop);
    fake_reset();
    return 0;
}

static void test_link_has_no_real_sockets(void **state)
{
    (void)state;
    assert_null(tcp_open);
    assert_null(lookup_free);
    assert_null(dns_chan_open);
}

static void test_clock_moves_only_by_hand(void **state)
{
    struct seen *seen = *state;

    assert_int_equal(xmpp_loop_get_time(seen->loop), 1000000);
    fake_advance(5);
    assert_int_equal(xmpp_loop_get_time(seen->loop), 1000005);
}

static void on_timer(xmpp_loop *loop, void *user_data)
{
    uint64_t *at = user_data;

    *at = xmpp_loop_get_time(loop);
}

static void test_pass_stops_at_each_timer(void **state)
{
    struct seen *seen = *state;
    uint64_t first = 0;
    uint64_t second = 0;
    uint64_t third = 0;

    xmpp_loop_add_timer(seen->loop, NULL, 10, 0, on_timer, &first, NULL);
    xmpp_loop_add_timer(seen->loop, NULL, 600000000, 0, on_timer, &second, NULL);
    xmpp_loop_add_timer(seen->loop, NULL, 600000001, 0, on_timer, &third, NULL);
    fake_pass(seen->loop, 600000000);
    assert_int_equal(first, 1000010);
    assert_int_equal(second, 601000000);
    assert_int_equal(third, 0);
    assert_int_equal(fake_now(), 601000000);
    assert_int_equal(fake_next_timer(seen->loop), 601000001);
}

static void on_srv(void *user_data, const struct net_srv *records, size_t count,
                   const xmpp_error *error)
{
    struct seen *seen = user_data;

    note(seen, error ? "error" : "answer");
    for (size_t i = 0; i < count; i++)
        note(seen, records[i].host);
    net_srv_cancel(seen->query); /* no effect any more */
    seen->query = NULL;
}

static void ask(struct seen *seen, const char *name)
{
    assert_int_equal(net_srv_start(seen->loop, &seen->query, name, on_srv, seen), XMPP_OK);
    assert_string_equal(seen->log, "");
    fake_run(seen->loop);
}

static void test_srv_records_in_order(void **state)
{
    struct seen *seen = *state;

    fake_srv("_x._tcp.a.example", "one", 1, 2, 3);
    fake_srv("_x._tcp.b.example", "other", 1, 2, 3);
    fake_srv("_x._tcp.a.example", "two", 4, 5, 6);
    ask(seen, "_x._tcp.a.example");
    assert_string_equal(seen->log, "answer one two ");
    assert_int_equal(fake_srv_open(), 0);
}

static void test_srv_none_error_never(void **state)
{
    struct seen *seen = *state;

    ask(seen, "a.example");
    assert_string_equal(seen->log, "answer ");
    seen->log[0] = '\0';
    fake_srv_fail("b.example");
    ask(seen, "b.example");
    assert_string_equal(seen->log, "error ");
    seen->log[0] = '\0';
    fake_srv_hang("c.example");
    ask(seen, "c.example");
    assert_string_equal(seen->log, "");
    assert_int_equal(fake_srv_open(), 1);
    net_srv_cancel(seen->query);
    assert_int_equal(fake_srv_open(), 0);
}

static void on_connected(void *user_data, struct net_tcp *tcp, size_t target, const char *address)
{
    struct seen *seen = user_data;

    note(seen, "connected");
    note(seen, address);
    seen->tcp = tcp;
    seen->target = target;
    if (seen->cancel) {
        net_race_free(seen->race);
        seen->race = NULL;
    }
}

static void on_failed(void *user_data, size_t target, const char *address, const xmpp_error *error)
{
    struct seen *seen = user_data;

    note(seen, address ? address : "name");
    note(seen, xmpp_err_name(xmpp_error_get_code(error)));
    seen->target = target;
    if (seen->cancel) {
        net_race_free(seen->race);
        seen->race = NULL;
    }
}

static void on_exhausted(void *user_data)
{
    note(user_data, "exhausted");
}

static const struct net_race_ops race_ops = {on_connected, on_failed, on_exhausted};

static void race(struct seen *seen, bool cancel)
{
    static const struct net_target targets[] = {
        {"refused", 1, 0, 0}, {"nohost", 2, 0, 0}, {"silent", 3, 0, 0}, {"good", 4, 1, 0}};

    fake_host("nohost", 2, FAKE_NO_HOST);
    fake_host("silent", 3, FAKE_HANG);
    fake_host("good", 4, FAKE_ACCEPT);
    seen->cancel = cancel;
    assert_int_equal(net_race_start(seen->loop, &seen->race, targets, 4, &race_ops, seen), XMPP_OK);
    assert_string_equal(seen->log, "");
    fake_pass(seen->loop, 10000000);
}

static void test_race_in_order_pauses_and_ends(void **state)
{
    struct seen *seen = *state;

    race(seen, false);
    assert_string_equal(seen->log, "127.0.0.1:1 XMPP_ERR_SYSTEM name XMPP_ERR_DNS "
                                   "127.0.0.1:3 XMPP_ERR_TIMEOUT connected 127.0.0.1:4 ");
    assert_int_equal(seen->target, 3);
    assert_string_equal(fake_host_of(fake_last()), "good");
    seen->log[0] = '\0';
    net_race_resume(seen->race);
    fake_run(seen->loop);
    assert_string_equal(seen->log, "exhausted ");
}

static void test_race_freed_in_callback(void **state)
{
    struct seen *seen = *state;

    race(seen, true);
    assert_string_equal(seen->log, "127.0.0.1:1 XMPP_ERR_SYSTEM ");
    assert_int_equal(fake_races_open(), 0);
}

static void on_readable(void *user_data)
{
    struct seen *seen = user_data;
    char text[8];
    size_t len;
    int number = 0;
    int r = net_tcp_read(seen->tcp, text, sizeof text - 1, &len, &number);

    text[r == XMPP_OK ? len : 0] = '\0';
    note(seen, r == XMPP_OK ? text : xmpp_err_name(r));
    if (r < 0 || seen->cancel) {
        net_tcp_close(seen->tcp);
        seen->tcp = NULL;
    }
}

static void on_writable(void *user_data)
{
    struct seen *seen = user_data;

    note(seen, "writable");
    net_tcp_want_write(seen->tcp, false);
}

static const struct net_tcp_ops tcp_ops = {on_readable, on_writable};

static struct fake_socket *join(struct seen *seen)
{
    static const struct net_target target = {"good", 4, 0, 0};

    fake_host("good", 4, FAKE_ACCEPT);
    assert_int_equal(net_race_start(seen->loop, &seen->race, &target, 1, &race_ops, seen), XMPP_OK);
    fake_run(seen->loop);
    assert_non_null(seen->tcp);
    assert_true(net_tcp_is_loopback(seen->tcp));
    net_tcp_set_ops(seen->tcp, &tcp_ops, seen);
    seen->log[0] = '\0';
    return fake_last();
}

static void test_tcp_read_eof_close(void **state)
{
    struct seen *seen = *state;
    struct fake_socket *socket = join(seen);

    fake_feed(socket, "0123456789", 10);
    fake_eof(socket);
    assert_string_equal(seen->log, "");
    fake_run(seen->loop);
    assert_string_equal(seen->log, "0123456 789 XMPP_ERR_CLOSED ");
    assert_true(fake_is_closed(socket));
}

static void test_tcp_close_while_reading(void **state)
{
    struct seen *seen = *state;
    struct fake_socket *socket = join(seen);

    seen->cancel = true;
    net_tcp_want_write(seen->tcp, true);
    fake_feed(socket, "0123456789", 10);
    fake_run(seen->loop);
    assert_string_equal(seen->log, "0123456 ");
    assert_int_equal(fake_unread(socket), 3);
}

static void test_tcp_write_full_and_again(void **state)
{
    struct seen *seen = *state;
    struct fake_socket *socket = join(seen);
    const char *data;
    size_t len;
    int number;

    fake_set_room(socket, 3);
    assert_int_equal(net_tcp_write(seen->tcp, "abcde", 5, &len, &number), XMPP_OK);
    assert_int_equal(len, 3);
    assert_int_equal(net_tcp_write(seen->tcp, "de", 2, &len, &number), XMPP_OK);
    assert_int_equal(len, 0);
    net_tcp_want_write(seen->tcp, true);
    fake_run(seen->loop);
    assert_string_equal(seen->log, "");
    fake_set_room(socket, SIZE_MAX);
    fake_run(seen->loop);
    assert_string_equal(seen->log, "writable ");
    assert_int_equal(net_tcp_write(seen->tcp, "de", 2, &len, &number), XMPP_OK);
    assert_int_equal(fake_peek(socket, &data), 5);
    assert_memory_equal(data, "abcde", 5);
    fake_consume(socket, 4);
    assert_int_equal(fake_peek(socket, &data), 1);
    assert_int_equal(fake_writes(socket), 3);
}

static void test_tcp_broken(void **state)
{
    struct seen *seen = *state;
    struct fake_socket *socket = join(seen);
    size_t len;
    int number = 0;

    fake_feed(socket, "lost", 4);
    fake_break(socket, ECONNRESET);
    assert_int_equal(net_tcp_write(seen->tcp, "a", 1, &len, &number), XMPP_ERR_SYSTEM);
    assert_int_equal(number, ECONNRESET);
    fake_run(seen->loop);
    assert_string_equal(seen->log, "XMPP_ERR_SYSTEM ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_has_no_real_sockets),
        cmocka_unit_test_setup_teardown(test_clock_moves_only_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pass_stops_at_each_timer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_srv_records_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_srv_none_error_never, setup, teardown),
        cmocka_unit_test_setup_teardown(test_race_in_order_pauses_and_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_race_freed_in_callback, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tcp_read_eof_close, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tcp_close_while_reading, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tcp_write_full_and_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tcp_broken, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
