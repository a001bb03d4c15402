#include "base/slot.h"

#include <xmpp/error.h>

#include "base/mem.h"

/* What is left of the slot's life once nothing holds it. destroy may drop the last handle, hence the hold. */
static void slot_settle(xmpp_slot *slot)
{
    if (slot->holds > 0)
        return;
    if (slot->destroy) {
        xmpp_destroy_fn destroy = STEAL(slot->destroy);

        slot->holds++;
        destroy(slot->user_data);
        slot->holds--;
    }
    if (slot->orphan)
        slot->ops->free(slot);
}

static void slot_stop(xmpp_slot *slot)
{
    if (!slot->active)
        return;
    slot->active = false;
    slot->ops->cancel(slot);
    slot_release(slot);
}

/* The last handle is gone; in the loop's thread. */
static void slot_abandon(struct bound *bound)
{
    xmpp_slot *slot = CONTAINER_OF(bound, xmpp_slot, bound);

    slot_hold(slot);
    slot->orphan = true;
    slot_stop(slot);
    slot_release(slot);
}

void slot_init(xmpp_slot *slot, const struct slot_ops *ops, struct owner *owner, void *user_data,
               xmpp_destroy_fn destroy, bool with_handle)
{
    bound_init(&slot->bound, owner, slot_abandon);
    slot->ops = ops;
    slot->user_data = user_data;
    slot->destroy = destroy;
    slot->holds = 1;
    slot->active = true;
    slot->orphan = !with_handle;
}

void slot_hold(xmpp_slot *slot)
{
    slot->holds++;
}

void slot_release(xmpp_slot *slot)
{
    slot->holds--;
    slot_settle(slot);
}

void slot_retire(xmpp_slot *slot)
{
    if (!slot->active)
        return;
    slot->active = false;
    slot_release(slot);
}

xmpp_slot *xmpp_slot_ref(xmpp_slot *slot)
{
    if (slot)
        bound_ref(&slot->bound);
    return slot;
}

xmpp_slot *xmpp_slot_unref(xmpp_slot *slot)
{
    if (slot)
        bound_unref(&slot->bound);
    return NULL;
}

static int check(const xmpp_slot *slot)
{
    return slot ? bound_check(&slot->bound) : XMPP_ERR_INVAL;
}

/* What the functions for handlers ask, which change a registration. */
static int check_active(const xmpp_slot *slot)
{
    int r = check(slot);

    return r == XMPP_OK && !slot->active ? XMPP_ERR_STATE : r;
}

int xmpp_slot_cancel(xmpp_slot *slot)
{
    int r = check(slot);
    if (r == XMPP_OK)
        slot_stop(slot);
    return r;
}

int xmpp_slot_is_active(const xmpp_slot *slot)
{
    return slot && slot->active;
}

int xmpp_slot_match_type(xmpp_slot *slot, const char *type)
{
    if (!slot || !type || !slot->ops->match_type)
        return XMPP_ERR_INVAL;
    int r = check_active(slot);
    return r < 0 ? r : slot->ops->match_type(slot, type);
}

int xmpp_slot_match_from(xmpp_slot *slot, const xmpp_jid *jid, int bare)
{
    if (!slot || !jid || !slot->ops->match_from)
        return XMPP_ERR_INVAL;
    int r = check_active(slot);
    return r < 0 ? r : slot->ops->match_from(slot, jid, bare);
}

int xmpp_slot_match_id(xmpp_slot *slot, const char *id)
{
    if (!slot || !id || !slot->ops->match_id)
        return XMPP_ERR_INVAL;
    int r = check_active(slot);
    return r < 0 ? r : slot->ops->match_id(slot, id);
}

int xmpp_slot_set_priority(xmpp_slot *slot, int priority)
{
    if (!slot || !slot->ops->set_priority)
        return XMPP_ERR_INVAL;
    int r = check_active(slot);
    return r < 0 ? r : slot->ops->set_priority(slot, priority);
}
