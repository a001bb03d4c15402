/* Plays dialogue files against the pipe, with real TLS to a server in memory: dialog-pipe [--whole | --torture] FILE */
#include "client/pipe.h"
#include "dialog-run.h"
#include "jid/jid.h"
#include "support/certs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmpp/jid.h>

struct target {
    struct settings settings;
    struct events events;
    xmpp_jid *jid;
    struct tls_creds *creds;
    struct pipe *pipe;
    struct tlspeer *peer; /* TLS has begun */
    bool shaken; /* and its handshake may go on */
    uint64_t now;
};

static int target_create(void **ret)
{
    struct target *target = calloc(1, sizeof *target);

    target->now = 1000000;
    *ret = target;
    return XMPP_OK;
}

static void target_destroy(void *data)
{
    struct target *target = data;

    pipe_free(target->pipe);
    tls_creds_unref(target->creds);
    xmpp_jid_unref(target->jid);
    tlspeer_free(target->peer);
    events_clear(&target->events);
    settings_clear(&target->settings);
    free(target);
}

static int target_set(void *data, const char *name, const char *value)
{
    struct target *target = data;

    return settings_add(&target->settings, name, value);
}

/* --- moving bytes --- */

static void start_peer(struct target *target)
{
    const struct tlspeer_options options = {
        .request_cert = settings_get(&target->settings, "external", NULL) != NULL};

    target->peer = tlspeer_create(&options);
}

static void take_events(struct target *target)
{
    static const char *const kinds[] = {
        NULL,      "VERIFY", "SECURED", "NEED_SECRET", "AUTHENTICATING",
        "BINDING", "READY",  "STANZA",  "CLOSED",      "FAILED"};
    xmpp_elem *elem;
    xmpp_error *error;
    enum pipe_event event;

    do {
        event = pipe_next(target->pipe, target->now, &elem, &error);
        if (pipe_get_tls(target->pipe) && !target->peer) {
            start_peer(target);
            events_add(&target->events, "START_TLS", NULL, NULL);
        }
        if (event == PIPE_VERIFY) /* the identity is the business of other tests */
            (void)pipe_accept(target->pipe, target->now);
        else if (event != PIPE_NONE)
            events_add(&target->events, kinds[event], elem, error);
    } while (event != PIPE_NONE);
}

static void feed_pipe(struct target *target, const void *data, size_t len)
{
    take_events(target);
    (void)pipe_feed(target->pipe, data, len, target->now); /* a failure is an event */
    take_events(target);
}

/* Until nothing moves any more; the server's bytes arrive in pieces of at most so many. */
static void move_bytes(struct target *target, size_t piece)
{
    char wire[16384];
    const void *data;
    size_t len;
    bool moved = true;

    while (target->peer && target->shaken && moved) {
        moved = false;
        while ((len = pipe_peek(target->pipe, &data)) > 0) {
            (void)tlspeer_feed(target->peer, data, len);
            pipe_consume(target->pipe, len);
            moved = true;
        }
        while ((len = tlspeer_take(target->peer, wire, piece < sizeof wire ? piece : sizeof wire)) >
               0) {
            feed_pipe(target, wire, len);
            moved = true;
        }
    }
}

static int target_feed(void *data, const char *bytes, size_t len)
{
    struct target *target = data;

    if (target->shaken && tlspeer_is_open(target->peer))
        (void)tlspeer_write(target->peer, bytes, len);
    else
        feed_pipe(target, bytes, len);
    move_bytes(target, len);
    return XMPP_OK;
}

static size_t target_peek(void *data, const char **ret_data)
{
    struct target *target = data;
    const void *bytes = "";
    size_t len;

    take_events(target);
    move_bytes(target, SIZE_MAX);
    if (target->peer && target->shaken)
        len = tlspeer_peek(target->peer, &bytes);
    else
        len = target->peer ? 0 : pipe_peek(target->pipe, &bytes);
    *ret_data = bytes;
    return len;
}

static void target_consume(void *data, size_t len)
{
    struct target *target = data;

    if (target->peer)
        tlspeer_consume(target->peer, len);
    else
        pipe_consume(target->pipe, len);
}

static void target_next(void *data, struct dialog_event *ret)
{
    struct target *target = data;

    if (target->pipe)
        take_events(target);
    *ret = events_take(&target->events);
}

static bool target_is_busy(void *data)
{
    struct target *target = data;

    return pipe_get_deadline(target->pipe) == 0;
}

static int target_tick(void *data, uint64_t us)
{
    struct target *target = data;

    target->now += us;
    (void)pipe_tick(target->pipe, target->now); /* a failure is an event */
    return XMPP_OK;
}

/* --- opening --- */

static int apply(xmpp_stream *stream, const char *name, const char *value)
{
    uint64_t number = strtoull(value, NULL, 10);
    xmpp_jid *jid;
    int r;

    if (!strcmp(name, "tls"))
        return xmpp_stream_set_tls_required(stream, number != 0);
    if (!strcmp(name, "external"))
        return xmpp_stream_set_external(stream, number != 0);
    if (!strcmp(name, "timeout"))
        return xmpp_stream_set_timeout(stream, number);
    if (!strcmp(name, "keepalive"))
        return xmpp_stream_set_keepalive(stream, number);
    if (!strcmp(name, "max-stanza"))
        return xmpp_stream_set_limits(stream, number, 4096 * 1024);
    if (!strcmp(name, "max-queue"))
        return xmpp_stream_set_limits(stream, 4096 * 1024, number);
    if (!strcmp(name, "lang"))
        return xmpp_stream_set_lang(stream, value);
    if (!strcmp(name, "authcid"))
        return xmpp_stream_set_authcid(stream, value);
    if (!strcmp(name, "mechanisms"))
        return xmpp_stream_set_mechanisms(stream, value);
    if (!strcmp(name, "authzid")) {
        r = xmpp_jid_parse(&jid, value);
        if (r == XMPP_OK)
            r = xmpp_stream_set_authzid(stream, jid);
        xmpp_jid_unref(r == XMPP_OK ? jid : NULL);
        return r;
    }
    return !strcmp(name, "jid") || !strcmp(name, "secret") || !strcmp(name, "secured")
               ? XMPP_OK
               : XMPP_ERR_NOTFOUND;
}

static int configure(struct target *target, xmpp_stream *stream)
{
    const char *secret = settings_get(&target->settings, "secret", "pencil");
    int r = XMPP_OK;

    if (strcmp(secret, "none") != 0)
        r = xmpp_stream_set_secret(stream, secret, strlen(secret));
    for (size_t i = 0; i < target->settings.count && r == XMPP_OK; i++)
        r = apply(stream, target->settings.items[i][0], target->settings.items[i][1]);
    return r;
}

static int open_target(struct target *target)
{
    bool external = settings_get(&target->settings, "external", NULL) != NULL;
    struct tls_options options = {.direct = settings_get(&target->settings, "secured", NULL)};
    xmpp_stream *stream;
    int r;

    r = tls_creds_get(&target->creds, certs_crt_path("ca"),
                      external ? certs_crt_path("alice") : NULL,
                      external ? certs_key_path("alice") : NULL, NULL);
    if (r == XMPP_OK)
        r = xmpp_jid_parse(&target->jid, settings_get(&target->settings, "jid", "user@a.example"));
    if (r == XMPP_OK)
        r = xmpp_stream_create(&stream, target->jid, XMPP_FRAMING_STREAM);
    if (r < 0)
        return r;
    options.domain = jid_get_ascii_domain(target->jid);
    options.display_domain = xmpp_jid_get_domain(target->jid);
    r = configure(target, stream);
    if (r == XMPP_OK)
        r = pipe_create(&target->pipe, stream, target->creds, &options);
    if (r < 0) {
        xmpp_stream_free(stream);
        return r;
    }
    if (options.direct) {
        start_peer(target);
        target->shaken = true;
    }
    (void)pipe_open(target->pipe, target->now); /* a failure is an event */
    move_bytes(target, SIZE_MAX);
    return XMPP_OK;
}

static int target_open(void *data)
{
    return dialog_note(open_target(data));
}

/* --- commands --- */

static int send_xml(struct target *target, const char *xml)
{
    xmpp_elem *elem;
    int r;

    r = dialog_parse_stanza(&elem, xml);
    if (r < 0)
        return r;
    r = xmpp_stream_send(pipe_get_stream(target->pipe), elem, target->now);
    xmpp_elem_unref(elem);
    return r;
}

/* The server says good-bye, also to TLS. */
static int end(struct target *target)
{
    if (target->shaken && tlspeer_is_open(target->peer))
        (void)tlspeer_close(target->peer);
    move_bytes(target, SIZE_MAX);
    pipe_feed_eof(target->pipe);
    return XMPP_OK;
}

static int run_command(struct target *target, const char *name, const char *arg)
{
    xmpp_stream *stream = pipe_get_stream(target->pipe);

    if (!strcmp(name, "TLS") || !strcmp(name, "SECURED")) {
        target->shaken = true;
        move_bytes(target, SIZE_MAX);
        return pipe_is_secured(target->pipe) ? XMPP_OK : XMPP_ERR_TLS;
    }
    if (!strcmp(name, "SECRET"))
        return xmpp_stream_set_secret(stream, arg, strlen(arg));
    if (!strcmp(name, "REFUSE"))
        return xmpp_stream_refuse_secret(stream);
    if (!strcmp(name, "SEND"))
        return send_xml(target, arg);
    if (!strcmp(name, "CLOSE"))
        return xmpp_stream_close(stream, target->now);
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
    const xmpp_stream *stream = pipe_get_stream(target->pipe);
    uint64_t deadline = pipe_get_deadline(target->pipe);
    const char *value = NULL;

    if (!strcmp(name, "deadline") && deadline != UINT64_MAX) {
        snprintf(dst, size, "%" PRIu64, deadline - target->now);
        return true;
    }
    if (!strcmp(name, "received") || !strcmp(name, "sent")) {
        snprintf(dst, size, "%" PRIu64,
                 *name == 'r' ? engine_count_received(stream) : engine_count_sent(stream));
        return true;
    }
    if (!strcmp(name, "jid"))
        value = xmpp_jid_get_str(xmpp_stream_get_jid(stream));
    else if (!strcmp(name, "id"))
        value = xmpp_stream_get_id(stream);
    else if (!strcmp(name, "mechanism"))
        value = xmpp_stream_get_mechanism(stream);
    else if (!strcmp(name, "binding"))
        value = xmpp_stream_get_channel_binding(stream);
    else if (!strcmp(name, "strong"))
        value = engine_used_strong(stream) ? "yes" : "no";
    else if (strcmp(name, "deadline") != 0)
        return false;
    snprintf(dst, size, "%s", value ? value : "none");
    return true;
}

static const struct dialog_ops pipe_ops = {
    .level = "pipe",
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
    return dialog_run(argc, argv, &pipe_ops, true, 4);
}
