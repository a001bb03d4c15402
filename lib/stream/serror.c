#include "base/str.h"
#include "stream/stream.h"

#include <string.h>

/* RFC 6120 4.9.3, in the order of the RFC */
static const char *const conditions[] = {
    "bad-format",
    "bad-namespace-prefix",
    "conflict",
    "connection-timeout",
    "host-gone",
    "host-unknown",
    "improper-addressing",
    "internal-server-error",
    "invalid-from",
    "invalid-namespace",
    "invalid-xml",
    "not-authorized",
    "not-well-formed",
    "policy-violation",
    "remote-connection-failed",
    "reset",
    "resource-constraint",
    "restricted-xml",
    "see-other-host",
    "system-shutdown",
    "undefined-condition",
    "unsupported-encoding",
    "unsupported-feature",
    "unsupported-stanza-type",
    "unsupported-version",
};

bool serror_is_known(const char *condition)
{
    for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
        if (str_eq(conditions[i], condition))
            return true;
    return false;
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
    xmpp_error *error;

    /* CORE-19 */
    if (!serror_is_known(condition))
        condition = "undefined-condition";
    error = error_create(XMPP_ERR_STREAM, stream_phase(stream), "the server ended the stream: %s",
                         condition);
    error_set_condition(error, NULL, condition);
    if (text)
        error_set_peer_text(error, xmpp_elem_get_text(text));
    error_set_elem(error, xmpp_elem_ref(elem), xmpp_elem_unref);
    serror_fail(stream, error);
}
