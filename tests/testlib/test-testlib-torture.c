#include "support/torture.h"
#include "user.h"

#include <sys/socket.h>
#include <unistd.h>

/* A login, a script and a stanza with each allocation of libxmpp's allocator failing: that of the client, and that of
 * what the server uses of libxmpp. */

static struct user alice;

static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                     void *user_data)
{
    xmpp_elem *presence;

    (void)old_state;
    (void)error;
    (void)user_data;
    if (new_state == XMPP_STATE_IDLE)
        alice.idles++;
    if (new_state != XMPP_STATE_READY)
        return;
    if (xmpp_elem_create_stanza(&presence, XMPP_PRESENCE, NULL, NULL) < 0 ||
        xmpp_client_send(client, presence) < 0)
        (void)xmpp_client_abort(client);
    else
        xmpp_elem_unref(presence);
}

struct login {
    int transport;
    const char *mechanism;
    const char *user; /* NULL: anonymous */
};

static int scenario(void *user_data)
{
    const struct login *login = user_data;
    static const char script[] = "I: <presence id='no'/>\n"
                                 "S: <iq type='get' id='1'><q xmlns='urn:q'/></iq>\n"
                                 "C: <presence/>\nC: <iq type='error' id='1'/>\nWAIT 100\nCLOSE";
    xmpp_loop *own_loop = NULL;
    xmpp_test_server *own_server = NULL;
    xmpp_client *client = NULL;
    int r;

    alice.idles = 0;
    r = xmpp_loop_create(&own_loop);
    if (r >= 0)
        r = xmpp_test_server_create(&own_server, own_loop);
    if (r >= 0)
        r = xmpp_client_create(&client, own_loop);
    if (r >= 0)
        r = xmpp_test_server_add_account(own_server, "alice", "wonder");
    if (r >= 0)
        r = xmpp_test_server_set_mechanisms(own_server, login->mechanism);
    if (r >= 0)
        r = xmpp_test_server_configure_client(own_server, client, login->transport, login->user);
    if (r >= 0)
        r = xmpp_client_on_state(client, NULL, on_state, NULL, NULL);
    if (r >= 0)
        r = xmpp_test_server_play(own_server, XMPP_TEST_FROM_READY, script);
    if (r >= 0)
        r = xmpp_client_connect(client);
    while (r >= 0 && alice.idles == 0)
        r = xmpp_loop_step(own_loop, -1);
    if (r >= 0 && xmpp_test_server_is_finished(own_server) != 1)
        r = torture_has_failed() ? XMPP_ERR_NOMEM : XMPP_ERR_PROTOCOL;
    /* a pattern or an answer for which there was no memory */
    if (r < 0 && torture_has_failed())
        r = XMPP_ERR_NOMEM;
    xmpp_client_unref(client);
    xmpp_test_server_unref(own_server);
    xmpp_loop_unref(own_loop);
    return r < 0 ? r : XMPP_OK;
}

static void test_torture(void **state)
{
    struct login login = {XMPP_TEST_PLAIN, "ANONYMOUS", NULL};

    (void)state;
    assert_int_equal(torture_run(scenario, &login), XMPP_OK);
}

static void test_torture_tls(void **state)
{
    struct login login = {XMPP_TEST_STARTTLS, "ANONYMOUS", NULL};

    (void)state;
    assert_int_equal(torture_run(scenario, &login), XMPP_OK);
}

static void test_torture_external(void **state)
{
    struct login login = {XMPP_TEST_DIRECT_TLS, "EXTERNAL", "alice"};

    (void)state;
    assert_int_equal(torture_run(scenario, &login), XMPP_OK);
}

/* What could not be accepted still belongs to the test. */
static int accept_pair(void *user_data)
{
    xmpp_loop *own_loop = NULL;
    xmpp_test_server *own_server = NULL;
    int fds[2];
    int r;

    (void)user_data;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    r = xmpp_loop_create(&own_loop);
    if (r >= 0)
        r = xmpp_test_server_create(&own_server, own_loop);
    if (r >= 0)
        r = xmpp_test_server_accept(own_server, XMPP_TEST_DIRECT_TLS, fds[0]);
    xmpp_test_server_unref(own_server);
    xmpp_loop_unref(own_loop);
    assert_int_equal(close(fds[0]), r < 0 ? 0 : -1);
    assert_int_equal(close(fds[1]), 0);
    return r;
}

static void test_torture_accept(void **state)
{
    (void)state;
    assert_int_equal(torture_run(accept_pair, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torture),
        cmocka_unit_test(test_torture_tls),
        cmocka_unit_test(test_torture_external),
        cmocka_unit_test(test_torture_accept),
    };

    alarm(280);
    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
