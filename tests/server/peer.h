/* A client under test and what it has seen; addresses come from the environment (tests/support/servers.py). */
#ifndef SERVER_PEER_H
#define SERVER_PEER_H

#include <stdbool.h>
#include <xmpp/xmpp.h>

struct peer {
    xmpp_loop *loop;
    xmpp_client *client;
    int ready; /* how often READY was told */
    int idle;
    xmpp_error *error; /* of the last IDLE */
    char *body; /* of the last message */
    xmpp_jid *from;
    unsigned messages;
    unsigned presences;
    bool echo; /* answer messages */
};

enum peer_way {
    BY_SRV, /* the scripted name server */
    BY_STARTTLS, /* endpoint by hand */
    BY_DIRECT_TLS
};

const char *test_env(const char *name); /* fails the test when it is not there */
xmpp_loop *peer_loop(void); /* with the test's name server */
/* user: "alice" is alice@a.example; configured, not connected */
void peer_init(struct peer *peer, xmpp_loop *loop, const char *user, const char *password,
               enum peer_way way);
void peer_clear(struct peer *peer); /* drops the client, whatever it does */
void peer_connect(struct peer *peer);
void peer_login(struct peer *peer); /* connects and runs until READY; fails otherwise */
void peer_logout(struct peer *peer); /* disconnects and runs until IDLE without error */
/* Runs the loop until done(data); fails after 30 s. */
void peer_run(xmpp_loop *loop, bool (*done)(void *data), void *data);
bool peer_is_ready(void *data);
bool peer_is_idle(void *data);
void peer_send_message(struct peer *peer, const xmpp_jid *to, const char *body);

#endif
