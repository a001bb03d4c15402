#include "base/object.h"

#include "base/list.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

static bool current;
static struct owner_task *deferred;
static unsigned destroyed;

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

static void count_destroy(struct bound *bound)
{
    assert_true(current);
    assert_ptr_equal(bound->owner, &owner);
    destroyed++;
}

static void test_object_counts(void **state)
{
    struct object object;

    (void)state;
    object_init(&object);
    object_ref(&object);
    assert_true(object_try_ref(&object));
    assert_false(object_unref(&object));
    assert_false(object_unref(&object));
    assert_true(object_unref(&object));
    assert_false(object_try_ref(&object)); /* dying */
}

static struct object shared;
static atomic_uint last_seen;

static void *ref_and_unref(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50000; i++) {
        object_ref(&shared);
        if (object_unref(&shared))
            atomic_fetch_add(&last_seen, 1);
    }
    if (object_unref(&shared))
        atomic_fetch_add(&last_seen, 1);
    return NULL;
}

static void test_object_threads_one_last(void **state)
{
    pthread_t threads[4];

    (void)state;
    object_init(&shared);
    for (int i = 0; i < 3; i++)
        object_ref(&shared);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ref_and_unref, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&last_seen), 1);
}

static void test_bound_unref_in_loop_thread(void **state)
{
    struct bound bound;

    (void)state;
    current = true;
    destroyed = 0;
    deferred = NULL;
    bound_init(&bound, &owner, count_destroy);
    bound_ref(&bound);
    assert_true(bound_try_ref(&bound));
    bound_unref(&bound);
    bound_unref(&bound);
    assert_int_equal(destroyed, 0);
    bound_unref(&bound);
    assert_int_equal(destroyed, 1);
    assert_null(deferred);
    assert_false(bound_try_ref(&bound));
}

static void test_bound_unref_elsewhere(void **state)
{
    struct bound bound;

    (void)state;
    current = false;
    destroyed = 0;
    deferred = NULL;
    bound_init(&bound, &owner, count_destroy);
    bound_unref(&bound);
    assert_int_equal(destroyed, 0);
    assert_ptr_equal(deferred, &bound.task);
    assert_false(bound_try_ref(&bound));
    current = true;
    deferred->run(deferred);
    assert_int_equal(destroyed, 1);
}

static void test_list(void **state)
{
    struct list head;
    struct list other;
    struct list a;
    struct list b;
    struct list c;

    (void)state;
    list_init(&head);
    list_init(&other);
    list_init(&a);
    assert_true(list_is_empty(&head));
    assert_false(list_is_linked(&a));
    list_splice(&head, &other);
    assert_true(list_is_empty(&head));
    list_append(&head, &b);
    list_append(&head, &c);
    list_prepend(&head, &a);
    assert_ptr_equal(head.next, &a);
    assert_ptr_equal(a.next, &b);
    assert_ptr_equal(b.next, &c);
    assert_ptr_equal(head.prev, &c);
    assert_true(list_is_linked(&a));
    list_remove(&b);
    assert_false(list_is_linked(&b));
    assert_ptr_equal(a.next, &c);
    assert_ptr_equal(c.prev, &a);
    list_append(&other, &b);
    list_splice(&other, &head);
    assert_true(list_is_empty(&head));
    assert_ptr_equal(other.next, &b);
    assert_ptr_equal(b.next, &a);
    assert_ptr_equal(other.prev, &c);
    assert_ptr_equal(c.next, &other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_object_counts),
        cmocka_unit_test(test_object_threads_one_last),
        cmocka_unit_test(test_bound_unref_in_loop_thread),
        cmocka_unit_test(test_bound_unref_elsewhere),
        cmocka_unit_test(test_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
