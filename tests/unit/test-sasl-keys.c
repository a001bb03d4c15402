#include "sasl/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/torture.h"

static struct keys_id id_of(const char *mechanism, const char *name, const char *salt,
                            unsigned iterations)
{
    bool plus;

    return (struct keys_id){.hash = derive_hash_of(mechanism, &plus),
                            .name = name,
                            .salt = salt,
                            .salt_len = strlen(salt),
                            .iterations = iterations};
}

static struct derive_keys pair_of(int byte)
{
    struct derive_keys pair;

    memset(&pair, byte, sizeof pair);
    return pair;
}

static bool finds(const struct sasl_keys *keys, struct keys_id id, int byte)
{
    struct derive_keys found = pair_of(0);
    struct derive_keys expected = pair_of(byte);

    return keys_find(keys, &id, &found) && memcmp(&found, &expected, sizeof found) == 0;
}

/* SASL-20 */
static void test_keys_find_everything_must_fit(void **state)
{
    struct sasl_keys *keys = NULL;
    struct keys_id id = id_of("SCRAM-SHA-1", "user", "salt", 4096);
    struct derive_keys pair = pair_of(1);
    struct derive_keys found;

    (void)state;
    assert_int_equal(sasl_keys_create(&keys), XMPP_OK);
    assert_false(sasl_keys_has(keys));
    assert_false(keys_find(keys, &id, &found));
    assert_int_equal(keys_store(keys, &id, &pair), XMPP_OK);
    assert_true(sasl_keys_has(keys));
    assert_true(finds(keys, id, 1));
    assert_true(finds(keys, id_of("SCRAM-SHA-1-PLUS", "user", "salt", 4096), 1));

    struct keys_id wrong[] = {
        id_of("SCRAM-SHA-256", "user", "salt", 4096), id_of("SCRAM-SHA-1", "user2", "salt", 4096),
        id_of("SCRAM-SHA-1", "user", "sal", 4096),    id_of("SCRAM-SHA-1", "user", "sald", 4096),
        id_of("SCRAM-SHA-1", "user", "salt", 4097),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(keys_find(keys, &wrong[i], &found));
    assert_null(sasl_keys_unref(keys));
}

static void test_keys_store_replaces_per_hash(void **state)
{
    struct sasl_keys *keys = NULL;
    static const char *const names[] = {"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"};

    (void)state;
    assert_int_equal(sasl_keys_create(&keys), XMPP_OK);
    for (int i = 0; i < 3; i++) {
        struct keys_id id = id_of(names[i], "user", "salt", 4096);
        struct derive_keys pair = pair_of(i + 1);
        assert_int_equal(keys_store(keys, &id, &pair), XMPP_OK);
    }
    for (int i = 0; i < 3; i++)
        assert_true(finds(keys, id_of(names[i], "user", "salt", 4096), i + 1));
    struct keys_id fresh = id_of("SCRAM-SHA-256", "user", "pepper", 10000);
    struct derive_keys pair = pair_of(9);
    assert_int_equal(keys_store(keys, &fresh, &pair), XMPP_OK);
    assert_true(finds(keys, fresh, 9));
    assert_false(finds(keys, id_of("SCRAM-SHA-256", "user", "salt", 4096), 2));
    assert_true(finds(keys, id_of("SCRAM-SHA-1", "user", "salt", 4096), 1));
    sasl_keys_clear(keys);
    assert_false(sasl_keys_has(keys));
    assert_false(finds(keys, fresh, 9));
    assert_int_equal(keys_store(keys, &fresh, &pair), XMPP_OK);
    assert_true(finds(keys, fresh, 9));
    sasl_keys_unref(keys);
}

static void test_keys_ref_counts(void **state)
{
    struct sasl_keys *keys = NULL;
    size_t before = torture_live_blocks();

    (void)state;
    assert_int_equal(sasl_keys_create(&keys), XMPP_OK);
    assert_ptr_equal(sasl_keys_ref(keys), keys);
    assert_null(sasl_keys_unref(keys));
    assert_false(sasl_keys_has(keys));
    assert_null(sasl_keys_unref(keys));
    assert_int_equal(torture_live_blocks(), before);
}

static void test_keys_null_is_an_empty_store(void **state)
{
    struct keys_id id = id_of("SCRAM-SHA-1", "user", "salt", 4096);
    struct derive_keys pair = pair_of(1);

    (void)state;
    assert_null(sasl_keys_ref(NULL));
    assert_null(sasl_keys_unref(NULL));
    sasl_keys_clear(NULL);
    assert_false(sasl_keys_has(NULL));
    assert_false(keys_find(NULL, &id, &pair));
    assert_int_equal(keys_store(NULL, &id, &pair), XMPP_OK);
}

static int scenario(void *data)
{
    struct sasl_keys *keys = NULL;
    struct keys_id id = id_of("SCRAM-SHA-1", "user", "salt", 4096);
    struct keys_id other = id_of("SCRAM-SHA-1", "user", "pepper", 4096);
    struct derive_keys pair = pair_of(1);

    (void)data;
    int r = sasl_keys_create(&keys);
    if (r < 0)
        return r;
    r = keys_store(keys, &id, &pair);
    if (r == XMPP_OK) {
        r = keys_store(keys, &other, &pair);
        /* the old entry stays when there is no memory for the new one */
        if (r < 0 && !finds(keys, id, 1))
            r = XMPP_ERR_STATE;
    }
    sasl_keys_unref(keys);
    return r;
}

static void test_keys_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

int main(void)
{
    torture_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_find_everything_must_fit),
        cmocka_unit_test(test_keys_store_replaces_per_hash),
        cmocka_unit_test(test_keys_ref_counts),
        cmocka_unit_test(test_keys_null_is_an_empty_store),
        cmocka_unit_test(test_keys_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
