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

#define REDIRECT(host)                                                                             \
    HEADER "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>" host       \
           "</see-other-host></stream:error></stream:stream>"

/* Connects to a server that says this inside TLS. */
static void connect_to(const char *at_header)
{
    const struct miniserver_options options = {.at_header = at_header};
    struct miniserver *server = miniserver_create(&options);

    assert_int_equal(xmpp_client_set_trust_file(talk.client, certs_crt_path("ca")), XMPP_OK);
    assert_int_equal(xmpp_client_connect(talk.client), XMPP_OK);
    fake_run(talk.loop);
    talk.socket = fake_last();
    pump(server);
    miniserver_free(server);
}

/* CORE-20: each form that RFC 6120 4.9.3.19 allows, and white space around it */
static void test_redirect_is_followed(void **state)
{
    static const struct {
        const char *answer;
        const char *host;
    } table[] = {
        {REDIRECT("b.example:5999"), "b.example"},
        {REDIRECT("\n  b.example:5999\t"), "b.example"},
        {REDIRECT("127.0.0.2"), "127.0.0.2"},
        {REDIRECT("127.0.0.2:5999"), "127.0.0.2"},
        {REDIRECT("[::2]"), "::2"},
        {REDIRECT("[::2]:5999"), "::2"},
        {REDIRECT("B\xc3\x9c"
                  "CHER.example:5999"),
         "xn--bcher-kva.example"},
        {REDIRECT("b.example:65535"), "b.example"},
        {REDIRECT("b.example:0005999"), "b.example"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t before = fake_count();

        fake_host(table[i].host, 5222, FAKE_ACCEPT);
        fake_host(table[i].host, 5999, FAKE_ACCEPT);
        fake_host(table[i].host, 65535, FAKE_ACCEPT);
        connect_to(table[i].answer);
        if (fake_count() != before + 2)
            fail_msg("not followed: %s", table[i].host);
        assert_string_equal(fake_host_of(fake_last()), table[i].host);
        xmpp_client_abort(talk.client);
        fake_run(talk.loop);
    }
}

/* CORE-21: what is no host is no reason to go anywhere */
static void test_redirect_to_nonsense_is_an_error(void **state)
{
    static const char *const table[] = {
        REDIRECT(""),
        REDIRECT("  "),
        REDIRECT(":5999"),
        REDIRECT("b.example:0"),
        REDIRECT("b.example:65536"),
        REDIRECT("b.example:99999999999999999999"),
        REDIRECT("b.example:"),
        REDIRECT("b.example:+1"),
        REDIRECT("b.example:5999x"),
        REDIRECT("b example"),
        REDIRECT("user@b.example"),
        REDIRECT("b.example/r"),
        REDIRECT("[::2"),
        REDIRECT("[b.example]:5999"),
        REDIRECT("[::2]5999"),
        REDIRECT("<host/>"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t before = fake_count();

        connect_to(table[i]);
        if (fake_count() != before + 1)
            fail_msg("followed: %s", strstr(table[i], "<see-other-host"));
        assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_IDLE);
        assert_int_equal(xmpp_error_get_code(talk.error), XMPP_ERR_STREAM);
        assert_string_equal(xmpp_error_get_condition(talk.error), "see-other-host");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plain_text_only_on_loopback, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redirect_in_plain_text_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redirect_of_a_session_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redirect_is_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redirect_to_nonsense_is_an_error, setup, teardown),
    };

    int r = cmocka_run_group_tests(tests, NULL, NULL);

    certs_free();
    return r;
}
