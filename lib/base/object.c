#include "base/object.h"

#include "base/mem.h"

#include <xmpp/error.h>

static void run_destroy(struct owner_task *task)
{
    struct bound *bound = CONTAINER_OF(task, struct bound, task);

    bound->destroy(bound);
}

void bound_init(struct bound *bound, struct owner *owner, void (*destroy)(struct bound *bound))
{
    object_init(&bound->object);
    bound->owner = owner;
    bound->task = (struct owner_task){.run = run_destroy};
    bound->destroy = destroy;
}

void bound_ref(struct bound *bound)
{
    object_ref(&bound->object);
}

bool bound_try_ref(struct bound *bound)
{
    return object_try_ref(&bound->object);
}

int bound_check(const struct bound *bound)
{
#ifdef XMPP_DEBUG
    if (!bound->owner->is_current(bound->owner))
        return XMPP_ERR_THREAD;
#else
    (void)bound;
#endif
    return XMPP_OK;
}

void bound_unref(struct bound *bound)
{
    if (!object_unref(&bound->object))
        return;
    if (bound->owner->is_current(bound->owner))
        bound->destroy(bound);
    else
        bound->owner->defer(bound->owner, &bound->task);
}
