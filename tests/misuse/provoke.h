#ifndef MISUSE_PROVOKE_H
#define MISUSE_PROVOKE_H

#include "fix.h"

/* A ready client, or one that is asked for something: what the place needs. */
enum fix_stage place_stage(enum fix_place place);
const char *place_name(enum fix_place place);
/* Does the place run from inside run, step or dispatch? The others run inside the call that they belong to. */
bool place_is_dispatched(enum fix_place place);
/* Makes the function of fix->place run; it is registered with fix_on_destroy(). */
void place_provoke(struct fix *fix);

#endif
