#ifndef FAKE_TALK_H
#define FAKE_TALK_H

#include "fake/fake.h"

#include <xmpp/xmpp.h>

/* A client on the fake net, and a server that says what the test tells it to. Plain text to a loopback address; the
 * account is user@a.example, the bound resource r1. */
struct talk {
    xmpp_loop *loop;
    xmpp_client *client;
    xmpp_jid *jid;
    struct fake_socket *socket; /* of the current connection */
    char states[1024]; /* "resolving connecting ...": what was told */
    xmpp_error *error; /* of the last change to idle; a reference */
    unsigned ends; /* how often idle was told */
    char id[10][64]; /* captures of talk_hears() */
};

/* Results are XMPP_OK, or what went wrong: XMPP_ERR_NOMEM when memory was missing. */
int talk_create(struct talk *talk); /* fake_reset(), loop, configured client */
int talk_join(struct talk *talk, xmpp_loop *loop); /* another client on this loop */
void talk_leave(struct talk *talk); /* of one that joined */
void talk_destroy(struct talk *talk); /* whatever there is */
int talk_connect(struct talk *talk); /* up to the stream header */
int talk_login(struct talk *talk); /* from idle to READY */
/* the answer of the server to what the client says after "what": "header", "auth", "restart", "bind" */
int talk_step(struct talk *talk, const char *what);

void talk_feed(struct talk *talk, const char *xml); /* the server says this */
void talk_say(struct talk *talk, const char *xml); /* and the loop runs */
/* The client has said this next (a pattern of dialog_match(), captures in id) */
bool talk_hears(struct talk *talk, const char *pattern);
bool talk_is_silent(struct talk *talk); /* nothing more than was heard */
int talk_send(struct talk *talk, const char *xml); /* xmpp_client_send() */
xmpp_elem *talk_parse(const char *xml); /* unsealed; NULL: no memory */
/* An IQ get to the JID (NULL: none) with this id */
xmpp_elem *talk_iq(const char *to, const char *id);

#endif
