#include "base/rand.h"

#include <xmpp/error.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define POOL_BYTES 1024

/* Random bytes for ids, so that not each of them needs a system call. It has pages of its own, which the kernel clears
 * in the child of a fork(): that finds the pool empty and free, and never what the parent hands out. */
struct pool {
    atomic_bool busy;
    size_t left; /* the last ones of bytes; those before are used and wiped */
    uint8_t bytes[POOL_BYTES];
};

static pthread_once_t pool_once = PTHREAD_ONCE_INIT;
static struct pool *pool; /* NULL: none, everything comes from the kernel */

int rand_bytes(void *dst, size_t len)
{
    uint8_t *p = dst;

    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return XMPP_ERR_SYSTEM;
        p += n;
        len -= (size_t)n;
    }
    return XMPP_OK;
}

uint32_t rand_below(uint32_t bound)
{
    /* 2^32 modulo bound: values below it are refused, the others fall evenly on the results */
    uint32_t uneven = (uint32_t)-bound % bound;
    uint32_t value;

    do {
        if (rand_bytes(&value, sizeof value) < 0)
            return 0;
    } while (value < uneven);
    return value % bound;
}

/* For the life of the process, like the locks of other libraries; the pages are touched by the first id. */
static void pool_create(void)
{
    void *pages =
        mmap(NULL, sizeof *pool, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED)
        return;
    if (madvise(pages, sizeof *pool, MADV_WIPEONFORK) < 0)
        (void)munmap(pages, sizeof *pool); /* before Linux 4.14 */
    else
        pool = pages;
}

static int pool_take(uint8_t *dst, size_t len)
{
    size_t left = pool->left;
    uint8_t *bytes;

    if (left < len) {
        int r = rand_bytes(pool->bytes, sizeof pool->bytes);
        if (r < 0)
            return r;
        left = sizeof pool->bytes;
    }
    bytes = pool->bytes + sizeof pool->bytes - left;
    memcpy(dst, bytes, len);
    memset(bytes, 0, len);
    pool->left = left - len;
    return XMPP_OK;
}

/* Who finds the pool in use by another thread does not wait for it. */
static int take_bytes(uint8_t *dst, size_t len)
{
    int r;

    (void)pthread_once(&pool_once, pool_create); /* fails only for a bad argument */
    if (!pool || atomic_exchange_explicit(&pool->busy, true, memory_order_acquire))
        return rand_bytes(dst, len);
    r = pool_take(dst, len);
    atomic_store_explicit(&pool->busy, false, memory_order_release);
    return r;
}

int rand_id(char *dst, size_t len)
{
    /* a power of two, with two letters that are refused: reduced values would favour the first ones */
    static const char alphabet[64 + 1] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789--";
    size_t done = 0;

    while (done < len) {
        uint8_t bytes[32];
        size_t count = len - done < sizeof bytes ? len - done : sizeof bytes;
        int r = take_bytes(bytes, count);

        if (r < 0)
            return r;
        for (size_t i = 0; i < count; i++) {
            char letter = alphabet[bytes[i] % 64];

            dst[done] = letter;
            done += letter != '-';
        }
    }
    dst[len] = '\0';
    return XMPP_OK;
}
