#ifndef XMPP_JID_H
#define XMPP_JID_H
#include <xmpp/base.h>
XMPP_BEGIN_DECLS
/* Immutable, reference counted, may be shared between threads. */
XMPP_API int xmpp_jid_parse(xmpp_jid **ret, const char *str);
XMPP_API int xmpp_jid_compose(xmpp_jid **ret, const char *local, const char *domain,
                              const char *resource);
XMPP_API xmpp_jid *xmpp_jid_ref(const xmpp_jid *jid);
XMPP_API xmpp_jid *xmpp_jid_unref(xmpp_jid *jid);
XMPP_API const char *xmpp_jid_get_str(const xmpp_jid *jid);
XMPP_API const char *xmpp_jid_get_bare_str(const xmpp_jid *jid);
XMPP_API const char *xmpp_jid_get_local(const xmpp_jid *jid); /* NULL: none */
XMPP_API const char *xmpp_jid_get_domain(const xmpp_jid *jid);
XMPP_API const char *xmpp_jid_get_resource(const xmpp_jid *jid); /* NULL: none */
XMPP_API int xmpp_jid_to_bare(const xmpp_jid *jid, xmpp_jid **ret);
XMPP_API int xmpp_jid_compare(const xmpp_jid *a, const xmpp_jid *b); /* like strcmp */
XMPP_API int xmpp_jid_equal_bare(const xmpp_jid *a, const xmpp_jid *b); /* 1 or 0 */
XMPP_END_DECLS
#endif
