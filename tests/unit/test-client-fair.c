/* Many clients on one loop: one that is flooded does not hold up what the others have to do. */
#include "base/limits.h"
#include "fake/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGE "<message><body>x</body></message>"
#define POSTED  "posted"

enum { FLOOD = 1000, DELAY_US = 10000, CALM = 20, ASK_EVERY = 7 };

static struct talk flooded;
static struct talk calm[CALM];

static struct {
    unsigned handler_us; /* what a handler of the flooded client takes */
    unsigned floods; /* its stanzas so far */
    unsigned floods_before; /* the first stanza of another client */
    unsigned answers; /* stanzas of the others */
    uint64_t asked_at[CALM]; /* when one was sent that has not been handled; 0: none */
    uint64_t worst_us;
    unsigned ticks;
    uint64_t tick_at; /* the next one is due */
    uint64_t worst_tick_us;
} seen;

/* Each few stanzas one of the others, in turn, gets something to do: in the middle of the work of the flooded one. */
static int on_flood(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    size_t at = seen.floods / ASK_EVERY % CALM;

    (void)client;
    (void)stanza;
    (void)user_data;
    fake_advance(seen.handler_us);
    if (++seen.floods % ASK_EVERY == 0 && seen.handler_us > 0 && seen.asked_at[at] == 0) {
        seen.asked_at[at] = fake_now();
        talk_feed(&calm[at], MESSAGE);
    }
    return XMPP_DONE;
}

static int on_calm(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    uint64_t *asked_at = user_data;

    (void)client;
    (void)stanza;
    if (seen.answers++ == 0)
        seen.floods_before = seen.floods;
    if (*asked_at && fake_now() - *asked_at > seen.worst_us)
        seen.worst_us = fake_now() - *asked_at;
    *asked_at = 0;
    return XMPP_DONE;
}

static void on_tick(xmpp_loop *loop, void *user_data)
{
    const uint64_t *interval_us = user_data;

    (void)loop;
    seen.ticks++;
    if (fake_now() - seen.tick_at > seen.worst_tick_us)
        seen.worst_tick_us = fake_now() - seen.tick_at;
    while (seen.tick_at <= fake_now())
        seen.tick_at += *interval_us;
}

static void flood(void)
{
    for (int i = 0; i < FLOOD; i++)
        talk_feed(&flooded, MESSAGE);
}

static int set_up(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    assert_int_equal(talk_create(&flooded), XMPP_OK);
    assert_int_equal(talk_login(&flooded), XMPP_OK);
    assert_int_equal(xmpp_client_add_handler(flooded.client, NULL, XMPP_MESSAGE, NULL, NULL,
                                             on_flood, NULL, NULL),
                     XMPP_OK);
    for (size_t i = 0; i < CALM; i++) {
        assert_int_equal(talk_join(&calm[i], flooded.loop), XMPP_OK);
        assert_int_equal(talk_login(&calm[i]), XMPP_OK);
        assert_int_equal(xmpp_client_add_handler(calm[i].client, NULL, XMPP_MESSAGE, NULL, NULL,
                                                 on_calm, &seen.asked_at[i], NULL),
                         XMPP_OK);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < CALM; i++)
        talk_leave(&calm[i]);
    talk_destroy(&flooded);
    return 0;
}

/* However quick its handlers are, there is a number of stanzas after which the others come. */
static void test_flood_has_a_share_of_a_turn(void **state)
{
    (void)state;
    flood();
    talk_feed(&calm[CALM - 1], MESSAGE);
    fake_run(flooded.loop);
    assert_int_equal(seen.floods, FLOOD);
    assert_int_equal(seen.answers, 1);
    assert_int_equal(seen.floods_before, LIMIT_DISPATCH_STANZAS);
}

/* Slow handlers: then it is the time that counts. */
static void test_flood_with_slow_handlers(void **state)
{
    uint64_t interval_us = 5000;

    (void)state;
    flood();
    seen.handler_us = 400;
    seen.tick_at = fake_now() + interval_us;
    assert_int_equal(xmpp_loop_add_timer(flooded.loop, NULL, interval_us, interval_us, on_tick,
                                         &interval_us, NULL),
                     XMPP_OK);
    fake_run(flooded.loop);
    assert_int_equal(seen.floods, FLOOD);
    assert_true(seen.answers > FLOOD / ASK_EVERY / 2);
    assert_true(seen.ticks > FLOOD * seen.handler_us / interval_us / 2);
    assert_in_range(seen.worst_us, 1, DELAY_US);
    assert_in_range(seen.worst_tick_us, 0, DELAY_US);
}

/* Writing a stanza is work, too: here each takes its time, told by the line of the log that it makes. */
static void on_wire(int level, const char *module, const char *message, size_t len, void *user_data)
{
    (void)level;
    (void)module;
    (void)user_data;
    if (memmem(message, len, POSTED, sizeof POSTED - 1))
        (void)on_flood(NULL, NULL, NULL);
}

static unsigned count_posted(void)
{
    const char *data;
    size_t len = fake_peek(flooded.socket, &data);
    unsigned count = 0;

    for (const char *pos = data;
         (pos = memmem(pos, (size_t)(data + len - pos), POSTED, sizeof POSTED - 1)); pos++)
        count++;
    return count;
}

static void test_flood_of_posts(void **state)
{
    xmpp_elem *message =
        talk_parse("<message xmlns='jabber:client'><body>" POSTED "</body></message>");

    (void)state;
    xmpp_client_abort(flooded.client);
    fake_run(flooded.loop);
    assert_int_equal(xmpp_loop_set_log(flooded.loop, XMPP_LOG_WIRE, on_wire, NULL, NULL), XMPP_OK);
    assert_int_equal(talk_login(&flooded), XMPP_OK);
    fake_consume(flooded.socket, fake_peek(flooded.socket, &(const char *){NULL}));
    for (int i = 0; i < FLOOD; i++)
        assert_int_equal(xmpp_client_post(flooded.client, message), XMPP_OK);
    xmpp_elem_unref(message);
    seen.handler_us = 400;
    fake_run(flooded.loop);
    assert_int_equal(seen.floods, FLOOD);
    assert_int_equal(count_posted(), FLOOD);
    assert_true(seen.answers > FLOOD / ASK_EVERY / 2);
    assert_in_range(seen.worst_us, 1, DELAY_US);
}

/* Also when there is no session, and all that is left is to drop them. */
static void test_flood_of_posts_that_are_dropped(void **state)
{
    xmpp_elem *message = talk_parse("<message xmlns='jabber:client'/>");

    (void)state;
    xmpp_client_abort(flooded.client);
    fake_run(flooded.loop);
    assert_int_equal(xmpp_loop_set_log(flooded.loop, XMPP_LOG_WARN, on_wire, NULL, NULL), XMPP_OK);
    for (int i = 0; i < FLOOD; i++)
        assert_int_equal(xmpp_client_post(flooded.client, message), XMPP_OK);
    xmpp_elem_unref(message);
    seen.handler_us = 400;
    fake_run(flooded.loop);
    assert_int_equal(seen.floods, FLOOD);
    assert_true(seen.answers > FLOOD / ASK_EVERY / 2);
    assert_in_range(seen.worst_us, 1, DELAY_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flood_has_a_share_of_a_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flood_with_slow_handlers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flood_of_posts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flood_of_posts_that_are_dropped, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
