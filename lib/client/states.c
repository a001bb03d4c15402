#include "client/states.h"

#include "base/mem.h"
#include "base/slot.h"
#include "client/client.h"

struct notice {
    struct list link;
    int old_state;
    int new_state;
    xmpp_error *error;
};

struct state_slot {
    xmpp_slot slot; /* first member */
    xmpp_loop *loop; /* reference: the slot may outlive the client */
    struct list link;
    uint64_t age; /* the list is sorted by it */
    xmpp_state_fn fn;
};

static struct state_slot *slot_of(struct list *link)
{
    return CONTAINER_OF(link, struct state_slot, link);
}

static void state_slot_cancel(xmpp_slot *slot)
{
    list_remove(&CONTAINER_OF(slot, struct state_slot, slot)->link);
}

static void state_slot_free(xmpp_slot *slot)
{
    struct state_slot *state_slot = CONTAINER_OF(slot, struct state_slot, slot);
    xmpp_loop *loop = state_slot->loop;

    mem_free(state_slot);
    xmpp_loop_unref(loop);
}

static const struct slot_ops state_slot_ops = {
    .cancel = state_slot_cancel,
    .free = state_slot_free,
};

int xmpp_client_on_state(xmpp_client *client, xmpp_slot **ret_slot, xmpp_state_fn fn,
                         void *user_data, xmpp_destroy_fn destroy)
{
    if (!fn)
        return XMPP_ERR_INVAL;
    int r = client_check(client);
    if (r < 0)
        return r;

    struct state_slot *slot = mem_zalloc(sizeof *slot);
    if (!slot)
        return XMPP_ERR_NOMEM;
    slot_init(&slot->slot, &state_slot_ops, net_owner(client->loop), user_data, destroy,
              ret_slot != NULL);
    slot->loop = xmpp_loop_ref(client->loop);
    slot->fn = fn;
    slot->age = client->slot_age++;
    list_append(&client->state_slots, &slot->link);
    if (ret_slot)
        *ret_slot = &slot->slot;
    return XMPP_OK;
}

/* The next slot that existed when the telling began. The current one may have left the list meanwhile. */
static struct state_slot *next_slot(xmpp_client *client, uint64_t from_age, uint64_t end_age)
{
    for (struct list *link = client->state_slots.next; link != &client->state_slots;
         link = link->next)
        if (slot_of(link)->age >= from_age)
            return slot_of(link)->age < end_age ? slot_of(link) : NULL;
    return NULL;
}

static void tell(xmpp_client *client, const struct notice *notice)
{
    uint64_t end_age = client->slot_age;
    struct state_slot *slot = next_slot(client, 0, end_age);

    while (slot) {
        uint64_t age = slot->age;

        slot_hold(&slot->slot);
        slot->fn(client, notice->old_state, notice->new_state, notice->error, slot->slot.user_data);
        slot_release(&slot->slot);
        if (client_is_abandoned(client))
            return;
        slot = next_slot(client, age + 1, end_age);
    }
}

struct notice *states_unreserve(struct notice *notice)
{
    if (!notice)
        return NULL;
    xmpp_error_unref(notice->error);
    mem_free(notice);
    return NULL;
}

/* What the functions that run here add is told in the next round: a task is not a loop of its own. */
static void notify(struct net_task *task)
{
    xmpp_client *client = CONTAINER_OF(task, xmpp_client, notify);
    struct list *last = client->notices.prev;
    bool more = !list_is_empty(&client->notices);

    client_hold(client);
    while (more && !client_is_abandoned(client)) {
        struct list *link = client->notices.next;
        struct notice *notice = CONTAINER_OF(link, struct notice, link);

        more = link != last;
        list_remove(link);
        if (notice->new_state == XMPP_STATE_IDLE)
            requests_fail(client, notice->error);
        if (!client_is_abandoned(client))
            tell(client, notice);
        states_unreserve(notice);
    }
    if (!list_is_empty(&client->notices))
        net_task_schedule(client->loop, &client->notify);
    client_release(client);
}

void states_init(xmpp_client *client)
{
    client->state = XMPP_STATE_IDLE;
    list_init(&client->state_slots);
    list_init(&client->notices);
    net_task_init(&client->notify, notify);
}

void states_clear(xmpp_client *client)
{
    net_task_cancel(client->loop, &client->notify);
    while (!list_is_empty(&client->notices)) {
        struct list *link = client->notices.next;
        list_remove(link);
        states_unreserve(CONTAINER_OF(link, struct notice, link));
    }
    while (!list_is_empty(&client->state_slots)) {
        struct state_slot *slot = slot_of(client->state_slots.next);
        list_remove(&slot->link);
        slot_retire(&slot->slot);
    }
}

int states_reserve(struct notice **ret)
{
    struct notice *notice = mem_zalloc(sizeof *notice);

    if (!notice)
        return XMPP_ERR_NOMEM;
    list_init(&notice->link);
    *ret = notice;
    return XMPP_OK;
}

static int phase_stat(int state)
{
    switch (state) {
    case XMPP_STATE_RESOLVING:
        return XMPP_STAT_RESOLVING_US;
    case XMPP_STATE_CONNECTING:
        return XMPP_STAT_CONNECTING_US;
    case XMPP_STATE_SECURING:
        return XMPP_STAT_SECURING_US;
    case XMPP_STATE_AUTHENTICATING:
        return XMPP_STAT_AUTHENTICATING_US;
    case XMPP_STATE_BINDING:
        return XMPP_STAT_BINDING_US;
    default:
        return 0;
    }
}

/* The time of the phase that goes on is added when it is asked for, too. */
uint64_t states_get_phase_us(const xmpp_client *client, int stat)
{
    uint64_t us = client->stats[stat];

    if (phase_stat(client->state) == stat)
        us += net_now(client->loop) - client->phase_at;
    return us;
}

static void change(xmpp_client *client, int state, struct notice *notice)
{
    uint64_t now = net_now(client->loop);
    int stat = phase_stat(client->state);

    if (stat)
        client->stats[stat] += now - client->phase_at;
    if (state == XMPP_STATE_READY)
        client->stats[XMPP_STAT_LOGIN_US] = now - client->connect_at;
    client->phase_at = now;
    notice->old_state = client->state;
    notice->new_state = state;
    client->state = state;
    list_append(&client->notices, &notice->link);
    net_task_schedule(client->loop, &client->notify);
}

int states_set(xmpp_client *client, int state)
{
    struct notice *notice;

    if (client->state == state)
        return XMPP_OK;
    int r = states_reserve(&notice);
    if (r < 0)
        return r;
    change(client, state, notice);
    return XMPP_OK;
}

void states_end(xmpp_client *client, struct notice *notice, xmpp_error *error)
{
    notice->error = error;
    change(client, XMPP_STATE_IDLE, notice);
}
