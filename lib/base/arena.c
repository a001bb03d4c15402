#include "base/arena.h"

#include <xmpp/error.h>

#include "base/mem.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN
#endif

/* Under the address sanitizer everything that was not handed out is out of bounds. */
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define HIDE(ptr, len)   ASAN_POISON_MEMORY_REGION(ptr, len)
#define REVEAL(ptr, len) ASAN_UNPOISON_MEMORY_REGION(ptr, len)
#else
#define HIDE(ptr, len)   ((void)(ptr), (void)(len))
#define REVEAL(ptr, len) ((void)(ptr), (void)(len))
#endif

#define ALIGNMENT   alignof(max_align_t)
#define ROUND_UP(n) (((n) + ALIGNMENT - 1) & ~(ALIGNMENT - 1))

#define FIRST_BLOCK ((size_t)4096) /* the arena's header included */
#define MAX_BLOCK   ((size_t)64 * 1024) /* except for a single allocation that is larger */
#define CACHED      16

struct arena_block {
    struct arena_block *older;
    size_t size;
};

struct arena {
    struct arena_block *newest; /* NULL: only the first block */
    char *pos; /* free space of the newest block */
    char *end;
    char *last; /* the last allocation, which can grow */
    size_t next_size;
    size_t total;
};

#define ARENA_HEADER ROUND_UP(sizeof(struct arena))
#define BLOCK_HEADER ROUND_UP(sizeof(struct arena_block))

static _Atomic(struct arena *) cache[CACHED];

static struct arena *cache_take(void)
{
    for (size_t i = 0; i < CACHED; i++) {
        struct arena *arena;

        if (!atomic_load_explicit(&cache[i], memory_order_relaxed))
            continue;
        arena = atomic_exchange_explicit(&cache[i], NULL, memory_order_acquire);
        if (arena)
            return arena;
    }
    return NULL;
}

static bool cache_put(struct arena *arena)
{
    for (size_t i = 0; i < CACHED; i++) {
        struct arena *expected = NULL;

        if (atomic_load_explicit(&cache[i], memory_order_relaxed))
            continue;
        if (atomic_compare_exchange_strong_explicit(&cache[i], &expected, arena,
                                                    memory_order_release, memory_order_relaxed))
            return true;
    }
    return false;
}

/* One later block, for the next tree that does not fit into its first one. */
static _Atomic(struct arena_block *) spare;

static struct arena_block *spare_take(size_t size)
{
    struct arena_block *block = atomic_exchange_explicit(&spare, NULL, memory_order_acquire);

    if (!block || block->size >= size)
        return block;
    return mem_free(block);
}

/* Of two blocks the larger one stays. */
static void spare_put(struct arena_block *block)
{
    struct arena_block *other = atomic_exchange_explicit(&spare, NULL, memory_order_acquire);

    if (block->size > MAX_BLOCK || (other && other->size > block->size)) {
        mem_free(block);
        block = other;
    } else {
        mem_free(other);
    }
    mem_free(atomic_exchange_explicit(&spare, block, memory_order_acq_rel));
}

static void first_block_free(struct arena *arena)
{
    REVEAL(arena, FIRST_BLOCK);
    mem_free(arena);
}

int arena_create(struct arena **ret)
{
    struct arena *arena = cache_take();

    if (!arena)
        arena = mem_alloc(FIRST_BLOCK);
    if (!arena)
        return XMPP_ERR_NOMEM;
    REVEAL(arena, ARENA_HEADER);
    *arena = (struct arena){
        .pos = (char *)arena + ARENA_HEADER,
        .end = (char *)arena + FIRST_BLOCK,
        .next_size = 2 * FIRST_BLOCK,
        .total = FIRST_BLOCK,
    };
    HIDE(arena->pos, FIRST_BLOCK - ARENA_HEADER);

    *ret = arena;
    return XMPP_OK;
}

struct arena *arena_free(struct arena *arena)
{
    struct arena_block *block;

    if (!arena)
        return NULL;
    block = arena->newest;
    while (block) {
        struct arena_block *older = block->older;

        REVEAL(block, block->size);
        spare_put(block);
        block = older;
    }
    /* hidden before it is put back: another thread may take it at once */
    HIDE(arena, FIRST_BLOCK);
    if (!cache_put(arena))
        first_block_free(arena);
    return NULL;
}

void arena_spare_trim(void)
{
    mem_free(atomic_exchange_explicit(&spare, NULL, memory_order_acquire));
}

void arena_cache_trim(void)
{
    struct arena *arena;

    arena_spare_trim();
    while ((arena = cache_take()))
        first_block_free(arena);
}

static bool round_up(size_t size, size_t *ret)
{
    if (size > SIZE_MAX - ALIGNMENT)
        return false;
    *ret = ROUND_UP(size);
    return true;
}

static bool add_block(struct arena *arena, size_t room)
{
    struct arena_block *block;
    size_t size;

    if (!round_up(room, &size) || !size_add(size, BLOCK_HEADER, &size))
        return false;
    if (size < arena->next_size)
        size = arena->next_size;
    block = spare_take(size);
    if (!block) {
        block = mem_alloc(size);
        if (!block)
            return false;
        block->size = size;
    }
    block->older = arena->newest;
    arena->newest = block;
    arena->pos = (char *)block + BLOCK_HEADER;
    arena->end = (char *)block + block->size;
    arena->last = NULL;
    /* not the size of the block: a limit must not depend on what others have left */
    arena->total += size;
    if (arena->next_size < MAX_BLOCK)
        arena->next_size *= 2;
    HIDE(arena->pos, block->size - BLOCK_HEADER);
    return true;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size == 0) /* every allocation has an address of its own */
        size = 1;
    /* the room is a multiple of the alignment: what fits still does when it is rounded up */
    if (size > (size_t)(arena->end - arena->pos) && !add_block(arena, size))
        return NULL;
    arena->last = arena->pos;
    arena->pos += ROUND_UP(size);
    REVEAL(arena->last, size);
    return arena->last;
}

char *arena_strndup(struct arena *arena, const char *str, size_t len)
{
    char *copy = len < SIZE_MAX ? arena_alloc(arena, len + 1) : NULL;

    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, str, len);
    copy[len] = '\0';
    return copy;
}

size_t arena_get_size(const struct arena *arena)
{
    return arena->total;
}

/* Moving always makes room for twice the size, so that a text that arrives in n pieces is moved log n times. */
static void *grow_elsewhere(struct arena *arena, const void *ptr, size_t old_size, size_t new_size)
{
    size_t room;
    void *fresh;

    if (!size_mul(new_size, 2, &room) || !round_up(room, &room))
        return NULL;
    if ((size_t)(arena->end - arena->pos) < room && !add_block(arena, room))
        return NULL;
    fresh = arena_alloc(arena, new_size);
    if (fresh)
        memcpy(fresh, ptr, old_size);
    return fresh;
}

void *arena_grow(struct arena *arena, void *ptr, size_t old_size, size_t new_size)
{
    size_t taken;

    if (!ptr)
        return arena_alloc(arena, new_size);
    if (new_size <= old_size)
        return ptr;
    if (ptr != arena->last)
        return grow_elsewhere(arena, ptr, old_size, new_size);
    if (!round_up(new_size, &taken))
        return NULL;
    if (taken > (size_t)(arena->end - arena->last))
        return grow_elsewhere(arena, ptr, old_size, new_size);

    arena->pos = arena->last + taken;
    REVEAL(arena->last, new_size);
    return ptr;
}
