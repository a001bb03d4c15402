#ifndef XML_TOOLS_H
#define XML_TOOLS_H

#include <xmpp/elem.h>
#include <xmpp/error.h>
#include <xmpp/jid.h>

#include "xml/elem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A generator of numbers that is the same everywhere, for seeded tests. */
static inline uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

static inline bool same_str(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static inline bool same_elem(const xmpp_elem *a, const xmpp_elem *b)
{
    if (!same_str(a->ns, b->ns) || !same_str(a->name, b->name))
        return false;
    if (xmpp_elem_count_attrs(a) != xmpp_elem_count_attrs(b))
        return false;
    for (const struct elem_attr *x = a->attrs, *y = b->attrs; x; x = x->next, y = y->next)
        if (!same_str(x->ns, y->ns) || !same_str(x->name, y->name) || !same_str(x->value, y->value))
            return false;
    return true;
}

/* Equal names, attributes in order, and children of all kinds in order. Recursive: for small trees.
 */
static inline bool same_tree(const xmpp_elem *a, const xmpp_elem *b)
{
    const struct elem_node *x = elem_first_node(a);
    const struct elem_node *y = elem_first_node(b);

    if (!same_elem(a, b))
        return false;
    for (; x && y; x = x->next, y = y->next) {
        if (x->is_text != y->is_text)
            return false;
        if (x->is_text) {
            if (!same_str(((const struct elem_text *)x)->str, ((const struct elem_text *)y)->str))
                return false;
        } else if (!same_tree((const xmpp_elem *)x, (const xmpp_elem *)y)) {
            return false;
        }
    }
    return !x && !y;
}

static inline xmpp_elem *must_parse(const char *xml)
{
    xmpp_elem *elem = NULL;

    assert_int_equal(xmpp_elem_parse(&elem, xml, strlen(xml)), XMPP_OK);
    return elem;
}

static inline void assert_xml(const xmpp_elem *elem, const char *expected)
{
    char *xml = NULL;
    size_t len;

    assert_int_equal(xmpp_elem_to_xml(elem, &xml, &len), XMPP_OK);
    assert_string_equal(xml, expected);
    assert_int_equal(len, strlen(expected));
    xmpp_mem_free(xml);
}

#endif
