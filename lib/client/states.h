#ifndef CLIENT_STATES_H
#define CLIENT_STATES_H

#include <stdint.h>
#include <xmpp/client.h>

/* A state is set at once and told later, in order, by a task of the loop: never from inside a call of the
 * application. */
struct notice;

void states_init(xmpp_client *client);
void states_clear(xmpp_client *client); /* the client dies: nothing is told any more */
/* IDLE must be told even when there is no memory then: its notice is made before the connection. */
int states_reserve(struct notice **ret);
struct notice *states_unreserve(struct notice *notice); /* NULL ok */
/* No effect when it is the state already. XMPP_ERR_NOMEM: the state is unchanged. */
int states_set(xmpp_client *client, int state);
/* Microseconds in a phase, by enum xmpp_stat, with the part of one that goes on. */
uint64_t states_get_phase_us(const xmpp_client *client, int stat);
/* To IDLE; takes the notice and the error (NULL: wanted) over. Pending requests end before IDLE is told. */
void states_end(xmpp_client *client, struct notice *notice, xmpp_error *error);

#endif
