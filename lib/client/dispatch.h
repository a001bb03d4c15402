#ifndef CLIENT_DISPATCH_H
#define CLIENT_DISPATCH_H

#include "base/list.h"
#include "base/map.h"

#include <xmpp/client.h>

/* Handlers in a hash of (kind, payload namespace, payload name); NULL of the application is a wildcard there. A stanza
 * looks up each of its children and the wildcards, then runs what matches by priority, then by age. */
struct dispatch {
    struct map *index; /* key to a bucket */
    uint64_t age; /* of the next handler */
    size_t count;
};

int dispatch_init(struct dispatch *dispatch);
void dispatch_clear(struct dispatch *dispatch); /* retires all handlers */
/* One received stanza, in the order of pending requests, handlers, defaults (STZ-07..13, 17, 18). The client is
 * held by the caller; any callback may disconnect it, or drop the application's last reference. */
void dispatch_stanza(xmpp_client *client, const xmpp_elem *stanza);

#endif
