#include "base/error.h"
#include "base/mem.h"
#include "fake/fake.h"
#include "net/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HOSTS          64
#define CONNECT_TIMEOUT_US 10000000 /* like the real one */

struct host {
    char *name;
    uint16_t port;
    int result;
};

struct target {
    char *host;
    uint16_t port;
};

/* One target after the other: what runs at the same time in reality shows no other order to the layer above. */
struct net_race {
    xmpp_loop *loop; /* a reference */
    const struct net_race_ops *ops;
    void *user_data;
    struct net_task task;
    struct net_timer timeout;
    bool paused;
    size_t next;
    size_t count;
    struct target targets[];
};

static struct host hosts[MAX_HOSTS];
static size_t host_count;
static unsigned open_races;

void fake_race_reset(void)
{
    fake_require(open_races == 0, "a race was left behind");
    for (size_t i = 0; i < host_count; i++)
        free(hosts[i].name);
    host_count = 0;
}

void fake_host(const char *host, unsigned port, int result)
{
    size_t i = 0;

    while (i < host_count && (strcmp(hosts[i].name, host) != 0 || hosts[i].port != port))
        i++;
    fake_require(i < MAX_HOSTS, "too many hosts");
    if (i == host_count) {
        host_count++;
        hosts[i].name = strdup(host);
        hosts[i].port = (uint16_t)port;
    }
    hosts[i].result = result;
}

unsigned fake_races_open(void)
{
    return open_races;
}

static int find_result(const struct target *target)
{
    for (size_t i = 0; i < host_count; i++)
        if (!strcmp(hosts[i].name, target->host) && hosts[i].port == target->port)
            return hosts[i].result;
    return ECONNREFUSED;
}

/* Afterwards the race may be gone. */
static void fail_target(struct net_race *race, size_t index, const char *address, xmpp_error *error)
{
    race->next = index + 1;
    net_task_schedule(race->loop, &race->task);
    race->ops->attempt_failed(race->user_data, index, address, error);
    xmpp_error_unref(error);
}

static void format_address(const struct target *target, char dst[32])
{
    snprintf(dst, 32, "127.0.0.1:%u", target->port);
}

static void try_next(struct net_task *task)
{
    struct net_race *race = CONTAINER_OF(task, struct net_race, task);
    size_t index = race->next;
    char address[32];
    struct net_tcp *tcp;
    xmpp_error *error;
    int result;

    fake_require(net_is_dispatching(race->loop), "a race outside a dispatch");
    if (index == race->count) {
        race->ops->exhausted(race->user_data);
        return;
    }
    format_address(&race->targets[index], address);
    result = find_result(&race->targets[index]);
    if (result == FAKE_HANG) {
        if (net_timer_set(race->loop, &race->timeout, net_now(race->loop) + CONNECT_TIMEOUT_US) < 0)
            fail_target(race, index, address, error_nomem());
    } else if (result == FAKE_NO_HOST) {
        error = error_create(XMPP_ERR_DNS, XMPP_PHASE_CONNECTING, "scripted: no such host");
        fail_target(race, index, NULL, error);
    } else if (result != FAKE_ACCEPT) {
        error = error_create(XMPP_ERR_SYSTEM, XMPP_PHASE_CONNECTING, "scripted: %d", result);
        error_set_number(error, result);
        fail_target(race, index, address, error);
    } else if (fake_tcp_create(&tcp, race->loop, fake_accept(race->targets[index].host)) < 0) {
        fail_target(race, index, address, error_nomem());
    } else {
        race->next = index + 1;
        race->paused = true;
        race->ops->connected(race->user_data, tcp, index, address);
    }
}

static void on_timeout(struct net_timer *timer)
{
    struct net_race *race = CONTAINER_OF(timer, struct net_race, timeout);
    char address[32];

    format_address(&race->targets[race->next], address);
    fail_target(race, race->next, address,
                error_create(XMPP_ERR_TIMEOUT, XMPP_PHASE_CONNECTING, "scripted: no answer"));
}

int net_race_start(xmpp_loop *loop, struct net_race **ret, const struct net_target *targets,
                   size_t count, const struct net_race_ops *ops, void *user_data)
{
    struct net_race *race = mem_zalloc(sizeof *race + count * sizeof race->targets[0]);

    if (!race)
        return XMPP_ERR_NOMEM;
    open_races++;
    race->loop = xmpp_loop_ref(loop);
    race->ops = ops;
    race->user_data = user_data;
    net_task_init(&race->task, try_next);
    net_timer_init(&race->timeout, on_timeout);
    for (race->count = 0; race->count < count; race->count++) {
        struct target *target = &race->targets[race->count];

        target->host = mem_strdup(targets[race->count].host);
        target->port = targets[race->count].port;
        if (!target->host) {
            net_race_free(race);
            return XMPP_ERR_NOMEM;
        }
    }
    net_task_schedule(loop, &race->task);
    *ret = race;
    return XMPP_OK;
}

void net_race_report_open(struct net_race *race)
{
    char address[32];
    xmpp_error *error;

    if (race->timeout.node.index == HEAP_OUT)
        return;
    format_address(&race->targets[race->next], address);
    error = error_create(XMPP_ERR_TIMEOUT, XMPP_PHASE_CONNECTING, "scripted: no answer yet");
    race->ops->attempt_failed(race->user_data, race->next, address, error);
    xmpp_error_unref(error);
}

int net_race_resume(struct net_race *race)
{
    fake_require(race->paused, "resuming a race that is not paused");
    race->paused = false;
    net_task_schedule(race->loop, &race->task);
    return XMPP_OK;
}

void net_race_free(struct net_race *race)
{
    if (!race)
        return;
    net_task_cancel(race->loop, &race->task);
    net_timer_clear(race->loop, &race->timeout);
    for (size_t i = 0; i < race->count; i++)
        mem_free(race->targets[i].host);
    xmpp_loop_unref(race->loop);
    mem_free(race);
    open_races--;
}
