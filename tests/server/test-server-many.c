/* 200 clients on one loop; and the server dies under connected ones. Runs last of its servers: it kills them. */
#include "server/peer.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CROWD = 200 };

struct crowd {
    struct peer peers[CROWD];
};

static bool all_ready(void *data)
{
    struct crowd *crowd = data;

    for (int i = 0; i < CROWD; i++)
        if (!peer_is_ready(&crowd->peers[i]))
            return false;
    return true;
}

static bool all_idle(void *data)
{
    struct crowd *crowd = data;

    for (int i = 0; i < CROWD; i++)
        if (!peer_is_idle(&crowd->peers[i]))
            return false;
    return true;
}

static bool all_have_messages(void *data)
{
    struct crowd *crowd = data;

    for (int i = 0; i < CROWD; i++)
        if (crowd->peers[i].messages == 0)
            return false;
    return true;
}

static void test_200_clients(void **state)
{
    xmpp_loop *loop = peer_loop();
    struct crowd *crowd = calloc(1, sizeof *crowd);

    (void)state;
    for (int i = 0; i < CROWD; i++) {
        peer_init(&crowd->peers[i], loop, i % 2 ? "alice" : "bob", "secret",
                  i % 3 ? BY_STARTTLS : BY_DIRECT_TLS);
        peer_connect(&crowd->peers[i]);
    }
    peer_run(loop, all_ready, crowd);
    for (int i = 0; i < CROWD; i++)
        peer_send_message(&crowd->peers[i],
                          xmpp_client_get_jid(crowd->peers[(i + 1) % CROWD].client), "next");
    peer_run(loop, all_have_messages, crowd);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(xmpp_client_disconnect(crowd->peers[i].client), XMPP_OK);
    peer_run(loop, all_idle, crowd);
    for (int i = 0; i < CROWD; i++) {
        assert_null(crowd->peers[i].error);
        peer_clear(&crowd->peers[i]);
    }
    free(crowd);
    xmpp_loop_unref(loop);
}

/* TLS-14, CORE-29: an end without good-bye is an error, told once */
static void test_server_is_killed(void **state)
{
    xmpp_loop *loop = peer_loop();
    struct peer starttls;
    struct peer direct;

    (void)state;
    peer_init(&starttls, loop, "alice", "secret", BY_STARTTLS);
    peer_init(&direct, loop, "bob", "secret", BY_DIRECT_TLS);
    peer_login(&starttls);
    peer_login(&direct);
    assert_int_equal(kill(atoi(test_env("XMPP_TEST_SERVER_PID")), SIGKILL), 0);
    peer_run(loop, peer_is_idle, &starttls);
    peer_run(loop, peer_is_idle, &direct);
    assert_non_null(starttls.error);
    assert_non_null(direct.error);
    print_message("%s\n%s\n", xmpp_error_get_text(starttls.error),
                  xmpp_error_get_text(direct.error));
    assert_int_equal(xmpp_error_get_phase(starttls.error), XMPP_PHASE_READY);
    assert_int_equal(starttls.idle, 1);
    /* nobody listens any more, and the client can say so */
    peer_connect(&starttls);
    peer_run(loop, peer_is_idle, &starttls);
    assert_int_equal(xmpp_error_get_code(starttls.error), XMPP_ERR_SYSTEM);
    peer_clear(&starttls);
    peer_clear(&direct);
    xmpp_loop_unref(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_200_clients),
        cmocka_unit_test(test_server_is_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
