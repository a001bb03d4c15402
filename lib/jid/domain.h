#ifndef JID_DOMAIN_H
#define JID_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>

enum domain_kind { DOMAIN_NAME = 0, DOMAIN_IPV4 = 1, DOMAIN_IPV6 = 2 };

/* Canonical domainpart: U-labels, lower case, NFC, without a trailing dot; literals as they are. *ret: new string.
 * XMPP_ERR_JID, XMPP_ERR_NOMEM. */
int domain_enforce(const char *str, size_t len, bool lenient, char **ret);
/* A-label form of an enforced domainpart, for DNS, SNI and certificates; a literal loses its brackets. */
int domain_to_ascii(const char *domain, char **ret, enum domain_kind *ret_kind);

#endif
