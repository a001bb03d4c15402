#include "base/log.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define LOG_INLINE 512 /* longer messages take memory */

void log_init(struct log *log)
{
    *log = (struct log){0};
}

void log_clear(struct log *log)
{
    struct log old = *log;

    /* first: destroy may look at the loop again */
    log_init(log);
    if (old.destroy)
        old.destroy(old.user_data);
}

bool log_wants(const struct log *log, int level)
{
    return log && log->fn && level <= log->max_level;
}

void log_write_raw(const struct log *log, int level, const char *module, const char *text,
                   size_t len)
{
    if (log_wants(log, level))
        log->fn(level, module, text, len, log->user_data);
}

/* The length without a character that was cut in the middle. */
static size_t whole_chars(const char *text, size_t len)
{
    size_t start = len;

    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0u) == 0x80u)
        start--;
    if (start > 0 && (unsigned char)text[start - 1] >= 0xC0u)
        return start - 1;
    return len;
}

void log_write(const struct log *log, int level, const char *module, const char *format, ...)
{
    CLEANUP(mem_freep) char *large = NULL;
    char small[LOG_INLINE];
    char *text = small;
    size_t len;
    va_list args;
    int r;

    if (!log_wants(log, level))
        return;
    va_start(args, format);
    r = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (r < 0)
        return;
    len = (size_t)r;
    if (len >= sizeof small) {
        large = mem_alloc(len + 1);
        if (large) {
            va_start(args, format);
            (void)vsnprintf(large, len + 1, format, args); /* the length is known to fit */
            va_end(args);
            text = large;
        } else {
            len = whole_chars(small, sizeof small - 1);
            small[len] = '\0';
        }
    }
    /* A line of the log is one line: text of the peer in it must not look like another entry. */
    len = utf8_tame(text, len);
    text[len] = '\0';
    log_write_raw(log, level, module, text, len);
}
