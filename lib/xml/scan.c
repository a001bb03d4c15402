#include "xml/scan.h"

#include "base/str.h"

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

/* What a run in a start tag does not end at: names, white space, slashes. '<' is not met there. */
static bool is_plain(char c)
{
    return c != '=' && c != '"' && c != '\'' && c != '>';
}

/* The first byte is the lowest. */
static uint64_t load_word(const char *data)
{
    uint64_t word;

    memcpy(&word, data, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* The highest bit of the first byte that may not be plain, and of some behind it. Plain ones are among them: it looks
 * for 0x3C to 0x3F, and for 0x22, 0x23, 0x26, 0x27. */
static uint64_t find_suspects(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t angles = (word & ones * 0xFC) ^ ones * 0x3C;
    uint64_t quotes = (word & ones * 0xFA) ^ ones * 0x22;

    return (((angles - ones) & ~angles) | ((quotes - ones) & ~quotes)) & ones * 0x80;
}

/* How many bytes at the start are plain. */
static size_t skip_plain(const char *data, size_t len)
{
    size_t i = 0;

    while (len - i >= sizeof(uint64_t)) {
        uint64_t suspects = find_suspects(load_word(data + i));

        if (!suspects) {
            i += sizeof(uint64_t);
            continue;
        }
        i += (size_t)__builtin_ctzll(suspects) / 8;
        if (!is_plain(data[i]))
            return i;
        i++;
    }
    while (i < len && is_plain(data[i]))
        i++;
    return i;
}

/* Start tags: whole attributes. There is no '<' in data. */
static size_t skip_attrs(struct scan *scan, const struct parse_limits *limits, const char *data,
                         size_t len)
{
    size_t i = 0;

    for (;;) {
        const char *end;

        i += skip_plain(data + i, len - i);
        if (i == len || data[i] == '>')
            break;
        if (data[i] == '=') {
            if (scan->attrs >= limits->max_attrs)
                break;
            scan->attrs++;
            i++;
            if (i == len || (data[i] != '"' && data[i] != '\''))
                continue;
        }
        end = memchr(data + i + 1, data[i], len - i - 1);
        if (!end) {
            scan->state = SCAN_VALUE;
            scan->quote = data[i];
            scan->slash = false;
            return len;
        }
        i = (size_t)(end - data) + 1;
    }
    if (i > 0)
        scan->slash = data[i - 1] == '/';
    return i;
}

/* How many bytes lie before the first c, or all. */
static size_t skip_to(const char *data, size_t len, char c)
{
    const char *found = memchr(data, c, len);

    return found ? (size_t)(found - data) : len;
}

/* How many bytes from data on need no closer look: most. before_open of them lie before the next '<'. */
static size_t skip(struct scan *scan, const struct parse_limits *limits, const char *data,
                   size_t len, size_t before_open)
{
    switch (scan->state) {
    case SCAN_TEXT:
        if (scan->matched > 0 || scan->in_ref || scan->depth == 0 || before_open == 0)
            return 0;
        return skip_to(data, skip_to(data, before_open, '&'), ']');
    case SCAN_CDATA:
        return scan->matched > 0 ? 0 : skip_to(data, len, ']');
    case SCAN_START:
        return skip_attrs(scan, limits, data, before_open);
    case SCAN_VALUE:
        return skip_to(data, before_open, scan->quote);
    case SCAN_END:
        return skip_to(data, before_open, '>');
    default:
        return 0;
    }
}

static bool must_stop(const struct scan *scan, enum scan_stop stop)
{
    return (stop == SCAN_STOP_TAG && scan->at_tag) || (stop == SCAN_STOP_EVENT && scan->at_event);
}

/* Of data, which begins with '<': can it be a tag inside of an element, with nothing wrong up to the next '<'? */
static bool is_common_tag(const struct scan *scan, const char *data, size_t len)
{
    return len >= 2 && (data[1] == '/' || (unsigned char)data[1] > '@') &&
           scan->state == SCAN_TEXT && scan->depth > 0 && !scan->in_ref;
}

/* A common tag, to behind its end or as far as it goes without a closer look. data: up to the next '<'. */
static size_t take_common_tag(struct scan *scan, const struct parse_limits *limits,
                              const char *data, size_t len)
{
    size_t n = 2;

    take_open(scan);
    scan->matched = 0;
    if (data[1] == '/') {
        scan->state = SCAN_END;
        n += skip_to(data + n, len - n, '>');
    } else {
        begin_start(scan);
        n += skip_attrs(scan, limits, data + n, len - n);
    }
    scan->pos += n;
    if (n == len || data[n] != '>')
        return n;
    if (scan->state == SCAN_START)
        finish_start(scan, limits);
    else
        finish_end(scan, limits);
    scan->pos++;
    return n + 1;
}

/* Bytes that are inside of all limits, whatever they are. */
static size_t take_within_limits(struct scan *scan, const struct parse_limits *limits,
                                 const char *data, size_t len, enum scan_stop stop)
{
    size_t open = skip_to(data, len, '<');
    size_t i = 0;

    for (;;) {
        size_t n = skip(scan, limits, data + i, len - i, open - i);

        i += n;
        scan->pos += n;
        if (i == len)
            return i;
        if (i == open && is_common_tag(scan, data + i, len - i)) {
            open = i + 1 + skip_to(data + i + 1, len - i - 1, '<');
            i += take_common_tag(scan, limits, data + i, open - i);
        } else {
            take_byte(scan, limits, data[i]);
            if (scan->fault != SCAN_OK)
                return i;
            scan->pos++;
            if (i++ >= open) /* above: behind CDATA */
                open = i + skip_to(data + i, len - i, '<');
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
