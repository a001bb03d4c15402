/* IQ requests and who may answer them. */
#include "fake/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct talk talk;

struct ask {
    unsigned calls;
    unsigned destroyed;
    int code; /* of the error; XMPP_OK: a result */
    char condition[64];
    char type[32];
    char text[400];
    char xml[400];
    xmpp_slot *slot;
    bool cancel; /* its own slot, from its function */
    bool again; /* asks once more from its function */
    bool reconnect;
};

static void on_destroy(void *user_data)
{
    struct ask *ask = user_data;

    ask->destroyed++;
}

static int start(struct ask *ask, const char *to, const char *id, uint64_t timeout_us);

static void on_reply(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error,
                     void *user_data)
{
    struct ask *ask = user_data;
    const char *type = xmpp_error_get_type(error);
    const char *condition = xmpp_error_get_condition(error);
    char *xml;
    size_t len;

    assert_true((reply == NULL) == (error != NULL));
    assert_false(xmpp_slot_is_active(ask->slot));
    ask->calls++;
    ask->code = xmpp_error_get_code(error);
    snprintf(ask->type, sizeof ask->type, "%s", type ? type : "none");
    snprintf(ask->condition, sizeof ask->condition, "%s", condition ? condition : "none");
    snprintf(ask->text, sizeof ask->text, "%s", error ? xmpp_error_get_text(error) : "");
    if (reply && xmpp_elem_to_xml(reply, &xml, &len) == XMPP_OK) {
        snprintf(ask->xml, sizeof ask->xml, "%s", xml);
        xmpp_mem_free(xml);
    }
    if (ask->cancel)
        xmpp_slot_cancel(ask->slot);
    if (ask->again) {
        ask->again = false;
        ask->slot = xmpp_slot_unref(ask->slot);
        assert_int_equal(start(ask, NULL, "again", 0), ask->reconnect ? XMPP_ERR_STATE : XMPP_OK);
    }
    if (ask->reconnect)
        assert_int_equal(xmpp_client_connect(client), XMPP_OK);
}

static int start(struct ask *ask, const char *to, const char *id, uint64_t timeout_us)
{
    xmpp_elem *iq = talk_iq(to, id);
    int r;

    r = xmpp_client_request(talk.client, &ask->slot, iq, timeout_us, on_reply, ask, on_destroy);
    xmpp_elem_unref(iq);
    return r;
}

static void ask_clear(struct ask *ask)
{
    xmpp_slot_unref(ask->slot);
    memset(ask, 0, sizeof *ask);
}

static int setup(void **state)
{
    (void)state;
    assert_int_equal(talk_create(&talk), XMPP_OK);
    assert_int_equal(talk_login(&talk), XMPP_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    talk_destroy(&talk);
    return 0;
}

/* Answers with this sender (NULL: none); is it taken for the answer? */
static bool is_answer(const char *to, const char *from)
{
    struct ask ask = {0};
    char xml[300];
    bool taken;

    assert_int_equal(start(&ask, to, "k1", 0), XMPP_OK);
    if (from)
        snprintf(xml, sizeof xml, "<iq type='result' id='k1' from='%s'/>", from);
    talk_say(&talk, from ? xml : "<iq type='result' id='k1'/>");
    taken = ask.calls == 1;
    assert_int_equal(ask.calls, ask.destroyed);
    assert_int_equal(xmpp_slot_is_active(ask.slot), !taken);
    xmpp_slot_cancel(ask.slot);
    assert_int_equal(ask.destroyed, 1);
    ask_clear(&ask);
    return taken;
}

static void test_answer_from_server_or_account(void **state)
{
    (void)state;
    /* STZ-10: the four forms */
    assert_true(is_answer(NULL, NULL));
    assert_true(is_answer(NULL, "user@a.example"));
    assert_true(is_answer(NULL, "user@a.example/r1"));
    assert_true(is_answer(NULL, "a.example"));
    assert_true(is_answer(NULL, "A.Example")); /* STZ-11 */
    /* SEC-04 */
    assert_false(is_answer(NULL, "user@a.example/r2"));
    assert_false(is_answer(NULL, "a.example/r1"));
    assert_false(is_answer(NULL, "mallory@a.example"));
    assert_false(is_answer(NULL, "mallory@a.example/r1"));
    assert_false(is_answer(NULL, "b.example"));
    assert_false(is_answer(NULL, "user@b.example"));
    assert_false(is_answer(NULL, "conference.a.example"));
    assert_false(is_answer(NULL, ""));
    assert_false(is_answer(NULL, "@"));
}

static void test_answer_from_entity(void **state)
{
    (void)state;
    /* STZ-09 */
    assert_true(is_answer("bob@b.example/x", "bob@b.example/x"));
    assert_true(is_answer("Bob@B.example/x", "bob@b.example/x")); /* STZ-11 */
    assert_true(is_answer("b.example", "b.example"));
    assert_false(is_answer("bob@b.example/x", NULL));
    assert_false(is_answer("bob@b.example/x", "bob@b.example"));
    assert_false(is_answer("bob@b.example/x", "bob@b.example/X"));
    assert_false(is_answer("bob@b.example/x", "b.example"));
    assert_false(is_answer("bob@b.example/x", "user@a.example"));
    assert_false(is_answer("bob@b.example/x", "a.example"));
    assert_false(is_answer("bob@b.example", "bob@b.example/x"));
    assert_false(is_answer("b.example", NULL));
    /* RFC 6120 8.1.2.1: without a sender it is the account */
    assert_true(is_answer("user@a.example", NULL));
    assert_true(is_answer("user@a.example", "user@a.example"));
    assert_false(is_answer("user@a.example", "a.example"));
    assert_false(is_answer("user@a.example/r2", NULL));
}

static void test_answer_of_wrong_kind(void **state)
{
    struct ask ask = {0};

    (void)state;
    assert_int_equal(start(&ask, "bob@b.example", "k1", 0), XMPP_OK);
    /* STZ-09, SEC-05 */
    talk_say(&talk, "<message type='result' id='k1' from='bob@b.example'/>"
                    "<presence type='error' id='k1' from='bob@b.example'/>"
                    "<iq type='result' id='k2' from='bob@b.example'/>"
                    "<iq type='result' from='bob@b.example'/>"
                    "<iq type='what' id='k1' from='bob@b.example'/>"
                    "<iq type='get' id='k1' from='bob@b.example'><q xmlns='urn:q'/></iq>"
                    "<iq type='set' id='k1' from='bob@b.example'><q xmlns='urn:q'/></iq>");
    assert_int_equal(ask.calls, 0);
    talk_say(&talk, "<iq type='result' id='k1' from='bob@b.example'><q xmlns='urn:q'/></iq>"
                    "<iq type='result' id='k1' from='bob@b.example'/>");
    assert_int_equal(ask.calls, 1);
    assert_int_equal(ask.code, XMPP_OK);
    assert_non_null(strstr(ask.xml, "urn:q"));
    assert_int_equal(ask.destroyed, 1);
    ask_clear(&ask);
}

static void expect_error(const char *content, const char *type, const char *condition)
{
    struct ask ask = {0};
    char xml[800];

    assert_int_equal(start(&ask, NULL, "k1", 0), XMPP_OK);
    snprintf(xml, sizeof xml, "<iq type='error' id='k1'><q xmlns='urn:q'/>%s</iq>", content);
    talk_say(&talk, xml);
    assert_int_equal(ask.calls, 1);
    assert_int_equal(ask.code, XMPP_ERR_STANZA);
    assert_string_equal(ask.type, type);
    assert_string_equal(ask.condition, condition);
    assert_non_null(strstr(ask.text, condition));
    ask_clear(&ask);
}

#define STANZAS " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"

static void test_answer_error(void **state)
{
    static const char *const conditions[] = {"bad-request",
                                             "conflict",
                                             "feature-not-implemented",
                                             "forbidden",
                                             "gone",
                                             "internal-server-error",
                                             "item-not-found",
                                             "jid-malformed",
                                             "not-acceptable",
                                             "not-allowed",
                                             "not-authorized",
                                             "policy-violation",
                                             "recipient-unavailable",
                                             "redirect",
                                             "registration-required",
                                             "remote-server-not-found",
                                             "remote-server-timeout",
                                             "resource-constraint",
                                             "service-unavailable",
                                             "subscription-required",
                                             "undefined-condition",
                                             "unexpected-request"};
    char content[300];

    (void)state;
    for (size_t i = 0; i < 22; i++) { /* STZ-15 */
        snprintf(content, sizeof content, "<error type='auth'><%s" STANZAS "/></error>",
                 conditions[i]);
        expect_error(content, "auth", conditions[i]);
    }
    /* STZ-14 */
    expect_error("<error type='wait'><brand-new" STANZAS "/></error>", "wait",
                 "undefined-condition");
    expect_error("<error type='wait'/>", "wait", "undefined-condition");
    expect_error("<error/>", "none", "undefined-condition");
    expect_error("", "none", "undefined-condition");
    expect_error("<error type='cancel'><text" STANZAS ">first</text><conflict" STANZAS
                 "/><own xmlns='urn:own'/></error>",
                 "cancel", "conflict");
    expect_error("<error type='cancel'><own xmlns='urn:own'/><text" STANZAS ">t</text></error>",
                 "cancel", "undefined-condition");
}

static void test_end_by_timeout(void **state)
{
    struct ask ask = {0}, late = {0}, never = {0};

    (void)state;
    xmpp_client_set_timeout(talk.client, 0, 0);
    assert_int_equal(start(&ask, "bob@b.example", NULL, 1000), XMPP_OK);
    assert_int_equal(start(&late, NULL, NULL, 0), XMPP_OK);
    assert_int_equal(start(&never, NULL, "n", UINT64_MAX), XMPP_OK);
    fake_pass(talk.loop, 999);
    assert_int_equal(ask.calls, 0);
    fake_pass(talk.loop, 1);
    assert_int_equal(ask.calls, 1);
    assert_int_equal(ask.code, XMPP_ERR_TIMEOUT);
    assert_non_null(strstr(ask.text, "bob@b.example"));
    assert_int_equal(ask.destroyed, 1);
    fake_pass(talk.loop, 59998999);
    assert_int_equal(late.calls, 0);
    fake_pass(talk.loop, 1);
    assert_int_equal(late.calls, 1); /* the default: 60 s */
    fake_pass(talk.loop, 86400000000u);
    assert_int_equal(never.calls, 0);
    talk_say(&talk, "<iq type='result' id='n'/>");
    assert_int_equal(never.calls, 1);
    assert_int_equal(ask.calls, 1);
    ask_clear(&ask);
    ask_clear(&late);
    ask_clear(&never);
}

static void test_end_late_answer_is_dropped(void **state)
{
    struct ask ask = {0};

    (void)state;
    assert_int_equal(start(&ask, NULL, "k1", 1000), XMPP_OK);
    fake_pass(talk.loop, 1000);
    talk_say(&talk, "<iq type='result' id='k1'/>");
    assert_int_equal(ask.calls, 1);
    assert_int_equal(ask.code, XMPP_ERR_TIMEOUT);
    ask_clear(&ask);
}

static void test_end_by_cancel(void **state)
{
    struct ask ask = {0}, unref = {0};

    (void)state;
    assert_int_equal(start(&ask, NULL, "k1", 1000), XMPP_OK);
    assert_int_equal(start(&unref, NULL, "k2", 1000), XMPP_OK);
    assert_int_equal(xmpp_slot_cancel(ask.slot), XMPP_OK);
    assert_int_equal(ask.destroyed, 1);
    unref.slot = xmpp_slot_unref(unref.slot);
    assert_int_equal(unref.destroyed, 1);
    talk_say(&talk, "<iq type='result' id='k1'/><iq type='result' id='k2'/>");
    fake_pass(talk.loop, 100000);
    assert_int_equal(ask.calls + unref.calls, 0);
    /* the id is free again */
    ask_clear(&ask);
    assert_int_equal(start(&ask, NULL, "k1", 1000), XMPP_OK);
    ask_clear(&ask);
}

static void test_end_cancel_and_ask_in_function(void **state)
{
    struct ask ask = {0}, again = {0};

    (void)state;
    ask.cancel = true;
    again.again = true;
    assert_int_equal(start(&ask, NULL, "k1", 0), XMPP_OK);
    assert_int_equal(start(&again, NULL, "k2", 0), XMPP_OK);
    talk_say(&talk, "<iq type='result' id='k1'/><iq type='result' id='k2'/>");
    assert_int_equal(ask.calls, 1);
    assert_int_equal(ask.destroyed, 1);
    assert_int_equal(again.calls, 1);
    talk_say(&talk, "<iq type='result' id='again'/>");
    assert_int_equal(again.calls, 2);
    assert_int_equal(again.destroyed, 2);
    ask_clear(&ask);
    ask_clear(&again);
}

static void test_end_by_connection(void **state)
{
    struct ask first = {0}, second = {0};

    (void)state;
    assert_int_equal(start(&first, NULL, "k1", 0), XMPP_OK);
    assert_int_equal(start(&second, "bob@b.example", "k2", 0), XMPP_OK);
    first.again = true; /* from its function: there is no session */
    first.reconnect = true;
    fake_eof(talk.socket);
    fake_run(talk.loop);
    /* STZ-12 */
    assert_int_equal(first.calls, 1);
    assert_int_equal(first.code, XMPP_ERR_CLOSED);
    assert_int_equal(second.calls, 1);
    assert_int_equal(second.code, XMPP_ERR_CLOSED);
    assert_int_equal(first.destroyed + second.destroyed, 2);
    assert_int_equal(talk.ends, 1);
    fake_pass(talk.loop, 120000000);
    assert_int_equal(first.calls + second.calls, 2);
    ask_clear(&first);
    ask_clear(&second);
}

static void test_end_by_abort_and_disconnect(void **state)
{
    struct ask ask = {0};

    (void)state;
    assert_int_equal(start(&ask, NULL, "k1", 0), XMPP_OK);
    assert_int_equal(xmpp_client_abort(talk.client), XMPP_OK);
    assert_int_equal(ask.calls, 0); /* not from inside a call */
    fake_run(talk.loop);
    assert_int_equal(ask.calls, 1);
    assert_int_equal(ask.code, XMPP_ERR_CLOSED);
    ask_clear(&ask);

    assert_int_equal(talk_login(&talk), XMPP_OK);
    assert_int_equal(start(&ask, NULL, "k1", 0), XMPP_OK);
    assert_int_equal(xmpp_client_disconnect(talk.client), XMPP_OK);
    fake_run(talk.loop);
    /* while we wait for the server's end, it may still answer */
    talk_say(&talk, "<iq type='result' id='k1'/>");
    assert_int_equal(ask.calls, 1);
    assert_int_equal(ask.code, XMPP_OK);
    talk_say(&talk, "</stream:stream>");
    assert_int_equal(ask.calls, 1);
    ask_clear(&ask);
}

static void test_end_older_session(void **state)
{
    struct ask old = {0}, fresh = {0};

    (void)state;
    assert_int_equal(start(&old, NULL, "k1", 0), XMPP_OK);
    xmpp_client_abort(talk.client);
    assert_int_equal(talk_login(&talk), XMPP_OK);
    assert_int_equal(old.calls, 1);
    /* SEC-32 */
    talk_say(&talk, "<iq type='result' id='k1'/>");
    assert_int_equal(old.calls, 1);
    assert_int_equal(start(&fresh, "bob@b.example", "k1", 0), XMPP_OK);
    talk_say(&talk, "<iq type='result' id='k1'/>"); /* the old one's sender */
    assert_int_equal(fresh.calls, 0);
    ask_clear(&old);
    ask_clear(&fresh);
}

static void test_end_with_client(void **state)
{
    struct ask ask = {0}, floating = {0};
    xmpp_elem *iq = talk_iq(NULL, NULL);

    (void)state;
    assert_int_equal(start(&ask, NULL, "k1", 0), XMPP_OK);
    assert_int_equal(xmpp_client_request(talk.client, NULL, iq, 0, on_reply, &floating, on_destroy),
                     XMPP_OK);
    xmpp_elem_unref(iq);
    talk.client = xmpp_client_unref(talk.client);
    assert_int_equal(ask.destroyed, 1);
    assert_int_equal(floating.destroyed, 1);
    fake_pass(talk.loop, 120000000);
    assert_int_equal(ask.calls + floating.calls, 0);
    talk.loop = xmpp_loop_unref(talk.loop);
    ask_clear(&ask);
}

static void test_id_is_added_and_unguessable(void **state)
{
    struct ask ask = {0}, more = {0};

    (void)state;
    assert_int_equal(start(&ask, NULL, NULL, 0), XMPP_OK);
    assert_int_equal(start(&more, NULL, NULL, 0), XMPP_OK);
    fake_run(talk.loop);
    /* STZ-01, STZ-04, STZ-05 */
    assert_true(talk_hears(&talk, "<iq type='get' id='$1'><q xmlns='urn:q'/></iq>"));
    assert_true(talk_hears(&talk, "<iq type='get' id='$2'><q xmlns='urn:q'/></iq>"));
    assert_true(strlen(talk.id[1]) >= 20);
    assert_string_not_equal(talk.id[1], talk.id[2]);
    ask_clear(&ask);
    ask_clear(&more);
}

static void expect_refused(const char *xml, int want)
{
    struct ask ask = {0};
    xmpp_elem *iq = talk_parse(xml);

    assert_int_equal(xmpp_client_request(talk.client, &ask.slot, iq, 0, on_reply, &ask, on_destroy),
                     want);
    assert_null(ask.slot);
    assert_int_equal(ask.destroyed, 0);
    xmpp_elem_unref(iq);
}

static void test_request_refused(void **state)
{
    struct ask ask = {0};
    xmpp_elem *sealed = talk_iq(NULL, NULL);

    (void)state;
    expect_refused("<message xmlns='jabber:client' type='get'/>", XMPP_ERR_INVAL);
    expect_refused("<iq xmlns='jabber:client' type='result' id='1'/>", XMPP_ERR_INVAL);
    expect_refused("<iq xmlns='jabber:client' id='1'/>", XMPP_ERR_INVAL);
    expect_refused("<iq xmlns='jabber:client' type='get' id='1' to='@'><q/></iq>", XMPP_ERR_INVAL);
    expect_refused("<iq xmlns='urn:other' type='get' id='1'><q/></iq>", XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_seal(sealed), XMPP_OK);
    assert_int_equal(xmpp_client_request(talk.client, NULL, sealed, 0, on_reply, &ask, on_destroy),
                     XMPP_ERR_INVAL); /* it cannot get an id */
    assert_int_equal(xmpp_client_request(NULL, NULL, sealed, 0, on_reply, &ask, on_destroy),
                     XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_request(talk.client, NULL, NULL, 0, on_reply, &ask, on_destroy),
                     XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_request(talk.client, NULL, sealed, 0, NULL, &ask, on_destroy),
                     XMPP_ERR_INVAL);
    xmpp_elem_unref(sealed);
    assert_int_equal(start(&ask, NULL, "twice", 0), XMPP_OK);
    expect_refused("<iq xmlns='jabber:client' type='get' id='twice'><q xmlns='urn:q'/></iq>",
                   XMPP_ERR_INVAL);
    xmpp_client_abort(talk.client);
    expect_refused("<iq xmlns='jabber:client' type='get' id='1'><q xmlns='urn:q'/></iq>",
                   XMPP_ERR_STATE);
    fake_run(talk.loop);
    ask_clear(&ask);
}

static void test_request_queue_full(void **state)
{
    struct ask ask = {0};
    char *big = calloc(1, 20001);
    xmpp_elem *iq = talk_iq(NULL, "big");

    (void)state;
    xmpp_client_abort(talk.client);
    fake_run(talk.loop);
    assert_int_equal(xmpp_client_set_limits(talk.client, 0, 15000), XMPP_OK);
    assert_int_equal(talk_login(&talk), XMPP_OK);
    memset(big, 'x', 20000);
    xmpp_elem_add_text(iq, big);
    assert_int_equal(xmpp_client_request(talk.client, &ask.slot, iq, 0, on_reply, &ask, on_destroy),
                     XMPP_ERR_LIMIT);
    xmpp_elem_unref(iq);
    free(big);
    fake_pass(talk.loop, 120000000);
    assert_int_equal(ask.calls + ask.destroyed, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answer_from_server_or_account),
        TEST(test_answer_from_entity),
        TEST(test_answer_of_wrong_kind),
        TEST(test_answer_error),
        TEST(test_end_by_timeout),
        TEST(test_end_late_answer_is_dropped),
        TEST(test_end_by_cancel),
        TEST(test_end_cancel_and_ask_in_function),
        TEST(test_end_by_connection),
        TEST(test_end_by_abort_and_disconnect),
        TEST(test_end_older_session),
        TEST(test_end_with_client),
        TEST(test_id_is_added_and_unguessable),
        TEST(test_request_refused),
        TEST(test_request_queue_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
