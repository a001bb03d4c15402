#ifndef XML_PARSE_H
#define XML_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <xmpp/elem.h>

struct parse;

struct parse_limits {
    size_t max_elem_bytes; /* one top-level element */
    size_t max_tag_bytes; /* bytes without any finished token */
    unsigned max_depth;
    unsigned max_attrs;
};

enum parse_event {
    PARSE_NONE = 0,
    PARSE_OPEN = 1, /* the root's start tag: an element with attributes and no children, sealed */
    PARSE_ELEM = 2, /* a complete child of the root, sealed */
    PARSE_CLOSE = 3, /* the root's end tag */
    PARSE_TEXT = 4 /* text other than white space between the children of the root */
};

/* A parser of one XML stream (one root). limits may be changed between calls. */
int parse_create(struct parse **ret, const struct parse_limits *limits);
struct parse *parse_free(struct parse *parse);
void parse_set_limits(struct parse *parse, const struct parse_limits *limits);

/* Takes some of the bytes, at least one, and says how many. single: stops right behind the '>' that
 * finished an event, so that what follows can be told apart (negotiation); otherwise takes slices
 * of 4 KiB. Call parse_next() until PARSE_NONE after each call. XMPP_ERR_XML, XMPP_ERR_LIMIT,
 * XMPP_ERR_NOMEM: sticky; events that were finished before the error can still be taken. */
int parse_feed(struct parse *parse, const void *data, size_t len, bool single, size_t *ret_used);
/* The stream error condition that fits the failure; static, NULL without failure:
 * "restricted-xml"        comment, DTD, processing instruction, entity that is not predefined
 * "unsupported-encoding"  another encoding is declared or recognised, or the bytes are not UTF-8
 *                         (RFC 6120 4.9.3.22 names both)
 * "not-well-formed"       everything else that is no XML with namespaces, characters that XML does
 *                         not allow, and a declared version other than 1.0
 * "policy-violation"      a limit
 * "resource-constraint"   out of memory */
const char *parse_get_condition(const struct parse *parse);
/* What happened, for people: "element nesting deeper than 128 levels"; static or in the parser; never
 * NULL. */
const char *parse_get_reason(const struct parse *parse);
enum parse_event parse_next(struct parse *parse, xmpp_elem **ret); /* *ret: new reference or NULL */
void parse_shrink(struct parse *parse); /* nothing moves: gives back what a burst has left */
/* true inside an unfinished tag or element (EOF here is a truncation in the middle) */
bool parse_is_inside(const struct parse *parse);

#endif
