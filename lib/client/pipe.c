#include "client/pipe.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

#define SLICE_BYTES    4096 /* what the engine is fed at most before its events are taken */
#define KEEP_BYTES     256 /* room for a small stanza that goes out: an idle connection keeps it */
#define BINDINGS_LIMIT 16

struct pipe {
    xmpp_stream *stream;
    struct tls_creds *creds;
    struct tls_options options; /* strings owned */
    char *domain;
    char *display_domain;
    struct tls *tls; /* NULL before TLS */
    struct buf wire_in; /* not decoded yet; empty unless a certificate is being judged */
    struct buf plain_in; /* not fed to the engine yet */
    struct buf wire_out;
    xmpp_error *failure; /* told when what came before it was told */
    uint64_t tls_deadline;
    bool secured; /* the engine knows */
    bool tell_verify;
    bool tell_secured;
    bool eof; /* nothing more comes */
    bool eof_done; /* TLS and engine know */
    bool ended; /* CLOSED or FAILED was told */
    bool said_goodbye;
};

static void fail_with(struct pipe *pipe, xmpp_error *error)
{
    if (pipe->failure)
        xmpp_error_unref(error);
    else
        pipe->failure = error;
}

static int fail_code(struct pipe *pipe, int r)
{
    fail_with(pipe, r == XMPP_ERR_NOMEM ? error_nomem()
                                        : error_create(r, XMPP_PHASE_NONE, "%s", xmpp_err_text(r)));
    return r;
}

static int fail_tls(struct pipe *pipe, int r)
{
    xmpp_error *error = tls_get_error(pipe->tls);

    if (!error)
        return fail_code(pipe, r);
    fail_with(pipe, error);
    return r;
}

int pipe_create(struct pipe **ret, xmpp_stream *stream, struct tls_creds *creds,
                const struct tls_options *options)
{
    CLEANUP(mem_freep) char *domain = mem_strdup(options->domain);
    CLEANUP(mem_freep)
    char *display = mem_strdup(options->display_domain ? options->display_domain : options->domain);
    struct pipe *pipe = mem_zalloc(sizeof *pipe);

    if (!domain || !display || !pipe) {
        mem_free(pipe);
        return XMPP_ERR_NOMEM;
    }
    pipe->stream = stream;
    pipe->creds = creds ? tls_creds_ref(creds) : NULL;
    pipe->domain = STEAL(domain);
    pipe->display_domain = STEAL(display);
    pipe->options = *options;
    pipe->options.domain = pipe->domain;
    pipe->options.display_domain = pipe->display_domain;
    pipe->tls_deadline = UINT64_MAX;
    buf_init(&pipe->wire_in, SIZE_MAX);
    buf_init(&pipe->plain_in, SIZE_MAX);
    buf_init(&pipe->wire_out, SIZE_MAX);
    *ret = pipe;
    return XMPP_OK;
}

struct pipe *pipe_free(struct pipe *pipe)
{
    if (!pipe)
        return NULL;
    if (pipe->tls)
        tls_codec(pipe->tls)->ops->free(tls_codec(pipe->tls));
    tls_creds_unref(pipe->creds);
    xmpp_stream_free(pipe->stream);
    xmpp_error_unref(pipe->failure);
    /* Both directions carried passwords and messages. */
    buf_clear(&pipe->wire_in);
    buf_wipe(&pipe->plain_in);
    buf_wipe(&pipe->wire_out);
    mem_free(pipe->domain);
    mem_free(pipe->display_domain);
    mem_free(pipe);
    return NULL;
}

/* --- TLS --- */

/* TLS-15, SASL channel binding: what the session offers goes to the engine before it may authenticate. */
static int tell_engine(struct pipe *pipe, uint64_t now_us)
{
    for (size_t i = 0; i < BINDINGS_LIMIT; i++) {
        const char *type;
        const void *data;
        size_t len;

        int r = tls_get_binding(pipe->tls, i, &type, &data, &len);
        if (r == XMPP_ERR_NOTFOUND)
            break;
        if (r < 0)
            return r;
        r = xmpp_stream_add_channel_binding(pipe->stream, type, data, len);
        if (r < 0)
            return r;
    }
    int r = xmpp_stream_secured(pipe->stream, tls_get_version(pipe->tls), now_us);
    if (r < 0)
        return r;
    return pipe->options.direct ? xmpp_stream_open(pipe->stream, now_us) : XMPP_OK;
}

/* Bytes of somebody else as a queue, which is only consumed. */
static struct buf borrow(const void *data, size_t len)
{
    return (struct buf){.data = (uint8_t *)(uintptr_t)data, .end = len, .cap = len, .limit = len};
}

/* Decodes what is there, lets the codec say what it has to say, and looks how far the handshake has come. */
static int tls_step(struct pipe *pipe, struct buf *wire_in, uint64_t now_us)
{
    struct codec *codec = tls_codec(pipe->tls);
    struct buf nothing = {0};

    for (;;) {
        int r = codec->ops->decode(codec, wire_in, &pipe->plain_in);
        int flushed = codec->ops->encode(codec, &nothing, &pipe->wire_out);
        if (r < 0 || flushed < 0)
            return fail_tls(pipe, r < 0 ? r : flushed);

        switch (tls_get_state(pipe->tls)) {
        case TLS_VERIFY:
            if (pipe->tls_deadline == UINT64_MAX)
                return XMPP_OK; /* the question is being asked */
            pipe->tls_deadline = UINT64_MAX;
            if (tls_get_problems(pipe->tls) != 0) {
                pipe->tell_verify = true;
                return XMPP_OK;
            }
            r = tls_accept(pipe->tls);
            if (r < 0)
                return fail_tls(pipe, r);
            continue;
        case TLS_OPEN:
        case TLS_CLOSED:
            if (!pipe->secured) {
                pipe->secured = true;
                pipe->tell_secured = true;
                r = tell_engine(pipe, now_us);
                if (r < 0)
                    return fail_code(pipe, r);
                continue;
            }
            if (tls_get_state(pipe->tls) == TLS_CLOSED)
                pipe->eof = true;
            return XMPP_OK;
        default: /* TLS_FAILED was a negative result */
            return XMPP_OK;
        }
    }
}

/* What the engine said in plain text (<starttls/>) goes before the ClientHello. */
static int flush_plain(struct pipe *pipe)
{
    const void *data;
    size_t len;

    while ((len = xmpp_stream_peek(pipe->stream, &data)) > 0) {
        int r = buf_append(&pipe->wire_out, data, len);
        if (r >= 0)
            r = xmpp_stream_consume(pipe->stream, len);
        if (r < 0)
            return r;
    }
    return XMPP_OK;
}

static int begin_tls(struct pipe *pipe, uint64_t now_us)
{
    /* TLS-04, SEC-07: bytes behind <proceed/> that the engine has not seen: it refuses them when it is fed next */
    if (buf_len(&pipe->plain_in) > 0)
        return XMPP_ERR_TLS;
    int r = flush_plain(pipe);
    if (r < 0)
        return fail_code(pipe, r);
    r = tls_create(&pipe->tls, pipe->creds, &pipe->options);
    if (r < 0)
        return fail_code(pipe, r);
    pipe->tls_deadline =
        now_us > UINT64_MAX - 1 - DEFAULT_STEP_US ? UINT64_MAX - 1 : now_us + DEFAULT_STEP_US;
    return tls_step(pipe, &pipe->wire_in, now_us);
}

int pipe_set_creds(struct pipe *pipe, struct tls_creds *creds, uint64_t now_us)
{
    pipe->creds = tls_creds_ref(creds);
    return begin_tls(pipe, now_us);
}

int pipe_open(struct pipe *pipe, uint64_t now_us)
{
    if (pipe->options.direct)
        return begin_tls(pipe, now_us);
    int r = xmpp_stream_open(pipe->stream, now_us);
    return r < 0 ? fail_code(pipe, r) : r;
}

int pipe_accept(struct pipe *pipe, uint64_t now_us)
{
    if (!pipe->tls || pipe->secured || pipe->failure)
        return XMPP_ERR_STATE;

    int r = tls_accept(pipe->tls);
    if (r < 0)
        return r;
    return tls_step(pipe, &pipe->wire_in, now_us);
}

void pipe_reject(struct pipe *pipe)
{
    struct codec *codec = pipe->tls ? tls_codec(pipe->tls) : NULL;

    pipe->ended = true;
    pipe->said_goodbye = true;
    if (codec)
        (void)codec->ops->close(codec, &pipe->wire_out); /* an alert less is no harm */
}

/* --- bytes in --- */

static int keep(struct pipe *pipe, struct buf *buf, const void *data, size_t len)
{
    int r = buf_append(buf, data, len);

    return r < 0 ? fail_code(pipe, r) : r;
}

int pipe_feed(struct pipe *pipe, const void *data, size_t len, uint64_t now_us)
{
    if (pipe->ended || pipe->failure || pipe->eof)
        return XMPP_OK; /* nobody reads any more */

    if (pipe->tls && buf_len(&pipe->wire_in) == 0) {
        struct buf wire_in = borrow(data, len);
        int r = tls_step(pipe, &wire_in, now_us);
        if (r >= 0)
            r = keep(pipe, &pipe->wire_in, buf_peek(&wire_in), buf_len(&wire_in));
        return r;
    }
    int r = keep(pipe, pipe->tls ? &pipe->wire_in : &pipe->plain_in, data, len);
    return r >= 0 && pipe->tls ? tls_step(pipe, &pipe->wire_in, now_us) : r;
}

void pipe_feed_eof(struct pipe *pipe)
{
    pipe->eof = true;
}

void pipe_break(struct pipe *pipe, int number)
{
    char text[128];
    xmpp_error *error = error_create(XMPP_ERR_SYSTEM, XMPP_PHASE_NONE, "the connection broke: %s",
                                     strerror_r(number, text, sizeof text));

    error_set_number(error, number);
    fail_with(pipe, error);
    pipe->eof = true;
    pipe->eof_done = true;
}

bool pipe_wants_input(const struct pipe *pipe)
{
    if (pipe->ended || pipe->failure || pipe->eof || pipe->tell_verify || pipe->tell_secured)
        return false;
    if (pipe->tls && tls_get_state(pipe->tls) == TLS_VERIFY)
        return false;
    return buf_len(&pipe->plain_in) == 0 && !engine_has_events(pipe->stream);
}

/* --- events out --- */

static enum pipe_event map_event(int event)
{
    switch (event) {
    case XMPP_EV_NEED_SECRET:
        return PIPE_NEED_SECRET;
    case XMPP_EV_AUTHENTICATING:
        return PIPE_AUTHENTICATING;
    case XMPP_EV_BINDING:
        return PIPE_BINDING;
    case XMPP_EV_READY:
        return PIPE_READY;
    case XMPP_EV_STANZA:
        return PIPE_STANZA;
    case XMPP_EV_CLOSED:
        return PIPE_CLOSED;
    default:
        return PIPE_FAILED;
    }
}

/* The engine tells its failures as events, here and below. */
static void feed_slice(struct pipe *pipe, uint64_t now_us)
{
    size_t len = buf_len(&pipe->plain_in);

    if (len > SLICE_BYTES)
        len = SLICE_BYTES;
    (void)xmpp_stream_feed(pipe->stream, buf_peek(&pipe->plain_in), len, now_us);
    buf_consume(&pipe->plain_in, len);
}

/* TLS-14, SEC-34: an end that TLS did not announce is a truncation, unless the stream was closed before. */
static void feed_end(struct pipe *pipe, uint64_t now_us)
{
    pipe->eof_done = true;
    if (pipe->tls) {
        int r = tls_eof(pipe->tls);
        if (r < 0) {
            (void)fail_tls(pipe, r);
            return;
        }
    }
    (void)xmpp_stream_feed_eof(pipe->stream, now_us);
}

static bool in_handshake(const struct pipe *pipe)
{
    return pipe->tls && !pipe->secured;
}

bool pipe_has_events(const struct pipe *pipe)
{
    if (pipe->ended)
        return false;
    return pipe->tell_verify || pipe->tell_secured || pipe->failure ||
           (pipe->eof && !pipe->eof_done) || engine_has_events(pipe->stream) ||
           (buf_len(&pipe->plain_in) > 0 && !in_handshake(pipe));
}

/* The engine has no event: gives it what may lead to one. false: there is nothing. */
static bool advance(struct pipe *pipe, uint64_t now_us)
{
    if (!in_handshake(pipe) && buf_len(&pipe->plain_in) > 0)
        feed_slice(pipe, now_us);
    else if (!pipe->failure && pipe->eof && !pipe->eof_done)
        feed_end(pipe, now_us);
    else
        return false;
    return true;
}

enum pipe_event pipe_next(struct pipe *pipe, uint64_t now_us, xmpp_elem **ret_elem,
                          xmpp_error **ret_error)
{
    *ret_elem = NULL;
    *ret_error = NULL;
    if (pipe->ended)
        return PIPE_NONE;
    if (pipe->tell_verify) {
        pipe->tell_verify = false;
        return PIPE_VERIFY;
    }
    if (pipe->tell_secured) {
        pipe->tell_secured = false;
        return PIPE_SECURED;
    }
    do {
        int event = xmpp_stream_next(pipe->stream, ret_elem, ret_error);

        if (event == XMPP_EV_START_TLS && !pipe->creds)
            return PIPE_NEED_CREDS;
        if (event == XMPP_EV_START_TLS) {
            (void)begin_tls(pipe, now_us); /* a failure comes out below */
        } else if (event != XMPP_EV_NONE) {
            enum pipe_event mapped = map_event(event);
            pipe->ended = mapped == PIPE_CLOSED || mapped == PIPE_FAILED;
            return mapped;
        }
    } while (advance(pipe, now_us));
    if (!pipe->failure)
        return PIPE_NONE;
    pipe->ended = true;
    *ret_error = STEAL(pipe->failure);
    return PIPE_FAILED;
}

/* --- bytes out --- */

/* CORE-15: behind the last byte of the stream TLS says good-bye. */
static void say_goodbye(struct pipe *pipe)
{
    struct codec *codec = tls_codec(pipe->tls);

    if (!pipe->ended || pipe->said_goodbye || !pipe->secured)
        return;
    if (engine_get_output_len(pipe->stream) > 0)
        return;
    pipe->said_goodbye = true;
    /* Without it the peer sees a truncation; there is nobody left to tell. */
    (void)codec->ops->close(codec, &pipe->wire_out);
}

static void encode_ahead(struct pipe *pipe)
{
    struct codec *codec = tls_codec(pipe->tls);
    const void *data;

    while (buf_len(&pipe->wire_out) < LIMIT_FLUSH_BYTES) {
        size_t len = xmpp_stream_peek(pipe->stream, &data);
        if (len == 0)
            return;
        if (len > LIMIT_FLUSH_BYTES)
            len = LIMIT_FLUSH_BYTES;
        struct buf plain = borrow(data, len);
        int r = codec->ops->encode(codec, &plain, &pipe->wire_out);
        (void)xmpp_stream_consume(pipe->stream, len - buf_len(&plain)); /* of what it showed */
        if (r < 0) {
            (void)fail_tls(pipe, r);
            return;
        }
    }
}

size_t pipe_peek(struct pipe *pipe, const void **ret_data)
{
    if (pipe->tls && pipe->secured) {
        if (!pipe->failure)
            encode_ahead(pipe);
        say_goodbye(pipe);
    }
    if (pipe->tls || buf_len(&pipe->wire_out) > 0) {
        *ret_data = buf_peek(&pipe->wire_out);
        return buf_len(&pipe->wire_out);
    }
    return xmpp_stream_peek(pipe->stream, ret_data);
}

void pipe_consume(struct pipe *pipe, size_t len)
{
    if (pipe->tls || buf_len(&pipe->wire_out) > 0)
        buf_consume(&pipe->wire_out, len);
    else
        (void)xmpp_stream_consume(pipe->stream, len); /* not more than it showed */
}

size_t pipe_queued(const struct pipe *pipe)
{
    return engine_get_output_len(pipe->stream) + buf_len(&pipe->wire_out);
}

/* --- time --- */

const char *pipe_get_awaited(const struct pipe *pipe)
{
    return in_handshake(pipe) ? "the TLS handshake" : engine_get_awaited(pipe->stream);
}

uint64_t pipe_get_deadline(const struct pipe *pipe)
{
    if (pipe->ended || pipe->failure)
        return UINT64_MAX;
    if (in_handshake(pipe))
        return pipe->tls_deadline;
    return xmpp_stream_get_deadline(pipe->stream);
}

int pipe_tick(struct pipe *pipe, uint64_t now_us)
{
    if (pipe->ended || pipe->failure)
        return XMPP_OK;
    if (in_handshake(pipe)) {
        if (now_us < pipe->tls_deadline)
            return XMPP_OK;
        fail_with(pipe, error_create(XMPP_ERR_TIMEOUT, XMPP_PHASE_SECURING,
                                     "the TLS handshake did not end in time"));
        return XMPP_ERR_TIMEOUT;
    }
    return xmpp_stream_tick(pipe->stream, now_us);
}

bool pipe_is_secured(const struct pipe *pipe)
{
    return pipe->secured;
}

xmpp_stream *pipe_get_stream(struct pipe *pipe)
{
    return pipe->stream;
}

struct tls *pipe_get_tls(struct pipe *pipe)
{
    return pipe->tls;
}

void pipe_shrink(struct pipe *pipe)
{
    buf_shrink(&pipe->wire_in, 0);
    buf_shrink(&pipe->plain_in, 0);
    buf_shrink(&pipe->wire_out, KEEP_BYTES);
    engine_shrink(pipe->stream);
}
