#ifndef BENCH_COUNTERS_H
#define BENCH_COUNTERS_H

#include <stdint.h>

/* What the preloaded library counts; it is found by name, so that a program runs without it too. */
struct counters {
    uint64_t allocs; /* malloc, calloc, realloc, aligned ones; not free */
    uint64_t reads; /* read, recv and their kin */
    uint64_t writes; /* write, send and their kin */
    uint64_t waits; /* poll, select, epoll_wait */
    uint64_t
        others; /* the other calls of an event loop: epoll_ctl, timerfd_settime, socket options,
                        getrandom */
};

#define BENCH_COUNTERS_SYMBOL "bench_counters"

#endif
