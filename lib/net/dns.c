#include "net/dns.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/loop.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>

#define TRY_MS      2000 /* c-ares' defaults, 5 s and 4 tries, doubling, make 75 s for one dead server */
#define TRIES       2
#define CLASS_IN    1
#define TYPE_SRV    33
#define MAX_SERVERS 16

struct dns_watch {
    struct list link;
    struct loop_watch watch;
    struct dns_chan *chan;
};

struct net_srv_query {
    struct dns_chan chan;
    struct net_task task;
    net_srv_fn fn;
    void *user_data;
    char *name;
    struct net_srv records[LIMIT_SRV_RECORDS];
    size_t count;
    int status; /* of c-ares */
    bool running; /* in fn */
};

/* --- the channel --- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_status;

static void init_library(void)
{
    library_status = ares_library_init(ARES_LIB_INIT_ALL);
}

static void give_up(struct dns_chan *chan)
{
    chan->nomem = true;
    net_task_schedule(chan->loop, chan->task);
}

void dns_chan_update(struct dns_chan *chan)
{
    struct timeval tv;
    uint64_t wait_us;

    if (!ares_timeout(chan->channel, NULL, &tv)) {
        net_timer_clear(chan->loop, &chan->timer);
        return;
    }
    wait_us = (uint64_t)tv.tv_sec * 1000000u + (uint64_t)tv.tv_usec;
    if (wait_us < 1000)
        wait_us = 1000;
    if (net_timer_set(chan->loop, &chan->timer, time_add(loop_clock_us(), wait_us)) < 0)
        give_up(chan);
}

static void on_timer(struct net_timer *timer)
{
    struct dns_chan *chan = CONTAINER_OF(timer, struct dns_chan, timer);

    ares_process_fd(chan->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    dns_chan_update(chan);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct dns_watch *self = CONTAINER_OF(watch, struct dns_watch, watch);
    struct dns_chan *chan = self->chan;
    ares_socket_t fd = watch->fd;
    bool writable = (events & EPOLLOUT) != 0;

    /* an error is told by the read */
    ares_process_fd(chan->channel, events & ~(uint32_t)EPOLLOUT ? fd : ARES_SOCKET_BAD,
                    writable ? fd : ARES_SOCKET_BAD);
    dns_chan_update(chan); /* c-ares may have closed the socket: self is not looked at again */
}

static void watch_free(struct dns_watch *watch)
{
    loop_watch_clear(watch->chan->loop, &watch->watch);
    list_remove(&watch->link);
    mem_free(watch);
}

static struct dns_watch *find_watch(struct dns_chan *chan, ares_socket_t fd)
{
    for (struct list *node = chan->watches.next; node != &chan->watches; node = node->next) {
        struct dns_watch *watch = CONTAINER_OF(node, struct dns_watch, link);

        if (watch->watch.fd == fd)
            return watch;
    }
    return NULL;
}

/* Comes with 0, 0 right before c-ares closes the socket. */
static void on_sock_state(void *data, ares_socket_t fd, int readable, int writable)
{
    struct dns_chan *chan = data;
    struct dns_watch *watch = find_watch(chan, fd);
    uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);

    if (events == 0) {
        if (watch)
            watch_free(watch);
        return;
    }
    if (!watch) {
        watch = mem_zalloc(sizeof *watch);
        if (!watch) {
            give_up(chan);
            return;
        }
        watch->chan = chan;
        list_append(&chan->watches, &watch->link);
        loop_watch_init(&watch->watch, on_ready);
    }
    if (loop_watch_set(chan->loop, &watch->watch, fd, events) < 0) {
        watch_free(watch);
        give_up(chan);
    }
}

static int set_servers(ares_channel channel, const xmpp_loop *loop)
{
    struct ares_addr_port_node nodes[MAX_SERVERS];

    if (loop->dns_server_count == 0)
        return ARES_SUCCESS;
    memset(nodes, 0, sizeof nodes);
    for (size_t i = 0; i < loop->dns_server_count; i++) {
        const struct dns_server *server = &loop->dns_servers[i];

        nodes[i].next = i + 1 < loop->dns_server_count ? &nodes[i + 1] : NULL;
        nodes[i].family = server->addr.family;
        if (server->addr.family == AF_INET6)
            memcpy(&nodes[i].addr.addr6, server->addr.bytes, sizeof nodes[i].addr.addr6);
        else
            memcpy(&nodes[i].addr.addr4, server->addr.bytes, sizeof nodes[i].addr.addr4);
        nodes[i].udp_port = server->port;
        nodes[i].tcp_port = server->port;
    }
    return ares_set_servers_ports(channel, nodes);
}

int dns_chan_open(struct dns_chan *chan, xmpp_loop *loop, struct net_task *task)
{
    static char lookups[] =
        "fb"; /* the hosts file, then name servers, whatever nsswitch.conf says */
    struct ares_options options = {
        .flags = ARES_FLAG_NOALIASES, /* HOSTALIASES in the environment */
        .timeout = TRY_MS,
        .tries = TRIES,
        .ndomains = 0, /* no search list: names are complete */
        .lookups = lookups,
        .sock_state_cb = on_sock_state,
        .sock_state_cb_data = chan,
    };
    int status;

    (void)pthread_once(&library_once, init_library); /* fails only for a bad argument */
    memset(chan, 0, sizeof *chan);
    if (library_status != ARES_SUCCESS)
        return library_status == ARES_ENOMEM ? XMPP_ERR_NOMEM : XMPP_ERR_DNS;
    status = ares_init_options(&chan->channel, &options,
                               ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                   ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
    if (status == ARES_SUCCESS) {
        status = set_servers(chan->channel, loop);
        if (status != ARES_SUCCESS)
            ares_destroy(chan->channel);
    }
    if (status != ARES_SUCCESS) {
        chan->channel = NULL;
        return status == ARES_ENOMEM ? XMPP_ERR_NOMEM : XMPP_ERR_DNS;
    }
    chan->loop = xmpp_loop_ref(loop);
    chan->task = task;
    list_init(&chan->watches);
    net_timer_init(&chan->timer, on_timer);
    return XMPP_OK;
}

void dns_chan_close(struct dns_chan *chan)
{
    if (!chan->channel)
        return;
    ares_destroy(STEAL(chan->channel));
    while (!list_is_empty(&chan->watches))
        watch_free(CONTAINER_OF(chan->watches.next, struct dns_watch, link));
    net_timer_clear(chan->loop, &chan->timer);
    net_task_cancel(chan->loop, chan->task);
    chan->loop = xmpp_loop_unref(chan->loop);
}

/* --- SRV --- */

static void query_free(struct net_srv_query *query)
{
    if (!query)
        return;
    dns_chan_close(&query->chan);
    for (size_t i = 0; i < query->count; i++)
        mem_free(query->records[i].host);
    mem_free(query->name);
    mem_free(query);
}
DEFINE_CLEANUP(struct net_srv_query, query_free)

/* Makes room for a record of that priority, at the expense of the last one of the worst. The order stays. */
static bool make_room(struct net_srv_query *query, uint16_t priority)
{
    size_t worst = 0;

    if (query->count < ARRAY_LEN(query->records))
        return true;
    for (size_t i = 1; i < query->count; i++)
        if (query->records[i].priority >= query->records[worst].priority)
            worst = i;
    if (query->records[worst].priority <= priority)
        return false;
    mem_free(query->records[worst].host);
    query->count--;
    memmove(&query->records[worst], &query->records[worst + 1],
            (query->count - worst) * sizeof query->records[0]);
    return true;
}

static int take_records(struct net_srv_query *query, const unsigned char *data, int len)
{
    struct ares_srv_reply *list = NULL;
    int status = ares_parse_srv_reply(data, len, &list);

    if (status != ARES_SUCCESS)
        return status;
    for (const struct ares_srv_reply *reply = list; reply; reply = reply->next) {
        struct net_srv record = {
            .port = reply->port, .priority = reply->priority, .weight = reply->weight};

        if (!make_room(query, reply->priority))
            continue;
        record.host = mem_strdup(reply->host); /* "." comes as an empty string */
        if (!record.host) {
            status = ARES_ENOMEM;
            break;
        }
        query->records[query->count++] = record;
    }
    ares_free_data(list);
    return status;
}

static void on_srv(void *arg, int status, int timeouts, unsigned char *data, int len)
{
    struct net_srv_query *query = arg;

    (void)timeouts;
    if (status == ARES_EDESTRUCTION)
        return;
    query->status = status == ARES_SUCCESS ? take_records(query, data, len) : status;
    net_task_schedule(query->chan.loop, &query->task);
}

const char *dns_status_text(int status)
{
    switch (status) {
    case ARES_ESERVFAIL:
    case ARES_ECONNREFUSED: /* what c-ares makes of any refusal by the last server */
        return "no name server gives a usable answer";
    case ARES_ETIMEOUT:
        return "the name servers do not answer";
    default:
        return ares_strerror(status);
    }
}

static xmpp_error *query_error(const struct net_srv_query *query)
{
    xmpp_error *error;

    if (query->chan.nomem || query->status == ARES_ENOMEM)
        return error_nomem();
    if (query->status == ARES_SUCCESS || query->status == ARES_ENOTFOUND ||
        query->status == ARES_ENODATA)
        return NULL; /* no such name and no such records are answers: RFC 6120 3.2.2 */
    error = error_create(XMPP_ERR_DNS, XMPP_PHASE_RESOLVING, "looking up SRV records of %s: %s",
                         query->name, dns_status_text(query->status));
    error_set_number(error, query->status);
    return error;
}

static void finish_query(struct net_task *task)
{
    struct net_srv_query *query = CONTAINER_OF(task, struct net_srv_query, task);
    xmpp_error *error = query_error(query);

    log_write(net_log(query->chan.loop), XMPP_LOG_DEBUG, "dns", "SRV %s: %zu records%s%s",
              query->name, error ? 0 : query->count, error ? ", " : "",
              error ? xmpp_error_get_text(error) : "");
    query->running = true;
    query->fn(query->user_data, query->records, error ? 0 : query->count, error);
    xmpp_error_unref(error);
    query_free(query);
}

int net_srv_start(xmpp_loop *loop, struct net_srv_query **ret, const char *name, net_srv_fn fn,
                  void *user_data)
{
    CLEANUP(query_freep) struct net_srv_query *query = NULL;
    int r;

    if (!addr_is_name(name))
        return XMPP_ERR_INVAL;
    query = mem_zalloc(sizeof *query);
    if (!query)
        return XMPP_ERR_NOMEM;
    query->name = mem_strdup(name);
    if (!query->name)
        return XMPP_ERR_NOMEM;
    query->fn = fn;
    query->user_data = user_data;
    net_task_init(&query->task, finish_query);
    r = dns_chan_open(&query->chan, loop, &query->task);
    if (r < 0)
        return r;

    ares_query(query->chan.channel, name, CLASS_IN, TYPE_SRV, on_srv, query);
    dns_chan_update(&query->chan);
    *ret = STEAL(query);
    return XMPP_OK;
}

void net_srv_cancel(struct net_srv_query *query)
{
    if (query && !query->running)
        query_free(query);
}

/* --- the loop's name servers --- */

/* "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:53" */
static bool parse_server(struct dns_server *server, const char *str, size_t len)
{
    char host[ADDR_STR];
    const char *port = NULL;
    uint64_t number = 53;
    const char *colon = memchr(str, ':', len);
    const char *end = str + len;

    if (len > 0 && str[0] == '[') {
        const char *bracket = memchr(str, ']', len);

        if (!bracket || (bracket + 1 < end && bracket[1] != ':'))
            return false;
        port = bracket + 1 < end ? bracket + 2 : NULL;
        len = (size_t)(bracket - ++str);
        if (!memchr(str, ':', len))
            return false;
    } else if (colon && !memchr(colon + 1, ':', (size_t)(end - colon - 1))) {
        port = colon + 1;
        len = (size_t)(colon - str);
    }
    if (port && (!str_parse_uint(port, (size_t)(end - port), UINT16_MAX, &number) || number == 0))
        return false;
    if (len >= sizeof host)
        return false;
    memcpy(host, str, len);
    host[len] = '\0';
    server->port = (uint16_t)number;
    return addr_parse(&server->addr, host);
}

int xmpp_loop_set_dns_servers(xmpp_loop *loop, const char *servers)
{
    struct dns_server parsed[MAX_SERVERS];
    struct dns_server *copy = NULL;
    size_t count = 0;
    int r;

    r = net_check(loop);
    if (r < 0)
        return r;
    while (servers) {
        const char *comma = strchr(servers, ',');
        size_t len = comma ? (size_t)(comma - servers) : strlen(servers);

        if (count == MAX_SERVERS || !parse_server(&parsed[count], servers, len))
            return XMPP_ERR_INVAL;
        count++;
        servers = comma ? comma + 1 : NULL;
    }
    if (count > 0) {
        copy = mem_dup(parsed, count * sizeof *parsed);
        if (!copy)
            return XMPP_ERR_NOMEM;
    }
    mem_free(loop->dns_servers);
    loop->dns_servers = copy;
    loop->dns_server_count = count;
    return XMPP_OK;
}
