/* What a connection holds of the library's own memory when it has nothing to do. */
#include "base/arena.h"
#include "fake/talk.h"
#include "support/certs.h"
#include "support/miniserver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND  1000000u
#define MESSAGE "<message from='b@a.example/x' type='chat'><body>Hello</body></message>"

enum { LARGE = 3 * 1024 * 1024, PART = 16 * 1024, PARTS = 64, FLOOD = 20000 };
enum { SCRATCH = 2048 }; /* of the parser, which does not grow with what it reads */

/* --- an allocator that counts bytes --- */

union head {
    size_t size;
    max_align_t align;
};

static size_t live;

static void *counting_realloc(void *ptr, size_t size, void *user_data)
{
    union head *old = ptr ? (union head *)ptr - 1 : NULL;
    size_t old_size = old ? old->size : 0;
    union head *block;

    (void)user_data;
    if (size == 0) {
        live -= old_size;
        free(old);
        return NULL;
    }
    block = realloc(old, sizeof *block + size);
    if (!block)
        return NULL;
    live += size - old_size;
    block->size = size;
    return block + 1;
}

/* --- a client, and a server over TLS or not --- */

static struct talk talk;
static struct miniserver *server; /* NULL: plain text, the test is the server */

static int setup_plain(void **state)
{
    (void)state;
    return talk_create(&talk) == XMPP_OK && talk_login(&talk) == XMPP_OK ? 0 : -1;
}

/* Carries bytes until nothing moves. */
static void pump(void)
{
    static char wire[PART];
    bool moved = true;

    fake_run(talk.loop);
    while (moved) {
        const char *said;
        size_t len = fake_peek(talk.socket, &said);

        moved = len > 0;
        if (server)
            miniserver_feed(server, said, len);
        fake_consume(talk.socket, len);
        while (server && (len = miniserver_take(server, wire, sizeof wire)) > 0) {
            fake_feed(talk.socket, wire, len);
            moved = true;
        }
        fake_run(talk.loop);
    }
}

static int setup_tls(void **state)
{
    static const struct miniserver_options options = {
        .mechanisms = "<mechanism>ANONYMOUS</mechanism>",
        .ignores_close = true,
    };

    (void)state;
    server = miniserver_create(&options);
    if (talk_create(&talk) < 0 ||
        xmpp_client_set_trust_file(talk.client, certs_crt_path("ca")) < 0 ||
        xmpp_client_connect(talk.client) < 0)
        return -1;
    fake_run(talk.loop);
    talk.socket = fake_last();
    pump();
    return xmpp_client_get_state(talk.client) == XMPP_STATE_READY ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    talk_destroy(&talk);
    server = miniserver_free(server);
    arena_cache_trim();
    return live == 0 ? 0 : -1;
}

static void hear(const char *xml)
{
    if (server)
        miniserver_say(server, xml);
    else
        talk_feed(&talk, xml);
}

static int send_body(size_t len)
{
    static char body[PART + 1];
    xmpp_elem *message;

    memset(body, 'x', len);
    body[len] = '\0';
    assert_int_equal(xmpp_elem_create_stanza(&message, XMPP_MESSAGE, "chat", talk.jid), XMPP_OK);
    assert_non_null(xmpp_elem_add_child_text(message, NULL, "body", body));
    int r = xmpp_client_send(talk.client, message);
    xmpp_elem_unref(message);
    return r;
}

/* The connection has talked and fallen silent: what it holds. */
static size_t idle(void)
{
    pump();
    fake_pass(talk.loop, 2 * SECOND);
    pump();
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_READY);
    arena_cache_trim();
    return live;
}

static size_t idle_at_first(void)
{
    hear(MESSAGE);
    assert_int_equal(send_body(10), XMPP_OK);
    return idle();
}

/* --- tests, each on plain text and TLS --- */

static void test_idle_is_small(void **state)
{
    size_t with = idle_at_first();

    (void)state;
    xmpp_client_abort(talk.client);
    pump();
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_IDLE);
    arena_cache_trim();
    print_message("%s: %zu bytes, of that %zu of the connection\n", server ? "TLS" : "plain text",
                  with, with - live);
    assert_true(with - live < (server ? 8 * 1024 : 7 * 1024));
}

static void test_silence_gives_back_a_flood(void **state)
{
    size_t before = idle_at_first();

    (void)state;
    for (int i = 0; i < FLOOD; i++)
        hear(MESSAGE);
    assert_true(idle() <= before + SCRATCH);
}

/* Without a busy turn there is nothing to wait for. */
static void test_small_turns_keep_nothing(void **state)
{
    size_t before = idle_at_first();

    (void)state;
    for (int i = 0; i < 10; i++) {
        hear(MESSAGE);
        hear(MESSAGE);
        assert_int_equal(send_body(1000), XMPP_OK);
        pump();
        arena_cache_trim();
        assert_int_equal(live, before);
    }
}

static void test_silence_gives_back_a_large_stanza(void **state)
{
    size_t before = idle_at_first();
    char *stanza = malloc(LARGE + 1);

    (void)state;
    assert_non_null(stanza);
    memset(stanza, 'x', LARGE);
    stanza[LARGE] = '\0';
    hear("<message><body>");
    hear(stanza);
    hear("</body></message>");
    assert_int_equal(idle(), before);
    free(stanza);
}

static void test_silence_gives_back_a_burst(void **state)
{
    size_t before = idle_at_first();

    (void)state;
    for (int i = 0; i < PARTS; i++)
        assert_int_equal(send_body(PART), XMPP_OK);
    assert_int_equal(idle(), before);
}

static void test_silence_gives_back_a_full_queue(void **state)
{
    size_t before = idle_at_first();

    (void)state;
    fake_set_room(talk.socket, 0);
    while (send_body(PART) == XMPP_OK)
        fake_run(talk.loop);
    assert_true(live > before + 4000000);
    fake_set_room(talk.socket, SIZE_MAX);
    assert_int_equal(idle(), before);
}

/* The timer is for a connection that was busy; it fires once. */
static void test_silence_costs_one_timer(void **state)
{
    (void)state;
    (void)idle_at_first();
    assert_true(fake_next_timer(talk.loop) > fake_now() + 10 * SECOND);
    for (int i = 0; i < 100; i++)
        hear(MESSAGE);
    pump();
    assert_true(fake_next_timer(talk.loop) <= fake_now() + SECOND);
    fake_pass(talk.loop, SECOND + 1000);
    assert_true(fake_next_timer(talk.loop) > fake_now() + 10 * SECOND);
}

/* CORE-15: it waits for the server's end tag, and does nothing meanwhile (fake_run() tells a busy loop). */
static void test_silence_while_closing(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        hear(MESSAGE);
    pump();
    assert_int_equal(xmpp_client_disconnect(talk.client), XMPP_OK);
    pump();
    fake_pass(talk.loop, 2 * SECOND);
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_CLOSING);
    fake_pass(talk.loop, 4 * SECOND);
    assert_int_equal(xmpp_client_get_state(talk.client), XMPP_STATE_IDLE);
}

#define BOTH(name)                                                                                 \
    {#name " (plain text)", name, setup_plain, teardown, NULL},                                    \
    {                                                                                              \
#name " (TLS)", name, setup_tls, teardown, NULL                                            \
    }

int main(void)
{
    if (xmpp_mem_set_allocator(counting_realloc, NULL) != XMPP_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        BOTH(test_idle_is_small),
        BOTH(test_silence_gives_back_a_flood),
        BOTH(test_small_turns_keep_nothing),
        BOTH(test_silence_gives_back_a_large_stanza),
        BOTH(test_silence_gives_back_a_burst),
        BOTH(test_silence_gives_back_a_full_queue),
        BOTH(test_silence_costs_one_timer),
        BOTH(test_silence_while_closing),
    };

    int r = cmocka_run_group_tests(tests, NULL, NULL);

    certs_free();
    return r;
}
