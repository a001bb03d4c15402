/* The XML parser. Byte 0: limits and mode; bytes 1 and 2: how the input is cut; the rest is XML. Whatever the cuts are,
 * what comes out is the same. */
#include "fuzz/fuzz.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "xml/parse.h"
#include "xml/write.h"

#include <xmpp/error.h>

#define MAX_EVENTS  4096
#define FIRST_BLOCK 4096 /* what the smallest tree takes */

enum { FLAG_TIGHT = 1, FLAG_BYTES = 2 };

struct happening {
    enum parse_event event;
    xmpp_elem *elem;
};

struct result {
    struct happening *happenings;
    size_t cap;
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
        if (result->count == result->cap) {
            result->cap = result->cap > 0 ? 2 * result->cap : 16;
            result->happenings =
                realloc(result->happenings, result->cap * sizeof *result->happenings);
            CHECK(result->happenings != NULL);
        }
        result->happenings[result->count++] = (struct happening){event, elem};
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
        xmpp_elem_unref(result->happenings[i].elem);
    free(result->happenings);
    free(result);
}

/* The same inside CDATA, which the tag does not end. */
static size_t count_without_text(const struct result *result)
{
    bool is_open = result->error == XMPP_OK && result->count > 0 &&
                   result->happenings[result->count - 1].event == PARSE_TEXT;

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
        const struct happening *x = &a->happenings[i];
        const struct happening *y = &b->happenings[i];

        CHECK(x->event == y->event);
        CHECK(!x->elem || fuzz_same_tree(x->elem, y->elem));
    }
}

/* Order of events, and what was read can be written and read again. */
static void check(const struct result *result)
{
    for (size_t i = 0; i < result->count; i++) {
        const struct happening *one = &result->happenings[i];

        CHECK((one->event == PARSE_OPEN) == (i == 0));
        CHECK(one->event != PARSE_CLOSE || i + 1 == result->count);
        if (!one->elem)
            continue;
        CHECK(xmpp_elem_is_sealed(one->elem) == 1);
        fuzz_round_trip(one->elem);
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
    size_t kept;

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
    kept = 2 * whole->count; /* in two results at a time */
    result_free(whole);
    free(xml);
    CHECK(fuzz_peak() < 1024 * 1024 + 200 * size + FIRST_BLOCK * kept);
    fuzz_end();
    return 0;
}
