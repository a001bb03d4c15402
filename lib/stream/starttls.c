#include "stream/stream.h"

int starttls_begin(xmpp_stream *stream, const xmpp_elem *feature)
{
    static const char request[] = "<starttls xmlns='" NS_TLS "'/>";
    int r;

    (void)feature;
    r = stream_put(stream, request, sizeof request - 1);
    if (r < 0)
        return r;
    stream_wait(stream, STREAM_PROCEED);
    return XMPP_OK;
}

int starttls_receive(xmpp_stream *stream, const xmpp_elem *elem)
{
    int r;

    if (xmpp_elem_is(elem, NS_TLS, "failure")) {
        /* TLS-05: never back to plain text, whatever is configured: the server had offered it */
        serror_fail(stream, error_create(XMPP_ERR_TLS, stream_phase(stream),
                                         "the server offers STARTTLS but cannot start TLS now"));
        return XMPP_OK;
    }
    if (!xmpp_elem_is(elem, NS_TLS, "proceed")) {
        stream_unexpected(stream, elem);
        return XMPP_OK;
    }
    r = stream_push(stream, XMPP_EV_START_TLS, NULL);
    if (r < 0)
        return r;
    /* SEC-07: nothing that was learnt in plain text lives on */
    stream->parse = parse_free(stream->parse);
    open_forget(stream);
    stream_wait(stream, STREAM_HANDSHAKE);
    return XMPP_OK;
}
