#ifndef FAKE_FAKE_H
#define FAKE_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xmpp/loop.h>

/* A net layer without sockets, name servers and real time. Loop, timers and posts are the real ones, on a clock that
 * only the test moves; SRV lookups, races and sockets do what was scripted. What this keeps for itself does not go
 * through the library's allocator; what the real layer would allocate does.
 * A busy loop, a callback outside a dispatch and other breaches of net.h abort the test. */

void fake_reset(void); /* forgets all scripts and sockets; a second has passed since the boot */

/* --- time and the loop --- */
uint64_t fake_now(void); /* us */
void fake_advance(uint64_t us); /* only the clock */
unsigned
fake_run(xmpp_loop *loop); /* dispatches until nothing is to be done; how often something was */
void fake_pass(xmpp_loop *loop,
               uint64_t us); /* lets time pass from timer to timer, and runs what is due */
uint64_t fake_next_timer(const xmpp_loop *loop); /* when the next one is due, UINT64_MAX: none */
void fake_interrupt(void); /* fake_run() ends after the current dispatch */

/* --- name servers: SRV answers by name; nothing scripted: no such records --- */
void fake_srv(const char *name, const char *host, unsigned port, unsigned priority,
              unsigned weight);
void fake_srv_fail(const char *name); /* XMPP_ERR_DNS */
void fake_srv_hang(const char *name); /* never answers */
unsigned fake_srv_open(void); /* lookups that run */

/* --- hosts: what connecting comes to; nothing scripted: ECONNREFUSED --- */
enum { FAKE_ACCEPT = 0, FAKE_HANG = -1, FAKE_NO_HOST = -2 };
void fake_host(const char *host, unsigned port, int result); /* or an errno */
void fake_set_loopback(bool loopback); /* are the peers on this machine? yes, unless set */
unsigned fake_races_open(void);

/* --- the other end of a connection that was accepted. It stays until fake_reset(). --- */
struct fake_socket;
size_t fake_count(void);
struct fake_socket *fake_socket(size_t index); /* in order of their connecting */
struct fake_socket *fake_last(void); /* NULL: none */
const char *fake_host_of(const struct fake_socket *socket);
void fake_feed(struct fake_socket *socket, const void *data, size_t len); /* to the client */
size_t fake_unread(const struct fake_socket *socket); /* of that */
size_t fake_peek(const struct fake_socket *socket, const char **ret_data); /* of the client */
void fake_consume(struct fake_socket *socket, size_t len);
void fake_eof(struct fake_socket *socket); /* behind what was fed */
void fake_break(struct fake_socket *socket, int number); /* reading and writing fail */
void fake_set_room(struct fake_socket *socket, size_t bytes); /* it takes no more; SIZE_MAX: all */
bool fake_is_shut(const struct fake_socket *socket); /* the client will write no more */
bool fake_is_closed(const struct fake_socket *socket); /* the client has closed it */
unsigned fake_writes(const struct fake_socket *socket);

/* --- inside --- */
void fake_require(bool good, const char *what);
struct fake_socket *fake_accept(const char *host); /* a new one */
void fake_tcp_ready(xmpp_loop *loop); /* puts sockets with something to report on the loop's list */
void fake_tcp_reset(void);
void fake_dns_reset(void);
void fake_race_reset(void);
struct net_tcp;
int fake_tcp_create(struct net_tcp **ret, xmpp_loop *loop, struct fake_socket *socket);

#endif
