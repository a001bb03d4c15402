#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* From the kernel's generator, never blocks after boot; XMPP_ERR_SYSTEM if it fails. For keys and nonces. */
int rand_bytes(void *dst, size_t len);
/* 0 .. bound - 1, without bias; bound > 0. 0 when the generator fails */
uint32_t rand_below(uint32_t bound);
/* an unguessable identifier of len characters of [A-Za-z0-9]; dst has len + 1 bytes. Not secret: from a pool */
int rand_id(char *dst, size_t len);

#endif
