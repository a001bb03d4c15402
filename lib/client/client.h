#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "base/list.h"
#include "base/object.h"
#include "client/config.h"
#include "client/dispatch.h"
#include "client/request.h"
#include "client/sendq.h"
#include "net/net.h"

#include <xmpp/client.h>

struct
    link; /* one connection from connect() to idle: endpoints, race, socket, pipe (client/link.h) */

struct xmpp_client {
    struct bound bound;
    xmpp_loop *loop; /* reference */
    struct config config;
    struct link *link; /* NULL when idle */
    int state; /* enum xmpp_state */
    uint64_t session; /* grows with each connect: SEC-32 */
    struct dispatch dispatch;
    struct requests requests;
    struct sendq sendq;
    struct list features; /* client/feature */
    struct list modules; /* client/module */
    struct list state_slots;
    struct list notices; /* state changes that were not told yet */
    struct net_task notify; /* tells them */
    xmpp_jid *jid; /* bound JID; NULL unless READY (kept while CLOSING) */
};

/* --- what dispatch, request and sendq need of the client (client/client.c) --- */

/* The engine while the state is READY, else NULL. */
xmpp_stream *client_get_stream(xmpp_client *client);
/* Output was put into the engine: it is flushed at the end of this turn. */
void client_wake(xmpp_client *client);
/* The session cannot go on (out of memory in the middle of a stanza): close with this error; takes it over. */
void client_fail(xmpp_client *client, xmpp_error *error);
/* Sends without the limit check of the application's queue: answers that the library owes. */
int client_send_internal(xmpp_client *client, xmpp_elem *stanza);

#endif
