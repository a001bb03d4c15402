#ifndef XML_SCAN_H
#define XML_SCAN_H

#include "xml/parse.h"

#include <stdint.h>

/* Finds where tags and top-level elements end, before the parser proper sees a byte: so limits hold
 * to the byte, the parser gets whole tags only, and the outcome does not depend on how the input
 * was cut. It understands no more of XML than that takes; what it lets through is judged by the
 * parser. */
enum scan_state {
    SCAN_TEXT = 0,
    SCAN_CDATA,
    SCAN_OPENED, /* behind '<' */
    SCAN_BANG, /* in "<![CDATA[" */
    SCAN_DECL, /* the XML declaration */
    SCAN_START, /* a start tag */
    SCAN_VALUE, /* an attribute's value */
    SCAN_END /* an end tag */
};

enum scan_fault {
    SCAN_OK = 0,
    SCAN_RESTRICTED, /* comment, DTD or processing instruction */
    SCAN_MALFORMED,
    SCAN_TAG_TOO_LONG,
    SCAN_ELEM_TOO_LONG,
    SCAN_TOO_MANY_ATTRS
};

enum scan_stop {
    SCAN_STOP_NEVER,
    SCAN_STOP_EVENT, /* behind a finished top-level element, the root's start tag, the root's end
                        tag */
    SCAN_STOP_TAG /* behind any finished tag */
};

struct scan {
    enum scan_state state;
    enum scan_fault fault;
    unsigned base; /* depth of top-level elements: 1 below a root, 0 when the root is the element */
    unsigned depth; /* open elements */
    bool had_root;
    bool at_event; /* the last byte finished an event */
    bool at_tag; /* the last byte finished a tag */
    bool in_ref; /* between '&' and ';' in text */
    bool slash; /* the last byte in a start tag was '/' */
    char quote;
    unsigned matched; /* bytes of the delimiter that is looked for */
    unsigned attrs;
    uint64_t pos; /* bytes seen */
    uint64_t tag_at; /* where the last tag began */
    uint64_t ref_at; /* where the last reference began */
    uint64_t elem_at; /* where the last top-level element began */
};

void scan_init(struct scan *scan, unsigned base);
/* Returns how many bytes were seen: all of them, or up to where it stopped or found a fault (which
 * is sticky). */
size_t scan_run(struct scan *scan, const struct parse_limits *limits, const char *data, size_t len,
                enum scan_stop stop);
bool scan_is_in_tag(const struct scan *scan);

#endif
