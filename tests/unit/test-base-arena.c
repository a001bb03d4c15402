#include "base/arena.h"

#include <xmpp/error.h>

#include "support/torture.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

static void test_arena_alloc_aligned_and_apart(void **state)
{
    struct arena *arena;
    unsigned char *blocks[500];

    (void)state;
    assert_int_equal(arena_create(&arena), XMPP_OK);
    for (size_t i = 0; i < 500; i++) {
        blocks[i] = arena_alloc(arena, i);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        memset(blocks[i], (int)(i & 0xFF), i);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t n = 0; n < i; n++)
            assert_int_equal(blocks[i][n], i & 0xFF);
    assert_ptr_not_equal(arena_alloc(arena, 0), arena_alloc(arena, 0));
    assert_null(arena_free(arena));
    assert_null(arena_free(NULL));
}

static void test_arena_small_tree_costs_nothing(void **state)
{
    struct arena *arena;

    (void)state;
    assert_int_equal(arena_create(&arena), XMPP_OK);
    arena_free(arena);
    torture_fail_at(0, false);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(arena_create(&arena), XMPP_OK);
        assert_non_null(arena_alloc(arena, 3000));
        assert_int_equal(arena_get_size(arena), 4096);
        arena_free(arena);
    }
    assert_int_equal(torture_count(), 0);
}

static void test_arena_cache_is_bounded(void **state)
{
    struct arena *arenas[40];
    size_t before;

    (void)state;
    arena_cache_trim();
    before = torture_live_blocks();
    for (int i = 0; i < 40; i++)
        assert_int_equal(arena_create(&arenas[i]), XMPP_OK);
    assert_int_equal(torture_live_blocks(), before + 40);
    for (int i = 0; i < 40; i++)
        arena_free(arenas[i]);
    assert_int_equal(torture_live_blocks(), before + 16);
    arena_cache_trim();
    assert_int_equal(torture_live_blocks(), before);
}

static void test_arena_blocks_grow(void **state)
{
    struct arena *arena;
    size_t before = torture_live_blocks();

    (void)state;
    assert_int_equal(arena_create(&arena), XMPP_OK);
    torture_fail_at(0, false);
    for (int i = 0; i < 10000; i++)
        assert_non_null(arena_alloc(arena, 100));
    /* 1.12 MB: 8 + 16 + 32 KiB, then 64 KiB each */
    assert_in_range(torture_count(), 10, 25);
    assert_in_range(arena_get_size(arena), 1120000, 1300000);
    arena_free(arena);
    arena_cache_trim();
    assert_in_range(torture_live_blocks(), 0, before);
}

/* A tree that needs a second block takes that of the one before; what it counts is the same. */
static void test_arena_large_tree_costs_nothing(void **state)
{
    static const size_t sizes[] = {50000, 3000, 9000, 50000, 20000};
    size_t first = 0;

    (void)state;
    arena_cache_trim();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct arena *arena;

        torture_fail_at(0, false);
        assert_int_equal(arena_create(&arena), XMPP_OK);
        memset(arena_alloc(arena, sizes[i]), 'x', sizes[i]);
        if (i == 0)
            first = arena_get_size(arena);
        else
            assert_int_equal(torture_count(), 0);
        if (sizes[i] == sizes[0])
            assert_int_equal(arena_get_size(arena), first);
        else
            assert_in_range(arena_get_size(arena), 4096, first - 1);
        arena_free(arena);
    }
    arena_spare_trim();
    assert_int_equal(torture_live_blocks(), 1);
    arena_cache_trim();
    assert_int_equal(torture_live_blocks(), 0);
}

static void test_arena_alloc_large(void **state)
{
    struct arena *arena;
    char *large;

    (void)state;
    assert_int_equal(arena_create(&arena), XMPP_OK);
    large = arena_alloc(arena, 1000000);
    assert_non_null(large);
    memset(large, 'x', 1000000);
    assert_true(arena_get_size(arena) >= 1004096);
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_null(arena_alloc(arena, SIZE_MAX - 15));
    assert_null(arena_strndup(arena, "x", SIZE_MAX));
    assert_null(arena_grow(arena, large, 1000000, SIZE_MAX));
    assert_null(arena_grow(arena, large, 1000000, SIZE_MAX / 2 + 1));
    assert_non_null(arena_alloc(arena, 1));
    arena_free(arena);
}

static void test_arena_strndup(void **state)
{
    struct arena *arena;

    (void)state;
    assert_int_equal(arena_create(&arena), XMPP_OK);
    assert_string_equal(arena_strndup(arena, "hello", 3), "hel");
    assert_string_equal(arena_strndup(arena, NULL, 0), "");
    assert_memory_equal(arena_strndup(arena, "a\0b", 3), "a\0b", 4);
    arena_free(arena);
}

static void test_arena_grow_in_place(void **state)
{
    struct arena *arena;
    char *text;

    (void)state;
    assert_int_equal(arena_create(&arena), XMPP_OK);
    text = arena_grow(arena, NULL, 0, 5);
    memcpy(text, "hello", 5);
    assert_ptr_equal(arena_grow(arena, text, 5, 1000), text);
    memset(text + 5, 'x', 995);
    assert_ptr_equal(arena_grow(arena, text, 1000, 1000), text);
    /* the next allocation is behind it */
    assert_true((char *)arena_alloc(arena, 1) >= text + 1000);
    assert_memory_equal(text, "hellox", 6);
    arena_free(arena);
}

static void test_arena_grow_moves(void **state)
{
    struct arena *arena;
    char *text;
    char *moved;

    (void)state;
    assert_int_equal(arena_create(&arena), XMPP_OK);
    text = arena_grow(arena, NULL, 0, 5);
    memcpy(text, "hello", 5);
    memset(arena_alloc(arena, 16), '~', 16); /* text is not the last one any more */
    moved = arena_grow(arena, text, 5, 50);
    assert_ptr_not_equal(moved, text);
    assert_memory_equal(moved, "hello", 5);
    memset(moved + 5, 'x', 45);
    assert_ptr_equal(arena_grow(arena, moved, 50, 100), moved);
    arena_free(arena);
}

static void test_arena_grow_amortised(void **state)
{
    struct arena *arena;
    char *text = NULL;
    size_t moves = 0;

    (void)state;
    assert_int_equal(arena_create(&arena), XMPP_OK);
    for (size_t len = 0; len < 1000000; len++) {
        char *bigger = arena_grow(arena, text, len, len + 1);

        assert_non_null(bigger);
        moves += bigger != text;
        text = bigger;
        text[len] = (char)('a' + len % 26);
    }
    for (size_t i = 0; i < 1000000; i++)
        assert_int_equal(text[i], 'a' + i % 26);
    assert_in_range(moves, 2, 12);
    assert_true(arena_get_size(arena) < 5000000);
    arena_free(arena);
}

static int scenario(void *user_data)
{
    struct arena *arena;
    char *text;
    char *bigger;
    int r = XMPP_ERR_NOMEM;

    (void)user_data;
    if (arena_create(&arena) < 0)
        return XMPP_ERR_NOMEM;
    text = arena_strndup(arena, "text", 4);
    assert_non_null(text); /* fits into the first block */
    bigger = arena_grow(arena, text, 4, 10000);
    assert_string_equal(text, "text"); /* also when it has failed */
    if (bigger && arena_alloc(arena, 70000) && arena_alloc(arena, 5000))
        r = XMPP_OK;
    arena_free(arena);
    return r;
}

static void test_arena_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

static void *churn(void *arg)
{
    for (size_t i = 0; i < 20000; i++) {
        struct arena *arena;
        uintptr_t *mine;

        if (arena_create(&arena) < 0)
            return NULL;
        mine = arena_alloc(arena, sizeof *mine);
        if (!mine)
            return NULL;
        *(volatile uintptr_t *)mine = (uintptr_t)arg + i;
        if (*(volatile uintptr_t *)mine != (uintptr_t)arg + i)
            return NULL;
        arena_free(arena);
    }
    return arg;
}

static void test_arena_cache_threads(void **state)
{
    pthread_t threads[4];
    char mark[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &mark[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *result;

        pthread_join(threads[i], &result);
        assert_ptr_equal(result, &mark[i]);
    }
    arena_cache_trim();
    assert_int_equal(torture_live_blocks(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_alloc_aligned_and_apart),
        cmocka_unit_test(test_arena_small_tree_costs_nothing),
        cmocka_unit_test(test_arena_cache_is_bounded),
        cmocka_unit_test(test_arena_blocks_grow),
        cmocka_unit_test(test_arena_large_tree_costs_nothing),
        cmocka_unit_test(test_arena_alloc_large),
        cmocka_unit_test(test_arena_strndup),
        cmocka_unit_test(test_arena_grow_in_place),
        cmocka_unit_test(test_arena_grow_moves),
        cmocka_unit_test(test_arena_grow_amortised),
        cmocka_unit_test(test_arena_out_of_memory),
        cmocka_unit_test(test_arena_cache_threads),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
