/* Functions of the application that set off the next one: destroy functions that drop everything else, functions that
 * register, send and connect again and again, objects of somebody else. Meant to be run under AddressSanitizer. */
#include "fix.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

static struct fix fix;

static void must(int r)
{
    assert_int_equal(r, XMPP_OK);
}

/* --- destroy functions that drop everything --- */

enum { STATE, HANDLER, NAMED, DRAIN, REQUEST, TIMER, IO, PONG, LINKS };

static xmpp_slot *links[LINKS];
static unsigned destroyed[LINKS];
static int keep; /* this handle is dropped last; -1: none */

static void drop_links(void)
{
    for (int i = 0; i < LINKS; i++)
        if (i != keep)
            links[i] = xmpp_slot_unref(links[i]);
    fix.module = xmpp_module_unref(fix.module);
    fix.slot = xmpp_slot_unref(fix.slot);
    fix.io_slot = xmpp_slot_unref(fix.io_slot);
    fix.ping = xmpp_ping_unref(fix.ping);
    fix.client = xmpp_client_unref(fix.client);
    fix.conn = NULL;
    fix.server = xmpp_test_server_unref(fix.server);
    fix.loop = xmpp_loop_unref(fix.loop);
}

static void on_destroy(void *user_data)
{
    unsigned *count = user_data;

    ++*count;
    drop_links();
}

static void link_all(void)
{
    memset(destroyed, 0, sizeof destroyed);
    must(xmpp_client_on_state(fix.client, &links[STATE], fix_on_state, &destroyed[STATE],
                              on_destroy));
    must(xmpp_client_add_handler(fix.client, &links[HANDLER], XMPP_MESSAGE, NULL, NULL,
                                 fix_on_stanza, &destroyed[HANDLER], on_destroy));
    must(xmpp_client_add_handler(fix.client, &links[NAMED], XMPP_IQ, "urn:q", "q", fix_on_stanza,
                                 &destroyed[NAMED], on_destroy));
    must(xmpp_client_on_drain(fix.client, &links[DRAIN], 0, fix_on_drain, &destroyed[DRAIN],
                              on_destroy));
    must(xmpp_client_request(fix.client, &links[REQUEST], fix.iq, 0, fix_on_reply,
                             &destroyed[REQUEST], on_destroy));
    must(xmpp_loop_add_timer(fix.loop, &links[TIMER], 1000000000, 0, fix_on_task, &destroyed[TIMER],
                             on_destroy));
    must(xmpp_loop_add_io(fix.loop, &links[IO], fix.fds[1], XMPP_IO_READ, fix_on_io, &destroyed[IO],
                          on_destroy));
    must(xmpp_ping_send(fix.ping, &links[PONG], NULL, fix_on_pong, &destroyed[PONG], on_destroy));
}

static void check_links(void)
{
    for (int i = 0; i < LINKS; i++)
        links[i] = xmpp_slot_unref(links[i]);
    fix_destroy(&fix);
    for (int i = 0; i < LINKS; i++)
        if (destroyed[i] != 1)
            fail_msg("the user_data of %d was destroyed %u times", i, destroyed[i]);
}

/* SEC-33 */
static void test_destroy_drops_everything(void **state)
{
    (void)state;
    for (keep = -1; keep < LINKS; keep++)
        for (int first = 0; first < LINKS; first++)
            for (int how = 0; how < 2; how++) {
                xmpp_slot *slot;

                fix_create(&fix, FIX_READY);
                link_all();
                slot = xmpp_slot_ref(links[first]);
                if (how == 0)
                    must(xmpp_slot_cancel(slot));
                else
                    links[first] = xmpp_slot_unref(links[first]);
                xmpp_slot_unref(slot);
                check_links();
            }
}

/* The client goes first, and takes its registrations with it. */
static void test_client_ends_all_its_registrations(void **state)
{
    (void)state;
    for (keep = -1; keep < LINKS; keep++) {
        fix_create(&fix, FIX_READY);
        link_all();
        fix.module = xmpp_module_unref(fix.module);
        fix.ping = xmpp_ping_unref(fix.ping);
        fix.client = xmpp_client_unref(fix.client);
        check_links();
    }
}

/* --- question functions that are exchanged --- */

static void exchange_again(void *user_data)
{
    unsigned *count = user_data;

    if (++*count > 3)
        return;
    must(xmpp_client_set_ask_fn(fix.client, fix_on_ask, count, exchange_again));
    must(xmpp_client_set_cert_fn(fix.client, fix_on_cert, NULL, NULL));
}

static void test_exchanged_while_being_exchanged(void **state)
{
    unsigned count = 0;

    (void)state;
    fix_create(&fix, FIX_IDLE);
    must(xmpp_client_set_ask_fn(fix.client, fix_on_ask, &count, exchange_again));
    must(xmpp_client_set_ask_fn(fix.client, NULL, NULL, NULL));
    assert_int_equal(count, 1);
    must(xmpp_client_set_ask_fn(fix.client, NULL, NULL, NULL));
    assert_int_equal(count, 2);
    must(xmpp_client_set_ask_fn(fix.client, NULL, NULL, NULL));
    must(xmpp_client_set_ask_fn(fix.client, NULL, NULL, NULL));
    assert_int_equal(count, 4);
    fix_destroy(&fix);
    assert_int_equal(count, 4);
}

static unsigned asked;

static void exchange_while_asked(xmpp_client *client, xmpp_ask *ask, void *user_data)
{
    (void)ask;
    (void)user_data;
    asked++;
    must(xmpp_client_abort(client));
    assert_int_equal(xmpp_client_set_ask_fn(client, NULL, NULL, NULL), XMPP_ERR_BUSY);
    assert_int_equal(xmpp_client_set_cert_fn(client, NULL, NULL, NULL), XMPP_ERR_BUSY);
    must(xmpp_client_set_password(client, "wonder"));
    must(xmpp_client_connect(client));
}

static void test_exchanged_while_asked(void **state)
{
    (void)state;
    asked = 0;
    fix_create(&fix, FIX_IDLE);
    must(xmpp_test_server_configure_client(fix.server, fix.client, XMPP_TEST_PLAIN, "alice"));
    must(xmpp_client_set_password(fix.client, NULL));
    must(xmpp_client_set_ask_fn(fix.client, exchange_while_asked, NULL, fix_on_destroy));
    must(xmpp_client_connect(fix.client));
    while (xmpp_client_get_state(fix.client) != XMPP_STATE_READY)
        fix_step(&fix);
    assert_int_equal(asked, 1);
    fix_destroy(&fix);
}

/* --- again and again --- */

enum { ROUNDS = 300 };

static unsigned depth;
static unsigned rounds;

static void enter(void)
{
    assert_int_equal(depth, 0); /* one is never on the stack below another */
    depth++;
}

static void reconnect(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                      void *user_data)
{
    (void)old_state;
    (void)error;
    (void)user_data;
    enter();
    if (new_state == XMPP_STATE_IDLE && ++rounds < ROUNDS)
        must(xmpp_client_connect(client));
    if (new_state == XMPP_STATE_RESOLVING && rounds % 2)
        must(xmpp_client_disconnect(client));
    depth--;
}

static void test_connect_when_disconnected(void **state)
{
    (void)state;
    rounds = 0;
    fix_create(&fix, FIX_IDLE);
    must(xmpp_test_server_fail_at(fix.server, XMPP_TEST_AT_ACCEPT, XMPP_TEST_DROP, NULL));
    must(xmpp_client_on_state(fix.client, NULL, reconnect, NULL, NULL));
    must(xmpp_client_connect(fix.client));
    while (rounds < ROUNDS)
        fix_step(&fix);
    fix_settle(&fix);
    assert_int_equal(xmpp_client_get_state(fix.client), XMPP_STATE_IDLE);
    fix_destroy(&fix);
}

static void request_again(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error,
                          void *user_data)
{
    xmpp_elem *iq;

    (void)reply;
    (void)user_data;
    enter();
    assert_int_not_equal(xmpp_error_get_code(error), XMPP_ERR_TIMEOUT);
    if (++rounds < ROUNDS) {
        must(xmpp_elem_create_stanza(&iq, XMPP_IQ, "get", NULL));
        assert_non_null(xmpp_elem_add_child(iq, "urn:xmpp:ping", "ping"));
        must(xmpp_client_request(client, NULL, iq, 0, request_again, NULL, fix_on_destroy));
        xmpp_elem_unref(iq);
    }
    depth--;
}

static void test_request_in_each_reply(void **state)
{
    (void)state;
    rounds = 0;
    fix_create(&fix, FIX_READY);
    must(xmpp_client_request(fix.client, NULL, fix.iq, 0, request_again, NULL, NULL));
    while (rounds < ROUNDS)
        fix_step(&fix);
    fix_destroy(&fix);
}

static xmpp_slot *own; /* of the handler that runs */

static int replace_handler(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    xmpp_slot *other;
    xmpp_slot *old = own;

    (void)stanza;
    enter();
    rounds++;
    /* none of these sees this stanza */
    must(xmpp_client_add_handler(client, &own, XMPP_MESSAGE, NULL, NULL, replace_handler, user_data,
                                 fix_on_destroy));
    must(xmpp_client_add_handler(client, &other, XMPP_MESSAGE, NULL, NULL, replace_handler,
                                 user_data, fix_on_destroy));
    must(xmpp_slot_set_priority(own, -1));
    must(xmpp_slot_cancel(other));
    xmpp_slot_unref(other);
    must(xmpp_slot_cancel(old));
    assert_int_equal(xmpp_slot_is_active(old), 0);
    xmpp_slot_unref(old);
    depth--;
    return XMPP_PASS;
}

static void test_handler_that_replaces_itself(void **state)
{
    (void)state;
    rounds = 0;
    fix_create(&fix, FIX_READY);
    must(xmpp_client_add_handler(fix.client, &own, XMPP_MESSAGE, NULL, NULL, replace_handler, &fix,
                                 fix_on_destroy));
    for (int i = 0; i < ROUNDS; i++)
        must(xmpp_test_conn_act(fix.conn, XMPP_TEST_SEND, "<message/>"));
    while (rounds < ROUNDS)
        fix_step(&fix);
    fix_settle(&fix);
    assert_int_equal(rounds, ROUNDS);
    assert_int_equal(fix.destroyed, 2 * ROUNDS);
    own = xmpp_slot_unref(own);
    assert_int_equal(fix.destroyed, 2 * ROUNDS + 1);
    fix_destroy(&fix);
}

static void send_until_full(xmpp_client *client, void *user_data)
{
    (void)user_data;
    enter();
    rounds++;
    while (rounds < ROUNDS && xmpp_client_send(client, fix.elem) == XMPP_OK)
        ;
    depth--;
}

static void test_drain_that_fills_the_queue(void **state)
{
    (void)state;
    rounds = 0;
    fix_create(&fix, FIX_READY);
    for (int i = 0; i < 60; i++)
        must(xmpp_elem_add_text(fix.elem, "01234567890123456789012345678901234567890123456789"));
    must(xmpp_client_on_drain(fix.client, NULL, 0, send_until_full, NULL, NULL));
    while (xmpp_client_send(fix.client, fix.elem) == XMPP_OK)
        ;
    while (rounds < ROUNDS)
        fix_step(&fix);
    fix_destroy(&fix);
}

static void run_again(xmpp_loop *loop, void *user_data)
{
    enter();
    if (++rounds < ROUNDS) {
        must(xmpp_loop_post(loop, run_again, user_data, NULL));
        must(xmpp_loop_add_timer(loop, NULL, 0, 0, run_again, user_data, NULL));
    }
    depth--;
}

static void test_task_that_adds_tasks(void **state)
{
    int turns = 0;

    (void)state;
    rounds = 0;
    fix_create(&fix, FIX_BARE);
    must(xmpp_loop_post(fix.loop, run_again, NULL, NULL));
    for (; rounds < ROUNDS; turns++)
        assert_true(xmpp_loop_step(fix.loop, -1) >= 0);
    assert_true(turns > 2); /* not all in one */
    fix_destroy(&fix);
}

/* --- objects of somebody else, or used twice --- */

static void test_slots_of_another_kind_or_loop(void **state)
{
    struct fix other;

    (void)state;
    fix_create(&fix, FIX_READY);
    fix_create(&other, FIX_IDLE);
    assert_int_equal(xmpp_loop_set_io_events(fix.loop, other.io_slot, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_loop_set_io_events(fix.loop, fix.slot, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_slot_match_type(fix.io_slot, "chat"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_slot_match_from(fix.io_slot, fix.jid, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_slot_match_id(fix.io_slot, "1"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_slot_set_priority(fix.io_slot, 1), XMPP_ERR_INVAL);
    fix_destroy(&other);
    fix_destroy(&fix);
}

static void test_stanzas_that_are_used_twice(void **state)
{
    xmpp_elem *inner;

    (void)state;
    fix_create(&fix, FIX_READY);
    inner = xmpp_elem_add_child(fix.elem, NULL, "message"); /* as if it were forwarded */
    assert_non_null(xmpp_elem_add_copy(fix.elem, fix.elem));
    must(xmpp_client_send(fix.client, fix.elem));
    must(xmpp_client_send(fix.client, fix.elem));
    must(xmpp_client_send(fix.client, inner));
    must(xmpp_client_post(fix.client, fix.elem));
    assert_int_equal(xmpp_elem_set_attr(fix.elem, "a", "b"), XMPP_ERR_SEALED);
    must(xmpp_client_request(fix.client, NULL, fix.iq, 0, fix_on_reply, NULL, NULL));
    assert_int_equal(xmpp_client_request(fix.client, NULL, fix.iq, 0, fix_on_reply, NULL, NULL),
                     XMPP_ERR_INVAL); /* its id is in use */
    assert_int_equal(xmpp_client_request(fix.client, NULL, fix.elem, 0, fix_on_reply, NULL, NULL),
                     XMPP_ERR_INVAL);
    fix_settle(&fix);
    must(xmpp_client_request(fix.client, NULL, fix.iq, 0, fix_on_reply, NULL, NULL));
    fix_settle(&fix);
    assert_int_equal(xmpp_client_get_state(fix.client), XMPP_STATE_READY);
    fix_destroy(&fix);
}

/* The first error sticks, and sending tells it. */
static void test_stanza_that_was_built_wrongly(void **state)
{
    (void)state;
    fix_create(&fix, FIX_READY);
    assert_int_equal(xmpp_elem_set_attr(fix.elem, "a b", "c"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_send(fix.client, fix.elem), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_post(fix.client, fix.elem), XMPP_ERR_INVAL);
    assert_null(xmpp_elem_add_child(fix.iq, NULL, "a:b"));
    assert_int_equal(
        xmpp_client_request(fix.client, NULL, fix.iq, 0, fix_on_reply, &fix, fix_on_destroy),
        XMPP_ERR_INVAL);
    assert_int_equal(fix.destroyed, 0);
    assert_int_equal(xmpp_client_get_queued_bytes(fix.client), 0);
    fix_destroy(&fix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_destroy_drops_everything),
        cmocka_unit_test(test_client_ends_all_its_registrations),
        cmocka_unit_test(test_exchanged_while_being_exchanged),
        cmocka_unit_test(test_exchanged_while_asked),
        cmocka_unit_test(test_connect_when_disconnected),
        cmocka_unit_test(test_request_in_each_reply),
        cmocka_unit_test(test_handler_that_replaces_itself),
        cmocka_unit_test(test_drain_that_fills_the_queue),
        cmocka_unit_test(test_task_that_adds_tasks),
        cmocka_unit_test(test_slots_of_another_kind_or_loop),
        cmocka_unit_test(test_stanzas_that_are_used_twice),
        cmocka_unit_test(test_stanza_that_was_built_wrongly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
