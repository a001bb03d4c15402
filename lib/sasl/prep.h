#ifndef SASL_PREP_H
#define SASL_PREP_H

#include "base/secret.h"

#include <stddef.h>

/* SASLprep (RFC 4013), query strings: unassigned code points allowed. XMPP_ERR_AUTH when prohibited, when nothing is
 * left, when it is not UTF-8, or when it is not ASCII and longer than 1024 bytes; XMPP_ERR_NOMEM. */
int sasl_prep_password(const char *str, size_t len, struct secret **ret);
int sasl_prep_name(const char *str, char **ret);

#endif
