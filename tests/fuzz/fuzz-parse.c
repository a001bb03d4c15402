/* The XML parser. Byte 0: limits and mode; bytes 1 and 2: how the input is cut; the rest is XML. Whatever the cuts are,
 * what comes out is the same. */
#include "fuzz/fuzz.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "xml/parse.h"
#include "xml/write.h"

#include <xmpp/error.h>

#define MAX_EVENTS 4096

enum { FLAG_TIGHT = 1, FLAG_BYTES = 2 };

struct result {
    enum parse_event events[MAX_EVENTS];
    xmpp_elem *elems[MAX_EVENTS];
    size_t count;
    int error;
    bool is_inside;
    char condition[64];
};

static const struct parse_limits normal = {
    .max_elem_bytes = LIMIT_STANZA_BYTES,
    .max_tag_bytes = LIMIT_TAG_BYTES,
    .max_depth = LIMIT_DEPTH,
    .max_attrs = LIMIT_ATTRS,
};
static const struct parse_limits tight = {
    .max_elem_bytes = 200,
    .max_tag_bytes = 60,
    .max_depth = 4,
    .max_attrs = 3,
};

static void take(struct parse *parse, struct result *result)
{
    enum parse_event event;
    xmpp_elem *elem;

    while ((event = parse_next(parse, &elem)) != PARSE_NONE) {
        CHECK((elem != NULL) == (event == PARSE_OPEN || event == PARSE_ELEM));
        CHECK(result->count < MAX_EVENTS);
        result->events[result->count] = event;
        result->elems[result->count++] = elem;
    }
}

/* cut: 0 whole, else pieces of random length below it */
static struct result *run(const char *xml, size_t len, const struct parse_limits *limits,
                          bool single, uint64_t seed, unsigned cut)
{
    struct result *result = calloc(1, sizeof *result);
    struct parse *parse = NULL;

    CHECK(result != NULL);
    CHECK(parse_create(&parse, limits) == XMPP_OK);
    while (len > 0 && result->error == XMPP_OK) {
        size_t piece = cut > 0 ? 1 + fuzz_next(&seed) % cut : len;
        char *copy = fuzz_dup(xml, piece < len ? piece : len);
        size_t used = 0;

        result->error = parse_feed(parse, copy, piece < len ? piece : len, single, &used);
        CHECK(used > 0 && used <= piece && used <= len);
        take(parse, result);
        free(copy);
        xml += used;
        len -= used;
    }
    result->is_inside = parse_is_inside(parse);
    CHECK((result->error < 0) == (parse_get_condition(parse) != NULL));
    CHECK(parse_get_reason(parse) != NULL);
    if (result->error < 0) {
        size_t used;

        CHECK(result->error == XMPP_ERR_XML || result->error == XMPP_ERR_LIMIT);
        snprintf(result->condition, sizeof result->condition, "%s", parse_get_condition(parse));
        CHECK(parse_feed(parse, "<a/>", 4, single, &used) == result->error);
        take(parse, result);
    }
    parse_free(parse);
    return result;
}

static void result_free(struct result *result)
{
    for (size_t i = 0; i < result->count; i++)
        xmpp_elem_unref(result->elems[i]);
    free(result);
}

/* The same inside CDATA, which the tag does not end. */
static size_t count_without_text(const struct result *result)
{
    bool is_open = result->error == XMPP_OK && result->count > 0 &&
                   result->events[result->count - 1] == PARSE_TEXT;

    return is_open ? result->count - 1 : result->count;
}

static void compare(const struct result *a, const struct result *b)
{
    size_t count = count_without_text(a);

    CHECK(a->error == b->error);
    CHECK(strcmp(a->condition, b->condition) == 0);
    CHECK(a->error < 0 || a->is_inside == b->is_inside);
    CHECK(count == count_without_text(b));
    for (size_t i = 0; i < count; i++) {
        CHECK(a->events[i] == b->events[i]);
        CHECK(!a->elems[i] || fuzz_same_tree(a->elems[i], b->elems[i]));
    }
}

/* Order of events, and what was read can be written and read again. */
static void check(const struct result *result)
{
    for (size_t i = 0; i < result->count; i++) {
        CHECK((result->events[i] == PARSE_OPEN) == (i == 0));
        CHECK(result->events[i] != PARSE_CLOSE || i + 1 == result->count);
        if (!result->elems[i])
            continue;
        CHECK(xmpp_elem_is_sealed(result->elems[i]) == 1);
        fuzz_round_trip(result->elems[i]);
    }
}

static void run_elem(const char *xml, size_t len)
{
    xmpp_elem *elem = NULL;
    int r = xmpp_elem_parse(&elem, xml, len);

    CHECK((r == XMPP_OK) == (elem != NULL));
    if (r == XMPP_OK) {
        xmpp_elem *copy = NULL;
        struct buf masked;

        fuzz_round_trip(elem);
        CHECK(xmpp_elem_copy(elem, &copy) == XMPP_OK);
        CHECK(xmpp_elem_seal(copy) == XMPP_OK);
        CHECK(fuzz_same_tree(elem, copy));
        buf_init(&masked, SIZE_MAX);
        CHECK(write_elem_masked(&masked, elem, NULL, false) == XMPP_OK);
        CHECK(utf8_is_xml((const char *)buf_peek(&masked), buf_len(&masked)));
        buf_clear(&masked);
        xmpp_elem_unref(copy);
    }
    xmpp_elem_unref(elem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* a tag at the end: what is wrong with a text may be told when it is known what follows */
    static const char end[] = "<a/>";
    struct input input = {data, size};
    unsigned flags;
    unsigned cut;
    uint64_t seed;
    size_t len;
    char *xml;
    const struct parse_limits *limits;
    struct result *whole;
    struct result *pieces;

    if (size < 3 || size > 3 + MAX_EVENTS * 4)
        return 0;
    fuzz_begin();
    flags = input_byte(&input);
    cut = 1 + input_byte(&input);
    seed = input_byte(&input);
    limits = flags & FLAG_TIGHT ? &tight : &normal;
    run_elem((const char *)input.data, input.len);
    len = input.len + strlen(end);
    xml = malloc(len);
    CHECK(xml != NULL);
    memcpy(xml, input.data, input.len);
    memcpy(xml + input.len, end, strlen(end));
    whole = run(xml, len, limits, false, 0, 0);
    check(whole);
    pieces = run(xml, len, limits, true, seed, flags & FLAG_BYTES ? 1 : cut);
    compare(whole, pieces);
    result_free(pieces);
    pieces = run(xml, len, limits, false, seed, cut);
    compare(whole, pieces);
    result_free(pieces);
    result_free(whole);
    free(xml);
    CHECK(fuzz_peak() < 1024 * 1024 + size * 1000);
    fuzz_end();
    return 0;
}
