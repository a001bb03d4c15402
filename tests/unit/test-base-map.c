#include "base/map.h"

#include <xmpp/error.h>

#include "support/torture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static char values[4096];

static struct map *create(void)
{
    struct map *map = NULL;

    assert_int_equal(map_create(&map), XMPP_OK);
    return map;
}

static int set(struct map *map, int n, void *value)
{
    char key[20];

    return map_set(map, key, (size_t)snprintf(key, sizeof key, "key-%d", n), value, NULL);
}

static void *get(const struct map *map, int n)
{
    char key[20];

    return map_get(map, key, (size_t)snprintf(key, sizeof key, "key-%d", n));
}

static void *unset(struct map *map, int n)
{
    char key[20];

    return map_remove(map, key, (size_t)snprintf(key, sizeof key, "key-%d", n));
}

static void test_map_empty(void **state)
{
    struct map *map = create();
    size_t pos = 0;

    (void)state;
    assert_null(map_get(map, "x", 1));
    assert_null(map_remove(map, "x", 1));
    assert_null(map_next(map, &pos, NULL, NULL));
    assert_int_equal(map_count(map), 0);
    assert_null(map_free(map));
    assert_null(map_free(NULL));
}

static void test_map_set_replaces(void **state)
{
    struct map *map = create();
    void *old = values;

    (void)state;
    assert_int_equal(map_set(map, "k", 1, NULL, &old), XMPP_ERR_INVAL);
    assert_ptr_equal(old, values);
    assert_int_equal(map_set(map, "k", 1, &values[1], &old), XMPP_OK);
    assert_null(old);
    assert_int_equal(map_set(map, "k", 1, &values[2], &old), XMPP_OK);
    assert_ptr_equal(old, &values[1]);
    assert_int_equal(map_set(map, "k", 1, &values[3], NULL), XMPP_OK);
    assert_ptr_equal(map_get(map, "k", 1), &values[3]);
    assert_int_equal(map_count(map), 1);
    map_free(map);
}

static void test_map_keys_are_bytes(void **state)
{
    struct map *map = create();
    char key[] = {'a', 0, 'b'};

    (void)state;
    map_set(map, key, 3, &values[1], NULL);
    map_set(map, key, 2, &values[2], NULL);
    map_set(map, key, 1, &values[3], NULL);
    map_set(map, key, 0, &values[4], NULL);
    key[2] = 'c'; /* keys are copied */
    assert_null(map_get(map, key, 3));
    assert_ptr_equal(map_get(map, "a\0b", 3), &values[1]);
    assert_ptr_equal(map_get(map, "a\0", 2), &values[2]);
    assert_ptr_equal(map_get(map, "a", 1), &values[3]);
    assert_ptr_equal(map_get(map, "", 0), &values[4]);
    map_free(map);
}

/* Against a plain array, with a generator that is always the same. */
static void test_map_random_operations(void **state)
{
    struct map *map = create();
    void *model[700] = {0};
    size_t count = 0;
    uint32_t seed = 12345;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        int n;
        void *value;

        seed = seed * 1664525 + 1013904223;
        n = (int)(seed >> 8) % 700;
        value = &values[(seed >> 18) % sizeof values];
        if (seed >> 31) {
            count += !model[n];
            model[n] = value;
            assert_int_equal(set(map, n, value), XMPP_OK);
        } else {
            count -= !!model[n];
            assert_ptr_equal(unset(map, n), model[n]);
            model[n] = NULL;
        }
        assert_int_equal(map_count(map), count);
    }
    for (int n = 0; n < 700; n++)
        assert_ptr_equal(get(map, n), model[n]);
    map_free(map);
}

static void test_map_next_removing(void **state)
{
    struct map *map = create();
    const void *key;
    size_t key_len;
    size_t pos = 0;
    unsigned seen = 0;
    char *value;

    (void)state;
    memset(values, 0, sizeof values);
    for (int n = 0; n < 1000; n++)
        assert_int_equal(set(map, n, &values[n]), XMPP_OK);
    while ((value = map_next(map, &pos, &key, &key_len))) {
        char expected[20];

        assert_int_equal((*value)++, 0); /* once each */
        snprintf(expected, sizeof expected, "key-%d", (int)(value - values));
        assert_int_equal(key_len, strlen(expected));
        assert_memory_equal(key, expected, key_len);
        seen++;
        if (seen % 2)
            assert_ptr_equal(map_remove(map, key, key_len), value); /* with the map's own key */
    }
    assert_int_equal(seen, 1000);
    assert_int_equal(map_count(map), 500);
    map_free(map);
}

/* Many ids that come and go (pending requests): memory stays where it was. */
static void test_map_churn_does_not_grow(void **state)
{
    struct map *map = create();
    unsigned large = 0;

    (void)state;
    for (int n = 0; n < 100000; n++) {
        assert_int_equal(set(map, n, values), XMPP_OK);
        if (n >= 10)
            assert_non_null(unset(map, n - 10));
    }
    /* a table of 32 is cleaned without growing: so one pass visits few entries */
    for (size_t pos = 0; map_next(map, &pos, NULL, NULL);)
        large = (unsigned)pos;
    assert_true(large <= 64);
    map_free(map);
}

static void test_map_hash_is_keyed_and_spread(void **state)
{
    unsigned buckets[64] = {0};

    (void)state;
    assert_true(map_hash("a", 1) == map_hash("a", 1));
    assert_true(map_hash("a", 1) != map_hash("b", 1));
    assert_true(map_hash("", 0) != map_hash("\0", 1));
    assert_true(map_hash("1234567", 7) != map_hash("1234567\0", 8));
    for (uint32_t i = 0; i < 64000; i++)
        buckets[map_hash(&i, sizeof i) % 64]++;
    for (int i = 0; i < 64; i++)
        assert_in_range(buckets[i], 700, 1300); /* about ten standard deviations */
}

static int scenario(void *user_data)
{
    struct map *map;
    int n = 0;
    int r = map_create(&map);

    (void)user_data;
    if (r < 0)
        return r;
    while (r == XMPP_OK && n < 100)
        r = set(map, n++, values);
    if (r < 0)
        n--;
    /* what failed had no effect */
    assert_int_equal(map_count(map), n);
    for (int i = 0; i < n; i++)
        assert_non_null(get(map, i));
    assert_null(get(map, n));
    map_free(map);
    return r;
}

static void test_map_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

/* The smallest table has no order; from the ninth key on there is one. */
static void test_map_grows_beyond_the_smallest(void **state)
{
    (void)state;
    for (int removed = 0; removed < 8; removed++) {
        struct map *map = create();

        for (int i = 0; i < 8; i++)
            assert_int_equal(set(map, i, &values[i]), XMPP_OK);
        assert_ptr_equal(unset(map, removed), &values[removed]);
        assert_null(get(map, removed));
        assert_int_equal(set(map, 8, &values[8]), XMPP_OK);
        assert_int_equal(set(map, removed, &values[removed]), XMPP_OK);
        assert_int_equal(set(map, 9, &values[9]), XMPP_OK);
        assert_int_equal(map_count(map), 10);
        for (int i = 0; i < 10; i++)
            assert_ptr_equal(get(map, i), &values[i]);
        assert_null(get(map, 10));
        map_free(map);
    }
}

/* Of a thousand entries nothing is left but the map itself, also when they go while somebody goes through them. */
static void test_map_gives_back_a_large_table(void **state)
{
    struct map *map = create();
    size_t before = torture_live_blocks();
    size_t pos = 0;
    const void *key;
    size_t len;

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++)
            assert_int_equal(set(map, i, &values[0]), XMPP_OK);
        for (pos = 0; map_next(map, &pos, &key, &len);)
            assert_ptr_equal(map_remove(map, key, len), &values[0]);
        assert_int_equal(map_count(map), 0);
        assert_null(get(map, 7));
        assert_int_equal(torture_live_blocks(), before);
    }
    map_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_empty),
        cmocka_unit_test(test_map_set_replaces),
        cmocka_unit_test(test_map_keys_are_bytes),
        cmocka_unit_test(test_map_random_operations),
        cmocka_unit_test(test_map_next_removing),
        cmocka_unit_test(test_map_churn_does_not_grow),
        cmocka_unit_test(test_map_hash_is_keyed_and_spread),
        cmocka_unit_test(test_map_out_of_memory),
        cmocka_unit_test(test_map_grows_beyond_the_smallest),
        cmocka_unit_test(test_map_gives_back_a_large_table),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
