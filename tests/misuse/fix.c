#include "fix.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

char fix_untouched[1];

/* --- functions of the application --- */

void fix_enter(struct fix *fix, enum fix_place place)
{
    if (!fix || fix->place != place)
        return;
    if (fix->ran++ == 0 && fix->act)
        fix->act(fix);
}

void fix_on_destroy(void *user_data)
{
    struct fix *fix = user_data;

    if (fix)
        fix->destroyed++;
}

void fix_on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                  void *user_data)
{
    (void)client;
    (void)old_state;
    (void)new_state;
    (void)error;
    fix_enter(user_data, IN_STATE);
}

void fix_on_drain(xmpp_client *client, void *user_data)
{
    (void)client;
    fix_enter(user_data, IN_DRAIN);
}

void fix_on_reply(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error,
                  void *user_data)
{
    int code = xmpp_error_get_code(error);

    (void)client;
    (void)reply;
    fix_enter(user_data, code == XMPP_ERR_CLOSED    ? IN_CLOSED
                         : code == XMPP_ERR_TIMEOUT ? IN_TIMEOUT
                                                    : IN_REPLY);
}

int fix_on_stanza(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    int kind = xmpp_elem_get_kind(stanza);

    (void)client;
    fix_enter(user_data, kind == XMPP_MESSAGE    ? IN_MESSAGE
                         : kind == XMPP_PRESENCE ? IN_PRESENCE
                                                 : IN_QUESTION);
    assert_non_null(xmpp_elem_get_name(stanza)); /* it is still there */
    return XMPP_PASS;
}

int fix_on_cert(xmpp_client *client, xmpp_cert *cert, void *user_data)
{
    struct fix *fix = user_data;

    (void)client;
    if (fix && !fix->cert)
        fix->cert = xmpp_cert_ref(cert);
    fix_enter(fix, IN_CERT);
    return XMPP_CERT_LATER;
}

void fix_on_ask(xmpp_client *client, xmpp_ask *ask, void *user_data)
{
    struct fix *fix = user_data;

    (void)client;
    if (fix && !fix->ask)
        fix->ask = xmpp_ask_ref(ask);
    fix_enter(fix, IN_ASK);
}

void fix_on_task(xmpp_loop *loop, void *user_data)
{
    (void)loop;
    fix_enter(user_data, IN_TIMER);
    fix_enter(user_data, IN_POST);
}

void fix_on_io(xmpp_loop *loop, int fd, int events, void *user_data)
{
    (void)loop;
    (void)fd;
    (void)events;
    fix_enter(user_data, IN_IO);
}

void fix_on_log(int level, const char *module, const char *message, size_t len, void *user_data)
{
    (void)level;
    (void)module;
    (void)message;
    (void)len;
    (void)user_data;
}

void fix_on_pong(xmpp_ping *ping, uint64_t rtt_us, const xmpp_error *error, void *user_data)
{
    (void)ping;
    (void)rtt_us;
    (void)error;
    fix_enter(user_data, IN_PONG);
}

int fix_on_create(xmpp_module *module, xmpp_client *client, void **ret_data)
{
    (void)module;
    (void)client;
    *ret_data = NULL;
    return XMPP_OK;
}

void *fix_realloc(void *ptr, size_t size, void *user_data)
{
    (void)user_data;
    if (size > 0)
        return realloc(ptr, size);
    free(ptr);
    return NULL;
}

void fix_on_event(xmpp_test_server *server, xmpp_test_conn *conn, int event, void *user_data)
{
    (void)server;
    (void)conn;
    (void)event;
    fix_enter(user_data, IN_TEST_EVENT);
}

int fix_on_test_data(xmpp_test_server *server, xmpp_test_conn *conn, const void *data, size_t len,
                     void *user_data)
{
    (void)server;
    (void)conn;
    (void)data;
    (void)len;
    fix_enter(user_data, IN_TEST_DATA);
    return XMPP_PASS;
}

int fix_on_test_stanza(xmpp_test_server *server, xmpp_test_conn *conn, const xmpp_elem *stanza,
                       void *user_data)
{
    (void)server;
    (void)conn;
    (void)stanza;
    fix_enter(user_data, IN_TEST_STANZA);
    return XMPP_PASS;
}

/* --- the objects --- */

static void must(int r)
{
    assert_int_equal(r, XMPP_OK);
}

static void create_trees(struct fix *fix)
{
    static const char request[] =
        "<iq xmlns='jabber:client' type='get' id='1' from='bob@test.example'>"
        "<q xmlns='urn:q'/></iq>";

    must(xmpp_jid_parse(&fix->jid, "bob@test.example/there"));
    must(xmpp_elem_create_stanza(&fix->elem, XMPP_MESSAGE, "chat", fix->jid));
    must(xmpp_elem_create_stanza(&fix->iq, XMPP_IQ, "get", NULL));
    assert_non_null(xmpp_elem_add_child(fix->iq, "urn:q", "q"));
    must(xmpp_elem_parse(&fix->sealed, request, sizeof request - 1));
    must(xmpp_stream_create(&fix->stream, fix->jid, XMPP_FRAMING_STREAM));
}

/* What a login without a mechanism comes to. Immutable: one for all. */
static xmpp_error *get_error(void)
{
    static xmpp_error *error;
    xmpp_stream *stream;
    xmpp_elem *elem;
    xmpp_jid *jid;

    if (error)
        return xmpp_error_ref(error);
    must(xmpp_jid_parse(&jid, "bob@test.example"));
    must(xmpp_stream_create(&stream, jid, XMPP_FRAMING_STREAM));
    must(xmpp_stream_open(stream, 0));
    must(xmpp_stream_feed_eof(stream, 0));
    assert_int_equal(xmpp_stream_next(stream, &elem, &error), XMPP_EV_FAILED);
    xmpp_stream_free(stream);
    xmpp_jid_unref(jid);
    return xmpp_error_ref(error);
}

static void create_client(struct fix *fix)
{
    must(xmpp_client_create(&fix->client, fix->loop));
    must(xmpp_client_add_handler(fix->client, &fix->slot, XMPP_MESSAGE, NULL, NULL, fix_on_stanza,
                                 NULL, NULL));
    must(xmpp_loop_add_io(fix->loop, &fix->io_slot, fix->fds[0], XMPP_IO_READ, fix_on_io, fix,
                          NULL));
    must(xmpp_module_attach(&fix->module, fix->client, "fixture", fix_on_create, NULL));
    must(xmpp_ping_attach(&fix->ping, fix->client));
    must(xmpp_client_add_feature(fix->client, NULL, "urn:fixture"));
}

static void configure(struct fix *fix, enum fix_stage stage)
{
    int transport = stage == FIX_CERT ? XMPP_TEST_STARTTLS : XMPP_TEST_PLAIN;
    const char *user = stage == FIX_ASK || stage == FIX_CERT ? "alice" : NULL;

    must(xmpp_test_server_configure_client(fix->server, fix->client, transport, user));
    must(xmpp_client_set_limits(fix->client, 0, 10000));
    if (stage == FIX_SECURING)
        must(xmpp_test_server_fail_at(fix->server, XMPP_TEST_AT_HEADER, XMPP_TEST_SILENCE, NULL));
    if (stage == FIX_AUTHENTICATING)
        must(xmpp_test_server_fail_at(fix->server, XMPP_TEST_AT_AUTH, XMPP_TEST_SILENCE, NULL));
    if (stage == FIX_BINDING)
        must(xmpp_test_server_fail_at(fix->server, XMPP_TEST_AT_BIND, XMPP_TEST_SILENCE, NULL));
    if (stage == FIX_CERT) {
        must(xmpp_test_server_set_cert(fix->server, XMPP_TEST_CERT_SELF_SIGNED));
        must(xmpp_client_set_cert_fn(fix->client, fix_on_cert, fix, NULL));
    }
    if (stage == FIX_ASK) {
        must(xmpp_client_set_password(fix->client, NULL));
        must(xmpp_client_set_ask_fn(fix->client, fix_on_ask, fix, NULL));
    }
}

static bool has_come(const struct fix *fix, enum fix_stage stage)
{
    static const int states[] = {
        [FIX_IDLE] = XMPP_STATE_IDLE,
        [FIX_RESOLVING] = XMPP_STATE_RESOLVING,
        [FIX_CONNECTING] = XMPP_STATE_CONNECTING,
        [FIX_SECURING] = XMPP_STATE_SECURING,
        [FIX_AUTHENTICATING] = XMPP_STATE_AUTHENTICATING,
        [FIX_BINDING] = XMPP_STATE_BINDING,
        [FIX_READY] = XMPP_STATE_READY,
        [FIX_CLOSING] = XMPP_STATE_READY,
        [FIX_ENDED] = XMPP_STATE_READY,
    };

    if (stage == FIX_CERT)
        return fix->cert != NULL;
    if (stage == FIX_ASK)
        return fix->ask != NULL;
    return xmpp_client_get_state(fix->client) == states[stage];
}

static void advance(struct fix *fix, enum fix_stage stage)
{
    configure(fix, stage);
    must(xmpp_client_connect(fix->client));
    while (!has_come(fix, stage)) {
        assert_int_not_equal(xmpp_client_get_state(fix->client), XMPP_STATE_IDLE);
        /* the state is left at once */
        assert_true(xmpp_loop_step(fix->loop, -1) >= 0);
    }
    while (stage == FIX_READY && xmpp_test_server_get_stat(fix->server, XMPP_TEST_STAT_LOGINS) == 0)
        fix_step(fix);
    if (stage == FIX_CLOSING)
        must(xmpp_client_disconnect(fix->client));
    if (stage == FIX_ENDED) {
        must(xmpp_client_abort(fix->client));
        fix_settle(fix);
    }
    if (xmpp_test_server_count_conns(fix->server) > 0)
        fix->conn = xmpp_test_server_get_conn(fix->server, 0);
}

void fix_create(struct fix *fix, enum fix_stage stage)
{
    memset(fix, 0, sizeof *fix);
    alarm(100); /* whoever waits for what never comes */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fix->fds), 0);
    must(xmpp_loop_create(&fix->loop));
    create_trees(fix);
    fix->error = get_error();
    if (stage == FIX_BARE)
        return;
    must(xmpp_test_server_create(&fix->server, fix->loop));
    must(xmpp_test_server_add_account(fix->server, "alice", "wonder"));
    create_client(fix);
    if (stage == FIX_IDLE)
        configure(fix, stage);
    else
        advance(fix, stage);
}

void fix_destroy(struct fix *fix)
{
    fix->cert = xmpp_cert_unref(fix->cert);
    fix->ask = xmpp_ask_unref(fix->ask);
    fix->slot = xmpp_slot_unref(fix->slot);
    fix->io_slot = xmpp_slot_unref(fix->io_slot);
    fix->module = xmpp_module_unref(fix->module);
    fix->ping = xmpp_ping_unref(fix->ping);
    fix->client = xmpp_client_unref(fix->client);
    fix->server = xmpp_test_server_unref(fix->server);
    fix->conn = NULL;
    fix->loop = xmpp_loop_unref(fix->loop);
    fix->stream = xmpp_stream_free(fix->stream);
    fix->elem = xmpp_elem_unref(fix->elem);
    fix->iq = xmpp_elem_unref(fix->iq);
    fix->sealed = xmpp_elem_unref(fix->sealed);
    fix->jid = xmpp_jid_unref(fix->jid);
    fix->error = xmpp_error_unref(fix->error);
    close(fix->fds[0]);
    close(fix->fds[1]);
}

void fix_step(struct fix *fix)
{
    xmpp_loop *loop = fix->loop;

    if (loop)
        assert_true(xmpp_loop_step(loop, -1) >= 0);
}

void fix_settle(struct fix *fix)
{
    int idle = 0;

    /* a keepalive of a microsecond never comes to rest */
    for (int turns = 0; fix->loop && idle < 3 && turns < 200; turns++) {
        int r = xmpp_loop_step(fix->loop, 0);

        assert_true(r >= 0);
        idle = r > 0 ? 0 : idle + 1;
    }
}

void *fix_block(void)
{
    xmpp_elem *elem;
    char *xml = NULL;

    must(xmpp_elem_create(&elem, "", "a"));
    must(xmpp_elem_to_xml(elem, &xml, NULL));
    xmpp_elem_unref(elem);
    return xml;
}

xmpp_stream *fix_take_stream(struct fix *fix)
{
    xmpp_stream *stream = fix->stream;

    fix->stream = NULL;
    return stream;
}
