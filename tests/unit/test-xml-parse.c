#include "xml/parse.h"

#include "base/buf.h"
#include "base/limits.h"
#include "support/torture.h"
#include "xml-tools.h"
#include "xml/ns.h"
#include "xml/write.h"

#include <libxml/xmlmemory.h>

#define HEADER                                                                                     \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "                                   \
    "xmlns:stream='http://etherx.jabber.org/streams' xmlns:x='urn:example:x' id='s1' "             \
    "version='1.0' xml:lang='de'>"

static const struct parse_limits defaults = {
    .max_elem_bytes = LIMIT_STANZA_BYTES,
    .max_tag_bytes = LIMIT_TAG_BYTES,
    .max_depth = LIMIT_DEPTH,
    .max_attrs = LIMIT_ATTRS,
};

/* What a parser made of an input: events as text, one on each line, then the error. */
struct outcome {
    struct buf events;
    int error;
    char condition[64];
    bool inside;
};

static int note_events(struct outcome *outcome, struct parse *parse)
{
    static const char *const names[] = {"", "OPEN", "ELEM", "CLOSE", "TEXT"};
    enum parse_event event;
    xmpp_elem *elem;
    int r = XMPP_OK;

    while ((event = parse_next(parse, &elem)) != PARSE_NONE) {
        if (r == XMPP_OK)
            r = buf_append_str(&outcome->events, names[event]);
        if (r == XMPP_OK && elem) {
            assert_true(xmpp_elem_is_sealed(elem));
            r = buf_append_char(&outcome->events, ' ');
        }
        if (r == XMPP_OK && elem)
            r = write_elem(&outcome->events, elem, NULL, false);
        if (r == XMPP_OK && elem && xmpp_elem_get_from(elem))
            r = buf_append_str(&outcome->events, xmpp_jid_get_str(xmpp_elem_get_from(elem)));
        if (r == XMPP_OK && elem && xmpp_elem_get_lang(elem))
            r = buf_append_str(&outcome->events, xmpp_elem_get_lang(elem));
        if (r == XMPP_OK)
            r = buf_append_char(&outcome->events, '\n');
        xmpp_elem_unref(elem);
    }
    return r;
}

static int feed(struct outcome *outcome, struct parse *parse, const char *data, size_t len,
                bool single)
{
    int r = XMPP_OK;

    while (len > 0 && r == XMPP_OK) {
        size_t used;
        int note;

        r = parse_feed(parse, data, len, single, &used);
        note = note_events(outcome, parse);
        if (note < 0)
            return note;
        if (r == XMPP_OK)
            assert_in_range(used, 1, len);
        data += used;
        len -= used;
    }
    return r;
}

static void outcome_end(struct outcome *outcome, struct parse *parse, int r)
{
    outcome->error = r;
    outcome->inside = parse_is_inside(parse);
    assert_int_equal(r == XMPP_OK, parse_get_condition(parse) == NULL);
    assert_non_null(parse_get_reason(parse));
    if (r < 0) {
        size_t used;

        strcpy(outcome->condition, parse_get_condition(parse));
        assert_true(*parse_get_reason(parse));
        assert_int_equal(parse_feed(parse, "<a/>", 4, false, &used), r); /* sticky */
    }
    assert_int_equal(buf_append(&outcome->events, "", 1), XMPP_OK);
}

/* Cuts at each of the given places. */
static void run_cut(struct outcome *outcome, const struct parse_limits *limits, const char *data,
                    size_t len, const size_t *cuts, size_t count, bool single)
{
    struct parse *parse;
    size_t at = 0;
    int r = XMPP_OK;

    *outcome = (struct outcome){0};
    buf_init(&outcome->events, SIZE_MAX);
    assert_int_equal(parse_create(&parse, limits), XMPP_OK);
    for (size_t i = 0; i <= count && r == XMPP_OK; i++) {
        size_t end = i < count ? cuts[i] : len;

        r = feed(outcome, parse, data + at, end - at, single);
        at = end;
    }
    outcome_end(outcome, parse, r);
    parse_free(parse);
}

static void run(struct outcome *outcome, const char *data, size_t len)
{
    run_cut(outcome, &defaults, data, len, NULL, 0, false);
}

static void outcome_clear(struct outcome *outcome)
{
    buf_clear(&outcome->events);
}

static const char *events_of(const struct outcome *outcome)
{
    return (const char *)buf_peek(&outcome->events);
}

static void assert_same(const struct outcome *a, const struct outcome *b)
{
    assert_string_equal(events_of(a), events_of(b));
    assert_int_equal(a->error, b->error);
    assert_string_equal(a->condition, b->condition);
    if (a->error == XMPP_OK)
        assert_int_equal(a->inside, b->inside);
}

static void compare_cut(const struct outcome *whole, const struct parse_limits *limits,
                        const char *data, size_t len, const size_t *cuts, size_t count, bool single)
{
    struct outcome outcome;

    run_cut(&outcome, limits, data, len, cuts, count, single);
    assert_same(whole, &outcome);
    outcome_clear(&outcome);
}

/* XML-09: however it is cut, the outcome is that of the whole. */
static void check_all_cuts_of(const struct parse_limits *limits, const char *data, size_t len)
{
    struct outcome whole;
    size_t *cuts = calloc(len + 1, sizeof *cuts);
    uint64_t seed = len;

    run_cut(&whole, limits, data, len, NULL, 0, false);
    compare_cut(&whole, limits, data, len, NULL, 0, true);
    for (size_t i = 1; i < len; i++)
        cuts[i - 1] = i;
    compare_cut(&whole, limits, data, len, cuts, len ? len - 1 : 0, false);
    compare_cut(&whole, limits, data, len, cuts, len ? len - 1 : 0, true);
    for (size_t i = 0; i <= len && len < 3000; i++)
        compare_cut(&whole, limits, data, len, &i, 1, i % 2);
    for (size_t i = 0; i <= len && len < 120; i++)
        for (size_t k = i; k <= len; k++)
            compare_cut(&whole, limits, data, len, (size_t[]){i, k}, 2, false);
    for (int i = 0; i < 200; i++) {
        size_t count = 0;

        for (size_t at = 0; at < len; at += 1 + next_random(&seed) % (1 + len / 5))
            cuts[count++] = at;
        compare_cut(&whole, limits, data, len, cuts, count, i % 2);
    }
    outcome_clear(&whole);
    free(cuts);
}

static void check_all_cuts(const char *data, size_t len)
{
    check_all_cuts_of(&defaults, data, len);
}

static void test_parse_feed_stream(void **state)
{
    static const char xml[] =
        HEADER "<message from='a@example.org/r' type='chat'><body>Hi &amp; <![CDATA[<b>]]>"
               "&#x41;</body></message> <x:y a='1' x:b='2'/>\n<iq xmlns=''/></stream:stream>";
    struct outcome outcome;

    (void)state;
    run(&outcome, xml, strlen(xml));
    assert_int_equal(outcome.error, XMPP_OK);
    assert_false(outcome.inside);
    assert_string_equal(
        events_of(&outcome),
        "OPEN <stream xmlns='http://etherx.jabber.org/streams' id='s1' version='1.0' "
        "xml:lang='de'/>de\n"
        "ELEM <message xmlns='jabber:client' from='a@example.org/r' type='chat'><body>Hi &amp; "
        "&lt;b&gt;A</body>"
        "</message>a@example.org/rde\n"
        "ELEM <y xmlns='urn:example:x' a='1' xmlns:ns1='urn:example:x' ns1:b='2'/>de\n"
        "ELEM <iq/>de\n"
        "CLOSE\n");
    outcome_clear(&outcome);
    check_all_cuts(xml, strlen(xml));
}

static void test_parse_feed_single_stops_behind_events(void **state)
{
    static const char xml[] = "<s:s xmlns:s='q' a='>'><a b='>'><c/></a>x<d/></s:s>  ";
    static const size_t stops[] = {23, 40, 45, 51, 53};
    struct parse *parse;
    size_t at = 0;

    (void)state;
    assert_int_equal(parse_create(&parse, &defaults), XMPP_OK);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        size_t used;
        xmpp_elem *elem;

        assert_int_equal(parse_feed(parse, xml + at, sizeof xml - 1 - at, true, &used), XMPP_OK);
        at += used;
        assert_int_equal(at, stops[i]);
        while (parse_next(parse, &elem) != PARSE_NONE)
            xmpp_elem_unref(elem);
        assert_false(parse_is_inside(parse));
    }
    parse_free(parse);
}

static void test_parse_feed_slices(void **state)
{
    char *xml = malloc(20000);
    struct parse *parse;
    size_t used;
    xmpp_elem *elem;
    size_t count = 0;

    (void)state;
    strcpy(xml, "<s>");
    for (size_t i = 3; i < 19999; i += 4)
        memcpy(xml + i, "<a/>", 5);
    assert_int_equal(parse_create(&parse, &defaults), XMPP_OK);
    assert_int_equal(parse_feed(parse, xml, strlen(xml), false, &used), XMPP_OK);
    assert_int_equal(used, 4096);
    while (parse_next(parse, &elem) != PARSE_NONE) {
        count++;
        xmpp_elem_unref(elem);
    }
    assert_int_equal(count, 1 + 4093 / 4);
    /* what is not taken is freed with the parser */
    assert_int_equal(parse_feed(parse, xml + used, 5000, false, &used), XMPP_OK);
    parse_free(parse);
    free(xml);
}

static void test_parse_feed_nothing(void **state)
{
    struct parse *parse;
    size_t used = 7;

    (void)state;
    assert_int_equal(parse_create(&parse, &defaults), XMPP_OK);
    assert_int_equal(parse_feed(parse, "", 0, false, &used), XMPP_OK);
    assert_int_equal(used, 0);
    assert_null(parse_get_condition(parse));
    assert_string_equal(parse_get_reason(parse), "");
    parse_free(parse);
    assert_null(parse_free(NULL));
}

static void test_parse_is_inside(void **state)
{
    static const struct {
        const char *xml;
        bool inside;
    } cases[] = {
        {"", false},           {"<", true},          {"<s", true},
        {"<s>", false},        {"<s> ", false},      {"<s><", true},
        {"<s><a>", true},      {"<s><a>x", true},    {"<s><a></a", true},
        {"<s><a></a>", false}, {"<s><a b='>", true}, {"<s><a b='>'/>", false},
        {"<s></s", true},      {"<s></s>", false},   {"<s><![CDATA[", true},
        {"<s>\xC3", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome outcome;

        run(&outcome, cases[i].xml, strlen(cases[i].xml));
        assert_int_equal(outcome.error, XMPP_OK);
        assert_int_equal(outcome.inside, cases[i].inside);
        outcome_clear(&outcome);
    }
}

static void test_parse_feed_text_between(void **state)
{
    static const char xml[] = "<s> \n<a/>x&amp;y<b/>&#32;<c/><![CDATA[z]]><![CDATA[]]></s>";
    struct outcome outcome;

    (void)state;
    run(&outcome, xml, strlen(xml));
    assert_string_equal(events_of(&outcome),
                        "OPEN <s/>\nELEM <a/>\nTEXT\nELEM <b/>\nELEM <c/>\nTEXT\nCLOSE\n");
    outcome_clear(&outcome);
    check_all_cuts(xml, strlen(xml));
}

/* XML-05 */
static void test_parse_feed_byte_order_mark(void **state)
{
    static const char xml[] =
        "\xEF\xBB\xBF<?xml version='1.0' encoding='utf-8'?><s><a>\xEF\xBB\xBF</a></s>";
    struct outcome outcome;

    (void)state;
    run(&outcome, xml, strlen(xml));
    assert_int_equal(outcome.error, XMPP_OK);
    assert_string_equal(events_of(&outcome), "OPEN <s/>\nELEM <a>\xEF\xBB\xBF</a>\nCLOSE\n");
    outcome_clear(&outcome);
    check_all_cuts(xml, strlen(xml));
}

struct bad {
    const char *xml;
    const char *condition;
    size_t len; /* 0: strlen */
};

#define LAUGHS "<!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY lol2 '&lol;&lol;&lol;'>]><s>&lol2;</s>"

static const struct bad bad_inputs[] = {
    /* XML-02, SEC-14 */
    {LAUGHS, "restricted-xml", 0},
    {"<?xml version='1.0'?>" LAUGHS, "restricted-xml", 0},
    {"<!DOCTYPE s SYSTEM 'file:///etc/passwd'><s/>", "restricted-xml", 0},
    {"<s><!DOCTYPE a><a/>", "restricted-xml", 0},
    {"<s><a/><!-- comment --><b/>", "restricted-xml", 0},
    {"<!-- comment --><s>", "restricted-xml", 0},
    {"<s><a><!-- > <b> --></a>", "restricted-xml", 0},
    {"<s><?php x?>", "restricted-xml", 0},
    {"<?php x?><s>", "restricted-xml", 0},
    {"<s><a><?xml version='1.0'?>", "restricted-xml", 0},
    {" <?xml version='1.0'?><s>", "restricted-xml", 0},
    {"<s/><!-- x -->", "restricted-xml", 0},
    {"<s><a>&foo;</a>", "restricted-xml", 0},
    {"<s><a b='&foo;'/>", "restricted-xml", 0},
    /* XML-04 */
    {"\xFF\xFE<\0s\0>\0", "unsupported-encoding", 8},
    {"\xFE\xFF\0<\0s\0>", "unsupported-encoding", 8},
    {"<\0s\0>\0", "unsupported-encoding", 6},
    {"\0<\0s\0>", "unsupported-encoding", 6},
    {"\x4C\xA2\x6E", "unsupported-encoding", 0}, /* EBCDIC */
    {"+ADw-s+AD4-", "unsupported-encoding", 0}, /* UTF-7 */
    {"x<s>", "unsupported-encoding", 0},
    {"\xEF\xBB<s>", "unsupported-encoding", 0},
    {"<?xml version='1.0' encoding='ISO-8859-1'?><s/>", "unsupported-encoding", 0},
    {"<?xml version='1.0' encoding='UTF-16'?><s/>", "unsupported-encoding", 0},
    {"<?xml version='1.0' encoding='US-ASCII'?><s/>", "unsupported-encoding", 0},
    {"<?xml version='1.0' encoding='x-nothing'?><s/>", "unsupported-encoding", 0},
    {"<s><a/>\xC3\x28", "unsupported-encoding", 0},
    {"<s><a b='\xED\xA0\x80'/>", "unsupported-encoding", 0},
    {"<s><a>\xC0\x80</a>", "unsupported-encoding", 0},
    {"<s><a/><\xFF/>", "unsupported-encoding", 0},
    /* XML-10 */
    {"<?xml version='1.1'?><s/>", "not-well-formed", 0},
    {"<?xml version='2.0'?><s/>", "not-well-formed", 0},
    /* XML-03 */
    {"<s><a/><a></b>", "not-well-formed", 0},
    {"<s></t>", "not-well-formed", 0},
    {"<s/>x", "not-well-formed", 0},
    {"<s/><t/>", "not-well-formed", 0},
    {"<s/><![CDATA[x]]>", "not-well-formed", 0},
    {"<s></s></s>", "not-well-formed", 0},
    {" x<s>", "not-well-formed", 0},
    {"</s>", "not-well-formed", 0},
    {"<><s>", "not-well-formed", 0},
    {"< s>", "not-well-formed", 0},
    {"<s><1/>", "not-well-formed", 0},
    {"<s><a b/>", "not-well-formed", 0},
    {"<s><a b=c/>", "not-well-formed", 0},
    {"<s><a b='x<y'/>", "not-well-formed", 0},
    {"<s><a b='1'c='2'/>", "not-well-formed", 0},
    {"<s><a b='1' b='2'/>", "not-well-formed", 0},
    {"<s xmlns:p='u' xmlns:q='u'><a p:b='1' q:b='2'/>", "not-well-formed", 0},
    {"<s><p:a/>", "not-well-formed", 0},
    {"<s><a p:b='1'/>", "not-well-formed", 0},
    {"<s xmlns:p='u'><p:a:b/>", "not-well-formed", 0},
    {"<s xmlns:xml='u'>", "not-well-formed", 0},
    {"<s xmlns:p=''>", "not-well-formed", 0},
    {"<s xmlns:xmlns='u'>", "not-well-formed", 0},
    {"<s xmlns='http://www.w3.org/2000/xmlns/'>", "not-well-formed", 0},
    {"<s><a>]]></a>", "not-well-formed", 0},
    {"<s><a>&#0;</a>", "not-well-formed", 0},
    {"<s><a>&#xD800;</a>", "not-well-formed", 0},
    {"<s><a>&#xFFFE;</a>", "not-well-formed", 0},
    {"<s><a>&#11;</a>", "not-well-formed", 0},
    {"<s><a>& b</a>", "not-well-formed", 0},
    {"<s><a>&amp </a>", "not-well-formed", 0},
    {"<s><a>&amp</a>", "not-well-formed", 0},
    {"<s><a>&amp&lt;</a>", "not-well-formed", 0},
    {"<s><a>&;</a>", "not-well-formed", 0},
    {"<s><a b='&amp'/>", "not-well-formed", 0},
    {"<s><a b='& c'/>", "not-well-formed", 0},
    {"<s>&amp<a/>", "not-well-formed", 0},
    {"<s><a>\0</a>", "not-well-formed", 12},
    {"<s><a><![CDATA[\0]]></a>", "not-well-formed", 23},
    {"<s><a>\x0B</a>", "not-well-formed", 0},
    {"<s><a>\xEF\xBF\xBF</a>", "not-well-formed", 0},
    {"<s><![INCLUDE[", "not-well-formed", 0},
    {"<s><a><![CDATAX[", "not-well-formed", 0},
};

static void test_parse_feed_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_inputs / sizeof *bad_inputs; i++) {
        const struct bad *bad = &bad_inputs[i];
        size_t len = bad->len ? bad->len : strlen(bad->xml);
        struct outcome outcome;

        run(&outcome, bad->xml, len);
        if (outcome.error != XMPP_ERR_XML || strcmp(outcome.condition, bad->condition) != 0)
            fail_msg("%s: %d %s", bad->xml, outcome.error, outcome.condition);
        outcome_clear(&outcome);
        check_all_cuts(bad->xml, len);
    }
}

static unsigned opened;

static xmlParserInputPtr on_load(const char *url, const char *id, xmlParserCtxtPtr ctxt)
{
    (void)url;
    (void)id;
    (void)ctxt;
    opened++;
    return NULL;
}

static int on_match(const char *name)
{
    (void)name;
    opened++;
    return 0;
}

/* XML-13: nothing that a document names is looked for. */
static void test_parse_feed_opens_nothing(void **state)
{
    static const char *const inputs[] = {
        "<!DOCTYPE s SYSTEM 'file:///etc/hostname'><s>",
        "<!DOCTYPE s PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' 'http://127.0.0.1:1/x.dtd'><s>",
        "<!DOCTYPE s [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><s><a>&x;</a>",
        "<!DOCTYPE s [<!ENTITY % x SYSTEM 'http://127.0.0.1:1/'>%x;]><s><a>&x;</a>",
        "<?xml-stylesheet href='file:///etc/hostname'?><s>",
        "<s><a xmlns:x='http://www.w3.org/2001/XInclude'><x:include href='/etc/hostname'/></a>",
        ("<s><a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' "
         "i:schemaLocation='urn:a file:///etc/hostname'/>"),
    };
    xmlExternalEntityLoader loader = xmlGetExternalEntityLoader();

    (void)state;
    opened = 0;
    xmlSetExternalEntityLoader(on_load);
    assert_true(xmlRegisterInputCallbacks(on_match, NULL, NULL, NULL) >= 0);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        struct outcome outcome;

        run(&outcome, inputs[i], strlen(inputs[i]));
        assert_int_equal(outcome.error, i < 5 ? XMPP_ERR_XML : XMPP_OK);
        outcome_clear(&outcome);
    }
    assert_int_equal(opened, 0);
    (void)xmlPopInputCallbacks(); /* ours */
    xmlSetExternalEntityLoader(loader);
}

/* A comment is refused before its content matters; nothing is delivered behind it. */
static void test_parse_feed_events_before_an_error(void **state)
{
    static const char xml[] = "<s><a/><b/>x<c><!-- --></c>";
    struct outcome outcome;

    (void)state;
    run(&outcome, xml, strlen(xml));
    assert_int_equal(outcome.error, XMPP_ERR_XML);
    assert_string_equal(events_of(&outcome), "OPEN <s/>\nELEM <a/>\nELEM <b/>\nTEXT\n");
    outcome_clear(&outcome);
}

static void test_parse_feed_accepted(void **state)
{
    static const char *const good[] = {
        "<s><query xmlns='vcard-temp'/></s>", /* a relative reference, and yet in use */
        "<s><a xmlns='not a URI at all'/></s>",
        "<s><a xmlns='%zz'/></s>",
        "<s><a>&lt;&gt;&amp;&apos;&quot;&#x20AC;&#8364;</a></s>", /* XML-08 */
        "<s><a><![CDATA[]]></a></s>",
        "<s><a><![CDATA[ ]] > ]]]]><![CDATA[>]]></a></s>",
        "<s><a b='&lt;&#10;&#9;&amp;' c=\"'\" d='\"'/></s>",
        "<s>\r\n<a\r\n b\n=\t'x'\n/>\r</s>",
        "<s><\xC3\xA9l\xC3\xA9ment \xE5\x90\x8D='x'>\xF0\x9F\x98\x80</\xC3\xA9l\xC3\xA9ment></s>",
        "<?xml version='1.0' encoding='UTF-8' standalone='yes'?>\n<s/>\n ",
        "<s xmlns:p='u'><p:a><b xmlns:p='v'><p:c/></b><p:d/></p:a></s>",
        "<s xmlns='d'><a xmlns=''><b/></a><c xmlns='d'/></s>",
        "<s><xml:a/></s>",
        "<s><a>]] ></a><b>]]&gt;</b></s>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct outcome outcome;

        run(&outcome, good[i], strlen(good[i]));
        if (outcome.error != XMPP_OK)
            fail_msg("%s: %s", good[i], outcome.condition);
        assert_non_null(strstr(events_of(&outcome), "CLOSE"));
        outcome_clear(&outcome);
        check_all_cuts(good[i], strlen(good[i]));
    }
}

/* Long texts reach libxml2 in pieces: of many bytes, with characters and line ends across every
 * border. */
static void test_parse_feed_long_text(void **state)
{
    static const char *const units[] = {
        "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\r\n", "&amp;", "]]", "ab", "\r", " "};
    char xml[2000];
    struct outcome outcome;
    uint64_t seed = 7;

    (void)state;
    strcpy(xml, "<s><a>");
    while (strlen(xml) < 1800)
        strcat(xml, units[next_random(&seed) % 8]);
    strcat(xml, "</a></s>");
    run(&outcome, xml, strlen(xml));
    assert_int_equal(outcome.error, XMPP_OK);
    assert_non_null(strstr(events_of(&outcome), "CLOSE"));
    outcome_clear(&outcome);
    check_all_cuts(xml, strlen(xml));
}

static char *repeat(const char *head, const char *unit, size_t count, const char *tail)
{
    size_t n = strlen(unit);
    char *xml = malloc(strlen(head) + n * count + strlen(tail) + 1);
    char *p = stpcpy(xml, head);

    for (size_t i = 0; i < count; i++, p += n)
        memcpy(p, unit, n);
    strcpy(p, tail);
    return xml;
}

static void expect(const struct parse_limits *limits, char *xml, int error, const char *condition)
{
    struct outcome outcome;

    run_cut(&outcome, limits, xml, strlen(xml), NULL, 0, false);
    assert_int_equal(outcome.error, error);
    assert_string_equal(outcome.condition, condition);
    outcome_clear(&outcome);
    if (strlen(xml) < 3000)
        check_all_cuts_of(limits, xml, strlen(xml));
    free(xml);
}

static const struct parse_limits small = {
    .max_elem_bytes = 100, .max_tag_bytes = 40, .max_depth = 4, .max_attrs = 3};

/* XML-11, SEC-15 */
static void test_parse_feed_too_deep(void **state)
{
    (void)state;
    expect(&small, repeat("<s>", "<a>", 4, "</a></a></a></a></s>"), XMPP_OK, "");
    expect(&small, repeat("<s>", "<a>", 5, ""), XMPP_ERR_LIMIT, "policy-violation");
    expect(&defaults, repeat("<s>", "<a>", 128, ""), XMPP_OK, "");
    expect(&defaults, repeat("<s>", "<a>", 1000000, ""), XMPP_ERR_LIMIT, "policy-violation");
}

/* SEC-16 */
static void test_parse_feed_too_long(void **state)
{
    char *xml;

    (void)state;
    expect(&small, repeat("<s><a>", "x", 93, "</a></s>"), XMPP_OK, "");
    expect(&small, repeat("<s><a>", "x", 94, "</a></s>"), XMPP_ERR_LIMIT, "policy-violation");
    expect(&small, repeat("<s><b/><a>", "x", 98, ""), XMPP_ERR_LIMIT, "policy-violation");
    expect(&small, repeat("<s><a>", "<b/>", 30, "</a></s>"), XMPP_ERR_LIMIT, "policy-violation");
    expect(&small, repeat("<s><a><![CDATA[", "x", 120, "]]></a></s>"), XMPP_ERR_LIMIT,
           "policy-violation");
    /* to the byte: what is wrong behind the limit is not seen, in one piece either */
    expect(&small, repeat("<s><a>", "x", 110, "<b'<"), XMPP_ERR_LIMIT, "policy-violation");
    expect(&small, repeat("<s><a>", "x", 110, "<b c></a></s>"), XMPP_ERR_LIMIT, "policy-violation");
    expect(&small, repeat("<s><a>", "x", 98, "]]>"), XMPP_ERR_LIMIT, "policy-violation");
    expect(&small, repeat("<s><a>", "<b/>", 24, "<b'<"), XMPP_ERR_LIMIT, "policy-violation");
    expect(&small, repeat("<s><a>", "<b/>", 23, "<b<"), XMPP_ERR_XML, "not-well-formed");
    /* the limit is for one element, not for the stream */
    expect(&small, repeat("<s>", "<a>xxxxxxxxxxx</a>  ", 50, "</s>"), XMPP_OK, "");
    expect(&small, repeat("<s>", " ", 500, "</s>"), XMPP_OK, "");
    xml = repeat("<s><a>", "&amp;", LIMIT_STANZA_BYTES / 5, "</a>");
    expect(&defaults, xml, XMPP_ERR_LIMIT, "policy-violation");
}

/* Text in front of a failure is judged first, however much of it libxml2 keeps back. */
static void test_parse_feed_text_before_failure(void **state)
{
    struct outcome outcome;

    (void)state;
    expect(&small, repeat("<s><a>&nbsp;", "x", 20, "<<"), XMPP_ERR_XML, "restricted-xml");
    expect(&small, repeat("<s><a>", "x", 60, "&nbsp;\001"), XMPP_ERR_XML, "restricted-xml");
    expect(&small, repeat("<s>", "x", 320, "&nbsp;x]]>"), XMPP_ERR_XML, "restricted-xml");
    expect(&small, repeat("<s>", "x", 320, "\200"), XMPP_ERR_XML, "unsupported-encoding");
    expect(&small, repeat("<s>", "x", 1, "<<"), XMPP_ERR_XML, "not-well-formed");
    expect(&small, repeat("<s><![CDATA[", "x", 1, "\001"), XMPP_ERR_XML, "not-well-formed");
    run(&outcome, "<s>x<<", 6);
    assert_string_equal(events_of(&outcome), "OPEN <s/>\nTEXT\n");
    outcome_clear(&outcome);
}

static void test_parse_feed_tag_too_long(void **state)
{
    (void)state;
    expect(&small, repeat("<s><a b='", "x", 30, "'/></s>"), XMPP_OK, "");
    expect(&small, repeat("<s><a b='", ">", 60, ""), XMPP_ERR_LIMIT, "policy-violation");
    expect(&small, repeat("<s><", "a", 60, "/></s>"), XMPP_ERR_LIMIT, "policy-violation");
    expect(&small, repeat("<", "a", 60, ">"), XMPP_ERR_LIMIT, "policy-violation");
    expect(&small, repeat("<s></s", " ", 60, ">"), XMPP_ERR_LIMIT, "policy-violation");
    expect(&small, repeat("<?xml version='1.0'", " ", 60, "?><s>"), XMPP_ERR_LIMIT,
           "policy-violation");
    expect(&defaults, repeat("<s><a b='", "x", 70000, "'/>"), XMPP_ERR_LIMIT, "policy-violation");
    expect(&defaults, repeat("<s><", "a", 70000, "/>"), XMPP_ERR_LIMIT, "policy-violation");
    expect(&defaults, repeat("<s><a>&", "a", 140000, ";"), XMPP_ERR_LIMIT, "policy-violation");
}

/* A CDATA section may be as long as any text, whatever is in it and wherever it is cut. */
static void test_parse_feed_long_cdata(void **state)
{
    static const char *const parts[] = {"x", "]", "]]", "a]]\r\n]>", "\r\n", "\xC3\xA9]] ", "<b>&"};
    const struct parse_limits limits = {.max_elem_bytes = 300000,
                                        .max_tag_bytes = 1000,
                                        .max_depth = LIMIT_DEPTH,
                                        .max_attrs = LIMIT_ATTRS};

    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *xml = repeat("<s><a><![CDATA[", parts[i], 100000 / strlen(parts[i]), "]]></a></s>");
        size_t len = strlen(xml);

        for (size_t piece = 1; piece < 20000; piece = piece * 3 + 1) {
            struct parse *parse;
            xmpp_elem *elem = NULL;
            const char *text;
            size_t at = 0;

            assert_int_equal(parse_create(&parse, &limits), XMPP_OK);
            while (at < len) {
                size_t used;

                assert_int_equal(
                    parse_feed(parse, xml + at, len - at < piece ? len - at : piece, false, &used),
                    XMPP_OK);
                at += used;
            }
            assert_int_equal(parse_next(parse, &elem), PARSE_OPEN);
            xmpp_elem_unref(elem);
            assert_int_equal(parse_next(parse, &elem), PARSE_ELEM);
            text = xmpp_elem_get_text(elem);
            for (const char *p = xml + strlen("<s><a><![CDATA["); *text; p++) {
                if (*p == '\r') /* XML 1.0 2.11 */
                    continue;
                assert_int_equal(*text, *p);
                text++;
            }
            xmpp_elem_unref(elem);
            parse_free(parse);
        }
        free(xml);
    }
}

static void test_parse_feed_too_many_attrs(void **state)
{
    char *xml = malloc(20000);
    char *p;

    (void)state;
    expect(&small, repeat("<s><a b='' c='='", "", 0, " xmlns='d'/></s>"), XMPP_OK, "");
    expect(&small, repeat("<s><a b='' c='' d='' e=''", "", 0, "/></s>"), XMPP_ERR_LIMIT,
           "policy-violation");
    p = stpcpy(xml, "<s><a");
    for (int i = 0; i < 1000; i++)
        p += sprintf(p, " a%d=''", i);
    strcpy(p, "/>");
    expect(&defaults, xml, XMPP_ERR_LIMIT, "policy-violation");
}

/* A tag that comes byte by byte is parsed once: libxml2 alone would take seconds. */
static void test_parse_feed_long_tag_byte_by_byte(void **state)
{
    char *xml = repeat("<s><a b='", ">", 60000, "'/>");
    size_t len = strlen(xml);
    size_t *cuts = calloc(len, sizeof *cuts);
    struct outcome outcome;

    (void)state;
    for (size_t i = 1; i < len; i++)
        cuts[i - 1] = i;
    run_cut(&outcome, &defaults, xml, len, cuts, len - 1, false);
    assert_int_equal(outcome.error, XMPP_OK);
    assert_false(outcome.inside);
    outcome_clear(&outcome);
    free(cuts);
    free(xml);
}

static void drain(struct parse *parse, size_t *count)
{
    xmpp_elem *elem;

    while (parse_next(parse, &elem) != PARSE_NONE) {
        ++*count;
        xmpp_elem_unref(elem);
    }
}

/* Names that remote users choose: the parser below is exchanged, and nobody notices. */
static void test_parse_feed_a_million_names(void **state)
{
    struct parse *parse;
    struct outcome outcome = {0};
    size_t count = 0;
    size_t used;
    char xml[200];

    (void)state;
    buf_init(&outcome.events, SIZE_MAX);
    assert_int_equal(parse_create(&parse, &defaults), XMPP_OK);
    assert_int_equal(feed(&outcome, parse, HEADER, strlen(HEADER), false), XMPP_OK);
    for (unsigned i = 0; i < 250000; i++) {
        size_t len =
            (size_t)sprintf(xml, "<n%u xmlns='u%u' x:a%u=''><x:b%u/></n%u> ", i, i, i, i, i);

        for (size_t at = 0; at < len; at += used)
            assert_int_equal(parse_feed(parse, xml + at, len - at, false, &used), XMPP_OK);
        drain(parse, &count);
    }
    assert_int_equal(count, 250000);
    buf_clear(&outcome.events);
    assert_int_equal(feed(&outcome, parse, "<x:y x:z='1'/></stream:stream>", 30, false), XMPP_OK);
    assert_int_equal(buf_append(&outcome.events, "", 1), XMPP_OK);
    assert_string_equal(
        events_of(&outcome),
        "ELEM <y xmlns='urn:example:x' xmlns:ns0='urn:example:x' ns0:z='1'/>de\nCLOSE\n");
    outcome_clear(&outcome);
    parse_free(parse);
}

/* The exchange in all places: a stream of elements with large tags, each of which asks for it when
 * it was cut. */
static void test_parse_feed_exchange_is_invisible(void **state)
{
    char *big = repeat("<x:big x:a='", "v", 9000, "'>t</x:big>x<small/> ");
    char *xml = repeat(HEADER, big, 5, "<x:last/></stream:stream>");
    size_t len = strlen(xml);
    struct outcome whole;
    uint64_t seed = 3;

    (void)state;
    run(&whole, xml, len);
    assert_int_equal(whole.error, XMPP_OK);
    assert_non_null(strstr(events_of(&whole), "<last xmlns='urn:example:x'/>de\nCLOSE"));
    for (int i = 0; i < 300; i++) {
        size_t cuts[200];
        size_t count = 0;

        for (size_t at = 0; at < len && count < 200; at += 1 + next_random(&seed) % 1500)
            cuts[count++] = at;
        compare_cut(&whole, &defaults, xml, len, cuts, count, i % 2);
    }
    outcome_clear(&whole);
    free(big);
    free(xml);
}

/* A long namespace that many elements are in is kept once for a tree: else 4 MiB could become many
 * GiB. */
static void test_parse_feed_long_namespaces(void **state)
{
    char *ns = repeat("", "u", 30000, "");
    char *head = malloc(70000);
    char *xml;
    struct parse *parse;
    xmpp_elem *elem;
    size_t len;
    size_t used;
    size_t live = torture_live_blocks();

    (void)state;
    sprintf(head, "<s xmlns:p='p%s' xmlns:q='q%s'><a>", ns, ns);
    xml = repeat(head, "<p:b/><q:c p:d=''/>", 50000, "</a>");
    len = strlen(xml);
    assert_int_equal(parse_create(&parse, &defaults), XMPP_OK);
    for (size_t at = 0; at < len; at += used)
        assert_int_equal(parse_feed(parse, xml + at, len - at, false, &used), XMPP_OK);
    assert_int_equal(parse_next(parse, &elem), PARSE_OPEN);
    xmpp_elem_unref(elem);
    assert_int_equal(parse_next(parse, &elem), PARSE_ELEM);
    assert_true(arena_get_size(elem->tree->arena) < 32u * 1024 * 1024);
    assert_int_equal(strlen(xmpp_elem_get_ns(xmpp_elem_first_child(elem, NULL, "c"))), 30001);
    xmpp_elem_unref(elem);
    parse_free(parse);
    arena_cache_trim();
    assert_in_range(torture_live_blocks(), 0, live);
    free(xml);
    free(head);
    free(ns);
}

static void test_parse_next_jids(void **state)
{
    static const char xml[] = HEADER
        "<message from='juliet@example.com/balcony' to='romeo@example.net'/>"
        "<presence from='@'/><iq from=''/><message xmlns='urn:x' from='a@b'/><other from='a@b'/>"
        "<message><presence from='a@b'/></message>";
    struct parse *parse;
    size_t used;
    xmpp_elem *elem;

    (void)state;
    assert_int_equal(parse_create(&parse, &defaults), XMPP_OK);
    assert_int_equal(parse_feed(parse, xml, sizeof xml - 1, false, &used), XMPP_OK);
    assert_int_equal(parse_next(parse, &elem), PARSE_OPEN);
    assert_null(xmpp_elem_get_from(elem));
    xmpp_elem_unref(elem);
    assert_int_equal(parse_next(parse, &elem), PARSE_ELEM);
    assert_string_equal(xmpp_jid_get_str(xmpp_elem_get_from(elem)), "juliet@example.com/balcony");
    assert_string_equal(xmpp_jid_get_str(xmpp_elem_get_to(elem)), "romeo@example.net");
    xmpp_elem_unref(elem);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(parse_next(parse, &elem), PARSE_ELEM);
        assert_null(xmpp_elem_get_from(elem));
        assert_null(xmpp_elem_get_from(xmpp_elem_first_child(elem, NULL, NULL)));
        assert_null(xmpp_elem_get_to(elem));
        xmpp_elem_unref(elem);
    }
    assert_int_equal(parse_next(parse, &elem), PARSE_NONE);
    assert_null(elem);
    parse_free(parse);
}

/* In steady state a received stanza costs no call of the allocator. */
static void test_parse_feed_allocates_nothing(void **state)
{
    static const char xml[] =
        "<message from='juliet@example.com/balcony' to='romeo@example.net/orchard' type='chat' "
        "id='x1'>"
        "<body>Wherefore art thou, Romeo?</body><thread>0e3141cd80894871a68e6fe6b1ec56fa</thread>"
        "<active xmlns='http://jabber.org/protocol/chatstates'/><unknown "
        "xmlns='urn:example:unknown'/></message>";
    struct parse *parse;
    struct outcome outcome = {0};
    size_t count = 0;
    size_t used;

    (void)state;
    buf_init(&outcome.events, SIZE_MAX);
    assert_int_equal(parse_create(&parse, &defaults), XMPP_OK);
    assert_int_equal(feed(&outcome, parse, HEADER, strlen(HEADER), false), XMPP_OK);
    for (int i = 0; i < 100; i++) {
        if (i == 10)
            torture_fail_at(0, false);
        assert_int_equal(parse_feed(parse, xml, sizeof xml - 1, false, &used), XMPP_OK);
        assert_int_equal(used, sizeof xml - 1);
        drain(parse, &count);
    }
    assert_int_equal(torture_count(), 0);
    assert_int_equal(count, 100);
    outcome_clear(&outcome);
    parse_free(parse);
}

static void test_parse_set_limits(void **state)
{
    struct parse *parse;
    size_t used;
    xmpp_elem *elem;
    static const char xml[] = "<s><a><a><a><a><a/></a></a></a></a>";

    (void)state;
    assert_int_equal(parse_create(&parse, &small), XMPP_OK);
    parse_set_limits(parse, &defaults);
    assert_int_equal(parse_feed(parse, xml, sizeof xml - 1, false, &used), XMPP_OK);
    while (parse_next(parse, &elem) != PARSE_NONE)
        xmpp_elem_unref(elem);
    parse_set_limits(parse, &small);
    assert_int_equal(parse_feed(parse, xml + 3, sizeof xml - 4, false, &used), XMPP_ERR_LIMIT);
    assert_string_equal(parse_get_reason(parse), "element nesting deeper than 4 levels");
    parse_free(parse);
}

/* Words that are built from pieces of XML, good and bad: any cut gives the same. */
static void test_parse_feed_random(void **state)
{
    static const char *const pieces[] = {
        "<a>",       "</a>",     "<b c='d'/>", "<p:e p:f=\"g\">",
        "</p:e>",    "text",     "&amp;",      "&#65;",
        "<![CDATA[", "]]>",      "x",          " ",
        "\n",        "\xC3\xA9", "]]",         ">",
        "<",         "'",        "&",          ";",
        "</s>",      "<!--",     "\xFF",       "<iq from='a@b'>",
        "</iq>",
    };
    uint64_t seed = 20;
    int good = 0;

    (void)state;
    for (int i = 0; i < 1500; i++) {
        char xml[400] = "<s xmlns:p='u' xmlns='jabber:client'>";
        unsigned range = i % 3 ? 13 : sizeof pieces / sizeof *pieces;
        struct outcome whole;
        size_t len;

        for (unsigned n = next_random(&seed) % 20; n > 0; n--)
            strcat(xml, pieces[next_random(&seed) % range]);
        len = strlen(xml);
        run(&whole, xml, len);
        good += whole.error == XMPP_OK;
        for (int k = 0; k < 30; k++) {
            size_t a = next_random(&seed) % (len + 1);
            size_t b = a + next_random(&seed) % (len + 1 - a);

            compare_cut(&whole, &defaults, xml, len, (size_t[]){a, b}, 2, k % 2);
        }
        outcome_clear(&whole);
    }
    assert_in_range(good, 20, 1480);
}

static int feed_in_pieces(struct outcome *outcome, const char *xml)
{
    struct parse *parse;
    int r;

    *outcome = (struct outcome){0};
    buf_init(&outcome->events, SIZE_MAX);
    r = parse_create(&parse, &defaults);
    if (r < 0)
        return r;
    for (size_t i = 0; i < strlen(xml) && r == XMPP_OK; i += 50)
        r = feed(outcome, parse, xml + i, strnlen(xml + i, 50), false);
    parse_free(parse);
    return r;
}

static int scenario_feed(void *data)
{
    struct outcome outcome;
    int r = feed_in_pieces(&outcome, data);

    outcome_clear(&outcome);
    return r;
}

static void test_parse_feed_without_memory(void **state)
{
    char *text = repeat(HEADER "<message from='a@b/\xC3\xA9'><body>", "text &amp; more ", 400,
                        "</body></message><x:a/>");
    char *many = repeat("<s>", "<a xmlns='u1'>x<b/>y</a>", 200, "</s>");

    (void)state;
    assert_int_equal(torture_run(scenario_feed, text), XMPP_OK);
    assert_int_equal(torture_run(scenario_feed, many), XMPP_OK);
    free(text);
    free(many);
}

/* Out of memory below: libxml2 has an allocator of its own. */
static unsigned below_count;
static unsigned below_fail_at;

static bool below_fails(void)
{
    return below_fail_at && ++below_count >= below_fail_at;
}

static void *below_malloc(size_t size)
{
    return below_fails() ? NULL : malloc(size);
}

static void *below_realloc(void *ptr, size_t size)
{
    return below_fails() ? NULL : realloc(ptr, size);
}

static char *below_strdup(const char *str)
{
    return below_fails() ? NULL : strdup(str);
}

/* What is no error has lost nothing. */
static void test_parse_feed_without_memory_in_libxml2(void **state)
{
    char *xml = repeat(HEADER "<message>", "<unknown unknown='1'>text &amp; more</unknown>", 40,
                       "</message></stream:stream>");
    struct outcome whole;
    unsigned n = 0;

    (void)state;
    assert_int_equal(xmlMemSetup(free, below_malloc, below_realloc, below_strdup), 0);
    assert_int_equal(feed_in_pieces(&whole, xml), XMPP_OK);
    do {
        struct outcome outcome;
        int r;

        below_count = 0;
        below_fail_at = ++n;
        r = feed_in_pieces(&outcome, xml);
        below_fail_at = 0;
        if (r == XMPP_OK) {
            assert_int_equal(buf_len(&outcome.events), buf_len(&whole.events));
            assert_memory_equal(events_of(&outcome), events_of(&whole), buf_len(&whole.events));
        } else {
            assert_true(r == XMPP_ERR_NOMEM || r == XMPP_ERR_XML);
        }
        outcome_clear(&outcome);
    } while (below_count >= n);
    assert_true(n > 20);
    assert_int_equal(xmlMemSetup(free, malloc, realloc, strdup), 0);
    outcome_clear(&whole);
    free(xml);
}

static void assert_not_parsed(const char *xml, size_t len, int error)
{
    xmpp_elem *elem = (xmpp_elem *)&elem;

    assert_int_equal(xmpp_elem_parse(&elem, xml, len), error);
    assert_ptr_equal(elem, &elem); /* untouched */
}

/* Feeds a tag of which large buffers stay, so that a fresh parser is wanted behind it, with memory that ends somewhere
 * after its first part. */
static int feed_large_tag(struct parse *parse, const char *tag, unsigned fail_at)
{
    struct outcome outcome = {0};
    size_t len = strlen(tag);
    int r;

    buf_init(&outcome.events, SIZE_MAX);
    assert_int_equal(feed(&outcome, parse, HEADER, strlen(HEADER), false), XMPP_OK);
    assert_int_equal(feed(&outcome, parse, tag, len - 1, false), XMPP_OK);
    below_count = 0;
    below_fail_at = fail_at;
    r = feed(&outcome, parse, tag + len - 1, 1, false);
    below_fail_at = 0;
    outcome_clear(&outcome);
    return r;
}

/* Without memory for the tag itself it is an error, never silence. Without memory for a fresh parser the old one goes on,
 * and nobody notices. */
static void test_parse_feed_exchange_without_memory(void **state)
{
    char *tag = repeat("<x:big a='", "v", 9000, "'/>");
    int unnoticed = 0;
    bool failed = true;

    (void)state;
    assert_int_equal(xmlMemSetup(free, below_malloc, below_realloc, below_strdup), 0);
    for (unsigned fail_at = 1; failed; fail_at++) {
        struct outcome outcome = {0};
        struct parse *parse;
        int r;

        assert_int_equal(parse_create(&parse, &defaults), XMPP_OK);
        r = feed_large_tag(parse, tag, fail_at);
        failed = below_count >= fail_at;
        buf_init(&outcome.events, SIZE_MAX);
        if (r == XMPP_OK) {
            unnoticed += failed;
            assert_int_not_equal(fail_at, 1); /* the first is the buffer that the tag goes to */
            r = feed(&outcome, parse, "<x:a/></stream:stream>", 22, false);
            assert_int_equal(r, XMPP_OK);
            outcome_end(&outcome, parse, r);
            assert_string_equal(events_of(&outcome), "ELEM <a xmlns='urn:example:x'/>de\nCLOSE\n");
        } else {
            assert_int_equal(r, XMPP_ERR_NOMEM);
        }
        outcome_clear(&outcome);
        parse_free(parse);
    }
    assert_true(unnoticed > 3);
    assert_int_equal(xmlMemSetup(free, malloc, realloc, strdup), 0);
    free(tag);
}

static void test_elem_parse_good(void **state)
{
    xmpp_elem *elem;

    (void)state;
    elem = must_parse(" \n<message xmlns='jabber:client' from='a@b'><body>x</body></message>\r\n ");
    assert_true(xmpp_elem_is_sealed(elem));
    assert_int_equal(xmpp_elem_get_kind(elem), XMPP_MESSAGE);
    assert_string_equal(xmpp_jid_get_str(xmpp_elem_get_from(elem)), "a@b");
    assert_int_equal(xmpp_elem_add_text(elem, "x"), XMPP_ERR_SEALED);
    xmpp_elem_unref(elem);
    elem = must_parse("<?xml version='1.0'?><a/>");
    assert_xml(elem, "<a/>");
    xmpp_elem_unref(elem);
    /* only len bytes are read */
    assert_int_equal(xmpp_elem_parse(&elem, "<a/><b/>", 4), XMPP_OK);
    xmpp_elem_unref(elem);
}

enum { NAMES_PER_TAG = 200 };

/* Below a root: an element whose children bring count names beside those of the root. */
static void put_names(struct buf *xml, unsigned count, bool as_prefixes)
{
    char text[64];

    assert_int_equal(buf_append_str(xml, "<s>"), XMPP_OK);
    for (unsigned i = 0; i < count;) {
        assert_int_equal(buf_append_str(xml, "<s"), XMPP_OK);
        for (unsigned in_tag = 0; in_tag < NAMES_PER_TAG && i < count; in_tag++, i++) {
            snprintf(text, sizeof text, as_prefixes ? " xmlns:n%06u='u'" : " n%06u=''", i);
            assert_int_equal(buf_append_str(xml, text), XMPP_OK);
        }
        assert_int_equal(buf_append_str(xml, "/>"), XMPP_OK);
    }
    assert_int_equal(buf_append_str(xml, "</s>"), XMPP_OK);
}

static void expect_names(unsigned count, bool as_prefixes, int error)
{
    struct outcome outcome;
    struct buf xml;

    buf_init(&xml, SIZE_MAX);
    assert_int_equal(buf_append_str(&xml, "<s xmlns:u='u'>"), XMPP_OK);
    put_names(&xml, count, as_prefixes);
    put_names(&xml, count, as_prefixes);
    run_cut(&outcome, &defaults, (const char *)buf_peek(&xml), buf_len(&xml), NULL, 0, false);
    assert_int_equal(outcome.error, error);
    if (error < 0)
        assert_string_equal(outcome.condition, "policy-violation");
    outcome_clear(&outcome);
    buf_clear(&xml);
}

/* SEC-16: whatever is new to the parser counts, within one element and not in the next */
static void test_parse_feed_too_many_names(void **state)
{
    (void)state;
    assert_int_equal(LIMIT_NAMES, 16384);
    expect_names(LIMIT_NAMES, false, XMPP_OK);
    expect_names(LIMIT_NAMES + 1, false, XMPP_ERR_LIMIT);
    expect_names(LIMIT_NAMES, true, XMPP_OK);
    expect_names(LIMIT_NAMES + 1, true, XMPP_ERR_LIMIT);
}

/* XML-11, SEC-16: a stanza of nothing but tiny elements is far larger as a tree than on the wire */
static void test_parse_memory_of_tiny_elements(void **state)
{
    struct parse_limits limits = defaults;
    struct outcome outcome;
    struct buf xml;

    (void)state;
    buf_init(&xml, SIZE_MAX);
    limits.max_elem_bytes = 1024 * 1024;
    assert_int_equal(buf_append_str(&xml, HEADER "<message>"), XMPP_OK);
    for (int i = 0; i < 200000; i++)
        assert_int_equal(buf_append_str(&xml, "<a/>"), XMPP_OK);
    run_cut(&outcome, &limits, (const char *)buf_peek(&xml), buf_len(&xml), NULL, 0, false);
    assert_int_equal(outcome.error, XMPP_ERR_LIMIT);
    assert_string_equal(outcome.condition, "policy-violation");
    outcome_clear(&outcome);
    buf_clear(&xml);
}

/* SEC-19 */
static void test_elem_parse_bad(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "x",
        "<a>",
        "<a/><b/>",
        "<a/>x",
        "x<a/>",
        "<a></b>",
        "<a/><!-- -->",
        "<a",
        "<a>&amp",
        "<a></a",
        "<p:a/>",
        "<a>&x;</a>",
        "<a/>\xC3",
        "\xEF\xBB\xBF",
        "<a/></a>",
        "<?xml version='1.0'?>",
        "<a/><?x y?>",
        "<a><![CDATA[</a>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_not_parsed(bad[i], strlen(bad[i]), XMPP_ERR_XML);
    assert_not_parsed("<a/>\0", 5, XMPP_ERR_XML);
    assert_not_parsed(NULL, 3, XMPP_ERR_INVAL);
    assert_not_parsed(NULL, 0, XMPP_ERR_XML);
    assert_int_equal(xmpp_elem_parse(NULL, "<a/>", 4), XMPP_ERR_INVAL);
}

static void test_elem_parse_limits(void **state)
{
    char *xml = repeat("", "<a>", 129, "");
    char *big = repeat("<a>", "x", LIMIT_STANZA_BYTES, "</a>");
    char *deep = repeat("", "<a>", 127, "<b/>");
    char *close = repeat(deep, "</a>", 127, "");
    xmpp_elem *elem;

    (void)state;
    assert_not_parsed(xml, strlen(xml), XMPP_ERR_LIMIT);
    assert_not_parsed(big, strlen(big), XMPP_ERR_LIMIT);
    elem = must_parse(close);
    xmpp_elem_unref(elem);
    free(xml);
    free(big);
    free(deep);
    free(close);
}

static int scenario_parse(void *data)
{
    xmpp_elem *elem;
    int r = xmpp_elem_parse(&elem, data, strlen(data));

    if (r == XMPP_OK)
        xmpp_elem_unref(elem);
    return r;
}

static void test_elem_parse_without_memory(void **state)
{
    char *xml = repeat("<message xmlns='jabber:client' to='a@b/c'>", "<u a='1'>text<v/>more</u>",
                       300, "</message>");

    (void)state;
    assert_int_equal(torture_run(scenario_parse, xml), XMPP_OK);
    free(xml);
}

static void feed_from(struct parse *parse, int number)
{
    char xml[120];
    size_t used;
    int len = snprintf(xml, sizeof xml,
                       "<message from='juliet@example.com/%d' to='me@example.net'/>", number);

    assert_int_equal(parse_feed(parse, xml, (size_t)len, false, &used), XMPP_OK);
    assert_int_equal(used, len);
}

/* Neither do addresses that were never seen before. */
static void test_parse_feed_new_senders_allocate_nothing(void **state)
{
    struct parse *parse;
    struct outcome outcome = {0};
    size_t count = 0;

    (void)state;
    buf_init(&outcome.events, SIZE_MAX);
    assert_int_equal(parse_create(&parse, &defaults), XMPP_OK);
    assert_int_equal(feed(&outcome, parse, HEADER, strlen(HEADER), false), XMPP_OK);
    for (int i = 10000; i < 10300; i++) {
        if (i == 10100)
            torture_fail_at(0, false);
        for (int k = 0; k < 10; k++)
            feed_from(parse, i + 1000 * k);
        drain(parse, &count);
    }
    assert_int_equal(torture_count(), 0);
    assert_int_equal(count, 3000);
    outcome_clear(&outcome);
    parse_free(parse);
}

/* Addresses of stanzas that are kept stay what they were. */
static void test_parse_next_jids_of_many_kept(void **state)
{
    struct parse *parse;
    struct outcome outcome = {0};
    xmpp_elem *elems[200];

    (void)state;
    buf_init(&outcome.events, SIZE_MAX);
    assert_int_equal(parse_create(&parse, &defaults), XMPP_OK);
    assert_int_equal(feed(&outcome, parse, HEADER, strlen(HEADER), false), XMPP_OK);
    for (int i = 0; i < 200; i++) {
        feed_from(parse, i / 2);
        assert_int_equal(parse_next(parse, &elems[i]), PARSE_ELEM);
    }
    outcome_clear(&outcome);
    parse_free(parse);
    for (int i = 0; i < 200; i++) {
        char from[60];

        snprintf(from, sizeof from, "juliet@example.com/%d", i / 2);
        assert_string_equal(xmpp_jid_get_str(xmpp_elem_get_from(elems[i])), from);
        assert_string_equal(xmpp_jid_get_str(xmpp_elem_get_to(elems[i])), "me@example.net");
        xmpp_elem_unref(elems[i]);
    }
}

/* SEC-16: what a burst of stanzas made necessary is not kept for ever, and what is needed again is made again. */
static void test_parse_shrink(void **state)
{
    struct parse *parse;
    struct outcome outcome = {0};
    xmpp_elem *elems[100];
    size_t before;

    (void)state;
    buf_init(&outcome.events, SIZE_MAX);
    assert_int_equal(parse_create(&parse, &defaults), XMPP_OK);
    assert_int_equal(feed(&outcome, parse, HEADER, strlen(HEADER), false), XMPP_OK);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100; i++) {
            feed_from(parse, i);
            assert_int_equal(parse_next(parse, &elems[i]), PARSE_ELEM);
        }
        for (int i = 0; i < 100; i++)
            xmpp_elem_unref(elems[i]);
        before = torture_live_blocks();
        parse_shrink(parse);
        assert_int_equal(before - torture_live_blocks(), ELEM_JIDS_MAX - ELEM_JIDS_FEW);
        before = torture_live_blocks();
        parse_shrink(parse);
        assert_int_equal(torture_live_blocks(), before);
    }
    outcome_clear(&outcome);
    parse_free(parse);
}

/* XML-11: a limit that was lowered while a tag was under way is found behind the scanner. */
static void test_parse_set_limits_inside_a_tag(void **state)
{
    static const char xml[] = "<s><a b='1' c='2' d='3' e='4' f='5' ";
    struct parse *parse;
    struct parse_limits fewer = defaults;
    xmpp_elem *elem;
    size_t used;

    (void)state;
    fewer.max_attrs = 4;
    assert_int_equal(parse_create(&parse, &defaults), XMPP_OK);
    assert_int_equal(parse_feed(parse, xml, sizeof xml - 1, false, &used), XMPP_OK);
    parse_set_limits(parse, &fewer);
    assert_int_equal(parse_feed(parse, "/>", 2, false, &used), XMPP_ERR_LIMIT);
    assert_string_equal(parse_get_reason(parse), "more than 4 attributes in one element");
    while (parse_next(parse, &elem) != PARSE_NONE)
        xmpp_elem_unref(elem);
    parse_free(parse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_feed_stream),
        cmocka_unit_test(test_parse_feed_single_stops_behind_events),
        cmocka_unit_test(test_parse_feed_slices),
        cmocka_unit_test(test_parse_feed_nothing),
        cmocka_unit_test(test_parse_is_inside),
        cmocka_unit_test(test_parse_feed_text_between),
        cmocka_unit_test(test_parse_feed_byte_order_mark),
        cmocka_unit_test(test_parse_feed_bad),
        cmocka_unit_test(test_parse_feed_opens_nothing),
        cmocka_unit_test(test_parse_feed_events_before_an_error),
        cmocka_unit_test(test_parse_feed_accepted),
        cmocka_unit_test(test_parse_feed_long_text),
        cmocka_unit_test(test_parse_feed_too_deep),
        cmocka_unit_test(test_parse_feed_too_long),
        cmocka_unit_test(test_parse_feed_text_before_failure),
        cmocka_unit_test(test_parse_feed_tag_too_long),
        cmocka_unit_test(test_parse_feed_long_cdata),
        cmocka_unit_test(test_parse_feed_too_many_attrs),
        cmocka_unit_test(test_parse_feed_long_tag_byte_by_byte),
        cmocka_unit_test(test_parse_feed_a_million_names),
        cmocka_unit_test(test_parse_feed_exchange_is_invisible),
        cmocka_unit_test(test_parse_feed_long_namespaces),
        cmocka_unit_test(test_parse_next_jids),
        cmocka_unit_test(test_parse_feed_allocates_nothing),
        cmocka_unit_test(test_parse_set_limits),
        cmocka_unit_test(test_parse_feed_random),
        cmocka_unit_test(test_parse_feed_without_memory),
        cmocka_unit_test(test_parse_feed_without_memory_in_libxml2),
        cmocka_unit_test(test_parse_feed_exchange_without_memory),
        cmocka_unit_test(test_elem_parse_good),
        cmocka_unit_test(test_parse_memory_of_tiny_elements),
        cmocka_unit_test(test_parse_feed_too_many_names),
        cmocka_unit_test(test_elem_parse_bad),
        cmocka_unit_test(test_elem_parse_limits),
        cmocka_unit_test(test_elem_parse_without_memory),
        cmocka_unit_test(test_parse_feed_new_senders_allocate_nothing),
        cmocka_unit_test(test_parse_next_jids_of_many_kept),
        cmocka_unit_test(test_parse_shrink),
        cmocka_unit_test(test_parse_set_limits_inside_a_tag),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
