#include "base/map.h"

#include <xmpp/error.h>

#include "base/mem.h"
#include "base/rand.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define MAP_MIN  8 /* a power of two, like every capacity */
#define MAP_KEEP 64 /* what is larger is given back when the last entry goes */

/* key NULL and value NULL: never used. key NULL and value TOMB: its entry was removed, a search goes on. */
struct map_entry {
    uint64_t hash;
    void *key;
    size_t key_len;
    void *value;
};

struct map {
    struct map_entry *entries; /* NULL until the first key */
    size_t cap;
    size_t count;
    size_t tombs;
};

static char tomb;
#define TOMB ((void *)&tomb)

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static uint64_t hash_key[2];
static int key_result;

static void make_key(void)
{
    key_result = rand_bytes(hash_key, sizeof hash_key);
}

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

/* SipHash-2-4 (Aumasson, Bernstein 2012) */
static uint64_t siphash(const uint64_t key[2], const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t v[4] = {
        key[0] ^ UINT64_C(0x736f6d6570736575),
        key[1] ^ UINT64_C(0x646f72616e646f6d),
        key[0] ^ UINT64_C(0x6c7967656e657261),
        key[1] ^ UINT64_C(0x7465646279746573),
    };
    uint64_t tail = (uint64_t)len << 56;
    size_t i = 0;

    for (; len - i >= 8; i += 8) {
        uint64_t word = 0;

        for (int n = 7; n >= 0; n--)
            word = word << 8 | p[i + (size_t)n];
        sip_word(v, word);
    }
    for (int shift = 0; i < len; i++, shift += 8)
        tail |= (uint64_t)p[i] << shift;
    sip_word(v, tail);

    v[2] ^= 0xff;
    for (int n = 0; n < 4; n++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t map_hash(const void *data, size_t len)
{
    (void)pthread_once(&key_once, make_key); /* cannot fail with these arguments */
    return siphash(hash_key, data, len);
}

int map_create(struct map **ret)
{
    struct map *map;

    (void)pthread_once(&key_once, make_key); /* cannot fail with these arguments */
    /* without a secret key the peer could choose what collides */
    if (key_result < 0)
        return key_result;
    map = mem_zalloc(sizeof *map);
    if (!map)
        return XMPP_ERR_NOMEM;

    *ret = map;
    return XMPP_OK;
}

struct map *map_free(struct map *map)
{
    if (!map)
        return NULL;
    for (size_t i = 0; i < map->cap; i++)
        mem_free(map->entries[i].key);
    mem_free(map->entries);
    return mem_free(map);
}

/* In a table of the smallest size every entry is looked at: that costs less than a hash. Its entries lie anywhere. */
static bool is_small(const struct map *map)
{
    return map->cap <= MAP_MIN;
}

static struct map_entry *find_in_small(const struct map *map, const void *key, size_t key_len)
{
    for (size_t i = 0; i < map->cap; i++) {
        struct map_entry *entry = &map->entries[i];

        if (entry->key && entry->key_len == key_len && memcmp(entry->key, key, key_len) == 0)
            return entry;
    }
    return NULL;
}

static struct map_entry *find(const struct map *map, const void *key, size_t key_len)
{
    uint64_t hash;

    if (is_small(map))
        return find_in_small(map, key, key_len);
    hash = map_hash(key, key_len);
    for (size_t i = hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
        struct map_entry *entry = &map->entries[i];

        if (!entry->value)
            return NULL;
        if (entry->key && entry->hash == hash && entry->key_len == key_len &&
            memcmp(entry->key, key, key_len) == 0)
            return entry;
    }
}

/* Where a key goes that is not in. There always is a place: see make_room(). */
static struct map_entry *find_free(struct map_entry *entries, size_t cap, uint64_t hash)
{
    size_t i = hash & (cap - 1);

    while (entries[i].key)
        i = (i + 1) & (cap - 1);
    return &entries[i];
}

/* At most three quarters of the entries are in use, removed ones included; of a small table all. */
static bool has_room(const struct map *map)
{
    if (is_small(map))
        return map->count < map->cap;
    return map->count + map->tombs < map->cap - map->cap / 4;
}

static int make_room(struct map *map)
{
    size_t cap = map->cap > 0 ? map->cap : MAP_MIN;
    struct map_entry *entries;

    if (has_room(map))
        return XMPP_OK;
    /* a table that is full of removed entries is only cleaned */
    if (map->count >= cap / 2 && !size_mul(cap, 2, &cap))
        return XMPP_ERR_NOMEM;
    entries = mem_zalloc_array(cap, sizeof *entries);
    if (!entries)
        return XMPP_ERR_NOMEM;
    for (size_t i = 0; i < map->cap; i++) {
        struct map_entry *entry = &map->entries[i];

        if (!entry->key)
            continue;
        if (is_small(map))
            entry->hash = map_hash(entry->key, entry->key_len);
        *find_free(entries, cap, entry->hash) = *entry;
    }
    mem_free(map->entries);
    map->entries = entries;
    map->cap = cap;
    map->tombs = 0;
    return XMPP_OK;
}

int map_set(struct map *map, const void *key, size_t key_len, void *value, void **ret_old)
{
    struct map_entry *entry;
    uint64_t hash;
    void *copy;
    int r;

    if (!value)
        return XMPP_ERR_INVAL;
    entry = find(map, key, key_len);
    if (entry) {
        if (ret_old)
            *ret_old = entry->value;
        entry->value = value;
        return XMPP_OK;
    }

    r = make_room(map);
    if (r < 0)
        return r;
    copy = mem_dup(key, key_len);
    if (!copy)
        return XMPP_ERR_NOMEM;
    hash = is_small(map) ? 0 : map_hash(key, key_len);
    entry = find_free(map->entries, map->cap, hash);
    if (entry->value)
        map->tombs--;
    *entry = (struct map_entry){.hash = hash, .key = copy, .key_len = key_len, .value = value};
    map->count++;
    if (ret_old)
        *ret_old = NULL;
    return XMPP_OK;
}

void *map_get(const struct map *map, const void *key, size_t key_len)
{
    const struct map_entry *entry = find(map, key, key_len);

    return entry ? entry->value : NULL;
}

void *map_remove(struct map *map, const void *key, size_t key_len)
{
    struct map_entry *entry = find(map, key, key_len);
    void *value;

    if (!entry)
        return NULL;
    value = entry->value;
    /* nothing is moved, so that map_next() may remove what it stands on; key may be the entry's own */
    mem_free(entry->key);
    *entry = (struct map_entry){.value = TOMB};
    map->count--;
    map->tombs++;
    if (map->count == 0 && map->cap > MAP_KEEP) {
        map->entries = mem_free(map->entries);
        map->cap = 0;
        map->tombs = 0;
    }
    return value;
}

size_t map_count(const struct map *map)
{
    return map->count;
}

void *map_next(const struct map *map, size_t *pos, const void **ret_key, size_t *ret_key_len)
{
    while (*pos < map->cap) {
        const struct map_entry *entry = &map->entries[(*pos)++];

        if (!entry->key)
            continue;
        if (ret_key)
            *ret_key = entry->key;
        if (ret_key_len)
            *ret_key_len = entry->key_len;
        return entry->value;
    }
    return NULL;
}
