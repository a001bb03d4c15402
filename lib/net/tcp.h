#ifndef NET_TCP_H
#define NET_TCP_H

#include "net/addr.h"
#include "net/net.h"

/* A non-blocking socket with the options of every connection; connecting has begun or is over.
 * On failure -1 with errno, and no socket is left. */
int tcp_open(const struct net_addr *addr, uint16_t port);
/* Takes a connected socket over; on failure it still is the caller's. */
int tcp_create(struct net_tcp **ret, xmpp_loop *loop, int fd, const struct net_addr *peer);

#endif
