#include "xml/scan.h"

#include "base/str.h"
#include "xml/marks.h"

#include <string.h>

static const char cdata_start[] = "[CDATA[";

void scan_init(struct scan *scan, unsigned base)
{
    *scan = (struct scan){.base = base};
}

bool scan_is_in_tag(const struct scan *scan)
{
    return scan->state != SCAN_TEXT && scan->state != SCAN_CDATA;
}

static inline void finish_tag(struct scan *scan, const struct parse_limits *limits, bool elem_done)
{
    scan->state = SCAN_TEXT;
    scan->at_tag = true;
    scan->matched = 0;
    if (elem_done && (scan->depth == scan->base || scan->depth == 0))
        scan->at_event = true;
    if (scan->pos + 1 - scan->elem_at > limits->max_elem_bytes &&
        (scan->depth > scan->base || (elem_done && scan->depth == scan->base)))
        scan->fault = SCAN_ELEM_TOO_LONG;
}

static inline void finish_start(struct scan *scan, const struct parse_limits *limits)
{
    scan->had_root = true;
    if (!scan->slash)
        scan->depth++;
    finish_tag(scan, limits, scan->slash);
    if (scan->depth == scan->base && !scan->slash) /* the root of a stream opened */
        scan->at_event = true;
}

static void finish_end(struct scan *scan, const struct parse_limits *limits)
{
    if (scan->depth == 0) {
        scan->fault = SCAN_MALFORMED;
        return;
    }
    scan->depth--;
    finish_tag(scan, limits, true);
}

/* A reference that does not end would keep libxml2 waiting for its ';' and swallow what follows. */
static void take_ref(struct scan *scan, const struct parse_limits *limits, char c)
{
    if (c == ';')
        scan->in_ref = false;
    else if (str_is_space(c) || c == '<' || c == '>' || c == '&' || c == '\'' || c == '"')
        scan->fault = SCAN_MALFORMED;
    else if (scan->pos - scan->ref_at > limits->max_tag_bytes)
        scan->fault = SCAN_TAG_TOO_LONG;
}

static void take_open(struct scan *scan)
{
    scan->state = SCAN_OPENED;
    scan->tag_at = scan->pos;
    if (scan->depth == scan->base)
        scan->elem_at = scan->pos;
}

static void take_text(struct scan *scan, const struct parse_limits *limits, char c)
{
    if (scan->in_ref) {
        take_ref(scan, limits, c);
    } else if (c == '<') {
        take_open(scan);
        return;
    } else if (c == '&') {
        scan->in_ref = true;
        scan->ref_at = scan->pos;
    } else if (c == '>' && scan->matched == 2) { /* XML 1.0 2.4: no "]]>" in text */
        scan->fault = SCAN_MALFORMED;
    }
    if (c == ']')
        scan->matched += scan->matched < 2;
    else
        scan->matched = 0;
    if (scan->depth == 0 && !str_is_space(c))
        scan->fault = SCAN_MALFORMED;
}

static void begin_start(struct scan *scan)
{
    scan->state = SCAN_START;
    scan->slash = false;
    scan->attrs = 0;
}

static void take_opened(struct scan *scan, char c)
{
    scan->matched = 0;
    if (c == '?') {
        /* XML-02; only the XML declaration looks like an instruction, and it is the very first */
        scan->state = SCAN_DECL;
        if (scan->tag_at > 0)
            scan->fault = SCAN_RESTRICTED;
    } else if (c == '!') {
        scan->state = SCAN_BANG;
    } else if (c == '/') {
        scan->state = SCAN_END;
    } else {
        begin_start(scan);
        if ((scan->depth == 0 && scan->had_root) || strchr("<>='\"", c))
            scan->fault = SCAN_MALFORMED;
    }
}

/* XML-02: comments and DTDs end here, before anything in them is looked at. */
static void take_bang(struct scan *scan, char c)
{
    if (c != cdata_start[scan->matched]) {
        scan->fault = scan->matched == 0 ? SCAN_RESTRICTED : SCAN_MALFORMED;
    } else if (cdata_start[++scan->matched] == '\0') {
        scan->state = SCAN_CDATA;
        scan->at_tag = true;
        scan->matched = 0;
        if (scan->depth == 0)
            scan->fault = SCAN_MALFORMED;
    }
}

static void take_decl(struct scan *scan, char c)
{
    if (c == '>' && scan->matched == 1) {
        scan->state = SCAN_TEXT;
        scan->at_tag = true;
    }
    scan->matched = c == '?';
}

static void take_cdata(struct scan *scan, char c)
{
    if (c == ']') {
        scan->matched += scan->matched < 2;
    } else {
        if (c == '>' && scan->matched == 2)
            scan->state = SCAN_TEXT;
        scan->matched = 0;
    }
}

static void take_start(struct scan *scan, const struct parse_limits *limits, char c)
{
    if (c == '>') {
        finish_start(scan, limits);
        return;
    }
    scan->slash = c == '/';
    if (c == '"' || c == '\'') {
        scan->state = SCAN_VALUE;
        scan->quote = c;
    } else if (c == '<') {
        scan->fault = SCAN_MALFORMED;
    } else if (c == '=' && ++scan->attrs > limits->max_attrs) {
        scan->fault = SCAN_TOO_MANY_ATTRS;
    }
}

static void take_byte(struct scan *scan, const struct parse_limits *limits, char c)
{
    switch (scan->state) {
    case SCAN_TEXT:
        take_text(scan, limits, c);
        break;
    case SCAN_CDATA:
        take_cdata(scan, c);
        break;
    case SCAN_OPENED:
        take_opened(scan, c);
        break;
    case SCAN_BANG:
        take_bang(scan, c);
        break;
    case SCAN_DECL:
        take_decl(scan, c);
        break;
    case SCAN_START:
        take_start(scan, limits, c);
        break;
    case SCAN_VALUE:
        if (c == scan->quote)
            scan->state = SCAN_START;
        else if (c == '<') /* XML 1.0 3.1 */
            scan->fault = SCAN_MALFORMED;
        break;
    case SCAN_END:
        if (c == '>')
            finish_end(scan, limits);
        else if (c == '<')
            scan->fault = SCAN_MALFORMED;
        break;
    }
}

#define BLOCK 64

/* Goes from mark to mark. */
struct walk {
    const char *data;
    size_t len;
    size_t base; /* of the block that was looked at last */
    uint64_t marks; /* in it, the lowest bit for its first byte */
};

static uint64_t find_marks(const char *block)
{
    uint64_t marks = 0;

    for (unsigned i = 0; i < BLOCK; i += MARKS_BLOCK)
        marks |= (uint64_t)marks_find(block + i) << i;
    return marks;
}

static size_t look_at_blocks(struct walk *walk, size_t base)
{
    for (; base < walk->len; base += BLOCK) {
        size_t left = walk->len - base;

        walk->base = base;
        if (left >= BLOCK) {
            walk->marks = find_marks(walk->data + base);
        } else {
            char block[BLOCK] = {0};

            memcpy(block, walk->data + base, left);
            walk->marks = find_marks(block) & ((UINT64_C(1) << left) - 1);
        }
        if (walk->marks)
            return base + (size_t)__builtin_ctzll(walk->marks);
    }
    return walk->len;
}

/* Where the first mark is, at or behind from; or len. Never goes back. */
static inline size_t next_mark(struct walk *walk, size_t from)
{
    uint64_t marks;

    if (from - walk->base >= BLOCK)
        return look_at_blocks(walk, from);
    marks = walk->marks >> (from - walk->base);
    if (marks)
        return from + (size_t)__builtin_ctzll(marks);
    return look_at_blocks(walk, walk->base + BLOCK);
}

/* The first of two marks. */
static inline size_t next_of_two(struct walk *walk, size_t from, char a, char b)
{
    size_t i = next_mark(walk, from);

    while (i < walk->len && walk->data[i] != a && walk->data[i] != b)
        i = next_mark(walk, i + 1);
    return i;
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'';
}

/* Start tags: whole attributes. */
static inline size_t skip_attrs(struct scan *scan, const struct parse_limits *limits,
                                struct walk *walk, size_t from)
{
    const char *data = walk->data;
    size_t i = from;

    for (;; i++) {
        i = next_mark(walk, i);
        if (i == walk->len || data[i] == '>' || data[i] == '<')
            break;
        if (data[i] == '=') {
            if (scan->attrs >= limits->max_attrs)
                break;
            scan->attrs++;
            if (i + 1 == walk->len || !is_quote(data[i + 1]))
                continue;
            i++;
        }
        if (is_quote(data[i])) {
            char quote = data[i];

            i = next_of_two(walk, i + 1, quote, '<');
            if (i == walk->len || data[i] == '<') {
                scan->state = SCAN_VALUE;
                scan->quote = quote;
                scan->slash = false;
                return i;
            }
        }
    }
    if (i > from)
        scan->slash = data[i - 1] == '/';
    return i;
}

/* It never looks further than it goes: a text of brackets is not seen twice. */
static inline size_t skip_text(struct walk *walk, size_t from)
{
    const char *data = walk->data;
    size_t i = next_mark(walk, from);

    while (i < walk->len && data[i] != '<' && data[i] != '&' && data[i] != ']')
        i = next_mark(walk, i + 1);
    return i;
}

static size_t skip_cdata(const struct walk *walk, size_t from)
{
    const char *bracket = memchr(walk->data + from, ']', walk->len - from);

    return bracket ? (size_t)(bracket - walk->data) : walk->len;
}

/* Where the first byte is, at or behind from, that needs a closer look: most do not. */
static size_t skip(struct scan *scan, const struct parse_limits *limits, struct walk *walk,
                   size_t from)
{
    switch (scan->state) {
    case SCAN_TEXT:
        if (scan->matched > 0 || scan->in_ref || scan->depth == 0 || walk->data[from] == '<')
            return from;
        return skip_text(walk, from);
    case SCAN_CDATA:
        return scan->matched > 0 ? from : skip_cdata(walk, from);
    case SCAN_START:
        return skip_attrs(scan, limits, walk, from);
    case SCAN_VALUE:
        return next_of_two(walk, from, scan->quote, '<');
    case SCAN_END:
        return next_of_two(walk, from, '>', '<');
    default:
        return from;
    }
}

static bool must_stop(const struct scan *scan, enum scan_stop stop)
{
    return (stop == SCAN_STOP_TAG && scan->at_tag) || (stop == SCAN_STOP_EVENT && scan->at_event);
}

/* Can a tag begin here, inside of an element? Whether the state is that of text, the caller knows. */
static inline bool is_common_tag(const struct walk *walk, size_t at)
{
    const char *data = walk->data + at;

    return data[0] == '<' && walk->len - at >= 2 &&
           (data[1] == '/' || (unsigned char)data[1] > '@');
}

/* A common tag, to behind its end or as far as it goes without a closer look. */
static inline size_t take_common_tag(struct scan *scan, const struct parse_limits *limits,
                                     struct walk *walk, size_t from)
{
    bool is_end = walk->data[from + 1] == '/';
    size_t i;

    take_open(scan);
    scan->matched = 0;
    if (is_end) {
        scan->state = SCAN_END;
        i = next_of_two(walk, from + 2, '>', '<');
    } else {
        begin_start(scan);
        i = skip_attrs(scan, limits, walk, from + 2);
    }
    scan->pos += i - from;
    if (i == walk->len || walk->data[i] != '>')
        return i;
    if (is_end)
        finish_end(scan, limits);
    else
        finish_start(scan, limits);
    scan->pos++;
    return i + 1;
}

/* What stanzas consist of: common tags, and text between them. Returns where it stopped: anything else, or an end. */
static size_t take_common_tags(struct scan *scan, const struct parse_limits *limits,
                               struct walk *walk, size_t from, enum scan_stop stop)
{
    size_t i = from;

    for (;;) {
        size_t text;

        i = take_common_tag(scan, limits, walk, i);
        if (i == walk->len || !scan->at_tag || scan->depth == 0 || must_stop(scan, stop))
            return i;
        scan->at_event = false;
        scan->at_tag = false;
        text = i;
        if (walk->data[i] != '<')
            i = skip_text(walk, i);
        scan->pos += i - text;
        if (i == walk->len || !is_common_tag(walk, i))
            return i;
    }
}

/* Bytes that are inside of all limits, whatever they are. */
static size_t take_within_limits(struct scan *scan, const struct parse_limits *limits,
                                 const char *data, size_t len, enum scan_stop stop)
{
    struct walk walk = {.data = data, .len = len};
    size_t i = 0;

    (void)look_at_blocks(&walk, 0);
    for (;;) {
        size_t next = skip(scan, limits, &walk, i);

        scan->pos += next - i;
        i = next;
        if (i == len)
            return i;
        if (scan->state == SCAN_TEXT && scan->depth > 0 && !scan->in_ref &&
            is_common_tag(&walk, i)) {
            i = take_common_tags(scan, limits, &walk, i, stop);
        } else {
            take_byte(scan, limits, data[i]);
            if (scan->fault != SCAN_OK)
                return i;
            scan->pos++;
            i++;
        }
        if (i == len || must_stop(scan, stop))
            return i;
        scan->at_event = false;
        scan->at_tag = false;
    }
}

static bool is_in_elem(const struct scan *scan)
{
    return scan->depth > scan->base || (scan->depth == scan->base && scan_is_in_tag(scan));
}

/* One byte that may be the first above a limit: what is wrong behind it must not be seen, however the input is cut. */
static size_t take_at_limit(struct scan *scan, const struct parse_limits *limits, char c)
{
    take_byte(scan, limits, c);
    if (scan->fault == SCAN_OK && scan_is_in_tag(scan) &&
        scan->pos + 1 - scan->tag_at > limits->max_tag_bytes)
        scan->fault = SCAN_TAG_TOO_LONG;
    if (scan->fault != SCAN_OK)
        return 0;
    scan->pos++;
    if (is_in_elem(scan) && scan->pos - scan->elem_at > limits->max_elem_bytes)
        scan->fault = SCAN_ELEM_TOO_LONG;
    return 1;
}

static size_t room_below(size_t limit, uint64_t used)
{
    return used < limit ? limit - (size_t)used : 0;
}

/* How many bytes can come before a limit is met. */
static size_t get_room(const struct scan *scan, const struct parse_limits *limits)
{
    size_t tag =
        room_below(limits->max_tag_bytes, scan_is_in_tag(scan) ? scan->pos - scan->tag_at : 0);
    size_t elem =
        room_below(limits->max_elem_bytes, is_in_elem(scan) ? scan->pos - scan->elem_at : 0);

    return tag < elem ? tag : elem;
}

size_t scan_run(struct scan *scan, const struct parse_limits *limits, const char *data, size_t len,
                enum scan_stop stop)
{
    size_t i = 0;

    while (i < len && scan->fault == SCAN_OK) {
        size_t room = get_room(scan, limits);

        scan->at_event = false;
        scan->at_tag = false;
        if (room > 0)
            i += take_within_limits(scan, limits, data + i, room < len - i ? room : len - i, stop);
        else
            i += take_at_limit(scan, limits, data[i]);
        if (must_stop(scan, stop))
            break;
    }
    return i;
}
