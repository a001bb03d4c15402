#ifndef CLIENT_SOCKET_H
#define CLIENT_SOCKET_H

#include "client/pipe.h"
#include "net/net.h"

/* A pipe on a TCP connection: moves bytes, counts them, and never runs functions of the application. */
struct socket {
    struct net_tcp *tcp; /* NULL: not connected */
    struct pipe *pipe;
    xmpp_loop *loop;
    uint64_t *stats; /* by enum xmpp_stat */
    size_t max_unsent; /* nothing is read while more than this waits to be written */
    bool reading; /* what the loop watches for */
    bool write_blocked;
    bool asked; /* written since the last read: the next read is an answer */
    int write_errno; /* writing failed; what the peer sent before is read first */
    bool ended; /* the peer's end, or an error, was read */
    void (*wake)(void *user_data); /* something to do: from the loop */
    void *user_data;
};

void socket_init(struct socket *socket, xmpp_loop *loop, uint64_t *stats,
                 void (*wake)(void *user_data), void *user_data);
/* Takes both over. */
void socket_open(struct socket *socket, struct net_tcp *tcp, struct pipe *pipe, size_t max_unsent);
void socket_close(struct socket *socket);
void socket_flush(struct socket *socket); /* as much as the kernel takes */
/* Watches what is to be watched. An error is XMPP_ERR_SYSTEM, XMPP_ERR_NOMEM. */
int socket_watch(struct socket *socket);

#endif
