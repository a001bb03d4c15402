/* Every function in every state of a client: what the header promises for it, and nothing worse. */
#include "calls.h"

#include <stdarg.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static const struct vary nothing = {.kind = VARY_NOTHING};

static bool is_idle(enum fix_stage stage)
{
    return stage == FIX_IDLE || stage == FIX_ENDED;
}

static void check_result(const struct call *call, enum fix_stage stage, const struct result *result)
{
    bool is_state_error = result->value == XMPP_ERR_STATE;

    if ((call->flags & CALL_WHILE_IDLE) && is_state_error == is_idle(stage))
        call_fail(call, &nothing, result,
                  is_state_error ? "refused while idle" : "accepted while there is a connection");
    if ((call->flags & CALL_WHILE_READY) && is_state_error != (stage != FIX_READY))
        call_fail(call, &nothing, result,
                  is_state_error ? "refused while ready" : "accepted without a session");
    if (strcmp(call->name, "xmpp_client_connect") == 0 && is_state_error == is_idle(stage))
        call_fail(call, &nothing, result, "connecting");
}

/* And the client can still be used. */
static void check_end(const struct call *call, struct fix *fix, const struct result *result)
{
    int state;

    fix_settle(fix);
    assert_int_equal(xmpp_client_abort(fix->client), XMPP_OK);
    fix_settle(fix);
    state = xmpp_client_get_state(fix->client);
    if (state != XMPP_STATE_IDLE || xmpp_client_set_lang(fix->client, "de") != XMPP_OK)
        call_fail(call, &nothing, result, "the client does not become idle any more");
}

static bool concerns_clients(const struct call *call)
{
    return call_has_param(call, "xmpp_client") || call_has_param(call, "xmpp_ping") ||
           call_has_param(call, "xmpp_module") || call_has_param(call, "xmpp_slot") ||
           call_has_param(call, "xmpp_loop");
}

static void test_every_state(void **state)
{
    struct result result;
    struct fix fix;

    (void)state;
    for (size_t i = 0; i < calls_count; i++)
        for (enum fix_stage stage = FIX_IDLE; stage < FIX_STAGES; stage++) {
            if (!concerns_clients(&calls[i]))
                continue;
            fix_create(&fix, stage);
            call_run(&calls[i], &fix, &nothing, &result);
            check_result(&calls[i], stage, &result);
            check_end(&calls[i], &fix, &result);
            fix_destroy(&fix);
        }
    call_end();
}

/* Answers are taken while their connection lives, once. */
static void test_questions_end_with_their_connection(void **state)
{
    (void)state;
    for (int end = 0; end < 4; end++)
        for (enum fix_stage stage = FIX_CERT; stage <= FIX_ASK; stage++) {
            bool is_cert = stage == FIX_CERT;
            struct fix fix;

            fix_create(&fix, stage);
            if (end == 0 && is_cert)
                assert_int_equal(xmpp_cert_answer(fix.cert, XMPP_CERT_REJECT), XMPP_OK);
            if (end == 0 && !is_cert)
                assert_int_equal(xmpp_ask_answer(fix.ask, NULL, 0), XMPP_OK);
            if (end == 1)
                assert_int_equal(xmpp_client_abort(fix.client), XMPP_OK);
            if (end == 2)
                assert_int_equal(xmpp_client_disconnect(fix.client), XMPP_OK);
            if (end == 3) {
                fix.module = xmpp_module_unref(fix.module);
                fix.ping = xmpp_ping_unref(fix.ping);
                fix.client = xmpp_client_unref(fix.client);
            }
            for (int i = 0; i < 2; i++) {
                if (is_cert)
                    assert_int_equal(xmpp_cert_answer(fix.cert, XMPP_CERT_ACCEPT), XMPP_ERR_STATE);
                else
                    assert_int_equal(xmpp_ask_answer(fix.ask, "x", 1), XMPP_ERR_STATE);
                fix_settle(&fix);
            }
            assert_int_equal(xmpp_client_get_state(fix.client), XMPP_STATE_IDLE);
            if (is_cert)
                assert_non_null(xmpp_cert_get_text(fix.cert));
            else
                assert_non_null(xmpp_ask_get_mechanism(fix.ask));
            fix_destroy(&fix);
        }
}

/* What was made on a client stays a handle when the client is gone. */
static void test_handles_outlive_the_client(void **state)
{
    struct fix fix;

    (void)state;
    fix_create(&fix, FIX_READY);
    fix.module = xmpp_module_unref(fix.module);
    fix.ping = xmpp_ping_unref(fix.ping);
    fix.client = xmpp_client_unref(fix.client);
    assert_int_equal(xmpp_slot_is_active(fix.slot), 0);
    assert_int_equal(xmpp_slot_match_type(fix.slot, "chat"), XMPP_ERR_STATE);
    assert_int_equal(xmpp_slot_match_from(fix.slot, fix.jid, 0), XMPP_ERR_STATE);
    assert_int_equal(xmpp_slot_match_id(fix.slot, "1"), XMPP_ERR_STATE);
    assert_int_equal(xmpp_slot_set_priority(fix.slot, 1), XMPP_ERR_STATE);
    assert_int_equal(xmpp_slot_cancel(fix.slot), XMPP_OK);
    assert_int_equal(xmpp_slot_cancel(fix.io_slot), XMPP_OK);
    assert_int_equal(xmpp_loop_set_io_events(fix.loop, fix.io_slot, XMPP_IO_READ), XMPP_ERR_STATE);
    fix_settle(&fix);
    fix_destroy(&fix);
}

/* A module pins its client: it stays what it was. */
static void test_module_keeps_the_client(void **state)
{
    xmpp_client *client;
    struct fix fix;

    (void)state;
    fix_create(&fix, FIX_READY);
    fix.ping = xmpp_ping_unref(fix.ping);
    fix.client = xmpp_client_unref(fix.client);
    client = xmpp_module_get_client(fix.module);
    assert_int_equal(xmpp_client_get_state(client), XMPP_STATE_READY);
    assert_int_equal(xmpp_client_send(client, fix.elem), XMPP_OK);
    fix_settle(&fix);
    fix_destroy(&fix);
}

/* The loop of a client lives as long as the client. */
static void test_loop_is_dropped_first(void **state)
{
    struct fix fix;

    (void)state;
    for (enum fix_stage stage = FIX_IDLE; stage < FIX_STAGES; stage++) {
        fix_create(&fix, stage);
        fix.loop = xmpp_loop_unref(fix.loop);
        fix.server = xmpp_test_server_unref(fix.server);
        assert_non_null(xmpp_client_get_loop(fix.client));
        assert_true(xmpp_loop_step(xmpp_client_get_loop(fix.client), 0) >= 0);
        fix_destroy(&fix);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state),
        cmocka_unit_test(test_questions_end_with_their_connection),
        cmocka_unit_test(test_handles_outlive_the_client),
        cmocka_unit_test(test_module_keeps_the_client),
        cmocka_unit_test(test_loop_is_dropped_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
