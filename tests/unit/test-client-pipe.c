#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "client/pipe.h"
#include "support/certs.h"
#include "support/miniserver.h"
#include "support/torture.h"

#include <xmpp/client.h>
#include <xmpp/elem.h>
#include <xmpp/jid.h>

/* A pipe and a server, wired together in memory. */
struct wire {
    struct pipe *pipe;
    struct miniserver *server;
    struct tls_creds *creds;
    uint64_t now;
    size_t chunk; /* bytes in one piece, both ways */
    bool accept; /* answers PIPE_VERIFY so */
    char events[4096]; /* letters, see run() */
    size_t event_count;
    xmpp_error *error;
};

static int wire_open(struct wire *wire, const struct miniserver_options *options, bool tls_required)
{
    const struct tls_options tls = {
        .domain = "a.example",
        .direct = options->direct,
    };
    xmpp_stream *stream = NULL;
    xmpp_jid *jid = NULL;
    int r;

    memset(wire, 0, sizeof *wire);
    wire->now = 1000000;
    wire->chunk = 65536;
    r = xmpp_jid_parse(&jid, tls_required ? "alice@a.example" : "a.example");
    if (r >= 0)
        r = xmpp_stream_create(&stream, jid, XMPP_FRAMING_STREAM);
    xmpp_jid_unref(jid);
    if (r >= 0)
        r = xmpp_stream_set_tls_required(stream, tls_required);
    if (r >= 0)
        r = tls_creds_get(&wire->creds, certs_crt_path("ca"), NULL, NULL, NULL);
    if (r >= 0)
        r = pipe_create(&wire->pipe, stream, wire->creds, &tls);
    if (r < 0) {
        xmpp_stream_free(stream);
        wire->creds = tls_creds_unref(wire->creds);
        return r;
    }
    wire->server = miniserver_create(options);
    (void)pipe_open(wire->pipe, wire->now);
    return XMPP_OK;
}

static void wire_free(struct wire *wire)
{
    pipe_free(wire->pipe);
    miniserver_free(wire->server);
    tls_creds_unref(wire->creds);
    xmpp_error_unref(wire->error);
}

static bool to_server(struct wire *wire)
{
    const void *data;
    size_t len = pipe_peek(wire->pipe, &data);

    if (len > wire->chunk)
        len = wire->chunk;
    if (len == 0)
        return false;
    miniserver_feed(wire->server, data, len);
    pipe_consume(wire->pipe, len);
    return true;
}

static bool to_client(struct wire *wire)
{
    char bytes[16384];
    size_t size = wire->chunk < sizeof bytes ? wire->chunk : sizeof bytes;

    if (!pipe_wants_input(wire->pipe))
        return false;
    size_t len = miniserver_take(wire->server, bytes, size);
    if (len > 0)
        (void)pipe_feed(wire->pipe, bytes, len, wire->now);
    return len > 0;
}

static bool take_event(struct wire *wire)
{
    static const char letters[] = "-VSNABRsCFT";
    xmpp_elem *elem;
    xmpp_error *error;
    enum pipe_event event = pipe_next(wire->pipe, wire->now, &elem, &error);

    if (event == PIPE_NONE)
        return false;
    if (wire->event_count < sizeof wire->events - 1)
        wire->events[wire->event_count++] = letters[event];
    assert_true((event == PIPE_STANZA) == (elem != NULL));
    assert_true((event == PIPE_FAILED) == (error != NULL));
    xmpp_elem_unref(elem);
    if (error)
        wire->error = error;
    if (event == PIPE_VERIFY && wire->accept)
        (void)pipe_accept(wire->pipe, wire->now);
    if (event == PIPE_NEED_SECRET)
        (void)xmpp_stream_set_secret(pipe_get_stream(wire->pipe), "secret", 6);
    return true;
}

/* Until nothing moves any more. */
static void run(struct wire *wire)
{
    bool moved;

    do {
        moved = take_event(wire);
        moved = to_server(wire) || moved;
        moved = to_client(wire) || moved;
        if (pipe_get_deadline(wire->pipe) == 0) {
            (void)pipe_tick(wire->pipe, wire->now);
            moved = true;
        }
    } while (moved);
}

static void assert_failed(const struct wire *wire, const char *events, int code, int phase)
{
    assert_string_equal(wire->events, events);
    assert_non_null(wire->error);
    assert_int_equal(xmpp_error_get_code(wire->error), code);
    if (phase)
        assert_int_equal(xmpp_error_get_phase(wire->error), phase);
    assert_false(pipe_wants_input(wire->pipe));
    assert_false(pipe_has_events(wire->pipe));
    assert_int_equal(pipe_get_deadline(wire->pipe), UINT64_MAX);
}

static const char plus_stanzas[] =
    "<message><body>1</body></message><message><body>2</body></message>";

static void test_login(struct miniserver_options options, size_t chunk)
{
    struct wire wire;

    options.at_ready = plus_stanzas;
    assert_int_equal(wire_open(&wire, &options, true), XMPP_OK);
    wire.chunk = chunk;
    run(&wire);
    assert_string_equal(wire.events, "SANBRss");
    assert_true(pipe_is_secured(wire.pipe));
    assert_non_null(pipe_get_tls(wire.pipe));
    assert_int_equal(pipe_queued(wire.pipe), 0);
    assert_true(pipe_wants_input(wire.pipe));

    /* CORE-15: our end tag, the peer's, then close_notify */
    assert_int_equal(xmpp_stream_close(pipe_get_stream(wire.pipe), wire.now), XMPP_OK);
    assert_false(miniserver_is_tls_closed(wire.server));
    run(&wire);
    assert_string_equal(wire.events, "SANBRssC");
    assert_true(miniserver_is_tls_closed(wire.server));
    assert_int_equal(pipe_queued(wire.pipe), 0);
    pipe_shrink(wire.pipe);
    wire_free(&wire);
}

static void test_login_starttls(void **state)
{
    (void)state;
    test_login((struct miniserver_options){0}, 65536);
    test_login((struct miniserver_options){0}, 1);
    test_login((struct miniserver_options){0}, 7);
}

static void test_login_direct_tls(void **state)
{
    (void)state;
    test_login((struct miniserver_options){.direct = true}, 65536);
    test_login((struct miniserver_options){.direct = true}, 1);
}

static void test_login_plain_text(void **state)
{
    const struct miniserver_options options = {.no_tls = true,
                                               .mechanisms = "<mechanism>ANONYMOUS</mechanism>"};
    struct wire wire;

    (void)state;
    assert_int_equal(wire_open(&wire, &options, false), XMPP_OK);
    run(&wire);
    assert_string_equal(wire.events, "ABR");
    assert_null(pipe_get_tls(wire.pipe));
    assert_false(pipe_is_secured(wire.pipe));
    pipe_feed_eof(wire.pipe);
    run(&wire);
    assert_failed(&wire, "ABRF", XMPP_ERR_CLOSED, XMPP_PHASE_READY);
    wire_free(&wire);

    /* TLS-02, SEC-08 */
    assert_int_equal(wire_open(&wire, &options, true), XMPP_OK);
    run(&wire);
    assert_string_equal(wire.events, "F");
    assert_null(strstr(miniserver_heard(wire.server), "<auth"));
    wire_free(&wire);
}

static void test_plain_text_behind_proceed(void **state)
{
    /* TLS-04, SEC-07 */
    static const size_t chunks[] = {65536, 1, 50, 51};
    char many[5000];

    (void)state;
    memset(many, ' ', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    for (size_t i = 0; i < 4; i++) {
        const struct miniserver_options options = {.behind_proceed =
                                                       i ? "<stream:features/>" : many};
        struct wire wire;

        assert_int_equal(wire_open(&wire, &options, true), XMPP_OK);
        wire.chunk = chunks[i];
        run(&wire);
        /* in small pieces the handshake has begun when they come: then they are not TLS */
        assert_string_equal(wire.events, "F");
        assert_int_equal(xmpp_error_get_code(wire.error), XMPP_ERR_TLS);
        assert_null(strstr(miniserver_heard(wire.server), "<auth"));
        wire_free(&wire);
    }
}

static void test_plain_text_behind_proceed_at_slice_border(void **state)
{
    char header[8192];
    struct wire wire;
    static const char rest[] = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

    (void)state;
    /* what the engine has not been fed yet counts too: <proceed/> ends exactly with the first 4 KiB */
    assert_int_equal(wire_open(&wire, &(struct miniserver_options){0}, true), XMPP_OK);
    run(&wire); /* the server has answered <starttls/>: play another server from here */
    wire_free(&wire);
    assert_int_equal(wire_open(&wire, &(struct miniserver_options){0}, true), XMPP_OK);
    int len = snprintf(header, sizeof header,
                       "<stream:stream xmlns='jabber:client' id='1' version='1.0' from='a.example' "
                       "xmlns:stream='http://etherx.jabber.org/streams'><stream:features>"
                       "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>");
    assert_int_equal(pipe_feed(wire.pipe, header, (size_t)len, wire.now), XMPP_OK);
    assert_false(take_event(&wire));
    size_t pad = 4096 - strlen(rest);
    memset(header, ' ', pad);
    memcpy(header + pad, rest, strlen(rest));
    strcpy(header + 4096, "<injected/>");
    assert_int_equal(pipe_feed(wire.pipe, header, strlen(header), wire.now), XMPP_OK);
    while (take_event(&wire)) {
    }
    assert_failed(&wire, "F", XMPP_ERR_TLS, 0);
    assert_null(pipe_get_tls(wire.pipe));
    wire_free(&wire);
}

/* A server that does not wait for what it answers: all that was said in plain text goes before the ClientHello. */
static void test_proceed_before_starttls_was_sent(void **state)
{
    static const char said[] =
        "<stream:stream xmlns='jabber:client' id='1' version='1.0' from='a.example' "
        "xmlns:stream='http://etherx.jabber.org/streams'><stream:features>"
        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"
        "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    static const char request[] = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    struct wire wire;
    const void *data;

    (void)state;
    assert_int_equal(wire_open(&wire, &(struct miniserver_options){0}, true), XMPP_OK);
    assert_int_equal(pipe_feed(wire.pipe, said, strlen(said), wire.now), XMPP_OK);
    assert_false(take_event(&wire));
    assert_non_null(pipe_get_tls(wire.pipe));
    size_t len = pipe_peek(wire.pipe, &data);
    const char *at = memmem(data, len, request, strlen(request));
    assert_non_null(at);
    assert_int_equal(at[strlen(request)], 22); /* a handshake record, RFC 8446 5.1 */
    pipe_consume(wire.pipe, len);
    wire_free(&wire);
}

/* Who begins without creds is asked for them when TLS begins, and not before. */
static void test_need_creds(void **state)
{
    const struct tls_options tls = {.domain = "a.example"};
    struct wire wire;
    struct pipe *with;
    xmpp_stream *stream;
    xmpp_jid *jid;

    (void)state;
    assert_int_equal(wire_open(&wire, &(struct miniserver_options){0}, true), XMPP_OK);
    assert_int_equal(xmpp_jid_parse(&jid, "alice@a.example"), XMPP_OK);
    assert_int_equal(xmpp_stream_create(&stream, jid, XMPP_FRAMING_STREAM), XMPP_OK);
    xmpp_jid_unref(jid);
    with = wire.pipe;
    assert_int_equal(pipe_create(&wire.pipe, stream, NULL, &tls), XMPP_OK);
    pipe_free(with);
    (void)pipe_open(wire.pipe, wire.now);
    run(&wire);
    assert_string_equal(wire.events, "T");
    assert_null(pipe_get_tls(wire.pipe));
    assert_int_equal(pipe_set_creds(wire.pipe, wire.creds, wire.now), XMPP_OK);
    run(&wire);
    assert_string_equal(wire.events, "TSANBR");
    wire_free(&wire);
}

static void test_verify(const char *cert, int problem)
{
    const struct miniserver_options options = {.cert = cert, .direct = true};
    struct wire wire;

    assert_int_equal(wire_open(&wire, &options, true), XMPP_OK);
    run(&wire);
    assert_string_equal(wire.events, "V");
    assert_true(tls_get_problems(pipe_get_tls(wire.pipe)) & problem);
    assert_false(pipe_wants_input(wire.pipe));
    assert_false(pipe_is_secured(wire.pipe));
    assert_int_equal(pipe_get_deadline(wire.pipe), UINT64_MAX); /* people may think */
    assert_string_equal(miniserver_heard(wire.server), "");
    assert_int_equal(pipe_accept(wire.pipe, wire.now), XMPP_OK);
    assert_int_equal(pipe_accept(wire.pipe, wire.now), XMPP_ERR_STATE);
    run(&wire);
    assert_string_equal(wire.events, "VSANBR");
    wire_free(&wire);
}

static void test_verify_waits_for_an_answer(void **state)
{
    (void)state;
    test_verify("expired", XMPP_CERT_EXPIRED);
    test_verify("wrong-name", XMPP_CERT_WRONG_NAME);
    test_verify("untrusted", XMPP_CERT_BAD_CHAIN);
}

static void test_reject_says_so(void **state)
{
    const struct miniserver_options options = {.cert = "expired", .direct = true};
    struct wire wire;

    (void)state;
    assert_int_equal(wire_open(&wire, &options, true), XMPP_OK);
    run(&wire);
    pipe_reject(wire.pipe);
    assert_true(to_server(&wire)); /* an alert */
    assert_string_equal(miniserver_heard(wire.server), "");
    run(&wire);
    assert_string_equal(wire.events, "V");
    wire_free(&wire);
}

static void test_truncation(void **state)
{
    struct wire wire;

    (void)state;
    /* TLS-14, SEC-34; and what came before is delivered */
    assert_int_equal(wire_open(&wire, &(struct miniserver_options){.at_ready = plus_stanzas}, true),
                     XMPP_OK);
    do {
        take_event(&wire);
        to_server(&wire);
    } while (!miniserver_is_bound(wire.server) ? to_client(&wire) || pipe_has_events(wire.pipe)
                                               : 0);
    to_client(&wire);
    pipe_feed_eof(wire.pipe);
    run(&wire);
    assert_failed(&wire, "SANBRssF", XMPP_ERR_TLS, 0);
    wire_free(&wire);

    /* announced by TLS, but not by XMPP */
    assert_int_equal(wire_open(&wire, &(struct miniserver_options){0}, true), XMPP_OK);
    run(&wire);
    miniserver_close_tls(wire.server);
    run(&wire);
    assert_failed(&wire, "SANBRF", XMPP_ERR_CLOSED, XMPP_PHASE_READY);
    wire_free(&wire);

    /* the stream was closed before: nothing is missing */
    assert_int_equal(wire_open(&wire, &(struct miniserver_options){0}, true), XMPP_OK);
    run(&wire);
    miniserver_say(wire.server, "</stream:stream>");
    assert_true(to_client(&wire));
    pipe_feed_eof(wire.pipe);
    run(&wire);
    assert_string_equal(wire.events, "SANBRC");
    wire_free(&wire);
}

static void test_eof_in_handshake(void **state)
{
    struct wire wire;

    (void)state;
    assert_int_equal(wire_open(&wire, &(struct miniserver_options){.direct = true}, true), XMPP_OK);
    pipe_feed_eof(wire.pipe);
    run(&wire);
    assert_failed(&wire, "F", XMPP_ERR_TLS, XMPP_PHASE_SECURING);
    wire_free(&wire);
}

static void test_break_tells_the_number(void **state)
{
    struct wire wire;

    (void)state;
    assert_int_equal(wire_open(&wire, &(struct miniserver_options){0}, true), XMPP_OK);
    run(&wire);
    pipe_break(wire.pipe, 104);
    run(&wire);
    assert_failed(&wire, "SANBRF", XMPP_ERR_SYSTEM, 0);
    assert_int_equal(xmpp_error_get_number(wire.error), 104);
    wire_free(&wire);
}

static void test_tick_handshake_times_out(void **state)
{
    struct wire wire;

    (void)state;
    assert_int_equal(wire_open(&wire, &(struct miniserver_options){.direct = true}, true), XMPP_OK);
    /* CORE-29 */
    assert_int_equal(pipe_get_deadline(wire.pipe), wire.now + DEFAULT_STEP_US);
    assert_int_equal(pipe_tick(wire.pipe, wire.now + DEFAULT_STEP_US - 1), XMPP_OK);
    assert_int_equal(pipe_tick(wire.pipe, wire.now + DEFAULT_STEP_US), XMPP_ERR_TIMEOUT);
    take_event(&wire);
    assert_failed(&wire, "F", XMPP_ERR_TIMEOUT, XMPP_PHASE_SECURING);
    wire_free(&wire);
}

static void test_garbage_instead_of_tls(void **state)
{
    struct wire wire;

    (void)state;
    assert_int_equal(wire_open(&wire, &(struct miniserver_options){.direct = true}, true), XMPP_OK);
    (void)pipe_feed(wire.pipe, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, wire.now);
    while (take_event(&wire)) {
    }
    assert_failed(&wire, "F", XMPP_ERR_TLS, XMPP_PHASE_SECURING);
    wire_free(&wire);
}

static void test_feed_is_bounded(void **state)
{
    static const char stanza[] = "<message><body>x</body></message>";
    struct wire wire;
    size_t waiting = 0;

    (void)state;
    assert_int_equal(
        wire_open(&wire,
                  &(struct miniserver_options){.no_tls = true,
                                               .mechanisms = "<mechanism>ANONYMOUS</mechanism>"},
                  false),
        XMPP_OK);
    run(&wire);
    wire.event_count = 0;
    memset(wire.events, 0, sizeof wire.events);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(pipe_feed(wire.pipe, stanza, strlen(stanza), wire.now), XMPP_OK);
    assert_true(pipe_has_events(wire.pipe));
    while (take_event(&wire)) {
        /* the engine holds the stanzas of one slice, whatever waits outside */
        assert_true(engine_count_received(pipe_get_stream(wire.pipe)) - wire.event_count <=
                    4096 / strlen(stanza) + 1);
        waiting++;
    }
    assert_int_equal(waiting, 1000);
    assert_true(pipe_wants_input(wire.pipe));
    wire_free(&wire);
}

static void test_output_is_encoded_only_a_little_ahead(void **state)
{
    char body[100001];
    const void *data;
    struct wire wire;
    xmpp_elem *message;

    (void)state;
    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    assert_int_equal(wire_open(&wire, &(struct miniserver_options){0}, true), XMPP_OK);
    run(&wire);
    assert_int_equal(xmpp_elem_create_stanza(&message, XMPP_MESSAGE, NULL, NULL), XMPP_OK);
    xmpp_elem_add_child_text(message, NULL, "body", body);
    assert_int_equal(xmpp_stream_send(pipe_get_stream(wire.pipe), message, wire.now), XMPP_OK);
    xmpp_elem_unref(message);
    assert_true(pipe_queued(wire.pipe) > 100000);
    size_t ahead = pipe_peek(wire.pipe, &data);
    assert_in_range(ahead, LIMIT_FLUSH_BYTES, 2 * LIMIT_FLUSH_BYTES + 1024);
    assert_true(engine_get_output_len(pipe_get_stream(wire.pipe)) > 60000);
    run(&wire);
    assert_non_null(strstr(miniserver_heard(wire.server), body));
    assert_int_equal(pipe_queued(wire.pipe), 0);
    wire_free(&wire);
}

static int scenario(void *user_data)
{
    struct wire wire;
    int r = wire_open(&wire, user_data, true);

    if (r < 0)
        return r;
    wire.accept = true;
    run(&wire);
    if (!wire.error && xmpp_stream_close(pipe_get_stream(wire.pipe), wire.now) == XMPP_OK)
        run(&wire);
    if (wire.error)
        r = xmpp_error_get_code(wire.error);
    else if (!strchr(wire.events, 'C'))
        r = XMPP_ERR_NOMEM; /* stands still: the secret was not taken */
    wire_free(&wire);
    return r;
}

static void test_torture(void **state)
{
    struct miniserver_options starttls = {.at_ready = plus_stanzas};
    struct miniserver_options direct = {.cert = "expired", .direct = true};

    (void)state;
    assert_int_equal(torture_run(scenario, &starttls), XMPP_OK);
    assert_int_equal(torture_run(scenario, &direct), XMPP_OK);
}

static int forget_certs(void **state)
{
    (void)state;
    certs_free();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login_starttls),
        cmocka_unit_test(test_login_direct_tls),
        cmocka_unit_test(test_login_plain_text),
        cmocka_unit_test(test_plain_text_behind_proceed),
        cmocka_unit_test(test_plain_text_behind_proceed_at_slice_border),
        cmocka_unit_test(test_proceed_before_starttls_was_sent),
        cmocka_unit_test(test_need_creds),
        cmocka_unit_test(test_verify_waits_for_an_answer),
        cmocka_unit_test(test_reject_says_so),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_eof_in_handshake),
        cmocka_unit_test(test_break_tells_the_number),
        cmocka_unit_test(test_tick_handshake_times_out),
        cmocka_unit_test(test_garbage_instead_of_tls),
        cmocka_unit_test(test_feed_is_bounded),
        cmocka_unit_test(test_output_is_encoded_only_a_little_ahead),
        cmocka_unit_test(test_torture),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, forget_certs);
}
