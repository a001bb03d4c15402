#ifndef SASL_ATTR_H
#define SASL_ATTR_H

#include <stddef.h>
#include <stdint.h>

/* The grammar of SCRAM's messages (RFC 5802 section 7), strict: order, no attribute twice, no empty value.
 * Values are borrowed from the message and not terminated. */
struct attr_value {
    const char *str; /* NULL: absent */
    size_t len;
};

/* server-first-message; either error or the three of them */
struct attr_first {
    struct attr_value nonce;
    struct attr_value salt; /* base64 */
    uint64_t iterations; /* UINT64_MAX: larger than any limit */
    struct attr_value ssdp; /* h=, XEP-0474 */
    struct attr_value tls; /* t=, XEP-0515 */
    struct attr_value error; /* e= */
};

/* server-final-message: one of both */
struct attr_final {
    struct attr_value verifier; /* base64 */
    struct attr_value error;
};

/* XMPP_ERR_PROTOCOL: not what the grammar allows; XMPP_ERR_AUTH: a mandatory extension (SASL-18).
 * *ret_reason is then a static text. */
int attr_parse_first(const char *message, size_t len, struct attr_first *ret,
                     const char **ret_reason);
int attr_parse_final(const char *message, size_t len, struct attr_final *ret,
                     const char **ret_reason);

#endif
