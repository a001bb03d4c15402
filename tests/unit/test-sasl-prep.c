#include "sasl/prep.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "support/torture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xmpp/error.h>

#define accepts(str, want) check_accepts(str, sizeof(str) - 1, want, __LINE__)
#define refuses(str)       check_refuses(str, sizeof(str) - 1, __LINE__)

static void check_accepts(const char *str, size_t len, const char *want, int line)
{
    struct secret *secret = NULL;
    char *name = NULL;
    int r = sasl_prep_password(str, len, &secret);

    if (r != XMPP_OK || strcmp(secret_data(secret), want) != 0)
        fail_msg("line %d: \"%s\" gives %d \"%s\"", line, str, r,
                 secret ? secret_data(secret) : "");
    assert_int_equal(secret_len(secret), strlen(want));
    assert_int_equal(sasl_prep_name(str, &name), XMPP_OK);
    assert_string_equal(name, want);
    secret_free(secret);
    mem_free(name);
}

static void check_refuses(const char *str, size_t len, int line)
{
    struct secret *secret = NULL;
    char *name = NULL;
    int r = sasl_prep_password(str, len, &secret);

    if (r != XMPP_ERR_AUTH || secret)
        fail_msg("line %d: \"%s\" gives %d", line, str, r);
    if (strlen(str) == len)
        assert_int_equal(sasl_prep_name(str, &name), XMPP_ERR_AUTH);
    assert_null(name);
}

static void test_rfc4013_examples(void **state)
{
    (void)state;
    /* SASL-14; RFC 4013 3 */
    accepts("I\u00ADX", "IX");
    accepts("user", "user");
    accepts("USER", "USER");
    accepts("\u00AA", "a");
    accepts("\u2168", "IX");
    refuses("\x07");
    refuses("\u06271");
}

static void test_mapping(void **state)
{
    (void)state;
    accepts("correct horse", "correct horse");
    accepts("a\u00A0b\u1680c\u3000d\u205Fe\u200Bf", "a b c d e f");
    accepts("a\u034Fb\u1806c\u180Bd\u200Ce\u2060f\uFE0Fg\uFEFFh", "abcdefgh");
    accepts("pe\u0301", "p\u00E9");
    accepts("\uFF50\uFF57", "pw");
    accepts("\uFB01", "fi");
    accepts("\u212B", "\u00C5");
    accepts("\u00DF\u03A3\u03C2", "\u00DF\u03A3\u03C2"); /* no case folding */
}

static void test_prohibited(void **state)
{
    (void)state;
    refuses("");
    refuses("\u00AD"); /* nothing is left */
    refuses("a\tb");
    refuses("a\nb");
    refuses("a\x7F");
    refuses("a\0b");
    refuses("\0");
    refuses("\u00E4\0b");
    refuses("a\xC2\x85"); /* C.2.2 */
    refuses("a\u06DD");
    refuses("a\u2028");
    refuses("a\U0001D173");
    refuses("a\uE000"); /* C.3 */
    refuses("a\U000F0000");
    refuses("a\U0010FFFD");
    refuses("a\uFDD0"); /* C.4 */
    refuses("a\uFFFE");
    refuses("a\U0002FFFF");
    refuses("a\uFFFD"); /* C.6 */
    refuses("a\u2FF0"); /* C.7 */
    refuses("a\u200E"); /* C.8 */
    refuses("a\u202E");
    refuses("a\U000E0001"); /* C.9 */
    refuses("a\U000E0041");
    /* C.5 and everything else that is not UTF-8; JID-19 */
    refuses("a\xED\xA0\x80");
    refuses("a\xC0\x80");
    refuses("a\xE4");
    refuses("a\xF4\x90\x80\x80");
}

static void test_bidi(void **state)
{
    (void)state;
    /* RFC 3454 6 */
    accepts("\u05D0\u05D1", "\u05D0\u05D1");
    accepts("\u05D01\u05D1", "\u05D01\u05D1");
    accepts("\u05D0 !\u05D1", "\u05D0 !\u05D1");
    accepts("\u0627", "\u0627");
    refuses("\u05D0a\u05D1");
    refuses("1\u05D0");
    refuses("\u05D01");
    refuses("a\u05D0");
}

static void test_unassigned_is_allowed(void **state)
{
    (void)state;
    /* RFC 4013 2.5: a query */
    accepts("a\u0378", "a\u0378");
    accepts("\U0001F600", "\U0001F600"); /* unknown to Unicode 3.2 */
}

static void test_long(void **state)
{
    struct secret *secret = NULL;
    size_t size = 100000;
    char *str = malloc(size);

    (void)state;
    memset(str, 'x', size);
    assert_int_equal(sasl_prep_password(str, size, &secret), XMPP_OK);
    assert_int_equal(secret_len(secret), size);
    secret_free(secret);
    secret = NULL;
    memcpy(str, "\u00E4", 2);
    assert_int_equal(sasl_prep_password(str, size, &secret), XMPP_ERR_AUTH);
    assert_int_equal(sasl_prep_password(str, 1024, &secret), XMPP_OK);
    secret_free(secret);
    secret = NULL;
    assert_int_equal(sasl_prep_password(str, 1025, &secret), XMPP_ERR_AUTH);
    /* the greatest growth of NFKC */
    for (size_t i = 0; i + 3 <= 1024; i += 3)
        memcpy(str + i, "\uFDFA", 3);
    assert_int_equal(sasl_prep_password(str, 1023, &secret), XMPP_OK);
    assert_int_equal(secret_len(secret), 1023 / 3 * 33);
    secret_free(secret);
    free(str);
}

static uint32_t seed = 4013;

static uint32_t next_random(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static void test_preparation_is_idempotent(void **state)
{
    unsigned accepted = 0;

    (void)state;
    for (unsigned round = 0; round < 40000; round++) {
        struct secret *once = NULL;
        struct secret *twice = NULL;
        char str[32];
        size_t len = 0;

        for (uint32_t n = 1 + next_random() % 4; n > 0; n--) {
            uint32_t c = next_random() % (round % 2 ? 0x3400 : 0x20000);
            if (c < 0xD800 || c > 0xDFFF)
                len += utf8_encode(c, str + len);
        }
        if (sasl_prep_password(str, len, &once) < 0)
            continue;
        accepted++;
        assert_true(utf8_is_valid(secret_data(once), secret_len(once)));
        if (sasl_prep_password(secret_data(once), secret_len(once), &twice) == XMPP_OK) {
            assert_int_equal(secret_len(once), secret_len(twice));
            assert_memory_equal(secret_data(once), secret_data(twice), secret_len(once));
        }
        secret_free(once);
        secret_free(twice);
    }
    assert_true(accepted > 5000);
}

static int scenario(void *user_data)
{
    const char *str = user_data;
    struct secret *secret = NULL;
    char *name = NULL;
    int r = sasl_prep_password(str, strlen(str), &secret);

    if (r < 0)
        return r;
    secret_free(secret);
    r = sasl_prep_name(str, &name);
    mem_free(name);
    return r;
}

static void test_out_of_memory(void **state)
{
    char ascii[] = "secret";
    char unicode[] = "s\u00E9cret\u3000\u2168";

    (void)state;
    assert_int_equal(torture_run(scenario, ascii), XMPP_OK);
    assert_int_equal(torture_run(scenario, unicode), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc4013_examples),
        cmocka_unit_test(test_mapping),
        cmocka_unit_test(test_prohibited),
        cmocka_unit_test(test_bidi),
        cmocka_unit_test(test_unassigned_is_allowed),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_preparation_is_idempotent),
        cmocka_unit_test(test_out_of_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
