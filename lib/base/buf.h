#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <xmpp/error.h>

/* A byte queue: append at the end, consume at the front. Never holds more than limit bytes. */
struct buf {
    uint8_t *data;
    size_t start;
    size_t end;
    size_t cap;
    size_t limit;
};

void buf_init(struct buf *buf, size_t limit); /* limit SIZE_MAX: none. Allocates nothing */
void buf_clear(struct buf *buf); /* frees the storage; the buffer can be used again */
void buf_wipe(struct buf *buf); /* overwrites the storage, then clears */
int buf_reserve(struct buf *buf, size_t len, void **ret); /* room for len bytes at the end */
void buf_commit(struct buf *buf, size_t len); /* that much of the room was filled */
void buf_consume(struct buf *buf, size_t len);
void buf_truncate(struct buf *buf, size_t len); /* keeps the first len bytes: undo of appends */
/* When empty, gives back storage above keep bytes. Call when a connection falls idle. */
void buf_shrink(struct buf *buf, size_t keep);
/* Appends a NUL and hands the storage over as a string (mem_free()); the buffer is empty then. */
int buf_steal_str(struct buf *buf, char **ret, size_t *ret_len);
int buf_append_slowly(struct buf *buf, const void *data,
                      size_t len); /* buf_append() without room */

static inline size_t buf_len(const struct buf *buf)
{
    return buf->end - buf->start;
}

/* buf_len() bytes; never NULL */
static inline const uint8_t *buf_peek(const struct buf *buf)
{
    return buf->data ? buf->data + buf->start : (const uint8_t *)"";
}

/* XMPP_OK, XMPP_ERR_NOMEM or XMPP_ERR_LIMIT; on failure nothing was appended. A stanza is written in dozens of small
 * pieces, so what nearly always happens is inline. */
static inline int buf_append(struct buf *buf, const void *data, size_t len)
{
    size_t used = buf_len(buf);

    if (len > buf->cap - buf->end || used > buf->limit || len > buf->limit - used)
        return buf_append_slowly(buf, data, len);
    if (len > 0) {
        memcpy(buf->data + buf->end, data, len);
        buf->end += len;
    }
    return XMPP_OK;
}

/* Appends len bytes that are for the caller to fill: *ret. As buf_append() otherwise. */
static inline int buf_extend(struct buf *buf, size_t len, char **ret)
{
    size_t used = buf_len(buf);

    if (len > buf->cap - buf->end || used > buf->limit || len > buf->limit - used) {
        void *room;
        int r = buf_reserve(buf, len, &room);

        if (r < 0)
            return r;
    }
    *ret = (char *)buf->data + buf->end;
    buf->end += len;
    return XMPP_OK;
}

static inline int buf_append_str(struct buf *buf, const char *str)
{
    return buf_append(buf, str, strlen(str));
}

static inline int buf_append_char(struct buf *buf, char c)
{
    return buf_append(buf, &c, 1);
}

#endif
