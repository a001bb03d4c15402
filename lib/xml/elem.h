#ifndef XML_ELEM_H
#define XML_ELEM_H

#include "base/arena.h"
#include "base/object.h"

#include <stdbool.h>
#include <stdint.h>
#include <xmpp/elem.h>
#include <xmpp/jid.h>

/* One tree lives in one arena. Strings are pointers into the arena or into the static table of
 * known names (xml/name.h); equal known names are equal pointers, unknown ones are compared by
 * bytes. */
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

/* Text that arrives in pieces is one node: it grows by doubling. */
struct elem_text {
    struct elem_node node;
    char *str; /* terminated */
    size_t len;
    size_t cap;
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

/* The last addresses that were parsed: a repeated one costs a reference, and the memory of an old one serves the next
 * new one, so that neither costs an allocation. There are few, and more while many stanzas are under way at once. */
#define ELEM_JIDS_FEW 8
#define ELEM_JIDS_MAX 32
struct elem_jids {
    xmpp_jid *jids[ELEM_JIDS_MAX];
    uint32_t marks[ELEM_JIDS_MAX]; /* equal strings have equal marks */
    unsigned count;
    unsigned next;
    unsigned hit; /* what was found last: nearly always our own address */
};
void elem_jids_clear(struct elem_jids *jids);
void elem_jids_trim(struct elem_jids *jids); /* forgets all but the first few */

/* The layer's own way to build trees from the wire: no checks of names and characters (the parser
 * made them). ns and name must live as long as the tree: string constants, or from
 * elem_tree_intern(). NULL and negative results mean out of memory; the tree is then only good for
 * elem_tree_unref(). */
int elem_tree_create(struct elem_tree **ret);
xmpp_elem *elem_tree_add(struct elem_tree *tree, xmpp_elem *parent, const char *ns,
                         const char *name);
const char *elem_tree_intern(struct elem_tree *tree, const char *str, size_t len);
/* Makes an element that has no parent yet. */
xmpp_elem *elem_tree_add_loose(struct elem_tree *tree, const char *ns, const char *name);
void elem_attach(xmpp_elem *parent, xmpp_elem *child);
/* ns (NULL: none) and name as above; value is copied. Does not look for an attribute of the same
 * name. */
int elem_add_attr(xmpp_elem *elem, const char *ns, const char *name, const char *value, size_t len);
int elem_append_text(xmpp_elem *elem, const char *str, size_t len);
/* Joins texts, parses from and to leniently, seals. jids: may be NULL. When it fails nothing was
 * sealed. */
int elem_tree_finish(struct elem_tree *tree, struct elem_jids *jids);
struct elem_tree *elem_tree_unref(struct elem_tree *tree);

const struct elem_attr *elem_find_attr(const xmpp_elem *elem, const char *ns, const char *name);
/* The element after elem in document order, within root; NULL at the end. */
xmpp_elem *elem_next_in(const xmpp_elem *root, const xmpp_elem *elem);
/* elem counts as 1 */
unsigned elem_get_level(const xmpp_elem *elem);

/* stanza.c: sets tree->from and tree->to. XMPP_OK or XMPP_ERR_NOMEM. */
int elem_tree_read_jids(struct elem_tree *tree, struct elem_jids *jids);

/* children of all kinds; for the writer and copies */
static inline const struct elem_node *elem_first_node(const xmpp_elem *elem)
{
    return elem->children;
}

#endif
