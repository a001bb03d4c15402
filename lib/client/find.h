#ifndef CLIENT_FIND_H
#define CLIENT_FIND_H

#include "net/net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the servers of a domain are. */
struct find_endpoint {
    char *host; /* A-label name, or address literal without brackets */
    uint16_t port;
    bool direct_tls;
    int priority; /* of the SRV record; -1: not from one */
    int weight;
    int group; /* 0, 1, ...: endpoints of one priority, which may be raced */
};

struct find_list {
    struct find_endpoint *items;
    size_t count;
    size_t cap;
};

void find_list_init(struct find_list *list);
void find_list_clear(struct find_list *list);

/* Puts the usable records into the list, sorted by priority; of more than LIMIT_SRV_RECORDS the best stay
 * (DNS-10). *ret_absent: every record has the target "." (DNS-03). */
int find_collect(struct find_list *list, const struct net_srv *records, size_t count,
                 bool direct_tls, bool *ret_absent);
/* RFC 2782: within a priority at random by weight; numbers the groups. below(n) gives 0 .. n - 1. */
void find_order(struct find_list *list, uint32_t (*below)(uint32_t bound));

struct find_request {
    const char *domain; /* A-label form of the domain, or an address literal without brackets */
    bool is_ip;
    const char *host; /* set by hand (DNS-02), or NULL */
    uint16_t port; /* of host, or of the address literal; 0: default */
    bool direct_tls; /* host speaks TLS from the first byte */
};

/* false: find_without_srv() has the answer at once (DNS-02) */
bool find_needs_srv(const struct find_request *request);
int find_without_srv(const struct find_request *request, struct find_list *ret);

struct find;
/* list: in the order in which to try; fn may take it over (and init it again). Or error: why there is none. The
 * lookup is over when fn is called: fn frees it, or the holder later. */
typedef void (*find_fn)(void *user_data, struct find_list *list, const xmpp_error *error);
int find_start(struct find **ret, xmpp_loop *loop, const char *domain, find_fn fn, void *user_data);
struct find *find_free(struct find *find); /* NULL ok; fn does not run any more */

#endif
