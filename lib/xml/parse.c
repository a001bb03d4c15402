#include "xml/parse.h"

#include <xmpp/error.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "xml/chars.h"
#include "xml/elem.h"
#include "xml/sax.h"
#include "xml/scan.h"

#include <string.h>

#define SLICE     4096
#define BIG_TAG   (8u * 1024) /* buffers inside libxml2 stay as large as the largest tag */
#define KEEP_HELD 1024

/* of CDATA are fed before libxml2 must tell it; less than any limit of a tag, which is also that of its silence */
#define CDATA_PART 512

struct parse {
    struct sax sax;
    struct scan scan;
    struct buf held; /* a tag that is not finished */
    struct chars chars;
    char partial[4]; /* a character that is not finished */
    size_t partial_len;
    size_t brackets; /* "]" in CDATA that may begin its end, and are not fed yet */
    unsigned bom; /* bytes of a byte order mark at the start */
    bool started;
};

/* libxml2 keeps text back until it knows what follows, or has much of it. Before a failure it gets to see the text in
 * front of it, so that what is wrong there comes first, however the input was cut. */
static void flush_text(struct parse *p)
{
    if (p->scan.state == SCAN_CDATA)
        sax_feed(&p->sax, "]]>", 3);
    sax_feed(&p->sax, "<", 1);
}

static void fail_scan(struct parse *p)
{
    flush_text(p);
    switch (p->scan.fault) {
    case SCAN_OK:
        break;
    case SCAN_RESTRICTED:
        sax_fail(&p->sax, XMPP_ERR_XML, "restricted-xml", "comment, DTD or processing instruction");
        break;
    case SCAN_MALFORMED:
        sax_fail(&p->sax, XMPP_ERR_XML, "not-well-formed",
                 "markup or text in a place where it cannot be");
        break;
    case SCAN_TAG_TOO_LONG:
        sax_fail_limit(&p->sax, "more than", p->sax.limits.max_tag_bytes, "bytes in one tag");
        break;
    case SCAN_ELEM_TOO_LONG:
        sax_fail_limit(&p->sax, "more than", p->sax.limits.max_elem_bytes, "bytes in one element");
        break;
    case SCAN_TOO_MANY_ATTRS:
        sax_fail_limit(&p->sax, "more than", p->sax.limits.max_attrs, "attributes in one element");
        break;
    }
}

/* --- bytes in --- */

/* A tag that was cut gets its rest, and is fed when it is whole: so the parser never scans it
 * twice. */
static size_t feed_held(struct parse *p, const char *data, size_t len)
{
    size_t n = scan_run(&p->scan, &p->sax.limits, data, len, SCAN_STOP_TAG);

    if (buf_append(&p->held, data, n) < 0) {
        sax_fail_nomem(&p->sax);
        return n;
    }
    if (p->scan.fault == SCAN_OK && p->scan.at_tag) {
        if (buf_len(&p->held) > BIG_TAG)
            p->sax.exchange = true;
        sax_feed(&p->sax, buf_peek(&p->held), buf_len(&p->held));
        buf_consume(&p->held, buf_len(&p->held));
        buf_shrink(&p->held, KEEP_HELD);
    }
    return n;
}

/* libxml2 keeps a CDATA section back until it ends, so a long one becomes several, but not inside of what may be its
 * end. */
static void feed_cdata(struct parse *p, const char *data, size_t len)
{
    size_t kept = p->scan.fault == SCAN_OK && p->scan.state == SCAN_CDATA ? p->scan.matched : 0;
    size_t total = p->brackets + len - kept;
    size_t old = p->brackets < total ? p->brackets : total;

    sax_feed(&p->sax, "]]", old);
    sax_feed(&p->sax, data, total - old);
    if (p->scan.state == SCAN_CDATA && p->sax.silent >= CDATA_PART)
        sax_feed(&p->sax, "]]><![CDATA[", 12);
    p->brackets = kept;
}

static size_t feed_whole_tags(struct parse *p, const char *data, size_t len, bool single)
{
    uint64_t before = p->scan.pos;
    size_t n =
        scan_run(&p->scan, &p->sax.limits, data, len, single ? SCAN_STOP_EVENT : SCAN_STOP_NEVER);
    size_t whole = n;

    if (scan_is_in_tag(&p->scan))
        whole = p->scan.tag_at > before ? (size_t)(p->scan.tag_at - before) : 0;
    if (p->brackets > 0 || p->scan.state == SCAN_CDATA)
        feed_cdata(p, data, whole);
    else
        sax_feed(&p->sax, data, whole);
    if (p->scan.fault == SCAN_OK && p->sax.error == XMPP_OK &&
        buf_append(&p->held, data + whole, n - whole) < 0)
        sax_fail_nomem(&p->sax);
    return n;
}

/* Valid characters only. Returns how many bytes were taken: all, up to a failure, or to the end of
 * an event. */
static size_t feed_chars(struct parse *p, const char *data, size_t len, bool single)
{
    size_t used = 0;
    bool stop = single || sax_wants_exchange(&p->sax);

    while (used < len && p->sax.error == XMPP_OK) {
        if (buf_len(&p->held) > 0)
            used += feed_held(p, data + used, len - used);
        else
            used += feed_whole_tags(p, data + used, len - used, stop);
        if (p->scan.fault != SCAN_OK)
            fail_scan(p);
        if (stop && p->scan.at_event)
            break;
    }
    /* right behind a tag nothing is left inside the old parser */
    if (p->sax.error == XMPP_OK && p->scan.at_event && p->sax.depth == 1 &&
        sax_wants_exchange(&p->sax))
        sax_exchange(&p->sax);
    return used;
}

static void fail_chars(struct parse *p, enum chars_fault fault, char c)
{
    /* RFC 6120 4.9.3.22 covers what violates UTF-8; NUL among the first bytes is one of the wider
     * encodings */
    flush_text(p);
    if (fault == CHARS_NOT_UTF8)
        sax_fail(&p->sax, XMPP_ERR_XML, "unsupported-encoding", "not valid UTF-8");
    else if (c == '\0' && p->scan.pos < 4)
        sax_fail(&p->sax, XMPP_ERR_XML, "unsupported-encoding", "the encoding is not UTF-8");
    else
        sax_fail(&p->sax, XMPP_ERR_XML, "not-well-formed", "a character that XML does not allow");
}

/* Goes on with a character that was cut: libxml2 gets whole ones only. */
static size_t feed_partial(struct parse *p, const char *data, bool single)
{
    enum chars_fault fault;
    size_t whole;

    if (chars_check(&p->chars, data, 1, &whole, &fault) == 0) {
        fail_chars(p, fault, *data);
        return 1;
    }
    p->partial[p->partial_len++] = *data;
    if (whole == 1) {
        (void)feed_chars(p, p->partial, p->partial_len, single); /* one character: all is taken */
        p->partial_len = 0;
    }
    return 1;
}

static size_t feed_slice(struct parse *p, const char *data, size_t len, bool single)
{
    enum chars_fault fault;
    size_t whole;
    size_t good;
    size_t used;

    if (p->partial_len > 0)
        return feed_partial(p, data, single);
    good = chars_check(&p->chars, data, len, &whole, &fault);
    used = feed_chars(p, data, whole, single);
    if (p->sax.error < 0)
        return used;
    if (used < whole) {
        p->chars = (struct chars){0}; /* it stopped behind a '>' */
        return used;
    }
    if (fault != CHARS_OK) {
        fail_chars(p, fault, data[good]);
        return good;
    }
    p->partial_len = good - whole;
    memcpy(p->partial, data + whole, p->partial_len);
    return good;
}

/* XML-05: a byte order mark is tolerated as nothing. Behind it, the first byte tells UTF-8 from
 * other families of encodings, with which libxml2 might wait for ever. */
static size_t feed_first(struct parse *p, char c)
{
    static const char bom[3] = {'\xEF', '\xBB', '\xBF'};

    if (p->bom < sizeof bom && c == bom[p->bom]) {
        p->bom++;
        return 1;
    }
    if ((p->bom > 0 && p->bom < sizeof bom) || (c != '<' && !str_is_space(c))) {
        sax_fail(&p->sax, XMPP_ERR_XML, "unsupported-encoding",
                 "the first byte begins no XML in UTF-8");
        return 1;
    }
    p->started = true;
    return 0;
}

static void drop_tree(struct parse *p)
{
    p->sax.tree = elem_tree_unref(p->sax.tree);
    p->sax.elem = NULL;
}

int parse_feed(struct parse *p, const void *data, size_t len, bool single, size_t *ret_used)
{
    size_t used = 0;

    *ret_used = 0;
    if (p->sax.error < 0)
        return p->sax.error;
    if (len == 0)
        return XMPP_OK;
    if (!p->started)
        used = feed_first(p, *(const char *)data);
    if (used == 0)
        used = feed_slice(p, data, len < SLICE ? len : SLICE, single);
    *ret_used = used > 0 ? used : 1;
    if (p->sax.error < 0)
        drop_tree(p);
    return p->sax.error;
}

/* --- life cycle --- */

struct parse *parse_free(struct parse *p)
{
    if (!p)
        return NULL;
    sax_clear(&p->sax);
    buf_clear(&p->held);
    mem_free(p);
    return NULL;
}

enum parse_event parse_next(struct parse *p, xmpp_elem **ret)
{
    return sax_next(&p->sax, ret);
}

DEFINE_CLEANUP(struct parse, parse_free)

static int create(struct parse **ret, const struct parse_limits *limits, unsigned base)
{
    CLEANUP(parse_freep) struct parse *p = mem_zalloc(sizeof *p);
    int r;

    if (!p)
        return XMPP_ERR_NOMEM;
    scan_init(&p->scan, base);
    buf_init(&p->held, SIZE_MAX); /* bounded by the limit of a tag */
    r = sax_init(&p->sax, limits, base);
    if (r < 0)
        return r;

    *ret = STEAL(p);
    return XMPP_OK;
}

int parse_create(struct parse **ret, const struct parse_limits *limits)
{
    return create(ret, limits, 1);
}

void parse_set_limits(struct parse *p, const struct parse_limits *limits)
{
    p->sax.limits = *limits;
}

const char *parse_get_condition(const struct parse *p)
{
    return p->sax.condition;
}

const char *parse_get_reason(const struct parse *p)
{
    return p->sax.reason;
}

bool parse_is_inside(const struct parse *p)
{
    return p->partial_len > 0 || scan_is_in_tag(&p->scan) || p->scan.state == SCAN_CDATA ||
           p->scan.depth > p->sax.base;
}

void parse_shrink(struct parse *p)
{
    sax_shrink(&p->sax);
}

int xmpp_elem_parse(xmpp_elem **ret, const char *xml, size_t len)
{
    static const struct parse_limits limits = {
        .max_elem_bytes = LIMIT_STANZA_BYTES,
        .max_tag_bytes = LIMIT_TAG_BYTES,
        .max_depth = LIMIT_DEPTH,
        .max_attrs = LIMIT_ATTRS,
    };
    CLEANUP(parse_freep) struct parse *p = NULL;
    int r;

    if (!ret || (!xml && len > 0))
        return XMPP_ERR_INVAL;
    r = create(&p, &limits, 0);
    if (r < 0)
        return r;
    while (len > 0) {
        size_t used;

        r = parse_feed(p, xml, len, false, &used);
        if (r < 0)
            return r;
        xml += used;
        len -= used;
    }
    if (parse_is_inside(p) || p->sax.item_count != 1)
        return XMPP_ERR_XML;
    (void)parse_next(p, ret); /* the one element */
    return XMPP_OK;
}
