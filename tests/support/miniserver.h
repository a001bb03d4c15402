#ifndef SUPPORT_MINISERVER_H
#define SUPPORT_MINISERVER_H

#include <stdbool.h>
#include <stddef.h>

/* A server for one connection, in memory: speaks TLS, takes any password by PLAIN or ANONYMOUS, binds. Its allocations do
 * not go through the library's allocator. Strings are borrowed. */
struct miniserver_options {
    const char *cert; /* of support/certs.h; NULL: "good" */
    bool direct; /* TLS from the first byte */
    bool no_tls; /* offers no STARTTLS */
    const char *behind_proceed; /* sent together with <proceed/> */
    const char *mechanisms; /* NULL: "<mechanism>PLAIN</mechanism>" */
    const char *at_header; /* sent instead of an answer to the first header inside TLS */
    const char *at_auth; /* instead of <success/> */
    const char *at_ready; /* sent after the answer to the resource binding */
    bool ignores_close; /* does not answer </stream:stream> */
};

struct miniserver;

struct miniserver *miniserver_create(const struct miniserver_options *options);
struct miniserver *miniserver_free(struct miniserver *server);
void miniserver_feed(struct miniserver *server, const void *data, size_t len); /* of the client */
size_t miniserver_take(struct miniserver *server, void *dst, size_t size); /* for the client */
void miniserver_say(struct miniserver *server, const char *text);
void miniserver_close_tls(struct miniserver *server); /* close_notify */
bool miniserver_is_bound(const struct miniserver *server);
bool miniserver_is_tls_closed(const struct miniserver *server); /* the client sent close_notify */
const char *miniserver_heard(const struct miniserver *server); /* all XML of the client */

#endif
