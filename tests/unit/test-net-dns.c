#include "net/dns.h"

#include "base/limits.h"
#include "base/mem.h"
#include "net/loop.h"
#include "support/dnsserver.h"
#include "support/torture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <poll.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#define SRV(name) "_xmpp-client._tcp." name ".example"

static const char zone[] = "{ \"" SRV(
    "a") "\": {\"SRV\": [[10, 0, 5222, \"x1.a.example\"], [5, 60, 5222, "
         "\"x2.a.example\"],"
         "                               [5, 40, 5223, \"x3.a.example\"]]},"
         "  \"" SRV(
             "none") "\": {\"SRV\": [[0, 0, 0, \".\"]]},"
                     "  \"" SRV(
                         "big") "\": {\"many\": 60, \"port\": 5269},"
                                "  \"" SRV(
                                    "huge") "\": {\"many\": 10000},"
                                            "  \"" SRV(
                                                "falling") "\": {\"many\": 100, \"falling\": true},"
                                                           "  \"" SRV("nodata") "\": {\"TXT\": "
                                                                                "[\"x\"]},"
                                                                                "  \"" SRV("alias") "\": {\"CNAME\": \"" SRV(
                                                                                    "a") "\"},"
                                                                                         "  \"" SRV(
                                                                                             "l"
                                                                                             "o"
                                                                                             "o"
                                                                                             "p") "\": {\"CNAME\": \"" SRV("loop") "\"},"
                                                                                                                                   "  \"" SRV(
                                                                                                                                       "servfail") "\": {\"do\": \"servfail\"},"
                                                                                                                                                   "  \"" SRV(
                                                                                                                                                       "refused") "\": {\"do\": \"refused\"},"
                                                                                                                                                                  "  \"" SRV(
                                                                                                                                                                      "silent") "\": {\"do\": \"silent\"},"
                                                                                                                                                                                "  \"" SRV(
                                                                                                                                                                                    "garbage") "\": {\"do\": \"garbage\"},"
                                                                                                                                                                                               "  \"" SRV("short") "\": {\"do\": \"short\"},"
                                                                                                                                                                                                                   "  \"" SRV("wrongid") "\": {\"do\": \"wrongid\"},"
                                                                                                                                                                                                                                         "  \"" SRV("slow") "\": {\"do\": \"slow 0.2\", \"SRV\": [[0, 0, 5222, \"x1.a.example\"]]},"
                                                                                                                                                                                                                                                            "  \"" SRV(
                                                                                                                                                                                                                                                                "port0") "\": {\"SRV\": [[0, 0, 0, \"x1.a.example\"]]} }";

static struct dns_proc dns;

struct answer {
    struct net_srv_query *query;
    struct net_srv_query *cancel; /* in the callback */
    int calls;
    int code; /* 0: answered */
    int number;
    size_t count;
    struct net_srv records[LIMIT_SRV_RECORDS];
    char hosts[LIMIT_SRV_RECORDS][64];
};

static void on_srv(void *user_data, const struct net_srv *records, size_t count,
                   const xmpp_error *error)
{
    struct answer *answer = user_data;

    answer->calls++;
    answer->code = error ? xmpp_error_get_code(error) : 0;
    answer->number = error ? xmpp_error_get_number(error) : 0;
    answer->count = count;
    assert_true(count <= LIMIT_SRV_RECORDS);
    for (size_t i = 0; i < count; i++) {
        answer->records[i] = records[i];
        assert_true(strlen(records[i].host) < sizeof answer->hosts[i]);
        strcpy(answer->hosts[i], records[i].host);
    }
    if (answer->cancel)
        net_srv_cancel(answer->cancel);
}

static xmpp_loop *make_loop(void)
{
    xmpp_loop *loop = NULL;

    assert_int_equal(xmpp_loop_create(&loop), XMPP_OK);
    assert_int_equal(xmpp_loop_set_dns_servers(loop, dns.servers), XMPP_OK);
    return loop;
}

static void ask(const char *name, struct answer *answer)
{
    xmpp_loop *loop = make_loop();
    struct pollfd p = {.fd = xmpp_loop_get_fd(loop), .events = POLLIN};

    memset(answer, 0, sizeof *answer);
    assert_int_equal(net_srv_start(loop, &answer->query, name, on_srv, answer), XMPP_OK);
    assert_int_equal(answer->calls, 0);
    while (answer->calls == 0)
        assert_true(xmpp_loop_step(loop, -1) >= 0);
    assert_int_equal(poll(&p, 1, 0), 0); /* nothing is left in the set */
    assert_int_equal(loop->timers.count, 0);
    assert_int_equal(answer->calls, 1);
    xmpp_loop_unref(loop);
}

/* The records as they came; order and weights are the caller's */
static void test_srv_records_in_wire_order(void **state)
{
    struct answer answer;

    (void)state;
    ask(SRV("a"), &answer);
    assert_int_equal(answer.code, 0);
    assert_int_equal(answer.count, 3);
    assert_string_equal(answer.hosts[0], "x1.a.example");
    assert_int_equal(answer.records[0].priority, 10);
    assert_int_equal(answer.records[0].port, 5222);
    assert_string_equal(answer.hosts[2], "x3.a.example");
    assert_int_equal(answer.records[2].priority, 5);
    assert_int_equal(answer.records[2].weight, 40);
    assert_int_equal(answer.records[2].port, 5223);
}

/* DNS-03 */
static void test_srv_target_dot_is_an_empty_host(void **state)
{
    struct answer answer;

    (void)state;
    ask(SRV("none"), &answer);
    assert_int_equal(answer.code, 0);
    assert_int_equal(answer.count, 1);
    assert_string_equal(answer.hosts[0], "");
}

static void test_srv_port_zero_is_passed_on(void **state)
{
    struct answer answer;

    (void)state;
    ask(SRV("port0"), &answer);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.records[0].port, 0);
}

/* truncated over UDP, complete over TCP */
static void test_srv_sixty_records(void **state)
{
    struct answer answer;

    (void)state;
    ask(SRV("big"), &answer);
    assert_int_equal(answer.code, 0);
    assert_int_equal(answer.count, 60);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(answer.records[i].priority, i);
        assert_int_equal(answer.records[i].port, 5269);
    }
}

/* DNS-10: the answer holds thousands */
static void test_srv_thousands_are_bounded(void **state)
{
    struct answer answer;

    (void)state;
    ask(SRV("huge"), &answer);
    assert_int_equal(answer.code, 0);
    assert_int_equal(answer.count, LIMIT_SRV_RECORDS);
    for (int i = 0; i < LIMIT_SRV_RECORDS; i++)
        assert_int_equal(answer.records[i].priority, i);
}

/* the best come last, and are the ones that are kept, in their order */
static void test_srv_bounded_to_the_best(void **state)
{
    struct answer answer;

    (void)state;
    ask(SRV("falling"), &answer);
    assert_int_equal(answer.count, LIMIT_SRV_RECORDS);
    for (int i = 0; i < LIMIT_SRV_RECORDS; i++) {
        char host[64];
        int n = 100 - LIMIT_SRV_RECORDS + i;

        assert_int_equal(answer.records[i].priority, 65535 - n);
        snprintf(host, sizeof host, "h%d." SRV("falling"), n);
        assert_string_equal(answer.hosts[i], host);
    }
}

/* DNS-05: an absence is an answer */
static void test_srv_absent(void **state)
{
    static const char *const names[] = {SRV("nxdomain"), SRV("nodata")};
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        ask(names[i], &answer);
        assert_int_equal(answer.code, 0);
        assert_int_equal(answer.count, 0);
    }
}

static void test_srv_cname(void **state)
{
    struct answer answer;

    (void)state;
    ask(SRV("alias"), &answer);
    assert_int_equal(answer.code, 0);
    assert_int_equal(answer.count, 3);
}

/* DNS-10 */
static void test_srv_cname_loop(void **state)
{
    struct answer answer;

    (void)state;
    ask(SRV("loop"), &answer);
    assert_int_equal(answer.count, 0);
}

static void test_srv_server_failure(void **state)
{
    static const char *const names[] = {SRV("servfail"), SRV("refused")};
    struct answer answer;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        ask(names[i], &answer);
        assert_int_equal(answer.code, XMPP_ERR_DNS);
        assert_int_not_equal(answer.number, 0);
    }
}

static void test_srv_slow(void **state)
{
    struct answer answer;

    (void)state;
    ask(SRV("slow"), &answer);
    assert_int_equal(answer.count, 1);
}

/* All at once: each waits for 2 s and 4 s. */
static void test_srv_no_usable_answer_times_out(void **state)
{
    static const char *const names[] = {SRV("silent"), SRV("garbage"), SRV("short"),
                                        SRV("wrongid")};
    static struct answer answers[ARRAY_LEN(names)];
    xmpp_loop *loop = make_loop();
    uint64_t start = xmpp_loop_get_time(loop);
    size_t done = 0;

    (void)state;
    memset(answers, 0, sizeof answers);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(net_srv_start(loop, &answers[i].query, names[i], on_srv, &answers[i]),
                         XMPP_OK);
    while (done < ARRAY_LEN(names)) {
        assert_true(xmpp_loop_step(loop, -1) >= 0);
        done = 0;
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            done += answers[i].calls > 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(answers[i].code, XMPP_ERR_DNS);
    assert_true(xmpp_loop_get_time(loop) - start < 9000000);
    xmpp_loop_unref(loop);
}

static void test_srv_dead_server_then_a_good_one(void **state)
{
    xmpp_loop *loop = make_loop();
    struct answer answer = {0};
    char servers[96];

    (void)state;
    snprintf(servers, sizeof servers, "127.0.0.1:1,[::1]:1,%s", dns.servers);
    assert_int_equal(xmpp_loop_set_dns_servers(loop, servers), XMPP_OK);
    assert_int_equal(net_srv_start(loop, &answer.query, SRV("a"), on_srv, &answer), XMPP_OK);
    while (answer.calls == 0)
        assert_true(xmpp_loop_step(loop, -1) >= 0);
    assert_int_equal(answer.count, 3);

    answer = (struct answer){0};
    assert_int_equal(xmpp_loop_set_dns_servers(loop, "127.0.0.1:1"), XMPP_OK);
    assert_int_equal(net_srv_start(loop, &answer.query, SRV("a"), on_srv, &answer), XMPP_OK);
    while (answer.calls == 0)
        assert_true(xmpp_loop_step(loop, -1) >= 0);
    assert_int_equal(answer.code, XMPP_ERR_DNS);
    xmpp_loop_unref(loop);
}

static void test_srv_odd_names_are_refused(void **state)
{
    static const char *const names[] = {"",
                                        ".",
                                        "_xmpp-client._tcp.a..b",
                                        "_xmpp-client._tcp.a\\.b",
                                        "_xmpp-client._tcp.\xc3\xbc.example",
                                        "a b"};
    struct net_srv_query *query = NULL;
    xmpp_loop *loop = make_loop();
    struct answer answer = {0};
    char name[300];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(net_srv_start(loop, &query, names[i], on_srv, &answer), XMPP_ERR_INVAL);
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 2 ? '.' : 'a';
    name[255] = '\0';
    assert_int_equal(net_srv_start(loop, &query, name, on_srv, &answer), XMPP_ERR_INVAL);
    assert_null(query);
    assert_int_equal(xmpp_loop_step(loop, 0), 0);
    assert_int_equal(answer.calls, 0);
    xmpp_loop_unref(loop);
}

static void test_srv_cancel(void **state)
{
    xmpp_loop *loop = make_loop();
    struct pollfd p = {.fd = xmpp_loop_get_fd(loop), .events = POLLIN};
    struct answer answer = {0};

    (void)state;
    net_srv_cancel(NULL);
    assert_int_equal(net_srv_start(loop, &answer.query, SRV("a"), on_srv, &answer), XMPP_OK);
    net_srv_cancel(answer.query);
    /* with the answer there, but not read */
    assert_int_equal(net_srv_start(loop, &answer.query, SRV("a"), on_srv, &answer), XMPP_OK);
    assert_int_equal(poll(&p, 1, 2000), 1);
    net_srv_cancel(answer.query);
    assert_int_equal(poll(&p, 1, 0), 0);
    /* the query holds the loop */
    assert_int_equal(net_srv_start(loop, &answer.query, SRV("a"), on_srv, &answer), XMPP_OK);
    xmpp_loop_unref(loop);
    net_srv_cancel(answer.query);
    assert_int_equal(answer.calls, 0);
}

/* of itself, and of another whose answer is there too */
static void test_srv_cancel_in_callback(void **state)
{
    xmpp_loop *loop = make_loop();
    struct answer a = {0};
    struct answer b = {0};

    (void)state;
    assert_int_equal(net_srv_start(loop, &a.query, SRV("a"), on_srv, &a), XMPP_OK);
    a.cancel = a.query;
    while (a.calls == 0)
        assert_true(xmpp_loop_step(loop, -1) >= 0);

    a = (struct answer){0};
    assert_int_equal(net_srv_start(loop, &a.query, SRV("a"), on_srv, &a), XMPP_OK);
    assert_int_equal(net_srv_start(loop, &b.query, SRV("a"), on_srv, &b), XMPP_OK);
    a.cancel = b.query;
    b.cancel = a.query;
    while (a.calls + b.calls == 0)
        assert_true(xmpp_loop_step(loop, -1) >= 0);
    while (xmpp_loop_step(loop, 0) > 0)
        ;
    assert_int_equal(a.calls + b.calls, 1);
    xmpp_loop_unref(loop);
}

static void test_set_dns_servers_valid(void **state)
{
    static const struct {
        const char *str;
        size_t count;
        const char *last;
    } good[] = {{"127.0.0.1", 1, "127.0.0.1:53"},
                {"127.0.0.1:5353,[::1]:54", 2, "[::1]:54"},
                {"2001:db8::1", 1, "[2001:db8::1]:53"},
                {"[2001:db8::1]", 1, "[2001:db8::1]:53"}};
    xmpp_loop *loop = make_loop();
    char text[ADDR_STR];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        const struct dns_server *last;

        assert_int_equal(xmpp_loop_set_dns_servers(loop, good[i].str), XMPP_OK);
        assert_int_equal(loop->dns_server_count, good[i].count);
        last = &loop->dns_servers[good[i].count - 1];
        addr_format(&last->addr, last->port, text);
        assert_string_equal(text, good[i].last);
    }
    assert_int_equal(xmpp_loop_set_dns_servers(loop, NULL), XMPP_OK);
    assert_int_equal(loop->dns_server_count, 0);
    xmpp_loop_unref(loop);
}

static void test_set_dns_servers_wrong(void **state)
{
    static const char *const bad[] = {
        "",
        ",",
        "127.0.0.1,",
        ",127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:5 ",
        " 127.0.0.1",
        "127.0.0.1 ,::1",
        "[::1",
        "[::1]5",
        "[::1]:",
        "[127.0.0.1]:53",
        "::1]:53",
        "localhost",
        "localhost:53",
        "127.1",
        "[]:53",
        "[",
        ":53",
        "fe80::1%lo",
        "1111111111111111111111111111111111111111111111111111111111111111111111",
        "1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,"
        "1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,"
        "1.1.1.1"};
    xmpp_loop *loop = make_loop();

    (void)state;
    assert_int_equal(xmpp_loop_set_dns_servers(NULL, "127.0.0.1"), XMPP_ERR_INVAL);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(xmpp_loop_set_dns_servers(loop, bad[i]), XMPP_ERR_INVAL);
    assert_int_equal(loop->dns_server_count, 1); /* as it was */
    xmpp_loop_unref(loop);
}

static void test_set_dns_servers_applies_to_later_queries(void **state)
{
    xmpp_loop *loop = make_loop();
    struct answer answer = {0};

    (void)state;
    assert_int_equal(xmpp_loop_set_dns_servers(loop, NULL), XMPP_OK);
    assert_int_equal(xmpp_loop_set_dns_servers(loop, dns.servers), XMPP_OK);
    assert_int_equal(net_srv_start(loop, &answer.query, SRV("a"), on_srv, &answer), XMPP_OK);
    assert_int_equal(xmpp_loop_set_dns_servers(loop, "127.0.0.1:1"), XMPP_OK); /* for later ones */
    while (answer.calls == 0)
        assert_true(xmpp_loop_step(loop, -1) >= 0);
    assert_int_equal(answer.count, 3);
    xmpp_loop_unref(loop);
}

static int scenario(void *user_data)
{
    struct answer answer = {0};
    xmpp_loop *loop = NULL;
    int r;

    (void)user_data;
    r = xmpp_loop_create(&loop);
    if (r >= 0)
        r = xmpp_loop_set_dns_servers(loop, dns.servers);
    if (r >= 0)
        r = net_srv_start(loop, &answer.query, SRV("big"), on_srv, &answer);
    while (r >= 0 && answer.calls == 0)
        r = xmpp_loop_step(loop, -1);
    if (r >= 0)
        r = answer.code;
    if (r == XMPP_OK)
        assert_int_equal(answer.count, 60);
    xmpp_loop_unref(loop);
    return r;
}

static void test_srv_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

static int group_setup(void **state)
{
    (void)state;
    return dns_proc_start(&dns, zone, false) ? 0 : -1;
}

static int group_teardown(void **state)
{
    (void)state;
    dns_proc_stop(&dns);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_srv_records_in_wire_order),
        cmocka_unit_test(test_srv_target_dot_is_an_empty_host),
        cmocka_unit_test(test_srv_port_zero_is_passed_on),
        cmocka_unit_test(test_srv_sixty_records),
        cmocka_unit_test(test_srv_thousands_are_bounded),
        cmocka_unit_test(test_srv_bounded_to_the_best),
        cmocka_unit_test(test_srv_absent),
        cmocka_unit_test(test_srv_cname),
        cmocka_unit_test(test_srv_cname_loop),
        cmocka_unit_test(test_srv_server_failure),
        cmocka_unit_test(test_srv_slow),
        cmocka_unit_test(test_srv_no_usable_answer_times_out),
        cmocka_unit_test(test_srv_dead_server_then_a_good_one),
        cmocka_unit_test(test_srv_odd_names_are_refused),
        cmocka_unit_test(test_srv_cancel),
        cmocka_unit_test(test_srv_cancel_in_callback),
        cmocka_unit_test(test_set_dns_servers_valid),
        cmocka_unit_test(test_set_dns_servers_wrong),
        cmocka_unit_test(test_set_dns_servers_applies_to_later_queries),
        cmocka_unit_test(test_srv_out_of_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
