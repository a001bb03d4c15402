/* Who is told that the loop has work: whoever waits on its descriptor, and nobody else. */
#include "net/loop.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <poll.h>
#include <setjmp.h>

#include <cmocka.h>

static xmpp_loop *make_loop(void)
{
    xmpp_loop *loop = NULL;

    assert_int_equal(xmpp_loop_create(&loop), XMPP_OK);
    assert_non_null(loop);
    return loop;
}

static bool is_readable(const xmpp_loop *loop, int wait_ms)
{
    struct pollfd p = {.fd = xmpp_loop_get_fd(loop), .events = POLLIN};

    return poll(&p, 1, wait_ms) == 1;
}

/* Until the descriptor is quiet: on a busy machine one turn may not be enough. */
static int dispatch_all(xmpp_loop *loop)
{
    int done = 0;

    while (is_readable(loop, 0)) {
        int r = xmpp_loop_dispatch(loop);

        assert_true(r >= 0);
        done += r;
    }
    return done;
}

static void count_call(xmpp_loop *loop, void *user_data)
{
    (void)loop;
    ++*(int *)user_data;
}

static void count_task(struct net_task *task)
{
    (void)task;
}

/* run and step look for work themselves: nothing is told, and nothing has to be asked. */
static void test_loop_step_sees_what_was_not_told(void **state)
{
    xmpp_loop *loop = make_loop();
    struct pollfd inside = {.fd = loop->epoll_fd, .events = POLLIN};
    struct net_timer timer;
    struct net_task task;
    int calls = 0;

    (void)state;
    net_task_init(&task, count_task);
    net_timer_init(&timer, NULL);
    net_task_schedule(loop, &task);
    assert_int_equal(poll(&inside, 1, 0), 0);
    assert_int_equal(xmpp_loop_step(loop, -1), 1);
    net_task_schedule(loop, &task);
    assert_int_equal(xmpp_loop_step(loop, 500), 1);
    /* a timer that is set before the others and taken back leaves those */
    assert_int_equal(xmpp_loop_add_timer(loop, NULL, 1000, 0, count_call, &calls, NULL), XMPP_OK);
    assert_int_equal(net_timer_set(loop, &timer, 0), XMPP_OK);
    net_timer_clear(loop, &timer);
    assert_int_equal(poll(&inside, 1, 20), 0); /* not even armed */
    assert_int_equal(xmpp_loop_step(loop, -1), 1);
    assert_int_equal(calls, 1);
    xmpp_loop_unref(loop);
}

/* Who gets the descriptor late is told of what was there before; and from then on of everything. */
static void test_loop_fd_given_late(void **state)
{
    xmpp_loop *loop = make_loop();
    struct net_task task;
    int calls = 0;

    (void)state;
    net_task_init(&task, count_task);
    net_task_schedule(loop, &task);
    assert_true(is_readable(loop, 0));
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_false(is_readable(loop, 0));
    net_task_schedule(loop, &task);
    assert_true(is_readable(loop, 0));
    /* the application goes over to step, and back again */
    assert_int_equal(xmpp_loop_step(loop, -1), 1);
    assert_false(is_readable(loop, 0));
    assert_int_equal(xmpp_loop_add_timer(loop, NULL, 0, 0, count_call, &calls, NULL), XMPP_OK);
    assert_true(is_readable(loop, -1));
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(calls, 1);
    xmpp_loop_unref(loop);

    loop = make_loop();
    assert_int_equal(xmpp_loop_add_timer(loop, NULL, 1000, 0, count_call, &calls, NULL), XMPP_OK);
    assert_true(is_readable(loop, -1));
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(calls, 2);
    assert_false(is_readable(loop, 0));
    xmpp_loop_unref(loop);
}

static void *take_fd(void *arg)
{
    return is_readable(arg, 0) ? arg : NULL;
}

/* Another thread cannot look whether there is work: it is told in any case. */
static void test_loop_fd_given_to_thread(void **state)
{
    xmpp_loop *loop = make_loop();
    struct net_task task;
    pthread_t thread;
    void *readable;

    (void)state;
    net_task_init(&task, count_task);
    net_task_schedule(loop, &task);
    assert_int_equal(pthread_create(&thread, NULL, take_fd, loop), 0);
    assert_int_equal(pthread_join(thread, &readable), 0);
    assert_non_null(readable);
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_false(is_readable(loop, 0));
    xmpp_loop_unref(loop);
}

/* Each write to the eventfd is an edge, though nobody reads it. */
static void test_loop_post_wakes_each_time(void **state)
{
    xmpp_loop *loop = make_loop();
    int calls = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_false(is_readable(loop, 0));
        assert_int_equal(xmpp_loop_post(loop, count_call, &calls, NULL), XMPP_OK);
        assert_true(is_readable(loop, 0));
        assert_int_equal(xmpp_loop_post(loop, count_call, &calls, NULL), XMPP_OK);
        assert_int_equal(dispatch_all(loop), 2);
        assert_int_equal(xmpp_loop_quit(loop), XMPP_OK);
        assert_true(is_readable(loop, 0));
        assert_int_equal(xmpp_loop_dispatch(loop), 0);
    }
    assert_int_equal(calls, 6);
    xmpp_loop_unref(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loop_step_sees_what_was_not_told),
        cmocka_unit_test(test_loop_fd_given_late),
        cmocka_unit_test(test_loop_fd_given_to_thread),
        cmocka_unit_test(test_loop_post_wakes_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
