#ifndef BASE_SLOT_H
#define BASE_SLOT_H

#include "base/object.h"

#include <xmpp/slot.h>

/* What every registration has in common. The registering layer embeds this as its first member.
 *
 * References: the holder of the handle has one, and so has the registry (the timer heap, the handler table)
 * while the slot is active. "The last unref unregisters" is meant for handles: a slot that was made with
 * ret_slot == NULL is floating, it lives until it is cancelled or its registry dies. A slot with a handle
 * whose last handle reference goes is cancelled, then freed; hence handles are counted apart. */
struct slot_ops {
    /* take it out of the registry; called at most once, in the loop's thread */
    void (*cancel)(xmpp_slot *slot);
    /* free the registration's own memory, when nothing refers to the slot any more */
    void (*free)(xmpp_slot *slot);
    /* stanza handlers only, else NULL: xmpp_slot_match_*() and set_priority answer XMPP_ERR_INVAL */
    int (*match_type)(xmpp_slot *slot, const char *type);
    int (*match_from)(xmpp_slot *slot, const xmpp_jid *jid, int bare);
    int (*match_id)(xmpp_slot *slot, const char *id);
    int (*set_priority)(xmpp_slot *slot, int priority);
};

struct xmpp_slot {
    struct bound bound; /* counts handles; its destroy cancels and drops the registry's hold */
    const struct slot_ops *ops;
    void *user_data;
    xmpp_destroy_fn destroy;
    unsigned holds; /* registry, running callback: loop thread only */
    bool active;
    bool orphan; /* no handle is left */
};

/* One hold (the registry's). with_handle: also one handle reference, for *ret_slot. */
void slot_init(xmpp_slot *slot, const struct slot_ops *ops, struct owner *owner, void *user_data,
               xmpp_destroy_fn destroy, bool with_handle);
/* Around every call of the slot's function: the slot cannot vanish under it. */
void slot_hold(xmpp_slot *slot);
/* Drops a hold. With the last hold gone and inactive, user_data's destroy runs (once); with no handle either,
 * ops->free. */
void slot_release(xmpp_slot *slot);
/* The registry is done with it (timer fired for the last time, request answered, client gone): becomes
 * inactive without ops->cancel being called, and the registry's hold is dropped. */
void slot_retire(xmpp_slot *slot);

#endif
