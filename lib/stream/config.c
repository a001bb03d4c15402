#include "base/utf8.h"
#include "stream/stream.h"

#include <string.h>

int xmpp_stream_create(xmpp_stream **ret, const xmpp_jid *jid, int framing)
{
    xmpp_stream *stream;

    if (!ret || !jid || framing != XMPP_FRAMING_STREAM)
        return XMPP_ERR_INVAL;
    stream = mem_zalloc(sizeof *stream);
    if (!stream)
        return XMPP_ERR_NOMEM;
    stream->jid = xmpp_jid_ref(jid);
    stream->tls_required = true;
    stream->max_stanza_bytes = LIMIT_STANZA_BYTES;
    stream->max_queue_bytes = LIMIT_QUEUE_BYTES;
    stream->step_us = DEFAULT_STEP_US;
    stream->idle_us = DEFAULT_KEEPALIVE_US;
    stream->peer_max_bytes = UINT64_MAX;
    stream->peer_idle_us = UINT64_MAX;
    stream->deadline = UINT64_MAX;
    buf_init(&stream->out, SIZE_MAX);
    buf_init(&stream->auth.in, SIZE_MAX);
    *ret = stream;
    return XMPP_OK;
}

static void clear_queue(struct stream_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++)
        xmpp_elem_unref(queue->slots[(queue->head + i) % queue->cap].elem);
    mem_free(queue->slots);
}

static void free_binding(struct sasl_binding *binding)
{
    /* made in xmpp_stream_add_channel_binding() as one block */
    mem_free((void *)(uintptr_t)binding->type);
}

xmpp_stream *xmpp_stream_free(xmpp_stream *stream)
{
    if (!stream)
        return NULL;
    open_forget(stream);
    parse_free(stream->parse);
    clear_queue(&stream->queue);
    xmpp_error_unref(stream->failure);
    buf_wipe(&stream->out);
    for (size_t i = 0; i < stream->binding_count; i++)
        free_binding(&stream->bindings[i]);
    mem_free(stream->bindings);
    mem_free(stream->mechanism);
    xmpp_jid_unref(stream->bound);
    sasl_keys_unref(stream->keys);
    secret_free(stream->secret);
    mem_free(stream->lang);
    mem_free(stream->wanted_mechanisms);
    mem_free(stream->authcid);
    xmpp_jid_unref(stream->authzid);
    xmpp_jid_unref(stream->jid);
    return mem_free(stream);
}

/* --- before xmpp_stream_open() --- */

static int check_idle(const xmpp_stream *stream)
{
    if (!stream)
        return XMPP_ERR_INVAL;
    return stream->state == STREAM_IDLE ? XMPP_OK : XMPP_ERR_STATE;
}

static int set_string(char **str, const char *value)
{
    char *copy = NULL;

    if (value && !utf8_is_xml(value, strlen(value)))
        return XMPP_ERR_INVAL;
    if (value) {
        copy = mem_strdup(value);
        if (!copy)
            return XMPP_ERR_NOMEM;
    }
    mem_free(*str);
    *str = copy;
    return XMPP_OK;
}

int xmpp_stream_set_tls_required(xmpp_stream *stream, int required)
{
    int r = check_idle(stream);

    if (r == XMPP_OK)
        stream->tls_required = required != 0;
    return r;
}

int xmpp_stream_set_authcid(xmpp_stream *stream, const char *authcid)
{
    int r = check_idle(stream);

    return r < 0 ? r : set_string(&stream->authcid, authcid);
}

int xmpp_stream_set_authzid(xmpp_stream *stream, const xmpp_jid *authzid)
{
    int r = check_idle(stream);

    if (r < 0)
        return r;
    xmpp_jid_unref(stream->authzid);
    stream->authzid = authzid ? xmpp_jid_ref(authzid) : NULL;
    return XMPP_OK;
}

int xmpp_stream_set_mechanisms(xmpp_stream *stream, const char *mechanisms)
{
    int r = check_idle(stream);

    return r < 0 ? r : set_string(&stream->wanted_mechanisms, mechanisms);
}

int xmpp_stream_set_external(xmpp_stream *stream, int available)
{
    int r = check_idle(stream);

    if (r == XMPP_OK)
        stream->external = available != 0;
    return r;
}

int xmpp_stream_set_lang(xmpp_stream *stream, const char *lang)
{
    int r = check_idle(stream);

    return r < 0 ? r : set_string(&stream->lang, lang);
}

int xmpp_stream_set_limits(xmpp_stream *stream, size_t max_stanza_bytes, size_t max_queue_bytes)
{
    int r = check_idle(stream);

    if (r < 0)
        return r;
    if (max_stanza_bytes == 0 || max_queue_bytes == 0)
        return XMPP_ERR_INVAL;
    stream->max_stanza_bytes = max_stanza_bytes;
    stream->max_queue_bytes = max_queue_bytes;
    return XMPP_OK;
}

int xmpp_stream_set_timeout(xmpp_stream *stream, uint64_t step_us)
{
    int r = check_idle(stream);

    if (r < 0)
        return r;
    if (step_us == 0)
        return XMPP_ERR_INVAL;
    stream->step_us = step_us;
    return XMPP_OK;
}

int xmpp_stream_set_keepalive(xmpp_stream *stream, uint64_t idle_us)
{
    int r = check_idle(stream);

    if (r == XMPP_OK)
        stream->idle_us = idle_us;
    return r;
}

/* --- before xmpp_stream_secured() --- */

int xmpp_stream_add_channel_binding(xmpp_stream *stream, const char *type, const void *data,
                                    size_t len)
{
    struct sasl_binding *bindings;
    size_t type_size;
    char *block;

    if (!stream || !type || !data || len == 0 || len > LIMIT_SASL_MESSAGE)
        return XMPP_ERR_INVAL;
    if (stream->secured || (stream->state != STREAM_IDLE && stream->state != STREAM_HANDSHAKE))
        return XMPP_ERR_STATE;
    type_size = strlen(type) + 1;
    block = mem_alloc(type_size + len);
    if (!block)
        return XMPP_ERR_NOMEM;
    bindings = mem_realloc(stream->bindings, (stream->binding_count + 1) * sizeof *bindings);
    if (!bindings) {
        mem_free(block);
        return XMPP_ERR_NOMEM;
    }
    memcpy(block, type, type_size);
    memcpy(block + type_size, data, len);
    stream->bindings = bindings;
    bindings[stream->binding_count++] =
        (struct sasl_binding){.type = block, .data = block + type_size, .len = len};
    return XMPP_OK;
}

/* --- secrets --- */

int xmpp_stream_set_secret(xmpp_stream *stream, const char *secret, size_t len)
{
    struct secret *copy;
    int r;

    if (!stream || (!secret && len > 0) || (len > 0 && !utf8_is_valid(secret, len)))
        return XMPP_ERR_INVAL;
    if (stream->authenticated || stream->state >= STREAM_CLOSING)
        return XMPP_ERR_STATE;
    /* While the mechanism computes, it reads the one that it has. */
    if (stream->state == STREAM_WORK)
        return XMPP_ERR_STATE;
    r = secret_create(&copy, secret, len);
    if (r < 0)
        return r;
    if (stream->auth.sasl)
        stream->auth.params.secret = copy;
    secret_free(stream->secret);
    stream->secret = copy;
    if (stream->state == STREAM_SECRET) {
        stream_settle(stream, auth_continue(stream));
        /* What time it is was not said, and the question may have taken long. */
        stream->unarmed = stream->deadline != UINT64_MAX;
    }
    return XMPP_OK;
}

int xmpp_stream_refuse_secret(xmpp_stream *stream)
{
    if (!stream)
        return XMPP_ERR_INVAL;
    if (stream->state != STREAM_SECRET)
        return XMPP_ERR_STATE;
    auth_refuse(stream);
    return XMPP_OK;
}

/* --- what was negotiated --- */

const xmpp_jid *xmpp_stream_get_jid(const xmpp_stream *stream)
{
    return stream ? stream->bound : NULL;
}

const char *xmpp_stream_get_id(const xmpp_stream *stream)
{
    return stream ? stream->id : NULL;
}

const char *xmpp_stream_get_mechanism(const xmpp_stream *stream)
{
    return stream ? stream->mechanism : NULL;
}

const char *xmpp_stream_get_channel_binding(const xmpp_stream *stream)
{
    return stream ? stream->cb_type : NULL;
}

/* --- for the client --- */

void engine_set_trace(xmpp_stream *stream, engine_trace_fn fn, void *user_data)
{
    stream->trace = fn;
    stream->trace_data = user_data;
}

void engine_set_keys(xmpp_stream *stream, struct sasl_keys *keys)
{
    sasl_keys_unref(stream->keys);
    stream->keys = keys ? sasl_keys_ref(keys) : NULL;
}

void engine_set_no_plain(xmpp_stream *stream, bool no_plain)
{
    stream->no_plain = no_plain;
}

bool engine_used_strong(const xmpp_stream *stream)
{
    return stream->used_strong;
}

size_t engine_get_output_len(const xmpp_stream *stream)
{
    return buf_len(&stream->out);
}

uint64_t engine_count_received(const xmpp_stream *stream)
{
    return stream->received;
}

uint64_t engine_count_sent(const xmpp_stream *stream)
{
    return stream->sent;
}
