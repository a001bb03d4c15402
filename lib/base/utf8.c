#include "base/utf8.h"

#include <string.h>

#define CONTINUATION(c) (((c)&0xC0u) == 0x80u)

/* After these first bytes the second one has a smaller range (RFC 3629, section 4). */
static bool is_second(unsigned first, unsigned second)
{
    switch (first) {
    case 0xE0: /* else overlong */
        return second >= 0xA0;
    case 0xED: /* else a surrogate */
        return second < 0xA0;
    case 0xF0: /* else overlong */
        return second >= 0x90;
    case 0xF4: /* else above U+10FFFF */
        return second < 0x90;
    default:
        return true;
    }
}

/* The length of the sequence that starts at str, 0 when it is not valid. */
static size_t sequence_len(const unsigned char *str, size_t len)
{
    unsigned first = str[0];
    size_t n;

    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4) /* a continuation, an overlong form of ASCII, out of range */
        return 0;
    n = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (len < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if (!CONTINUATION(str[i]))
            return 0;
    return is_second(first, str[1]) ? n : 0;
}

/* The Char production of XML 1.0 (2.2); what is not UTF-8 was refused before. */
static bool is_xml_char(const unsigned char *str, size_t len)
{
    if (len == 1)
        return str[0] >= 0x20 || str[0] == '\t' || str[0] == '\n' || str[0] == '\r';
    if (len == 3)
        return !(str[0] == 0xEF && str[1] == 0xBF && str[2] >= 0xBE); /* U+FFFE, U+FFFF */
    return true;
}

/* Bytes at the start of str that are ASCII, counted in words: most text is nothing else. */
static size_t ascii_run(const char *str, size_t len)
{
    size_t i = 0;

    for (; len - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, str + i, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    return i;
}

/* The highest bit is set in a byte of word - 0x20... or of word when the byte is below 0x20 or above 0x7F; a carry can
 * only come out of such a byte, so the first one that is found is one. */
static uint64_t find_odd(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);

    return ((word - ones * 0x20) | word) & ones * 0x80;
}

/* The first byte is the lowest. */
static uint64_t load_word(const char *str)
{
    uint64_t word;

    memcpy(&word, str, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* There is no way out of the loop: compilers make vector instructions of it. */
static bool is_plain_block(const char *str)
{
    uint64_t odd = 0;

    for (size_t i = 0; i < 64; i += 8)
        odd |= find_odd(load_word(str + i));
    return !odd;
}

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80;
}

size_t utf8_skip_plain(const char *str, size_t len)
{
    size_t i = 0;

    while (len - i >= 64 && is_plain_block(str + i))
        i += 64;
    for (; len - i >= 8; i += 8) {
        uint64_t odd = find_odd(load_word(str + i));

        if (odd)
            return i + (size_t)__builtin_ctzll(odd) / 8;
    }
    if (i > 0 && i < len && !find_odd(load_word(str + len - 8)))
        return len;
    while (i < len && is_plain(str[i]))
        i++;
    return i;
}

bool utf8_is_valid(const char *str, size_t len)
{
    for (size_t i = 0; (i += utf8_skip_plain(str + i, len - i)) < len;) {
        size_t n = sequence_len((const unsigned char *)str + i, len - i);

        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

bool utf8_is_xml(const char *str, size_t len)
{
    for (size_t i = 0; (i += utf8_skip_plain(str + i, len - i)) < len;) {
        const unsigned char *p = (const unsigned char *)str + i;
        size_t n = sequence_len(p, len - i);

        if (n == 0 || !is_xml_char(p, n))
            return false;
        i += n;
    }
    return true;
}

bool utf8_is_ascii(const char *str, size_t len)
{
    for (size_t i = ascii_run(str, len); i < len; i++)
        if ((unsigned char)str[i] >= 0x80)
            return false;
    return true;
}

size_t utf8_decode(const char *str, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)str;

    if (p[0] < 0x80) {
        *ret = p[0];
        return 1;
    }
    if (p[0] < 0xE0) {
        *ret = (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
        return 2;
    }
    if (p[0] < 0xF0) {
        *ret = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
        return 3;
    }
    *ret = (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
    return 4;
}

size_t utf8_encode(uint32_t code_point, char *dst)
{
    if (code_point < 0x80) {
        dst[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        dst[0] = (char)(0xC0 | code_point >> 6);
        dst[1] = (char)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        dst[0] = (char)(0xE0 | code_point >> 12);
        dst[1] = (char)(0x80 | (code_point >> 6 & 0x3F));
        dst[2] = (char)(0x80 | (code_point & 0x3F));
        return 3;
    }
    dst[0] = (char)(0xF0 | code_point >> 18);
    dst[1] = (char)(0x80 | (code_point >> 12 & 0x3F));
    dst[2] = (char)(0x80 | (code_point >> 6 & 0x3F));
    dst[3] = (char)(0x80 | (code_point & 0x3F));
    return 4;
}

bool utf8_is_deceptive(uint32_t code_point)
{
    return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0) ||
           (code_point >= 0x200b && code_point <= 0x200f) ||
           (code_point >= 0x2028 && code_point <= 0x202e) ||
           (code_point >= 0x2066 && code_point <= 0x2069);
}

size_t utf8_tame(char *text, size_t len)
{
    size_t end = 0;

    for (size_t i = 0; i < len;) {
        size_t size = sequence_len((const unsigned char *)text + i, len - i);
        uint32_t code_point = 0x7f;

        if (size > 0)
            (void)utf8_decode(text + i, &code_point);
        if (utf8_is_deceptive(code_point)) {
            text[end++] = size == 1 ? ' ' : '?';
        } else {
            memmove(text + end, text + i, size);
            end += size;
        }
        i += size > 0 ? size : 1;
    }
    return end;
}
