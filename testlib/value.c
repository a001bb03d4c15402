#include "value.h"

#include <string.h>

static bool match_glob(const char *pattern, const char *str)
{
    const char *star = NULL;
    const char *resume = NULL;

    while (*str) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = str;
        } else if (*pattern == *str) {
            pattern++;
            str++;
        } else if (star) {
            pattern = star;
            str = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool tst_match_value(const char *pattern, const char *value, char *captures[10])
{
    if (pattern[0] == '$' && pattern[1] >= '1' && pattern[1] <= '9' && !pattern[2]) {
        char **capture = &captures[pattern[1] - '0'];

        if (*capture)
            return strcmp(*capture, value) == 0;
        *capture = strdup(value);
        return *capture != NULL;
    }
    return match_glob(pattern, value);
}
