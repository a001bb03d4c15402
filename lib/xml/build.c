#include "xml/elem.h"

#include <xmpp/error.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "xml/memo.h"
#include "xml/name.h"
#include "xml/ns.h"

#include <string.h>

static int stick(struct elem_tree *tree, int error)
{
    if (tree->error == XMPP_OK)
        tree->error = error;
    return error;
}

/* May this element be changed? A sealed tree is shared: not even the error is written into it. */
static int check_open(const xmpp_elem *elem)
{
    if (!elem)
        return XMPP_ERR_INVAL;
    if (elem->tree->sealed)
        return XMPP_ERR_SEALED;
    return elem->tree->error;
}

/* A name as the application gave it. */
struct name {
    const char *str;
    size_t len;
    const char *known; /* our own copy, or NULL */
};

static int check_name(const char *str, struct name *ret)
{
    size_t len;

    if (!str)
        return XMPP_ERR_INVAL;
    len = strlen(str);
    *ret = (struct name){.str = str, .len = len, .known = name_find_ncname(str, len)};
    return ret->known || name_is_ncname(str, len) ? XMPP_OK : XMPP_ERR_INVAL;
}

/* Of an element or an attribute. */
static int check_ns(const char *str, struct name *ret)
{
    size_t len;

    if (!str)
        return XMPP_ERR_INVAL;
    len = strlen(str);
    *ret = (struct name){.str = str, .len = len, .known = len > 0 ? name_find(str, len) : ""};
    if ((!ret->known && !utf8_is_xml(str, len)) || str_eq(str, NS_XMLNS))
        return XMPP_ERR_INVAL;
    return XMPP_OK;
}

/* Namespaces in XML 1.0, section 3: the namespace of "xml" cannot be the default one, either. */
static int check_elem_ns(const char *str, struct name *ret)
{
    int r = check_ns(str, ret);

    return r == XMPP_OK && str_eq(str, NS_XML) ? XMPP_ERR_INVAL : r;
}

static const char *keep_name(struct elem_tree *tree, const struct name *name)
{
    return name->known ? name->known : arena_strndup(tree->arena, name->str, name->len);
}

int xmpp_elem_create(xmpp_elem **ret, const char *ns, const char *name)
{
    struct elem_tree *tree;
    struct name given_ns;
    struct name given;
    const char *own_ns;
    const char *own_name;
    int r;

    if (!ret || check_elem_ns(ns, &given_ns) < 0 || check_name(name, &given) < 0)
        return XMPP_ERR_INVAL;
    r = elem_tree_create(&tree);
    if (r < 0)
        return r;
    own_ns = keep_name(tree, &given_ns);
    own_name = keep_name(tree, &given);
    if (!own_ns || !own_name || !elem_tree_add(tree, NULL, own_ns, own_name)) {
        elem_tree_unref(tree);
        return XMPP_ERR_NOMEM;
    }

    *ret = tree->root;
    return XMPP_OK;
}

int xmpp_elem_seal(xmpp_elem *elem)
{
    if (!elem)
        return XMPP_ERR_INVAL;
    if (elem->tree->sealed)
        return XMPP_OK;
    if (elem->tree->error < 0)
        return elem->tree->error;
    return elem_tree_finish(elem->tree, NULL);
}

/* The address that was parsed for this attribute is not true any more. */
static void forget_jid(xmpp_elem *elem, const char *name)
{
    struct elem_tree *tree = elem->tree;

    if (elem != tree->root)
        return;
    if (str_eq(name, "from"))
        tree->from = xmpp_jid_unref(tree->from);
    else if (str_eq(name, "to"))
        tree->to = xmpp_jid_unref(tree->to);
}

/* ns: NULL for none */
static int add_attr(xmpp_elem *elem, const struct name *ns, const struct name *name,
                    const char *value, size_t len)
{
    const char *own_ns = NULL;
    const char *own_name;

    if (xmpp_elem_count_attrs(elem) >= LIMIT_ATTRS)
        return XMPP_ERR_LIMIT;
    own_name = keep_name(elem->tree, name);
    if (ns)
        own_ns = keep_name(elem->tree, ns);
    if (!own_name || (ns && !own_ns))
        return XMPP_ERR_NOMEM;
    return elem_add_attr(elem, own_ns, own_name, value, len);
}

static int replace_attr(xmpp_elem *elem, const struct elem_attr *old, const char *value, size_t len)
{
    char *copy = arena_strndup(elem->tree->arena, value, len);

    if (!copy)
        return XMPP_ERR_NOMEM;
    for (struct elem_attr *attr = elem->attrs; attr; attr = attr->next)
        if (attr == old)
            attr->value = copy;
    return XMPP_OK;
}

/* ns: NULL for none */
static int set_attr(xmpp_elem *elem, const char *ns, const char *name, const char *value)
{
    size_t len = strlen(value);
    const struct elem_attr *old;
    struct name given_ns;
    struct name given;
    int r;

    if (!utf8_is_xml(value, len) || check_name(name, &given) < 0)
        return XMPP_ERR_INVAL;
    if (!ns && str_eq(name, "xmlns")) /* would be a declaration */
        return XMPP_ERR_INVAL;
    if (ns && check_ns(ns, &given_ns) < 0)
        return XMPP_ERR_INVAL;

    old = elem_find_attr(elem, ns, name);
    r = old ? replace_attr(elem, old, value, len)
            : add_attr(elem, ns ? &given_ns : NULL, &given, value, len);
    if (r == XMPP_OK && !ns)
        forget_jid(elem, name);
    return r;
}

int xmpp_elem_set_attr_ns(xmpp_elem *elem, const char *ns, const char *name, const char *value)
{
    int r;

    r = check_open(elem);
    if (r < 0)
        return r;
    if (!name || !value)
        return stick(elem->tree, XMPP_ERR_INVAL);
    r = set_attr(elem, ns && *ns ? ns : NULL, name, value);
    return r < 0 ? stick(elem->tree, r) : r;
}

int xmpp_elem_set_attr(xmpp_elem *elem, const char *name, const char *value)
{
    if (str_eq(name, "xml:lang"))
        return xmpp_elem_set_attr_ns(elem, NS_XML, "lang", value);
    return xmpp_elem_set_attr_ns(elem, NULL, name, value);
}

int xmpp_elem_add_text_len(xmpp_elem *elem, const char *text, size_t len)
{
    int r;

    r = check_open(elem);
    if (r < 0)
        return r;
    if ((!text && len > 0) || !utf8_is_xml(text, len))
        return stick(elem->tree, XMPP_ERR_INVAL); /* XML-06 */
    r = elem_append_text(elem, text, len);
    return r < 0 ? stick(elem->tree, r) : r;
}

int xmpp_elem_add_text(xmpp_elem *elem, const char *text)
{
    int r;

    if (text)
        return xmpp_elem_add_text_len(elem, text, strlen(text));
    r = check_open(elem);
    return r < 0 ? r : stick(elem->tree, XMPP_ERR_INVAL);
}

static int add_child(xmpp_elem *parent, const char *ns, const char *name, xmpp_elem **ret)
{
    bool inherits = !ns || str_eq(ns, parent->ns);
    struct name given_ns;
    struct name given;
    const char *own_ns = parent->ns;
    const char *own_name;

    if ((!inherits && check_elem_ns(ns, &given_ns) < 0) || check_name(name, &given) < 0)
        return XMPP_ERR_INVAL;
    if (elem_get_level(parent) >= LIMIT_DEPTH)
        return XMPP_ERR_LIMIT;
    if (!inherits)
        own_ns = keep_name(parent->tree, &given_ns);
    own_name = keep_name(parent->tree, &given);
    if (!own_ns || !own_name)
        return XMPP_ERR_NOMEM;
    *ret = elem_tree_add(parent->tree, parent, own_ns, own_name);
    return *ret ? XMPP_OK : XMPP_ERR_NOMEM;
}

xmpp_elem *xmpp_elem_add_child(xmpp_elem *parent, const char *ns, const char *name)
{
    xmpp_elem *child;
    int r;

    if (check_open(parent) < 0)
        return NULL;
    r = add_child(parent, ns, name, &child);
    if (r < 0) {
        stick(parent->tree, r);
        return NULL;
    }
    return child;
}

xmpp_elem *xmpp_elem_add_child_text(xmpp_elem *parent, const char *ns, const char *name,
                                    const char *text)
{
    xmpp_elem *child = xmpp_elem_add_child(parent, ns, name);

    if (!child || xmpp_elem_add_text(child, text) < 0)
        return NULL;
    return child;
}

/* What the tree that is being copied calls its names, and what the copy does. */
struct copy {
    struct elem_tree *tree;
    struct memo names;
};

static const char *copy_name(struct copy *copy, const char *name)
{
    const char *own = memo_find(&copy->names, name);
    size_t len;

    if (own)
        return own;
    len = strlen(name);
    own = elem_tree_intern(copy->tree, name, len);
    if (own && memo_set(&copy->names, name, own, 0) < 0)
        return NULL;
    return own;
}

/* One element with its attributes, without parent and children. */
static xmpp_elem *copy_alone(struct copy *copy, const xmpp_elem *src)
{
    const char *ns = copy_name(copy, src->ns);
    const char *name = copy_name(copy, src->name);
    xmpp_elem *elem = ns && name ? elem_tree_add_loose(copy->tree, ns, name) : NULL;

    if (!elem)
        return NULL;
    for (const struct elem_attr *attr = src->attrs; attr; attr = attr->next) {
        name = copy_name(copy, attr->name);
        ns = attr->ns ? copy_name(copy, attr->ns) : NULL;
        if (!name || (attr->ns && !ns) ||
            elem_add_attr(elem, ns, name, attr->value, strlen(attr->value)) < 0)
            return NULL;
    }
    return elem;
}

/* Copies everything below src to below dst, step by step along both. The copy is attached to its
 * future parent by the caller, at the end: so a tree can be copied into itself. */
static int copy_children(struct copy *copy, const xmpp_elem *src, xmpp_elem *dst)
{
    const xmpp_elem *at = src; /* dst is its copy */
    const struct elem_node *node = elem_first_node(src);

    for (;;) {
        if (!node) {
            if (at == src)
                return XMPP_OK;
            node = at->node.next;
            at = at->parent;
            dst = dst->parent;
        } else if (node->is_text) {
            const struct elem_text *text = (const struct elem_text *)node;

            if (elem_append_text(dst, text->str, text->len) < 0)
                return XMPP_ERR_NOMEM;
            node = node->next;
        } else {
            xmpp_elem *child = copy_alone(copy, (const xmpp_elem *)node);

            if (!child)
                return XMPP_ERR_NOMEM;
            elem_attach(dst, child);
            at = (const xmpp_elem *)node;
            dst = child;
            node = elem_first_node(at);
        }
    }
}

/* XML-12: a language that src only inherits is written down, when it is not what the new place
 * gives anyway. */
static int keep_lang(xmpp_elem *elem, const xmpp_elem *src, const char *outer_lang)
{
    const char *lang = xmpp_elem_get_lang(src);

    if (elem_find_attr(elem, NS_XML, "lang") || str_eq(lang, outer_lang))
        return XMPP_OK;
    return elem_add_attr(elem, elem_tree_intern(elem->tree, NS_XML, strlen(NS_XML)),
                         elem_tree_intern(elem->tree, "lang", 4), lang ? lang : "",
                         lang ? strlen(lang) : 0);
}

static int copy_below(struct elem_tree *tree, const xmpp_elem *src, const char *outer_lang,
                      xmpp_elem **ret)
{
    struct copy copy = {.tree = tree};
    xmpp_elem *elem;
    int r = XMPP_ERR_NOMEM;

    memo_init(&copy.names);
    elem = copy_alone(&copy, src);
    if (elem)
        r = copy_children(&copy, src, elem);
    if (r == XMPP_OK)
        r = keep_lang(elem, src, outer_lang);
    memo_clear(&copy.names);
    if (r == XMPP_OK)
        *ret = elem;
    return r;
}

int xmpp_elem_copy(const xmpp_elem *elem, xmpp_elem **ret)
{
    struct elem_tree *tree;
    int r;

    if (!elem || !ret)
        return XMPP_ERR_INVAL;
    if (elem->tree->error < 0)
        return elem->tree->error;
    r = elem_tree_create(&tree);
    if (r < 0)
        return r;
    r = copy_below(tree, elem, NULL, &tree->root);
    if (r < 0) {
        elem_tree_unref(tree);
        return r;
    }

    *ret = tree->root;
    return XMPP_OK;
}

static unsigned height_of(const xmpp_elem *root)
{
    unsigned highest = 1;
    unsigned level = 1;

    for (const xmpp_elem *elem = root;;) {
        const xmpp_elem *next = xmpp_elem_first_child(elem, NULL, NULL);

        if (next)
            level++;
        while (!next && elem != root) {
            next = xmpp_elem_next_sibling(elem, NULL, NULL);
            if (!next) {
                elem = elem->parent;
                level--;
            }
        }
        if (!next)
            return highest;
        if (level > highest)
            highest = level;
        elem = next;
    }
}

static int add_copy(xmpp_elem *parent, const xmpp_elem *src, xmpp_elem **ret)
{
    int r;

    if (!src)
        return XMPP_ERR_INVAL;
    if (src->tree->error < 0)
        return src->tree->error;
    if (elem_get_level(parent) + height_of(src) > LIMIT_DEPTH)
        return XMPP_ERR_LIMIT;
    r = copy_below(parent->tree, src, xmpp_elem_get_lang(parent), ret);
    if (r < 0)
        return r;
    elem_attach(parent, *ret);
    return XMPP_OK;
}

xmpp_elem *xmpp_elem_add_copy(xmpp_elem *parent, const xmpp_elem *src)
{
    xmpp_elem *child = NULL;
    int r;

    if (check_open(parent) < 0)
        return NULL;
    r = add_copy(parent, src, &child);
    if (r < 0) {
        stick(parent->tree, r);
        return NULL;
    }
    return child;
}
