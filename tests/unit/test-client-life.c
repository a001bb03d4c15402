/* Calls in every state and from every callback, and clients that go away inside one (SEC-33). Meant to be run under
 * AddressSanitizer. */
#include <xmpp/ext/ping.h>

#include "fake/talk.h"
#include "support/certs.h"
#include "support/tlspeer.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct talk talk;

/* --- what is done from inside a callback --- */

enum action {
    NOTHING,
    DROP_CLIENT,
    DROP_LOOP_AND_CLIENT,
    DROP_CLIENT_AND_LOOP,
    CANCEL_SLOT,
    DROP_SLOT,
    DROP_ALL,
    DISCONNECT,
    ABORT,
    ABORT_AND_CONNECT,
    DISPATCH,
    CONFIGURE,
    ACTIONS
};

enum place {
    IN_STATE,
    IN_STANZA,
    IN_QUESTION,
    IN_REPLY,
    IN_TIMEOUT,
    IN_CLOSED,
    IN_DRAIN,
    IN_TIMER,
    IN_POST,
    IN_PING,
    IN_DESTROY,
    IN_ASK,
    IN_CERT,
    PLACES
};

static enum action action;
static enum place place;
static unsigned ran; /* callbacks of the place under test */
static unsigned destroyed;
static xmpp_slot *slot;
static xmpp_ping *ping;
static xmpp_ask *kept_ask;
static xmpp_cert *kept_cert;
static bool keep; /* questions are answered later */

static void drop_slot(void)
{
    slot = xmpp_slot_unref(slot);
}

static void drop_client(void)
{
    ping = xmpp_ping_unref(ping);
    talk.client = xmpp_client_unref(talk.client);
}

static void drop_loop(void)
{
    talk.loop = xmpp_loop_unref(talk.loop);
}

static void expect_busy(void)
{
    xmpp_loop *loop = talk.loop;

    assert_int_equal(xmpp_loop_dispatch(loop), XMPP_ERR_BUSY);
    assert_int_equal(xmpp_loop_step(loop, 0), XMPP_ERR_BUSY);
    assert_int_equal(xmpp_loop_run(loop), XMPP_ERR_BUSY);
}

static void act(void)
{
    if (++ran > 1)
        return;
    fake_interrupt();
    switch (action) {
    case DROP_CLIENT:
        drop_client();
        break;
    case DROP_LOOP_AND_CLIENT:
        drop_loop();
        drop_client();
        break;
    case DROP_CLIENT_AND_LOOP:
        drop_client();
        drop_loop();
        break;
    case CANCEL_SLOT:
        xmpp_slot_cancel(slot);
        xmpp_slot_cancel(slot);
        break;
    case DROP_SLOT:
        drop_slot();
        break;
    case DROP_ALL:
        drop_slot();
        drop_client();
        drop_loop();
        break;
    case DISCONNECT:
        assert_int_equal(xmpp_client_disconnect(talk.client), XMPP_OK);
        assert_int_equal(xmpp_client_disconnect(talk.client), XMPP_OK);
        break;
    case ABORT:
        assert_int_equal(xmpp_client_abort(talk.client), XMPP_OK);
        assert_int_equal(xmpp_client_abort(talk.client), XMPP_OK);
        break;
    case ABORT_AND_CONNECT:
        assert_int_equal(xmpp_client_abort(talk.client), XMPP_OK);
        assert_int_equal(xmpp_client_connect(talk.client), XMPP_OK);
        assert_int_equal(xmpp_client_connect(talk.client), XMPP_ERR_STATE);
        break;
    case DISPATCH:
        expect_busy();
        break;
    case CONFIGURE:
        xmpp_client_set_lang(talk.client, "de");
        break;
    default:
        break;
    }
}

static void on_destroy(void *user_data)
{
    (void)user_data;
    destroyed++;
    if (place == IN_DESTROY)
        act();
}

static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                     void *user_data)
{
    (void)client;
    (void)old_state;
    (void)new_state;
    (void)error;
    (void)user_data;
    act();
}

static int on_stanza(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    (void)client;
    (void)user_data;
    act();
    assert_non_null(xmpp_elem_get_name(stanza));
    return XMPP_PASS;
}

static void on_reply(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error,
                     void *user_data)
{
    (void)client;
    (void)user_data;
    act();
    assert_true(reply ? xmpp_elem_get_name(reply) != NULL : xmpp_error_get_text(error) != NULL);
}

static void on_drain(xmpp_client *client, void *user_data)
{
    (void)client;
    (void)user_data;
    act();
}

static void on_task(xmpp_loop *loop, void *user_data)
{
    (void)loop;
    (void)user_data;
    act();
}

static void on_pong(xmpp_ping *got, uint64_t rtt_us, const xmpp_error *error, void *user_data)
{
    (void)got;
    (void)rtt_us;
    (void)error;
    (void)user_data;
    act();
}

static void on_ask(xmpp_client *client, xmpp_ask *ask, void *user_data)
{
    (void)client;
    (void)user_data;
    act();
    assert_int_equal(xmpp_ask_get_kind(ask), XMPP_ASK_PASSWORD);
    assert_string_equal(xmpp_ask_get_mechanism(ask), "SCRAM-SHA-1");
    if (keep)
        kept_ask = xmpp_ask_ref(ask);
}

static int on_cert(xmpp_client *client, xmpp_cert *cert, void *user_data)
{
    const uint8_t *der;
    size_t len;

    (void)client;
    (void)user_data;
    act();
    assert_true(xmpp_cert_get_problems(cert) & XMPP_CERT_BAD_CHAIN);
    assert_int_equal(xmpp_cert_get_der(cert, 0, &der, &len), XMPP_OK);
    if (!keep)
        return XMPP_CERT_ACCEPT;
    kept_cert = xmpp_cert_ref(cert);
    return XMPP_CERT_LATER;
}

static void request(bool with_slot)
{
    xmpp_elem *iq = talk_iq(NULL, "k");

    assert_int_equal(xmpp_client_request(talk.client, with_slot ? &slot : NULL, iq, 1000, on_reply,
                                         NULL, on_destroy),
                     XMPP_OK);
    xmpp_elem_unref(iq);
}

static void fill_and_drain(void)
{
    assert_int_equal(xmpp_client_on_drain(talk.client, &slot, SIZE_MAX, on_drain, NULL, on_destroy),
                     XMPP_OK);
    assert_int_equal(xmpp_client_on_drain(talk.client, NULL, SIZE_MAX, on_drain, NULL, NULL),
                     XMPP_OK);
    fake_set_room(talk.socket, 0);
    while (talk_send(&talk, "<message xmlns='jabber:client'/>") == XMPP_OK)
        ;
    fake_set_room(talk.socket, SIZE_MAX);
    fake_run(talk.loop);
}

static void run_ask(void)
{
    xmpp_jid *jid;

    xmpp_client_abort(talk.client);
    fake_run(talk.loop);
    assert_int_equal(xmpp_jid_parse(&jid, "user@a.example"), XMPP_OK);
    assert_int_equal(xmpp_client_set_jid(talk.client, jid), XMPP_OK);
    xmpp_jid_unref(jid);
    assert_int_equal(xmpp_client_set_ask_fn(talk.client, on_ask, NULL, on_destroy), XMPP_OK);
    assert_int_equal(talk_connect(&talk), XMPP_OK);
    talk_say(&talk, "<stream:stream from='a.example' id='1' version='1.0' xmlns='jabber:client' "
                    "xmlns:stream='http://etherx.jabber.org/streams'><stream:features>"
                    "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
                    "<mechanism>SCRAM-SHA-1</mechanism></mechanisms></stream:features>");
}

/* Moves bytes between the client and the TLS server, until the question was asked. */
static void run_handshake(struct tlspeer *peer)
{
    char wire[8192];
    const char *data;
    size_t len;

    for (int i = 0; i < 10 && ran == 0 && talk.loop; i++) {
        len = fake_peek(talk.socket, &data);
        (void)tlspeer_feed(peer, data, len);
        fake_consume(talk.socket, len);
        while ((len = tlspeer_take(peer, wire, sizeof wire)) > 0)
            fake_feed(talk.socket, wire, len);
        fake_run(talk.loop);
    }
}

static void run_cert(void)
{
    const struct tlspeer_options options = {.cert = "self-signed"};
    struct tlspeer *peer = tlspeer_create(&options);

    xmpp_client_abort(talk.client);
    fake_run(talk.loop);
    assert_int_equal(xmpp_client_set_endpoint(talk.client, "127.0.0.1", 5222, 1), XMPP_OK);
    assert_int_equal(xmpp_client_set_trust_file(talk.client, certs_crt_path("ca")), XMPP_OK);
    assert_int_equal(xmpp_client_set_cert_fn(talk.client, on_cert, NULL, on_destroy), XMPP_OK);
    assert_int_equal(xmpp_client_connect(talk.client), XMPP_OK);
    fake_run(talk.loop);
    talk.socket = fake_last();
    run_handshake(peer);
    tlspeer_free(peer);
}

/* Makes the callback run. Afterwards talk may be empty. */
static void provoke(void)
{
    xmpp_elem *elem;

    switch (place) {
    case IN_STATE:
        xmpp_client_on_state(talk.client, &slot, on_state, NULL, on_destroy);
        xmpp_client_on_state(talk.client, NULL, on_state, NULL, NULL);
        fake_eof(talk.socket);
        fake_run(talk.loop);
        break;
    case IN_STANZA:
    case IN_QUESTION:
        xmpp_client_add_handler(talk.client, &slot, XMPP_MESSAGE | XMPP_IQ, NULL, NULL, on_stanza,
                                NULL, on_destroy);
        talk_say(&talk, place == IN_STANZA ? "<message/><message/><message/>"
                                           : "<iq type='get' id='1'><q xmlns='urn:q'/></iq>"
                                             "<message/>");
        break;
    case IN_REPLY:
        request(true);
        talk_say(&talk, "<iq type='result' id='k'/><message/>");
        break;
    case IN_TIMEOUT:
        request(true);
        fake_pass(talk.loop, 1000);
        break;
    case IN_CLOSED:
        request(true);
        elem = talk_iq(NULL, "l");
        xmpp_client_request(talk.client, NULL, elem, 0, on_reply, NULL, on_destroy);
        xmpp_elem_unref(elem);
        fake_eof(talk.socket);
        fake_run(talk.loop);
        break;
    case IN_DRAIN:
        fill_and_drain();
        break;
    case IN_TIMER:
        xmpp_loop_add_timer(talk.loop, &slot, 10, 10, on_task, NULL, on_destroy);
        fake_advance(10);
        fake_run(talk.loop);
        break;
    case IN_POST:
        xmpp_loop_post(talk.loop, on_task, NULL, on_destroy);
        fake_run(talk.loop);
        break;
    case IN_PING:
        xmpp_ping_send(ping, &slot, NULL, on_pong, NULL, on_destroy);
        fake_pass(talk.loop, 60000000);
        break;
    case IN_DESTROY:
        xmpp_client_add_handler(talk.client, &slot, XMPP_MESSAGE, NULL, NULL, on_stanza, NULL,
                                on_destroy);
        ran = 1; /* the handler does nothing */
        talk_feed(&talk, "<message/>");
        ran = 0;
        xmpp_slot_cancel(slot);
        break;
    case IN_ASK:
        run_ask();
        break;
    case IN_CERT:
        run_cert();
        break;
    default:
        break;
    }
}

static void finish(void)
{
    if (talk.loop)
        fake_run(talk.loop);
    ping = xmpp_ping_unref(ping);
    slot = xmpp_slot_unref(slot);
    talk_destroy(&talk);
}

static void run_case(void)
{
    assert_int_equal(talk_create(&talk), XMPP_OK);
    assert_int_equal(xmpp_ping_attach(&ping, talk.client), XMPP_OK);
    assert_int_equal(xmpp_client_set_limits(talk.client, 0, 10000), XMPP_OK);
    assert_int_equal(talk_login(&talk), XMPP_OK);
    ran = 0;
    destroyed = 0;
    provoke();
    assert_true(ran > 0);
    if (!talk.client) /* nobody is called for a client that nobody refers to */
        assert_int_equal(ran, 1);
    finish();
    assert_true(destroyed >= 1 && destroyed <= 2);
}

static void test_everything_in_every_callback(void **state)
{
    (void)state;
    for (int p = 0; p < PLACES; p++)
        for (int a = 0; a < ACTIONS; a++) {
            /* a busy loop is only one inside a dispatch */
            if (p == IN_DESTROY && a == DISPATCH)
                continue;
            place = (enum place)p;
            action = (enum action)a;
            run_case();
        }
}

/* --- questions that are answered later, or never --- */

enum later { ANSWER, REFUSE, FORGET, AFTER_ABORT, AFTER_CLIENT, LATERS };

static void answer(enum later later)
{
    int want = later == ANSWER || later == REFUSE ? XMPP_OK : XMPP_ERR_STATE;

    if (later == AFTER_ABORT)
        xmpp_client_abort(talk.client);
    if (later == AFTER_CLIENT)
        drop_client();
    if (later != FORGET && place == IN_ASK) {
        assert_int_equal(
            xmpp_ask_answer(kept_ask, later == REFUSE ? NULL : "pencil", later == REFUSE ? 0 : 6),
            want);
        assert_int_equal(xmpp_ask_answer(kept_ask, "again", 5), XMPP_ERR_STATE);
    }
    if (later != FORGET && place == IN_CERT) {
        assert_int_equal(
            xmpp_cert_answer(kept_cert, later == REFUSE ? XMPP_CERT_REJECT : XMPP_CERT_ACCEPT),
            want);
        assert_int_equal(xmpp_cert_answer(kept_cert, XMPP_CERT_ACCEPT), XMPP_ERR_STATE);
    }
    kept_ask = xmpp_ask_unref(kept_ask);
    kept_cert = xmpp_cert_unref(kept_cert);
    fake_run(talk.loop);
}

static void run_later(enum later later)
{
    bool goes_on = later == ANSWER;

    assert_int_equal(talk_create(&talk), XMPP_OK);
    assert_int_equal(talk_login(&talk), XMPP_OK);
    ran = 0;
    action = NOTHING;
    provoke();
    assert_int_equal(ran, 1);
    assert_true(kept_ask || kept_cert);
    talk.ends = 0;
    answer(later);
    if (talk.client) {
        assert_int_equal(xmpp_client_get_state(talk.client) == XMPP_STATE_IDLE, !goes_on);
        assert_int_equal(talk.ends, goes_on ? 0 : 1);
    }
    if (talk.error && place == IN_CERT) {
        assert_int_equal(xmpp_error_get_code(talk.error), XMPP_ERR_CERT);
        assert_true(xmpp_error_get_cert_problems(talk.error) & XMPP_CERT_BAD_CHAIN);
    } else if (talk.error) {
        assert_int_equal(xmpp_error_get_code(talk.error), XMPP_ERR_AUTH);
    }
    finish();
}

static void test_questions_answered_later(void **state)
{
    (void)state;
    keep = true;
    for (int later = 0; later < LATERS; later++) {
        place = IN_ASK;
        run_later((enum later)later);
        place = IN_CERT;
        run_later((enum later)later);
    }
    keep = false;
}

/* --- the rest of the connection's life, in each of its states --- */

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

static int set_all(xmpp_client *client, xmpp_jid *jid)
{
    int r[] = {
        xmpp_client_set_jid(client, jid),
        xmpp_client_set_password(client, "x"),
        xmpp_client_set_endpoint(client, "a.example", 1, 0),
        xmpp_client_set_tls_mode(client, XMPP_TLS_REQUIRED),
        xmpp_client_set_trust_file(client, "/none"),
        xmpp_client_set_timeout(client, 1, 1),
        xmpp_client_set_cert_files(client, "/none", "/none"),
        xmpp_client_set_authcid(client, "x"),
        xmpp_client_set_authzid(client, jid),
        xmpp_client_set_mechanisms(client, "PLAIN"),
        xmpp_client_set_lang(client, "de"),
        xmpp_client_set_keepalive(client, 1),
        xmpp_client_set_limits(client, 0, 0),
        xmpp_client_set_cert_fn(client, NULL, NULL, on_destroy),
        xmpp_client_set_ask_fn(client, NULL, NULL, on_destroy),
    };

    for (size_t i = 1; i < sizeof r / sizeof *r; i++)
        assert_int_equal(r[i], r[0]);
    return r[0];
}

static void test_set_only_when_idle(void **state)
{
    (void)state;
    place = PLACES;
    for (size_t count = 0; count <= 6; count++) {
        destroyed = 0;
        advance(count);
        assert_int_equal(set_all(talk.client, talk.jid), count == 0 ? XMPP_OK : XMPP_ERR_STATE);
        talk_destroy(&talk);
        assert_int_equal(destroyed, count == 0 ? 2 : 0);
    }
}

static void test_end_in_every_state(void **state)
{
    (void)state;
    for (size_t count = 0; count <= 6; count++)
        for (int how = 0; how < 3; how++) {
            advance(count);
            if (count > 0)
                assert_int_equal(xmpp_client_connect(talk.client), XMPP_ERR_STATE);
            if (how == 0)
                assert_int_equal(xmpp_client_abort(talk.client), XMPP_OK);
            if (how == 1)
                assert_int_equal(xmpp_client_disconnect(talk.client), XMPP_OK);
            if (how == 2)
                talk.client = xmpp_client_unref(talk.client);
            assert_int_equal(talk.ends, 0); /* nothing is told from inside a call */
            fake_run(talk.loop);
            if (how == 1 && count == 6) {
                assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_CLOSING);
                assert_string_equal(xmpp_jid_get_str(xmpp_client_get_jid(talk.client)),
                                    "user@a.example/r1");
                fake_pass(talk.loop, 5000000); /* CORE-15 */
            }
            assert_int_equal(talk.ends, how == 2 || count == 0 ? 0 : 1);
            assert_null(talk.error);
            assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_IDLE);
            for (size_t i = 0; i < fake_count(); i++)
                assert_true(fake_is_closed(fake_socket(i)));
            /* and it can be used again */
            if (how < 2)
                assert_int_equal(talk_login(&talk), XMPP_OK);
            talk_destroy(&talk);
        }
}

static void test_states_are_told_in_order(void **state)
{
    (void)state;
    advance(6);
    talk.states[0] = '\0';
    xmpp_client_abort(talk.client);
    xmpp_client_connect(talk.client);
    xmpp_client_abort(talk.client);
    xmpp_client_connect(talk.client);
    assert_string_equal(talk.states, "");
    fake_run(talk.loop);
    assert_string_equal(talk.states, "idle resolving idle resolving connecting securing");
    talk_destroy(&talk);
}

static int note_states(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    char *states = user_data;

    (void)client;
    (void)stanza;
    strcpy(states, talk.states);
    return XMPP_DONE;
}

static void test_ready_is_told_before_the_first_stanza(void **state)
{
    char states[sizeof talk.states] = "";

    (void)state;
    advance(5);
    assert_int_equal(xmpp_client_add_handler(talk.client, NULL, XMPP_MESSAGE, NULL, NULL,
                                             note_states, states, NULL),
                     XMPP_OK);
    assert_true(talk_hears(&talk, "<iq type='set' id='$1'>"
                                  "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"));
    talk_feed(&talk, "<iq type='result' id='");
    talk_feed(&talk, talk.id[1]);
    talk_say(&talk, "'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>user@a.example/r1</jid>"
                    "</bind></iq><message/>");
    assert_non_null(strstr(states, "ready"));
    talk_destroy(&talk);
}

static void test_connect_without_jid(void **state)
{
    xmpp_client *client;
    xmpp_loop *loop;

    (void)state;
    assert_int_equal(xmpp_loop_create(&loop), XMPP_OK);
    assert_int_equal(xmpp_client_create(&client, loop), XMPP_OK);
    assert_int_equal(xmpp_client_connect(client), XMPP_ERR_STATE);
    assert_int_equal(xmpp_client_connect(NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_disconnect(client), XMPP_OK);
    xmpp_loop_unref(loop);
    xmpp_client_unref(client);
}

/* --- references from another thread --- */

static void *unref_all(void *arg)
{
    (void)arg;
    drop_slot();
    drop_client();
    return NULL;
}

static void test_last_references_in_another_thread(void **state)
{
    pthread_t thread;

    (void)state;
    place = PLACES;
    destroyed = 0;
    advance(6);
    assert_int_equal(xmpp_ping_attach(&ping, talk.client), XMPP_OK);
    request(true);
    assert_int_equal(pthread_create(&thread, NULL, unref_all, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(destroyed, 0); /* that is left to the loop's thread */
    assert_false(fake_is_closed(talk.socket));
    fake_run(talk.loop);
    assert_int_equal(destroyed, 1);
    assert_true(fake_is_closed(talk.socket));
    talk_destroy(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_in_every_callback),
        cmocka_unit_test(test_questions_answered_later),
        cmocka_unit_test(test_set_only_when_idle),
        cmocka_unit_test(test_end_in_every_state),
        cmocka_unit_test(test_states_are_told_in_order),
        cmocka_unit_test(test_ready_is_told_before_the_first_stanza),
        cmocka_unit_test(test_connect_without_jid),
        cmocka_unit_test(test_last_references_in_another_thread),
    };

    int r = cmocka_run_group_tests(tests, NULL, NULL);

    certs_free();
    return r;
}
