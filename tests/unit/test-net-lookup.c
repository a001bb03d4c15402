#include "net/lookup.h"

#include "base/mem.h"
#include "net/loop.h"
#include "support/dnsserver.h"
#include "support/torture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char zone[] =
    "{ \"both.example\": {\"A\": [\"192.0.2.1\", \"192.0.2.2\"], \"AAAA\": [\"2001:db8::1\"]},"
    "  \"four.example\": {\"A\": [\"192.0.2.4\"]},"
    "  \"six.example\": {\"AAAA\": [\"2001:db8::6\"]},"
    "  \"late6.example\": {\"A\": [\"192.0.2.1\"], \"AAAA\": [\"2001:db8::1\"], \"do\": {\"AAAA\": "
    "\"slow 0.3\"}},"
    "  \"soon6.example\": {\"A\": [\"192.0.2.1\"], \"AAAA\": [\"2001:db8::1\"], \"do\": {\"AAAA\": "
    "\"slow 0.01\"}},"
    "  \"late4.example\": {\"A\": [\"192.0.2.1\"], \"AAAA\": [\"2001:db8::1\"], \"do\": {\"A\": "
    "\"slow 0.2\"}},"
    "  \"silent6.example\": {\"A\": [\"192.0.2.1\"], \"do\": {\"AAAA\": \"silent\"}},"
    "  \"fail6.example\": {\"A\": [\"192.0.2.1\"], \"do\": {\"AAAA\": \"servfail\"}},"
    "  \"alias.example\": {\"CNAME\": \"both.example\"},"
    "  \"loop.example\": {\"CNAME\": \"loop.example\"},"
    "  \"many.example\": {\"many_a\": 3000},"
    "  \"nodata.example\": {\"TXT\": [\"x\"]},"
    "  \"servfail.example\": {\"do\": \"servfail\"},"
    "  \"refused.example\": {\"do\": \"refused\"},"
    "  \"silent.example\": {\"do\": \"silent\"},"
    "  \"garbage.example\": {\"do\": \"garbage\"},"
    "  \"wrongid.example\": {\"do\": \"wrongid\"} }";

static struct dns_proc dns;

struct seen {
    struct lookup *lookup;
    xmpp_loop *loop;
    int calls;
    int families[2]; /* in the order they came; 0: none of that one */
    size_t counts[2];
    int statuses[2];
    uint64_t times[2];
    struct net_addr addrs[2][LOOKUP_ADDRESSES];
    bool last;
    bool stop; /* free in the first callback */
};

static void on_lookup(void *user_data, const struct net_addr *addrs, size_t count, int status,
                      bool last)
{
    struct seen *seen = user_data;
    int n = seen->calls++;

    assert_true(n < 2);
    assert_false(seen->last);
    assert_true(count <= LOOKUP_ADDRESSES);
    seen->counts[n] = count;
    seen->statuses[n] = status;
    seen->families[n] = count ? addrs[0].family : 0;
    seen->times[n] = xmpp_loop_get_time(seen->loop);
    if (count > 0)
        memcpy(seen->addrs[n], addrs, count * sizeof *addrs);
    seen->last = last;
    if (last || seen->stop) {
        lookup_free(seen->lookup);
        seen->lookup = NULL;
    }
}

static xmpp_loop *make_loop(void)
{
    xmpp_loop *loop = NULL;

    assert_int_equal(xmpp_loop_create(&loop), XMPP_OK);
    assert_int_equal(xmpp_loop_set_dns_servers(loop, dns.servers), XMPP_OK);
    return loop;
}

static void look_up(const char *host, struct seen *seen)
{
    xmpp_loop *loop = make_loop();

    *seen = (struct seen){.loop = loop};
    assert_int_equal(lookup_start(loop, &seen->lookup, host, on_lookup, seen), XMPP_OK);
    assert_int_equal(seen->calls, 0);
    while (!seen->last)
        assert_true(xmpp_loop_step(loop, -1) >= 0);
    assert_int_equal(seen->calls, 2);
    assert_int_equal(loop->timers.count, 0);
    xmpp_loop_unref(loop);
}

static void test_lookup_both_ipv6_first(void **state)
{
    struct seen seen;

    (void)state;
    look_up("both.example", &seen);
    assert_int_equal(seen.families[0], AF_INET6);
    assert_int_equal(seen.counts[0], 1);
    assert_int_equal(seen.families[1], AF_INET);
    assert_int_equal(seen.counts[1], 2);
    look_up("alias.example", &seen);
    assert_int_equal(seen.counts[0] + seen.counts[1], 3);
}

static void test_lookup_one_family(void **state)
{
    struct seen seen;

    (void)state;
    look_up("four.example", &seen);
    assert_int_equal(seen.counts[0] + seen.counts[1], 1);
    look_up("six.example", &seen);
    assert_int_equal(seen.counts[0] + seen.counts[1], 1);
    look_up("fail6.example", &seen);
    assert_int_equal(seen.counts[0] + seen.counts[1], 1);
}

/* RFC 8305 section 3: A waits 50 ms for AAAA, and no longer. */
static void test_lookup_resolution_delay(void **state)
{
    struct seen seen;

    (void)state;
    look_up("late6.example", &seen);
    assert_int_equal(seen.families[0], AF_INET);
    assert_int_equal(seen.families[1], AF_INET6);
    assert_true(seen.times[1] - seen.times[0] > 100000);
    look_up("late4.example", &seen);
    assert_int_equal(seen.families[0], AF_INET6);
    assert_true(seen.times[1] - seen.times[0] > 100000);
}

static void test_lookup_silent_ipv6_does_not_hold_up(void **state)
{
    xmpp_loop *loop = make_loop();
    struct seen seen = {.loop = loop, .stop = true};
    uint64_t start = xmpp_loop_get_time(loop);

    (void)state;
    assert_int_equal(lookup_start(loop, &seen.lookup, "silent6.example", on_lookup, &seen),
                     XMPP_OK);
    while (seen.calls == 0)
        assert_true(xmpp_loop_step(loop, -1) >= 0);
    assert_int_equal(seen.families[0], AF_INET);
    assert_in_range(seen.times[0] - start, 50000, 1500000);
    assert_int_equal(loop->timers.count, 0);
    xmpp_loop_unref(loop);
}

/* RFC 6761 6.3: no server is asked */
static void test_lookup_localhost(void **state)
{
    static const char *const names[] = {"localhost", "LocalHost", "a.localhost"};
    char text[ADDR_STR];
    struct seen seen;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        look_up(names[i], &seen);
        addr_format(&seen.addrs[0][0], 1, text);
        assert_string_equal(text, "[::1]:1");
        addr_format(&seen.addrs[1][0], 1, text);
        assert_string_equal(text, "127.0.0.1:1");
    }
}

/* DNS-10 */
static void test_lookup_thousands_are_bounded(void **state)
{
    struct seen seen;

    (void)state;
    look_up("many.example", &seen);
    assert_int_equal(seen.counts[0] + seen.counts[1], LOOKUP_ADDRESSES);
}

static void test_lookup_no_address(void **state)
{
    static const char *const names[] = {"nxdomain.example", "nodata.example", "loop.example",
                                        "servfail.example", "refused.example"};
    struct seen seen;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        look_up(names[i], &seen);
        assert_int_equal(seen.counts[0] + seen.counts[1], 0);
        assert_true(strlen(lookup_status_text(seen.statuses[1])) > 5);
        assert_false(lookup_is_nomem(seen.statuses[1]));
    }
}

static void test_lookup_no_usable_answer(void **state)
{
    static const char *const names[] = {"silent.example", "garbage.example", "wrongid.example"};
    struct seen seen[ARRAY_LEN(names)];
    xmpp_loop *loop = make_loop();
    size_t done = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        seen[i] = (struct seen){.loop = loop};
        assert_int_equal(lookup_start(loop, &seen[i].lookup, names[i], on_lookup, &seen[i]),
                         XMPP_OK);
    }
    while (done < ARRAY_LEN(names)) {
        assert_true(xmpp_loop_step(loop, -1) >= 0);
        done = 0;
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            done += seen[i].last;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(seen[i].counts[0] + seen[i].counts[1], 0);
    xmpp_loop_unref(loop);
}

static void test_lookup_freed_early(void **state)
{
    xmpp_loop *loop = make_loop();
    struct seen seen = {.loop = loop, .stop = true};

    (void)state;
    lookup_free(NULL);
    assert_int_equal(lookup_start(loop, &seen.lookup, "both.example", on_lookup, &seen), XMPP_OK);
    lookup_free(seen.lookup);
    assert_int_equal(lookup_start(loop, &seen.lookup, "localhost", on_lookup, &seen), XMPP_OK);
    lookup_free(seen.lookup);
    assert_int_equal(xmpp_loop_step(loop, 0), 0);
    assert_int_equal(lookup_start(loop, &seen.lookup, "localhost", on_lookup, &seen), XMPP_OK);
    while (seen.calls == 0)
        assert_true(xmpp_loop_step(loop, -1) >= 0);
    assert_int_equal(xmpp_loop_step(loop, 0), 0);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(lookup_start(loop, &seen.lookup, "not a name", on_lookup, &seen),
                     XMPP_ERR_INVAL);
    xmpp_loop_unref(loop);
}

/* Names are complete: only the name itself is asked for. */
static void test_lookup_no_search_domains(void **state)
{
    struct dns_proc logged;
    xmpp_loop *loop = make_loop();
    struct seen seen = {.loop = loop};
    char line[128];

    (void)state;
    assert_true(dns_proc_start(&logged, "{}", true));
    assert_int_equal(xmpp_loop_set_dns_servers(loop, logged.servers), XMPP_OK);
    assert_int_equal(lookup_start(loop, &seen.lookup, "plainname", on_lookup, &seen), XMPP_OK);
    while (!seen.last)
        assert_true(xmpp_loop_step(loop, -1) >= 0);
    close(logged.stdin_fd);
    logged.stdin_fd = 0;
    while (fgets(line, sizeof line, logged.out))
        assert_int_equal(strncmp(line, "plainname ", 10), 0);
    dns_proc_stop(&logged);
    xmpp_loop_unref(loop);
}

static int scenario(void *user_data)
{
    xmpp_loop *loop = NULL;
    struct seen seen = {0};
    int r;

    r = xmpp_loop_create(&loop);
    seen.loop = loop;
    if (r >= 0)
        r = xmpp_loop_set_dns_servers(loop, dns.servers);
    if (r >= 0)
        r = lookup_start(loop, &seen.lookup, user_data, on_lookup, &seen);
    while (r >= 0 && !seen.last)
        r = xmpp_loop_step(loop, -1);
    if (r >= 0)
        r = seen.counts[0] + seen.counts[1] > 0 ? XMPP_OK : XMPP_ERR_NOMEM;
    xmpp_loop_unref(loop);
    return r;
}

static void test_lookup_out_of_memory(void **state)
{
    static char both[] = "both.example";
    static char soon[] = "soon6.example";

    (void)state;
    assert_int_equal(torture_run(scenario, both), XMPP_OK);
    assert_int_equal(torture_run(scenario, soon), XMPP_OK);
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
        cmocka_unit_test(test_lookup_both_ipv6_first),
        cmocka_unit_test(test_lookup_one_family),
        cmocka_unit_test(test_lookup_resolution_delay),
        cmocka_unit_test(test_lookup_silent_ipv6_does_not_hold_up),
        cmocka_unit_test(test_lookup_localhost),
        cmocka_unit_test(test_lookup_thousands_are_bounded),
        cmocka_unit_test(test_lookup_no_address),
        cmocka_unit_test(test_lookup_no_usable_answer),
        cmocka_unit_test(test_lookup_freed_early),
        cmocka_unit_test(test_lookup_no_search_domains),
        cmocka_unit_test(test_lookup_out_of_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
