/* What a stanza, a request and a timer cost beside ten times as many handlers, pending requests and timers. The server is
 * a thread; counted is the CPU time of the other one. */
#include "canned.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <xmpp/xmpp.h>

#define NS_ANSWER "urn:bench:answer"
#define NS_FLOOD  "urn:bench:flood"
#define NS_HOLD   "urn:bench:hold"
#define MESSAGE                                                                                    \
    "<message from='romeo@example.org/orchard' type='chat' id='m1'><body>Wherefore art "           \
    "thou?</body><x xmlns='urn:bench:x'/><request xmlns='urn:xmpp:receipts'/></message>"

enum { ROUNDS = 5, STANZAS = 4000, REQUESTS = 4000, TIMERS = 20000, BATCH = 50, MAX_SECONDS = 120 };

static xmpp_loop *loop;
static unsigned short port;
static long replies;
static long fired;

static void fail(const char *what)
{
    fprintf(stderr, "bench-growth: %s\n", what);
    exit(1);
}

static void check(int r, const char *what)
{
    if (r < 0)
        fail(what);
}

static double cpu_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* --- the server --- */

static int answer(int fd, const char *iq)
{
    const char *id = strstr(iq, " id='");
    char text[256];

    if (strstr(iq, NS_HOLD) || !id)
        return 0;
    for (int i = 0; strstr(iq, NS_FLOOD) && i < STANZAS; i++) {
        if (canned_write(fd, MESSAGE, sizeof MESSAGE - 1) < 0)
            return -1;
    }
    id += strlen(" id='");
    snprintf(text, sizeof text, "<iq type='result' id='%.*s'/>", (int)strcspn(id, "'"), id);
    return canned_write(fd, text, strlen(text));
}

/* Answers IQs until the client is gone. */
static void serve(int fd)
{
    static char text[65536];
    size_t len = 0;
    ssize_t got;

    while ((got = recv(fd, text + len, sizeof text - len - 1, 0)) > 0) {
        char *at = text;
        char *end;
        len += (size_t)got;
        text[len] = '\0';
        while ((end = strstr(at, "</iq>"))) {
            *end = '\0';
            if (answer(fd, at) < 0)
                return;
            at = end + strlen("</iq>");
        }
        len -= (size_t)(at - text);
        memmove(text, at, len);
    }
}

static void *run_server(void *arg)
{
    int listener = *(int *)arg;

    for (;;) {
        int fd = canned_accept(listener);
        if (fd < 0)
            return NULL; /* it was shut down */
        serve(fd);
        close(fd);
    }
}

/* --- the client --- */

static int on_stanza(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    (void)client;
    (void)stanza;
    (void)user_data;
    return XMPP_PASS;
}

static void on_reply(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error,
                     void *user_data)
{
    (void)client;
    (void)reply;
    (void)error;
    (void)user_data;
    replies++;
}

static xmpp_client *open_client(void)
{
    xmpp_client *client = NULL;
    xmpp_jid *jid = NULL;

    check(xmpp_jid_parse(&jid, CANNED_DOMAIN), "jid");
    check(xmpp_client_create(&client, loop), "client");
    check(xmpp_client_set_jid(client, jid), "jid");
    check(xmpp_client_set_endpoint(client, CANNED_HOST, port, 0), "endpoint");
    check(xmpp_client_set_tls_mode(client, XMPP_TLS_LOCAL_ONLY), "mode");
    check(xmpp_client_connect(client), "connect");
    xmpp_jid_unref(jid);
    while (xmpp_client_get_state(client) != XMPP_STATE_READY)
        check(xmpp_loop_step(loop, -1), "step");
    return client;
}

static void ask(xmpp_client *client, const char *ns)
{
    xmpp_elem *iq;

    check(xmpp_elem_create_stanza(&iq, XMPP_IQ, "get", NULL), "iq");
    xmpp_elem_add_child(iq, ns, "q");
    check(xmpp_client_request(client, NULL, iq, 0, on_reply, NULL, NULL), "request");
    xmpp_elem_unref(iq);
}

static void wait_replies(long count)
{
    while (replies < count)
        check(xmpp_loop_step(loop, -1), "step");
}

/* Microseconds for each received stanza, with so many handlers that look for something else. */
static double stanza_us(long handlers)
{
    xmpp_client *client = open_client();
    double best = 0;

    for (long i = 0; i < handlers; i++) {
        char ns[64];
        snprintf(ns, sizeof ns, "urn:example:feature:%ld", i);
        check(xmpp_client_add_handler(client, NULL, XMPP_MESSAGE, ns, "x", on_stanza, NULL, NULL),
              "handler");
    }
    for (int round = 0; round < ROUNDS; round++) {
        double begin = cpu_us();
        double us;
        replies = 0;
        ask(client, NS_FLOOD);
        wait_replies(1);
        us = (cpu_us() - begin) / STANZAS;
        best = round == 0 || us < best ? us : best;
    }
    xmpp_client_unref(client);
    return best;
}

/* For each request and its answer, while so many others wait for theirs. */
static double request_us(long pending)
{
    xmpp_client *client = open_client();
    double best = 0;

    for (long i = 0; i < pending; i++) {
        ask(client, NS_HOLD);
        if (i % BATCH == 0)
            check(xmpp_loop_step(loop, 0), "step");
    }
    while (xmpp_client_get_queued_bytes(client) > 0)
        check(xmpp_loop_step(loop, -1), "step");
    for (int round = 0; round < ROUNDS; round++) {
        double begin = cpu_us();
        double us;
        replies = 0;
        for (long done = 0; done < REQUESTS; done += BATCH) {
            for (int i = 0; i < BATCH; i++)
                ask(client, NS_ANSWER);
            wait_replies(done + BATCH);
        }
        us = (cpu_us() - begin) / REQUESTS;
        best = round == 0 || us < best ? us : best;
    }
    xmpp_client_abort(client);
    while (xmpp_loop_step(loop, 0) > 0)
        ;
    xmpp_client_unref(client);
    return best;
}

static void on_timer(xmpp_loop *on_loop, void *user_data)
{
    (void)on_loop;
    (void)user_data;
    fired++;
}

/* For each timer, set and run, so many at a time. They are due in an order that is not that of their setting, and all of
 * them when the loop runs. */
static double timer_us(long timers)
{
    long total = timers > TIMERS ? timers : TIMERS;
    double best = 0;

    for (int round = 0; round < ROUNDS; round++) {
        double begin = cpu_us();
        double us;
        fired = 0;
        for (long done = 0; done < total; done += timers) {
            for (long i = 0; i < timers; i++)
                check(xmpp_loop_add_timer(loop, NULL, (uint64_t)(i * 7919 % 1000), 0, on_timer,
                                          NULL, NULL),
                      "timer");
            usleep(1000);
            while (fired < done + timers)
                check(xmpp_loop_step(loop, -1), "step");
        }
        us = (cpu_us() - begin) / (double)total;
        best = round == 0 || us < best ? us : best;
    }
    return best;
}

static void measure(const char *what, const long *counts, double (*function)(long count),
                    const char *before)
{
    printf("%s{\"what\": \"%s\", \"counts\": [%ld, %ld, %ld, %ld], \"cpu_us\": [", before, what,
           counts[0], counts[1], counts[2], counts[3]);
    for (int i = 0; i < 4; i++)
        printf("%s%.3f", i ? ", " : "", function(counts[i]));
    printf("]}");
}

int main(void)
{
    static const long handlers[] = {0, 10, 100, 1000};
    static const long requests[] = {0, 100, 1000, 10000};
    static const long timers[] = {100, 1000, 10000, 100000};
    int listener = canned_listen(&port);
    pthread_t thread;

    alarm(MAX_SECONDS);
    check(xmpp_loop_create(&loop), "loop");
    if (pthread_create(&thread, NULL, run_server, &listener) != 0)
        fail("thread");
    measure("a stanza, beside other handlers", handlers, stanza_us, "[");
    measure("a request, beside pending ones", requests, request_us, ",\n ");
    measure("a timer, among others", timers, timer_us, ",\n ");
    printf("]\n");
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
    xmpp_loop_unref(loop);
    return 0;
}
