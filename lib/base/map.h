#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

/* A hash map from byte strings to pointers. The hash is keyed with random bytes of the process, so a peer
 * cannot make keys collide. Keys are copied. Values are not owned. */
struct map;

int map_create(struct map **ret);
struct map *map_free(struct map *map);
/* NULL value is not allowed; replaces and returns the old value by ret_old (may be NULL) */
int map_set(struct map *map, const void *key, size_t key_len, void *value, void **ret_old);
void *map_get(const struct map *map, const void *key, size_t key_len);
void *map_remove(struct map *map, const void *key, size_t key_len); /* the old value or NULL */
size_t map_count(const struct map *map);
/* Iterate: start with *pos = 0; false at the end. Removing the current key is allowed. */
void *map_next(const struct map *map, size_t *pos, const void **ret_key, size_t *ret_key_len);

/* the keyed hash itself (SipHash-2-4 or better), for other tables */
uint64_t map_hash(const void *data, size_t len);

#endif
