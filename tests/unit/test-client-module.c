#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "support/torture.h"

#include <xmpp/xmpp.h>

static xmpp_loop *loop;
static xmpp_client *client;
static int created;
static int destroyed;
static pthread_t destroyer;

static int setup(void **state)
{
    (void)state;
    created = 0;
    destroyed = 0;
    return xmpp_loop_create(&loop) || xmpp_client_create(&client, loop);
}

static int teardown(void **state)
{
    (void)state;
    xmpp_client_unref(client);
    xmpp_loop_unref(loop);
    return 0;
}

static int create(xmpp_module *module, xmpp_client *c, void **ret_data)
{
    assert_ptr_equal(xmpp_module_get_client(module), c);
    created++;
    *ret_data = &created;
    return XMPP_OK;
}

static void destroy(void *data)
{
    assert_ptr_equal(data, &created);
    destroyed++;
    destroyer = pthread_self();
}

static int create_failing(xmpp_module *module, xmpp_client *c, void **ret_data)
{
    (void)module;
    (void)c;
    (void)ret_data;
    return XMPP_ERR_LIMIT;
}

static int create_recursive(xmpp_module *module, xmpp_client *c, void **ret_data)
{
    xmpp_module *again = NULL;

    (void)module;
    *ret_data = NULL;
    assert_int_equal(xmpp_module_attach(&again, c, "m", create_recursive, NULL), XMPP_ERR_BUSY);
    assert_null(again);
    return XMPP_OK;
}

static void test_attach_gets_or_creates(void **state)
{
    xmpp_module *first;
    xmpp_module *second;
    xmpp_module *other;

    (void)state;
    assert_int_equal(xmpp_module_attach(&first, client, "m", create, destroy), XMPP_OK);
    assert_int_equal(xmpp_module_attach(&second, client, "m", create, destroy), XMPP_OK);
    assert_int_equal(xmpp_module_attach(&other, client, "n", create, destroy), XMPP_OK);
    assert_ptr_equal(first, second);
    assert_ptr_not_equal(first, other);
    assert_int_equal(created, 2);
    assert_ptr_equal(xmpp_module_get_data(first), &created);
    assert_ptr_equal(xmpp_module_ref(first), first);
    xmpp_module_unref(first);
    xmpp_module_unref(first);
    assert_int_equal(destroyed, 0);
    xmpp_module_unref(second);
    assert_int_equal(destroyed, 1);
    assert_int_equal(xmpp_module_attach(&first, client, "m", create, destroy), XMPP_OK);
    assert_int_equal(created, 3);
    xmpp_module_unref(first);
    xmpp_module_unref(other);
    assert_int_equal(destroyed, 3);
}

static void test_attach_fails(void **state)
{
    xmpp_module *module = NULL;

    (void)state;
    assert_int_equal(xmpp_module_attach(NULL, client, "m", create, destroy), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_module_attach(&module, NULL, "m", create, destroy), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_module_attach(&module, client, "", create, destroy), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_module_attach(&module, client, "m", NULL, destroy), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_module_attach(&module, client, "m", create_failing, destroy),
                     XMPP_ERR_LIMIT);
    assert_null(module);
    assert_int_equal(destroyed, 0);
    assert_int_equal(xmpp_module_attach(&module, client, "m", create_recursive, NULL), XMPP_OK);
    assert_null(xmpp_module_unref(module));
    assert_null(xmpp_module_unref(NULL));
}

static void test_module_pins_client(void **state)
{
    xmpp_module *module;

    (void)state;
    assert_int_equal(xmpp_module_attach(&module, client, "m", create, destroy), XMPP_OK);
    client = xmpp_client_unref(client);
    assert_non_null(xmpp_client_get_loop(xmpp_module_get_client(module)));
    xmpp_module_unref(module);
    assert_int_equal(destroyed, 1);
}

static void *drop(void *module)
{
    xmpp_module_unref(module);
    return NULL;
}

static void test_unref_in_another_thread(void **state)
{
    xmpp_module *module;
    xmpp_module *fresh;
    pthread_t thread;

    (void)state;
    assert_int_equal(xmpp_module_attach(&module, client, "m", create, destroy), XMPP_OK);
    assert_true(xmpp_loop_step(loop, 0) >= 0);
    assert_int_equal(pthread_create(&thread, NULL, drop, module), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(destroyed, 0);
    /* the old one only waits to be destroyed */
    assert_int_equal(xmpp_module_attach(&fresh, client, "m", create, destroy), XMPP_OK);
    assert_int_equal(created, 2);
    while (destroyed == 0)
        assert_true(xmpp_loop_step(loop, -1) >= 0);
    assert_true(pthread_equal(destroyer, pthread_self()));
    xmpp_module_unref(fresh);
}

static int scenario(void *user_data)
{
    xmpp_module *module = NULL;
    xmpp_client *c = NULL;
    int r = xmpp_client_create(&c, loop);

    (void)user_data;
    if (r >= 0)
        r = xmpp_module_attach(&module, c, "m", create, destroy);
    xmpp_client_unref(c);
    xmpp_module_unref(module);
    return r;
}

static void test_torture(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
    assert_int_equal(created, destroyed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_attach_gets_or_creates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attach_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_module_pins_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unref_in_another_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torture, setup, teardown),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
