#include "xml/elem.h"

#include "support/torture.h"
#include "xml-tools.h"
#include "xml/ns.h"

#define SAMPLE                                                                                     \
    "<message xmlns='jabber:client' xmlns:p='urn:p' type='chat' p:type='other' xml:lang='en'>a"    \
    "<body>first</body>b<body xml:lang='de'>zweiter<b/></body><x xmlns='urn:x' "                   \
    "xml:lang=''><y/></x>c</message>"

static void test_elem_get_names(void **state)
{
    xmpp_elem *elem = must_parse(SAMPLE);

    (void)state;
    assert_string_equal(xmpp_elem_get_name(elem), "message");
    assert_string_equal(xmpp_elem_get_ns(elem), NS_CLIENT);
    assert_true(xmpp_elem_is(elem, NS_CLIENT, "message"));
    assert_true(xmpp_elem_is(elem, NULL, "message"));
    assert_true(xmpp_elem_is(elem, NS_CLIENT, NULL));
    assert_false(xmpp_elem_is(elem, "jabber:server", "message"));
    assert_false(xmpp_elem_is(elem, NS_CLIENT, "iq"));
    assert_false(xmpp_elem_is(elem, "", "message"));
    xmpp_elem_unref(elem);
    elem = must_parse("<a/>");
    assert_string_equal(xmpp_elem_get_ns(elem), "");
    assert_true(xmpp_elem_is(elem, "", "a"));
    xmpp_elem_unref(elem);
}

static void test_elem_get_attr(void **state)
{
    xmpp_elem *elem = must_parse(SAMPLE);
    const char *ns;
    const char *name;
    const char *value;

    (void)state;
    assert_string_equal(xmpp_elem_get_attr(elem, "type"), "chat");
    assert_string_equal(xmpp_elem_get_attr_ns(elem, NULL, "type"), "chat");
    assert_string_equal(xmpp_elem_get_attr_ns(elem, "", "type"), "chat");
    assert_string_equal(xmpp_elem_get_attr_ns(elem, "urn:p", "type"), "other");
    assert_null(xmpp_elem_get_attr_ns(elem, "urn:q", "type"));
    assert_null(xmpp_elem_get_attr(elem, "lang"));
    assert_string_equal(xmpp_elem_get_attr(elem, "xml:lang"), "en");
    assert_null(xmpp_elem_get_attr(elem, "p:type"));
    assert_null(xmpp_elem_get_attr(elem, NULL));
    assert_int_equal(xmpp_elem_count_attrs(elem), 3);
    assert_int_equal(xmpp_elem_get_attr_at(elem, 0, &ns, &name, &value), XMPP_OK);
    assert_null(ns);
    assert_string_equal(name, "type");
    assert_string_equal(value, "chat");
    assert_int_equal(xmpp_elem_get_attr_at(elem, 1, &ns, NULL, NULL), XMPP_OK);
    assert_string_equal(ns, "urn:p");
    assert_int_equal(xmpp_elem_get_attr_at(elem, 3, &ns, &name, &value), XMPP_ERR_NOTFOUND);
    assert_string_equal(ns, "urn:p");
    assert_int_equal(xmpp_elem_get_attr_at(NULL, 0, &ns, &name, &value), XMPP_ERR_INVAL);
    xmpp_elem_unref(elem);
}

static void test_elem_get_text(void **state)
{
    xmpp_elem *elem = must_parse(SAMPLE);
    const xmpp_elem *body = xmpp_elem_first_child(elem, NS_CLIENT, "body");

    (void)state;
    assert_string_equal(xmpp_elem_get_text(elem), "abc");
    assert_string_equal(xmpp_elem_get_text(body), "first");
    assert_string_equal(xmpp_elem_get_text(xmpp_elem_first_child(elem, "urn:x", NULL)), "");
    xmpp_elem_unref(elem);
}

static void test_elem_navigate(void **state)
{
    xmpp_elem *elem = must_parse(SAMPLE);
    const xmpp_elem *first = xmpp_elem_first_child(elem, NULL, NULL);
    const xmpp_elem *second = xmpp_elem_next_sibling(first, NULL, "body");
    const xmpp_elem *x = xmpp_elem_next_sibling(first, "urn:x", NULL);

    (void)state;
    assert_string_equal(xmpp_elem_get_text(first), "first");
    assert_string_equal(xmpp_elem_get_text(second), "zweiter");
    assert_true(xmpp_elem_is(x, "urn:x", "x"));
    assert_null(xmpp_elem_next_sibling(x, NULL, NULL));
    assert_null(xmpp_elem_first_child(elem, "urn:x", "body"));
    assert_null(xmpp_elem_next_sibling(elem, NULL, NULL));
    assert_ptr_equal(xmpp_elem_get_parent(x), elem);
    assert_null(xmpp_elem_get_parent(elem));
    xmpp_elem_unref(elem);
}

/* STZ-19 */
static void test_elem_get_lang(void **state)
{
    xmpp_elem *elem = must_parse(SAMPLE);
    const xmpp_elem *first = xmpp_elem_first_child(elem, NULL, "body");
    const xmpp_elem *second = xmpp_elem_next_sibling(first, NULL, "body");
    const xmpp_elem *x = xmpp_elem_first_child(elem, NULL, "x");

    (void)state;
    assert_string_equal(xmpp_elem_get_lang(elem), "en");
    assert_string_equal(xmpp_elem_get_lang(first), "en");
    assert_string_equal(xmpp_elem_get_lang(second), "de");
    assert_string_equal(xmpp_elem_get_lang(xmpp_elem_first_child(second, NULL, NULL)), "de");
    assert_null(xmpp_elem_get_lang(x));
    assert_null(xmpp_elem_get_lang(xmpp_elem_first_child(x, NULL, NULL)));
    xmpp_elem_unref(elem);
    elem = must_parse("<a/>");
    assert_null(xmpp_elem_get_lang(elem));
    elem->tree->lang = "fr";
    assert_string_equal(xmpp_elem_get_lang(elem), "fr");
    xmpp_elem_unref(elem);
}

static void test_elem_get_of_nothing(void **state)
{
    (void)state;
    assert_null(xmpp_elem_get_name(NULL));
    assert_null(xmpp_elem_get_ns(NULL));
    assert_null(xmpp_elem_get_text(NULL));
    assert_null(xmpp_elem_get_lang(NULL));
    assert_null(xmpp_elem_get_parent(NULL));
    assert_null(xmpp_elem_get_attr(NULL, "a"));
    assert_null(xmpp_elem_get_attr_ns(NULL, "n", "a"));
    assert_null(xmpp_elem_first_child(NULL, NULL, NULL));
    assert_null(xmpp_elem_next_sibling(NULL, NULL, NULL));
    assert_null(xmpp_elem_get_from(NULL));
    assert_null(xmpp_elem_get_to(NULL));
    assert_int_equal(xmpp_elem_is(NULL, NULL, NULL), 0);
    assert_int_equal(xmpp_elem_count_attrs(NULL), 0);
    assert_int_equal(xmpp_elem_get_kind(NULL), 0);
    assert_int_equal(xmpp_elem_is_sealed(NULL), 0);
    assert_null(xmpp_elem_ref(NULL));
    assert_null(xmpp_elem_unref(NULL));
}

/* A reference to any element keeps its whole tree. */
static void test_elem_ref_of_a_child(void **state)
{
    size_t before;
    xmpp_elem *elem;
    xmpp_elem *child;

    (void)state;
    arena_cache_trim();
    before = torture_live_blocks();
    elem = must_parse(SAMPLE);
    child = xmpp_elem_ref(xmpp_elem_first_child(elem, NULL, "x"));
    assert_null(xmpp_elem_unref(elem));
    assert_string_equal(xmpp_elem_get_name(xmpp_elem_get_parent(child)), "message");
    xmpp_elem_unref(child);
    arena_cache_trim();
    assert_int_equal(torture_live_blocks(), before);
}

static int scenario_tree(void *data)
{
    struct elem_tree *tree;
    xmpp_elem *root;
    const char *name;
    int r;

    (void)data;
    r = elem_tree_create(&tree);
    if (r < 0)
        return r;
    name = elem_tree_intern(tree, "unknown-name", 12);
    root = name ? elem_tree_add(tree, NULL, NS_CLIENT, name) : NULL;
    r = root ? XMPP_OK : XMPP_ERR_NOMEM;
    for (int i = 0; i < 500 && r == XMPP_OK; i++) {
        if (!elem_tree_add(tree, root, "", "b"))
            r = XMPP_ERR_NOMEM;
        if (r == XMPP_OK)
            r = elem_append_text(root, "some text", 9);
        if (r == XMPP_OK)
            r = elem_append_text(root, "more text", 9);
    }
    if (r == XMPP_OK)
        r = elem_tree_finish(tree, NULL);
    if (r == XMPP_OK)
        assert_int_equal(strlen(xmpp_elem_get_text(root)), 9000);
    elem_tree_unref(tree);
    return r;
}

static void test_elem_tree_without_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario_tree, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elem_get_names),      cmocka_unit_test(test_elem_get_attr),
        cmocka_unit_test(test_elem_get_text),       cmocka_unit_test(test_elem_navigate),
        cmocka_unit_test(test_elem_get_lang),       cmocka_unit_test(test_elem_get_of_nothing),
        cmocka_unit_test(test_elem_ref_of_a_child), cmocka_unit_test(test_elem_tree_without_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
