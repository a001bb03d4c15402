#include "base/rand.h"

#include <xmpp/error.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_rand_bytes(void **state)
{
    uint8_t a[1000];
    uint8_t b[1000];
    unsigned seen[256] = {0};
    unsigned different = 0;

    (void)state;
    assert_int_equal(rand_bytes(a, 0), XMPP_OK);
    a[999] = 0x55;
    assert_int_equal(rand_bytes(a, 999), XMPP_OK);
    assert_int_equal(a[999], 0x55);
    assert_int_equal(rand_bytes(b, sizeof b), XMPP_OK);
    assert_memory_not_equal(a, b, 999);
    for (int i = 0; i < 1000; i++)
        different += !seen[b[i]]++;
    assert_true(different > 200); /* 251 expected */
}

static void test_rand_below_is_even(void **state)
{
    unsigned seen[6] = {0};
    uint32_t top = 0;

    (void)state;
    for (int i = 0; i < 60000; i++) {
        uint32_t n = rand_below(6);

        assert_true(n < 6);
        seen[n]++;
    }
    for (int i = 0; i < 6; i++)
        assert_in_range(seen[i], 9000, 11000); /* ten standard deviations */
    for (int i = 0; i < 100; i++) {
        uint32_t n = rand_below(UINT32_MAX);

        assert_true(n < UINT32_MAX);
        if (n > top)
            top = n;
        assert_int_equal(rand_below(1), 0);
    }
    assert_true(top > UINT32_MAX / 2);
    /* 3/4 of 2^32: without refusing, the lower third would be twice as likely as the others */
    top = 0;
    for (int i = 0; i < 30000; i++)
        top += rand_below(0xC0000000u) < 0x40000000u;
    assert_in_range(top, 9000, 11000);
}

static void test_rand_id(void **state)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    unsigned seen[256] = {0};
    char a[25];
    char b[25];

    (void)state;
    a[24] = '~';
    assert_int_equal(rand_id(a, 24), XMPP_OK);
    assert_int_equal(strlen(a), 24);
    assert_int_equal(rand_id(b, 24), XMPP_OK);
    assert_string_not_equal(a, b);
    assert_int_equal(rand_id(a, 0), XMPP_OK);
    assert_string_equal(a, "");
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(rand_id(a, 24), XMPP_OK);
        for (int n = 0; n < 24; n++) {
            assert_non_null(strchr(alphabet, a[n]));
            seen[(unsigned char)a[n]]++;
        }
    }
    /* 1935 expected; the first eight letters would have 2344 if bytes were reduced without care */
    for (size_t i = 0; i < 62; i++)
        assert_in_range(seen[(unsigned char)alphabet[i]], 1630, 2250);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* STZ-05: none comes twice, however often the pool is filled anew. */
static void test_rand_id_never_twice(void **state)
{
    enum { IDS = 20000 };
    static char ids[IDS][21];

    (void)state;
    for (size_t i = 0; i < IDS; i++)
        assert_int_equal(rand_id(ids[i], 20), XMPP_OK);
    qsort(ids, IDS, sizeof ids[0], by_text);
    for (size_t i = 1; i < IDS; i++)
        assert_string_not_equal(ids[i - 1], ids[i]);
}

/* A child that goes on with what is left in the pool would make the ids of its parent. */
static void test_rand_id_after_fork(void **state)
{
    char mine[10][21];
    char theirs[10][21];
    int pipes[2];
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(rand_id(mine[0], 20), XMPP_OK);
    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        for (size_t i = 0; i < 10; i++) {
            if (rand_id(theirs[i], 20) < 0)
                _exit(1);
        }
        _exit(write(pipes[1], theirs, sizeof theirs) != sizeof theirs);
    }
    assert_int_equal(read(pipes[0], theirs, sizeof theirs), sizeof theirs);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(rand_id(mine[i], 20), XMPP_OK);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(strlen(theirs[i]), 20);
        for (size_t n = 0; n < 10; n++)
            assert_string_not_equal(mine[i], theirs[n]);
    }
    close(pipes[0]);
    close(pipes[1]);
}

enum { THREADS = 4, IDS_EACH = 5000 };

static void *make_ids(void *arg)
{
    char(*ids)[21] = arg;

    for (size_t i = 0; i < IDS_EACH; i++) {
        if (rand_id(ids[i], 20) < 0)
            return NULL;
    }
    return arg;
}

static void test_rand_id_from_threads(void **state)
{
    static char ids[THREADS * IDS_EACH][21];
    pthread_t threads[THREADS];
    void *result;

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_ids, ids[i * IDS_EACH]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    qsort(ids, THREADS * IDS_EACH, sizeof ids[0], by_text);
    for (size_t i = 1; i < THREADS * IDS_EACH; i++)
        assert_string_not_equal(ids[i - 1], ids[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rand_bytes),
        cmocka_unit_test(test_rand_below_is_even),
        cmocka_unit_test(test_rand_id),
        cmocka_unit_test(test_rand_id_never_twice),
        cmocka_unit_test(test_rand_id_after_fork),
        cmocka_unit_test(test_rand_id_from_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
