#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* RFC 4648 section 4, strict: no white space, padding required, pad bits zero. */
size_t base64_encoded_len(size_t len); /* without NUL */
void base64_encode(const void *data, size_t len, char *dst); /* terminates dst */
size_t base64_decoded_max(size_t len);
/* XMPP_ERR_INVAL for anything that is not strict base64; len may be 0 */
int base64_decode(const char *str, size_t len, uint8_t *dst, size_t *ret_len);

#endif
