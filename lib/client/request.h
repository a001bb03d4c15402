#ifndef CLIENT_REQUEST_H
#define CLIENT_REQUEST_H

#include "base/list.h"
#include "base/map.h"

#include <stdbool.h>
#include <xmpp/client.h>

/* Pending IQ requests by id. Ids are unguessable and unique in the session (STZ-05). */
struct requests {
    struct map *by_id;
    struct list pending; /* in order of sending */
};

int requests_init(struct requests *requests);
/* STZ-09..11: id and sender and kind. true: it was an answer, its function ran. */
bool requests_match(xmpp_client *client, const xmpp_elem *stanza);
/* The session is over: each pending request ends once, with XMPP_ERR_CLOSED and the cause as text. */
void requests_fail(xmpp_client *client, const xmpp_error *cause);
void requests_clear(struct requests *requests); /* the client dies: retires the slots, no calls */

#endif
