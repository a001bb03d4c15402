#include "support/stream-login.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A mechanism that does what the test says, put in the place of PLAIN after <auth/> was sent. */
struct fake {
    struct sasl sasl;
    int results[24]; /* of step() and work(), in order */
    const char *outputs[24];
    unsigned used;
    unsigned steps;
    unsigned works;
    bool done;
    bool final_seen;
    bool freed;
    char input[16]; /* of the last step */
    size_t input_len;
};

static int answer(struct fake *fake, struct buf *out)
{
    unsigned i = fake->used++;

    if (fake->outputs[i])
        (void)buf_append_str(out, fake->outputs[i]);
    return fake->results[i];
}

static int fake_step(struct sasl *sasl, const void *in, size_t len, bool final, struct buf *out)
{
    struct fake *fake = (struct fake *)sasl;

    fake->steps++;
    fake->final_seen = final;
    fake->input_len = len;
    memcpy(fake->input, in, len < sizeof fake->input ? len : sizeof fake->input);
    return answer(fake, out);
}

static int fake_work(struct sasl *sasl, struct buf *out)
{
    struct fake *fake = (struct fake *)sasl;

    fake->works++;
    return answer(fake, out);
}

static bool fake_is_done(const struct sasl *sasl)
{
    return ((const struct fake *)sasl)->done;
}

static const char *fake_reason(const struct sasl *sasl)
{
    (void)sasl;
    return "because";
}

static void fake_free(struct sasl *sasl)
{
    ((struct fake *)sasl)->freed = true;
}

static const struct sasl_ops fake_ops = {
    .name = "FAKE",
    .step = fake_step,
    .work = fake_work,
    .is_done = fake_is_done,
    .reason = fake_reason,
    .free = fake_free,
};

static xmpp_stream *stream_with(struct fake *fake)
{
    xmpp_stream *stream = NULL;
    struct sasl *plain;

    fake->sasl.ops = &fake_ops;
    assert_int_equal(login_to_auth(&stream), XMPP_OK);
    assert_int_equal(stream->state, STREAM_AUTH);
    plain = stream->auth.sasl;
    plain->ops->free(plain);
    stream->auth.sasl = &fake->sasl;
    return stream;
}

static void challenge(xmpp_stream *stream, const char *text)
{
    assert_int_equal(login_feed(stream, "<challenge xmlns='" NS_SASL "'>"), XMPP_OK);
    assert_int_equal(login_feed(stream, text), XMPP_OK);
    assert_int_equal(login_feed(stream, "</challenge>"), XMPP_OK);
}

static void success(xmpp_stream *stream, const char *text)
{
    assert_int_equal(login_feed(stream, "<success xmlns='" NS_SASL "'>"), XMPP_OK);
    assert_int_equal(login_feed(stream, text), XMPP_OK);
    assert_int_equal(login_feed(stream, "</success>"), XMPP_OK);
}

static void check_output(xmpp_stream *stream, const char *expected)
{
    const void *data;
    size_t len = xmpp_stream_peek(stream, &data);

    assert_int_equal(len, strlen(expected));
    assert_memory_equal(data, expected, len);
    login_drop_output(stream);
}

static void check_failure(xmpp_stream *stream, int code, const char *part)
{
    xmpp_error *error = login_take_failure(stream);

    assert_non_null(error);
    assert_int_equal(xmpp_error_get_code(error), code);
    assert_int_equal(xmpp_error_get_phase(error), XMPP_PHASE_AUTHENTICATING);
    assert_non_null(strstr(xmpp_error_get_text(error), part));
    xmpp_error_unref(error);
    assert_int_equal(xmpp_stream_get_deadline(stream), UINT64_MAX);
}

#define RESPONSE(text) "<response xmlns='" NS_SASL "'>" text "</response>"
#define ABORT          "<abort xmlns='" NS_SASL "'/></stream:stream>"

/* one slice in each tick, and no deadline of the peer's while we are the ones who compute */
static void test_auth_work_in_slices(void **state)
{
    struct fake fake = {
        .results = {SASL_RESULT_WORK, SASL_RESULT_WORK, SASL_RESULT_WORK, SASL_RESULT_RESPOND},
        .outputs = {NULL, NULL, NULL, "xyz"},
    };
    xmpp_stream *stream = stream_with(&fake);

    (void)state;
    challenge(stream, "YWJj");
    assert_memory_equal(fake.input, "abc", 3);
    assert_int_equal(fake.input_len, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(fake.works, i);
        assert_int_equal(xmpp_stream_get_deadline(stream), 0);
        assert_int_equal(xmpp_stream_set_secret(stream, "x", 1), XMPP_ERR_STATE);
        check_output(stream, "");
        assert_int_equal(xmpp_stream_tick(stream, UINT64_C(1) << 60), XMPP_OK);
    }
    check_output(stream, RESPONSE("eHl6"));
    assert_int_equal(xmpp_stream_get_deadline(stream), (UINT64_C(1) << 60) + DEFAULT_STEP_US);
    xmpp_stream_free(stream);
    assert_true(fake.freed);
}

/* the server speaks while we compute */
static void test_auth_work_interrupted(void **state)
{
    struct fake fake = {.results = {SASL_RESULT_WORK}};
    xmpp_stream *stream = stream_with(&fake);
    xmpp_error *error;

    (void)state;
    challenge(stream, "YWJj");
    challenge(stream, "YWJj");
    error = login_take_failure(stream);
    assert_int_equal(xmpp_error_get_code(error), XMPP_ERR_PROTOCOL);
    xmpp_error_unref(error);
    assert_true(fake.freed);
    assert_int_equal(xmpp_stream_tick(stream, 2000), XMPP_OK);
    assert_int_equal(fake.works, 0);
    xmpp_stream_free(stream);
}

/* SASL-07: satisfied by a last challenge */
static void test_auth_step_done_owes_response(void **state)
{
    struct fake fake = {.results = {SASL_RESULT_DONE}};
    xmpp_stream *stream = stream_with(&fake);

    (void)state;
    challenge(stream, "=");
    assert_int_equal(fake.steps, 1);
    assert_int_equal(fake.input_len, 0);
    check_output(stream, "<response xmlns='" NS_SASL "'/>");
    fake.done = true;
    success(stream, "");
    assert_int_equal(fake.steps, 1);
    assert_int_equal(stream->state, STREAM_HEADER);
    xmpp_stream_free(stream);
}

/* SASL-07, SASL-17: work to do on the additional data */
static void test_auth_success_with_work(void **state)
{
    struct fake fake = {.results = {SASL_RESULT_WORK, SASL_RESULT_DONE}, .done = true};
    xmpp_stream *stream = stream_with(&fake);

    (void)state;
    success(stream, "YWJj");
    assert_true(fake.final_seen);
    assert_false(stream->authenticated);
    assert_int_equal(xmpp_stream_tick(stream, 2000), XMPP_OK);
    assert_true(stream->authenticated);
    assert_true(fake.freed);
    xmpp_stream_free(stream);
}

/* SASL-17: whatever the mechanism answers, it must agree that it is over */
static void test_auth_success_not_done(void **state)
{
    struct fake fakes[] = {
        {.results = {SASL_RESULT_DONE}},
        {.results = {SASL_RESULT_RESPOND}, .outputs = {"more"}, .done = true},
        {.results = {XMPP_ERR_AUTH}, .done = true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fakes); i++) {
        xmpp_stream *stream = stream_with(&fakes[i]);

        success(stream, "YWJj");
        assert_false(stream->authenticated);
        check_output(stream, "</stream:stream>"); /* nothing is left to abort */
        check_failure(stream, XMPP_ERR_AUTH, "because");
        xmpp_stream_free(stream);
    }
}

static void test_auth_step_rejects_server(void **state)
{
    struct fake fake = {.results = {XMPP_ERR_AUTH}};
    xmpp_stream *stream = stream_with(&fake);

    (void)state;
    challenge(stream, "YWJj");
    check_output(stream, ABORT);
    check_failure(stream, XMPP_ERR_AUTH, "because");
    assert_true(fake.freed);
    xmpp_stream_free(stream);
}

static void test_auth_step_needs_secret(void **state)
{
    struct fake fake = {
        .results = {SASL_RESULT_NEED_SECRET, SASL_RESULT_RESPOND},
        .outputs = {NULL, "ok"},
    };
    xmpp_stream *stream = stream_with(&fake);

    (void)state;
    challenge(stream, "YWJj");
    assert_int_equal(stream->state, STREAM_SECRET);
    memset(fake.input, 0, sizeof fake.input);
    assert_int_equal(xmpp_stream_set_secret(stream, "pencil", 6), XMPP_OK);
    assert_memory_equal(fake.input, "abc", 3); /* the same challenge again */
    assert_string_equal(secret_data(stream->auth.params.secret), "pencil");
    check_output(stream, RESPONSE("b2s="));
    /* the deadline begins when the stream hears of the time */
    assert_int_equal(xmpp_stream_get_deadline(stream), 0);
    assert_int_equal(xmpp_stream_tick(stream, 5000), XMPP_OK);
    assert_int_equal(xmpp_stream_get_deadline(stream), 5000 + DEFAULT_STEP_US);
    assert_int_equal(stream->state, STREAM_AUTH);
    xmpp_stream_free(stream);
}

/* SEC-16: a server that never comes to an end */
static void test_auth_too_many_challenges(void **state)
{
    struct fake fake = {0};
    xmpp_stream *stream = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fake.results); i++)
        fake.results[i] = SASL_RESULT_RESPOND;
    stream = stream_with(&fake);
    for (unsigned i = 0; i < LIMIT_SASL_STEPS; i++) {
        challenge(stream, "YWJj");
        check_output(stream, "<response xmlns='" NS_SASL "'/>");
    }
    challenge(stream, "YWJj");
    check_output(stream, ABORT);
    check_failure(stream, XMPP_ERR_LIMIT, "challenges");
    assert_int_equal(fake.steps, LIMIT_SASL_STEPS);
    xmpp_stream_free(stream);
}

static void test_auth_step_nomem(void **state)
{
    struct fake fake = {.results = {XMPP_ERR_NOMEM}};
    xmpp_stream *stream = stream_with(&fake);
    xmpp_error *error;

    (void)state;
    challenge(stream, "YWJj");
    error = login_take_failure(stream);
    assert_int_equal(xmpp_error_get_code(error), XMPP_ERR_NOMEM);
    xmpp_error_unref(error);
    xmpp_stream_free(stream);
}

/* credentials do not stay in the output buffer */
static void test_auth_output_wiped(void **state)
{
    xmpp_stream *stream = NULL;
    const void *data;
    size_t len;
    char *place;

    (void)state;
    assert_int_equal(login_create(&stream), XMPP_OK);
    assert_int_equal(xmpp_stream_open(stream, 1000), XMPP_OK);
    login_drop_output(stream);
    (void)login_feed(stream, LOGIN_HEADER "<stream:features><mechanisms xmlns='" NS_SASL
                                          "'><mechanism>PLAIN</mechanism></mechanisms>"
                                          "</stream:features>");
    len = xmpp_stream_peek(stream, &data);
    place = memmem(data, len, "AHVzZXIAcGVuY2ls", 16);
    assert_non_null(place);
    assert_int_equal(xmpp_stream_consume(stream, len), XMPP_OK);
    /* the storage was filled as far as that, unless it has been given back */
    if (stream->out.cap >= len)
        assert_null(memmem(stream->out.data, len, "AHVzZXIAcGVuY2ls", 16));
    xmpp_stream_free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auth_work_in_slices),
        cmocka_unit_test(test_auth_work_interrupted),
        cmocka_unit_test(test_auth_step_done_owes_response),
        cmocka_unit_test(test_auth_success_with_work),
        cmocka_unit_test(test_auth_success_not_done),
        cmocka_unit_test(test_auth_step_rejects_server),
        cmocka_unit_test(test_auth_step_needs_secret),
        cmocka_unit_test(test_auth_too_many_challenges),
        cmocka_unit_test(test_auth_step_nomem),
        cmocka_unit_test(test_auth_output_wiped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
