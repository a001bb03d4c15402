#include "base/mem.h"
#include "net/loop.h"
#include "support/torture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <poll.h>
#include <setjmp.h>
#include <string.h>
#include <xmpp/slot.h>

#include <cmocka.h>

#define HOUR_US (3600ull * 1000 * 1000)

struct alarm {
    xmpp_slot *slot;
    int calls;
    int destroyed;
    int cancel_at; /* call number */
    bool drop; /* unref in the callback instead */
    uint64_t busy_us;
    uint64_t last_us;
};

static xmpp_loop *make_loop(void)
{
    xmpp_loop *loop = NULL;

    assert_int_equal(xmpp_loop_create(&loop), XMPP_OK);
    return loop;
}

static bool is_readable(const xmpp_loop *loop, int wait_ms)
{
    struct pollfd p = {.fd = xmpp_loop_get_fd(loop), .events = POLLIN};

    return poll(&p, 1, wait_ms) == 1;
}

static void on_alarm(xmpp_loop *loop, void *user_data)
{
    struct alarm *alarm = user_data;
    uint64_t start = loop_clock_us();

    alarm->calls++;
    alarm->last_us = xmpp_loop_get_time(loop);
    while (loop_clock_us() - start < alarm->busy_us)
        ;
    if (alarm->calls != alarm->cancel_at)
        return;
    if (alarm->drop)
        alarm->slot = xmpp_slot_unref(alarm->slot);
    else
        assert_int_equal(xmpp_slot_cancel(alarm->slot), XMPP_OK);
    assert_int_equal(alarm->destroyed, 0); /* user_data is still in use */
}

static void on_alarm_gone(void *user_data)
{
    ((struct alarm *)user_data)->destroyed++;
}

static void add(xmpp_loop *loop, struct alarm *alarm, uint64_t first_us, uint64_t interval_us)
{
    memset(alarm, 0, sizeof *alarm);
    assert_int_equal(xmpp_loop_add_timer(loop, &alarm->slot, first_us, interval_us, on_alarm, alarm,
                                         on_alarm_gone),
                     XMPP_OK);
}

static void test_add_timer_wrong_arguments(void **state)
{
    xmpp_loop *loop = make_loop();
    struct alarm alarm = {0};

    (void)state;
    assert_int_equal(xmpp_loop_add_timer(NULL, NULL, 0, 0, on_alarm, &alarm, on_alarm_gone),
                     XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_add_timer(loop, &alarm.slot, 0, 0, NULL, &alarm, on_alarm_gone),
                     XMPP_ERR_INVAL);
    assert_null(alarm.slot);
    assert_int_equal(alarm.destroyed, 0); /* never, when registering failed */
    xmpp_loop_unref(loop);
}

static void test_timer_zero_runs_in_next_dispatch(void **state)
{
    xmpp_loop *loop = make_loop();
    struct alarm alarm;

    (void)state;
    add(loop, &alarm, 0, 0);
    assert_int_equal(alarm.calls, 0);
    assert_true(is_readable(loop, 1000));
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(alarm.calls, 1);
    assert_int_equal(alarm.destroyed, 1);
    assert_false(xmpp_slot_is_active(alarm.slot));
    assert_false(is_readable(loop, 0));
    xmpp_slot_unref(alarm.slot);
    assert_int_equal(alarm.destroyed, 1);
    xmpp_loop_unref(loop);
}

static void test_timer_hour_leaves_fd_quiet(void **state)
{
    xmpp_loop *loop = make_loop();
    struct alarm alarm;
    struct alarm soon;

    (void)state;
    add(loop, &alarm, HOUR_US, 0);
    assert_false(is_readable(loop, 20));
    assert_int_equal(xmpp_loop_dispatch(loop), 0);
    add(loop, &soon, 1000, 0);
    assert_int_equal(xmpp_loop_step(loop, -1), 1);
    assert_int_equal(soon.calls, 1);
    assert_int_equal(alarm.calls, 0);
    assert_false(is_readable(loop, 20));
    xmpp_slot_unref(soon.slot);
    xmpp_slot_unref(alarm.slot);
    assert_int_equal(alarm.destroyed, 1);
    xmpp_loop_unref(loop);
}

static void test_timer_cancelled_leaves_fd_quiet(void **state)
{
    xmpp_loop *loop = make_loop();
    struct alarm alarm;

    (void)state;
    add(loop, &alarm, 1000, 0);
    assert_true(xmpp_slot_is_active(alarm.slot));
    assert_int_equal(xmpp_slot_cancel(alarm.slot), XMPP_OK);
    assert_int_equal(alarm.destroyed, 1);
    assert_false(is_readable(loop, 20));
    xmpp_slot_unref(alarm.slot);

    add(loop, &alarm, 0, 0);
    assert_true(is_readable(loop, 1000)); /* due already */
    xmpp_slot_unref(alarm.slot);
    assert_false(is_readable(loop, 0));
    assert_int_equal(xmpp_loop_dispatch(loop), 0);
    assert_int_equal(alarm.calls, 0);
    assert_int_equal(alarm.destroyed, 1);
    xmpp_loop_unref(loop);
}

static void test_timer_farthest_never_fires(void **state)
{
    xmpp_loop *loop = make_loop();
    struct alarm alarm;

    (void)state;
    add(loop, &alarm, UINT64_MAX, UINT64_MAX);
    assert_false(is_readable(loop, 10));
    assert_int_equal(xmpp_loop_dispatch(loop), 0);
    xmpp_slot_unref(alarm.slot);
    xmpp_loop_unref(loop);
}

static void test_timer_interval_runs_again(void **state)
{
    xmpp_loop *loop = make_loop();
    struct alarm alarm;
    uint64_t start = xmpp_loop_get_time(loop);

    (void)state;
    add(loop, &alarm, 1000, 2000);
    alarm.cancel_at = 5;
    while (xmpp_slot_is_active(alarm.slot))
        assert_true(xmpp_loop_step(loop, -1) >= 0);
    assert_int_equal(alarm.calls, 5);
    assert_int_equal(alarm.destroyed, 1);
    assert_true(xmpp_loop_get_time(loop) - start >= 9000);
    assert_false(is_readable(loop, 10));
    xmpp_slot_unref(alarm.slot);
    xmpp_loop_unref(loop);
}

static void test_timer_late_interval_does_not_pile_up(void **state)
{
    xmpp_loop *loop = make_loop();
    struct alarm alarm;
    uint64_t start = xmpp_loop_get_time(loop);
    uint64_t first_us;

    (void)state;
    add(loop, &alarm, 0, 1000);
    assert_int_equal(xmpp_loop_step(loop, -1), 1);
    first_us = alarm.last_us;
    while (loop_clock_us() - first_us < 20500)
        ; /* twenty were missed */
    assert_int_equal(xmpp_loop_step(loop, -1), 1);
    assert_int_equal(alarm.calls, 2);
    assert_int_equal(xmpp_loop_step(loop, -1), 1);
    assert_int_equal(alarm.calls, 3);
    assert_true(alarm.last_us - start >= 21000); /* on the grid, in the future */
    xmpp_slot_unref(alarm.slot);
    xmpp_loop_unref(loop);
}

static void test_timer_slot_dropped_in_its_callback(void **state)
{
    xmpp_loop *loop = make_loop();
    struct alarm alarm;

    (void)state;
    add(loop, &alarm, 0, 1);
    alarm.cancel_at = 1;
    alarm.drop = true;
    assert_int_equal(xmpp_loop_step(loop, -1), 1);
    assert_int_equal(alarm.calls, 1);
    assert_int_equal(alarm.destroyed, 1);
    add(loop, &alarm, 0, 0);
    alarm.cancel_at = 1;
    alarm.drop = true;
    assert_int_equal(xmpp_loop_step(loop, -1), 1);
    assert_int_equal(alarm.destroyed, 1);
    assert_false(is_readable(loop, 10));
    xmpp_loop_unref(loop);
}

static void test_timer_slot_outlives_loop_handle(void **state)
{
    xmpp_loop *loop = make_loop();
    struct alarm alarm;

    (void)state;
    add(loop, &alarm, HOUR_US, 0);
    xmpp_loop_unref(loop);
    assert_true(xmpp_slot_is_active(alarm.slot));
    xmpp_slot_unref(alarm.slot); /* and now the loop goes too */
    assert_int_equal(alarm.destroyed, 1);
}

static void test_timer_without_handle_lives_with_loop(void **state)
{
    xmpp_loop *loop = make_loop();
    struct alarm once = {0};
    struct alarm never = {0};

    (void)state;
    assert_int_equal(xmpp_loop_add_timer(loop, NULL, 0, 0, on_alarm, &once, on_alarm_gone),
                     XMPP_OK);
    assert_int_equal(xmpp_loop_add_timer(loop, NULL, HOUR_US, 1, on_alarm, &never, on_alarm_gone),
                     XMPP_OK);
    assert_int_equal(xmpp_loop_step(loop, -1), 1);
    assert_int_equal(once.calls, 1);
    assert_int_equal(once.destroyed, 1);
    xmpp_loop_unref(loop);
    assert_int_equal(never.calls, 0);
    assert_int_equal(never.destroyed, 1);
}

/* --- internal timers --- */

struct tick {
    struct net_timer timer;
    xmpp_loop *loop;
    int calls;
    bool again;
};

static void on_tick(struct net_timer *timer)
{
    struct tick *tick = CONTAINER_OF(timer, struct tick, timer);

    tick->calls++;
    if (tick->again)
        assert_int_equal(net_timer_set(tick->loop, timer, net_now(tick->loop)), XMPP_OK);
}

static void test_net_timer_set_moves(void **state)
{
    xmpp_loop *loop = make_loop();
    struct tick tick = {.loop = loop};

    (void)state;
    net_timer_init(&tick.timer, on_tick);
    net_timer_clear(loop, &tick.timer); /* not set: no effect */
    assert_int_equal(net_timer_set(loop, &tick.timer, 0), XMPP_OK); /* long past */
    assert_true(is_readable(loop, 100));
    assert_int_equal(net_timer_set(loop, &tick.timer, net_now(loop) + HOUR_US), XMPP_OK);
    assert_false(is_readable(loop, 0));
    assert_int_equal(net_timer_set(loop, &tick.timer, net_now(loop)), XMPP_OK);
    assert_int_equal(xmpp_loop_step(loop, -1), 1);
    assert_int_equal(tick.calls, 1);
    net_timer_clear(loop, &tick.timer);
    assert_false(is_readable(loop, 0));
    xmpp_loop_unref(loop);
}

static void test_net_timer_due_again_waits_for_next_turn(void **state)
{
    xmpp_loop *loop = make_loop();
    struct tick tick = {.loop = loop, .again = true};

    (void)state;
    net_timer_init(&tick.timer, on_tick);
    assert_int_equal(net_timer_set(loop, &tick.timer, 0), XMPP_OK);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(xmpp_loop_step(loop, -1), 1);
        assert_int_equal(tick.calls, i);
    }
    net_timer_clear(loop, &tick.timer);
    xmpp_loop_unref(loop);
}

static void test_net_timer_ten_thousand(void **state)
{
    static struct tick ticks[10000];
    xmpp_loop *loop = make_loop();
    uint64_t now = net_now(loop);
    int done = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ticks); i++) {
        ticks[i] = (struct tick){.loop = loop};
        net_timer_init(&ticks[i].timer, on_tick);
        assert_int_equal(net_timer_set(loop, &ticks[i].timer, now + (i * 7919) % 10000), XMPP_OK);
    }
    for (size_t i = 0; i < ARRAY_LEN(ticks); i += 2)
        net_timer_clear(loop, &ticks[i].timer);
    while (done < 5000) {
        int r = xmpp_loop_step(loop, -1);

        assert_true(r >= 0);
        done += r;
    }
    for (size_t i = 0; i < ARRAY_LEN(ticks); i++)
        assert_int_equal(ticks[i].calls, i % 2);
    assert_false(is_readable(loop, 0));
    xmpp_loop_unref(loop);
}

/* What is due and does not fit into the turn leaves the descriptor readable. */
static void test_timer_slow_ones_take_turns(void **state)
{
    xmpp_loop *loop = make_loop();
    struct alarm alarms[4];
    int calls = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(alarms); i++) {
        add(loop, &alarms[i], 0, 0);
        alarms[i].busy_us = 3000;
    }
    while (calls < 4) {
        int r;

        assert_true(is_readable(loop, 100));
        r = xmpp_loop_dispatch(loop);
        assert_in_range(r, 1, 2);
        calls += r;
    }
    for (size_t i = 0; i < ARRAY_LEN(alarms); i++)
        xmpp_slot_unref(alarms[i].slot);
    xmpp_loop_unref(loop);
}

static int scenario(void *user_data)
{
    struct alarm alarms[20] = {0};
    xmpp_loop *loop = NULL;
    int r;

    (void)user_data;
    r = xmpp_loop_create(&loop);
    for (size_t i = 0; r >= 0 && i < ARRAY_LEN(alarms); i++)
        r = xmpp_loop_add_timer(loop, i % 2 ? &alarms[i].slot : NULL, 0, 0, on_alarm, &alarms[i],
                                on_alarm_gone);
    if (r >= 0)
        r = xmpp_loop_dispatch(loop);
    for (size_t i = 0; i < ARRAY_LEN(alarms); i++)
        xmpp_slot_unref(alarms[i].slot);
    xmpp_loop_unref(loop);
    return r < 0 ? r : XMPP_OK;
}

static void test_timer_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_timer_wrong_arguments),
        cmocka_unit_test(test_timer_zero_runs_in_next_dispatch),
        cmocka_unit_test(test_timer_hour_leaves_fd_quiet),
        cmocka_unit_test(test_timer_cancelled_leaves_fd_quiet),
        cmocka_unit_test(test_timer_farthest_never_fires),
        cmocka_unit_test(test_timer_interval_runs_again),
        cmocka_unit_test(test_timer_late_interval_does_not_pile_up),
        cmocka_unit_test(test_timer_slot_dropped_in_its_callback),
        cmocka_unit_test(test_timer_slot_outlives_loop_handle),
        cmocka_unit_test(test_timer_without_handle_lives_with_loop),
        cmocka_unit_test(test_net_timer_set_moves),
        cmocka_unit_test(test_net_timer_due_again_waits_for_next_turn),
        cmocka_unit_test(test_net_timer_ten_thousand),
        cmocka_unit_test(test_timer_slow_ones_take_turns),
        cmocka_unit_test(test_timer_out_of_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
