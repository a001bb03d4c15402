#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmpp/elem.h>

/* What all targets share. A target is one file with LLVMFuzzerTestOneInput(); it is linked with libFuzzer, or with
 * replay.c. It begins with fuzz_begin() and ends with fuzz_end(). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_fail(__FILE__, __LINE__, #condition);                                             \
    } while (0)
void fuzz_fail(const char *file, int line, const char *what) __attribute__((noreturn));

/* Puts an allocator below the library that counts; the first time only. */
void fuzz_begin(void);
size_t fuzz_peak(void); /* most bytes that the library held at once since fuzz_begin() */
/* Everything that was allocated since fuzz_begin() must be free again. */
void fuzz_end(void);

/* Reads the input from its front. At its end: zeros, and empty strings. */
struct input {
    const uint8_t *data;
    size_t len;
};
uint8_t input_byte(struct input *input);
unsigned input_u16(struct input *input);
/* Up to one of the two separators, which is taken too and told (0: the end of the input). The result is a copy with a
 * NUL behind it, for free(): so the sanitizer sees what reads beyond. */
char *input_until(struct input *input, int a, int b, size_t *ret_len, int *ret_separator);
char *input_rest(struct input *input, size_t *ret_len);
char *fuzz_dup(const void *data, size_t len); /* with a NUL */

/* A generator of numbers that is the same everywhere. */
uint32_t fuzz_next(uint64_t *state);

/* Equal names, attributes in order, and children of all kinds in order. */
bool fuzz_same_tree(const xmpp_elem *a, const xmpp_elem *b);
/* Writes the tree, reads it again, and wants the same; then the text must be the same too. */
void fuzz_round_trip(const xmpp_elem *elem);

#endif
