#include "base/utf8.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

static bool valid(const char *str)
{
    return utf8_is_valid(str, strlen(str));
}

static bool xml(const char *str)
{
    return utf8_is_xml(str, strlen(str));
}

/* The definition, another way round than the code: by the value of each code point. */
static void test_utf8_every_code_point(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        bool is_scalar = c < 0xD800 || c > 0xDFFF;
        bool is_char = c == 9 || c == 10 || c == 13 || (c >= 0x20 && c <= 0xD7FF) ||
                       (c >= 0xE000 && c <= 0xFFFD) || c >= 0x10000;
        uint32_t back = 0;
        char str[4];
        size_t len = utf8_encode(c, str);

        assert_int_equal(len, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
        assert_int_equal(utf8_is_valid(str, len), is_scalar);
        assert_int_equal(utf8_is_xml(str, len), is_char);
        assert_int_equal(utf8_is_ascii(str, len), c < 0x80);
        assert_int_equal(utf8_decode(str, &back), len);
        assert_int_equal(back, c);
        for (size_t cut = 1; cut < len; cut++)
            assert_false(utf8_is_valid(str, cut));
    }
}

static void test_utf8_malformed(void **state)
{
    static const char *const bad[] = {
        "\x80",
        "\xBF",
        "a\x80z",
        "\xC0\x80",
        "\xC1\xBF",
        "\xC2",
        "\xC2z",
        "\xE0\x80\x80",
        "\xE0\x9F\xBF",
        "\xE2\x82z",
        "\xE2z\x82",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xF0\x80\x80\x80",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xF1\x80\x80z",
        "\xF1\x80z\x80",
        "\xF1z\x80\x80",
        "\xF8\x88\x80\x80\x80",
        "\xFE",
        "\xFF",
        "eight bytes of ascii, then \xFF",
        "\xC3\xA4\xC3",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(valid(bad[i]));
        assert_false(xml(bad[i]));
        assert_false(utf8_is_ascii(bad[i], strlen(bad[i])));
    }
}

/* the word-wise search at every alignment and length */
static void test_utf8_ascii_runs(void **state)
{
    char str[40];

    (void)state;
    for (size_t len = 0; len < 33; len++)
        for (size_t at = 0; at < len; at++) {
            memset(str, 'x', sizeof str);
            assert_true(utf8_is_ascii(str + at % 8, len));
            assert_true(utf8_is_valid(str + at % 8, len));
            str[at % 8 + at] = (char)0x80;
            assert_false(utf8_is_ascii(str + at % 8, len));
            assert_false(utf8_is_valid(str + at % 8, len));
        }
}

static void test_utf8_is_xml_controls(void **state)
{
    (void)state;
    assert_true(xml("tab\tlf\ncr\r"));
    assert_false(xml("\x01"));
    assert_false(xml("a\x1F"));
    assert_false(utf8_is_xml("a\0b", 3));
    assert_true(utf8_is_valid("a\0b", 3));
    assert_false(xml("\xEF\xBF\xBE"));
    assert_false(xml("\xEF\xBF\xBF"));
    assert_true(xml("\xEF\xBF\xBD"));
    assert_true(xml("\x7F"));
    assert_true(xml(""));
}

static const struct {
    const char *bytes;
    size_t len;
    bool is_xml;
    bool is_plain;
} samples[] = {
    {"\0", 1, false, false},
    {"\x01", 1, false, false},
    {"\x1F", 1, false, false},
    {"\t", 1, true, false},
    {"\n", 1, true, false},
    {"\r", 1, true, false},
    {" ", 1, true, true},
    {"\x7F", 1, true, true},
    {"\x80", 1, false, false},
    {"\xFF", 1, false, false},
    {"\xC3\xA9", 2, true, false},
    {"\xED\xA0\x80", 3, false, false},
    {"\xEF\xBF\xBD", 3, true, false},
    {"\xEF\xBF\xBE", 3, false, false},
    {"\xEF\xBF\xBF", 3, false, false},
};

/* Runs of ASCII are taken in words: the odd one is seen wherever it lies, also when others follow it. */
static void test_utf8_odd_bytes_at_each_offset(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        for (size_t at = 0; at < 150; at++) {
            char str[154];
            size_t len = at + samples[i].len;
            size_t run;

            memset(str, 'a', sizeof str);
            memcpy(str + at, samples[i].bytes, samples[i].len);
            assert_int_equal(utf8_is_xml(str, len), samples[i].is_xml);
            assert_int_equal(utf8_is_xml(str, sizeof str), samples[i].is_xml);
            run = utf8_skip_plain(str, sizeof str);
            assert_int_equal(run, samples[i].is_plain ? sizeof str : at);
            run = utf8_skip_plain(str, len);
            assert_int_equal(run, samples[i].is_plain ? len : at);
        }
    }
}

static void check_tame(const char *text, const char *expected)
{
    char copy[64];
    size_t len = strlen(text);

    memcpy(copy, text, len + 1);
    len = utf8_tame(copy, len);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(copy, expected, len);
}

static void test_utf8_tame_keeps_one_harmless_line(void **state)
{
    (void)state;
    check_tame("", "");
    check_tame("Gr\xC3\xBC\xC3\x9F"
               "e \xF0\x9F\x98\x80!",
               "Gr\xC3\xBC\xC3\x9F"
               "e \xF0\x9F\x98\x80!");
    check_tame("a\r\nb\tc\x1B[31md\x7F", "a  b c [31md ");
    check_tame("\xC2\x9B"
               "31m\xC2\x85.",
               "?31m?.");
    check_tame("\xE2\x80\xAE"
               "gpj\xE2\x81\xA6\xE2\x80\xA8",
               "?gpj??");
    check_tame("\xC3", "?");
    check_tame("a\xFF\xE2\x82z\xE2\x82\xAC", "a???z\xE2\x82\xAC");
}

static void test_utf8_is_deceptive_ranges(void **state)
{
    static const uint32_t ranges[][2] = {
        {0, 0x1F}, {0x7F, 0x9F}, {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069}};

    (void)state;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        assert_true(utf8_is_deceptive(ranges[i][0]));
        assert_true(utf8_is_deceptive(ranges[i][1]));
        assert_false(utf8_is_deceptive(ranges[i][1] + 1));
        if (ranges[i][0] > 0)
            assert_false(utf8_is_deceptive(ranges[i][0] - 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_every_code_point),
        cmocka_unit_test(test_utf8_malformed),
        cmocka_unit_test(test_utf8_ascii_runs),
        cmocka_unit_test(test_utf8_is_xml_controls),
        cmocka_unit_test(test_utf8_tame_keeps_one_harmless_line),
        cmocka_unit_test(test_utf8_is_deceptive_ranges),
        cmocka_unit_test(test_utf8_odd_bytes_at_each_offset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
