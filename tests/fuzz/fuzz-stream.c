/* The engine. Byte 0: where the conversation begins; bytes 1 and 2: configuration; the rest is what the server says,
 * with orders of enum talk_order in between. It is had twice, the second time byte by byte: the outcome is the same. */
#include "fuzz/talk.h"

#include "stream/stream.h"

#include <xmpp/jid.h>

#define WORK_MAX  9 /* slices of PBKDF2: 4096 iterations take 8 */
#define PIECE_MAX 4096

enum { FROM_START = 0, FROM_TLS = 1, FROM_AUTHENTICATED = 2, FROM_READY = 3 };
enum {
    NO_SECRET = 1,
    TLS_OPTIONAL = 2,
    EXTERNAL = 4,
    NO_PLAIN = 8,
    ANONYMOUS = 16,
    KEYS = 32,
    LAZY = 64, /* events are taken when the input says so */
    BINDING = 128
};
enum {
    SMALL_LIMITS = 1,
    SHORT_TIMEOUT = 2,
    NO_KEEPALIVE = 4,
    FOREIGN_MECHANISMS = 8,
    LANG = 16,
    AUTHZID = 32,
    RESOURCE = 64,
    TRACE = 128
};

#define HEADER                                                                                     \
    "<?xml version='1.0'?><stream:stream from='a.example' id='s1' version='1.0'"                   \
    " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

struct run {
    struct input input;
    struct talk talk;
    xmpp_stream *stream;
    struct sasl_keys *keys;
    uint64_t now;
    unsigned work;
    bool lazy;
    bool bytewise;
    char piece[PIECE_MAX];
    size_t piece_len;
};

/* SEC-31 */
static void on_trace(void *user_data, bool outgoing, const char *text, size_t len)
{
    (void)user_data;
    CHECK(!outgoing ||
          (!memmem(text, len, "pencil", 6) && !memmem(text, len, "AHVzZXIAcGVuY2ls", 16)));
}

static void drain(struct run *run)
{
    for (;;) {
        bool has = engine_has_events(run->stream);
        xmpp_elem *elem;
        xmpp_error *error;
        int kind = xmpp_stream_next(run->stream, &elem, &error);

        CHECK(has == (kind != XMPP_EV_NONE));
        if (kind == XMPP_EV_NONE)
            break;
        talk_event(&run->talk, kind, elem, error);
        CHECK(kind != XMPP_EV_READY || xmpp_stream_get_jid(run->stream));
    }
}

static void consume(struct run *run, size_t len)
{
    const void *data = NULL;
    size_t all = xmpp_stream_peek(run->stream, &data);

    CHECK(all == engine_get_output_len(run->stream));
    if (len > all)
        len = all;
    talk_out(&run->talk, data, len);
    CHECK(xmpp_stream_consume(run->stream, len) == XMPP_OK);
}

/* The mechanism computes, or the engine wants to know the time. */
static void work(struct run *run)
{
    while (xmpp_stream_get_deadline(run->stream) == 0) {
        if (run->work++ == WORK_MAX)
            CHECK(xmpp_stream_close(run->stream, run->now) == XMPP_OK);
        else
            CHECK(xmpp_stream_tick(run->stream, run->now) == XMPP_OK);
    }
}

static void feed(struct run *run, const char *data, size_t len)
{
    size_t piece = run->bytewise ? 1 : len;

    for (size_t i = 0; i < len; i += piece) {
        char *copy = fuzz_dup(data + i, piece);

        CHECK(xmpp_stream_feed(run->stream, copy, piece, run->now) == XMPP_OK);
        free(copy);
    }
    work(run);
    if (!run->lazy || len == PIECE_MAX)
        drain(run);
}

static void flush(struct run *run)
{
    size_t len = run->piece_len;

    run->piece_len = 0;
    if (len > 0)
        feed(run, run->piece, len);
}

static void configure(struct run *run, unsigned from, unsigned a, unsigned b)
{
    xmpp_stream *stream = run->stream;
    xmpp_jid *jid = NULL;

    if (from < FROM_AUTHENTICATED) {
        if (!(a & NO_SECRET))
            CHECK(xmpp_stream_set_secret(stream, "pencil", 6) == XMPP_OK);
        CHECK(xmpp_stream_set_external(stream, a & EXTERNAL) == XMPP_OK);
        engine_set_no_plain(stream, a & NO_PLAIN);
        if (b & FOREIGN_MECHANISMS)
            CHECK(xmpp_stream_set_mechanisms(stream, "DIGEST-MD5 CRAM-MD5 SCRAM-SHA-1 LOGIN") ==
                  XMPP_OK);
    } else {
        CHECK(xmpp_stream_set_secret(stream, "pencil", 6) == XMPP_OK);
    }
    CHECK(xmpp_stream_set_tls_required(stream, !(a & TLS_OPTIONAL)) == XMPP_OK);
    if (a & KEYS) {
        CHECK(sasl_keys_create(&run->keys) == XMPP_OK);
        engine_set_keys(stream, run->keys);
    }
    if (a & BINDING)
        CHECK(xmpp_stream_add_channel_binding(stream, "tls-exporter", "0123456789", 10) == XMPP_OK);
    if (b & SMALL_LIMITS)
        CHECK(xmpp_stream_set_limits(stream, 1000, 500) == XMPP_OK);
    if (b & SHORT_TIMEOUT)
        CHECK(xmpp_stream_set_timeout(stream, 1000) == XMPP_OK);
    if (b & NO_KEEPALIVE)
        CHECK(xmpp_stream_set_keepalive(stream, 0) == XMPP_OK);
    if (b & LANG)
        CHECK(xmpp_stream_set_lang(stream, "de") == XMPP_OK);
    if (b & AUTHZID) {
        CHECK(xmpp_jid_parse(&jid, "other@a.example") == XMPP_OK);
        CHECK(xmpp_stream_set_authzid(stream, jid) == XMPP_OK);
        xmpp_jid_unref(jid);
    }
    if (b & TRACE)
        engine_set_trace(stream, on_trace, NULL);
}

static void say(struct run *run, const char *text)
{
    CHECK(xmpp_stream_feed(run->stream, text, strlen(text), run->now) == XMPP_OK);
}

/* The part of the conversation that is skipped. */
static void log_in(struct run *run, bool to_ready)
{
    char result[300];

    say(run, HEADER "<stream:features><mechanisms xmlns='" NS_SASL
                    "'><mechanism>PLAIN</mechanism></mechanisms></stream:features>");
    say(run, "<success xmlns='" NS_SASL "'/>");
    if (to_ready) {
        say(run, HEADER "<stream:features><bind xmlns='" NS_BIND "'/></stream:features>");
        snprintf(result, sizeof result,
                 "<iq type='result' id='%s'><bind xmlns='" NS_BIND
                 "'><jid>user@a.example/r</jid></bind></iq>",
                 run->stream->iq_id);
        say(run, result);
    }
    drain(run);
    CHECK(run->talk.was_ready == to_ready && !run->talk.ended);
}

static void begin(struct run *run)
{
    unsigned from = input_byte(&run->input) % 4;
    unsigned a = input_byte(&run->input);
    unsigned b = input_byte(&run->input);
    xmpp_jid *jid = NULL;

    run->now = 1000000;
    if (a & ANONYMOUS && from < FROM_AUTHENTICATED)
        CHECK(xmpp_jid_parse(&jid, "a.example") == XMPP_OK);
    else
        CHECK(xmpp_jid_parse(&jid, b & RESOURCE ? "user@a.example/r" : "user@a.example") ==
              XMPP_OK);
    CHECK(xmpp_stream_create(&run->stream, jid, XMPP_FRAMING_STREAM) == XMPP_OK);
    xmpp_jid_unref(jid);
    configure(run, from, a, b);
    if (from != FROM_START)
        CHECK(xmpp_stream_secured(run->stream, a & NO_PLAIN ? 0x0303 : 0x0304, run->now) ==
              XMPP_OK);
    CHECK(xmpp_stream_open(run->stream, run->now) == XMPP_OK);
    if (from >= FROM_AUTHENTICATED)
        log_in(run, from == FROM_READY);
    run->lazy = a & LAZY;
}

static void wait(struct run *run, uint64_t until)
{
    if (until < run->now || until > (uint64_t)1 << 62)
        return;
    run->now = until;
    CHECK(xmpp_stream_tick(run->stream, run->now) == XMPP_OK);
    work(run);
}

static void send(struct run *run)
{
    xmpp_elem *elem = talk_make_stanza(input_byte(&run->input));
    size_t before = engine_get_output_len(run->stream);
    int r = xmpp_stream_send(run->stream, elem, run->now);

    CHECK(r == XMPP_OK || r == XMPP_ERR_STATE || r == XMPP_ERR_LIMIT || r == XMPP_ERR_INVAL);
    CHECK((r == XMPP_OK) == (engine_get_output_len(run->stream) > before));
    xmpp_elem_unref(elem);
}

/* Results are not looked at: whether a command is allowed depends on the state. */
static void obey(struct run *run, int order)
{
    flush(run);
    switch (order) {
    case TALK_SECURED:
        (void)xmpp_stream_secured(run->stream, 0x0304, run->now);
        break;
    case TALK_SECRET:
        (void)xmpp_stream_set_secret(run->stream, "pencil", 6);
        break;
    case TALK_REFUSE:
        (void)xmpp_stream_refuse_secret(run->stream);
        break;
    case TALK_SEND:
        send(run);
        break;
    case TALK_CLOSE:
        CHECK(xmpp_stream_close(run->stream, run->now) == XMPP_OK);
        break;
    case TALK_EOF:
        CHECK(xmpp_stream_feed_eof(run->stream, run->now) == XMPP_OK);
        break;
    case TALK_WAIT:
        wait(run, run->now + (UINT64_C(1) << input_byte(&run->input) % 42));
        break;
    case TALK_DEADLINE:
        wait(run, xmpp_stream_get_deadline(run->stream));
        break;
    case TALK_CONSUME: {
        unsigned len = input_byte(&run->input);

        consume(run, len == 255 ? SIZE_MAX : len);
        break;
    }
    case TALK_DRAIN:
        drain(run);
        break;
    default:
        break;
    }
    work(run);
}

static void step(struct run *run)
{
    int c = input_byte(&run->input);

    if (c == TALK_RAW) {
        c = input_byte(&run->input);
    } else if (c < 0x10 && c != '\t' && c != '\n' && c != '\r' && c != 0) {
        obey(run, c);
        return;
    }
    run->piece[run->piece_len++] = (char)c;
    if (run->piece_len == sizeof run->piece)
        flush(run);
}

/* Whatever happened, the end of the connection is the end. */
static void finish(struct run *run)
{
    xmpp_elem *elem = talk_make_stanza(0);
    size_t len;

    flush(run);
    CHECK(xmpp_stream_feed_eof(run->stream, run->now) == XMPP_OK);
    drain(run);
    CHECK(run->talk.ended);
    CHECK(xmpp_stream_get_deadline(run->stream) == UINT64_MAX);
    len = engine_get_output_len(run->stream);
    say(run, "<message/>");
    CHECK(xmpp_stream_tick(run->stream, run->now + 1) == XMPP_OK);
    CHECK(xmpp_stream_close(run->stream, run->now + 1) == XMPP_OK);
    CHECK(xmpp_stream_send(run->stream, elem, run->now) == XMPP_ERR_STATE);
    CHECK(!engine_has_events(run->stream));
    CHECK(engine_get_output_len(run->stream) == len);
    xmpp_elem_unref(elem);
    consume(run, SIZE_MAX);
    talk_check(&run->talk, false);
}

static void converse(const uint8_t *data, size_t size, bool bytewise, struct talk *ret)
{
    struct run run = {.input = {data, size}, .bytewise = bytewise};

    begin(&run);
    while (run.input.len > 0)
        step(&run);
    finish(&run);
    xmpp_stream_free(run.stream);
    sasl_keys_unref(run.keys);
    *ret = run.talk;
}

/* When text between the elements is told, before or behind what comes next, depends on the cuts. */
static bool had_text(const struct talk *talk)
{
    return talk->out && strstr(talk->out, "<bad-format");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct talk whole;
    struct talk bytes;

    fuzz_begin();
    converse(data, size, false, &whole);
    converse(data, size, true, &bytes);
    CHECK(had_text(&whole) || had_text(&bytes) || talk_equal(&whole, &bytes));
    talk_clear(&whole);
    talk_clear(&bytes);
    CHECK(fuzz_peak() < 16u * 1024 * 1024);
    fuzz_end();
    return 0;
}
