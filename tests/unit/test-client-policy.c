/* What the client refuses although the engine could do it. */
#include "fake/talk.h"
#include "support/certs.h"
#include "support/miniserver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEADER                                                                                     \
    "<?xml version='1.0'?><stream:stream from='a.example' id='s1' version='1.0'"                   \
    " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

static struct talk talk;

static int setup(void **state)
{
    (void)state;
    return talk_create(&talk) == XMPP_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    talk_destroy(&talk);
    return 0;
}

/* TLS-01: the setting allows plain text to the own machine, and to no other */
static void test_plain_text_only_on_loopback(void **state)
{
    const char *said;

    (void)state;
    fake_set_loopback(false);
    assert_int_equal(talk_connect(&talk), XMPP_OK);
    assert_int_equal(talk_step(&talk, "header"), XMPP_ERR_TLS);
    (void)fake_peek(talk.socket, &said);
    assert_null(strstr(said, "<auth"));
}

/* CORE-21: before TLS anybody could send us anywhere */
static void test_redirect_in_plain_text_is_an_error(void **state)
{
    (void)state;
    fake_host("b.example", 5222, FAKE_ACCEPT);
    assert_int_equal(talk_connect(&talk), XMPP_OK);
    talk_say(&talk,
             HEADER "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>"
                    "b.example:5222</see-other-host></stream:error></stream:stream>");
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_IDLE);
    assert_int_equal(xmpp_error_get_code(talk.error), XMPP_ERR_STREAM);
    assert_string_equal(xmpp_error_get_condition(talk.error), "see-other-host");
    assert_int_equal(fake_count(), 1);
}

/* Carries bytes between the client and a server that speaks TLS, until nothing moves. */
static void pump(struct miniserver *server)
{
    char wire[4096];
    bool moved = true;

    while (moved) {
        const char *said;
        size_t len = fake_peek(talk.socket, &said);

        miniserver_feed(server, said, len);
        fake_consume(talk.socket, len);
        moved = len > 0;
        while ((len = miniserver_take(server, wire, sizeof wire)) > 0) {
            fake_feed(talk.socket, wire, len);
            moved = true;
        }
        fake_run(talk.loop);
    }
}

/* CORE-21: who was ready once is not sent away, but told */
static void test_redirect_of_a_session_is_an_error(void **state)
{
    static const struct miniserver_options options = {.mechanisms =
                                                          "<mechanism>ANONYMOUS</mechanism>"};
    struct miniserver *server = miniserver_create(&options);

    (void)state;
    assert_non_null(server);
    fake_host("b.example", 5222, FAKE_ACCEPT);
    assert_int_equal(xmpp_client_set_trust_file(talk.client, certs_crt_path("ca")), XMPP_OK);
    assert_int_equal(xmpp_client_connect(talk.client), XMPP_OK);
    fake_run(talk.loop);
    talk.socket = fake_last();
    pump(server);
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_READY);
    assert_non_null(xmpp_client_get_info(talk.client, XMPP_INFO_TLS_VERSION));

    miniserver_say(server,
                   "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>"
                   "b.example:5222</see-other-host></stream:error></stream:stream>");
    pump(server);
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_IDLE);
    assert_int_equal(xmpp_error_get_code(talk.error), XMPP_ERR_STREAM);
    assert_int_equal(talk.ends, 1);
    assert_int_equal(fake_count(), 1);
    miniserver_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plain_text_only_on_loopback, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redirect_in_plain_text_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redirect_of_a_session_is_an_error, setup, teardown),
    };

    int r = cmocka_run_group_tests(tests, NULL, NULL);

    certs_free();
    return r;
}
