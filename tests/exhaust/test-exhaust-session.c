/* A server that means harm after the login, and an application that does not look. */
#include "exhaust/meter.h"
#include "exhaust/victim.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUEUE_LIMIT    (4 * MIB)
#define REQUESTS_LIMIT 16384
#define THREADS        4

/* --- servers --- */

static void attack_reads(struct hostile *hostile)
{
    hostile_login(hostile);
    hostile_linger(hostile);
}

static void attack_never_reads(struct hostile *hostile)
{
    hostile_login(hostile);
    hostile_wait(hostile);
    hostile_linger(hostile);
}

/* STZ-07: each question is owed an answer, but nobody takes them. */
static void attack_questions(struct hostile *hostile)
{
    hostile_login(hostile);
    hostile_clog(hostile, "<iq type='get' id='p' from='a.example'><x xmlns='urn:x'/></iq>");
    hostile_end(hostile);
}

/* The id, which the answer repeats, makes most of the answer. */
static void attack_long_ids(struct hostile *hostile)
{
    static char question[34 * 1024];
    char *pos = question + strlen(strcpy(question, "<iq type='get' from='a.example' id='"));

    memset(pos, 'x', 32 * 1024);
    strcpy(pos + 32 * 1024, "'><x xmlns='urn:x'/></iq>");
    hostile_login(hostile);
    hostile_clog(hostile, question);
    hostile_end(hostile);
}

/* STZ-09 */
static void attack_results(struct hostile *hostile)
{
    static const char result[] =
        "<iq type='result' id='nobody-asked'><query xmlns='jabber:iq:roster'/></iq>";

    hostile_login(hostile);
    hostile_flood(hostile, result, 1000000 / EXHAUST_SHARE * (sizeof result - 1));
    hostile_end(hostile);
}

static void attack_request_error(struct hostile *hostile)
{
    char id[64];

    hostile_login(hostile);
    hostile_hear(hostile, "<iq");
    hostile_hear(hostile, "id='");
    hostile_take(hostile, "'", id, sizeof id);
    hostile_say(hostile, "<iq type='error' id='");
    hostile_say(hostile, id);
    hostile_say(hostile, "'><error type='cancel'>"
                         "<conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                         "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>");
    hostile_flood(hostile, "x", 3 * MIB);
    hostile_say(hostile, "</text></error></iq>");
    hostile_end(hostile);
}

static void attack_messages(struct hostile *hostile)
{
    static char message[32 * 1024];
    char *pos = message + strlen(strcpy(message, "<message><body>"));

    memset(pos, 'x', 16 * 1024);
    strcpy(pos + 16 * 1024, "</body></message>");
    hostile_login(hostile);
    hostile_flood(hostile, message, 64 * MIB);
    hostile_end(hostile);
}

/* --- clients --- */

static void login(struct victim *victim)
{
    victim_connect(victim);
    victim_run(victim, victim_is_ready);
}

/* It stops to read when twice the queue waits. */
static bool is_full(const struct victim *victim)
{
    return victim->queued > 2 * QUEUE_LIMIT;
}

static void run_questions(struct victim *victim)
{
    int r;

    login(victim);
    victim_run(victim, is_full);
    /* The server goes on. Were the client to read, it would not stay idle so long. */
    while ((r = xmpp_loop_step(victim->loop, 100000)) > 0)
        assert_true(xmpp_client_get_queued_bytes(victim->client) < 2 * QUEUE_LIMIT + 2 * MIB);
    assert_int_equal(r, 0);
    hostile_order(&victim->server);
    victim_run(victim, victim_is_content);
}

static xmpp_elem *create_message(size_t len)
{
    char *text = calloc(1, len + 1);
    xmpp_elem *message;

    assert_non_null(text);
    memset(text, 'x', len);
    assert_int_equal(xmpp_elem_create_stanza(&message, XMPP_MESSAGE, "chat", NULL), XMPP_OK);
    xmpp_elem_add_child_text(message, NULL, "body", text);
    assert_int_equal(xmpp_elem_seal(message), XMPP_OK);
    free(text);
    return message;
}

static void on_drain(xmpp_client *client, void *user_data)
{
    assert_int_equal(xmpp_client_get_queued_bytes(client), 0);
    ((struct victim *)user_data)->ended = true;
}

static void run_send(struct victim *victim)
{
    xmpp_elem *message = create_message(10000);
    int r;

    assert_int_equal(xmpp_client_on_drain(victim->client, NULL, 0, on_drain, victim, NULL),
                     XMPP_OK);
    login(victim);
    while ((r = xmpp_client_send(victim->client, message)) == XMPP_OK)
        assert_true(xmpp_loop_step(victim->loop, 0) >= 0); /* until the kernel takes no more */
    assert_int_equal(r, XMPP_ERR_LIMIT);
    assert_true(xmpp_client_get_queued_bytes(victim->client) > QUEUE_LIMIT - 16 * KIB);
    assert_true(xmpp_client_get_queued_bytes(victim->client) <= QUEUE_LIMIT + 64 * KIB);
    assert_false(victim->ended);
    hostile_order(&victim->server);
    victim_run(victim, victim_is_content);
    assert_int_equal(xmpp_client_send(victim->client, message), XMPP_OK);
    xmpp_elem_unref(message);
}

static void on_reply(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error,
                     void *user_data)
{
    (void)client;
    assert_null(reply);
    assert_int_equal(xmpp_error_get_code(error), XMPP_ERR_CLOSED);
    ++*(unsigned *)user_data;
}

static int request(struct victim *victim, xmpp_reply_fn fn, unsigned *replies)
{
    xmpp_elem *iq;
    int r;

    assert_int_equal(xmpp_elem_create_stanza(&iq, XMPP_IQ, "get", NULL), XMPP_OK);
    xmpp_elem_add_child(iq, "urn:x", "x");
    r = xmpp_client_request(victim->client, NULL, iq, 0, fn, replies, NULL);
    xmpp_elem_unref(iq);
    return r;
}

static void run_requests(struct victim *victim)
{
    unsigned replies = 0;

    login(victim);
    for (unsigned i = 0; i < REQUESTS_LIMIT; i++)
        assert_int_equal(request(victim, on_reply, &replies), XMPP_OK);
    assert_int_equal(request(victim, on_reply, &replies), XMPP_ERR_LIMIT);
    assert_int_equal(xmpp_client_abort(victim->client), XMPP_OK);
    victim_run(victim, victim_is_idle);
    assert_int_equal(replies, REQUESTS_LIMIT);
}

static void on_error(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error,
                     void *user_data)
{
    (void)client;
    assert_null(reply);
    assert_string_equal(xmpp_error_get_condition(error), "conflict");
    ++*(unsigned *)user_data;
}

static void run_request_error(struct victim *victim)
{
    unsigned replies = 0;

    login(victim);
    assert_int_equal(request(victim, on_error, &replies), XMPP_OK);
    victim_run(victim, victim_is_content);
    assert_int_equal(replies, 1);
}

static int on_slow(xmpp_client *client, const xmpp_elem *message, void *user_data)
{
    struct timespec now;
    struct timespec end;

    (void)client;
    (void)message;
    (void)user_data;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += 200000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
    return XMPP_PASS;
}

static void run_slow(struct victim *victim)
{
    xmpp_slot *slot;

    assert_int_equal(xmpp_client_add_handler(victim->client, &slot, XMPP_MESSAGE, NULL, NULL,
                                             on_slow, NULL, NULL),
                     XMPP_OK);
    assert_int_equal(xmpp_slot_set_priority(slot, 1), XMPP_OK);
    xmpp_slot_unref(slot);
    login(victim);
    victim_run(victim, victim_is_content);
    assert_true(victim->messages >= 64 * MIB / (17 * KIB));
}

static void *post_until_full(void *data)
{
    xmpp_client *client = data;
    intptr_t posted = 0;
    int r = XMPP_OK;

    while (r == XMPP_OK) {
        xmpp_elem *message = create_message(1000);

        r = xmpp_client_post(client, message);
        xmpp_elem_unref(message);
        posted++;
    }
    return (void *)(r == XMPP_ERR_LIMIT ? posted - 1 : -1);
}

static bool is_posted(const struct victim *victim)
{
    return xmpp_client_get_stat(victim->client, XMPP_STAT_STANZAS_OUT) >= victim->messages;
}

static void run_posts(struct victim *victim)
{
    pthread_t threads[THREADS];

    login(victim);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_until_full, victim->client), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *posted;

        assert_int_equal(pthread_join(threads[i], &posted), 0);
        assert_true((intptr_t)posted >= 0);
        victim->messages += (unsigned)(intptr_t)posted;
    }
    assert_true(victim->messages >= QUEUE_LIMIT / (8 * KIB));
    victim_run(victim, is_posted); /* nothing that was taken is lost */
}

/* SEC-16 */
static const struct exhaust_case cases[] = {
    {"send", "never reads, while the application sends", "4 MiB of the send queue", 12 * MIB,
     12 * MIB, .run = run_send, .attack = attack_never_reads},
    {"questions", "IQ requests, and never reads the answers", "reading stops at 8 MiB of answers",
     32 * MIB, 32 * MIB, .run = run_questions, .attack = attack_questions},
    {"long-ids", "the same with ids of 32 KiB", "reading stops at 8 MiB of answers", 32 * MIB,
     32 * MIB, .run = run_questions, .attack = attack_long_ids},
    {"results", "a million IQ results that nobody asked for", "none: nothing is kept", 512 * KIB,
     MIB, .attack = attack_results},
    {"request-error", "answers a request with an error of 3 MiB", "4 MiB of one stanza", 32 * MIB,
     32 * MIB, .run = run_request_error, .attack = attack_request_error},
    {"messages", "messages faster than the application takes them", "reading stops meanwhile",
     512 * KIB, MIB, .run = run_slow, .attack = attack_messages},
    {"requests", "never answers the application's requests", "16384 requests", 12 * MIB, 12 * MIB,
     .run = run_requests, .attack = attack_reads},
    {"posts", "(none: other threads post, and the loop does not turn)", "4 MiB of posted stanzas",
     12 * MIB, 12 * MIB, .run = run_posts, .attack = attack_reads},
};

int main(int argc, char **argv)
{
    return exhaust_main(argc, argv, "session", cases, sizeof cases / sizeof *cases,
                        exhaust_warm_up);
}
