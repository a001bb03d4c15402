#include "base/error.h"
#include "base/mem.h"
#include "fake/fake.h"
#include "net/addr.h"
#include "net/loop.h"

#include <stdlib.h>
#include <string.h>

#define MAX_RECORDS 512

struct record {
    char *name;
    enum { RECORD, FAILURE, SILENCE } kind;
    struct net_srv srv;
};

struct net_srv_query {
    xmpp_loop *loop; /* a reference */
    struct net_task task;
    net_srv_fn fn;
    void *user_data;
    char *name;
    bool running; /* in fn */
};

static struct record records[MAX_RECORDS];
static size_t record_count;
static unsigned open_queries;

void fake_dns_reset(void)
{
    fake_require(open_queries == 0, "a lookup was left behind");
    for (size_t i = 0; i < record_count; i++) {
        free(records[i].name);
        free(records[i].srv.host);
    }
    record_count = 0;
}

static struct record *add(const char *name, int kind)
{
    struct record *record = &records[record_count++];

    fake_require(record_count <= MAX_RECORDS, "too many records");
    memset(record, 0, sizeof *record);
    record->name = strdup(name);
    record->kind = kind;
    return record;
}

void fake_srv(const char *name, const char *host, unsigned port, unsigned priority, unsigned weight)
{
    struct record *record = add(name, RECORD);

    record->srv.host = strdup(host);
    record->srv.port = (uint16_t)port;
    record->srv.priority = (uint16_t)priority;
    record->srv.weight = (uint16_t)weight;
}

void fake_srv_fail(const char *name)
{
    add(name, FAILURE);
}

void fake_srv_hang(const char *name)
{
    add(name, SILENCE);
}

unsigned fake_srv_open(void)
{
    return open_queries;
}

static void query_free(struct net_srv_query *query)
{
    xmpp_loop *loop = query->loop;

    net_task_cancel(loop, &query->task);
    mem_free(query->name);
    mem_free(query);
    open_queries--;
    xmpp_loop_unref(loop);
}

static void answer(struct net_task *task)
{
    struct net_srv_query *query = CONTAINER_OF(task, struct net_srv_query, task);
    struct net_srv found[MAX_RECORDS];
    size_t count = 0;
    xmpp_error *error = NULL;

    fake_require(net_is_dispatching(query->loop), "an answer outside a dispatch");
    for (size_t i = 0; i < record_count && !error; i++) {
        if (strcmp(records[i].name, query->name) != 0)
            continue;
        if (records[i].kind == SILENCE)
            return;
        if (records[i].kind == FAILURE)
            error = error_create(XMPP_ERR_DNS, XMPP_PHASE_RESOLVING, "scripted failure for %s",
                                 query->name);
        else
            found[count++] = records[i].srv;
    }
    query->running = true;
    query->fn(query->user_data, found, error ? 0 : count, error);
    xmpp_error_unref(error);
    query_free(query);
}

int net_srv_start(xmpp_loop *loop, struct net_srv_query **ret, const char *name, net_srv_fn fn,
                  void *user_data)
{
    struct net_srv_query *query;

    if (!addr_is_name(name))
        return XMPP_ERR_INVAL;
    query = mem_zalloc(sizeof *query);
    if (!query)
        return XMPP_ERR_NOMEM;
    query->name = mem_strdup(name);
    if (!query->name) {
        mem_free(query);
        return XMPP_ERR_NOMEM;
    }
    query->loop = xmpp_loop_ref(loop);
    query->fn = fn;
    query->user_data = user_data;
    net_task_init(&query->task, answer);
    net_task_schedule(loop, &query->task);
    open_queries++;
    *ret = query;
    return XMPP_OK;
}

void net_srv_cancel(struct net_srv_query *query)
{
    if (query && !query->running)
        query_free(query);
}

int xmpp_loop_set_dns_servers(xmpp_loop *loop, const char *servers)
{
    (void)servers;
    return net_check(loop);
}
