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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan_run_events),
        cmocka_unit_test(test_scan_run_root_is_the_element),
        cmocka_unit_test(test_scan_run_stop_at_tag),
        cmocka_unit_test(test_scan_run_faults),
        cmocka_unit_test(test_scan_run_limits),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
