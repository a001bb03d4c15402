#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "base/object.h"
#include "net/net.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xmpp/loop.h>

/* One descriptor in the loop's epoll set, level-triggered. What epoll reported waits in the loop's list of ready
 * ones until its turn: who is forgotten meanwhile is taken out, so nothing is delivered for a closed socket. */
struct loop_watch {
    struct list link;
    int fd; /* -1: not in the set */
    uint32_t events; /* EPOLLIN, EPOLLOUT as wanted */
    uint32_t ready;
    void (*fn)(struct loop_watch *watch, uint32_t events);
};

/* net/post.c: what comes from other threads */
struct post_queue {
    pthread_mutex_t lock;
    struct list incoming; /* under the lock */
    struct owner_task *deferred; /* under the lock, oldest first */
    struct owner_task **deferred_end; /* under the lock */
    bool signalled; /* under the lock: the eventfd was written and that is not yet reported */
    struct list taken; /* of the turn: loop thread only */
    struct owner_task *taken_deferred;
    bool draining;
};

struct dns_server;

struct xmpp_loop {
    struct object object;
    struct owner owner;
    atomic_ulong thread; /* pthread_t of the owner */
    atomic_bool entered; /* somebody is in run, step or dispatch */
    atomic_bool quit;
    atomic_bool fd_given; /* somebody outside may wait on the descriptor */
    unsigned fork_count; /* of the process when the loop was made */
    int epoll_fd;
    int timer_fd;
    int event_fd;
    bool dispatching;
    uint64_t now_us; /* of this turn */
    uint64_t turn_end_us;
    struct list ready; /* struct loop_watch */
    struct list tasks; /* struct net_task */
    struct heap timers; /* struct net_timer */
    struct list floating; /* timer slots without a handle: they live as long as the loop */
    struct list floating_io; /* struct io_slot, likewise */
    uint64_t armed_us; /* what the timerfd holds; UINT64_MAX: nothing */
    struct post_queue posts;
    struct log log;
    struct dns_server *dns_servers; /* NULL: the system's */
    size_t dns_server_count;
};

/* --- loop.c --- */
void loop_watch_init(struct loop_watch *watch,
                     void (*fn)(struct loop_watch *watch, uint32_t events));
/* adds, changes, or (events 0) removes; on failure XMPP_ERR_SYSTEM with errno and nothing changed */
int loop_watch_set(xmpp_loop *loop, struct loop_watch *watch, int fd, uint32_t events);
void loop_watch_clear(xmpp_loop *loop, struct loop_watch *watch); /* before the fd is closed */
uint64_t loop_clock_us(void);
bool loop_is_forked(
    const xmpp_loop *loop); /* in the child: leave what is shared with the parent alone */
bool loop_is_current(const xmpp_loop *loop);

void loop_tell(xmpp_loop *loop); /* there is work, or the first timer is another */

/* --- post.c --- */
int post_init(xmpp_loop *loop);
void post_clear(xmpp_loop *loop);
void post_wake(xmpp_loop *loop); /* the descriptor becomes readable */
void post_take(xmpp_loop *loop); /* the eventfd was written */
int post_run(xmpp_loop *loop); /* how many ran */
bool post_is_pending(const xmpp_loop *loop); /* something was taken and has not run */
void post_run_deferred(xmpp_loop *loop); /* outside a turn */
void post_defer(struct owner *owner, struct owner_task *task);

/* --- io.c --- */
void io_clear_floating(xmpp_loop *loop);

/* --- timer.c --- */
int timer_run(xmpp_loop *loop); /* how many ran */
void timer_arm(xmpp_loop *loop); /* the timerfd gets the earliest deadline */
void timer_clear_floating(xmpp_loop *loop);

/* a + b, or the largest value */
static inline uint64_t time_add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

#endif
