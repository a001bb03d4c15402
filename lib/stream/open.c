#include "base/str.h"
#include "jid/jid.h"
#include "stream/stream.h"
#include "xml/write.h"

#include <string.h>

#define SHOWN_BYTES 30 /* of what is no XMPP */

static int add_attr(struct buf *out, const char *name, const char *value)
{
    int r;

    r = buf_append_str(out, " ");
    if (r < 0)
        return r;
    r = buf_append_str(out, name);
    if (r < 0)
        return r;
    r = buf_append_str(out, "='");
    if (r < 0)
        return r;
    r = write_escaped(out, value, strlen(value));
    if (r < 0)
        return r;
    return buf_append_str(out, "'");
}

/* CORE-01..04 */
static int write_header(xmpp_stream *stream, struct buf *out)
{
    int r;

    r = buf_append_str(out, "<?xml version='1.0'?><stream:stream");
    if (r < 0)
        return r;
    /* CORE-03: who we are is nothing for listeners. Who has no account has no address yet. */
    if (stream->secured && xmpp_jid_get_local(stream->jid)) {
        r = add_attr(out, "from", xmpp_jid_get_bare_str(stream->jid));
        if (r < 0)
            return r;
    }
    r = add_attr(out, "to", xmpp_jid_get_domain(stream->jid));
    if (r < 0)
        return r;
    r = add_attr(out, "version", "1.0");
    if (r < 0)
        return r;
    if (stream->lang) {
        r = add_attr(out, "xml:lang", stream->lang);
        if (r < 0)
            return r;
    }
    return buf_append_str(out, " xmlns='" NS_CLIENT "' xmlns:stream='" NS_STREAM "'>");
}

void open_forget(xmpp_stream *stream)
{
    auth_clear(stream);
    stream->features = xmpp_elem_unref(stream->features);
    stream->id = mem_free(stream->id);
    stream->foreign = false;
    stream->peer_max_bytes = UINT64_MAX;
    stream->peer_idle_us = UINT64_MAX;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

int open_start(xmpp_stream *stream)
{
    CLEANUP(buf_clear) struct buf text;
    struct parse_limits limits = {
        .max_elem_bytes = stream->max_stanza_bytes,
        .max_tag_bytes = LIMIT_TAG_BYTES,
        .max_depth = LIMIT_DEPTH,
        .max_attrs = LIMIT_ATTRS,
    };
    struct parse *parse;
    int r;

    buf_init(&text, SIZE_MAX);
    if (!stream->authenticated) {
        limits.max_elem_bytes = smaller(limits.max_elem_bytes, LIMIT_NEGOTIATION_BYTES);
        limits.max_tag_bytes = LIMIT_NEGOTIATION_TAG_BYTES;
    }
    r = write_header(stream, &text);
    if (r < 0)
        return r;
    r = parse_create(&parse, &limits);
    if (r < 0)
        return r;
    r = stream_put(stream, (const char *)buf_peek(&text), buf_len(&text));
    if (r < 0) {
        parse_free(parse);
        return r;
    }

    parse_free(stream->parse);
    stream->parse = parse;
    stream->fresh = true;
    open_forget(stream);
    stream_wait(stream, STREAM_HEADER);
    return XMPP_OK;
}

xmpp_error *open_explain(const xmpp_stream *stream, int code, const char *reason, const char *data,
                         size_t len)
{
    int phase = stream_phase(stream);
    int shown = len < SHOWN_BYTES ? (int)len : SHOWN_BYTES;

    /* RFC 8446 5.1: a record of an alert or a handshake, any version */
    if (len >= 2 && (data[0] == 0x15 || data[0] == 0x16) && data[1] == 3)
        return error_create(
            code, phase,
            "the server speaks TLS from the first byte: this is a port for direct TLS");
    /* Text begins like the protocol that it is; XML and the rest are told by the parser. */
    for (int i = 0; i < shown; i++)
        if (data[i] == '<' || data[i] == '\0' || (uint8_t)data[i] > '~')
            shown = 0;
    if (shown > 0)
        return error_create(code, phase, "this is no XMPP server: it sent \"%.*s\"", shown, data);
    return error_create(code, phase, "the server's stream header is not acceptable: %s", reason);
}

/* CORE-06, CORE-07 */
static bool check_version(xmpp_stream *stream, const char *version)
{
    const char *dot = version ? strchr(version, '.') : NULL;
    uint64_t major;
    uint64_t minor;

    if (!version) {
        serror_send(stream,
                    error_create(XMPP_ERR_PROTOCOL, stream_phase(stream),
                                 "the server speaks the protocol from before XMPP 1.0"),
                    "unsupported-version");
        return false;
    }
    if (dot && str_parse_uint(version, (size_t)(dot - version), UINT32_MAX, &major) &&
        str_parse_uint(dot + 1, strlen(dot + 1), UINT32_MAX, &minor) && major == 1)
        return true;
    serror_send(stream,
                error_create(XMPP_ERR_PROTOCOL, stream_phase(stream),
                             "the server speaks another version of XMPP: %.20s", version),
                "unsupported-version");
    return false;
}

/* CERT-10: who was verified must be who speaks. An absent from says nothing. */
static int compare_from(const xmpp_stream *stream, const char *from, bool *ret_foreign)
{
    CLEANUP(xmpp_jid_unrefp) xmpp_jid *jid = NULL;
    int r;

    *ret_foreign = false;
    if (!from || !stream->secured)
        return XMPP_OK;
    r = jid_parse_lenient(&jid, from, strlen(from));
    if (r == XMPP_ERR_NOMEM)
        return r;
    *ret_foreign = r < 0 || xmpp_jid_get_local(jid) || xmpp_jid_get_resource(jid) ||
                   !str_eq(xmpp_jid_get_domain(jid), xmpp_jid_get_domain(stream->jid));
    return XMPP_OK;
}

int open_receive(xmpp_stream *stream, const xmpp_elem *header)
{
    const char *id = xmpp_elem_get_attr(header, "id");
    int r;

    if (!str_eq(xmpp_elem_get_ns(header), NS_STREAM)) {
        serror_send(stream,
                    error_create(
                        XMPP_ERR_PROTOCOL, stream_phase(stream),
                        "this is no XMPP server: it began with <%.40s/> of the namespace \"%.60s\"",
                        xmpp_elem_get_name(header), xmpp_elem_get_ns(header)),
                    "invalid-namespace"); /* CORE-08 */
        return XMPP_OK;
    }
    if (!str_eq(xmpp_elem_get_name(header), "stream")) {
        serror_send(stream,
                    error_create(XMPP_ERR_PROTOCOL, stream_phase(stream),
                                 "the server began with <%.40s/>, not with a stream",
                                 xmpp_elem_get_name(header)),
                    "bad-format");
        return XMPP_OK;
    }
    r = compare_from(stream, xmpp_elem_get_attr(header, "from"), &stream->foreign);
    if (r < 0)
        return r;
    if (id && *id) {
        stream->id = mem_strdup(id);
        if (!stream->id)
            return XMPP_ERR_NOMEM;
    }
    if (check_version(stream, xmpp_elem_get_attr(header, "version")))
        stream_wait(stream, STREAM_FEATURES);
    return XMPP_OK;
}

/* A server that refuses us often sends a careless header, then the error that says why: so these faults count only
 * when the negotiation would go on. */
bool open_check(xmpp_stream *stream)
{
    if (!stream->id) {
        serror_send(stream,
                    error_create(XMPP_ERR_PROTOCOL, stream_phase(stream),
                                 "the server's stream header has no id"),
                    "bad-format"); /* CORE-05 */
        return false;
    }
    if (stream->foreign) {
        serror_send(stream,
                    error_create(XMPP_ERR_PROTOCOL, stream_phase(stream),
                                 "the server's stream header is from another domain than \"%s\"",
                                 xmpp_jid_get_domain(stream->jid)),
                    "invalid-from");
        return false;
    }
    return true;
}
