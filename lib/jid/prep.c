#include "jid/prep.h"

#include <xmpp/error.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"

#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* RFC 8264 7: apply once, then at most three more times, until nothing changes. */
#define MAX_PASSES 4

#define ZWNJ 0x200C
#define ZWJ  0x200D

struct profile {
    bool width; /* fullwidth and halfwidth forms become ordinary ones */
    bool spaces; /* every space becomes U+0020 */
    bool lower;
    bool bidi; /* RFC 5893 2 */
    bool freeform; /* FreeformClass, else IdentifierClass */
};

static const struct profile username_case_mapped = {.width = true, .lower = true, .bidi = true};
static const struct profile username_case_preserved = {.width = true, .bidi = true};
static const struct profile opaque_string = {.spaces = true, .freeform = true};

/* RFC 8264 8; FREE_PVAL is the RFC's "ID_DIS or FREE_PVAL". */
enum property { PVALID, FREE_PVAL, CONTEXTJ, CONTEXTO, DISALLOWED, UNASSIGNED, NO_EXCEPTION };

/* What the context rules want to know about the string as a whole, gathered in one walk. */
struct context {
    bool has_kana_or_han;
    bool has_arabic_indic;
    bool has_extended_arabic_indic;
};

/* libunistring's own blocks come from malloc() and have no other function that releases them. None is ever made
 * as long as no Unicode version grows strings more than the factors in the header say. */
static void release_foreign(void *block)
{
    free(block);
}

int prep_normalize(bool compat, const uint32_t *src, size_t len, uint32_t *dst, size_t cap,
                   size_t *ret_len)
{
    size_t n = cap;
    uint32_t *result = u32_normalize(compat ? UNINORM_NFKC : UNINORM_NFC, src, len, dst, &n);

    if (!result)
        return errno == ENOMEM ? XMPP_ERR_NOMEM : XMPP_ERR_JID;
    if (result != dst) {
        release_foreign(result);
        return XMPP_ERR_JID;
    }

    *ret_len = n;
    return XMPP_OK;
}

/* RFC 8264 9.6 */
static enum property get_exception(uint32_t c)
{
    switch (c) {
    case 0x00DF:
    case 0x03C2:
    case 0x06FD ... 0x06FE:
    case 0x0F0B:
    case 0x3007:
        return PVALID;
    case 0x00B7:
    case 0x0375:
    case 0x05F3 ... 0x05F4:
    case 0x0660 ... 0x0669:
    case 0x06F0 ... 0x06F9:
    case 0x30FB:
        return CONTEXTO;
    case 0x0640:
    case 0x07FA:
    case 0x302E ... 0x302F:
    case 0x3031 ... 0x3035:
    case 0x303B:
        return DISALLOWED;
    default:
        return NO_EXCEPTION;
    }
}

/* RFC 8264 9.9: conjoining jamo, in three blocks */
static bool is_old_hangul_jamo(uint32_t c)
{
    return (c >= 0x1100 && c <= 0x11FF) || (c >= 0xA960 && c <= 0xA97C) ||
           (c >= 0xD7B0 && c <= 0xD7C6) || (c >= 0xD7CB && c <= 0xD7FB);
}

/* RFC 8264 9.17. What cannot be normalised counts as changed, so it is refused. */
static bool has_compat(uint32_t c)
{
    uint32_t buf[2 * PREP_NFKC_GROWTH];
    size_t n;

    if (prep_normalize(true, &c, 1, buf, ARRAY_LEN(buf), &n) < 0)
        return true;
    return n != 1 || buf[0] != c;
}

static enum property get_property(uint32_t c)
{
    enum property exception = get_exception(c);
    if (exception != NO_EXCEPTION)
        return exception;

    bool is_nonchar = uc_is_property_not_a_character(c);
    if (!is_nonchar && uc_is_general_category(c, UC_UNASSIGNED))
        return UNASSIGNED;
    if (c >= 0x21 && c <= 0x7E)
        return PVALID;
    if (uc_is_property_join_control(c))
        return CONTEXTJ;
    if (is_old_hangul_jamo(c) || is_nonchar || uc_is_property_default_ignorable_code_point(c) ||
        uc_is_general_category(c, UC_CONTROL))
        return DISALLOWED;
    if (has_compat(c))
        return FREE_PVAL;
    /* LetterDigits; then OtherLetterDigits, Spaces, Symbols, Punctuation */
    if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Ll | UC_CATEGORY_MASK_Lu |
                                                UC_CATEGORY_MASK_Lo | UC_CATEGORY_MASK_Nd |
                                                UC_CATEGORY_MASK_Lm | UC_CATEGORY_MASK_Mn |
                                                UC_CATEGORY_MASK_Mc))
        return PVALID;
    if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Lt | UC_CATEGORY_MASK_Nl |
                                                UC_CATEGORY_MASK_No | UC_CATEGORY_MASK_Me |
                                                UC_CATEGORY_MASK_Zs | UC_CATEGORY_MASK_S |
                                                UC_CATEGORY_MASK_P))
        return FREE_PVAL;
    return DISALLOWED;
}

static bool is_script(uint32_t c, const char *name)
{
    const uc_script_t *script = uc_script(c);

    return script && strcmp(script->name, name) == 0;
}

static struct context get_context(const uint32_t *text, size_t len)
{
    struct context context = {false, false, false};

    for (size_t i = 0; i < len; i++) {
        uint32_t c = text[i];

        if (c < 0x80)
            continue;
        if (c >= 0x0660 && c <= 0x0669)
            context.has_arabic_indic = true;
        else if (c >= 0x06F0 && c <= 0x06F9)
            context.has_extended_arabic_indic = true;
        else if (is_script(c, "Han") || is_script(c, "Hiragana") || is_script(c, "Katakana"))
            context.has_kana_or_han = true;
    }
    return context;
}

/* RFC 5892 A.1: between characters that join across it, transparent ones not counted */
static bool joins_around(const uint32_t *text, size_t len, size_t pos)
{
    size_t before = pos;
    size_t after = pos + 1;

    while (before > 0 && uc_joining_type(text[before - 1]) == UC_JOINING_TYPE_T)
        before--;
    while (after < len && uc_joining_type(text[after]) == UC_JOINING_TYPE_T)
        after++;
    if (before == 0 || after == len)
        return false;

    int left = uc_joining_type(text[before - 1]);
    int right = uc_joining_type(text[after]);
    return (left == UC_JOINING_TYPE_L || left == UC_JOINING_TYPE_D) &&
           (right == UC_JOINING_TYPE_R || right == UC_JOINING_TYPE_D);
}

/* RFC 5892 appendix A: does the rule of the code point at pos hold? */
static bool context_holds(const struct context *context, const uint32_t *text, size_t len,
                          size_t pos)
{
    uint32_t c = text[pos];
    uint32_t before = pos > 0 ? text[pos - 1] : 0;
    uint32_t after = pos + 1 < len ? text[pos + 1] : 0;
    bool is_after_virama = pos > 0 && uc_combining_class(before) == UC_CCC_VR;

    switch (c) {
    case ZWNJ: /* A.1 */
        return is_after_virama || joins_around(text, len, pos);
    case ZWJ: /* A.2 */
        return is_after_virama;
    case 0x00B7: /* A.3: middle dot, between two l */
        return before == 'l' && after == 'l';
    case 0x0375: /* A.4: keraia */
        return is_script(after, "Greek");
    case 0x05F3: /* A.5, A.6: geresh and gershayim */
    case 0x05F4:
        return is_script(before, "Hebrew");
    case 0x30FB: /* A.7: katakana middle dot */
        return context->has_kana_or_han;
    default: /* A.8, A.9: digits of one kind only */
        return c <= 0x0669 ? !context->has_extended_arabic_indic : !context->has_arabic_indic;
    }
}

static bool is_in_class(bool freeform, bool lenient, const uint32_t *text, size_t len)
{
    struct context context = get_context(text, len);

    for (size_t i = 0; i < len; i++) {
        switch (get_property(text[i])) {
        case PVALID:
            break;
        case FREE_PVAL:
            if (!freeform)
                return false;
            break;
        case CONTEXTJ:
        case CONTEXTO:
            if (!context_holds(&context, text, len, i))
                return false;
            break;
        case UNASSIGNED: /* JID-17 */
            if (!lenient)
                return false;
            break;
        default:
            return false;
        }
    }
    return true;
}

static uint32_t class_bit(uint32_t c)
{
    return UINT32_C(1) << uc_bidi_class(c);
}

bool prep_obeys_bidi_rule(const uint32_t *text, size_t len)
{
    const uint32_t l = UINT32_C(1) << UC_BIDI_L;
    const uint32_t en = UINT32_C(1) << UC_BIDI_EN;
    const uint32_t an = UINT32_C(1) << UC_BIDI_AN;
    const uint32_t nsm = UINT32_C(1) << UC_BIDI_NSM;
    const uint32_t rtl = UINT32_C(1) << UC_BIDI_R | UINT32_C(1) << UC_BIDI_AL;
    const uint32_t neutral = UINT32_C(1) << UC_BIDI_ES | UINT32_C(1) << UC_BIDI_CS |
                             UINT32_C(1) << UC_BIDI_ET | UINT32_C(1) << UC_BIDI_ON |
                             UINT32_C(1) << UC_BIDI_BN | nsm;
    uint32_t seen = 0;
    uint32_t last = 0; /* the last one that is not a non-spacing mark */

    for (size_t i = 0; i < len; i++) {
        uint32_t bit = class_bit(text[i]);

        seen |= bit;
        if (bit != nsm)
            last = bit;
    }
    if (!(seen & (rtl | an)))
        return true;
    /* Rules 1 and 5: text that begins left-to-right may not hold the classes that brought us here. */
    if (!(class_bit(text[0]) & rtl))
        return false;
    /* rules 2, 4, 3 */
    return !(seen & ~(rtl | an | en | neutral)) && (seen & (an | en)) != (an | en) &&
           (last & (rtl | en | an)) && !(seen & l);
}

/* RFC 8264 5.2.1: the decomposition, where it is one of width */
static uint32_t map_width(uint32_t c)
{
    ucs4_t decomposed[UC_DECOMPOSITION_MAX_LENGTH];
    int tag;

    if (c < 0x3000)
        return c;
    if (uc_decomposition(c, &tag, decomposed) != 1)
        return c;
    return tag == UC_DECOMP_WIDE || tag == UC_DECOMP_NARROW ? decomposed[0] : c;
}

/* JID-11: each code point by itself; a string function would know the final sigma. Unicode's one unconditional
 * lower-case mapping to two code points is that of U+0130. */
static size_t map_lower(const uint32_t *src, size_t len, uint32_t *dst)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (src[i] == 0x0130) {
            dst[n++] = 'i';
            dst[n++] = 0x0307;
        } else {
            dst[n++] = uc_tolower(src[i]);
        }
    }
    return n;
}

/* Areas of cap code points: text goes in and comes out, the others are scratch. */
struct work {
    uint32_t *text;
    uint32_t *mapped;
    uint32_t *lowered; /* 2 * cap: see map_lower() */
    size_t len;
    size_t cap;
};

static void area_freep(uint32_t **area)
{
    mem_free(*area);
}

/* One application of all rules; *ret_changed says whether it did anything. */
static int apply(const struct profile *profile, bool lenient, struct work *work, bool *ret_changed)
{
    uint32_t *mapped = work->mapped;
    size_t len = work->len;
    int r;

    for (size_t i = 0; i < len; i++) {
        uint32_t c = work->text[i];

        if (profile->width)
            c = map_width(c);
        /* RFC 8265 4.2.2 */
        else if (profile->spaces && c >= 0x80 && uc_is_general_category(c, UC_SPACE_SEPARATOR))
            c = ' ';
        mapped[i] = c;
    }
    /* RFC 8265 3.3.2: the class is checked before the case is mapped. The last application finds nothing to
     * map, so the result is in the class too. */
    if (!is_in_class(profile->freeform, lenient, mapped, len))
        return XMPP_ERR_JID;

    if (profile->lower)
        len = map_lower(mapped, len, work->lowered);
    else
        memcpy(work->lowered, mapped, len * sizeof *mapped);
    r = prep_normalize(false, work->lowered, len, mapped, work->cap, &len);
    if (r < 0)
        return r;
    if (profile->bidi && !prep_obeys_bidi_rule(mapped, len))
        return XMPP_ERR_JID;

    *ret_changed = len != work->len || memcmp(mapped, work->text, len * sizeof *mapped) != 0;
    work->mapped = work->text;
    work->text = mapped;
    work->len = len;
    return XMPP_OK;
}

static int encode(const uint32_t *text, size_t len, char **ret)
{
    char *str = mem_alloc(4 * len + 1);
    size_t n = 0;

    if (!str)
        return XMPP_ERR_NOMEM;
    for (size_t i = 0; i < len; i++)
        n += utf8_encode(text[i], str + n);
    str[n] = '\0';

    *ret = str;
    return XMPP_OK;
}

/* Nearly everything: no Unicode function is needed. */
static int enforce_ascii(const struct profile *profile, const char *str, size_t len, char **ret)
{
    char first = profile->freeform ? ' ' : '!';

    for (size_t i = 0; i < len; i++)
        if (str[i] < first || str[i] > '~')
            return XMPP_ERR_JID;

    char *copy = mem_strndup(str, len);
    if (!copy)
        return XMPP_ERR_NOMEM;
    for (size_t i = 0; profile->lower && i < len; i++)
        copy[i] = str_lower(copy[i]);

    *ret = copy;
    return XMPP_OK;
}

static int enforce(const struct profile *profile, const char *str, size_t len, bool lenient,
                   char **ret)
{
    if (len == 0 || len > LIMIT_JID)
        return XMPP_ERR_JID;
    if (utf8_is_ascii(str, len))
        return enforce_ascii(profile, str, len, ret);
    /* JID-19 */
    if (!utf8_is_valid(str, len))
        return XMPP_ERR_JID;

    struct work work = {.cap = len * PREP_NFC_GROWTH};
    CLEANUP(area_freep) uint32_t *area = mem_alloc(4 * work.cap * sizeof *area);
    if (!area)
        return XMPP_ERR_NOMEM;
    work.text = area;
    work.mapped = area + work.cap;
    work.lowered = area + 2 * work.cap;
    for (size_t pos = 0; pos < len; work.len++)
        pos += utf8_decode(str + pos, &work.text[work.len]);

    bool is_changed = true;
    for (int pass = 0; is_changed; pass++) {
        if (pass == MAX_PASSES)
            return XMPP_ERR_JID;
        int r = apply(profile, lenient, &work, &is_changed);
        if (r < 0)
            return r;
    }
    if (work.len == 0)
        return XMPP_ERR_JID;
    return encode(work.text, work.len, ret);
}

int prep_username_case_mapped(const char *str, size_t len, bool lenient, char **ret)
{
    return enforce(&username_case_mapped, str, len, lenient, ret);
}

int prep_username_case_preserved(const char *str, size_t len, char **ret)
{
    return enforce(&username_case_preserved, str, len, false, ret);
}

int prep_opaque_string(const char *str, size_t len, bool lenient, char **ret)
{
    return enforce(&opaque_string, str, len, lenient, ret);
}
