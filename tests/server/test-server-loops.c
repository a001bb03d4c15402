/* The loop's descriptor in foreign event loops: each runs the whole exchange of two clients. */
#include "server/peer.h"

#include <event2/event.h>
#include <glib.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <xmpp/adapter/glib.h>
#include <xmpp/adapter/libevent.h>
#include <xmpp/adapter/uv.h>

#include <cmocka.h>

/* Alice sends three messages, one after the other's answer; then both log out. */
struct exchange {
    xmpp_loop *loop;
    struct peer alice;
    struct peer bob;
    unsigned sent;
    bool leaving;
    bool over;
    void (*stop)(void *data); /* ends the foreign loop */
    void *stop_data;
};

/* Looks after each timer tick what is next; so everything comes from the foreign loop. */
static void next_step(xmpp_loop *loop, void *user_data)
{
    struct exchange *exchange = user_data;

    (void)loop;
    if (exchange->over)
        return;
    if (!exchange->leaving && exchange->alice.ready && exchange->bob.ready &&
        exchange->alice.messages == exchange->sent) {
        if (exchange->sent < 3) {
            exchange->sent++;
            peer_send_message(&exchange->alice, xmpp_client_get_jid(exchange->bob.client), "echo");
        } else {
            exchange->leaving = true;
            xmpp_client_disconnect(exchange->alice.client);
            xmpp_client_disconnect(exchange->bob.client);
        }
    }
    if (exchange->alice.idle && exchange->bob.idle) {
        exchange->over = true;
        if (exchange->stop)
            exchange->stop(exchange->stop_data);
    }
}

static struct exchange *exchange_start(void)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);

    exchange->loop = peer_loop();
    peer_init(&exchange->alice, exchange->loop, "alice", "secret", BY_STARTTLS);
    peer_init(&exchange->bob, exchange->loop, "bob", "secret", BY_SRV);
    exchange->bob.echo = true;
    assert_int_equal(
        xmpp_loop_add_timer(exchange->loop, NULL, 1000, 1000, next_step, exchange, NULL), XMPP_OK);
    peer_connect(&exchange->alice);
    peer_connect(&exchange->bob);
    return exchange;
}

static void exchange_end(struct exchange *exchange)
{
    assert_true(exchange->over);
    assert_null(exchange->alice.error);
    assert_null(exchange->bob.error);
    assert_int_equal(exchange->alice.messages, 3);
    assert_int_equal(exchange->bob.messages, 3);
    peer_clear(&exchange->alice);
    peer_clear(&exchange->bob);
    xmpp_loop_unref(exchange->loop);
    free(exchange);
}

static void test_poll(void **state)
{
    struct exchange *exchange = exchange_start();
    struct pollfd fd = {.fd = xmpp_loop_get_fd(exchange->loop), .events = POLLIN};

    (void)state;
    while (!exchange->over) {
        assert_int_equal(poll(&fd, 1, 30000), 1);
        assert_int_equal(fd.revents, POLLIN);
        assert_true(xmpp_loop_dispatch(exchange->loop) >= 0);
        assert_int_equal(xmpp_loop_get_fd(exchange->loop), fd.fd);
    }
    exchange_end(exchange);
}

static void stop_glib(void *data)
{
    g_main_loop_quit(data);
}

static void test_glib(void **state)
{
    struct exchange *exchange = exchange_start();
    GMainContext *context = g_main_context_new();
    GMainLoop *main_loop = g_main_loop_new(context, FALSE);
    GSource *source = xmpp_glib_attach(exchange->loop, context);

    (void)state;
    exchange->stop = stop_glib;
    exchange->stop_data = main_loop;
    g_main_loop_run(main_loop);
    g_source_destroy(source);
    g_source_unref(source);
    g_main_loop_unref(main_loop);
    g_main_context_unref(context);
    exchange_end(exchange);
}

static void stop_libevent(void *data)
{
    event_base_loopbreak(data);
}

static void test_libevent(void **state)
{
    struct exchange *exchange = exchange_start();
    struct event_base *base = event_base_new();
    struct event *event = xmpp_libevent_attach(exchange->loop, base);

    (void)state;
    assert_non_null(event);
    exchange->stop = stop_libevent;
    exchange->stop_data = base;
    event_base_dispatch(base);
    xmpp_libevent_detach(event);
    event_base_free(base);
    exchange_end(exchange);
}

static void stop_uv(void *data)
{
    uv_stop(data);
}

static void test_libuv(void **state)
{
    struct exchange *exchange = exchange_start();
    uv_loop_t uv;
    uv_poll_t handle;

    (void)state;
    assert_int_equal(uv_loop_init(&uv), 0);
    assert_int_equal(xmpp_uv_attach(exchange->loop, &uv, &handle), 0);
    exchange->stop = stop_uv;
    exchange->stop_data = &uv;
    uv_run(&uv, UV_RUN_DEFAULT);
    xmpp_uv_detach(&handle);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
    exchange_end(exchange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poll),
        cmocka_unit_test(test_glib),
        cmocka_unit_test(test_libevent),
        cmocka_unit_test(test_libuv),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
