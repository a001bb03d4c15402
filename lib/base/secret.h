#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that are overwritten before they are freed. Always followed by a NUL that does not count. */
struct secret;

int secret_create(struct secret **ret, const void *data, size_t len);
struct secret *secret_free(struct secret *secret); /* wipes; NULL ok; returns NULL */
const char *secret_data(const struct secret *secret);
size_t secret_len(const struct secret *secret);
void secret_wipe(void *data, size_t len); /* not optimised away */
bool secret_equal(const void *a, const void *b, size_t len); /* time depends on len only */

#endif
