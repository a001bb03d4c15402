/* Who gets a received stanza, and what is answered when nobody does. */
#include "client/dispatch.h"
#include "fake/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CLIENT_NS "jabber:client"

static struct talk talk;
static char called[400]; /* names of the handlers in the order of their calls */

/* What a handler does when it is called. */
struct plan {
    const char *name;
    int result;
    xmpp_slot *cancel; /* this one */
    const struct plan *add; /* registers this */
    const char *send; /* an answer */
    bool disconnect;
    bool abort;
    unsigned destroyed;
    char lang[8]; /* of what it got */
};

static int on_stanza(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    struct plan *plan = user_data;

    strcat(called, plan->name);
    if (xmpp_elem_get_lang(stanza))
        snprintf(plan->lang, sizeof plan->lang, "%s", xmpp_elem_get_lang(stanza));
    if (plan->cancel)
        xmpp_slot_cancel(plan->cancel);
    if (plan->add)
        assert_int_equal(xmpp_client_add_handler(client, NULL, XMPP_MESSAGE, NULL, NULL, on_stanza,
                                                 (void *)(size_t)plan->add, NULL),
                         XMPP_OK);
    if (plan->send)
        assert_int_equal(talk_send(&talk, plan->send), XMPP_OK);
    if (plan->disconnect)
        xmpp_client_disconnect(client);
    if (plan->abort)
        xmpp_client_abort(client);
    return plan->result;
}

static void on_destroy(void *user_data)
{
    struct plan *plan = user_data;

    plan->destroyed++;
}

static int setup(void **state)
{
    (void)state;
    called[0] = '\0';
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

static xmpp_slot *handle(int kinds, const char *ns, const char *name, struct plan *plan)
{
    xmpp_slot *slot;

    assert_int_equal(
        xmpp_client_add_handler(talk.client, &slot, kinds, ns, name, on_stanza, plan, on_destroy),
        XMPP_OK);
    return slot;
}

static void expect_calls(const char *xml, const char *names)
{
    called[0] = '\0';
    talk_say(&talk, xml);
    assert_string_equal(called, names);
}

/* --- order --- */

static void test_order_by_priority_then_age(void **state)
{
    struct plan a = {"a", 0}, b = {"b", 0}, c = {"c", 0}, d = {"d", 0}, e = {"e", 0};
    xmpp_slot *sa = handle(XMPP_MESSAGE, NULL, NULL, &a);
    xmpp_slot *sb = handle(XMPP_MESSAGE, CLIENT_NS, "body", &b);
    xmpp_slot *sc = handle(XMPP_MESSAGE, NULL, "body", &c);
    xmpp_slot *sd = handle(XMPP_MESSAGE, CLIENT_NS, NULL, &d);
    xmpp_slot *se = handle(XMPP_MESSAGE, CLIENT_NS, "body", &e);

    (void)state;
    expect_calls("<message><body/></message>", "abcde");
    xmpp_slot_unref(sd);
    xmpp_slot_unref(sb);
    sd = handle(XMPP_MESSAGE, NULL, NULL, &d);
    sb = handle(XMPP_MESSAGE, CLIENT_NS, "body", &b);
    assert_int_equal(xmpp_slot_set_priority(sd, -1), XMPP_OK);
    assert_int_equal(xmpp_slot_set_priority(sb, 7), XMPP_OK);
    expect_calls("<message><body/></message>", "daceb");
    expect_calls("<message/>", "da");
    xmpp_slot_unref(sa);
    xmpp_slot_unref(sb);
    xmpp_slot_unref(sc);
    xmpp_slot_unref(sd);
    xmpp_slot_unref(se);
    expect_calls("<message><body/></message>", "");
    assert_int_equal(a.destroyed + b.destroyed + c.destroyed + d.destroyed + e.destroyed, 7);
}

static void test_order_done_ends_it(void **state)
{
    struct plan a = {"a", XMPP_PASS}, b = {"b", XMPP_DONE}, c = {"c", XMPP_PASS};

    (void)state;
    xmpp_slot *slots[] = {handle(XMPP_MESSAGE, NULL, NULL, &a),
                          handle(XMPP_MESSAGE, NULL, NULL, &b),
                          handle(XMPP_MESSAGE, NULL, NULL, &c)};
    expect_calls("<message/>", "ab");
    b.result = XMPP_ERR_INVAL; /* a failure ends it too */
    expect_calls("<message/>", "ab");
    assert_true(talk_is_silent(&talk));
    for (size_t i = 0; i < 3; i++)
        xmpp_slot_unref(slots[i]);
}

static void test_match_once_per_stanza(void **state)
{
    struct plan a = {"a", 0}, b = {"b", 0};
    xmpp_slot *sa = handle(XMPP_MESSAGE, CLIENT_NS, "body", &a);
    xmpp_slot *sb = handle(XMPP_MESSAGE, NULL, NULL, &b);

    (void)state;
    expect_calls("<message><body/><body/><x xmlns='urn:x'/><body/></message>", "ab");
    xmpp_slot_unref(sa);
    xmpp_slot_unref(sb);
}

static void test_match_wildcards(void **state)
{
    struct plan a = {"a", 0}, b = {"b", 0}, c = {"c", 0}, d = {"d", 0};
    xmpp_slot *slots[] = {
        handle(XMPP_MESSAGE | XMPP_PRESENCE, "urn:x", "x", &a),
        handle(XMPP_MESSAGE | XMPP_PRESENCE, "urn:x", NULL, &b),
        handle(XMPP_MESSAGE | XMPP_PRESENCE, NULL, "x", &c),
        handle(XMPP_PRESENCE, NULL, NULL, &d),
    };

    (void)state;
    expect_calls("<message><x xmlns='urn:x'/></message>", "abc");
    expect_calls("<message><y xmlns='urn:x'/></message>", "b");
    expect_calls("<message><x xmlns='urn:y'/></message>", "c");
    expect_calls("<message><y xmlns='urn:y'/></message>", "");
    expect_calls("<presence><x xmlns='urn:x'/></presence>", "abcd");
    expect_calls("<presence/>", "d");
    /* the payload is a child: deeper ones do not count */
    expect_calls("<message><z xmlns='urn:z'><x xmlns='urn:x'/></z></message>", "");
    for (size_t i = 0; i < 4; i++)
        xmpp_slot_unref(slots[i]);
}

static void test_match_giant_names(void **state)
{
    struct plan a = {"a", 0};
    xmpp_slot *slot = handle(XMPP_MESSAGE, NULL, NULL, &a);
    char xml[2048];
    char name[1024];

    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(xml, sizeof xml, "<message><%s xmlns='urn:x'/></message>", name);
    expect_calls(xml, "a");
    assert_int_equal(xmpp_client_add_handler(talk.client, NULL, XMPP_MESSAGE, "urn:x", name,
                                             on_stanza, &a, on_destroy),
                     XMPP_ERR_INVAL);
    assert_int_equal(a.destroyed, 0);
    xmpp_slot_unref(slot);
}

/* --- changes while a stanza is being dispatched --- */

static void test_change_registered_during_dispatch(void **state)
{
    static struct plan late = {"L", 0};
    struct plan a = {"a", 0};
    xmpp_slot *slot = handle(XMPP_MESSAGE, NULL, NULL, &a);

    (void)state;
    a.add = &late;
    expect_calls("<message/>", "a");
    a.add = NULL;
    expect_calls("<message/>", "aL");
    xmpp_slot_unref(slot);
}

static void test_change_cancelled_during_dispatch(void **state)
{
    struct plan a = {"a", 0}, b = {"b", 0}, c = {"c", 0};
    xmpp_slot *sa = handle(XMPP_MESSAGE, NULL, NULL, &a);
    xmpp_slot *sb = handle(XMPP_MESSAGE, CLIENT_NS, "body", &b);
    xmpp_slot *sc = handle(XMPP_MESSAGE, NULL, NULL, &c);

    (void)state;
    a.cancel = sb; /* the next one */
    c.cancel = sc; /* itself */
    expect_calls("<message><body/></message>", "ac");
    assert_false(xmpp_slot_is_active(sb));
    assert_int_equal(b.destroyed, 1);
    assert_int_equal(c.destroyed, 1);
    expect_calls("<message><body/></message>", "a");
    xmpp_slot_unref(sa);
    xmpp_slot_unref(sb);
    xmpp_slot_unref(sc);
    assert_int_equal(a.destroyed + b.destroyed + c.destroyed, 3);
}

static void test_change_disconnect_in_handler(void **state)
{
    struct plan a = {"a", 0}, b = {"b", 0};
    xmpp_slot *sa = handle(XMPP_MESSAGE | XMPP_IQ, NULL, NULL, &a);
    xmpp_slot *sb = handle(XMPP_MESSAGE | XMPP_IQ, NULL, NULL, &b);

    (void)state;
    a.abort = true;
    expect_calls("<iq type='get' id='1'><q xmlns='urn:q'/></iq><message/>", "ab");
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_IDLE);
    assert_int_equal(talk.ends, 1);
    assert_true(talk_is_silent(&talk)); /* nothing is answered any more */
    xmpp_slot_unref(sa);
    xmpp_slot_unref(sb);
}

/* --- narrowing --- */

static void test_narrow_type(void **state)
{
    struct plan a = {"a", 0}, b = {"b", 0}, c = {"c", 0};
    xmpp_slot *sa = handle(XMPP_MESSAGE, NULL, NULL, &a);
    xmpp_slot *sb = handle(XMPP_MESSAGE, NULL, NULL, &b);
    xmpp_slot *sc = handle(XMPP_PRESENCE, NULL, NULL, &c);

    (void)state;
    assert_int_equal(xmpp_slot_match_type(sa, "chat"), XMPP_OK);
    assert_int_equal(xmpp_slot_match_type(sb, "normal"), XMPP_OK);
    assert_int_equal(xmpp_slot_match_type(sc, "unavailable"), XMPP_OK);
    expect_calls("<message type='chat'/>", "a");
    expect_calls("<message type='normal'/>", "b");
    expect_calls("<message/>", "b"); /* RFC 6121 5.2.2 */
    expect_calls("<message type='strange'/>", "b"); /* STZ-13 */
    expect_calls("<message type='error'/>", "");
    expect_calls("<presence/>", "");
    expect_calls("<presence type='unavailable'/>", "c");
    xmpp_slot_unref(sa);
    xmpp_slot_unref(sb);
    xmpp_slot_unref(sc);
}

static void test_narrow_from(void **state)
{
    struct plan full = {"f", 0}, bare = {"b", 0}, own = {"o", 0}, self = {"s", 0};
    xmpp_jid *jid;
    xmpp_jid *me;
    xmpp_slot *slots[] = {
        handle(XMPP_MESSAGE, NULL, NULL, &full),
        handle(XMPP_MESSAGE, NULL, NULL, &bare),
        handle(XMPP_MESSAGE, NULL, NULL, &own),
        handle(XMPP_MESSAGE, NULL, NULL, &self),
    };

    (void)state;
    xmpp_jid_parse(&jid, "bob@b.example/x");
    assert_int_equal(xmpp_slot_match_from(slots[0], jid, 0), XMPP_OK);
    assert_int_equal(xmpp_slot_match_from(slots[1], jid, 1), XMPP_OK);
    xmpp_jid_parse(&me, "user@a.example");
    assert_int_equal(xmpp_slot_match_from(slots[2], me, 0), XMPP_OK);
    assert_int_equal(xmpp_slot_match_from(slots[3], xmpp_client_get_jid(talk.client), 0), XMPP_OK);
    expect_calls("<message from='bob@b.example/x'/>", "fb");
    expect_calls("<message from='BOB@B.example/x'/>", "fb"); /* STZ-11, SEC-38 */
    expect_calls("<message from='bob@b.example/y'/>", "b");
    expect_calls("<message from='bob@b.example'/>", "b");
    expect_calls("<message from='b.example'/>", "");
    expect_calls("<message/>", "o"); /* STZ-02 */
    expect_calls("<message from='user@a.example'/>", "o");
    expect_calls("<message from='user@a.example/r1'/>", "s");
    /* SEC-03, SEC-06: nobody else is the own account */
    expect_calls("<message from='a.example'/>", "");
    expect_calls("<message from='user@a.example/other'/>", "");
    expect_calls("<message from='mallory@a.example'/>", "");
    for (size_t i = 0; i < 4; i++)
        xmpp_slot_unref(slots[i]);
    xmpp_jid_unref(jid);
    xmpp_jid_unref(me);
}

static void test_narrow_id(void **state)
{
    struct plan a = {"a", 0};
    xmpp_slot *slot = handle(XMPP_PRESENCE | XMPP_MESSAGE, NULL, NULL, &a);

    (void)state;
    assert_int_equal(xmpp_slot_match_id(slot, "other"), XMPP_OK);
    assert_int_equal(xmpp_slot_match_id(slot, "seven"), XMPP_OK);
    expect_calls("<presence id='seven'/><presence/><message id='other'/>", "a");
    xmpp_slot_unref(slot);
}

static void test_narrow_too_late(void **state)
{
    struct plan a = {"a", 0};
    xmpp_slot *slot = handle(XMPP_MESSAGE, NULL, NULL, &a);

    (void)state;
    expect_calls("<message/>", "a");
    assert_int_equal(xmpp_slot_match_type(slot, "chat"), XMPP_ERR_STATE);
    assert_int_equal(xmpp_slot_match_id(slot, "x"), XMPP_ERR_STATE);
    assert_int_equal(xmpp_slot_match_from(slot, talk.jid, 0), XMPP_ERR_STATE);
    assert_int_equal(xmpp_slot_set_priority(slot, 1), XMPP_ERR_STATE);
    expect_calls("<message/>", "a");
    xmpp_slot_cancel(slot);
    assert_int_equal(xmpp_slot_match_type(slot, "chat"), XMPP_ERR_STATE);
    xmpp_slot_unref(slot);
}

/* --- IQ --- */

#define GET   "<iq type='get' id='i1' from='bob@b.example/x'><q xmlns='urn:q'/></iq>"
#define ERROR "<iq type='error' id='i1' to='bob@b.example/x'>"

static void test_iq_unanswered(void **state)
{
    struct plan a = {"a", XMPP_PASS};
    xmpp_slot *slot;

    (void)state;
    /* STZ-07, STZ-17 */
    talk_say(&talk, GET);
    assert_true(talk_hears(&talk, ERROR "<error type='cancel'><service-unavailable "
                                        "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                                        "</error></iq>"));
    slot = handle(XMPP_IQ, "urn:q", "q", &a);
    expect_calls("<iq type='set' id='i2'><q xmlns='urn:q'/></iq>", "a");
    assert_true(talk_hears(&talk, "<iq type='error' id='i2'><error type='cancel'>"
                                  "<service-unavailable "
                                  "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"));
    assert_true(talk_is_silent(&talk));
    xmpp_slot_unref(slot);
}

static void test_iq_answered_by_handler(void **state)
{
    struct plan a = {"a", XMPP_DONE}, b = {"b", XMPP_DONE};
    xmpp_slot *sa = handle(XMPP_IQ, "urn:q", "q", &a);
    xmpp_slot *sb = handle(XMPP_IQ, "urn:q", "q", &b);
    static const char result[] = "<iq xmlns='jabber:client' type='result' id='i1' "
                                 "to='bob@b.example/x'/>";

    (void)state;
    /* answers later */
    expect_calls(GET, "a");
    assert_true(talk_is_silent(&talk));
    /* answers now */
    a.send = result;
    expect_calls(GET, "a");
    assert_true(talk_hears(&talk, "<iq type='result' id='i1' to='bob@b.example/x'/>"));
    assert_true(talk_is_silent(&talk));
    /* answers, and passes on nevertheless, or fails: there is one answer */
    a.result = XMPP_PASS;
    expect_calls(GET, "a");
    assert_true(talk_hears(&talk, "<iq type='result' id='i1' to='bob@b.example/x'/>"));
    assert_true(talk_is_silent(&talk));
    a.result = XMPP_ERR_NOTFOUND;
    expect_calls(GET, "a");
    assert_true(talk_hears(&talk, "<iq type='result' id='i1' to='bob@b.example/x'/>"));
    assert_true(talk_is_silent(&talk));
    /* what is sent to somebody else is no answer, nor is another id, kind or type */
    a.result = XMPP_PASS;
    b.result = XMPP_PASS;
    b.send = "<iq xmlns='jabber:client' type='result' id='i2' to='bob@b.example/x'/>";
    a.send = "<iq xmlns='jabber:client' type='result' id='i1' to='bob@b.example/y'/>";
    expect_calls(GET, "ab");
    assert_true(talk_hears(&talk, "<iq type='result' id='i1' to='bob@b.example/y'/>"
                                  "<iq type='result' id='i2' to='bob@b.example/x'/>" ERROR
                                  "<error type='cancel'><service-unavailable "
                                  "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"));
    a.send = "<message xmlns='jabber:client' type='result' id='i1' to='bob@b.example/x'/>";
    b.send = "<iq xmlns='jabber:client' type='get' id='i1' to='bob@b.example/x'><q/></iq>";
    expect_calls(GET, "ab");
    assert_true(talk_hears(&talk, "<message type='result' id='i1' to='bob@b.example/x'/>"
                                  "<iq type='get' id='i1' to='bob@b.example/x'><q/></iq>" ERROR
                                  "<error type='cancel'><service-unavailable "
                                  "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"));
    assert_true(talk_is_silent(&talk));
    xmpp_slot_unref(sa);
    xmpp_slot_unref(sb);
}

static void test_iq_handler_fails(void **state)
{
    struct plan a = {"a", XMPP_ERR_NOTFOUND}, b = {"b", XMPP_DONE};
    xmpp_slot *sa = handle(XMPP_IQ, "urn:q", "q", &a);
    xmpp_slot *sb = handle(XMPP_IQ, "urn:q", "q", &b);

    (void)state;
    expect_calls(GET, "a");
    assert_true(talk_hears(&talk, ERROR "<error type='wait'><internal-server-error "
                                        "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                                        "</error></iq>"));
    assert_true(talk_is_silent(&talk));
    xmpp_slot_unref(sa);
    xmpp_slot_unref(sb);
}

static void expect_bad_request(const char *xml, const char *id)
{
    char pattern[400];

    expect_calls(xml, "");
    snprintf(pattern, sizeof pattern,
             "<iq type='error'%s><error type='modify'><bad-request "
             "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
             id);
    assert_true(talk_hears(&talk, pattern));
    assert_true(talk_is_silent(&talk));
}

static void test_iq_bad_shapes(void **state)
{
    struct plan a = {"a", XMPP_DONE};
    xmpp_slot *slot = handle(XMPP_IQ, NULL, NULL, &a);

    (void)state;
    /* STZ-06, STZ-07, STZ-13 */
    expect_bad_request("<iq type='get' id='1'/>", " id='1'");
    expect_bad_request("<iq type='set' id='2'><a xmlns='urn:a'/><b xmlns='urn:b'/></iq>",
                       " id='2'");
    expect_bad_request("<iq type='put' id='3'><a xmlns='urn:a'/></iq>", " id='3'");
    expect_bad_request("<iq id='4'><a xmlns='urn:a'/></iq>", " id='4'");
    expect_bad_request("<iq type='get'><a xmlns='urn:a'/></iq>", "");
    xmpp_slot_unref(slot);
}

static void test_iq_results_are_never_answered(void **state)
{
    struct plan any = {"a", XMPP_ERR_INVAL}, narrow = {"n", XMPP_PASS};
    xmpp_slot *sa = handle(XMPP_IQ, NULL, NULL, &any);
    xmpp_slot *sn = handle(XMPP_IQ, NULL, NULL, &narrow);

    (void)state;
    assert_int_equal(xmpp_slot_match_type(sn, "result"), XMPP_OK);
    /* STZ-08; SEC-03, SEC-06: an unsolicited result is no push */
    expect_calls("<iq type='result' id='1'><q xmlns='urn:q'/></iq>", "n");
    expect_calls("<iq type='result'/>", "n");
    expect_calls("<iq type='result' id='1'><a xmlns='urn:a'/><b xmlns='urn:b'/></iq>", "n");
    expect_calls("<iq type='error' id='1'><error type='cancel'/></iq>", "");
    expect_calls("<iq type='error'/>", "");
    assert_true(talk_is_silent(&talk));
    xmpp_slot_unref(sa);
    xmpp_slot_unref(sn);
}

/* --- what is wrong with a stanza --- */

static void test_from_malformed(void **state)
{
    struct plan a = {"a", XMPP_DONE};
    xmpp_slot *slot = handle(XMPP_MESSAGE | XMPP_PRESENCE | XMPP_IQ, NULL, NULL, &a);

    (void)state;
    /* JID-16, SEC-38 */
    expect_calls("<message from='@a.example'/><presence from='a.example/'/>"
                 "<iq type='get' id='1' from='user@a.example/'><q xmlns='urn:q'/></iq>"
                 "<message from=''/>",
                 "");
    assert_true(talk_is_silent(&talk));
    expect_calls("<message to='@@@'/>", "a");
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_READY);
    xmpp_slot_unref(slot);
}

static void test_presence_types(void **state)
{
    static const char *const types[] = {"unavailable",  "subscribe", "subscribed", "unsubscribe",
                                        "unsubscribed", "probe",     "error"};
    struct plan a = {"a", 0};
    xmpp_slot *slot = handle(XMPP_PRESENCE, NULL, NULL, &a);
    char xml[100];

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        snprintf(xml, sizeof xml, "<presence type='%s'/>", types[i]);
        expect_calls(xml, "a");
    }
    expect_calls("<presence type='available'/><presence type=''/>", ""); /* STZ-13 */
    assert_true(talk_is_silent(&talk));
    xmpp_slot_unref(slot);
}

static void test_unknown_top_level(void **state)
{
    struct plan a = {"a", 0};
    xmpp_slot *slot = handle(XMPP_MESSAGE | XMPP_PRESENCE | XMPP_IQ, NULL, NULL, &a);

    (void)state;
    expect_calls("<strange xmlns='urn:s'/><message xmlns='urn:s'/><message/>", "a"); /* STZ-18 */
    xmpp_slot_unref(slot);
}

static void test_stanza_language(void **state)
{
    struct plan a = {"a", 0};
    xmpp_slot *slot = handle(XMPP_MESSAGE, NULL, NULL, &a);

    (void)state;
    talk_feed(&talk, "<message/>");
    fake_run(talk.loop);
    assert_string_equal(called, "a");
    assert_string_equal(a.lang, "en"); /* STZ-19 */
    xmpp_slot_unref(slot);
}

/* --- the client goes --- */

static void test_clear_retires_and_destroys_once(void **state)
{
    struct plan a = {"a", 0}, b = {"b", 0};
    xmpp_slot *slot = handle(XMPP_MESSAGE, NULL, NULL, &a);

    (void)state;
    assert_int_equal(xmpp_client_add_handler(talk.client, NULL, XMPP_IQ, "urn:x", NULL, on_stanza,
                                             &b, on_destroy),
                     XMPP_OK);
    talk.client = xmpp_client_unref(talk.client);
    assert_int_equal(a.destroyed, 1);
    assert_int_equal(b.destroyed, 1);
    assert_false(xmpp_slot_is_active(slot));
    assert_int_equal(xmpp_slot_set_priority(slot, 3), XMPP_ERR_STATE);
    assert_int_equal(xmpp_slot_cancel(slot), XMPP_OK);
    talk.loop = xmpp_loop_unref(talk.loop);
    xmpp_slot_unref(slot); /* it kept the loop */
    assert_int_equal(a.destroyed, 1);
}

static void test_add_handler_invalid(void **state)
{
    struct plan a = {"a", 0};

    (void)state;
    assert_int_equal(
        xmpp_client_add_handler(NULL, NULL, XMPP_IQ, NULL, NULL, on_stanza, &a, on_destroy),
        XMPP_ERR_INVAL);
    assert_int_equal(
        xmpp_client_add_handler(talk.client, NULL, XMPP_IQ, NULL, NULL, NULL, &a, on_destroy),
        XMPP_ERR_INVAL);
    assert_int_equal(
        xmpp_client_add_handler(talk.client, NULL, 0, NULL, NULL, on_stanza, &a, on_destroy),
        XMPP_ERR_INVAL);
    assert_int_equal(
        xmpp_client_add_handler(talk.client, NULL, 8, NULL, NULL, on_stanza, &a, on_destroy),
        XMPP_ERR_INVAL);
    assert_int_equal(a.destroyed, 0);
}

static void test_many_handlers_and_stanzas(void **state)
{
    static xmpp_slot *slots[1000];
    struct plan a = {"", 0}, z = {"z", 0};
    xmpp_slot *last;
    char ns[32];

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        snprintf(ns, sizeof ns, "urn:n%zu", i);
        slots[i] = handle(XMPP_MESSAGE, ns, i % 2 ? NULL : "x", &a);
    }
    last = handle(XMPP_MESSAGE, NULL, NULL, &z);
    /* more than a turn's share, in one read */
    for (size_t i = 0; i < 200; i++)
        talk_feed(&talk, "<message><x xmlns='urn:n501'/></message>");
    fake_run(talk.loop);
    assert_int_equal(strlen(called), 200);
    assert_int_equal(xmpp_client_get_stat(talk.client, XMPP_STAT_STANZAS_IN), 200);
    for (size_t i = 0; i < 1000; i++)
        xmpp_slot_unref(slots[i]);
    xmpp_slot_unref(last);
    assert_int_equal(a.destroyed, 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order_by_priority_then_age),
        TEST(test_order_done_ends_it),
        TEST(test_match_once_per_stanza),
        TEST(test_match_wildcards),
        TEST(test_match_giant_names),
        TEST(test_change_registered_during_dispatch),
        TEST(test_change_cancelled_during_dispatch),
        TEST(test_change_disconnect_in_handler),
        TEST(test_narrow_type),
        TEST(test_narrow_from),
        TEST(test_narrow_id),
        TEST(test_narrow_too_late),
        TEST(test_iq_unanswered),
        TEST(test_iq_answered_by_handler),
        TEST(test_iq_handler_fails),
        TEST(test_iq_bad_shapes),
        TEST(test_iq_results_are_never_answered),
        TEST(test_from_malformed),
        TEST(test_presence_types),
        TEST(test_unknown_top_level),
        TEST(test_stanza_language),
        TEST(test_clear_retires_and_destroys_once),
        TEST(test_add_handler_invalid),
        TEST(test_many_handlers_and_stanzas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
