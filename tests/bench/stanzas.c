#include "stanzas.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AVATAR_BYTES = 8192, ROSTER_ITEMS = 500, DEVICES = 6 };

struct maker {
    struct stanzas *out;
    uint64_t random;
    uint64_t serial;
};

static const char *const words[] = {"the",
                                    "meeting",
                                    "is",
                                    "moved",
                                    "to",
                                    "Thursday",
                                    "please",
                                    "bring",
                                    "your",
                                    "notes",
                                    "and",
                                    "a",
                                    "coffee",
                                    "that",
                                    "would",
                                    "be",
                                    "great",
                                    "I",
                                    "think",
                                    "we",
                                    "could",
                                    "ship",
                                    "it",
                                    "today",
                                    "maybe",
                                    "after",
                                    "lunch",
                                    "caf\xc3\xa9",
                                    "na\xc3\xafve",
                                    "\xe2\x80\x93",
                                    "\xf0\x9f\x99\x82",
                                    "R&amp;D",
                                    "it&apos;s",
                                    "&lt;3"};

static const char *const people[] = {"juliet", "romeo",  "mercutio", "benvolio",
                                     "nurse",  "tybalt", "paris",    "friar.laurence"};

static uint64_t next(struct maker *m)
{
    m->random ^= m->random >> 12;
    m->random ^= m->random << 25;
    m->random ^= m->random >> 27;
    return m->random * 0x2545F4914F6CDD1D;
}

static unsigned below(struct maker *m, unsigned limit)
{
    return (unsigned)((next(m) >> 33) % limit);
}

static char *room_for(struct stanzas *out, size_t more)
{
    if (out->len + more + 1 > out->size) {
        out->size = (out->size + more) * 2;
        out->data = realloc(out->data, out->size);
        if (!out->data)
            abort();
    }
    return out->data + out->len;
}

__attribute__((format(printf, 2, 3))) static void put(struct maker *m, const char *format, ...)
{
    va_list args;
    char *to = room_for(m->out, 2048);

    va_start(args, format);
    m->out->len += (size_t)vsnprintf(to, 2048, format, args);
    va_end(args);
}

static void put_text(struct maker *m, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        put(m, "%s%s", i ? " " : "", words[below(m, sizeof words / sizeof *words)]);
}

static void put_base64(struct maker *m, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = (bytes + 2) / 3 * 4;
    char *to = room_for(m->out, len);

    for (size_t i = 0; i < len; i++)
        to[i] = digits[below(m, 64)];
    for (size_t i = 0; i < (3 - bytes % 3) % 3; i++)
        to[len - 1 - i] = '=';
    m->out->len += len;
}

static void put_id(struct maker *m)
{
    uint64_t a = next(m);
    uint64_t b = next(m);

    put(m, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32), (unsigned)(a & 0xffff),
        (unsigned)(a >> 20 & 0xfff), (unsigned)(b >> 48 & 0x3fff) | 0x8000,
        (unsigned long long)(b & 0xffffffffffff));
}

static void put_attr_id(struct maker *m)
{
    put(m, " id='");
    put_id(m);
    put(m, "'");
}

static const char *person(struct maker *m)
{
    return people[below(m, sizeof people / sizeof *people)];
}

static void open_message(struct maker *m, const char *type)
{
    put(m, "<message from='%s@example.org/phone.%04x' to='bench@localhost/bench' type='%s'",
        person(m), below(m, 4096), type);
    put_attr_id(m);
    put(m, " xml:lang='en'>");
}

static void put_stanza_id(struct maker *m, const char *by)
{
    put(m, "<stanza-id xmlns='urn:xmpp:sid:0' by='%s'", by);
    put_attr_id(m);
    put(m, "/>");
}

static void make_chat(struct maker *m)
{
    open_message(m, "chat");
    put(m, "<body>");
    put_text(m, 3 + below(m, 20));
    put(m, "</body><active xmlns='http://jabber.org/protocol/chatstates'/>"
           "<request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0'");
    put_attr_id(m);
    put(m, "/>");
    put_stanza_id(m, "bench@localhost");
    put(m, "</message>");
}

static void make_receipt(struct maker *m)
{
    open_message(m, "chat");
    put(m, "<received xmlns='urn:xmpp:receipts'");
    put_attr_id(m);
    put(m, "/><store xmlns='urn:xmpp:hints'/></message>");
}

static void make_state(struct maker *m)
{
    open_message(m, "chat");
    put(m, "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
           "<no-store xmlns='urn:xmpp:hints'/></message>");
}

static void make_groupchat(struct maker *m)
{
    put(m,
        "<message from='room.%u@conference.example.org/%s' to='bench@localhost/bench' "
        "type='groupchat'",
        below(m, 5), person(m));
    put_attr_id(m);
    put(m, "><body>");
    put_text(m, 4 + below(m, 30));
    put(m, "</body><origin-id xmlns='urn:xmpp:sid:0'");
    put_attr_id(m);
    put(m, "/>");
    put_stanza_id(m, "room@conference.example.org");
    put(m, "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='");
    put_base64(m, 32);
    put(m, "'/></message>");
}

static void put_caps(struct maker *m)
{
    put(m, "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' "
           "node='https://client.example.net/' ver='");
    put_base64(m, 20);
    put(m, "'/>");
}

static void put_photo(struct maker *m)
{
    put(m, "<x xmlns='vcard-temp:x:update'><photo>%016llx%016llx%08x</photo></x>",
        (unsigned long long)next(m), (unsigned long long)next(m), below(m, 1u << 30));
}

static void make_presence(struct maker *m)
{
    put(m, "<presence from='%s@example.org/phone.%04x' to='bench@localhost/bench'>", person(m),
        below(m, 4096));
    if (below(m, 2))
        put(m, "<show>away</show><status>On the train</status>");
    put(m, "<priority>%u</priority>", below(m, 100));
    put_caps(m);
    put_photo(m);
    put(m, "<idle xmlns='urn:xmpp:idle:1' since='2024-01-%02uT12:%02u:00Z'/></presence>",
        1 + below(m, 28), below(m, 60));
}

static void make_room_presence(struct maker *m)
{
    put(m, "<presence from='room.%u@conference.example.org/%s' to='bench@localhost/bench'>",
        below(m, 5), person(m));
    put_caps(m);
    put_photo(m);
    put(m,
        "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='member' "
        "role='participant' jid='%s@example.org/desk'/><status code='110'/></x></presence>",
        person(m));
}

static void make_archived(struct maker *m)
{
    put(m,
        "<message from='bench@localhost' to='bench@localhost/bench'><result "
        "xmlns='urn:xmpp:mam:2' queryid='q%u' id='",
        below(m, 100));
    put_id(m);
    put(m,
        "'><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' "
        "stamp='2024-02-%02uT%02u:%02u:%02uZ'/><message xmlns='jabber:client' "
        "from='%s@example.org/phone' to='bench@localhost' type='chat'",
        1 + below(m, 28), below(m, 24), below(m, 60), below(m, 60), person(m));
    put_attr_id(m);
    put(m, "><body>");
    put_text(m, 5 + below(m, 30));
    put(m, "</body><markable xmlns='urn:xmpp:chat-markers:0'/><origin-id xmlns='urn:xmpp:sid:0'");
    put_attr_id(m);
    put(m, "/></message></forwarded></result></message>");
}

static void make_encrypted(struct maker *m)
{
    open_message(m, "chat");
    put(m, "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='%u'>",
        1 + below(m, 1u << 30));
    for (int i = 0; i < DEVICES; i++) {
        put(m, "<key rid='%u'>", 1 + below(m, 1u << 30));
        put_base64(m, 120);
        put(m, "</key>");
    }
    put(m, "<iv>");
    put_base64(m, 12);
    put(m, "</iv></header><payload>");
    put_base64(m, 40 + below(m, 200));
    put(m, "</payload></encrypted><encryption xmlns='urn:xmpp:eme:0' name='OMEMO' "
           "namespace='eu.siacs.conversations.axolotl'/><store xmlns='urn:xmpp:hints'/></message>");
}

static void make_avatar(struct maker *m)
{
    put(m,
        "<message from='%s@example.org' to='bench@localhost/bench' type='headline'><event "
        "xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:xmpp:avatar:data'>"
        "<item id='%016llx'><data xmlns='urn:xmpp:avatar:data'>",
        person(m), (unsigned long long)next(m));
    put_base64(m, AVATAR_BYTES);
    put(m, "</data></item></items></event></message>");
}

/* The whole roster, as the answer that a client gets once for each login. */
static void make_roster(struct maker *m)
{
    put(m,
        "<iq type='result' to='bench@localhost/bench' id='roster-%llu'><query "
        "xmlns='jabber:iq:roster' ver='%llu'>",
        (unsigned long long)m->serial, (unsigned long long)m->serial);
    for (int i = 0; i < ROSTER_ITEMS; i++)
        put(m,
            "<item jid='%s.%d@example.org' name='%s %d' subscription='both'><group>%s</group>"
            "</item>",
            person(m), i, person(m), i, i % 3 ? "Friends" : "Work");
    put(m, "</query></iq>");
}

/* Of 1000 stanzas, how many are of which kind. */
static const struct {
    unsigned count;
    void (*make)(struct maker *m);
} mix[] = {{280, make_chat},      {80, make_receipt},   {90, make_state},
           {210, make_groupchat}, {140, make_presence}, {90, make_room_presence},
           {60, make_archived},   {48, make_encrypted}, {2, make_avatar}};

static void make_any(struct maker *m)
{
    unsigned choice = below(m, 1000);

    for (size_t i = 0; i < sizeof mix / sizeof *mix; i++) {
        if (choice < mix[i].count) {
            mix[i].make(m);
            return;
        }
        choice -= mix[i].count;
    }
}

static void make_mark(struct maker *m, const char *body)
{
    put(m,
        "<message from='mark@example.org/x' to='bench@localhost/bench' type='chat'>"
        "<body>%s</body></message>",
        body);
}

void stanzas_make(struct stanzas *stanzas, size_t count, size_t warm)
{
    struct maker m = {.out = stanzas, .random = 0x9E3779B97F4A7C15};

    for (size_t i = 0; i < warm + count; i++) {
        if (i == warm)
            make_mark(&m, "bench-begin");
        m.serial++;
        if (i % 1000 == 500)
            make_roster(&m);
        else
            make_any(&m);
    }
    make_mark(&m, "bench-end");
}

void stanzas_free(struct stanzas *stanzas)
{
    free(stanzas->data);
    memset(stanzas, 0, sizeof *stanzas);
}
