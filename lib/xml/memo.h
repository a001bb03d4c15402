#ifndef XML_MEMO_H
#define XML_MEMO_H

#include <stddef.h>
#include <stdint.h>

/* What a name of one owner (the parser's dictionary, another tree) became in the tree that is being
 * built: looked up by address, since each owner keeps one copy of a name. So a long namespace that
 * a million elements are in is copied once for a tree. Allocates nothing while empty. */
struct memo_entry {
    const void *key;
    const char *value;
    unsigned round; /* 0: for every tree */
};

struct memo {
    struct memo_entry *entries;
    size_t cap;
    size_t count;
    unsigned round;
};

void memo_init(struct memo *memo);
void memo_clear(struct memo *memo); /* forgets everything and frees */
void memo_next_round(struct memo *memo); /* forgets what was not for every tree */
/* XMPP_OK or XMPP_ERR_NOMEM */
int memo_set(struct memo *memo, const void *key, const char *value, int for_every_tree);

static inline size_t memo_hash(const void *key)
{
    return (size_t)((uintptr_t)key * UINT64_C(0x9E3779B97F4A7C15) >> 32);
}

/* NULL: unknown. Inline: each name of each element is asked for. */
static inline const char *memo_find(const struct memo *memo, const void *key)
{
    const struct memo_entry *entry;
    size_t at = memo_hash(key);

    if (memo->cap == 0)
        return NULL;
    while ((entry = &memo->entries[at & (memo->cap - 1)])->key != key) {
        if (!entry->key)
            return NULL;
        at++;
    }
    return entry->round == 0 || entry->round == memo->round ? entry->value : NULL;
}

#endif
