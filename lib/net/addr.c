#include "net/addr.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define NAME_MAX_LEN  253
#define LABEL_MAX_LEN 63

bool addr_parse(struct net_addr *addr, const char *str)
{
    struct net_addr parsed = {0};

    if (inet_pton(AF_INET, str, parsed.bytes) == 1)
        parsed.family = AF_INET;
    else if (inet_pton(AF_INET6, str, parsed.bytes) == 1)
        parsed.family = AF_INET6;
    else
        return false;
    *addr = parsed;
    return true;
}

void addr_format(const struct net_addr *addr, uint16_t port, char dst[ADDR_STR])
{
    char text[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop(addr->family, addr->bytes, text, sizeof text); /* the room suffices */
    (void)str_format(dst, ADDR_STR, addr->family == AF_INET6 ? "[%s]:%u" : "%s:%u", text,
                     (unsigned)port);
}

socklen_t addr_to_sockaddr(const struct net_addr *addr, uint16_t port, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof *ret);
    if (addr->family == AF_INET6) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

        memcpy(&in6.sin6_addr, addr->bytes, sizeof in6.sin6_addr);
        memcpy(ret, &in6, sizeof in6);
        return sizeof in6;
    }
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

    memcpy(&in.sin_addr, addr->bytes, sizeof in.sin_addr);
    memcpy(ret, &in, sizeof in);
    return sizeof in;
}

bool addr_from_sockaddr(struct net_addr *addr, const struct sockaddr *src)
{
    struct net_addr made = {.family = src->sa_family};

    if (src->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, src, sizeof in);
        memcpy(made.bytes, &in.sin_addr, sizeof in.sin_addr);
    } else if (src->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, src, sizeof in6);
        memcpy(made.bytes, &in6.sin6_addr, sizeof in6.sin6_addr);
    } else {
        return false;
    }
    *addr = made;
    return true;
}

bool addr_is_loopback(const struct net_addr *addr)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291 2.5.5.2 */
    struct in6_addr in6;

    if (addr->family == AF_INET)
        return addr->bytes[0] == 127;
    memcpy(&in6, addr->bytes, sizeof in6);
    return IN6_IS_ADDR_LOOPBACK(&in6) ||
           (memcmp(addr->bytes, mapped, sizeof mapped) == 0 && addr->bytes[12] == 127);
}

static bool is_label_char(char c)
{
    c = str_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool addr_is_name(const char *host)
{
    size_t label = 0;
    size_t total = 0;
    bool numeric = true; /* the label so far */

    for (; host[total]; total++) {
        char c = host[total];

        if (total == NAME_MAX_LEN)
            return false;
        if (c == '.') {
            if (label == 0)
                return false;
            label = 0;
            numeric = true;
            continue;
        }
        if (!is_label_char(c) || ++label > LABEL_MAX_LEN)
            return false;
        numeric = numeric && c >= '0' && c <= '9';
    }
    /* RFC 1123 2.1: a name whose last label is a number would be an address */
    return label > 0 && !numeric;
}
