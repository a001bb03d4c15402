#ifndef CLIENT_DISPATCH_H
#define CLIENT_DISPATCH_H

#include "base/list.h"
#include "base/map.h"
#include "base/slot.h"

#include <stdbool.h>
#include <xmpp/client.h>

enum { DISPATCH_KEY_MAX = 512 }; /* namespace and name of a handler together */

/* Handlers in a hash of (payload namespace, payload name); NULL of the application is a wildcard there. A stanza looks
 * up each of its children and the wildcards, then runs what matches by priority, then by age. Neither looking up
 * nor running allocates. */
struct dispatch {
    struct map *index; /* key to a struct bucket */
    uint64_t age; /* of the next handler */
    uint64_t round; /* of the running dispatch: a handler matches a stanza once */
    size_t any_name; /* handlers of (namespace, NULL): without them the look-up is spared */
    size_t any_ns; /* handlers of (NULL, name) */
    const xmpp_elem *question; /* the IQ get or set that is being handled */
    bool answered; /* the application has answered it */
};

/* All handlers of one (namespace, name), by priority, then by age. */
struct bucket {
    struct list handlers;
    size_t *wildcards; /* the counter of dispatch that this bucket adds to, or NULL */
    size_t key_len;
    char key[];
};

struct handler {
    xmpp_slot slot; /* first: slot_ops get it */
    struct list link; /* in its bucket */
    struct bucket *bucket;
    struct dispatch *dispatch;
    xmpp_loop *loop; /* reference: the slot may outlive the client */
    int kinds;
    int priority;
    uint64_t age;
    uint64_t born; /* the dispatch in which it was registered, or the last one before */
    uint64_t round; /* the last dispatch that it matched */
    struct handler *next; /* the next one to run in the running dispatch */
    xmpp_stanza_fn fn;
    char *type;
    char *id;
    xmpp_jid *from;
    bool bare;
};

int dispatch_init(struct dispatch *dispatch);
void dispatch_clear(struct dispatch *dispatch); /* retires all handlers */
/* One received stanza, in the order of pending requests, handlers, defaults (STZ-07..13, 17, 18). The client is
 * held by the caller; any callback may disconnect it, or drop the application's last reference. */
void dispatch_stanza(xmpp_client *client, const xmpp_elem *stanza);
/* The application sends this: it may be the answer to the IQ that is being handled. */
void dispatch_note_sent(struct dispatch *dispatch, const xmpp_elem *stanza);

/* --- client/handler.c --- */
/* Bucket key; false when it is too long to be of any handler. NULL: wildcard. */
bool handler_key(const char *ns, const char *name, char key[DISPATCH_KEY_MAX], size_t *ret_len);
/* type: as it counts, for the kind; own: the sender of a stanza without 'from' (its bare JID, STZ-02) */
bool handler_matches(const struct handler *handler, const xmpp_elem *stanza, int kind,
                     const char *type, const xmpp_jid *own);

#endif
