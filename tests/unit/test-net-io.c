#include "base/mem.h"
#include "net/loop.h"
#include "support/torture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmpp/slot.h>

#include <cmocka.h>

struct pair {
    xmpp_loop *loop;
    int fds[2]; /* the first one is watched */
    xmpp_slot *slot;
    unsigned calls;
    unsigned destroyed;
    int events; /* of the last call */
    bool reads; /* takes a byte in each call */
    unsigned cancel_at;
    unsigned drop_at;
    struct pair *victim; /* cancelled by the first call */
};

static void on_io(xmpp_loop *loop, int fd, int events, void *user_data)
{
    struct pair *pair = user_data;
    char byte;

    assert_ptr_equal(loop, pair->loop);
    assert_int_equal(fd, pair->fds[0]);
    assert_int_equal(pair->destroyed, 0);
    pair->calls++;
    pair->events = events;
    if (pair->reads)
        (void)!read(fd, &byte, 1);
    if (pair->calls == pair->cancel_at)
        assert_int_equal(xmpp_slot_cancel(pair->slot), XMPP_OK);
    if (pair->calls == pair->drop_at)
        pair->slot = xmpp_slot_unref(pair->slot);
    if (pair->victim)
        xmpp_slot_cancel(pair->victim->slot);
    assert_int_equal(pair->destroyed, 0); /* user_data is still in use */
}

static void on_gone(void *user_data)
{
    ((struct pair *)user_data)->destroyed++;
}

static void open_pair(struct pair *pair)
{
    memset(pair, 0, sizeof *pair);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair->fds),
                     0);
}

static void add(struct pair *pair, xmpp_loop *loop, int events)
{
    open_pair(pair);
    pair->loop = loop;
    assert_int_equal(
        xmpp_loop_add_io(loop, &pair->slot, pair->fds[0], events, on_io, pair, on_gone), XMPP_OK);
}

static void close_pair(struct pair *pair)
{
    pair->slot = xmpp_slot_unref(pair->slot);
    close(pair->fds[0]);
    close(pair->fds[1]);
}

static void never(xmpp_loop *loop, void *user_data)
{
    (void)loop;
    (void)user_data;
    fail();
}

static xmpp_loop *make_loop(void)
{
    xmpp_loop *loop = NULL;

    assert_int_equal(xmpp_loop_create(&loop), XMPP_OK);
    return loop;
}

static bool is_readable(const xmpp_loop *loop)
{
    struct pollfd p = {.fd = xmpp_loop_get_fd(loop), .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

static void test_add_io_wrong_arguments(void **state)
{
    xmpp_loop *loop = make_loop();
    xmpp_slot *slot = NULL;
    struct pair pair;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    (void)state;
    open_pair(&pair);
    assert_int_equal(
        xmpp_loop_add_io(NULL, &slot, pair.fds[0], XMPP_IO_READ, on_io, &pair, on_gone),
        XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_add_io(loop, &slot, -1, XMPP_IO_READ, on_io, &pair, on_gone),
                     XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_add_io(loop, &slot, pair.fds[0], 0, on_io, &pair, on_gone),
                     XMPP_ERR_INVAL);
    assert_int_equal(
        xmpp_loop_add_io(loop, &slot, pair.fds[0], XMPP_IO_HANGUP, on_io, &pair, on_gone),
        XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_add_io(loop, &slot, pair.fds[0], XMPP_IO_READ, NULL, &pair, on_gone),
                     XMPP_ERR_INVAL);
    assert_true(file >= 0);
    assert_int_equal(xmpp_loop_add_io(loop, &slot, file, XMPP_IO_READ, on_io, &pair, on_gone),
                     XMPP_ERR_SYSTEM);
    assert_int_equal(errno, EPERM);
    close(file);
    assert_int_equal(xmpp_loop_add_io(loop, &slot, file, XMPP_IO_READ, on_io, &pair, on_gone),
                     XMPP_ERR_SYSTEM);
    assert_int_equal(errno, EBADF);
    assert_null(slot);
    assert_int_equal(pair.destroyed, 0); /* never, when registering failed */
    close_pair(&pair);
    xmpp_loop_unref(loop);
}

static void test_add_io_twice(void **state)
{
    xmpp_loop *loop = make_loop();
    xmpp_slot *slot = NULL;
    struct pair pair;

    (void)state;
    add(&pair, loop, XMPP_IO_READ);
    assert_int_equal(xmpp_loop_add_io(loop, &slot, pair.fds[0], XMPP_IO_WRITE, on_io, &pair, NULL),
                     XMPP_ERR_SYSTEM);
    assert_int_equal(errno, EEXIST);
    close_pair(&pair);
    xmpp_loop_unref(loop);
}

static void test_io_read(void **state)
{
    xmpp_loop *loop = make_loop();
    struct pair pair;

    (void)state;
    add(&pair, loop, XMPP_IO_READ);
    pair.reads = true;
    assert_true(xmpp_slot_is_active(pair.slot));
    assert_false(is_readable(loop));
    assert_int_equal(xmpp_loop_dispatch(loop), 0);
    assert_int_equal(write(pair.fds[1], "ab", 2), 2);
    assert_true(is_readable(loop));
    assert_int_equal(pair.calls, 0); /* only from the loop */
    assert_int_equal(xmpp_loop_step(loop, -1), 1);
    assert_int_equal(pair.events, XMPP_IO_READ);
    assert_true(is_readable(loop)); /* one byte is left: level-triggered */
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(xmpp_loop_dispatch(loop), 0);
    assert_int_equal(pair.calls, 2);
    close_pair(&pair);
    assert_int_equal(pair.destroyed, 1);
    xmpp_loop_unref(loop);
}

static void test_io_events_change(void **state)
{
    xmpp_loop *loop = make_loop();
    struct pair pair;

    (void)state;
    add(&pair, loop, XMPP_IO_READ | XMPP_IO_WRITE);
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(pair.events, XMPP_IO_WRITE);
    assert_int_equal(xmpp_loop_set_io_events(loop, pair.slot, XMPP_IO_READ), XMPP_OK);
    assert_int_equal(xmpp_loop_dispatch(loop), 0);
    assert_int_equal(write(pair.fds[1], "a", 1), 1);
    assert_int_equal(xmpp_loop_set_io_events(loop, pair.slot, XMPP_IO_READ | XMPP_IO_WRITE),
                     XMPP_OK);
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(pair.events, XMPP_IO_READ | XMPP_IO_WRITE);

    /* nothing is reported, a hang-up neither */
    assert_int_equal(xmpp_loop_set_io_events(loop, pair.slot, 0), XMPP_OK);
    assert_true(xmpp_slot_is_active(pair.slot));
    close(pair.fds[1]);
    assert_false(is_readable(loop));
    assert_int_equal(xmpp_loop_dispatch(loop), 0);
    assert_int_equal(xmpp_loop_set_io_events(loop, pair.slot, XMPP_IO_READ), XMPP_OK);
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(pair.events, XMPP_IO_READ | XMPP_IO_HANGUP);
    pair.fds[1] = dup(pair.fds[0]);
    close_pair(&pair);
    xmpp_loop_unref(loop);
}

static void test_set_io_events_wrong_arguments(void **state)
{
    xmpp_loop *loop = make_loop();
    xmpp_loop *other = make_loop();
    xmpp_slot *timer = NULL;
    struct pair pair;

    (void)state;
    add(&pair, loop, XMPP_IO_READ);
    assert_int_equal(xmpp_loop_add_timer(loop, &timer, UINT64_MAX, 0, never, NULL, NULL), XMPP_OK);
    assert_int_equal(xmpp_loop_set_io_events(NULL, pair.slot, XMPP_IO_READ), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_set_io_events(loop, NULL, XMPP_IO_READ), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_set_io_events(loop, timer, XMPP_IO_READ), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_set_io_events(other, pair.slot, XMPP_IO_READ), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_set_io_events(loop, pair.slot, 8), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_slot_match_id(pair.slot, "x"), XMPP_ERR_INVAL);
    xmpp_slot_cancel(pair.slot);
    assert_int_equal(xmpp_loop_set_io_events(loop, pair.slot, XMPP_IO_READ), XMPP_ERR_STATE);
    xmpp_slot_unref(timer);
    close_pair(&pair);
    xmpp_loop_unref(other);
    xmpp_loop_unref(loop);
}

static void test_io_hangup(void **state)
{
    xmpp_loop *loop = make_loop();
    struct pair pair;
    int end;

    (void)state;
    add(&pair, loop, XMPP_IO_READ | XMPP_IO_WRITE);
    pair.cancel_at = 1;
    end = dup(pair.fds[0]);
    close(pair.fds[1]);
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(pair.events, XMPP_IO_READ | XMPP_IO_WRITE | XMPP_IO_HANGUP);
    assert_int_equal(pair.destroyed, 1);
    assert_false(is_readable(loop));
    pair.fds[1] = end;
    close_pair(&pair);
    xmpp_loop_unref(loop);
}

static void test_io_cancel_in_callback(void **state)
{
    xmpp_loop *loop = make_loop();
    struct pair pair;

    (void)state;
    add(&pair, loop, XMPP_IO_WRITE);
    pair.cancel_at = 2;
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(xmpp_loop_dispatch(loop), 0);
    assert_int_equal(pair.calls, 2);
    assert_int_equal(pair.destroyed, 1);
    assert_false(xmpp_slot_is_active(pair.slot));
    assert_int_equal(xmpp_slot_cancel(pair.slot), XMPP_OK);
    close_pair(&pair);
    assert_int_equal(pair.destroyed, 1);
    xmpp_loop_unref(loop);
}

static void test_io_unref_in_callback(void **state)
{
    xmpp_loop *loop = make_loop();
    struct pair pair;

    (void)state;
    add(&pair, loop, XMPP_IO_WRITE);
    pair.drop_at = 1;
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(pair.destroyed, 1);
    assert_int_equal(xmpp_loop_dispatch(loop), 0);
    close_pair(&pair);
    xmpp_loop_unref(loop);
}

/* The other one's event was reported in the same turn: it must not be delivered any more. */
static void test_io_cancel_other_pending(void **state)
{
    xmpp_loop *loop = make_loop();
    struct pair pairs[2];

    (void)state;
    add(&pairs[0], loop, XMPP_IO_WRITE);
    add(&pairs[1], loop, XMPP_IO_WRITE);
    pairs[0].victim = &pairs[1];
    pairs[1].victim = &pairs[0];
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(pairs[0].calls + pairs[1].calls, 1);
    assert_int_equal(pairs[0].destroyed + pairs[1].destroyed, 1);
    close_pair(&pairs[0]);
    close_pair(&pairs[1]);
    xmpp_loop_unref(loop);
}

static void test_io_closed_fd(void **state)
{
    xmpp_loop *loop = make_loop();
    struct pair pair;

    (void)state;
    add(&pair, loop, XMPP_IO_WRITE);
    close(pair.fds[0]);
    assert_int_equal(xmpp_loop_dispatch(loop), 0);
    assert_int_equal(xmpp_loop_set_io_events(loop, pair.slot, XMPP_IO_READ), XMPP_ERR_SYSTEM);
    assert_int_equal(errno, EBADF);
    assert_int_equal(xmpp_loop_set_io_events(loop, pair.slot, 0), XMPP_OK);
    pair.fds[0] = dup(pair.fds[1]);
    close_pair(&pair);
    assert_int_equal(pair.destroyed, 1);
    xmpp_loop_unref(loop);
}

static void test_io_floating_lives_with_loop(void **state)
{
    xmpp_loop *loop = make_loop();
    struct pair pair;

    (void)state;
    open_pair(&pair);
    pair.loop = loop;
    assert_int_equal(
        xmpp_loop_add_io(loop, NULL, pair.fds[0], XMPP_IO_WRITE, on_io, &pair, on_gone), XMPP_OK);
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(pair.destroyed, 0);
    xmpp_loop_unref(loop);
    assert_int_equal(pair.calls, 1);
    assert_int_equal(pair.destroyed, 1);
    close_pair(&pair);
}

static void test_io_slot_keeps_loop(void **state)
{
    xmpp_loop *loop = make_loop();
    struct pair pair;

    (void)state;
    add(&pair, loop, XMPP_IO_WRITE);
    xmpp_loop_unref(loop);
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    close_pair(&pair); /* frees the loop */
    assert_int_equal(pair.destroyed, 1);
}

static void test_io_after_fork(void **state)
{
    xmpp_loop *loop = make_loop();
    struct pair pair;
    pid_t pid;
    int status = -1;

    (void)state;
    add(&pair, loop, XMPP_IO_WRITE);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int r = xmpp_loop_add_io(loop, NULL, pair.fds[1], XMPP_IO_READ, on_io, &pair, on_gone);
        int s = xmpp_loop_set_io_events(loop, pair.slot, XMPP_IO_READ);

        xmpp_slot_unref(pair.slot);
        xmpp_loop_unref(loop);
        _exit(r != XMPP_ERR_THREAD || s != XMPP_ERR_THREAD || pair.destroyed != 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(xmpp_loop_dispatch(loop), 1); /* undisturbed */
    close_pair(&pair);
    xmpp_loop_unref(loop);
}

static int scenario(void *user_data)
{
    xmpp_loop *loop = NULL;
    struct pair pair;
    int r;

    (void)user_data;
    open_pair(&pair);
    r = xmpp_loop_create(&loop);
    pair.loop = loop;
    if (r >= 0)
        r = xmpp_loop_add_io(loop, &pair.slot, pair.fds[0], XMPP_IO_WRITE, on_io, &pair, on_gone);
    if (r >= 0)
        r = xmpp_loop_add_io(loop, NULL, pair.fds[1], XMPP_IO_READ, on_io, &pair, on_gone);
    if (r >= 0)
        r = xmpp_loop_dispatch(loop);
    xmpp_slot_unref(pair.slot);
    pair.slot = NULL;
    xmpp_loop_unref(loop);
    close_pair(&pair);
    return r < 0 ? r : XMPP_OK;
}

static void test_io_torture(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_io_wrong_arguments),
        cmocka_unit_test(test_add_io_twice),
        cmocka_unit_test(test_io_read),
        cmocka_unit_test(test_io_events_change),
        cmocka_unit_test(test_set_io_events_wrong_arguments),
        cmocka_unit_test(test_io_hangup),
        cmocka_unit_test(test_io_cancel_in_callback),
        cmocka_unit_test(test_io_unref_in_callback),
        cmocka_unit_test(test_io_cancel_other_pending),
        cmocka_unit_test(test_io_closed_fd),
        cmocka_unit_test(test_io_floating_lives_with_loop),
        cmocka_unit_test(test_io_slot_keeps_loop),
        cmocka_unit_test(test_io_after_fork),
        cmocka_unit_test(test_io_torture),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
