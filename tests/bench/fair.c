/* A thousand clients on one loop: one is flooded, the others get a stanza now and then and have timers. How late are
 * those? The server is a thread. On a machine that has other things to do, too, the loop's thread has to wait for a
 * processor: so the delay of a stanza is also told in the time that the loop's thread ran. */
#include "canned.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <xmpp/xmpp.h>

#define MESSAGE                                                                                    \
    "<message from='romeo@example.org/orchard'><body>Wherefore art thou?</body></message>"

enum { CLIENTS = 1000, MAX_SAMPLES = 1000000, TIMER_US = 50000, ASK_US = 500, MAX_SECONDS = 120 };

struct samples {
    float *us;
    size_t count;
};

struct ticker {
    uint64_t at; /* the next time */
};

static xmpp_loop *loop;
static unsigned short port;
static struct samples stanzas;
static struct samples stanzas_cpu;
static struct samples timers;
static clockid_t loop_cpu; /* of the thread of the loop */
static struct ticker tickers[CLIENTS];
static unsigned long floods;
static _Atomic bool flooding;
static _Atomic bool done;
static int sockets[CLIENTS]; /* the server's */

static void fail(const char *what)
{
    fprintf(stderr, "bench-fair: %s\n", what);
    exit(1);
}

static uint64_t clock_us(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static uint64_t now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

static void add_sample(struct samples *samples, uint64_t us)
{
    if (samples->count < MAX_SAMPLES)
        samples->us[samples->count++] = (float)us;
}

/* --- the server --- */

static void *flood(void *arg)
{
    static char block[64 * (sizeof MESSAGE - 1)];

    (void)arg;
    for (size_t i = 0; i < 64; i++)
        memcpy(block + i * (sizeof MESSAGE - 1), MESSAGE, sizeof MESSAGE - 1);
    while (!done) {
        if (!flooding)
            usleep(1000);
        else if (canned_write(sockets[0], block, sizeof block) < 0)
            break;
    }
    return NULL;
}

/* Each of the others in its turn gets a stanza that says when it was sent. */
static void *ask(void *arg)
{
    int listener = *(int *)arg;
    char text[200];

    for (size_t i = 0; i < CLIENTS; i++) {
        sockets[i] = canned_accept(listener);
        if (sockets[i] < 0)
            return NULL;
    }
    for (size_t i = 1; !done; i = i % (CLIENTS - 1) + 1) {
        snprintf(text, sizeof text, "<message><body>%llu %llu</body></message>",
                 (unsigned long long)now_us(), (unsigned long long)clock_us(loop_cpu));
        if (canned_write(sockets[i], text, strlen(text)) < 0)
            break;
        usleep(ASK_US);
    }
    return arg;
}

/* --- the clients --- */

static int on_flood(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    (void)client;
    (void)stanza;
    (void)user_data;
    floods++;
    return XMPP_DONE;
}

static int on_asked(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    const xmpp_elem *body = xmpp_elem_first_child(stanza, "jabber:client", "body");
    uint64_t wall;
    char *end;

    (void)client;
    (void)user_data;
    wall = strtoull(xmpp_elem_get_text(body), &end, 10);
    add_sample(&stanzas, now_us() - wall);
    add_sample(&stanzas_cpu, clock_us(loop_cpu) - strtoull(end, NULL, 10));
    return XMPP_DONE;
}

static void on_timer(xmpp_loop *on_loop, void *user_data)
{
    struct ticker *ticker = user_data;

    (void)on_loop;
    add_sample(&timers, now_us() - ticker->at);
    while (ticker->at <= now_us())
        ticker->at += TIMER_US;
}

static xmpp_client *open_client(const xmpp_jid *jid, xmpp_stanza_fn fn)
{
    xmpp_client *client = NULL;

    if (xmpp_client_create(&client, loop) < 0 || xmpp_client_set_jid(client, jid) < 0 ||
        xmpp_client_set_endpoint(client, CANNED_HOST, port, 0) < 0 ||
        xmpp_client_set_tls_mode(client, XMPP_TLS_LOCAL_ONLY) < 0 ||
        xmpp_client_add_handler(client, NULL, XMPP_MESSAGE, NULL, NULL, fn, NULL, NULL) < 0 ||
        xmpp_client_connect(client) < 0)
        fail("client");
    while (xmpp_client_get_state(client) != XMPP_STATE_READY) {
        if (xmpp_loop_step(loop, -1) < 0)
            fail("login");
    }
    return client;
}

static void run_for(uint64_t us)
{
    uint64_t end = now_us() + us;

    while (now_us() < end)
        xmpp_loop_step(loop, 10000);
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;

    return (x > y) - (x < y);
}

static void print_samples(const char *name, struct samples *samples)
{
    size_t count = samples->count;

    if (count == 0)
        fail("nothing was measured");
    qsort(samples->us, count, sizeof *samples->us, by_value);
    printf(", \"%s\": {\"count\": %zu, \"median_us\": %.0f, \"p99_us\": %.0f, \"worst_us\": %.0f}",
           name, count, samples->us[count / 2], samples->us[count * 99 / 100],
           samples->us[count - 1]);
    samples->count = 0;
}

static void measure(const char *name, double seconds, const char *before)
{
    floods = 0;
    run_for(500000);
    stanzas.count = stanzas_cpu.count = timers.count = 0;
    run_for((uint64_t)(seconds * 1e6));
    printf("%s\"%s\": {\"flood\": %lu", before, name, floods);
    print_samples("stanzas", &stanzas);
    print_samples("stanzas, CPU", &stanzas_cpu);
    print_samples("timers", &timers);
    printf("}");
}

static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        fail("limit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < 2 * CLIENTS + 50)
        fail("too few descriptors");
}

/* bench-fair [SECONDS]: quiet, then flooded, so long each */
int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 5;
    static xmpp_client *clients[CLIENTS];
    xmpp_jid *jid = NULL;
    int listener = canned_listen(&port);
    pthread_t asker;
    pthread_t flooder;

    alarm(MAX_SECONDS);
    raise_limit();
    stanzas.us = calloc(MAX_SAMPLES, sizeof *stanzas.us);
    stanzas_cpu.us = calloc(MAX_SAMPLES, sizeof *stanzas_cpu.us);
    timers.us = calloc(MAX_SAMPLES, sizeof *timers.us);
    if (!stanzas.us || !stanzas_cpu.us || !timers.us ||
        pthread_getcpuclockid(pthread_self(), &loop_cpu) != 0 || xmpp_loop_create(&loop) < 0 ||
        xmpp_jid_parse(&jid, CANNED_DOMAIN) < 0 ||
        pthread_create(&asker, NULL, ask, &listener) != 0)
        fail("start");
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = open_client(jid, i ? on_asked : on_flood);
    for (size_t i = 1; i < CLIENTS; i++) {
        uint64_t first_us = TIMER_US + i * 7919 % TIMER_US;
        tickers[i].at = now_us() + first_us;
        if (xmpp_loop_add_timer(loop, NULL, first_us, TIMER_US, on_timer, &tickers[i], NULL) < 0)
            fail("timer");
    }
    if (pthread_create(&flooder, NULL, flood, NULL) != 0)
        fail("start");
    measure("quiet", seconds, "{");
    flooding = true;
    measure("flooded", seconds, ",\n ");
    printf("}\n");
    done = true;
    for (size_t i = 0; i < CLIENTS; i++)
        xmpp_client_unref(clients[i]); /* closes: the threads notice */
    pthread_join(asker, NULL);
    pthread_join(flooder, NULL);
    for (size_t i = 0; i < CLIENTS; i++)
        close(sockets[i]);
    close(listener);
    xmpp_jid_unref(jid);
    xmpp_loop_unref(loop);
    free(stanzas.us);
    free(stanzas_cpu.us);
    free(timers.us);
    return 0;
}
