#include "base/mem.h"
#include "base/slot.h"
#include "net/loop.h"

#include <sys/epoll.h>

/* A descriptor of the application in the loop's set. */
struct io_slot {
    xmpp_slot slot;
    struct loop_watch watch;
    struct list link; /* in the loop's list of floating ones */
    xmpp_loop *loop; /* a reference, unless floating */
    bool floating;
    int fd; /* never closed here: it is the application's */
    xmpp_io_fn fn;
};

static void io_slot_cancel(xmpp_slot *slot)
{
    struct io_slot *io = CONTAINER_OF(slot, struct io_slot, slot);

    loop_watch_clear(io->loop, &io->watch);
}

static void io_slot_free(xmpp_slot *slot)
{
    struct io_slot *io = CONTAINER_OF(slot, struct io_slot, slot);
    xmpp_loop *loop = io->loop;
    bool floating = io->floating;

    list_remove(&io->link);
    mem_free(io);
    if (!floating)
        xmpp_loop_unref(loop);
}

static const struct slot_ops io_ops = {.cancel = io_slot_cancel, .free = io_slot_free};

static uint32_t to_epoll(int events)
{
    return (events & XMPP_IO_READ ? (uint32_t)EPOLLIN : 0) |
           (events & XMPP_IO_WRITE ? (uint32_t)EPOLLOUT : 0);
}

static bool is_valid(int events)
{
    return (events & ~(XMPP_IO_READ | XMPP_IO_WRITE)) == 0;
}

/* After a hang-up or an error reading and writing do not block either: whoever waits for them learns it from there. */
static void io_slot_ready(struct loop_watch *watch, uint32_t ready)
{
    struct io_slot *io = CONTAINER_OF(watch, struct io_slot, watch);
    int events = (ready & EPOLLIN ? XMPP_IO_READ : 0) | (ready & EPOLLOUT ? XMPP_IO_WRITE : 0);

    if (ready & (EPOLLERR | EPOLLHUP))
        events |= XMPP_IO_HANGUP | (watch->events & EPOLLIN ? XMPP_IO_READ : 0) |
                  (watch->events & EPOLLOUT ? XMPP_IO_WRITE : 0);
    slot_hold(&io->slot);
    io->fn(io->loop, io->fd, events, io->slot.user_data);
    slot_release(&io->slot);
}

void io_clear_floating(xmpp_loop *loop)
{
    while (!list_is_empty(&loop->floating_io)) {
        struct io_slot *io = CONTAINER_OF(loop->floating_io.next, struct io_slot, link);

        loop_watch_clear(loop, &io->watch);
        slot_retire(&io->slot);
    }
}

int xmpp_loop_add_io(xmpp_loop *loop, xmpp_slot **ret_slot, int fd, int events, xmpp_io_fn fn,
                     void *user_data, xmpp_destroy_fn destroy)
{
    struct io_slot *io;
    int r;

    r = net_check(loop);
    if (r < 0)
        return r;
    if (!fn || fd < 0 || events == 0 || !is_valid(events))
        return XMPP_ERR_INVAL;
    io = mem_zalloc(sizeof *io);
    if (!io)
        return XMPP_ERR_NOMEM;
    loop_watch_init(&io->watch, io_slot_ready);
    r = loop_watch_set(loop, &io->watch, fd, to_epoll(events));
    if (r < 0) {
        mem_free(io);
        return r;
    }

    io->fd = fd;
    io->fn = fn;
    io->loop = loop;
    io->floating = !ret_slot;
    list_init(&io->link);
    if (io->floating)
        list_append(&loop->floating_io, &io->link);
    else
        xmpp_loop_ref(loop);
    slot_init(&io->slot, &io_ops, &loop->owner, user_data, destroy, ret_slot != NULL);
    if (ret_slot)
        *ret_slot = &io->slot;
    return XMPP_OK;
}

int xmpp_loop_set_io_events(xmpp_loop *loop, xmpp_slot *slot, int events)
{
    struct io_slot *io;
    int r;

    r = net_check(loop);
    if (r < 0)
        return r;
    if (!slot || slot->ops != &io_ops || !is_valid(events))
        return XMPP_ERR_INVAL;
    io = CONTAINER_OF(slot, struct io_slot, slot);
    if (io->loop != loop)
        return XMPP_ERR_INVAL;
    if (!slot->active)
        return XMPP_ERR_STATE;
    return loop_watch_set(loop, &io->watch, io->fd, to_epoll(events));
}
