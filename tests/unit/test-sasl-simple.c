#include "base/mem.h"
#include "sasl/mech.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/torture.h"

static void check_start(const struct sasl_ops *ops, const struct sasl_params *params,
                        const char *expected, size_t len)
{
    struct sasl *sasl = NULL;
    struct buf out;
    bool has = false;

    buf_init(&out, SIZE_MAX);
    assert_int_equal(ops->create(&sasl, ops->name, params), XMPP_OK);
    assert_ptr_equal(sasl->ops, ops);
    assert_false(ops->is_done(sasl));
    assert_int_equal(ops->start(sasl, &out, &has), SASL_RESULT_RESPOND);
    assert_true(has); /* an empty one is "=", not absent: SASL-04 */
    assert_int_equal(buf_len(&out), len);
    if (len > 0)
        assert_memory_equal(buf_peek(&out), expected, len);
    assert_true(ops->is_done(sasl));
    buf_truncate(&out, 0);
    assert_int_equal(ops->step(sasl, NULL, 0, true, &out), SASL_RESULT_DONE);
    assert_true(ops->is_done(sasl));
    ops->free(sasl);
    buf_wipe(&out);
}

static void test_plain_start(void **state)
{
    struct secret *secret = NULL;
    struct sasl_params params = {.authcid = "juliet"};

    (void)state;
    assert_int_equal(secret_create(&secret, "r0m30my,=r0m30", 14), XMPP_OK);
    params.secret = secret;
    check_start(&sasl_plain_ops, &params, "\0juliet\0r0m30my,=r0m30", 22);
    params.authzid = "nurse@example.org"; /* SASL-08 */
    check_start(&sasl_plain_ops, &params, "nurse@example.org\0juliet\0r0m30my,=r0m30", 39);
    secret_free(secret);
}

/* SASLprep: U+00AD goes, U+2168 becomes "IX" */
static void test_plain_start_prepared(void **state)
{
    struct secret *secret = NULL;
    struct sasl_params params = {.authcid = "I\xc2\xadX"};

    (void)state;
    assert_int_equal(secret_create(&secret, "\xe2\x85\xa8", 3), XMPP_OK);
    params.secret = secret;
    check_start(&sasl_plain_ops, &params, "\0IX\0IX", 6);
    secret_free(secret);
}

static void test_plain_start_needs_secret(void **state)
{
    struct sasl_params params = {.authcid = "u"};
    struct secret *secret = NULL;
    struct sasl *sasl = NULL;
    struct buf out;
    bool has = false;

    (void)state;
    buf_init(&out, SIZE_MAX);
    assert_true(sasl_plain_ops.needs_secret);
    assert_int_equal(sasl_plain_ops.create(&sasl, "PLAIN", &params), XMPP_OK);
    assert_int_equal(sasl_plain_ops.start(sasl, &out, &has), SASL_RESULT_NEED_SECRET);
    assert_int_equal(buf_len(&out), 0);
    assert_false(sasl_plain_ops.is_done(sasl));
    assert_int_equal(secret_create(&secret, "p", 1), XMPP_OK);
    params.secret = secret;
    assert_int_equal(sasl_plain_ops.start(sasl, &out, &has), SASL_RESULT_RESPOND);
    assert_int_equal(buf_len(&out), 4);
    assert_memory_equal(buf_peek(&out), "\0u\0p", 4);
    sasl_plain_ops.free(sasl);
    secret_free(secret);
    buf_wipe(&out);
}

static void test_plain_start_refused(void **state)
{
    static const struct {
        const char *name;
        const char *password;
        size_t len;
    } rows[] = {
        {NULL, "p", 1}, {"", "p", 1},     {"a\x01", "p", 1},
        {"u", "", 0},   {"u", "a\0b", 3}, {"u", "\xff", 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sasl_params params = {.authcid = rows[i].name};
        struct secret *secret = NULL;
        struct sasl *sasl = NULL;
        struct buf out;
        bool has = false;

        buf_init(&out, SIZE_MAX);
        assert_int_equal(secret_create(&secret, rows[i].password, rows[i].len), XMPP_OK);
        params.secret = secret;
        assert_int_equal(sasl_plain_ops.create(&sasl, "PLAIN", &params), XMPP_OK);
        assert_int_equal(sasl_plain_ops.start(sasl, &out, &has), XMPP_ERR_AUTH);
        assert_int_equal(buf_len(&out), 0);
        assert_false(sasl_plain_ops.is_done(sasl));
        assert_true(*sasl_plain_ops.reason(sasl) != '\0');
        assert_int_equal(sasl_plain_ops.start(sasl, &out, &has), XMPP_ERR_PROTOCOL);
        sasl_plain_ops.free(sasl);
        secret_free(secret);
        buf_wipe(&out);
    }
}

static void test_external_start(void **state)
{
    struct sasl_params params = {.authcid = "juliet"};

    (void)state;
    check_start(&sasl_external_ops, &params, "", 0);
    params.authzid = "juliet@example.org";
    check_start(&sasl_external_ops, &params, "juliet@example.org", 18);
}

static void test_anonymous_start(void **state)
{
    struct sasl_params params = {.authzid = NULL};

    (void)state;
    check_start(&sasl_anonymous_ops, &params, "", 0);
}

static void test_simple_step_challenge(void **state)
{
    static const struct sasl_ops *const ops[] = {&sasl_plain_ops, &sasl_external_ops,
                                                 &sasl_anonymous_ops};
    struct secret *secret = NULL;
    struct sasl_params params = {.authcid = "u"};

    (void)state;
    assert_int_equal(secret_create(&secret, "p", 1), XMPP_OK);
    params.secret = secret;
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        /* a challenge; an empty one; success with data; success before start; work; start twice */
        for (int way = 0; way < 6; way++) {
            struct sasl *sasl = NULL;
            struct buf out;
            bool has = false;
            int r = 0;

            buf_init(&out, SIZE_MAX);
            assert_int_equal(ops[i]->create(&sasl, ops[i]->name, &params), XMPP_OK);
            if (way != 3)
                assert_int_equal(ops[i]->start(sasl, &out, &has), SASL_RESULT_RESPOND);
            if (way == 0)
                r = ops[i]->step(sasl, "password?", 9, false, &out);
            else if (way == 1)
                r = ops[i]->step(sasl, NULL, 0, false, &out);
            else if (way == 2)
                r = ops[i]->step(sasl, "x", 1, true, &out);
            else if (way == 3)
                r = ops[i]->step(sasl, NULL, 0, true, &out);
            else if (way == 4)
                r = ops[i]->work(sasl, &out);
            else
                r = ops[i]->start(sasl, &out, &has);
            assert_int_equal(r, XMPP_ERR_PROTOCOL);
            assert_false(ops[i]->is_done(sasl));
            assert_true(*ops[i]->reason(sasl) != '\0');
            assert_int_equal(ops[i]->step(sasl, NULL, 0, true, &out), XMPP_ERR_PROTOCOL);
            ops[i]->free(sasl);
            buf_wipe(&out);
        }
    secret_free(secret);
}

static void test_simple_create_other_name(void **state)
{
    struct sasl_params params = {.authcid = "u"};
    struct sasl *sasl = NULL;

    (void)state;
    assert_int_equal(sasl_plain_ops.create(&sasl, "EXTERNAL", &params), XMPP_ERR_NOTFOUND);
    assert_int_equal(sasl_external_ops.create(&sasl, "PLAIN", &params), XMPP_ERR_NOTFOUND);
    assert_int_equal(sasl_anonymous_ops.create(&sasl, "anonymous", &params), XMPP_ERR_NOTFOUND);
    assert_null(sasl);
    sasl_plain_ops.free(NULL);
}

static int scenario(void *data)
{
    const struct sasl_ops *ops = data;
    struct secret *secret = NULL;
    struct sasl_params params = {.authcid = "u", .authzid = "u@example.org"};
    struct sasl *sasl = NULL;
    struct buf out;
    bool has = false;

    buf_init(&out, SIZE_MAX);
    int r = secret_create(&secret, "p", 1);
    params.secret = secret;
    if (r == XMPP_OK)
        r = ops->create(&sasl, ops->name, &params);
    if (r == XMPP_OK)
        r = ops->start(sasl, &out, &has);
    if (sasl)
        ops->free(sasl);
    secret_free(secret);
    buf_wipe(&out);
    return r > 0 ? XMPP_OK : r;
}

static void test_simple_out_of_memory(void **state)
{
    struct sasl_ops copies[] = {sasl_plain_ops, sasl_external_ops, sasl_anonymous_ops};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(copies); i++)
        assert_int_equal(torture_run(scenario, &copies[i]), XMPP_OK);
}

int main(void)
{
    torture_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_start),
        cmocka_unit_test(test_plain_start_prepared),
        cmocka_unit_test(test_plain_start_needs_secret),
        cmocka_unit_test(test_plain_start_refused),
        cmocka_unit_test(test_external_start),
        cmocka_unit_test(test_anonymous_start),
        cmocka_unit_test(test_simple_step_challenge),
        cmocka_unit_test(test_simple_create_other_name),
        cmocka_unit_test(test_simple_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
