#ifndef JID_PREP_H
#define JID_PREP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PRECIS (RFC 8264, 8265). Input: any bytes; invalid UTF-8 is refused before a Unicode function sees it.
 * lenient: code points that our Unicode version does not know are let through (input from the server).
 * *ret is a new string (mem_free). XMPP_ERR_JID when the profile refuses, XMPP_ERR_NOMEM. The length limits of
 * JID parts are not checked here, only that the input is not longer than a whole JID; an empty result is
 * refused. */
int prep_username_case_mapped(const char *str, size_t len, bool lenient, char **ret);
int prep_opaque_string(const char *str, size_t len, bool lenient, char **ret);
/* the same without lower-casing, for SASL user names that are not localparts */
int prep_username_case_preserved(const char *str, size_t len, char **ret);

/* RFC 5893 2, for one label or user name; true when it holds no right-to-left characters */
bool prep_obeys_bidi_rule(const uint32_t *text, size_t len);

/* NFC, or NFKC (compat), of len code points into dst, which has room for cap of them and must not overlap src.
 * Unicode's largest growth is by PREP_NFC_GROWTH and PREP_NFKC_GROWTH. XMPP_ERR_JID when src holds something
 * that is not a code point or the result does not fit, XMPP_ERR_NOMEM. */
#define PREP_NFC_GROWTH  3
#define PREP_NFKC_GROWTH 18
int prep_normalize(bool compat, const uint32_t *src, size_t len, uint32_t *dst, size_t cap,
                   size_t *ret_len);

#endif
