#ifndef SUPPORT_STARVE_H
#define SUPPORT_STARVE_H

#include <stdbool.h>

/* The allocator of the whole process, where it can fail for the libraries that the library stands on, too. A program
 * that is linked with starve.c has its malloc() and so on, and every shared object of the process gets them; as a
 * module it does the same to a program that is started with LD_PRELOAD, told by the environment (starve.c). */

/* From now on the n-th allocation of this thread (1: the next) fails, once or (persistent) with all that follow.
 * 0: none fails, they are only counted. */
void starve_begin(unsigned n, bool persistent);
/* Nothing fails any more. */
void starve_end(void);
bool starve_has_failed(void); /* since starve_begin() */
unsigned starve_count(void); /* allocations since starve_begin() */

/* Around code of the test between both, which always gets memory and is not counted: resume with what pause returned. */
bool starve_pause(void);
void starve_resume(bool was_on);

/* c-ares waits so long for a name server, and tries again: an answer that it had no memory to read does not come */
#define STARVE_TRY_MS 500

#define STARVE_STACK 24
/* Where the first one failed: return addresses. */
int starve_get_stack(void *const **ret);

#endif
