#include "support/stream-login.h"

#include "support/torture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_stream_create_bad_arguments(void **state)
{
    xmpp_stream *stream = NULL;
    xmpp_jid *jid;

    (void)state;
    assert_int_equal(xmpp_jid_parse(&jid, "a.example"), XMPP_OK);
    assert_int_equal(xmpp_stream_create(NULL, jid, XMPP_FRAMING_STREAM), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_create(&stream, NULL, XMPP_FRAMING_STREAM), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_create(&stream, jid, 99), XMPP_ERR_INVAL);
    assert_null(stream);
    assert_null(xmpp_stream_free(NULL));
    xmpp_jid_unref(jid);
}

/* every setting: the result without a stream, and with one in this state */
static void check_settings(xmpp_stream *stream, int expected)
{
    xmpp_jid *jid;

    assert_int_equal(xmpp_jid_parse(&jid, "a.example"), XMPP_OK);
    assert_int_equal(xmpp_stream_set_tls_required(stream, 0), expected);
    assert_int_equal(xmpp_stream_set_authcid(stream, "x"), expected);
    assert_int_equal(xmpp_stream_set_authcid(stream, NULL), expected);
    assert_int_equal(xmpp_stream_set_authzid(stream, jid), expected);
    assert_int_equal(xmpp_stream_set_authzid(stream, NULL), expected);
    assert_int_equal(xmpp_stream_set_mechanisms(stream, "PLAIN"), expected);
    assert_int_equal(xmpp_stream_set_mechanisms(stream, NULL), expected);
    assert_int_equal(xmpp_stream_set_external(stream, 1), expected);
    assert_int_equal(xmpp_stream_set_lang(stream, "de"), expected);
    assert_int_equal(xmpp_stream_set_limits(stream, 1, 1), expected);
    assert_int_equal(xmpp_stream_set_timeout(stream, 1), expected);
    assert_int_equal(xmpp_stream_set_keepalive(stream, 0), expected);
    xmpp_jid_unref(jid);
}

static void test_stream_set_states(void **state)
{
    xmpp_stream *stream = NULL;

    (void)state;
    check_settings(NULL, XMPP_ERR_INVAL);
    assert_int_equal(login_create(&stream), XMPP_OK);
    check_settings(stream, XMPP_OK);
    assert_int_equal(xmpp_stream_open(stream, 0), XMPP_OK);
    check_settings(stream, XMPP_ERR_STATE);
    assert_int_equal(xmpp_stream_close(stream, 0), XMPP_OK);
    check_settings(stream, XMPP_ERR_STATE);
    xmpp_stream_free(stream);
}

static void test_stream_set_bad_values(void **state)
{
    xmpp_stream *stream = NULL;

    (void)state;
    assert_int_equal(login_create(&stream), XMPP_OK);
    assert_int_equal(xmpp_stream_set_lang(stream, "\xff"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_set_lang(stream, "a\x01"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_set_authcid(stream, "\xc3"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_set_limits(stream, 0, 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_set_limits(stream, 1, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_set_timeout(stream, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_set_secret(stream, NULL, 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_set_secret(stream, "\xff", 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_set_secret(NULL, "x", 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_set_secret(stream, NULL, 0), XMPP_OK);
    assert_int_equal(xmpp_stream_refuse_secret(NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_refuse_secret(stream), XMPP_ERR_STATE);
    xmpp_stream_free(stream);
}

/* CORE-04: what a setting holds is escaped */
static void test_stream_set_lang_escaped(void **state)
{
    xmpp_stream *stream = NULL;
    const void *data;
    size_t len;

    (void)state;
    assert_int_equal(login_create(&stream), XMPP_OK);
    assert_int_equal(xmpp_stream_set_lang(stream, "de"), XMPP_OK);
    assert_int_equal(xmpp_stream_set_lang(stream, "'><x"), XMPP_OK);
    assert_int_equal(xmpp_stream_open(stream, 0), XMPP_OK);
    len = xmpp_stream_peek(stream, &data);
    assert_non_null(memmem(data, len, " xml:lang='&apos;&gt;&lt;x'", 26));
    xmpp_stream_free(stream);
}

static void test_stream_add_channel_binding_states(void **state)
{
    xmpp_stream *stream = NULL;
    xmpp_jid *jid;

    (void)state;
    assert_int_equal(xmpp_jid_parse(&jid, "user@a.example"), XMPP_OK);
    assert_int_equal(xmpp_stream_create(&stream, jid, XMPP_FRAMING_STREAM), XMPP_OK);
    xmpp_jid_unref(jid);
    assert_int_equal(xmpp_stream_add_channel_binding(NULL, "t", "d", 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_add_channel_binding(stream, NULL, "d", 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_add_channel_binding(stream, "t", NULL, 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_add_channel_binding(stream, "t", "d", 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_add_channel_binding(stream, "t", "d", 1), XMPP_OK);
    assert_int_equal(xmpp_stream_add_channel_binding(stream, "u", "e", 1), XMPP_OK);
    assert_int_equal(stream->binding_count, 2);
    assert_string_equal(stream->bindings[0].type, "t");
    assert_memory_equal(stream->bindings[1].data, "e", 1);
    assert_int_equal(xmpp_stream_secured(stream, 0x0304, 0), XMPP_OK);
    assert_int_equal(xmpp_stream_add_channel_binding(stream, "v", "f", 1), XMPP_ERR_STATE);
    assert_int_equal(xmpp_stream_secured(stream, 0x0304, 0), XMPP_ERR_STATE);
    assert_int_equal(xmpp_stream_secured(NULL, 0x0304, 0), XMPP_ERR_INVAL);
    xmpp_stream_free(stream);
}

static void test_stream_get_nothing(void **state)
{
    xmpp_stream *stream = NULL;

    (void)state;
    assert_null(xmpp_stream_get_jid(NULL));
    assert_null(xmpp_stream_get_id(NULL));
    assert_null(xmpp_stream_get_mechanism(NULL));
    assert_null(xmpp_stream_get_channel_binding(NULL));
    assert_int_equal(login_create(&stream), XMPP_OK);
    assert_null(xmpp_stream_get_jid(stream));
    assert_null(xmpp_stream_get_id(stream));
    assert_null(xmpp_stream_get_mechanism(stream));
    assert_null(xmpp_stream_get_channel_binding(stream));
    assert_false(engine_used_strong(stream));
    assert_int_equal(engine_get_output_len(stream), 0);
    xmpp_stream_free(stream);
}

/* SEC-31: the secret does not outlive its use */
static void test_stream_set_secret_wiped(void **state)
{
    xmpp_stream *stream = NULL;

    (void)state;
    assert_int_equal(login_to_auth(&stream), XMPP_OK);
    assert_non_null(stream->secret);
    assert_int_equal(login_feed(stream, "<success xmlns='" NS_SASL "'/>"), XMPP_OK);
    assert_null(stream->secret);
    assert_int_equal(xmpp_stream_set_secret(stream, "late", 4), XMPP_ERR_STATE);
    xmpp_stream_free(stream);

    assert_int_equal(login_to_auth(&stream), XMPP_OK);
    assert_int_equal(xmpp_stream_feed_eof(stream, 0), XMPP_OK);
    assert_null(stream->secret);
    xmpp_stream_free(stream);
}

static int scenario(void *data)
{
    xmpp_stream *stream = NULL;
    int r;

    (void)data;
    r = login_create(&stream);
    if (r < 0)
        return r;
    if (r == XMPP_OK)
        r = xmpp_stream_set_lang(stream, "de");
    if (r == XMPP_OK)
        r = xmpp_stream_set_authcid(stream, "a");
    if (r == XMPP_OK)
        r = xmpp_stream_set_authcid(stream, "b");
    if (r == XMPP_OK)
        r = xmpp_stream_set_mechanisms(stream, "PLAIN");
    if (r == XMPP_OK)
        r = xmpp_stream_open(stream, 0);
    /* open has no effect when it fails, so it can be called again */
    if (r == XMPP_ERR_NOMEM && !xmpp_stream_open(stream, 0))
        r = XMPP_OK;
    xmpp_stream_free(stream);
    return r;
}

static void test_stream_create_torture(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_create_bad_arguments),
        cmocka_unit_test(test_stream_set_states),
        cmocka_unit_test(test_stream_set_bad_values),
        cmocka_unit_test(test_stream_set_lang_escaped),
        cmocka_unit_test(test_stream_add_channel_binding_states),
        cmocka_unit_test(test_stream_get_nothing),
        cmocka_unit_test(test_stream_set_secret_wiped),
        cmocka_unit_test(test_stream_create_torture),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
