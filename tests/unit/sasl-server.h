#ifndef UNIT_SASL_SERVER_H
#define UNIT_SASL_SERVER_H

#include <stdbool.h>
#include <stddef.h>

/* The server side of libsasl2 in this process: a peer that is not ours. Its one user is "user" with the
 * password "pencil"; a user of another name has the password that server_set_user() gave. */
struct server {
    void *conn; /* sasl_conn_t */
    char user[64];
    char in[4096];
    char binding[64]; /* sasl_channel_binding_t, kept by libsasl2 */
};

struct server_options {
    const char *cb_type; /* what its TLS session has; NULL: none */
    const void *cb_data;
    size_t cb_len;
    const char *external; /* the name in the client's certificate */
};

void server_init(
    void); /* once; nothing is given back: the plug-ins of libsasl2 leak when they are unloaded */
void server_set_user(const char *name, const char *password);
void server_open(struct server *server, const struct server_options *options);
void server_close(struct server *server);
/* in NULL: no initial response. Results: SASL_OK, SASL_CONTINUE, errors. *out is NULL when there is nothing. */
int server_start(struct server *server, const char *mechanism, const void *in, size_t len,
                 const char **out, unsigned *out_len);
int server_step(struct server *server, const void *in, size_t len, const char **out,
                unsigned *out_len);
const char *server_user(struct server *server); /* who has logged in, without the realm */

#endif
