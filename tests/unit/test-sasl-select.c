#include "base/mem.h"
#include "sasl/select.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/torture.h"

/* A case in words: lists are separated by blanks. */
struct row {
    const char *offered;
    const char *types; /* NULL: no XEP-0440 */
    const char *bindings; /* of our TLS session */
    const char *wanted;
    const char *tried;
    const char *flags; /* S secured, E external, A anonymous, P no_plain */
    const char *name; /* chosen; NULL: none */
    char flag;
    const char *binding; /* or, without name, a part of the reason */
};

#define MAX 40

struct words {
    char text[1024];
    const char *list[MAX];
    size_t count;
};

static void split(struct words *words, const char *text)
{
    words->count = 0;
    strcpy(words->text, text ? text : "");
    for (char *p = strtok(words->text, " "); p; p = strtok(NULL, " "))
        words->list[words->count++] = p;
}

static void check_row(const struct row *row)
{
    struct words mechanisms;
    struct words types;
    struct words bindings;
    struct words tried;
    struct sasl_binding list[MAX];
    struct sasl_choice choice = {.name = NULL};
    const char *reason = NULL;

    split(&mechanisms, row->offered);
    split(&types, row->types);
    split(&bindings, row->bindings);
    split(&tried, row->tried);
    for (size_t i = 0; i < bindings.count; i++)
        list[i] = (struct sasl_binding){bindings.list[i], "data", 4};
    struct sasl_offer offer = {
        .mechanisms = mechanisms.list,
        .mechanism_count = mechanisms.count,
        .cb_types = row->types ? types.list : NULL,
        .cb_type_count = types.count,
        .bindings = list,
        .binding_count = bindings.count,
        .wanted = row->wanted,
        .secured = strchr(row->flags, 'S') != NULL,
        .external = strchr(row->flags, 'E') != NULL,
        .anonymous = strchr(row->flags, 'A') != NULL,
        .no_plain = strchr(row->flags, 'P') != NULL,
        .tried = tried.list,
        .tried_count = tried.count,
    };
    int r = sasl_select(&offer, &choice, &reason);
    if (!row->name) {
        assert_int_equal(r, XMPP_ERR_AUTH);
        assert_null(choice.name);
        assert_non_null(reason);
        if (!strstr(reason, row->binding))
            fail_msg("offered %s: the reason is %s, not %s", row->offered, reason, row->binding);
        return;
    }
    if (r != XMPP_OK)
        fail_msg("offered %s wanted %s: %s", row->offered, row->wanted, reason);
    assert_string_equal(choice.name, row->name);
    assert_int_equal(choice.gs2_flag, row->flag);
    assert_non_null(choice.ops);
    if (row->binding) {
        assert_non_null(choice.binding);
        assert_string_equal(choice.binding->type, row->binding);
    } else {
        assert_null(choice.binding);
    }
}

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_row(&rows[i]);
}

#define PLAIN3 "SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512"
#define PLUS3  "SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS SCRAM-SHA-512-PLUS"
#define TLS13  "tls-server-end-point tls-exporter"
#define TLS12  "tls-server-end-point tls-unique tls-exporter"

/* SASL-02, SASL-03 */
static void test_select_order(void **state)
{
    static const struct row rows[] = {
        {"PLAIN EXTERNAL " PLAIN3, NULL, NULL, NULL, NULL, "SE", "EXTERNAL", 'n', NULL},
        {"PLAIN EXTERNAL " PLAIN3, NULL, NULL, NULL, NULL, "S", "SCRAM-SHA-512", 'n', NULL},
        {"PLAIN SCRAM-SHA-1 SCRAM-SHA-256", NULL, NULL, NULL, NULL, "S", "SCRAM-SHA-256", 'n',
         NULL},
        {"PLAIN SCRAM-SHA-1", NULL, NULL, NULL, NULL, "S", "SCRAM-SHA-1", 'n', NULL},
        {"PLAIN DIGEST-MD5 X-OAUTH2 LOGIN CRAM-MD5", NULL, NULL, NULL, NULL, "S", "PLAIN", 'n',
         NULL},
        {PLAIN3 " " PLUS3, "tls-exporter", TLS13, NULL, NULL, "S", "SCRAM-SHA-512-PLUS", 'p',
         "tls-exporter"},
        {"SCRAM-SHA-512 SCRAM-SHA-1-PLUS", "tls-exporter", TLS13, NULL, NULL, "S",
         "SCRAM-SHA-1-PLUS", 'p', "tls-exporter"},
        {"EXTERNAL " PLUS3, "tls-exporter", TLS13, NULL, NULL, "SE", "EXTERNAL", 'n', NULL},
        {"ANONYMOUS PLAIN SCRAM-SHA-1", NULL, NULL, NULL, NULL, "SA", "ANONYMOUS", 'n', NULL},
        /* what failed comes not again */
        {"PLAIN " PLAIN3, NULL, NULL, NULL, "SCRAM-SHA-512", "S", "SCRAM-SHA-256", 'n', NULL},
        {"PLAIN " PLAIN3, NULL, NULL, NULL, PLAIN3, "S", "PLAIN", 'n', NULL},
        {"EXTERNAL SCRAM-SHA-1", NULL, NULL, NULL, "EXTERNAL", "SE", "SCRAM-SHA-1", 'n', NULL},
        /* without TLS there is SCRAM */
        {"PLAIN SCRAM-SHA-1", NULL, NULL, NULL, NULL, "", "SCRAM-SHA-1", 'n', NULL},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_select_nothing_fits(void **state)
{
    static const struct row rows[] = {
        {"", NULL, NULL, NULL, NULL, "S", NULL, 0, "no mechanisms"},
        {"PLAIN", NULL, NULL, NULL, NULL, "", NULL, 0, "only PLAIN without TLS"},
        {"PLAIN", NULL, NULL, "PLAIN", NULL, "", NULL, 0, "only PLAIN without TLS"},
        {"PLAIN", NULL, NULL, NULL, NULL, "SP", NULL, 0, "stronger"}, /* SASL-25 */
        {"PLAIN", NULL, NULL, "PLAIN", NULL, "SP", NULL, 0, "stronger"},
        {"EXTERNAL", NULL, NULL, NULL, NULL, "S", NULL, 0, "client certificate"},
        {"EXTERNAL", NULL, NULL, NULL, NULL, "E", NULL, 0, "TLS"},
        {"ANONYMOUS", NULL, NULL, NULL, NULL, "S", NULL, 0, "only ANONYMOUS"},
        {"ANONYMOUS", NULL, NULL, "ANONYMOUS", NULL, "S", NULL, 0, "only ANONYMOUS"},
        {"SCRAM-SHA-1 PLAIN", NULL, NULL, NULL, NULL, "SA", NULL, 0, "no user name"},
        {"DIGEST-MD5", NULL, NULL, NULL, NULL, "SA", NULL, 0, "no user name"},
        {"DIGEST-MD5 LOGIN", NULL, NULL, NULL, NULL, "S", NULL, 0, "application names"},
        {"scram-sha-1 plain", NULL, NULL, NULL, NULL, "S", NULL, 0, "application names"},
        {"SCRAM-SHA-1", NULL, NULL, "SCRAM-SHA-256", NULL, "S", NULL, 0, "none of the mechanisms"},
        {"SCRAM-SHA-1", NULL, NULL, "", NULL, "S", NULL, 0, "none of the mechanisms"},
        {"SCRAM-SHA-1 PLAIN", NULL, NULL, NULL, "SCRAM-SHA-1 PLAIN", "S", NULL, 0, "has failed"},
        {"SCRAM-SHA-1-PLUS", NULL, NULL, NULL, NULL, "S", NULL, 0, "channel binding"},
        {"X-NO-SUCH", NULL, NULL, "X-NO-SUCH", NULL, "S", NULL, 0, "libsasl2-modules"},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_select_wanted(void **state)
{
    static const struct row rows[] = {
        {PLAIN3, NULL, NULL, "SCRAM-SHA-1 SCRAM-SHA-512", NULL, "S", "SCRAM-SHA-1", 'n', NULL},
        {PLAIN3, NULL, NULL, "\tPLAIN\n SCRAM-SHA-256 ", NULL, "S", "SCRAM-SHA-256", 'n', NULL},
        {"PLAIN SCRAM-SHA-1", NULL, NULL, "PLAIN", NULL, "S", "PLAIN", 'n', NULL},
        {"PLAIN SCRAM-SHA-1", NULL, NULL, "PLAIN SCRAM-SHA-1", NULL, "SP", "SCRAM-SHA-1", 'n',
         NULL},
        /* only by name: libsasl2 */
        {"DIGEST-MD5 SCRAM-SHA-1", NULL, NULL, "DIGEST-MD5", NULL, "S", "DIGEST-MD5", 'n', NULL},
        {"DIGEST-MD5", NULL, TLS12, "DIGEST-MD5", NULL, "S", "DIGEST-MD5", 'n', NULL},
        {"DIGEST-MD5 PLAIN", NULL, NULL, "DIGEST-MD5 PLAIN", "DIGEST-MD5", "S", "PLAIN", 'n', NULL},
        {"LOGIN", NULL, NULL, "LOGIN", NULL, "S", "LOGIN", 'n', NULL},
        {"LOGIN", NULL, NULL, "LOGIN", NULL, "", NULL, 0, "without TLS"},
        {"LOGIN", NULL, NULL, "LOGIN", NULL, "SP", NULL, 0, "stronger"},
        /* never libsasl2's SCRAM */
        {"SCRAM-SHA-384", NULL, NULL, "SCRAM-SHA-384", NULL, "S", NULL, 0, "libsasl2-modules"},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

/* SASL-21: the six rules of XEP-0440 section 3 */
static void test_select_gs2_rules(void **state)
{
    static const struct row rows[] = {
        /* 1: we have no binding */
        {"SCRAM-SHA-1 SCRAM-SHA-1-PLUS", "tls-exporter", NULL, NULL, NULL, "S", "SCRAM-SHA-1", 'n',
         NULL},
        {"SCRAM-SHA-1", "tls-exporter", NULL, NULL, NULL, "S", "SCRAM-SHA-1", 'n', NULL},
        {"SCRAM-SHA-1", NULL, NULL, NULL, NULL, "S", "SCRAM-SHA-1", 'n', NULL},
        /* 2: the server has neither */
        {"SCRAM-SHA-1", NULL, TLS13, NULL, NULL, "S", "SCRAM-SHA-1", 'y', NULL},
        {"SCRAM-SHA-1", "", TLS13, NULL, NULL, "S", "SCRAM-SHA-1", 'y', NULL},
        {"PLAIN", NULL, TLS13, NULL, NULL, "S", "PLAIN", 'n', NULL},
        {"SCRAM-SHA-1 PLAIN", NULL, TLS13, "SCRAM-SHA-1", NULL, "S", "SCRAM-SHA-1", 'y', NULL},
        /* 3: see test_select_no_types */
        /* 4: types without -PLUS */
        {PLAIN3 " PLAIN", "tls-exporter", TLS13, NULL, NULL, "S", NULL, 0, "downgrade"},
        {PLAIN3, "tls-exporter", TLS13, "SCRAM-SHA-1", NULL, "S", "SCRAM-SHA-1", 'n', NULL},
        {PLAIN3, "tls-exporter", TLS13, "SCRAM-SHA-1-PLUS SCRAM-SHA-1", NULL, "S", NULL, 0,
         "downgrade"},
        {PLAIN3 " EXTERNAL", "tls-exporter", TLS13, NULL, NULL, "SE", "EXTERNAL", 'n', NULL},
        /* 5: none in common */
        {PLAIN3 " " PLUS3, "tls-new", TLS13, NULL, NULL, "S", NULL, 0, "in common"},
        {PLAIN3 " " PLUS3, "tls-unique", TLS13, NULL, NULL, "S", NULL, 0, "in common"},
        {PLAIN3 " " PLUS3, "tls-unique tls-server-end-point", "tls-exporter", NULL, NULL, "S",
         "SCRAM-SHA-512", 'n', NULL},
        {PLAIN3 " " PLUS3, "tls-new", TLS13, "SCRAM-SHA-1", NULL, "S", "SCRAM-SHA-1", 'n', NULL},
        /* 6: the strongest that both have */
        {PLUS3, "tls-server-end-point tls-exporter", TLS13, NULL, NULL, "S", "SCRAM-SHA-512-PLUS",
         'p', "tls-exporter"},
        {PLUS3, "tls-server-end-point tls-unique", TLS12, NULL, NULL, "S", "SCRAM-SHA-512-PLUS",
         'p', "tls-unique"},
        {PLUS3, "tls-unique tls-exporter", TLS12, NULL, NULL, "S", "SCRAM-SHA-512-PLUS", 'p',
         "tls-exporter"},
        {PLUS3, "tls-unique tls-server-end-point", TLS13, NULL, NULL, "S", "SCRAM-SHA-512-PLUS",
         'p', "tls-server-end-point"},
        /* -PLUS is there, and we are told to do without: never 'y' */
        {PLAIN3 " " PLUS3, "tls-exporter", TLS13, "SCRAM-SHA-256", NULL, "S", "SCRAM-SHA-256", 'n',
         NULL},
        /* the only -PLUS is one that we do not have */
        {"SCRAM-SHA-1 SCRAM-SHA3-512-PLUS", "tls-exporter", TLS13, NULL, NULL, "S", "SCRAM-SHA-1",
         'n', NULL},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

/* SASL-23: what the servers of today do */
static void test_select_no_types(void **state)
{
    static const struct row rows[] = {
        /* TLS 1.3 */
        {PLAIN3 " " PLUS3, NULL, TLS13, NULL, NULL, "S", "SCRAM-SHA-512", 'n', NULL},
        /* TLS 1.2 */
        {PLAIN3 " " PLUS3, NULL, TLS12, NULL, NULL, "S", "SCRAM-SHA-512-PLUS", 'p', "tls-unique"},
        /* TLS 1.2 without extended master secret */
        {PLAIN3 " " PLUS3, NULL, "tls-server-end-point", NULL, NULL, "S", "SCRAM-SHA-512", 'n',
         NULL},
        {PLUS3, NULL, TLS13, NULL, NULL, "S", NULL, 0, "channel binding"},
        /* the application wants to try */
        {PLAIN3 " " PLUS3, NULL, TLS13, "SCRAM-SHA-1-PLUS SCRAM-SHA-1", NULL, "S",
         "SCRAM-SHA-1-PLUS", 'p', "tls-exporter"},
        {PLAIN3 " " PLUS3, NULL, "tls-server-end-point", "SCRAM-SHA-1-PLUS", NULL, "S",
         "SCRAM-SHA-1-PLUS", 'p', "tls-server-end-point"},
        {PLAIN3 " " PLUS3, NULL, TLS13, "SCRAM-SHA-1-PLUS SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "S",
         "SCRAM-SHA-1", 'n', NULL},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

/* SEC-11: <failure/> is not a way around the binding */
static void test_select_after_failed_binding(void **state)
{
    static const struct row rows[] = {
        {PLAIN3 " PLAIN " PLUS3, "tls-exporter", TLS13, NULL, "SCRAM-SHA-512-PLUS", "S",
         "SCRAM-SHA-256-PLUS", 'p', "tls-exporter"},
        {PLAIN3 " PLAIN " PLUS3, "tls-exporter", TLS13, NULL, PLUS3, "S", NULL, 0,
         "nothing weaker"},
        {PLAIN3 " PLAIN " PLUS3, NULL, TLS12, NULL, PLUS3, "S", NULL, 0, "nothing weaker"},
        {PLAIN3 " " PLUS3, "tls-exporter", TLS13, "SCRAM-SHA-1-PLUS SCRAM-SHA-1",
         "SCRAM-SHA-1-PLUS", "S", NULL, 0, "nothing weaker"},
    };

    (void)state;
    check_rows(rows, ARRAY_LEN(rows));
}

static void check_ssdp(const char *offered, const char *types, const char *expected)
{
    struct words mechanisms;
    struct words list;
    char *text = NULL;

    split(&mechanisms, offered);
    split(&list, types);
    struct sasl_offer offer = {.mechanisms = mechanisms.list,
                               .mechanism_count = mechanisms.count,
                               .cb_types = types ? list.list : NULL,
                               .cb_type_count = list.count};
    assert_int_equal(sasl_ssdp_string(&offer, &text), XMPP_OK);
    assert_string_equal(text, expected);
    mem_free(text);
}

/* SASL-24; the order of what was received is kept in the offer */
static void test_ssdp_string(void **state)
{
    (void)state;
    check_ssdp("SCRAM-SHA-1-PLUS SCRAM-SHA-1", "tls-server-end-point tls-exporter",
               "SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point");
    check_ssdp("B a A", NULL,
               "A\x1e"
               "B\x1e"
               "a");
    check_ssdp("SCRAM-SHA-256 PLAIN SCRAM-SHA-1 X X \xc3\xa4", "b",
               "PLAIN\x1eSCRAM-SHA-1\x1eSCRAM-SHA-256\x1eX\x1eX\x1e\xc3\xa4\x1f"
               "b");
    check_ssdp("h g f e d c b a i j k l 0 1 2 3", NULL,
               "0\x1e"
               "1\x1e"
               "2\x1e"
               "3\x1e"
               "a\x1e"
               "b\x1e"
               "c\x1e"
               "d\x1e"
               "e\x1e"
               "f\x1e"
               "g"
               "\x1eh\x1ei\x1ej\x1ek\x1el");
    check_ssdp("", NULL, "");
}

static int scenario(void *data)
{
    static const char *const names[] = {"SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"};
    static const char *const types[] = {"tls-server-end-point", "tls-exporter"};
    struct sasl_offer offer = {
        .mechanisms = names, .mechanism_count = 2, .cb_types = types, .cb_type_count = 2};
    char *text = NULL;

    (void)data;
    int r = sasl_ssdp_string(&offer, &text);
    if (r < 0)
        assert_null(text);
    mem_free(text);
    return r;
}

static void test_ssdp_string_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

int main(void)
{
    torture_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_order),    cmocka_unit_test(test_select_nothing_fits),
        cmocka_unit_test(test_select_wanted),   cmocka_unit_test(test_select_gs2_rules),
        cmocka_unit_test(test_select_no_types), cmocka_unit_test(test_select_after_failed_binding),
        cmocka_unit_test(test_ssdp_string),     cmocka_unit_test(test_ssdp_string_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
