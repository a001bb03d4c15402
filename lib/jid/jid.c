#include "jid/jid.h"

#include <xmpp/error.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/object.h"
#include "base/str.h"
#include "base/utf8.h"
#include "jid/domain.h"
#include "jid/prep.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SIZE_STEP 32 /* so that the block of one JID will do for others like it */

/* One block. Its strings lie in data: the full form, the bare form if that is another one, the localpart, and
 * the ASCII domain if that is another one. Domain and resource are the ends of the bare and the full form. */
struct xmpp_jid {
    struct object object;
    size_t size; /* of the block */
    size_t full_len;
    size_t bare_len;
    const char *bare;
    const char *local;
    const char *domain;
    const char *resource;
    const char *ascii_domain;
    bool is_ip;
    char data[];
};

/* A piece of an address; str is NULL if it has none. */
struct piece {
    const char *str;
    size_t len;
};

struct pieces {
    struct piece local;
    struct piece domain;
    struct piece resource;
    struct piece ascii_domain;
    bool is_ip;
};

/* The enforced pieces that are new strings, to be freed. */
struct owned {
    char *local;
    char *domain;
    char *resource;
    char *ascii_domain;
};

static void owned_clear(struct owned *owned)
{
    mem_free(owned->local);
    mem_free(owned->domain);
    mem_free(owned->resource);
    mem_free(owned->ascii_domain);
}

/* JID-08: what RFC 7622 3.3.1 takes from the class; 0 for what a localpart may not hold, else the lower case. */
static char map_local_char(char c)
{
    if (c >= 'a' && c <= 'z')
        return c;
    if (c < '!' || c > '~')
        return 0;
    switch (c) {
    case '"':
    case '&':
    case '\'':
    case '/':
    case ':':
    case '<':
    case '>':
    case '@':
        return 0;
    default:
        return str_lower(c);
    }
}

/* JID-01, JID-02: the first '/', then the first '@' before it; what a separator announces is not empty. */
static bool split(const char *str, size_t len, struct pieces *ret)
{
    const char *slash = memchr(str, '/', len);
    const char *domain = str;
    size_t head = slash ? (size_t)(slash - str) : len;
    const char *at = memchr(str, '@', head);

    *ret = (struct pieces){.is_ip = false};
    if (slash) {
        ret->resource.str = slash + 1;
        ret->resource.len = len - head - 1;
        if (ret->resource.len == 0)
            return false;
    }
    if (at) {
        ret->local.str = str;
        ret->local.len = (size_t)(at - str);
        if (ret->local.len == 0)
            return false;
        domain = at + 1;
    }
    ret->domain.str = domain;
    ret->domain.len = head - (size_t)(domain - str);
    return ret->domain.len > 0;
}

int jid_is_shared(const xmpp_jid *jid)
{
    return jid && atomic_load_explicit(&jid->object.refs, memory_order_acquire) > 1;
}

/* *spare: NULL, or a JID that is not needed any more. Takes its block if that will do. */
static xmpp_jid *allocate(const struct pieces *pieces, xmpp_jid **spare)
{
    /* at most: twice the localpart and the domain, with separators and ends */
    size_t size = sizeof(struct xmpp_jid) + 3 * pieces->local.len + 2 * pieces->domain.len +
                  pieces->resource.len + pieces->ascii_domain.len + 8;
    xmpp_jid *jid;

    if (*spare && (*spare)->size >= size && !jid_is_shared(*spare))
        return STEAL(*spare);
    size = (size + SIZE_STEP - 1) / SIZE_STEP * SIZE_STEP;
    jid = mem_alloc(size);
    if (!jid)
        return NULL;
    object_init(&jid->object);
    jid->size = size;
    return jid;
}

static char *append(char *dst, const char *str, size_t len)
{
    memcpy(dst, str, len);
    return dst + len;
}

/* The full form is in place; derives everything else. The lengths are those of the enforced pieces. */
static void complete(xmpp_jid *jid, const struct pieces *pieces)
{
    size_t local_len = pieces->local.len;
    size_t head_len = pieces->local.str ? local_len + 1 : 0;
    char *end;

    jid->bare_len = head_len + pieces->domain.len;
    jid->full_len = jid->bare_len + (pieces->resource.str ? pieces->resource.len + 1 : 0);
    end = jid->data + jid->full_len;
    *end++ = '\0';
    jid->bare = jid->data;
    jid->resource = NULL;
    jid->local = NULL;
    if (pieces->resource.str) {
        jid->resource = jid->data + jid->bare_len + 1;
        jid->bare = end;
        end = append(end, jid->data, jid->bare_len);
        *end++ = '\0';
    }
    jid->domain = jid->bare + head_len;
    if (pieces->local.str) {
        jid->local = end;
        end = append(end, jid->data, local_len);
        *end++ = '\0';
    }
    jid->is_ip = pieces->is_ip;
    jid->ascii_domain = NULL;
    if (!pieces->ascii_domain.str)
        return;
    if (str_eq(pieces->ascii_domain.str, jid->domain)) {
        jid->ascii_domain = jid->domain;
        return;
    }
    jid->ascii_domain = end;
    end = append(end, pieces->ascii_domain.str, pieces->ascii_domain.len);
    *end = '\0';
}

/* Makes the JID of enforced pieces. */
static int assemble(xmpp_jid **ret, const struct pieces *pieces)
{
    xmpp_jid *none = NULL;
    xmpp_jid *jid = allocate(pieces, &none);
    char *end;

    if (!jid)
        return XMPP_ERR_NOMEM;
    end = jid->data;
    if (pieces->local.str) {
        end = append(end, pieces->local.str, pieces->local.len);
        *end++ = '@';
    }
    end = append(end, pieces->domain.str, pieces->domain.len);
    if (pieces->resource.str) {
        *end++ = '/';
        append(end, pieces->resource.str, pieces->resource.len);
    }
    complete(jid, pieces);

    *ret = jid;
    return XMPP_OK;
}

/* Writes the enforced form of ASCII pieces; sets the new length of the domain. */
static bool write_ascii(char *dst, struct pieces *pieces)
{
    if (pieces->local.str) {
        for (size_t i = 0; i < pieces->local.len; i++) {
            char c = map_local_char(pieces->local.str[i]);
            if (!c)
                return false;
            *dst++ = c;
        }
        *dst++ = '@';
    }
    if (!domain_copy_ascii(pieces->domain.str, pieces->domain.len, dst, &pieces->domain.len))
        return false;
    dst += pieces->domain.len;
    if (!pieces->resource.str)
        return true;
    *dst++ = '/';
    for (size_t i = 0; i < pieces->resource.len; i++) {
        char c = pieces->resource.str[i];
        if (c < ' ' || c > '~')
            return false;
        *dst++ = c;
    }
    return true;
}

/* Nearly every address: ASCII in the enforced form or next to it. One allocation; no library is asked. *ret stays
 * as it is when the address has to be looked at more closely. */
static int parse_ascii(xmpp_jid **ret, const struct pieces *raw, xmpp_jid **spare)
{
    struct pieces pieces = *raw;
    xmpp_jid *jid;

    if (raw->local.len > LIMIT_JID_PART || raw->resource.len > LIMIT_JID_PART)
        return XMPP_OK;
    jid = allocate(&pieces, spare);
    if (!jid)
        return XMPP_ERR_NOMEM;
    if (!write_ascii(jid->data, &pieces)) {
        mem_free(jid);
        return XMPP_OK;
    }
    complete(jid, &pieces);
    jid->ascii_domain = jid->domain;

    *ret = jid;
    return XMPP_OK;
}

/* JID-03; *piece is set to the new string */
static int take(struct piece *piece, char *str)
{
    size_t len = strlen(str);

    if (len > LIMIT_JID_PART)
        return XMPP_ERR_JID;
    piece->str = str;
    piece->len = len;
    return XMPP_OK;
}

/* JID-18: keeps what was refused, if it can be sent back. */
static int keep_raw(const struct piece *piece, int r, bool lenient)
{
    if (r == XMPP_ERR_JID && lenient && piece->len <= LIMIT_JID_PART &&
        utf8_is_xml(piece->str, piece->len))
        return XMPP_OK;
    return r;
}

static int enforce_local(struct piece *piece, bool lenient, char **ret)
{
    int r = prep_username_case_mapped(piece->str, piece->len, lenient, ret);

    /* JID-08; the mapping of width can have made them */
    for (const char *p = *ret; r == XMPP_OK && *p; p++)
        if ((unsigned char)*p < 0x80 && !map_local_char(*p))
            r = XMPP_ERR_JID;
    if (r == XMPP_OK)
        r = take(piece, *ret);
    return keep_raw(piece, r, lenient);
}

static int enforce_resource(struct piece *piece, bool lenient, char **ret)
{
    int r = prep_opaque_string(piece->str, piece->len, lenient, ret);

    if (r == XMPP_OK)
        r = take(piece, *ret);
    return keep_raw(piece, r, lenient);
}

static int enforce_domain(struct pieces *pieces, bool lenient, struct owned *owned)
{
    enum domain_kind kind;
    int r = domain_prepare(pieces->domain.str, pieces->domain.len, lenient, &owned->domain,
                           &owned->ascii_domain, &kind);

    if (r < 0)
        return r;
    pieces->is_ip = kind != DOMAIN_NAME;
    if (owned->ascii_domain) {
        pieces->ascii_domain.str = owned->ascii_domain;
        pieces->ascii_domain.len = strlen(owned->ascii_domain);
    }
    return take(&pieces->domain, owned->domain);
}

static int enforce(xmpp_jid **ret, const struct pieces *raw, bool lenient)
{
    CLEANUP(owned_clear) struct owned owned = {NULL, NULL, NULL, NULL};
    struct pieces pieces = *raw;
    int r = XMPP_OK;

    /* three parts of legal length and the separators are a legal whole */
    if (pieces.local.str)
        r = enforce_local(&pieces.local, lenient, &owned.local);
    if (r == XMPP_OK)
        r = enforce_domain(&pieces, lenient, &owned);
    if (r == XMPP_OK && pieces.resource.str)
        r = enforce_resource(&pieces.resource, lenient, &owned.resource);
    if (r < 0)
        return r;
    return assemble(ret, &pieces);
}

static int make(xmpp_jid **ret, const struct pieces *pieces, bool lenient, xmpp_jid **spare)
{
    xmpp_jid *jid = NULL;
    int r = parse_ascii(&jid, pieces, spare);

    if (r < 0)
        return r;
    if (jid) {
        *ret = jid;
        return XMPP_OK;
    }
    return enforce(ret, pieces, lenient);
}

static int parse(xmpp_jid **ret, const char *str, size_t len, bool lenient, xmpp_jid **spare)
{
    struct pieces pieces;

    if (len > LIMIT_JID || !split(str, len, &pieces))
        return XMPP_ERR_JID;
    return make(ret, &pieces, lenient, spare);
}

int jid_parse_lenient(xmpp_jid **ret, const char *str, size_t len)
{
    xmpp_jid *none = NULL;

    if (!ret || !str)
        return XMPP_ERR_INVAL;
    return parse(ret, str, len, true, &none);
}

int jid_replace_lenient(xmpp_jid **jid, const char *str, size_t len)
{
    xmpp_jid *spare = STEAL(*jid);
    int r = parse(jid, str, len, true, &spare);

    xmpp_jid_unref(spare);
    return r;
}

int xmpp_jid_parse(xmpp_jid **ret, const char *str)
{
    xmpp_jid *none = NULL;

    if (!ret || !str)
        return XMPP_ERR_INVAL;
    return parse(ret, str, strnlen(str, LIMIT_JID + 1), false, &none);
}

static struct piece measure(const char *str)
{
    return (struct piece){.str = str, .len = str ? strnlen(str, LIMIT_JID + 1) : 0};
}

int xmpp_jid_compose(xmpp_jid **ret, const char *local, const char *domain, const char *resource)
{
    struct pieces pieces = {.is_ip = false};
    xmpp_jid *none = NULL;

    if (!ret || !domain)
        return XMPP_ERR_INVAL;
    pieces.local = measure(local);
    pieces.domain = measure(domain);
    pieces.resource = measure(resource);
    /* JID-02: NULL says that there is none, an empty string is no part */
    if ((local && !*local) || !*domain || (resource && !*resource))
        return XMPP_ERR_JID;
    return make(ret, &pieces, false, &none);
}

/* Counting is the one change that a JID knows; all of them were allocated writable. */
static xmpp_jid *writable(const xmpp_jid *jid)
{
    return (xmpp_jid *)(uintptr_t)jid;
}

xmpp_jid *xmpp_jid_ref(const xmpp_jid *jid)
{
    if (!jid)
        return NULL;
    object_ref(&writable(jid)->object);
    return writable(jid);
}

xmpp_jid *xmpp_jid_unref(xmpp_jid *jid)
{
    if (jid && object_unref(&jid->object))
        mem_free(jid);
    return NULL;
}

const char *xmpp_jid_get_str(const xmpp_jid *jid)
{
    return jid ? jid->data : NULL;
}

const char *xmpp_jid_get_bare_str(const xmpp_jid *jid)
{
    return jid ? jid->bare : NULL;
}

const char *xmpp_jid_get_local(const xmpp_jid *jid)
{
    return jid ? jid->local : NULL;
}

const char *xmpp_jid_get_domain(const xmpp_jid *jid)
{
    return jid ? jid->domain : NULL;
}

const char *xmpp_jid_get_resource(const xmpp_jid *jid)
{
    return jid ? jid->resource : NULL;
}

const char *jid_get_ascii_domain(const xmpp_jid *jid)
{
    return jid ? jid->ascii_domain : NULL;
}

int jid_is_ip(const xmpp_jid *jid)
{
    return jid && jid->is_ip;
}

int xmpp_jid_to_bare(const xmpp_jid *jid, xmpp_jid **ret)
{
    struct pieces pieces = {.is_ip = false};

    if (!jid || !ret)
        return XMPP_ERR_INVAL;
    if (!jid->resource) {
        *ret = xmpp_jid_ref(jid);
        return XMPP_OK;
    }
    pieces.is_ip = jid->is_ip;
    if (jid->local)
        pieces.local = (struct piece){jid->local, (size_t)(jid->domain - jid->bare) - 1};
    pieces.domain = (struct piece){jid->domain, strlen(jid->domain)};
    if (jid->ascii_domain)
        pieces.ascii_domain = (struct piece){jid->ascii_domain, strlen(jid->ascii_domain)};
    return assemble(ret, &pieces);
}

int xmpp_jid_compare(const xmpp_jid *a, const xmpp_jid *b)
{
    if (!a || !b)
        return (a != NULL) - (b != NULL);
    return a == b ? 0 : strcmp(a->data, b->data);
}

int xmpp_jid_equal_bare(const xmpp_jid *a, const xmpp_jid *b)
{
    return a && b && a->bare_len == b->bare_len && memcmp(a->bare, b->bare, a->bare_len) == 0;
}
