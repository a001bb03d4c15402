#include "sasl/keys.h"

#include "base/mem.h"
#include "base/object.h"
#include "base/str.h"

#include <string.h>

/* SASL-20: one entry for each hash that SCRAM is used with. A server has one salt and one count for an
 * account and a hash; when they change, the old keys are of no use. */
#define ENTRIES 3

struct entry {
    struct keys_id id; /* hash NULL: unused; name and salt are own copies */
    struct derive_keys pair;
};

struct sasl_keys {
    struct object object;
    struct entry entries[ENTRIES];
};

int sasl_keys_create(struct sasl_keys **ret)
{
    struct sasl_keys *keys = mem_zalloc(sizeof *keys);
    if (!keys)
        return XMPP_ERR_NOMEM;
    object_init(&keys->object);
    *ret = keys;
    return XMPP_OK;
}

struct sasl_keys *sasl_keys_ref(struct sasl_keys *keys)
{
    if (keys)
        object_ref(&keys->object);
    return keys;
}

struct sasl_keys *sasl_keys_unref(struct sasl_keys *keys)
{
    if (!keys || !object_unref(&keys->object))
        return NULL;
    sasl_keys_clear(keys);
    mem_free(keys);
    return NULL;
}

static void entry_set(struct entry *entry, char *name, void *salt, const struct keys_id *id,
                      const struct derive_keys *pair)
{
    entry->id = *id;
    entry->id.name = name;
    entry->id.salt = salt;
    entry->pair = *pair;
}

static void entry_clear(struct entry *entry)
{
    if (entry->id.hash) {
        /* own copies, const only for those who look something up */
        mem_free((char *)(uintptr_t)entry->id.name);
        mem_free((void *)(uintptr_t)entry->id.salt);
    }
    secret_wipe(entry, sizeof *entry);
}

void sasl_keys_clear(struct sasl_keys *keys)
{
    for (size_t i = 0; keys && i < ENTRIES; i++)
        entry_clear(&keys->entries[i]);
}

bool sasl_keys_has(const struct sasl_keys *keys)
{
    for (size_t i = 0; keys && i < ENTRIES; i++)
        if (keys->entries[i].id.hash)
            return true;
    return false;
}

bool keys_find(const struct sasl_keys *keys, const struct keys_id *id, struct derive_keys *ret)
{
    for (size_t i = 0; keys && i < ENTRIES; i++) {
        const struct keys_id *have = &keys->entries[i].id;
        if (have->hash != id->hash || have->iterations != id->iterations ||
            have->salt_len != id->salt_len || !str_eq(have->name, id->name) ||
            memcmp(have->salt, id->salt, id->salt_len) != 0)
            continue;
        *ret = keys->entries[i].pair;
        return true;
    }
    return false;
}

int keys_store(struct sasl_keys *keys, const struct keys_id *id, const struct derive_keys *pair)
{
    struct entry *place = NULL;

    if (!keys)
        return XMPP_OK;
    for (size_t i = 0; i < ENTRIES && !place; i++)
        if (keys->entries[i].id.hash == id->hash)
            place = &keys->entries[i];
    for (size_t i = 0; i < ENTRIES && !place; i++)
        if (!keys->entries[i].id.hash)
            place = &keys->entries[i];
    if (!place) /* cannot be while there are as many places as hashes */
        place = &keys->entries[0];

    CLEANUP(mem_freep) char *name = mem_strdup(id->name);
    void *salt = name ? mem_dup(id->salt, id->salt_len) : NULL;
    if (!salt)
        return XMPP_ERR_NOMEM;
    /* id may point into the entry that is replaced: copied before it goes */
    struct keys_id fresh = *id;
    entry_clear(place);
    entry_set(place, STEAL(name), salt, &fresh, pair);
    return XMPP_OK;
}
