#include "tst.h"

#include <stdlib.h>
#include <string.h>

/* libxmpp's own parser reads a stream only for the client's side, or one complete element. So the stream is cut here,
 * by looking at nothing but the tags, and each element is then parsed inside the start tag of its stream: there it
 * finds its namespaces. */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t find(const char *data, size_t len, const char *what)
{
    const char *at = memmem(data, len, what, strlen(what));

    return at ? (size_t)(at - data) + strlen(what) : 0;
}

/* Length of a tag with its '>', 0: it is not complete. */
static size_t tag_length(const char *data, size_t len)
{
    char quote = 0;

    for (size_t i = 0; i < len; i++) {
        if (quote) {
            if (data[i] == quote)
                quote = 0;
        } else if (data[i] == '"' || data[i] == '\'') {
            quote = data[i];
        } else if (data[i] == '>') {
            return i + 1;
        }
    }
    return 0;
}

static size_t name_length(const char *data, size_t len)
{
    size_t n = 0;

    while (n < len && !is_space(data[n]) && data[n] != '>' && data[n] != '/')
        n++;
    return n;
}

static bool is_stream_name(const struct tst_reader *reader, const char *name, size_t len)
{
    if (reader->depth == 1)
        return len == strlen(reader->name) && memcmp(name, reader->name, len) == 0;
    return (len == 6 && memcmp(name, "stream", 6) == 0) ||
           (len > 7 && len < sizeof reader->name && memcmp(name + len - 7, ":stream", 7) == 0);
}

/* What comes up to the end of the token is done with, or part of the element that is being read. */
static void skip(struct tst_reader *reader, size_t len)
{
    if (reader->depth <= 1)
        tst_buf_consume(&reader->in, len);
    else
        reader->pos += len;
}

static enum tst_piece start_tag(struct tst_reader *reader, size_t len)
{
    const char *tag = reader->in.data + reader->pos;
    size_t name_len = name_length(tag + 1, len - 1);
    bool is_empty = tag[len - 2] == '/';

    if (reader->depth <= 1 && is_stream_name(reader, tag + 1, name_len)) {
        if (is_empty)
            return TST_BAD;
        tst_buf_clear(&reader->header);
        tst_buf_add(&reader->header, tag, len);
        memcpy(reader->name, tag + 1, name_len);
        reader->name[name_len] = '\0';
        reader->depth = 1;
        reader->taken = len;
        return TST_HEADER;
    }
    if (reader->depth == 0)
        return TST_BAD;
    reader->pos += len;
    if (!is_empty) {
        reader->depth++;
        return TST_NOTHING;
    }
    if (reader->depth > 1)
        return TST_NOTHING;
    reader->taken = reader->pos;
    return TST_ELEM;
}

static enum tst_piece end_tag(struct tst_reader *reader, size_t len)
{
    if (reader->depth == 0)
        return TST_BAD;
    reader->depth--;
    if (reader->depth == 0) {
        reader->taken = len;
        return TST_END;
    }
    reader->pos += len;
    if (reader->depth > 1)
        return TST_NOTHING;
    reader->taken = reader->pos;
    return TST_ELEM;
}

/* One token at pos. *ret_more: it was complete, and there may be another one. */
static enum tst_piece token(struct tst_reader *reader, bool *ret_more)
{
    const char *data = reader->in.data + reader->pos;
    size_t len = reader->in.len - reader->pos;
    size_t n;

    *ret_more = false;
    if (len == 0)
        return TST_NOTHING;
    if (data[0] != '<') {
        for (n = 0; n < len && data[n] != '<'; n++)
            if (reader->depth <= 1 && !is_space(data[n]))
                return TST_BAD;
        skip(reader, n);
        *ret_more = true;
        return TST_NOTHING;
    }
    if (len < 2)
        return TST_NOTHING;
    if (data[1] == '?')
        n = find(data, len, "?>");
    else if (data[1] == '!' && reader->depth > 1)
        n = len < 9 ? 0 : memcmp(data, "<![CDATA[", 9) == 0 ? find(data, len, "]]>") : SIZE_MAX;
    else
        n = data[1] == '!' ? SIZE_MAX : tag_length(data, len);
    if (n == SIZE_MAX)
        return TST_BAD; /* RFC 6120, 11.1: no comment, no DTD */
    if (n == 0)
        return TST_NOTHING;
    *ret_more = true;
    if (data[1] == '?' || data[1] == '!') {
        skip(reader, n);
        return TST_NOTHING;
    }
    return data[1] == '/' ? end_tag(reader, n) : start_tag(reader, n);
}

enum tst_piece tst_reader_next(struct tst_reader *reader, const char **ret_text, size_t *ret_len)
{
    bool more = true;

    tst_buf_consume(&reader->in, reader->taken);
    if (reader->taken > 0)
        reader->pos = 0;
    reader->taken = 0;
    while (more) {
        enum tst_piece piece = token(reader, &more);

        if (piece != TST_NOTHING) {
            *ret_text = reader->in.data;
            *ret_len = reader->taken;
            return piece;
        }
    }
    return reader->in.len > TST_MAX_ELEM ? TST_BAD : TST_NOTHING;
}

int tst_reader_parse(const struct tst_reader *reader, enum tst_piece piece, const char *text,
                     size_t len, xmpp_elem **ret)
{
    struct tst_buf xml = {0};
    xmpp_elem *root = NULL;
    xmpp_elem *copy = NULL;
    int r = XMPP_ERR_NOMEM;

    tst_buf_add(&xml, reader->header.data, reader->header.len);
    if (piece == TST_ELEM)
        tst_buf_add(&xml, text, len);
    tst_buf_printf(&xml, "</%s>", reader->name);
    if (!xml.failed && !reader->header.failed)
        r = xmpp_elem_parse(&root, xml.data, xml.len);
    if (r >= 0)
        r = xmpp_elem_copy(piece == TST_ELEM ? xmpp_elem_first_child(root, NULL, NULL) : root,
                           &copy);
    if (r >= 0)
        r = xmpp_elem_seal(copy);
    if (r >= 0)
        *ret = xmpp_elem_ref(copy);
    xmpp_elem_unref(copy);
    xmpp_elem_unref(root);
    tst_buf_clear(&xml);
    return r;
}

void tst_reader_clear(struct tst_reader *reader)
{
    tst_buf_clear(&reader->in);
    tst_buf_clear(&reader->header);
    memset(reader, 0, sizeof *reader);
}
