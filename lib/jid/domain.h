#ifndef JID_DOMAIN_H
#define JID_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>

enum domain_kind { DOMAIN_NAME = 0, DOMAIN_IPV4 = 1, DOMAIN_IPV6 = 2 };

/* Canonical domainpart: U-labels, lower case, NFC, without a trailing dot; literals as they are, in lower case.
 * lenient: what is refused but could be sent back (JID-17, JID-18: legal XML characters, legal length) is kept
 * byte for byte. *ret: new string. XMPP_ERR_JID, XMPP_ERR_NOMEM. */
int domain_enforce(const char *str, size_t len, bool lenient, char **ret);
/* A-label form of an enforced domainpart, for DNS, SNI and certificates; a literal loses its brackets. */
int domain_to_ascii(const char *domain, char **ret, enum domain_kind *ret_kind);
/* Both at once. *ret_ascii: new string, or NULL for a domain that was kept as it is. */
int domain_prepare(const char *str, size_t len, bool lenient, char **ret, char **ret_ascii,
                   enum domain_kind *ret_kind);
/* The common case, without any allocation: an ASCII name that has no A-labels is its own A-label form. dst has
 * room for len bytes and is not terminated; false: ask domain_prepare(). */
bool domain_copy_ascii(const char *str, size_t len, char *dst, size_t *ret_len);

#endif
