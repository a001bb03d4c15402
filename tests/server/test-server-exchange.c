/* Two clients of one process talk over a real Prosody. */
#include "server/peer.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmpp/ext/ping.h>

#include <cmocka.h>

struct pair {
    xmpp_loop *loop;
    struct peer alice;
    struct peer bob;
    unsigned wanted; /* messages of bob */
};

static int set_up(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);

    pair->loop = peer_loop();
    peer_init(&pair->alice, pair->loop, "alice", "secret", BY_STARTTLS);
    peer_init(&pair->bob, pair->loop, "bob", "secret", BY_DIRECT_TLS);
    peer_login(&pair->alice);
    peer_login(&pair->bob);
    *state = pair;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;

    peer_clear(&pair->alice);
    peer_clear(&pair->bob);
    xmpp_loop_unref(pair->loop);
    free(pair);
    return 0;
}

static bool bob_has_all(void *data)
{
    struct pair *pair = data;

    return pair->bob.messages >= pair->wanted;
}

static bool alice_has_answer(void *data)
{
    struct pair *pair = data;

    return pair->alice.messages > 0;
}

/* XML-06: what is sent arrives, whatever it is */
static void test_messages_both_ways(void **state)
{
    static const char *const bodies[] = {"hello", "", "a & b < c > d ' \" ]]> &amp;",
                                         " leading, trailing and\ttab\nnewline ",
                                         ("gr\xc3\xbc\xc3\x9f"
                                          "e \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x91\x8b")};
    struct pair *pair = *state;

    pair->bob.echo = true;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        pair->alice.messages = 0;
        peer_send_message(&pair->alice, xmpp_client_get_jid(pair->bob.client), bodies[i]);
        peer_run(pair->loop, alice_has_answer, pair);
        assert_string_equal(pair->bob.body, bodies[i]);
        assert_string_equal(pair->alice.body, bodies[i]);
        assert_int_equal(xmpp_jid_compare(pair->alice.from, xmpp_client_get_jid(pair->bob.client)),
                         0);
    }
}

/* CORE-28: order of submission is order of arrival; many in one turn cost few writes */
static void test_burst_stays_in_order(void **state)
{
    struct pair *pair = *state;
    uint64_t writes = xmpp_client_get_stat(pair->alice.client, XMPP_STAT_WRITES);
    char text[32];

    for (unsigned i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "%u", i);
        peer_send_message(&pair->alice, xmpp_client_get_jid(pair->bob.client), text);
    }
    for (unsigned i = 0; i < 200; i++) {
        pair->wanted = i + 1;
        peer_run(pair->loop, bob_has_all, pair);
        if (pair->bob.messages == i + 1) {
            snprintf(text, sizeof text, "%u", i);
            assert_string_equal(pair->bob.body, text);
        }
    }
    assert_string_equal(pair->bob.body, "199");
    assert_true(xmpp_client_get_stat(pair->alice.client, XMPP_STAT_WRITES) - writes < 20);
}

static bool bob_saw_presence(void *data)
{
    return ((struct pair *)data)->bob.presences > 0;
}

static void test_directed_presence(void **state)
{
    struct pair *pair = *state;
    xmpp_elem *presence;

    pair->bob.presences = 0;
    assert_int_equal(xmpp_elem_create_stanza(&presence, XMPP_PRESENCE, NULL,
                                             xmpp_client_get_jid(pair->bob.client)),
                     XMPP_OK);
    xmpp_elem_add_child_text(presence, NULL, "show", "dnd");
    assert_int_equal(xmpp_client_send(pair->alice.client, presence), XMPP_OK);
    xmpp_elem_unref(presence);
    peer_run(pair->loop, bob_saw_presence, pair);
}

struct answer {
    int calls;
    int code;
    char condition[64];
    char payload[64];
    uint64_t rtt_us;
};

static bool is_answered(void *data)
{
    return ((struct answer *)data)->calls > 0;
}

static void note_error(struct answer *answer, const xmpp_error *error)
{
    answer->calls++;
    answer->code = error ? xmpp_error_get_code(error) : XMPP_OK;
    if (error && xmpp_error_get_condition(error))
        snprintf(answer->condition, sizeof answer->condition, "%s",
                 xmpp_error_get_condition(error));
}

static void on_pong(xmpp_ping *ping, uint64_t rtt_us, const xmpp_error *error, void *user_data)
{
    struct answer *answer = user_data;

    (void)ping;
    answer->rtt_us = rtt_us;
    note_error(answer, error);
}

static void ping_and_wait(struct pair *pair, const xmpp_jid *to, struct answer *answer)
{
    xmpp_ping *ping;

    memset(answer, 0, sizeof *answer);
    assert_int_equal(xmpp_ping_attach(&ping, pair->alice.client), XMPP_OK);
    assert_int_equal(xmpp_ping_send(ping, NULL, to, on_pong, answer, NULL), XMPP_OK);
    xmpp_ping_unref(ping);
    peer_run(pair->loop, is_answered, answer);
    assert_int_equal(answer->calls, 1);
}

/* XEP-0199: server, own account, other client with and without the module, absent client */
static void test_ping(void **state)
{
    struct pair *pair = *state;
    const xmpp_jid *bob = xmpp_client_get_jid(pair->bob.client);
    struct answer answer;
    xmpp_ping *ping;
    xmpp_jid *jid;

    ping_and_wait(pair, NULL, &answer);
    assert_int_equal(answer.code, XMPP_OK);
    assert_true(answer.rtt_us > 0);

    ping_and_wait(pair, bob, &answer); /* STZ-07: nobody handles it there */
    assert_int_equal(answer.code, XMPP_ERR_STANZA);
    assert_string_equal(answer.condition, "service-unavailable");

    assert_int_equal(xmpp_ping_attach(&ping, pair->bob.client), XMPP_OK);
    ping_and_wait(pair, bob, &answer);
    assert_int_equal(answer.code, XMPP_OK);
    xmpp_ping_unref(ping);
    ping_and_wait(pair, bob, &answer); /* the module has gone, and its handler with it */
    assert_string_equal(answer.condition, "service-unavailable");

    assert_int_equal(xmpp_jid_parse(&jid, "bob@a.example/nowhere"), XMPP_OK);
    ping_and_wait(pair, jid, &answer);
    assert_int_equal(answer.code, XMPP_ERR_STANZA);
    assert_string_equal(answer.condition, "service-unavailable");
    xmpp_jid_unref(jid);
}

static int on_weather(xmpp_client *client, const xmpp_elem *iq, void *user_data)
{
    xmpp_elem *reply;

    (void)user_data;
    assert_int_equal(xmpp_elem_create_reply(&reply, iq), XMPP_OK);
    xmpp_elem_add_child_text(reply, "urn:example:weather", "weather", "rain & wind");
    assert_int_equal(xmpp_client_send(client, reply), XMPP_OK);
    xmpp_elem_unref(reply);
    return XMPP_DONE;
}

static int on_weather_failing(xmpp_client *client, const xmpp_elem *iq, void *user_data)
{
    (void)client;
    (void)iq;
    (void)user_data;
    return XMPP_ERR_SYSTEM;
}

static void on_reply(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error,
                     void *user_data)
{
    struct answer *answer = user_data;

    (void)client;
    note_error(answer, error);
    assert_true((reply == NULL) == (error != NULL));
    if (reply)
        snprintf(
            answer->payload, sizeof answer->payload, "%s",
            xmpp_elem_get_text(xmpp_elem_first_child(reply, "urn:example:weather", "weather")));
}

static void ask_weather(struct pair *pair, uint64_t timeout_us, struct answer *answer)
{
    xmpp_elem *iq;

    memset(answer, 0, sizeof *answer);
    assert_int_equal(
        xmpp_elem_create_stanza(&iq, XMPP_IQ, "get", xmpp_client_get_jid(pair->bob.client)),
        XMPP_OK);
    xmpp_elem_add_child(iq, "urn:example:weather", "weather");
    assert_int_equal(
        xmpp_client_request(pair->alice.client, NULL, iq, timeout_us, on_reply, answer, NULL),
        XMPP_OK);
    xmpp_elem_unref(iq);
    peer_run(pair->loop, is_answered, answer);
    assert_int_equal(answer->calls, 1);
}

static int on_weather_silent(xmpp_client *client, const xmpp_elem *iq, void *user_data)
{
    (void)client;
    (void)iq;
    (void)user_data;
    return XMPP_DONE; /* and never answers */
}

/* STZ-07, STZ-12: result, error of the handler, no answer at all */
static void test_requests(void **state)
{
    static const xmpp_stanza_fn handlers[] = {on_weather, on_weather_failing, on_weather_silent};
    struct pair *pair = *state;
    struct answer answer;

    for (int i = 0; i < 3; i++) {
        xmpp_slot *slot;
        assert_int_equal(xmpp_client_add_handler(pair->bob.client, &slot, XMPP_IQ,
                                                 "urn:example:weather", "weather", handlers[i],
                                                 NULL, NULL),
                         XMPP_OK);
        ask_weather(pair, i == 2 ? 200000 : 0, &answer);
        if (i == 0)
            assert_string_equal(answer.payload, "rain & wind");
        if (i == 1)
            assert_string_equal(answer.condition, "internal-server-error");
        if (i == 2)
            assert_int_equal(answer.code, XMPP_ERR_TIMEOUT);
        xmpp_slot_unref(slot);
    }
}

struct poster {
    xmpp_client *client;
    xmpp_jid *to;
};

static void *post_messages(void *data)
{
    struct poster *poster = data;

    for (int i = 0; i < 100; i++) {
        xmpp_elem *msg;
        if (xmpp_elem_create_stanza(&msg, XMPP_MESSAGE, "chat", poster->to) < 0)
            return poster;
        xmpp_elem_add_child_text(msg, NULL, "body", "posted");
        if (xmpp_client_post(poster->client, msg) < 0)
            return poster;
        xmpp_elem_unref(msg);
    }
    return NULL;
}

static void test_post_from_threads(void **state)
{
    struct pair *pair = *state;
    struct poster poster = {.client = pair->alice.client};
    pthread_t threads[4];

    poster.to = xmpp_jid_ref(xmpp_client_get_jid(pair->bob.client));
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_messages, &poster), 0);
    pair->wanted = 400;
    peer_run(pair->loop, bob_has_all, pair);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(pair->bob.messages, 400);
    xmpp_jid_unref(poster.to);
}

/* STZ-12: a request that is under way ends when the session does */
static void test_disconnect_ends_requests(void **state)
{
    struct pair *pair = *state;
    struct answer answer = {0};
    xmpp_slot *slot;
    xmpp_elem *iq;

    assert_int_equal(xmpp_client_add_handler(pair->bob.client, &slot, XMPP_IQ,
                                             "urn:example:weather", "weather", on_weather_silent,
                                             NULL, NULL),
                     XMPP_OK);
    assert_int_equal(
        xmpp_elem_create_stanza(&iq, XMPP_IQ, "get", xmpp_client_get_jid(pair->bob.client)),
        XMPP_OK);
    xmpp_elem_add_child(iq, "urn:example:weather", "weather");
    assert_int_equal(xmpp_client_request(pair->alice.client, NULL, iq, 0, on_reply, &answer, NULL),
                     XMPP_OK);
    xmpp_elem_unref(iq);
    peer_logout(&pair->alice);
    assert_int_equal(answer.calls, 1);
    assert_int_equal(answer.code, XMPP_ERR_CLOSED);
    xmpp_slot_unref(slot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_messages_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_burst_stays_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_directed_presence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ping, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_post_from_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disconnect_ends_requests, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
