#include "dialog-run.h"

#include "support/certs.h"
#include "support/torture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool replay(const struct dialog *dialog, const struct dialog_ops *ops, enum dialog_cut cut,
                   unsigned seed)
{
    char message[4096];
    size_t before = torture_live_blocks();

    if (!dialog_play(dialog, ops, cut, seed, message, sizeof message)) {
        fprintf(stderr, "%s (%s, cut %d, seed %u)\n", message, ops->level, cut, seed);
        return false;
    }
    /* the trust store stays loaded: nothing can be said about the first run */
    if (cut != DIALOG_WHOLE && torture_live_blocks() > before + 8) {
        fprintf(stderr, "%s: %zu blocks before, %zu after\n", ops->level, before,
                torture_live_blocks());
        return false;
    }
    return true;
}

/* Did the application hear of the end, or of missing memory, in this run? */
static bool was_told;

struct scenario {
    const struct dialog *dialog;
    const struct dialog_ops *ops;
};

static int torture_scenario(void *data)
{
    const struct scenario *scenario = data;
    char message[4096];

    was_told = false;
    if (dialog_play(scenario->dialog, scenario->ops, DIALOG_WHOLE, 0, message, sizeof message))
        return XMPP_OK;
    if (torture_has_failed() && (was_told || strstr(message, "to_xml: XMPP_ERR_NOMEM")))
        return XMPP_ERR_NOMEM;
    fprintf(stderr, "%s\n", message);
    return XMPP_ERR_PROTOCOL;
}

int dialog_note(int r)
{
    if (r == XMPP_ERR_NOMEM)
        was_told = true;
    return r;
}

int dialog_run(int argc, char **argv, const struct dialog_ops *ops, bool bytes,
               unsigned random_runs)
{
    bool torture = argc == 3 && !strcmp(argv[1], "--torture");
    bool whole_only = argc == 3 && !strcmp(argv[1], "--whole");
    struct dialog *dialog;
    bool good;

    torture_install();
    dialog = argc < 2 ? NULL : dialog_load(argv[argc - 1]);
    if (!dialog)
        return 2;
    good = replay(dialog, ops, DIALOG_WHOLE, 0);
    if (good && torture) {
        struct scenario scenario = {dialog, ops};

        good = torture_run(torture_scenario, &scenario) == XMPP_OK;
        whole_only = true;
    }
    if (good && bytes && !whole_only)
        good = replay(dialog, ops, DIALOG_BYTES, 0);
    for (unsigned seed = 1; good && !whole_only && seed <= random_runs; seed++)
        good = replay(dialog, ops, DIALOG_RANDOM, seed);
    dialog_free(dialog);
    certs_free();
    return good ? 0 : 1;
}

int settings_add(struct settings *settings, const char *name, const char *value)
{
    if (settings->count == SETTINGS_MAX)
        return XMPP_ERR_LIMIT;
    settings->items[settings->count][0] = strdup(name);
    settings->items[settings->count++][1] = strdup(value);
    return XMPP_OK;
}

const char *settings_get(const struct settings *settings, const char *name, const char *fallback)
{
    for (size_t i = 0; i < settings->count; i++)
        if (!strcmp(settings->items[i][0], name))
            return settings->items[i][1];
    return fallback;
}

void settings_clear(struct settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        free(settings->items[i][0]);
        free(settings->items[i][1]);
    }
    settings->count = 0;
}

void events_add(struct events *events, const char *kind, xmpp_elem *elem, xmpp_error *error)
{
    if (events->count == EVENTS_MAX) {
        fprintf(stderr, "too many events\n");
        abort();
    }
    if (!strcmp(kind, "FAILED") || !strcmp(kind, "CLOSED") || !strcmp(kind, "NEED_SECRET"))
        was_told = true;
    events->items[events->count++] = (struct dialog_event){kind, elem, error};
}

struct dialog_event events_take(struct events *events)
{
    struct dialog_event event = {NULL, NULL, NULL};

    if (events->count > 0) {
        event = events->items[0];
        events->count--;
        memmove(&events->items[0], &events->items[1], events->count * sizeof events->items[0]);
    }
    return event;
}

void events_clear(struct events *events)
{
    while (events->count > 0) {
        struct dialog_event event = events_take(events);

        xmpp_elem_unref(event.elem);
        xmpp_error_unref(event.error);
    }
}

int dialog_parse_stanza(xmpp_elem **ret, const char *xml)
{
    xmpp_elem *parsed;
    int r;

    r = xmpp_elem_parse(&parsed, xml, strlen(xml));
    if (r < 0)
        return r;
    r = xmpp_elem_copy(parsed, ret);
    xmpp_elem_unref(parsed);
    return r;
}
