#include "fake/talk.h"

#include "support/dialog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER                                                                                     \
    "<?xml version='1.0'?><stream:stream from='a.example' id='s1' version='1.0' xml:lang='en'"     \
    " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
#define FEATURES(content) "<stream:features>" content "</stream:features>"
#define SASL              "urn:ietf:params:xml:ns:xmpp-sasl"
#define BIND              "urn:ietf:params:xml:ns:xmpp-bind"

static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error,
                     void *user_data)
{
    struct talk *talk = user_data;
    size_t len = strlen(talk->states);

    (void)client;
    (void)old_state;
    snprintf(talk->states + len, sizeof talk->states - len, "%s%s", len > 0 ? " " : "",
             xmpp_state_name(new_state));
    if (new_state != XMPP_STATE_IDLE)
        return;
    talk->ends++;
    xmpp_error_unref(talk->error);
    talk->error = error ? xmpp_error_ref(error) : NULL;
}

static int configure(struct talk *talk)
{
    int r;

    r = xmpp_client_create(&talk->client, talk->loop);
    if (r < 0)
        return r;
    /* without a localpart the login is anonymous, and the server says who we are */
    r = xmpp_jid_parse(&talk->jid, "a.example");
    if (r == XMPP_OK)
        r = xmpp_client_set_jid(talk->client, talk->jid);
    if (r == XMPP_OK)
        r = xmpp_client_set_endpoint(talk->client, "127.0.0.1", 5222, 0);
    if (r == XMPP_OK)
        r = xmpp_client_set_tls_mode(talk->client, XMPP_TLS_LOCAL_ONLY);
    if (r == XMPP_OK)
        r = xmpp_client_on_state(talk->client, NULL, on_state, talk, NULL);
    return r;
}

int talk_create(struct talk *talk)
{
    int r;

    memset(talk, 0, sizeof *talk);
    fake_reset();
    fake_host("127.0.0.1", 5222, FAKE_ACCEPT);
    r = xmpp_loop_create(&talk->loop);
    return r < 0 ? r : configure(talk);
}

int talk_join(struct talk *talk, xmpp_loop *loop)
{
    memset(talk, 0, sizeof *talk);
    talk->loop = xmpp_loop_ref(loop);
    return configure(talk);
}

void talk_leave(struct talk *talk)
{
    talk->client = xmpp_client_unref(talk->client);
    talk->loop = xmpp_loop_unref(talk->loop);
    talk->jid = xmpp_jid_unref(talk->jid);
    talk->error = xmpp_error_unref(talk->error);
}

void talk_destroy(struct talk *talk)
{
    talk_leave(talk);
    fake_reset();
}

void talk_feed(struct talk *talk, const char *xml)
{
    fake_feed(talk->socket, xml, strlen(xml));
}

void talk_say(struct talk *talk, const char *xml)
{
    talk_feed(talk, xml);
    fake_run(talk->loop);
}

bool talk_hears(struct talk *talk, const char *pattern)
{
    char *captures[10] = {0};
    char reason[2000];
    const char *data;
    size_t len = fake_peek(talk->socket, &data);
    long used = dialog_match(pattern, data, len, captures, reason, sizeof reason);

    for (size_t i = 0; i < 10; i++) {
        if (captures[i])
            snprintf(talk->id[i], sizeof talk->id[i], "%s", captures[i]);
        free(captures[i]);
    }
    if (used < 0) {
        fprintf(stderr, "talk: %s\n", reason);
        return false;
    }
    fake_consume(talk->socket, (size_t)used);
    return true;
}

bool talk_is_silent(struct talk *talk)
{
    const char *data;
    size_t len = fake_peek(talk->socket, &data);

    if (len > 0)
        fprintf(stderr, "talk: the client also said \"%.500s\"\n", data);
    return len == 0;
}

/* What it came to, when it did not come to what was expected. */
static int outcome(const struct talk *talk)
{
    if (talk->error)
        return xmpp_error_get_code(talk->error);
    return XMPP_ERR_PROTOCOL;
}

static void drop_output(struct talk *talk)
{
    const char *data;

    fake_consume(talk->socket, fake_peek(talk->socket, &data));
}

int talk_connect(struct talk *talk)
{
    size_t before = fake_count();
    int r;

    r = xmpp_client_connect(talk->client);
    if (r < 0)
        return r;
    fake_run(talk->loop);
    if (fake_count() == before || xmpp_client_get_state(talk->client) == XMPP_STATE_IDLE)
        return outcome(talk);
    talk->socket = fake_last();
    drop_output(talk);
    return XMPP_OK;
}

static const char *find_answer(const char *what)
{
    if (!strcmp(what, "header"))
        return HEADER FEATURES("<mechanisms xmlns='" SASL "'><mechanism>ANONYMOUS</mechanism>"
                               "</mechanisms>");
    if (!strcmp(what, "auth"))
        return "<success xmlns='" SASL "'/>";
    return HEADER FEATURES("<bind xmlns='" BIND "'/>");
}

static bool answer_bind(struct talk *talk)
{
    static const char result[] = "<iq type='result' id='%s'><bind xmlns='" BIND "'>"
                                 "<jid>user@a.example/r1</jid></bind></iq>";
    char text[400];

    talk->id[9][0] = '\0';
    if (xmpp_client_get_state(talk->client) == XMPP_STATE_IDLE ||
        !talk_hears(talk, "<iq type='set' id='$9'><bind xmlns='" BIND "'/></iq>"))
        return false;
    snprintf(text, sizeof text, result, talk->id[9]);
    talk_say(talk, text);
    return true;
}

int talk_step(struct talk *talk, const char *what)
{
    if (!strcmp(what, "bind")) {
        if (!answer_bind(talk))
            return outcome(talk);
    } else {
        drop_output(talk);
        talk_say(talk, find_answer(what));
    }
    return xmpp_client_get_state(talk->client) == XMPP_STATE_IDLE ? outcome(talk) : XMPP_OK;
}

int talk_login(struct talk *talk)
{
    static const char *const steps[] = {"header", "auth", "restart", "bind"};
    int r;

    r = talk_connect(talk);
    for (size_t i = 0; i < 4 && r == XMPP_OK; i++)
        r = talk_step(talk, steps[i]);
    if (r == XMPP_OK && xmpp_client_get_state(talk->client) != XMPP_STATE_READY)
        r = outcome(talk);
    return r;
}

xmpp_elem *talk_parse(const char *xml)
{
    xmpp_elem *parsed;
    xmpp_elem *copy = NULL;

    if (xmpp_elem_parse(&parsed, xml, strlen(xml)) < 0)
        return NULL;
    if (xmpp_elem_copy(parsed, &copy) < 0)
        copy = NULL;
    xmpp_elem_unref(parsed);
    return copy;
}

int talk_send(struct talk *talk, const char *xml)
{
    xmpp_elem *elem = talk_parse(xml);
    int r;

    if (!elem)
        return XMPP_ERR_NOMEM;
    r = xmpp_client_send(talk->client, elem);
    xmpp_elem_unref(elem);
    return r;
}

xmpp_elem *talk_iq(const char *to, const char *id)
{
    xmpp_elem *iq;

    if (xmpp_elem_create(&iq, "jabber:client", "iq") < 0)
        return NULL;
    xmpp_elem_set_attr(iq, "type", "get");
    if (to)
        xmpp_elem_set_attr(iq, "to", to);
    if (id)
        xmpp_elem_set_attr(iq, "id", id);
    xmpp_elem_add_child(iq, "urn:q", "q");
    return iq;
}
