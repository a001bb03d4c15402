#include "exhaust/meter.h"

#include <xmpp/base.h>

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED
#endif

struct counter {
    atomic_size_t live;
    atomic_size_t peak;
    size_t mark;
};

static struct counter own;
static struct counter all;

static void grow(struct counter *counter, size_t size)
{
    size_t live = atomic_fetch_add(&counter->live, size) + size;
    size_t peak = atomic_load(&counter->peak);

    while (live > peak && !atomic_compare_exchange_weak(&counter->peak, &peak, live))
        ;
}

static void shrink(struct counter *counter, size_t size)
{
    atomic_fetch_sub(&counter->live, size);
}

#ifdef SANITIZED

/* of its runtime, whose headers come with another package */
extern size_t __sanitizer_get_allocated_size(const volatile void *ptr);
extern int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *ptr,
                                                                         size_t size),
                                                     void (*free_hook)(const volatile void *ptr));

static size_t size_of(void *ptr)
{
    return ptr ? __sanitizer_get_allocated_size(ptr) : 0;
}

static void on_malloc(const volatile void *ptr, size_t size)
{
    (void)ptr;
    grow(&all, size);
}

static void on_free(const volatile void *ptr)
{
    shrink(&all, size_of((void *)(uintptr_t)ptr));
}

static void install(void)
{
    if (!__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free))
        abort();
}

#else

#pragma GCC diagnostic ignored "-Wredundant-decls"

/* glibc's own names of its allocator */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t number, size_t size);
extern void *__libc_realloc(void *ptr, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *ptr);

static size_t size_of(void *ptr)
{
    return malloc_usable_size(ptr);
}

static void *count(void *ptr)
{
    grow(&all, size_of(ptr));
    return ptr;
}

void *malloc(size_t size)
{
    return count(__libc_malloc(size));
}

void *calloc(size_t number, size_t size)
{
    return count(__libc_calloc(number, size));
}

void *realloc(void *ptr, size_t size)
{
    size_t before = size_of(ptr);
    void *moved = __libc_realloc(ptr, size);

    if (moved || size == 0) {
        shrink(&all, before);
        count(moved);
    }
    return moved;
}

void *memalign(size_t alignment, size_t size)
{
    return count(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    void *ptr = memalign(alignment, size);

    if (!ptr)
        return ENOMEM;
    *ret = ptr;
    return 0;
}

void free(void *ptr)
{
    shrink(&all, size_of(ptr));
    __libc_free(ptr);
}

static void install(void)
{
}

#endif

static void *own_realloc(void *ptr, size_t size, void *user_data)
{
    size_t before = size_of(ptr);
    void *moved;

    (void)user_data;
    if (size == 0) {
        free(ptr);
        shrink(&own, before);
        return NULL;
    }
    moved = realloc(ptr, size);
    if (moved) {
        shrink(&own, before);
        grow(&own, size_of(moved));
    }
    return moved;
}

void meter_init(void)
{
    install();
    if (xmpp_mem_set_allocator(own_realloc, NULL) < 0)
        abort();
}

struct meter_use meter_live(void)
{
    return (struct meter_use){.own = atomic_load(&own.live), .all = atomic_load(&all.live)};
}

static void mark(struct counter *counter)
{
    counter->mark = atomic_load(&counter->live);
    atomic_store(&counter->peak, counter->mark);
}

void meter_mark(void)
{
    mark(&own);
    mark(&all);
}

struct meter_use meter_peak(void)
{
    return (struct meter_use){
        .own = atomic_load(&own.peak) - own.mark,
        .all = atomic_load(&all.peak) - all.mark,
    };
}
