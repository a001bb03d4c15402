#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "client/find.h"
#include "support/dnsserver.h"
#include "support/torture.h"

#include <xmpp/error.h>

/* A generator with a known seed: the statistics are the same in each run. */
static uint64_t random_state;

static uint32_t seeded(uint32_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % bound);
}

static uint32_t always_zero(uint32_t bound)
{
    (void)bound;
    return 0;
}

static struct net_srv record(const char *host, uint16_t port, uint16_t priority, uint16_t weight)
{
    return (struct net_srv){(char *)(uintptr_t)host, port, priority, weight};
}

static void test_find_collect_merges_by_priority(void **state)
{
    const struct net_srv direct[] = {record("d20", 5223, 20, 0), record("d5", 5223, 5, 0)};
    const struct net_srv starttls[] = {record("s10", 5222, 10, 0), record("s5", 5222, 5, 0)};
    struct find_list list;
    bool absent;

    (void)state;
    /* DNS-06 */
    find_list_init(&list);
    assert_int_equal(find_collect(&list, direct, 2, true, &absent), XMPP_OK);
    assert_false(absent);
    assert_int_equal(find_collect(&list, starttls, 2, false, &absent), XMPP_OK);
    find_order(&list, always_zero);
    assert_int_equal(list.count, 4);
    assert_string_equal(list.items[0].host, "d5");
    assert_true(list.items[0].direct_tls);
    assert_string_equal(list.items[1].host, "s5");
    assert_false(list.items[1].direct_tls);
    assert_string_equal(list.items[2].host, "s10");
    assert_string_equal(list.items[3].host, "d20");
    assert_int_equal(list.items[0].group, 0);
    assert_int_equal(list.items[1].group, 0);
    assert_int_equal(list.items[2].group, 1);
    assert_int_equal(list.items[3].group, 2);
    assert_int_equal(list.items[3].priority, 20);
    find_list_clear(&list);
}

static void test_find_collect_absent(void **state)
{
    const struct net_srv dot[] = {record("", 0, 0, 0)};
    const struct net_srv mixed[] = {record("", 5222, 0, 0), record("a", 5222, 1, 0),
                                    record("b", 0, 1, 0)};
    struct find_list list;
    bool absent;

    (void)state;
    find_list_init(&list);
    /* DNS-03 */
    assert_int_equal(find_collect(&list, dot, 1, false, &absent), XMPP_OK);
    assert_true(absent);
    assert_int_equal(list.count, 0);
    assert_int_equal(find_collect(&list, NULL, 0, false, &absent), XMPP_OK);
    assert_false(absent);
    /* DNS-10: empty targets and port 0 among others are skipped */
    assert_int_equal(find_collect(&list, mixed, 3, false, &absent), XMPP_OK);
    assert_false(absent);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].host, "a");
    find_list_clear(&list);
}

static void test_find_collect_is_bounded(void **state)
{
    static struct net_srv records[1000];
    struct find_list list;
    bool absent;

    (void)state;
    /* DNS-10: the best are kept, wherever they stand */
    for (size_t i = 0; i < 1000; i++)
        records[i] = record("h", 5222, (uint16_t)(1000 - i), 65535);
    find_list_init(&list);
    assert_int_equal(find_collect(&list, records, 1000, false, &absent), XMPP_OK);
    assert_int_equal(list.count, LIMIT_SRV_RECORDS);
    for (size_t i = 0; i < list.count; i++)
        assert_int_equal(list.items[i].priority, i + 1);
    for (size_t i = 0; i < 1000; i++)
        records[i].priority = 7;
    find_list_clear(&list);
    assert_int_equal(find_collect(&list, records, 1000, false, &absent), XMPP_OK);
    find_order(&list, seeded); /* the sum of the weights does not overflow */
    assert_int_equal(list.count, LIMIT_SRV_RECORDS);
    find_list_clear(&list);
}

static void test_find_order_follows_weights(void **state)
{
    const struct net_srv records[] = {record("w60", 1, 1, 60), record("w0", 1, 1, 0),
                                      record("w30", 1, 1, 30), record("w10", 1, 1, 10)};
    unsigned first[4] = {0};

    (void)state;
    random_state = 42;
    /* RFC 2782: a mark in 0..100; 0 selects the record of weight 0 */
    for (unsigned n = 0; n < 20000; n++) {
        struct find_list list;
        bool absent;

        find_list_init(&list);
        assert_int_equal(find_collect(&list, records, 4, false, &absent), XMPP_OK);
        find_order(&list, seeded);
        assert_int_equal(list.count, 4);
        for (size_t i = 0; i < 4; i++)
            if (strcmp(list.items[0].host, records[i].host) == 0)
                first[i]++;
        for (size_t i = 0; i < 4; i++)
            for (size_t j = 0; j < i; j++)
                assert_string_not_equal(list.items[i].host, list.items[j].host);
        find_list_clear(&list);
    }
    assert_in_range(first[0], 20000 * 57 / 100, 20000 * 62 / 100);
    assert_in_range(first[1], 20000 / 200, 20000 * 2 / 100);
    assert_in_range(first[2], 20000 * 28 / 100, 20000 * 32 / 100);
    assert_in_range(first[3], 20000 * 8 / 100, 20000 * 12 / 100);
}

static void test_find_without_srv_uses_what_is_given(void **state)
{
    struct find_request by_hand = {.domain = "a.example", .host = "h.example", .direct_tls = true};
    struct find_request literal = {.domain = "::1", .is_ip = true};
    struct find_request name = {.domain = "a.example"};
    struct find_list list;

    (void)state;
    /* DNS-02 */
    assert_false(find_needs_srv(&by_hand));
    assert_int_equal(find_without_srv(&by_hand, &list), XMPP_OK);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].host, "h.example");
    assert_int_equal(list.items[0].port, 5223);
    assert_int_equal(list.items[0].priority, -1);
    find_list_clear(&list);
    assert_false(find_needs_srv(&literal));
    assert_int_equal(find_without_srv(&literal, &list), XMPP_OK);
    assert_string_equal(list.items[0].host, "::1");
    assert_int_equal(list.items[0].port, 5222);
    find_list_clear(&list);
    assert_true(find_needs_srv(&name));
}

/* --- look-ups --- */

static const char zone[] =
    "{\"_xmpps-client._tcp.both.example\": {\"SRV\": [[5, 7, 5223, \"x2.example\"]]},"
    "\"_xmpp-client._tcp.both.example\": {\"SRV\": [[10, 0, 5222, \"x1.example\"]]},"
    "\"_xmpps-client._tcp.halffail.example\": {\"do\": \"servfail\"},"
    "\"_xmpps-client._tcp.nodirect.example\": {\"SRV\": [[0, 0, 0, \".\"]]},"
    "\"_xmpp-client._tcp.nodirect.example\": {\"SRV\": [[10, 0, 5222, \"x1.example\"]]},"
    "\"_xmpps-client._tcp.onlydirect.example\": {\"SRV\": [[10, 0, 5223, \"x2.example\"]]},"
    "\"_xmpp-client._tcp.onlydirect.example\": {\"SRV\": [[0, 0, 0, \".\"]]},"
    "\"_xmpps-client._tcp.absent.example\": {\"SRV\": [[0, 0, 0, \".\"]]},"
    "\"_xmpp-client._tcp.absent.example\": {\"SRV\": [[0, 0, 0, \".\"]]},"
    "\"_xmpp-client._tcp.dot.example\": {\"SRV\": [[0, 0, 0, \".\"]]},"
    "\"_xmpps-client._tcp.directdot.example\": {\"SRV\": [[0, 0, 0, \".\"]]},"
    "\"_xmpps-client._tcp.fail.example\": {\"do\": \"servfail\"},"
    "\"_xmpp-client._tcp.fail.example\": {\"do\": \"servfail\"},"
    "\"_xmpps-client._tcp.useless.example\": {\"SRV\": [[0, 0, 0, \"x2.example\"]]},"
    "\"_xmpp-client._tcp.useless.example\": {\"SRV\": [[0, 0, 0, \"x1.example\"]]}}";

static struct dns_proc dns;

struct answer {
    xmpp_loop *loop;
    struct find_list list;
    xmpp_error *error;
    bool done;
};

static void on_found(void *user_data, struct find_list *list, const xmpp_error *error)
{
    struct answer *answer = user_data;

    answer->done = true;
    if (error) {
        answer->error = xmpp_error_ref(error);
    } else {
        answer->list = *list;
        find_list_init(list);
    }
}

static int look_up(const char *domain, struct answer *answer)
{
    struct find *find = NULL;
    int r;

    memset(answer, 0, sizeof *answer);
    r = xmpp_loop_create(&answer->loop);
    if (r < 0)
        return r;
    r = xmpp_loop_set_dns_servers(answer->loop, dns.servers);
    if (r >= 0)
        r = find_start(&find, answer->loop, domain, on_found, answer);
    while (r >= 0 && !answer->done)
        r = xmpp_loop_step(answer->loop, 10000000);
    find_free(find);
    xmpp_loop_unref(answer->loop);
    return r < 0 ? r : XMPP_OK;
}

static void clear(struct answer *answer)
{
    find_list_clear(&answer->list);
    xmpp_error_unref(answer->error);
}

static void assert_one(const char *domain, const char *host, uint16_t port, bool direct_tls)
{
    struct answer answer;

    assert_int_equal(look_up(domain, &answer), XMPP_OK);
    assert_null(answer.error);
    assert_int_equal(answer.list.count, 1);
    assert_string_equal(answer.list.items[0].host, host);
    assert_int_equal(answer.list.items[0].port, port);
    assert_int_equal(answer.list.items[0].direct_tls, direct_tls);
    clear(&answer);
}

static void assert_error(const char *domain, const char *text)
{
    struct answer answer;

    assert_int_equal(look_up(domain, &answer), XMPP_OK);
    assert_non_null(answer.error);
    assert_int_equal(xmpp_error_get_code(answer.error), XMPP_ERR_DNS);
    assert_int_equal(xmpp_error_get_phase(answer.error), XMPP_PHASE_RESOLVING);
    assert_non_null(strstr(xmpp_error_get_text(answer.error), text));
    assert_int_equal(answer.list.count, 0);
    clear(&answer);
}

static void test_find_start_merges(void **state)
{
    struct answer answer;

    (void)state;
    /* DNS-01, DNS-06 */
    assert_int_equal(look_up("both.example", &answer), XMPP_OK);
    assert_int_equal(answer.list.count, 2);
    assert_string_equal(answer.list.items[0].host, "x2.example");
    assert_true(answer.list.items[0].direct_tls);
    assert_int_equal(answer.list.items[0].weight, 7);
    assert_string_equal(answer.list.items[1].host, "x1.example");
    assert_false(answer.list.items[1].direct_tls);
    clear(&answer);
}

static void test_find_start_falls_back(void **state)
{
    (void)state;
    assert_one("none.example", "none.example", 5222, false); /* DNS-05 */
    assert_one("halffail.example", "halffail.example", 5222, false);
    assert_one("nodirect.example", "x1.example", 5222, false); /* DNS-03: only "." for xmpps */
    assert_one("onlydirect.example", "x2.example", 5223, true);
}

static void test_find_start_fails(void **state)
{
    (void)state;
    assert_error("absent.example", "does not offer"); /* DNS-03 */
    assert_error("dot.example", "does not offer");
    assert_error("directdot.example", "does not offer");
    assert_error("fail.example", "could not be looked up");
    assert_error("useless.example", "usable"); /* DNS-10 */
}

static void test_find_free_cancels(void **state)
{
    struct find *find;
    struct answer answer = {0};

    (void)state;
    assert_int_equal(xmpp_loop_create(&answer.loop), XMPP_OK);
    assert_int_equal(xmpp_loop_set_dns_servers(answer.loop, dns.servers), XMPP_OK);
    assert_int_equal(find_start(&find, answer.loop, "both.example", on_found, &answer), XMPP_OK);
    find_free(find);
    assert_null(find_free(NULL));
    while (xmpp_loop_step(answer.loop, 1000) > 0) {
    }
    assert_false(answer.done);
    xmpp_loop_unref(answer.loop);
}

static int scenario(void *user_data)
{
    struct answer answer;
    int r = look_up(user_data, &answer);

    if (r >= 0 && answer.error)
        r = xmpp_error_get_code(answer.error);
    clear(&answer);
    /* c-ares without memory for an answer reports the look-up as failed */
    return r == XMPP_ERR_DNS ? XMPP_ERR_NOMEM : r;
}

static void test_find_start_torture(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, (void *)(uintptr_t) "both.example"), XMPP_OK);
    assert_int_equal(torture_run(scenario, (void *)(uintptr_t) "none.example"), XMPP_OK);
}

static int start_dns(void **state)
{
    (void)state;
    return dns_proc_start(&dns, zone, false) ? 0 : -1;
}

static int stop_dns(void **state)
{
    (void)state;
    dns_proc_stop(&dns);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_collect_merges_by_priority),
        cmocka_unit_test(test_find_collect_absent),
        cmocka_unit_test(test_find_collect_is_bounded),
        cmocka_unit_test(test_find_order_follows_weights),
        cmocka_unit_test(test_find_without_srv_uses_what_is_given),
        cmocka_unit_test(test_find_start_merges),
        cmocka_unit_test(test_find_start_falls_back),
        cmocka_unit_test(test_find_start_fails),
        cmocka_unit_test(test_find_free_cancels),
        cmocka_unit_test(test_find_start_torture),
    };

    torture_install();
    return cmocka_run_group_tests(tests, start_dns, stop_dns);
}
