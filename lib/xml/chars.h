#ifndef XML_CHARS_H
#define XML_CHARS_H

#include <stddef.h>
#include <stdint.h>

/* Checks a stream of bytes, however it is cut: strict UTF-8, and no character that XML 1.0 does not
 * allow (SEC-18). A zeroed struct is the start. */
struct chars {
    uint8_t need; /* bytes that the character still lacks */
    uint8_t low; /* what the next of them may be */
    uint8_t high;
    uint8_t nonchar; /* bytes that agree with U+FFFE and U+FFFF */
};

enum chars_fault { CHARS_OK = 0, CHARS_NOT_UTF8, CHARS_NOT_XML };

/* Returns how many bytes are right. *ret_whole: how many of them lie before the end of the last
 * whole character. *ret: what is wrong with the next byte; CHARS_OK when all were right. */
size_t chars_check(struct chars *chars, const char *data, size_t len, size_t *ret_whole,
                   enum chars_fault *ret);

#endif
