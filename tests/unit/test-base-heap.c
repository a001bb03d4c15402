#include "base/heap.h"

#include <xmpp/error.h>

#include "support/torture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#define NODES 300

static void assert_order(const struct heap *heap)
{
    for (size_t i = 0; i < heap->count; i++) {
        assert_int_equal(heap->nodes[i]->index, i);
        if (i > 0)
            assert_true(heap->nodes[(i - 1) / 2]->at <= heap->nodes[i]->at);
    }
}

static void test_heap_empty(void **state)
{
    struct heap heap;
    struct heap_node node;

    (void)state;
    heap_init(&heap);
    heap_node_init(&node);
    assert_null(heap_first(&heap));
    heap_remove(&heap, &node);
    assert_true(node.index == HEAP_OUT);
    heap_clear(&heap);
}

static void test_heap_sorts(void **state)
{
    struct heap heap;
    struct heap_node nodes[NODES];
    uint64_t last = 0;

    (void)state;
    heap_init(&heap);
    for (unsigned i = 0; i < NODES; i++) {
        heap_node_init(&nodes[i]);
        assert_int_equal(heap_set(&heap, &nodes[i], i * 7919u % 101), XMPP_OK);
        assert_order(&heap);
    }
    for (unsigned i = 0; i < NODES; i++) {
        struct heap_node *first = heap_first(&heap);

        assert_true(first->at >= last);
        last = first->at;
        heap_remove(&heap, first);
        assert_true(first->index == HEAP_OUT);
    }
    assert_null(heap_first(&heap));
    heap_clear(&heap);
}

static void test_heap_move_and_remove_anywhere(void **state)
{
    struct heap heap;
    struct heap_node nodes[NODES];
    uint32_t seed = 1;

    (void)state;
    heap_init(&heap);
    for (int i = 0; i < NODES; i++)
        heap_node_init(&nodes[i]);
    for (int i = 0; i < 20000; i++) {
        struct heap_node *node;

        seed = seed * 1664525 + 1013904223;
        node = &nodes[(seed >> 8) % NODES];
        if (seed >> 30)
            assert_int_equal(heap_set(&heap, node, (seed >> 4) % 1000), XMPP_OK);
        else
            heap_remove(&heap, node);
        if (i % 50 == 0)
            assert_order(&heap);
    }
    assert_order(&heap);
    heap_clear(&heap);
    for (int i = 0; i < NODES; i++)
        assert_true(nodes[i].index == HEAP_OUT);
    assert_null(heap_first(&heap));
}

/* a timer that is set can always be moved */
static void test_heap_move_needs_no_memory(void **state)
{
    struct heap heap;
    struct heap_node nodes[17];

    (void)state;
    heap_init(&heap);
    for (int i = 0; i < 17; i++)
        heap_node_init(&nodes[i]);
    for (int i = 0; i < 16; i++)
        assert_int_equal(heap_set(&heap, &nodes[i], UINT64_MAX), XMPP_OK);
    torture_fail_at(1, true);
    assert_int_equal(heap_set(&heap, &nodes[16], 1), XMPP_ERR_NOMEM);
    assert_true(nodes[16].index == HEAP_OUT);
    assert_int_equal(heap_set(&heap, &nodes[7], 3), XMPP_OK);
    torture_fail_at(0, false);
    assert_ptr_equal(heap_first(&heap), &nodes[7]);
    assert_int_equal(heap.count, 16);
    heap_clear(&heap);
}

static int scenario(void *user_data)
{
    struct heap heap;
    struct heap_node nodes[NODES];
    int r = XMPP_OK;

    (void)user_data;
    heap_init(&heap);
    for (unsigned i = 0; r == XMPP_OK && i < NODES; i++) {
        heap_node_init(&nodes[i]);
        r = heap_set(&heap, &nodes[i], NODES - i);
    }
    assert_order(&heap);
    heap_clear(&heap);
    return r;
}

static void test_heap_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_empty),
        cmocka_unit_test(test_heap_sorts),
        cmocka_unit_test(test_heap_move_and_remove_anywhere),
        cmocka_unit_test(test_heap_move_needs_no_memory),
        cmocka_unit_test(test_heap_out_of_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
