#include "client/feature.h"
#include "base/mem.h"
#include "base/slot.h"
#include "base/str.h"
#include "base/utf8.h"
#include "client/client.h"

#include <string.h>

struct feature {
    xmpp_slot slot; /* first member */
    xmpp_loop *loop; /* reference: the slot may outlive the client */
    struct list *features; /* the client's list, while active */
    struct list link;
    bool repeated; /* an older registration advertises the same: it is listed once */
    char var[];
};

static struct feature *feature_of(struct list *link)
{
    return CONTAINER_OF(link, struct feature, link);
}

static struct feature *find_var(struct list *features, const char *var)
{
    for (struct list *link = features->next; link != features; link = link->next)
        if (str_eq(feature_of(link)->var, var))
            return feature_of(link);
    return NULL;
}

static void feature_cancel(xmpp_slot *slot)
{
    struct feature *feature = CONTAINER_OF(slot, struct feature, slot);

    list_remove(&feature->link);
    struct feature *next = find_var(feature->features, feature->var);
    if (next)
        next->repeated = false;
}

static void feature_free(xmpp_slot *slot)
{
    struct feature *feature = CONTAINER_OF(slot, struct feature, slot);
    xmpp_loop *loop = feature->loop;

    mem_free(feature);
    xmpp_loop_unref(loop);
}

static const struct slot_ops feature_ops = {.cancel = feature_cancel, .free = feature_free};

int xmpp_client_add_feature(xmpp_client *client, xmpp_slot **ret_slot, const char *var)
{
    size_t size;

    if (!var || !*var || !utf8_is_xml(var, strlen(var)) ||
        !size_add(sizeof(struct feature), strlen(var) + 1, &size))
        return XMPP_ERR_INVAL;
    int r = client_check(client);
    if (r < 0)
        return r;

    struct feature *feature = mem_zalloc(size);
    if (!feature)
        return XMPP_ERR_NOMEM;
    memcpy(feature->var, var, strlen(var) + 1);
    slot_init(&feature->slot, &feature_ops, net_owner(client->loop), NULL, NULL, ret_slot != NULL);
    feature->loop = xmpp_loop_ref(client->loop);
    feature->features = &client->features;
    feature->repeated = find_var(&client->features, var) != NULL;
    list_append(&client->features, &feature->link);
    if (ret_slot)
        *ret_slot = &feature->slot;
    return XMPP_OK;
}

size_t xmpp_client_count_features(const xmpp_client *client)
{
    size_t count = 0;

    if (!client)
        return 0;
    for (struct list *link = client->features.next; link != &client->features; link = link->next)
        if (!feature_of(link)->repeated)
            count++;
    return count;
}

const char *xmpp_client_get_feature_at(const xmpp_client *client, size_t index)
{
    if (!client)
        return NULL;
    for (struct list *link = client->features.next; link != &client->features; link = link->next)
        if (!feature_of(link)->repeated && index-- == 0)
            return feature_of(link)->var;
    return NULL;
}

void features_clear(xmpp_client *client)
{
    while (!list_is_empty(&client->features)) {
        struct feature *feature = feature_of(client->features.next);
        list_remove(&feature->link);
        slot_retire(&feature->slot);
    }
}
