#ifndef SASL_KEYS_H
#define SASL_KEYS_H

#include "sasl/derive.h"
#include "sasl/mech.h"

/* What a pair of keys was derived from, besides the password. */
struct keys_id {
    const struct derive_hash *hash;
    const char *name; /* prepared user name */
    const void *salt;
    size_t salt_len;
    unsigned iterations;
};

/* keys may be NULL: then nothing is found and nothing is kept. */
bool keys_find(const struct sasl_keys *keys, const struct keys_id *id, struct derive_keys *ret);
/* Replaces what was kept for the same hash. XMPP_ERR_NOMEM: the old entry stays. */
int keys_store(struct sasl_keys *keys, const struct keys_id *id, const struct derive_keys *pair);

#endif
