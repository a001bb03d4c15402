/* Plays dialogue files against the engine: dialog-engine [--torture] FILE */
#include "stream/engine.h"
#include "support/dialog.h"
#include "support/torture.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmpp/jid.h>
#include <xmpp/stream.h>

#define RANDOM_RUNS 8

/* Did the application hear of the end, or of missing memory, in this run? */
static bool was_told;
/* Some runs go without the wire log. */
static bool is_traced = true;

struct target {
    xmpp_stream *stream;
    xmpp_jid *jid;
    char *settings[16][2]; /* kept until the stream is made, because its JID comes first */
    size_t setting_count;
    uint64_t now;
    struct sasl_keys *keys;
    size_t leaks; /* credentials seen in the trace */
};

/* SEC-31: whatever a dialogue does, these never get into a log: the password, PLAIN's message, SCRAM's first */
static void on_trace(void *user_data, bool outgoing, const char *text, size_t len)
{
    static const char *const secrets[] = {"pencil", "AHVzZXIAcGVuY2ls", "biwsbj"};
    struct target *target = user_data;

    (void)outgoing;
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        if (memmem(text, len, secrets[i], strlen(secrets[i])))
            target->leaks++;
    if (getenv("DIALOG_TRACE"))
        fprintf(stderr, "%s %.*s\n", outgoing ? "C" : "S", (int)len, text);
}

static int target_create(void **ret)
{
    struct target *target = calloc(1, sizeof *target);

    target->now = 1000000;
    *ret = target;
    return XMPP_OK;
}

static void target_next(void *data, struct dialog_event *ret)
{
    static const char *const kinds[] = {
        NULL,     "START_TLS", "NEED_SECRET",    "READY",   "STANZA",
        "CLOSED", "FAILED",    "AUTHENTICATING", "BINDING",
    };
    struct target *target = data;
    bool has;
    int kind;

    memset(ret, 0, sizeof *ret);
    if (!target->stream)
        return;
    has = engine_has_events(target->stream);
    kind = xmpp_stream_next(target->stream, &ret->elem, &ret->error);
    assert(has == (kind != XMPP_EV_NONE));
    assert((ret->elem != NULL) == (kind == XMPP_EV_STANZA));
    assert((ret->error != NULL) == (kind == XMPP_EV_FAILED));
    ret->kind = kinds[kind];
    /* the question: kept keys are kept only as far as there is memory */
    if (kind == XMPP_EV_FAILED || kind == XMPP_EV_CLOSED || kind == XMPP_EV_NEED_SECRET)
        was_told = true;
}

static void target_destroy(void *data)
{
    struct target *target = data;
    struct dialog_event event;

    if (target->leaks > 0) {
        fprintf(stderr, "credentials in the trace\n");
        abort();
    }
    for (target_next(target, &event); event.kind; target_next(target, &event)) {
        xmpp_elem_unref(event.elem);
        xmpp_error_unref(event.error);
    }
    xmpp_stream_free(target->stream);
    sasl_keys_unref(target->keys);
    xmpp_jid_unref(target->jid);
    for (size_t i = 0; i < target->setting_count; i++) {
        free(target->settings[i][0]);
        free(target->settings[i][1]);
    }
    free(target);
}

static const char *get_setting(struct target *target, const char *name, const char *fallback)
{
    for (size_t i = 0; i < target->setting_count; i++)
        if (!strcmp(target->settings[i][0], name))
            return target->settings[i][1];
    return fallback;
}

static int target_set(void *data, const char *name, const char *value)
{
    struct target *target = data;

    if (target->setting_count == 16)
        return XMPP_ERR_LIMIT;
    target->settings[target->setting_count][0] = strdup(name);
    target->settings[target->setting_count++][1] = strdup(value);
    return XMPP_OK;
}

static int apply_number(xmpp_stream *stream, const char *name, uint64_t number)
{
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
    return XMPP_ERR_NOTFOUND;
}

static int apply(struct target *target, const char *name, const char *value)
{
    xmpp_stream *stream = target->stream;
    char type[64];
    int used = 0;
    int r;

    if (!strcmp(name, "jid") || !strcmp(name, "secret"))
        return XMPP_OK;
    if (!strcmp(name, "lang"))
        return xmpp_stream_set_lang(stream, value);
    if (!strcmp(name, "authcid"))
        return xmpp_stream_set_authcid(stream, value);
    if (!strcmp(name, "mechanisms"))
        return xmpp_stream_set_mechanisms(stream, value);
    if (!strcmp(name, "binding") && sscanf(value, "%63s %n", type, &used) == 1)
        return xmpp_stream_add_channel_binding(stream, type, value + used, strlen(value + used));
    if (!strcmp(name, "secured"))
        return xmpp_stream_secured(stream, 0x0304, target->now);
    if (!strcmp(name, "no-plain")) {
        engine_set_no_plain(stream, true);
        return XMPP_OK;
    }
    if (!strcmp(name, "keys")) {
        r = target->keys ? XMPP_OK : sasl_keys_create(&target->keys);
        if (r == XMPP_OK)
            engine_set_keys(stream, target->keys);
        return r;
    }
    if (!strcmp(name, "authzid")) {
        xmpp_jid *jid;

        r = xmpp_jid_parse(&jid, value);
        if (r < 0)
            return r;
        r = xmpp_stream_set_authzid(stream, jid);
        xmpp_jid_unref(jid);
        return r;
    }
    return apply_number(stream, name, strtoull(value, NULL, 10));
}

static int start(struct target *target, const char *secret)
{
    int r;

    r = xmpp_stream_create(&target->stream, target->jid, XMPP_FRAMING_STREAM);
    if (r < 0)
        return r;
    if (is_traced)
        engine_set_trace(target->stream, on_trace, target);
    if (strcmp(secret, "none") != 0) {
        r = xmpp_stream_set_secret(target->stream, secret, strlen(secret));
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < target->setting_count; i++) {
        r = apply(target, target->settings[i][0], target->settings[i][1]);
        if (r < 0)
            return r;
    }
    return xmpp_stream_open(target->stream, target->now);
}

static int note(int r)
{
    if (r == XMPP_ERR_NOMEM)
        was_told = true;
    return r;
}

static int target_open(void *data)
{
    struct target *target = data;
    int r;

    r = xmpp_jid_parse(&target->jid, get_setting(target, "jid", "user@a.example"));
    if (r == XMPP_OK)
        r = start(target, get_setting(target, "secret", "pencil"));
    return note(r);
}

static int target_feed(void *data, const char *bytes, size_t len)
{
    struct target *target = data;

    return xmpp_stream_feed(target->stream, bytes, len, target->now);
}

static size_t target_peek(void *data, const char **ret_data)
{
    struct target *target = data;
    const void *bytes = "";
    size_t len = target->stream ? xmpp_stream_peek(target->stream, &bytes) : 0;

    *ret_data = bytes;
    return len;
}

static void target_consume(void *data, size_t len)
{
    struct target *target = data;

    assert(xmpp_stream_consume(target->stream, len) == XMPP_OK);
}

static bool target_is_busy(void *data)
{
    struct target *target = data;

    return xmpp_stream_get_deadline(target->stream) == 0;
}

static int target_tick(void *data, uint64_t us)
{
    struct target *target = data;

    target->now += us;
    return xmpp_stream_tick(target->stream, target->now);
}

static int send_xml(struct target *target, const char *xml)
{
    xmpp_elem *parsed;
    xmpp_elem *elem;
    int r;

    r = xmpp_elem_parse(&parsed, xml, strlen(xml));
    if (r < 0)
        return r;
    r = xmpp_elem_copy(parsed, &elem);
    xmpp_elem_unref(parsed);
    if (r < 0)
        return r;
    r = xmpp_stream_send(target->stream, elem, target->now);
    xmpp_elem_unref(elem);
    return r;
}

static int run_command(struct target *target, const char *name, const char *arg)
{
    xmpp_stream *stream = target->stream;

    /* another connection of the same account, which has kept its keys but not its password */
    if (!strcmp(name, "AGAIN")) {
        target->stream = xmpp_stream_free(stream);
        return start(target, "none");
    }
    if (!strcmp(name, "TLS") || !strcmp(name, "SECURED"))
        return xmpp_stream_secured(stream, 0x0304, target->now);
    if (!strcmp(name, "SECRET"))
        return xmpp_stream_set_secret(stream, arg, strlen(arg));
    if (!strcmp(name, "REFUSE"))
        return xmpp_stream_refuse_secret(stream);
    if (!strcmp(name, "SEND"))
        return send_xml(target, arg);
    if (!strcmp(name, "CLOSE"))
        return xmpp_stream_close(stream, target->now);
    if (!strcmp(name, "EOF"))
        return xmpp_stream_feed_eof(stream, target->now);
    return XMPP_ERR_NOTFOUND;
}

static int target_command(void *data, const char *name, const char *arg)
{
    return note(run_command(data, name, arg));
}

static void print_deadline(struct target *target, char *dst, size_t size)
{
    uint64_t deadline = xmpp_stream_get_deadline(target->stream);

    if (deadline == UINT64_MAX)
        snprintf(dst, size, "none");
    else
        snprintf(dst, size, "%" PRIu64, deadline - target->now);
}

static bool target_get(void *data, const char *name, char *dst, size_t size)
{
    struct target *target = data;
    const xmpp_stream *stream = target->stream;
    const char *value = NULL;

    if (!strcmp(name, "deadline")) {
        print_deadline(target, dst, size);
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
    else
        return false;
    snprintf(dst, size, "%s", value ? value : "none");
    return true;
}

static const struct dialog_ops engine_ops = {
    .level = "engine",
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

static bool replay(const struct dialog *dialog, enum dialog_cut cut, unsigned seed)
{
    char message[4096];

    is_traced = seed % 2 == 0;
    if (dialog_play(dialog, &engine_ops, cut, seed, message, sizeof message))
        return true;
    fprintf(stderr, "%s (cut %d, seed %u)\n", message, cut, seed);
    return false;
}

/* With memory all is as written. Without, a detail may be missing, but nobody is left to wait. */
static int torture_scenario(void *data)
{
    char message[4096];

    was_told = false;
    if (dialog_play(data, &engine_ops, DIALOG_WHOLE, 0, message, sizeof message))
        return XMPP_OK;
    if (torture_has_failed() && (was_told || strstr(message, "to_xml: XMPP_ERR_NOMEM")))
        return XMPP_ERR_NOMEM;
    fprintf(stderr, "%s\n", message);
    return XMPP_ERR_PROTOCOL;
}

int main(int argc, char **argv)
{
    bool torture = argc == 3 && !strcmp(argv[1], "--torture");
    struct dialog *dialog;
    bool good;

    torture_install();
    if (argc < 2)
        return 2;
    dialog = dialog_load(argv[argc - 1]);
    if (!dialog)
        return 2;
    if (torture) {
        good = torture_run(torture_scenario, dialog) == XMPP_OK;
    } else {
        good = replay(dialog, DIALOG_WHOLE, 0) && replay(dialog, DIALOG_BYTES, 0);
        for (unsigned seed = 1; good && seed <= RANDOM_RUNS; seed++)
            good = replay(dialog, DIALOG_RANDOM, seed);
    }
    dialog_free(dialog);
    return good ? 0 : 1;
}
