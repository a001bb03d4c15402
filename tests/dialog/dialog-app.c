#include "dialog-app.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what the application gets --- */

static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                     void *user_data)
{
    struct app *app = user_data;
    const char *kind = NULL;

    (void)client;
    (void)old_state;
    if (new_state == XMPP_STATE_AUTHENTICATING)
        kind = "AUTHENTICATING";
    if (new_state == XMPP_STATE_BINDING)
        kind = "BINDING";
    if (new_state == XMPP_STATE_READY)
        kind = "READY";
    if (new_state == XMPP_STATE_IDLE)
        /* to the application an end that it did not want is an error, however polite */
        kind = !error || strstr(xmpp_error_get_text(error), "the server closed the stream")
                   ? "CLOSED"
                   : "FAILED";
    if (kind)
        events_add(&app->events, kind, NULL,
                   !strcmp(kind, "FAILED") ? xmpp_error_ref(error) : NULL);
}

static int on_stanza(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    struct app *app = user_data;

    (void)client;
    events_add(&app->events, "STANZA", xmpp_elem_ref(stanza), NULL);
    return XMPP_DONE;
}

static void on_ask(xmpp_client *client, xmpp_ask *ask, void *user_data)
{
    struct app *app = user_data;

    (void)client;
    app->ask = xmpp_ask_ref(ask);
    events_add(&app->events, "NEED_SECRET", NULL, NULL);
}

/* --- settings --- */

static int set_jid(xmpp_client *client, const char *str,
                   int (*set)(xmpp_client *client, const xmpp_jid *jid))
{
    xmpp_jid *jid;
    int r;

    r = xmpp_jid_parse(&jid, str);
    if (r < 0)
        return r;
    r = set(client, jid);
    xmpp_jid_unref(jid);
    return r;
}

static int apply(xmpp_client *client, const struct app_server *server, const char *name,
                 const char *value)
{
    uint64_t number = strtoull(value, NULL, 10);

    if (!strcmp(name, "jid"))
        return set_jid(client, value, xmpp_client_set_jid);
    if (!strcmp(name, "authzid"))
        return set_jid(client, value, xmpp_client_set_authzid);
    if (!strcmp(name, "secret"))
        return xmpp_client_set_password(client, strcmp(value, "none") != 0 ? value : NULL);
    if (!strcmp(name, "secured"))
        return xmpp_client_set_endpoint(client, "127.0.0.1", server->direct_port, 1);
    if (!strcmp(name, "tls"))
        return xmpp_client_set_tls_mode(client, XMPP_TLS_LOCAL_ONLY);
    if (!strcmp(name, "external"))
        return xmpp_client_set_cert_files(client, server->cert, server->key);
    if (!strcmp(name, "keepalive"))
        return xmpp_client_set_keepalive(client, number);
    if (!strcmp(name, "max-stanza"))
        return xmpp_client_set_limits(client, number, 0);
    if (!strcmp(name, "max-queue"))
        return xmpp_client_set_limits(client, 0, number);
    if (!strcmp(name, "lang"))
        return xmpp_client_set_lang(client, value);
    if (!strcmp(name, "authcid"))
        return xmpp_client_set_authcid(client, value);
    if (!strcmp(name, "mechanisms"))
        return xmpp_client_set_mechanisms(client, value);
    return XMPP_ERR_NOTFOUND;
}

static int listen_to(struct app *app)
{
    static const char *const types[] = {NULL, "result", "error"};
    xmpp_client *client = app->client;
    int r;

    r = xmpp_client_on_state(client, NULL, on_state, app, NULL);
    if (r == XMPP_OK)
        r = xmpp_client_set_ask_fn(client, on_ask, app, NULL);
    for (size_t i = 0; i < 3 && r == XMPP_OK; i++) {
        int kinds = types[i] ? XMPP_IQ : XMPP_MESSAGE | XMPP_PRESENCE | XMPP_IQ;

        r = xmpp_client_add_handler(client, &app->slots[i], kinds, NULL, NULL, on_stanza, app,
                                    NULL);
        if (r == XMPP_OK && types[i])
            r = xmpp_slot_match_type(app->slots[i], types[i]);
    }
    return r;
}

static int configure(struct app *app, const struct app_server *server)
{
    xmpp_client *client = app->client;
    int r;

    r = apply(client, server, "jid", "user@a.example");
    if (r == XMPP_OK)
        r = apply(client, server, "secret", "pencil");
    if (r == XMPP_OK)
        r = xmpp_client_set_endpoint(client, "127.0.0.1", server->port, 0);
    if (r == XMPP_OK)
        r = xmpp_client_set_trust_file(client, server->trust);
    /* the dialogues wait longer than an application */
    if (r == XMPP_OK)
        r = xmpp_client_set_timeout(client, UINT64_MAX, 0);
    for (size_t i = 0; i < app->settings.count && r == XMPP_OK; i++)
        r = apply(client, server, app->settings.items[i][0], app->settings.items[i][1]);
    return r == XMPP_OK ? listen_to(app) : r;
}

int app_create(struct app *app, const struct app_server *server)
{
    int r;

    r = xmpp_client_create(&app->client, app->loop);
    return r == XMPP_OK ? configure(app, server) : r;
}

void app_clear(struct app *app)
{
    xmpp_ask_unref(app->ask);
    for (size_t i = 0; i < 3; i++)
        xmpp_slot_unref(app->slots[i]);
    xmpp_client_unref(app->client);
    xmpp_loop_unref(app->loop);
    events_clear(&app->events);
    settings_clear(&app->settings);
}

/* --- what the dialogue says and asks --- */

static int send_xml(struct app *app, const char *xml)
{
    xmpp_elem *elem;
    int r;

    r = dialog_parse_stanza(&elem, xml);
    if (r < 0)
        return r;
    r = xmpp_client_send(app->client, elem);
    xmpp_elem_unref(elem);
    return r;
}

int app_command(struct app *app, const char *name, const char *arg)
{
    if (!strcmp(name, "SECRET"))
        return xmpp_ask_answer(app->ask, arg, strlen(arg));
    if (!strcmp(name, "REFUSE"))
        return app->ask ? xmpp_ask_answer(app->ask, NULL, 0) : XMPP_ERR_STATE;
    if (!strcmp(name, "SEND"))
        return send_xml(app, arg);
    if (!strcmp(name, "CLOSE"))
        return xmpp_client_disconnect(app->client);
    return XMPP_ERR_NOTFOUND;
}

bool app_get(const struct app *app, const char *name, char *dst, size_t size)
{
    const xmpp_client *client = app->client;
    const char *value = NULL;

    if (!strcmp(name, "received") || !strcmp(name, "sent")) {
        snprintf(dst, size, "%" PRIu64,
                 xmpp_client_get_stat(client,
                                      *name == 'r' ? XMPP_STAT_STANZAS_IN : XMPP_STAT_STANZAS_OUT));
        return true;
    }
    if (!strcmp(name, "jid") && xmpp_client_get_state(client) == XMPP_STATE_READY)
        value = xmpp_jid_get_str(xmpp_client_get_jid(client));
    else if (!strcmp(name, "mechanism"))
        value = xmpp_client_get_info(client, XMPP_INFO_SASL_MECHANISM);
    else if (!strcmp(name, "binding"))
        value = xmpp_client_get_info(client, XMPP_INFO_CHANNEL_BINDING);
    else if (strcmp(name, "jid") != 0)
        return false;
    snprintf(dst, size, "%s", value ? value : "none");
    return true;
}
