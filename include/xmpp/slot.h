#ifndef XMPP_SLOT_H
#define XMPP_SLOT_H

/**
 * @file
 * A slot stands for one registration: a handler, a timer, a pending request.
 *
 * Functions that register something take a `ret_slot`. With NULL there, the registration lives as long as the
 * object that it was made on. Else the caller gets a reference, and the registration ends at the latest with the
 * last reference. A slot that has ended (cancelled, fired for the last time, its object gone) stays a valid
 * handle until it is unreferenced.
 */

#include <xmpp/base.h>

XMPP_BEGIN_DECLS

/**
 * Take another reference.
 *
 * Any thread that holds a reference.
 *
 * @param slot  [optional] or NULL: nothing happens
 * @return slot
 * @since 0.1
 */
XMPP_API xmpp_slot *xmpp_slot_ref(xmpp_slot *slot);

/**
 * Drop a reference; the last one cancels the registration.
 *
 * Any thread. In the loop's thread the registration is gone when this returns. Elsewhere that is left to the
 * loop, and the function may run until then.
 *
 * @param slot  [optional] or NULL: nothing happens
 * @return always NULL
 * @since 0.1
 */
XMPP_API xmpp_slot *xmpp_slot_unref(xmpp_slot *slot);

/**
 * End the registration now, but keep the handle.
 *
 * The slot's function is never called again, even if its event was already pending. The destroy function runs
 * inside this call; if the slot's own function is running, right after that. Cancelling a request drops it: its
 * answer is ignored.
 *
 * @param slot  loop thread only; may be the one whose function is running
 *
 * @retval XMPP_OK          it is inactive, also if it was before
 * @retval XMPP_ERR_INVAL   slot is NULL
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds)
 * @since 0.1
 */
XMPP_API int xmpp_slot_cancel(xmpp_slot *slot);

/**
 * Can the slot's function still be called?
 *
 * @param slot  [optional] loop thread only; or NULL
 *
 * @retval 1  yes
 * @retval 0  no: cancelled, fired for the last time, its object gone, or NULL
 * @since 0.1
 */
XMPP_API int xmpp_slot_is_active(const xmpp_slot *slot);

/**
 * Narrow a stanza handler to one value of the stanza's type attribute.
 *
 * Allowed from the registration until the next dispatch. A message without the attribute, or with an unknown value, has the
 * type "normal" (RFC 6121, 5.2.2).
 *
 * @param slot  a stanza handler's; loop thread only
 * @param type  like "chat", "get"; copied
 *
 * @retval XMPP_OK          narrowed
 * @retval XMPP_ERR_INVAL   NULL, or not a stanza handler
 * @retval XMPP_ERR_STATE   too late, or inactive
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds)
 * @since 0.1
 */
XMPP_API int xmpp_slot_match_type(xmpp_slot *slot, const char *type);

/**
 * Narrow a stanza handler to one sender.
 *
 * Allowed from the registration until the next dispatch. A stanza without a sender comes from the account's own bare
 * address (RFC 6120, 8.1.2.1).
 *
 * @param slot  a stanza handler's; loop thread only
 * @param jid   the sender; referenced
 * @param bare  0: the whole address must be equal; else any resource will do
 *
 * @retval XMPP_OK          narrowed
 * @retval XMPP_ERR_INVAL   NULL, or not a stanza handler
 * @retval XMPP_ERR_STATE   too late, or inactive
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds)
 * @since 0.1
 */
XMPP_API int xmpp_slot_match_from(xmpp_slot *slot, const xmpp_jid *jid, int bare);

/**
 * Narrow a stanza handler to one value of the stanza's id attribute.
 *
 * Allowed from the registration until the next dispatch. Answers to IQ requests do not need this: see
 * xmpp_client_request(), which looks at the sender too.
 *
 * @param slot  a stanza handler's; loop thread only
 * @param id    UTF-8; copied
 *
 * @retval XMPP_OK          narrowed
 * @retval XMPP_ERR_INVAL   NULL, or not a stanza handler
 * @retval XMPP_ERR_STATE   too late, or inactive
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds)
 * @since 0.1
 */
XMPP_API int xmpp_slot_match_id(xmpp_slot *slot, const char *id);

/**
 * Choose when a stanza handler is asked, compared with the others that match.
 *
 * Allowed from the registration until the next dispatch. Handlers of the same priority run in the order of their
 * registration.
 *
 * @param slot      a stanza handler's; loop thread only
 * @param priority  lower runs first; 0 unless set
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   NULL, or not a stanza handler
 * @retval XMPP_ERR_STATE   too late, or inactive
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds)
 * @since 0.1
 */
XMPP_API int xmpp_slot_set_priority(xmpp_slot *slot, int priority);

XMPP_END_DECLS
#endif
