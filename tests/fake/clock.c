#include "fake/fake.h"
#include "net/loop.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BOOT_US  1000000u
#define MAX_RUNS 100000

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

static _Atomic uint64_t now_us = BOOT_US; /* posts come from other threads */
static bool interrupted;

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
    uint64_t us = now_us;

    if (id != CLOCK_MONOTONIC)
        return __real_clock_gettime(id, ts);
    ts->tv_sec = (time_t)(us / 1000000u);
    ts->tv_nsec = (long)(us % 1000000u) * 1000;
    return 0;
}

void fake_require(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fake net: %s\n", what);
    abort();
}

void fake_reset(void)
{
    fake_dns_reset();
    fake_race_reset();
    fake_tcp_reset();
    now_us = BOOT_US;
}

uint64_t fake_now(void)
{
    return now_us;
}

void fake_advance(uint64_t us)
{
    now_us += us;
}

void fake_interrupt(void)
{
    interrupted = true;
}

/* The timerfd lives in real time, so each turn is asked for instead of waiting for the descriptor. */
unsigned fake_run(xmpp_loop *loop)
{
    unsigned turns = 0;

    interrupted = false;
    xmpp_loop_ref(loop);
    for (;;) {
        int r;

        fake_tcp_ready(loop);
        r = xmpp_loop_dispatch(loop);
        fake_require(r >= 0, "the loop failed");
        if (r == 0 || interrupted)
            break;
        fake_require(++turns < MAX_RUNS, "the loop never becomes idle");
    }
    xmpp_loop_unref(loop);
    return turns;
}

uint64_t fake_next_timer(const xmpp_loop *loop)
{
    const struct heap_node *first = heap_first(&loop->timers);

    return first ? first->at : UINT64_MAX;
}

void fake_pass(xmpp_loop *loop, uint64_t us)
{
    uint64_t end_us = now_us + us;

    xmpp_loop_ref(loop);
    fake_run(loop);
    for (;;) {
        uint64_t next_us = fake_next_timer(loop);

        if (next_us > end_us)
            break;
        if (next_us > now_us)
            now_us = next_us;
        fake_run(loop);
    }
    now_us = end_us;
    xmpp_loop_unref(loop);
}
