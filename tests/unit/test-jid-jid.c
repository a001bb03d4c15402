#include "jid/jid.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "support/torture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xmpp/error.h>

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Everything that must be true of any JID. */
static void check_consistent(const xmpp_jid *jid)
{
    const char *local = xmpp_jid_get_local(jid);
    const char *domain = xmpp_jid_get_domain(jid);
    const char *resource = xmpp_jid_get_resource(jid);
    char want[LIMIT_JID + 1] = "";

    assert_non_null(domain);
    if (local) {
        strcat(want, local);
        strcat(want, "@");
    }
    strcat(want, domain);
    assert_string_equal(xmpp_jid_get_bare_str(jid), want);
    if (resource) {
        strcat(want, "/");
        strcat(want, resource);
    }
    assert_string_equal(xmpp_jid_get_str(jid), want);
    assert_true(strlen(want) <= LIMIT_JID);
    assert_true(!local || (*local && strlen(local) <= LIMIT_JID_PART));
    assert_true(*domain && strlen(domain) <= LIMIT_JID_PART);
    assert_true(!resource || (*resource && strlen(resource) <= LIMIT_JID_PART));
    assert_true(utf8_is_xml(want, strlen(want)));
}

/* parse(get_str(x)) == x */
static void check_round_trip(const xmpp_jid *jid)
{
    const char *str = xmpp_jid_get_str(jid);
    xmpp_jid *strict = NULL;
    xmpp_jid *lenient = NULL;

    check_consistent(jid);
    assert_int_equal(xmpp_jid_parse(&strict, str), XMPP_OK);
    assert_int_equal(xmpp_jid_compare(jid, strict), 0);
    assert_true(xmpp_jid_equal_bare(jid, strict));
    assert_true(same(jid_get_ascii_domain(jid), jid_get_ascii_domain(strict)));
    assert_int_equal(jid_parse_lenient(&lenient, str, strlen(str)), XMPP_OK);
    assert_int_equal(xmpp_jid_compare(jid, lenient), 0);
    xmpp_jid_unref(strict);
    xmpp_jid_unref(lenient);
}

#define accepts(str, local, domain, resource) check_accepts(str, local, domain, resource, __LINE__)
#define refuses(str)                          check_refuses(str, __LINE__)
#define keeps(str)                            check_keeps(str, sizeof(str) - 1, __LINE__)
#define refuses_lenient(str)                  check_refuses_lenient(str, sizeof(str) - 1, __LINE__)

static void check_accepts(const char *str, const char *local, const char *domain,
                          const char *resource, int line)
{
    xmpp_jid *jid = NULL;
    xmpp_jid *composed = NULL;
    xmpp_jid *lenient = NULL;
    int r = xmpp_jid_parse(&jid, str);

    if (r != XMPP_OK || !same(xmpp_jid_get_local(jid), local) ||
        !same(xmpp_jid_get_domain(jid), domain) || !same(xmpp_jid_get_resource(jid), resource))
        fail_msg("line %d: \"%s\" gives %d \"%s\"", line, str, r, jid ? xmpp_jid_get_str(jid) : "");
    check_round_trip(jid);
    assert_int_equal(xmpp_jid_compose(&composed, local, domain, resource), XMPP_OK);
    assert_int_equal(xmpp_jid_compare(jid, composed), 0);
    assert_int_equal(jid_parse_lenient(&lenient, str, strlen(str)), XMPP_OK);
    assert_int_equal(xmpp_jid_compare(jid, lenient), 0);
    xmpp_jid_unref(lenient);
    xmpp_jid_unref(composed);
    xmpp_jid_unref(jid);
}

static void check_refuses(const char *str, int line)
{
    xmpp_jid *jid = NULL;
    int r = xmpp_jid_parse(&jid, str);

    if (r != XMPP_ERR_JID || jid)
        fail_msg("line %d: \"%s\" gives %d \"%s\"", line, str, r, jid ? xmpp_jid_get_str(jid) : "");
}

static void check_keeps(const char *str, size_t len, int line)
{
    xmpp_jid *jid = NULL;
    xmpp_jid *again = NULL;
    int r = jid_parse_lenient(&jid, str, len);

    if (r != XMPP_OK || strcmp(xmpp_jid_get_str(jid), str) != 0)
        fail_msg("line %d: \"%s\" gives %d \"%s\"", line, str, r, jid ? xmpp_jid_get_str(jid) : "");
    check_consistent(jid);
    assert_int_equal(jid_parse_lenient(&again, str, len), XMPP_OK);
    assert_int_equal(xmpp_jid_compare(jid, again), 0);
    xmpp_jid_unref(again);
    xmpp_jid_unref(jid);
}

static void check_refuses_lenient(const char *str, size_t len, int line)
{
    xmpp_jid *jid = NULL;
    int r = jid_parse_lenient(&jid, str, len);

    if (r != XMPP_ERR_JID || jid)
        fail_msg("line %d: \"%s\" gives %d \"%s\"", line, str, r, jid ? xmpp_jid_get_str(jid) : "");
}

static void test_parse_rfc7622_legal(void **state)
{
    (void)state;
    /* JID-13: RFC 7622 3.5, table 1; JID-11 for 9 to 11 */
    accepts("juliet@example.com", "juliet", "example.com", NULL);
    accepts("juliet@example.com/foo", "juliet", "example.com", "foo");
    accepts("juliet@example.com/foo bar", "juliet", "example.com", "foo bar");
    accepts("juliet@example.com/foo@bar", "juliet", "example.com", "foo@bar");
    accepts("foo\\20bar@example.com", "foo\\20bar", "example.com", NULL); /* JID-15, SEC-25 */
    accepts("fussball@example.com", "fussball", "example.com", NULL);
    accepts("fu\u00DFball@example.com", "fu\u00DFball", "example.com", NULL);
    accepts("\u03C0@example.com", "\u03C0", "example.com", NULL);
    accepts("\u03A3@example.com/foo", "\u03C3", "example.com", "foo");
    accepts("\u03C3@example.com/foo", "\u03C3", "example.com", "foo");
    accepts("\u03C2@example.com/foo", "\u03C2", "example.com", "foo");
    accepts("king@example.com/\u265A", "king", "example.com", "\u265A");
    accepts("example.com", NULL, "example.com", NULL);
    accepts("example.com/foobar", NULL, "example.com", "foobar");
    accepts("a.example.com/b@example.net", NULL, "a.example.com", "b@example.net");
}

static void test_parse_rfc7622_illegal(void **state)
{
    (void)state;
    /* JID-13: RFC 7622 3.5, table 2. Number 18 is what OpaqueString allows, so it is accepted. */
    refuses("\"juliet\"@example.com");
    refuses("foo bar@example.com");
    accepts("juliet@example.com/ foo", "juliet", "example.com", " foo");
    refuses("@example.com/");
    refuses("henry\u2163@example.com");
    refuses("\u265A@example.com");
    refuses("juliet@");
    refuses("/foobar");
}

static void test_parse_split(void **state)
{
    (void)state;
    /* JID-01, JID-02, JID-14 */
    accepts("a@b/c/d@e", "a", "b", "c/d@e");
    accepts("b/c@d", NULL, "b", "c@d");
    accepts("a@b//", "a", "b", "/");
    accepts("b/@", NULL, "b", "@");
    refuses("");
    refuses("@");
    refuses("/");
    refuses("@/");
    refuses("@b");
    refuses("@b/c");
    refuses("a@/c");
    refuses("a@b/");
    refuses("b/");
    refuses("a@b@c");
    refuses("a@@c");
    refuses("a@b@c/d");
}

static void test_parse_forbidden_in_local(void **state)
{
    (void)state;
    /* JID-08 */
    refuses("a\"b@c");
    refuses("a&b@c");
    refuses("a'b@c");
    refuses("a:b@c");
    refuses("a<b@c");
    refuses("a>b@c");
    refuses("a b@c");
    refuses("a\tb@c");
    refuses("a\x7F@c");
    /* their wide forms become them */
    refuses("a\uFF20b@c");
    refuses("a\uFF0Fb@c");
    refuses("\u00E4&b@c");
    accepts("!#$%()*+,-.;=?[\\]^_`{|}~@c", "!#$%()*+,-.;=?[\\]^_`{|}~", "c", NULL);
}

static void test_parse_enforces(void **state)
{
    (void)state;
    accepts("Juliet@Example.COM/Balcony", "juliet", "example.com", "Balcony");
    accepts("juliet@example.com./x", "juliet", "example.com", "x");
    accepts("JULI\u00C9@B\u00DCCHER.example/\u00A0\u00C4", "juli\u00E9", "b\u00FCcher.example",
            " \u00C4");
    accepts("u@xn--bcher-kva.example", "u", "b\u00FCcher.example", NULL);
    accepts("u@192.0.2.1/x", "u", "192.0.2.1", "x");
    accepts("u@[2001:DB8::1]/x", "u", "[2001:db8::1]", "x");
    refuses("u@[fe80::1%eth0]/x");
    refuses("u@exa mple.com");
    refuses("u@example..com");
    refuses("u@example.com/a\nb");
    refuses("u@example.com/a\u00AD");
    refuses("u@a:5222");
    refuses("u@\u265A.example");
    /* JID-17 */
    refuses("a\u0378@example.com");
    refuses("a@example.com/\u0378");
    refuses("a@a\u0378.example");
}

static void test_parse_invalid_utf8(void **state)
{
    (void)state;
    /* JID-19, SEC-20 */
    refuses("a\xC0\x80@b");
    refuses("a\xFF@b");
    refuses("a@b\xED\xA0\x80");
    refuses("a@b/\xF4\x90\x80\x80");
    refuses("a@b/\xE2\x99");
    refuses("\xC3");
    refuses_lenient("a\xC0\x80@b");
    refuses_lenient("a@b\xED\xA0\x80");
    refuses_lenient("a@b/\xE2\x99");
    refuses_lenient("\xFF");
}

static void build(char *dst, size_t local, size_t domain, size_t resource)
{
    memset(dst, 'l', local);
    dst[local] = '@';
    memset(dst + local + 1, 'd', domain);
    for (size_t i = 10; i < domain; i += 11)
        dst[local + 1 + i] = '.';
    dst[local + 1 + domain] = '/';
    memset(dst + local + domain + 2, 'r', resource);
    dst[local + domain + resource + 2] = '\0';
}

static void test_parse_limits(void **state)
{
    static char str[5 * LIMIT_JID];
    xmpp_jid *jid = NULL;

    (void)state;
    /* JID-03 */
    build(str, 1023, 252, 1023);
    assert_int_equal(xmpp_jid_parse(&jid, str), XMPP_OK);
    assert_int_equal(strlen(xmpp_jid_get_local(jid)), 1023);
    assert_int_equal(strlen(xmpp_jid_get_resource(jid)), 1023);
    check_round_trip(jid);
    jid = xmpp_jid_unref(jid);
    build(str, 1024, 252, 1023);
    refuses(str);
    check_refuses_lenient(str, strlen(str), __LINE__);
    build(str, 1023, 252, 1024);
    refuses(str);
    check_refuses_lenient(str, strlen(str), __LINE__);
    build(str, 1023, 1024, 1023);
    refuses(str);
    check_refuses_lenient(str, strlen(str), __LINE__);
    build(str, 4096, 4096, 4096);
    refuses(str);
    check_refuses_lenient(str, strlen(str), __LINE__);
    /* A legal length that no name has: a server may send it, the whole is 3071 octets. */
    build(str, 1023, 1023, 1023);
    refuses(str);
    check_keeps(str, strlen(str), __LINE__);

    /* the length counts after the mapping: 1023 wide letters are too many octets only before it */
    for (size_t i = 0; i < 1000; i++)
        memcpy(str + 3 * i, "\uFF21", 3);
    strcpy(str + 3000, "@example.com");
    assert_int_equal(xmpp_jid_parse(&jid, str), XMPP_OK);
    assert_int_equal(strlen(xmpp_jid_get_local(jid)), 1000);
    jid = xmpp_jid_unref(jid);
    /* and here only after it */
    strcpy(str, "example.com/");
    for (size_t i = 0; i < 200; i++)
        memcpy(str + 12 + 3 * i, "\uFB2C", 4);
    refuses(str);
    check_keeps(str, strlen(str), __LINE__);
}

static void test_parse_ten_thousand_labels(void **state)
{
    char *str = malloc(20001);

    (void)state;
    for (size_t i = 0; i < 20000; i += 2)
        memcpy(str + i, "a.", 2);
    str[20000] = '\0';
    refuses(str);
    check_refuses_lenient(str, 20000, __LINE__);
    free(str);
}

static void test_parse_arguments(void **state)
{
    xmpp_jid *jid = NULL;

    (void)state;
    assert_int_equal(xmpp_jid_parse(NULL, "a@b"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_jid_parse(&jid, NULL), XMPP_ERR_INVAL);
    assert_int_equal(jid_parse_lenient(NULL, "a", 1), XMPP_ERR_INVAL);
    assert_int_equal(jid_parse_lenient(&jid, NULL, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_jid_to_bare(NULL, &jid), XMPP_ERR_INVAL);
    assert_null(jid);
    assert_null(xmpp_jid_ref(NULL));
    assert_null(xmpp_jid_unref(NULL));
    assert_null(xmpp_jid_get_str(NULL));
    assert_null(xmpp_jid_get_bare_str(NULL));
    assert_null(xmpp_jid_get_local(NULL));
    assert_null(xmpp_jid_get_domain(NULL));
    assert_null(xmpp_jid_get_resource(NULL));
    assert_null(jid_get_ascii_domain(NULL));
    assert_false(jid_is_ip(NULL));
}

static void test_compose(void **state)
{
    xmpp_jid *jid = NULL;

    (void)state;
    assert_int_equal(xmpp_jid_compose(&jid, "Juliet", "Example.com", "a/b@c"), XMPP_OK);
    assert_string_equal(xmpp_jid_get_str(jid), "juliet@example.com/a/b@c");
    check_round_trip(jid);
    jid = xmpp_jid_unref(jid);
    assert_int_equal(xmpp_jid_compose(&jid, NULL, "Example.com.", NULL), XMPP_OK);
    assert_string_equal(xmpp_jid_get_str(jid), "example.com");
    jid = xmpp_jid_unref(jid);

    /* no part can smuggle in another one */
    assert_int_equal(xmpp_jid_compose(&jid, "a@b", "c", NULL), XMPP_ERR_JID);
    assert_int_equal(xmpp_jid_compose(&jid, "a/b", "c", NULL), XMPP_ERR_JID);
    assert_int_equal(xmpp_jid_compose(&jid, "a\uFF0Fb", "c", NULL), XMPP_ERR_JID);
    assert_int_equal(xmpp_jid_compose(&jid, "a", "b@c", NULL), XMPP_ERR_JID);
    assert_int_equal(xmpp_jid_compose(&jid, "a", "b/c", NULL), XMPP_ERR_JID);
    assert_int_equal(xmpp_jid_compose(&jid, "a", "b\uFF0Fc", NULL), XMPP_ERR_JID);
    /* JID-02 */
    assert_int_equal(xmpp_jid_compose(&jid, "", "c", NULL), XMPP_ERR_JID);
    assert_int_equal(xmpp_jid_compose(&jid, NULL, "", NULL), XMPP_ERR_JID);
    assert_int_equal(xmpp_jid_compose(&jid, NULL, "c", ""), XMPP_ERR_JID);
    assert_int_equal(xmpp_jid_compose(&jid, "a", NULL, "b"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_jid_compose(NULL, "a", "b", NULL), XMPP_ERR_INVAL);

    static char big[20000];
    memset(big, 'a', sizeof big - 1);
    assert_int_equal(xmpp_jid_compose(&jid, big, "c", NULL), XMPP_ERR_JID);
    assert_int_equal(xmpp_jid_compose(&jid, NULL, big, NULL), XMPP_ERR_JID);
    assert_int_equal(xmpp_jid_compose(&jid, NULL, "c", big), XMPP_ERR_JID);
    assert_null(jid);
}

static void test_parse_lenient_keeps_refused_parts(void **state)
{
    xmpp_jid *jid = NULL;
    xmpp_jid *own = NULL;

    (void)state;
    /* JID-17 */
    keeps("room@muc.example.com/nick \U0003FFF0");
    keeps("a\u0378@example.com");
    keeps("a@b\u0378.example");
    /* JID-18 */
    keeps("\u265A@example.com/x");
    keeps("henry\u2163@example.com");
    keeps("u@\u265A.example");
    keeps("u@example.com/a\u00ADb");
    keeps("u@example.com/a\tb");
    keeps("O'Brien@example.com");
    keeps("a@b@c");
    keeps("a b@c");
    keeps("u@exa mple/x");
    keeps("u@[fe80::1%eth0]");
    /* JID-01, however often the separator comes */
    assert_int_equal(jid_parse_lenient(&jid, "a@b@c/d/e@f", 11), XMPP_OK);
    assert_string_equal(xmpp_jid_get_local(jid), "a");
    assert_string_equal(xmpp_jid_get_domain(jid), "b@c");
    assert_string_equal(xmpp_jid_get_resource(jid), "d/e@f");
    jid = xmpp_jid_unref(jid);
    /* the other parts are enforced as always */
    assert_int_equal(jid_parse_lenient(&jid, "Juliet@Example.COM/\u00AD\u212B", 24), XMPP_OK);
    assert_string_equal(xmpp_jid_get_str(jid), "juliet@example.com/\u00AD\u212B");
    assert_int_equal(xmpp_jid_parse(&own, "juliet@example.com"), XMPP_OK);
    assert_true(xmpp_jid_equal_bare(jid, own));
    assert_string_equal(jid_get_ascii_domain(jid), "example.com");
    jid = xmpp_jid_unref(jid);
    /* SEC-38: what could not be enforced equals nothing that was */
    assert_int_equal(jid_parse_lenient(&jid, "Juliet\u265A@example.com", 21), XMPP_OK);
    assert_false(xmpp_jid_equal_bare(jid, own));
    assert_string_equal(xmpp_jid_get_local(jid), "Juliet\u265A");
    jid = xmpp_jid_unref(jid);
    /* the length is the caller's, not that of a C string */
    assert_int_equal(jid_parse_lenient(&jid, "a@b/cdef", 5), XMPP_OK);
    assert_string_equal(xmpp_jid_get_str(jid), "a@b/c");
    xmpp_jid_unref(jid);
    xmpp_jid_unref(own);
}

static void test_parse_lenient_refuses(void **state)
{
    (void)state;
    /* JID-16 */
    refuses_lenient("");
    refuses_lenient("@");
    refuses_lenient("/");
    refuses_lenient("a@");
    refuses_lenient("@b");
    refuses_lenient("a@b/");
    refuses_lenient("/x");
    refuses_lenient("a\0@b");
    refuses_lenient("a@b\0");
    refuses_lenient("a@b/c\0d");
    refuses_lenient("\u00E4@b/\0");
    refuses_lenient("a\x01@b");
    refuses_lenient("a@b/\x1F");
    refuses_lenient("a@b/\uFFFE"); /* no XML character */
}

static void test_parse_lenient_takes_one_allocation(void **state)
{
    xmpp_jid *jid = NULL;

    (void)state;
    torture_fail_at(0, false);
    assert_int_equal(jid_parse_lenient(&jid, "Juliet@im.example.com/balcony", 29), XMPP_OK);
    assert_int_equal(torture_count(), 1);
    xmpp_jid_unref(jid);
}

static void test_to_bare(void **state)
{
    static const char *const strs[] = {"juliet@example.com/x", "example.com/x",
                                       "u@b\u00FCcher.example/\u265A", "u@[::1]/x",
                                       "u@192.0.2.1/x"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(strs); i++) {
        xmpp_jid *jid = NULL;
        xmpp_jid *bare = NULL;
        xmpp_jid *again = NULL;

        assert_int_equal(xmpp_jid_parse(&jid, strs[i]), XMPP_OK);
        assert_int_equal(xmpp_jid_to_bare(jid, &bare), XMPP_OK);
        assert_string_equal(xmpp_jid_get_str(bare), xmpp_jid_get_bare_str(jid));
        assert_null(xmpp_jid_get_resource(bare));
        assert_true(same(xmpp_jid_get_local(bare), xmpp_jid_get_local(jid)));
        assert_string_equal(jid_get_ascii_domain(bare), jid_get_ascii_domain(jid));
        assert_int_equal(jid_is_ip(bare), jid_is_ip(jid));
        assert_true(xmpp_jid_equal_bare(jid, bare));
        assert_int_not_equal(xmpp_jid_compare(jid, bare), 0);
        assert_int_equal(xmpp_jid_to_bare(bare, &again), XMPP_OK);
        xmpp_jid_unref(jid);
        check_round_trip(bare);
        xmpp_jid_unref(bare);
        check_round_trip(again);
        xmpp_jid_unref(again);
    }
}

static void test_ascii_domain(void **state)
{
    static const struct {
        const char *str;
        const char *ascii;
        int is_ip;
    } cases[] = {
        {"u@Example.com./x", "example.com", 0},
        {"b\u00FCcher.example/x", "xn--bcher-kva.example", 0},
        {"u@b\u00FCcher.example", "xn--bcher-kva.example", 0},
        {"u@192.0.2.1", "192.0.2.1", 1},
        {"u@[2001:db8::1]/x", "2001:db8::1", 1},
        {"[::1]", "::1", 1},
    };

    (void)state;
    /* DNS-07 */
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        xmpp_jid *jid = NULL;

        assert_int_equal(xmpp_jid_parse(&jid, cases[i].str), XMPP_OK);
        assert_string_equal(jid_get_ascii_domain(jid), cases[i].ascii);
        assert_int_equal(jid_is_ip(jid), cases[i].is_ip);
        check_round_trip(jid);
        xmpp_jid_unref(jid);
    }
    xmpp_jid *jid = NULL;
    assert_int_equal(jid_parse_lenient(&jid, "u@exa mple", 10), XMPP_OK);
    assert_null(jid_get_ascii_domain(jid));
    xmpp_jid_unref(jid);
}

static void test_compare(void **state)
{
    static const char *const sorted[] = {"a@b", "a@b/B", "a@b/a", "a@b/b",
                                         "a@c", "b",     "b@a",   "\u00E4@b"};
    xmpp_jid *jids[ARRAY_LEN(sorted)];

    (void)state;
    /* JID-12 */
    for (size_t i = 0; i < ARRAY_LEN(sorted); i++)
        assert_int_equal(xmpp_jid_parse(&jids[i], sorted[i]), XMPP_OK);
    for (size_t i = 0; i < ARRAY_LEN(sorted); i++) {
        for (size_t k = 0; k < ARRAY_LEN(sorted); k++) {
            int cmp = xmpp_jid_compare(jids[i], jids[k]);
            assert_int_equal((cmp > 0) - (cmp < 0), (i > k) - (i < k));
        }
    }
    assert_true(xmpp_jid_equal_bare(jids[0], jids[1]));
    assert_true(xmpp_jid_equal_bare(jids[1], jids[2]));
    assert_false(xmpp_jid_equal_bare(jids[0], jids[4]));
    assert_false(xmpp_jid_equal_bare(jids[5], jids[6]));
    assert_int_equal(xmpp_jid_compare(NULL, NULL), 0);
    assert_true(xmpp_jid_compare(NULL, jids[0]) < 0);
    assert_true(xmpp_jid_compare(jids[0], NULL) > 0);
    assert_int_equal(xmpp_jid_equal_bare(NULL, NULL), 0);
    assert_int_equal(xmpp_jid_equal_bare(jids[0], NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(sorted); i++)
        xmpp_jid_unref(jids[i]);
}

static uint32_t seed = 7622;

static uint32_t next_random(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static size_t random_address(char *dst)
{
    static const char *const pieces[] = {"@",      "/",      "@",         "/",      ".",
                                         "a",      "Z",      "example",   "xn--",   "-",
                                         " ",      "\u00FC", "\u0308",    "\u05D0", "\u0660",
                                         "\uFF20", "\u265A", "\u3000",    "\u3002", "\u0378",
                                         "\u200C", "[::1]",  "127.0.0.1", "\u0130", "\uFB2C",
                                         "\u212B", "&",      "\t",        "\xC3",   "\xED\xA0\x80",
                                         "b",      "c",      "d",         "\u30FB"};
    size_t len = 0;

    for (uint32_t n = 1 + next_random() % 9; n > 0; n--) {
        const char *piece = pieces[next_random() % ARRAY_LEN(pieces)];
        memcpy(dst + len, piece, strlen(piece));
        len += strlen(piece);
    }
    dst[len] = '\0';
    return len;
}

static void test_random_addresses_round_trip(void **state)
{
    unsigned strict = 0;
    unsigned lenient = 0;

    (void)state;
    /* JID-10, JID-16 */
    for (unsigned round = 0; round < 100000; round++) {
        char str[128];
        size_t len = random_address(str);
        xmpp_jid *jid = NULL;
        xmpp_jid *raw = NULL;

        if (xmpp_jid_parse(&jid, str) == XMPP_OK) {
            strict++;
            check_round_trip(jid);
        }
        if (jid_parse_lenient(&raw, str, len) == XMPP_OK) {
            xmpp_jid *again = NULL;
            const char *kept = xmpp_jid_get_str(raw);

            lenient++;
            check_consistent(raw);
            assert_int_equal(jid_parse_lenient(&again, kept, strlen(kept)), XMPP_OK);
            assert_int_equal(xmpp_jid_compare(raw, again), 0);
            xmpp_jid_unref(again);
        }
        /* strict is a part of lenient, and where strict refuses, the result is not an enforced address */
        if (jid) {
            assert_int_equal(xmpp_jid_compare(jid, raw), 0);
        } else if (raw) {
            assert_int_equal(xmpp_jid_parse(&jid, xmpp_jid_get_str(raw)), XMPP_ERR_JID);
        }
        xmpp_jid_unref(jid);
        xmpp_jid_unref(raw);
    }
    assert_true(strict > 2000);
    assert_true(lenient > strict);
}

static void test_ref_counts(void **state)
{
    xmpp_jid *jid = NULL;

    (void)state;
    assert_int_equal(xmpp_jid_parse(&jid, "a@b/c"), XMPP_OK);
    const xmpp_jid *borrowed = jid;
    xmpp_jid *second = xmpp_jid_ref(borrowed);
    assert_ptr_equal(second, jid);
    size_t before = torture_live_blocks();
    assert_null(xmpp_jid_unref(jid));
    assert_int_equal(torture_live_blocks(), before);
    assert_string_equal(xmpp_jid_get_str(second), "a@b/c");
    assert_null(xmpp_jid_unref(second));
    assert_int_equal(torture_live_blocks(), before - 1);
}

static void *share(void *user_data)
{
    xmpp_jid *jid = user_data;
    uintptr_t bad = 0;

    for (unsigned i = 0; i < 20000; i++) {
        xmpp_jid *mine = xmpp_jid_ref(jid);
        xmpp_jid *bare = NULL;

        bad += strcmp(xmpp_jid_get_str(mine), "u@b\u00FCcher.example/x") != 0;
        bad += xmpp_jid_to_bare(mine, &bare) != XMPP_OK;
        bad += !xmpp_jid_equal_bare(mine, bare);
        xmpp_jid_unref(bare);
        xmpp_jid_unref(mine);
    }
    xmpp_jid_unref(jid);
    return (void *)bad;
}

static void test_threads_share_a_jid(void **state)
{
    pthread_t threads[4];
    xmpp_jid *jid = NULL;
    size_t before = torture_live_blocks();

    (void)state;
    assert_int_equal(xmpp_jid_parse(&jid, "u@b\u00FCcher.example/x"), XMPP_OK);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, share, xmpp_jid_ref(jid)), 0);
    xmpp_jid_unref(jid);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *bad = NULL;
        assert_int_equal(pthread_join(threads[i], &bad), 0);
        assert_null(bad);
    }
    assert_int_equal(torture_live_blocks(), before);
}

static int scenario(void *user_data)
{
    const char *str = user_data;
    xmpp_jid *jid = NULL;
    xmpp_jid *other = NULL;
    int r = jid_parse_lenient(&jid, str, strlen(str));

    if (r < 0) {
        assert_null(jid);
        return r;
    }
    r = xmpp_jid_to_bare(jid, &other);
    if (r == XMPP_OK) {
        other = xmpp_jid_unref(other);
        r = xmpp_jid_parse(&other, str);
    }
    if (r == XMPP_OK) {
        other = xmpp_jid_unref(other);
        r = xmpp_jid_compose(&other, xmpp_jid_get_local(jid), xmpp_jid_get_domain(jid),
                             xmpp_jid_get_resource(jid));
    }
    if (r < 0)
        assert_null(other);
    xmpp_jid_unref(other);
    xmpp_jid_unref(jid);
    return r;
}

static int scenario_lenient(void *user_data)
{
    const char *str = user_data;
    xmpp_jid *jid = NULL;
    int r = jid_parse_lenient(&jid, str, strlen(str));

    xmpp_jid_unref(jid);
    return r;
}

static void test_out_of_memory(void **state)
{
    char ascii[] = "Juliet@example.com/x";
    char unicode[] = "J\u00FCliet@b\u00FCcher.example/\u265A";
    char literal[] = "\u00FC@[::1]/x";
    char refused[] = "\u265A@exa mple/\u00AD";

    (void)state;
    assert_int_equal(torture_run(scenario, ascii), XMPP_OK);
    assert_int_equal(torture_run(scenario, unicode), XMPP_OK);
    assert_int_equal(torture_run(scenario, literal), XMPP_OK);
    assert_int_equal(torture_run(scenario_lenient, refused), XMPP_OK);
}

/* The memory of an address that nobody needs serves the next one, if it is large enough. */
static void test_replace_lenient(void **state)
{
    xmpp_jid *jid = NULL;
    xmpp_jid *held;
    xmpp_jid *before;
    char large[900];

    (void)state;
    assert_int_equal(jid_replace_lenient(&jid, "juliet@example.com/balcony", 26), XMPP_OK);
    before = jid;
    assert_false(jid_is_shared(jid));
    assert_int_equal(jid_replace_lenient(&jid, "Romeo@Example.net", 17), XMPP_OK);
    assert_ptr_equal(jid, before);
    assert_string_equal(xmpp_jid_get_str(jid), "romeo@example.net");
    check_consistent(jid);

    held = xmpp_jid_ref(jid);
    assert_true(jid_is_shared(jid));
    assert_int_equal(jid_replace_lenient(&jid, "nurse@example.com", 17), XMPP_OK);
    assert_ptr_not_equal(jid, held);
    assert_string_equal(xmpp_jid_get_str(held), "romeo@example.net");
    assert_string_equal(xmpp_jid_get_str(jid), "nurse@example.com");
    xmpp_jid_unref(held);

    memset(large, 'x', sizeof large);
    memcpy(large, "a@b.example/", 12);
    assert_int_equal(jid_replace_lenient(&jid, large, sizeof large), XMPP_OK);
    check_consistent(jid);
    assert_int_equal(jid_replace_lenient(&jid, "\u265A@example/x", 13), XMPP_OK);
    check_consistent(jid);
    assert_int_equal(jid_replace_lenient(&jid, "@x", 2), XMPP_ERR_JID);
    assert_null(jid);
    assert_false(jid_is_shared(NULL));
}

static int scenario_replace(void *data)
{
    xmpp_jid *jid = NULL;
    int r = jid_replace_lenient(&jid, "a@b", 3);

    if (r == XMPP_OK)
        r = jid_replace_lenient(&jid, data, strlen(data));
    assert_int_equal(r == XMPP_OK, jid != NULL);
    xmpp_jid_unref(jid);
    return r;
}

static void test_replace_lenient_without_memory(void **state)
{
    char large[] = "juliet.capulet.of.verona@balcony.house.example.com/some.resource";
    char unicode[] = "\u265A@b\u00FCcher.example/x";

    (void)state;
    assert_int_equal(torture_run(scenario_replace, large), XMPP_OK);
    assert_int_equal(torture_run(scenario_replace, unicode), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_rfc7622_legal),
        cmocka_unit_test(test_parse_rfc7622_illegal),
        cmocka_unit_test(test_parse_split),
        cmocka_unit_test(test_parse_forbidden_in_local),
        cmocka_unit_test(test_parse_enforces),
        cmocka_unit_test(test_parse_invalid_utf8),
        cmocka_unit_test(test_parse_limits),
        cmocka_unit_test(test_parse_ten_thousand_labels),
        cmocka_unit_test(test_parse_arguments),
        cmocka_unit_test(test_compose),
        cmocka_unit_test(test_parse_lenient_keeps_refused_parts),
        cmocka_unit_test(test_parse_lenient_refuses),
        cmocka_unit_test(test_parse_lenient_takes_one_allocation),
        cmocka_unit_test(test_to_bare),
        cmocka_unit_test(test_ascii_domain),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_random_addresses_round_trip),
        cmocka_unit_test(test_ref_counts),
        cmocka_unit_test(test_threads_share_a_jid),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_replace_lenient),
        cmocka_unit_test(test_replace_lenient_without_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
