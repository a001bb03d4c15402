#include "xml/write.h"

#include <xmpp/error.h>

#include "base/limits.h"
#include "base/str.h"
#include "xml/elem.h"
#include "xml/marks.h"
#include "xml/ns.h"

#include <string.h>

/* A tree can be larger as text than it was when it came, since the writer declares each namespace
 * where it is used. Nobody can send more than the limit of a stanza. */
#define MAX_XML (8u * LIMIT_STANZA_BYTES)

struct write {
    struct buf *out;
    const char *context_ns;
    bool in_stream;
    bool masked;
};

enum { IN_TEXT = 1, IN_ATTR = 2 };

/* XML-06: what cannot stand for itself. '>' is one for the sake of "]]>"; CR, and TAB and LF in
 * attributes, would be changed by the reader (XML 1.0 2.11 and 3.3.3). */
static const uint8_t special[256] = {
    ['&'] = IN_TEXT | IN_ATTR, ['<'] = IN_TEXT | IN_ATTR,
    ['>'] = IN_TEXT | IN_ATTR, ['\''] = IN_ATTR,
    ['"'] = IN_ATTR,           ['\t'] = IN_ATTR,
    ['\n'] = IN_ATTR,          ['\r'] = IN_TEXT | IN_ATTR,
};

static const char *reference_to(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '\'':
        return "&apos;";
    case '"':
        return "&quot;";
    case '\t':
        return "&#9;";
    case '\n':
        return "&#10;";
    default:
        return "&#13;";
    }
}

static bool is_special(char c, int place)
{
    return special[(unsigned char)c] & place;
}

/* Where the first special byte is at or behind start, or len. */
static size_t find_special(const char *str, size_t start, size_t len, int place)
{
    size_t i = start;

    while (i < len && len >= MARKS_BLOCK) {
        size_t at = len - i >= MARKS_BLOCK ? i : len - MARKS_BLOCK; /* the last block overlaps */

        unsigned found = marks_find(str + at) | marks_find_controls(str + at);

        for (; found; found &= found - 1) {
            size_t one = at + (size_t)__builtin_ctz(found);

            if (one >= start && is_special(str[one], place))
                return one;
        }
        i = at + MARKS_BLOCK;
    }
    while (i < len && !is_special(str[i], place))
        i++;
    return i;
}

static int put_escaped(struct buf *out, const char *str, size_t len, int place)
{
    size_t done = 0;

    for (;;) {
        size_t next = find_special(str, done, len, place);
        int r = buf_append(out, str + done, next - done);

        done = next;
        if (r < 0 || done == len)
            return r;
        r = buf_append_str(out, reference_to(str[done++]));
        if (r < 0)
            return r;
    }
}

int write_escaped(struct buf *out, const char *str, size_t len)
{
    size_t before = buf_len(out);
    int r;

    r = put_escaped(out, str, len, IN_ATTR);
    if (r < 0)
        buf_truncate(out, before);
    return r;
}

/* All in one step, when nothing is special. */
static int put_attr(struct buf *out, const char *prefix, const char *name, const char *value)
{
    size_t prefix_len = *prefix ? strlen(prefix) : 0;
    size_t name_len = strlen(name);
    size_t len = strlen(value);
    size_t plain = find_special(value, 0, len, IN_ATTR);
    char *at;
    int r;

    /* of strings in memory: no overflow */
    r = buf_extend(out, prefix_len + name_len + plain + 3 + (plain == len), &at);
    if (r < 0)
        return r;
    *at++ = ' ';
    if (prefix_len > 0)
        memcpy(at, prefix, prefix_len);
    at += prefix_len;
    memcpy(at, name, name_len);
    at += name_len;
    *at++ = '=';
    *at++ = '\'';
    memcpy(at, value, plain);
    if (plain == len) {
        at[len] = '\'';
        return XMPP_OK;
    }
    r = put_escaped(out, value + plain, len - plain, IN_ATTR);
    return r == XMPP_OK ? buf_append_char(out, '\'') : r;
}

/* Within a tree equal names are mostly one string, and a hostile one may be long. */
static bool same(const char *a, const char *b)
{
    return a == b || str_eq(a, b);
}

/* "" for the default namespace */
static const char *prefix_of(const struct write *w, const xmpp_elem *elem)
{
    if (w->in_stream && str_eq(elem->ns, NS_STREAM))
        return "stream:";
    if (str_eq(elem->ns, NS_XML)) /* the one namespace that cannot be the default */
        return "xml:";
    return "";
}

/* The default namespace where elem stands: elements with a prefix do not change it. */
static const char *default_ns(const struct write *w, const xmpp_elem *root, const xmpp_elem *elem)
{
    while (elem != root) {
        elem = elem->parent;
        if (*prefix_of(w, elem) == '\0')
            return elem->ns;
    }
    return w->context_ns ? w->context_ns : "";
}

/* SEC-31: attributes that are credentials wherever they stand (FAST, invitations, rooms) */
static bool is_secret_attr(const struct elem_attr *attr)
{
    return str_eq(attr->name, "token") || str_eq(attr->name, "password");
}

/* The text of these is a credential, or may hold one. */
static bool is_secret_text(const xmpp_elem *elem)
{
    const char *ns = elem->ns;
    const xmpp_elem *parent = elem->parent;

    if (str_eq(ns, NS_SASL) || str_starts(ns, "urn:xmpp:sasl:"))
        return !str_eq(elem->name, "mechanism"); /* the list in the features is public */
    if (str_starts(ns, "urn:xmpp:scram-upgrade:") || str_starts(ns, "urn:xmpp:fast:"))
        return !str_eq(elem->name, "mechanism");
    if (str_eq(elem->name, "password") || str_eq(elem->name, "token"))
        return true;
    if (str_eq(ns, "jabber:iq:auth"))
        return str_eq(elem->name, "digest");
    if (str_starts(ns, "urn:xmpp:http:upload:"))
        return str_eq(elem->name, "header"); /* Authorization, Cookie */
    if (str_eq(ns, "jabber:x:data") && str_eq(elem->name, "value") && parent)
        return str_eq(xmpp_elem_get_attr(parent, "type"), "text-private") ||
               str_eq(xmpp_elem_get_attr(parent, "var"), "password");
    return false;
}

static const struct elem_attr *first_of_ns(const xmpp_elem *elem, const char *ns, unsigned *ret_at)
{
    const struct elem_attr *attr = elem->attrs;

    *ret_at = 0;
    while (!same(attr->ns, ns)) {
        attr = attr->next;
        ++*ret_at;
    }
    return attr;
}

/* An attribute in a namespace gets a prefix of the element's own, which is declared by the first
 * that uses it. */
static int put_foreign_attr(const struct write *w, const xmpp_elem *elem,
                            const struct elem_attr *attr, const char *value)
{
    char prefix[16];
    unsigned at;
    int r;

    if (str_eq(attr->ns, NS_XML))
        return put_attr(w->out, "xml:", attr->name, value);
    if (first_of_ns(elem, attr->ns, &at) == attr) {
        (void)str_format(prefix, sizeof prefix, "ns%u", at); /* fits: at most 256 attributes */
        r = put_attr(w->out, "xmlns:", prefix, attr->ns);
        if (r < 0)
            return r;
    }
    (void)str_format(prefix, sizeof prefix, "ns%u:", at);
    return put_attr(w->out, prefix, attr->name, value);
}

/* A tag, without its attributes and what is behind them. */
static int put_tag(struct buf *out, bool is_end, const char *prefix, const char *name)
{
    size_t prefix_len = *prefix ? strlen(prefix) : 0;
    size_t name_len = strlen(name);
    char *at;
    int r;

    r = buf_extend(out, 1 + is_end + prefix_len + name_len, &at);
    if (r < 0)
        return r;
    *at++ = '<';
    if (is_end)
        *at++ = '/';
    if (prefix_len > 0)
        memcpy(at, prefix, prefix_len);
    memcpy(at + prefix_len, name, name_len);
    return XMPP_OK;
}

static int put_start(const struct write *w, const xmpp_elem *root, const xmpp_elem *elem)
{
    const char *prefix = prefix_of(w, elem);
    int r;

    r = put_tag(w->out, false, prefix, elem->name);
    if (r == XMPP_OK && *prefix == '\0' && !same(elem->ns, default_ns(w, root, elem)))
        r = put_attr(w->out, "", "xmlns", elem->ns);
    for (const struct elem_attr *attr = elem->attrs; attr && r == XMPP_OK; attr = attr->next) {
        const char *value = w->masked && is_secret_attr(attr) ? "***" : attr->value;

        r = attr->ns ? put_foreign_attr(w, elem, attr, value)
                     : put_attr(w->out, "", attr->name, value);
    }
    if (r == XMPP_OK)
        r = elem_first_node(elem) ? buf_append_char(w->out, '>') : buf_append(w->out, "/>", 2);
    return r;
}

static int put_end(const struct write *w, const xmpp_elem *elem)
{
    int r = put_tag(w->out, true, prefix_of(w, elem), elem->name);

    return r == XMPP_OK ? buf_append_char(w->out, '>') : r;
}

static int put_text(const struct write *w, const xmpp_elem *elem, const struct elem_text *text)
{
    if (w->masked && is_secret_text(elem))
        return buf_append(w->out, "***", 3);
    return put_escaped(w->out, text->str, text->len, IN_TEXT);
}

static int put_tree(const struct write *w, const xmpp_elem *root)
{
    const xmpp_elem *at = root;
    const struct elem_node *node = elem_first_node(root);
    int r;

    r = put_start(w, root, root);
    while (r == XMPP_OK) {
        if (!node) {
            if (elem_first_node(at))
                r = put_end(w, at);
            if (at == root)
                break;
            node = at->node.next;
            at = at->parent;
        } else if (node->is_text) {
            r = put_text(w, at, (const struct elem_text *)node);
            node = node->next;
        } else {
            at = (const xmpp_elem *)node;
            r = put_start(w, root, at);
            node = elem_first_node(at);
        }
    }
    return r;
}

static int write_tree(const struct write *w, const xmpp_elem *elem)
{
    size_t before = buf_len(w->out);
    int r;

    r = put_tree(w, elem);
    if (r < 0)
        buf_truncate(w->out, before);
    return r;
}

int write_elem(struct buf *out, const xmpp_elem *elem, const char *context_ns, bool in_stream)
{
    struct write w = {.out = out, .context_ns = context_ns, .in_stream = in_stream};

    return write_tree(&w, elem);
}

int write_elem_masked(struct buf *out, const xmpp_elem *elem, const char *context_ns,
                      bool in_stream)
{
    struct write w = {.out = out, .context_ns = context_ns, .in_stream = in_stream, .masked = true};

    return write_tree(&w, elem);
}

int xmpp_elem_to_xml(const xmpp_elem *elem, char **ret_xml, size_t *ret_len)
{
    struct buf out;
    int r;

    if (!elem || !ret_xml)
        return XMPP_ERR_INVAL;
    if (elem->tree->error < 0)
        return elem->tree->error;
    buf_init(&out, MAX_XML);
    r = write_elem(&out, elem, NULL, false);
    if (r == XMPP_OK)
        r = buf_steal_str(&out, ret_xml, ret_len);
    buf_clear(&out);
    return r;
}
