#ifndef JID_JID_H
#define JID_JID_H

#include <stddef.h>
#include <xmpp/jid.h>

/* For addresses that come from the server: unknown code points pass (JID-17), and what PRECIS refuses but is
 * routable (valid UTF-8 of legal XML characters, legal lengths, not empty) is kept byte for byte (JID-18). */
int jid_parse_lenient(xmpp_jid **ret, const char *str, size_t len);
/* As above, in place of *jid: a reference that is given back in any case, or NULL. When it is the last one, its memory
 * serves the new JID, if there is room enough. On failure *jid is NULL. */
int jid_replace_lenient(xmpp_jid **jid, const char *str, size_t len);
/* Has somebody a reference beside the caller's? If not, nobody else can take one either. NULL: no. */
int jid_is_shared(const xmpp_jid *jid);
/* A-label form of the domain, for DNS and certificates; borrowed from the JID, computed when it is made;
 * NULL when there is none (a lenient JID). is_ip: the domain is an address literal (without brackets here). */
const char *jid_get_ascii_domain(const xmpp_jid *jid);
int jid_is_ip(const xmpp_jid *jid);

#endif
