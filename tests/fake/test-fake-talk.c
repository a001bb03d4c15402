#include "fake/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_talk_login_and_end(void **state)
{
    struct talk talk;

    (void)state;
    assert_int_equal(talk_create(&talk), XMPP_OK);
    assert_int_equal(talk_login(&talk), XMPP_OK);
    assert_string_equal(talk.states, "resolving connecting securing authenticating binding ready");
    assert_string_equal(xmpp_jid_get_str(xmpp_client_get_jid(talk.client)), "user@a.example/r1");
    assert_int_equal(talk_send(&talk, "<presence xmlns='jabber:client'/>"), XMPP_OK);
    fake_run(talk.loop);
    assert_true(talk_hears(&talk, "<presence/>"));
    assert_int_equal(xmpp_client_disconnect(talk.client), XMPP_OK);
    fake_run(talk.loop);
    assert_true(talk_hears(&talk, "</stream:stream>"));
    assert_true(talk_is_silent(&talk));
    talk_say(&talk, "</stream:stream>");
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_IDLE);
    assert_null(talk.error);
    assert_true(fake_is_closed(talk.socket));
    talk_destroy(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_talk_login_and_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
