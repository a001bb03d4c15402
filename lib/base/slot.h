#ifndef BASE_SLOT_H
#define BASE_SLOT_H

#include "base/object.h"

#include <xmpp/slot.h>

/* What every registration has in common. The registering layer embeds this as its first member.
 *
 * Two counts: handles (references of the application, from any thread) and holds (the registry's - the timer
 * heap, the handler table - while the slot is active, and one for each running call; loop thread only). "The last
 * unref unregisters" is meant for handles: a slot that was made with ret_slot == NULL is floating, it lives until
 * its registry retires it. A slot whose last handle goes is cancelled, then freed.
 *
 * The end, always in the loop's thread: inactive, then (no hold left) user_data's destroy, then (no handle left
 * either) ops->free. destroy may do anything, also drop the last handle. It runs inside xmpp_slot_cancel() or
 * xmpp_slot_unref() if the slot's function is not running, else when that returns.
 *
 * The owner must live until ops->free: with a handle, the registering layer keeps a reference to the loop (or to
 * the client, which has one) and drops it as the last thing in ops->free. A last handle that is dropped in
 * another thread cancels a little later: until then the function may still run. */
struct slot_ops {
    /* take it out of the registry, which then must not touch it any more: the registry's hold is dropped
     * right after; called at most once, in the loop's thread, not after slot_retire() */
    void (*cancel)(xmpp_slot *slot);
    /* free the registration's own memory, when nothing refers to the slot any more */
    void (*free)(xmpp_slot *slot);
    /* Stanza handlers only, else NULL: xmpp_slot_match_*() and set_priority answer XMPP_ERR_INVAL. Called with
     * an active slot and no NULL; the first dispatch after the registration ends the permission
     * (XMPP_ERR_STATE), which is for the implementation to check. */
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
/* Before every call of the slot's function, slot_release() after it: the slot cannot vanish under it. A
 * registry that collects what matches takes the holds first and looks at active right before each call. */
void slot_hold(xmpp_slot *slot);
/* Drops a hold. With the last hold gone and inactive, user_data's destroy runs (once); with no handle either,
 * ops->free. */
void slot_release(xmpp_slot *slot);
/* The registry is done with it (timer fired for the last time, request answered, client gone) and has taken it
 * out: becomes inactive without ops->cancel being called, and the registry's hold is dropped. No effect on an
 * inactive slot. For a last call: slot_hold(), slot_retire(), the function, slot_release(). */
void slot_retire(xmpp_slot *slot);

#endif
