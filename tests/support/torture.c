#include "support/torture.h"

#include "base/arena.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <xmpp/error.h>

static atomic_size_t live;
static atomic_uint count;
static unsigned fail_at;
static bool fail_on;
static atomic_bool failed;

static bool must_fail(void)
{
    unsigned n = atomic_fetch_add(&count, 1) + 1;

    if (!fail_at || (fail_on ? n < fail_at : n != fail_at))
        return false;
    atomic_store(&failed, true);
    return true;
}

static void *torture_realloc(void *ptr, size_t size, void *user_data)
{
    void *fresh;

    (void)user_data;
    if (size == 0) {
        if (ptr)
            atomic_fetch_sub(&live, 1);
        free(ptr);
        return NULL;
    }
    if (must_fail())
        return NULL;
    fresh = realloc(ptr, size);
    if (fresh && !ptr)
        atomic_fetch_add(&live, 1);
    return fresh;
}

void torture_install(void)
{
    if (xmpp_mem_set_allocator(torture_realloc, NULL) != XMPP_OK)
        abort();
}

void torture_fail_at(unsigned n, bool persistent)
{
    fail_at = n;
    fail_on = persistent;
    atomic_store(&count, 0);
    atomic_store(&failed, false);
}

bool torture_has_failed(void)
{
    return atomic_load(&failed);
}

size_t torture_live_blocks(void)
{
    return atomic_load(&live);
}

unsigned torture_count(void)
{
    return atomic_load(&count);
}

static void complain(const char *what, unsigned n, bool persistent, int r, size_t before)
{
    fprintf(stderr,
            "torture: %s: allocation %u failing %s: result %d, blocks %zu before, %zu after\n",
            what, n, persistent ? "from then on" : "once", r, before, torture_live_blocks());
    abort();
}

int torture_run(int (*scenario)(void *user_data), void *user_data)
{
    int r = XMPP_OK;

    for (int persistent = 0; persistent <= 1; persistent++) {
        for (unsigned n = 1;; n++) {
            size_t before;
            bool was_hit;

            arena_cache_trim();
            before = torture_live_blocks();
            torture_fail_at(n, persistent);
            r = scenario(user_data);
            was_hit = torture_has_failed();
            torture_fail_at(0, false);
            arena_cache_trim();
            if (torture_live_blocks() != before)
                complain("leak", n, persistent, r, before);
            if (!was_hit)
                break;
            if (r != XMPP_OK && r != XMPP_ERR_NOMEM)
                complain("wrong result", n, persistent, r, before);
        }
    }
    return r;
}
