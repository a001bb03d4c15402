#ifndef XMPP_SLOT_H
#define XMPP_SLOT_H
#include <xmpp/base.h>
XMPP_BEGIN_DECLS
/* A slot stands for one registration: handler, timer, pending request. */
XMPP_API xmpp_slot *xmpp_slot_ref(xmpp_slot *slot);
XMPP_API xmpp_slot *xmpp_slot_unref(xmpp_slot *slot); /* the last one unregisters */
XMPP_API int xmpp_slot_cancel(xmpp_slot *slot); /* unregister now, keep the handle */
XMPP_API int xmpp_slot_is_active(const xmpp_slot *slot);

/* Narrow a stanza handler; allowed until the next dispatch. */
XMPP_API int xmpp_slot_match_type(xmpp_slot *slot, const char *type);
XMPP_API int xmpp_slot_match_from(xmpp_slot *slot, const xmpp_jid *jid, int bare);
XMPP_API int xmpp_slot_match_id(xmpp_slot *slot, const char *id);
XMPP_API int xmpp_slot_set_priority(xmpp_slot *slot, int priority); /* lower runs first; 0 */
XMPP_END_DECLS
#endif
