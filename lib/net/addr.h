#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* An IPv4 or IPv6 address. */
struct net_addr {
    int family;
    uint8_t bytes[16];
};

#define ADDR_STR 64 /* "[ffff:...:255.255.255.255]:65535" and its NUL */

bool addr_parse(struct net_addr *addr, const char *str); /* a literal without brackets */
void addr_format(const struct net_addr *addr, uint16_t port, char dst[ADDR_STR]);
socklen_t addr_to_sockaddr(const struct net_addr *addr, uint16_t port,
                           struct sockaddr_storage *ret);
bool addr_from_sockaddr(struct net_addr *addr, const struct sockaddr *src);
bool addr_is_loopback(const struct net_addr *addr);
/* Can the name be looked up? A-labels of 1 to 63 letters, digits, '-' and '_', at most 253 in all. Nothing
 * that a resolver might take for an escape or a literal. */
bool addr_is_name(const char *host);

#endif
