#include "base/mem.h"

#include <xmpp/error.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned frees;
static size_t last_size;

static void *counting_realloc(void *ptr, size_t size, void *user_data)
{
    assert_ptr_equal(user_data, &frees);
    if (size == 0) {
        frees++;
        free(ptr);
        return NULL;
    }
    last_size = size;
    return realloc(ptr, size);
}

static bool default_allocator_works(void)
{
    char *ptr = mem_alloc(10);
    bool is_good;

    if (!ptr || xmpp_mem_set_allocator(counting_realloc, &frees) != XMPP_ERR_STATE)
        return false;
    memcpy(ptr, "abcdefghi", 10);
    ptr = mem_realloc(ptr, 100000);
    is_good = ptr && strcmp(ptr, "abcdefghi") == 0 && (uintptr_t)ptr % _Alignof(max_align_t) == 0;
    mem_free(ptr);
    return is_good && frees == 0;
}

/* The allocator is chosen once in the life of a process, so this one lives in a child. */
static void test_default_allocator(void **state)
{
    pid_t child = fork();
    int status;

    (void)state;
    assert_true(child >= 0);
    if (child == 0)
        _exit(default_allocator_works() ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* runs before what allocates: the state is that of the process */
static void test_set_allocator_before_and_after_use(void **state)
{
    void *ptr;

    (void)state;
    assert_int_equal(xmpp_mem_set_allocator(NULL, NULL), XMPP_ERR_INVAL);
    assert_int_equal(xmpp_mem_set_allocator(counting_realloc, NULL), XMPP_OK);
    assert_int_equal(xmpp_mem_set_allocator(counting_realloc, &frees), XMPP_OK);
    ptr = mem_alloc(100);
    assert_non_null(ptr);
    assert_int_equal(last_size, 100);
    assert_int_equal(xmpp_mem_set_allocator(counting_realloc, NULL), XMPP_ERR_STATE);
    frees = 0;
    assert_null(xmpp_mem_free(ptr));
    assert_int_equal(frees, 1);
    assert_int_equal(xmpp_mem_set_allocator(counting_realloc, NULL), XMPP_ERR_STATE);
}

static void test_mem_free_null(void **state)
{
    (void)state;
    frees = 0;
    assert_null(mem_free(NULL));
    assert_null(xmpp_mem_free(NULL));
    assert_int_equal(frees, 0);
}

static void test_mem_alloc_zero_size(void **state)
{
    void *a = mem_alloc(0);
    void *b = mem_alloc(0);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    mem_free(a);
    mem_free(b);
}

static void test_mem_zalloc_is_zero(void **state)
{
    static const char zero[64];
    void *dirty = mem_alloc(64);
    void *ptr;

    (void)state;
    memset(dirty, 0xAA, 64);
    mem_free(dirty);
    ptr = mem_zalloc(64);
    assert_memory_equal(ptr, zero, 64);
    mem_free(ptr);
    ptr = mem_zalloc_array(8, 8);
    assert_int_equal(last_size, 64);
    assert_memory_equal(ptr, zero, 64);
    mem_free(ptr);
}

static void test_mem_zalloc_array_overflow(void **state)
{
    (void)state;
    last_size = 0;
    assert_null(mem_zalloc_array(SIZE_MAX / 2, 3));
    assert_int_equal(last_size, 0);
}

static void test_mem_realloc_keeps_content(void **state)
{
    char *ptr = mem_realloc(NULL, 4);

    (void)state;
    memcpy(ptr, "abc", 4);
    ptr = mem_realloc(ptr, 4000);
    assert_string_equal(ptr, "abc");
    mem_free(ptr);
}

static void test_mem_copies(void **state)
{
    char *str = mem_strdup("hello");
    char *part = mem_strndup("hello", 3);
    char *zeros = mem_strndup("a\0b", 3);
    char *empty = mem_strndup(NULL, 0);
    uint8_t *data = mem_dup("\1\2\3", 3);
    void *nothing = mem_dup(NULL, 0);

    (void)state;
    assert_string_equal(str, "hello");
    assert_string_equal(part, "hel");
    assert_memory_equal(zeros, "a\0b", 4);
    assert_string_equal(empty, "");
    assert_memory_equal(data, "\1\2\3", 3);
    assert_non_null(nothing);
    assert_null(mem_strndup("x", SIZE_MAX));
    mem_free(str);
    mem_free(part);
    mem_free(zeros);
    mem_free(empty);
    mem_free(data);
    mem_free(nothing);
}

static void test_size_arithmetic(void **state)
{
    size_t n = 7;

    (void)state;
    assert_true(size_add(SIZE_MAX - 1, 1, &n));
    assert_true(n == SIZE_MAX);
    assert_false(size_add(SIZE_MAX, 1, &n));
    assert_true(size_mul(SIZE_MAX / 2, 2, &n));
    assert_true(n == SIZE_MAX - 1);
    assert_false(size_mul(SIZE_MAX / 2 + 1, 2, &n));
    assert_true(size_mul(SIZE_MAX, 0, &n));
    assert_true(n == 0);
}

static char *make(bool keep)
{
    CLEANUP(mem_freep) char *str = mem_strdup("x");

    return keep ? STEAL(str) : NULL;
}

static void test_cleanup_and_steal(void **state)
{
    char *str;

    (void)state;
    frees = 0;
    assert_null(make(false));
    assert_int_equal(frees, 1);
    str = make(true);
    assert_string_equal(str, "x");
    assert_int_equal(frees, 1);
    mem_free(str);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_allocator),
        cmocka_unit_test(test_set_allocator_before_and_after_use),
        cmocka_unit_test(test_mem_free_null),
        cmocka_unit_test(test_mem_alloc_zero_size),
        cmocka_unit_test(test_mem_zalloc_is_zero),
        cmocka_unit_test(test_mem_zalloc_array_overflow),
        cmocka_unit_test(test_mem_realloc_keeps_content),
        cmocka_unit_test(test_mem_copies),
        cmocka_unit_test(test_size_arithmetic),
        cmocka_unit_test(test_cleanup_and_steal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
