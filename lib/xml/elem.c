#include "xml/elem.h"

#include <xmpp/error.h>

#include "base/mem.h"
#include "base/str.h"
#include "xml/name.h"
#include "xml/ns.h"

#include <string.h>

int elem_tree_create(struct elem_tree **ret)
{
    struct arena *arena;
    struct elem_tree *tree;
    int r;

    r = arena_create(&arena);
    if (r < 0)
        return r;
    tree = arena_alloc(arena, sizeof *tree);
    if (!tree) {
        arena_free(arena);
        return XMPP_ERR_NOMEM;
    }
    *tree = (struct elem_tree){.arena = arena};
    object_init(&tree->object);

    *ret = tree;
    return XMPP_OK;
}

struct elem_tree *elem_tree_unref(struct elem_tree *tree)
{
    if (!tree || !object_unref(&tree->object))
        return NULL;
    xmpp_jid_unref(tree->from);
    xmpp_jid_unref(tree->to);
    arena_free(tree->arena); /* the tree itself is in there */
    return NULL;
}

xmpp_elem *xmpp_elem_ref(const xmpp_elem *elem)
{
    if (!elem)
        return NULL;
    object_ref(&elem->tree->object);
    return (xmpp_elem *)(uintptr_t)elem;
}

xmpp_elem *xmpp_elem_unref(xmpp_elem *elem)
{
    if (elem)
        elem_tree_unref(elem->tree);
    return NULL;
}

const char *elem_tree_intern(struct elem_tree *tree, const char *str, size_t len)
{
    const char *known = name_find(str, len);

    if (known)
        return known;
    return len == 0 ? "" : arena_strndup(tree->arena, str, len);
}

xmpp_elem *elem_tree_add_loose(struct elem_tree *tree, const char *ns, const char *name)
{
    xmpp_elem *elem = arena_alloc(tree->arena, sizeof *elem);

    if (!elem)
        return NULL;
    *elem = (xmpp_elem){.tree = tree, .ns = ns, .name = name};
    return elem;
}

static void append_node(xmpp_elem *elem, struct elem_node *node)
{
    if (elem->last_child)
        elem->last_child->next = node;
    else
        elem->children = node;
    elem->last_child = node;
}

void elem_attach(xmpp_elem *parent, xmpp_elem *child)
{
    child->parent = parent;
    append_node(parent, &child->node);
}

xmpp_elem *elem_tree_add(struct elem_tree *tree, xmpp_elem *parent, const char *ns,
                         const char *name)
{
    xmpp_elem *elem = elem_tree_add_loose(tree, ns, name);

    if (!elem)
        return NULL;
    if (parent)
        elem_attach(parent, elem);
    else
        tree->root = elem;
    return elem;
}

int elem_add_attr(xmpp_elem *elem, const char *ns, const char *name, const char *value, size_t len)
{
    struct elem_attr *attr;
    char *copy;

    if (len > SIZE_MAX - sizeof *attr - 1)
        return XMPP_ERR_NOMEM;
    attr = arena_alloc(elem->tree->arena, sizeof *attr + len + 1); /* its value is behind it */
    if (!attr)
        return XMPP_ERR_NOMEM;
    copy = (char *)(attr + 1);
    if (len > 0)
        memcpy(copy, value, len);
    copy[len] = '\0';
    *attr = (struct elem_attr){.ns = ns, .name = name, .value = copy};
    if (elem->last_attr)
        elem->last_attr->next = attr;
    else
        elem->attrs = attr;
    elem->last_attr = attr;
    return XMPP_OK;
}

static int extend_text(struct arena *arena, struct elem_text *text, const char *str, size_t len)
{
    size_t cap;

    if (!size_add(text->len, len, &cap) || !size_add(cap, 1, &cap))
        return XMPP_ERR_NOMEM;
    if (cap > text->cap) {
        char *fresh;

        if (cap < 2 * text->cap)
            cap = 2 * text->cap;
        fresh = arena_grow(arena, text->str, text->cap, cap);
        if (!fresh)
            return XMPP_ERR_NOMEM;
        text->str = fresh;
        text->cap = cap;
    }
    memcpy(text->str + text->len, str, len);
    text->len += len;
    text->str[text->len] = '\0';
    return XMPP_OK;
}

int elem_append_text(xmpp_elem *elem, const char *str, size_t len)
{
    struct arena *arena = elem->tree->arena;
    struct elem_text *text;

    if (len == 0)
        return XMPP_OK;
    if (elem->last_child && elem->last_child->is_text)
        return extend_text(arena, (struct elem_text *)elem->last_child, str, len);

    if (len > SIZE_MAX - sizeof *text - 1)
        return XMPP_ERR_NOMEM;
    text = arena_alloc(arena, sizeof *text + len + 1); /* the string is behind it until it grows */
    if (!text)
        return XMPP_ERR_NOMEM;
    *text = (struct elem_text){
        .node = {.is_text = true}, .str = (char *)(text + 1), .len = len, .cap = len + 1};
    memcpy(text->str, str, len);
    text->str[len] = '\0';
    append_node(elem, &text->node);
    return XMPP_OK;
}

static xmpp_elem *first_elem(const struct elem_node *node)
{
    while (node && node->is_text)
        node = node->next;
    return (xmpp_elem *)(uintptr_t)node;
}

xmpp_elem *elem_next_in(const xmpp_elem *root, const xmpp_elem *elem)
{
    xmpp_elem *next = first_elem(elem->children);

    while (!next && elem != root) {
        next = first_elem(elem->node.next);
        elem = elem->parent;
    }
    return next;
}

unsigned elem_get_level(const xmpp_elem *elem)
{
    unsigned level = 0;

    for (; elem; elem = elem->parent)
        level++;
    return level;
}

static int join_text(xmpp_elem *elem)
{
    const struct elem_text *only = NULL;
    size_t count = 0;
    size_t total = 0;
    char *joined;

    for (const struct elem_node *node = elem->children; node; node = node->next) {
        if (!node->is_text)
            continue;
        only = (const struct elem_text *)node;
        total += only->len; /* all of it is in memory: no overflow */
        count++;
    }
    if (count <= 1) {
        elem->text = only ? only->str : "";
        return XMPP_OK;
    }

    joined = arena_alloc(elem->tree->arena, total + 1);
    if (!joined)
        return XMPP_ERR_NOMEM;
    elem->text = joined;
    for (const struct elem_node *node = elem->children; node; node = node->next) {
        const struct elem_text *text = (const struct elem_text *)node;

        if (!node->is_text)
            continue;
        memcpy(joined, text->str, text->len);
        joined += text->len;
    }
    *joined = '\0';
    return XMPP_OK;
}

int elem_tree_finish(struct elem_tree *tree, struct elem_jids *jids)
{
    for (xmpp_elem *elem = tree->root; elem; elem = elem_next_in(tree->root, elem)) {
        int r = join_text(elem);
        if (r < 0)
            return r;
    }
    int r = elem_tree_read_jids(tree, jids);
    if (r < 0)
        return r;
    tree->sealed = true;
    return XMPP_OK;
}

int xmpp_elem_is_sealed(const xmpp_elem *elem)
{
    return elem && elem->tree->sealed;
}

/* Known names are equal when their addresses are; that is the common case. */
static bool same(const char *a, const char *b)
{
    return a == b || (*a == *b && strcmp(a, b) == 0);
}

static bool is_attr(const struct elem_attr *attr, const char *ns, const char *name)
{
    if (!attr->ns || !ns)
        return attr->ns == ns && same(attr->name, name);
    return same(attr->name, name) && same(attr->ns, ns);
}

const struct elem_attr *elem_find_attr(const xmpp_elem *elem, const char *ns, const char *name)
{
    const struct elem_attr *attr = elem->attrs;

    while (attr && !is_attr(attr, ns, name))
        attr = attr->next;
    return attr;
}

const char *xmpp_elem_get_name(const xmpp_elem *elem)
{
    return elem ? elem->name : NULL;
}

const char *xmpp_elem_get_ns(const xmpp_elem *elem)
{
    return elem ? elem->ns : NULL;
}

int xmpp_elem_is(const xmpp_elem *elem, const char *ns, const char *name)
{
    return elem && (!name || same(elem->name, name)) && (!ns || same(elem->ns, ns));
}

const char *xmpp_elem_get_attr_ns(const xmpp_elem *elem, const char *ns, const char *name)
{
    const struct elem_attr *attr;

    if (!elem || !name)
        return NULL;
    attr = elem_find_attr(elem, ns && *ns ? ns : NULL, name);
    return attr ? attr->value : NULL;
}

const char *xmpp_elem_get_attr(const xmpp_elem *elem, const char *name)
{
    if (str_eq(name, "xml:lang"))
        return xmpp_elem_get_attr_ns(elem, NS_XML, "lang");
    return xmpp_elem_get_attr_ns(elem, NULL, name);
}

const char *xmpp_elem_get_text(const xmpp_elem *elem)
{
    if (!elem)
        return NULL;
    if (elem->tree->sealed)
        return elem->text;
    /* still being built: joining would need memory */
    for (const struct elem_node *node = elem->children; node; node = node->next)
        if (node->is_text)
            return ((const struct elem_text *)node)->str;
    return "";
}

const char *xmpp_elem_get_lang(const xmpp_elem *elem)
{
    const char *lang = NULL;

    if (!elem)
        return NULL;
    for (const xmpp_elem *e = elem; e && !lang; e = e->parent)
        lang = xmpp_elem_get_attr_ns(e, NS_XML, "lang");
    if (!lang)
        lang = elem->tree->lang; /* STZ-19 */
    /* XML 1.0 2.12: an empty value takes the inherited language away */
    return lang && *lang ? lang : NULL;
}

const xmpp_elem *xmpp_elem_get_parent(const xmpp_elem *elem)
{
    return elem ? elem->parent : NULL;
}

static const xmpp_elem *find_elem(const struct elem_node *node, const char *ns, const char *name)
{
    for (; node; node = node->next)
        if (!node->is_text && xmpp_elem_is((const xmpp_elem *)node, ns, name))
            return (const xmpp_elem *)node;
    return NULL;
}

const xmpp_elem *xmpp_elem_first_child(const xmpp_elem *elem, const char *ns, const char *name)
{
    return elem ? find_elem(elem->children, ns, name) : NULL;
}

const xmpp_elem *xmpp_elem_next_sibling(const xmpp_elem *elem, const char *ns, const char *name)
{
    return elem ? find_elem(elem->node.next, ns, name) : NULL;
}

size_t xmpp_elem_count_attrs(const xmpp_elem *elem)
{
    size_t count = 0;

    if (elem)
        for (const struct elem_attr *attr = elem->attrs; attr; attr = attr->next)
            count++;
    return count;
}

int xmpp_elem_get_attr_at(const xmpp_elem *elem, size_t index, const char **ret_ns,
                          const char **ret_name, const char **ret_value)
{
    const struct elem_attr *attr;

    if (!elem)
        return XMPP_ERR_INVAL;
    attr = elem->attrs;
    while (attr && index-- > 0)
        attr = attr->next;
    if (!attr)
        return XMPP_ERR_NOTFOUND;

    if (ret_ns)
        *ret_ns = attr->ns;
    if (ret_name)
        *ret_name = attr->name;
    if (ret_value)
        *ret_value = attr->value;
    return XMPP_OK;
}
