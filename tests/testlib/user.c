#include "user.h"

#include <unistd.h>

xmpp_loop *loop;
xmpp_test_server *server;

void user_step(void)
{
    assert_true(xmpp_loop_step(loop, -1) >= 0);
}

int user_setup(void **state)
{
    (void)state;
    alarm(100); /* whoever waits for what never comes */
    assert_int_equal(xmpp_loop_create(&loop), XMPP_OK);
    assert_int_equal(xmpp_test_server_create(&server, loop), XMPP_OK);
    assert_int_equal(xmpp_test_server_add_account(server, "alice", "wonder"), XMPP_OK);
    assert_int_equal(xmpp_test_server_add_account(server, "bob", "builder"), XMPP_OK);
    return 0;
}

int user_teardown(void **state)
{
    (void)state;
    server = xmpp_test_server_unref(server);
    loop = xmpp_loop_unref(loop);
    return 0;
}

static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                     void *user_data)
{
    struct user *user = user_data;

    (void)client;
    (void)old_state;
    user->state = new_state;
    if (new_state != XMPP_STATE_IDLE)
        return;
    user->idles++;
    xmpp_error_unref(user->error);
    user->error = error ? xmpp_error_ref(error) : NULL;
}

static int on_stanza(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    struct user *user = user_data;

    (void)client;
    user->stanzas++;
    xmpp_elem_unref(user->last);
    user->last = xmpp_elem_ref(stanza);
    return XMPP_PASS;
}

void user_open(struct user *user)
{
    memset(user, 0, sizeof *user);
    assert_int_equal(xmpp_client_create(&user->client, loop), XMPP_OK);
    assert_int_equal(xmpp_client_on_state(user->client, NULL, on_state, user, NULL), XMPP_OK);
    assert_int_equal(xmpp_client_add_handler(user->client, NULL,
                                             XMPP_MESSAGE | XMPP_PRESENCE | XMPP_IQ, NULL, NULL,
                                             on_stanza, user, NULL),
                     XMPP_OK);
}

void user_close(struct user *user)
{
    user->client = xmpp_client_unref(user->client);
    user->error = xmpp_error_unref(user->error);
    user->last = xmpp_elem_unref(user->last);
}

void user_connect(struct user *user, int transport, const char *name)
{
    assert_int_equal(xmpp_test_server_configure_client(server, user->client, transport, name),
                     XMPP_OK);
    assert_int_equal(xmpp_client_connect(user->client), XMPP_OK);
}

void user_wait_ready(struct user *user)
{
    unsigned before = user->idles;

    while (user->state != XMPP_STATE_READY) {
        if (user->idles != before)
            fail_msg("%s; server: %s", xmpp_error_get_text(user->error),
                     xmpp_test_server_get_error(server) ? xmpp_test_server_get_error(server) : "");
        user_step();
    }
}

void user_wait_idle(struct user *user)
{
    while (user->idles == user->idles_seen)
        user_step();
    user->idles_seen++;
}

void user_login(struct user *user, int transport, const char *name)
{
    user_connect(user, transport, name);
    user_wait_ready(user);
}

static xmpp_elem *parse(const char *xml)
{
    char text[4096];
    xmpp_elem *root;
    xmpp_elem *copy;

    snprintf(text, sizeof text, "<x xmlns='jabber:client'>%s</x>", xml);
    assert_int_equal(xmpp_elem_parse(&root, text, strlen(text)), XMPP_OK);
    assert_int_equal(xmpp_elem_copy(xmpp_elem_first_child(root, NULL, NULL), &copy), XMPP_OK);
    xmpp_elem_unref(root);
    return copy;
}

void user_send(struct user *user, const char *xml)
{
    xmpp_elem *elem = parse(xml);

    assert_int_equal(xmpp_client_send(user->client, elem), XMPP_OK);
    xmpp_elem_unref(elem);
}

static void on_reply(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error,
                     void *user_data)
{
    struct user *user = user_data;

    (void)client;
    assert_true((reply == NULL) != (error == NULL));
    user->replies++;
    user->reply_code = xmpp_error_get_code(error);
    xmpp_elem_unref(user->last);
    user->last = reply ? xmpp_elem_ref(reply) : NULL;
}

void user_request(struct user *user, const char *xml, uint64_t timeout_us)
{
    xmpp_elem *elem = parse(xml);

    assert_int_equal(
        xmpp_client_request(user->client, NULL, elem, timeout_us, on_reply, user, NULL), XMPP_OK);
    xmpp_elem_unref(elem);
}

void user_wait_stanzas(struct user *user, unsigned count)
{
    while (user->stanzas < count)
        user_step();
}

void user_wait_replies(struct user *user, unsigned count)
{
    while (user->replies < count)
        user_step();
}

void user_check_error(const struct user *user, int code, int phase, const char *condition)
{
    const char *have = xmpp_error_get_condition(user->error);

    if (xmpp_error_get_code(user->error) != code || xmpp_error_get_phase(user->error) != phase)
        fail_msg("%s in phase %s, expected %s in %s: %s",
                 xmpp_err_name(xmpp_error_get_code(user->error)),
                 xmpp_phase_name(xmpp_error_get_phase(user->error)), xmpp_err_name(code),
                 xmpp_phase_name(phase), xmpp_error_get_text(user->error));
    if (condition) {
        assert_non_null(have);
        assert_string_equal(have, condition);
    }
}
