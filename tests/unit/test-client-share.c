/* A sealed element goes to many clients, handlers and threads, and is the same element everywhere. */
#include "fake/talk.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Its tree takes many times the memory of its text, so that a copy cannot hide behind a growing output buffer. */
enum {
    CLIENTS = 100,
    CHILDREN = 1000,
    HANDLERS = 20,
    TREE_BYTES = 32 * CHILDREN,
    SMALL_BYTES = 1024
};

static struct talk talks[CLIENTS];
static _Atomic size_t taken; /* bytes given out by the allocator */

static void *count_realloc(void *ptr, size_t size, void *user_data)
{
    (void)user_data;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    taken += size;
    return realloc(ptr, size);
}

/* Sealed; *ret_bytes: what making it took */
static xmpp_elem *make_wide(size_t *ret_bytes)
{
    size_t before = taken;
    xmpp_elem *message;

    assert_int_equal(xmpp_elem_create(&message, "jabber:client", "message"), XMPP_OK);
    for (int i = 0; i < CHILDREN; i++)
        assert_non_null(xmpp_elem_add_child(message, NULL, "a"));
    assert_int_equal(xmpp_elem_seal(message), XMPP_OK);
    *ret_bytes = taken - before;
    assert_true(*ret_bytes > TREE_BYTES);
    return message;
}

static void assert_heard_everywhere(xmpp_elem *message)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        const char *data;
        size_t len = fake_peek(talks[i].socket, &data);

        assert_int_equal(len, strlen("<message></message>") + CHILDREN * strlen("<a/>"));
        fake_consume(talks[i].socket, len);
    }
    assert_true(xmpp_elem_is_sealed(message));
}

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(talk_create(&talks[0]), XMPP_OK);
    assert_int_equal(talk_login(&talks[0]), XMPP_OK);
    for (size_t i = 1; i < CLIENTS; i++) {
        assert_int_equal(talk_join(&talks[i], talks[0].loop), XMPP_OK);
        assert_int_equal(talk_login(&talks[i]), XMPP_OK);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 1; i < CLIENTS; i++)
        talk_leave(&talks[i]);
    talk_destroy(&talks[0]);
    return 0;
}

/* Each client writes the text into its buffer, which grows by doubling; nobody copies the tree. */
static void test_send_to_many_clients(void **state)
{
    size_t tree_bytes;
    size_t before;
    xmpp_elem *message = make_wide(&tree_bytes);

    (void)state;
    before = taken;
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(xmpp_client_send(talks[i].client, message), XMPP_OK);
    assert_in_range(taken - before, 1, CLIENTS * (tree_bytes / 2));
    fake_run(talks[0].loop);
    assert_heard_everywhere(message);
    xmpp_elem_unref(message);
}

/* What waits in the queue of posts is a reference. */
static void *post_everywhere(void *message)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        if (xmpp_client_post(talks[i].client, message) < 0)
            return NULL;
    }
    return message;
}

static void test_post_from_another_thread(void **state)
{
    size_t tree_bytes;
    size_t before;
    pthread_t thread;
    void *result;
    xmpp_elem *message = make_wide(&tree_bytes);

    (void)state;
    before = taken;
    assert_int_equal(pthread_create(&thread, NULL, post_everywhere, message), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, message);
    assert_in_range(taken - before, 1, CLIENTS * SMALL_BYTES);
    fake_run(talks[0].loop);
    assert_in_range(taken - before, 1, CLIENTS * (tree_bytes / 2));
    assert_heard_everywhere(message);
    xmpp_elem_unref(message);
}

struct keeper {
    xmpp_elem *kept[HANDLERS];
    size_t count;
    size_t first_taken; /* when the first handler ran */
};

static int keep(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    struct keeper *keeper = user_data;

    (void)client;
    if (keeper->count == 0)
        keeper->first_taken = taken;
    keeper->kept[keeper->count++] = xmpp_elem_ref(stanza);
    assert_int_equal(taken, keeper->first_taken);
    return XMPP_PASS;
}

/* A received element is kept by each of its handlers, and sent on as it is. */
static void test_keep_in_many_handlers_and_forward(void **state)
{
    struct keeper keeper = {.count = 0};
    size_t before;

    (void)state;
    for (size_t i = 0; i < HANDLERS; i++)
        assert_int_equal(xmpp_client_add_handler(talks[0].client, NULL, XMPP_MESSAGE, NULL, NULL,
                                                 keep, &keeper, NULL),
                         XMPP_OK);
    talk_feed(&talks[0], "<message>");
    for (int i = 0; i < CHILDREN; i++)
        talk_feed(&talks[0], "<a/>");
    talk_say(&talks[0], "</message>");
    assert_int_equal(keeper.count, HANDLERS);
    for (size_t i = 1; i < HANDLERS; i++)
        assert_ptr_equal(keeper.kept[i], keeper.kept[0]);
    before = taken;
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(xmpp_client_send(talks[i].client, keeper.kept[0]), XMPP_OK);
    assert_in_range(taken - before, 1, CLIENTS * (size_t)TREE_BYTES / 2);
    fake_run(talks[0].loop);
    assert_heard_everywhere(keeper.kept[0]);
    for (size_t i = 0; i < HANDLERS; i++)
        xmpp_elem_unref(keeper.kept[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_send_to_many_clients, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_post_from_another_thread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keep_in_many_handlers_and_forward, set_up, tear_down),
    };

    if (xmpp_mem_set_allocator(count_realloc, NULL) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
