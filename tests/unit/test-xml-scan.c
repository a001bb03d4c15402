#include "xml/scan.h"

#include "support/torture.h"
#include "xml-tools.h"

static const struct parse_limits limits = {
    .max_elem_bytes = 1000, .max_tag_bytes = 100, .max_depth = 100, .max_attrs = 4};

static void test_scan_run_events(void **state)
{
    static const char xml[] = "<?xml version='1.0'?><s a='>'> <a><b c=\"'>\"/></a>x<c/></s>";
    static const char *const ends[] = {"<a><b", "x<c/>", "</s>", ""};
    struct scan scan;
    size_t at = 0;

    (void)state;
    scan_init(&scan, 1);
    for (size_t i = 0; i < 4; i++) {
        at += scan_run(&scan, &limits, xml + at, strlen(xml + at), SCAN_STOP_EVENT);
        assert_int_equal(scan.fault, SCAN_OK);
        assert_true(scan.at_event);
        while (xml[at] == ' ')
            at += scan_run(&scan, &limits, xml + at, 1, SCAN_STOP_EVENT);
        assert_int_equal(strncmp(xml + at, ends[i], strlen(ends[i])), 0);
    }
    assert_int_equal(at, strlen(xml));
    assert_int_equal(scan.depth, 0);
}

static void test_scan_run_root_is_the_element(void **state)
{
    static const char xml[] = "<a><b/></a> ";
    struct scan scan;

    (void)state;
    scan_init(&scan, 0);
    assert_int_equal(scan_run(&scan, &limits, xml, strlen(xml), SCAN_STOP_EVENT), 11);
    assert_true(scan.at_event);
}

static void test_scan_run_stop_at_tag(void **state)
{
    static const char xml[] = "<s><a b='1'>text</a>";
    struct scan scan;

    (void)state;
    scan_init(&scan, 1);
    assert_int_equal(scan_run(&scan, &limits, xml, 5, SCAN_STOP_NEVER), 5);
    assert_true(scan_is_in_tag(&scan));
    assert_int_equal(scan.tag_at, 3);
    assert_int_equal(scan_run(&scan, &limits, xml + 5, strlen(xml + 5), SCAN_STOP_TAG), 7);
    assert_false(scan_is_in_tag(&scan));
    assert_int_equal(scan.depth, 2);
}

static void test_scan_run_faults(void **state)
{
    static const struct {
        const char *xml;
        enum scan_fault fault;
        size_t at;
    } cases[] = {
        {"<s><!-", SCAN_RESTRICTED, 5},
        {"<s><?", SCAN_RESTRICTED, 4},
        {"<!DOCTYPE", SCAN_RESTRICTED, 2},
        {"<s><![CDAT[", SCAN_MALFORMED, 10},
        {"<s><a<", SCAN_MALFORMED, 5},
        {"<s><a b='<", SCAN_MALFORMED, 9},
        {"<s></s<", SCAN_MALFORMED, 6},
        {"<s></s>x", SCAN_MALFORMED, 7},
        {"</s>", SCAN_MALFORMED, 3},
        {"<s/><t", SCAN_MALFORMED, 5},
        {"<s>]]>", SCAN_MALFORMED, 5},
        {"<s>&a b", SCAN_MALFORMED, 5},
        {"<s><a b= c= d= e= f=", SCAN_TOO_MANY_ATTRS, 19},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scan scan;
        size_t n;

        scan_init(&scan, 1);
        n = scan_run(&scan, &limits, cases[i].xml, strlen(cases[i].xml), SCAN_STOP_NEVER);
        assert_int_equal(scan.fault, cases[i].fault);
        assert_int_equal(n, cases[i].at);
        /* sticky */
        assert_int_equal(scan_run(&scan, &limits, "<a/>", 4, SCAN_STOP_NEVER), 0);
    }
}

/* XML-11, SEC-16: to the byte */
static void test_scan_run_limits(void **state)
{
    char xml[2000] = "<s><";
    struct scan scan;

    (void)state;
    memset(xml + 4, 'a', 1900);
    scan_init(&scan, 1);
    assert_int_equal(scan_run(&scan, &limits, xml, 103, SCAN_STOP_NEVER), 103);
    assert_int_equal(scan.fault, SCAN_OK);
    (void)scan_run(&scan, &limits, xml + 103, 1, SCAN_STOP_NEVER);
    assert_int_equal(scan.fault, SCAN_TAG_TOO_LONG);

    memcpy(xml, "<s><a>", 6);
    scan_init(&scan, 1);
    assert_int_equal(scan_run(&scan, &limits, xml, 1003, SCAN_STOP_NEVER), 1003);
    assert_int_equal(scan.fault, SCAN_OK);
    (void)scan_run(&scan, &limits, xml + 1003, 1, SCAN_STOP_NEVER);
    assert_int_equal(scan.fault, SCAN_ELEM_TOO_LONG);

    /* no byte behind the first one above the limit is looked at */
    scan_init(&scan, 1);
    assert_int_equal(scan_run(&scan, &limits, xml, sizeof xml, SCAN_STOP_NEVER), 1004);
    assert_int_equal(scan.fault, SCAN_ELEM_TOO_LONG);
    assert_int_equal(scan.pos, 1004);
}

/* A special byte is seen wherever it lies in a word. */
static void test_scan_run_faults_at_each_offset(void **state)
{
    static const struct {
        const char *start;
        const char *filling; /* one character, from 0 to 70 times */
        const char *end;
        enum scan_fault fault; /* at the last byte */
    } cases[] = {
        {"<s>", "x", "]]>", SCAN_MALFORMED},
        {"<s>", "x", "&<", SCAN_MALFORMED},
        {"<s>&", "x", " ", SCAN_MALFORMED},
        {"<s><", "x", "<", SCAN_MALFORMED},
        {"<s><a ", "x", "<", SCAN_MALFORMED},
        {"<s><a ", "?", "<", SCAN_MALFORMED},
        {"<s><a b='", "x", "<", SCAN_MALFORMED},
        {"<s><a b=\"", "'", "<", SCAN_MALFORMED},
        {"<s></", "x", "<", SCAN_MALFORMED},
        {"<s><a b= c= ", "#", "d= e= f=", SCAN_TOO_MANY_ATTRS},
        {"<s><a b='=====' c= ", "&", "d= e= f=", SCAN_TOO_MANY_ATTRS},
        {"<s><a b='>'>", "x", "<!-", SCAN_RESTRICTED},
        {"<s><a b=\"'>\"/></", "x", "></", SCAN_OK},
        {"<s><![CDATA[", "<", "]]>&<", SCAN_MALFORMED},
        {"<s><![CDATA[]", "]", "]>]]>", SCAN_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t pad = 0; pad <= 70; pad++) {
            char xml[200];
            struct scan scan;
            size_t len;

            strcpy(xml, cases[i].start);
            for (size_t n = 0; n < pad; n++)
                strcat(xml, cases[i].filling);
            strcat(xml, cases[i].end);
            len = strlen(xml);
            scan_init(&scan, 1);
            assert_int_equal(scan_run(&scan, &limits, xml, len, SCAN_STOP_NEVER),
                             cases[i].fault == SCAN_OK ? len : len - 1);
            assert_int_equal(scan.fault, cases[i].fault);
        }
    }
}

static void assert_same_scan(const struct scan *a, const struct scan *b)
{
    assert_int_equal(a->fault, b->fault);
    assert_int_equal(a->pos, b->pos);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->depth, b->depth);
    assert_int_equal(a->at_event, b->at_event);
    assert_int_equal(a->at_tag, b->at_tag);
    assert_int_equal(a->tag_at, b->tag_at);
    assert_int_equal(a->elem_at, b->elem_at);
}

/* Whether bytes come one by one or many at once, limits included (XML-11, SEC-16): the state is the same behind each
 * of them. */
static void test_scan_run_byte_by_byte_is_the_same(void **state)
{
    static const char *const inputs[] = {
        ("<?xml version='1.0'?> <s a='1' b=\"'\"><m from='a@example.org/12345678' to='b'><b>text "
         "&amp; more ]] text</b><![CDATA[<a>]]]]></m> <c/><d e='f' /></s>"),
        "<s><a><b><c/></b></a><a b='cccccccccccccccccccccccccccccccccccccccccccccccccccc'/></s>",
        "<s><aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/></s>",
        "<s>&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;</s>",
        "<s><a b='1' c='2' d='3' e='4' f='5'/></s>",
    };
    struct parse_limits some = limits;

    (void)state;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        for (size_t limit = 4; limit < 130; limit++) {
            size_t len = strlen(inputs[i]);
            struct scan single;

            some.max_elem_bytes = limit;
            some.max_tag_bytes = limit / 2;
            scan_init(&single, 1);
            for (size_t end = 1; end <= len && single.fault == SCAN_OK; end++) {
                struct scan whole;

                (void)scan_run(&single, &some, inputs[i] + end - 1, 1, SCAN_STOP_NEVER);
                scan_init(&whole, 1);
                (void)scan_run(&whole, &some, inputs[i], end, SCAN_STOP_NEVER);
                assert_same_scan(&single, &whole);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan_run_events),
        cmocka_unit_test(test_scan_run_root_is_the_element),
        cmocka_unit_test(test_scan_run_stop_at_tag),
        cmocka_unit_test(test_scan_run_faults),
        cmocka_unit_test(test_scan_run_limits),
        cmocka_unit_test(test_scan_run_faults_at_each_offset),
        cmocka_unit_test(test_scan_run_byte_by_byte_is_the_same),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
