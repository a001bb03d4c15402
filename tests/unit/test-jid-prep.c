#include "jid/prep.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "support/torture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xmpp/error.h>

enum profile { MAPPED, PRESERVED, OPAQUE };

static int prep(enum profile profile, const char *str, size_t len, bool lenient, char **ret)
{
    switch (profile) {
    case MAPPED:
        return prep_username_case_mapped(str, len, lenient, ret);
    case PRESERVED:
        return prep_username_case_preserved(str, len, ret);
    default:
        return prep_opaque_string(str, len, lenient, ret);
    }
}

#define accepts(profile, str, want)   check_accepts(profile, str, want, false, __LINE__)
#define refuses(profile, str)         check_refuses(profile, str, sizeof(str) - 1, __LINE__)
#define accepts_lenient(profile, str) check_accepts(profile, str, str, true, __LINE__)

static void check_accepts(enum profile profile, const char *str, const char *want, bool lenient,
                          int line)
{
    char *out = NULL;
    char *again = NULL;
    int r = prep(profile, str, strlen(str), lenient, &out);

    if (r != XMPP_OK || strcmp(out, want) != 0)
        fail_msg("line %d: \"%s\" gives %d \"%s\", not \"%s\"", line, str, r, out ? out : "", want);
    assert_int_equal(prep(profile, out, strlen(out), lenient, &again), XMPP_OK);
    assert_string_equal(out, again);
    mem_free(out);
    mem_free(again);
}

static void check_refuses(enum profile profile, const char *str, size_t len, int line)
{
    char *out = NULL;
    int r = prep(profile, str, len, false, &out);

    if (r != XMPP_ERR_JID || out)
        fail_msg("line %d: \"%s\" gives %d \"%s\"", line, str, r, out ? out : "");
}

static void test_username_rfc8265_examples(void **state)
{
    (void)state;
    /* RFC 8265 3.5, tables 1 and 2; JID-11 */
    accepts(MAPPED, "juliet@example.com", "juliet@example.com");
    accepts(MAPPED, "fussball", "fussball");
    accepts(MAPPED, "fu\u00DFball", "fu\u00DFball");
    accepts(MAPPED, "\u03C0", "\u03C0");
    accepts(MAPPED, "\u03A3", "\u03C3");
    accepts(MAPPED, "\u03C3", "\u03C3");
    accepts(MAPPED, "\u03C2", "\u03C2");
    refuses(MAPPED, "foo bar");
    refuses(MAPPED, "");
    refuses(MAPPED, "henry\u2163");
    refuses(MAPPED, "\u221E");
}

static void test_opaque_string_rfc8265_examples(void **state)
{
    (void)state;
    /* RFC 8265 4.3, tables 3 and 4; JID-09 */
    accepts(OPAQUE, "correct horse battery staple", "correct horse battery staple");
    accepts(OPAQUE, "Correct Horse Battery Staple", "Correct Horse Battery Staple");
    accepts(OPAQUE, "\u03C0\u00DF\u00E5", "\u03C0\u00DF\u00E5");
    accepts(OPAQUE, "Jack of \u2666s", "Jack of \u2666s");
    accepts(OPAQUE, "foo\u1680bar", "foo bar");
    refuses(OPAQUE, "");
    refuses(OPAQUE, "my cat is a \tby");
}

static void test_username_mappings(void **state)
{
    (void)state;
    /* JID-07 */
    accepts(MAPPED, "Juliet", "juliet");
    accepts(MAPPED, "\uFF2A\uFF55\uFF4C\uFF49\uFF45\uFF54", "juliet"); /* fullwidth */
    accepts(MAPPED, "\uFF76\uFF9E", "\u30AC"); /* halfwidth katakana, composed by NFC */
    accepts(MAPPED, "A\u0308", "\u00E4");
    accepts(MAPPED, "\u00C4", "\u00E4");
    accepts(MAPPED, "q\u0307\u0323", "q\u0323\u0307"); /* canonical order */
    accepts(MAPPED, "\u1E9E", "\u00DF");
    accepts(MAPPED, "\u0130", "i\u0307"); /* not the same user as "i" */
    accepts(MAPPED, "\U00010400", "\U00010428");
    /* JID-11: the last sigma of a word too */
    accepts(MAPPED, "\u039F\u0394\u039F\u03A3", "\u03BF\u03B4\u03BF\u03C3");
    accepts(PRESERVED, "Juliet", "Juliet");
    accepts(PRESERVED, "\uFF2A\u00C4", "J\u00C4");
    accepts(PRESERVED, "\u0130", "\u0130");
    refuses(PRESERVED, "foo bar");
    refuses(PRESERVED, "\u221E");
}

static void test_username_refuses_what_is_not_in_the_class(void **state)
{
    (void)state;
    refuses(MAPPED, "a b");
    refuses(MAPPED, "a\u3000b"); /* a wide space is no width variant to keep */
    refuses(MAPPED, "\u265A");
    refuses(MAPPED, "\u212B"); /* Angstrom sign: HasCompat, before lower-casing */
    refuses(MAPPED, "\u212A"); /* Kelvin sign */
    refuses(MAPPED, "\uFB01"); /* ligature */
    refuses(MAPPED, "a\u00ADb"); /* soft hyphen */
    refuses(MAPPED, "a\u200Bb");
    refuses(MAPPED, "a\u2060b");
    refuses(MAPPED, "\u0640"); /* tatweel */
    refuses(MAPPED, "\u1100\u1161"); /* conjoining jamo */
    accepts(MAPPED, "\uAC00", "\uAC00");
    refuses(MAPPED, "a\u202Eb");
    refuses(MAPPED, "a\uE000");
    refuses(MAPPED, "\uFDD0");
    refuses(MAPPED, "a\x7F");
    refuses(MAPPED, "\u01C5"); /* titlecase letter: OtherLetterDigits and HasCompat */
    accepts(MAPPED, "\u3007", "\u3007"); /* exception */
    accepts(MAPPED, "\u0F0B", "\u0F0B");
    refuses(MAPPED, "\u302E");
}

static void test_context_joiners(void **state)
{
    (void)state;
    /* RFC 5892 A.1: after a virama, or between joining letters */
    accepts(MAPPED, "\u0915\u094D\u200C\u0937", "\u0915\u094D\u200C\u0937");
    accepts(MAPPED, "\u0628\u200C\u0628", "\u0628\u200C\u0628");
    accepts(MAPPED, "\u0628\u064B\u200C\u064B\u0628", "\u0628\u064B\u200C\u064B\u0628");
    refuses(MAPPED, "\u0627\u200C\u0628"); /* alef joins to the right side only */
    refuses(MAPPED, "\u0628\u200C");
    refuses(MAPPED, "\u200C\u0628");
    refuses(MAPPED, "a\u200Cb");
    refuses(MAPPED, "\u200C");
    /* A.2 */
    accepts(MAPPED, "\u0915\u094D\u200D\u0937", "\u0915\u094D\u200D\u0937");
    refuses(MAPPED, "\u0628\u200D\u0628");
    refuses(MAPPED, "a\u200Db");
    refuses(OPAQUE, "\u200D");
    refuses(OPAQUE, "a\u200Cb");
}

static void test_context_others(void **state)
{
    (void)state;
    /* RFC 5892 A.3 to A.9 */
    accepts(MAPPED, "l\u00B7l", "l\u00B7l");
    accepts(OPAQUE, "paral\u00B7lel", "paral\u00B7lel");
    refuses(MAPPED, "l\u00B7a");
    refuses(MAPPED, "a\u00B7l");
    refuses(MAPPED, "\u00B7l");
    refuses(MAPPED, "l\u00B7");
    accepts(MAPPED, "\u0375\u03B1", "\u0375\u03B1");
    refuses(MAPPED, "\u0375a");
    refuses(MAPPED, "\u03B1\u0375");
    accepts(MAPPED, "\u05D0\u05F3", "\u05D0\u05F3");
    accepts(MAPPED, "\u05D0\u05F4\u05D1", "\u05D0\u05F4\u05D1");
    refuses(MAPPED, "\u05F3\u05D0");
    refuses(OPAQUE, "a\u05F3");
    refuses(OPAQUE, "a\u05F4");
    accepts(MAPPED, "\u30A2\u30FB\u30A2", "\u30A2\u30FB\u30A2");
    accepts(MAPPED, "a\u30FB\u3042", "a\u30FB\u3042");
    accepts(MAPPED, "\u30FB\u4E00", "\u30FB\u4E00");
    refuses(MAPPED, "a\u30FBb");
    refuses(OPAQUE, "\u30FB");
    accepts(MAPPED, "\u0628\u0660\u0661", "\u0628\u0660\u0661");
    accepts(OPAQUE, "\u0660", "\u0660");
    accepts(OPAQUE, "\u06F1", "\u06F1");
    refuses(OPAQUE, "\u0660\u06F0");
    refuses(OPAQUE, "\u06F0a\u0660");
}

static void test_username_bidi_rule(void **state)
{
    (void)state;
    /* RFC 5893 2 */
    accepts(MAPPED, "\u05D0\u05D1", "\u05D0\u05D1");
    accepts(MAPPED, "\u05D01", "\u05D01"); /* rule 3: ends with a European number */
    accepts(MAPPED, "\u05D0\u05B0", "\u05D0\u05B0"); /* ... then marks */
    accepts(MAPPED, "\u0627\u0660", "\u0627\u0660");
    accepts(MAPPED, "\u05D0-\u05D1", "\u05D0-\u05D1");
    refuses(MAPPED, "1\u05D0"); /* rule 1 */
    refuses(MAPPED, "-\u05D0");
    refuses(MAPPED, "\u05D0a"); /* rule 2 */
    refuses(MAPPED, "\u05D0a\u05D0");
    refuses(MAPPED, "\u05D0-"); /* rule 3 */
    refuses(MAPPED, "\u06270\u0660"); /* rule 4 */
    refuses(MAPPED, "a\u05D0"); /* rule 5 */
    refuses(MAPPED, "a\u0660");
    /* without right-to-left characters there is nothing to check */
    accepts(MAPPED, "1-", "1-");
    accepts(MAPPED, "_\u00E4-", "_\u00E4-");
    /* JID-09: none for opaque strings */
    accepts(OPAQUE, "a\u05D0", "a\u05D0");
    accepts(OPAQUE, "1\u05D0-", "1\u05D0-");
}

static void test_opaque_string_mappings(void **state)
{
    (void)state;
    accepts(OPAQUE, " foo ", " foo ");
    accepts(OPAQUE, "\u00A0\u2003\u3000x", "   x");
    accepts(OPAQUE, "\u3000", " ");
    accepts(OPAQUE, "\uFF21", "\uFF21"); /* no width mapping */
    accepts(OPAQUE, "e\u0301\u00C9", "\u00E9\u00C9"); /* no case mapping */
    accepts(OPAQUE, "\u2163\u265A\uFB01", "\u2163\u265A\uFB01");
    accepts(OPAQUE, "\u212B", "\u00C5"); /* NFC */
    refuses(OPAQUE, "\u00AD");
    refuses(OPAQUE, "a\xC2\x85");
    refuses(OPAQUE, "\u1100\u1161");
    refuses(OPAQUE, "\uFFFF");
    refuses(OPAQUE, "\U000E0041");
    refuses(OPAQUE, "\uFEFF");
}

static void test_unassigned_strict_and_lenient(void **state)
{
    (void)state;
    /* JID-17; the code points are unassigned in Unicode 15 too */
    refuses(OPAQUE, "room \U0001FAFF\U000E0FFF");
    refuses(MAPPED, "a\u0378");
    refuses(PRESERVED, "a\u0378");
    refuses(OPAQUE, "a\u0378");
    accepts_lenient(OPAQUE, "a\u0378 \U0003FFF0");
    accepts_lenient(MAPPED, "a\u0378");

    char *out = NULL;
    /* lenient is no licence for anything else */
    assert_int_equal(prep_opaque_string("\u00AD", 2, true, &out), XMPP_ERR_JID);
    assert_int_equal(prep_username_case_mapped("\u265A", 3, true, &out), XMPP_ERR_JID);
    assert_int_equal(prep_opaque_string("\uFDD0", 3, true, &out), XMPP_ERR_JID);
    assert_null(out);
}

static void test_invalid_utf8(void **state)
{
    (void)state;
    /* JID-19 */
    for (int profile = MAPPED; profile <= OPAQUE; profile++) {
        refuses(profile, "a\xC0\x80");
        refuses(profile, "a\xC1\xBF");
        refuses(profile, "\xE0\x80\xAF");
        refuses(profile, "\xF0\x80\x80\xAF");
        refuses(profile, "\xED\xA0\x80"); /* surrogate */
        refuses(profile, "\xED\xBF\xBF");
        refuses(profile, "\xF4\x90\x80\x80"); /* above U+10FFFF */
        refuses(profile, "\xF8\x88\x80\x80\x80");
        refuses(profile, "\xC3"); /* cut */
        refuses(profile, "\xE2\x99");
        refuses(profile, "\xF0\x9F\x98");
        refuses(profile, "\x80");
        refuses(profile, "\xFF");
        refuses(profile, "a\0b");
        refuses(profile, "\0");
        refuses(profile, "\u00E4\0b");
    }
}

static void fill(char *dst, const char *unit, size_t count)
{
    size_t len = strlen(unit);

    for (size_t i = 0; i < count; i++)
        memcpy(dst + i * len, unit, len);
    dst[count * len] = '\0';
}

static void test_long_input(void **state)
{
    char *str = malloc(3 * LIMIT_JID + 1);
    char *out = NULL;

    (void)state;
    fill(str, "a", LIMIT_JID);
    check_accepts(MAPPED, str, str, false, __LINE__);
    fill(str, "a", LIMIT_JID + 1);
    check_refuses(MAPPED, str, LIMIT_JID + 1, __LINE__);
    /* the greatest growth of NFC: three code points for each one */
    fill(str, "\uFB2C", LIMIT_JID / 3);
    assert_int_equal(prep_opaque_string(str, strlen(str), false, &out), XMPP_OK);
    assert_int_equal(strlen(out), LIMIT_JID / 3 * 6);
    mem_free(out);
    out = NULL;
    /* lower-casing grows too */
    fill(str, "\u0130", LIMIT_JID / 2);
    assert_int_equal(prep_username_case_mapped(str, strlen(str), false, &out), XMPP_OK);
    assert_int_equal(strlen(out), LIMIT_JID / 2 * 3);
    mem_free(out);
    out = NULL;
    /* long runs of marks and of context characters stay cheap */
    fill(str, "\u0301\u0316", LIMIT_JID / 4);
    assert_int_equal(prep_opaque_string(str, strlen(str), false, &out), XMPP_OK);
    mem_free(out);
    out = NULL;
    fill(str, "\u30FB", LIMIT_JID / 3);
    check_refuses(MAPPED, str, strlen(str), __LINE__);
    fill(str, "\u200C\u0300", LIMIT_JID / 5);
    check_refuses(OPAQUE, str, strlen(str), __LINE__);
    free(str);
}

static uint32_t seed = 20240817;

static uint32_t next_random(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static uint32_t random_code_point(void)
{
    static const uint32_t bases[] = {0x20,   0xC0,   0x300,   0x370,   0x400,  0x590,  0x600,
                                     0x900,  0x1E00, 0x2000,  0x2100,  0x3040, 0x30A0, 0xAC00,
                                     0xFB00, 0xFF00, 0x1D100, 0x10400, 0x1F600};
    uint32_t c = bases[next_random() % ARRAY_LEN(bases)] + next_random() % 0x90;

    return c;
}

static void test_enforcement_is_idempotent(void **state)
{
    unsigned accepted = 0;

    (void)state;
    /* JID-10 */
    for (unsigned round = 0; round < 60000; round++) {
        char str[64];
        char *once = NULL;
        char *twice = NULL;
        size_t len = 0;
        enum profile profile = (enum profile)(round % 3);
        bool lenient = next_random() & 1;

        for (uint32_t n = 1 + next_random() % 4; n > 0; n--)
            len += utf8_encode(random_code_point(), str + len);
        if (prep(profile, str, len, lenient, &once) < 0)
            continue;
        accepted++;
        assert_true(utf8_is_valid(once, strlen(once)));
        assert_int_equal(prep(profile, once, strlen(once), lenient, &twice), XMPP_OK);
        assert_string_equal(once, twice);
        mem_free(once);
        mem_free(twice);
    }
    assert_true(accepted > 5000);
}

static void test_random_bytes(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 60000; round++) {
        char str[12];
        char *out = NULL;
        size_t len = next_random() % sizeof str;

        for (size_t i = 0; i < len; i++)
            str[i] = (char)(next_random() % 4 ? 0x80 | next_random() : next_random());
        if (prep((enum profile)(round % 3), str, len, round & 4, &out) == XMPP_OK)
            assert_true(utf8_is_valid(str, len));
        mem_free(out);
    }
}

static void test_every_code_point(void **state)
{
    unsigned refused = 0;

    (void)state;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        char str[4];
        char *identifier = NULL;
        char *freeform = NULL;

        if (c == 0xD800)
            c = 0xE000;
        size_t len = utf8_encode(c, str);
        int mapped = prep_username_case_mapped(str, len, false, &identifier);
        int opaque = prep_opaque_string(str, len, false, &freeform);
        /* Only width variants are identifiers without being free-form; those are free-form too. */
        if (mapped == XMPP_OK && opaque != XMPP_OK)
            fail_msg("U+%04X", (unsigned)c);
        refused += opaque != XMPP_OK;
        mem_free(identifier);
        mem_free(freeform);
    }
    /* most of the code space is unassigned or for private use */
    assert_true(refused > 900000 && refused < 1000000);
}

static void test_normalize_buffer(void **state)
{
    const uint32_t src[] = {0xFDFA};
    uint32_t dst[PREP_NFKC_GROWTH];
    size_t len = 0;

    (void)state;
    assert_int_equal(prep_normalize(true, src, 1, dst, PREP_NFKC_GROWTH, &len), XMPP_OK);
    assert_int_equal(len, PREP_NFKC_GROWTH);
    /* libunistring's own block is released, not leaked */
    assert_int_equal(prep_normalize(true, src, 1, dst, PREP_NFKC_GROWTH - 1, &len), XMPP_ERR_JID);
    assert_int_equal(prep_normalize(true, src, 1, dst, 2, &len), XMPP_ERR_JID);
}

static int scenario(void *user_data)
{
    const char *str = user_data;
    char *out = NULL;
    int r = prep_username_case_mapped(str, strlen(str), false, &out);

    if (r < 0)
        return r;
    mem_free(out);
    out = NULL;
    r = prep_opaque_string(str, strlen(str), false, &out);
    mem_free(out);
    return r;
}

static void test_out_of_memory(void **state)
{
    char ascii[] = "Juliet";
    char unicode[] = "J\u00FCliet\uFF21";

    (void)state;
    assert_int_equal(torture_run(scenario, ascii), XMPP_OK);
    assert_int_equal(torture_run(scenario, unicode), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_username_rfc8265_examples),
        cmocka_unit_test(test_opaque_string_rfc8265_examples),
        cmocka_unit_test(test_username_mappings),
        cmocka_unit_test(test_username_refuses_what_is_not_in_the_class),
        cmocka_unit_test(test_context_joiners),
        cmocka_unit_test(test_context_others),
        cmocka_unit_test(test_username_bidi_rule),
        cmocka_unit_test(test_opaque_string_mappings),
        cmocka_unit_test(test_unassigned_strict_and_lenient),
        cmocka_unit_test(test_invalid_utf8),
        cmocka_unit_test(test_long_input),
        cmocka_unit_test(test_enforcement_is_idempotent),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_normalize_buffer),
        cmocka_unit_test(test_out_of_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
