#ifndef XMPP_EXT_PING_H
#define XMPP_EXT_PING_H
#include <xmpp/client.h>
XMPP_BEGIN_DECLS
typedef struct xmpp_ping xmpp_ping; /* XEP-0199 */
typedef void (*xmpp_ping_fn)(xmpp_ping *ping, uint64_t rtt_us, const xmpp_error *error,
                             void *user_data);
XMPP_API int xmpp_ping_attach(xmpp_ping **ret,
                              xmpp_client *client); /* one per client: get or create */
XMPP_API xmpp_ping *xmpp_ping_ref(xmpp_ping *ping);
XMPP_API xmpp_ping *xmpp_ping_unref(xmpp_ping *ping);
XMPP_API int xmpp_ping_send(xmpp_ping *ping, xmpp_slot **ret_slot, const xmpp_jid *to,
                            xmpp_ping_fn fn, void *user_data, xmpp_destroy_fn destroy);
XMPP_END_DECLS
#endif
