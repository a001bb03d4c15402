/* Plays dialogue files against the whole client on the fake net: dialog-client [--whole | --torture] FILE */
#include "dialog-run.h"
#include "fake/fake.h"
#include "support/certs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmpp/xmpp.h>

struct target {
    struct settings settings;
    struct events events;
    xmpp_loop *loop;
    xmpp_client *client;
    xmpp_slot *slots[3]; /* stanza handlers */
    xmpp_ask *ask;
    struct fake_socket *socket;
    struct tlspeer *peer;
    bool shaken;
};

/* --- what the application gets --- */

static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                     void *user_data)
{
    struct target *target = user_data;
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
        events_add(&target->events, kind, NULL,
                   !strcmp(kind, "FAILED") ? xmpp_error_ref(error) : NULL);
}

static int on_stanza(xmpp_client *client, const xmpp_elem *stanza, void *user_data)
{
    struct target *target = user_data;

    (void)client;
    events_add(&target->events, "STANZA", xmpp_elem_ref(stanza), NULL);
    return XMPP_DONE;
}

static int on_cert(xmpp_client *client, xmpp_cert *cert, void *user_data)
{
    (void)client;
    (void)cert;
    (void)user_data;
    return XMPP_CERT_ACCEPT; /* the identity is the business of other tests */
}

static void on_ask(xmpp_client *client, xmpp_ask *ask, void *user_data)
{
    struct target *target = user_data;

    (void)client;
    target->ask = xmpp_ask_ref(ask);
    events_add(&target->events, "NEED_SECRET", NULL, NULL);
}

/* --- life --- */

static int target_create(void **ret)
{
    fake_reset();
    fake_host("127.0.0.1", 5222, FAKE_ACCEPT);
    *ret = calloc(1, sizeof(struct target));
    return XMPP_OK;
}

static void target_destroy(void *data)
{
    struct target *target = data;

    xmpp_ask_unref(target->ask);
    for (size_t i = 0; i < 3; i++)
        xmpp_slot_unref(target->slots[i]);
    xmpp_client_unref(target->client);
    xmpp_loop_unref(target->loop);
    tlspeer_free(target->peer);
    events_clear(&target->events);
    settings_clear(&target->settings);
    free(target);
    fake_reset();
}

static int target_set(void *data, const char *name, const char *value)
{
    struct target *target = data;

    return settings_add(&target->settings, name, value);
}

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

static int apply(xmpp_client *client, const char *name, const char *value)
{
    uint64_t number = strtoull(value, NULL, 10);

    if (!strcmp(name, "jid"))
        return set_jid(client, value, xmpp_client_set_jid);
    if (!strcmp(name, "authzid"))
        return set_jid(client, value, xmpp_client_set_authzid);
    if (!strcmp(name, "secret"))
        return xmpp_client_set_password(client, strcmp(value, "none") != 0 ? value : NULL);
    if (!strcmp(name, "secured"))
        return xmpp_client_set_endpoint(client, "127.0.0.1", 5222, 1);
    if (!strcmp(name, "tls"))
        return xmpp_client_set_tls_mode(client, XMPP_TLS_LOCAL_ONLY);
    if (!strcmp(name, "external"))
        return xmpp_client_set_cert_files(client, certs_crt_path("alice"), certs_key_path("alice"));
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

static int listen_to(struct target *target)
{
    static const char *const types[] = {NULL, "result", "error"};
    xmpp_client *client = target->client;
    int r;

    r = xmpp_client_on_state(client, NULL, on_state, target, NULL);
    if (r == XMPP_OK)
        r = xmpp_client_set_cert_fn(client, on_cert, target, NULL);
    if (r == XMPP_OK)
        r = xmpp_client_set_ask_fn(client, on_ask, target, NULL);
    for (size_t i = 0; i < 3 && r == XMPP_OK; i++) {
        int kinds = types[i] ? XMPP_IQ : XMPP_MESSAGE | XMPP_PRESENCE | XMPP_IQ;

        r = xmpp_client_add_handler(client, &target->slots[i], kinds, NULL, NULL, on_stanza, target,
                                    NULL);
        if (r == XMPP_OK && types[i])
            r = xmpp_slot_match_type(target->slots[i], types[i]);
    }
    return r;
}

static int configure(struct target *target)
{
    xmpp_client *client = target->client;
    int r;

    r = apply(client, "jid", "user@a.example");
    if (r == XMPP_OK)
        r = apply(client, "secret", "pencil");
    if (r == XMPP_OK)
        r = xmpp_client_set_endpoint(client, "127.0.0.1", 5222, 0);
    if (r == XMPP_OK)
        r = xmpp_client_set_trust_file(client, certs_crt_path("ca"));
    /* the dialogues wait longer than an application */
    if (r == XMPP_OK)
        r = xmpp_client_set_timeout(client, UINT64_MAX, 0);
    for (size_t i = 0; i < target->settings.count && r == XMPP_OK; i++)
        r = apply(client, target->settings.items[i][0], target->settings.items[i][1]);
    return r == XMPP_OK ? listen_to(target) : r;
}

/* --- moving bytes --- */

static void start_peer(struct target *target)
{
    const struct tlspeer_options options = {
        .request_cert = settings_get(&target->settings, "external", NULL) != NULL};

    target->peer = tlspeer_create(&options);
}

/* After <proceed/> comes a ClientHello. */
static void look_for_tls(struct target *target)
{
    const char *data;

    if (target->peer || fake_peek(target->socket, &data) == 0 || *data != 0x16)
        return;
    start_peer(target);
    events_add(&target->events, "START_TLS", NULL, NULL);
}

/* Until nothing moves any more; the server's bytes arrive in pieces of at most so many. */
static void move_bytes(struct target *target, size_t piece)
{
    char wire[16384];
    const char *data;
    size_t len;
    bool moved = true;

    fake_run(target->loop);
    look_for_tls(target);
    while (target->peer && target->shaken && moved) {
        moved = false;
        while ((len = fake_peek(target->socket, &data)) > 0) {
            (void)tlspeer_feed(target->peer, data, len);
            fake_consume(target->socket, len);
            moved = true;
        }
        while ((len = tlspeer_take(target->peer, wire, piece < sizeof wire ? piece : sizeof wire)) >
               0) {
            fake_feed(target->socket, wire, len);
            fake_run(target->loop);
            moved = true;
        }
    }
}

static int open_target(struct target *target)
{
    int r;

    r = xmpp_loop_create(&target->loop);
    if (r == XMPP_OK)
        r = xmpp_client_create(&target->client, target->loop);
    if (r == XMPP_OK)
        r = configure(target);
    if (r == XMPP_OK)
        r = xmpp_client_connect(target->client);
    if (r < 0)
        return r;
    fake_run(target->loop);
    target->socket = fake_last();
    if (!target->socket)
        return XMPP_ERR_SYSTEM;
    if (settings_get(&target->settings, "secured", NULL)) {
        start_peer(target);
        target->shaken = true;
    }
    move_bytes(target, SIZE_MAX);
    return XMPP_OK;
}

static int target_open(void *data)
{
    return dialog_note(open_target(data));
}

static int target_feed(void *data, const char *bytes, size_t len)
{
    struct target *target = data;

    if (target->shaken && tlspeer_is_open(target->peer))
        (void)tlspeer_write(target->peer, bytes, len);
    else
        fake_feed(target->socket, bytes, len);
    move_bytes(target, len);
    return XMPP_OK;
}

static size_t target_peek(void *data, const char **ret_data)
{
    struct target *target = data;
    const void *bytes = "";
    size_t len;

    *ret_data = "";
    if (!target->socket)
        return 0;
    move_bytes(target, SIZE_MAX);
    if (!target->peer)
        return fake_peek(target->socket, ret_data);
    len = target->shaken ? tlspeer_peek(target->peer, &bytes) : 0;
    *ret_data = bytes;
    return len;
}

static void target_consume(void *data, size_t len)
{
    struct target *target = data;

    if (target->peer)
        tlspeer_consume(target->peer, len);
    else
        fake_consume(target->socket, len);
}

static void target_next(void *data, struct dialog_event *ret)
{
    struct target *target = data;

    if (target->socket)
        move_bytes(target, SIZE_MAX);
    *ret = events_take(&target->events);
}

static bool target_is_busy(void *data)
{
    (void)data;
    return false; /* the loop computes */
}

static int target_tick(void *data, uint64_t us)
{
    struct target *target = data;

    fake_pass(target->loop, us);
    return XMPP_OK;
}

/* --- commands --- */

static int send_xml(struct target *target, const char *xml)
{
    xmpp_elem *elem;
    int r;

    r = dialog_parse_stanza(&elem, xml);
    if (r < 0)
        return r;
    r = xmpp_client_send(target->client, elem);
    xmpp_elem_unref(elem);
    return r;
}

static int end(struct target *target)
{
    if (target->shaken && tlspeer_is_open(target->peer))
        (void)tlspeer_close(target->peer);
    move_bytes(target, SIZE_MAX);
    fake_eof(target->socket);
    return XMPP_OK;
}

static int run_command(struct target *target, const char *name, const char *arg)
{
    if (!strcmp(name, "TLS") || !strcmp(name, "SECURED")) {
        target->shaken = true;
        move_bytes(target, SIZE_MAX);
        return tlspeer_is_open(target->peer) ? XMPP_OK : XMPP_ERR_TLS;
    }
    if (!strcmp(name, "SECRET"))
        return xmpp_ask_answer(target->ask, arg, strlen(arg));
    if (!strcmp(name, "REFUSE"))
        return target->ask ? xmpp_ask_answer(target->ask, NULL, 0) : XMPP_ERR_STATE;
    if (!strcmp(name, "SEND"))
        return send_xml(target, arg);
    if (!strcmp(name, "CLOSE"))
        return xmpp_client_disconnect(target->client);
    if (!strcmp(name, "EOF"))
        return end(target);
    return XMPP_ERR_NOTFOUND;
}

static int target_command(void *data, const char *name, const char *arg)
{
    return dialog_note(run_command(data, name, arg));
}

static bool target_get(void *data, const char *name, char *dst, size_t size)
{
    struct target *target = data;
    const xmpp_client *client = target->client;
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

static const struct dialog_ops client_ops = {
    .level = "client",
    .create = target_create,
    .destroy = target_destroy,
    .set = target_set,
    .open = target_open,
    .feed = target_feed,
    .peek = target_peek,
    .consume = target_consume,
    .next = target_next,
    .is_busy = target_is_busy,
    .tick = target_tick,
    .command = target_command,
    .get = target_get,
};

int main(int argc, char **argv)
{
    return dialog_run(argc, argv, &client_ops, false, 1);
}
