#include <xmpp/ext/ping.h>

#include "fake/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PING "<ping xmlns='urn:xmpp:ping'/>"

static struct talk talk;
static xmpp_ping *ping;

struct pong {
    unsigned calls;
    unsigned destroyed;
    uint64_t rtt_us;
    int code;
    xmpp_ping *got;
};

static void on_destroy(void *user_data)
{
    struct pong *pong = user_data;

    pong->destroyed++;
}

static void on_pong(xmpp_ping *got, uint64_t rtt_us, const xmpp_error *error, void *user_data)
{
    struct pong *pong = user_data;

    pong->calls++;
    pong->rtt_us = rtt_us;
    pong->code = xmpp_error_get_code(error);
    pong->got = got;
}

static int setup(void **state)
{
    (void)state;
    assert_int_equal(talk_create(&talk), XMPP_OK);
    assert_int_equal(xmpp_ping_attach(&ping, talk.client), XMPP_OK);
    assert_int_equal(talk_login(&talk), XMPP_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ping = xmpp_ping_unref(ping);
    talk_destroy(&talk);
    return 0;
}

static void test_ping_attach_is_one_per_client(void **state)
{
    xmpp_ping *other;

    (void)state;
    assert_int_equal(xmpp_ping_attach(&other, talk.client), XMPP_OK);
    assert_ptr_equal(other, ping);
    assert_int_equal(xmpp_client_count_features(talk.client), 1);
    assert_string_equal(xmpp_client_get_feature_at(talk.client, 0), "urn:xmpp:ping");
    assert_ptr_equal(xmpp_ping_ref(other), ping);
    xmpp_ping_unref(other);
    assert_null(xmpp_ping_unref(other));
    assert_int_equal(xmpp_ping_attach(NULL, talk.client), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_ping_attach(&other, NULL), XMPP_ERR_INVAL);
    assert_null(xmpp_ping_ref(NULL));
    assert_null(xmpp_ping_unref(NULL));
}

static void test_ping_answers(void **state)
{
    (void)state;
    talk_say(&talk, "<iq type='get' id='1' from='a.example'>" PING "</iq>");
    assert_true(talk_hears(&talk, "<iq type='result' id='1' to='a.example'/>"));
    talk_say(&talk, "<iq type='get' id='2'>" PING "</iq>");
    assert_true(talk_hears(&talk, "<iq type='result' id='2'/>"));
    talk_say(&talk, "<iq type='set' id='3'>" PING "</iq>");
    assert_true(talk_hears(&talk, "<iq type='error' id='3'><error type='cancel'>"
                                  "<service-unavailable "
                                  "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"));
    talk_say(&talk, "<iq type='result' id='4'>" PING "</iq><message>" PING "</message>");
    assert_true(talk_is_silent(&talk));
}

static void test_ping_detached_answers_no_more(void **state)
{
    (void)state;
    ping = xmpp_ping_unref(ping);
    assert_int_equal(xmpp_client_count_features(talk.client), 0);
    talk_say(&talk, "<iq type='get' id='1'>" PING "</iq>");
    assert_true(talk_hears(&talk, "<iq type='error' id='1'><error type='cancel'>"
                                  "<service-unavailable "
                                  "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"));
}

static void test_ping_send_result(void **state)
{
    struct pong pong = {0};
    xmpp_slot *slot;
    xmpp_jid *jid;

    (void)state;
    assert_int_equal(xmpp_jid_parse(&jid, "bob@b.example/x"), XMPP_OK);
    assert_int_equal(xmpp_ping_send(ping, &slot, jid, on_pong, &pong, on_destroy), XMPP_OK);
    fake_pass(talk.loop, 1234);
    assert_true(talk_hears(&talk, "<iq type='get' id='$1' to='bob@b.example/x'>" PING "</iq>"));
    talk_feed(&talk, "<iq type='result' from='bob@b.example/x' id='");
    talk_feed(&talk, talk.id[1]);
    talk_say(&talk, "'/>");
    assert_int_equal(pong.calls, 1);
    assert_int_equal(pong.rtt_us, 1234);
    assert_int_equal(pong.code, XMPP_OK);
    assert_ptr_equal(pong.got, ping);
    assert_int_equal(pong.destroyed, 1);
    xmpp_slot_unref(slot);
    xmpp_jid_unref(jid);
}

static void test_ping_send_error_timeout_cancel(void **state)
{
    struct pong error = {0}, timeout = {0}, cancel = {0};
    xmpp_slot *slot;

    (void)state;
    assert_int_equal(xmpp_ping_send(ping, NULL, NULL, on_pong, &error, on_destroy), XMPP_OK);
    fake_run(talk.loop);
    assert_true(talk_hears(&talk, "<iq type='get' id='$1'>" PING "</iq>"));
    talk_feed(&talk, "<iq type='error' id='");
    talk_feed(&talk, talk.id[1]);
    talk_say(&talk, "'><error type='cancel'><service-unavailable "
                    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
    assert_int_equal(error.calls, 1);
    assert_int_equal(error.code, XMPP_ERR_STANZA);
    assert_int_equal(xmpp_ping_send(ping, NULL, NULL, on_pong, &timeout, on_destroy), XMPP_OK);
    assert_int_equal(xmpp_ping_send(ping, &slot, NULL, on_pong, &cancel, on_destroy), XMPP_OK);
    xmpp_slot_unref(slot);
    assert_int_equal(cancel.destroyed, 1);
    fake_pass(talk.loop, 60000000);
    assert_int_equal(timeout.calls, 1);
    assert_int_equal(timeout.code, XMPP_ERR_TIMEOUT);
    assert_int_equal(timeout.rtt_us, 60000000);
    assert_int_equal(cancel.calls, 0);
    assert_int_equal(error.destroyed + timeout.destroyed, 2);
}

static void test_ping_send_refused(void **state)
{
    struct pong pong = {0};
    xmpp_slot *slot = NULL;

    (void)state;
    assert_int_equal(xmpp_ping_send(NULL, &slot, NULL, on_pong, &pong, on_destroy), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_ping_send(ping, &slot, NULL, NULL, &pong, on_destroy), XMPP_ERR_INVAL);
    xmpp_client_abort(talk.client);
    assert_int_equal(xmpp_ping_send(ping, &slot, NULL, on_pong, &pong, on_destroy), XMPP_ERR_STATE);
    fake_run(talk.loop);
    assert_null(slot);
    assert_int_equal(pong.calls + pong.destroyed, 0);
}

/* The answer comes also when the module was only needed for this one. */
static void test_ping_send_and_detach(void **state)
{
    struct pong pong = {0};

    (void)state;
    assert_int_equal(xmpp_ping_send(ping, NULL, NULL, on_pong, &pong, on_destroy), XMPP_OK);
    ping = xmpp_ping_unref(ping);
    fake_eof(talk.socket);
    fake_run(talk.loop);
    assert_int_equal(pong.calls, 1);
    assert_int_equal(pong.code, XMPP_ERR_CLOSED);
    assert_non_null(pong.got);
    assert_int_equal(pong.destroyed, 1);
    assert_int_equal(xmpp_client_count_features(talk.client), 0);
}

/* A ping under way does not keep the client. */
static void test_ping_send_and_go(void **state)
{
    struct pong pong = {0};

    (void)state;
    assert_int_equal(xmpp_ping_send(ping, NULL, NULL, on_pong, &pong, on_destroy), XMPP_OK);
    talk.client = xmpp_client_unref(talk.client);
    assert_false(fake_is_closed(talk.socket)); /* the module does */
    ping = xmpp_ping_unref(ping);
    assert_true(fake_is_closed(talk.socket));
    assert_int_equal(pong.calls, 0);
    assert_int_equal(pong.destroyed, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ping_attach_is_one_per_client),  TEST(test_ping_answers),
        TEST(test_ping_detached_answers_no_more),  TEST(test_ping_send_result),
        TEST(test_ping_send_error_timeout_cancel), TEST(test_ping_send_refused),
        TEST(test_ping_send_and_detach),           TEST(test_ping_send_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
