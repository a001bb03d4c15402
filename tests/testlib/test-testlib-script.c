#include "user.h"

/* Scripts, patterns, functions of the test, and what passes between two clients. */

static struct user alice;
static struct user bob;

static unsigned events[9];

static void on_event(xmpp_test_server *from, xmpp_test_conn *conn, int event, void *user_data)
{
    assert_ptr_equal(from, server);
    assert_ptr_equal(user_data, &alice);
    assert_in_range(event, 1, 8);
    assert_int_equal(conn == NULL,
                     event == XMPP_TEST_EVENT_FINISHED || event == XMPP_TEST_EVENT_FAILED);
    events[event]++;
}

static void play(int from, const char *script)
{
    memset(events, 0, sizeof events);
    assert_int_equal(xmpp_test_server_set_event_fn(server, on_event, &alice, NULL), XMPP_OK);
    assert_int_equal(xmpp_test_server_play(server, from, script), XMPP_OK);
    assert_int_equal(xmpp_test_server_is_finished(server), 0);
    user_open(&alice);
}

static void check_finished(void)
{
    int r = xmpp_test_server_run(server, 20000000);

    if (r < 0)
        fail_msg("%s: %s", xmpp_err_name(r), xmpp_test_server_get_error(server));
    assert_int_equal(xmpp_test_server_is_finished(server), 1);
    assert_null(xmpp_test_server_get_error(server));
    assert_int_equal(events[XMPP_TEST_EVENT_FINISHED], 1);
    assert_int_equal(events[XMPP_TEST_EVENT_FAILED], 0);
}

static void check_failed(const char *error)
{
    assert_int_equal(xmpp_test_server_run(server, 20000000), XMPP_ERR_PROTOCOL);
    assert_string_equal(xmpp_test_server_get_error(server), error);
    assert_int_equal(xmpp_test_server_is_finished(server), XMPP_ERR_PROTOCOL);
    assert_int_equal(events[XMPP_TEST_EVENT_FINISHED], 0);
    assert_int_equal(events[XMPP_TEST_EVENT_FAILED], 1);
}

/* --- patterns --- */

static void test_elem_match(void **state)
{
    static const char xml[] =
        "<message xmlns='jabber:client' id='i1' to='bob@test.example/x' type='chat'>"
        "<subject>a &lt; b</subject><body>one</body><body xml:lang='de'>eins</body>"
        "<x xmlns='urn:x' a='1' b='1'/><x xmlns='urn:x' a='2' b='3'/></message>";
    static const struct {
        const char *pattern;
        int fits;
    } rows[] = {
        {"<message/>", 1},
        {"<message xmlns='jabber:client'/>", 1},
        {"<message xmlns='urn:other'/>", 0},
        {"<presence/>", 0},
        {"<message id='i1' type='chat'/>", 1},
        {"<message type='*'/>", 1},
        {"<message type='c*t' to='*@test.example/*'/>", 1},
        {"<message type='c*x'/>", 0},
        {"<message lang='*'/>", 0},
        {"<message from='!'/>", 1},
        {"<message type='!'/>", 0},
        {"<message><body>one</body></message>", 1},
        {"<message> <body>eins</body> </message>", 1},
        {"<message><body xml:lang='de'/></message>", 1},
        {"<message><body xml:lang='fr'/></message>", 0},
        {"<message><subject>a &lt; *</subject><body/></message>", 1},
        {"<message><body/><subject/></message>", 0}, /* order */
        {"<message><body/><body/></message>", 1},
        {"<message><body/><body/><body/></message>", 0},
        {"<message><x xmlns='urn:x' a='2'/></message>", 1},
        {"<message><x xmlns='urn:x' a='$1' b='$1'/></message>", 1},
        {"<message><x xmlns='urn:x' a='2' b='$1'/><x xmlns='urn:x'/></message>", 0},
        /* what the first child captured before it failed is forgotten */
        {"<message><x xmlns='urn:x' a='$1' b='3'/></message>", 1},
        {"<message id='$1'><x xmlns='urn:x' a='$1'/></message>", 0},
        {"<message", XMPP_ERR_INVAL},
        {"<message/><message/>", XMPP_ERR_INVAL},
        {"", XMPP_ERR_INVAL},
        {"text", XMPP_ERR_INVAL},
    };
    xmpp_elem *elem;

    (void)state;
    assert_int_equal(xmpp_elem_parse(&elem, xml, strlen(xml)), XMPP_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (xmpp_test_elem_match(elem, rows[i].pattern) != rows[i].fits)
            fail_msg("%s: %d", rows[i].pattern, xmpp_test_elem_match(elem, rows[i].pattern));
    assert_int_equal(xmpp_test_elem_match(NULL, "<a/>"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_elem_match(elem, NULL), XMPP_ERR_INVAL);
    xmpp_elem_unref(elem);
}

/* --- scripts after the login --- */

static void test_script_answers(void **state)
{
    (void)state;
    play(XMPP_TEST_FROM_READY, "# asks for something; the answer has its id\n"
                               "I: <presence/>\n"
                               "\n"
                               "C: <iq type='get' id='$1'><query xmlns='urn:q' node='$2'/></iq>\n"
                               "S: <iq type='result' id='$1' from='alice@test.example'>\r\n"
                               "\t<query xmlns='urn:q' node='$2'>$$1</query></iq>\n"
                               "C: <message><body>$2</body></message>");
    user_login(&alice, XMPP_TEST_STARTTLS, "alice");
    user_send(&alice, "<presence/>");
    user_request(&alice, "<iq type='get'><query xmlns='urn:q' node='&lt;&amp;'/></iq>", 0);
    user_wait_replies(&alice, 1);
    assert_int_equal(alice.reply_code, XMPP_OK);
    assert_int_equal(xmpp_test_elem_match(
                         alice.last, "<iq><query xmlns='urn:q' node='&lt;&amp;'>$1</query></iq>"),
                     1);
    assert_string_equal(xmpp_elem_get_text(xmpp_elem_first_child(alice.last, NULL, NULL)), "$1");
    assert_int_equal(xmpp_test_server_is_finished(server), 0);
    user_send(&alice, "<message><body>&lt;&amp;</body></message>");
    check_finished();
    /* then it is an ordinary server */
    user_request(&alice, "<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>", 0);
    user_wait_replies(&alice, 2);
    assert_int_equal(alice.reply_code, XMPP_OK);
    user_close(&alice);
}

static void test_script_speaks_first(void **state)
{
    (void)state;
    play(XMPP_TEST_FROM_READY, "S: <message id='1'/>\nWAIT 1000\nS: <message id='2'/>\n"
                               "ERROR system-shutdown");
    user_login(&alice, XMPP_TEST_DIRECT_TLS, "alice");
    user_wait_idle(&alice);
    assert_int_equal(alice.stanzas, 2);
    user_check_error(&alice, XMPP_ERR_STREAM, XMPP_PHASE_READY, "system-shutdown");
    check_finished();
    user_close(&alice);
}

static void test_script_ends(void **state)
{
    static const struct {
        const char *word;
        int code;
    } rows[] = {{"CLOSE", XMPP_ERR_CLOSED},
                {"DROP", XMPP_ERR_CLOSED},
                {"RESET", XMPP_ERR_SYSTEM},
                {"GARBAGE", XMPP_ERR_XML}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        play(XMPP_TEST_FROM_READY, rows[i].word);
        user_connect(&alice, XMPP_TEST_PLAIN, "alice");
        user_wait_idle(&alice);
        assert_int_equal(xmpp_error_get_code(alice.error), rows[i].code);
        check_finished();
        user_close(&alice);
    }
}

static void test_script_silence(void **state)
{
    (void)state;
    play(XMPP_TEST_FROM_READY, "SILENCE\nC: <iq/>");
    user_login(&alice, XMPP_TEST_PLAIN, "alice");
    user_request(&alice, "<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>", 50000);
    check_finished();
    user_wait_replies(&alice, 1);
    assert_int_equal(alice.reply_code, XMPP_ERR_TIMEOUT);
    user_close(&alice);
}

static void test_script_close_of_client(void **state)
{
    (void)state;
    play(XMPP_TEST_FROM_READY, "C: </stream:stream>\nCLOSE");
    user_login(&alice, XMPP_TEST_STARTTLS, "alice");
    assert_int_equal(xmpp_client_disconnect(alice.client), XMPP_OK);
    user_wait_idle(&alice);
    assert_null(alice.error);
    check_finished();
    user_close(&alice);
}

static void test_script_something_else(void **state)
{
    (void)state;
    play(XMPP_TEST_FROM_READY, "\nC: <message>\n  <body>x</body></message>");
    user_login(&alice, XMPP_TEST_PLAIN, "alice");
    user_send(&alice, "<presence id='1'/>");
    check_failed("script, line 2: expected <message><body>x</body></message>, got "
                 "<presence xmlns='jabber:client' id='1'/>");
    user_wait_idle(&alice);
    user_check_error(&alice, XMPP_ERR_SYSTEM, XMPP_PHASE_READY, NULL);
    /* the first error stays */
    assert_int_equal(xmpp_test_server_play(server, 0, "what"), XMPP_ERR_INVAL);
    assert_int_equal(events[XMPP_TEST_EVENT_FAILED], 1);
    user_close(&alice);
}

static void test_script_ends_too_early(void **state)
{
    (void)state;
    play(XMPP_TEST_FROM_READY, "C: <message/>");
    user_login(&alice, XMPP_TEST_PLAIN, "alice");
    assert_int_equal(xmpp_client_abort(alice.client), XMPP_OK);
    check_failed("script, line 1: expected <message/>, got the end of the connection");
    user_close(&alice);
}

static void test_script_never_begins(void **state)
{
    (void)state;
    play(XMPP_TEST_FROM_READY, "C: <message/>");
    assert_int_equal(xmpp_test_server_run(server, 1000), XMPP_ERR_TIMEOUT);
    assert_int_equal(xmpp_test_server_is_finished(server), 0);
    user_close(&alice);
}

static void test_script_unreadable(void **state)
{
    static const struct {
        const char *script;
        const char *error;
    } rows[] = {
        {"X: <a/>", "script, line 1: unknown word: X: <a/>"},
        {"# a\nC: <a>", "script, line 2: not one XML element: C: <a>"},
        {"C:", "script, line 1: not one XML element: C:"},
        {"S:", "script, line 1: nothing to send: S:"},
        {"S: <a>\n </a>\nWAIT x", "script, line 3: not a number of microseconds: WAIT x"},
        {"WAIT -1", "script, line 1: not a number of microseconds: WAIT -1"},
        {"TLS 1", "script, line 1: something behind the word: TLS 1"},
        {"DROP it", "script, line 1: something behind the word: DROP it"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        xmpp_test_server *other = NULL;

        assert_int_equal(xmpp_test_server_create(&other, loop), XMPP_OK);
        assert_int_equal(xmpp_test_server_play(other, XMPP_TEST_FROM_START, rows[i].script),
                         XMPP_ERR_INVAL);
        assert_string_equal(xmpp_test_server_get_error(other), rows[i].error);
        xmpp_test_server_unref(other);
    }
    assert_int_equal(xmpp_test_server_play(server, 2, "DROP"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_server_play(server, 0, NULL), XMPP_ERR_INVAL);
    assert_null(xmpp_test_server_get_error(server));
}

static void test_scripts_for_several(void **state)
{
    (void)state;
    play(XMPP_TEST_FROM_READY, "S: <message id='1'/>");
    assert_int_equal(xmpp_test_server_play(server, XMPP_TEST_FROM_READY, "S: <message id='2'/>"),
                     XMPP_OK);
    user_open(&bob);
    user_login(&alice, XMPP_TEST_PLAIN, "alice");
    user_wait_stanzas(&alice, 1);
    assert_int_equal(xmpp_test_server_is_finished(server), 0);
    user_login(&bob, XMPP_TEST_PLAIN, "bob");
    user_wait_stanzas(&bob, 1);
    check_finished();
    assert_string_equal(xmpp_elem_get_attr(alice.last, "id"), "1");
    assert_string_equal(xmpp_elem_get_attr(bob.last, "id"), "2");
    user_close(&alice);
    user_close(&bob);
}

static void test_conn_play(void **state)
{
    xmpp_test_conn *conn;

    (void)state;
    user_open(&alice);
    user_login(&alice, XMPP_TEST_PLAIN, "alice");
    conn = xmpp_test_server_get_conn(server, 0);
    assert_int_equal(xmpp_test_conn_play(conn, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_conn_play(NULL, "DROP"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_test_conn_play(conn, "S: <message id='hello'/>\nC: <presence/>"),
                     XMPP_OK);
    assert_int_equal(xmpp_test_conn_play(conn, "DROP"), XMPP_ERR_STATE);
    user_wait_stanzas(&alice, 1);
    user_send(&alice, "<presence/>");
    assert_int_equal(xmpp_test_server_run(server, 20000000), XMPP_OK);
    assert_int_equal(xmpp_test_conn_play(conn, "DROP"), XMPP_OK);
    assert_int_equal(xmpp_test_conn_play(conn, "DROP"), XMPP_ERR_STATE);
    user_wait_idle(&alice);
    user_close(&alice);
}

/* --- scripts from the first byte --- */

#define HEADER                                                                                     \
    "S: <?xml version='1.0'?><stream:stream from='test.example' id='1' version='1.0' "             \
    "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>\n"

static void test_script_from_start(void **state)
{
    (void)state;
    play(XMPP_TEST_FROM_START,
         "C: <stream:stream to='test.example' version='1.0' from='!'>\n" HEADER
         "S: <stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
         "</stream:features>\n"
         "C: <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\n"
         "S: <proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\n"
         "TLS\n"
         "C: <stream:stream to='test.example' from='alice@test.example'/>\n" HEADER
         "S: <stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>"
         "PLAIN</mechanism></mechanisms></stream:features>\n"
         "C: <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
         "AGFsaWNlAHdvbmRlcg==</auth>\n"
         "S: <success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>\n"
         "C: <stream:stream>\n" HEADER
         "S: <stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>\n"
         "C: <iq type='set' id='$1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>\n"
         "S: <iq type='result' id='$1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
         "<jid>alice@test.example/script</jid></bind></iq>\n"
         "C: </stream:stream>\n"
         "CLOSE\n");
    user_login(&alice, XMPP_TEST_STARTTLS, "alice");
    assert_string_equal(xmpp_jid_get_resource(xmpp_client_get_jid(alice.client)), "script");
    assert_int_equal(xmpp_client_disconnect(alice.client), XMPP_OK);
    user_wait_idle(&alice);
    assert_null(alice.error);
    check_finished();
    user_close(&alice);
}

static void test_script_from_start_goes_wrong(void **state)
{
    (void)state;
    play(XMPP_TEST_FROM_START, "C: <stream:stream to='other.example'>");
    user_connect(&alice, XMPP_TEST_PLAIN, "alice");
    user_wait_idle(&alice);
    assert_int_equal(xmpp_test_server_is_finished(server), XMPP_ERR_PROTOCOL);
    assert_non_null(strstr(xmpp_test_server_get_error(server), "line 1: expected <stream:stream"));
    assert_non_null(strstr(xmpp_test_server_get_error(server), "to='test.example'"));
    user_close(&alice);
}

/* --- functions --- */

static unsigned destroyed;

static void on_destroy(void *user_data)
{
    assert_ptr_equal(user_data, &alice);
    destroyed++;
}

static int on_stanza(xmpp_test_server *from, xmpp_test_conn *conn, const xmpp_elem *stanza,
                     void *user_data)
{
    xmpp_elem *reply;

    assert_ptr_equal(from, server);
    assert_ptr_equal(user_data, &alice);
    if (!xmpp_elem_first_child(stanza, "urn:q", "query"))
        return XMPP_PASS;
    assert_int_equal(xmpp_elem_create_reply(&reply, stanza), XMPP_OK);
    xmpp_elem_set_attr(reply, "from", "alice@test.example");
    assert_int_equal(xmpp_test_conn_send(conn, reply), XMPP_OK);
    xmpp_elem_unref(reply);
    return XMPP_DONE;
}

static void test_stanza_fn(void **state)
{
    (void)state;
    destroyed = 0;
    assert_int_equal(xmpp_test_server_set_stanza_fn(server, on_stanza, &alice, on_destroy),
                     XMPP_OK);
    user_open(&alice);
    user_login(&alice, XMPP_TEST_STARTTLS, "alice");
    user_request(&alice, "<iq type='get'><query xmlns='urn:q'/></iq>", 0);
    user_wait_replies(&alice, 1);
    assert_int_equal(alice.reply_code, XMPP_OK);
    user_request(&alice, "<iq type='get'><query xmlns='urn:other'/></iq>", 0);
    user_wait_replies(&alice, 2);
    assert_int_equal(alice.reply_code, XMPP_ERR_STANZA);
    assert_int_equal(xmpp_test_server_set_stanza_fn(server, NULL, NULL, NULL), XMPP_OK);
    assert_int_equal(destroyed, 1);
    user_close(&alice);
}

static void unref_on_event(xmpp_test_server *from, xmpp_test_conn *conn, int event, void *user_data)
{
    (void)conn;
    (void)user_data;
    assert_ptr_equal(from, server);
    if (event == XMPP_TEST_EVENT_READY)
        server = xmpp_test_server_unref(server);
}

static int unref_on_stanza(xmpp_test_server *from, xmpp_test_conn *conn, const xmpp_elem *stanza,
                           void *user_data)
{
    (void)conn;
    (void)stanza;
    (void)user_data;
    assert_ptr_equal(from, server);
    server = xmpp_test_server_unref(server);
    return XMPP_PASS;
}

static void test_unref_in_functions(void **state)
{
    (void)state;
    destroyed = 0;
    assert_int_equal(xmpp_test_server_set_event_fn(server, unref_on_event, &alice, on_destroy),
                     XMPP_OK);
    user_open(&alice);
    user_connect(&alice, XMPP_TEST_STARTTLS, "alice");
    user_wait_idle(&alice);
    assert_int_equal(destroyed, 1);
    user_close(&alice);
    user_teardown(NULL);

    user_setup(NULL);
    assert_int_equal(xmpp_test_server_set_stanza_fn(server, unref_on_stanza, &alice, on_destroy),
                     XMPP_OK);
    user_open(&alice);
    user_login(&alice, XMPP_TEST_PLAIN, "alice");
    user_send(&alice, "<message/>");
    user_wait_idle(&alice);
    assert_int_equal(destroyed, 2);
    user_close(&alice);
}

static int drop_on_stanza(xmpp_test_server *from, xmpp_test_conn *conn, const xmpp_elem *stanza,
                          void *user_data)
{
    (void)from;
    (void)stanza;
    assert_int_equal(xmpp_test_conn_act(conn, *(const int *)user_data, NULL), XMPP_OK);
    return XMPP_PASS;
}

static void test_drop_in_function(void **state)
{
    static const int actions[] = {XMPP_TEST_DROP, XMPP_TEST_RESET, XMPP_TEST_CLOSE};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(xmpp_test_server_set_stanza_fn(server, drop_on_stanza,
                                                        (void *)(uintptr_t)&actions[i], NULL),
                         XMPP_OK);
        user_open(&alice);
        user_login(&alice, XMPP_TEST_STARTTLS, "alice");
        user_send(&alice, "<message/>");
        user_wait_idle(&alice);
        assert_non_null(alice.error);
        user_close(&alice);
    }
}

/* --- two clients --- */

static void test_two_clients(void **state)
{
    char text[300];

    (void)state;
    user_open(&alice);
    user_open(&bob);
    user_login(&alice, XMPP_TEST_STARTTLS, "alice");
    user_login(&bob, XMPP_TEST_DIRECT_TLS, "bob");

    /* to the full address */
    snprintf(text, sizeof text, "<message to='%s' type='chat'><body>hi &amp; bye</body></message>",
             xmpp_jid_get_str(xmpp_client_get_jid(bob.client)));
    user_send(&alice, text);
    user_wait_stanzas(&bob, 1);
    snprintf(text, sizeof text,
             "<message from='%s' type='chat'><body>hi &amp; bye</body></message>",
             xmpp_jid_get_str(xmpp_client_get_jid(alice.client)));
    assert_int_equal(xmpp_test_elem_match(bob.last, text), 1);

    /* to the bare address: nobody is available, then somebody is */
    user_send(&alice, "<message to='bob@test.example' id='1'/>");
    user_wait_stanzas(&alice, 1);
    assert_int_equal(xmpp_test_elem_match(alice.last,
                                          "<message type='error' id='1' from='bob@test.example'>"
                                          "<error type='cancel'><service-unavailable "
                                          "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
                                          "</message>"),
                     1);
    user_send(&bob, "<presence/>");
    user_request(&bob, "<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>", 0);
    user_wait_replies(&bob, 1);
    user_send(&alice, "<message to='bob@test.example' id='2'/>");
    user_wait_stanzas(&bob, 2);
    user_send(&alice, "<presence to='bob@test.example' type='subscribe'/>");
    user_wait_stanzas(&bob, 3);
    assert_int_equal(xmpp_elem_get_kind(bob.last), XMPP_PRESENCE);

    /* a request from one to the other: libxmpp refuses what nobody handles */
    snprintf(text, sizeof text, "<iq type='get' to='%s'><q xmlns='urn:q'/></iq>",
             xmpp_jid_get_str(xmpp_client_get_jid(bob.client)));
    user_request(&alice, text, 0);
    user_wait_replies(&alice, 1);
    assert_int_equal(alice.reply_code, XMPP_ERR_STANZA);
    assert_int_equal(bob.stanzas, 4);
    assert_int_equal(xmpp_test_server_get_stat(server, XMPP_TEST_STAT_LOGINS), 2);
    assert_int_equal(
        xmpp_test_conn_get_stat(xmpp_test_server_get_conn(server, 0), XMPP_TEST_STAT_STANZAS_IN),
        5);
    assert_null(xmpp_test_server_get_error(server));
    user_close(&alice);
    user_close(&bob);
}

static void test_presence_of_own_resources(void **state)
{
    (void)state;
    user_open(&alice);
    user_open(&bob);
    user_login(&alice, XMPP_TEST_PLAIN, "alice");
    user_send(&alice, "<presence/>");
    user_login(&bob, XMPP_TEST_PLAIN, "alice");
    user_send(&bob, "<presence/>");
    user_wait_stanzas(&alice, 1);
    assert_int_equal(xmpp_test_elem_match(alice.last, "<presence from='alice@*/*' type='!'/>"), 1);
    assert_int_equal(xmpp_client_disconnect(bob.client), XMPP_OK);
    user_wait_stanzas(&alice, 2);
    assert_int_equal(xmpp_test_elem_match(alice.last, "<presence type='unavailable'/>"), 1);
    user_wait_idle(&bob);
    user_close(&alice);
    user_close(&bob);
}

static void test_refused(void **state)
{
    static const struct {
        const char *to;
        const char *condition;
    } rows[] = {
        {"", "service-unavailable"},
        {"to='test.example'", "service-unavailable"},
        {"to='bob@test.example'", "service-unavailable"},
        {"to='bob@test.example/none'", "service-unavailable"},
        {"to='bob@else.example/none'", "remote-server-not-found"},
    };
    char text[200];

    (void)state;
    user_open(&alice);
    user_login(&alice, XMPP_TEST_PLAIN, "alice");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        xmpp_test_conn *conn = xmpp_test_server_get_conn(server, 0);
        size_t count = xmpp_test_conn_count_received(conn);

        snprintf(text, sizeof text, "<iq type='set' %s><q xmlns='urn:q'/></iq>", rows[i].to);
        user_request(&alice, text, 0);
        user_wait_replies(&alice, (unsigned)i + 1);
        assert_int_equal(alice.reply_code, XMPP_ERR_STANZA);
        snprintf(text, sizeof text, "<iq type='set' %s><q xmlns='urn:q'/></iq>", rows[i].to);
        assert_int_equal(xmpp_test_elem_match(xmpp_test_conn_get_received(conn, count), text), 1);
    }
    /* RFC 6120, 8.1.2.1 */
    user_send(&alice, "<message from='bob@test.example' to='bob@test.example'/>");
    user_wait_idle(&alice);
    user_check_error(&alice, XMPP_ERR_STREAM, XMPP_PHASE_READY, "invalid-from");
    user_close(&alice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_elem_match),
        TEST(test_script_answers),
        TEST(test_script_speaks_first),
        TEST(test_script_ends),
        TEST(test_script_silence),
        TEST(test_script_close_of_client),
        TEST(test_script_something_else),
        TEST(test_script_ends_too_early),
        TEST(test_script_never_begins),
        TEST(test_script_unreadable),
        TEST(test_scripts_for_several),
        TEST(test_conn_play),
        TEST(test_script_from_start),
        TEST(test_script_from_start_goes_wrong),
        TEST(test_stanza_fn),
        TEST(test_unref_in_functions),
        TEST(test_drop_in_function),
        TEST(test_two_clients),
        TEST(test_presence_of_own_resources),
        TEST(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
