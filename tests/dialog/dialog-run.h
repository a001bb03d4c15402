#ifndef DIALOG_DIALOG_RUN_H
#define DIALOG_DIALOG_RUN_H

#include "support/dialog.h"
#include "support/tlspeer.h"

/* What the levels above the engine share. main(): PROGRAM [--whole | --torture] FILE; without --whole also cut, with
 * --torture each allocation fails in turn. */
int dialog_run(int argc, char **argv, const struct dialog_ops *ops, bool bytes,
               unsigned random_runs);

/* Passes a result on; the application has learnt of missing memory by it. */
int dialog_note(int r);

/* Settings that are kept until the thing under test is made. */
#define SETTINGS_MAX 16
struct settings {
    char *items[SETTINGS_MAX][2];
    size_t count;
};
int settings_add(struct settings *settings, const char *name, const char *value);
const char *settings_get(const struct settings *settings, const char *name, const char *fallback);
void settings_clear(struct settings *settings);

/* Events that came and were not expected yet; references. */
#define EVENTS_MAX 64
struct events {
    struct dialog_event items[EVENTS_MAX];
    size_t count;
};
void events_add(struct events *events, const char *kind, xmpp_elem *elem, xmpp_error *error);
struct dialog_event events_take(struct events *events); /* kind NULL: none */
void events_clear(struct events *events);

/* A stanza from its text, unsealed. */
int dialog_parse_stanza(xmpp_elem **ret, const char *xml);

#endif
