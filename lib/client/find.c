#include "client/find.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"

#include <string.h>

#define PORT_STARTTLS   5222
#define PORT_DIRECT_TLS 5223

enum { QUERY_DIRECT = 0, QUERY_STARTTLS = 1, QUERY_COUNT = 2 };

static const char *const query_prefix[QUERY_COUNT] = {"_xmpps-client._tcp.", "_xmpp-client._tcp."};

struct find_query {
    struct find *find;
    struct net_srv_query *srv; /* NULL when it is answered */
    xmpp_error *error; /* the lookup failed */
    bool absent; /* target ".": decidedly not offered */
    bool empty; /* no such records */
};

struct find {
    xmpp_loop *loop;
    char *domain;
    find_fn fn;
    void *user_data;
    struct find_query queries[QUERY_COUNT];
    struct find_list list;
};

void find_list_init(struct find_list *list)
{
    list->items = NULL;
    list->count = 0;
    list->cap = 0;
}

void find_list_clear(struct find_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->items[i].host);
    mem_free(list->items);
    find_list_init(list);
}

static int list_reserve(struct find_list *list, size_t cap)
{
    if (cap > LIMIT_SRV_RECORDS)
        cap = LIMIT_SRV_RECORDS;
    if (cap <= list->cap)
        return XMPP_OK;

    struct find_endpoint *items = mem_zalloc_array(cap, sizeof *items);
    if (!items)
        return XMPP_ERR_NOMEM;
    if (list->count > 0)
        memcpy(items, list->items, list->count * sizeof *items);
    mem_free(list->items);
    list->items = items;
    list->cap = cap;
    return XMPP_OK;
}

/* Behind all of the same or a better priority. There is room in the array for cap items. */
static int list_insert(struct find_list *list, const struct net_srv *record, bool direct_tls)
{
    size_t at = list->count;
    while (at > 0 && list->items[at - 1].priority > record->priority)
        at--;
    if (at == list->cap)
        return XMPP_OK; /* DNS-10: worse than all that we take */

    char *host = mem_strdup(record->host);
    if (!host)
        return XMPP_ERR_NOMEM;
    if (list->count == list->cap) {
        list->count--;
        mem_free(list->items[list->count].host);
    }
    memmove(&list->items[at + 1], &list->items[at], (list->count - at) * sizeof *list->items);
    list->items[at] = (struct find_endpoint){
        .host = host,
        .port = record->port,
        .direct_tls = direct_tls,
        .priority = record->priority,
        .weight = record->weight,
    };
    list->count++;
    return XMPP_OK;
}

int find_collect(struct find_list *list, const struct net_srv *records, size_t count,
                 bool direct_tls, bool *ret_absent)
{
    bool absent = count > 0;
    size_t cap;

    if (!size_add(list->count, count, &cap))
        return XMPP_ERR_NOMEM;
    int r = list_reserve(list, cap);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++) {
        /* RFC 2782: "." stands alone. Among others it is a mistake of the zone, and so is port 0. */
        if (!records[i].host || records[i].host[0] == '\0')
            continue;
        absent = false;
        if (records[i].port == 0)
            continue;
        r = list_insert(list, &records[i], direct_tls);
        if (r < 0)
            return r;
    }

    *ret_absent = absent;
    return XMPP_OK;
}

/* RFC 2782: those of weight 0 come first in the sum, so that they have a small chance too. */
static size_t pick(struct find_endpoint *items, size_t count, uint32_t (*below)(uint32_t bound))
{
    uint32_t sum = 0;
    size_t zeros = 0;

    for (size_t i = 0; i < count; i++) {
        sum += (uint32_t)items[i].weight;
        if (items[i].weight == 0) {
            struct find_endpoint zero = items[i];
            memmove(&items[zeros + 1], &items[zeros], (i - zeros) * sizeof *items);
            items[zeros] = zero;
            zeros++;
        }
    }

    uint32_t mark = below(sum + 1);
    uint32_t running = 0;
    for (size_t i = 0; i < count; i++) {
        running += (uint32_t)items[i].weight;
        if (running >= mark)
            return i;
    }
    return count - 1;
}

void find_order(struct find_list *list, uint32_t (*below)(uint32_t bound))
{
    int group = -1;

    for (size_t i = 0; i < list->count; i++) {
        if (i == 0 || list->items[i].priority != list->items[i - 1].priority)
            group++;

        size_t end = i + 1;
        while (end < list->count && list->items[end].priority == list->items[i].priority)
            end++;
        size_t chosen = i + pick(&list->items[i], end - i, below);
        struct find_endpoint endpoint = list->items[chosen];
        memmove(&list->items[i + 1], &list->items[i], (chosen - i) * sizeof endpoint);
        endpoint.group = group;
        list->items[i] = endpoint;
    }
}

static int list_add_plain(struct find_list *list, const char *host, uint16_t port, bool direct_tls)
{
    int r = list_reserve(list, list->count + 1);
    if (r < 0)
        return r;
    char *copy = mem_strdup(host);
    if (!copy)
        return XMPP_ERR_NOMEM;
    if (port == 0)
        port = direct_tls ? PORT_DIRECT_TLS : PORT_STARTTLS;
    list->items[list->count++] = (struct find_endpoint){
        .host = copy,
        .port = port,
        .direct_tls = direct_tls,
        .priority = -1,
        .weight = -1,
    };
    return XMPP_OK;
}

bool find_needs_srv(const struct find_request *request)
{
    return !request->host && !request->is_ip;
}

int find_without_srv(const struct find_request *request, struct find_list *ret)
{
    struct find_list list;

    find_list_init(&list);
    int r = list_add_plain(&list, request->host ? request->host : request->domain, request->port,
                           request->direct_tls);
    if (r < 0) {
        find_list_clear(&list);
        return r;
    }
    *ret = list;
    return XMPP_OK;
}

static void done(struct find *find, const xmpp_error *error)
{
    find->fn(find->user_data, &find->list, error);
}

static void fail(struct find *find, xmpp_error *error)
{
    find_list_clear(&find->list);
    done(find, error);
    xmpp_error_unref(error);
}

/* The chosen rule for what is not clear: A/AAAA are asked only when at least one of the two lookups said that there are
 * no such records, and none said that the service is not offered (DNS-03, DNS-05). */
static void conclude(struct find *find)
{
    const struct find_query *direct = &find->queries[QUERY_DIRECT];
    const struct find_query *starttls = &find->queries[QUERY_STARTTLS];

    if (find->list.count > 0) {
        find_order(&find->list, rand_below);
        done(find, NULL);
        return;
    }
    if (starttls->absent || (direct->absent && starttls->empty)) {
        fail(find, error_create(
                       XMPP_ERR_DNS, XMPP_PHASE_RESOLVING,
                       "%s does not offer XMPP to clients: the target of its SRV record is \".\"",
                       find->domain));
        return;
    }
    const struct find_query *failed = starttls->error ? starttls : direct;
    if (failed->error && !direct->empty && !starttls->empty) {
        xmpp_error *error = error_create(XMPP_ERR_DNS, XMPP_PHASE_RESOLVING,
                                         "the servers of %s could not be looked up: %s",
                                         find->domain, xmpp_error_get_text(failed->error));
        error_set_number(error, xmpp_error_get_number(failed->error));
        fail(find, error);
        return;
    }
    if (!direct->empty && !starttls->empty) {
        fail(find, error_create(XMPP_ERR_DNS, XMPP_PHASE_RESOLVING, "no SRV record of %s is usable",
                                find->domain));
        return;
    }
    /* RFC 6120 3.2.2 */
    if (list_add_plain(&find->list, find->domain, PORT_STARTTLS, false) < 0) {
        fail(find, error_nomem());
        return;
    }
    done(find, NULL);
}

static void on_srv(void *user_data, const struct net_srv *records, size_t count,
                   const xmpp_error *error)
{
    struct find_query *query = user_data;
    struct find *find = query->find;

    query->srv = NULL;
    if (error) {
        query->error = xmpp_error_ref(error);
    } else if (find_collect(&find->list, records, count, query == &find->queries[QUERY_DIRECT],
                            &query->absent) < 0) {
        for (int i = 0; i < QUERY_COUNT; i++) {
            net_srv_cancel(find->queries[i].srv);
            find->queries[i].srv = NULL;
        }
        fail(find, error_nomem());
        return;
    } else {
        query->empty = count == 0;
    }
    if (!find->queries[QUERY_DIRECT].srv && !find->queries[QUERY_STARTTLS].srv)
        conclude(find);
}

struct find *find_free(struct find *find)
{
    if (!find)
        return NULL;
    for (int i = 0; i < QUERY_COUNT; i++) {
        if (find->queries[i].srv)
            net_srv_cancel(find->queries[i].srv);
        xmpp_error_unref(find->queries[i].error);
    }
    find_list_clear(&find->list);
    mem_free(find->domain);
    mem_free(find);
    return NULL;
}
DEFINE_CLEANUP(struct find, find_free)

int find_start(struct find **ret, xmpp_loop *loop, const char *domain, find_fn fn, void *user_data)
{
    CLEANUP(find_freep) struct find *find = mem_zalloc(sizeof *find);
    char name[320];

    if (!find)
        return XMPP_ERR_NOMEM;
    find->loop = loop;
    find->fn = fn;
    find->user_data = user_data;
    find_list_init(&find->list);
    find->domain = mem_strdup(domain);
    if (!find->domain)
        return XMPP_ERR_NOMEM;
    for (int i = 0; i < QUERY_COUNT; i++) {
        struct find_query *query = &find->queries[i];

        query->find = find;
        if (!str_format(name, sizeof name, "%s%s", query_prefix[i], domain))
            return XMPP_ERR_DNS;
        int r = net_srv_start(loop, &query->srv, name, on_srv, query);
        if (r < 0)
            return r;
    }
    *ret = STEAL(find);
    return XMPP_OK;
}
