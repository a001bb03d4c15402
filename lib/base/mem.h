#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <xmpp/base.h>

/* Allocation through the process-wide allocator. NULL means out of memory; size 0 is valid. */
void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);
void *mem_zalloc_array(size_t count, size_t size); /* overflow-checked */
void *mem_realloc(void *ptr, size_t size); /* on failure ptr is untouched; size > 0 */
void *mem_free(void *ptr); /* accepts NULL, returns NULL */
char *mem_strdup(const char *str);
char *mem_strndup(const char *str, size_t len); /* copies exactly len bytes and a NUL */
void *mem_dup(const void *data, size_t len);

/* false when the result does not fit */
bool size_add(size_t a, size_t b, size_t *ret);
bool size_mul(size_t a, size_t b, size_t *ret);

#define CLEANUP(fn) __attribute__((cleanup(fn)))
/* Takes the value out of a variable that has a clean-up attribute. */
#define STEAL(ptr)                                                                                 \
    ({                                                                                             \
        __typeof__(ptr) *steal_from_ = &(ptr);                                                     \
        __typeof__(ptr) steal_value_ = *steal_from_;                                               \
        *steal_from_ = NULL;                                                                       \
        steal_value_;                                                                              \
    })
/* Defines static <fn>p(type **ptr) for CLEANUP, where fn frees and accepts NULL. */
#define DEFINE_CLEANUP(type, fn)                                                                   \
    __attribute__((unused)) static inline void fn##p(type **ptr)                                   \
    {                                                                                              \
        fn(*ptr);                                                                                  \
    }
DEFINE_CLEANUP(char, mem_free)

#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define ARRAY_LEN(array)                (sizeof(array) / sizeof *(array))

#endif
