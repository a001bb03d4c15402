#include "jid/domain.h"

#include <xmpp/error.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "jid/prep.h"

#include <idn2.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#define MAX_LABEL 63
#define MAX_NAME  253 /* 255 octets on the wire */

static void idn_freep(char **ptr)
{
    idn2_free(*ptr);
}

/* Letters, digits, hyphen, and the underscore that host names in private networks have; else 0. */
static char map_name_char(char c)
{
    if (c >= 'A' && c <= 'Z')
        return str_lower(c);
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')
        return c;
    return 0;
}

static bool is_ace(const char *label, size_t len)
{
    return len >= 4 && memcmp(label, "xn--", 4) == 0;
}

/* Copies an ASCII name in lower case, if it is one (RFC 5890 2.3.1; JID-06). A name of digits only is refused:
 * what is no IPv4 address here may be one for a resolver ("127.1", "0177.0.0.1"). dst: len bytes. */
static bool copy_name(const char *str, size_t len, char *dst, bool *ret_has_ace)
{
    size_t start = 0;
    bool has_ace = false;
    bool is_number = true;

    if (len == 0 || len > MAX_NAME)
        return false;
    for (size_t i = 0; i <= len; i++) {
        if (i == len || str[i] == '.') {
            if (i == start || i - start > MAX_LABEL || dst[start] == '-' || dst[i - 1] == '-')
                return false;
            has_ace |= is_ace(dst + start, i - start);
            start = i + 1;
            if (i < len)
                dst[i] = '.';
            continue;
        }
        char c = map_name_char(str[i]);
        if (!c)
            return false;
        is_number &= c <= '9' && c >= '0';
        dst[i] = c;
    }

    *ret_has_ace = has_ace;
    return !is_number;
}

/* JID-04 */
static size_t strip_dot(const char *str, size_t len)
{
    return len > 0 && str[len - 1] == '.' ? len - 1 : len;
}

bool domain_copy_ascii(const char *str, size_t len, char *dst, size_t *ret_len)
{
    bool has_ace;

    len = strip_dot(str, len);
    if (!copy_name(str, len, dst, &has_ace) || has_ace)
        return false;

    *ret_len = len;
    return true;
}

/* An address literal in lower case; DOMAIN_NAME if it is none. str is terminated. inet_pton() takes no zone
 * identifiers, and none are wanted: they mean something on one host only. */
static enum domain_kind classify(char *str)
{
    unsigned char address[sizeof(struct in6_addr)];
    size_t len = strlen(str);
    int r;

    if (str[0] != '[')
        return inet_pton(AF_INET, str, address) == 1 ? DOMAIN_IPV4 : DOMAIN_NAME;
    if (str[len - 1] != ']')
        return DOMAIN_NAME;
    str[len - 1] = '\0';
    r = inet_pton(AF_INET6, str + 1, address);
    str[len - 1] = ']';
    if (r != 1)
        return DOMAIN_NAME;
    for (size_t i = 0; i < len; i++)
        str[i] = str_lower(str[i]);
    return DOMAIN_IPV6;
}

/* New strings, both or none. */
static int finish(const char *str, size_t len, const char *ascii, size_t ascii_len, char **ret,
                  char **ret_ascii)
{
    CLEANUP(mem_freep) char *domain = mem_strndup(str, len);
    CLEANUP(mem_freep) char *copy = mem_strndup(ascii, ascii_len);

    if (!domain || !copy)
        return XMPP_ERR_NOMEM;
    *ret = STEAL(domain);
    *ret_ascii = STEAL(copy);
    return XMPP_OK;
}

/* IDNA2008 with the mapping of UTS 46. IDN2_USE_STD3_ASCII_RULES deletes characters instead of refusing them,
 * so it is not set, and the result is checked: the mapping can make '/', '@' and the like. */
static int to_alabels(const char *str, char **ret)
{
    char checked[MAX_NAME];
    uint8_t *ascii = NULL;
    bool has_ace;
    int r;

    r = idn2_lookup_u8((const uint8_t *)str, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (r != IDN2_OK)
        return r == IDN2_MALLOC ? XMPP_ERR_NOMEM : XMPP_ERR_JID;
    if (!copy_name((const char *)ascii, strlen((const char *)ascii), checked, &has_ace)) {
        idn2_free(ascii);
        return XMPP_ERR_JID;
    }

    *ret = (char *)ascii;
    return XMPP_OK;
}

/* libidn2 lets European and Arabic-Indic digits stand in one label (RFC 5893 2, rule 4). */
static bool obeys_bidi_rule(const char *domain)
{
    uint32_t label[MAX_NAME];
    size_t len = 0;

    while (*domain) {
        uint32_t c;

        domain += utf8_decode(domain, &c);
        if (c != '.' && len < MAX_NAME)
            label[len++] = c;
        if (c != '.' && *domain)
            continue;
        if (!prep_obeys_bidi_rule(label, len))
            return false;
        len = 0;
    }
    return true;
}

/* A-labels become U-labels; that is stable (JID-10) if it comes out the same when it goes in again. */
static int prepare_idn(const char *str, char **ret, char **ret_ascii)
{
    CLEANUP(idn_freep) char *ascii = NULL;
    CLEANUP(idn_freep) char *unicode = NULL;
    CLEANUP(idn_freep) char *again = NULL;
    int r;

    r = to_alabels(str, &ascii);
    if (r < 0)
        return r;
    r = idn2_to_unicode_8z8z(ascii, &unicode, IDN2_NONTRANSITIONAL);
    if (r != IDN2_OK)
        return r == IDN2_MALLOC ? XMPP_ERR_NOMEM : XMPP_ERR_JID;
    r = to_alabels(unicode, &again);
    if (r < 0)
        return r;
    if (strcmp(ascii, again) != 0 || strlen(unicode) > LIMIT_JID_PART || !obeys_bidi_rule(unicode))
        return XMPP_ERR_JID;
    return finish(unicode, strlen(unicode), ascii, strlen(ascii), ret, ret_ascii);
}

/* The full stops that IDNA takes for a dot become one, ASCII goes to lower case; refuses other ASCII that no name
 * can hold, which libidn2 lets through. In place; returns the new length, 0 for a refusal. */
static size_t clean_name(char *str, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len;) {
        uint32_t c;
        size_t size = utf8_decode(str + i, &c);

        if (c == '.' || c == 0x3002 || c == 0xFF0E || c == 0xFF61) {
            str[n++] = '.';
        } else if (c < 0x80) {
            char mapped = map_name_char((char)c);
            if (!mapped)
                return 0;
            str[n++] = mapped;
        } else {
            memmove(str + n, str + i, size);
            n += size;
        }
        i += size;
    }
    return n;
}

static int prepare_literal(const char *literal, enum domain_kind kind, char **ret, char **ret_ascii)
{
    size_t len = strlen(literal);

    if (kind == DOMAIN_IPV6)
        return finish(literal, len, literal + 1, len - 2, ret, ret_ascii);
    return finish(literal, len, literal, len, ret, ret_ascii);
}

/* has_dot: a trailing dot was there already */
static int prepare_name(char *name, size_t len, bool has_dot, char **ret, char **ret_ascii)
{
    bool has_ace;

    len = clean_name(name, len);
    if (!has_dot)
        len = strip_dot(name, len);
    name[len] = '\0';
    if (len == 0)
        return XMPP_ERR_JID;
    if (!utf8_is_ascii(name, len))
        return prepare_idn(name, ret, ret_ascii);
    if (!copy_name(name, len, name, &has_ace))
        return XMPP_ERR_JID;
    if (has_ace)
        return prepare_idn(name, ret, ret_ascii);
    return finish(name, len, name, len, ret, ret_ascii);
}

static int prepare(const char *str, size_t len, char **ret, char **ret_ascii,
                   enum domain_kind *ret_kind)
{
    char name[LIMIT_JID_PART + 1];
    enum domain_kind kind;
    size_t end;
    int r;

    /* JID-19 */
    if (len == 0 || len > LIMIT_JID_PART || !utf8_is_xml(str, len))
        return XMPP_ERR_JID;
    end = strip_dot(str, len);
    if (end == 0)
        return XMPP_ERR_JID;
    memcpy(name, str, end);
    name[end] = '\0';
    kind = classify(name);
    if (kind == DOMAIN_NAME)
        r = prepare_name(name, end, end < len, ret, ret_ascii);
    else
        r = prepare_literal(name, kind, ret, ret_ascii);
    if (r < 0)
        return r;

    *ret_kind = kind;
    return XMPP_OK;
}

int domain_prepare(const char *str, size_t len, bool lenient, char **ret, char **ret_ascii,
                   enum domain_kind *ret_kind)
{
    int r = prepare(str, len, ret, ret_ascii, ret_kind);
    char *raw;

    if (r != XMPP_ERR_JID || !lenient)
        return r;
    /* JID-18; JID-17 too, for libidn2 has no way to let unknown code points pass */
    if (len == 0 || len > LIMIT_JID_PART || !utf8_is_xml(str, len))
        return XMPP_ERR_JID;
    raw = mem_strndup(str, len);
    if (!raw)
        return XMPP_ERR_NOMEM;

    *ret = raw;
    *ret_ascii = NULL;
    *ret_kind = DOMAIN_NAME;
    return XMPP_OK;
}

int domain_enforce(const char *str, size_t len, bool lenient, char **ret)
{
    CLEANUP(mem_freep) char *ascii = NULL;
    enum domain_kind kind;

    return domain_prepare(str, len, lenient, ret, &ascii, &kind);
}

int domain_to_ascii(const char *domain, char **ret, enum domain_kind *ret_kind)
{
    CLEANUP(mem_freep) char *enforced = NULL;

    return domain_prepare(domain, strlen(domain), false, &enforced, ret, ret_kind);
}
