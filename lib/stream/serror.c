#include "base/str.h"
#include "stream/stream.h"

#include <string.h>

#define SHOWN_HOST 100 /* bytes of another host's name */

/* RFC 6120 4.9.3, in the order of the RFC: what the server means */
static const struct {
    const char *condition;
    const char *words;
} conditions[] = {
    {"bad-format", "it could not process our XML"},
    {"bad-namespace-prefix", "it dislikes a namespace prefix of ours"},
    {"conflict", "another client took over this resource, or logged in instead"},
    {"connection-timeout", "it heard nothing from us for too long"},
    {"host-gone", "it does not serve this domain any more"},
    {"host-unknown", "it does not serve this domain"},
    {"improper-addressing", "a stanza of ours has no proper address"},
    {"internal-server-error", "it has a fault of its own"},
    {"invalid-from", "a from address is not ours"},
    {"invalid-namespace", "it dislikes a namespace of ours"},
    {"invalid-xml", "our XML did not pass its validation"},
    {"not-authorized", "we sent something before we were logged in"},
    {"not-well-formed", "it says that our XML is not well-formed"},
    {"policy-violation", "we broke one of its rules, perhaps too much or too fast"},
    {"remote-connection-failed", "it does not reach another server that it needs"},
    {"reset", "it wants a new login, for what it knows of us has changed"},
    {"resource-constraint", "it has no room for us now"},
    {"restricted-xml", "we sent XML that XMPP forbids"},
    {"see-other-host", "it names another host for us"},
    {"system-shutdown", "it is shutting down or restarting"},
    {"undefined-condition", "for a reason of its own"},
    {"unsupported-encoding", "it does not know our encoding"},
    {"unsupported-feature", "it requires a feature that we lack"},
    {"unsupported-stanza-type", "it does not know an element that we sent"},
    {"unsupported-version", "it does not speak our version of XMPP"},
};

/* NULL: unknown */
static const char *find_words(const char *condition)
{
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
        if (str_eq(conditions[i].condition, condition))
            return conditions[i].words;
    return NULL;
}

bool serror_is_known(const char *condition)
{
    return find_words(condition) != NULL;
}

const char *serror_find_condition(const xmpp_elem *elem, const char *ns)
{
    for (const xmpp_elem *child = xmpp_elem_first_child(elem, ns, NULL); child;
         child = xmpp_elem_next_sibling(child, ns, NULL)) {
        const char *name = xmpp_elem_get_name(child);

        if (!str_eq(name, "text"))
            return name;
    }
    return NULL;
}

void serror_close_tag(xmpp_stream *stream)
{
    static const char tag[] = "</stream:stream>";

    /* Before open there is no stream to close, and behind <proceed/> only TLS may be written. */
    if (stream->close_sent || stream->state == STREAM_IDLE || stream->state == STREAM_HANDSHAKE)
        return;
    stream->close_sent = true;
    /* Only memory can be missing here; the connection is closed all the same. */
    (void)stream_put(stream, tag, sizeof tag - 1);
}

void serror_fail(xmpp_stream *stream, xmpp_error *error)
{
    if (stream->state == STREAM_ENDED) {
        xmpp_error_unref(error);
        return;
    }
    serror_close_tag(stream);
    stream_end(stream, XMPP_EV_FAILED, error);
}

/* RFC 6120 4.9.1.2 wants our header before an error. It is there: no state in which the peer's bytes are read
 * begins without open_start(). */
void serror_send(xmpp_stream *stream, xmpp_error *error, const char *condition)
{
    char text[160];

    error_set_condition(error, NULL, condition);
    if (!stream->close_sent && stream->state != STREAM_HANDSHAKE && stream->state != STREAM_ENDED &&
        str_format(text, sizeof text, "<stream:error><%s xmlns='%s'/></stream:error>", condition,
                   NS_STREAMS))
        (void)stream_put(stream, text, strlen(text)); /* as in serror_close_tag() */
    serror_fail(stream, error);
}

void serror_receive(xmpp_stream *stream, const xmpp_elem *elem)
{
    const char *condition = serror_find_condition(elem, NS_STREAMS);
    const xmpp_elem *text = xmpp_elem_first_child(elem, NS_STREAMS, "text");
    const xmpp_elem *other = xmpp_elem_first_child(elem, NS_STREAMS, "see-other-host");
    const char *host = other ? xmpp_elem_get_text(other) : "";
    xmpp_error *error;

    /* CORE-19 */
    if (!serror_is_known(condition))
        condition = "undefined-condition";
    error = error_create(XMPP_ERR_STREAM, stream_phase(stream),
                         "the server ended the stream: %s (%s%s%.*s)", condition,
                         find_words(condition), *host ? ": " : "", SHOWN_HOST, host);
    error_set_condition(error, NULL, condition);
    if (text)
        error_set_peer_text(error, xmpp_elem_get_text(text));
    error_set_elem(error, xmpp_elem_ref(elem), xmpp_elem_unref);
    serror_fail(stream, error);
}
