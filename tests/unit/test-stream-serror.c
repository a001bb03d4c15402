#include "support/stream-login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* RFC 6120 4.9.3.1 to 4.9.3.25 */
static const char *const conditions[] = {
    "bad-format",
    "bad-namespace-prefix",
    "conflict",
    "connection-timeout",
    "host-gone",
    "host-unknown",
    "improper-addressing",
    "internal-server-error",
    "invalid-from",
    "invalid-namespace",
    "invalid-xml",
    "not-authorized",
    "not-well-formed",
    "policy-violation",
    "remote-connection-failed",
    "reset",
    "resource-constraint",
    "restricted-xml",
    "see-other-host",
    "system-shutdown",
    "undefined-condition",
    "unsupported-encoding",
    "unsupported-feature",
    "unsupported-stanza-type",
    "unsupported-version",
};

/* CORE-19 */
static void test_serror_receive_all_conditions(void **state)
{
    (void)state;
    assert_int_equal(ARRAY_LEN(conditions), 25);
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++) {
        xmpp_stream *stream = NULL;
        xmpp_error *error;
        char xml[300];

        assert_int_equal(login_to_ready(&stream), XMPP_OK);
        snprintf(xml, sizeof xml,
                 "<stream:error><text xmlns='%s'>why</text><%s xmlns='%s'>host:5222</%s>"
                 "</stream:error></stream:stream>",
                 NS_STREAMS, conditions[i], NS_STREAMS, conditions[i]);
        assert_int_equal(login_feed(stream, xml), XMPP_OK);
        error = login_take_failure(stream);
        assert_non_null(error);
        assert_int_equal(xmpp_error_get_code(error), XMPP_ERR_STREAM);
        assert_string_equal(xmpp_error_get_condition(error), conditions[i]);
        assert_string_equal(xmpp_error_get_peer_text(error), "why");
        /* the name for those who know it, and words for the others */
        assert_non_null(strstr(xmpp_error_get_text(error), conditions[i]));
        assert_non_null(strchr(xmpp_error_get_text(error), '('));
        if (!strcmp(conditions[i], "see-other-host"))
            assert_non_null(strstr(xmpp_error_get_text(error), "host:5222"));
        else
            assert_null(strstr(xmpp_error_get_text(error), "host:5222"));
        assert_int_equal(xmpp_error_get_phase(error), XMPP_PHASE_READY);
        /* CORE-20: the new host is the text of the condition */
        assert_string_equal(xmpp_elem_get_text(xmpp_elem_first_child(xmpp_error_get_elem(error),
                                                                     NS_STREAMS, conditions[i])),
                            "host:5222");
        xmpp_error_unref(error);
        xmpp_stream_free(stream);
    }
}

/* What is no XMPP server is known by its first bytes. */
static void test_open_explain_other_protocols(void **state)
{
    static const struct {
        const char *bytes;
        const char *words;
    } cases[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "no XMPP server: it sent \"HTTP/1.1 400 Bad Request"},
        {" SSH-2.0-x\r\n", "it sent \"SSH-2.0-x"},
        {"\x15\x03\x01\x00\x02\x02\x46", "direct TLS"},
        {"\x16\x03\x03", "direct TLS"},
        {"\x80\x81\x82", "stream header is not acceptable"},
        {"<a></b>", "no XMPP server: it began with <a/>"},
        {"<!-- x", "stream header is not acceptable"},
        {"<?xml version='1.0'?><a <", "stream header is not acceptable"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        xmpp_stream *stream = NULL;
        xmpp_error *error;

        assert_int_equal(login_create(&stream), XMPP_OK);
        assert_int_equal(xmpp_stream_open(stream, 1), XMPP_OK);
        assert_int_equal(login_feed(stream, cases[i].bytes), XMPP_OK);
        error = login_take_failure(stream);
        assert_non_null(error);
        assert_non_null(strstr(xmpp_error_get_text(error), cases[i].words));
        xmpp_error_unref(error);
        xmpp_stream_free(stream);
    }
}

static void test_serror_is_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
        assert_true(serror_is_known(conditions[i]));
    assert_false(serror_is_known(NULL));
    assert_false(serror_is_known(""));
    assert_false(serror_is_known("text"));
    assert_false(serror_is_known("Reset"));
}

static void test_serror_find_condition(void **state)
{
    static const char xml[] = "<error xmlns='jabber:client'><reset/><text xmlns='" NS_STREAMS
                              "'/><reset xmlns='urn:x'/><conflict xmlns='" NS_STREAMS "'/></error>";
    xmpp_elem *elem;

    (void)state;
    assert_int_equal(xmpp_elem_parse(&elem, xml, sizeof xml - 1), XMPP_OK);
    assert_string_equal(serror_find_condition(elem, NS_STREAMS), "conflict");
    assert_null(serror_find_condition(elem, NS_STANZAS));
    assert_null(serror_find_condition(NULL, NS_STANZAS));
    xmpp_elem_unref(elem);
}

/* CORE-18: header, error and end tag, in that order, when the first bytes are wrong */
static void test_serror_send_first_thing(void **state)
{
    static const char tail[] =
        "xmlns:stream='" NS_STREAM "'><stream:error><not-well-formed xmlns='" NS_STREAMS
        "'/></stream:error></stream:stream>";
    xmpp_stream *stream = NULL;
    const void *data;
    size_t len;

    (void)state;
    assert_int_equal(login_create(&stream), XMPP_OK);
    assert_int_equal(xmpp_stream_open(stream, 0), XMPP_OK);
    assert_int_equal(login_feed(stream, "<a b>"), XMPP_OK);
    len = xmpp_stream_peek(stream, &data);
    assert_true(len > sizeof tail);
    assert_memory_equal(data, "<?xml version='1.0'?><stream:stream ", 36);
    assert_memory_equal((const char *)data + len - (sizeof tail - 1), tail, sizeof tail - 1);
    xmpp_stream_free(stream);
}

/* Exactly one end, however many reasons there are */
static void test_serror_fail_twice(void **state)
{
    xmpp_stream *stream = NULL;
    xmpp_error *error;
    size_t len;

    (void)state;
    assert_int_equal(login_to_ready(&stream), XMPP_OK);
    serror_fail(stream, error_create(XMPP_ERR_TIMEOUT, 0, "first"));
    len = xmpp_stream_peek(stream, NULL);
    serror_fail(stream, error_create(XMPP_ERR_XML, 0, "second"));
    serror_send(stream, error_create(XMPP_ERR_XML, 0, "third"), "reset");
    assert_int_equal(xmpp_stream_peek(stream, NULL), len);
    error = login_take_failure(stream);
    assert_int_equal(xmpp_error_get_code(error), XMPP_ERR_TIMEOUT);
    xmpp_error_unref(error);
    assert_false(engine_has_events(stream));
    xmpp_stream_free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serror_receive_all_conditions),
        cmocka_unit_test(test_open_explain_other_protocols),
        cmocka_unit_test(test_serror_is_known),
        cmocka_unit_test(test_serror_find_condition),
        cmocka_unit_test(test_serror_send_first_thing),
        cmocka_unit_test(test_serror_fail_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
