#ifndef SASL_PREP_H
#define SASL_PREP_H

#include "base/secret.h"

#include <stddef.h>

/* SASLprep (RFC 4013), query strings: unassigned code points allowed. XMPP_ERR_AUTH when prohibited. */
int sasl_prep_password(const char *str, size_t len, struct secret **ret);
int sasl_prep_name(const char *str, char **ret);

#endif
