#include "base/mem.h"
#include "net/loop.h"
#include "support/torture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <poll.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#define THREADS 8
#define POSTS   10000

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

/* Until the descriptor is quiet: on a busy machine one turn may not be enough. */
static int dispatch_all(xmpp_loop *loop)
{
    int done = 0;

    while (is_readable(loop)) {
        int r = xmpp_loop_dispatch(loop);

        assert_true(r >= 0);
        done += r;
    }
    return done;
}

struct note {
    int calls;
    int destroyed;
    int order;
    bool again;
};
static int order;

static void on_note(xmpp_loop *loop, void *user_data)
{
    struct note *note = user_data;

    note->calls++;
    note->order = ++order;
    if (note->again) {
        note->again = false;
        assert_int_equal(xmpp_loop_post(loop, on_note, note, NULL), XMPP_OK);
    }
}

static void on_note_gone(void *user_data)
{
    ((struct note *)user_data)->destroyed++;
}

static void test_post_wrong_arguments(void **state)
{
    xmpp_loop *loop = make_loop();
    struct note note = {0};

    (void)state;
    assert_int_equal(xmpp_loop_post(NULL, on_note, &note, on_note_gone), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_post(loop, NULL, &note, on_note_gone), XMPP_ERR_INVAL);
    assert_int_equal(note.destroyed, 0);
    assert_false(is_readable(loop));
    xmpp_loop_unref(loop);
}

static void test_post_runs_in_order(void **state)
{
    struct note notes[3] = {{0}};
    xmpp_loop *loop = make_loop();

    (void)state;
    order = 0;
    for (size_t i = 0; i < ARRAY_LEN(notes); i++)
        assert_int_equal(xmpp_loop_post(loop, on_note, &notes[i], on_note_gone), XMPP_OK);
    assert_int_equal(notes[0].calls, 0);
    assert_true(is_readable(loop));
    assert_int_equal(dispatch_all(loop), 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(notes[i].calls, 1);
        assert_int_equal(notes[i].destroyed, 1);
        assert_int_equal(notes[i].order, i + 1);
    }
    assert_false(is_readable(loop));
    xmpp_loop_unref(loop);
}

static void test_post_from_callback_runs_in_next_turn(void **state)
{
    struct note note = {.again = true};
    xmpp_loop *loop = make_loop();

    (void)state;
    assert_int_equal(xmpp_loop_post(loop, on_note, &note, NULL), XMPP_OK);
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_true(is_readable(loop));
    assert_int_equal(xmpp_loop_dispatch(loop), 1);
    assert_int_equal(note.calls, 2);
    assert_false(is_readable(loop));
    xmpp_loop_unref(loop);
}

static void test_post_loop_freed_before(void **state)
{
    struct note note = {0};
    xmpp_loop *loop = make_loop();

    (void)state;
    assert_int_equal(xmpp_loop_post(loop, on_note, &note, on_note_gone), XMPP_OK);
    assert_int_equal(xmpp_loop_post(loop, on_note, &note, NULL), XMPP_OK);
    xmpp_loop_unref(loop);
    assert_int_equal(note.calls, 0);
    assert_int_equal(note.destroyed, 1);
}

static void on_slow(xmpp_loop *loop, void *user_data)
{
    uint64_t start = loop_clock_us();

    on_note(loop, user_data);
    while (loop_clock_us() - start < 3000)
        ;
}

/* What does not fit into the turn waits for the next, and is destroyed with the loop. */
static void test_post_slow_ones_take_turns(void **state)
{
    struct note note = {0};
    xmpp_loop *loop = make_loop();
    int done = 0;

    (void)state;
    for (int i = 0; i < 6; i++)
        assert_int_equal(xmpp_loop_post(loop, on_slow, &note, on_note_gone), XMPP_OK);
    for (int i = 0; i < 2; i++) {
        int r = xmpp_loop_dispatch(loop);

        assert_in_range(r, 1, 2);
        assert_true(is_readable(loop));
        done += r;
    }
    assert_int_equal(note.calls, done);
    assert_int_equal(note.destroyed, done);
    xmpp_loop_unref(loop);
    assert_int_equal(note.destroyed, 6);
}

/* --- threads --- */

struct sender {
    pthread_t thread;
    xmpp_loop *loop;
    int sent;
    int seen; /* loop thread only */
    int destroyed;
};

struct message {
    struct sender *sender;
    int number;
};
static int finished;

static void on_message(xmpp_loop *loop, void *user_data)
{
    struct message *message = user_data;
    struct sender *sender = message->sender;

    assert_int_equal(message->number, sender->seen); /* in order of each thread */
    if (++sender->seen == POSTS && ++finished == THREADS)
        xmpp_loop_quit(loop);
}

static void on_message_gone(void *user_data)
{
    ((struct message *)user_data)->sender->destroyed++;
    mem_free(user_data);
}

static void *send_thread(void *arg)
{
    struct sender *sender = arg;

    for (; sender->sent < POSTS; sender->sent++) {
        struct message *message = mem_alloc(sizeof *message);

        message->sender = sender;
        message->number = sender->sent;
        if (xmpp_loop_post(sender->loop, on_message, message, on_message_gone) != XMPP_OK)
            break;
    }
    xmpp_loop_unref(sender->loop);
    return NULL;
}

static void test_post_from_eight_threads(void **state)
{
    struct sender senders[THREADS] = {{0}};
    xmpp_loop *loop = make_loop();

    (void)state;
    finished = 0;
    for (int i = 0; i < THREADS; i++) {
        senders[i].loop = xmpp_loop_ref(loop);
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_thread, &senders[i]), 0);
    }
    assert_int_equal(xmpp_loop_run(loop), XMPP_OK);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(senders[i].thread, NULL);
        assert_int_equal(senders[i].seen, POSTS);
        assert_int_equal(senders[i].destroyed, POSTS);
    }
    assert_int_equal(xmpp_loop_step(loop, 0), 0);
    assert_false(is_readable(loop));
    xmpp_loop_unref(loop);
}

/* --- what another thread lets go of --- */

struct thing {
    struct bound bound;
    xmpp_loop *loop;
    int *destroyed;
};

static void thing_destroy(struct bound *bound)
{
    struct thing *thing = CONTAINER_OF(bound, struct thing, bound);
    xmpp_loop *loop = thing->loop;

    assert_true(loop_is_current(loop));
    ++*thing->destroyed;
    mem_free(thing);
    xmpp_loop_unref(loop);
}

static struct thing *make_thing(xmpp_loop *loop, int *destroyed)
{
    struct thing *thing = mem_zalloc(sizeof *thing);

    assert_non_null(thing);
    bound_init(&thing->bound, net_owner(loop), thing_destroy);
    thing->loop = xmpp_loop_ref(loop);
    thing->destroyed = destroyed;
    return thing;
}

static void *drop_thread(void *arg)
{
    struct thing **things = arg;

    for (int i = 0; i < 100; i++)
        bound_unref(&things[i]->bound);
    return NULL;
}

static void drop_in_thread(struct thing **things)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, drop_thread, things), 0);
    pthread_join(thread, NULL);
}

static void test_defer_destroys_in_loop_thread(void **state)
{
    struct thing *things[100];
    xmpp_loop *loop = make_loop();
    int destroyed = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        things[i] = make_thing(loop, &destroyed);
    drop_in_thread(things);
    assert_int_equal(destroyed, 0);
    assert_true(is_readable(loop));
    assert_int_equal(dispatch_all(loop), 100);
    assert_int_equal(destroyed, 100);
    assert_false(is_readable(loop));
    xmpp_loop_unref(loop);
}

/* Nobody dispatches any more: what was dropped elsewhere goes with the application's reference. */
static void test_defer_without_another_dispatch(void **state)
{
    struct thing *things[100];
    xmpp_loop *loop = make_loop();
    int destroyed = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        things[i] = make_thing(loop, &destroyed);
    drop_in_thread(things);
    xmpp_loop_unref(loop);
    assert_int_equal(destroyed, 100);
}

static int scenario(void *user_data)
{
    struct note note = {0};
    xmpp_loop *loop = NULL;
    int posted = 0;
    int r;

    (void)user_data;
    r = xmpp_loop_create(&loop);
    for (int i = 0; r >= 0 && i < 3; i++) {
        r = xmpp_loop_post(loop, on_note, &note, on_note_gone);
        posted += r == XMPP_OK;
    }
    if (loop)
        assert_int_equal(dispatch_all(loop), posted);
    xmpp_loop_unref(loop);
    assert_int_equal(note.destroyed, posted);
    return r;
}

static void test_post_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_post_wrong_arguments),
        cmocka_unit_test(test_post_runs_in_order),
        cmocka_unit_test(test_post_from_callback_runs_in_next_turn),
        cmocka_unit_test(test_post_loop_freed_before),
        cmocka_unit_test(test_post_slow_ones_take_turns),
        cmocka_unit_test(test_post_from_eight_threads),
        cmocka_unit_test(test_defer_destroys_in_loop_thread),
        cmocka_unit_test(test_defer_without_another_dispatch),
        cmocka_unit_test(test_post_out_of_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
