#include "base/base64.h"

#include <xmpp/error.h>

/* What is encoded here may be a password (SASL PLAIN): no tables, so no cache line tells what was looked up. */

/* all ones when from <= x <= to; the operands are small */
static int in_range(int x, int from, int to)
{
    return -(int)((uint32_t)((from - 1 - x) & (x - to - 1)) >> 31);
}

static char to_char(uint32_t six_bits)
{
    int x = (int)(six_bits & 0x3F);

    return (char)((in_range(x, 0, 25) & (x + 'A')) | (in_range(x, 26, 51) & (x - 26 + 'a')) |
                  (in_range(x, 52, 61) & (x - 52 + '0')) | (in_range(x, 62, 62) & '+') |
                  (in_range(x, 63, 63) & '/'));
}

/* -1 for what is not in the alphabet */
static int from_char(char c)
{
    int x = (unsigned char)c;

    return ((in_range(x, 'A', 'Z') & (x - 'A' + 1)) | (in_range(x, 'a', 'z') & (x - 'a' + 27)) |
            (in_range(x, '0', '9') & (x - '0' + 53)) | (in_range(x, '+', '+') & 63) |
            (in_range(x, '/', '/') & 64)) -
           1;
}

size_t base64_encoded_len(size_t len)
{
    return len / 3 * 4 + (len % 3 > 0 ? 4 : 0);
}

void base64_encode(const void *data, size_t len, char *dst)
{
    const uint8_t *src = data;

    for (; len >= 3; len -= 3, src += 3) {
        uint32_t bits = (uint32_t)src[0] << 16 | (uint32_t)src[1] << 8 | src[2];

        for (int shift = 18; shift >= 0; shift -= 6)
            *dst++ = to_char(bits >> shift);
    }
    if (len > 0) {
        uint32_t bits = (uint32_t)src[0] << 16 | (len > 1 ? (uint32_t)src[1] << 8 : 0);

        *dst++ = to_char(bits >> 18);
        *dst++ = to_char(bits >> 12);
        *dst++ = len > 1 ? to_char(bits >> 6) : '=';
        *dst++ = '=';
    }
    *dst = '\0';
}

size_t base64_decoded_max(size_t len)
{
    return len / 4 * 3;
}

/* Up to four characters, the padding left out; the number of bytes or -1. */
static int decode_group(const char *str, int chars, uint8_t *dst)
{
    uint32_t bits = 0;
    int bad = 0;

    for (int i = 0; i < 4; i++) {
        int value = i < chars ? from_char(str[i]) : 0;

        bad |= value;
        bits = bits << 6 | ((uint32_t)value & 0x3F);
    }
    if (bad < 0)
        return -1;
    /* RFC 4648 3.5: pad bits must be zero, or several texts would mean the same */
    if ((chars == 2 && (bits & 0xFFFF)) || (chars == 3 && (bits & 0xFF)))
        return -1;
    for (int i = 0; i < chars - 1; i++)
        dst[i] = (uint8_t)(bits >> (16 - 8 * i));
    return chars - 1;
}

int base64_decode(const char *str, size_t len, uint8_t *dst, size_t *ret_len)
{
    size_t done = 0;

    if (len % 4 != 0)
        return XMPP_ERR_INVAL;
    for (size_t i = 0; i < len; i += 4) {
        int chars = 4;
        int n;

        if (i + 4 == len && str[i + 3] == '=')
            chars = str[i + 2] == '=' ? 2 : 3;
        n = decode_group(str + i, chars, dst + done);
        if (n < 0)
            return XMPP_ERR_INVAL;
        done += (size_t)n;
    }
    *ret_len = done;
    return XMPP_OK;
}
