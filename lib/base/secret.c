#include "base/secret.h"

#include <xmpp/error.h>

#include "base/mem.h"

#include <string.h>

struct secret {
    size_t len;
    char data[];
};

int secret_create(struct secret **ret, const void *data, size_t len)
{
    struct secret *secret;
    size_t size;

    if (!size_add(sizeof *secret + 1, len, &size))
        return XMPP_ERR_NOMEM;
    secret = mem_alloc(size);
    if (!secret)
        return XMPP_ERR_NOMEM;
    secret->len = len;
    if (len > 0)
        memcpy(secret->data, data, len);
    secret->data[len] = '\0';

    *ret = secret;
    return XMPP_OK;
}

struct secret *secret_free(struct secret *secret)
{
    if (!secret)
        return NULL;
    secret_wipe(secret->data, secret->len);
    return mem_free(secret);
}

const char *secret_data(const struct secret *secret)
{
    return secret->data;
}

size_t secret_len(const struct secret *secret)
{
    return secret->len;
}

void secret_wipe(void *data, size_t len)
{
    if (len > 0)
        explicit_bzero(data, len);
}

bool secret_equal(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    unsigned difference = 0;

    for (size_t i = 0; i < len; i++)
        difference |= (unsigned)(x[i] ^ y[i]);
    return difference == 0;
}
