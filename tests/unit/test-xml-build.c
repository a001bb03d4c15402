#include "base/limits.h"
#include "support/torture.h"
#include "xml-tools.h"
#include "xml/ns.h"

static xmpp_elem *must_create(const char *ns, const char *name)
{
    xmpp_elem *elem = NULL;

    assert_int_equal(xmpp_elem_create(&elem, ns, name), XMPP_OK);
    return elem;
}

static void test_elem_create_bad(void **state)
{
    xmpp_elem *elem = (xmpp_elem *)&elem;

    (void)state;
    assert_int_equal(xmpp_elem_create(NULL, NS_CLIENT, "a"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create(&elem, NULL, "a"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create(&elem, NS_CLIENT, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create(&elem, NS_CLIENT, ""), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create(&elem, NS_CLIENT, "a:b"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create(&elem, NS_CLIENT, "a b='c'"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create(&elem, NS_CLIENT, "a><b"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create(&elem, "\xFF", "a"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create(&elem, "a\x01", "a"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create(&elem, NS_XML, "a"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_create(&elem, NS_XMLNS, "a"), XMPP_ERR_INVAL);
    assert_ptr_equal(elem, &elem); /* untouched */
}

static void test_elem_build(void **state)
{
    xmpp_elem *elem = must_create(NS_CLIENT, "message");
    xmpp_elem *body;

    (void)state;
    assert_int_equal(xmpp_elem_set_attr(elem, "to", "a@b"), XMPP_OK);
    assert_int_equal(xmpp_elem_set_attr(elem, "id", "1"), XMPP_OK);
    assert_int_equal(xmpp_elem_set_attr(elem, "to", "c@d"), XMPP_OK);
    assert_int_equal(xmpp_elem_set_attr(elem, "xml:lang", "en"), XMPP_OK);
    assert_int_equal(xmpp_elem_set_attr_ns(elem, NS_XML, "lang", "de"), XMPP_OK);
    assert_int_equal(xmpp_elem_set_attr_ns(elem, "urn:p", "id", "2"), XMPP_OK);
    assert_int_equal(xmpp_elem_set_attr_ns(elem, "", "type", "chat"), XMPP_OK);
    body = xmpp_elem_add_child(elem, NULL, "body");
    assert_int_equal(xmpp_elem_add_text(body, "a"), XMPP_OK);
    assert_int_equal(xmpp_elem_add_text_len(body, "bcd", 2), XMPP_OK);
    assert_int_equal(xmpp_elem_add_text_len(body, NULL, 0), XMPP_OK);
    assert_string_equal(xmpp_elem_get_text(body), "abc");
    assert_non_null(xmpp_elem_add_child(elem, "urn:x", "x"));
    assert_int_equal(xmpp_elem_add_text(elem, "!"), XMPP_OK);
    assert_non_null(xmpp_elem_add_child_text(elem, "", "y", "\xE2\x82\xAC"));
    assert_false(xmpp_elem_is_sealed(elem));
    assert_xml(
        elem,
        "<message xmlns='jabber:client' to='c@d' id='1' xml:lang='de' xmlns:ns3='urn:p' ns3:id='2' "
        "type='chat'><body>abc</body><x xmlns='urn:x'/>!<y xmlns=''>\xE2\x82\xAC</y></message>");
    assert_null(xmpp_elem_get_to(elem));
    assert_int_equal(xmpp_elem_seal(body), XMPP_OK); /* any element seals the tree */
    assert_true(xmpp_elem_is_sealed(elem));
    assert_string_equal(xmpp_jid_get_str(xmpp_elem_get_to(elem)), "c@d");
    assert_string_equal(xmpp_elem_get_text(elem), "!");
    assert_int_equal(xmpp_elem_seal(elem), XMPP_OK);
    xmpp_elem_unref(elem);
}

static void test_elem_seal_forbids_changes(void **state)
{
    xmpp_elem *elem = must_create(NS_CLIENT, "iq");
    xmpp_elem *other = must_create(NS_CLIENT, "iq");

    (void)state;
    assert_int_equal(xmpp_elem_seal(elem), XMPP_OK);
    assert_int_equal(xmpp_elem_set_attr(elem, "a", "b"), XMPP_ERR_SEALED);
    assert_int_equal(xmpp_elem_set_attr(elem, NULL, NULL), XMPP_ERR_SEALED);
    assert_int_equal(xmpp_elem_set_attr_ns(elem, "n", "a", "b"), XMPP_ERR_SEALED);
    assert_int_equal(xmpp_elem_add_text(elem, "a"), XMPP_ERR_SEALED);
    assert_int_equal(xmpp_elem_add_text(elem, NULL), XMPP_ERR_SEALED);
    assert_int_equal(xmpp_elem_add_text_len(elem, "a", 1), XMPP_ERR_SEALED);
    assert_null(xmpp_elem_add_child(elem, NULL, "a"));
    assert_null(xmpp_elem_add_child_text(elem, NULL, "a", "b"));
    assert_null(xmpp_elem_add_copy(elem, other));
    /* a sealed tree is shared: a wrong call leaves no trace in it */
    assert_int_equal(xmpp_elem_seal(elem), XMPP_OK);
    assert_xml(elem, "<iq xmlns='jabber:client'/>");
    xmpp_elem_unref(elem);
    xmpp_elem_unref(other);
}

struct bad_call {
    const char *name;
    const char *value;
};

/* XML-06, SEC-19: what the writer could not make well-formed is refused, and the tree remembers. */
static void test_elem_set_attr_bad(void **state)
{
    static const struct bad_call calls[] = {
        {"xmlns", "u"},        {"xmlns:p", "u"},     {"p:a", "v"},       {"", "v"},
        {"a b", "v"},          {"a='1' b", "v"},     {"1", "v"},         {NULL, "v"},
        {"a", NULL},           {"a", "\x01"},        {"a", "\xFF"},      {"a", "\xED\xA0\x80"},
        {"a", "\xEF\xBF\xBE"}, {"xml:lang", "\x02"}, {"xml:space", "v"}, {"xml:lang", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        xmpp_elem *elem = must_create(NS_CLIENT, "iq");
        char *xml;

        assert_int_equal(xmpp_elem_set_attr(elem, calls[i].name, calls[i].value), XMPP_ERR_INVAL);
        assert_int_equal(xmpp_elem_set_attr(elem, "good", "value"), XMPP_ERR_INVAL);
        assert_int_equal(xmpp_elem_add_text(elem, "good"), XMPP_ERR_INVAL);
        assert_null(xmpp_elem_add_child(elem, NULL, "good"));
        assert_int_equal(xmpp_elem_seal(elem), XMPP_ERR_INVAL);
        assert_false(xmpp_elem_is_sealed(elem));
        assert_int_equal(xmpp_elem_to_xml(elem, &xml, NULL), XMPP_ERR_INVAL);
        xmpp_elem_unref(elem);
    }
}

static void test_elem_set_attr_ns_bad(void **state)
{
    static const char *const bad[] = {NS_XMLNS, "\xFF", "a\x01"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        xmpp_elem *elem = must_create(NS_CLIENT, "iq");

        assert_int_equal(xmpp_elem_set_attr_ns(elem, bad[i], "a", "v"), XMPP_ERR_INVAL);
        assert_int_equal(xmpp_elem_seal(elem), XMPP_ERR_INVAL);
        xmpp_elem_unref(elem);
    }
    assert_int_equal(xmpp_elem_set_attr(NULL, "a", "v"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_set_attr_ns(NULL, "n", "a", "v"), XMPP_ERR_INVAL);
}

static void test_elem_add_text_bad(void **state)
{
    static const char *const bad[] = {"\x01",         "a\xFF",    "\xC3", "\xED\xA0\x80",
                                      "\xEF\xBF\xBF", "\xC0\xAF", "\x0B"};
    xmpp_elem *elem;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        elem = must_create(NS_CLIENT, "iq");
        assert_int_equal(xmpp_elem_add_text(elem, bad[i]), XMPP_ERR_INVAL);
        assert_int_equal(xmpp_elem_seal(elem), XMPP_ERR_INVAL);
        xmpp_elem_unref(elem);
    }
    elem = must_create(NS_CLIENT, "iq");
    assert_int_equal(xmpp_elem_add_text_len(elem, "a\0b", 3), XMPP_ERR_INVAL); /* SEC-20 */
    xmpp_elem_unref(elem);
    elem = must_create(NS_CLIENT, "iq");
    assert_int_equal(xmpp_elem_add_text(elem, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_seal(elem), XMPP_ERR_INVAL);
    xmpp_elem_unref(elem);
    elem = must_create(NS_CLIENT, "iq");
    assert_int_equal(xmpp_elem_add_text_len(elem, NULL, 1), XMPP_ERR_INVAL);
    assert_null(xmpp_elem_add_child_text(elem, NULL, "a", "b"));
    xmpp_elem_unref(elem);
    assert_int_equal(xmpp_elem_add_text(NULL, "a"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_add_text(NULL, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_add_text_len(NULL, "a", 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_seal(NULL), XMPP_ERR_INVAL);
}

static void test_elem_add_child_bad(void **state)
{
    static const struct bad_call calls[] = {{NULL, NULL},   {NULL, ""},    {NULL, "a:b"},
                                            {NULL, "a/"},   {"\xFF", "a"}, {NS_XML, "a"},
                                            {NS_XMLNS, "a"}};

    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        xmpp_elem *elem = must_create(NS_CLIENT, "iq");
        xmpp_elem *child = xmpp_elem_add_child(elem, NULL, "child");

        assert_null(xmpp_elem_add_child(child, calls[i].name, calls[i].value));
        assert_int_equal(xmpp_elem_seal(elem), XMPP_ERR_INVAL);
        assert_int_equal(xmpp_elem_copy(elem, &child), XMPP_ERR_INVAL);
        xmpp_elem_unref(elem);
    }
    assert_null(xmpp_elem_add_child(NULL, NULL, "a"));
    assert_null(xmpp_elem_add_child_text(NULL, NULL, "a", "b"));
    assert_null(xmpp_elem_add_copy(NULL, NULL));
}

static void test_elem_add_child_text_bad(void **state)
{
    xmpp_elem *elem = must_create(NS_CLIENT, "iq");

    (void)state;
    assert_null(xmpp_elem_add_child_text(elem, NULL, "a", NULL));
    assert_int_equal(xmpp_elem_seal(elem), XMPP_ERR_INVAL);
    xmpp_elem_unref(elem);
}

static void test_elem_add_child_too_deep(void **state)
{
    xmpp_elem *elem = must_create(NS_CLIENT, "iq");
    xmpp_elem *at = elem;
    xmpp_elem *copy;

    (void)state;
    for (unsigned i = 1; i < LIMIT_DEPTH; i++)
        assert_non_null(at = xmpp_elem_add_child(at, NULL, "a"));
    assert_int_equal(xmpp_elem_copy(elem, &copy), XMPP_OK);
    assert_int_equal(xmpp_elem_seal(copy), XMPP_OK);
    assert_null(xmpp_elem_add_child(at, NULL, "a"));
    assert_int_equal(xmpp_elem_seal(elem), XMPP_ERR_LIMIT);
    xmpp_elem_unref(elem);

    elem = must_create(NS_CLIENT, "iq");
    assert_null(xmpp_elem_add_copy(elem, copy));
    assert_int_equal(xmpp_elem_seal(elem), XMPP_ERR_LIMIT);
    xmpp_elem_unref(elem);
    elem = must_create(NS_CLIENT, "iq");
    assert_non_null(xmpp_elem_add_copy(elem, xmpp_elem_first_child(copy, NULL, NULL)));
    assert_int_equal(xmpp_elem_seal(elem), XMPP_OK);
    xmpp_elem_unref(elem);
    xmpp_elem_unref(copy);
}

static void test_elem_set_attr_too_many(void **state)
{
    xmpp_elem *elem = must_create(NS_CLIENT, "iq");
    char name[16];

    (void)state;
    for (int i = 0; i < LIMIT_ATTRS; i++) {
        sprintf(name, "a%d", i);
        assert_int_equal(xmpp_elem_set_attr(elem, name, ""), XMPP_OK);
    }
    assert_int_equal(xmpp_elem_set_attr(elem, "a0", "x"), XMPP_OK);
    assert_int_equal(xmpp_elem_set_attr(elem, "b", ""), XMPP_ERR_LIMIT);
    assert_int_equal(xmpp_elem_seal(elem), XMPP_ERR_LIMIT);
    xmpp_elem_unref(elem);
}

/* XML-12 */
static void test_elem_copy_keeps_namespaces_and_lang(void **state)
{
    xmpp_elem *src =
        must_parse("<a xmlns='urn:a' xmlns:p='urn:p' xml:lang='de'>x<b p:c='1' d='&lt;'>"
                   "<p:e/>text<f xmlns=''><g/></f></b>y</a>");
    const xmpp_elem *b = xmpp_elem_first_child(src, NULL, "b");
    xmpp_elem *copy;
    xmpp_elem *outer;

    (void)state;
    assert_int_equal(xmpp_elem_copy(src, &copy), XMPP_OK);
    assert_false(xmpp_elem_is_sealed(copy));
    assert_true(same_tree(src, copy));
    assert_int_equal(xmpp_elem_set_attr(copy, "new", "1"), XMPP_OK);
    xmpp_elem_unref(copy);

    assert_int_equal(xmpp_elem_copy(b, &copy), XMPP_OK);
    assert_null(xmpp_elem_get_parent(copy));
    assert_string_equal(xmpp_elem_get_lang(copy), "de");
    assert_xml(
        copy,
        "<b xmlns='urn:a' xmlns:ns0='urn:p' ns0:c='1' d='&lt;' xml:lang='de'><e xmlns='urn:p'/>text"
        "<f xmlns=''><g/></f></b>");
    xmpp_elem_unref(copy);

    outer = must_create("urn:o", "o");
    assert_int_equal(xmpp_elem_set_attr(outer, "xml:lang", "de"), XMPP_OK);
    assert_non_null(xmpp_elem_add_copy(outer, b)); /* the same language: nothing to write down */
    assert_null(xmpp_elem_get_attr(xmpp_elem_first_child(outer, NULL, "b"), "xml:lang"));
    assert_string_equal(xmpp_elem_get_lang(xmpp_elem_first_child(outer, NULL, "b")), "de");
    xmpp_elem_unref(src);
    src = must_parse("<n/>");
    assert_non_null(xmpp_elem_add_copy(outer, src)); /* no language stays none */
    assert_null(xmpp_elem_get_lang(xmpp_elem_first_child(outer, NULL, "n")));
    xmpp_elem_unref(src);
    xmpp_elem_unref(outer);
}

static void test_elem_add_copy_of_itself(void **state)
{
    xmpp_elem *elem = must_create("urn:a", "a");
    xmpp_elem *b = xmpp_elem_add_child(elem, NULL, "b");

    (void)state;
    xmpp_elem_add_text(b, "x");
    assert_non_null(xmpp_elem_add_copy(b, elem));
    assert_xml(elem, "<a xmlns='urn:a'><b>x<a><b>x</b></a></b></a>");
    assert_non_null(xmpp_elem_add_copy(elem, b));
    assert_xml(elem, "<a xmlns='urn:a'><b>x<a><b>x</b></a></b><b>x<a><b>x</b></a></b></a>");
    xmpp_elem_unref(elem);
}

static void test_elem_copy_bad(void **state)
{
    xmpp_elem *elem = must_create("urn:a", "a");
    xmpp_elem *copy;

    (void)state;
    assert_int_equal(xmpp_elem_copy(NULL, &copy), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_copy(elem, NULL), XMPP_ERR_INVAL);
    assert_null(xmpp_elem_add_copy(elem, NULL));
    assert_int_equal(xmpp_elem_seal(elem), XMPP_ERR_INVAL);
    xmpp_elem_unref(elem);
}

/* Large trees take linear time: quadratic would take minutes here. */
static void test_elem_build_large(void **state)
{
    xmpp_elem *elem = must_create("urn:a", "a");
    xmpp_elem *b = xmpp_elem_add_child(elem, NULL, "b");
    xmpp_elem *c = xmpp_elem_add_child(elem, NULL, "c");
    xmpp_elem *copy;
    char *xml;
    size_t len;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        assert_non_null(xmpp_elem_add_child(elem, NULL, "item"));
        assert_int_equal(xmpp_elem_add_text(b, "0123456789"), XMPP_OK);
        assert_int_equal(xmpp_elem_add_text(c, "x"), XMPP_OK);
        assert_int_equal(xmpp_elem_add_text(elem, "y"), XMPP_OK);
    }
    assert_int_equal(xmpp_elem_copy(elem, &copy), XMPP_OK);
    assert_int_equal(xmpp_elem_seal(copy), XMPP_OK);
    assert_int_equal(strlen(xmpp_elem_get_text(copy)), 100000);
    assert_int_equal(strlen(xmpp_elem_get_text(xmpp_elem_first_child(copy, NULL, "b"))), 1000000);
    assert_int_equal(xmpp_elem_to_xml(copy, &xml, &len), XMPP_OK);
    assert_int_equal(len,
                     strlen("<a xmlns='urn:a'><b></b><c></c></a>") + 100000 * (10 + 1 + 1 + 7));
    xmpp_mem_free(xml);
    xmpp_elem_unref(copy);
    xmpp_elem_unref(elem);
}

static int scenario_build(void *data)
{
    xmpp_elem *elem;
    xmpp_elem *copy;
    int r;

    (void)data;
    r = xmpp_elem_create(&elem, NS_CLIENT, "message");
    if (r < 0)
        return r;
    /* the results of all these may be ignored: the error is sticky */
    (void)xmpp_elem_set_attr(elem, "to", "a@example.org/\xC3\xA9");
    for (int i = 0; i < 60; i++) {
        xmpp_elem *child = xmpp_elem_add_child(elem, "urn:example:unknown", "unknown-name");

        (void)xmpp_elem_set_attr_ns(child, "urn:example:attr", "unknown-attr", "a value");
        (void)xmpp_elem_add_text(child, "text ");
        (void)xmpp_elem_add_child_text(child, NULL, "b", "b");
        (void)xmpp_elem_add_text(child, "and more text");
    }
    (void)xmpp_elem_add_copy(xmpp_elem_add_child(elem, "urn:example:forward", "f"), elem);
    r = xmpp_elem_seal(elem);
    if (r == XMPP_ERR_NOMEM && elem->tree->error == XMPP_OK && !torture_has_failed())
        r = XMPP_ERR_STATE; /* for no reason */
    if (r == XMPP_OK)
        r = xmpp_elem_copy(elem, &copy);
    if (r == XMPP_OK) {
        assert_true(same_tree(elem, copy));
        xmpp_elem_unref(copy);
    }
    xmpp_elem_unref(elem);
    return r;
}

static void test_elem_build_without_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario_build, NULL), XMPP_OK);
}

/* When only sealing fails, it can be tried again. */
static void test_elem_seal_without_memory(void **state)
{
    xmpp_elem *elem = must_create(NS_CLIENT, "iq");

    (void)state;
    assert_int_equal(xmpp_elem_set_attr(elem, "to", "new@example.org"), XMPP_OK);
    torture_fail_at(1, true);
    assert_int_equal(xmpp_elem_seal(elem), XMPP_ERR_NOMEM);
    torture_fail_at(0, false);
    assert_false(xmpp_elem_is_sealed(elem));
    assert_int_equal(xmpp_elem_seal(elem), XMPP_OK);
    assert_string_equal(xmpp_jid_get_str(xmpp_elem_get_to(elem)), "new@example.org");
    xmpp_elem_unref(elem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elem_create_bad),
        cmocka_unit_test(test_elem_build),
        cmocka_unit_test(test_elem_seal_forbids_changes),
        cmocka_unit_test(test_elem_set_attr_bad),
        cmocka_unit_test(test_elem_set_attr_ns_bad),
        cmocka_unit_test(test_elem_add_text_bad),
        cmocka_unit_test(test_elem_add_child_bad),
        cmocka_unit_test(test_elem_add_child_text_bad),
        cmocka_unit_test(test_elem_add_child_too_deep),
        cmocka_unit_test(test_elem_set_attr_too_many),
        cmocka_unit_test(test_elem_copy_keeps_namespaces_and_lang),
        cmocka_unit_test(test_elem_add_copy_of_itself),
        cmocka_unit_test(test_elem_copy_bad),
        cmocka_unit_test(test_elem_build_large),
        cmocka_unit_test(test_elem_build_without_memory),
        cmocka_unit_test(test_elem_seal_without_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
