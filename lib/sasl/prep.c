#include "sasl/prep.h"

#include <xmpp/error.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "jid/prep.h"

#include <unictype.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* NFKC makes up to 18 code points of one, so what is not ASCII has to end somewhere. */
#define MAX_LEN 1024

struct range {
    uint32_t first;
    uint32_t last;
};

/* RFC 3454 B.1: commonly mapped to nothing */
static const struct range ignored[] = {
    {0x00AD, 0x00AD}, {0x034F, 0x034F}, {0x1806, 0x1806}, {0x180B, 0x180D},
    {0x200B, 0x200D}, {0x2060, 0x2060}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},
};

/* RFC 3454 C.1.2: spaces that are not ASCII */
static const struct range spaces[] = {
    {0x00A0, 0x00A0}, {0x1680, 0x1680}, {0x2000, 0x200B},
    {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000},
};

/* RFC 4013 2.3, without C.4, which is arithmetic: tables C.1.2, C.2.1, C.2.2, C.3 and C.5 to C.9, joined where
 * they meet */
static const struct range prohibited[] = {
    {0x0000, 0x001F},     {0x007F, 0x00A0},   {0x0340, 0x0341},   {0x06DD, 0x06DD},
    {0x070F, 0x070F},     {0x1680, 0x1680},   {0x180E, 0x180E},   {0x2000, 0x200F},
    {0x2028, 0x202F},     {0x205F, 0x2063},   {0x206A, 0x206F},   {0x2FF0, 0x2FFB},
    {0x3000, 0x3000},     {0xD800, 0xF8FF},   {0xFEFF, 0xFEFF},   {0xFFF9, 0xFFFD},
    {0x1D173, 0x1D17A},   {0xE0001, 0xE0001}, {0xE0020, 0xE007F}, {0xF0000, 0xFFFFD},
    {0x100000, 0x10FFFD},
};

static bool is_in(uint32_t c, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (c <= ranges[i].last)
            return c >= ranges[i].first;
    return false;
}

/* RFC 3454 C.4 */
static bool is_nonchar(uint32_t c)
{
    return (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
}

static bool is_prohibited(uint32_t c)
{
    return is_in(c, prohibited, ARRAY_LEN(prohibited)) || is_nonchar(c);
}

static bool is_rtl(uint32_t c)
{
    int class = uc_bidi_class(c);

    return class == UC_BIDI_R || class == UC_BIDI_AL;
}

/* RFC 3454 6: right-to-left text has no left-to-right characters, and begins and ends with its own. */
static bool obeys_bidi(const uint32_t *text, size_t len)
{
    bool has_rtl = false;
    bool has_ltr = false;

    for (size_t i = 0; i < len; i++) {
        if (is_rtl(text[i]))
            has_rtl = true;
        else if (uc_bidi_class(text[i]) == UC_BIDI_L)
            has_ltr = true;
    }
    return !has_rtl || (!has_ltr && is_rtl(text[0]) && is_rtl(text[len - 1]));
}

/* RFC 4013 2.1. U+200B is in both tables; the mapping to a space comes first. */
static size_t map(const char *str, size_t len, uint32_t *dst)
{
    size_t n = 0;

    for (size_t i = 0; i < len;) {
        uint32_t c;

        i += utf8_decode(str + i, &c);
        if (is_in(c, spaces, ARRAY_LEN(spaces)))
            dst[n++] = ' ';
        else if (!is_in(c, ignored, ARRAY_LEN(ignored)))
            dst[n++] = c;
    }
    return n;
}

static size_t encode(const uint32_t *text, size_t len, char *dst)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += utf8_encode(text[i], dst + n);
    return n;
}

/* text and normal have room for mapped and normalised code points, and then text for the bytes of the result. */
static int prepare_in(const char *str, size_t len, uint32_t *text, uint32_t *normal, size_t cap,
                      size_t *ret_len)
{
    size_t n = map(str, len, text);
    int r;

    if (n == 0)
        return XMPP_ERR_AUTH;
    r = prep_normalize(true, text, n, normal, cap, &n);
    if (r < 0)
        return r == XMPP_ERR_NOMEM ? r : XMPP_ERR_AUTH;
    for (size_t i = 0; i < n; i++)
        if (is_prohibited(normal[i]))
            return XMPP_ERR_AUTH;
    if (!obeys_bidi(normal, n))
        return XMPP_ERR_AUTH;
    /* four bytes at most for each */
    *ret_len = encode(normal, n, (char *)text);
    return XMPP_OK;
}

static int prepare_unicode(const char *str, size_t len, struct secret **ret)
{
    if (len > MAX_LEN || !utf8_is_valid(str, len))
        return XMPP_ERR_AUTH;

    size_t cap = len * PREP_NFKC_GROWTH;
    uint32_t *area = mem_alloc(2 * cap * sizeof *area);
    size_t n;
    int r;

    if (!area)
        return XMPP_ERR_NOMEM;
    r = prepare_in(str, len, area, area + cap, cap, &n);
    if (r == XMPP_OK)
        r = secret_create(ret, area, n);
    secret_wipe(area, 2 * cap * sizeof *area);
    mem_free(area);
    return r;
}

int sasl_prep_password(const char *str, size_t len, struct secret **ret)
{
    /* RFC 4616 2, RFC 5802 5.1: what is empty after preparation is no credential */
    if (len == 0)
        return XMPP_ERR_AUTH;
    if (!utf8_is_ascii(str, len))
        return prepare_unicode(str, len, ret);
    for (size_t i = 0; i < len; i++)
        if (is_prohibited((unsigned char)str[i]))
            return XMPP_ERR_AUTH;
    return secret_create(ret, str, len);
}

int sasl_prep_name(const char *str, char **ret)
{
    struct secret *prepared = NULL;
    char *name;
    int r = sasl_prep_password(str, strlen(str), &prepared);

    if (r < 0)
        return r;
    name = mem_strndup(secret_data(prepared), secret_len(prepared));
    secret_free(prepared);
    if (!name)
        return XMPP_ERR_NOMEM;

    *ret = name;
    return XMPP_OK;
}
