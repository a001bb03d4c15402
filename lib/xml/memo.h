#ifndef XML_MEMO_H
#define XML_MEMO_H

#include <stddef.h>

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
const char *memo_find(const struct memo *memo, const void *key); /* NULL: unknown */
/* XMPP_OK or XMPP_ERR_NOMEM */
int memo_set(struct memo *memo, const void *key, const char *value, int for_every_tree);

#endif
