#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

static void test_str_eq(void **state)
{
    (void)state;
    assert_true(str_eq("a", "a"));
    assert_false(str_eq("a", "A"));
    assert_false(str_eq("a", "ab"));
    assert_true(str_eq(NULL, NULL));
    assert_false(str_eq(NULL, ""));
    assert_false(str_eq("", NULL));
}

static void test_str_case_eq_ascii_only(void **state)
{
    (void)state;
    assert_true(str_case_eq("Hello-1", "hELLO-1"));
    assert_false(str_case_eq("abc", "abcd"));
    assert_false(str_case_eq("abcd", "abc"));
    assert_true(str_case_eq("", ""));
    assert_true(str_case_eq(NULL, NULL));
    assert_false(str_case_eq(NULL, ""));
    assert_false(str_case_eq("@", "`")); /* the neighbours of A and a */
    assert_false(str_case_eq("[", "{"));
    assert_false(str_case_eq("\xC3\x84", "\xC3\xA4"));
}

static void test_str_lower(void **state)
{
    (void)state;
    for (int c = -128; c < 128; c++)
        assert_int_equal(str_lower((char)c), c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static void test_str_starts_ends(void **state)
{
    (void)state;
    assert_true(str_starts("SCRAM-SHA-1", "SCRAM-"));
    assert_true(str_starts("x", ""));
    assert_false(str_starts("SCR", "SCRAM"));
    assert_true(str_ends("SCRAM-SHA-1-PLUS", "-PLUS"));
    assert_true(str_ends("x", ""));
    assert_true(str_ends("x", "x"));
    assert_false(str_ends("x", "xx"));
    assert_false(str_ends("-PLUS-", "-PLUS"));
}

static void test_str_is_space(void **state)
{
    (void)state;
    for (int c = -128; c < 128; c++)
        assert_int_equal(str_is_space((char)c), c == 0x20 || c == 9 || c == 10 || c == 13);
}

static void test_str_parse_uint(void **state)
{
    uint64_t n = 7;

    (void)state;
    assert_true(str_parse_uint("0", 1, 10, &n));
    assert_int_equal(n, 0);
    assert_true(str_parse_uint("0012", 4, 12, &n));
    assert_int_equal(n, 12);
    assert_true(str_parse_uint("65535x", 5, 65535, &n));
    assert_int_equal(n, 65535);
    assert_true(str_parse_uint("18446744073709551615", 20, UINT64_MAX, &n));
    assert_true(n == UINT64_MAX);
    n = 7;
    assert_false(str_parse_uint("18446744073709551616", 20, UINT64_MAX, &n));
    assert_false(str_parse_uint("99999999999999999999999", 23, UINT64_MAX, &n));
    assert_false(str_parse_uint("65536", 5, 65535, &n));
    assert_false(str_parse_uint("13", 2, 12, &n));
    assert_false(str_parse_uint("3", 1, 2, &n));
    assert_false(str_parse_uint("", 0, 10, &n));
    assert_false(str_parse_uint("+1", 2, 10, &n));
    assert_false(str_parse_uint("-1", 2, 10, &n));
    assert_false(str_parse_uint(" 1", 2, 10, &n));
    assert_false(str_parse_uint("1 ", 2, 10, &n));
    assert_false(str_parse_uint("1\0", 2, 10, &n));
    assert_false(str_parse_uint("0x1", 3, 10, &n));
    assert_int_equal(n, 7);
}

static void test_str_next_word(void **state)
{
    const char *pos = "  one\ttwo\r\n three";
    const char *word = NULL;
    size_t len = 0;

    (void)state;
    assert_true(str_next_word(&pos, &word, &len));
    assert_int_equal(len, 3);
    assert_memory_equal(word, "one", 3);
    assert_true(str_next_word(&pos, &word, &len));
    assert_memory_equal(word, "two", 3);
    assert_true(str_next_word(&pos, &word, &len));
    assert_int_equal(len, 5);
    assert_memory_equal(word, "three", 5);
    assert_false(str_next_word(&pos, &word, &len));
    assert_false(str_next_word(&pos, &word, &len));
    pos = " \t ";
    assert_false(str_next_word(&pos, &word, &len));
}

static void test_str_format(void **state)
{
    char dst[6] = "~~~~~";

    (void)state;
    assert_true(str_format(dst, sizeof dst, "%d-%s", 12, "ab"));
    assert_string_equal(dst, "12-ab");
    assert_false(str_format(dst, sizeof dst, "%s", "123456"));
    assert_string_equal(dst, "12345");
    assert_false(str_format(dst, 1, "x"));
    assert_string_equal(dst, "");
    dst[0] = '~';
    assert_false(str_format(dst, 0, "x"));
    assert_int_equal(dst[0], '~');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_str_eq),        cmocka_unit_test(test_str_case_eq_ascii_only),
        cmocka_unit_test(test_str_lower),     cmocka_unit_test(test_str_starts_ends),
        cmocka_unit_test(test_str_is_space),  cmocka_unit_test(test_str_parse_uint),
        cmocka_unit_test(test_str_next_word), cmocka_unit_test(test_str_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
