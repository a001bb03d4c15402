/* Codecs and engine together. Byte 0: what the wire is; byte 1: configuration; the rest is what comes, with orders of
 * enum talk_order in between.
 *
 * On the raw wire the bytes are TLS' own, from the first one or behind <proceed/>. With a peer they are what a TLS
 * server in memory says, once there is TLS; TALK_TLS lets it do more, or changes its records on their way. */
#include "fuzz/talk.h"

#include "base/limits.h"
#include "client/pipe.h"
#include "support/certs.h"
#include "support/tlspeer.h"

#include <errno.h>
#include <xmpp/client.h>
#include <xmpp/jid.h>
#include <xmpp/stream.h>

#define PIECE_MAX        4096
#define RECORD_HANDSHAKE 0x16

enum { RAW_DIRECT = 0, RAW_STREAM = 1, PEER_DIRECT = 2, PEER_STREAM = 3 };
enum {
    TLS12 = 1,
    EXPIRED = 2,
    ACCEPT = 4, /* a certificate with problems, at once */
    TICKETS = 8,
    TLS_OPTIONAL = 16, /* and a name without localpart */
    SMALL_PIECES = 32,
    ALPN = 64
};
/* what TALK_TLS does, by the lowest bits of the byte behind it */
enum {
    DO_CLOSE = 0,
    DO_ALERT = 1,
    DO_TICKETS = 2,
    DO_KEY_UPDATE = 3,
    DO_RAW = 4, /* bytes past TLS */
    DO_FLIP = 5, /* a bit of the next record */
    DO_FLIP_HANDSHAKE = 6, /* a bit of what comes next */
    DO_BREAK = 7
};

struct run {
    struct input input;
    struct talk talk;
    struct pipe *pipe;
    struct tlspeer *peer;
    unsigned mode;
    unsigned flags;
    uint64_t now;
    uint64_t wire_pos; /* bytes of the peer's TLS that came */
    uint64_t flip_at; /* UINT64_MAX: nowhere */
    uint8_t flip_bit;
    unsigned flip_next; /* in the body of the next record, from its end; 0: not */
    bool tampered; /* from now on nothing of the peer may be believed */
    bool closing;
    bool tls_began; /* our first record went out */
    unsigned verify_asked;
    char piece[PIECE_MAX];
    size_t piece_len;
};

static struct tls_creds *creds;

/* --- events --- */

static int to_stream_event(enum pipe_event event)
{
    static const int map[] = {
        [PIPE_NEED_SECRET] = XMPP_EV_NEED_SECRET, [PIPE_AUTHENTICATING] = XMPP_EV_AUTHENTICATING,
        [PIPE_BINDING] = XMPP_EV_BINDING,         [PIPE_READY] = XMPP_EV_READY,
        [PIPE_STANZA] = XMPP_EV_STANZA,           [PIPE_CLOSED] = XMPP_EV_CLOSED,
        [PIPE_FAILED] = XMPP_EV_FAILED,
    };

    CHECK(event >= PIPE_NEED_SECRET && event <= PIPE_FAILED);
    return map[event];
}

static void on_event(struct run *run, enum pipe_event event, xmpp_elem *elem, xmpp_error *error)
{
    if (run->tampered)
        CHECK(event == PIPE_FAILED || (event == PIPE_CLOSED && run->closing));
    switch (event) {
    case PIPE_VERIFY:
        CHECK(tls_get_problems(pipe_get_tls(run->pipe)) > 0);
        CHECK(run->verify_asked++ == 0 && !pipe_is_secured(run->pipe));
        CHECK(run->flags & EXPIRED);
        if (run->flags & ACCEPT)
            (void)pipe_accept(run->pipe, run->now);
        break;
    case PIPE_SECURED:
        CHECK(pipe_is_secured(run->pipe));
        CHECK(tls_get_version(pipe_get_tls(run->pipe)) >= 0x0303);
        /* CERT-01: not without the certificate, or somebody who accepts it */
        CHECK(tls_get_problems(pipe_get_tls(run->pipe)) == 0 || run->verify_asked > 0);
        break;
    default:
        talk_event(&run->talk, to_stream_event(event), elem, error);
        if (event == PIPE_NEED_SECRET)
            (void)xmpp_stream_set_secret(pipe_get_stream(run->pipe), "pencil", 6);
        /* SEC-08 */
        if (event == PIPE_READY)
            CHECK(pipe_is_secured(run->pipe) || run->flags & TLS_OPTIONAL);
        break;
    }
}

static bool next(struct run *run)
{
    bool has = pipe_has_events(run->pipe);
    xmpp_elem *elem = NULL;
    xmpp_error *error = NULL;
    enum pipe_event event = pipe_next(run->pipe, run->now, &elem, &error);

    CHECK(has || event == PIPE_NONE);
    if (event == PIPE_NONE)
        return false;
    on_event(run, event, elem, error);
    return true;
}

/* --- the wire --- */

/* Inside TLS only the peer can read; before it, we can. What was said before may come out when there is TLS already: it
 * ends with the first record. */
static bool to_peer(struct run *run)
{
    const void *data = NULL;
    size_t len = pipe_peek(run->pipe, &data);
    const uint8_t *record;

    if (len == 0)
        return false;
    if (run->flags & SMALL_PIECES && len > 100)
        len = 100;
    record =
        pipe_get_tls(run->pipe) && !run->tls_began ? memchr(data, RECORD_HANDSHAKE, len) : NULL;
    if (record == data)
        run->tls_began = true;
    else if (record)
        len = (size_t)(record - (const uint8_t *)data);
    if (!run->tls_began)
        talk_out(&run->talk, data, len);
    else if (run->peer)
        (void)tlspeer_feed(run->peer, data, len);
    pipe_consume(run->pipe, len);
    return true;
}

static void feed(struct run *run, const void *data, size_t len)
{
    char *copy = fuzz_dup(data, len);

    (void)pipe_feed(run->pipe, copy, len, run->now);
    free(copy);
}

static bool from_peer(struct run *run)
{
    uint8_t bytes[PIECE_MAX];
    size_t len;

    if (!run->peer || !pipe_get_tls(run->pipe) || !pipe_wants_input(run->pipe))
        return false;
    len = tlspeer_take(run->peer, bytes, run->flags & SMALL_PIECES ? 50 : sizeof bytes);
    if (len == 0)
        return false;
    if (run->flip_at - run->wire_pos < len) {
        bytes[run->flip_at - run->wire_pos] ^= (uint8_t)(1u << run->flip_bit);
        run->flip_at = UINT64_MAX;
    }
    run->wire_pos += len;
    feed(run, bytes, len);
    return true;
}

static bool compute(struct run *run)
{
    if (pipe_get_deadline(run->pipe) != 0)
        return false;
    (void)pipe_tick(run->pipe, run->now);
    return true;
}

static void settle(struct run *run)
{
    bool moved;

    do {
        moved = next(run);
        moved = to_peer(run) || moved;
        moved = from_peer(run) || moved;
        moved = compute(run) || moved;
    } while (moved);
}

/* --- what the server says --- */

static void write_peer(struct run *run, const char *data, size_t len)
{
    settle(run);
    if (run->flip_next > 0 && tlspeer_queued(run->peer) == 0 && pipe_wants_input(run->pipe)) {
        (void)tlspeer_write(run->peer, data, len);
        /* all behind the first five bytes is encrypted, or the tag that covers it */
        if (tlspeer_queued(run->peer) > 5) {
            run->flip_at = run->wire_pos + 5 + run->flip_next % (tlspeer_queued(run->peer) - 5);
            run->tampered = true;
        }
        run->flip_next = 0;
    } else {
        (void)tlspeer_write(run->peer, data, len);
    }
}

static void flush(struct run *run)
{
    size_t len = run->piece_len;

    run->piece_len = 0;
    if (len == 0)
        return;
    if (run->peer && tlspeer_is_open(run->peer))
        write_peer(run, run->piece, len);
    else
        feed(run, run->piece, len);
    settle(run);
}

static void do_tls(struct run *run, unsigned what)
{
    unsigned more = what / 8;

    if (what % 8 == DO_BREAK) {
        pipe_break(run->pipe, ECONNRESET);
        return;
    }
    if (!run->peer)
        return;
    if (what % 8 == DO_FLIP_HANDSHAKE) {
        run->flip_at = run->wire_pos + input_u16(&run->input) % 4096;
        run->flip_bit = more % 8;
    }
    if (!tlspeer_is_open(run->peer) || tlspeer_error(run->peer))
        return;
    switch (what % 8) {
    case DO_CLOSE:
        (void)tlspeer_close(run->peer);
        break;
    case DO_ALERT:
        (void)tlspeer_send_alert(run->peer, more % 2,
                                 more & 2 ? GNUTLS_A_INTERNAL_ERROR : GNUTLS_A_USER_CANCELED);
        break;
    case DO_TICKETS:
        if (run->flags & TICKETS && !(run->flags & TLS12))
            (void)tlspeer_send_tickets(run->peer, 1 + more % 3);
        break;
    case DO_KEY_UPDATE:
        if (!(run->flags & TLS12))
            (void)tlspeer_key_update(run->peer, more % 2);
        else
            (void)tlspeer_hello_request(run->peer);
        break;
    case DO_RAW: {
        size_t len = more < run->input.len ? more : run->input.len;

        tlspeer_send_raw(run->peer, run->input.data, len);
        run->input.data += len;
        run->input.len -= len;
        break;
    }
    case DO_FLIP:
        run->flip_next = 1 + input_byte(&run->input);
        run->flip_bit = more % 8;
        break;
    default:
        break;
    }
}

static void send(struct run *run)
{
    xmpp_elem *elem = talk_make_stanza(input_byte(&run->input));

    (void)xmpp_stream_send(pipe_get_stream(run->pipe), elem, run->now);
    xmpp_elem_unref(elem);
}

static void wait(struct run *run, uint64_t until)
{
    if (until < run->now || until > (uint64_t)1 << 62)
        return;
    run->now = until;
    (void)pipe_tick(run->pipe, run->now);
}

static void obey(struct run *run, int order)
{
    flush(run);
    switch (order) {
    case TALK_SECURED:
        (void)pipe_accept(run->pipe, run->now);
        break;
    case TALK_REFUSE:
        if (pipe_get_tls(run->pipe) && tls_get_state(pipe_get_tls(run->pipe)) == TLS_VERIFY) {
            pipe_reject(run->pipe);
            run->talk.ended = true; /* nothing follows */
        }
        break;
    case TALK_SEND:
        send(run);
        break;
    case TALK_CLOSE:
        run->closing = true;
        (void)xmpp_stream_close(pipe_get_stream(run->pipe), run->now);
        break;
    case TALK_EOF:
        pipe_feed_eof(run->pipe);
        break;
    case TALK_WAIT:
        wait(run, run->now + (UINT64_C(1) << input_byte(&run->input) % 42));
        break;
    case TALK_DEADLINE:
        wait(run, pipe_get_deadline(run->pipe));
        break;
    case TALK_TLS:
        do_tls(run, input_byte(&run->input));
        break;
    default:
        pipe_shrink(run->pipe);
        break;
    }
    settle(run);
}

static void step(struct run *run)
{
    int c = input_byte(&run->input);

    if (c == TALK_RAW) {
        c = input_byte(&run->input);
    } else if (c > 0 && c <= 0x10 && c != '\t' && c != '\n' && c != '\r') {
        obey(run, c);
        return;
    }
    run->piece[run->piece_len++] = (char)c;
    if (run->piece_len == sizeof run->piece)
        flush(run);
}

/* --- one conversation --- */

static void begin(struct run *run)
{
    struct tls_options options = {.domain = "a.example"};
    struct tlspeer_options peer = {0};
    xmpp_stream *stream = NULL;
    xmpp_jid *jid = NULL;

    run->now = 1000000;
    run->flip_at = UINT64_MAX;
    run->mode = input_byte(&run->input) % 4;
    run->flags = input_byte(&run->input);
    options.direct = run->mode % 2 == 0;
    peer.cert = run->flags & EXPIRED ? "expired" : "good";
    peer.version = run->flags & TLS12 ? 12 : 13;
    peer.tickets = run->flags & TICKETS && !(run->flags & TLS12);
    peer.alpn = run->flags & ALPN && options.direct ? "xmpp-client" : NULL;
    if (run->mode >= PEER_DIRECT)
        run->peer = tlspeer_create(&peer);
    CHECK(xmpp_jid_parse(&jid, run->flags & TLS_OPTIONAL ? "a.example" : "user@a.example") ==
          XMPP_OK);
    CHECK(xmpp_stream_create(&stream, jid, XMPP_FRAMING_STREAM) == XMPP_OK);
    xmpp_jid_unref(jid);
    CHECK(xmpp_stream_set_tls_required(stream, !(run->flags & TLS_OPTIONAL)) == XMPP_OK);
    CHECK(pipe_create(&run->pipe, stream, creds, &options) == XMPP_OK);
    CHECK(pipe_open(run->pipe, run->now) == XMPP_OK);
    settle(run);
}

static void finish(struct run *run)
{
    const void *data;

    flush(run);
    pipe_feed_eof(run->pipe);
    settle(run);
    /* while people look at the certificate, an end of the connection does not end the question */
    if (pipe_get_tls(run->pipe) && tls_get_state(pipe_get_tls(run->pipe)) == TLS_VERIFY &&
        !run->talk.ended) {
        pipe_reject(run->pipe);
        run->talk.ended = true;
    }
    CHECK(run->talk.ended);
    CHECK(!pipe_has_events(run->pipe) && !pipe_wants_input(run->pipe));
    CHECK(pipe_get_deadline(run->pipe) == UINT64_MAX);
    (void)pipe_feed(run->pipe, "<a/>", 4, run->now);
    CHECK(pipe_tick(run->pipe, run->now) == XMPP_OK);
    CHECK(!next(run));
    (void)pipe_peek(run->pipe, &data);
    if (run->peer) {
        size_t len = tlspeer_peek(run->peer, &data);

        talk_out(&run->talk, data, len);
    }
    talk_check(&run->talk, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run run = {.input = {data, size}};

    fuzz_begin();
    if (!creds) {
        CHECK(tls_creds_get(&creds, certs_crt_path("ca"), NULL, NULL, NULL) == XMPP_OK);
        atexit(certs_free);
        fuzz_begin(); /* it stays */
    }
    begin(&run);
    while (run.input.len > 0)
        step(&run);
    finish(&run);
    pipe_free(run.pipe);
    tlspeer_free(run.peer);
    talk_clear(&run.talk);
    CHECK(fuzz_peak() < 16u * 1024 * 1024);
    fuzz_end();
    return 0;
}
