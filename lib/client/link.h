#ifndef CLIENT_LINK_H
#define CLIENT_LINK_H

#include "base/limits.h"
#include "client/client.h"
#include "client/pipe.h"
#include "client/socket.h"
#include "client/states.h"

/* One connection, from connect() to IDLE: finds endpoints, races them, and if one fails in a way that another may cure,
 * goes on with the next. The client owns its link. Whoever runs functions of the application while using a link
 * holds it (link_hold), and looks at dead afterwards. */
struct link_attempt {
    char *target;
    xmpp_error *failure;
};

struct link {
    xmpp_client *client; /* borrowed; NULL once dead */
    xmpp_loop *loop; /* borrowed of the client, which outlives the memory of its link */
    unsigned holds;
    bool dead; /* IDLE was reached */
    bool started;
    bool wanted; /* the application asked for the end */
    bool reached; /* READY was reached */
    uint64_t drained_at; /* bytes that had left when the drain functions were called last */
    unsigned redirects; /* CORE-21 */
    struct find_request request; /* strings borrowed: of the configuration or of redirect_host */
    char *redirect_host;
    struct notice *last; /* IDLE can be told without memory */
    struct find *find;
    struct net_race *race;
    struct tls_creds *creds;
    size_t target; /* index in client->endpoints of the one in use */
    struct link_attempt *attempts; /* NULL before the first */
    size_t attempt_count;
    uint64_t moved; /* bytes in and out when the turn before was over */
    struct socket socket;
    xmpp_cert *cert; /* the open question; borrowed, it takes itself out */
    xmpp_ask *ask;
    struct net_task turn;
    struct net_timer timer; /* the pipe's deadline, or earlier */
    uint64_t timer_at; /* UINT64_MAX: not set */
    uint64_t relax_at; /* memory is given back, if nothing moves until then; UINT64_MAX: it was */
    struct net_timer overall; /* of connect(), or of the closing handshake */
};

/* --- link.c --- */
int link_create(struct link **ret, xmpp_client *client);
void link_hold(struct link *link);
void link_release(struct link *link);
/* To IDLE, now: everything is closed, the states are told later. error: taken over; NULL: wanted. */
void link_end(struct link *link, xmpp_error *error);
/* The client dies: nothing is told. */
void link_drop(struct link *link);
void link_disconnect(struct link *link);
void link_wake(struct link *link); /* there is something to do at the end of this turn */
/* The trust store and the client certificate: in link->creds now. Or why not; NULL: they are there. */
xmpp_error *link_load_creds(struct link *link);
/* The endpoint in use failed before the session was there: the next one, or the end. Takes error over. */
void link_endpoint_failed(struct link *link, xmpp_error *error);
/* CORE-20, 21: true when the error was a redirect and is followed. */
bool link_redirect(struct link *link, const xmpp_error *error);

/* --- session.c: what the pipe says --- */
int session_open(struct link *link, struct net_tcp *tcp, const struct find_endpoint *endpoint);
/* Takes the pipe's events, up to the limit of a turn; moves bytes; sets the timer. May end the link. */
void session_run(struct link *link);
/* The socket and the questions that belong to it are given up. */
void session_close(struct link *link);
void session_answer_cert(struct link *link, bool accept);
void session_answer_ask(struct link *link, const char *secret, size_t len); /* NULL: refused */

/* --- cert.c, ask.c --- */
/* Asks the application, if it wants to be. *ret_verdict: enum xmpp_cert_verdict. */
int cert_ask(struct link *link, struct tls *tls, int *ret_verdict);
void cert_forget(xmpp_cert *cert); /* the link is gone */
/* The answer comes by session_answer_ask(), maybe before this returns. XMPP_ERR_NOMEM: nobody was asked. */
int ask_ask(struct link *link, int kind, const char *mechanism);
void ask_forget(xmpp_ask *ask);

#endif
