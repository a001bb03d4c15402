#include "base/str.h"
#include "stream/stream.h"

#include <string.h>

/* Facts about the stream, for the table below. */
enum {
    FACT_CLEARED = 1, /* secured, or plain text is good enough */
    FACT_SECURED = 2,
    FACT_AUTHENTICATED = 4,
    FACT_BOUND = 8,
    FACT_SESSION = 16 /* the session was established */
};

/* RFC 6120 13.12: any peer takes that much, whatever it says */
#define LEAST_MAX_BYTES 10000

struct feature {
    const char *ns;
    const char *name;
    unsigned needs; /* facts that must hold for the step */
    unsigned forbids; /* facts that must not */
    bool optional_possible; /* <optional/> inside: the step is left out */
    void (*read)(xmpp_stream *stream, const xmpp_elem *feature); /* information; no step */
    int (*step)(xmpp_stream *stream, const xmpp_elem *feature);
};

/* XEP-0478 */
static void read_limits(xmpp_stream *stream, const xmpp_elem *feature)
{
    const xmpp_elem *bytes = xmpp_elem_first_child(feature, NS_LIMITS, "max-bytes");
    const xmpp_elem *idle = xmpp_elem_first_child(feature, NS_LIMITS, "idle-seconds");
    uint64_t value;

    if (bytes) {
        const char *text = xmpp_elem_get_text(bytes);

        if (str_parse_uint(text, strlen(text), UINT64_MAX, &value))
            stream->peer_max_bytes = value < LEAST_MAX_BYTES ? LEAST_MAX_BYTES : value;
    }
    if (idle) {
        const char *text = xmpp_elem_get_text(idle);

        if (str_parse_uint(text, strlen(text), UINT32_MAX, &value) && value > 0)
            stream->peer_idle_us = value * 1000000;
    }
}

/* In order of precedence (CORE-13). The channel binding types are read where a mechanism is chosen. */
static const struct feature table[] = {
    {NS_LIMITS, "limits", 0, 0, false, read_limits, NULL},
    {NS_SASL_CB, "sasl-channel-binding", 0, 0, false, NULL, NULL},
    {NS_TLS, "starttls", 0, FACT_SECURED | FACT_AUTHENTICATED, false, NULL, starttls_begin},
    {NS_SASL, "mechanisms", FACT_CLEARED, FACT_AUTHENTICATED, false, NULL, auth_begin},
    {NS_BIND, "bind", FACT_AUTHENTICATED, FACT_BOUND, false, NULL, bind_begin},
    {NS_SESSION, "session", FACT_BOUND, FACT_SESSION, true, NULL, bind_begin_session},
};

static unsigned collect_facts(const xmpp_stream *stream)
{
    unsigned facts = 0;

    if (stream->secured)
        facts |= FACT_SECURED;
    if (stream->secured || !stream->tls_required)
        facts |= FACT_CLEARED;
    if (stream->authenticated)
        facts |= FACT_AUTHENTICATED;
    if (stream->bound)
        facts |= FACT_BOUND;
    if (stream->session_done)
        facts |= FACT_SESSION;
    return facts;
}

static const struct feature *find_row(const xmpp_elem *elem)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (xmpp_elem_is(elem, table[i].ns, table[i].name))
            return &table[i];
    return NULL;
}

/* The first of the features with the row's name, among those that are looked at. */
static const xmpp_elem *find_offer(const xmpp_stream *stream, const struct feature *row)
{
    const xmpp_elem *child = xmpp_elem_first_child(stream->features, NULL, NULL);

    for (unsigned i = 0; child && i < LIMIT_FEATURES; i++) {
        if (xmpp_elem_is(child, row->ns, row->name))
            return child;
        child = xmpp_elem_next_sibling(child, NULL, NULL);
    }
    return NULL;
}

static bool has_unknown_required(const xmpp_stream *stream)
{
    const xmpp_elem *child = xmpp_elem_first_child(stream->features, NULL, NULL);

    for (unsigned i = 0; child && i < LIMIT_FEATURES; i++) {
        if (!find_row(child) && xmpp_elem_first_child(child, xmpp_elem_get_ns(child), "required"))
            return true;
        child = xmpp_elem_next_sibling(child, NULL, NULL);
    }
    return false;
}

/* No step is left, but the stream is not usable. */
static void give_up(xmpp_stream *stream, unsigned facts)
{
    int phase = stream_phase(stream);

    if (!(facts & FACT_CLEARED))
        /* TLS-02, SEC-08 */
        serror_fail(stream, error_create(XMPP_ERR_TLS, phase,
                                         "TLS is required, but the server offers no STARTTLS"));
    else if (has_unknown_required(stream))
        /* CORE-11 */
        serror_send(stream,
                    error_create(XMPP_ERR_PROTOCOL, phase,
                                 "the server requires a stream feature that is not supported"),
                    "unsupported-feature");
    else if (!(facts & FACT_AUTHENTICATED))
        serror_fail(stream,
                    error_create(XMPP_ERR_AUTH, phase, "the server offers no SASL authentication"));
    else
        serror_fail(stream, error_create(XMPP_ERR_PROTOCOL, phase,
                                         "the server offers no resource binding"));
}

int features_next(xmpp_stream *stream)
{
    unsigned facts = collect_facts(stream);

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct feature *row = &table[i];
        const xmpp_elem *offer;

        if (!row->step || (facts & row->needs) != row->needs || (facts & row->forbids))
            continue;
        offer = find_offer(stream, row);
        if (offer && !(row->optional_possible && xmpp_elem_first_child(offer, NULL, "optional")))
            return row->step(stream, offer);
    }
    if (facts & FACT_BOUND)
        stream_ready(stream);
    else
        give_up(stream, facts);
    return XMPP_OK;
}

int features_receive(xmpp_stream *stream, const xmpp_elem *elem)
{
    if (!xmpp_elem_is(elem, NS_STREAM, "features")) {
        stream_unexpected(stream, elem);
        return XMPP_OK;
    }
    if (!open_check(stream))
        return XMPP_OK;
    stream->features = xmpp_elem_ref(elem);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const xmpp_elem *offer = table[i].read ? find_offer(stream, &table[i]) : NULL;

        if (offer)
            table[i].read(stream, offer);
    }
    return features_next(stream);
}
