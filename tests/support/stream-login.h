#ifndef SUPPORT_STREAM_LOGIN_H
#define SUPPORT_STREAM_LOGIN_H

#include "stream/stream.h"

#include <string.h>

/* A stream over direct TLS, played up to the point that a test is about. All results are XMPP_OK or an error. */
#define LOGIN_HEADER                                                                               \
    "<?xml version='1.0'?><stream:stream from='a.example' id='s1' version='1.0'"                   \
    " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

static inline int login_feed(xmpp_stream *stream, const char *xml)
{
    return xmpp_stream_feed(stream, xml, strlen(xml), 1000);
}

static inline void login_drop_output(xmpp_stream *stream)
{
    (void)xmpp_stream_consume(stream, xmpp_stream_peek(stream, NULL));
}

static inline int login_create(xmpp_stream **ret)
{
    CLEANUP(xmpp_jid_unrefp) xmpp_jid *jid = NULL;
    xmpp_stream *stream;
    int r;

    r = xmpp_jid_parse(&jid, "user@a.example");
    if (r < 0)
        return r;
    r = xmpp_stream_create(&stream, jid, XMPP_FRAMING_STREAM);
    if (r < 0)
        return r;
    r = xmpp_stream_set_secret(stream, "pencil", 6);
    if (r == XMPP_OK)
        r = xmpp_stream_secured(stream, 0x0304, 1000);
    if (r < 0) {
        xmpp_stream_free(stream);
        return r;
    }
    *ret = stream;
    return XMPP_OK;
}

/* Up to <auth/> with PLAIN; our output is dropped. */
static inline int login_to_auth(xmpp_stream **ret)
{
    xmpp_stream *stream = NULL;
    int r;

    r = login_create(&stream);
    if (r < 0)
        return r;
    r = xmpp_stream_open(stream, 1000);
    if (r < 0) {
        xmpp_stream_free(stream);
        return r;
    }
    (void)login_feed(stream, LOGIN_HEADER "<stream:features><mechanisms xmlns='" NS_SASL
                                          "'><mechanism>PLAIN</mechanism></mechanisms>"
                                          "</stream:features>");
    login_drop_output(stream);
    *ret = stream;
    return XMPP_OK;
}

/* Up to READY; events and our output are dropped. */
static inline int login_to_ready(xmpp_stream **ret)
{
    xmpp_stream *stream = NULL;
    xmpp_elem *elem;
    xmpp_error *error;
    char result[300];
    int r;

    r = login_to_auth(&stream);
    if (r < 0)
        return r;
    (void)login_feed(stream, "<success xmlns='" NS_SASL "'/>");
    (void)login_feed(stream,
                     LOGIN_HEADER "<stream:features><bind xmlns='" NS_BIND "'/></stream:features>");
    strcpy(result, "<iq type='result' id='");
    strcat(result, stream->iq_id);
    strcat(result, "'><bind xmlns='" NS_BIND "'><jid>user@a.example/r</jid></bind></iq>");
    (void)login_feed(stream, result);
    login_drop_output(stream);
    while ((r = xmpp_stream_next(stream, &elem, &error)) != XMPP_EV_NONE) {
        xmpp_elem_unref(elem);
        if (error)
            r = xmpp_error_get_code(error);
        xmpp_error_unref(error);
        if (r < 0) {
            xmpp_stream_free(stream);
            return r;
        }
    }
    *ret = stream;
    return XMPP_OK;
}

/* The next event's error, which must be FAILED; NULL otherwise. A reference for the caller. */
static inline xmpp_error *login_take_failure(xmpp_stream *stream)
{
    xmpp_elem *elem;
    xmpp_error *error;
    int kind;

    while ((kind = xmpp_stream_next(stream, &elem, &error)) != XMPP_EV_NONE) {
        xmpp_elem_unref(elem);
        if (kind == XMPP_EV_FAILED)
            return error;
    }
    return NULL;
}

#endif
