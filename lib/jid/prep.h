#ifndef JID_PREP_H
#define JID_PREP_H

#include <stdbool.h>
#include <stddef.h>

/* PRECIS (RFC 8264, 8265). Input: any bytes; invalid UTF-8 is refused before a Unicode function sees it.
 * lenient: code points that our Unicode version does not know are let through (input from the server).
 * *ret is a new string (mem_free). XMPP_ERR_JID when the profile refuses, XMPP_ERR_NOMEM. The length limits of
 * JID parts are not checked here; an empty result is refused. */
int prep_username_case_mapped(const char *str, size_t len, bool lenient, char **ret);
int prep_opaque_string(const char *str, size_t len, bool lenient, char **ret);
/* the same without lower-casing, for SASL user names that are not localparts */
int prep_username_case_preserved(const char *str, size_t len, char **ret);

#endif
