#include "base/slot.h"

#include <xmpp/error.h>

#include "base/list.h"
#include "base/mem.h"
#include "support/torture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdbool.h>

/* --- a registry as the layers above have one, and an owner without a loop --- */

static bool current = true;
static struct owner_task *deferred;

static bool fake_is_current(const struct owner *owner)
{
    (void)owner;
    return current;
}

static void fake_defer(struct owner *owner, struct owner_task *task)
{
    (void)owner;
    task->next = deferred;
    deferred = task;
}

static struct owner owner = {fake_is_current, fake_defer};

static void run_deferred(void)
{
    current = true;
    while (deferred) {
        struct owner_task *task = deferred;

        deferred = task->next;
        task->run(task);
    }
}

struct reg {
    xmpp_slot slot;
    struct list link;
    void (*fn)(struct reg *reg, void *user_data);
};

static struct list registry;
static unsigned cancels;
static unsigned frees;
static unsigned destroys;
static unsigned calls;

static void reg_cancel(xmpp_slot *slot)
{
    assert_false(xmpp_slot_is_active(slot));
    assert_int_equal(destroys, 0); /* user_data is still good */
    list_remove(&((struct reg *)slot)->link);
    cancels++;
}

static void reg_free(xmpp_slot *slot)
{
    assert_false(xmpp_slot_is_active(slot));
    assert_int_equal(destroys, 1);
    frees++;
    mem_free(slot);
}

static int matched;

static int reg_match_type(xmpp_slot *slot, const char *type)
{
    (void)slot;
    matched = type[0];
    return XMPP_OK;
}

static int reg_match_from(xmpp_slot *slot, const xmpp_jid *jid, int bare)
{
    (void)slot;
    (void)jid;
    matched = bare;
    return XMPP_OK;
}

static int reg_match_id(xmpp_slot *slot, const char *id)
{
    return reg_match_type(slot, id);
}

static int reg_set_priority(xmpp_slot *slot, int priority)
{
    (void)slot;
    matched = priority;
    return XMPP_ERR_STATE;
}

static const struct slot_ops plain_ops = {.cancel = reg_cancel, .free = reg_free};
static const struct slot_ops handler_ops = {
    .cancel = reg_cancel,
    .free = reg_free,
    .match_type = reg_match_type,
    .match_from = reg_match_from,
    .match_id = reg_match_id,
    .set_priority = reg_set_priority,
};

static struct reg *reg_add(const struct slot_ops *ops, xmpp_slot **ret_slot,
                           void (*fn)(struct reg *reg, void *user_data), void *user_data,
                           xmpp_destroy_fn destroy)
{
    struct reg *reg = mem_zalloc(sizeof *reg);

    assert_non_null(reg);
    slot_init(&reg->slot, ops, &owner, user_data, destroy, ret_slot != NULL);
    reg->fn = fn;
    list_append(&registry, &reg->link);
    if (ret_slot)
        *ret_slot = &reg->slot;
    return reg;
}

static void reg_fire(struct reg *reg)
{
    slot_hold(&reg->slot);
    if (reg->slot.active)
        reg->fn(reg, reg->slot.user_data);
    slot_release(&reg->slot);
}

/* the registry dies */
static void reg_drop(struct reg *reg)
{
    list_remove(&reg->link);
    slot_retire(&reg->slot);
}

static void on_destroy(void *user_data)
{
    assert_ptr_equal(user_data, &calls);
    destroys++;
}

static void on_call(struct reg *reg, void *user_data)
{
    (void)reg;
    assert_ptr_equal(user_data, &calls);
    assert_int_equal(destroys, 0);
    calls++;
}

static int set_up(void **state)
{
    (void)state;
    list_init(&registry);
    current = true;
    deferred = NULL;
    cancels = 0;
    frees = 0;
    destroys = 0;
    calls = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return list_is_empty(&registry) && !deferred && torture_live_blocks() == 0 ? 0 : -1;
}

static void assert_counts(unsigned cancel, unsigned destroy, unsigned free_)
{
    assert_int_equal(cancels, cancel);
    assert_int_equal(destroys, destroy);
    assert_int_equal(frees, free_);
}

/* --- the tests --- */

static void test_slot_null(void **state)
{
    (void)state;
    assert_null(xmpp_slot_ref(NULL));
    assert_null(xmpp_slot_unref(NULL));
    assert_int_equal(xmpp_slot_cancel(NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_slot_is_active(NULL), 0);
    assert_int_equal(xmpp_slot_match_type(NULL, "chat"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_slot_match_from(NULL, NULL, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_slot_match_id(NULL, "x"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_slot_set_priority(NULL, 0), XMPP_ERR_INVAL);
}

static void test_slot_last_unref_unregisters(void **state)
{
    xmpp_slot *slot;
    struct reg *reg = reg_add(&plain_ops, &slot, on_call, &calls, on_destroy);

    (void)state;
    assert_int_equal(xmpp_slot_is_active(slot), 1);
    assert_ptr_equal(xmpp_slot_ref(slot), slot);
    assert_null(xmpp_slot_unref(slot));
    reg_fire(reg);
    assert_int_equal(calls, 1);
    assert_counts(0, 0, 0);
    xmpp_slot_unref(slot);
    assert_counts(1, 1, 1);
}

static void test_slot_cancel_keeps_handle(void **state)
{
    xmpp_slot *slot;

    (void)state;
    reg_add(&plain_ops, &slot, on_call, &calls, on_destroy);
    assert_int_equal(xmpp_slot_cancel(slot), XMPP_OK);
    assert_counts(1, 1, 0);
    assert_int_equal(xmpp_slot_is_active(slot), 0);
    assert_int_equal(xmpp_slot_cancel(slot), XMPP_OK); /* again */
    assert_counts(1, 1, 0);
    xmpp_slot_unref(slot);
    assert_counts(1, 1, 1);
}

static void test_slot_without_destroy(void **state)
{
    xmpp_slot *slot;

    (void)state;
    reg_add(&plain_ops, &slot, on_call, &calls, NULL);
    destroys = 1; /* what reg_free() looks for */
    cancels = 0;
    slot->active = false; /* the registry lost interest */
    list_remove(&((struct reg *)slot)->link);
    slot_release(slot);
    xmpp_slot_unref(slot);
    assert_counts(0, 1, 1);
}

static void test_slot_floating_lives_until_retired(void **state)
{
    struct reg *reg = reg_add(&plain_ops, NULL, on_call, &calls, on_destroy);

    (void)state;
    reg_fire(reg);
    reg_fire(reg);
    assert_int_equal(calls, 2);
    assert_counts(0, 0, 0);
    reg_drop(reg);
    assert_counts(0, 1, 1);
}

static void test_slot_retire_keeps_handle(void **state)
{
    xmpp_slot *slot;
    struct reg *reg = reg_add(&plain_ops, &slot, on_call, &calls, on_destroy);

    (void)state;
    reg_drop(reg);
    assert_counts(0, 1, 0);
    assert_int_equal(xmpp_slot_is_active(slot), 0);
    slot_hold(slot);
    slot_retire(slot); /* no effect on an inactive slot */
    slot_release(slot);
    assert_int_equal(xmpp_slot_cancel(slot), XMPP_OK);
    assert_counts(0, 1, 0);
    xmpp_slot_unref(slot);
    assert_counts(0, 1, 1);
}

static void cancel_self(struct reg *reg, void *user_data)
{
    assert_int_equal(xmpp_slot_cancel(&reg->slot), XMPP_OK);
    /* still in use by this call */
    assert_counts(1, 0, 0);
    on_call(reg, user_data);
}

static void test_slot_cancel_inside_callback(void **state)
{
    xmpp_slot *slot;
    struct reg *reg = reg_add(&plain_ops, &slot, cancel_self, &calls, on_destroy);

    (void)state;
    reg_fire(reg);
    assert_counts(1, 1, 0);
    reg_fire(reg); /* its event was already pending: never called again */
    assert_int_equal(calls, 1);
    xmpp_slot_unref(slot);
    assert_counts(1, 1, 1);
}

static void unref_self(struct reg *reg, void *user_data)
{
    xmpp_slot_unref(&reg->slot);
    assert_counts(1, 0, 0);
    on_call(reg, user_data);
}

static void test_slot_unref_inside_callback(void **state)
{
    xmpp_slot *slot;
    struct reg *reg = reg_add(&plain_ops, &slot, unref_self, &calls, on_destroy);

    (void)state;
    reg_fire(reg);
    assert_int_equal(calls, 1);
    assert_counts(1, 1, 1);
}

static void drop_all(struct reg *reg, void *user_data)
{
    reg_drop(reg); /* the client was destroyed by the callback */
    assert_counts(0, 0, 0);
    on_call(reg, user_data);
}

static void test_slot_registry_dies_inside_callback(void **state)
{
    struct reg *reg = reg_add(&plain_ops, NULL, drop_all, &calls, on_destroy);

    (void)state;
    reg_fire(reg);
    assert_counts(0, 1, 1);
}

/* one-shot: the registry lets go before the only call */
static void test_slot_retire_before_last_call(void **state)
{
    xmpp_slot *slot;
    struct reg *reg = reg_add(&plain_ops, &slot, on_call, &calls, on_destroy);

    (void)state;
    slot_hold(slot);
    reg_drop(reg);
    assert_int_equal(xmpp_slot_is_active(slot), 0);
    reg->fn(reg, reg->slot.user_data);
    assert_counts(0, 0, 0);
    slot_release(slot);
    assert_counts(0, 1, 0);
    xmpp_slot_unref(slot);
    assert_counts(0, 1, 1);
}

static xmpp_slot *victim;

static void destroy_drops_handle(void *user_data)
{
    (void)user_data;
    destroys++;
    assert_int_equal(xmpp_slot_cancel(victim), XMPP_OK);
    victim = xmpp_slot_unref(victim);
    assert_int_equal(frees, 0); /* not under our feet */
}

static void test_slot_destroy_drops_last_handle(void **state)
{
    (void)state;
    reg_add(&plain_ops, &victim, on_call, &calls, destroy_drops_handle);
    assert_int_equal(xmpp_slot_cancel(victim), XMPP_OK);
    assert_counts(1, 1, 1);
}

static void test_slot_unref_in_other_thread(void **state)
{
    xmpp_slot *slot;
    struct reg *reg = reg_add(&plain_ops, &slot, on_call, &calls, on_destroy);

    (void)state;
    current = false;
    xmpp_slot_unref(slot);
    assert_counts(0, 0, 0);
    current = true;
    reg_fire(reg); /* not cancelled yet */
    assert_int_equal(calls, 1);
    run_deferred();
    assert_counts(1, 1, 1);
}

static void test_slot_retired_while_unref_is_deferred(void **state)
{
    xmpp_slot *slot;
    struct reg *reg = reg_add(&plain_ops, &slot, on_call, &calls, on_destroy);

    (void)state;
    current = false;
    xmpp_slot_unref(slot);
    current = true;
    reg_drop(reg);
    assert_counts(0, 1, 0); /* the deferred task still refers to it */
    run_deferred();
    assert_counts(0, 1, 1);
}

static void test_slot_match_passes_to_ops(void **state)
{
    int dummy;
    const xmpp_jid *jid = (const xmpp_jid *)&dummy;
    xmpp_slot *slot;

    (void)state;
    reg_add(&handler_ops, &slot, on_call, &calls, on_destroy);
    assert_int_equal(xmpp_slot_match_type(slot, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_slot_match_from(slot, NULL, 1), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_slot_match_id(slot, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_slot_match_type(slot, "chat"), XMPP_OK);
    assert_int_equal(matched, 'c');
    assert_int_equal(xmpp_slot_match_from(slot, jid, 1), XMPP_OK);
    assert_int_equal(matched, 1);
    assert_int_equal(xmpp_slot_match_id(slot, "id"), XMPP_OK);
    assert_int_equal(matched, 'i');
    assert_int_equal(xmpp_slot_set_priority(slot, -5), XMPP_ERR_STATE); /* the ops' own answer */
    assert_int_equal(matched, -5);

    xmpp_slot_cancel(slot);
    matched = 0;
    assert_int_equal(xmpp_slot_match_type(slot, "chat"), XMPP_ERR_STATE);
    assert_int_equal(xmpp_slot_match_from(slot, jid, 1), XMPP_ERR_STATE);
    assert_int_equal(xmpp_slot_match_id(slot, "id"), XMPP_ERR_STATE);
    assert_int_equal(xmpp_slot_set_priority(slot, 1), XMPP_ERR_STATE);
    assert_int_equal(matched, 0);
    xmpp_slot_unref(slot);
}

static void test_slot_match_not_a_handler(void **state)
{
    int dummy;
    xmpp_slot *slot;

    (void)state;
    reg_add(&plain_ops, &slot, on_call, &calls, on_destroy);
    assert_int_equal(xmpp_slot_match_type(slot, "chat"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_slot_match_from(slot, (const xmpp_jid *)&dummy, 0), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_slot_match_id(slot, "id"), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_slot_set_priority(slot, 1), XMPP_ERR_INVAL);
    xmpp_slot_unref(slot);
}

#define SLOT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLOT_TEST(test_slot_null),
        SLOT_TEST(test_slot_last_unref_unregisters),
        SLOT_TEST(test_slot_cancel_keeps_handle),
        SLOT_TEST(test_slot_without_destroy),
        SLOT_TEST(test_slot_floating_lives_until_retired),
        SLOT_TEST(test_slot_retire_keeps_handle),
        SLOT_TEST(test_slot_cancel_inside_callback),
        SLOT_TEST(test_slot_unref_inside_callback),
        SLOT_TEST(test_slot_registry_dies_inside_callback),
        SLOT_TEST(test_slot_retire_before_last_call),
        SLOT_TEST(test_slot_destroy_drops_last_handle),
        SLOT_TEST(test_slot_unref_in_other_thread),
        SLOT_TEST(test_slot_retired_while_unref_is_deferred),
        SLOT_TEST(test_slot_match_passes_to_ops),
        SLOT_TEST(test_slot_match_not_a_handler),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
