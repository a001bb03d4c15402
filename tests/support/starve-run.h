#ifndef SUPPORT_STARVE_RUN_H
#define SUPPORT_STARVE_RUN_H

#include <stdbool.h>

/* A crash inside a dependency that nobody above it can prevent. The innermost functions of its stack that are not
 * of the C library lie in this one, and both of these are in the stack. */
struct starve_known {
    const char *library; /* "/libexample.so" */
    const char *function;
    const char *caller; /* NULL: any */
    const char *reason;
};

struct starve_scenario {
    const char *name;
    /* In a child process. The result: XMPP_OK, why it did not come to that, or 1: it came to what must not be. */
    int (*run)(void);
    unsigned step; /* every step-th allocation; the environment has the last word: STARVE_STEP */
    unsigned step_on; /* the same for failing from then on; 0: step */
    bool is_lasting; /* with is_cold: what failed may stay away, else the next try must succeed */
    bool is_cold; /* each failure meets a process in which nothing was initialised */
};

/* Runs the scenario with the 1st, 1 + step-th, ... allocation of the process failing, once and from then on, until it
 * passes untouched. Untouched it must come to XMPP_OK. Otherwise it must end, with success or with any error but
 * a time-out, must not write to standard error, and leaves no block of our allocator (torture_install() comes first)
 * and no descriptor behind. The known list ends with NULL. Prints what went wrong, and where; returns how
 * often. */
unsigned starve_run(const struct starve_scenario *scenario, const struct starve_known *known);

#endif
