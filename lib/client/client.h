#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "base/list.h"
#include "base/object.h"
#include "client/config.h"
#include "client/dispatch.h"
#include "client/find.h"
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
    struct dispatch dispatch;
    struct requests requests;
    struct sendq sendq;
    struct list features; /* client/feature */
    struct list modules; /* client/module */
    struct list state_slots;
    struct list notices; /* state changes that were not told yet */
    struct net_task notify; /* tells them */
    xmpp_jid *jid; /* bound JID; NULL unless READY (kept while CLOSING) */
    uint64_t slot_age; /* of the next state slot */
    unsigned holds; /* references that are on the stack, see client_hold() */
    unsigned asking; /* the question functions are running: they are not exchanged now */
    struct find_list endpoints; /* of the last connect */
    uint64_t stats[XMPP_STAT_READS + 1];
    uint64_t connect_at; /* time of connect() */
    uint64_t phase_at; /* time of the last state change */
    char *info[XMPP_INFO_STREAM_ID + 1];
};

/* What the public functions ask first: XMPP_ERR_INVAL: no client; else as net_check() */
int client_check(const xmpp_client *client);

/* Around everything that may run functions of the application: the client cannot vanish meanwhile, and
 * client_is_abandoned() tells that nobody but the stack refers to it any more: no more callbacks then. After
 * client_release() the client may be gone. */
void client_hold(xmpp_client *client);
void client_release(xmpp_client *client);
bool client_is_abandoned(const xmpp_client *client);
void client_set_info(xmpp_client *client, int info, const char *value); /* copied; NULL: unknown */

/* --- what dispatch, request and sendq need of the client (client/client.c) --- */

/* The engine while the state is READY, else NULL. */
xmpp_stream *client_get_stream(xmpp_client *client);
/* Unsent bytes, plain and encoded; 0 when there is no connection. */
size_t client_get_queued(const xmpp_client *client);
/* Output was put into the engine: it is flushed at the end of this turn. */
void client_wake(xmpp_client *client);
/* The session cannot go on (out of memory in the middle of a stanza): close with this error; takes it over. */
void client_fail(xmpp_client *client, xmpp_error *error);
/* Sends without the limit check of the application's queue: answers that the library owes. */
int client_send_internal(xmpp_client *client, xmpp_elem *stanza);

#endif
