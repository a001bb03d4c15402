#include "xml/write.h"

#include "base/limits.h"
#include "support/torture.h"
#include "xml-tools.h"
#include "xml/ns.h"

typedef int (*write_fn)(struct buf *out, const xmpp_elem *elem, const char *context_ns,
                        bool in_stream);

static void check(write_fn fn, const char *xml, const char *context_ns, bool in_stream,
                  const char *expected)
{
    xmpp_elem *elem = must_parse(xml);
    struct buf out;

    buf_init(&out, SIZE_MAX);
    assert_int_equal(fn(&out, elem, context_ns, in_stream), XMPP_OK);
    assert_int_equal(buf_append(&out, "", 1), XMPP_OK);
    assert_string_equal((const char *)buf_peek(&out), expected);
    buf_clear(&out);
    xmpp_elem_unref(elem);
}

static void test_write_elem_namespaces(void **state)
{
    (void)state;
    check(write_elem,
          "<message xmlns='jabber:client'><body>x</body><x xmlns='urn:x'><y/></x><z "
          "xmlns=''/></message>",
          NS_CLIENT, true,
          "<message><body>x</body><x xmlns='urn:x'><y/></x><z xmlns=''/></message>");
    check(write_elem, "<a xmlns='urn:a'/>", NULL, false, "<a xmlns='urn:a'/>");
    check(write_elem, "<a/>", NULL, false, "<a/>");
    check(write_elem, "<a/>", NS_CLIENT, false, "<a xmlns=''/>");
    check(write_elem, "<a xmlns='u&amp;&apos;'/>", NULL, false, "<a xmlns='u&amp;&apos;'/>");
    check(write_elem, "<xml:a><b xmlns='u'><xml:c><d/></xml:c></b></xml:a>", NULL, false,
          "<xml:a><b xmlns='u'><xml:c><d/></xml:c></b></xml:a>");
}

static void test_write_elem_in_stream(void **state)
{
    static const char xml[] =
        "<s:features xmlns:s='" NS_STREAM "'><starttls xmlns='" NS_TLS "'/>"
        "<a xmlns='jabber:client'/><s:b><c xmlns='jabber:client'/></s:b></s:features>";

    (void)state;
    check(write_elem, xml, NS_CLIENT, true,
          "<stream:features><starttls xmlns='" NS_TLS
          "'/><a/><stream:b><c/></stream:b></stream:features>");
    check(write_elem, xml, NULL, false,
          "<features xmlns='" NS_STREAM "'><starttls xmlns='" NS_TLS
          "'/><a xmlns='jabber:client'/><b>"
          "<c xmlns='jabber:client'/></b></features>");
}

static void test_write_elem_foreign_attrs(void **state)
{
    (void)state;
    check(write_elem,
          "<a xmlns:p='u' xmlns:q='v' b='1' p:b='2' q:b='3' p:c='4' xml:lang='en' xml:space='x'/>",
          NULL, false,
          "<a b='1' xmlns:ns1='u' ns1:b='2' xmlns:ns2='v' ns2:b='3' ns1:c='4' xml:lang='en' "
          "xml:space='x'/>");
}

/* XML-06; XML 1.0 2.11 and 3.3.3: what would be changed by the reader is a reference. */
static void test_write_elem_escapes(void **state)
{
    (void)state;
    check(write_elem,
          "<a b='&amp;&lt;&gt;&apos;&quot;&#9;&#10;&#13; x'>&amp;&lt;&gt;'\"\t\n&#13;]]&gt;</a>",
          NULL, false,
          "<a b='&amp;&lt;&gt;&apos;&quot;&#9;&#10;&#13; x'>&amp;&lt;&gt;'\"\t\n&#13;]]&gt;</a>");
}

static void test_write_escaped(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, SIZE_MAX);
    assert_int_equal(write_escaped(&out, "a<b>&'\"c", 8), XMPP_OK);
    assert_int_equal(write_escaped(&out, "", 0), XMPP_OK);
    assert_int_equal(buf_append(&out, "", 1), XMPP_OK);
    assert_string_equal((const char *)buf_peek(&out), "a&lt;b&gt;&amp;&apos;&quot;c");
    buf_clear(&out);
}

static void test_write_limit_appends_nothing(void **state)
{
    xmpp_elem *elem = must_parse("<a b='c'>text<d/></a>");

    (void)state;
    for (size_t limit = 3; limit < 26; limit++) {
        struct buf out;

        buf_init(&out, limit);
        assert_int_equal(buf_append(&out, "abc", 3), XMPP_OK);
        assert_int_equal(write_elem(&out, elem, NULL, false),
                         limit < 24 ? XMPP_ERR_LIMIT : XMPP_OK);
        assert_int_equal(buf_len(&out), limit < 24 ? 3 : 24);
        buf_clear(&out);
        buf_init(&out, limit - 3);
        assert_int_equal(write_escaped(&out, "a&b&c&d&e", 9),
                         limit - 3 < 5 + 4 * 5 ? XMPP_ERR_LIMIT : XMPP_OK);
        assert_int_equal(buf_len(&out), 0);
        buf_clear(&out);
    }
    xmpp_elem_unref(elem);
}

/* SEC-31 */
static void test_write_elem_masked(void **state)
{
    static const char *const cases[][2] = {
        {"<auth xmlns='" NS_SASL "' mechanism='PLAIN'>AHUAcA==</auth>",
         "<auth xmlns='" NS_SASL "' mechanism='PLAIN'>***</auth>"},
        {"<response xmlns='" NS_SASL "'>c2VjcmV0</response>",
         "<response xmlns='" NS_SASL "'>***</response>"},
        {"<challenge xmlns='" NS_SASL "'>c2VjcmV0</challenge>",
         "<challenge xmlns='" NS_SASL "'>***</challenge>"},
        {"<success xmlns='" NS_SASL "'>c2VjcmV0</success>",
         "<success xmlns='" NS_SASL "'>***</success>"},
        {"<success xmlns='" NS_SASL "'/>", "<success xmlns='" NS_SASL "'/>"},
        {"<mechanisms xmlns='" NS_SASL "'><mechanism>PLAIN</mechanism></mechanisms>",
         "<mechanisms xmlns='" NS_SASL "'><mechanism>PLAIN</mechanism></mechanisms>"},
        {"<authenticate xmlns='urn:xmpp:sasl:2' "
         "mechanism='X'><initial-response>c2Vj</initial-response></authenticate>",
         "<authenticate xmlns='urn:xmpp:sasl:2' "
         "mechanism='X'><initial-response>***</initial-response></authenticate>"},
        {"<success xmlns='urn:xmpp:sasl:2'><additional-data>c2Vj</additional-data>"
         "<token xmlns='urn:xmpp:fast:0' expiry='t' token='s3cret'/></success>",
         "<success xmlns='urn:xmpp:sasl:2'><additional-data>***</additional-data>"
         "<token xmlns='urn:xmpp:fast:0' expiry='t' token='***'/></success>"},
        {"<query "
         "xmlns='jabber:iq:auth'><username>u</username><password>p</password><digest>d</digest></"
         "query>",
         "<query "
         "xmlns='jabber:iq:auth'><username>u</username><password>***</password><digest>***</"
         "digest></query>"},
        {"<query "
         "xmlns='jabber:iq:register'><username>u</username><password>p<b/>q</password></query>",
         "<query "
         "xmlns='jabber:iq:register'><username>u</username><password>***<b/>***</password></"
         "query>"},
        {"<x xmlns='jabber:x:data'><field var='password'><value>p</value></field><field "
         "type='text-private' var='k'>"
         "<value>p</value></field><field var='user'><value>u</value></field></x>",
         "<x xmlns='jabber:x:data'><field var='password'><value>***</value></field><field "
         "type='text-private' var='k'>"
         "<value>***</value></field><field var='user'><value>u</value></field></x>"},
        {"<slot xmlns='urn:xmpp:http:upload:0'><put url='u'><header name='Authorization'>Basic "
         "x</header></put></slot>",
         "<slot xmlns='urn:xmpp:http:upload:0'><put url='u'><header "
         "name='Authorization'>***</header></put></slot>"},
        {"<x xmlns='jabber:x:conference' jid='r@s' password='p'/>",
         "<x xmlns='jabber:x:conference' jid='r@s' password='***'/>"},
        {"<preauth xmlns='urn:xmpp:pars:0' token='t'/>",
         "<preauth xmlns='urn:xmpp:pars:0' token='***'/>"},
        {"<hash xmlns='urn:xmpp:scram-upgrade:0'>h</hash>",
         "<hash xmlns='urn:xmpp:scram-upgrade:0'>***</hash>"},
        {"<message xmlns='jabber:client'><body>visible</body></message>",
         "<message xmlns='jabber:client'><body>visible</body></message>"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check(write_elem_masked, cases[i][0], NULL, false, cases[i][1]);
        check(write_elem, cases[i][0], NULL, false, cases[i][0]);
    }
}

static void test_elem_to_xml_bad(void **state)
{
    xmpp_elem *elem = must_parse("<a/>");
    char *xml = NULL;

    (void)state;
    assert_int_equal(xmpp_elem_to_xml(NULL, &xml, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_to_xml(elem, NULL, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_elem_to_xml(elem, &xml, NULL), XMPP_OK);
    assert_string_equal(xml, "<a/>");
    xmpp_mem_free(xml);
    xmpp_elem_unref(elem);
}

/* A hostile element that would be thousands of times as long when it is written again */
static void test_elem_to_xml_limit(void **state)
{
    size_t size = 60000;
    char *ns = malloc(size + 1);
    char *xml = malloc(size + 20000 * 6 + 100);
    char *p;
    xmpp_elem *elem;

    (void)state;
    memset(ns, 'u', size);
    ns[size] = '\0';
    p = xml + sprintf(xml, "<a xmlns:p='%s'>", ns);
    for (int i = 0; i < 20000; i++)
        p = stpcpy(p, "<p:b/>");
    strcpy(p, "</a>");
    elem = must_parse(xml);
    free(xml);
    assert_int_equal(xmpp_elem_to_xml(elem, &xml, NULL), XMPP_ERR_LIMIT);
    xmpp_elem_unref(elem);
    free(ns);
}

static const char *pick(uint64_t *seed, const char *const *words, unsigned count)
{
    return words[next_random(seed) % count];
}

/* A random tree, built through the public functions. */
static xmpp_elem *generate(uint64_t *seed)
{
    static const char *const namespaces[] = {
        "", "urn:a", "jabber:client", "urn:'&<b>\"", NS_STREAM, "vcard-temp", "u \t\n\rv"};
    static const char *const names[] = {"a", "message", "\xC3\xA9", "x-y.z", "_"};
    static const char *const values[] = {
        "", "a", " ", "&<>'\"", "\t\n\r", "]]>", "\xF0\x9F\x98\x80", "\r\n", "a\rb", "<!--"};
    static const char *const attr_ns[] = {NULL, "urn:a", NS_XML, "urn:b", "urn:'&<b>\""};
    xmpp_elem *root;
    xmpp_elem *at;

    assert_int_equal(xmpp_elem_create(&root, pick(seed, namespaces, 7), pick(seed, names, 5)),
                     XMPP_OK);
    at = root;
    for (unsigned steps = next_random(seed) % 40; steps > 0; steps--) {
        switch (next_random(seed) % 5) {
        case 0:
            xmpp_elem_add_text(at, pick(seed, values, 10));
            break;
        case 1:
            xmpp_elem_set_attr_ns(at, pick(seed, attr_ns, 5), pick(seed, names, 5),
                                  pick(seed, values, 10));
            break;
        case 2:
            if (xmpp_elem_get_parent(at))
                at = at->parent;
            break;
        default:
            at = xmpp_elem_add_child(at, pick(seed, namespaces, 7), pick(seed, names, 5));
        }
    }
    assert_int_equal(xmpp_elem_seal(root), XMPP_OK);
    return root;
}

/* XML-06, XML-01: whatever was built is well-formed when it is written, and reads as what it was. */
static void test_elem_to_xml_reads_the_same(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        xmpp_elem *elem = generate(&seed);
        xmpp_elem *again;
        xmpp_elem *copy;
        char *xml;
        char *xml2;
        size_t len;

        assert_int_equal(xmpp_elem_to_xml(elem, &xml, &len), XMPP_OK);
        if (xmpp_elem_parse(&again, xml, len) != XMPP_OK)
            fail_msg("not parsed: %s", xml);
        if (!same_tree(elem, again))
            fail_msg("not the same: %s", xml);
        assert_int_equal(xmpp_elem_copy(again, &copy), XMPP_OK);
        assert_true(same_tree(copy, again));
        assert_int_equal(xmpp_elem_to_xml(copy, &xml2, NULL), XMPP_OK);
        assert_string_equal(xml, xml2);
        xmpp_mem_free(xml);
        xmpp_mem_free(xml2);
        xmpp_elem_unref(copy);
        xmpp_elem_unref(again);
        xmpp_elem_unref(elem);
    }
}

static int scenario_write(void *data)
{
    char *xml;
    int r = xmpp_elem_to_xml(data, &xml, NULL);

    if (r == XMPP_OK)
        xmpp_mem_free(xml);
    return r;
}

static void test_elem_to_xml_without_memory(void **state)
{
    uint64_t seed = 5;

    (void)state;
    for (int i = 0; i < 20; i++) {
        xmpp_elem *elem = generate(&seed);

        assert_int_equal(torture_run(scenario_write, elem), XMPP_OK);
        xmpp_elem_unref(elem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_elem_namespaces),
        cmocka_unit_test(test_write_elem_in_stream),
        cmocka_unit_test(test_write_elem_foreign_attrs),
        cmocka_unit_test(test_write_elem_escapes),
        cmocka_unit_test(test_write_escaped),
        cmocka_unit_test(test_write_limit_appends_nothing),
        cmocka_unit_test(test_write_elem_masked),
        cmocka_unit_test(test_elem_to_xml_bad),
        cmocka_unit_test(test_elem_to_xml_limit),
        cmocka_unit_test(test_elem_to_xml_reads_the_same),
        cmocka_unit_test(test_elem_to_xml_without_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
