#ifndef DIALOG_DIALOG_APP_H
#define DIALOG_DIALOG_APP_H

#include "dialog-run.h"

#include <xmpp/xmpp.h>

/* The application of the levels that play with a whole client. */
struct app {
    struct settings settings;
    struct events events;
    xmpp_loop *loop;
    xmpp_client *client;
    xmpp_slot *slots[3]; /* stanza handlers */
    xmpp_ask *ask;
};

/* Where its server is. */
struct app_server {
    uint16_t port;
    uint16_t direct_port; /* TLS from the first byte */
    const char *trust; /* PEM files */
    const char *cert; /* of the client */
    const char *key;
};

/* Makes the client on app->loop, with the settings. */
int app_create(struct app *app, const struct app_server *server);
void app_clear(struct app *app);
/* SECRET, REFUSE, SEND and CLOSE; XMPP_ERR_NOTFOUND: another one */
int app_command(struct app *app, const char *name, const char *arg);
bool app_get(const struct app *app, const char *name, char *dst, size_t size);

#endif
