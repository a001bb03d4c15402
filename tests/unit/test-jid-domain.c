#include "jid/domain.h"

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

#define accepts(str, want, ascii)          check_accepts(str, want, ascii, DOMAIN_NAME, __LINE__)
#define accepts_ip(str, want, ascii, kind) check_accepts(str, want, ascii, kind, __LINE__)
#define refuses(str)                       check_refuses(str, sizeof(str) - 1, __LINE__)

static void check_accepts(const char *str, const char *want, const char *want_ascii,
                          enum domain_kind want_kind, int line)
{
    enum domain_kind kind = (enum domain_kind)99;
    char *out = NULL;
    char *again = NULL;
    char *ascii = NULL;
    int r = domain_enforce(str, strlen(str), false, &out);

    if (r != XMPP_OK || strcmp(out, want) != 0)
        fail_msg("line %d: \"%s\" gives %d \"%s\", not \"%s\"", line, str, r, out ? out : "", want);
    /* JID-10 */
    assert_int_equal(domain_enforce(out, strlen(out), false, &again), XMPP_OK);
    assert_string_equal(out, again);
    assert_int_equal(domain_to_ascii(out, &ascii, &kind), XMPP_OK);
    assert_string_equal(ascii, want_ascii);
    assert_int_equal(kind, want_kind);
    mem_free(out);
    mem_free(again);
    mem_free(ascii);
}

static void check_refuses(const char *str, size_t len, int line)
{
    char *out = NULL;
    int r = domain_enforce(str, len, false, &out);

    if (r != XMPP_ERR_JID || out)
        fail_msg("line %d: \"%s\" gives %d \"%s\"", line, str, r, out ? out : "");
}

static void test_enforce_ascii_names(void **state)
{
    (void)state;
    /* JID-04, JID-05 */
    accepts("example.com", "example.com", "example.com");
    accepts("Example.COM", "example.com", "example.com");
    accepts("example.com.", "example.com", "example.com");
    accepts("localhost", "localhost", "localhost");
    accepts("a", "a", "a");
    accepts("a_b.c-d", "a_b.c-d", "a_b.c-d");
    accepts("1and1.example", "1and1.example", "1and1.example");
    accepts("1.2.3.4.example", "1.2.3.4.example", "1.2.3.4.example");
    accepts("1.2.3.4a", "1.2.3.4a", "1.2.3.4a");
    accepts("ab--cd.example", "ab--cd.example", "ab--cd.example");
    refuses("");
    refuses(".");
    refuses("..");
    refuses("example.com..");
    refuses(".example.com");
    refuses("example..com");
    refuses("exa mple.com");
    refuses("a@b.example");
    refuses("a/b");
    refuses("a:5222");
    refuses("a\0b");
    refuses("example.com\0");
    refuses("\0");
    refuses("-a.example");
    refuses("a-.example");
    refuses("a.-");
    refuses("a%b");
    refuses("a\tb");
}

static void test_enforce_literals(void **state)
{
    (void)state;
    accepts_ip("192.0.2.1", "192.0.2.1", "192.0.2.1", DOMAIN_IPV4);
    accepts_ip("192.0.2.1.", "192.0.2.1", "192.0.2.1", DOMAIN_IPV4);
    accepts_ip("[::1]", "[::1]", "::1", DOMAIN_IPV6);
    accepts_ip("[2001:DB8::A]", "[2001:db8::a]", "2001:db8::a", DOMAIN_IPV6);
    accepts_ip("[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]", "::ffff:192.0.2.1", DOMAIN_IPV6);
    refuses("::1");
    refuses("[::1");
    refuses("::1]");
    refuses("[]");
    refuses("[");
    refuses("[::1]:5222");
    refuses("[192.0.2.1]");
    refuses("[1::2::3]");
    refuses("[12345::1]");
    /* zone identifiers */
    refuses("[fe80::1%eth0]");
    refuses("[fe80::1%251]");
    refuses("[fe80::1%]");
    /* what some resolvers take for an address */
    refuses("256.0.0.1");
    refuses("127.1");
    refuses("0177.0.0.1");
    refuses("2130706433");
    refuses("1.2.3.4.5");
    refuses("[::1\0]");
}

static void test_enforce_idn(void **state)
{
    (void)state;
    /* JID-05, DNS-07: U-labels in the address, A-labels for DNS */
    accepts("b\u00FCcher.example", "b\u00FCcher.example", "xn--bcher-kva.example");
    accepts("B\u00DCCHER.Example", "b\u00FCcher.example", "xn--bcher-kva.example");
    accepts("bu\u0308cher.example", "b\u00FCcher.example", "xn--bcher-kva.example");
    accepts("xn--bcher-kva.example", "b\u00FCcher.example", "xn--bcher-kva.example");
    accepts("XN--BCHER-KVA.example.", "b\u00FCcher.example", "xn--bcher-kva.example");
    accepts("\uFF42\uFF4F\uFF4F\uFF4B.example", "book.example", "book.example");
    accepts("fa\u00DF.example", "fa\u00DF.example", "xn--fa-hia.example");
    accepts("\u03B2\u03CC\u03BB\u03BF\u03C2.example", "\u03B2\u03CC\u03BB\u03BF\u03C2.example",
            "xn--nxasmm1c.example");
    accepts("\u4F8B\u5B50.\u6D4B\u8BD5", "\u4F8B\u5B50.\u6D4B\u8BD5", "xn--fsqu00a.xn--0zwm56d");
    accepts("l\u00B7l.example", "l\u00B7l.example", "xn--ll-0ea.example");
    /* other full stops are full stops; one at the end goes */
    accepts("example\u3002com", "example.com", "example.com");
    accepts("b\u00FCcher\uFF0Eexample\uFF61", "b\u00FCcher.example", "xn--bcher-kva.example");
    refuses("example\u3002\u3002com");
    refuses("example.com\u3002.");
    refuses("example.com.\u3002");
    refuses("\u3002");
    refuses("192\u30020\u30022\u3002300");
}

static void test_enforce_refused_idn(void **state)
{
    (void)state;
    refuses("\u265A.example"); /* symbols */
    refuses("\U0001F600.example");
    refuses("a\u00ADb\u2163\u265A.example");
    refuses("-b\u00FCcher.example");
    refuses("b\u00FCcher-.example");
    refuses("b\u00FC--cher.example");
    refuses("\u0300a.example"); /* a mark in front */
    refuses("a\u200Cb.example"); /* RFC 5892 A.1 */
    refuses("b\u00FCcher.exa mple");
    refuses("b\u00FCcher@example");
    refuses("\u2100.example"); /* the mapping makes a slash */
    refuses("a\uFF0Fb.example");
    refuses("a\uFF20b.example");
    refuses("a\u3000b.example");
    refuses("a\u0378.example"); /* unassigned */
    /* A-labels that stand for nothing, or for what should not have been encoded */
    refuses("xn--.example");
    refuses("xn--a.example");
    refuses("xn--abc-.example");
    refuses("xn--\u00FC.example");
    refuses("xn--ls8h.example"); /* a symbol in disguise */
    refuses("xn--a-ecp.ru"); /* not what the label encodes to */
}

static void test_enforce_bidi(void **state)
{
    (void)state;
    /* RFC 5893 2 */
    accepts("\u05D0\u05D1.example", "\u05D0\u05D1.example", "xn--4dbc.example");
    accepts("\u0627\u0628.\u05D0\u05D1", "\u0627\u0628.\u05D0\u05D1", "xn--mgbc.xn--4dbc");
    accepts("\u05D01.example", "\u05D01.example", "xn--1-zhc.example");
    refuses("1\u05D0.example");
    refuses("a\u05D0.example");
    refuses("\u05D0a.example");
    refuses("\u06270\u0660.example");
}

static void test_enforce_invalid_utf8(void **state)
{
    (void)state;
    /* JID-19 */
    refuses("b\xFC"
            "cher.example");
    refuses("a\xC0\xAE"
            "b");
    refuses("\xED\xA0\x80.example");
    refuses("\xF4\x90\x80\x80.example");
    refuses("b\xC3");
    refuses("b\u00FC\0cher.example");
}

static void test_enforce_limits(void **state)
{
    char str[2 * LIMIT_JID + 1];
    char *out = NULL;

    (void)state;
    /* JID-06: 63 for a label, 253 for a name */
    memset(str, 'a', sizeof str);
    assert_int_equal(domain_enforce(str, 63, false, &out), XMPP_OK);
    mem_free(out);
    out = NULL;
    assert_int_equal(domain_enforce(str, 64, false, &out), XMPP_ERR_JID);
    for (size_t i = 63; i < sizeof str; i += 64)
        str[i] = '.';
    assert_int_equal(domain_enforce(str, 253, false, &out), XMPP_OK);
    assert_int_equal(strlen(out), 253);
    mem_free(out);
    out = NULL;
    assert_int_equal(domain_enforce(str, 254, false, &out), XMPP_ERR_JID);
    assert_int_equal(domain_enforce(str, sizeof str, false, &out), XMPP_ERR_JID);
    /* the trailing dot does not count */
    str[253] = '.';
    assert_int_equal(domain_enforce(str, 254, false, &out), XMPP_OK);
    mem_free(out);
    out = NULL;
    /* a label that is too long only as an A-label */
    for (size_t i = 0; i < 60; i += 2)
        memcpy(str + i, i % 4 ? "\u00FC" : "\u0434", 2);
    assert_int_equal(domain_enforce(str, 60, false, &out), XMPP_OK);
    mem_free(out);
    out = NULL;
    for (size_t i = 0; i < 200; i += 2)
        memcpy(str + i, i % 4 ? "\u00FC" : "\u0434", 2);
    assert_int_equal(domain_enforce(str, 200, false, &out), XMPP_ERR_JID);
    for (size_t i = 0; i < sizeof str; i++)
        str[i] = i % 2 ? '.' : 'a';
    assert_int_equal(domain_enforce(str, 253, false, &out), XMPP_OK);
    mem_free(out);
    out = NULL;
    assert_int_equal(domain_enforce(str, 1000, false, &out), XMPP_ERR_JID);
    assert_null(out);
}

static void test_enforce_ten_thousand_labels(void **state)
{
    char *str = malloc(40000);
    char *out = NULL;

    (void)state;
    for (size_t i = 0; i < 40000; i += 4)
        memcpy(str + i, "\u00FCa.", 4);
    assert_int_equal(domain_enforce(str, 40000, false, &out), XMPP_ERR_JID);
    assert_int_equal(domain_enforce(str, 1022, false, &out), XMPP_ERR_JID);
    assert_int_equal(domain_enforce(str, 40000, true, &out), XMPP_ERR_JID);
    assert_null(out);
    free(str);
}

static void check_kept(const char *str)
{
    enum domain_kind kind = DOMAIN_IPV4;
    char *out = NULL;
    char *ascii = NULL;

    assert_int_equal(domain_prepare(str, strlen(str), true, &out, &ascii, &kind), XMPP_OK);
    assert_string_equal(out, str);
    assert_null(ascii);
    assert_int_equal(kind, DOMAIN_NAME);
    mem_free(out);
}

static void test_prepare_lenient(void **state)
{
    enum domain_kind kind;
    char *out = NULL;
    char *ascii = NULL;

    (void)state;
    /* JID-17, JID-18 */
    check_kept("a\u0378.Example");
    check_kept("\u265A.example.");
    check_kept("[fe80::1%eth0]");
    check_kept("b@c");
    check_kept("256.0.0.1");
    /* what is fine is enforced as always */
    assert_int_equal(domain_prepare("B\u00DCCHER.", 8, true, &out, &ascii, &kind), XMPP_OK);
    assert_string_equal(out, "b\u00FCcher");
    assert_string_equal(ascii, "xn--bcher-kva");
    mem_free(out);
    mem_free(ascii);
    /* and what is no text is refused as always */
    out = NULL;
    assert_int_equal(domain_enforce("a\xFF", 2, true, &out), XMPP_ERR_JID);
    assert_int_equal(domain_enforce("a\0b", 3, true, &out), XMPP_ERR_JID);
    assert_int_equal(domain_enforce("a\x01", 2, true, &out), XMPP_ERR_JID);
    assert_int_equal(domain_enforce("", 0, true, &out), XMPP_ERR_JID);
    assert_null(out);
}

static void test_to_ascii_of_what_is_not_enforced(void **state)
{
    enum domain_kind kind;
    char *ascii = NULL;

    (void)state;
    assert_int_equal(domain_to_ascii("exa mple", &ascii, &kind), XMPP_ERR_JID);
    assert_int_equal(domain_to_ascii("\u265A", &ascii, &kind), XMPP_ERR_JID);
    assert_int_equal(domain_to_ascii("", &ascii, &kind), XMPP_ERR_JID);
    assert_null(ascii);
}

static void test_copy_ascii(void **state)
{
    char dst[16];
    size_t len = 0;

    (void)state;
    assert_true(domain_copy_ascii("ExAmple.", 8, dst, &len));
    assert_int_equal(len, 7);
    assert_memory_equal(dst, "example", 7);
    /* everything that is not simple is left to domain_prepare() */
    assert_false(domain_copy_ascii("192.0.2.1", 9, dst, &len));
    assert_false(domain_copy_ascii("[::1]", 5, dst, &len));
    assert_false(domain_copy_ascii("a.XN--abc", 9, dst, &len));
    assert_false(domain_copy_ascii("b\u00FCcher", 7, dst, &len));
    assert_false(domain_copy_ascii("", 0, dst, &len));
    assert_false(domain_copy_ascii(".", 1, dst, &len));
}

static uint32_t seed = 5893;

static uint32_t next_random(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static void test_enforcement_is_idempotent(void **state)
{
    static const uint32_t bases[] = {'a',    'a',    'a',    0x2D,   0xC0,   0x300,
                                     0x370,  0x5D0,  0x620,  0x200C, 0x2100, 0x3000,
                                     0x3040, 0xAC00, 0xFF00, 0x1D400};
    unsigned accepted = 0;

    (void)state;
    for (unsigned round = 0; round < 30000; round++) {
        char str[64];
        char *once = NULL;
        char *twice = NULL;
        char *ascii = NULL;
        enum domain_kind kind;
        size_t len = 0;

        if (next_random() % 8 == 0)
            len = (size_t)snprintf(str, sizeof str, "xn--");
        for (uint32_t n = 1 + next_random() % 5; n > 0; n--) {
            uint32_t base = bases[next_random() % ARRAY_LEN(bases)];
            len += utf8_encode(base + next_random() % (base < 0x80 ? 26 : 0x60), str + len);
        }
        if (domain_prepare(str, len, false, &once, &ascii, &kind) < 0)
            continue;
        accepted++;
        assert_true(utf8_is_ascii(ascii, strlen(ascii)));
        assert_int_equal(domain_enforce(once, strlen(once), false, &twice), XMPP_OK);
        assert_string_equal(once, twice);
        mem_free(twice);
        twice = NULL;
        /* the A-label form stands for the same name */
        assert_int_equal(domain_enforce(ascii, strlen(ascii), false, &twice), XMPP_OK);
        assert_string_equal(once, twice);
        mem_free(once);
        mem_free(twice);
        mem_free(ascii);
    }
    assert_true(accepted > 1000);
}

static int scenario(void *user_data)
{
    const char *str = user_data;
    enum domain_kind kind;
    char *out = NULL;
    char *ascii = NULL;
    int r = domain_enforce(str, strlen(str), false, &out);

    if (r == XMPP_OK)
        r = domain_to_ascii(out, &ascii, &kind);
    mem_free(out);
    mem_free(ascii);
    return r;
}

static void test_out_of_memory(void **state)
{
    char *const strs[] = {(char[]){"Example.com"}, (char[]){"b\u00FCcher.example"},
                          (char[]){"192.0.2.1"}, (char[]){"[2001:db8::1]"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(strs); i++)
        assert_int_equal(torture_run(scenario, strs[i]), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enforce_ascii_names),
        cmocka_unit_test(test_enforce_literals),
        cmocka_unit_test(test_enforce_idn),
        cmocka_unit_test(test_enforce_refused_idn),
        cmocka_unit_test(test_enforce_bidi),
        cmocka_unit_test(test_enforce_invalid_utf8),
        cmocka_unit_test(test_enforce_limits),
        cmocka_unit_test(test_enforce_ten_thousand_labels),
        cmocka_unit_test(test_prepare_lenient),
        cmocka_unit_test(test_to_ascii_of_what_is_not_enforced),
        cmocka_unit_test(test_copy_ascii),
        cmocka_unit_test(test_enforcement_is_idempotent),
        cmocka_unit_test(test_out_of_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
