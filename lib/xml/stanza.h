#ifndef XML_STANZA_H
#define XML_STANZA_H

/* The name itself (a static string) if it is one of the 22 conditions of RFC 6120 8.3.3, else
 * "undefined-condition" (STZ-14). */
const char *stanza_known_condition(const char *name);

#endif
