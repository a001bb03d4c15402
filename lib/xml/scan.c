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

static void finish_tag(struct scan *scan, const struct parse_limits *limits, bool elem_done)
{
    scan->state = SCAN_TEXT;
    scan->at_tag = true;
    scan->matched = 0;
    if (elem_done && (scan->depth == scan->base || scan->depth == 0))
        scan->at_event = true;
    if ((scan->depth > scan->base || (elem_done && scan->depth == scan->base)) &&
        scan->pos + 1 - scan->elem_at > limits->max_elem_bytes)
        scan->fault = SCAN_ELEM_TOO_LONG;
}

static void finish_start(struct scan *scan, const struct parse_limits *limits)
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
    else if (str_is_space(c) || strchr("<>&'\"", c))
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
        scan->state = SCAN_START;
        scan->slash = false;
        scan->attrs = 0;
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
    if (scan_is_in_tag(scan) && scan->fault == SCAN_OK &&
        scan->pos + 1 - scan->tag_at > limits->max_tag_bytes)
        scan->fault = SCAN_TAG_TOO_LONG;
}

/* How many bytes from data on can change nothing: most of text. */
static size_t skip(const struct scan *scan, const char *data, size_t len)
{
    size_t n = 0;

    if (scan->matched > 0 || scan->in_ref)
        return 0;
    if (scan->state == SCAN_CDATA)
        while (n < len && data[n] != ']')
            n++;
    else if (scan->state == SCAN_TEXT && scan->depth > 0)
        while (n < len && data[n] != '<' && data[n] != '&' && data[n] != ']')
            n++;
    return n;
}

static bool must_stop(const struct scan *scan, enum scan_stop stop)
{
    return (stop == SCAN_STOP_TAG && scan->at_tag) || (stop == SCAN_STOP_EVENT && scan->at_event);
}

/* An element that is not finished is too long with the first byte above the limit, however the input is cut: what is
 * wrong behind it must not be seen. Goes back to that byte, over all but the first of the last n bytes at most. Returns
 * over how many. */
static size_t check_length(struct scan *scan, const struct parse_limits *limits, size_t n)
{
    uint64_t len = scan->pos - scan->elem_at;
    uint64_t behind;

    if (scan->depth < scan->base || (scan->depth == scan->base && !scan_is_in_tag(scan)) ||
        len <= limits->max_elem_bytes)
        return 0;
    scan->fault = SCAN_ELEM_TOO_LONG;
    behind = len - limits->max_elem_bytes - 1;
    if (behind >= n) /* the limit was lowered meanwhile */
        behind = n - 1;
    scan->pos -= behind;
    return (size_t)behind;
}

size_t scan_run(struct scan *scan, const struct parse_limits *limits, const char *data, size_t len,
                enum scan_stop stop)
{
    size_t i = 0;

    while (i < len && scan->fault == SCAN_OK) {
        size_t n = skip(scan, data + i, len - i);

        if (n > 0) {
            scan->at_event = false;
            scan->at_tag = false;
            scan->pos += n;
            n -= check_length(scan, limits, n);
            i += n;
            continue;
        }
        scan->at_event = false;
        scan->at_tag = false;
        take_byte(scan, limits, data[i]);
        if (scan->fault != SCAN_OK)
            return i;
        scan->pos++;
        i++;
        (void)check_length(scan, limits, 1); /* goes back over none */
        if (must_stop(scan, stop))
            return i;
    }
    return i;
}
