#include "base/rand.h"
#include "base/str.h"
#include "jid/jid.h"
#include "stream/stream.h"

#include <string.h>

/* An IQ set with one child and a new id. */
static int send_request(xmpp_stream *stream, const char *ns, const char *name, const char *resource)
{
    CLEANUP(xmpp_elem_unrefp) xmpp_elem *iq = NULL;
    xmpp_elem *payload;
    int r;

    r = rand_id(stream->iq_id, sizeof stream->iq_id - 1);
    if (r < 0)
        return r;
    r = xmpp_elem_create(&iq, NS_CLIENT, "iq");
    if (r < 0)
        return r;
    /* the results of building are sticky: stream_put_elem() reports them */
    (void)xmpp_elem_set_attr(iq, "type", "set");
    (void)xmpp_elem_set_attr(iq, "id", stream->iq_id);
    payload = xmpp_elem_add_child(iq, ns, name);
    if (payload && resource)
        (void)xmpp_elem_add_child_text(payload, ns, "resource", resource);
    return stream_put_elem(stream, iq);
}

/* BIND-03: the server makes a better resource than we would, unless the application has its own. */
int bind_begin(xmpp_stream *stream, const xmpp_elem *feature)
{
    const char *resource = stream->resource_refused ? NULL : xmpp_jid_get_resource(stream->jid);
    int r;

    (void)feature;
    r = send_request(stream, NS_BIND, "bind", resource);
    if (r < 0)
        return r;
    stream->resource_sent = resource != NULL;
    stream_wait(stream, STREAM_BIND);
    return XMPP_OK;
}

int bind_begin_session(xmpp_stream *stream, const xmpp_elem *feature)
{
    int r;

    (void)feature;
    r = send_request(stream, NS_SESSION, "session", NULL);
    if (r < 0)
        return r;
    stream_wait(stream, STREAM_SESSION);
    return XMPP_OK;
}

static int take_result(xmpp_stream *stream, const xmpp_elem *iq)
{
    const xmpp_elem *bind = xmpp_elem_first_child(iq, NS_BIND, "bind");
    const xmpp_elem *elem = xmpp_elem_first_child(bind, NS_BIND, "jid");
    CLEANUP(xmpp_jid_unrefp) xmpp_jid *jid = NULL;

    if (elem) {
        const char *text = xmpp_elem_get_text(elem);
        int r = jid_parse_lenient(&jid, text, strlen(text));

        if (r == XMPP_ERR_NOMEM)
            return r;
    }
    /* CORE-14: any address that the server gives is ours, but it must be a full one (BIND-02) */
    if (!jid || !xmpp_jid_get_resource(jid)) {
        serror_fail(stream, error_create(XMPP_ERR_PROTOCOL, stream_phase(stream),
                                         "the server bound no full address"));
        return XMPP_OK;
    }
    stream->bound = STEAL(jid);
    return features_next(stream);
}

static int take_error(xmpp_stream *stream, const xmpp_elem *iq)
{
    const char *what = stream->state == STREAM_BIND ? "resource binding" : "the session";
    const xmpp_elem *elem = xmpp_elem_first_child(iq, NS_CLIENT, "error");
    const xmpp_elem *text = xmpp_elem_first_child(elem, NS_STANZAS, "text");
    const char *condition = serror_find_condition(elem, NS_STANZAS);
    const char *type = xmpp_elem_get_attr(elem, "type");
    xmpp_error *error;

    if (stream->state == STREAM_BIND && stream->resource_sent && str_eq(condition, "conflict")) {
        /* RFC 6120 7.7.2.2: somebody has it, so take one that is free. Once. */
        stream->resource_refused = true;
        return features_next(stream);
    }
    if (!condition)
        condition = "undefined-condition";
    error = error_create(XMPP_ERR_STANZA, stream_phase(stream), "the server refused %s: %s%s%s%s",
                         what, condition, type ? " (type " : "", type ? type : "", type ? ")" : "");
    error_set_condition(error, type, condition);
    if (text)
        error_set_peer_text(error, xmpp_elem_get_text(text));
    if (elem)
        error_set_elem(error, xmpp_elem_ref(elem), xmpp_elem_unref);
    serror_fail(stream, error);
    return XMPP_OK;
}

int bind_receive(xmpp_stream *stream, const xmpp_elem *elem)
{
    const char *type = xmpp_elem_get_attr(elem, "type");

    if (xmpp_elem_is(elem, NS_CLIENT, "iq") &&
        str_eq(xmpp_elem_get_attr(elem, "id"), stream->iq_id)) {
        if (str_eq(type, "error"))
            return take_error(stream, elem);
        if (str_eq(type, "result") && stream->state == STREAM_BIND)
            return take_result(stream, elem);
        if (str_eq(type, "result")) {
            stream->session_done = true;
            return features_next(stream);
        }
    }
    /* BIND-01: nothing else may come before there is an address to send it to */
    stream_unexpected(stream, elem);
    return XMPP_OK;
}
