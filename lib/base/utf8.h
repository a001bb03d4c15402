#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_is_valid(const char *str, size_t len); /* no overlong forms, no surrogates, <= U+10FFFF */
/* valid UTF-8 and nothing outside the Char production of XML 1.0 (so no NUL either) */
bool utf8_is_xml(const char *str, size_t len);
bool utf8_is_ascii(const char *str, size_t len);
/* Decodes one code point of valid UTF-8, returns its length. */
size_t utf8_decode(const char *str, uint32_t *ret);
/* dst has room for 4 bytes; returns the length */
size_t utf8_encode(uint32_t code_point, char *dst);

#endif
