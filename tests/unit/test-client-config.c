#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "client/client.h"
#include "jid/jid.h"
#include "support/torture.h"

#include <xmpp/jid.h>
#include <xmpp/loop.h>

static xmpp_loop *loop;
static xmpp_client *client;
static xmpp_jid *jid;

static int setup(void **state)
{
    (void)state;
    return xmpp_loop_create(&loop) || xmpp_client_create(&client, loop) ||
           xmpp_jid_parse(&jid, "alice@a.example/r");
}

static int teardown(void **state)
{
    (void)state;
    xmpp_jid_unref(jid);
    xmpp_client_unref(client);
    xmpp_loop_unref(loop);
    return 0;
}

static void test_defaults(void **state)
{
    (void)state;
    assert_int_equal(client->config.tls_mode, XMPP_TLS_REQUIRED); /* TLS-01 */
    assert_int_equal(client->config.connect_us, DEFAULT_CONNECT_US);
    assert_int_equal(client->config.max_stanza_bytes, LIMIT_STANZA_BYTES);
    assert_int_equal(client->sendq.max_bytes, LIMIT_QUEUE_BYTES);
}

static void test_set_null_client(void **state)
{
    (void)state;
    assert_int_equal(xmpp_client_set_jid(NULL, jid), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_password(NULL, "x"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_endpoint(NULL, "h", 1, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_tls_mode(NULL, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_trust_file(NULL, "f"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_timeout(NULL, 0, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_cert_files(NULL, "a", "b"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_authcid(NULL, "a"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_authzid(NULL, jid), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_mechanisms(NULL, "PLAIN"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_lang(NULL, "de"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_keepalive(NULL, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_limits(NULL, 0, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_cert_fn(NULL, NULL, NULL, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_ask_fn(NULL, NULL, NULL, NULL), XMPP_ERR_INVAL);
}

static void test_set_wrong_values(void **state)
{
    xmpp_jid *lenient;

    (void)state;
    assert_int_equal(xmpp_client_set_jid(client, NULL), XMPP_ERR_INVAL);
    if (jid_parse_lenient(&lenient, "a_b..c", 6) == XMPP_OK) {
        if (!jid_get_ascii_domain(lenient))
            assert_int_equal(xmpp_client_set_jid(client, lenient), XMPP_ERR_INVAL);
        xmpp_jid_unref(lenient);
    }
    assert_int_equal(xmpp_client_set_password(client, ""), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_password(client, "\xff"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_endpoint(client, "", 5222, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_endpoint(client, "a b", 5222, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_tls_mode(client, 2), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_tls_mode(client, -1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_trust_file(client, ""), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_cert_files(client, NULL, "key"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_authcid(client, ""), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_authcid(client, "a\x01"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_mechanisms(client, ""), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_mechanisms(client, "PLAIN scram"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_mechanisms(client, "ABCDEFGHIJKLMNOPQRSTU"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_lang(client, ""), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_lang(client, "de-"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_lang(client, "d'e"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_lang(client, "abcdefghi"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_set_limits(client, 9999, 0), XMPP_ERR_INVAL);
    assert_int_equal(client->config.max_stanza_bytes, LIMIT_STANZA_BYTES);
}

static void test_set_and_clear(void **state)
{
    (void)state;
    assert_int_equal(xmpp_client_set_jid(client, jid), XMPP_OK);
    assert_ptr_equal(xmpp_client_get_jid(client), jid);
    assert_int_equal(xmpp_client_set_password(client, "secret"), XMPP_OK);
    assert_string_equal(secret_data(client->config.password), "secret");
    assert_int_equal(xmpp_client_set_password(client, NULL), XMPP_OK);
    assert_null(client->config.password);
    assert_int_equal(xmpp_client_set_cert_files(client, "c", NULL), XMPP_OK);
    assert_null(client->config.key_path);
    assert_int_equal(xmpp_client_set_cert_files(client, "c", "k"), XMPP_OK);
    assert_string_equal(client->config.key_path, "k");
    assert_int_equal(xmpp_client_set_cert_files(client, NULL, NULL), XMPP_OK);
    assert_null(client->config.cert_path);
    assert_null(client->config.key_path);
    assert_int_equal(xmpp_client_set_authzid(client, jid), XMPP_OK);
    assert_int_equal(xmpp_client_set_authzid(client, NULL), XMPP_OK);
    assert_int_equal(xmpp_client_set_mechanisms(client, " SCRAM-SHA-256  PLAIN "), XMPP_OK);
    assert_int_equal(xmpp_client_set_mechanisms(client, NULL), XMPP_OK);
    assert_null(client->config.mechanisms);
    assert_int_equal(xmpp_client_set_lang(client, "de-CH-1996"), XMPP_OK);
    assert_int_equal(xmpp_client_set_lang(client, NULL), XMPP_OK);
    assert_int_equal(xmpp_client_set_trust_file(client, "/x.pem"), XMPP_OK);
    assert_int_equal(xmpp_client_set_keepalive(client, 0), XMPP_OK);
    assert_int_equal(client->config.keepalive_us, 0);
    assert_int_equal(xmpp_client_set_limits(client, 10000, 5), XMPP_OK);
    assert_int_equal(client->sendq.max_bytes, 5);
    assert_int_equal(xmpp_client_set_timeout(client, 1, UINT64_MAX), XMPP_OK);
    assert_int_equal(client->config.connect_us, 1);
    assert_int_equal(xmpp_client_set_timeout(client, 0, 0), XMPP_OK);
    assert_int_equal(client->config.connect_us, DEFAULT_CONNECT_US);
    assert_int_equal(client->config.reply_us, DEFAULT_REPLY_US);
}

static void test_set_endpoint_forms(void **state)
{
    (void)state;
    assert_int_equal(xmpp_client_set_endpoint(client,
                                              "b\xc3\xbc"
                                              "cher.example",
                                              0, 1),
                     XMPP_OK);
    assert_string_equal(client->config.host, "xn--bcher-kva.example"); /* DNS-07 */
    assert_true(client->config.direct_tls);
    assert_int_equal(xmpp_client_set_endpoint(client, "my_host", 1, 0), XMPP_OK);
    assert_string_equal(client->config.host, "my_host");
    assert_int_equal(xmpp_client_set_endpoint(client, "::1", 1, 0), XMPP_OK);
    assert_string_equal(client->config.host, "::1");
    assert_int_equal(xmpp_client_set_endpoint(client, "[::1]", 1, 0), XMPP_OK);
    assert_string_equal(client->config.host, "::1");
    assert_int_equal(xmpp_client_set_endpoint(client, "127.0.0.1", 7, 0), XMPP_OK);
    assert_int_equal(client->config.port, 7);
    assert_int_equal(xmpp_client_set_endpoint(client, NULL, 7, 1), XMPP_OK);
    assert_null(client->config.host);
    assert_int_equal(client->config.port, 0);
    assert_false(client->config.direct_tls);
}

static void test_what_was_learnt_is_forgotten(void **state)
{
    xmpp_jid *other;
    xmpp_jid *resource;

    (void)state;
    /* SASL-20, SASL-25 */
    assert_int_equal(xmpp_jid_parse(&other, "bob@a.example"), XMPP_OK);
    assert_int_equal(xmpp_jid_parse(&resource, "alice@a.example/other"), XMPP_OK);
    assert_int_equal(xmpp_client_set_jid(client, jid), XMPP_OK);
    assert_int_equal(xmpp_client_set_password(client, "secret"), XMPP_OK);
    client->config.used_strong = true;
    assert_int_equal(xmpp_client_set_password(client, "secret"), XMPP_OK);
    assert_int_equal(xmpp_client_set_jid(client, resource), XMPP_OK);
    assert_true(client->config.used_strong);
    assert_int_equal(xmpp_client_set_password(client, "secreT"), XMPP_OK);
    assert_false(client->config.used_strong);
    client->config.used_strong = true;
    assert_int_equal(xmpp_client_set_jid(client, other), XMPP_OK);
    assert_false(client->config.used_strong);
    xmpp_jid_unref(other);
    xmpp_jid_unref(resource);
}

static void test_set_while_connecting(void **state)
{
    (void)state;
    assert_int_equal(xmpp_client_connect(client), XMPP_ERR_STATE);
    assert_int_equal(xmpp_client_set_jid(client, jid), XMPP_OK);
    assert_int_equal(xmpp_client_set_endpoint(client, "127.0.0.1", 1, 0), XMPP_OK);
    assert_int_equal(xmpp_client_connect(client), XMPP_OK);
    assert_int_equal(xmpp_client_connect(client), XMPP_ERR_STATE);
    assert_int_equal(xmpp_client_set_jid(client, jid), XMPP_ERR_STATE);
    assert_int_equal(xmpp_client_set_password(client, "x"), XMPP_ERR_STATE);
    assert_int_equal(xmpp_client_set_endpoint(client, NULL, 0, 0), XMPP_ERR_STATE);
    assert_int_equal(xmpp_client_set_tls_mode(client, 0), XMPP_ERR_STATE);
    assert_int_equal(xmpp_client_set_limits(client, 0, 0), XMPP_ERR_STATE);
    assert_int_equal(xmpp_client_set_cert_fn(client, NULL, NULL, NULL), XMPP_ERR_STATE);
    assert_int_equal(xmpp_client_abort(client), XMPP_OK);
    assert_int_equal(xmpp_client_set_tls_mode(client, 0), XMPP_OK);
}

static void count(void *user_data)
{
    ++*(int *)user_data;
}

static int on_cert(xmpp_client *c, xmpp_cert *cert, void *user_data)
{
    (void)c;
    (void)cert;
    (void)user_data;
    return XMPP_CERT_REJECT;
}

static void on_ask(xmpp_client *c, xmpp_ask *ask, void *user_data)
{
    (void)c;
    (void)ask;
    (void)user_data;
}

static void test_question_functions_are_destroyed_once(void **state)
{
    int cert = 0;
    int ask = 0;

    (void)state;
    assert_int_equal(xmpp_client_set_cert_fn(client, on_cert, &cert, count), XMPP_OK);
    assert_int_equal(xmpp_client_set_ask_fn(client, on_ask, &ask, count), XMPP_OK);
    assert_int_equal(xmpp_client_set_ask_fn(client, on_ask, &ask, count), XMPP_OK);
    assert_int_equal(ask, 1);
    client->asking = 1;
    assert_int_equal(xmpp_client_set_cert_fn(client, NULL, NULL, NULL), XMPP_ERR_BUSY);
    client->asking = 0;
    assert_int_equal(xmpp_client_set_cert_fn(client, NULL, NULL, NULL), XMPP_OK);
    assert_int_equal(cert, 1);
    client = xmpp_client_unref(client);
    assert_int_equal(cert, 1);
    assert_int_equal(ask, 2);
}

static int scenario(void *user_data)
{
    xmpp_client *c = NULL;
    int r = xmpp_client_create(&c, loop);

    (void)user_data;
    if (r >= 0)
        r = xmpp_client_set_jid(c, jid);
    if (r >= 0)
        r = xmpp_client_set_password(c, "secret");
    if (r >= 0)
        r = xmpp_client_set_endpoint(c, "[::1]", 5222, 0);
    if (r >= 0)
        r = xmpp_client_set_cert_files(c, "cert", "key");
    if (r >= 0)
        r = xmpp_client_set_mechanisms(c, "PLAIN");
    if (r >= 0)
        r = xmpp_client_set_lang(c, "de");
    if (r >= 0)
        r = xmpp_client_set_authcid(c, "name");
    xmpp_client_unref(c);
    return r;
}

static void test_torture(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_set_null_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_set_wrong_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_set_and_clear, setup, teardown),
        cmocka_unit_test_setup_teardown(test_set_endpoint_forms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_learnt_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_set_while_connecting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_question_functions_are_destroyed_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_torture, setup, teardown),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
