#ifndef CLIENT_SENDQ_H
#define CLIENT_SENDQ_H

#include "base/list.h"
#include "net/net.h"

#include <pthread.h>
#include <stdbool.h>
#include <xmpp/client.h>

/* What the application may queue, who wants to know when it drained, and stanzas posted by other threads. The bytes
 * themselves are in the engine's output buffer. */
struct sendq {
    size_t max_bytes;
    bool was_full; /* XMPP_ERR_LIMIT was returned, and the queue was not empty since */
    struct list drain_slots;
    struct net_task turn; /* sends more of what was posted */
    pthread_mutex_t lock; /* of what follows */
    struct list posted;
    size_t posted_bytes;
    struct post_ticket *ticket; /* on_posted() is going to run; NULL: it is not */
};

int sendq_init(struct sendq *sendq);
void sendq_clear(xmpp_client *client);
/* Output has left: runs drain functions whose mark was reached, and sends what was posted meanwhile. From the loop, not
 * from inside a send. */
void sendq_drained(xmpp_client *client);

#endif
