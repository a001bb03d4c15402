#include "xml/stanza.h"

#include "support/torture.h"
#include "xml-tools.h"
#include "xml/ns.h"

#include <ctype.h>

static xmpp_jid *must_jid(const char *str)
{
    xmpp_jid *jid = NULL;

    assert_int_equal(xmpp_jid_parse(&jid, str), XMPP_OK);
    return jid;
}

static void test_elem_create_stanza(void **state)
{
    static const struct {
        int kind;
        const char *type;
        const char *name;
    } cases[] = {
        {XMPP_MESSAGE, "chat", "message"},
        {XMPP_MESSAGE, NULL, "message"},
        {XMPP_PRESENCE, NULL, "presence"},
        {XMPP_PRESENCE, "subscribe", "presence"},
        {XMPP_IQ, "get", "iq"},
        {XMPP_IQ, "set", "iq"},
        {XMPP_IQ, "result", "iq"},
        {XMPP_IQ, "error", "iq"},
    };
    xmpp_jid *to = must_jid("juliet@example.com/balcony");

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        xmpp_elem *elem;

        assert_int_equal(xmpp_elem_create_stanza(&elem, cases[i].kind, cases[i].type, to), XMPP_OK);
        assert_true(xmpp_elem_is(elem, NS_CLIENT, cases[i].name));
        assert_int_equal(xmpp_elem_get_kind(elem), cases[i].kind);
        assert_true(same_str(xmpp_elem_get_attr(elem, "type"), cases[i].type));
        assert_string_equal(xmpp_elem_get_attr(elem, "to"), "juliet@example.com/balcony");
        assert_ptr_equal(xmpp_elem_get_to(elem), to);
        assert_null(xmpp_elem_get_from(elem)); /* STZ-04 */
        assert_null(xmpp_elem_get_attr(elem, "from"));
        assert_false(xmpp_elem_is_sealed(elem));
        assert_int_equal(xmpp_elem_seal(elem), XMPP_OK);
        assert_ptr_equal(xmpp_elem_get_to(elem), to);
        xmpp_elem_unref(elem);
    }
    xmpp_jid_unref(to);
}

/* STZ-05 */
static void test_elem_create_stanza_ids(void **state)
{
    char ids[100][32];

    (void)state;
    for (int i = 0; i < 100; i++) {
        xmpp_elem *elem;
        const char *id;

        assert_int_equal(xmpp_elem_create_stanza(&elem, 1 << i % 3, "get", NULL), XMPP_OK);
        id = xmpp_elem_get_attr(elem, "id");
        assert_non_null(id);
        assert_int_equal(strlen(id), 20);
        for (const char *p = id; *p; p++)
            assert_true(isalnum((unsigned char)*p));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(ids[k], id);
        strcpy(ids[i], id);
        xmpp_elem_unref(elem);
    }
}

static void test_elem_create_stanza_bad(void **state)
{
    xmpp_elem *elem = (xmpp_elem *)&elem;

    (void)state;
    assert_int_equal(xmpp_elem_create_stanza(NULL, XMPP_IQ, "get", NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create_stanza(&elem, 0, "get", NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create_stanza(&elem, 3, "get", NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create_stanza(&elem, XMPP_IQ, NULL, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create_stanza(&elem, XMPP_IQ, "chat", NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create_stanza(&elem, XMPP_MESSAGE, "\x01", NULL), XMPP_ERR_INVAL);
    assert_ptr_equal(elem, &elem);
}

static void test_elem_get_kind(void **state)
{
    static const struct {
        const char *xml;
        int kind;
    } cases[] = {
        {"<message xmlns='jabber:client'/>", XMPP_MESSAGE},
        {"<presence xmlns='jabber:client'/>", XMPP_PRESENCE},
        {"<iq xmlns='jabber:client'/>", XMPP_IQ},
        {"<iq xmlns='jabber:server'/>", 0},
        {"<iq/>", 0},
        {"<iqs xmlns='jabber:client'/>", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        xmpp_elem *elem = must_parse(cases[i].xml);

        assert_int_equal(xmpp_elem_get_kind(elem), cases[i].kind);
        xmpp_elem_unref(elem);
    }
}

/* The addresses follow the attributes. */
static void test_elem_get_to_after_changes(void **state)
{
    xmpp_jid *to = must_jid("a@b");
    xmpp_elem *elem;

    (void)state;
    assert_int_equal(xmpp_elem_create_stanza(&elem, XMPP_MESSAGE, NULL, to), XMPP_OK);
    xmpp_jid_unref(to);
    assert_int_equal(xmpp_elem_set_attr(elem, "to", "c@d"), XMPP_OK);
    assert_null(xmpp_elem_get_to(elem));
    assert_int_equal(xmpp_elem_set_attr(elem, "from", "@"), XMPP_OK);
    assert_int_equal(xmpp_elem_seal(elem), XMPP_OK);
    assert_string_equal(xmpp_jid_get_str(xmpp_elem_get_to(elem)), "c@d");
    assert_null(xmpp_elem_get_from(elem)); /* invalid */
    assert_string_equal(xmpp_elem_get_attr(elem, "from"), "@");
    xmpp_elem_unref(elem);
}

static void test_elem_create_reply_iq(void **state)
{
    xmpp_elem *request = must_parse("<iq xmlns='jabber:client' type='get' id='i&lt;1' from='a@b/c' "
                                    "to='d@e/f'><q xmlns='u'/></iq>");
    xmpp_elem *reply;

    (void)state;
    assert_int_equal(xmpp_elem_create_reply(&reply, request), XMPP_OK);
    assert_xml(reply, "<iq xmlns='jabber:client' type='result' to='a@b/c' id='i&lt;1'/>");
    assert_non_null(xmpp_elem_add_child(reply, "u", "q"));
    assert_int_equal(xmpp_elem_seal(reply), XMPP_OK);
    assert_string_equal(xmpp_jid_get_str(xmpp_elem_get_to(reply)), "a@b/c");
    xmpp_elem_unref(reply);
    xmpp_elem_unref(request);

    /* from the own server: the answer has no address either; STZ-01 */
    request = must_parse("<iq xmlns='jabber:client' type='set'/>");
    assert_int_equal(xmpp_elem_create_reply(&reply, request), XMPP_OK);
    assert_xml(reply, "<iq xmlns='jabber:client' type='result'/>");
    xmpp_elem_unref(reply);
    xmpp_elem_unref(request);
}

static void test_elem_create_reply_message(void **state)
{
    xmpp_elem *request =
        must_parse("<message xmlns='jabber:client' type='chat' id='1' from='a@b/c'/>");
    xmpp_elem *reply;

    (void)state;
    assert_int_equal(xmpp_elem_create_reply(&reply, request), XMPP_OK);
    assert_string_equal(xmpp_elem_get_attr(reply, "type"), "chat");
    assert_string_equal(xmpp_elem_get_attr(reply, "to"), "a@b/c");
    assert_int_equal(strlen(xmpp_elem_get_attr(reply, "id")), 20);
    xmpp_elem_unref(reply);
    xmpp_elem_unref(request);

    request = must_parse("<message xmlns='jabber:client' type='groupchat' from='room@b/nick'/>");
    assert_int_equal(xmpp_elem_create_reply(&reply, request), XMPP_OK);
    assert_string_equal(xmpp_elem_get_attr(reply, "to"), "room@b");
    xmpp_elem_unref(reply);
    xmpp_elem_unref(request);
}

/* STZ-08 */
static void test_elem_create_reply_refused(void **state)
{
    static const char *const refused[] = {
        "<iq xmlns='jabber:client' type='result'/>",
        "<iq xmlns='jabber:client' type='error'/>",
        "<iq xmlns='jabber:client'/>",
        "<iq xmlns='jabber:client' type='x'/>",
        "<message xmlns='jabber:client' type='error'/>",
        "<presence xmlns='jabber:client' type='error'/>",
        "<iq type='get'/>",
        "<other xmlns='jabber:client' type='get'/>",
    };
    xmpp_elem *elem = (xmpp_elem *)&elem;
    xmpp_elem *request;

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        request = must_parse(refused[i]);
        assert_int_equal(xmpp_elem_create_reply(&elem, request), XMPP_ERR_INVAL);
        assert_int_equal(xmpp_elem_create_error(&elem, request, "cancel", "conflict", NULL),
                         XMPP_ERR_INVAL);
        xmpp_elem_unref(request);
    }
    assert_int_equal(xmpp_elem_create_reply(&elem, NULL), XMPP_ERR_INVAL);
    request = must_parse("<presence xmlns='jabber:client'/>");
    assert_int_equal(xmpp_elem_create_reply(&elem, request), XMPP_ERR_INVAL);
    xmpp_elem_unref(request);
    assert_ptr_equal(elem, &elem);
}

/* STZ-14 */
static void test_elem_create_error(void **state)
{
    xmpp_elem *request = must_parse(
        "<iq xmlns='jabber:client' type='set' id='7' from='a@b/c' to='d@e'><q xmlns='u'/></iq>");
    xmpp_elem *error;

    (void)state;
    assert_int_equal(xmpp_elem_create_error(&error, request, "auth", "forbidden", "No & no"),
                     XMPP_OK);
    assert_xml(error, "<iq xmlns='jabber:client' type='error' to='a@b/c' id='7'><error type='auth'>"
                      "<forbidden xmlns='" NS_STANZAS "'/><text xmlns='" NS_STANZAS
                      "'>No &amp; no</text></error></iq>");
    assert_int_equal(xmpp_elem_seal(error), XMPP_OK);
    xmpp_elem_unref(error);
    xmpp_elem_unref(request);

    request = must_parse("<presence xmlns='jabber:client' from='a@b/c'/>");
    assert_int_equal(xmpp_elem_create_error(&error, request, "modify", "jid-malformed", NULL),
                     XMPP_OK);
    assert_xml(error,
               "<presence xmlns='jabber:client' type='error' to='a@b/c'><error type='modify'>"
               "<jid-malformed xmlns='" NS_STANZAS "'/></error></presence>");
    xmpp_elem_unref(error);
    xmpp_elem_unref(request);
}

/* STZ-15: the 22 conditions and 5 types, and no others */
static void test_elem_create_error_conditions(void **state)
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
    static const char *const types[] = {"auth", "cancel", "continue", "modify", "wait"};
    static const char *const bad[] = {"", "Conflict", "text", "unknown", "not-well-formed", NULL};
    xmpp_elem *request = must_parse("<message xmlns='jabber:client'/>");
    xmpp_elem *error;

    (void)state;
    assert_int_equal(sizeof conditions / sizeof *conditions, 22);
    for (size_t i = 0; i < 22; i++) {
        assert_int_equal(xmpp_elem_create_error(&error, request, types[i % 5], conditions[i], NULL),
                         XMPP_OK);
        xmpp_elem_unref(error);
    }
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(xmpp_elem_create_error(&error, request, "cancel", bad[i], NULL),
                         XMPP_ERR_INVAL);
        assert_int_equal(xmpp_elem_create_error(&error, request, bad[i], "conflict", NULL),
                         XMPP_ERR_INVAL);
    }
    assert_int_equal(xmpp_elem_create_error(NULL, request, "cancel", "conflict", NULL),
                     XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create_error(&error, NULL, "cancel", "conflict", NULL),
                     XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create_error(&error, request, "cancel", "conflict", "\x01"),
                     XMPP_ERR_INVAL);
    xmpp_elem_unref(request);
}

/* STZ-14 */
static void test_stanza_known_condition(void **state)
{
    char name[] = "item-not-found";
    const char *known = stanza_known_condition(name);

    (void)state;
    assert_string_equal(known, name);
    assert_ptr_not_equal(known, name);
    assert_string_equal(stanza_known_condition("out-of-coffee"), "undefined-condition");
    assert_string_equal(stanza_known_condition(""), "undefined-condition");
    assert_string_equal(stanza_known_condition(NULL), "undefined-condition");
}

static int scenario(void *data)
{
    xmpp_elem *request = data;
    xmpp_elem *elem;
    int r;

    r = xmpp_elem_create_stanza(&elem, XMPP_IQ, "get", xmpp_elem_get_from(request));
    if (r < 0)
        return r;
    r = xmpp_elem_seal(elem);
    xmpp_elem_unref(elem);
    if (r < 0)
        return r;
    r = xmpp_elem_create_reply(&elem, request);
    if (r < 0)
        return r;
    r = xmpp_elem_seal(elem);
    xmpp_elem_unref(elem);
    if (r < 0)
        return r;
    r = xmpp_elem_create_error(&elem, request, "cancel", "conflict", "text");
    if (r < 0)
        return r;
    r = xmpp_elem_seal(elem);
    xmpp_elem_unref(elem);
    return r;
}

static void test_stanza_without_memory(void **state)
{
    xmpp_elem *request = must_parse("<iq xmlns='jabber:client' type='get' id='1' from='a@b/c'/>");

    (void)state;
    assert_int_equal(torture_run(scenario, request), XMPP_OK);
    xmpp_elem_unref(request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elem_create_stanza),
        cmocka_unit_test(test_elem_create_stanza_ids),
        cmocka_unit_test(test_elem_create_stanza_bad),
        cmocka_unit_test(test_elem_get_kind),
        cmocka_unit_test(test_elem_get_to_after_changes),
        cmocka_unit_test(test_elem_create_reply_iq),
        cmocka_unit_test(test_elem_create_reply_message),
        cmocka_unit_test(test_elem_create_reply_refused),
        cmocka_unit_test(test_elem_create_error),
        cmocka_unit_test(test_elem_create_error_conditions),
        cmocka_unit_test(test_stanza_known_condition),
        cmocka_unit_test(test_stanza_without_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
