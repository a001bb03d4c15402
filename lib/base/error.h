#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <xmpp/error.h>

/* Building an error; once it was given to the application it is immutable. Setters report nothing: out of
 * memory leaves the detail out. error_create() itself never fails: without memory it returns a static
 * XMPP_ERR_NOMEM object that ignores setters and reference counts. Strings are copied. The text becomes one line of
 * at most LIMIT_ERROR_TEXT bytes without control characters, whatever of the peer is in it. */
xmpp_error *error_create(int code, int phase, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
xmpp_error *error_nomem(void);
void error_set_number(xmpp_error *error, int number);
void error_set_phase(xmpp_error *error, int phase); /* only if it has none */
void error_set_condition(xmpp_error *error, const char *type, const char *condition);
void error_set_peer_text(xmpp_error *error, const char *text);
void error_set_cert_problems(xmpp_error *error, int problems);
/* Takes over one reference to elem. The tree layer lies above this one, hence the function that drops it. */
void error_set_elem(xmpp_error *error, const xmpp_elem *elem, xmpp_elem *(*unref)(xmpp_elem *elem));
/* failure is referenced; after LIMIT_ATTEMPTS nothing is added */
void error_add_attempt(xmpp_error *error, const char *target, const xmpp_error *failure);

#endif
