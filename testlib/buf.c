#include "tst.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tst_buf_add(struct tst_buf *buf, const void *data, size_t len)
{
    if (buf->failed)
        return;
    if (len >= buf->cap - buf->len) {
        size_t cap = (buf->len + len + 1) * 2;
        char *fresh = realloc(buf->data, cap);

        if (!fresh) {
            buf->failed = true;
            return;
        }
        buf->data = fresh;
        buf->cap = cap;
    }
    if (len > 0)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void tst_buf_str(struct tst_buf *buf, const char *str)
{
    tst_buf_add(buf, str, strlen(str));
}

void tst_buf_printf(struct tst_buf *buf, const char *format, ...)
{
    char *text;
    va_list args;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0) {
        buf->failed = true;
        return;
    }
    tst_buf_add(buf, text, (size_t)len);
    free(text);
}

void tst_buf_escape(struct tst_buf *buf, const char *str)
{
    for (; *str; str++) {
        switch (*str) {
        case '<':
            tst_buf_str(buf, "&lt;");
            break;
        case '>':
            tst_buf_str(buf, "&gt;");
            break;
        case '&':
            tst_buf_str(buf, "&amp;");
            break;
        case '\'':
            tst_buf_str(buf, "&apos;");
            break;
        case '"':
            tst_buf_str(buf, "&quot;");
            break;
        default:
            tst_buf_add(buf, str, 1);
        }
    }
}

void tst_buf_base64(struct tst_buf *buf, const void *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = data;

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        unsigned bits = (unsigned)in[i] << 16 | (left > 1 ? (unsigned)in[i + 1] << 8 : 0) |
                        (left > 2 ? in[i + 2] : 0u);
        char group[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                         left > 1 ? digits[bits >> 6 & 63] : '=',
                         left > 2 ? digits[bits & 63] : '='};

        tst_buf_add(buf, group, sizeof group);
    }
}

void tst_buf_consume(struct tst_buf *buf, size_t len)
{
    if (len == 0)
        return;
    memmove(buf->data, buf->data + len, buf->len - len + 1);
    buf->len -= len;
}

void tst_buf_clear(struct tst_buf *buf)
{
    free(buf->data);
    memset(buf, 0, sizeof *buf);
}

bool tst_has_word(const char *words, const char *word, size_t len)
{
    while (*words) {
        size_t n = strcspn(words, " ");

        if (n == len && memcmp(words, word, len) == 0)
            return true;
        words += n;
        words += strspn(words, " ");
    }
    return false;
}
