#ifndef BASE_OBJECT_H
#define BASE_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>

/* Reference counts, usable from any thread. */
struct object {
    atomic_uint refs;
};

static inline void object_init(struct object *object)
{
    atomic_init(&object->refs, 1);
}

static inline void object_ref(struct object *object)
{
    atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
}

/* true when this was the last reference: the caller destroys */
static inline bool object_unref(struct object *object)
{
    return atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel) == 1;
}

/* A reference that is only taken when the object is not already dying. */
static inline bool object_try_ref(struct object *object)
{
    unsigned refs = atomic_load_explicit(&object->refs, memory_order_relaxed);
    while (refs != 0)
        if (atomic_compare_exchange_weak(&object->refs, &refs, refs + 1))
            return true;
    return false;
}

/* Where a loop-bound object dies: always in the thread of its loop. The loop implements this. */
struct owner_task {
    struct owner_task *next;
    void (*run)(struct owner_task *task);
};

struct owner {
    bool (*is_current)(const struct owner *owner); /* is this the loop's thread? */
    /* runs the task in the loop's thread, soon; cannot fail; takes no memory */
    void (*defer)(struct owner *owner, struct owner_task *task);
};

struct bound {
    struct object object;
    struct owner *owner; /* must outlive the object: the holder keeps a reference to the loop */
    struct owner_task task;
    void (*destroy)(struct bound *bound);
};

void bound_init(struct bound *bound, struct owner *owner, void (*destroy)(struct bound *bound));
void bound_ref(struct bound *bound);
bool bound_try_ref(struct bound *bound);
/* XMPP_OK; in debug builds XMPP_ERR_THREAD when this is not the thread of the loop */
int bound_check(const struct bound *bound);
void bound_unref(struct bound *bound); /* destroys here, or in the loop's thread */

#endif
