#include "client/dispatch.h"

#include "base/mem.h"
#include "base/str.h"
#include "client/client.h"

#include <string.h>
#include <xmpp/elem.h>
#include <xmpp/jid.h>

/* A namespace cannot contain a NUL, so it separates; a wildcard is a byte that begins no namespace or name. */
#define WILDCARD "\1"

bool handler_key(const char *ns, const char *name, char key[DISPATCH_KEY_MAX], size_t *ret_len)
{
    size_t ns_len;
    size_t name_len;

    ns = ns ? ns : WILDCARD;
    name = name ? name : WILDCARD;
    ns_len = strlen(ns);
    name_len = strlen(name);
    if (ns_len > DISPATCH_KEY_MAX - 1 || name_len > DISPATCH_KEY_MAX - 1 - ns_len)
        return false;
    memcpy(key, ns, ns_len + 1);
    memcpy(key + ns_len + 1, name, name_len);
    *ret_len = ns_len + 1 + name_len;
    return true;
}

static bool matches_from(const struct handler *handler, const xmpp_jid *from, const xmpp_jid *own)
{
    if (from)
        return handler->bare ? xmpp_jid_equal_bare(handler->from, from)
                             : xmpp_jid_compare(handler->from, from) == 0;
    /* STZ-02: it comes from the account itself */
    return own && xmpp_jid_equal_bare(handler->from, own) &&
           (handler->bare || !xmpp_jid_get_resource(handler->from));
}

bool handler_matches(const struct handler *handler, const xmpp_elem *stanza, int kind,
                     const char *type, const xmpp_jid *own)
{
    if (!(handler->kinds & kind))
        return false;
    if (handler->type) {
        if (!str_eq(handler->type, type))
            return false;
    } else if (kind == XMPP_IQ && (str_eq(type, "result") || str_eq(type, "error"))) {
        /* An answer that nobody asked for must not pass for a push (SEC-03, SEC-06). */
        return false;
    }
    if (handler->id && !str_eq(handler->id, xmpp_elem_get_attr(stanza, "id")))
        return false;
    return !handler->from || matches_from(handler, xmpp_elem_get_from(stanza), own);
}

static void link_in_order(struct handler *handler)
{
    struct list *head = &handler->bucket->handlers;
    struct list *after = head->prev;

    /* Nearly always the last place is the right one. */
    while (after != head) {
        const struct handler *other = CONTAINER_OF(after, struct handler, link);
        if (other->priority < handler->priority ||
            (other->priority == handler->priority && other->age < handler->age))
            break;
        after = after->prev;
    }
    list_prepend(after, &handler->link);
}

static void leave_bucket(struct handler *handler)
{
    struct bucket *bucket = handler->bucket;

    if (!bucket)
        return;
    handler->bucket = NULL;
    list_remove(&handler->link);
    if (bucket->wildcards)
        --*bucket->wildcards;
    if (list_is_empty(&bucket->handlers)) {
        map_remove(handler->dispatch->index, bucket->key, bucket->key_len);
        mem_free(bucket);
    }
}

static struct bucket *get_bucket(struct dispatch *dispatch, const char *ns, const char *name)
{
    char key[DISPATCH_KEY_MAX];
    struct bucket *bucket;
    size_t len;

    if (!handler_key(ns, name, key, &len))
        return NULL;
    bucket = map_get(dispatch->index, key, len);
    if (bucket)
        return bucket;
    bucket = mem_zalloc(sizeof *bucket + len);
    if (!bucket)
        return NULL;
    list_init(&bucket->handlers);
    if (!ns && name)
        bucket->wildcards = &dispatch->any_ns;
    if (ns && !name)
        bucket->wildcards = &dispatch->any_name;
    memcpy(bucket->key, key, len);
    bucket->key_len = len;
    if (map_set(dispatch->index, key, len, bucket, NULL) < 0) {
        mem_free(bucket);
        return NULL;
    }
    return bucket;
}

static void handler_cancel(xmpp_slot *slot)
{
    leave_bucket((struct handler *)slot);
}

static void handler_free(xmpp_slot *slot)
{
    struct handler *handler = (struct handler *)slot;
    xmpp_loop *loop;

    mem_free(handler->type);
    mem_free(handler->id);
    xmpp_jid_unref(handler->from);
    loop = handler->loop;
    mem_free(handler);
    xmpp_loop_unref(loop);
}

/* What it shall match is settled when the first stanza comes by. */
static int check_young(const struct handler *handler)
{
    return handler->dispatch->round == handler->born ? XMPP_OK : XMPP_ERR_STATE;
}

static int set_string(const struct handler *handler, char **field, const char *value)
{
    char *copy;
    int r;

    r = check_young(handler);
    if (r < 0)
        return r;
    copy = mem_strdup(value);
    if (!copy)
        return XMPP_ERR_NOMEM;
    mem_free(*field);
    *field = copy;
    return XMPP_OK;
}

static int handler_match_type(xmpp_slot *slot, const char *type)
{
    struct handler *handler = (struct handler *)slot;

    return set_string(handler, &handler->type, type);
}

static int handler_match_id(xmpp_slot *slot, const char *id)
{
    struct handler *handler = (struct handler *)slot;

    return set_string(handler, &handler->id, id);
}

static int handler_match_from(xmpp_slot *slot, const xmpp_jid *jid, int bare)
{
    struct handler *handler = (struct handler *)slot;
    xmpp_jid *old = handler->from;
    int r;

    r = check_young(handler);
    if (r < 0)
        return r;
    handler->from = xmpp_jid_ref(jid);
    handler->bare = bare != 0;
    xmpp_jid_unref(old);
    return XMPP_OK;
}

static int handler_set_priority(xmpp_slot *slot, int priority)
{
    struct handler *handler = (struct handler *)slot;
    int r;

    r = check_young(handler);
    if (r < 0)
        return r;
    handler->priority = priority;
    list_remove(&handler->link);
    link_in_order(handler);
    return XMPP_OK;
}

static const struct slot_ops handler_ops = {
    .cancel = handler_cancel,
    .free = handler_free,
    .match_type = handler_match_type,
    .match_from = handler_match_from,
    .match_id = handler_match_id,
    .set_priority = handler_set_priority,
};

int dispatch_init(struct dispatch *dispatch)
{
    memset(dispatch, 0, sizeof *dispatch);
    return map_create(&dispatch->index);
}

void dispatch_clear(struct dispatch *dispatch)
{
    struct bucket *bucket;
    size_t pos = 0;

    if (!dispatch->index)
        return;
    /* The map changes under our hands, so each round starts anew. */
    while ((bucket = map_next(dispatch->index, &pos, NULL, NULL))) {
        struct handler *handler = CONTAINER_OF(bucket->handlers.next, struct handler, link);
        leave_bucket(handler);
        slot_retire(&handler->slot);
        pos = 0;
    }
    dispatch->index = map_free(dispatch->index);
}

int xmpp_client_add_handler(xmpp_client *client, xmpp_slot **ret_slot, int kinds, const char *ns,
                            const char *name, xmpp_stanza_fn fn, void *user_data,
                            xmpp_destroy_fn destroy)
{
    struct handler *handler;
    char key[DISPATCH_KEY_MAX];
    size_t len;
    int r;

    if (!fn || !kinds || (kinds & ~(XMPP_MESSAGE | XMPP_PRESENCE | XMPP_IQ)) ||
        !handler_key(ns, name, key, &len))
        return XMPP_ERR_INVAL;
    r = client_check(client);
    if (r < 0)
        return r;
    handler = mem_zalloc(sizeof *handler);
    if (!handler)
        return XMPP_ERR_NOMEM;
    handler->bucket = get_bucket(&client->dispatch, ns, name);
    if (!handler->bucket) {
        mem_free(handler);
        return XMPP_ERR_NOMEM;
    }
    handler->dispatch = &client->dispatch;
    handler->loop = xmpp_loop_ref(client->loop);
    handler->kinds = kinds;
    handler->fn = fn;
    handler->age = client->dispatch.age++;
    handler->born = client->dispatch.round;
    slot_init(&handler->slot, &handler_ops, net_owner(client->loop), user_data, destroy,
              ret_slot != NULL);
    if (handler->bucket->wildcards)
        ++*handler->bucket->wildcards;
    link_in_order(handler);
    if (ret_slot)
        *ret_slot = &handler->slot;
    return XMPP_OK;
}
