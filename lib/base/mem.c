#include "base/mem.h"

#include <xmpp/error.h>

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The C library's allocator in the shape of ours; aligned for max_align_t, as the contract asks. */
static void *default_realloc(void *ptr, size_t size, void *user_data)
{
    (void)user_data;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

static xmpp_realloc_fn allocator = default_realloc;
static void *allocator_data;
/* Set by the first allocation: blocks of two allocators must never meet. */
static atomic_bool is_used;

int xmpp_mem_set_allocator(xmpp_realloc_fn fn, void *user_data)
{
    if (!fn)
        return XMPP_ERR_INVAL;
    if (atomic_load(&is_used))
        return XMPP_ERR_STATE;

    allocator = fn;
    allocator_data = user_data;
    return XMPP_OK;
}

void *xmpp_mem_free(void *ptr)
{
    return mem_free(ptr);
}

void *mem_realloc(void *ptr, size_t size)
{
    /* the load keeps the cache line shared between threads */
    if (!atomic_load_explicit(&is_used, memory_order_relaxed))
        atomic_store(&is_used, true);
    return allocator(ptr, size > 0 ? size : 1, allocator_data);
}

void *mem_alloc(size_t size)
{
    return mem_realloc(NULL, size);
}

void *mem_zalloc(size_t size)
{
    void *ptr = mem_alloc(size);

    if (ptr)
        memset(ptr, 0, size);
    return ptr;
}

void *mem_zalloc_array(size_t count, size_t size)
{
    size_t total;

    if (!size_mul(count, size, &total))
        return NULL;
    return mem_zalloc(total);
}

void *mem_free(void *ptr)
{
    if (ptr)
        allocator(ptr, 0, allocator_data);
    return NULL;
}

char *mem_strdup(const char *str)
{
    return mem_strndup(str, strlen(str));
}

char *mem_strndup(const char *str, size_t len)
{
    size_t size;
    char *copy;

    if (!size_add(len, 1, &size))
        return NULL;
    copy = mem_alloc(size);
    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, str, len);
    copy[len] = '\0';
    return copy;
}

void *mem_dup(const void *data, size_t len)
{
    void *copy = mem_alloc(len);

    if (copy && len > 0)
        memcpy(copy, data, len);
    return copy;
}

bool size_add(size_t a, size_t b, size_t *ret)
{
    return !__builtin_add_overflow(a, b, ret);
}

bool size_mul(size_t a, size_t b, size_t *ret)
{
    return !__builtin_mul_overflow(a, b, ret);
}
