#include "sasl/keys.h"

#include "base/mem.h"
#include "base/object.h"
#include "base/str.h"

#include <string.h>

/* SASL-20: one entry for each hash that SCRAM is used with. A server has one salt and one count for an
 * account and a hash; when they change, the old keys are of no use. */
#define ENTRIES 3

struct entry {
    struct keys_id id; /* name and salt point behind the pair */
    struct derive_keys pair;
    size_t size; /* of all this */
    char bytes[];
};

struct sasl_keys {
    struct object object;
    struct entry *entries[ENTRIES]; /* NULL: unused */
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

static int entry_create(struct entry **ret, const struct keys_id *id,
                        const struct derive_keys *pair)
{
    size_t name_size = strlen(id->name) + 1;
    size_t size = sizeof(struct entry) + name_size + id->salt_len; /* both have their limits */
    struct entry *entry = mem_alloc(size);

    if (!entry)
        return XMPP_ERR_NOMEM;
    *entry = (struct entry){.id = *id, .pair = *pair, .size = size};
    memcpy(entry->bytes, id->name, name_size);
    memcpy(entry->bytes + name_size, id->salt, id->salt_len);
    entry->id.name = entry->bytes;
    entry->id.salt = entry->bytes + name_size;
    *ret = entry;
    return XMPP_OK;
}

static struct entry *entry_free(struct entry *entry)
{
    if (entry)
        secret_wipe(entry, entry->size);
    return mem_free(entry);
}

void sasl_keys_clear(struct sasl_keys *keys)
{
    for (size_t i = 0; keys && i < ENTRIES; i++)
        keys->entries[i] = entry_free(keys->entries[i]);
}

bool sasl_keys_has(const struct sasl_keys *keys)
{
    for (size_t i = 0; keys && i < ENTRIES; i++)
        if (keys->entries[i])
            return true;
    return false;
}

bool keys_find(const struct sasl_keys *keys, const struct keys_id *id, struct derive_keys *ret)
{
    for (size_t i = 0; keys && i < ENTRIES; i++) {
        const struct entry *entry = keys->entries[i];
        if (!entry)
            continue;
        const struct keys_id *have = &entry->id;
        if (have->hash != id->hash || have->iterations != id->iterations ||
            have->salt_len != id->salt_len || !str_eq(have->name, id->name) ||
            memcmp(have->salt, id->salt, id->salt_len) != 0)
            continue;
        *ret = entry->pair;
        return true;
    }
    return false;
}

int keys_store(struct sasl_keys *keys, const struct keys_id *id, const struct derive_keys *pair)
{
    struct entry *fresh;
    size_t place = 0;

    if (!keys)
        return XMPP_OK;
    /* the place of the hash, or the next that is free: there are as many as hashes */
    while (place < ENTRIES - 1 && keys->entries[place] && keys->entries[place]->id.hash != id->hash)
        place++;
    int r = entry_create(&fresh, id, pair);
    if (r < 0)
        return r;
    entry_free(keys->entries[place]);
    keys->entries[place] = fresh;
    return XMPP_OK;
}
