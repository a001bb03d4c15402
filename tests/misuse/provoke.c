#include "provoke.h"

#include <stdarg.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

static void must(int r)
{
    assert_int_equal(r, XMPP_OK);
}

static const struct {
    const char *name;
    enum fix_stage stage;
    bool inside; /* of the call that it belongs to */
} places[FIX_PLACES] = {
    [IN_STATE] = {"state", FIX_READY, false},
    [IN_MESSAGE] = {"message", FIX_READY, false},
    [IN_PRESENCE] = {"presence", FIX_READY, false},
    [IN_QUESTION] = {"question", FIX_READY, false},
    [IN_REPLY] = {"reply", FIX_READY, false},
    [IN_TIMEOUT] = {"timeout", FIX_READY, false},
    [IN_CLOSED] = {"closed", FIX_READY, false},
    [IN_DRAIN] = {"drain", FIX_READY, false},
    [IN_TIMER] = {"timer", FIX_READY, false},
    [IN_IO] = {"io", FIX_READY, false},
    [IN_POST] = {"post", FIX_READY, false},
    [IN_POST_DESTROY] = {"destroy of a post", FIX_READY, false},
    [IN_SLOT_DESTROY] = {"destroy of a slot", FIX_READY, true},
    [IN_LOG_DESTROY] = {"destroy of a log", FIX_READY, true},
    [IN_CREATE] = {"module's create", FIX_READY, true},
    [IN_MODULE_DESTROY] = {"module's destroy", FIX_READY, true},
    [IN_PONG] = {"pong", FIX_READY, false},
    [IN_CERT] = {"certificate question", FIX_IDLE, false},
    [IN_ASK] = {"password question", FIX_IDLE, false},
    [IN_TEST_EVENT] = {"test server's event", FIX_READY, false},
    [IN_TEST_STANZA] = {"test server's stanza", FIX_READY, false},
    [IN_TEST_DATA] = {"test server's data", FIX_READY, false},
};

enum fix_stage place_stage(enum fix_place place)
{
    return places[place].stage;
}

const char *place_name(enum fix_place place)
{
    return places[place].name;
}

bool place_is_dispatched(enum fix_place place)
{
    return !places[place].inside;
}

static void on_post_destroyed(void *user_data)
{
    fix_on_destroy(user_data);
    fix_enter(user_data, IN_POST_DESTROY);
}

static void on_slot_destroyed(void *user_data)
{
    fix_on_destroy(user_data);
    fix_enter(user_data, IN_SLOT_DESTROY);
}

static void on_log_destroyed(void *user_data)
{
    fix_on_destroy(user_data);
    fix_enter(user_data, IN_LOG_DESTROY);
}

static void on_module_destroyed(void *user_data)
{
    fix_on_destroy(user_data);
    fix_enter(user_data, IN_MODULE_DESTROY);
}

static struct fix *creating; /* create has no user_data */

static int on_create(xmpp_module *module, xmpp_client *client, void **ret_data)
{
    (void)module;
    (void)client;
    fix_enter(creating, IN_CREATE);
    *ret_data = creating;
    return XMPP_OK;
}

static void handle(struct fix *fix, const char *xml)
{
    fix->slot = xmpp_slot_unref(fix->slot);
    must(xmpp_client_add_handler(fix->client, &fix->slot, XMPP_MESSAGE | XMPP_PRESENCE | XMPP_IQ,
                                 NULL, NULL, fix_on_stanza, fix, fix_on_destroy));
    must(xmpp_test_conn_act(fix->conn, XMPP_TEST_SEND, xml));
}

static void request(struct fix *fix, uint64_t timeout_us)
{
    fix->slot = xmpp_slot_unref(fix->slot);
    if (fix->place != IN_REPLY)
        must(xmpp_test_server_fail_at(fix->server, XMPP_TEST_AT_STANZA, XMPP_TEST_SILENCE, NULL));
    must(xmpp_client_request(fix->client, &fix->slot, fix->iq, timeout_us, fix_on_reply, fix,
                             fix_on_destroy));
}

static void fill(struct fix *fix)
{
    fix->slot = xmpp_slot_unref(fix->slot);
    must(xmpp_client_on_drain(fix->client, &fix->slot, 0, fix_on_drain, fix, fix_on_destroy));
    assert_non_null(xmpp_elem_add_child(fix->elem, NULL, "body"));
    for (int i = 0; i < 100; i++)
        xmpp_elem_add_text(fix->elem, "01234567890123456789012345678901234567890123456789");
    /* it leaves at the end of a turn only */
    while (xmpp_client_send(fix->client, fix->elem) == XMPP_OK)
        ;
}

static void attach(struct fix *fix)
{
    xmpp_module *module = NULL;

    creating = fix;
    must(xmpp_module_attach(&module, fix->client, "misuse", on_create, on_module_destroyed));
    creating = NULL;
    xmpp_module_unref(module);
}

static void ask(struct fix *fix, bool is_cert)
{
    must(xmpp_test_server_configure_client(
        fix->server, fix->client, is_cert ? XMPP_TEST_STARTTLS : XMPP_TEST_PLAIN, "alice"));
    must(xmpp_test_server_set_cert(fix->server, XMPP_TEST_CERT_SELF_SIGNED));
    must(xmpp_client_set_password(fix->client, NULL));
    if (is_cert)
        must(xmpp_client_set_cert_fn(fix->client, fix_on_cert, fix, fix_on_destroy));
    else
        must(xmpp_client_set_ask_fn(fix->client, fix_on_ask, fix, fix_on_destroy));
    must(xmpp_client_connect(fix->client));
}

static void begin(struct fix *fix)
{
    switch (fix->place) {
    case IN_STATE:
        fix->slot = xmpp_slot_unref(fix->slot);
        must(xmpp_client_on_state(fix->client, &fix->slot, fix_on_state, fix, fix_on_destroy));
        must(xmpp_test_conn_act(fix->conn, XMPP_TEST_DROP, NULL));
        break;
    case IN_MESSAGE:
        handle(fix, "<message/><message/><presence/>");
        break;
    case IN_PRESENCE:
        handle(fix, "<presence/><message/>");
        break;
    case IN_QUESTION:
        handle(fix, "<iq type='get' id='1'><q xmlns='urn:q'/></iq><message/>");
        break;
    case IN_REPLY:
        request(fix, 0);
        break;
    case IN_TIMEOUT:
        request(fix, 1);
        break;
    case IN_CLOSED:
        request(fix, 0);
        must(xmpp_test_conn_act(fix->conn, XMPP_TEST_DROP, NULL));
        break;
    case IN_DRAIN:
        fill(fix);
        break;
    case IN_TIMER:
        fix->slot = xmpp_slot_unref(fix->slot);
        must(xmpp_loop_add_timer(fix->loop, &fix->slot, 0, 1, fix_on_task, fix, fix_on_destroy));
        break;
    case IN_IO:
        fix->slot = xmpp_slot_unref(fix->slot);
        fix->io_slot = xmpp_slot_unref(fix->io_slot);
        must(xmpp_loop_add_io(fix->loop, &fix->io_slot, fix->fds[0], XMPP_IO_READ, fix_on_io, fix,
                              fix_on_destroy));
        fix->slot = xmpp_slot_ref(fix->io_slot);
        fix->io_slot = xmpp_slot_unref(fix->io_slot);
        assert_int_equal(write(fix->fds[1], "x", 1), 1);
        break;
    case IN_POST:
        must(xmpp_loop_post(fix->loop, fix_on_task, fix, fix_on_destroy));
        break;
    case IN_POST_DESTROY:
        must(xmpp_loop_post(fix->loop, fix_on_task, fix, on_post_destroyed));
        break;
    case IN_SLOT_DESTROY:
        fix->slot = xmpp_slot_unref(fix->slot);
        must(xmpp_client_add_handler(fix->client, &fix->slot, XMPP_MESSAGE, NULL, NULL,
                                     fix_on_stanza, fix, on_slot_destroyed));
        must(xmpp_slot_cancel(fix->slot));
        break;
    case IN_LOG_DESTROY:
        must(xmpp_loop_set_log(fix->loop, XMPP_LOG_ERROR, fix_on_log, fix, on_log_destroyed));
        must(xmpp_loop_set_log(fix->loop, 0, NULL, NULL, NULL));
        break;
    case IN_CREATE:
    case IN_MODULE_DESTROY:
        attach(fix);
        break;
    case IN_PONG:
        fix->slot = xmpp_slot_unref(fix->slot);
        must(xmpp_ping_send(fix->ping, &fix->slot, NULL, fix_on_pong, fix, fix_on_destroy));
        break;
    case IN_CERT:
    case IN_ASK:
        ask(fix, fix->place == IN_CERT);
        break;
    case IN_TEST_EVENT:
        must(xmpp_test_server_set_event_fn(fix->server, fix_on_event, fix, fix_on_destroy));
        must(xmpp_client_disconnect(fix->client));
        break;
    case IN_TEST_STANZA:
        must(xmpp_test_server_set_stanza_fn(fix->server, fix_on_test_stanza, fix, fix_on_destroy));
        must(xmpp_client_send(fix->client, fix->elem));
        break;
    case IN_TEST_DATA:
        must(xmpp_test_server_set_data_fn(fix->server, fix_on_test_data, fix, fix_on_destroy));
        must(xmpp_client_send(fix->client, fix->elem));
        break;
    default:
        break;
    }
}

void place_provoke(struct fix *fix)
{
    begin(fix);
    while (fix->ran == 0)
        fix_step(fix);
    fix_settle(fix);
}
