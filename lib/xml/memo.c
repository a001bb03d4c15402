#include "xml/memo.h"

#include <xmpp/error.h>

#include "base/mem.h"

#include <stdint.h>

#define FIRST_CAP 16

void memo_init(struct memo *memo)
{
    *memo = (struct memo){.round = 1};
}

void memo_clear(struct memo *memo)
{
    mem_free(memo->entries);
    memo_init(memo);
}

void memo_next_round(struct memo *memo)
{
    if (memo->round == UINT32_MAX) /* what is very old must not look new */
        memo_clear(memo);
    else
        memo->round++;
}

/* The place of the key, or the free one where it belongs. At least a quarter of the places is free.
 */
static struct memo_entry *place_of(struct memo_entry *entries, size_t cap, const void *key)
{
    for (size_t i = memo_hash(key) & (cap - 1);; i = (i + 1) & (cap - 1))
        if (entries[i].key == key || !entries[i].key)
            return &entries[i];
}

static int grow(struct memo *memo)
{
    size_t cap = memo->cap ? 2 * memo->cap : FIRST_CAP;
    struct memo_entry *entries = mem_zalloc_array(cap, sizeof *entries);

    if (!entries)
        return XMPP_ERR_NOMEM;
    for (size_t i = 0; i < memo->cap; i++)
        if (memo->entries[i].key)
            *place_of(entries, cap, memo->entries[i].key) = memo->entries[i];
    mem_free(memo->entries);
    memo->entries = entries;
    memo->cap = cap;
    return XMPP_OK;
}

int memo_set(struct memo *memo, const void *key, const char *value, int for_every_tree)
{
    struct memo_entry *entry;

    if (memo->count + 1 > memo->cap - memo->cap / 4) {
        int r = grow(memo);
        if (r < 0)
            return r;
    }
    entry = place_of(memo->entries, memo->cap, key);
    if (!entry->key)
        memo->count++;
    entry->key = key;
    entry->value = value;
    entry->round = for_every_tree ? 0 : memo->round;
    return XMPP_OK;
}
