/* Arguments that are out of range: numbers, flags, texts. Each is taken or refused as documented, a refusal has no
 * effect, and nothing breaks. */
#include "calls.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

enum { LONG = 200000 };

static char long_text[LONG + 1];
static char long_name[5000];

static const char *const texts[] = {
    "",
    " ",
    "\t\r\n",
    "\x01",
    "a\x1f"
    "b",
    "a\nb",
    "\x7f",
    "\xff\xfe",
    "\x80",
    "\xc0\x80",
    "\xe2\x82",
    "\xed\xa0\x80",
    "\xf4\x90\x80\x80",
    "\xef\xbf\xbe",
    "\xf0\x9f\x98\x80",
    "\xe2\x80\xae",
    "\xc2\xa0",
    "<&>\"']]>",
    "<a><b></a>",
    "%s%n%d",
    "a@b/c",
    "@",
    "/",
    "..",
    "a b",
    "-1",
    "xml:lang",
    "xmlns",
    "http://www.w3.org/2000/xmlns/",
    "http://www.w3.org/XML/1998/namespace",
    "999.999.999.999",
    "[::1",
    "::1%lo",
    "$1$$",
    long_name,
    long_text,
};

static const uint64_t numbers[] = {
    0,
    1,
    2,
    3,
    7,
    8,
    9,
    15,
    64,
    127,
    128,
    255,
    256,
    9999,
    10000,
    65535,
    65536,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x100000000,
    INT64_MAX - 1,
    INT64_MAX,
    (uint64_t)INT64_MAX + 1,
    UINT64_MAX - 1,
    UINT64_MAX,
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* With what was set: a login, a stanza and an end, however far that comes. */
static void use(struct fix *fix)
{
    assert_int_equal(xmpp_client_connect(fix->client), XMPP_OK);
    for (int i = 0; i < 100 && xmpp_client_get_state(fix->client) != XMPP_STATE_READY; i++)
        assert_true(xmpp_loop_step(fix->loop, 0) >= 0);
    (void)xmpp_client_send(fix->client, fix->elem); /* ready or not */
    fix_settle(fix);
    assert_int_equal(xmpp_client_disconnect(fix->client), XMPP_OK);
    fix_settle(fix);
}

static void check_odd(const struct call *call, const struct vary *vary)
{
    struct result result;
    struct fix fix;

    fix_create(&fix, call_stage(call));
    call_run(call, &fix, vary, &result);
    /* not to another host than ours */
    if ((call->flags & CALL_WHILE_IDLE) && result.value == XMPP_OK &&
        strcmp(call->name, "xmpp_client_set_endpoint") != 0)
        use(&fix);
    fix_settle(&fix);
    fix_destroy(&fix);
}

static void check_param(const struct call *call, unsigned param)
{
    struct vary vary = {.param = param};

    if (call->params[param].kind == PARAM_TEXT) {
        vary.kind = VARY_TEXT;
        for (size_t i = 0; i < COUNT(texts); i++) {
            vary.text = texts[i];
            check_odd(call, &vary);
        }
    }
    if (call->params[param].kind == PARAM_NUMBER) {
        vary.kind = VARY_NUMBER;
        for (size_t i = 0; i < COUNT(numbers); i++) {
            vary.number = numbers[i];
            check_odd(call, &vary);
        }
    }
}

static void test_odd_arguments(void **state)
{
    (void)state;
    for (size_t i = 0; i < calls_count; i++)
        for (unsigned p = 0; p < calls[i].count; p++)
            check_param(&calls[i], p);
    call_end();
}

static const struct call *find(const char *name, const char *param, unsigned *ret_param)
{
    for (size_t i = 0; i < calls_count; i++)
        for (unsigned p = 0; strcmp(calls[i].name, name) == 0 && p < calls[i].count; p++)
            if (strcmp(calls[i].params[p].name, param) == 0) {
                *ret_param = p;
                return &calls[i];
            }
    fail_msg("there is no %s(%s)", name, param);
    return NULL;
}

static void expect(const char *name, const char *param, struct vary vary, int want)
{
    struct result result;
    struct fix fix;
    const struct call *call = find(name, param, &vary.param);

    fix_create(&fix, call_stage(call));
    call_run(call, &fix, &vary, &result);
    if (result.value != want)
        call_fail(call, &vary, &result, xmpp_err_name(want));
    fix_settle(&fix);
    fix_destroy(&fix);
}

static void test_numbers_that_are_refused(void **state)
{
    static const struct {
        const char *name;
        const char *param;
        int64_t numbers[6]; /* up to the first 0, which may be the first */
    } rows[] = {
        {"xmpp_client_set_tls_mode", "mode", {-1, 2, INT_MAX, INT_MIN}},
        {"xmpp_client_set_limits", "max_stanza_bytes", {1, 9999}},
        {"xmpp_client_add_handler", "kinds", {0}},
        {"xmpp_client_add_handler", "kinds", {8, -1, 15, INT_MIN}},
        {"xmpp_elem_create_stanza", "kind", {0}},
        {"xmpp_elem_create_stanza", "kind", {3, 5, 7, 8, -1}},
        {"xmpp_loop_set_log", "max_level", {-1, 6, INT_MAX, INT_MIN}},
        {"xmpp_loop_add_io", "events", {0}},
        {"xmpp_loop_add_io", "events", {4, 5, 8, -1, INT_MIN}},
        {"xmpp_loop_add_io", "fd", {-1, INT_MIN}},
        {"xmpp_loop_set_io_events", "events", {4, 8, -1, INT_MIN}},
        {"xmpp_loop_step", "max_wait_us", {-2, INT64_MIN}},
        {"xmpp_cert_answer", "verdict", {2, 3, -1, INT_MAX}},
        {"xmpp_stream_create", "framing", {1, -1, INT_MIN}},
        {"xmpp_stream_set_limits", "max_stanza_bytes", {0}},
        {"xmpp_stream_set_limits", "max_queue_bytes", {0}},
        {"xmpp_stream_set_timeout", "step_us", {0}},
        {"xmpp_stream_consume", "len", {1, -1, INT64_MIN}},
        {"xmpp_test_server_set_tls_version", "version", {1, 0x0302, 0x0305, -1}},
        {"xmpp_test_server_set_cert", "cert", {0}},
        {"xmpp_test_server_set_cert", "cert", {-1, 1000, INT_MAX, INT_MIN}},
        {"xmpp_test_server_listen", "transport", {-1, 1000, INT_MAX, INT_MIN}},
        {"xmpp_test_server_accept", "transport", {-1, 1000, INT_MAX, INT_MIN}},
        {"xmpp_test_server_accept", "fd", {-1, INT_MAX, INT_MIN}},
        {"xmpp_test_server_set_fault", "fault", {0}},
        {"xmpp_test_server_set_fault", "fault", {-1, 1000, INT_MAX, INT_MIN}},
        {"xmpp_test_server_fail_at", "point", {0}},
        {"xmpp_test_server_fail_at", "point", {-1, 1000, INT_MAX, INT_MIN}},
        {"xmpp_test_server_fail_at", "action", {-1, 1000, INT_MAX, INT_MIN}},
        {"xmpp_test_server_play", "from", {-1, 1000, INT_MAX, INT_MIN}},
        {"xmpp_test_conn_act", "action", {0}},
        {"xmpp_test_conn_act", "action", {-1, 1000, INT_MAX, INT_MIN}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t j = 0; j == 0 || (j < 6 && rows[i].numbers[j]); j++)
            expect(rows[i].name, rows[i].param,
                   (struct vary){.kind = VARY_NUMBER, .number = (uint64_t)rows[i].numbers[j]},
                   XMPP_ERR_INVAL);
    call_end();
}

static void test_extremes_that_are_taken(void **state)
{
    static const struct {
        const char *name;
        const char *param;
        uint64_t number;
    } rows[] = {
        {"xmpp_client_set_timeout", "connect_us", 0},
        {"xmpp_client_set_timeout", "connect_us", UINT64_MAX},
        {"xmpp_client_set_timeout", "reply_us", 0},
        {"xmpp_client_set_timeout", "reply_us", UINT64_MAX},
        {"xmpp_client_set_keepalive", "idle_us", 0},
        {"xmpp_client_set_keepalive", "idle_us", UINT64_MAX},
        {"xmpp_client_set_limits", "max_stanza_bytes", 0},
        {"xmpp_client_set_limits", "max_stanza_bytes", SIZE_MAX},
        {"xmpp_client_set_limits", "max_queue_bytes", 1},
        {"xmpp_client_set_limits", "max_queue_bytes", SIZE_MAX},
        {"xmpp_client_set_endpoint", "port", 0},
        {"xmpp_client_set_endpoint", "port", 65535},
        {"xmpp_client_set_endpoint", "direct_tls", 0x80000000},
        {"xmpp_client_request", "timeout_us", 0},
        {"xmpp_client_request", "timeout_us", UINT64_MAX - 1},
        {"xmpp_client_request", "timeout_us", UINT64_MAX},
        {"xmpp_client_on_drain", "low_bytes", SIZE_MAX},
        {"xmpp_loop_add_timer", "first_us", UINT64_MAX},
        {"xmpp_loop_add_timer", "interval_us", UINT64_MAX},
        {"xmpp_loop_set_io_events", "events", 0},
        {"xmpp_slot_set_priority", "priority", (uint64_t)INT_MIN},
        {"xmpp_slot_set_priority", "priority", INT_MAX},
        {"xmpp_slot_match_from", "bare", (uint64_t)INT_MIN},
        {"xmpp_stream_set_timeout", "step_us", UINT64_MAX},
        {"xmpp_stream_set_keepalive", "idle_us", UINT64_MAX},
        {"xmpp_stream_open", "now_us", UINT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        expect(rows[i].name, rows[i].param,
               (struct vary){.kind = VARY_NUMBER, .number = rows[i].number}, XMPP_OK);
    call_end();
}

static void test_texts_that_are_refused(void **state)
{
    static const char *const bad_xml[] = {"\x01", "\xff", "\xc0\x80", "\xed\xa0\x80",
                                          "\xef\xbf\xbe"};
    static const char *const rows[][2] = {
        {"xmpp_client_set_authcid", "authcid"},
        {"xmpp_client_set_mechanisms", "mechanisms"},
        {"xmpp_client_set_lang", "lang"},
        {"xmpp_client_set_endpoint", "host"},
        {"xmpp_client_add_feature", "var"},
        {"xmpp_elem_create", "ns"},
        {"xmpp_elem_create", "name"},
        {"xmpp_elem_set_attr", "name"},
        {"xmpp_elem_set_attr", "value"},
        {"xmpp_elem_set_attr_ns", "ns"},
        {"xmpp_elem_set_attr_ns", "name"},
        {"xmpp_elem_set_attr_ns", "value"},
        {"xmpp_elem_add_text", "text"},
        {"xmpp_elem_create_error", "type"},
        {"xmpp_elem_create_error", "condition"},
        {"xmpp_stream_set_authcid", "authcid"},
        {"xmpp_elem_create_stanza", "type"},
        {"xmpp_stream_set_mechanisms", "mechanisms"},
        {"xmpp_stream_set_lang", "lang"},
        {"xmpp_loop_set_dns_servers", "servers"},
        {"xmpp_test_server_set_domain", "domain"},
        {"xmpp_test_server_add_account", "user"},
        {"xmpp_test_elem_match", "pattern"},
        {"xmpp_test_server_set_mechanisms", "mechanisms"},
        {"xmpp_test_server_set_channel_bindings", "types"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t j = 0; j < COUNT(bad_xml); j++)
            expect(rows[i][0], rows[i][1], (struct vary){.kind = VARY_TEXT, .text = bad_xml[j]},
                   XMPP_ERR_INVAL);
    call_end();
}

static void test_empty_texts_that_are_refused(void **state)
{
    static const char *const rows[][2] = {
        {"xmpp_client_set_password", "password"},
        {"xmpp_client_set_endpoint", "host"},
        {"xmpp_client_set_trust_file", "pem_path"},
        {"xmpp_client_set_cert_files", "cert_path"},
        {"xmpp_client_set_cert_files", "key_path"},
        {"xmpp_client_set_authcid", "authcid"},
        {"xmpp_client_set_mechanisms", "mechanisms"},
        {"xmpp_client_set_lang", "lang"},
        {"xmpp_client_add_feature", "var"},
        {"xmpp_elem_create", "name"},
        {"xmpp_elem_set_attr", "name"},
        {"xmpp_module_attach", "name"},
        {"xmpp_loop_set_dns_servers", "servers"},
        {"xmpp_test_server_set_domain", "domain"},
        {"xmpp_test_server_add_account", "user"},
        {"xmpp_test_server_add_account", "password"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        expect(rows[i][0], rows[i][1], (struct vary){.kind = VARY_TEXT, .text = ""},
               XMPP_ERR_INVAL);
    call_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_odd_arguments),
        cmocka_unit_test(test_numbers_that_are_refused),
        cmocka_unit_test(test_extremes_that_are_taken),
        cmocka_unit_test(test_texts_that_are_refused),
        cmocka_unit_test(test_empty_texts_that_are_refused),
    };

    memset(long_text, 'a', LONG);
    memset(long_name, 'n', sizeof long_name - 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
