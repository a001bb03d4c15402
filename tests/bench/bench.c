#include "bench.h"

#include "counters.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SAMPLES = 200000, MAX_SECONDS = 240 };

struct point {
    double cpu_us;
    double wall_us;
    uint64_t own;
    struct counters counters;
};

struct bench_options bench = {.mode = "receive", .count = 1000, .warm = 0, .batch = 64};
uint64_t bench_own_allocs;
size_t bench_own_bytes;

static struct {
    struct point start; /* the presence is sent: the server begins */
    struct point begin; /* the mark after the first stanzas is handled: a steady state */
    struct point end;
    long stanzas; /* since the mark */
    long children;
    int done;
    char end_text[256];
    double *samples;
    size_t sample_count;
} run;

void bench_fail(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static double clock_us(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static struct point now(void)
{
    static struct counters *counters;
    struct point point = {.own = bench_own_allocs};

    if (!counters)
        counters = dlsym(RTLD_DEFAULT, BENCH_COUNTERS_SYMBOL);
    if (counters)
        point.counters = *counters;
    point.cpu_us = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    point.wall_us = clock_us(CLOCK_MONOTONIC);
    return point;
}

/* A value in KiB from a file of /proc; 0: there is none. */
static long proc_kib(const char *path, const char *key)
{
    char line[256];
    long value = 0;
    FILE *file = fopen(path, "re");

    if (!file)
        return 0;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) == 0)
            value = strtol(line + strlen(key), NULL, 10);
    }
    fclose(file);
    return value;
}

static void reset_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (write(fd, "5", 1) != 1)
        fprintf(stderr, "bench: peak memory is since the start of the program\n");
    close(fd);
}

static void add_sample(double value)
{
    if (!run.samples)
        run.samples = calloc(MAX_SAMPLES, sizeof *run.samples);
    if (run.samples && run.sample_count < MAX_SAMPLES)
        run.samples[run.sample_count++] = value;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

void bench_stanza(const char *body, int has_child)
{
    run.stanzas++;
    run.children += has_child;
    if (body && strncmp(body, "bench-", 6) == 0) {
        if (strncmp(body, "bench-at ", 9) == 0)
            add_sample(clock_us(CLOCK_MONOTONIC) - strtod(body + 9, NULL));
        if (strncmp(body, "bench-begin", 11) == 0) {
            run.begin = now();
            run.stanzas = 0;
            run.children = 0;
        }
        if (strncmp(body, "bench-end", 9) == 0) {
            run.end = now();
            strncpy(run.end_text, body + 9, sizeof run.end_text - 1);
            run.done = 1;
        }
    }
    if (bench.slow_us)
        usleep((useconds_t)bench.slow_us);
}

static void *log_in(void)
{
    void *peer = peer_open();
    double limit = clock_us(CLOCK_MONOTONIC) + 30e6;

    while (!peer_is_ready(peer)) {
        peer_step(1000);
        if (clock_us(CLOCK_MONOTONIC) > limit)
            bench_fail("no login within 30 seconds");
    }
    return peer;
}

static void print_part(const char *name, long stanzas, const struct point *from)
{
    const struct counters *a = &from->counters;
    const struct counters *b = &run.end.counters;

    printf(", \"%s\": {\"stanzas\": %ld, \"cpu_us\": %.1f, \"wall_us\": %.1f, \"allocs\": %llu, "
           "\"own_allocs\": %llu, \"reads\": %llu, \"writes\": %llu, \"waits\": %llu, "
           "\"others\": %llu}",
           name, stanzas, run.end.cpu_us - from->cpu_us, run.end.wall_us - from->wall_us,
           (unsigned long long)(b->allocs - a->allocs),
           (unsigned long long)(run.end.own - from->own), (unsigned long long)(b->reads - a->reads),
           (unsigned long long)(b->writes - a->writes), (unsigned long long)(b->waits - a->waits),
           (unsigned long long)(b->others - a->others));
}

/* "all" is the whole stream, "steady" what comes after the mark. A library that reads everything first and hands it out
 * afterwards can be judged by "all" only. */
static void print_run(void)
{
    printf(", \"seen\": %ld, \"children\": %ld", run.stanzas, run.children);
    print_part("all", bench.warm + bench.count, &run.start);
    print_part("steady", bench.count, &run.begin);
}

static void measure_receive(void)
{
    void *peer = log_in();
    long idle;

    reset_peak();
    idle = proc_kib("/proc/self/status", "VmRSS:");
    run.start = run.begin = now();
    peer_announce(peer);
    while (!run.done)
        peer_step(1000);
    print_run();
    printf(", \"idle_kib\": %ld, \"peak_kib\": %ld", idle, proc_kib("/proc/self/status", "VmHWM:"));
    if (run.sample_count) {
        qsort(run.samples, run.sample_count, sizeof *run.samples, by_value);
        printf(", \"latency_us\": %.2f, \"latency_p90_us\": %.2f, \"latency_p99_us\": %.2f",
               run.samples[run.sample_count / 2], run.samples[run.sample_count * 9 / 10],
               run.samples[run.sample_count * 99 / 100]);
    }
    peer_extra(peer, bench.mode);
    peer_close(peer);
}

static void send_one(void *peer, const char *id, const char *body)
{
    while (!peer_send(peer, id, body))
        peer_step(1000);
}

/* "m" and 15 hexadecimal digits. By hand: snprintf() would cost as much as the whole message of a fast library. */
static void format_id(char id[17], long number)
{
    unsigned long rest = (unsigned long)number;

    id[0] = 'm';
    id[16] = '\0';
    for (int i = 15; i > 0; i--) {
        id[i] = "0123456789abcdef"[rest % 16];
        rest /= 16;
    }
}

static void measure_send(void)
{
    /* with an id of 16 characters and this a message has about 170 bytes */
    static const char body[] =
        "Wherefore art thou? Deny thy father, and refuse thy name, sweet Romeo.";
    void *peer = log_in();

    peer_announce(peer);
    run.start = now();
    for (long i = 0; i < bench.warm + bench.count; i++) {
        char id[17];
        if (i == bench.warm) {
            for (int n = 0; n < 50; n++)
                peer_step(1); /* what was sent before is not counted */
            run.begin = now();
        }
        format_id(id, i);
        send_one(peer, id, body);
        if (i % bench.batch == bench.batch - 1)
            peer_step(0);
    }
    send_one(peer, "last", "bench-end");
    while (!run.done)
        peer_step(1000);
    print_run();
    printf("%s", run.end_text[0] ? ", \"sent\": \"" : "");
    printf("%s%s", run.end_text, run.end_text[0] ? "\"" : "");
    peer_extra(peer, bench.mode);
    peer_close(peer);
}

static void measure_idle(void)
{
    void **peers = calloc((size_t)bench.count, sizeof *peers);
    struct point begin;
    struct point end;
    size_t own;
    long rss[3];
    long pss[3];

    if (!peers)
        bench_fail("no memory");
    rss[0] = proc_kib("/proc/self/status", "VmRSS:");
    pss[0] = proc_kib("/proc/self/smaps_rollup", "Pss:");
    peers[0] = log_in();
    peer_announce(peers[0]);
    for (int i = 0; i < 20; i++)
        peer_step(1);
    rss[1] = proc_kib("/proc/self/status", "VmRSS:");
    pss[1] = proc_kib("/proc/self/smaps_rollup", "Pss:");
    begin = now();
    own = bench_own_bytes;
    for (long i = 1; i < bench.count; i++) {
        peers[i] = log_in();
        peer_announce(peers[i]);
    }
    end = now();
    for (int i = 0; i < 50; i++)
        peer_step(1);
    rss[2] = proc_kib("/proc/self/status", "VmRSS:");
    pss[2] = proc_kib("/proc/self/smaps_rollup", "Pss:");
    printf(", \"connections\": %ld, \"first_kib\": %ld, \"rss_kib\": %.2f, \"pss_kib\": %.2f, "
           "\"total_kib\": %ld, \"own_bytes\": %.0f, \"cpu_us\": %.1f, \"wall_us\": %.1f, "
           "\"allocs\": %llu",
           bench.count, pss[1] - pss[0], (double)(rss[2] - rss[1]) / (double)(bench.count - 1),
           (double)(pss[2] - pss[1]) / (double)(bench.count - 1), pss[2],
           (double)(bench_own_bytes - own) / (double)(bench.count - 1), end.cpu_us - begin.cpu_us,
           end.wall_us - begin.wall_us,
           (unsigned long long)(end.counters.allocs - begin.counters.allocs));
    peer_extra(peers[0], bench.mode);
    for (long i = 0; i < bench.count; i++)
        peer_close(peers[i]);
    free(peers);
}

/* Each login is made while the one before is still connected, unless bench.alone. */
static void measure_login(void)
{
    void *peer = NULL;
    void *other = bench.keep && !bench.alone ? log_in() : NULL;

    printf(", \"logins\": [");
    for (long i = 0; i < bench.count; i++) {
        void *old = peer;
        struct point begin;
        struct point end;
        if (old && bench.alone && !bench.keep) {
            peer_close(old);
            old = NULL;
        }
        begin = now();
        if (old && bench.keep) {
            if (!peer_reopen(old))
                bench_fail("cannot log in with the same object");
            while (!peer_is_ready(old))
                peer_step(1000);
            old = NULL;
        } else {
            peer = log_in();
        }
        end = now();
        printf("%s{\"cpu_us\": %.1f, \"wall_us\": %.1f, \"allocs\": %llu, \"own_allocs\": %llu",
               i ? ", " : "", end.cpu_us - begin.cpu_us, end.wall_us - begin.wall_us,
               (unsigned long long)(end.counters.allocs - begin.counters.allocs),
               (unsigned long long)(end.own - begin.own));
        peer_extra(peer, bench.mode);
        printf("}");
        if (old)
            peer_close(old);
    }
    printf("]");
    if (peer)
        peer_close(peer);
    if (other)
        peer_close(other);
}

static void parse_options(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i];
        const char *value = argv[i + 1];
        long number = strtol(value, NULL, 10);
        if (strcmp(name, "--mode") == 0)
            bench.mode = value;
        else if (strcmp(name, "--port") == 0)
            bench.port = (unsigned short)number;
        else if (strcmp(name, "--tls") == 0)
            bench.tls = strcmp(value, "plain") == 0      ? BENCH_PLAIN
                        : strcmp(value, "starttls") == 0 ? BENCH_STARTTLS
                                                         : BENCH_DIRECT;
        else if (strcmp(name, "--count") == 0)
            bench.count = number;
        else if (strcmp(name, "--warm") == 0)
            bench.warm = number;
        else if (strcmp(name, "--batch") == 0)
            bench.batch = number;
        else if (strcmp(name, "--slow-us") == 0)
            bench.slow_us = number;
        else if (strcmp(name, "--handlers") == 0)
            bench.handlers = number;
        else if (strcmp(name, "--keep") == 0)
            bench.keep = (int)number;
        else if (strcmp(name, "--own") == 0)
            bench.own = (int)number;
        else if (strcmp(name, "--alone") == 0)
            bench.alone = (int)number;
        else if (strcmp(name, "--ca-dir") == 0)
            bench.ca_dir = value;
        else if (strcmp(name, "--ca") == 0)
            bench.ca_file = value;
        else
            bench_fail(name);
    }
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    alarm(MAX_SECONDS); /* whatever happens: nothing is left running */
    peer_init();
    printf("{\"mode\": \"%s\"", bench.mode);
    if (strcmp(bench.mode, "send") == 0)
        measure_send();
    else if (strcmp(bench.mode, "idle") == 0)
        measure_idle();
    else if (strcmp(bench.mode, "login") == 0)
        measure_login();
    else
        measure_receive();
    printf("}\n");
    free(run.samples);
    return 0;
}
