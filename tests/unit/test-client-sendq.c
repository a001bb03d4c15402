/* The limit of unsent bytes, who is told when it shrank, and stanzas of other threads. */
#include "fake/talk.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGE "<message xmlns='jabber:client'><body>0123456789</body></message>"
#define HEARD   "<message><body>0123456789</body></message>"

#define LIMIT 10000

static struct talk talk;

struct drain {
    unsigned calls;
    unsigned destroyed;
    size_t queued; /* at the last call */
    unsigned refill; /* so many calls send until nothing fits */
    xmpp_slot *cancel;
    bool giant; /* sends what never fits */
};

static void on_destroy(void *user_data)
{
    struct drain *drain = user_data;

    drain->destroyed++;
}

static unsigned fill(void)
{
    unsigned count = 0;
    int r;

    while ((r = talk_send(&talk, MESSAGE)) == XMPP_OK)
        count++;
    assert_int_equal(r, XMPP_ERR_LIMIT);
    return count;
}

static int send_giant(void)
{
    char xml[20100];

    memset(xml, 'x', sizeof xml);
    memcpy(xml, "<message xmlns='jabber:client'>", 31);
    strcpy(xml + 20000, "</message>");
    return talk_send(&talk, xml);
}

static void on_drain(xmpp_client *client, void *user_data)
{
    struct drain *drain = user_data;

    drain->calls++;
    drain->queued = xmpp_client_get_queued_bytes(client);
    if (drain->refill > 0) {
        drain->refill--;
        fill();
    }
    if (drain->giant)
        assert_int_equal(send_giant(), XMPP_ERR_LIMIT);
    xmpp_slot_cancel(drain->cancel);
}

static xmpp_slot *watch(struct drain *drain, size_t low_bytes)
{
    xmpp_slot *slot;

    assert_int_equal(
        xmpp_client_on_drain(talk.client, &slot, low_bytes, on_drain, drain, on_destroy), XMPP_OK);
    return slot;
}

/* Logged in, at most LIMIT bytes are kept, and the socket is full. */
static int setup(void **state)
{
    (void)state;
    assert_int_equal(talk_create(&talk), XMPP_OK);
    assert_int_equal(xmpp_client_set_limits(talk.client, 0, LIMIT), XMPP_OK);
    assert_int_equal(talk_login(&talk), XMPP_OK);
    assert_true(talk_is_silent(&talk));
    fake_set_room(talk.socket, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    talk_destroy(&talk);
    return 0;
}

static unsigned count_heard(void)
{
    unsigned count = 0;
    const char *data;

    while (fake_peek(talk.socket, &data) > 0) {
        assert_true(talk_hears(&talk, HEARD));
        count++;
    }
    return count;
}

static void test_send_limit(void **state)
{
    unsigned sent;

    (void)state;
    assert_int_equal(xmpp_client_get_queued_bytes(talk.client), 0);
    sent = fill();
    assert_int_equal(sent, LIMIT / (sizeof HEARD - 1));
    assert_int_equal(xmpp_client_get_queued_bytes(talk.client), sent * (sizeof HEARD - 1));
    fake_run(talk.loop);
    assert_int_equal(talk_send(&talk, MESSAGE), XMPP_ERR_LIMIT);
    fake_set_room(talk.socket, sizeof HEARD - 1);
    fake_run(talk.loop);
    assert_int_equal(talk_send(&talk, MESSAGE), XMPP_OK);
    assert_int_equal(talk_send(&talk, MESSAGE), XMPP_ERR_LIMIT);
    fake_set_room(talk.socket, SIZE_MAX);
    fake_run(talk.loop);
    assert_int_equal(count_heard(), sent + 1);
    assert_int_equal(xmpp_client_get_stat(talk.client, XMPP_STAT_STANZAS_OUT), sent + 1);
}

static void test_send_one_write_for_a_turn(void **state)
{
    unsigned before;

    (void)state;
    fake_set_room(talk.socket, SIZE_MAX);
    before = fake_writes(talk.socket);
    for (int i = 0; i < 10; i++)
        assert_int_equal(talk_send(&talk, MESSAGE), XMPP_OK);
    assert_int_equal(fake_writes(talk.socket), before);
    fake_run(talk.loop);
    assert_int_equal(fake_writes(talk.socket), before + 1);
    assert_int_equal(count_heard(), 10);
}

static void test_send_answers_pass_the_limit(void **state)
{
    (void)state;
    fill();
    talk_say(&talk, "<iq type='get' id='1'><q xmlns='urn:q'/></iq>");
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_READY);
    assert_true(xmpp_client_get_queued_bytes(talk.client) > LIMIT);
    fake_set_room(talk.socket, SIZE_MAX);
    fake_run(talk.loop);
}

static void test_send_states(void **state)
{
    (void)state;
    assert_int_equal(xmpp_client_send(NULL, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_send(talk.client, NULL), XMPP_ERR_INVAL);
    assert_int_equal(talk_send(&talk, "<message xmlns='urn:other'/>"), XMPP_ERR_INVAL);
    xmpp_client_disconnect(talk.client);
    assert_int_equal(talk_send(&talk, MESSAGE), XMPP_ERR_STATE);
    xmpp_client_abort(talk.client);
    assert_int_equal(talk_send(&talk, MESSAGE), XMPP_ERR_STATE);
    assert_int_equal(xmpp_client_get_queued_bytes(talk.client), 0);
    assert_int_equal(xmpp_client_get_queued_bytes(NULL), 0);
    fake_run(talk.loop);
    assert_int_equal(talk_connect(&talk), XMPP_OK);
    assert_int_equal(talk_send(&talk, MESSAGE), XMPP_ERR_STATE);
}

static void test_drain_at_its_mark(void **state)
{
    struct drain low = {0}, empty = {0}, idle = {0};
    xmpp_slot *slots[] = {watch(&low, 5000), watch(&empty, 0)};

    (void)state;
    /* never full: nobody is called */
    assert_int_equal(talk_send(&talk, MESSAGE), XMPP_OK);
    fake_set_room(talk.socket, SIZE_MAX);
    fake_run(talk.loop);
    assert_int_equal(low.calls + empty.calls, 0);

    fake_set_room(talk.socket, 0);
    fill();
    fake_run(talk.loop);
    assert_int_equal(low.calls, 0);
    fake_set_room(talk.socket, 4000);
    fake_run(talk.loop);
    assert_int_equal(low.calls, 0);
    fake_set_room(talk.socket, 1000);
    fake_run(talk.loop);
    assert_int_equal(low.calls, 1);
    assert_true(low.queued > 0 && low.queued <= 5000);
    xmpp_slot *late = watch(&idle, 100); /* registered while it is full */
    fake_set_room(talk.socket, SIZE_MAX);
    fake_run(talk.loop);
    assert_int_equal(low.calls, 1); /* once for each time that it was full */
    assert_int_equal(empty.calls, 1);
    assert_int_equal(empty.queued, 0);
    assert_int_equal(idle.calls, 1);
    xmpp_slot_unref(slots[0]);
    xmpp_slot_unref(slots[1]);
    xmpp_slot_unref(late);
    assert_int_equal(low.destroyed + empty.destroyed + idle.destroyed, 3);
}

static void test_drain_fills_again(void **state)
{
    struct drain drain = {.refill = 3};
    xmpp_slot *slot = watch(&drain, SIZE_MAX);
    unsigned sent = fill();

    (void)state;
    fake_set_room(talk.socket, SIZE_MAX);
    fake_run(talk.loop);
    assert_int_equal(drain.calls, 4);
    assert_int_equal(count_heard(), sent * 4);
    xmpp_slot_unref(slot);
}

static void test_drain_sends_what_never_fits(void **state)
{
    struct drain drain = {.giant = true};
    xmpp_slot *slot = watch(&drain, SIZE_MAX);

    (void)state;
    fill();
    fake_set_room(talk.socket, SIZE_MAX);
    fake_run(talk.loop); /* ends */
    assert_int_equal(drain.calls, 1);
    xmpp_slot_unref(slot);
}

static void test_drain_cancels(void **state)
{
    struct drain first = {0}, second = {0};
    xmpp_slot *sf = watch(&first, SIZE_MAX);
    xmpp_slot *ss = watch(&second, SIZE_MAX);

    (void)state;
    first.cancel = ss;
    fill();
    fake_set_room(talk.socket, SIZE_MAX);
    fake_run(talk.loop);
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 0);
    assert_int_equal(second.destroyed, 1);
    first.cancel = sf;
    fake_set_room(talk.socket, 0);
    fill();
    fake_set_room(talk.socket, SIZE_MAX);
    fake_run(talk.loop);
    assert_int_equal(first.calls, 2);
    assert_int_equal(first.destroyed, 1);
    xmpp_slot_unref(sf);
    xmpp_slot_unref(ss);
}

static void test_drain_refused_and_retired(void **state)
{
    struct drain drain = {0};
    xmpp_slot *slot;

    (void)state;
    assert_int_equal(xmpp_client_on_drain(NULL, &slot, 0, on_drain, &drain, on_destroy),
                     XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_on_drain(talk.client, &slot, 0, NULL, &drain, on_destroy),
                     XMPP_ERR_INVAL);
    assert_int_equal(drain.destroyed, 0);
    slot = watch(&drain, 0);
    assert_int_equal(xmpp_slot_match_type(slot, "chat"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_on_drain(talk.client, NULL, 0, on_drain, &drain, on_destroy),
                     XMPP_OK);
    talk.client = xmpp_client_unref(talk.client);
    assert_int_equal(drain.destroyed, 2);
    assert_false(xmpp_slot_is_active(slot));
    xmpp_slot_unref(slot);
}

/* --- posts --- */

static int post(const char *xml)
{
    xmpp_elem *elem = talk_parse(xml);
    int r;

    r = xmpp_client_post(talk.client, elem);
    xmpp_elem_unref(elem);
    return r;
}

static void *post_some(void *arg)
{
    unsigned *failures = arg;

    for (int i = 0; i < 20; i++)
        if (post(MESSAGE) != XMPP_OK)
            ++*failures;
    return NULL;
}

static void test_post_from_threads(void **state)
{
    pthread_t threads[4];
    unsigned failures[4] = {0};

    (void)state;
    xmpp_client_abort(talk.client);
    fake_run(talk.loop);
    xmpp_client_set_limits(talk.client, 0, 0);
    assert_int_equal(talk_login(&talk), XMPP_OK);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_some, &failures[i]), 0);
    for (int i = 0; i < 10; i++)
        fake_run(talk.loop);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    fake_run(talk.loop);
    assert_int_equal(failures[0] + failures[1] + failures[2] + failures[3], 0);
    assert_int_equal(count_heard(), 80);
}

static void test_post_waits_for_room(void **state)
{
    unsigned sent = fill();

    (void)state;
    assert_int_equal(post("<message xmlns='jabber:client' id='1'/>"), XMPP_OK);
    fake_run(talk.loop);
    assert_int_equal(post("<message xmlns='jabber:client' id='2'/>"), XMPP_OK);
    fake_run(talk.loop);
    fake_set_room(talk.socket, SIZE_MAX);
    fake_run(talk.loop);
    for (unsigned i = 0; i < sent; i++)
        assert_true(talk_hears(&talk, HEARD));
    assert_true(talk_hears(&talk, "<message id='1'/><message id='2'/>"));
    assert_true(talk_is_silent(&talk));
}

static void test_post_limit(void **state)
{
    unsigned count = 0;

    (void)state;
    fill();
    fake_run(talk.loop);
    while (post(MESSAGE) == XMPP_OK)
        assert_true(++count < 1000);
    assert_int_equal(post(MESSAGE), XMPP_ERR_LIMIT);
    fake_set_room(talk.socket, SIZE_MAX);
    fake_run(talk.loop);
    assert_int_equal(post(MESSAGE), XMPP_OK);
}

static void test_post_refused(void **state)
{
    (void)state;
    assert_int_equal(xmpp_client_post(NULL, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_post(talk.client, NULL), XMPP_ERR_INVAL);
    assert_int_equal(post("<message xmlns='urn:other'/>"), XMPP_ERR_INVAL);
}

static void test_post_without_session_is_dropped(void **state)
{
    (void)state;
    xmpp_client_abort(talk.client);
    assert_int_equal(post(MESSAGE), XMPP_OK);
    fake_run(talk.loop);
    assert_int_equal(talk_login(&talk), XMPP_OK);
    assert_true(talk_is_silent(&talk));
}

static void test_post_and_go(void **state)
{
    (void)state;
    /* nobody dispatches any more: nothing is left behind (found under a leak checker) */
    assert_int_equal(post(MESSAGE), XMPP_OK);
    talk.client = xmpp_client_unref(talk.client);
    assert_true(fake_is_closed(talk.socket));
}

static void test_post_and_go_dispatched(void **state)
{
    (void)state;
    /* what was posted finds nobody */
    assert_int_equal(post(MESSAGE), XMPP_OK);
    talk.client = xmpp_client_unref(talk.client);
    fake_run(talk.loop);
    assert_true(talk_is_silent(&talk));
}

static void *post_and_unref(void *arg)
{
    (void)arg;
    post(MESSAGE);
    talk.client = xmpp_client_unref(talk.client);
    return NULL;
}

static void test_post_and_go_in_thread(void **state)
{
    pthread_t thread;

    (void)state;
    /* the post is taken by the loop before the deferred destruction */
    assert_int_equal(pthread_create(&thread, NULL, post_and_unref, NULL), 0);
    pthread_join(thread, NULL);
    assert_false(fake_is_closed(talk.socket));
    fake_run(talk.loop);
    assert_true(fake_is_closed(talk.socket));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_send_limit),
        TEST(test_send_one_write_for_a_turn),
        TEST(test_send_answers_pass_the_limit),
        TEST(test_send_states),
        TEST(test_drain_at_its_mark),
        TEST(test_drain_fills_again),
        TEST(test_drain_sends_what_never_fits),
        TEST(test_drain_cancels),
        TEST(test_drain_refused_and_retired),
        TEST(test_post_from_threads),
        TEST(test_post_waits_for_room),
        TEST(test_post_limit),
        TEST(test_post_refused),
        TEST(test_post_without_session_is_dropped),
        TEST(test_post_and_go),
        TEST(test_post_and_go_dispatched),
        TEST(test_post_and_go_in_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
