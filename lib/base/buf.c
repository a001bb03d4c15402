#include "base/buf.h"

#include <xmpp/error.h>

#include "base/mem.h"
#include "base/secret.h"

#include <string.h>

#define BUF_MIN 256

void buf_init(struct buf *buf, size_t limit)
{
    *buf = (struct buf){.limit = limit};
}

void buf_clear(struct buf *buf)
{
    buf->data = mem_free(buf->data);
    buf->start = 0;
    buf->end = 0;
    buf->cap = 0;
}

void buf_wipe(struct buf *buf)
{
    if (buf->data)
        secret_wipe(buf->data, buf->cap);
    buf_clear(buf);
}

/* Room for len more bytes, whatever the limit says. Doubling makes appending O(1) on average. */
static int buf_make_room(struct buf *buf, size_t len)
{
    size_t used = buf_len(buf);
    size_t cap;
    uint8_t *data;

    if (buf->cap - buf->end >= len)
        return XMPP_OK;
    /* Moving to the front is paid for by the bytes that were consumed: they are at least as many. */
    if (buf->start >= used && buf->cap - used >= len) {
        memmove(buf->data, buf->data + buf->start, used);
        buf->start = 0;
        buf->end = used;
        return XMPP_OK;
    }

    if (!size_add(used, len, &cap))
        return XMPP_ERR_NOMEM;
    if (cap < BUF_MIN)
        cap = BUF_MIN;
    if (cap < buf->cap * 2 && buf->cap <= SIZE_MAX / 2)
        cap = buf->cap * 2;
    data = mem_alloc(cap);
    if (!data)
        return XMPP_ERR_NOMEM;
    if (buf->data) {
        memcpy(data, buf->data + buf->start, used);
        /* what was in here may be a secret (buf_wipe() sees only the new storage) */
        secret_wipe(buf->data, buf->end);
        mem_free(buf->data);
    }
    buf->data = data;
    buf->start = 0;
    buf->end = used;
    buf->cap = cap;
    return XMPP_OK;
}

int buf_reserve(struct buf *buf, size_t len, void **ret)
{
    size_t used = buf_len(buf);
    int r;

    if (used > buf->limit || len > buf->limit - used)
        return XMPP_ERR_LIMIT;
    r = buf_make_room(buf, len > 0 ? len : 1);
    if (r < 0)
        return r;

    *ret = buf->data + buf->end;
    return XMPP_OK;
}

void buf_commit(struct buf *buf, size_t len)
{
    buf->end += len;
}

int buf_append_slowly(struct buf *buf, const void *data, size_t len)
{
    void *room;
    int r;

    if (len == 0)
        return XMPP_OK;
    r = buf_reserve(buf, len, &room);
    if (r < 0)
        return r;
    memcpy(room, data, len);
    buf_commit(buf, len);
    return XMPP_OK;
}

void buf_consume(struct buf *buf, size_t len)
{
    if (len < buf_len(buf)) {
        buf->start += len;
        return;
    }
    buf->start = 0;
    buf->end = 0;
}

void buf_truncate(struct buf *buf, size_t len)
{
    if (len < buf_len(buf))
        buf->end = buf->start + len;
}

void buf_shrink(struct buf *buf, size_t keep)
{
    uint8_t *data;

    if (buf_len(buf) > 0 || buf->cap <= keep)
        return;
    if (keep == 0) {
        buf_clear(buf);
        return;
    }
    data = mem_realloc(buf->data, keep);
    /* an allocator that cannot shrink leaves us with what we have */
    if (!data)
        return;
    buf->data = data;
    buf->cap = keep;
    buf->start = 0;
    buf->end = 0;
}

int buf_steal_str(struct buf *buf, char **ret, size_t *ret_len)
{
    size_t len = buf_len(buf);
    int r;

    r = buf_make_room(buf, 1);
    if (r < 0)
        return r;
    if (buf->start > 0)
        memmove(buf->data, buf->data + buf->start, len);
    buf->data[len] = '\0';

    *ret = (char *)STEAL(buf->data);
    if (ret_len)
        *ret_len = len;
    buf_clear(buf);
    return XMPP_OK;
}
