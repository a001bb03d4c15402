#ifndef TESTLIB_VALUE_H
#define TESTLIB_VALUE_H

#include <stdbool.h>

/* Attributes and texts of patterns; also of the dialogues, which compare tokens where scripts compare trees. In a pattern
 * * stands for anything; "$1" (to "$9") captures, or must equal what was captured before. false: also no memory. */
bool tst_match_value(const char *pattern, const char *value, char *captures[10]);

#endif
