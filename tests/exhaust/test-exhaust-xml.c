/* A server whose XML has no end. The account is anonymous and the connection plain text: this is about the parser. */
#include "exhaust/victim.h"

#include <stdio.h>
#include <string.h>

#define BODY  "<message><body>"
#define FIELD "<stream:features><x xmlns='urn:x'>"
#define OPEN_HEADER                                                                                \
    "<stream:stream from='a.example' id='s1' version='1.0'"                                        \
    " xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"

#define OFFER                                                                                      \
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"                       \
    "<mechanism>ANONYMOUS</mechanism></mechanisms></stream:features>"

/* CORE-25: white space between stanzas is no stanza, and stays allowed */
static void attack_space(struct hostile *hostile)
{
    hostile_login(hostile);
    hostile_flood(hostile, " \n", 64 * MIB / EXHAUST_SHARE);
    hostile_end(hostile);
}

/* SASL's last white space, and what some servers send before their header */
static void attack_early_space(struct hostile *hostile)
{
    hostile_hear(hostile, "<stream:stream");
    hostile_hear(hostile, ">");
    hostile_flood(hostile, " \n", 16 * MIB / EXHAUST_SHARE);
    hostile_write(hostile, OPEN_HEADER ">", strlen(OPEN_HEADER ">"));
    hostile_say(hostile, OFFER);
    hostile_hear(hostile, "<auth");
    hostile_hear(hostile, ">");
    hostile_bind(hostile);
    hostile_end(hostile);
}

/* Names that do not come again: of elements, attributes, namespaces and prefixes. */
static void attack_names(struct hostile *hostile)
{
    char text[256];

    hostile_login(hostile);
    for (unsigned i = 0; i < 250000 / EXHAUST_SHARE; i++) {
        snprintf(text, sizeof text,
                 "<message><p%u:e%u xmlns:p%u='urn:example:n%u' a%u='' p%u:b=''/></message>", i, i,
                 i, i, i, i);
        hostile_say(hostile, text);
    }
    hostile_end(hostile);
}

/* One stanza with as many names as there is room for. */
static void attack_wide(struct hostile *hostile)
{
    char text[64];

    hostile_login(hostile);
    hostile_say(hostile, "<message>");
    for (unsigned i = 0;; i++) {
        snprintf(text, sizeof text, "<e%u/>", i);
        hostile_say(hostile, text);
    }
}

static void attack_attrs(struct hostile *hostile)
{
    char text[64];

    hostile_login(hostile);
    hostile_say(hostile, "<message");
    for (unsigned i = 0;; i++) {
        snprintf(text, sizeof text, " a%u=''", i);
        hostile_say(hostile, text);
    }
}

/* Stanzas that are as large as they may be, one after the other. */
static void attack_large(struct hostile *hostile)
{
    hostile_login(hostile);
    for (unsigned i = 0; i < 8; i++) {
        hostile_say(hostile, BODY);
        hostile_flood(hostile, "x", 4 * MIB - 64 * KIB);
        hostile_say(hostile, "</body></message>");
    }
    hostile_end(hostile);
}

/* A tree that is as expensive as one of this size can be */
static void attack_dear(struct hostile *hostile)
{
    hostile_login(hostile);
    hostile_say(hostile, "<message>");
    hostile_flood(hostile, "<a/>", 4 * MIB - 64 * KIB);
    hostile_say(hostile, "</message>");
    hostile_end(hostile);
}

static void attack_error(struct hostile *hostile)
{
    hostile_login(hostile);
    hostile_say(hostile, "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
                         "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>");
    hostile_flood(hostile, "x", 3 * MIB);
    hostile_say(hostile, "</text></stream:error></stream:stream>");
    hostile_linger(hostile);
}

#define READY_LIMIT                                                                                \
    .code = XMPP_ERR_LIMIT, .phase = XMPP_PHASE_READY, .condition = "policy-violation",            \
    .at = AT_READY
#define READY_XML                                                                                  \
    .code = XMPP_ERR_XML, .phase = XMPP_PHASE_READY, .condition = "restricted-xml",                \
    .text = "comment, DTD or processing instruction", .at = AT_READY
#define HEADER_LIMIT                                                                               \
    .code = XMPP_ERR_LIMIT, .phase = XMPP_PHASE_SECURING, .condition = "policy-violation",         \
    .at = AT_HEADER
#define HEADER_XML                                                                                 \
    .code = XMPP_ERR_XML, .phase = XMPP_PHASE_SECURING, .condition = "restricted-xml",             \
    .text = "comment, DTD or processing instruction", .at = AT_HEADER

#define TAG_TEXT     "more than 65536 bytes in one tag"
#define ELEM_TEXT    "more than 4194304 bytes in one element"
#define MEMORY_TEXT  "more memory than befits one of 4194304"
#define EARLY_MEMORY "more memory than befits one of 65536"
#define EARLY_TAG    "more than 16384 bytes in one tag"
#define EARLY_ELEM   "more than 65536 bytes in one element"
/* XML-11, SEC-16: everything that can grow has a limit */
static const struct exhaust_case cases[] = {
    {"attribute-value", "an attribute's value without end", "64 KiB of one tag", 512 * KIB, MIB,
     READY_LIMIT, .text = TAG_TEXT, .before = "<message a='", .again = "x"},
    {"element-name", "an element's name without end", "64 KiB of one tag", 512 * KIB, MIB,
     READY_LIMIT, .text = TAG_TEXT, .before = "<", .again = "x"},
    {"attribute-name", "an attribute's name without end", "64 KiB of one tag", 512 * KIB, MIB,
     READY_LIMIT, .text = TAG_TEXT, .before = "<message ", .again = "x"},
    {"tag-space", "white space inside a tag without end", "64 KiB of one tag", 512 * KIB, MIB,
     READY_LIMIT, .text = TAG_TEXT, .before = "<message", .again = " "},
    {"end-tag", "an end tag without end", "64 KiB of one tag", 512 * KIB, MIB, READY_LIMIT,
     .text = TAG_TEXT, .before = "<message></message", .again = " "},
    {"entity", "an entity reference without end", "64 KiB of one tag", 512 * KIB, MIB, READY_LIMIT,
     .text = TAG_TEXT, .before = BODY "&", .again = "x"},
    {"attributes", "more and more attributes", "256 attributes", 512 * KIB, MIB, READY_LIMIT,
     .text = "more than 256 attributes in one element", .attack = attack_attrs},
    {"text", "text of a stanza without end", "4 MiB of one stanza", 24 * MIB, 24 * MIB, READY_LIMIT,
     .text = ELEM_TEXT, .before = BODY, .again = "x"},
    {"references", "character references without end", "4 MiB of one stanza", 24 * MIB, 24 * MIB,
     READY_LIMIT, .text = ELEM_TEXT, .before = BODY, .again = "&amp;"},
    {"cdata", "a CDATA section without end", "4 MiB of one stanza", 24 * MIB, 24 * MIB, READY_LIMIT,
     .text = ELEM_TEXT, .before = BODY "<![CDATA[", .again = "x"},
    {"children", "a stanza with empty children without end", "memory of 4 times 4 MiB", 24 * MIB,
     24 * MIB, READY_LIMIT, .text = MEMORY_TEXT, .before = "<message>", .again = "<a/>"},
    {"child-names", "the same, each child with its own name", "16384 new names of one stanza",
     4 * MIB, 8 * MIB, READY_LIMIT, .text = "more than 16384 different names in one element",
     .attack = attack_wide},
    {"nesting", "elements inside elements without end", "128 levels", 512 * KIB, MIB, READY_LIMIT,
     .text = "element nesting deeper than 128 levels", .before = "", .again = "<a>"},
    {"comment", "a comment without end", "forbidden", 512 * KIB, MIB, READY_XML, .before = "<!--",
     .again = "x"},
    {"instruction", "a processing instruction without end", "forbidden", 512 * KIB, MIB, READY_XML,
     .before = "<?x ", .again = "x"},
    {"space", "64 MiB of white space between stanzas", "none: nothing is kept", 512 * KIB, MIB,
     .attack = attack_space},
    {"names", "a million names, in stanzas that are good", "the parser is exchanged", MIB, 2 * MIB,
     .attack = attack_names},
    {"large-stanzas", "stanzas that are just allowed", "4 MiB of one stanza", 24 * MIB, 24 * MIB,
     .attack = attack_large},
    {"dear-stanza", "a stanza of almost 4 MiB of empty elements", "memory of 4 times 4 MiB",
     24 * MIB, 24 * MIB, READY_LIMIT, .text = MEMORY_TEXT, .attack = attack_dear},
    {"stream-error", "a stream error with a text of 3 MiB", "4 MiB of one stanza", 24 * MIB,
     24 * MIB, .code = XMPP_ERR_STREAM, .phase = XMPP_PHASE_READY, .condition = "conflict",
     .text = "the server ended the stream: conflict", .attack = attack_error},
    {"declaration", "an XML declaration without end", "16 KiB of one tag", 512 * KIB, MIB,
     HEADER_LIMIT, .text = EARLY_TAG, .before = "<?xml version='1.0'", .again = " "},
    {"doctype", "a document type without end", "forbidden", 512 * KIB, MIB, HEADER_XML,
     .before = "<!DOCTYPE a [", .again = "<!ENTITY a 'a'>"},
    {"header", "a stream header without end", "16 KiB of one tag", 512 * KIB, MIB, HEADER_LIMIT,
     .text = EARLY_TAG, .before = OPEN_HEADER " x='", .again = "x"},
    {"early-space", "16 MiB of white space before the header", "none: nothing is kept", 512 * KIB,
     MIB, .attack = attack_early_space},
    {"features", "features without end", "memory of 4 times 64 KiB", MIB, 2 * MIB, HEADER_LIMIT,
     .text = EARLY_MEMORY, .before = OPEN_HEADER "><stream:features>", .again = "<y/>"},
    {"features-text", "text of features without end", "64 KiB before the login", MIB, 2 * MIB,
     HEADER_LIMIT, .text = EARLY_ELEM, .before = OPEN_HEADER ">" FIELD, .again = "x"},
    {"early-nesting", "features inside features without end", "128 levels", MIB, 2 * MIB,
     HEADER_LIMIT, .text = "element nesting deeper than 128 levels",
     .before = OPEN_HEADER "><stream:features>", .again = "<a>"},
};

int main(int argc, char **argv)
{
    return exhaust_main(argc, argv, "xml", cases, sizeof cases / sizeof *cases, exhaust_warm_up);
}
