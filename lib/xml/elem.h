#ifndef XML_ELEM_H
#define XML_ELEM_H

#include "base/arena.h"
#include "base/object.h"

#include <stdbool.h>
#include <stdint.h>
#include <xmpp/elem.h>
#include <xmpp/jid.h>

/* One tree lives in one arena. Strings are pointers into the arena or into the static table of known names
 * (xml/name.h); equal known names are equal pointers, unknown ones are compared by bytes. */
struct elem_attr {
    const char *ns; /* NULL: none */
    const char *name;
    const char *value;
    struct elem_attr *next;
};

/* A text child, or an element child: document order is kept, for mixed content. */
struct elem_node {
    struct elem_node *next;
    bool is_text;
};

struct elem_text {
    struct elem_node node;
    const char *str;
    size_t len;
};

struct elem_tree;

struct xmpp_elem {
    struct elem_node node; /* first: an element is a node of its parent */
    struct elem_tree *tree;
    xmpp_elem *parent;
    const char *ns; /* "" when the element is in no namespace */
    const char *name;
    struct elem_attr *attrs;
    struct elem_attr *last_attr;
    struct elem_node *children;
    struct elem_node *last_child;
    const char *text; /* joined direct text; set when parsed or sealed */
};

struct elem_tree {
    struct object object; /* references to any element of the tree */
    struct arena *arena;
    xmpp_elem *root;
    xmpp_jid *from; /* of a stanza; NULL: absent or invalid */
    xmpp_jid *to;
    const char *lang; /* inherited from the stream, or NULL */
    int error; /* first build error */
    bool sealed;
};

/* The layer's own way to build trees from the wire: no checks of names and characters (the parser made them). */
int elem_tree_create(struct elem_tree **ret);
xmpp_elem *elem_tree_add(struct elem_tree *tree, xmpp_elem *parent, const char *ns,
                         const char *name);
int elem_tree_finish(struct elem_tree *tree); /* joins texts, parses from and to leniently, seals */
struct elem_tree *elem_tree_unref(struct elem_tree *tree);

/* children of all kinds; for the writer and copies */
static inline const struct elem_node *elem_first_node(const xmpp_elem *elem)
{
    return elem->children;
}

#endif
