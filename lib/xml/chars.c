#include "xml/chars.h"

#include "base/utf8.h"

#include <stdbool.h>

/* RFC 3629, section 4 */
static bool start(struct chars *chars, uint8_t c)
{
    if (c < 0xC2 || c > 0xF4)
        return false;
    chars->need = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
    chars->low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    chars->high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    chars->nonchar = c == 0xEF;
    return true;
}

static enum chars_fault go_on(struct chars *chars, uint8_t c)
{
    if (c < chars->low || c > chars->high)
        return CHARS_NOT_UTF8;
    if (chars->nonchar == 2 && c >= 0xBE)
        return CHARS_NOT_XML;
    chars->nonchar = chars->nonchar == 1 && c == 0xBF ? 2 : 0;
    chars->low = 0x80;
    chars->high = 0xBF;
    chars->need--;
    return CHARS_OK;
}

static bool is_ascii_char(uint8_t c)
{
    return (c >= 0x20 && c < 0x80) || c == '\t' || c == '\n' || c == '\r';
}

static enum chars_fault take_byte(struct chars *chars, uint8_t c)
{
    if (chars->need > 0)
        return go_on(chars, c);
    if (is_ascii_char(c) || start(chars, c))
        return CHARS_OK;
    return c < 0x80 ? CHARS_NOT_XML : CHARS_NOT_UTF8;
}

size_t chars_check(struct chars *chars, const char *data, size_t len, size_t *ret_whole,
                   enum chars_fault *ret)
{
    size_t whole = 0;
    size_t i = 0;

    *ret = CHARS_OK;
    for (;;) {
        if (chars->need == 0) {
            i += utf8_skip_plain(data + i, len - i);
            whole = i;
        }
        if (i == len)
            break;
        *ret = take_byte(chars, (uint8_t)data[i]);
        if (*ret != CHARS_OK)
            break;
        i++;
    }
    *ret_whole = whole;
    return i;
}
