#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* NULL equals only NULL. Inline: names are compared everywhere, and most differ in their first letter. */
static inline bool str_eq(const char *a, const char *b)
{
    if (a == b || !a || !b)
        return a == b;
    return *a == *b && strcmp(a, b) == 0;
}

/* ASCII only, independent of the locale. */
bool str_case_eq(const char *a, const char *b);
bool str_starts(const char *str, const char *prefix);
bool str_ends(const char *str, const char *suffix);
char str_lower(char c);
bool str_is_space(char c); /* XML white space: SP TAB CR LF */
/* whole string, decimal digits only, no sign, no blanks; false on anything else or above max */
bool str_parse_uint(const char *str, size_t len, uint64_t max, uint64_t *ret);
/* Next word of a list separated by white space: advances *pos; false at the end. */
bool str_next_word(const char **pos, const char **ret_word, size_t *ret_len);
/* snprintf that always terminates; returns false when cut. The only formatter used in lib/. */
bool str_format(char *dst, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
