#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/torture.h"

#include <xmpp/xmpp.h>

static xmpp_loop *loop;
static xmpp_client *client;

static int setup(void **state)
{
    (void)state;
    return xmpp_loop_create(&loop) || xmpp_client_create(&client, loop);
}

static int teardown(void **state)
{
    (void)state;
    xmpp_client_unref(client);
    xmpp_loop_unref(loop);
    return 0;
}

static void test_add_feature_lists_each_once(void **state)
{
    xmpp_slot *first;
    xmpp_slot *second;

    (void)state;
    assert_int_equal(xmpp_client_add_feature(client, &first, "a"), XMPP_OK);
    assert_int_equal(xmpp_client_add_feature(client, NULL, "b"), XMPP_OK);
    assert_int_equal(xmpp_client_add_feature(client, &second, "a"), XMPP_OK);
    assert_int_equal(xmpp_client_count_features(client), 2);
    assert_string_equal(xmpp_client_get_feature_at(client, 0), "a");
    assert_string_equal(xmpp_client_get_feature_at(client, 1), "b");
    assert_null(xmpp_client_get_feature_at(client, 2));
    /* the second registration of the same keeps it listed */
    assert_int_equal(xmpp_slot_cancel(first), XMPP_OK);
    assert_int_equal(xmpp_client_count_features(client), 2);
    assert_string_equal(xmpp_client_get_feature_at(client, 1), "a");
    second = xmpp_slot_unref(second);
    assert_int_equal(xmpp_client_count_features(client), 1);
    assert_int_equal(xmpp_slot_cancel(first), XMPP_OK);
    xmpp_slot_unref(first);
}

static void test_add_feature_wrong_arguments(void **state)
{
    (void)state;
    assert_int_equal(xmpp_client_add_feature(NULL, NULL, "a"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_add_feature(client, NULL, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_add_feature(client, NULL, ""), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_add_feature(client, NULL, "a\xff"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_client_count_features(client), 0);
    assert_int_equal(xmpp_client_count_features(NULL), 0);
    assert_null(xmpp_client_get_feature_at(NULL, 0));
}

static void test_slot_outlives_client(void **state)
{
    xmpp_slot *slot;

    (void)state;
    assert_int_equal(xmpp_client_add_feature(client, &slot, "a"), XMPP_OK);
    client = xmpp_client_unref(client);
    assert_false(xmpp_slot_is_active(slot));
    loop = xmpp_loop_unref(loop);
    xmpp_slot_unref(slot);
}

static int scenario(void *user_data)
{
    xmpp_slot *slot = NULL;
    xmpp_client *c = NULL;
    int r = xmpp_client_create(&c, loop);

    (void)user_data;
    if (r >= 0)
        r = xmpp_client_add_feature(c, &slot, "a");
    if (r >= 0)
        r = xmpp_client_add_feature(c, NULL, "b");
    xmpp_client_unref(c);
    xmpp_slot_unref(slot);
    return r;
}

static void test_torture(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_add_feature_lists_each_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_add_feature_wrong_arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slot_outlives_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torture, setup, teardown),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
