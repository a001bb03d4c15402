#include "fuzz/talk.h"

#include "base/limits.h"
#include "xml/parse.h"

#include <xmpp/stream.h>

void talk_out(struct talk *talk, const void *data, size_t len)
{
    if (len == 0)
        return;
    if (talk->out_cap - talk->out_len < len + 1) {
        talk->out_cap = (talk->out_len + len + 1) * 2;
        talk->out = realloc(talk->out, talk->out_cap);
        CHECK(talk->out != NULL);
    }
    memcpy(talk->out + talk->out_len, data, len);
    talk->out_len += len;
    talk->out[talk->out_len] = '\0';
}

static void check_error(const xmpp_error *error)
{
    CHECK(xmpp_error_get_code(error) < 0);
    CHECK(xmpp_error_get_code(error) != XMPP_ERR_NOMEM);
    CHECK(xmpp_error_get_code(error) != XMPP_ERR_INVAL);
    CHECK(*xmpp_error_get_text(error) != '\0');
}

static void check_stanza(const xmpp_elem *elem)
{
    CHECK(xmpp_elem_is_sealed(elem) == 1);
    CHECK(xmpp_elem_get_kind(elem) != 0);
    CHECK(strcmp(xmpp_elem_get_ns(elem), "jabber:client") == 0);
    fuzz_round_trip(elem);
}

void talk_event(struct talk *talk, int kind, xmpp_elem *elem, xmpp_error *error)
{
    CHECK(!talk->ended);
    CHECK((elem != NULL) == (kind == XMPP_EV_STANZA));
    CHECK((error != NULL) == (kind == XMPP_EV_FAILED));
    if (talk->event_count < sizeof talk->events - 1)
        talk->events[talk->event_count] = (char)('0' + kind);
    talk->event_count++;
    switch (kind) {
    case XMPP_EV_READY:
        CHECK(!talk->was_ready);
        talk->was_ready = true;
        break;
    case XMPP_EV_STANZA:
        CHECK(talk->was_ready);
        check_stanza(elem);
        talk->stanzas++;
        break;
    case XMPP_EV_FAILED:
        check_error(error);
        talk->code = xmpp_error_get_code(error);
        if (xmpp_error_get_condition(error))
            snprintf(talk->condition, sizeof talk->condition, "%s",
                     xmpp_error_get_condition(error));
        talk->ended = true;
        break;
    case XMPP_EV_CLOSED:
        talk->ended = true;
        break;
    default:
        CHECK(kind > XMPP_EV_NONE && kind <= XMPP_EV_BINDING);
        CHECK(!talk->was_ready);
        break;
    }
    xmpp_elem_unref(elem);
    xmpp_error_unref(error);
}

static void check_document(const char *xml, size_t len, bool cut)
{
    static const struct parse_limits limits = {64u << 20, 64u << 20, LIMIT_DEPTH, 100000};
    struct parse *parse = NULL;
    xmpp_elem *elem;
    size_t used;

    CHECK(parse_create(&parse, &limits) == XMPP_OK);
    for (; len > 0; len -= used, xml += used) {
        int r = parse_feed(parse, xml, len, false, &used);

        if (r < 0)
            fprintf(stderr, "%s: %.*s\n", parse_get_reason(parse), (int)len, xml);
        CHECK(r == XMPP_OK);
        for (enum parse_event event; (event = parse_next(parse, &elem)) != PARSE_NONE;) {
            CHECK(event != PARSE_TEXT);
            CHECK(event != PARSE_OPEN || xmpp_elem_is(elem, NULL, "stream"));
            xmpp_elem_unref(elem);
        }
    }
    CHECK(cut || !parse_is_inside(parse));
    parse_free(parse);
}

void talk_check(const struct talk *talk, bool cut)
{
    const char *pos = talk->out;

    while (pos && *pos) {
        const char *next = strstr(pos + 1, "<?xml");

        check_document(pos, next ? (size_t)(next - pos) : strlen(pos), cut && !next);
        pos = next;
    }
    CHECK(!talk->out || strlen(talk->out) == talk->out_len);
}

bool talk_equal(const struct talk *a, const struct talk *b)
{
    return a->out_len == b->out_len && (a->out_len == 0 || !memcmp(a->out, b->out, a->out_len)) &&
           a->event_count == b->event_count && !strcmp(a->events, b->events) &&
           a->code == b->code && !strcmp(a->condition, b->condition);
}

void talk_clear(struct talk *talk)
{
    free(talk->out);
    memset(talk, 0, sizeof *talk);
}

static const char *big_text(void)
{
    static char text[600];

    if (!*text)
        memset(text, '<', sizeof text - 1); /* four bytes each when it is written */
    return text;
}

xmpp_elem *talk_make_stanza(unsigned which)
{
    xmpp_elem *elem = NULL;
    int r;

    if (which % 8 == 7)
        r = xmpp_elem_create(&elem, "urn:x", "message");
    else
        r = xmpp_elem_create_stanza(&elem, 1 << which % 3, which % 3 == 2 ? "get" : NULL, NULL);
    CHECK(r == XMPP_OK);
    switch (which / 8 % 4) {
    case 1:
        (void)xmpp_elem_add_child_text(elem, NULL, "body", "&<>\r\n");
        break;
    case 2:
        (void)xmpp_elem_add_child_text(elem, "urn:x", "x", big_text());
        break;
    case 3:
        (void)xmpp_elem_set_attr(elem, "a b", "not a name");
        break;
    default:
        break;
    }
    return elem;
}
