#include "net/lookup.h"

#include "base/mem.h"
#include "base/str.h"
#include "net/dns.h"
#include "net/loop.h"

#include <netinet/in.h>
#include <string.h>

#define RESOLUTION_DELAY_US 50000 /* RFC 8305 section 8 */

struct lookup_family {
    struct lookup *lookup;
    struct net_addr addrs[LOOKUP_ADDRESSES];
    size_t count;
    int status;
    bool done;
    bool delivered;
};

struct lookup {
    struct dns_chan chan;
    struct net_task task;
    struct net_timer delay;
    struct lookup_family v6;
    struct lookup_family v4;
    bool waited; /* the resolution delay is over */
    lookup_fn fn;
    void *user_data;
};
DEFINE_CLEANUP(struct lookup, lookup_free)

bool lookup_is_nomem(int status)
{
    return status == ARES_ENOMEM;
}

static bool is_absent(int status)
{
    return status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA;
}

const char *lookup_status_text(int status)
{
    return status == ARES_ENOTFOUND ? "no such name"
           : is_absent(status)      ? "the name has no address"
                                    : dns_status_text(status);
}

static struct lookup_family *deliverable(struct lookup *lookup)
{
    struct lookup_family *v6 = &lookup->v6;
    struct lookup_family *v4 = &lookup->v4;

    if (v6->done && !v6->delivered)
        return v6;
    if (v4->done && !v4->delivered && (v6->done || lookup->waited || v4->count == 0))
        return v4;
    return NULL;
}

static void fail_both(struct lookup *lookup)
{
    struct lookup_family *families[] = {&lookup->v6, &lookup->v4};

    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        if (families[i]->done)
            continue;
        families[i]->done = true;
        families[i]->status = ARES_ENOMEM;
    }
}

static void on_task(struct net_task *task)
{
    struct lookup *lookup = CONTAINER_OF(task, struct lookup, task);
    struct lookup_family *family;

    if (lookup->chan.nomem)
        fail_both(lookup);
    family = deliverable(lookup);
    if (!family) {
        /* only A so far: a moment for AAAA */
        if (lookup->v4.done && !lookup->v4.delivered && lookup->delay.node.index == HEAP_OUT &&
            net_timer_set(lookup->chan.loop, &lookup->delay,
                          net_now(lookup->chan.loop) + RESOLUTION_DELAY_US) < 0) {
            lookup->waited = true;
            net_task_schedule(lookup->chan.loop, &lookup->task);
        }
        return;
    }
    family->delivered = true;
    if (deliverable(lookup))
        net_task_schedule(lookup->chan.loop, &lookup->task);
    /* the last thing: the lookup may be gone afterwards */
    lookup->fn(lookup->user_data, family->addrs, family->count, family->status,
               lookup->v6.delivered && lookup->v4.delivered);
}

static void on_delay(struct net_timer *timer)
{
    struct lookup *lookup = CONTAINER_OF(timer, struct lookup, delay);

    lookup->waited = true;
    net_task_schedule(lookup->chan.loop, &lookup->task);
}

static void on_addrinfo(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct lookup_family *family = arg;

    (void)timeouts;
    if (status == ARES_EDESTRUCTION)
        return;
    if (status == ARES_SUCCESS && info)
        for (const struct ares_addrinfo_node *node = info->nodes;
             node && family->count < LOOKUP_ADDRESSES; node = node->ai_next)
            if (addr_from_sockaddr(&family->addrs[family->count], node->ai_addr))
                family->count++;
    if (info)
        ares_freeaddrinfo(info);
    family->status = status;
    family->done = true;
    net_task_schedule(family->lookup->chan.loop, &family->lookup->task);
}

static bool is_localhost(const char *host)
{
    size_t len = strlen(host);

    return str_case_eq(host, "localhost") ||
           (len > 10 && str_case_eq(host + len - 10, ".localhost"));
}

/* RFC 6761 6.3: these names are not asked for. */
static void answer_localhost(struct lookup *lookup)
{
    (void)addr_parse(&lookup->v6.addrs[0], "::1"); /* literals are valid */
    (void)addr_parse(&lookup->v4.addrs[0], "127.0.0.1");
    lookup->v6.count = lookup->v4.count = 1;
    lookup->v6.done = lookup->v4.done = true;
    net_task_schedule(lookup->chan.loop, &lookup->task);
}

static void ask(struct lookup *lookup, struct lookup_family *family, const char *host,
                int address_family)
{
    struct ares_addrinfo_hints hints = {.ai_family = address_family, .ai_socktype = SOCK_STREAM};

    ares_getaddrinfo(lookup->chan.channel, host, NULL, &hints, on_addrinfo, family);
}

int lookup_start(xmpp_loop *loop, struct lookup **ret, const char *host, lookup_fn fn,
                 void *user_data)
{
    CLEANUP(lookup_freep) struct lookup *lookup = NULL;
    int r;

    if (!addr_is_name(host))
        return XMPP_ERR_INVAL;
    lookup = mem_zalloc(sizeof *lookup);
    if (!lookup)
        return XMPP_ERR_NOMEM;
    lookup->fn = fn;
    lookup->user_data = user_data;
    lookup->v6.lookup = lookup->v4.lookup = lookup;
    net_task_init(&lookup->task, on_task);
    net_timer_init(&lookup->delay, on_delay);
    r = dns_chan_open(&lookup->chan, loop, &lookup->task);
    if (r < 0)
        return r;

    if (is_localhost(host)) {
        answer_localhost(lookup);
    } else {
        ask(lookup, &lookup->v6, host, AF_INET6);
        ask(lookup, &lookup->v4, host, AF_INET);
        dns_chan_update(&lookup->chan);
    }
    *ret = STEAL(lookup);
    return XMPP_OK;
}

void lookup_free(struct lookup *lookup)
{
    if (!lookup)
        return;
    if (lookup->chan.loop)
        net_timer_clear(lookup->chan.loop, &lookup->delay);
    dns_chan_close(&lookup->chan);
    mem_free(lookup);
}
