#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

/* A chain of blocks that are freed together. The arena header lives in its first block; first blocks come
 * from a small process-wide, lock-free cache (an array of atomic pointers, taken by exchange), so that a
 * tree of ordinary size costs no call of the allocator in steady state. One larger block is kept, too.
 * One thread at a time. */
struct arena;

int arena_create(struct arena **ret);
struct arena *arena_free(struct arena *arena); /* from any thread; NULL ok; returns NULL */
void *arena_alloc(struct arena *arena, size_t size); /* aligned for any type; NULL: out of memory */
char *arena_strndup(struct arena *arena, const char *str, size_t len);
size_t arena_get_size(const struct arena *arena); /* bytes of the blocks that it asked for */

/* A buffer at the arena's end that grows in place where it can: for text that arrives in pieces.
 * ptr NULL starts one; old_size must be the size of the last call. Returns NULL on failure (ptr stays valid). */
void *arena_grow(struct arena *arena, void *ptr, size_t old_size, size_t new_size);

void arena_spare_trim(void); /* gives back the larger block: nothing moves at the moment */
/* Gives all cached blocks back to the allocator: for leak checks in tests. */
void arena_cache_trim(void);

#endif
