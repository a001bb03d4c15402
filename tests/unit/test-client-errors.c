/* What the application is told when a connection ends, in each of its phases. */
#include "fake/talk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct talk talk;

static const char *const steps[] = {"idle", "connect", "header", "auth", "restart", "bind"};

/* Brings a fresh client so far. */
static void advance(size_t count)
{
    assert_int_equal(talk_create(&talk), XMPP_OK);
    if (count == 1) /* resolving: the loop has not run */
        assert_int_equal(xmpp_client_connect(talk.client), XMPP_OK);
    if (count > 1)
        assert_int_equal(talk_connect(&talk), XMPP_OK);
    for (size_t i = 2; i < count; i++)
        assert_int_equal(talk_step(&talk, steps[i]), XMPP_OK);
}

static const xmpp_error *fail_by(void)
{
    fake_pass(talk.loop, 60000000);
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_IDLE);
    assert_int_equal(talk.ends, 1);
    assert_non_null(talk.error);
    return talk.error;
}

static void test_error_of_refused_connects(void **state)
{
    const xmpp_error *error;
    const char *target;

    (void)state;
    assert_int_equal(talk_create(&talk), XMPP_OK);
    assert_int_equal(xmpp_client_set_endpoint(talk.client, NULL, 0, 0), XMPP_OK);
    fake_srv("_xmpps-client._tcp.a.example", "one.a.example", 5223, 1, 0);
    fake_srv("_xmpp-client._tcp.a.example", "two.a.example", 5222, 2, 0);
    fake_host("two.a.example", 5222, FAKE_NO_HOST);
    assert_int_equal(xmpp_client_connect(talk.client), XMPP_OK);
    error = fail_by();
    assert_int_equal(xmpp_error_count_attempts(error), 2);
    assert_int_equal(xmpp_error_get_phase(error), XMPP_PHASE_CONNECTING);
    assert_int_equal(xmpp_error_get_number(xmpp_error_get_attempt(error, 0, &target)),
                     ECONNREFUSED);
    assert_string_equal(target, "one.a.example [127.0.0.1]:5223 (direct TLS)");
    assert_int_equal(xmpp_error_get_code(xmpp_error_get_attempt(error, 1, &target)), XMPP_ERR_DNS);
    assert_string_equal(target, "two.a.example:5222");
    assert_int_equal(fake_races_open() + fake_srv_open(), 0);
    talk_destroy(&talk);
}

static void test_error_of_name_servers(void **state)
{
    const xmpp_error *error;

    (void)state;
    assert_int_equal(talk_create(&talk), XMPP_OK);
    assert_int_equal(xmpp_client_set_endpoint(talk.client, NULL, 0, 0), XMPP_OK);
    fake_srv_fail("_xmpps-client._tcp.a.example");
    fake_srv_fail("_xmpp-client._tcp.a.example");
    assert_int_equal(xmpp_client_connect(talk.client), XMPP_OK);
    error = fail_by();
    assert_int_equal(xmpp_error_get_code(error), XMPP_ERR_DNS);
    assert_int_equal(xmpp_error_get_phase(error), XMPP_PHASE_RESOLVING);
    assert_non_null(strstr(xmpp_error_get_text(error), "a.example"));
    talk_destroy(&talk);
}

static void test_error_of_silence(void **state)
{
    const xmpp_error *error;

    (void)state;
    assert_int_equal(talk_create(&talk), XMPP_OK);
    assert_int_equal(xmpp_client_set_endpoint(talk.client, NULL, 0, 0), XMPP_OK);
    fake_srv_hang("_xmpp-client._tcp.a.example");
    assert_int_equal(xmpp_client_connect(talk.client), XMPP_OK);
    fake_pass(talk.loop, 29999999);
    assert_int_equal(talk.ends, 0);
    error = fail_by();
    assert_int_equal(xmpp_error_get_code(error), XMPP_ERR_TIMEOUT);
    assert_int_equal(xmpp_error_get_phase(error), XMPP_PHASE_RESOLVING);
    assert_int_equal(fake_srv_open(), 0);
    talk_destroy(&talk);
}

static void expect_end(int code, int phase, const char *condition)
{
    assert_int_equal(talk.ends, 1);
    assert_int_equal(xmpp_error_get_code(talk.error), code);
    assert_int_equal(xmpp_error_get_phase(talk.error), phase);
    if (condition)
        assert_string_equal(xmpp_error_get_condition(talk.error), condition);
    assert_true(fake_is_closed(talk.socket));
    talk_destroy(&talk);
}

static void test_error_of_each_phase(void **state)
{
    static const int phases[] = {0,
                                 0,
                                 XMPP_PHASE_SECURING,
                                 XMPP_PHASE_AUTHENTICATING,
                                 XMPP_PHASE_BINDING,
                                 XMPP_PHASE_BINDING,
                                 XMPP_PHASE_READY};

    (void)state;
    for (size_t count = 2; count <= 6; count++) {
        advance(count);
        fake_eof(talk.socket);
        fake_run(talk.loop);
        expect_end(XMPP_ERR_CLOSED, phases[count], NULL);
        advance(count);
        fake_break(talk.socket, ECONNRESET);
        fake_run(talk.loop);
        assert_int_equal(xmpp_error_get_number(talk.error), ECONNRESET);
        expect_end(XMPP_ERR_SYSTEM, phases[count], NULL);
    }
    advance(6);
    talk_say(&talk, "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
                    "</stream:error></stream:stream>");
    expect_end(XMPP_ERR_STREAM, XMPP_PHASE_READY, "conflict");
    advance(6);
    talk_say(&talk, "<message>");
    talk_say(&talk, "</presence>");
    expect_end(XMPP_ERR_XML, XMPP_PHASE_READY, NULL);
    advance(6);
    talk_say(&talk, "</stream:stream>");
    expect_end(XMPP_ERR_CLOSED, XMPP_PHASE_READY, NULL);
}

static void test_plain_text_only_to_this_machine(void **state)
{
    (void)state;
    /* SEC-08 */
    assert_int_equal(talk_create(&talk), XMPP_OK);
    fake_set_loopback(false);
    assert_int_equal(talk_connect(&talk), XMPP_OK);
    talk_step(&talk, "header");
    assert_int_equal(xmpp_error_get_code(talk.error), XMPP_ERR_TLS);
    talk_destroy(&talk);
    assert_int_equal(talk_create(&talk), XMPP_OK);
    assert_int_equal(xmpp_client_set_tls_mode(talk.client, XMPP_TLS_REQUIRED), XMPP_OK);
    assert_int_equal(talk_connect(&talk), XMPP_OK);
    talk_step(&talk, "header");
    assert_int_equal(xmpp_error_get_code(talk.error), XMPP_ERR_TLS);
    talk_destroy(&talk);
}

static void test_next_endpoint_after_failure(void **state)
{
    const char *target;

    (void)state;
    assert_int_equal(talk_create(&talk), XMPP_OK);
    assert_int_equal(xmpp_client_set_endpoint(talk.client, NULL, 0, 0), XMPP_OK);
    fake_srv("_xmpp-client._tcp.a.example", "one.a.example", 5222, 1, 0);
    fake_srv("_xmpp-client._tcp.a.example", "two.a.example", 5222, 2, 0);
    fake_host("one.a.example", 5222, FAKE_ACCEPT);
    fake_host("two.a.example", 5222, FAKE_ACCEPT);
    assert_int_equal(talk_connect(&talk), XMPP_OK);
    assert_string_equal(fake_host_of(talk.socket), "one.a.example");
    fake_eof(talk.socket);
    fake_run(talk.loop);
    assert_true(fake_is_closed(talk.socket));
    assert_int_equal(fake_count(), 2);
    talk.socket = fake_last();
    for (size_t i = 2; i < 6; i++)
        assert_int_equal(talk_step(&talk, steps[i]), XMPP_OK);
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_READY);
    assert_string_equal(xmpp_client_get_info(talk.client, XMPP_INFO_HOST), "two.a.example");
    assert_string_equal(talk.states, "resolving connecting securing connecting securing "
                                     "authenticating binding ready");
    fake_eof(talk.socket);
    fake_run(talk.loop);
    assert_int_equal(xmpp_error_get_phase(talk.error), XMPP_PHASE_READY);
    assert_int_equal(xmpp_error_count_attempts(talk.error), 2);
    assert_non_null(xmpp_error_get_attempt(talk.error, 0, &target));
    assert_string_equal(target, "one.a.example [127.0.0.1]:5222");
    /* the last one is where it ended, with the same failure */
    assert_int_equal(xmpp_error_get_code(xmpp_error_get_attempt(talk.error, 1, &target)),
                     xmpp_error_get_code(talk.error));
    assert_string_equal(target, "two.a.example [127.0.0.1]:5222");
    talk_destroy(&talk);
}

/* The endpoint in use is told with whatever ended the connection. */
static void test_error_tells_the_endpoint(void **state)
{
    const xmpp_error *attempt;
    const char *target;

    (void)state;
    advance(3);
    talk_say(&talk,
             "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><account-disabled/></failure>");
    assert_int_equal(talk.ends, 1);
    assert_int_equal(xmpp_error_get_code(talk.error), XMPP_ERR_AUTH);
    assert_non_null(strstr(xmpp_error_get_text(talk.error), "the account is disabled"));
    assert_int_equal(xmpp_error_count_attempts(talk.error), 1);
    attempt = xmpp_error_get_attempt(talk.error, 0, &target);
    assert_int_equal(xmpp_error_get_code(attempt), XMPP_ERR_AUTH);
    assert_string_equal(xmpp_error_get_condition(attempt), "account-disabled");
    assert_string_equal(xmpp_error_get_text(attempt), xmpp_error_get_text(talk.error));
    assert_non_null(strstr(target, "127.0.0.1:"));
    talk_destroy(&talk);
}

/* CORE-29: what was awaited is told */
static void test_timeout_tells_what_was_awaited(void **state)
{
    static const struct {
        size_t count;
        const char *words;
    } cases[] = {
        {2, "stream header"},
        {3, "authentication"},
        {5, "resource binding"},
    };
    const char *target;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        advance(cases[i].count);
        fake_pass(talk.loop, 60000000);
        assert_int_equal(talk.ends, 1);
        assert_int_equal(xmpp_error_get_code(talk.error), XMPP_ERR_TIMEOUT);
        assert_non_null(strstr(xmpp_error_get_text(talk.error), cases[i].words));
        assert_int_equal(xmpp_error_count_attempts(talk.error), 1);
        talk_destroy(&talk);
    }
    assert_int_equal(talk_create(&talk), XMPP_OK);
    assert_int_equal(xmpp_client_set_endpoint(talk.client, "one.a.example", 5222, 0), XMPP_OK);
    assert_int_equal(xmpp_client_set_timeout(talk.client, 400000, 0), XMPP_OK);
    fake_host("one.a.example", 5222, FAKE_HANG);
    assert_int_equal(xmpp_client_connect(talk.client), XMPP_OK);
    fake_pass(talk.loop, 1000000);
    assert_int_equal(talk.ends, 1);
    assert_int_equal(xmpp_error_get_phase(talk.error), XMPP_PHASE_CONNECTING);
    assert_non_null(strstr(xmpp_error_get_text(talk.error), "after 0.4 s while connecting"));
    assert_int_equal(xmpp_error_count_attempts(talk.error), 1);
    assert_non_null(xmpp_error_get_attempt(talk.error, 0, &target));
    assert_string_equal(target, "one.a.example [127.0.0.1]:5222");
    talk_destroy(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_of_refused_connects),
        cmocka_unit_test(test_error_of_name_servers),
        cmocka_unit_test(test_error_of_silence),
        cmocka_unit_test(test_error_of_each_phase),
        cmocka_unit_test(test_plain_text_only_to_this_machine),
        cmocka_unit_test(test_next_endpoint_after_failure),
        cmocka_unit_test(test_error_tells_the_endpoint),
        cmocka_unit_test(test_timeout_tells_what_was_awaited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
