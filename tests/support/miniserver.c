#include "support/miniserver.h"

#include "support/tlspeer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    char *data;
    size_t len;
};

struct miniserver {
    struct miniserver_options options;
    struct tlspeer *tls;
    bool authenticated;
    bool bound;
    struct text out; /* plain text on the wire */
    struct text pending; /* for TLS, before the handshake is over */
    struct text heard;
    size_t seen; /* how much of heard was answered */
};

static void append(struct text *text, const void *data, size_t len)
{
    text->data = realloc(text->data, text->len + len + 1);
    if (!text->data)
        abort();
    memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
}

static void start_tls(struct miniserver *server)
{
    const struct tlspeer_options options = {.cert = server->options.cert, .alpn = NULL};

    server->tls = tlspeer_create(&options);
}

struct miniserver *miniserver_create(const struct miniserver_options *options)
{
    struct miniserver *server = calloc(1, sizeof *server);

    if (!server)
        abort();
    if (options)
        server->options = *options;
    append(&server->heard, "", 0);
    append(&server->out, "", 0);
    append(&server->pending, "", 0);
    if (server->options.direct)
        start_tls(server);
    return server;
}

struct miniserver *miniserver_free(struct miniserver *server)
{
    if (!server)
        return NULL;
    tlspeer_free(server->tls);
    free(server->out.data);
    free(server->pending.data);
    free(server->heard.data);
    free(server);
    return NULL;
}

static void flush_pending(struct miniserver *server)
{
    if (!server->tls || !tlspeer_is_open(server->tls) || server->pending.len == 0)
        return;
    tlspeer_write(server->tls, server->pending.data, server->pending.len);
    server->pending.len = 0;
}

void miniserver_say(struct miniserver *server, const char *text)
{
    append(server->tls ? &server->pending : &server->out, text, strlen(text));
    flush_pending(server);
}

static void answer_header(struct miniserver *server)
{
    char features[2048];
    const char *body = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
    const char *mechanisms = server->options.mechanisms;

    if (server->options.at_header && (server->tls || server->options.no_tls)) {
        miniserver_say(server, server->options.at_header);
        return;
    }
    if (!server->authenticated) {
        snprintf(features, sizeof features,
                 "%s<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>%s</mechanisms>",
                 server->tls || server->options.no_tls
                     ? ""
                     : "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>",
                 mechanisms ? mechanisms : "<mechanism>PLAIN</mechanism>");
        body = features;
    }
    miniserver_say(server,
                   "<?xml version='1.0'?><stream:stream from='a.example' id='s1' version='1.0' "
                   "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
                   "<stream:features>");
    miniserver_say(server, body);
    miniserver_say(server, "</stream:features>");
}

static void answer_starttls(struct miniserver *server)
{
    miniserver_say(server, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    if (server->options.behind_proceed)
        miniserver_say(server, server->options.behind_proceed);
    start_tls(server);
}

static void answer_auth(struct miniserver *server)
{
    server->authenticated = !server->options.at_auth;
    miniserver_say(server, server->options.at_auth
                               ? server->options.at_auth
                               : "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
}

static void answer_bind(struct miniserver *server, const char *iq)
{
    char answer[512];
    const char *id = strstr(iq, "id='");

    if (!id)
        abort();
    snprintf(answer, sizeof answer,
             "<iq type='result' id='%.16s'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
             "<jid>alice@a.example/r</jid></bind></iq>",
             id + 4);
    server->bound = true;
    miniserver_say(server, answer);
    if (server->options.at_ready)
        miniserver_say(server, server->options.at_ready);
}

/* The next complete thing that the client said; moves on behind its end. */
static bool take_word(struct miniserver *server, const char *begin, const char *end,
                      const char **ret)
{
    char *at = strstr(server->heard.data + server->seen, begin);
    char *stop = at ? strstr(at, end) : NULL;

    if (!stop)
        return false;
    *ret = at;
    server->seen = (size_t)(stop - server->heard.data) + strlen(end);
    return true;
}

static void answer(struct miniserver *server)
{
    const char *word;

    for (;;) {
        if (!server->bound && take_word(server, "<stream:stream", ">", &word)) {
            answer_header(server);
        } else if (!server->tls && take_word(server, "<starttls", ">", &word)) {
            answer_starttls(server);
            return;
        } else if (!server->authenticated && take_word(server, "<auth", "</auth>", &word)) {
            answer_auth(server);
        } else if (!server->bound && take_word(server, "<iq", "</iq>", &word)) {
            answer_bind(server, word);
        } else if (!server->options.ignores_close &&
                   take_word(server, "</stream:stream>", ">", &word)) {
            miniserver_say(server, "</stream:stream>");
        } else {
            return;
        }
    }
}

void miniserver_feed(struct miniserver *server, const void *data, size_t len)
{
    if (server->tls) {
        const void *plain;
        size_t plain_len;

        tlspeer_feed(server->tls, data, len);
        while ((plain_len = tlspeer_peek(server->tls, &plain)) > 0) {
            append(&server->heard, plain, plain_len);
            tlspeer_consume(server->tls, plain_len);
        }
        flush_pending(server);
    } else {
        append(&server->heard, data, len);
    }
    answer(server);
}

size_t miniserver_take(struct miniserver *server, void *dst, size_t size)
{
    size_t len = server->out.len < size ? server->out.len : size;

    if (len == 0)
        return server->tls ? tlspeer_take(server->tls, dst, size) : 0;
    memcpy(dst, server->out.data, len);
    memmove(server->out.data, server->out.data + len, server->out.len - len);
    server->out.len -= len;
    return len;
}

void miniserver_close_tls(struct miniserver *server)
{
    tlspeer_close(server->tls);
}

bool miniserver_is_bound(const struct miniserver *server)
{
    return server->bound;
}

bool miniserver_is_tls_closed(const struct miniserver *server)
{
    return server->tls && tlspeer_is_closed(server->tls);
}

const char *miniserver_heard(const struct miniserver *server)
{
    return server->heard.data;
}
