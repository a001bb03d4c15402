#ifndef SUPPORT_TORTURE_H
#define SUPPORT_TORTURE_H

#include <stdbool.h>
#include <stddef.h>

/* The test's allocator, put below the library with xmpp_mem_set_allocator(). Call first thing in main(). */
void torture_install(void);
/* From now on the n-th allocation (1: the next) fails, once or (persistent) with all that follow. 0: none fails. */
void torture_fail_at(unsigned n, bool persistent);
bool torture_has_failed(void); /* since torture_fail_at() */
size_t torture_live_blocks(void); /* allocated and not yet freed */
unsigned torture_count(void); /* allocations since torture_fail_at() */

/* Runs the scenario with the 1st, 2nd, 3rd ... allocation failing, once and persistently, until it passes
 * untouched. It must return XMPP_OK or XMPP_ERR_NOMEM each time and leave no block behind (after
 * arena_cache_trim()). Returns what the untouched run returned. Aborts the test otherwise. */
int torture_run(int (*scenario)(void *user_data), void *user_data);

#endif
