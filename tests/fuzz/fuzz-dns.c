/* DNS answers. The functions of c-ares that ask are replaced: the answer is the input. Byte 0 is what is asked for:
 * SRV records, then the rest is the packet of the answer, as c-ares hands it over; addresses, then each is a byte of
 * family and its bytes; or nothing: a text, for what reads names, literals and lists of servers. Byte 1 is the
 * status. */
#include "fuzz/fuzz.h"

#include "base/limits.h"
#include "net/addr.h"
#include "net/dns.h"
#include "net/lookup.h"
#include "net/loop.h"
#include "net/net.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <xmpp/error.h>
#include <xmpp/loop.h>

enum { ASK_SRV = 0, ASK_ADDRESSES = 1, ASK_TEXT = 2, ASKS = 3 };

static struct input answer;
static int answer_status;

/* --- in place of c-ares --- */

void ares_query(ares_channel channel, const char *name, int dnsclass, int type,
                ares_callback callback, void *arg)
{
    unsigned char *copy = (unsigned char *)fuzz_dup(answer.data, answer.len);

    (void)channel;
    (void)name;
    (void)dnsclass;
    (void)type;
    callback(arg, answer_status, 0, answer_status == ARES_SUCCESS ? copy : NULL,
             answer_status == ARES_SUCCESS ? (int)answer.len : 0);
    free(copy);
}

void ares_freeaddrinfo(struct ares_addrinfo *info)
{
    struct ares_addrinfo_node *next;

    for (struct ares_addrinfo_node *node = info->nodes; node; node = next) {
        next = node->ai_next;
        free(node->ai_addr);
        free(node);
    }
    free(info);
}

static struct ares_addrinfo_node *make_node(struct input *input)
{
    struct ares_addrinfo_node *node = calloc(1, sizeof *node);
    unsigned family = input_byte(input) % 4;

    CHECK(node != NULL);
    if (family == 0) {
        struct sockaddr_in *addr = calloc(1, sizeof *addr);

        addr->sin_family = AF_INET;
        for (size_t i = 0; i < 4; i++)
            ((uint8_t *)&addr->sin_addr)[i] = input_byte(input);
        node->ai_addr = (struct sockaddr *)addr;
    } else {
        struct sockaddr_in6 *addr = calloc(1, sizeof *addr);

        addr->sin6_family = family == 3 ? AF_UNIX : AF_INET6;
        for (size_t i = 0; i < 16; i++)
            addr->sin6_addr.s6_addr[i] = input_byte(input);
        node->ai_addr = (struct sockaddr *)addr;
    }
    node->ai_family = node->ai_addr->sa_family;
    return node;
}

/* Both families get half of the input; the second may come with another status. */
void ares_getaddrinfo(ares_channel channel, const char *node, const char *service,
                      const struct ares_addrinfo_hints *hints, ares_addrinfo_callback callback,
                      void *arg)
{
    struct ares_addrinfo *info = NULL;
    struct ares_addrinfo_node **end;
    size_t keep = hints->ai_family == AF_INET6 ? answer.len / 2 : 0;

    (void)channel;
    (void)node;
    (void)service;
    if (answer_status == ARES_SUCCESS || hints->ai_family == AF_INET6) {
        info = calloc(1, sizeof *info);
        CHECK(info != NULL);
        for (end = &info->nodes; answer.len > keep; end = &(*end)->ai_next)
            *end = make_node(&answer);
    }
    callback(arg, info ? ARES_SUCCESS : answer_status, 0, info);
}

/* --- SRV --- */

struct asked {
    xmpp_loop *loop;
    unsigned calls;
    bool last;
};

static int by_priority(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* What is kept must be the records with the best priorities, in the order of the answer. */
static void check_records(const struct net_srv *records, size_t count)
{
    static int all[65536];
    struct ares_srv_reply *list = NULL;
    size_t total = 0;
    size_t at = 0;
    int status = ares_parse_srv_reply(answer.data, (int)answer.len, &list);

    if (status != ARES_SUCCESS) {
        CHECK(count == 0);
        return;
    }
    for (struct ares_srv_reply *reply = list; reply; reply = reply->next)
        all[total++] = reply->priority;
    qsort(all, total, sizeof *all, by_priority);
    CHECK(count == (total < LIMIT_SRV_RECORDS ? total : LIMIT_SRV_RECORDS));
    for (size_t i = 0; i < count; i++)
        CHECK(records[i].priority <= all[count - 1]);
    for (struct ares_srv_reply *reply = list; reply && at < count; reply = reply->next)
        if (reply->priority == records[at].priority && reply->weight == records[at].weight &&
            reply->port == records[at].port && strcmp(reply->host, records[at].host) == 0)
            at++;
    CHECK(at == count);
    ares_free_data(list);
}

static void on_srv(void *user_data, const struct net_srv *records, size_t count,
                   const xmpp_error *error)
{
    struct asked *asked = user_data;

    asked->calls++;
    CHECK(count <= LIMIT_SRV_RECORDS);
    if (error) {
        CHECK(count == 0);
        CHECK(xmpp_error_get_code(error) == XMPP_ERR_DNS);
        CHECK(*xmpp_error_get_text(error) != '\0');
        return;
    }
    if (answer_status == ARES_SUCCESS)
        check_records(records, count);
    else
        CHECK(count == 0);
}

static void run_srv(xmpp_loop *loop)
{
    struct asked asked = {0};
    struct net_srv_query *query = NULL;

    CHECK(net_srv_start(loop, &query, "_xmpp-client._tcp.a.example", on_srv, &asked) == XMPP_OK);
    CHECK(asked.calls == 0);
    CHECK(xmpp_loop_step(loop, 0) >= 0);
    CHECK(asked.calls == 1);
    CHECK(net_srv_start(loop, &query, "_xmpp-client._tcp.a.example", on_srv, &asked) == XMPP_OK);
    net_srv_cancel(query);
    CHECK(xmpp_loop_step(loop, 0) >= 0);
    CHECK(asked.calls == 1);
}

/* --- addresses --- */

/* What is written with a port can be read, as a name server. */
static void check_addr(xmpp_loop *loop, const struct net_addr *addr)
{
    char text[ADDR_STR];

    addr_format(addr, 5353, text);
    CHECK(xmpp_loop_set_dns_servers(loop, text) == XMPP_OK);
    CHECK(loop->dns_server_count == 1 && loop->dns_servers[0].port == 5353);
    CHECK(loop->dns_servers[0].addr.family == addr->family);
    CHECK(memcmp(loop->dns_servers[0].addr.bytes, addr->bytes, sizeof addr->bytes) == 0);
    CHECK(xmpp_loop_set_dns_servers(loop, NULL) == XMPP_OK);
}

static void on_addresses(void *user_data, const struct net_addr *addrs, size_t count, int status,
                         bool last)
{
    struct asked *asked = user_data;

    asked->calls++;
    asked->last = last;
    CHECK(asked->calls <= 2 && last == (asked->calls == 2));
    CHECK(count <= LOOKUP_ADDRESSES);
    CHECK(status == ARES_SUCCESS || count == 0);
    CHECK(*lookup_status_text(status) != '\0');
    for (size_t i = 0; i < count; i++)
        check_addr(asked->loop, &addrs[i]);
}

static void run_addresses(xmpp_loop *loop)
{
    struct asked asked = {.loop = loop};
    struct lookup *lookup = NULL;

    CHECK(lookup_start(loop, &lookup, "a.example", on_addresses, &asked) == XMPP_OK);
    for (unsigned i = 0; !asked.last && i < 3; i++)
        CHECK(xmpp_loop_step(loop, 0) >= 0);
    CHECK(asked.last);
    lookup_free(lookup);
}

/* --- texts --- */

static void run_text(xmpp_loop *loop, const char *text)
{
    struct net_addr addr;

    if (addr_parse(&addr, text))
        check_addr(loop, &addr);
    if (addr_is_name(text))
        CHECK(*text != '\0' && strlen(text) < 256);
    CHECK(xmpp_loop_set_dns_servers(loop, text) <= XMPP_OK);
    CHECK(xmpp_loop_set_dns_servers(loop, NULL) == XMPP_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static xmpp_loop *loop;
    static const int statuses[] = {ARES_ENODATA,  ARES_ENOTFOUND, ARES_ESERVFAIL,
                                   ARES_ETIMEOUT, ARES_EBADRESP,  ARES_ECONNREFUSED};
    struct input input = {data, size};
    unsigned ask;
    unsigned status;
    char *text;

    fuzz_begin();
    if (!loop) {
        CHECK(xmpp_loop_create(&loop) == XMPP_OK);
        fuzz_begin(); /* it stays */
    }
    ask = input_byte(&input) % ASKS;
    status = input_byte(&input) % 32;
    answer = input;
    answer_status = status < sizeof statuses / sizeof *statuses ? statuses[status] : ARES_SUCCESS;
    switch (ask) {
    case ASK_SRV:
        run_srv(loop);
        break;
    case ASK_ADDRESSES:
        run_addresses(loop);
        break;
    default:
        text = fuzz_dup(input.data, input.len);
        run_text(loop, text);
        free(text);
        break;
    }
    fuzz_end();
    return 0;
}
