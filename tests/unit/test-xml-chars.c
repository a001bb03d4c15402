#include "xml/chars.h"

#include "base/utf8.h"
#include "support/torture.h"
#include "xml-tools.h"

static enum chars_fault check(const char *data, size_t len, size_t *ret_good, size_t *ret_whole)
{
    struct chars chars = {0};
    enum chars_fault fault;

    *ret_good = chars_check(&chars, data, len, ret_whole, &fault);
    return fault;
}

static void test_chars_check_cut(void **state)
{
    size_t good;
    size_t whole;

    (void)state;
    assert_int_equal(check("ab\xE2\x82", 4, &good, &whole), CHARS_OK);
    assert_int_equal(good, 4);
    assert_int_equal(whole, 2);
    assert_int_equal(check("ab\xE2\x82\xAC", 5, &good, &whole), CHARS_OK);
    assert_int_equal(whole, 5);
}

static void test_chars_check_faults(void **state)
{
    size_t good;
    size_t whole;

    (void)state;
    assert_int_equal(check("ab\0", 3, &good, &whole), CHARS_NOT_XML);
    assert_int_equal(good, 2);
    assert_int_equal(check("\x1F", 1, &good, &whole), CHARS_NOT_XML);
    assert_int_equal(check("\xEF\xBF\xBF", 3, &good, &whole), CHARS_NOT_XML);
    assert_int_equal(good, 2);
    assert_int_equal(check("\xEF\xBE\xBF", 3, &good, &whole), CHARS_OK);
    assert_int_equal(check("\xED\xA0\x80", 3, &good, &whole), CHARS_NOT_UTF8);
    assert_int_equal(check("\xC1\xBF", 2, &good, &whole), CHARS_NOT_UTF8);
    assert_int_equal(check("a\x80", 2, &good, &whole), CHARS_NOT_UTF8);
    assert_int_equal(good, 1);
}

/* SEC-18: byte by byte it says what the check of whole strings says, for all sequences of three odd
 * bytes. */
static void test_chars_check_agrees_with_utf8(void **state)
{
    static const unsigned char bytes[] = {0x00, 0x09, 0x1F, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F,
                                          0xA0, 0xBD, 0xBE, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE1,
                                          0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFE, 0xFF};
    const size_t n = sizeof bytes;

    (void)state;
    for (size_t i = 0; i < n * n * n * n; i++) {
        char str[4] = {(char)bytes[i % n], (char)bytes[i / n % n], (char)bytes[i / n / n % n],
                       (char)bytes[i / n / n / n]};
        struct chars chars = {0};
        bool right = true;

        for (size_t k = 0; k < 4 && right; k++) {
            enum chars_fault fault;
            size_t whole;

            right = chars_check(&chars, str + k, 1, &whole, &fault) == 1;
            assert_int_equal(right, fault == CHARS_OK);
        }
        assert_int_equal(right && chars.need == 0, utf8_is_xml(str, 4));
    }
}

/* SEC-18: what is wrong is found at its byte, wherever that lies and wherever the input is cut. */
static void test_chars_check_at_each_offset(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum chars_fault fault; /* of the last byte */
    } cases[] = {
        {"\0", 1, CHARS_NOT_XML},
        {"\x1F", 1, CHARS_NOT_XML},
        {"\x80", 1, CHARS_NOT_UTF8},
        {"\xFF", 1, CHARS_NOT_UTF8},
        {"\xED\xA0", 2, CHARS_NOT_UTF8},
        {"\xEF\xBF\xBE", 3, CHARS_NOT_XML},
        {"\xC3"
         "a",
         2, CHARS_NOT_UTF8},
        {"\xC3\xA9", 2, CHARS_OK},
        {"\xF0\x9F\x99\x82", 4, CHARS_OK},
        {"\n", 1, CHARS_OK},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t at = 0; at < 140; at++) {
            for (size_t cut = 0; cut <= at + cases[i].len; cut += 1 + (cut + 9 < at ? 7 : 0)) {
                char str[150];
                struct chars chars = {0};
                size_t len = at + cases[i].len;
                enum chars_fault fault;
                size_t whole;
                size_t good;

                memset(str, 'a', sizeof str);
                memcpy(str + at, cases[i].bytes, cases[i].len);
                good = chars_check(&chars, str, cut, &whole, &fault);
                if (fault == CHARS_OK)
                    good += chars_check(&chars, str + cut, sizeof str - cut, &whole, &fault);
                assert_int_equal(fault, cases[i].fault);
                assert_int_equal(good, fault == CHARS_OK ? sizeof str : len - 1);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chars_check_cut),
        cmocka_unit_test(test_chars_check_faults),
        cmocka_unit_test(test_chars_check_agrees_with_utf8),
        cmocka_unit_test(test_chars_check_at_each_offset),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
