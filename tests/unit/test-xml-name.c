#include "xml/name.h"

#include "support/torture.h"
#include "xml-tools.h"
#include "xml/ns.h"

static void test_name_find_known(void **state)
{
    static const char *const known[] = {
        NS_CLIENT,
        NS_STREAM,
        NS_STREAMS,
        NS_STANZAS,
        NS_TLS,
        NS_SASL,
        NS_SASL_CB,
        NS_BIND,
        NS_SESSION,
        NS_LIMITS,
        NS_XML,
        "message",
        "presence",
        "iq",
        "body",
        "id",
        "type",
        "to",
        "from",
        "lang",
        "urn:xmpp:sm:3",
        "http://jabber.org/protocol/disco#info",
        "vcard-temp",
        "stream",
        "error",
        "a",
        "x",
        "query",
        "urn:xmpp:mam:2",
        "jabber:iq:roster",
        "http://jabber.org/protocol/pubsub#event",
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char copy[128];
        const char *found;

        strcpy(copy, known[i]);
        found = name_find(copy, strlen(copy));
        assert_non_null(found);
        assert_ptr_not_equal(found, copy);
        assert_string_equal(found, known[i]);
        /* one address for all */
        assert_ptr_equal(found, name_find(known[i], strlen(known[i])));
    }
}

/* Each name of the source is found. */
static void test_name_find_every_name_of_the_table(void **state)
{
    static char line[1024];
    FILE *source = fopen("../../lib/xml/name.c", "r");
    size_t count = 0;

    (void)state;
    assert_non_null(source);
    while (fgets(line, sizeof line, source) && !strstr(line, "name_find")) {
        char *quote = strstr(line, "#include") ? NULL : strchr(line, '"');

        while (quote) {
            char *end = strchr(quote + 1, '"');
            const char *found;

            *end = '\0';
            found = name_find(quote + 1, strlen(quote + 1));
            if (!found)
                fail_msg("not found: %s", quote + 1);
            assert_string_equal(found, quote + 1);
            /* a name is what can be one, and a namespace like any other string is not */
            assert_ptr_equal(name_find_ncname(quote + 1, strlen(quote + 1)),
                             name_is_ncname(found, strlen(found)) ? found : NULL);
            count++;
            quote = strchr(end + 1, '"');
        }
    }
    fclose(source);
    assert_true(count > 250);
}

static void test_name_find_unknown(void **state)
{
    (void)state;
    assert_null(name_find("", 0));
    assert_null(name_find("messagf", 7));
    assert_null(name_find("messag", 6));
    assert_null(name_find("Message", 7));
    assert_null(name_find("~~~~~~~", 7));
    assert_null(name_find("       ", 7));
    assert_null(name_find("http://jabber.org/protocol/disco#infoX", 38));
    assert_null(
        name_find("a name that is longer than all of those that are in the table of names", 70));
    /* only len bytes are looked at */
    assert_non_null(name_find("message-and-more", 7));
}

/* XML-06: what is known is not for that reason a name */
static void test_name_find_ncname(void **state)
{
    (void)state;
    assert_string_equal(name_find_ncname("message", 7), "message");
    assert_null(name_find_ncname("messagf", 7));
    assert_non_null(name_find(NS_CLIENT, strlen(NS_CLIENT)));
    assert_null(name_find_ncname(NS_CLIENT, strlen(NS_CLIENT)));
    assert_null(name_find_ncname("", 0));
}

static void test_name_is_ncname(void **state)
{
    static const char *const good[] = {
        "a", "_", "A-b.c_1", "\xC3\xA9t\xC3\xA9", "x\xC2\xB7", "\xF0\x90\x80\x80"};
    static const char *const bad[] = {
        "",         "1a",       "-a",           ".a",  "a:b",          ":", "a b",
        "a<",       "a'",       "a=",           "a/",  "\xC2\xB7x", /* only inside */
        "\xC3\x97", /* the multiplication sign */
        "a\xC3",    "\xC0\x80", "\xED\xA0\x80", "a\n", "\xEF\xBF\xBE",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(name_is_ncname(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(name_is_ncname(bad[i], strlen(bad[i])));
    assert_false(name_is_ncname("a\0b", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_find_known),
        cmocka_unit_test(test_name_find_every_name_of_the_table),
        cmocka_unit_test(test_name_find_unknown),
        cmocka_unit_test(test_name_find_ncname),
        cmocka_unit_test(test_name_is_ncname),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
