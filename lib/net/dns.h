#ifndef NET_DNS_H
#define NET_DNS_H

#include "base/list.h"
#include "net/addr.h"
#include "net/net.h"

#include <ares.h>

/* A name server of xmpp_loop_set_dns_servers(). */
struct dns_server {
    struct net_addr addr;
    uint16_t port;
};

/* A c-ares channel in the loop, made for one query or one host and gone with it: nothing is kept while no lookup
 * runs, resolv.conf is read anew each time, and giving up is closing the channel.
 * c-ares runs its callbacks from inside its own functions, where it must not be called again. So these callbacks
 * only keep what came and schedule the task; everything else happens in the task. */
struct dns_chan {
    xmpp_loop *loop; /* a reference */
    ares_channel channel;
    struct list watches; /* struct dns_watch */
    struct net_timer timer;
    struct net_task *task;
    bool nomem; /* a socket could not be watched: the task gives up */
};

int dns_chan_open(struct dns_chan *chan, xmpp_loop *loop, struct net_task *task);
/* Runs the callbacks of what is pending with ARES_EDESTRUCTION: they must do nothing then. */
void dns_chan_close(struct dns_chan *chan);
void dns_chan_update(struct dns_chan *chan); /* after every start of a query */
const char *dns_status_text(int status); /* of c-ares, in words; static */

#endif
