#include "base/limits.h"
#include "base/mem.h"
#include "net/loop.h"
#include "support/dnsserver.h"
#include "support/torture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_EVENTS 64

static const char zone[] =
    "{ \"one.example\": {\"A\": [\"127.0.0.1\"]},"
    "  \"two.example\": {\"A\": [\"127.0.0.2\", \"127.0.0.3\"]},"
    "  \"mixed.example\": {\"A\": [\"127.0.0.1\", \"127.0.0.2\"], \"AAAA\": [\"::1\", \"::1\"],"
    "                     \"do\": {\"AAAA\": \"slow 0.02\"}},"
    "  \"slow.example\": {\"A\": [\"127.0.0.1\"], \"AAAA\": [\"::1\"], \"do\": \"slow 0.4\"},"
    "  \"servfail.example\": {\"do\": \"servfail\"},"
    "  \"many.example\": {\"many_a\": 3000} }";

static struct dns_proc dns;

struct event {
    char kind; /* 'c'onnected, 'f'ailed, 'x' exhausted */
    size_t target;
    char address[64];
    int code;
    int number;
};

struct heat {
    xmpp_loop *loop;
    struct net_race *race;
    struct event events[MAX_EVENTS];
    size_t count;
    struct net_tcp *tcp;
    char free_on; /* kind of event in which the race is freed */
    bool resume; /* in connected */
};

static struct event *note(struct heat *heat, char kind)
{
    struct event *event = &heat->events[heat->count++];

    assert_true(heat->count <= MAX_EVENTS);
    assert_non_null(heat->race);
    memset(event, 0, sizeof *event);
    event->kind = kind;
    if (kind == heat->free_on) {
        net_race_free(heat->race);
        heat->race = NULL;
    }
    return event;
}

static void on_connected(void *user_data, struct net_tcp *tcp, size_t target, const char *address)
{
    struct heat *heat = user_data;
    char copy[64];
    struct event *event;

    assert_true(strlen(address) < sizeof copy);
    strcpy(copy, address);
    event = note(heat, 'c');
    event->target = target;
    strcpy(event->address, copy);
    net_tcp_close(heat->tcp);
    heat->tcp = tcp;
    if (heat->resume && heat->race)
        assert_int_equal(net_race_resume(heat->race), XMPP_OK);
}

static void on_failed(void *user_data, size_t target, const char *address, const xmpp_error *error)
{
    struct event event = {.target = target,
                          .code = xmpp_error_get_code(error),
                          .number = xmpp_error_get_number(error)};
    struct event *stored;

    assert_true(strlen(xmpp_error_get_text(error)) > 0);
    if (address)
        strcpy(event.address, address);
    event.kind = 'f';
    stored = note(user_data, 'f');
    *stored = event;
}

static void on_exhausted(void *user_data)
{
    (void)note(user_data, 'x');
}

static const struct net_race_ops ops = {on_connected, on_failed, on_exhausted};

static void heat_open(struct heat *heat)
{
    memset(heat, 0, sizeof *heat);
    assert_int_equal(xmpp_loop_create(&heat->loop), XMPP_OK);
    assert_int_equal(xmpp_loop_set_dns_servers(heat->loop, dns.servers), XMPP_OK);
}

static void heat_start(struct heat *heat, const struct net_target *targets, size_t count)
{
    heat_open(heat);
    assert_int_equal(net_race_start(heat->loop, &heat->race, targets, count, &ops, heat), XMPP_OK);
    assert_int_equal(heat->count, 0);
}

/* until that many events came */
static void heat_run(struct heat *heat, size_t count)
{
    while (heat->count < count)
        assert_true(xmpp_loop_step(heat->loop, -1) >= 0);
}

static void heat_until(struct heat *heat, char kind)
{
    while (heat->count == 0 || heat->events[heat->count - 1].kind != kind)
        assert_true(xmpp_loop_step(heat->loop, -1) >= 0);
}

static void heat_close(struct heat *heat)
{
    struct pollfd p = {.fd = xmpp_loop_get_fd(heat->loop), .events = POLLIN};

    net_race_free(heat->race);
    net_tcp_close(heat->tcp);
    assert_int_equal(heat->loop->timers.count, 0);
    if (poll(&p, 1, 0) > 0) /* the start woke the loop, and was taken back */
        assert_int_equal(xmpp_loop_dispatch(heat->loop), 0);
    assert_int_equal(poll(&p, 1, 0), 0);
    xmpp_loop_unref(heat->loop);
}

/* --- peers --- */

static int listen_on(const char *address, uint16_t *port, int backlog)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    inet_pton(AF_INET, address, &in.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    getsockname(fd, (struct sockaddr *)&in, &len);
    *port = ntohs(in.sin_port);
    return fd;
}

/* bound and not listening: connecting is refused as long as it is open */
static int refuse_on(const char *address, uint16_t *port)
{
    return listen_on(address, port, -1);
}

/* a listener whose backlog is full: the kernel drops what comes */
struct hole {
    int fd;
    int filler[3];
};

static void hole_open(struct hole *hole, const char *address, uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET};

    hole->fd = listen_on(address, port, 0);
    inet_pton(AF_INET, address, &in.sin_addr);
    in.sin_port = htons(*port);
    for (size_t i = 0; i < ARRAY_LEN(hole->filler); i++) {
        struct pollfd p = {.events = POLLOUT};

        hole->filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(hole->filler[i], (struct sockaddr *)&in, sizeof in);
        p.fd = hole->filler[i];
        if (i == 0)
            assert_int_equal(poll(&p, 1, 2000), 1);
    }
}

static void hole_stop_fillers(struct hole *hole)
{
    for (size_t i = 0; i < ARRAY_LEN(hole->filler); i++) {
        if (hole->filler[i] >= 0)
            close(hole->filler[i]);
        hole->filler[i] = -1;
    }
}

static void hole_close(struct hole *hole)
{
    hole_stop_fillers(hole);
    close(hole->fd);
}

/* From now on the hole takes connections. */
static void hole_drain(struct hole *hole)
{
    int fd;

    hole_stop_fillers(hole);
    while ((fd = accept(hole->fd, NULL, NULL)) >= 0)
        close(fd);
    assert_int_equal(listen(hole->fd, 16), 0);
}

/* --- tests --- */

static void test_race_literal(void **state)
{
    uint16_t port = 0;
    int fd = listen_on("127.0.0.1", &port, 4);
    const struct net_target target = {"127.0.0.1", port, 0, 0};
    struct heat heat;
    char address[64];

    (void)state;
    heat_start(&heat, &target, 1);
    heat_run(&heat, 1);
    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)port);
    assert_int_equal(heat.events[0].kind, 'c');
    assert_string_equal(heat.events[0].address, address);
    assert_true(net_tcp_is_loopback(heat.tcp));
    assert_int_equal(net_race_resume(heat.race), XMPP_OK);
    assert_int_equal(net_race_resume(heat.race), XMPP_ERR_STATE);
    heat_run(&heat, 2);
    assert_int_equal(heat.events[1].kind, 'x');
    assert_int_equal(net_race_resume(heat.race), XMPP_ERR_STATE);
    heat_close(&heat);
    close(fd);
}

static void test_race_no_targets(void **state)
{
    struct heat heat;

    (void)state;
    net_race_free(NULL);
    heat_start(&heat, NULL, 0);
    heat_run(&heat, 1);
    assert_int_equal(heat.events[0].kind, 'x');
    heat_close(&heat);
}

/* DNS-04: every address of every target, in their order; each failure is told. */
static void test_race_goes_on_at_once_when_refused(void **state)
{
    uint16_t port = 0;
    uint16_t refused = 0;
    int fd = listen_on("127.0.0.3", &port, 4);
    int bad = refuse_on("127.0.0.1", &refused);
    const struct net_target targets[] = {
        {"one.example", refused, 1, 0}, {"127.0.0.1", refused, 1, 0}, {"two.example", port, 1, 0}};
    struct heat heat;
    uint64_t start;
    size_t last;

    (void)state;
    heat_start(&heat, targets, 3);
    start = xmpp_loop_get_time(heat.loop);
    heat_until(&heat, 'c');
    last = heat.count - 1;
    assert_in_range(last, 2, 3); /* 127.0.0.2 may come first or not */
    for (size_t i = 0; i < last; i++) {
        assert_int_equal(heat.events[i].kind, 'f');
        assert_int_equal(heat.events[i].code, XMPP_ERR_SYSTEM);
        assert_int_equal(heat.events[i].number, ECONNREFUSED);
        assert_true(heat.events[i].address[0]);
    }
    assert_int_equal(heat.events[last].target, 2);
    assert_true(xmpp_loop_get_time(heat.loop) - start < 1000000);
    heat_close(&heat);
    close(fd);
    close(bad);
}

static void test_race_groups_in_order(void **state)
{
    uint16_t port = 0;
    uint16_t refused = 0;
    int fd = listen_on("127.0.0.1", &port, 4);
    int bad = refuse_on("127.0.0.1", &refused);
    const struct net_target targets[] = {{"slow.example", refused, 3, 0},
                                         {"127.0.0.1", refused, 3, 0},
                                         {"127.0.0.1", refused, 5, 0},
                                         {"127.0.0.1", port, 9, 0}};
    struct heat heat;
    size_t groups[] = {0, 0, 1, 2};
    size_t last_group = 0;

    (void)state;
    heat_start(&heat, targets, 4);
    heat_until(&heat, 'c');
    for (size_t i = 0; i < heat.count; i++) {
        size_t group = groups[heat.events[i].target];

        assert_true(group >= last_group);
        last_group = group;
    }
    assert_int_equal(heat.events[0].target, 1); /* it did not wait for the slow lookup */
    assert_int_equal(heat.events[heat.count - 1].target, 3);
    assert_true(heat.count >= 4);
    heat_close(&heat);
    close(fd);
    close(bad);
}

static void test_race_names_without_address(void **state)
{
    const struct net_target targets[] = {{"nxdomain.example", 5222, 0, 0},
                                         {"servfail.example", 5222, 0, 0},
                                         {"", 5222, 0, 0},
                                         {".", 5222, 0, 0},
                                         {"odd\\name", 5222, 0, 0},
                                         {"1.2.3", 5222, 0, 0},
                                         {"127.0.0.1", 0, 0, 0}};
    struct heat heat;
    unsigned seen = 0;

    (void)state;
    heat_start(&heat, targets, ARRAY_LEN(targets));
    heat_run(&heat, ARRAY_LEN(targets) + 1);
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        assert_int_equal(heat.events[i].kind, 'f');
        assert_int_equal(heat.events[i].code, XMPP_ERR_DNS);
        assert_string_equal(heat.events[i].address, "");
        seen |= 1u << heat.events[i].target;
    }
    assert_int_equal(seen, (1u << ARRAY_LEN(targets)) - 1);
    assert_int_equal(heat.events[ARRAY_LEN(targets)].kind, 'x');
    heat_close(&heat);
}

static void test_race_trailing_dot(void **state)
{
    uint16_t port = 0;
    int fd = listen_on("127.0.0.1", &port, 4);
    const struct net_target target = {"one.example.", port, 0, 0};
    struct heat heat;

    (void)state;
    heat_start(&heat, &target, 1);
    heat_run(&heat, 1);
    assert_int_equal(heat.events[0].kind, 'c');
    heat_close(&heat);
    close(fd);
}

/* DNS-08, RFC 8305 section 5: 250 ms after the one that hangs */
static void test_race_staggered_past_a_black_hole(void **state)
{
    uint16_t port = 0;
    uint16_t hole_port = 0;
    struct hole hole;
    int fd = listen_on("127.0.0.1", &port, 4);
    struct heat heat;
    uint64_t start;
    uint64_t took;

    (void)state;
    hole_open(&hole, "127.0.0.1", &hole_port);
    const struct net_target targets[] = {{"127.0.0.1", hole_port, 0, 0}, {"127.0.0.1", port, 0, 0}};
    heat_start(&heat, targets, 2);
    start = xmpp_loop_get_time(heat.loop);
    heat_run(&heat, 1);
    took = xmpp_loop_get_time(heat.loop) - start;
    assert_int_equal(heat.events[0].kind, 'c');
    assert_int_equal(heat.events[0].target, 1);
    assert_in_range(took, 250000, 2000000);

    /* the loser is not lost */
    hole_drain(&hole);
    assert_int_equal(net_race_resume(heat.race), XMPP_OK);
    heat_run(&heat, 2);
    assert_int_equal(heat.events[1].kind, 'c');
    assert_int_equal(heat.events[1].target, 0);
    assert_int_equal(net_race_resume(heat.race), XMPP_OK);
    heat_run(&heat, 3);
    assert_int_equal(heat.events[2].kind, 'x');
    heat_close(&heat);
    hole_close(&hole);
    close(fd);
}

static void test_race_connect_times_out(void **state)
{
    uint16_t port = 0;
    uint16_t hole_port = 0;
    struct hole hole;
    int fd = listen_on("127.0.0.1", &port, 4);
    struct heat heat;
    uint64_t start;

    (void)state;
    hole_open(&hole, "127.0.0.1", &hole_port);
    const struct net_target targets[] = {{"127.0.0.1", hole_port, 0, 0}, {"127.0.0.1", port, 1, 0}};
    heat_start(&heat, targets, 2);
    start = xmpp_loop_get_time(heat.loop);
    heat_run(&heat, 2);
    assert_int_equal(heat.events[0].kind, 'f');
    assert_int_equal(heat.events[0].code, XMPP_ERR_TIMEOUT);
    assert_int_equal(heat.events[0].number, ETIMEDOUT);
    assert_int_equal(heat.events[1].kind, 'c');
    assert_in_range(xmpp_loop_get_time(heat.loop) - start, 10000000, 13000000);
    heat_close(&heat);
    hole_close(&hole);
    close(fd);
}

/* DNS-08, RFC 8305 section 4: the families of a target alternate, IPv6 first. Both answers must be there when the first
 * attempt begins: on a busy machine not at the first try. */
static void test_race_families_alternate(void **state)
{
    uint16_t refused = 0;
    int bad = refuse_on("0.0.0.0", &refused);
    const struct net_target target = {"mixed.example", refused, 0, 0};
    bool alternated = false;

    (void)state;
    for (int tries = 0; tries < 20 && !alternated; tries++) {
        struct heat heat;

        heat_start(&heat, &target, 1);
        heat_run(&heat, 5);
        alternated = true;
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(heat.events[i].kind, 'f');
            alternated = alternated && (heat.events[i].address[0] == '[') == (i % 2 == 0);
        }
        assert_int_equal(heat.events[4].kind, 'x');
        heat_close(&heat);
    }
    assert_true(alternated);
    close(bad);
}

/* DNS-10 */
static void test_race_addresses_are_bounded(void **state)
{
    uint16_t refused = 0;
    int bad = refuse_on("0.0.0.0", &refused);
    const struct net_target target = {"many.example", refused, 0, 0};
    struct heat heat;

    (void)state;
    heat_start(&heat, &target, 1);
    heat_until(&heat, 'x');
    assert_in_range(heat.count, 2, LIMIT_ADDRESSES + 1);
    heat_close(&heat);
    close(bad);
}

static void test_race_resume_in_callback(void **state)
{
    uint16_t port = 0;
    int fd = listen_on("127.0.0.1", &port, 4);
    const struct net_target targets[] = {{"127.0.0.1", port, 0, 0}, {"127.0.0.1", port, 0, 0}};
    struct heat heat;

    (void)state;
    heat_open(&heat);
    heat.resume = true;
    assert_int_equal(net_race_start(heat.loop, &heat.race, targets, 2, &ops, &heat), XMPP_OK);
    heat_run(&heat, 3);
    assert_int_equal(heat.events[0].kind, 'c');
    assert_int_equal(heat.events[1].kind, 'c');
    assert_int_equal(heat.events[1].target, 1);
    assert_int_equal(heat.events[2].kind, 'x');
    heat_close(&heat);
    close(fd);
}

static void test_race_freed_in_each_callback(void **state)
{
    static const char kinds[] = "cfx";
    uint16_t port = 0;
    uint16_t refused = 0;
    int fd = listen_on("127.0.0.1", &port, 8);
    int bad = refuse_on("127.0.0.1", &refused);
    const struct net_target targets[] = {{"127.0.0.1", refused, 0, 0},
                                         {"nxdomain.example", 1, 0, 0},
                                         {"slow.example", 1, 0, 0},
                                         {"127.0.0.1", port, 0, 0}};

    (void)state;
    for (int i = 0; kinds[i]; i++) {
        struct heat heat;

        heat_open(&heat);
        heat.free_on = kinds[i];
        heat.resume = true;
        assert_int_equal(
            net_race_start(heat.loop, &heat.race, targets, ARRAY_LEN(targets), &ops, &heat),
            XMPP_OK);
        while (heat.race)
            assert_true(xmpp_loop_step(heat.loop, -1) >= 0);
        assert_int_equal(xmpp_loop_step(heat.loop, 0), 0);
        assert_int_equal(heat.events[heat.count - 1].kind, kinds[i]);
        heat_close(&heat);
    }
    close(fd);
    close(bad);
}

/* a name without address is told from the lookup's callback */
static void test_race_freed_in_lookup_failure(void **state)
{
    const struct net_target target = {"nxdomain.example", 1, 0, 0};
    struct heat heat;

    (void)state;
    heat_open(&heat);
    heat.free_on = 'f';
    assert_int_equal(net_race_start(heat.loop, &heat.race, &target, 1, &ops, &heat), XMPP_OK);
    while (heat.race)
        assert_true(xmpp_loop_step(heat.loop, -1) >= 0);
    heat_close(&heat);
}

static void test_race_freed_while_busy(void **state)
{
    uint16_t port = 0;
    struct hole hole;
    struct heat heat;

    (void)state;
    hole_open(&hole, "127.0.0.1", &port);
    const struct net_target targets[] = {{"127.0.0.1", port, 0, 0}, {"slow.example", port, 0, 0}};
    heat_start(&heat, targets, 2);
    heat_close(&heat); /* nothing has begun */
    heat_start(&heat, targets, 2);
    assert_true(xmpp_loop_step(heat.loop, -1) > 0);
    assert_int_equal(heat.count, 0);
    heat_close(&heat); /* connecting and looking up */
    hole_close(&hole);
}

static int scenario(void *user_data)
{
    const struct net_target *targets = user_data;
    struct heat heat = {0};
    int r;

    r = xmpp_loop_create(&heat.loop);
    if (r >= 0)
        r = xmpp_loop_set_dns_servers(heat.loop, dns.servers);
    if (r >= 0)
        r = net_race_start(heat.loop, &heat.race, targets, 3, &ops, &heat);
    while (r >= 0 && (heat.count == 0 || heat.events[heat.count - 1].kind == 'f'))
        r = xmpp_loop_step(heat.loop, -1);
    if (r >= 0) /* without memory every address may fail, but the race ends */
        r = heat.events[heat.count - 1].kind == 'c' ? XMPP_OK : XMPP_ERR_NOMEM;
    net_race_free(heat.race);
    net_tcp_close(heat.tcp);
    xmpp_loop_unref(heat.loop);
    return r;
}

static void test_race_out_of_memory(void **state)
{
    uint16_t port = 0;
    uint16_t refused = 0;
    int fd = listen_on("127.0.0.1", &port, 128);
    int bad = refuse_on("127.0.0.1", &refused);
    struct net_target targets[] = {
        {"nxdomain.example", 1, 0, 0}, {"127.0.0.1", refused, 0, 0}, {"one.example", port, 1, 0}};

    (void)state;
    assert_int_equal(torture_run(scenario, targets), XMPP_OK);
    close(fd);
    close(bad);
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
        cmocka_unit_test(test_race_literal),
        cmocka_unit_test(test_race_no_targets),
        cmocka_unit_test(test_race_goes_on_at_once_when_refused),
        cmocka_unit_test(test_race_groups_in_order),
        cmocka_unit_test(test_race_names_without_address),
        cmocka_unit_test(test_race_trailing_dot),
        cmocka_unit_test(test_race_staggered_past_a_black_hole),
        cmocka_unit_test(test_race_connect_times_out),
        cmocka_unit_test(test_race_families_alternate),
        cmocka_unit_test(test_race_addresses_are_bounded),
        cmocka_unit_test(test_race_resume_in_callback),
        cmocka_unit_test(test_race_freed_in_each_callback),
        cmocka_unit_test(test_race_freed_in_lookup_failure),
        cmocka_unit_test(test_race_freed_while_busy),
        cmocka_unit_test(test_race_out_of_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
