#ifndef NET_NET_H
#define NET_NET_H

#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "base/object.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xmpp/error.h>
#include <xmpp/loop.h>

/* The only way from the layers above to sockets, clocks and name servers. tests/fake/ implements the same.
 * All callbacks come from inside a dispatch and never from inside one of these calls. Everything may be freed
 * in any callback. */

struct owner *net_owner(xmpp_loop *loop); /* for bound_init(); the holder keeps a loop reference */
/* May the caller use what belongs to the loop? XMPP_ERR_INVAL: no loop; XMPP_ERR_THREAD: after fork(), in debug builds
 * also the wrong thread */
int net_check(const xmpp_loop *loop);
const struct log *net_log(const xmpp_loop *loop); /* never NULL */
uint64_t
net_now(const xmpp_loop *loop); /* CLOCK_MONOTONIC in us, read once per turn, or now outside */
bool net_is_dispatching(const xmpp_loop *loop); /* for XMPP_ERR_BUSY */
bool net_has_time(const xmpp_loop *loop); /* may this turn go on? */

/* --- timers --- */
struct net_timer {
    struct heap_node node;
    void (*fn)(struct net_timer *timer);
};
void net_timer_init(struct net_timer *timer, void (*fn)(struct net_timer *timer));
int net_timer_set(xmpp_loop *loop, struct net_timer *timer,
                  uint64_t at_us); /* once; moves a set one */
void net_timer_clear(xmpp_loop *loop, struct net_timer *timer);

/* --- tasks: run once, soon, in order. From inside a dispatch: at the end of this turn (in the same dispatch, as
 * long as its time of LIMIT_TURN_US lasts); from outside: in the next dispatch, and the descriptor becomes
 * readable. Takes no memory; scheduling a task that is scheduled already has no effect. --- */
struct net_task {
    struct list link;
    void (*fn)(struct net_task *task);
};
void net_task_init(struct net_task *task, void (*fn)(struct net_task *task));
void net_task_schedule(xmpp_loop *loop, struct net_task *task);
void net_task_cancel(xmpp_loop *loop, struct net_task *task);

/* --- SRV records --- */
struct net_srv {
    char *host; /* "": the service is decidedly not offered (target ".") */
    uint16_t port;
    uint16_t priority;
    uint16_t weight;
};
struct net_srv_query;
/* records: in wire order, borrowed; error NULL: answered (count 0: no such records, NXDOMAIN or NODATA);
 * else XMPP_ERR_DNS: SERVFAIL, time-out, ... The query is gone when fn returns. */
typedef void (*net_srv_fn)(void *user_data, const struct net_srv *records, size_t count,
                           const xmpp_error *error);
int net_srv_start(xmpp_loop *loop, struct net_srv_query **ret, const char *name, net_srv_fn fn,
                  void *user_data);
void net_srv_cancel(struct net_srv_query *query); /* fn does not run any more */

/* --- racing connects (RFC 8305 within a priority group, then the next group) --- */
struct net_target {
    const char *host; /* A-label name or address literal without brackets */
    uint16_t port;
    int group; /* targets of one SRV priority; groups are tried in order */
    int tag; /* the caller's: returned with the connection */
};
struct net_tcp;
struct net_race;
struct net_race_ops {
    /* a socket is connected; it belongs to the callee now. target: index; address: "127.0.0.1:5222".
     * The race pauses: net_race_resume() goes on with what is left. */
    void (*connected)(void *user_data, struct net_tcp *tcp, size_t target, const char *address);
    /* one candidate failed: a name that does not resolve (address NULL), a refused or timed-out connect */
    void (*attempt_failed)(void *user_data, size_t target, const char *address,
                           const xmpp_error *error);
    /* nothing is left */
    void (*exhausted)(void *user_data);
};
/* targets are copied; they are already in the order of RFC 2782 */
int net_race_start(xmpp_loop *loop, struct net_race **ret, const struct net_target *targets,
                   size_t count, const struct net_race_ops *ops, void *user_data);
int net_race_resume(struct net_race *race);
/* Time is up: what was asked and not answered yet is told by attempt_failed, which must leave the race alone. */
void net_race_report_open(struct net_race *race);
void net_race_free(struct net_race *race); /* NULL ok; closes what is being connected */

/* --- a connected socket --- */
struct net_tcp_ops {
    void (*readable)(void *user_data);
    void (*writable)(void *user_data); /* only while net_tcp_want_write() */
};
void net_tcp_set_ops(struct net_tcp *tcp, const struct net_tcp_ops *ops, void *user_data);
/* *ret_len 0 with XMPP_OK: nothing there now. XMPP_ERR_CLOSED: end of file. XMPP_ERR_SYSTEM: *ret_errno */
int net_tcp_read(struct net_tcp *tcp, void *buf, size_t size, size_t *ret_len, int *ret_errno);
/* *ret_len may be less than len, 0 too: the socket is full */
int net_tcp_write(struct net_tcp *tcp, const void *data, size_t len, size_t *ret_len,
                  int *ret_errno);
int net_tcp_want_read(struct net_tcp *tcp, bool on); /* on by default after net_tcp_set_ops() */
int net_tcp_want_write(struct net_tcp *tcp, bool on);
void net_tcp_shutdown(struct net_tcp *tcp); /* FIN: no more output */
void net_tcp_close(struct net_tcp *tcp); /* frees; NULL ok */
bool net_tcp_is_loopback(const struct net_tcp *tcp); /* the peer's address */

#endif
