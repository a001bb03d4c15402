/* Whole sessions with the first, second, third ... allocation failing: each ends well, or somebody is told. */
#include <xmpp/ext/ping.h>

#include "base/arena.h"
#include "fake/talk.h"
#include "support/torture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct talk talk;

/* What a scenario did last; it is asked only when something failed. */
static int told; /* an error that a callback got */

/* XMPP_OK, or what the application has learnt: a connection that is down for want of memory, a refused call. */
static int check_ready(void)
{
    if (told < 0)
        return told;
    if (xmpp_client_get_state(talk.client) == XMPP_STATE_READY)
        return XMPP_OK;
    return talk.error ? xmpp_error_get_code(talk.error) : XMPP_ERR_PROTOCOL;
}

static void drop_output(void)
{
    const char *data;

    fake_consume(talk.socket, fake_peek(talk.socket, &data));
}

/* Must the client have said it? */
static int expect_output(const char *part)
{
    const char *data;
    int r = check_ready();

    fake_peek(talk.socket, &data);
    if (r == XMPP_OK && !strstr(data, part))
        r = XMPP_ERR_PROTOCOL;
    drop_output();
    return r;
}

static int on_message(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    xmpp_elem *reply;
    int r;

    (void)user_data;
    r = xmpp_elem_create_reply(&reply, stanza);
    if (r == XMPP_OK) {
        xmpp_elem_add_child_text(reply, NULL, "body", "yes");
        r = xmpp_client_send(client, reply);
        xmpp_elem_unref(reply);
    }
    if (r < 0)
        told = r;
    return XMPP_DONE;
}

static int on_question(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    (void)user_data;
    (void)stanza;
    (void)client;
    arena_cache_trim(); /* so that the answer takes memory */
    return XMPP_ERR_NOTFOUND; /* the library answers */
}

static void on_reply(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error,
                     void *user_data)
{
    unsigned *calls = user_data;

    (void)client;
    (void)reply;
    ++*calls;
    if (error)
        told = xmpp_error_get_code(error);
}

static void on_pong(xmpp_ping *ping, uint64_t rtt_us, const xmpp_error *error, void *user_data)
{
    on_reply(NULL, NULL, error, user_data);
    (void)ping;
    (void)rtt_us;
}

static int start(void)
{
    int r;

    told = XMPP_OK;
    r = talk_create(&talk);
    return r < 0 ? r : talk_login(&talk);
}

static int stop(int r)
{
    talk_destroy(&talk);
    return r;
}

/* --- scenarios --- */

static int scenario_login(void *user_data)
{
    int r;

    (void)user_data;
    r = start();
    if (r == XMPP_OK)
        r = xmpp_client_disconnect(talk.client);
    if (r == XMPP_OK) {
        fake_run(talk.loop);
        if (xmpp_client_get_state(talk.client) == XMPP_STATE_CLOSING)
            talk_say(&talk, "</stream:stream>");
        if (xmpp_client_get_state(talk.client) != XMPP_STATE_IDLE || talk.ends != 1)
            r = XMPP_ERR_PROTOCOL;
    }
    return stop(r);
}

static int scenario_srv(void *user_data)
{
    int r;

    (void)user_data;
    told = XMPP_OK;
    r = talk_create(&talk);
    fake_srv("_xmpp-client._tcp.a.example", "one.a.example", 5222, 1, 0);
    fake_srv("_xmpp-client._tcp.a.example", "two.a.example", 5222, 2, 5);
    fake_srv("_xmpp-client._tcp.a.example", "three.a.example", 5222, 2, 5);
    fake_host("two.a.example", 5222, FAKE_ACCEPT);
    fake_host("three.a.example", 5222, FAKE_ACCEPT);
    if (r == XMPP_OK)
        r = xmpp_client_set_endpoint(talk.client, NULL, 0, 0);
    if (r == XMPP_OK)
        r = talk_login(&talk);
    if (r == XMPP_OK) { /* it ends, and the error tells of the first */
        fake_eof(talk.socket);
        fake_run(talk.loop);
        r = talk.ends == 1 ? XMPP_OK : XMPP_ERR_PROTOCOL;
    }
    return stop(r);
}

static int scenario_refused(void *user_data)
{
    int r;

    (void)user_data;
    told = XMPP_OK;
    r = talk_create(&talk);
    fake_host("127.0.0.1", 5222, FAKE_NO_HOST);
    if (r == XMPP_OK)
        r = talk_connect(&talk);
    if (r == XMPP_ERR_DNS)
        r = XMPP_OK; /* what it should come to */
    return stop(r);
}

static int exchange(void)
{
    xmpp_slot *slot = NULL;
    int r;

    r = xmpp_client_add_handler(talk.client, NULL, XMPP_MESSAGE, "jabber:client", "body",
                                on_message, NULL, NULL);
    if (r == XMPP_OK)
        r = xmpp_client_add_handler(talk.client, &slot, XMPP_IQ, "urn:q", NULL, on_question, NULL,
                                    NULL);
    if (r == XMPP_OK)
        r = xmpp_slot_match_type(slot, "get");
    if (r == XMPP_OK) {
        talk_say(&talk, "<message from='bob@b.example/x' id='1'><body>well?</body></message>");
        r = expect_output("yes");
    }
    if (r == XMPP_OK) {
        talk_say(&talk, "<iq type='get' id='1'><q xmlns='urn:q'/></iq>");
        r = expect_output("internal-server-error");
    }
    if (r == XMPP_OK) {
        talk_say(&talk, "<iq type='set' id='2'><q xmlns='urn:q'/></iq>");
        r = expect_output("service-unavailable");
    }
    xmpp_slot_unref(slot);
    return r;
}

static int scenario_exchange(void *user_data)
{
    int r;

    (void)user_data;
    r = start();
    if (r == XMPP_OK)
        r = exchange();
    return stop(r);
}

static int request(unsigned *calls, const char *answer)
{
    xmpp_elem *iq = talk_iq("bob@b.example/x", "k1");
    xmpp_slot *slot = NULL;
    int r = XMPP_ERR_NOMEM;

    if (iq)
        r = xmpp_client_request(talk.client, &slot, iq, 1000, on_reply, calls, NULL);
    xmpp_elem_unref(iq);
    if (r == XMPP_OK) {
        fake_run(talk.loop);
        if (*answer)
            talk_say(&talk, answer);
        fake_pass(talk.loop, 1000);
        if (*calls != 1)
            r = XMPP_ERR_PROTOCOL; /* whatever happened: exactly once */
    }
    xmpp_slot_unref(slot);
    if (told == XMPP_ERR_STANZA || told == XMPP_ERR_TIMEOUT)
        told = XMPP_OK;
    if (told == XMPP_ERR_CLOSED) /* it ended with the connection: why? */
        told = XMPP_OK;
    return r;
}

static int scenario_request(void *user_data)
{
    unsigned calls[3] = {0};
    int r;

    (void)user_data;
    r = start();
    if (r == XMPP_OK)
        r = request(&calls[0], "<iq type='result' id='k1' from='bob@b.example/x'/>");
    if (r == XMPP_OK)
        r = check_ready();
    if (r == XMPP_OK)
        r = request(&calls[1], "<iq type='error' id='k1' from='bob@b.example/x'><error type='wait'>"
                               "<forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                               "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>no</text>"
                               "</error></iq>");
    if (r == XMPP_OK)
        r = check_ready();
    if (r == XMPP_OK)
        r = request(&calls[2], "");
    if (r == XMPP_OK)
        r = check_ready();
    return stop(r);
}

static int scenario_ping(void *user_data)
{
    xmpp_ping *ping = NULL;
    unsigned calls = 0;
    int r;

    (void)user_data;
    r = start();
    if (r == XMPP_OK)
        r = xmpp_ping_attach(&ping, talk.client);
    if (r == XMPP_OK) {
        talk_say(&talk, "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>");
        r = expect_output("id='1'");
    }
    if (r == XMPP_OK)
        r = xmpp_ping_send(ping, NULL, NULL, on_pong, &calls, NULL);
    ping = xmpp_ping_unref(ping);
    if (r == XMPP_OK) {
        fake_eof(talk.socket);
        fake_run(talk.loop);
        r = calls == 1 ? XMPP_OK : XMPP_ERR_PROTOCOL;
    }
    return stop(r);
}

static int scenario_post(void *user_data)
{
    char xml[30000];
    xmpp_elem *elem;
    int r;

    (void)user_data;
    r = start();
    memset(xml, 'x', sizeof xml); /* more than the buffer has room for */
    memcpy(xml, "<message xmlns='jabber:client'>", 31);
    strcpy(xml + sizeof xml - 11, "</message>");
    elem = r == XMPP_OK ? talk_parse(xml) : NULL;
    if (r == XMPP_OK)
        r = elem ? xmpp_client_post(talk.client, elem) : XMPP_ERR_NOMEM;
    xmpp_elem_unref(elem);
    if (r == XMPP_OK) {
        fake_run(talk.loop);
        r = expect_output("</message>");
    }
    return stop(r);
}

static void expect_survival(int (*scenario)(void *user_data))
{
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

static void test_login(void **state)
{
    (void)state;
    expect_survival(scenario_login);
}

static void test_srv(void **state)
{
    (void)state;
    expect_survival(scenario_srv);
}

static void test_refused(void **state)
{
    (void)state;
    expect_survival(scenario_refused);
}

static void test_exchange(void **state)
{
    (void)state;
    expect_survival(scenario_exchange);
}

static void test_request(void **state)
{
    (void)state;
    expect_survival(scenario_request);
}

static void test_ping(void **state)
{
    (void)state;
    expect_survival(scenario_ping);
}

static void test_post(void **state)
{
    (void)state;
    expect_survival(scenario_post);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login),   cmocka_unit_test(test_srv),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_request), cmocka_unit_test(test_ping),
        cmocka_unit_test(test_post),
    };

    torture_install();
    /* the system's trust store stays loaded from the first login on */
    (void)scenario_login(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
