/* Plays dialogue files against the whole client on the fake net: dialog-client [--whole | --torture] FILE */
#include "dialog-app.h"
#include "fake/fake.h"
#include "support/certs.h"

#include <stdlib.h>
#include <string.h>

struct target {
    struct app app;
    struct fake_socket *socket;
    struct tlspeer *peer;
    bool shaken;
};

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

    app_clear(&target->app);
    tlspeer_free(target->peer);
    free(target);
    fake_reset();
}

static int target_set(void *data, const char *name, const char *value)
{
    struct target *target = data;

    return settings_add(&target->app.settings, name, value);
}

/* --- moving bytes --- */

static void start_peer(struct target *target)
{
    const struct tlspeer_options options = {
        .request_cert = settings_get(&target->app.settings, "external", NULL) != NULL};

    target->peer = tlspeer_create(&options);
}

/* After <proceed/> comes a ClientHello. */
static void look_for_tls(struct target *target)
{
    const char *data;

    if (target->peer || fake_peek(target->socket, &data) == 0 || *data != 0x16)
        return;
    start_peer(target);
    events_add(&target->app.events, "START_TLS", NULL, NULL);
}

/* Until nothing moves any more; the server's bytes arrive in pieces of at most so many. */
static void move_bytes(struct target *target, size_t piece)
{
    char wire[16384];
    const char *data;
    size_t len;
    bool moved = true;

    fake_run(target->app.loop);
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
            fake_run(target->app.loop);
            moved = true;
        }
    }
}

static int on_cert(xmpp_client *client, xmpp_cert *cert, void *user_data)
{
    (void)client;
    (void)cert;
    (void)user_data;
    return XMPP_CERT_ACCEPT; /* the identity is the business of other tests */
}

static int open_target(struct target *target)
{
    const struct app_server server = {.port = 5222,
                                      .direct_port = 5222,
                                      .trust = certs_crt_path("ca"),
                                      .cert = certs_crt_path("alice"),
                                      .key = certs_key_path("alice")};
    int r;

    r = xmpp_loop_create(&target->app.loop);
    if (r == XMPP_OK)
        r = app_create(&target->app, &server);
    if (r == XMPP_OK)
        r = xmpp_client_set_cert_fn(target->app.client, on_cert, target, NULL);
    if (r == XMPP_OK)
        r = xmpp_client_connect(target->app.client);
    if (r < 0)
        return r;
    fake_run(target->app.loop);
    target->socket = fake_last();
    if (!target->socket)
        return XMPP_ERR_SYSTEM;
    if (settings_get(&target->app.settings, "secured", NULL)) {
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
    *ret = events_take(&target->app.events);
}

static bool target_is_busy(void *data)
{
    (void)data;
    return false; /* the loop computes */
}

static int target_tick(void *data, uint64_t us)
{
    struct target *target = data;

    fake_pass(target->app.loop, us);
    return XMPP_OK;
}

/* --- commands --- */

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
    if (!strcmp(name, "EOF"))
        return end(target);
    return app_command(&target->app, name, arg);
}

static int target_command(void *data, const char *name, const char *arg)
{
    return dialog_note(run_command(data, name, arg));
}

static bool target_get(void *data, const char *name, char *dst, size_t size)
{
    const struct target *target = data;

    return app_get(&target->app, name, dst, size);
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
