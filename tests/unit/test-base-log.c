#include "base/log.h"

#include <xmpp/error.h>

#include "base/utf8.h"
#include "support/torture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static unsigned calls;
static unsigned destroys;
static int last_level;
static char last_module[20];
static char last_message[20000];
static size_t last_len;

static void on_log(int level, const char *module, const char *message, size_t len, void *user_data)
{
    assert_ptr_equal(user_data, &calls);
    calls++;
    last_level = level;
    strncpy(last_module, module, sizeof last_module - 1);
    assert_true(len < sizeof last_message);
    memcpy(last_message, message, len);
    last_message[len] = '\0';
    last_len = len;
}

static void on_destroy(void *user_data)
{
    assert_ptr_equal(user_data, &calls);
    destroys++;
}

static struct log make_log(int max_level)
{
    struct log log;

    log_init(&log);
    log.max_level = max_level;
    log.fn = on_log;
    log.user_data = &calls;
    log.destroy = on_destroy;
    calls = 0;
    destroys = 0;
    return log;
}

static void test_log_wants(void **state)
{
    struct log log;

    (void)state;
    log_init(&log);
    assert_false(log_wants(NULL, XMPP_LOG_ERROR));
    assert_false(log_wants(&log, XMPP_LOG_ERROR));
    log.max_level = XMPP_LOG_WIRE; /* no function */
    assert_false(log_wants(&log, XMPP_LOG_ERROR));
    log = make_log(XMPP_LOG_INFO);
    assert_true(log_wants(&log, XMPP_LOG_ERROR));
    assert_true(log_wants(&log, XMPP_LOG_INFO));
    assert_false(log_wants(&log, XMPP_LOG_DEBUG));
    log.max_level = 0;
    assert_false(log_wants(&log, XMPP_LOG_ERROR));
}

static void test_log_write(void **state)
{
    struct log log = make_log(XMPP_LOG_INFO);

    (void)state;
    log_write(NULL, XMPP_LOG_ERROR, "net", "x");
    log_write(&log, XMPP_LOG_DEBUG, "net", "x");
    log_write_raw(&log, XMPP_LOG_WIRE, "net", "x", 1);
    log_write_raw(NULL, XMPP_LOG_ERROR, "net", "x", 1);
    assert_int_equal(calls, 0);
    log_write(&log, XMPP_LOG_WARN, "net", "%s %d", "connect", 111);
    assert_int_equal(calls, 1);
    assert_int_equal(last_level, XMPP_LOG_WARN);
    assert_string_equal(last_module, "net");
    assert_string_equal(last_message, "connect 111");
    log_write_raw(&log, XMPP_LOG_ERROR, "xml", "<a>\n\0</a>", 9);
    assert_int_equal(last_len, 9);
    assert_memory_equal(last_message, "<a>\n\0</a>", 9);
}

/* a peer cannot write lines of its own */
static void test_log_write_is_one_line(void **state)
{
    struct log log = make_log(XMPP_LOG_INFO);

    (void)state;
    log_write(&log, XMPP_LOG_INFO, "x", "%s", "a\r\nb\tc\x1b[1m\x7f\xC3\xA4");
    assert_string_equal(last_message, "a  b c [1m \xC3\xA4");
}

static void test_log_write_every_length(void **state)
{
    struct log log = make_log(XMPP_LOG_INFO);
    char text[2000];

    (void)state;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        memset(text, 'x', len);
        text[len] = '\0';
        log_write(&log, XMPP_LOG_INFO, "x", "%s", text);
        assert_int_equal(last_len, len);
        assert_string_equal(last_message, text);
    }
    assert_int_equal(torture_live_blocks(), 0);
}

static void test_log_write_cut_without_memory(void **state)
{
    struct log log = make_log(XMPP_LOG_INFO);
    char text[700];

    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xF0\x9F\x98\x80", 5);
        torture_fail_at(1, true);
        log_write(&log, XMPP_LOG_INFO, "x", "%s", text);
        torture_fail_at(0, false);
        assert_in_range(last_len, 500, 511);
        assert_true(utf8_is_valid(last_message, last_len));
        assert_memory_equal(last_message, text, last_len);
    }
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    torture_fail_at(1, true);
    log_write(&log, XMPP_LOG_INFO, "x", "%s", text);
    torture_fail_at(0, false);
    assert_int_equal(last_len, 511);
}

static void test_log_clear(void **state)
{
    struct log log = make_log(XMPP_LOG_INFO);

    (void)state;
    log_clear(&log);
    assert_int_equal(destroys, 1);
    log_clear(&log);
    assert_int_equal(destroys, 1);
    assert_false(log_wants(&log, XMPP_LOG_ERROR));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_wants),
        cmocka_unit_test(test_log_write),
        cmocka_unit_test(test_log_write_is_one_line),
        cmocka_unit_test(test_log_write_every_length),
        cmocka_unit_test(test_log_write_cut_without_memory),
        cmocka_unit_test(test_log_clear),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
