#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/lookup.h"
#include "net/loop.h"
#include "net/tcp.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ATTEMPT_DELAY_US   250000 /* RFC 8305 section 8 */
#define CONNECT_TIMEOUT_US 10000000
#define LOOKUPS_AT_A_TIME  4

struct race_candidate {
    struct net_addr addr;
    bool tried;
};

struct race_target {
    struct net_race *race;
    char *host;
    uint16_t port;
    int group;
    bool started; /* its addresses were asked for */
    struct lookup *lookup; /* while it runs */
    xmpp_error *error; /* it has no address; not reported yet */
    int last_family; /* of the last attempt: the other one comes next */
    size_t count;
    struct race_candidate candidates[LIMIT_ADDRESSES];
};

/* One connect in progress. */
struct race_attempt {
    struct list link;
    struct net_race *race;
    struct race_target *target;
    struct race_candidate *candidate;
    struct loop_watch watch;
    struct net_timer timer;
    int fd;
    char address[ADDR_STR];
};

struct net_race {
    xmpp_loop *loop; /* a reference */
    const struct net_race_ops *ops;
    void *user_data;
    struct net_task task;
    struct net_timer stagger;
    struct list attempts;
    bool waiting; /* the last attempt is younger than the delay and still open */
    bool paused; /* a connection was handed out */
    bool finished; /* exhausted was called */
    bool freed;
    unsigned holds; /* functions that stand on this race */
    size_t first; /* the group: targets first .. end - 1 */
    size_t end;
    size_t count;
    struct race_target targets[];
};

static void run(struct net_race *race);

/* --- attempts --- */

static void attempt_free(struct race_attempt *attempt)
{
    xmpp_loop *loop = attempt->race->loop;

    net_timer_clear(loop, &attempt->timer);
    loop_watch_clear(loop, &attempt->watch);
    list_remove(&attempt->link);
    if (attempt->fd >= 0)
        (void)close(attempt->fd);
    mem_free(attempt);
}

/* Those that lost are as good as untried: the one that won may yet turn out useless. */
static void drop_attempts(struct net_race *race)
{
    while (!list_is_empty(&race->attempts)) {
        struct race_attempt *attempt = CONTAINER_OF(race->attempts.next, struct race_attempt, link);

        attempt->candidate->tried = false;
        attempt_free(attempt);
    }
}

static void stop_waiting(struct net_race *race)
{
    race->waiting = false;
    net_timer_clear(race->loop, &race->stagger);
}

static xmpp_error *connect_error(int number)
{
    const char *text = strerrordesc_np(number); /* not translated, any thread */
    xmpp_error *error = error_create(number == ETIMEDOUT ? XMPP_ERR_TIMEOUT : XMPP_ERR_SYSTEM,
                                     XMPP_PHASE_CONNECTING, "%s", text ? text : "unknown error");

    error_set_number(error, number);
    return error;
}

static void report(struct net_race *race, const struct race_target *target, const char *address,
                   xmpp_error *error)
{
    log_write(net_log(race->loop), XMPP_LOG_DEBUG, "race", "%s %s: %s", target->host,
              address ? address : "", xmpp_error_get_text(error));
    race->ops->attempt_failed(race->user_data, (size_t)(target - race->targets), address, error);
    xmpp_error_unref(error);
}

static void attempt_fail(struct race_attempt *attempt, xmpp_error *error)
{
    struct net_race *race = attempt->race;
    struct race_target *target = attempt->target;
    char address[ADDR_STR];

    memcpy(address, attempt->address, sizeof address);
    attempt_free(attempt);
    stop_waiting(race); /* RFC 8305 section 5: the next one at once */
    report(race, target, address, error);
}

static void attempt_succeed(struct race_attempt *attempt)
{
    struct net_race *race = attempt->race;
    size_t index = (size_t)(attempt->target - race->targets);
    char address[ADDR_STR];
    struct net_tcp *tcp;

    if (tcp_create(&tcp, race->loop, attempt->fd, &attempt->candidate->addr) < 0) {
        attempt_fail(attempt, error_nomem());
        return;
    }
    memcpy(address, attempt->address, sizeof address);
    loop_watch_clear(race->loop, &attempt->watch); /* before the socket is the other's */
    attempt->fd = -1;
    attempt_free(attempt);
    drop_attempts(race);
    stop_waiting(race);
    race->paused = true;
    log_write(net_log(race->loop), XMPP_LOG_DEBUG, "race", "%s %s: connected",
              race->targets[index].host, address);
    race->ops->connected(race->user_data, tcp, index, address);
}

static void on_connect(struct loop_watch *watch, uint32_t events)
{
    struct race_attempt *attempt = CONTAINER_OF(watch, struct race_attempt, watch);
    struct net_race *race = attempt->race;
    int number = 0;
    socklen_t len = sizeof number;

    (void)events;
    if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &number, &len) < 0)
        number = errno;
    race->holds++;
    if (number == 0)
        attempt_succeed(attempt);
    else
        attempt_fail(attempt, connect_error(number));
    run(race);
}

static void on_timeout(struct net_timer *timer)
{
    struct race_attempt *attempt = CONTAINER_OF(timer, struct race_attempt, timer);
    struct net_race *race = attempt->race;

    race->holds++;
    attempt_fail(attempt, connect_error(ETIMEDOUT));
    run(race);
}

/* The socket is open, or the reason is in the error: NULL for success. */
static xmpp_error *attempt_open(struct race_attempt *attempt)
{
    xmpp_loop *loop = attempt->race->loop;
    const struct net_addr *addr = &attempt->candidate->addr;

    attempt->fd = tcp_open(addr, attempt->target->port);
    if (attempt->fd < 0 || loop_watch_set(loop, &attempt->watch, attempt->fd, EPOLLOUT) < 0)
        return connect_error(errno);
    if (net_timer_set(loop, &attempt->timer, net_now(loop) + CONNECT_TIMEOUT_US) < 0)
        return error_nomem();
    return NULL;
}

static void start_attempt(struct net_race *race, struct race_target *target,
                          struct race_candidate *candidate)
{
    struct race_attempt *attempt = mem_zalloc(sizeof *attempt);
    xmpp_error *error;

    candidate->tried = true;
    target->last_family = candidate->addr.family;
    if (!attempt) {
        char address[ADDR_STR];

        addr_format(&candidate->addr, target->port, address);
        report(race, target, address, error_nomem());
        return;
    }
    attempt->race = race;
    attempt->target = target;
    attempt->candidate = candidate;
    loop_watch_init(&attempt->watch, on_connect);
    net_timer_init(&attempt->timer, on_timeout);
    addr_format(&candidate->addr, target->port, attempt->address);
    list_append(&race->attempts, &attempt->link);
    error = attempt_open(attempt);
    if (error) {
        attempt_fail(attempt, error);
        return;
    }
    log_write(net_log(race->loop), XMPP_LOG_DEBUG, "race", "%s %s: connecting", target->host,
              attempt->address);
    race->waiting = true;
    /* without memory for it the next attempt begins when this one ends */
    (void)net_timer_set(race->loop, &race->stagger, net_now(race->loop) + ATTEMPT_DELAY_US);
}

static void on_stagger(struct net_timer *timer)
{
    struct net_race *race = CONTAINER_OF(timer, struct net_race, stagger);

    race->waiting = false;
    race->holds++;
    run(race);
}

/* --- addresses --- */

static void add_candidates(struct race_target *target, const struct net_addr *addrs, size_t count)
{
    for (size_t i = 0; i < count && target->count < ARRAY_LEN(target->candidates); i++)
        target->candidates[target->count++].addr = addrs[i];
}

static xmpp_error *lookup_error(const char *host, int status)
{
    xmpp_error *error;

    if (lookup_is_nomem(status))
        return error_nomem();
    error = error_create(XMPP_ERR_DNS, XMPP_PHASE_RESOLVING, "looking up %s: %s", host,
                         lookup_status_text(status));
    error_set_number(error, status);
    return error;
}

static void on_lookup(void *user_data, const struct net_addr *addrs, size_t count, int status,
                      bool last)
{
    struct race_target *target = user_data;
    struct net_race *race = target->race;

    add_candidates(target, addrs, count);
    if (last) {
        lookup_free(STEAL(target->lookup));
        if (target->count == 0) {
            target->error = lookup_error(target->host, status);
        }
    }
    race->holds++;
    run(race);
}

static void start_target(struct net_race *race, struct race_target *target)
{
    struct net_addr literal;
    int r;

    target->started = true;
    if (target->port == 0) {
        target->error = error_create(XMPP_ERR_DNS, XMPP_PHASE_RESOLVING, "port 0");
        return;
    }
    if (addr_parse(&literal, target->host)) {
        add_candidates(target, &literal, 1);
        return;
    }
    r = lookup_start(race->loop, &target->lookup, target->host, on_lookup, target);
    if (r == XMPP_ERR_INVAL)
        target->error = error_create(XMPP_ERR_DNS, XMPP_PHASE_RESOLVING, "not a host name");
    else if (r < 0)
        target->error = error_create(r, XMPP_PHASE_RESOLVING, "the resolver cannot be started");
}

static void start_lookups(struct net_race *race)
{
    size_t running = 0;

    for (size_t i = race->first; i < race->end; i++) {
        struct race_target *target = &race->targets[i];

        if (!target->started && running < LOOKUPS_AT_A_TIME)
            start_target(race, target);
        if (target->lookup)
            running++;
    }
}

/* --- what comes next --- */

static bool report_one(struct net_race *race)
{
    for (size_t i = race->first; i < race->end; i++) {
        struct race_target *target = &race->targets[i];

        if (target->error) {
            report(race, target, NULL, STEAL(target->error));
            return true;
        }
    }
    return false;
}

/* The families alternate, IPv6 first (RFC 8305 section 4). */
static struct race_candidate *next_candidate(struct race_target *target)
{
    struct race_candidate *found = NULL;

    for (size_t i = 0; i < target->count; i++) {
        struct race_candidate *candidate = &target->candidates[i];

        if (candidate->tried)
            continue;
        if (candidate->addr.family != target->last_family)
            return candidate;
        if (!found)
            found = candidate;
    }
    return found;
}

/* A target whose lookup is slow does not hold up the later ones. */
static bool start_one(struct net_race *race)
{
    if (race->waiting)
        return false;
    for (size_t i = race->first; i < race->end; i++) {
        struct race_candidate *candidate = next_candidate(&race->targets[i]);

        if (candidate) {
            start_attempt(race, &race->targets[i], candidate);
            return true;
        }
    }
    return false;
}

/* Nothing was started and nothing was reported: is there anything to wait for? */
static bool is_group_over(const struct net_race *race)
{
    if (race->waiting || !list_is_empty(&race->attempts))
        return false;
    for (size_t i = race->first; i < race->end; i++)
        if (!race->targets[i].started || race->targets[i].lookup)
            return false;
    return true;
}

static bool next_group(struct net_race *race)
{
    race->first = race->end;
    while (race->end < race->count &&
           race->targets[race->end].group == race->targets[race->first].group)
        race->end++;
    return race->first < race->end;
}

static void release(struct net_race *race)
{
    if (--race->holds == 0 && race->freed)
        mem_free(race);
}

/* Goes on until there is something to wait for. Drops a hold; the race may be gone afterwards. */
static void run(struct net_race *race)
{
    while (!race->freed && !race->paused && !race->finished) {
        start_lookups(race);
        if (report_one(race) || start_one(race))
            continue;
        if (!is_group_over(race))
            break;
        if (!next_group(race)) {
            race->finished = true;
            race->ops->exhausted(race->user_data);
        }
    }
    release(race);
}

static void on_task(struct net_task *task)
{
    struct net_race *race = CONTAINER_OF(task, struct net_race, task);

    race->holds++;
    run(race);
}

/* --- life --- */

static void race_free(struct net_race *race)
{
    drop_attempts(race);
    for (size_t i = 0; i < race->count; i++) {
        lookup_free(race->targets[i].lookup);
        xmpp_error_unref(race->targets[i].error);
        mem_free(race->targets[i].host);
    }
    net_timer_clear(race->loop, &race->stagger);
    net_task_cancel(race->loop, &race->task);
    race->loop = xmpp_loop_unref(race->loop);
    race->count = 0;
    race->freed = true;
    if (race->holds == 0)
        mem_free(race);
}

/* A final dot would keep c-ares from the hosts file; the name is complete anyway. */
static char *copy_host(const char *host)
{
    size_t len = strlen(host);

    return mem_strndup(host, len > 1 && host[len - 1] == '.' ? len - 1 : len);
}

int net_race_start(xmpp_loop *loop, struct net_race **ret, const struct net_target *targets,
                   size_t count, const struct net_race_ops *ops, void *user_data)
{
    struct net_race *race;
    size_t size;

    if (!size_mul(count, sizeof race->targets[0], &size) || !size_add(size, sizeof *race, &size))
        return XMPP_ERR_NOMEM;
    race = mem_zalloc(size);
    if (!race)
        return XMPP_ERR_NOMEM;
    race->loop = xmpp_loop_ref(loop);
    race->ops = ops;
    race->user_data = user_data;
    list_init(&race->attempts);
    net_task_init(&race->task, on_task);
    net_timer_init(&race->stagger, on_stagger);
    for (; race->count < count; race->count++) {
        struct race_target *target = &race->targets[race->count];

        target->host = copy_host(targets[race->count].host);
        if (!target->host) {
            race_free(race);
            return XMPP_ERR_NOMEM;
        }
        target->race = race;
        target->port = targets[race->count].port;
        target->group = targets[race->count].group;
        target->last_family = AF_INET;
    }
    net_task_schedule(loop, &race->task);
    *ret = race;
    return XMPP_OK;
}

int net_race_resume(struct net_race *race)
{
    if (!race->paused)
        return XMPP_ERR_STATE;
    race->paused = false;
    net_task_schedule(race->loop, &race->task);
    return XMPP_OK;
}

void net_race_report_open(struct net_race *race)
{
    for (struct list *link = race->attempts.next; link != &race->attempts; link = link->next) {
        const struct race_attempt *attempt = CONTAINER_OF(link, struct race_attempt, link);

        report(race, attempt->target, attempt->address,
               error_create(XMPP_ERR_TIMEOUT, XMPP_PHASE_CONNECTING, "no answer yet"));
    }
    for (size_t i = race->first; i < race->end; i++)
        if (race->targets[i].lookup && race->targets[i].count == 0)
            report(race, &race->targets[i], NULL,
                   error_create(XMPP_ERR_TIMEOUT, XMPP_PHASE_RESOLVING,
                                "its addresses were not found yet"));
}

void net_race_free(struct net_race *race)
{
    if (race)
        race_free(race);
}
