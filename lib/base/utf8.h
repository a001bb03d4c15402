#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_is_valid(const char *str, size_t len); /* no overlong forms, no surrogates, <= U+10FFFF */
/* valid UTF-8 and nothing outside the Char production of XML 1.0 (so no NUL either) */
bool utf8_is_xml(const char *str, size_t len);
/* How many bytes at the start are ASCII from space on. */
size_t utf8_skip_plain(const char *str, size_t len);
bool utf8_is_ascii(const char *str, size_t len);
/* Decodes one code point of valid UTF-8, returns its length. */
size_t utf8_decode(const char *str, uint32_t *ret);
/* Controls, line separators, what is invisible or turns the direction of text: they could fake a line of ours. */
bool utf8_is_deceptive(uint32_t code_point);
/* Makes one harmless line of text that others may have written, in place; returns its length, which never grows.
 * Controls become spaces; what else is deceptive, and what is not UTF-8, question marks. */
size_t utf8_tame(char *text, size_t len);
/* dst has room for 4 bytes; returns the length */
size_t utf8_encode(uint32_t code_point, char *dst);

#endif
