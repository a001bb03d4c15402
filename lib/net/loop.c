#include "net/loop.h"

#include "base/limits.h"
#include "base/mem.h"
#include "net/dns.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_TURN 512 /* so that a thousand ready sockets take few turns */

/* In a child of fork() the descriptors are still those of the parent: it must see that it is one. */
static atomic_uint forks;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, count_fork); /* without memory forks go unnoticed */
}

bool loop_is_forked(const xmpp_loop *loop)
{
    return atomic_load_explicit(&forks, memory_order_relaxed) != loop->fork_count;
}

bool loop_is_current(const xmpp_loop *loop)
{
    /* the child has one thread, and it only drops references */
    return loop_is_forked(loop) ||
           atomic_load_explicit(&loop->thread, memory_order_relaxed) == pthread_self();
}

int net_check(const xmpp_loop *loop)
{
    if (!loop)
        return XMPP_ERR_INVAL;
    if (loop_is_forked(loop))
        return XMPP_ERR_THREAD;
#ifdef XMPP_DEBUG
    if (!loop_is_current(loop))
        return XMPP_ERR_THREAD;
#endif
    return XMPP_OK;
}

uint64_t loop_clock_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

bool net_has_time(const xmpp_loop *loop)
{
    return !loop_is_forked(loop) && loop_clock_us() < loop->turn_end_us;
}

/* --- life --- */

static bool owner_is_current(const struct owner *owner)
{
    return loop_is_current((const xmpp_loop *)((const char *)owner - offsetof(xmpp_loop, owner)));
}

static void loop_destroy(xmpp_loop *loop)
{
    post_clear(loop);
    timer_clear_floating(loop);
    io_clear_floating(loop);
    while (!list_is_empty(&loop->tasks))
        list_remove(loop->tasks.next);
    while (!list_is_empty(&loop->ready))
        list_remove(loop->ready.next);
    heap_clear(&loop->timers);
    if (loop->event_fd >= 0)
        (void)close(loop->event_fd);
    if (loop->timer_fd >= 0)
        (void)close(loop->timer_fd);
    if (loop->epoll_fd >= 0)
        (void)close(loop->epoll_fd);
    log_clear(&loop->log);
    mem_free(loop->dns_servers);
    mem_free(loop);
}

/* The address of the loop stands for the eventfd, no address for the timerfd. Each write to the eventfd is reported
 * once, as an edge: so nobody has to read it. */
static int open_descriptors(xmpp_loop *loop)
{
    struct epoll_event event = {.events = EPOLLIN};

    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    loop->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->epoll_fd < 0 || loop->timer_fd < 0 || loop->event_fd < 0)
        return XMPP_ERR_SYSTEM;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->timer_fd, &event) < 0)
        return XMPP_ERR_SYSTEM;
    event.events = EPOLLIN | EPOLLET;
    event.data.ptr = loop;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->event_fd, &event) < 0)
        return XMPP_ERR_SYSTEM;
    return XMPP_OK;
}

int xmpp_loop_create(xmpp_loop **ret)
{
    xmpp_loop *loop;
    int r;

    if (!ret)
        return XMPP_ERR_INVAL;
    (void)pthread_once(&fork_once, watch_forks); /* fails only for a bad argument */
    loop = mem_zalloc(sizeof *loop);
    if (!loop)
        return XMPP_ERR_NOMEM;

    object_init(&loop->object);
    loop->owner.is_current = owner_is_current;
    loop->owner.defer = post_defer;
    atomic_init(&loop->thread, pthread_self());
    atomic_init(&loop->entered, false);
    atomic_init(&loop->quit, false);
    atomic_init(&loop->fd_given, false);
    loop->fork_count = atomic_load_explicit(&forks, memory_order_relaxed);
    list_init(&loop->ready);
    list_init(&loop->tasks);
    list_init(&loop->floating);
    list_init(&loop->floating_io);
    heap_init(&loop->timers);
    loop->armed_us = UINT64_MAX;
    log_init(&loop->log);
    loop->epoll_fd = loop->timer_fd = loop->event_fd = -1;

    r = post_init(loop);
    if (r < 0) {
        mem_free(loop);
        return r;
    }
    r = open_descriptors(loop);
    if (r < 0) {
        loop_destroy(loop);
        return r;
    }
    *ret = loop;
    return XMPP_OK;
}

xmpp_loop *xmpp_loop_ref(xmpp_loop *loop)
{
    if (loop)
        object_ref(&loop->object);
    return loop;
}

xmpp_loop *xmpp_loop_unref(xmpp_loop *loop)
{
    if (!loop)
        return NULL;
    /* What another thread let go of may hold the loop, and perhaps nobody dispatches any more. */
    if (!loop_is_forked(loop) && !atomic_load(&loop->entered) && loop_is_current(loop))
        post_run_deferred(loop);
    if (object_unref(&loop->object))
        loop_destroy(loop);
    return NULL;
}

int xmpp_loop_set_log(xmpp_loop *loop, int max_level, xmpp_log_fn fn, void *user_data,
                      xmpp_destroy_fn destroy)
{
    struct log old;
    int r;

    r = net_check(loop);
    if (r < 0)
        return r;
    if (max_level < 0 || max_level > XMPP_LOG_WIRE)
        return XMPP_ERR_INVAL;

    old = loop->log;
    loop->log.max_level = fn ? max_level : 0;
    loop->log.fn = fn;
    loop->log.user_data = user_data;
    loop->log.destroy = destroy;
    log_clear(&old);
    return XMPP_OK;
}

/* --- descriptors --- */

void loop_watch_init(struct loop_watch *watch,
                     void (*fn)(struct loop_watch *watch, uint32_t events))
{
    list_init(&watch->link);
    watch->fd = -1;
    watch->events = 0;
    watch->ready = 0;
    watch->fn = fn;
}

int loop_watch_set(xmpp_loop *loop, struct loop_watch *watch, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    int op = watch->fd < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

    if (events == 0) {
        /* an error would be reported without being asked for, again and again */
        loop_watch_clear(loop, watch);
        return XMPP_OK;
    }
    if (watch->fd == fd && watch->events == events)
        return XMPP_OK;
    if (loop_is_forked(loop)) {
        errno = EBADF;
        return XMPP_ERR_SYSTEM;
    }
    if (epoll_ctl(loop->epoll_fd, op, fd, &event) < 0)
        return XMPP_ERR_SYSTEM;
    watch->fd = fd;
    watch->events = events;
    return XMPP_OK;
}

void loop_watch_clear(xmpp_loop *loop, struct loop_watch *watch)
{
    if (watch->fd >= 0 && !loop_is_forked(loop))
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL); /* it is in the set */
    list_remove(&watch->link);
    watch->fd = -1;
    watch->events = 0;
    watch->ready = 0;
}

/* --- a turn --- */

/* Work of the loop's own thread, which no event tells of. */
static bool has_work(const xmpp_loop *loop)
{
    return !list_is_empty(&loop->ready) || !list_is_empty(&loop->tasks) || post_is_pending(loop);
}

/* run, step and dispatch look for work themselves. Only who waits on the descriptor from outside must be told, and
 * nobody can who does not have it. During a turn nobody waits; its end tells. */
void loop_tell(xmpp_loop *loop)
{
    if (loop->dispatching || !atomic_load(&loop->fd_given))
        return;
    if (has_work(loop))
        post_wake(loop);
    timer_arm(loop);
}

/* epoll_wait() counts in milliseconds: the fraction is waited for before. */
static bool wait_fraction(const xmpp_loop *loop, int64_t wait_us)
{
    struct pollfd poll_fd = {.fd = loop->epoll_fd, .events = POLLIN};
    struct timespec wait = {.tv_nsec = (long)wait_us * 1000};

    return ppoll(&poll_fd, 1, &wait, NULL) != 0;
}

/* Waits, and notes what is ready; max_wait_us -1: no limit. Returns how many events there were. */
static int wait_events(xmpp_loop *loop, int64_t max_wait_us)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int64_t wait_ms = max_wait_us < 0 ? -1 : max_wait_us / 1000;
    int count;

    if (max_wait_us > 0 && max_wait_us % 1000 > 0 && wait_fraction(loop, max_wait_us % 1000))
        wait_ms = 0;
    count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_TURN,
                       wait_ms < INT_MAX ? (int)wait_ms : INT_MAX);

    if (count < 0)
        return errno == EINTR ? 0 : XMPP_ERR_SYSTEM;
    for (int i = 0; i < count; i++) {
        struct loop_watch *watch = events[i].data.ptr;

        if (events[i].data.ptr == loop)
            post_take(loop);
        if (!watch || events[i].data.ptr == loop)
            continue; /* timers are looked at in every turn */
        watch->ready |= events[i].events;
        if (!list_is_linked(&watch->link))
            list_append(&loop->ready, &watch->link);
    }
    return count;
}

static int run_ready(xmpp_loop *loop)
{
    int done = 0;

    while (!list_is_empty(&loop->ready)) {
        struct loop_watch *watch = CONTAINER_OF(loop->ready.next, struct loop_watch, link);
        uint32_t events = watch->ready & (watch->events | EPOLLERR | EPOLLHUP);

        list_remove(&watch->link);
        watch->ready = 0;
        if (events == 0)
            continue; /* left over from the last turn, not wanted any more */
        watch->fn(watch, events);
        done++;
        if (!net_has_time(loop))
            break;
    }
    return done;
}

static int run_tasks(xmpp_loop *loop)
{
    int done = 0;

    while (!list_is_empty(&loop->tasks)) {
        struct net_task *task = CONTAINER_OF(loop->tasks.next, struct net_task, link);

        list_remove(&task->link);
        task->fn(task);
        done++;
        if (!net_has_time(loop))
            break;
    }
    return done;
}

/* Each kind of work gets at least one piece done, so that none starves; time is looked at after every piece. */
static int run_turn(xmpp_loop *loop)
{
    int done = 0;

    loop->now_us = loop_clock_us();
    loop->turn_end_us = loop->now_us + LIMIT_TURN_US;
    loop->dispatching = true;
    done += run_ready(loop);
    done += post_run(loop);
    done += timer_run(loop);
    done += run_tasks(loop);
    loop->dispatching = false;
    loop_tell(loop);
    return loop_is_forked(loop) ? XMPP_ERR_THREAD : done;
}

/* On success the loop has one more reference, so that callbacks may drop the others. */
static int enter(xmpp_loop *loop)
{
    bool entered = false;

    if (!loop)
        return XMPP_ERR_INVAL;
    if (loop_is_forked(loop))
        return XMPP_ERR_THREAD;
    if (!atomic_compare_exchange_strong(&loop->entered, &entered, true))
        return loop_is_current(loop) ? XMPP_ERR_BUSY : XMPP_ERR_THREAD;
    atomic_store_explicit(&loop->thread, pthread_self(), memory_order_relaxed);
    xmpp_loop_ref(loop);
    return XMPP_OK;
}

static void leave(xmpp_loop *loop)
{
    atomic_store(&loop->entered, false);
    xmpp_loop_unref(loop);
}

int xmpp_loop_dispatch(xmpp_loop *loop)
{
    int r;

    r = enter(loop);
    if (r < 0)
        return r;
    r = wait_events(loop, 0);
    if (r >= 0)
        r = run_turn(loop);
    leave(loop);
    return r;
}

static int wait_and_turn(xmpp_loop *loop, int64_t max_wait_us)
{
    bool working = has_work(loop);
    int r;

    timer_arm(loop);
    r = wait_events(loop, working ? 0 : max_wait_us);
    return r > 0 || (r == 0 && working) ? run_turn(loop) : r;
}

int xmpp_loop_step(xmpp_loop *loop, int64_t max_wait_us)
{
    int r;

    if (max_wait_us < -1)
        return XMPP_ERR_INVAL;
    r = enter(loop);
    if (r < 0)
        return r;
    r = wait_and_turn(loop, max_wait_us);
    leave(loop);
    return r;
}

int xmpp_loop_run(xmpp_loop *loop)
{
    int r;

    r = enter(loop);
    if (r < 0)
        return r;
    while (r >= 0 && !atomic_exchange(&loop->quit, false))
        r = wait_and_turn(loop, -1);
    leave(loop);
    return r < 0 ? r : XMPP_OK;
}

/* Only an atomic and a write: safe in a signal handler too. */
int xmpp_loop_quit(xmpp_loop *loop)
{
    static const uint64_t one = 1;
    int saved_errno = errno;

    if (!loop)
        return XMPP_ERR_INVAL;
    if (loop_is_forked(loop))
        return XMPP_ERR_THREAD;
    atomic_store(&loop->quit, true);
    if (write(loop->event_fd, &one, sizeof one) < 0)
        errno = saved_errno; /* that would take 2^64 writes */
    return XMPP_OK;
}

/* What was left untold until now is told. Another thread cannot look whether there is anything: one dispatch that
 * finds nothing is no harm. */
static void hand_out(xmpp_loop *loop)
{
    if (atomic_exchange(&loop->fd_given, true))
        return;
    if (loop_is_current(loop))
        loop_tell(loop);
    else
        post_wake(loop);
}

int xmpp_loop_get_fd(const xmpp_loop *loop)
{
    if (!loop)
        return XMPP_ERR_INVAL;
    if (loop_is_forked(loop))
        return XMPP_ERR_THREAD;
    hand_out((xmpp_loop *)(uintptr_t)loop);
    return loop->epoll_fd;
}

uint64_t xmpp_loop_get_time(const xmpp_loop *loop)
{
    return loop ? net_now(loop) : 0;
}

/* --- for the layers above --- */

struct owner *net_owner(xmpp_loop *loop)
{
    return &loop->owner;
}

const struct log *net_log(const xmpp_loop *loop)
{
    return &loop->log;
}

uint64_t net_now(const xmpp_loop *loop)
{
    return loop->dispatching ? loop->now_us : loop_clock_us();
}

bool net_is_dispatching(const xmpp_loop *loop)
{
    return loop->dispatching;
}

void net_task_init(struct net_task *task, void (*fn)(struct net_task *task))
{
    list_init(&task->link);
    task->fn = fn;
}

void net_task_schedule(xmpp_loop *loop, struct net_task *task)
{
    if (list_is_linked(&task->link))
        return;
    list_append(&loop->tasks, &task->link);
    loop_tell(loop);
}

void net_task_cancel(xmpp_loop *loop, struct net_task *task)
{
    (void)loop;
    list_remove(&task->link);
}
