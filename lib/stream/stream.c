#include "stream/stream.h"

#include "base/arena.h"
#include "base/str.h"
#include "xml/write.h"

#include <string.h>

/* What an idle stream keeps: room for a small stanza that goes out, and for a few events. */
#define KEEP_BYTES  256
#define KEEP_EVENTS 8

static uint64_t later(uint64_t now, uint64_t span)
{
    return span > UINT64_MAX - now ? UINT64_MAX : now + span;
}

int stream_phase(const xmpp_stream *stream)
{
    switch (stream->state) {
    case STREAM_READY:
        return XMPP_PHASE_READY;
    case STREAM_CLOSING:
        return XMPP_PHASE_CLOSING;
    default:
        break;
    }
    if (stream->authenticated)
        return XMPP_PHASE_BINDING;
    if (stream->secured || (stream->state >= STREAM_SECRET && stream->state <= STREAM_AUTH))
        return XMPP_PHASE_AUTHENTICATING;
    return XMPP_PHASE_SECURING;
}

const char *engine_get_awaited(const xmpp_stream *stream)
{
    static const char *const awaited[STREAM_STATES] = {
        [STREAM_IDLE] = "the beginning",
        [STREAM_HEADER] = "the server's stream header",
        [STREAM_FEATURES] = "the stream features",
        [STREAM_PROCEED] = "the answer to STARTTLS",
        [STREAM_HANDSHAKE] = "the TLS handshake",
        [STREAM_SECRET] = "the password",
        [STREAM_WORK] = "the proof of the password",
        [STREAM_AUTH] = "the answer to the authentication",
        [STREAM_BIND] = "the answer to the resource binding",
        [STREAM_SESSION] = "the answer to the session request",
        [STREAM_READY] = "stanzas",
        [STREAM_CLOSING] = "the server's end of the stream",
        [STREAM_ENDED] = "nothing",
    };

    return awaited[stream->state];
}

void stream_set_clock(xmpp_stream *stream, uint64_t now_us)
{
    stream->now = now_us;
    if (stream->unarmed) {
        stream->unarmed = false;
        stream->deadline = later(now_us, stream->step_us);
    }
}

void stream_settle(xmpp_stream *stream, int r)
{
    if (r == XMPP_ERR_NOMEM)
        serror_fail(stream, error_nomem());
    else if (r < 0)
        serror_fail(stream, error_create(r, stream_phase(stream), "%s", xmpp_err_text(r)));
}

void stream_wait(xmpp_stream *stream, enum stream_state state)
{
    bool for_peer = state != STREAM_SECRET && state != STREAM_WORK && state != STREAM_READY;

    stream->state = state;
    stream->unarmed = false;
    stream->deadline = for_peer ? later(stream->now, stream->step_us) : UINT64_MAX;
}

/* --- events --- */

static int grow_queue(struct stream_queue *queue)
{
    size_t cap = queue->cap > 0 ? queue->cap * 2 : KEEP_EVENTS;
    struct stream_event *slots = mem_zalloc_array(cap, sizeof *slots);

    if (!slots)
        return XMPP_ERR_NOMEM;
    for (size_t i = 0; i < queue->count; i++)
        slots[i] = queue->slots[(queue->head + i) % queue->cap];
    mem_free(queue->slots);
    queue->slots = slots;
    queue->cap = cap;
    queue->head = 0;
    return XMPP_OK;
}

int stream_push(xmpp_stream *stream, int kind, xmpp_elem *elem)
{
    struct stream_queue *queue = &stream->queue;
    struct stream_event *event;

    if (queue->count == queue->cap && grow_queue(queue) < 0)
        return XMPP_ERR_NOMEM;
    event = &queue->slots[(queue->head + queue->count) % queue->cap];
    event->kind = kind;
    event->elem = elem;
    queue->count++;
    return XMPP_OK;
}

void stream_end(xmpp_stream *stream, int kind, xmpp_error *error)
{
    struct stream_queue *queue = &stream->queue;

    /* Whoever has not begun with TLS yet must not begin now (SEC-07). */
    if (stream->state == STREAM_HANDSHAKE && queue->count > 0)
        queue->count--;
    auth_clear(stream);
    stream->secret = secret_free(stream->secret);
    stream->parse = parse_free(stream->parse);
    stream->features = xmpp_elem_unref(stream->features);
    stream_wait(stream, STREAM_ENDED);
    stream->deadline = UINT64_MAX;
    stream->terminal = kind;
    stream->failure = error;
}

int xmpp_stream_next(xmpp_stream *stream, xmpp_elem **ret_elem, xmpp_error **ret_error)
{
    struct stream_queue *queue;
    struct stream_event event = {XMPP_EV_NONE, NULL};
    xmpp_error *error = NULL;

    if (!stream || !ret_elem || !ret_error)
        return XMPP_ERR_INVAL;
    queue = &stream->queue;
    if (queue->count > 0) {
        event = queue->slots[queue->head];
        queue->head = (queue->head + 1) % queue->cap;
        queue->count--;
    } else {
        event.kind = stream->terminal;
        error = STEAL(stream->failure);
        stream->terminal = XMPP_EV_NONE;
    }
    *ret_elem = event.elem;
    *ret_error = error;
    return event.kind;
}

bool engine_has_events(const xmpp_stream *stream)
{
    return stream->queue.count > 0 || stream->terminal != XMPP_EV_NONE;
}

void engine_shrink(xmpp_stream *stream)
{
    struct stream_queue *queue = &stream->queue;

    buf_shrink(&stream->out, KEEP_BYTES);
    arena_spare_trim();
    if (stream->parse)
        parse_shrink(stream->parse);
    if (queue->count > 0 || queue->cap <= KEEP_EVENTS)
        return;
    mem_free(queue->slots);
    *queue = (struct stream_queue){0};
}

/* --- output --- */

void stream_trace(const xmpp_stream *stream, bool outgoing, const char *text, size_t len)
{
    if (stream->trace)
        stream->trace(stream->trace_data, outgoing, text, len);
}

void stream_trace_elem(const xmpp_stream *stream, bool outgoing, const xmpp_elem *elem)
{
    CLEANUP(buf_clear) struct buf text = {.limit = SIZE_MAX};

    if (!stream->trace)
        return;
    /* SEC-31; a log that lacks a line for want of memory is not worth a connection */
    if (write_elem_masked(&text, elem, NS_CLIENT, true) == XMPP_OK)
        stream_trace(stream, outgoing, (const char *)buf_peek(&text), buf_len(&text));
}

int stream_put(xmpp_stream *stream, const char *text, size_t len)
{
    int r;

    r = buf_append(&stream->out, text, len);
    if (r < 0)
        return r;
    stream_trace(stream, true, text, len);
    return XMPP_OK;
}

int stream_put_elem(xmpp_stream *stream, xmpp_elem *elem)
{
    int r;

    r = xmpp_elem_seal(elem);
    if (r < 0)
        return r;
    r = write_elem(&stream->out, elem, NS_CLIENT, true);
    if (r < 0)
        return r;
    stream_trace_elem(stream, true, elem);
    return XMPP_OK;
}

size_t xmpp_stream_peek(const xmpp_stream *stream, const void **ret_data)
{
    if (!stream)
        return 0;
    if (ret_data)
        *ret_data = buf_peek(&stream->out);
    return buf_len(&stream->out);
}

int xmpp_stream_consume(xmpp_stream *stream, size_t len)
{
    struct buf *out;

    if (!stream || len > buf_len(&stream->out))
        return XMPP_ERR_INVAL;
    out = &stream->out;
    /* Until READY, what goes out may hold credentials. */
    if (len > 0 && !stream->was_ready)
        secret_wipe(out->data + out->start, len);
    buf_consume(out, len);
    if (buf_len(out) == 0)
        buf_shrink(out, LIMIT_FLUSH_BYTES);
    return XMPP_OK;
}

static int send_stanza(xmpp_stream *stream, xmpp_elem *stanza, uint64_t now_us, size_t queue_limit)
{
    uint64_t max_bytes;
    size_t before;
    int r;

    if (!stream || !stanza || !xmpp_elem_get_kind(stanza) ||
        !str_eq(xmpp_elem_get_ns(stanza), NS_CLIENT))
        return XMPP_ERR_INVAL;
    if (stream->state != STREAM_READY)
        return XMPP_ERR_STATE;
    r = xmpp_elem_seal(stanza);
    if (r < 0)
        return r;
    max_bytes = stream->max_stanza_bytes;
    if (max_bytes > stream->peer_max_bytes)
        max_bytes = stream->peer_max_bytes; /* CORE-30 */
    before = buf_len(&stream->out);
    stream->out.limit = queue_limit;
    r = write_elem(&stream->out, stanza, NS_CLIENT, true);
    stream->out.limit = SIZE_MAX;
    if (r < 0)
        return r;
    if (buf_len(&stream->out) - before > max_bytes) {
        buf_truncate(&stream->out, before);
        return XMPP_ERR_LIMIT;
    }
    stream_trace_elem(stream, true, stanza);
    stream_set_clock(stream, now_us);
    stream->last_sent = now_us;
    stream->sent++;
    return XMPP_OK;
}

int xmpp_stream_send(xmpp_stream *stream, xmpp_elem *stanza, uint64_t now_us)
{
    return send_stanza(stream, stanza, now_us, stream ? stream->max_queue_bytes : 0);
}

int engine_send_owed(xmpp_stream *stream, xmpp_elem *stanza, uint64_t now_us)
{
    return send_stanza(stream, stanza, now_us, SIZE_MAX);
}

/* --- input --- */

void stream_unexpected(xmpp_stream *stream, const xmpp_elem *elem)
{
    /* RFC 6120 4.9.3.12, 4.9.3.24 */
    const char *condition = xmpp_elem_get_kind(elem) ? "not-authorized" : "unsupported-stanza-type";

    serror_send(stream,
                error_create(XMPP_ERR_PROTOCOL, stream_phase(stream),
                             "the server sent an unexpected <%.64s/>", xmpp_elem_get_name(elem)),
                condition);
}

void stream_ready(xmpp_stream *stream)
{
    int r = stream_push(stream, XMPP_EV_READY, NULL);

    if (r < 0) {
        stream_settle(stream, r);
        return;
    }
    stream->features = xmpp_elem_unref(stream->features);
    stream->was_ready = true;
    stream->last_sent = stream->now;
    stream_wait(stream, STREAM_READY);
}

/* *elem is emptied when it was handed on. */
static int deliver(xmpp_stream *stream, xmpp_elem **elem)
{
    int r;

    /* STZ-18: other elements may belong to extensions that nobody here asked for. The same goes for what a closed
     * negotiation leaves behind. */
    if (!stream->was_ready || !xmpp_elem_get_kind(*elem) ||
        !str_eq(xmpp_elem_get_ns(*elem), NS_CLIENT))
        return XMPP_OK;
    r = stream_push(stream, XMPP_EV_STANZA, *elem);
    if (r < 0)
        return r;
    *elem = NULL;
    stream->received++;
    return XMPP_OK;
}

static int take_elem(xmpp_stream *stream, xmpp_elem **elem)
{
    stream_trace_elem(stream, false, *elem);
    if (xmpp_elem_is(*elem, NS_STREAM, "error")) {
        serror_receive(stream, *elem);
        return XMPP_OK;
    }
    switch (stream->state) {
    case STREAM_READY:
    case STREAM_CLOSING:
        return deliver(stream, elem);
    case STREAM_FEATURES:
        return features_receive(stream, *elem);
    case STREAM_PROCEED:
        return starttls_receive(stream, *elem);
    case STREAM_AUTH:
        return auth_receive(stream, *elem);
    case STREAM_BIND:
    case STREAM_SESSION:
        return bind_receive(stream, *elem);
    default:
        stream_unexpected(stream, *elem);
        return XMPP_OK;
    }
}

/* CORE-16; whether this was to be expected, the caller knows */
static void take_close(xmpp_stream *stream)
{
    static const char tag[] = "</stream:stream>";

    stream_trace(stream, false, tag, sizeof tag - 1);
    serror_close_tag(stream);
    stream_end(stream, XMPP_EV_CLOSED, NULL);
}

/* The events that the last bytes finished, until the stream ends or goes on with another parser. */
static int take_events(xmpp_stream *stream)
{
    struct parse *parse = stream->parse;

    while (stream->parse == parse) {
        CLEANUP(xmpp_elem_unrefp) xmpp_elem *elem = NULL;
        int r = XMPP_OK;

        switch (parse_next(parse, &elem)) {
        case PARSE_NONE:
            return XMPP_OK;
        case PARSE_OPEN:
            stream_trace_elem(stream, false, elem);
            /* in the closing handshake it does not matter any more who answers */
            if (stream->state == STREAM_HEADER)
                r = open_receive(stream, elem);
            break;
        case PARSE_ELEM:
            r = take_elem(stream, &elem);
            break;
        case PARSE_CLOSE:
            take_close(stream);
            break;
        case PARSE_TEXT:
            /* RFC 6120 11.7 allows white space there, and nothing else */
            serror_send(stream,
                        error_create(XMPP_ERR_PROTOCOL, stream_phase(stream),
                                     "the server sent text between the elements of the stream"),
                        "bad-format");
            break;
        }
        if (r < 0)
            return r;
    }
    return XMPP_OK;
}

/* data: the beginning of what came, if there was nothing before it */
static void fail_parse(xmpp_stream *stream, int code, const char *data, size_t len)
{
    const char *condition = parse_get_condition(stream->parse);

    if (code == XMPP_ERR_NOMEM) {
        stream_settle(stream, code);
        return;
    }
    serror_send(stream,
                stream->state == STREAM_HEADER
                    ? open_explain(stream, code, parse_get_reason(stream->parse), data, len)
                    : error_create(code, stream_phase(stream),
                                   "the server's XML is not acceptable: %s",
                                   parse_get_reason(stream->parse)),
                condition ? condition : "not-well-formed");
}

/* Takes at least one byte. */
static int feed_some(xmpp_stream *stream, const char *data, size_t len, size_t *ret_used)
{
    struct parse *parse = stream->parse;
    bool single = stream->state != STREAM_READY;
    bool first = stream->fresh;
    int parsed;
    int r;

    *ret_used = 1;
    if (stream->state == STREAM_HANDSHAKE) {
        /* TLS-04, SEC-07 */
        serror_fail(stream, error_create(XMPP_ERR_TLS, stream_phase(stream),
                                         "the server sent plain text behind <proceed/>"));
        return XMPP_OK;
    }
    /* Some servers send a line break after <success/>; a declaration must not come behind one. */
    if (stream->fresh && str_is_space(*data))
        return XMPP_OK;
    stream->fresh = false;
    parsed = parse_feed(parse, data, len, single, ret_used);
    r = take_events(stream);
    if (r < 0)
        return r;
    if (parsed < 0 && stream->parse == parse)
        fail_parse(stream, parsed, data, first ? len : 0);
    return XMPP_OK;
}

int xmpp_stream_feed(xmpp_stream *stream, const void *data, size_t len, uint64_t now_us)
{
    const char *pos = data;

    if (!stream || (!data && len > 0))
        return XMPP_ERR_INVAL;
    if (stream->state == STREAM_IDLE)
        return XMPP_ERR_STATE;
    stream_set_clock(stream, now_us);
    /* CORE-27: behind the end, bytes mean nothing */
    while (len > 0 && stream->state != STREAM_ENDED) {
        size_t used;
        int r = feed_some(stream, pos, len, &used);

        stream_settle(stream, r);
        pos += used;
        len -= used;
    }
    return XMPP_OK;
}

int xmpp_stream_feed_eof(xmpp_stream *stream, uint64_t now_us)
{
    const char *awaited;
    bool inside;

    if (!stream)
        return XMPP_ERR_INVAL;
    if (stream->state == STREAM_IDLE)
        return XMPP_ERR_STATE;
    stream_set_clock(stream, now_us);
    if (stream->state == STREAM_ENDED)
        return XMPP_OK;
    inside = stream->parse && parse_is_inside(stream->parse);
    awaited = stream->was_ready ? NULL : engine_get_awaited(stream);
    stream->close_sent = true; /* nobody is there to read it */
    serror_fail(stream, error_create(XMPP_ERR_CLOSED, stream_phase(stream),
                                     "connection ended without </stream:stream>%s%s%s",
                                     inside ? ", in the middle of an element" : "",
                                     awaited ? " while waiting for " : "", awaited ? awaited : ""));
    return XMPP_OK;
}

/* --- time --- */

static uint64_t keepalive_at(const xmpp_stream *stream)
{
    uint64_t idle_us = stream->idle_us;

    if (idle_us == 0)
        return UINT64_MAX;
    /* XEP-0478 4: more often than the server's patience lasts, with some air */
    if (idle_us > stream->peer_idle_us / 2)
        idle_us = stream->peer_idle_us / 2;
    return later(stream->last_sent, idle_us);
}

uint64_t xmpp_stream_get_deadline(const xmpp_stream *stream)
{
    if (!stream)
        return UINT64_MAX;
    if (stream->unarmed || stream->state == STREAM_WORK)
        return 0;
    return stream->state == STREAM_READY ? keepalive_at(stream) : stream->deadline;
}

static void time_out(xmpp_stream *stream)
{
    if (stream->state == STREAM_CLOSING)
        stream_end(stream, XMPP_EV_CLOSED, NULL); /* CORE-15: that was long enough */
    else
        serror_fail(stream,
                    error_create(XMPP_ERR_TIMEOUT, stream_phase(stream),
                                 "timed out while waiting for %s", engine_get_awaited(stream)));
}

int xmpp_stream_tick(xmpp_stream *stream, uint64_t now_us)
{
    if (!stream)
        return XMPP_ERR_INVAL;
    if (stream->state == STREAM_IDLE)
        return XMPP_ERR_STATE;
    stream_set_clock(stream, now_us);
    if (stream->state == STREAM_WORK) {
        stream_settle(stream, auth_work(stream));
    } else if (stream->state == STREAM_READY && keepalive_at(stream) <= now_us) {
        stream->last_sent = now_us;
        /* CORE-25. While older output waits, a peer that reads hears from us anyway. */
        if (buf_len(&stream->out) == 0)
            stream_settle(stream, stream_put(stream, " ", 1));
    } else if (stream->deadline <= now_us) {
        time_out(stream);
    }
    return XMPP_OK;
}

/* --- commands --- */

int xmpp_stream_open(xmpp_stream *stream, uint64_t now_us)
{
    if (!stream)
        return XMPP_ERR_INVAL;
    if (stream->state != STREAM_IDLE)
        return XMPP_ERR_STATE;
    stream_set_clock(stream, now_us);
    return open_start(stream);
}

int xmpp_stream_secured(xmpp_stream *stream, int tls_version, uint64_t now_us)
{
    if (!stream)
        return XMPP_ERR_INVAL;
    if (stream->secured || (stream->state != STREAM_IDLE && stream->state != STREAM_HANDSHAKE))
        return XMPP_ERR_STATE;
    stream_set_clock(stream, now_us);
    stream->secured = true;
    stream->tls_version = tls_version;
    if (stream->state == STREAM_HANDSHAKE)
        stream_settle(stream, open_start(stream));
    return XMPP_OK;
}

int xmpp_stream_close(xmpp_stream *stream, uint64_t now_us)
{
    if (!stream)
        return XMPP_ERR_INVAL;
    stream_set_clock(stream, now_us);
    switch (stream->state) {
    case STREAM_IDLE:
    case STREAM_HANDSHAKE:
        stream_end(stream, XMPP_EV_CLOSED, NULL);
        break;
    case STREAM_CLOSING:
    case STREAM_ENDED:
        break;
    default:
        serror_close_tag(stream);
        stream_wait(stream, STREAM_CLOSING);
        break;
    }
    return XMPP_OK;
}
