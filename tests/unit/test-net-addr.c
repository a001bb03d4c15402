#include "net/addr.h"

#include "base/mem.h"
#include "support/torture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

static void test_addr_parse_and_format(void **state)
{
    struct net_addr addr;
    char text[ADDR_STR];

    (void)state;
    assert_true(addr_parse(&addr, "192.0.2.1"));
    assert_int_equal(addr.family, AF_INET);
    addr_format(&addr, 5222, text);
    assert_string_equal(text, "192.0.2.1:5222");
    assert_true(addr_parse(&addr, "2001:DB8::0:1"));
    assert_int_equal(addr.family, AF_INET6);
    addr_format(&addr, 65535, text);
    assert_string_equal(text, "[2001:db8::1]:65535");
    assert_true(addr_parse(&addr, "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"));
    addr_format(&addr, 1, text);
    assert_string_equal(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:1");
}

static void test_addr_parse_no_literal(void **state)
{
    static const char *const bad[] = {"",     "a",        "127.1",      "1.2.3.256", "[::1]",
                                      ":::1", "1.2.3.4 ", "fe80::1%lo", "0x7f.0.0.1"};
    struct net_addr addr;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(addr_parse(&addr, bad[i]));
}

static void test_addr_sockaddr_there_and_back(void **state)
{
    static const char *const literals[] = {"192.0.2.7", "2001:db8::7"};
    struct sockaddr_storage storage;
    struct net_addr addr;
    struct net_addr back;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(literals); i++) {
        assert_true(addr_parse(&addr, literals[i]));
        assert_int_equal(addr_to_sockaddr(&addr, 80, &storage),
                         i ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
        assert_true(addr_from_sockaddr(&back, (struct sockaddr *)&storage));
        assert_memory_equal(&addr, &back, sizeof addr);
    }
    storage.ss_family = AF_UNIX;
    assert_false(addr_from_sockaddr(&back, (struct sockaddr *)&storage));
}

static void test_addr_is_loopback(void **state)
{
    static const char *const yes[] = {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.2"};
    static const char *const no[] = {
        "128.0.0.1", "0.0.0.0", "::", "::2", "::ffff:10.0.0.1", "::127.0.0.1"};
    struct net_addr addr;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        assert_true(addr_parse(&addr, yes[i]));
        assert_true(addr_is_loopback(&addr));
    }
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        assert_true(addr_parse(&addr, no[i]));
        assert_false(addr_is_loopback(&addr));
    }
}

static void test_addr_is_name(void **state)
{
    static const char *const yes[] = {
        "a",         "localhost", "xn--bcher-kva.example", "_xmpp-client._tcp.a.example",
        "1.example", "A-1.B"};
    static const char *const no[] = {
        "",    ".",   ".a",        "a..b",  "a.",    "a b", "a\\.b", "b\xc3\xbc.example",
        "a/b", "a:1", "127.0.0.1", "1.2.3", "a.123", "::1", "a\n",   "*.a"};
    char name[300];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        assert_true(addr_is_name(yes[i]));
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        assert_false(addr_is_name(no[i]));

    memset(name, 'a', sizeof name);
    name[63] = '\0';
    assert_true(addr_is_name(name));
    name[63] = 'a';
    name[64] = '\0';
    assert_false(addr_is_name(name));
    for (size_t i = 1; i < sizeof name; i += 2)
        name[i] = '.';
    name[64] = 'a';
    name[253] = '\0';
    assert_true(addr_is_name(name));
    name[253] = '.';
    name[255] = '\0';
    assert_false(addr_is_name(name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addr_parse_and_format),
        cmocka_unit_test(test_addr_parse_no_literal),
        cmocka_unit_test(test_addr_sockaddr_there_and_back),
        cmocka_unit_test(test_addr_is_loopback),
        cmocka_unit_test(test_addr_is_name),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
