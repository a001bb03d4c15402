#ifndef XMPP_JID_H
#define XMPP_JID_H
#include <xmpp/base.h>
XMPP_BEGIN_DECLS

/**
 * @file
 * Addresses: `localpart@domainpart/resourcepart` (RFC 7622).
 *
 * A JID holds the enforced form of an address, so that equal addresses are equal strings:
 * - the localpart by the PRECIS profile UsernameCaseMapped (RFC 8265, 3.3): lower case, ordinary width, NFC;
 * - the domainpart as U-labels of IDNA2008 in lower case, without a trailing dot; an IPv4 address or an IPv6
 *   address in brackets is allowed, a zone identifier in it is not;
 * - the resourcepart by the PRECIS profile OpaqueString (RFC 8265, 4.2): every space is U+0020, NFC. Its case
 *   matters, and it may hold '/' and '@', and spaces at its beginning and end: RFC 7622, 3.5 lists
 *   "juliet@example.com/ foo" as a violation, but the profile allows it.
 *
 * Each part has at most 1023 bytes in this form, the whole 3071; input of more than 3071 bytes is refused. No
 * part is ever escaped or unescaped (XEP-0106).
 *
 * A JID is immutable and reference counted, and may be used by any number of threads at once.
 *
 * The addresses of received stanzas can hold what these rules refuse, because some servers apply older ones. Such
 * a part is kept byte for byte, so that an answer reaches its sender, and is never equal to an enforced one.
 */

/**
 * Make a JID of its string form (RFC 7622, 3).
 *
 * The first '/' begins the resourcepart; the first '@' before it ends the localpart. Code points that are not
 * assigned in the Unicode version in use are refused (RFC 8264, 8).
 *
 * @param ret  [out] new reference, xmpp_jid_unref(); untouched on failure
 * @param str  UTF-8, NUL-terminated, copied; not NULL. Any bytes are safe
 *
 * Any thread.
 *
 * @retval XMPP_OK         *ret is set
 * @retval XMPP_ERR_INVAL  ret or str is NULL
 * @retval XMPP_ERR_JID    str is not an address: not UTF-8, a part that is missing, too long or refused
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_jid_parse(xmpp_jid **ret, const char *str);

/**
 * Make a JID of its parts, each of which is enforced (RFC 7622, 3.2 to 3.4).
 *
 * No part can become another one: a localpart with '@' or '/' is refused, and so is such a domainpart.
 *
 * @param ret       [out] new reference, xmpp_jid_unref(); untouched on failure
 * @param local     [optional] UTF-8, copied; NULL: no localpart. An empty string is refused
 * @param domain    UTF-8, copied; U-labels or A-labels, or an address literal; not NULL
 * @param resource  [optional] UTF-8, copied; NULL: no resourcepart. An empty string is refused
 *
 * Any thread.
 *
 * @retval XMPP_OK         *ret is set
 * @retval XMPP_ERR_INVAL  ret or domain is NULL
 * @retval XMPP_ERR_JID    a part is empty, too long, not UTF-8 or refused
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_jid_compose(xmpp_jid **ret, const char *local, const char *domain,
                              const char *resource);

/**
 * Take a reference.
 *
 * @param jid  [optional] borrowed references may be used too, hence const; NULL gives NULL
 * @return jid; the caller owns a reference to it now, xmpp_jid_unref()
 *
 * Any thread.
 * @since 0.1
 */
XMPP_API xmpp_jid *xmpp_jid_ref(const xmpp_jid *jid);

/**
 * Give a reference back; the last one frees the JID and all strings that were borrowed from it.
 *
 * @param jid  [optional] a reference that the caller owns; NULL does nothing
 * @return NULL, always
 *
 * Any thread.
 * @since 0.1
 */
XMPP_API xmpp_jid *xmpp_jid_unref(xmpp_jid *jid);

/**
 * Get the whole address, with the resourcepart if there is one (RFC 7622, 3.1).
 *
 * @param jid  [optional] may be NULL
 * @return UTF-8, borrowed, lives as long as jid; NULL if jid is NULL
 *
 * Any thread.
 * @since 0.1
 */
XMPP_API const char *xmpp_jid_get_str(const xmpp_jid *jid);

/**
 * Get the address without the resourcepart: "localpart@domainpart" or "domainpart" (RFC 6120, 1.4).
 *
 * @param jid  [optional] may be NULL
 * @return UTF-8, borrowed, lives as long as jid; NULL if jid is NULL
 *
 * Any thread.
 * @since 0.1
 */
XMPP_API const char *xmpp_jid_get_bare_str(const xmpp_jid *jid);

/**
 * Get the localpart (RFC 7622, 3.3).
 *
 * @param jid  [optional] may be NULL
 * @return UTF-8, borrowed, lives as long as jid, never empty; NULL if there is none or jid is NULL
 *
 * Any thread.
 * @since 0.1
 */
XMPP_API const char *xmpp_jid_get_local(const xmpp_jid *jid);

/**
 * Get the domainpart (RFC 7622, 3.2).
 *
 * @param jid  [optional] may be NULL
 * @return UTF-8 with U-labels, or an address literal, in brackets if it is one of IPv6; borrowed, lives as long
 *         as jid, never empty; NULL if jid is NULL
 *
 * Any thread.
 * @since 0.1
 */
XMPP_API const char *xmpp_jid_get_domain(const xmpp_jid *jid);

/**
 * Get the resourcepart (RFC 7622, 3.4).
 *
 * @param jid  [optional] may be NULL
 * @return UTF-8, borrowed, lives as long as jid, never empty; NULL if there is none or jid is NULL
 *
 * Any thread.
 * @since 0.1
 */
XMPP_API const char *xmpp_jid_get_resource(const xmpp_jid *jid);

/**
 * Make the bare JID of a JID: the same address without its resourcepart (RFC 6120, 1.4).
 *
 * @param jid  not NULL; may be bare itself
 * @param ret  [out] new reference, xmpp_jid_unref(), to jid itself if it has no resourcepart; untouched on
 *             failure
 *
 * Any thread.
 *
 * @retval XMPP_OK         *ret is set
 * @retval XMPP_ERR_INVAL  jid or ret is NULL
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_jid_to_bare(const xmpp_jid *jid, xmpp_jid **ret);

/**
 * Compare two whole addresses, byte by byte like strcmp() (RFC 7622, 3.2 to 3.4; RFC 8264, 7).
 *
 * A bare JID differs from every full JID; see xmpp_jid_equal_bare().
 *
 * @param a  [optional] NULL comes before every JID and equals NULL
 * @param b  [optional] the same
 * @return 0 if they are equal, a negative value if a comes before b, else a positive one
 *
 * Any thread.
 * @since 0.1
 */
XMPP_API int xmpp_jid_compare(const xmpp_jid *a, const xmpp_jid *b);

/**
 * Tell whether two addresses are equal when their resourceparts are left out.
 *
 * @param a  [optional] NULL equals nothing, not even NULL
 * @param b  [optional] the same
 * @return 1 or 0
 *
 * Any thread.
 * @since 0.1
 */
XMPP_API int xmpp_jid_equal_bare(const xmpp_jid *a, const xmpp_jid *b);

XMPP_END_DECLS
#endif
