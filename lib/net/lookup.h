#ifndef NET_LOOKUP_H
#define NET_LOOKUP_H

#include "base/limits.h"
#include "net/addr.h"
#include "net/net.h"

/* of each family, so that a long list of one does not shut out the other */
#define LOOKUP_ADDRESSES (LIMIT_ADDRESSES / 2)

/* What became of one family's question: 0 answered, else the number of c-ares. */
bool lookup_is_nomem(int status);
const char *lookup_status_text(int status); /* static */

struct lookup;

/* The addresses of a host: AAAA and A are asked for at the same time, and fn gets each answer when it may be used
 * (RFC 8305 section 3): AAAA at once, A when AAAA is known or 50 ms later. So fn runs twice, the second time with
 * last true. count 0: none, status tells why.
 * fn runs from inside a dispatch, never from lookup_start(); it may free the lookup. */
typedef void (*lookup_fn)(void *user_data, const struct net_addr *addrs, size_t count, int status,
                          bool last);
int lookup_start(xmpp_loop *loop, struct lookup **ret, const char *host, lookup_fn fn,
                 void *user_data);
void lookup_free(struct lookup *lookup); /* NULL ok; fn does not run any more */

#endif
