#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

char str_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_case_eq(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    while (*a && str_lower(*a) == str_lower(*b)) {
        a++;
        b++;
    }
    return str_lower(*a) == str_lower(*b);
}

bool str_starts(const char *str, const char *prefix)
{
    return strncmp(str, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *str, const char *suffix)
{
    size_t len = strlen(str);
    size_t suffix_len = strlen(suffix);

    return len >= suffix_len && memcmp(str + len - suffix_len, suffix, suffix_len) == 0;
}

bool str_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool str_parse_uint(const char *str, size_t len, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;

    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        uint64_t digit;

        if (str[i] < '0' || str[i] > '9')
            return false;
        digit = (uint64_t)(str[i] - '0');
        if (value > max / 10 || digit > max - value * 10)
            return false;
        value = value * 10 + digit;
    }
    *ret = value;
    return true;
}

bool str_next_word(const char **pos, const char **ret_word, size_t *ret_len)
{
    const char *word = *pos;
    const char *end;

    while (str_is_space(*word))
        word++;
    end = word;
    while (*end && !str_is_space(*end))
        end++;
    *pos = end;
    if (end == word)
        return false;

    *ret_word = word;
    *ret_len = (size_t)(end - word);
    return true;
}

bool str_format(char *dst, size_t size, const char *format, ...)
{
    va_list args;
    int len;

    if (size == 0)
        return false;
    va_start(args, format);
    len = vsnprintf(dst, size, format, args);
    va_end(args);
    if (len < 0) {
        dst[0] = '\0';
        return false;
    }
    return (size_t)len < size;
}
