#include "client/sendq.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/slot.h"
#include "client/client.h"
#include "xml/elem.h"

#include <xmpp/stream.h>

struct drain {
    xmpp_slot slot; /* first: slot_ops get it */
    struct list link; /* in sendq->drain_slots */
    xmpp_loop *loop; /* reference: the slot may outlive the client */
    size_t low_bytes;
    bool armed; /* the queue was full since the last call */
    bool due; /* is called in this round */
    xmpp_drain_fn fn;
};

/* A stanza from another thread, not yet in the engine. */
struct posted {
    struct list link;
    xmpp_elem *stanza;
    size_t bytes;
};

/* What waits in the loop for its thread. It does not keep the client alive: the client would keep the loop, and the
 * loop the ticket. Client and ticket meet in the loop's thread only. */
struct post_ticket {
    xmpp_client *client; /* NULL: it is gone */
};

static void on_turn(struct net_task *task);

int sendq_init(struct sendq *sendq)
{
    net_task_init(&sendq->turn, on_turn);
    list_init(&sendq->drain_slots);
    list_init(&sendq->posted);
    sendq->was_full = false;
    sendq->posted_bytes = 0;
    sendq->ticket = NULL;
    return pthread_mutex_init(&sendq->lock, NULL) == 0 ? XMPP_OK : XMPP_ERR_NOMEM;
}

static void posted_free(struct posted *posted)
{
    xmpp_elem_unref(posted->stanza);
    mem_free(posted);
}

static void free_all_posted(struct list *list)
{
    while (!list_is_empty(list)) {
        struct posted *posted = CONTAINER_OF(list->next, struct posted, link);
        list_remove(&posted->link);
        posted_free(posted);
    }
}

void sendq_clear(xmpp_client *client)
{
    struct sendq *sendq = &client->sendq;

    net_task_cancel(client->loop, &sendq->turn);
    while (!list_is_empty(&sendq->drain_slots)) {
        struct drain *drain = CONTAINER_OF(sendq->drain_slots.next, struct drain, link);
        list_remove(&drain->link);
        slot_retire(&drain->slot);
    }
    if (sendq->ticket)
        sendq->ticket->client = NULL;
    free_all_posted(&sendq->posted);
    pthread_mutex_destroy(&sendq->lock);
}

static void arm_drains(struct sendq *sendq)
{
    sendq->was_full = true;
    for (struct list *node = sendq->drain_slots.next; node != &sendq->drain_slots;
         node = node->next)
        CONTAINER_OF(node, struct drain, link)->armed = true;
}

int xmpp_client_send(xmpp_client *client, xmpp_elem *stanza)
{
    xmpp_stream *stream;
    int r;

    if (!stanza)
        return XMPP_ERR_INVAL;
    r = client_check(client);
    if (r < 0)
        return r;
    stream = client_get_stream(client);
    if (!stream)
        return XMPP_ERR_STATE;
    r = xmpp_stream_send(stream, stanza, net_now(client->loop));
    if (r == XMPP_ERR_LIMIT)
        arm_drains(&client->sendq);
    if (r < 0)
        return r;
    dispatch_note_sent(&client->dispatch, stanza);
    client_wake(client);
    return XMPP_OK;
}

size_t xmpp_client_get_queued_bytes(const xmpp_client *client)
{
    return client ? client_get_queued(client) : 0;
}

static void drain_cancel(xmpp_slot *slot)
{
    list_remove(&((struct drain *)slot)->link);
}

static void drain_free(xmpp_slot *slot)
{
    xmpp_loop *loop = ((struct drain *)slot)->loop;

    mem_free(slot);
    xmpp_loop_unref(loop);
}

static const struct slot_ops drain_ops = {.cancel = drain_cancel, .free = drain_free};

int xmpp_client_on_drain(xmpp_client *client, xmpp_slot **ret_slot, size_t low_bytes,
                         xmpp_drain_fn fn, void *user_data, xmpp_destroy_fn destroy)
{
    struct drain *drain;
    int r;

    if (!fn)
        return XMPP_ERR_INVAL;
    r = client_check(client);
    if (r < 0)
        return r;
    drain = mem_zalloc(sizeof *drain);
    if (!drain)
        return XMPP_ERR_NOMEM;
    drain->low_bytes = low_bytes;
    drain->fn = fn;
    drain->loop = xmpp_loop_ref(client->loop);
    drain->armed = client->sendq.was_full;
    slot_init(&drain->slot, &drain_ops, net_owner(client->loop), user_data, destroy,
              ret_slot != NULL);
    list_append(&client->sendq.drain_slots, &drain->link);
    if (ret_slot)
        *ret_slot = &drain->slot;
    return XMPP_OK;
}

static void mark_due(struct sendq *sendq, size_t queued_bytes)
{
    for (struct list *node = sendq->drain_slots.next; node != &sendq->drain_slots;
         node = node->next) {
        struct drain *drain = CONTAINER_OF(node, struct drain, link);
        drain->due = drain->armed && queued_bytes <= drain->low_bytes;
    }
}

static struct drain *find_due(struct sendq *sendq)
{
    for (struct list *node = sendq->drain_slots.next; node != &sendq->drain_slots;
         node = node->next) {
        struct drain *drain = CONTAINER_OF(node, struct drain, link);
        if (drain->due)
            return drain;
    }
    return NULL;
}

/* Takes the first posted stanza if the engine took it, or if it can never be sent. */
static bool send_first_posted(xmpp_client *client)
{
    struct sendq *sendq = &client->sendq;
    struct posted *posted = NULL;
    int r;

    pthread_mutex_lock(&sendq->lock);
    if (!list_is_empty(&sendq->posted))
        posted = CONTAINER_OF(sendq->posted.next, struct posted, link);
    pthread_mutex_unlock(&sendq->lock);
    if (!posted)
        return false;
    r = xmpp_client_send(client, posted->stanza);
    if (r == XMPP_ERR_LIMIT && client_get_queued(client) > 0)
        return false; /* waits for room; later ones stay behind it */
    if (r < 0)
        log_write(net_log(client->loop), XMPP_LOG_WARN, "client", "posted stanza dropped: %s",
                  xmpp_err_text(r));
    if (r == XMPP_ERR_NOMEM) /* who posted it has no other way to learn of it */
        client_fail(client, error_nomem());
    pthread_mutex_lock(&sendq->lock);
    list_remove(&posted->link);
    sendq->posted_bytes -= posted->bytes;
    pthread_mutex_unlock(&sendq->lock);
    posted_free(posted);
    return true;
}

/* Nobody knows how much other threads post: what finds no time in this turn goes on in another one. Each client has one
 * place among those who wait for a turn, so the task that was waiting is not needed any more. */
static void send_posted(xmpp_client *client)
{
    net_task_cancel(client->loop, &client->sendq.turn);
    while (send_first_posted(client))
        if (!net_has_time(client->loop)) {
            net_task_schedule(client->loop, &client->sendq.turn);
            return;
        }
}

void sendq_drained(xmpp_client *client)
{
    struct sendq *sendq = &client->sendq;
    struct drain *drain;

    if (client_get_queued(client) == 0)
        sendq->was_full = false;
    send_posted(client);
    /* A drain function may send, cancel, register: so the search begins anew each time. And it may fill the queue
     * again: then it is asked again when more has left, not here. */
    mark_due(sendq, client_get_queued(client));
    while (!client_is_abandoned(client) && (drain = find_due(sendq))) {
        drain->due = false;
        drain->armed = false;
        slot_hold(&drain->slot);
        drain->fn(client, drain->slot.user_data);
        slot_release(&drain->slot);
    }
}

static void on_turn(struct net_task *task)
{
    xmpp_client *client = CONTAINER_OF(task, xmpp_client, sendq.turn);

    /* one that lost its last reference in another thread is only waiting to be destroyed */
    if (!bound_try_ref(&client->bound))
        return;
    client_hold(client);
    send_posted(client);
    client_release(client);
    xmpp_client_unref(client);
}

static void on_posted(xmpp_loop *loop, void *user_data)
{
    const struct post_ticket *ticket = user_data;
    xmpp_client *client = ticket->client;

    (void)loop;
    if (!client)
        return;
    pthread_mutex_lock(&client->sendq.lock);
    client->sendq.ticket = NULL;
    pthread_mutex_unlock(&client->sendq.lock);
    net_task_schedule(client->loop, &client->sendq.turn);
}

static void ticket_free(void *user_data)
{
    mem_free(user_data);
}

static int schedule_posted(xmpp_client *client)
{
    struct post_ticket *ticket = mem_alloc(sizeof *ticket);
    int r;

    if (!ticket)
        return XMPP_ERR_NOMEM;
    ticket->client = client;
    r = xmpp_loop_post(client->loop, on_posted, ticket, ticket_free);
    if (r < 0) {
        mem_free(ticket);
        return r;
    }
    client->sendq.ticket = ticket;
    return XMPP_OK;
}

/* Under the lock. */
static int enqueue_posted(xmpp_client *client, struct posted *posted)
{
    struct sendq *sendq = &client->sendq;
    int r;

    /* One may always wait: whether it is too large is for the engine to say. */
    if (sendq->posted_bytes > 0 && (posted->bytes > sendq->max_bytes ||
                                    sendq->posted_bytes > sendq->max_bytes - posted->bytes))
        return XMPP_ERR_LIMIT;
    if (!sendq->ticket) {
        r = schedule_posted(client);
        if (r < 0)
            return r;
    }
    list_append(&sendq->posted, &posted->link);
    sendq->posted_bytes += posted->bytes;
    return XMPP_OK;
}

int xmpp_client_post(xmpp_client *client, xmpp_elem *stanza)
{
    struct posted *posted;
    int r;

    if (!client || !stanza || !xmpp_elem_get_kind(stanza))
        return XMPP_ERR_INVAL;
    r = xmpp_elem_seal(stanza);
    if (r < 0)
        return r;
    posted = mem_zalloc(sizeof *posted);
    if (!posted)
        return XMPP_ERR_NOMEM;
    posted->stanza = xmpp_elem_ref(stanza);
    posted->bytes = arena_get_size(stanza->tree->arena);
    pthread_mutex_lock(&client->sendq.lock);
    r = enqueue_posted(client, posted);
    pthread_mutex_unlock(&client->sendq.lock);
    if (r < 0)
        posted_free(posted);
    return r;
}
