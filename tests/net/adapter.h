#ifndef TEST_NET_ADAPTER_H
#define TEST_NET_ADAPTER_H

#include "base/mem.h"
#include "net/loop.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xmpp/slot.h>

#define CHECK(condition)                                                                           \
    ((condition) ? (void)0                                                                         \
                 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), exit(1)))

/* What a foreign loop has to drive: an interval, posts from a thread, and a socket. The steps follow one another, so
 * the end is reached only if each of them wakes the foreign loop. */
struct adapter_test {
    xmpp_loop *loop;
    xmpp_slot *timer;
    struct loop_watch watch;
    pthread_t thread;
    int pair[2];
    int ticks;
    int posts;
    int reads;
    void (*done)(void *user_data); /* ends the foreign loop */
    void *user_data;
};

static inline void adapter_on_read(struct loop_watch *watch, uint32_t events)
{
    struct adapter_test *test = CONTAINER_OF(watch, struct adapter_test, watch);
    char c;

    CHECK(events & EPOLLIN);
    CHECK(read(test->pair[0], &c, 1) == 1);
    test->reads++;
    test->done(test->user_data);
}

static inline void adapter_on_post(xmpp_loop *loop, void *user_data)
{
    struct adapter_test *test = user_data;

    CHECK(loop == test->loop);
    if (++test->posts == 3)
        CHECK(write(test->pair[1], "x", 1) == 1);
}

static inline void *adapter_thread(void *arg)
{
    struct adapter_test *test = arg;

    for (int i = 0; i < 3; i++)
        CHECK(xmpp_loop_post(test->loop, adapter_on_post, test, NULL) == XMPP_OK);
    return NULL;
}

static inline void adapter_on_tick(xmpp_loop *loop, void *user_data)
{
    struct adapter_test *test = user_data;

    CHECK(xmpp_loop_dispatch(loop) == XMPP_ERR_BUSY);
    if (++test->ticks < 3)
        return;
    CHECK(xmpp_slot_cancel(test->timer) == XMPP_OK);
    CHECK(pthread_create(&test->thread, NULL, adapter_thread, test) == 0);
}

static inline void adapter_open(struct adapter_test *test, void (*done)(void *user_data),
                                void *user_data)
{
    memset(test, 0, sizeof *test);
    test->done = done;
    test->user_data = user_data;
    CHECK(xmpp_loop_create(&test->loop) == XMPP_OK);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, test->pair) == 0);
    loop_watch_init(&test->watch, adapter_on_read);
    CHECK(loop_watch_set(test->loop, &test->watch, test->pair[0], EPOLLIN) == XMPP_OK);
    CHECK(xmpp_loop_add_timer(test->loop, &test->timer, 0, 2000, adapter_on_tick, test, NULL) ==
          XMPP_OK);
}

/* The adapter is detached: the last reference is the test's. */
static inline void adapter_close(struct adapter_test *test)
{
    CHECK(pthread_join(test->thread, NULL) == 0);
    CHECK(test->ticks == 3);
    CHECK(test->posts == 3);
    CHECK(test->reads == 1);
    loop_watch_clear(test->loop, &test->watch);
    close(test->pair[0]);
    close(test->pair[1]);
    xmpp_slot_unref(test->timer);
    CHECK(atomic_load(&test->loop->object.refs) == 1);
    xmpp_loop_unref(test->loop);
}

#endif
