#include "base/rand.h"

#include <xmpp/error.h>

#include <errno.h>
#include <sys/random.h>

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

int rand_id(char *dst, size_t len)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const unsigned letters = sizeof alphabet - 1;
    size_t done = 0;

    while (done < len) {
        uint8_t pool[32];

        if (rand_bytes(pool, sizeof pool) < 0)
            return XMPP_ERR_SYSTEM;
        for (size_t i = 0; i < sizeof pool && done < len; i++)
            /* the bytes above the last whole multiple would favour the first letters */
            if (pool[i] < 256 / letters * letters)
                dst[done++] = alphabet[pool[i] % letters];
    }
    dst[len] = '\0';
    return XMPP_OK;
}
