#ifndef EXHAUST_METER_H
#define EXHAUST_METER_H

#include <stddef.h>

/* Counts the memory of this process: what the library allocates by its allocator, and the whole heap, with all that
 * libxml2, GnuTLS, c-ares and the others allocate. */
struct meter_use {
    size_t own; /* bytes by xmpp_mem_set_allocator() */
    size_t all; /* bytes by malloc() and its kin */
};

void meter_init(void); /* first thing in main() */
struct meter_use meter_live(void);
void meter_mark(void); /* peaks begin anew here */
struct meter_use meter_peak(void); /* above what lived at the mark */

#endif
