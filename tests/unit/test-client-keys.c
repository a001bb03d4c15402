/* What a client remembers of a password from login to login. */
#include "fake/talk.h"
#include "support/dialog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEADER                                                                                     \
    "<?xml version='1.0'?><stream:stream from='a.example' id='s1' version='1.0'"                   \
    " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
#define SASL "urn:ietf:params:xml:ns:xmpp-sasl"

static struct talk talk;
static unsigned asked;

static void on_ask(xmpp_client *client, xmpp_ask *ask, void *user_data)
{
    (void)client;
    (void)user_data;
    asked++;
    assert_int_equal(xmpp_ask_answer(ask, "pencil", 6), XMPP_OK);
}

static int set_account(const char *text)
{
    xmpp_jid *jid;
    int r = xmpp_jid_parse(&jid, text);

    if (r < 0)
        return r;
    r = xmpp_client_set_jid(talk.client, jid);
    xmpp_jid_unref(jid);
    return r;
}

static int setup(void **state)
{
    (void)state;
    asked = 0;
    if (talk_create(&talk) < 0 || set_account("user@a.example") < 0)
        return -1;
    return xmpp_client_set_ask_fn(talk.client, on_ask, NULL, NULL);
}

static int teardown(void **state)
{
    (void)state;
    talk_destroy(&talk);
    return 0;
}

/* What the client says next, with the SASL message in it; free() it. */
static char *hear(const char *pattern)
{
    char *captures[10] = {0};
    char reason[1000] = "";
    const char *data;
    size_t len = fake_peek(talk.socket, &data);
    long used = dialog_match(pattern, data, len, captures, reason, sizeof reason);

    if (used < 0)
        fail_msg("%s", reason);
    fake_consume(talk.socket, (size_t)used);
    return captures[1];
}

/* The server says this, with the SASL message in it. */
static void say(const char *name, char *message)
{
    char text[1000];

    snprintf(text, sizeof text, "<%s xmlns='" SASL "'>%s</%s>", name, message, name);
    free(message);
    talk_say(&talk, text);
}

/* By SCRAM-SHA-256, on a server that keeps this salt for the account; and out again. */
static void log_in(const char *salt)
{
    struct dialog_scram scram = {0};
    char *reply = NULL;

    assert_int_equal(talk_connect(&talk), XMPP_OK);
    talk_say(&talk, HEADER "<stream:features><mechanisms xmlns='" SASL "'>"
                           "<mechanism>SCRAM-SHA-256</mechanism></mechanisms></stream:features>");
    char *first = hear("<auth xmlns='" SASL "' mechanism='SCRAM-SHA-256'>$1</auth>");
    assert_true(dialog_scram_first(&scram, salt, first, &reply));
    free(first);
    say("challenge", reply);
    char *final = hear("<response xmlns='" SASL "'>$1</response>");
    assert_true(dialog_scram_final(&scram, "sha256", final, &reply));
    free(final);
    dialog_scram_clear(&scram);
    say("success", reply);
    assert_int_equal(talk_step(&talk, "restart"), XMPP_OK);
    assert_int_equal(talk_step(&talk, "bind"), XMPP_OK);
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_READY);
    xmpp_client_abort(talk.client);
    fake_run(talk.loop);
}

/* SASL-20: without the password nothing can be derived from it */
static void test_second_login_needs_no_password(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        log_in("salt");
        assert_int_equal(asked, 1);
    }
}

/* SASL-20 */
static void test_keys_are_for_one_salt(void **state)
{
    (void)state;
    log_in("salt");
    log_in("pepper");
    assert_int_equal(asked, 2);
    log_in("pepper");
    assert_int_equal(asked, 2);
}

/* SASL-20 */
static void test_keys_are_for_one_account(void **state)
{
    (void)state;
    log_in("salt");
    assert_int_equal(set_account("user@a.example"), XMPP_OK); /* as it was */
    log_in("salt");
    assert_int_equal(asked, 1);
    assert_int_equal(xmpp_client_set_authcid(talk.client, "user2"), XMPP_OK);
    log_in("salt");
    assert_int_equal(asked, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_second_login_needs_no_password, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_are_for_one_salt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_are_for_one_account, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
