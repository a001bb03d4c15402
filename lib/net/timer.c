#include "base/mem.h"
#include "base/slot.h"
#include "net/loop.h"

#include <sys/timerfd.h>
#include <time.h>

#define FARTHEST_S INT32_MAX /* fits any time_t; more than a machine runs */

struct timer_slot {
    xmpp_slot slot;
    struct net_timer timer;
    struct list link; /* in the loop's list of floating ones */
    xmpp_loop *loop; /* a reference, unless floating */
    bool floating;
    uint64_t interval_us;
    xmpp_task_fn fn;
};

/* --- the timerfd --- */

void timer_arm(xmpp_loop *loop)
{
    const struct heap_node *first = heap_first(&loop->timers);
    uint64_t at_us = first ? first->at : UINT64_MAX;
    struct itimerspec spec = {0};

    /* setting also takes back that the descriptor is readable */
    if (at_us == loop->armed_us || loop_is_forked(loop))
        return;
    if (first) {
        uint64_t at_s = at_us / 1000000u;

        spec.it_value.tv_sec = (time_t)(at_s < FARTHEST_S ? at_s : FARTHEST_S);
        spec.it_value.tv_nsec = (long)(at_us % 1000000u) * 1000;
        if (at_us == 0)
            spec.it_value.tv_nsec = 1; /* zero would switch it off */
    }
    (void)timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL); /* the value is valid */
    loop->armed_us = at_us;
}

/* --- for the layers above --- */

void net_timer_init(struct net_timer *timer, void (*fn)(struct net_timer *timer))
{
    heap_node_init(&timer->node);
    timer->fn = fn;
}

int net_timer_set(xmpp_loop *loop, struct net_timer *timer, uint64_t at_us)
{
    int r;

    /* what is due at once runs in the next turn: a timer that sets itself again must not hold up this one */
    if (loop->dispatching && at_us <= loop->now_us)
        at_us = loop->now_us + 1;
    r = heap_set(&loop->timers, &timer->node, at_us);
    if (r < 0)
        return r;
    loop_tell(loop);
    return XMPP_OK;
}

void net_timer_clear(xmpp_loop *loop, struct net_timer *timer)
{
    heap_remove(&loop->timers, &timer->node);
    loop_tell(loop);
}

/* --- slots --- */

static void slot_timer_cancel(xmpp_slot *slot)
{
    struct timer_slot *timer = CONTAINER_OF(slot, struct timer_slot, slot);

    net_timer_clear(timer->loop, &timer->timer);
}

static void slot_timer_free(xmpp_slot *slot)
{
    struct timer_slot *timer = CONTAINER_OF(slot, struct timer_slot, slot);
    xmpp_loop *loop = timer->loop;
    bool floating = timer->floating;

    list_remove(&timer->link);
    mem_free(timer);
    if (!floating)
        xmpp_loop_unref(loop);
}

static const struct slot_ops timer_ops = {.cancel = slot_timer_cancel, .free = slot_timer_free};

/* The next time on the grid of first + n * interval that is still to come: lateness does not pile up. */
static uint64_t next_time(uint64_t at_us, uint64_t interval_us, uint64_t now_us)
{
    uint64_t late_us = now_us > at_us ? (now_us - at_us) % interval_us : 0;

    return time_add(now_us > at_us ? now_us - late_us : at_us, interval_us);
}

static void slot_timer_fire(struct net_timer *timer)
{
    struct timer_slot *self = CONTAINER_OF(timer, struct timer_slot, timer);
    xmpp_loop *loop = self->loop;

    slot_hold(&self->slot);
    if (self->interval_us > 0) {
        uint64_t at_us = next_time(timer->node.at, self->interval_us, loop->now_us);

        (void)heap_set(&loop->timers, &timer->node, at_us); /* it is in: moving cannot fail */
    } else {
        heap_remove(&loop->timers, &timer->node);
        slot_retire(&self->slot);
    }
    self->fn(loop, self->slot.user_data);
    slot_release(&self->slot);
}

int timer_run(xmpp_loop *loop)
{
    struct heap_node *node;
    int done = 0;

    while ((node = heap_first(&loop->timers)) && node->at <= loop->now_us) {
        struct net_timer *timer = CONTAINER_OF(node, struct net_timer, node);

        /* an interval stays in the heap, where it can be moved without memory */
        if (timer->fn != slot_timer_fire)
            heap_remove(&loop->timers, node);
        timer->fn(timer);
        done++;
        if (!net_has_time(loop))
            break;
    }
    return done;
}

void timer_clear_floating(xmpp_loop *loop)
{
    while (!list_is_empty(&loop->floating)) {
        struct timer_slot *timer = CONTAINER_OF(loop->floating.next, struct timer_slot, link);

        heap_remove(&loop->timers, &timer->timer.node);
        slot_retire(&timer->slot);
    }
}

int xmpp_loop_add_timer(xmpp_loop *loop, xmpp_slot **ret_slot, uint64_t first_us,
                        uint64_t interval_us, xmpp_task_fn fn, void *user_data,
                        xmpp_destroy_fn destroy)
{
    struct timer_slot *timer;
    int r;

    r = net_check(loop);
    if (r < 0)
        return r;
    if (!fn)
        return XMPP_ERR_INVAL;
    timer = mem_zalloc(sizeof *timer);
    if (!timer)
        return XMPP_ERR_NOMEM;
    net_timer_init(&timer->timer, slot_timer_fire);
    r = net_timer_set(loop, &timer->timer, time_add(net_now(loop), first_us));
    if (r < 0) {
        mem_free(timer);
        return r;
    }

    timer->interval_us = interval_us;
    timer->fn = fn;
    timer->loop = loop;
    timer->floating = !ret_slot;
    list_init(&timer->link);
    if (timer->floating)
        list_append(&loop->floating, &timer->link);
    else
        xmpp_loop_ref(loop);
    slot_init(&timer->slot, &timer_ops, &loop->owner, user_data, destroy, ret_slot != NULL);
    if (ret_slot)
        *ret_slot = &timer->slot;
    return XMPP_OK;
}
