#include "base/mem.h"
#include "sasl/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <xmpp/error.h>

static int first(const char *message, struct attr_first *ret)
{
    const char *reason = NULL;
    int r = attr_parse_first(message, strlen(message), ret, &reason);

    if (r < 0) {
        assert_non_null(reason);
        assert_true(*reason != '\0');
    }
    return r;
}

static int final(const char *message, struct attr_final *ret)
{
    const char *reason = NULL;
    int r = attr_parse_final(message, strlen(message), ret, &reason);

    if (r < 0) {
        assert_non_null(reason);
        assert_true(*reason != '\0');
    }
    return r;
}

static void assert_value(struct attr_value value, const char *expected)
{
    assert_int_equal(value.len, strlen(expected));
    assert_memory_equal(value.str, expected, value.len);
}

static void test_attr_parse_first_values(void **state)
{
    struct attr_first ret;

    (void)state;
    assert_int_equal(first("r=abc=def,s=QQ==,i=4096", &ret), XMPP_OK);
    assert_value(ret.nonce, "abc=def");
    assert_value(ret.salt, "QQ==");
    assert_int_equal(ret.iterations, 4096);
    assert_null(ret.ssdp.str);
    assert_null(ret.tls.str);
    assert_null(ret.error.str);
}

/* SASL-18: extensions that are not mandatory are passed over */
static void test_attr_parse_first_extensions(void **state)
{
    struct attr_first ret;

    (void)state;
    assert_int_equal(first("r=a,s=QQ==,i=1,x=\xc3\xa4,Z==,h=hash,q=1,t=0304", &ret), XMPP_OK);
    assert_value(ret.ssdp, "hash");
    assert_value(ret.tls, "0304");
}

static void test_attr_parse_first_counts(void **state)
{
    static const struct {
        const char *text;
        int result;
        uint64_t count;
    } rows[] = {
        {"1", XMPP_OK, 1},
        {"0", XMPP_OK, 0}, /* too low for anybody */
        {"1000001", XMPP_OK, 1000001},
        {"4294967295", XMPP_OK, 4294967295u},
        {"4294967296", XMPP_OK, UINT64_MAX},
        {"99999999999999999999999999999999", XMPP_OK, UINT64_MAX},
        {"-1", XMPP_ERR_PROTOCOL, 0},
        {"+4096", XMPP_ERR_PROTOCOL, 0},
        {" 4096", XMPP_ERR_PROTOCOL, 0},
        {"04096", XMPP_ERR_PROTOCOL, 0},
        {"00", XMPP_ERR_PROTOCOL, 0},
        {"0x1000", XMPP_ERR_PROTOCOL, 0},
        {"4096.0", XMPP_ERR_PROTOCOL, 0},
        {"\xd9\xa4", XMPP_ERR_PROTOCOL, 0},
    };
    struct attr_first ret;
    char message[100];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        strcpy(message, "r=a,s=QQ==,i=");
        strcat(message, rows[i].text);
        assert_int_equal(first(message, &ret), rows[i].result);
        if (rows[i].result == XMPP_OK)
            assert_true(ret.iterations == rows[i].count);
    }
}

static void test_attr_parse_first_malformed(void **state)
{
    static const char *const rows[] = {
        "",
        ",",
        "r",
        "r=",
        "=a",
        "r=a",
        "r=a,",
        "r=a,s=QQ==",
        "r=a,s=QQ==,",
        "r=a,s=QQ==,i=",
        "r=a,i=1,s=QQ==",
        "s=QQ==,r=a,i=1",
        "i=1,r=a,s=QQ==",
        "r=,s=QQ==,i=1",
        "r=a,s=,i=1",
        "r=a,s=QQ==,i=1,",
        "r=a,s=QQ==,i=1,,x=1",
        "r=a,s=QQ==,i=1,x",
        "r=a,s=QQ==,i=1,x=",
        "r=a,s=QQ==,i=1,1=x",
        "r=a,s=QQ==,i=1,xx=1",
        "r=a,s=QQ==,i=1,r=b",
        "r=a,r=a,s=QQ==,i=1",
        "r=a,s=QQ==,s=QQ==,i=1",
        "r=a,s=QQ==,i=1,i=1",
        "r=a,s=QQ==,i=1,h=1,h=1",
        "r=a,s=QQ==,i=1,x=1,x=1",
        "r=a,s=QQ==,i=1,v=x",
        "r=a,s=QQ==,i=1,e=x",
        "r=a b,s=QQ==,i=1",
        "r=\xc3\xa4,s=QQ==,i=1",
        "r=a,s=QQ==,i=1,x=\xff",
        "R=a,s=QQ==,i=1",
        " r=a,s=QQ==,i=1",
        "v=abc",
    };
    struct attr_first ret;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(first(rows[i], &ret), XMPP_ERR_PROTOCOL);
}

static void test_attr_parse_first_nul(void **state)
{
    struct attr_first ret;
    const char *reason = NULL;

    (void)state;
    assert_int_equal(attr_parse_first("r=a\0b,s=QQ==,i=1", 17, &ret, &reason), XMPP_ERR_PROTOCOL);
    assert_int_equal(attr_parse_first("r=a,s=QQ==,i=1\0", 15, &ret, &reason), XMPP_ERR_PROTOCOL);
    assert_int_equal(attr_parse_first(NULL, 0, &ret, &reason), XMPP_ERR_PROTOCOL);
}

/* Every prefix of a good message: no read beyond the end (the copy has its own block), no crash. */
static void test_attr_parse_truncated(void **state)
{
    static const char whole[] = "r=abcdef,s=QUJD,i=4096,h=QUJD,t=0304";
    struct attr_first ret;
    const char *reason = NULL;
    size_t good = 0;

    (void)state;
    for (size_t len = 0; len < sizeof whole; len++) {
        char *copy = mem_dup(whole, len);
        assert_non_null(copy);
        if (attr_parse_first(copy, len, &ret, &reason) == XMPP_OK)
            good++;
        mem_free(copy);
    }
    /* i=4 i=40 i=409 i=4096, h= with 1..4 characters, t= with 1..4 */
    assert_int_equal(good, 12);
}

/* SASL-18 */
static void test_attr_parse_mandatory_extension(void **state)
{
    struct attr_first ret;
    struct attr_final last;

    (void)state;
    assert_int_equal(first("m=x,r=a,s=QQ==,i=1", &ret), XMPP_ERR_AUTH);
    assert_int_equal(first("r=a,m=x,s=QQ==,i=1", &ret), XMPP_ERR_AUTH);
    assert_int_equal(first("r=a,s=QQ==,i=1,m=x", &ret), XMPP_ERR_AUTH);
    assert_int_equal(final("m=x,v=QQ==", &last), XMPP_ERR_AUTH);
    assert_int_equal(final("v=QQ==,m=x", &last), XMPP_ERR_AUTH);
}

static void test_attr_parse_error(void **state)
{
    struct attr_first ret;
    struct attr_final last;

    (void)state;
    assert_int_equal(first("e=unknown-user", &ret), XMPP_OK);
    assert_value(ret.error, "unknown-user");
    assert_int_equal(final("e=invalid-proof", &last), XMPP_OK);
    assert_value(last.error, "invalid-proof");
    assert_null(last.verifier.str);
    assert_int_equal(final("e=", &last), XMPP_ERR_PROTOCOL);
}

static void test_attr_parse_final(void **state)
{
    static const char *const bad[] = {
        "",
        "v=",
        "v",
        "x=1",
        "x=1,v=QQ==",
        "v=QQ==,v=QQ==",
        "v=QQ==,",
        "v=QQ==,e=other-error",
        "e=other-error,v=QQ==",
        "r=a,s=QQ==,i=4096",
    };
    struct attr_final ret;

    (void)state;
    assert_int_equal(final("v=QQ==", &ret), XMPP_OK);
    assert_value(ret.verifier, "QQ==");
    assert_null(ret.error.str);
    assert_int_equal(final("v=QQ==,x=1,h=2", &ret), XMPP_OK);
    assert_value(ret.verifier, "QQ==");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(final(bad[i], &ret), XMPP_ERR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attr_parse_first_values),
        cmocka_unit_test(test_attr_parse_first_extensions),
        cmocka_unit_test(test_attr_parse_first_counts),
        cmocka_unit_test(test_attr_parse_first_malformed),
        cmocka_unit_test(test_attr_parse_first_nul),
        cmocka_unit_test(test_attr_parse_truncated),
        cmocka_unit_test(test_attr_parse_mandatory_extension),
        cmocka_unit_test(test_attr_parse_error),
        cmocka_unit_test(test_attr_parse_final),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
