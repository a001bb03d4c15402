#ifndef BENCH_STANZAS_H
#define BENCH_STANZAS_H

#include <stddef.h>

/* What a server sends to a busy client. The same number always gives the same bytes. */
struct stanzas {
    char *data;
    size_t len;
    size_t size;
};

/* Appends count stanzas, between a message "bench-begin" (after the first warm ones) and a message "bench-end". */
void stanzas_make(struct stanzas *stanzas, size_t count, size_t warm);
void stanzas_free(struct stanzas *stanzas);

#endif
