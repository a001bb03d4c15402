/* One giant stanza of n, 2n, 4n and 8n bytes, in pieces as TCP brings them: is the time linear? */
#include "canned.h"

#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xmpp/stream.h>
#include <xmpp/xmpp.h>

enum {
    PIECE = 1460,
    SIZES = 4,
    ROUNDS = 3,
    STANZA_BYTES = 4 * 1024 * 1024,
    TAG_BYTES = 60 * 1024,
    NAMES_BYTES = 128 * 1024, /* less than 16384 of them */
    MAX_SECONDS = 240
};

/* The stanza is head, as many of the unit as fit, and tail. */
struct shape {
    const char *name;
    const char *head;
    const char *(*unit)(long number);
    const char *tail;
    size_t max_bytes; /* of the largest */
    int repeat; /* so many of the largest for one measurement */
};

static void fail(const char *what)
{
    fprintf(stderr, "bench-linear: %s\n", what);
    exit(1);
}

static const char *text(long number)
{
    (void)number;
    return "Wherefore art thou? ";
}

static const char *letters(long number)
{
    (void)number;
    return "abcdefghij";
}

static const char *attributes(long number)
{
    (void)number;
    return "<a b='1' c='2' d='3' e='4' f='5' g='6' h='7' i='8' j='9' k='10'/>";
}

static const char *nested(long number)
{
    static char unit[1024];

    (void)number;
    if (unit[0])
        return unit;
    for (int i = 0; i < 100; i++)
        strcat(unit, "<a>");
    for (int i = 0; i < 100; i++)
        strcat(unit, "</a>");
    return unit;
}

static const char *children(long number)
{
    (void)number;
    return "<item/>";
}

static const char *cdata(long number)
{
    (void)number;
    return "<![CDATA[O be <some> & other name]]>";
}

static const char *entities(long number)
{
    (void)number;
    return "&amp;&lt;&#x20ac;";
}

static const char *names(long number)
{
    static char unit[64];

    snprintf(unit, sizeof unit, "<name-%lx a%lx='x'/>", number, number);
    return unit;
}

static const char *namespaces(long number)
{
    static char unit[64];

    snprintf(unit, sizeof unit, "<p%lx:x xmlns:p%lx='urn:%lx'/>", number, number, number);
    return unit;
}

static const struct shape shapes[] = {
    {"long text", "<message><body>", text, "</body></message>", STANZA_BYTES, 1},
    {"long attribute", "<message a='", letters, "'/>", TAG_BYTES, 40},
    {"many attributes", "<message>", attributes, "</message>", STANZA_BYTES, 1},
    {"deep nesting", "<message>", nested, "</message>", STANZA_BYTES, 1},
    {"many children", "<message>", children, "</message>", STANZA_BYTES, 1},
    {"CDATA", "<message><body>", cdata, "</body></message>", STANZA_BYTES, 1},
    {"references", "<message><body>", entities, "</body></message>", STANZA_BYTES, 1},
    {"many names", "<message>", names, "</message>", NAMES_BYTES, 8},
    {"many namespaces", "<message>", namespaces, "</message>", NAMES_BYTES, 8},
};

static char *build(const struct shape *shape, size_t bytes)
{
    char *xml = malloc(bytes + 1);
    size_t tail_len = strlen(shape->tail);
    size_t len = strlen(shape->head);

    if (!xml)
        fail("no memory");
    memcpy(xml, shape->head, len);
    for (long i = 0;; i++) {
        const char *unit = shape->unit(i);
        size_t unit_len = strlen(unit);
        if (len + unit_len + tail_len > bytes)
            break;
        memcpy(xml + len, unit, unit_len);
        len += unit_len;
    }
    memcpy(xml + len, shape->tail, tail_len + 1);
    return xml;
}

static void feed(xmpp_stream *stream, const char *data, size_t len)
{
    if (xmpp_stream_feed(stream, data, len, 1) < 0)
        fail("feed");
}

/* Takes the events; how many stanzas there were. */
static int take(xmpp_stream *stream)
{
    xmpp_elem *elem;
    xmpp_error *error;
    int stanzas = 0;
    int event;

    while ((event = xmpp_stream_next(stream, &elem, &error)) != XMPP_EV_NONE) {
        if (event == XMPP_EV_FAILED)
            fail(xmpp_error_get_text(error));
        stanzas += event == XMPP_EV_STANZA;
        xmpp_elem_unref(elem);
        xmpp_error_unref(error);
    }
    return stanzas;
}

/* A stream that is ready, with limits that nothing here reaches. */
static xmpp_stream *open_stream(void)
{
    xmpp_stream *stream = NULL;
    xmpp_jid *jid = NULL;
    const void *output;
    char said[1024];
    char answer[512];
    size_t len;

    if (xmpp_jid_parse(&jid, CANNED_DOMAIN) < 0 ||
        xmpp_stream_create(&stream, jid, XMPP_FRAMING_STREAM) < 0 ||
        xmpp_stream_set_tls_required(stream, 0) < 0 ||
        xmpp_stream_set_limits(stream, 16 * STANZA_BYTES, STANZA_BYTES) < 0 ||
        xmpp_stream_open(stream, 1) < 0)
        fail("stream");
    xmpp_jid_unref(jid);
    feed(stream, canned_header, strlen(canned_header));
    feed(stream, canned_success, strlen(canned_success));
    xmpp_stream_consume(stream, xmpp_stream_peek(stream, NULL));
    feed(stream, canned_restart, strlen(canned_restart));
    len = xmpp_stream_peek(stream, &output);
    if (len >= sizeof said)
        fail("login");
    memcpy(said, output, len);
    said[len] = '\0';
    feed(stream, answer, canned_bind(answer, sizeof answer, said));
    if (!xmpp_stream_get_jid(stream))
        fail("login");
    take(stream);
    return stream;
}

static double cpu_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static double measure(const char *xml, int repeat)
{
    xmpp_stream *stream = open_stream();
    size_t len = strlen(xml);
    double begin = cpu_us();
    double end;
    int stanzas = 0;

    for (int i = 0; i < repeat; i++) {
        for (size_t at = 0; at < len; at += PIECE) {
            feed(stream, xml + at, len - at < PIECE ? len - at : PIECE);
            stanzas += take(stream);
        }
    }
    end = cpu_us();
    if (stanzas != repeat)
        fail("not one stanza");
    xmpp_stream_free(stream);
    return (end - begin) / repeat;
}

/* The quickest of some rounds, in which the sizes take turns: what else the machine does, only adds. */
static void measure_shape(const struct shape *shape, size_t max_bytes, const char *before)
{
    size_t bytes = shape->max_bytes < max_bytes ? shape->max_bytes : max_bytes;
    char *xml[SIZES];
    double best[SIZES];
    double worst = 0;

    for (int i = 0; i < SIZES; i++)
        xml[i] = build(shape, bytes >> (SIZES - 1 - i));
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SIZES; i++) {
            double us = measure(xml[i], shape->repeat << (SIZES - 1 - i));
            if (round == 0 || us < best[i])
                best[i] = us;
        }
    }
    printf("%s{\"shape\": \"%s\", \"bytes\": [", before, shape->name);
    for (int i = 0; i < SIZES; i++)
        printf("%s%zu", i ? ", " : "", strlen(xml[i]));
    printf("], \"cpu_us\": [");
    for (int i = 0; i < SIZES; i++) {
        printf("%s%.1f", i ? ", " : "", best[i]);
        if (i > 0 && best[i] / best[i - 1] > worst)
            worst = best[i] / best[i - 1];
        free(xml[i]);
    }
    printf("], \"worst\": %.3f}", worst);
}

/* bench-linear [BYTES]: of the largest stanza */
int main(int argc, char **argv)
{
    size_t max_bytes = argc > 1 ? strtoul(argv[1], NULL, 10) : STANZA_BYTES;

    /* memory stays in the process: what a page costs for the first time is not what is measured */
    mallopt(M_MMAP_THRESHOLD, INT_MAX);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    alarm(MAX_SECONDS);
    printf("[");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        measure_shape(&shapes[i], max_bytes, i ? ",\n " : "");
    printf("]\n");
    return 0;
}
