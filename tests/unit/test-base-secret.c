#include "base/secret.h"

#include <xmpp/error.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool fail;
static bool seen_at_free;
static size_t block_size;
static void *block;

/* looks at what is given back, before it is gone */
static void *looking_realloc(void *ptr, size_t size, void *user_data)
{
    (void)user_data;
    if (size == 0) {
        if (ptr == block && block_size >= 6)
            for (size_t i = 0; i + 6 <= block_size; i++)
                seen_at_free |= memcmp((char *)ptr + i, "s3cret", 6) == 0;
        free(ptr);
        return NULL;
    }
    if (fail)
        return NULL;
    block = realloc(ptr, size);
    block_size = size;
    return block;
}

static void test_secret_create_and_free(void **state)
{
    struct secret *secret = NULL;

    (void)state;
    assert_int_equal(secret_create(&secret, "s3cret", 6), XMPP_OK);
    assert_string_equal(secret_data(secret), "s3cret");
    assert_int_equal(secret_len(secret), 6);
    seen_at_free = false;
    assert_null(secret_free(secret));
    assert_false(seen_at_free);
    assert_null(secret_free(NULL));
}

static void test_secret_any_bytes(void **state)
{
    struct secret *secret = NULL;

    (void)state;
    assert_int_equal(secret_create(&secret, "a\0b", 3), XMPP_OK);
    assert_int_equal(secret_len(secret), 3);
    assert_memory_equal(secret_data(secret), "a\0b", 4);
    secret_free(secret);
    assert_int_equal(secret_create(&secret, NULL, 0), XMPP_OK);
    assert_string_equal(secret_data(secret), "");
    secret_free(secret);
}

static void test_secret_create_fails(void **state)
{
    struct secret *secret = NULL;

    (void)state;
    fail = true;
    assert_int_equal(secret_create(&secret, "x", 1), XMPP_ERR_NOMEM);
    fail = false;
    assert_int_equal(secret_create(&secret, "x", SIZE_MAX), XMPP_ERR_NOMEM);
    assert_null(secret);
}

static void test_secret_wipe(void **state)
{
    char data[] = "0123456789";

    (void)state;
    secret_wipe(data + 2, 5);
    assert_memory_equal(data, "01\0\0\0\0\089", 7);
    assert_memory_equal(data + 7, "789", 4);
    secret_wipe(NULL, 0);
}

static void test_secret_equal(void **state)
{
    (void)state;
    assert_true(secret_equal("abc", "abc", 3));
    assert_true(secret_equal("abX", "abY", 2));
    assert_true(secret_equal("a", "b", 0));
    for (unsigned bit = 0; bit < 24; bit++) {
        uint8_t other[3] = {'a', 'b', 'c'};

        other[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(secret_equal("abc", other, 3));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret_create_and_free), cmocka_unit_test(test_secret_any_bytes),
        cmocka_unit_test(test_secret_create_fails),    cmocka_unit_test(test_secret_wipe),
        cmocka_unit_test(test_secret_equal),
    };

    if (xmpp_mem_set_allocator(looking_realloc, NULL) != XMPP_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
