#include "server/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const char *test_env(const char *name)
{
    const char *value = getenv(name);

    if (!value)
        fail_msg("%s is not set: run by tests/support/servers.py", name);
    return value;
}

xmpp_loop *peer_loop(void)
{
    xmpp_loop *loop;

    assert_int_equal(xmpp_loop_create(&loop), XMPP_OK);
    assert_int_equal(xmpp_loop_set_dns_servers(loop, test_env("XMPP_TEST_DNS")), XMPP_OK);
    return loop;
}

static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                     void *user_data)
{
    struct peer *peer = user_data;
    xmpp_elem *presence;

    assert_int_not_equal(old_state, new_state);
    if (new_state == XMPP_STATE_READY) {
        peer->ready++;
        assert_int_equal(xmpp_elem_create_stanza(&presence, XMPP_PRESENCE, NULL, NULL), XMPP_OK);
        assert_int_equal(xmpp_client_send(client, presence), XMPP_OK);
        xmpp_elem_unref(presence);
    }
    if (new_state == XMPP_STATE_IDLE) {
        peer->idle++;
        xmpp_error_unref(peer->error);
        peer->error = error ? xmpp_error_ref(error) : NULL;
    }
}

static int on_message(xmpp_client *client, const xmpp_elem *msg, void *user_data)
{
    struct peer *peer = user_data;
    const xmpp_elem *body = xmpp_elem_first_child(msg, "jabber:client", "body");

    (void)client;
    assert_non_null(xmpp_elem_get_from(msg));
    peer->messages++;
    free(peer->body);
    peer->body = strdup(xmpp_elem_get_text(body));
    xmpp_jid_unref(peer->from);
    peer->from = xmpp_jid_ref(xmpp_elem_get_from(msg));
    if (peer->echo)
        peer_send_message(peer, peer->from, peer->body);
    return XMPP_DONE;
}

static int on_presence(xmpp_client *client, const xmpp_elem *presence, void *user_data)
{
    struct peer *peer = user_data;

    (void)client;
    (void)presence;
    peer->presences++;
    return XMPP_PASS;
}

void peer_init(struct peer *peer, xmpp_loop *loop, const char *user, const char *password,
               enum peer_way way)
{
    char text[256];
    xmpp_jid *jid;

    memset(peer, 0, sizeof *peer);
    peer->loop = loop;
    snprintf(text, sizeof text, "%s@%s", user, test_env("XMPP_TEST_DOMAIN"));
    assert_int_equal(xmpp_jid_parse(&jid, text), XMPP_OK);
    assert_int_equal(xmpp_client_create(&peer->client, loop), XMPP_OK);
    assert_int_equal(xmpp_client_set_jid(peer->client, jid), XMPP_OK);
    xmpp_jid_unref(jid);
    if (password)
        assert_int_equal(xmpp_client_set_password(peer->client, password), XMPP_OK);
    assert_int_equal(xmpp_client_set_trust_file(peer->client, test_env("XMPP_TEST_CA")), XMPP_OK);
    if (way != BY_SRV) {
        const char *port = test_env(way == BY_DIRECT_TLS ? "XMPP_TEST_TLS_PORT" : "XMPP_TEST_PORT");
        assert_int_equal(xmpp_client_set_endpoint(peer->client, "127.0.0.1", (uint16_t)atoi(port),
                                                  way == BY_DIRECT_TLS),
                         XMPP_OK);
    }
    assert_int_equal(xmpp_client_on_state(peer->client, NULL, on_state, peer, NULL), XMPP_OK);
    assert_int_equal(xmpp_client_add_handler(peer->client, NULL, XMPP_MESSAGE, "jabber:client",
                                             "body", on_message, peer, NULL),
                     XMPP_OK);
    assert_int_equal(xmpp_client_add_handler(peer->client, NULL, XMPP_PRESENCE, NULL, NULL,
                                             on_presence, peer, NULL),
                     XMPP_OK);
}

void peer_clear(struct peer *peer)
{
    xmpp_client_unref(peer->client);
    xmpp_error_unref(peer->error);
    xmpp_jid_unref(peer->from);
    free(peer->body);
    memset(peer, 0, sizeof *peer);
}

static void on_deadline(xmpp_loop *loop, void *user_data)
{
    (void)loop;
    *(bool *)user_data = true;
}

void peer_run(xmpp_loop *loop, bool (*done)(void *data), void *data)
{
    bool late = false;
    xmpp_slot *slot;

    assert_int_equal(
        xmpp_loop_add_timer(loop, &slot, 30 * 1000 * 1000, 0, on_deadline, &late, NULL), XMPP_OK);
    while (!done(data)) {
        assert_true(xmpp_loop_step(loop, -1) >= 0);
        if (late)
            fail_msg("nothing happened for 30 s");
    }
    xmpp_slot_cancel(slot);
    xmpp_slot_unref(slot);
}

bool peer_is_ready(void *data)
{
    struct peer *peer = data;

    if (peer->idle && peer->error)
        fail_msg("login failed while %s: %s", xmpp_phase_name(xmpp_error_get_phase(peer->error)),
                 xmpp_error_get_text(peer->error));
    return xmpp_client_get_state(peer->client) == XMPP_STATE_READY && peer->ready > 0;
}

bool peer_is_idle(void *data)
{
    struct peer *peer = data;

    return xmpp_client_get_state(peer->client) == XMPP_STATE_IDLE && peer->idle > 0;
}

void peer_connect(struct peer *peer)
{
    peer->ready = 0;
    peer->idle = 0;
    assert_int_equal(xmpp_client_connect(peer->client), XMPP_OK);
}

void peer_login(struct peer *peer)
{
    peer_connect(peer);
    peer_run(peer->loop, peer_is_ready, peer);
}

void peer_logout(struct peer *peer)
{
    peer->idle = 0;
    assert_int_equal(xmpp_client_disconnect(peer->client), XMPP_OK);
    peer_run(peer->loop, peer_is_idle, peer);
    if (peer->error)
        fail_msg("logout failed: %s", xmpp_error_get_text(peer->error));
}

void peer_send_message(struct peer *peer, const xmpp_jid *to, const char *body)
{
    xmpp_elem *msg;

    assert_int_equal(xmpp_elem_create_stanza(&msg, XMPP_MESSAGE, "chat", to), XMPP_OK);
    xmpp_elem_add_child_text(msg, NULL, "body", body);
    assert_int_equal(xmpp_client_send(peer->client, msg), XMPP_OK);
    xmpp_elem_unref(msg);
}
