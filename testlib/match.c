#include "tst.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

int tst_pattern_parse(const char *text, const xmpp_elem **ret_pattern)
{
    struct tst_buf xml = {0};
    const xmpp_elem *pattern;
    xmpp_elem *root = NULL;
    int r = XMPP_ERR_NOMEM;

    tst_buf_str(&xml, "<stream:stream xmlns='" TST_NS_CLIENT "' xmlns:stream='" TST_NS_STREAM "'>");
    tst_buf_str(&xml, text);
    /* the start tag of a stream stands for a header */
    if (strncmp(text, "<stream:stream", 14) == 0 && !strstr(text, "/>") &&
        !strstr(text, "</stream:stream"))
        tst_buf_str(&xml, "</stream:stream>");
    tst_buf_str(&xml, "</stream:stream>");
    if (!xml.failed)
        r = xmpp_elem_parse(&root, xml.data, xml.len);
    tst_buf_clear(&xml);
    if (r < 0)
        return r;
    pattern = xmpp_elem_first_child(root, NULL, NULL);
    if (!pattern || xmpp_elem_next_sibling(pattern, NULL, NULL)) {
        xmpp_elem_unref(root);
        return XMPP_ERR_INVAL;
    }
    *ret_pattern = pattern;
    return XMPP_OK;
}

static bool match_attrs(const xmpp_elem *pattern, const xmpp_elem *elem, char *captures[10])
{
    const char *ns;
    const char *name;
    const char *want;

    for (size_t i = 0; xmpp_elem_get_attr_at(pattern, i, &ns, &name, &want) == XMPP_OK; i++) {
        const char *got =
            ns && *ns ? xmpp_elem_get_attr_ns(elem, ns, name) : xmpp_elem_get_attr(elem, name);

        if (strcmp(want, "!") == 0 ? got != NULL : !got || !tst_match_value(want, got, captures))
            return false;
    }
    return true;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* Name, attributes and text of one element, without its children. */
static bool match_one(const xmpp_elem *pattern, const xmpp_elem *elem, char *captures[10])
{
    const char *text = xmpp_elem_get_text(pattern);

    return xmpp_elem_is(elem, xmpp_elem_get_ns(pattern), xmpp_elem_get_name(pattern)) &&
           match_attrs(pattern, elem, captures) &&
           (is_blank(text) || tst_match_value(text, xmpp_elem_get_text(elem), captures));
}

/* Its depth is that of the pattern, which the test wrote. */
static bool match_tree(const xmpp_elem *pattern, const xmpp_elem *elem, char *captures[10])
{
    const xmpp_elem *got = xmpp_elem_first_child(elem, NULL, NULL);

    if (!match_one(pattern, elem, captures))
        return false;
    for (const xmpp_elem *want = xmpp_elem_first_child(pattern, NULL, NULL); want;
         want = xmpp_elem_next_sibling(want, NULL, NULL)) {
        while (got && !tst_match(want, got, captures))
            got = xmpp_elem_next_sibling(got, NULL, NULL);
        if (!got)
            return false;
        got = xmpp_elem_next_sibling(got, NULL, NULL);
    }
    return true;
}

void tst_captures_clear(char *captures[10])
{
    for (int i = 0; i < 10; i++) {
        free(captures[i]);
        captures[i] = NULL;
    }
}

bool tst_match(const xmpp_elem *pattern, const xmpp_elem *elem, char *captures[10])
{
    char *fresh[10] = {NULL};
    bool matches;

    /* what an attempt that failed has captured is forgotten */
    for (int i = 0; i < 10; i++)
        if (captures[i])
            fresh[i] = strdup(captures[i]);
    matches = match_tree(pattern, elem, fresh);
    for (int i = 0; matches && i < 10; i++) {
        char *old = captures[i];

        captures[i] = fresh[i];
        fresh[i] = old;
    }
    tst_captures_clear(fresh);
    return matches;
}

int xmpp_test_elem_match(const xmpp_elem *elem, const char *pattern)
{
    char *captures[10] = {NULL};
    const xmpp_elem *want;
    int r;

    if (!elem || !pattern)
        return XMPP_ERR_INVAL;
    r = tst_pattern_parse(pattern, &want);
    if (r < 0)
        return r == XMPP_ERR_NOMEM ? r : XMPP_ERR_INVAL;
    r = tst_match(want, elem, captures);
    tst_captures_clear(captures);
    xmpp_elem_unref((xmpp_elem *)(uintptr_t)want);
    return r;
}
