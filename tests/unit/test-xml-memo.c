#include "xml/memo.h"

#include "support/torture.h"
#include "xml-tools.h"

static char keys[5000];

static void test_memo_find_unknown(void **state)
{
    struct memo memo;

    (void)state;
    memo_init(&memo);
    assert_null(memo_find(&memo, &keys[0]));
    assert_int_equal(memo_set(&memo, &keys[0], "a", 0), XMPP_OK);
    assert_null(memo_find(&memo, &keys[1]));
    memo_clear(&memo);
}

static void test_memo_next_round_keeps_what_is_for_every_tree(void **state)
{
    struct memo memo;

    (void)state;
    memo_init(&memo);
    assert_int_equal(memo_set(&memo, &keys[0], "known", 1), XMPP_OK);
    assert_int_equal(memo_set(&memo, &keys[1], "unknown", 0), XMPP_OK);
    assert_string_equal(memo_find(&memo, &keys[1]), "unknown");
    memo_next_round(&memo);
    assert_string_equal(memo_find(&memo, &keys[0]), "known");
    assert_null(memo_find(&memo, &keys[1]));
    assert_int_equal(memo_set(&memo, &keys[1], "again", 0), XMPP_OK);
    assert_string_equal(memo_find(&memo, &keys[1]), "again");
    assert_int_equal(memo.count, 2);

    memo.round = UINT32_MAX;
    memo_next_round(&memo);
    assert_null(memo_find(&memo, &keys[0]));
    memo_clear(&memo);
}

static int fill(void *data)
{
    struct memo memo;
    int r = XMPP_OK;

    (void)data;
    memo_init(&memo);
    for (size_t i = 0; i < sizeof keys && r == XMPP_OK; i++)
        r = memo_set(&memo, &keys[i], &keys[i], (int)(i % 2));
    for (size_t i = 0; i < sizeof keys && r == XMPP_OK; i++)
        assert_ptr_equal(memo_find(&memo, &keys[i]), &keys[i]);
    memo_clear(&memo);
    return r;
}

static void test_memo_set_many(void **state)
{
    (void)state;
    assert_int_equal(torture_run(fill, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memo_find_unknown),
        cmocka_unit_test(test_memo_next_round_keeps_what_is_for_every_tree),
        cmocka_unit_test(test_memo_set_many),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
