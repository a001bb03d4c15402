#include "support/stream-login.h"

#include "support/torture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void test_stream_calls_without_stream(void **state)
{
    xmpp_elem *elem;
    xmpp_error *error;

    (void)state;
    assert_int_equal(xmpp_stream_open(NULL, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_feed(NULL, "", 0, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_feed_eof(NULL, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_peek(NULL, NULL), 0);
    assert_int_equal(xmpp_stream_consume(NULL, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_next(NULL, &elem, &error), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_get_deadline(NULL), UINT64_MAX);
    assert_int_equal(xmpp_stream_tick(NULL, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_send(NULL, NULL, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_close(NULL, 0), XMPP_ERR_INVAL);
}

static void test_stream_calls_before_open(void **state)
{
    xmpp_stream *stream = NULL;
    xmpp_elem *elem;
    xmpp_error *error;

    (void)state;
    assert_int_equal(login_create(&stream), XMPP_OK);
    assert_int_equal(xmpp_stream_feed(stream, "<", 1, 0), XMPP_ERR_STATE);
    assert_int_equal(xmpp_stream_feed_eof(stream, 0), XMPP_ERR_STATE);
    assert_int_equal(xmpp_stream_tick(stream, 0), XMPP_ERR_STATE);
    assert_int_equal(xmpp_stream_get_deadline(stream), UINT64_MAX);
    assert_int_equal(xmpp_stream_peek(stream, NULL), 0);
    assert_int_equal(xmpp_stream_next(stream, NULL, &error), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_next(stream, &elem, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_next(stream, &elem, &error), XMPP_EV_NONE);
    assert_null(elem);
    assert_null(error);
    /* closed without a word */
    assert_int_equal(xmpp_stream_close(stream, 0), XMPP_OK);
    assert_int_equal(xmpp_stream_open(stream, 0), XMPP_ERR_STATE);
    assert_int_equal(xmpp_stream_next(stream, &elem, &error), XMPP_EV_CLOSED);
    assert_int_equal(xmpp_stream_next(stream, &elem, &error), XMPP_EV_NONE);
    assert_int_equal(xmpp_stream_peek(stream, NULL), 0);
    xmpp_stream_free(stream);
}

static void test_stream_open_twice(void **state)
{
    xmpp_stream *stream = NULL;
    size_t len;

    (void)state;
    assert_int_equal(login_create(&stream), XMPP_OK);
    assert_int_equal(xmpp_stream_open(stream, 0), XMPP_OK);
    len = xmpp_stream_peek(stream, NULL);
    assert_true(len > 0);
    assert_int_equal(xmpp_stream_open(stream, 0), XMPP_ERR_STATE);
    assert_int_equal(xmpp_stream_peek(stream, NULL), len);
    assert_int_equal(xmpp_stream_feed(stream, NULL, 1, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_stream_feed(stream, NULL, 0, 0), XMPP_OK);
    xmpp_stream_free(stream);
}

static void test_stream_consume_in_pieces(void **state)
{
    xmpp_stream *stream = NULL;
    const void *data;
    char copy[512];
    size_t len;

    (void)state;
    assert_int_equal(login_create(&stream), XMPP_OK);
    assert_int_equal(xmpp_stream_open(stream, 0), XMPP_OK);
    len = xmpp_stream_peek(stream, &data);
    assert_true(len < sizeof copy);
    memcpy(copy, data, len);
    assert_int_equal(xmpp_stream_consume(stream, len + 1), XMPP_ERR_INVAL);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(xmpp_stream_peek(stream, &data), len - i);
        assert_int_equal(((const char *)data)[0], copy[i]);
        assert_int_equal(xmpp_stream_consume(stream, 1), XMPP_OK);
    }
    assert_int_equal(xmpp_stream_peek(stream, NULL), 0);
    assert_int_equal(xmpp_stream_consume(stream, 0), XMPP_OK);
    assert_int_equal(xmpp_stream_consume(stream, 1), XMPP_ERR_INVAL);
    xmpp_stream_free(stream);
}

/* CORE-28: many stanzas in one read, in order, some taken in between, the end behind them */
static void test_stream_next_many(void **state)
{
    xmpp_stream *stream = NULL;
    xmpp_elem *elem;
    xmpp_error *error;
    char id[16];
    unsigned sent = 0;
    unsigned taken = 0;

    (void)state;
    assert_int_equal(login_to_ready(&stream), XMPP_OK);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 30; i++) {
            char xml[64];

            snprintf(xml, sizeof xml, "<message id='%u'/>", sent++);
            assert_int_equal(login_feed(stream, xml), XMPP_OK);
        }
        for (unsigned i = 0; i < 23; i++) {
            assert_int_equal(xmpp_stream_next(stream, &elem, &error), XMPP_EV_STANZA);
            assert_true(xmpp_elem_is_sealed(elem));
            snprintf(id, sizeof id, "%u", taken++);
            assert_string_equal(xmpp_elem_get_attr(elem, "id"), id);
            xmpp_elem_unref(elem);
        }
    }
    assert_int_equal(xmpp_stream_feed_eof(stream, 0), XMPP_OK);
    for (; taken < sent; taken++) {
        assert_int_equal(xmpp_stream_next(stream, &elem, &error), XMPP_EV_STANZA);
        snprintf(id, sizeof id, "%u", taken);
        assert_string_equal(xmpp_elem_get_attr(elem, "id"), id);
        xmpp_elem_unref(elem);
    }
    assert_int_equal(xmpp_stream_next(stream, &elem, &error), XMPP_EV_FAILED);
    assert_int_equal(xmpp_error_get_code(error), XMPP_ERR_CLOSED);
    xmpp_error_unref(error);
    assert_int_equal(engine_count_received(stream), sent);
    xmpp_stream_free(stream);
}

/* freed with everything still in it */
static void test_stream_free_full(void **state)
{
    xmpp_stream *stream = NULL;

    (void)state;
    assert_int_equal(login_to_ready(&stream), XMPP_OK);
    assert_int_equal(login_feed(stream, "<message/><message/><message><a>"), XMPP_OK);
    assert_true(engine_has_events(stream));
    assert_null(xmpp_stream_free(stream));
    assert_int_equal(login_to_ready(&stream), XMPP_OK);
    assert_int_equal(login_feed(stream, "<message/><a></b>"), XMPP_OK);
    assert_null(xmpp_stream_free(stream));
}

static void test_stream_send_bad_elements(void **state)
{
    xmpp_stream *stream = NULL;
    xmpp_elem *elem;

    (void)state;
    assert_int_equal(login_to_ready(&stream), XMPP_OK);
    assert_int_equal(xmpp_stream_send(stream, NULL, 0), XMPP_ERR_INVAL);
    /* a build error is told, and nothing is written */
    assert_int_equal(xmpp_elem_create_stanza(&elem, XMPP_MESSAGE, NULL, NULL), XMPP_OK);
    assert_true(xmpp_elem_add_text(elem, "\x01") < 0);
    assert_true(xmpp_stream_send(stream, elem, 0) < 0);
    assert_int_equal(xmpp_stream_peek(stream, NULL), 0);
    assert_int_equal(engine_count_sent(stream), 0);
    xmpp_elem_unref(elem);
    /* a good one is sealed, and may be sent again */
    assert_int_equal(xmpp_elem_create_stanza(&elem, XMPP_PRESENCE, NULL, NULL), XMPP_OK);
    assert_int_equal(xmpp_stream_send(stream, elem, 0), XMPP_OK);
    assert_true(xmpp_elem_is_sealed(elem));
    assert_int_equal(xmpp_stream_send(stream, elem, 0), XMPP_OK);
    assert_int_equal(engine_count_sent(stream), 2);
    xmpp_elem_unref(elem);
    xmpp_stream_free(stream);
}

/* what the library owes goes out when the application may not send any more */
static void test_engine_send_owed_over_limit(void **state)
{
    xmpp_stream *stream = NULL;
    xmpp_elem *elem;
    size_t len;

    (void)state;
    assert_int_equal(login_to_ready(&stream), XMPP_OK);
    stream->max_queue_bytes = 10;
    assert_int_equal(xmpp_elem_create_stanza(&elem, XMPP_PRESENCE, "unavailable", NULL), XMPP_OK);
    assert_int_equal(xmpp_stream_send(stream, elem, 0), XMPP_ERR_LIMIT);
    assert_int_equal(xmpp_stream_peek(stream, NULL), 0);
    assert_int_equal(engine_send_owed(stream, elem, 0), XMPP_OK);
    len = xmpp_stream_peek(stream, NULL);
    assert_true(len > 10);
    assert_int_equal(engine_get_output_len(stream), len);
    assert_int_equal(engine_send_owed(NULL, elem, 0), XMPP_ERR_INVAL);
    xmpp_elem_unref(elem);
    xmpp_stream_free(stream);
}

struct traced {
    char text[8192];
    size_t len;
};

static void on_trace(void *user_data, bool outgoing, const char *text, size_t len)
{
    struct traced *traced = user_data;

    assert_true(traced->len + len + 2 < sizeof traced->text);
    traced->text[traced->len++] = outgoing ? '>' : '<';
    memcpy(traced->text + traced->len, text, len);
    traced->len += len;
    traced->text[traced->len] = '\0';
}

static void test_engine_set_trace(void **state)
{
    struct traced traced = {.len = 0};
    xmpp_stream *stream = NULL;

    (void)state;
    assert_int_equal(login_create(&stream), XMPP_OK);
    engine_set_trace(stream, on_trace, &traced);
    assert_int_equal(xmpp_stream_open(stream, 1000), XMPP_OK);
    (void)login_feed(stream, LOGIN_HEADER "<stream:features><mechanisms xmlns='" NS_SASL
                                          "'><mechanism>PLAIN</mechanism></mechanisms>"
                                          "</stream:features>");
    assert_int_equal(strncmp(traced.text, "><?xml version='1.0'?><stream:stream from='user@", 47),
                     0);
    assert_non_null(strstr(traced.text, "<<stream:stream "));
    assert_non_null(strstr(traced.text, "<<stream:features>"));
    /* SEC-31 */
    assert_non_null(strstr(traced.text, "mechanism='PLAIN'>***</auth>"));
    assert_null(strstr(traced.text, "AHVzZXIAcGVuY2ls"));
    traced.len = 0;
    engine_set_trace(stream, NULL, NULL);
    (void)login_feed(stream, "<success xmlns='" NS_SASL "'/>");
    assert_int_equal(traced.len, 0);
    xmpp_stream_free(stream);
}

/* UINT64_MAX: no limit; and nothing wraps around */
static void test_stream_deadline_saturates(void **state)
{
    xmpp_stream *stream = NULL;

    (void)state;
    assert_int_equal(login_create(&stream), XMPP_OK);
    assert_int_equal(xmpp_stream_set_timeout(stream, UINT64_MAX), XMPP_OK);
    assert_int_equal(xmpp_stream_open(stream, 1000), XMPP_OK);
    assert_int_equal(xmpp_stream_get_deadline(stream), UINT64_MAX);
    xmpp_stream_free(stream);
    assert_int_equal(login_create(&stream), XMPP_OK);
    assert_int_equal(xmpp_stream_open(stream, UINT64_MAX - 1), XMPP_OK);
    assert_int_equal(xmpp_stream_get_deadline(stream), UINT64_MAX);
    xmpp_stream_free(stream);
}

static int exchange(xmpp_stream *stream)
{
    xmpp_elem *elem;
    xmpp_error *error;
    int kind;
    int r;

    r = xmpp_elem_create_stanza(&elem, XMPP_PRESENCE, NULL, NULL);
    if (r < 0)
        return r;
    r = xmpp_stream_send(stream, elem, 2000);
    xmpp_elem_unref(elem);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < 40; i++)
        (void)login_feed(stream, "<message from='b@a.example/c'><body>hello</body></message>");
    r = xmpp_stream_close(stream, 3000);
    if (r < 0)
        return r;
    (void)login_feed(stream, "</stream:stream>");
    while ((kind = xmpp_stream_next(stream, &elem, &error)) != XMPP_EV_NONE) {
        xmpp_elem_unref(elem);
        if (kind == XMPP_EV_FAILED)
            r = xmpp_error_get_code(error);
        xmpp_error_unref(error);
    }
    return stream->state == STREAM_ENDED ? r : XMPP_ERR_STATE;
}

static int scenario(void *data)
{
    xmpp_stream *stream = NULL;
    int r;

    (void)data;
    r = login_to_ready(&stream);
    if (r < 0)
        return r;
    r = exchange(stream);
    xmpp_stream_free(stream);
    return r;
}

static void test_stream_torture(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_calls_without_stream),
        cmocka_unit_test(test_stream_calls_before_open),
        cmocka_unit_test(test_stream_open_twice),
        cmocka_unit_test(test_stream_consume_in_pieces),
        cmocka_unit_test(test_stream_next_many),
        cmocka_unit_test(test_stream_free_full),
        cmocka_unit_test(test_stream_send_bad_elements),
        cmocka_unit_test(test_engine_send_owed_over_limit),
        cmocka_unit_test(test_engine_set_trace),
        cmocka_unit_test(test_stream_deadline_saturates),
        cmocka_unit_test(test_stream_torture),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
