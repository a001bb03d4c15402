#include "base/buf.h"

#include <xmpp/error.h>

#include "base/mem.h"
#include "support/torture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

static void assert_buf(const struct buf *buf, const char *content)
{
    assert_int_equal(buf_len(buf), strlen(content));
    assert_memory_equal(buf_peek(buf), content, strlen(content));
}

static void test_buf_empty(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, SIZE_MAX);
    assert_int_equal(buf_len(&buf), 0);
    assert_non_null(buf_peek(&buf));
    assert_int_equal(buf_append(&buf, NULL, 0), XMPP_OK);
    assert_null(buf.data);
    buf_consume(&buf, 5);
    buf_truncate(&buf, 5);
    buf_shrink(&buf, 0);
    assert_int_equal(buf_len(&buf), 0);
    buf_wipe(&buf);
    buf_clear(&buf);
}

static void test_buf_append_and_consume(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, SIZE_MAX);
    assert_int_equal(buf_append(&buf, "abc", 3), XMPP_OK);
    assert_int_equal(buf_append_str(&buf, "def"), XMPP_OK);
    assert_int_equal(buf_append_char(&buf, 'g'), XMPP_OK);
    assert_buf(&buf, "abcdefg");
    buf_consume(&buf, 2);
    assert_buf(&buf, "cdefg");
    buf_truncate(&buf, 3);
    assert_buf(&buf, "cde");
    buf_truncate(&buf, 9);
    assert_buf(&buf, "cde");
    buf_consume(&buf, 3);
    assert_buf(&buf, "");
    buf_append_str(&buf, "xyz");
    buf_consume(&buf, 100);
    assert_buf(&buf, "");
    buf_clear(&buf);
    assert_int_equal(buf_append_str(&buf, "again"), XMPP_OK);
    assert_buf(&buf, "again");
    buf_clear(&buf);
}

static void test_buf_append_limit(void **state)
{
    struct buf buf;
    void *room = NULL;

    (void)state;
    buf_init(&buf, 10);
    assert_int_equal(buf_append(&buf, "12345678", 8), XMPP_OK);
    assert_int_equal(buf_append(&buf, "abc", 3), XMPP_ERR_LIMIT);
    assert_buf(&buf, "12345678");
    assert_int_equal(buf_append(&buf, "ab", 2), XMPP_OK);
    assert_int_equal(buf_append_char(&buf, 'c'), XMPP_ERR_LIMIT);
    assert_int_equal(buf_reserve(&buf, 1, &room), XMPP_ERR_LIMIT);
    assert_int_equal(buf_reserve(&buf, SIZE_MAX, &room), XMPP_ERR_LIMIT);
    assert_null(room);
    buf_consume(&buf, 4);
    assert_int_equal(buf_append(&buf, "cdef", 4), XMPP_OK);
    assert_buf(&buf, "5678abcdef");
    /* the limit was lowered below what is in */
    buf.limit = 5;
    assert_int_equal(buf_append_char(&buf, 'x'), XMPP_ERR_LIMIT);
    buf_clear(&buf);
}

static void test_buf_reserve_overflow(void **state)
{
    struct buf buf;
    void *room = NULL;

    (void)state;
    buf_init(&buf, SIZE_MAX);
    buf_append_char(&buf, 'x');
    assert_int_equal(buf_reserve(&buf, SIZE_MAX, &room), XMPP_ERR_LIMIT);
    assert_buf(&buf, "x");
    buf_clear(&buf);
}

static void test_buf_reserve_commit(void **state)
{
    struct buf buf;
    void *room;

    (void)state;
    buf_init(&buf, SIZE_MAX);
    assert_int_equal(buf_reserve(&buf, 5000, &room), XMPP_OK);
    assert_int_equal(buf_len(&buf), 0);
    memset(room, 'x', 5000);
    buf_commit(&buf, 4000);
    assert_int_equal(buf_len(&buf), 4000);
    assert_int_equal(buf_reserve(&buf, 0, &room), XMPP_OK);
    assert_non_null(room);
    buf_clear(&buf);
}

/* A queue that never runs empty: neither its memory nor the number of allocations grows. */
static void test_buf_queue_stays_small(void **state)
{
    struct buf buf;
    uint8_t in = 0;
    uint8_t out = 0;

    (void)state;
    buf_init(&buf, SIZE_MAX);
    torture_fail_at(0, false);
    for (int turn = 0; turn < 10000; turn++) {
        for (int i = 0; i < 37; i++)
            assert_int_equal(buf_append_char(&buf, (char)in++), XMPP_OK);
        for (int i = 0; i < (turn < 10 ? 30 : 37); i++) {
            assert_int_equal(*buf_peek(&buf), out++);
            buf_consume(&buf, 1);
        }
    }
    assert_int_equal(buf_len(&buf), 70);
    assert_true(buf.cap <= 1024);
    assert_true(torture_count() <= 3);
    buf_clear(&buf);
}

static void test_buf_append_amortised(void **state)
{
    struct buf buf;

    (void)state;
    buf_init(&buf, SIZE_MAX);
    torture_fail_at(0, false);
    for (int i = 0; i < 1000000; i++)
        buf_append_char(&buf, 'x');
    assert_int_equal(buf_len(&buf), 1000000);
    assert_true(torture_count() <= 13); /* 256 << 12 > 1000000 */
    buf_clear(&buf);
}

static void test_buf_shrink(void **state)
{
    struct buf buf;
    void *room;

    (void)state;
    buf_init(&buf, SIZE_MAX);
    assert_int_equal(buf_reserve(&buf, 100000, &room), XMPP_OK);
    buf_append_char(&buf, 'x');
    buf_shrink(&buf, 4096); /* not empty: nothing happens */
    assert_true(buf.cap >= 100000);
    assert_buf(&buf, "x");
    buf_consume(&buf, 1);
    torture_fail_at(1, false);
    buf_shrink(&buf, 4096); /* an allocator that cannot: nothing happens */
    torture_fail_at(0, false);
    assert_true(buf.cap >= 100000);
    buf_shrink(&buf, 4096);
    assert_int_equal(buf.cap, 4096);
    buf_shrink(&buf, 8192);
    assert_int_equal(buf.cap, 4096);
    assert_int_equal(buf_append_str(&buf, "y"), XMPP_OK);
    assert_buf(&buf, "y");
    buf_consume(&buf, 1);
    buf_shrink(&buf, 0);
    assert_null(buf.data);
    assert_int_equal(buf.cap, 0);
}

static void test_buf_steal_str(void **state)
{
    struct buf buf;
    char *str = NULL;
    size_t len;

    (void)state;
    buf_init(&buf, 7);
    buf_append_str(&buf, "xxhello");
    buf_consume(&buf, 2);
    assert_int_equal(buf_steal_str(&buf, &str, &len), XMPP_OK);
    assert_string_equal(str, "hello");
    assert_int_equal(len, 5);
    assert_int_equal(buf_len(&buf), 0);
    assert_null(buf.data);
    mem_free(str);

    /* empty, and full to the limit */
    assert_int_equal(buf_steal_str(&buf, &str, NULL), XMPP_OK);
    assert_string_equal(str, "");
    mem_free(str);
    buf_append_str(&buf, "1234567");
    assert_int_equal(buf_steal_str(&buf, &str, NULL), XMPP_OK);
    assert_string_equal(str, "1234567");
    mem_free(str);

    buf_init(&buf, 1000);
    for (int i = 0; i < 256; i++)
        buf_append_char(&buf, 'x');
    torture_fail_at(1, false);
    str = NULL;
    assert_int_equal(buf_steal_str(&buf, &str, &len), XMPP_ERR_NOMEM);
    torture_fail_at(0, false);
    assert_null(str);
    assert_int_equal(buf_len(&buf), 256);
    buf_clear(&buf);
}

static int scenario(void *user_data)
{
    struct buf buf;
    int r = XMPP_OK;

    (void)user_data;
    buf_init(&buf, SIZE_MAX);
    for (size_t i = 0; r == XMPP_OK && i < 2000; i++) {
        size_t before = buf_len(&buf);

        r = buf_append(&buf, "abcde", 5);
        assert_int_equal(buf_len(&buf), r == XMPP_OK ? before + 5 : before);
        if (i % 3 == 0)
            buf_consume(&buf, 4);
    }
    buf_wipe(&buf);
    return r;
}

static void test_buf_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_empty),
        cmocka_unit_test(test_buf_append_and_consume),
        cmocka_unit_test(test_buf_append_limit),
        cmocka_unit_test(test_buf_reserve_overflow),
        cmocka_unit_test(test_buf_reserve_commit),
        cmocka_unit_test(test_buf_queue_stays_small),
        cmocka_unit_test(test_buf_append_amortised),
        cmocka_unit_test(test_buf_shrink),
        cmocka_unit_test(test_buf_steal_str),
        cmocka_unit_test(test_buf_out_of_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
