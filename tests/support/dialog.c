#include "support/dialog.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
    unsigned number;
    char *text;
};

struct dialog {
    struct line *lines;
    size_t count;
    char *path;
};

/* One run of a dialogue. */
struct play {
    const struct dialog *dialog;
    const struct dialog_ops *ops;
    void *target;
    const struct line *line;
    enum dialog_cut cut;
    unsigned seed;
    bool opened;
    bool skipped;
    struct dialog_event event; /* taken, not yet expected */
    char *captures[10];
    struct dialog_scram scram;
    char *message;
    size_t message_size;
};

/* --- reading --- */

static void add_line(struct dialog *dialog, unsigned number, const char *text, size_t len)
{
    bool continues = len > 0 && (*text == ' ' || *text == '\t') && dialog->count > 0;

    while (continues && len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    if (len == 0 || *text == '#')
        return;
    if (continues) {
        struct line *last = &dialog->lines[dialog->count - 1];
        size_t old = strlen(last->text);

        last->text = realloc(last->text, old + len + 1);
        memcpy(last->text + old, text, len);
        last->text[old + len] = '\0';
        return;
    }
    if (*text == '@') {
        char *name = strndup(text + 1, len - 1);
        const char *lines = dialog_find_macro(name);

        if (!lines)
            fprintf(stderr, "%s:%u: no such macro: @%s\n", dialog->path, number, name);
        free(name);
        while (lines && *lines) {
            const char *end = strchr(lines, '\n');

            add_line(dialog, number, lines, (size_t)(end - lines));
            lines = end + 1;
        }
        if (lines)
            return;
    }
    dialog->lines = realloc(dialog->lines, (dialog->count + 1) * sizeof *dialog->lines);
    dialog->lines[dialog->count++] = (struct line){number, strndup(text, len)};
}

struct dialog *dialog_load(const char *path)
{
    FILE *file = fopen(path, "r");
    struct dialog *dialog;
    char *text = NULL;
    size_t size = 0;
    ssize_t len;
    unsigned number = 0;

    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return NULL;
    }
    dialog = calloc(1, sizeof *dialog);
    dialog->path = strdup(path);
    while ((len = getline(&text, &size, file)) >= 0) {
        if (len > 0 && text[len - 1] == '\n')
            len--;
        add_line(dialog, ++number, text, (size_t)len);
    }
    free(text);
    fclose(file);
    return dialog;
}

struct dialog *dialog_free(struct dialog *dialog)
{
    if (!dialog)
        return NULL;
    for (size_t i = 0; i < dialog->count; i++)
        free(dialog->lines[i].text);
    free(dialog->lines);
    free(dialog->path);
    free(dialog);
    return NULL;
}

/* --- playing --- */

static bool complain(struct play *play, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool complain(struct play *play, const char *format, ...)
{
    char text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (play->message)
        snprintf(play->message, play->message_size, "%s:%u: %.60s: %s", play->dialog->path,
                 play->line ? play->line->number : 0, play->line ? play->line->text : "end", text);
    return false;
}

static void event_clear(struct dialog_event *event)
{
    xmpp_elem_unref(event->elem);
    xmpp_error_unref(event->error);
    memset(event, 0, sizeof *event);
}

static const struct dialog_event *current_event(struct play *play)
{
    if (!play->event.kind)
        play->ops->next(play->target, &play->event);
    return &play->event;
}

static bool is_progress(const char *kind)
{
    return !strcmp(kind, "START_TLS") || !strcmp(kind, "AUTHENTICATING") ||
           !strcmp(kind, "BINDING") || !strcmp(kind, "SECURED");
}

static int compute(struct play *play)
{
    int r = XMPP_OK;

    while (r == XMPP_OK && play->ops->is_busy(play->target))
        r = play->ops->tick(play->target, 0);
    return r;
}

static unsigned next_random(struct play *play)
{
    play->seed = play->seed * 1103515245u + 12345u;
    return play->seed >> 16;
}

static int feed(struct play *play, const char *data, size_t len)
{
    while (len > 0) {
        size_t piece = len > 4096 ? 4096 : len;
        int r;

        if (play->cut == DIALOG_BYTES)
            piece = 1;
        if (play->cut == DIALOG_RANDOM && piece > 1)
            piece = 1 + next_random(play) % (next_random(play) % 2 ? 8 : piece);
        if (piece > len)
            piece = len;
        r = play->ops->feed(play->target, data, piece);
        if (r < 0)
            return r;
        r = compute(play);
        if (r < 0)
            return r;
        data += piece;
        len -= piece;
    }
    return XMPP_OK;
}

/* $1 and @{n:text} */
static char *expand(struct play *play, const char *text)
{
    char *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&out, &size);

    while (*text) {
        int used = 0;
        unsigned long count;
        const char *end;

        if (text[0] == '$' && text[1] >= '1' && text[1] <= '9') {
            const char *capture = play->captures[text[1] - '0'];

            fputs(capture ? capture : "", file);
            text += 2;
        } else if (sscanf(text, "@{%lu:%n", &count, &used) == 1 && used > 0 &&
                   (end = strchr(text, '}'))) {
            for (unsigned long i = 0; i < count; i++)
                fwrite(text + used, 1, (size_t)(end - text) - (size_t)used, file);
            text = end + 1;
        } else {
            fputc(*text++, file);
        }
    }
    fclose(file);
    return out;
}

static bool check_silence(struct play *play)
{
    const char *data;
    size_t len = play->ops->peek(play->target, &data);

    if (len > 0)
        return complain(play, "the client also sent \"%.*s\"", (int)(len > 500 ? 500 : len), data);
    return true;
}

static bool play_server(struct play *play, const char *text)
{
    char *data;
    int r;

    if (!check_silence(play))
        return false;
    data = expand(play, text);
    r = feed(play, data, strlen(data));
    free(data);
    return r < 0 ? complain(play, "feed: %s", xmpp_err_name(r)) : true;
}

static bool play_client(struct play *play, const char *pattern)
{
    char *expanded = strstr(pattern, "@{") ? expand(play, pattern) : strdup(pattern);
    char reason[1500];
    const char *data;
    size_t len = play->ops->peek(play->target, &data);
    long used = dialog_match(expanded, data, len, play->captures, reason, sizeof reason);

    free(expanded);
    if (used < 0)
        return complain(play, "%s", reason);
    play->ops->consume(play->target, (size_t)used);
    return true;
}

/* Takes "name=value" or "name~=value" (value perhaps in double quotes) off the front. */
static bool next_field(char **pos, char **ret_name, char **ret_value, bool *ret_part)
{
    char *p = *pos;
    char *equals;

    while (*p == ' ')
        p++;
    equals = strchr(p, '=');
    if (!*p || !equals)
        return false;
    *ret_part = equals[-1] == '~';
    equals[*ret_part ? -1 : 0] = '\0';
    *ret_name = p;
    p = equals + 1;
    if (!strcmp(*ret_name, "xml")) {
        *ret_value = p;
        *pos = p + strlen(p);
        return true;
    }
    if (*p == '"') {
        *ret_value = ++p;
        p = strchr(p, '"');
    } else {
        *ret_value = p;
        p = strchr(p, ' ');
    }
    if (p)
        *p++ = '\0';
    *pos = p ? p : *ret_value + strlen(*ret_value);
    return true;
}

static const char *error_field(const xmpp_error *error, const char *name)
{
    if (!strcmp(name, "code"))
        return xmpp_err_name(xmpp_error_get_code(error));
    if (!strcmp(name, "condition"))
        return xmpp_error_get_condition(error);
    if (!strcmp(name, "phase"))
        return xmpp_phase_name(xmpp_error_get_phase(error));
    if (!strcmp(name, "type"))
        return xmpp_error_get_type(error);
    if (!strcmp(name, "peer"))
        return xmpp_error_get_peer_text(error);
    if (!strcmp(name, "text"))
        return xmpp_error_get_text(error);
    return "(no such field)";
}

static bool check_xml(struct play *play, const xmpp_elem *elem, const char *pattern)
{
    char *xml = NULL;
    size_t len = 0;
    char reason[1500];
    long used;
    int r;

    if (!elem)
        return complain(play, "no element");
    r = xmpp_elem_to_xml(elem, &xml, &len);
    if (r < 0)
        return complain(play, "to_xml: %s", xmpp_err_name(r));
    used = dialog_match(pattern, xml, len, play->captures, reason, sizeof reason);
    if (used >= 0 && (size_t)used < len) {
        snprintf(reason, sizeof reason, "more than expected: %.500s", xml);
        used = -1;
    }
    xmpp_mem_free(xml);
    return used < 0 ? complain(play, "%s", reason) : true;
}

static bool check_field(struct play *play, const char *name, const char *value, bool part)
{
    const struct dialog_event *event = &play->event;
    const char *got;

    if (!strcmp(name, "xml"))
        return check_xml(play, event->elem ? event->elem : xmpp_error_get_elem(event->error),
                         value);
    got = error_field(event->error, name);
    if (!got)
        got = "none";
    if (part ? !strstr(got, value) : strcmp(got, value) != 0)
        return complain(play, "%s is \"%s\" (%s: %s)", name, got,
                        xmpp_err_name(xmpp_error_get_code(event->error)),
                        event->error ? xmpp_error_get_text(event->error) : "no error");
    return true;
}

static bool play_event(struct play *play, const char *text)
{
    char *copy = strdup(text);
    char *pos = copy;
    char *kind = strsep(&pos, " ");
    const struct dialog_event *event = current_event(play);
    bool good = true;
    char *name;
    char *value;
    bool part;

    while (event->kind && strcmp(event->kind, kind) != 0 && is_progress(event->kind)) {
        event_clear(&play->event);
        event = current_event(play);
    }
    if (!event->kind || strcmp(event->kind, kind) != 0)
        good = complain(play, "the event is %s%s%s", event->kind ? event->kind : "missing",
                        event->error ? ": " : "",
                        event->error ? xmpp_error_get_text(event->error) : "");
    while (good && pos && next_field(&pos, &name, &value, &part))
        good = check_field(play, name, value, part);
    event_clear(&play->event);
    free(copy);
    return good;
}

static bool play_scram(struct play *play, const char *arg)
{
    char hash[16];
    char step[16];
    char salt[32] = "dialog-salt";
    unsigned in;
    unsigned out;
    bool good;
    char *answer = NULL;

    if (sscanf(arg, "%15s %15s %u %u %31s", hash, step, &in, &out, salt) < 4 || in > 9 || out > 9 ||
        !play->captures[in])
        return complain(play, "bad arguments");
    if (!strcmp(step, "first"))
        good = dialog_scram_first(&play->scram, salt, play->captures[in], &answer);
    else
        good = dialog_scram_final(&play->scram, hash, play->captures[in], &answer);
    free(play->captures[out]);
    play->captures[out] = answer;
    return good ? true : complain(play, "the client's message is wrong");
}

static bool play_get(struct play *play, const char *arg)
{
    char name[32];
    char got[512];
    const char *space = strchr(arg, ' ');
    const char *want = space ? space + 1 : "";

    snprintf(name, sizeof name, "%.*s", (int)(space ? space - arg : (long)strlen(arg)), arg);
    if (!play->ops->get(play->target, name, got, sizeof got))
        return complain(play, "no such property");
    return strcmp(got, want) == 0 ? true : complain(play, "is \"%s\"", got);
}

static bool open_once(struct play *play)
{
    int r;

    if (play->opened)
        return true;
    play->opened = true;
    r = play->ops->open(play->target);
    return r < 0 ? complain(play, "open: %s", xmpp_err_name(r)) : true;
}

static bool play_command(struct play *play, char *word, const char *arg)
{
    char *expanded = expand(play, arg);
    const char *want = "XMPP_OK";
    char *result = NULL;
    int r;

    if (*word == '!') {
        result = strdup(word + 1);
        want = result;
        word = strdup(arg);
        free(expanded);
        arg = strchr(word, ' ');
        expanded = expand(play, arg ? arg + 1 : "");
        word[strcspn(word, " ")] = '\0';
    }
    r = play->ops->command(play->target, word, expanded);
    if (r == XMPP_OK)
        r = compute(play);
    free(expanded);
    if (result)
        free(word);
    if (strcmp(xmpp_err_name(r), want) != 0) {
        free(result);
        return complain(play, "the result is %s", xmpp_err_name(r));
    }
    free(result);
    return true;
}

static void forget_captures(struct play *play)
{
    for (size_t i = 0; i < 10; i++) {
        free(play->captures[i]);
        play->captures[i] = NULL;
    }
}

/* START_TLS must have come. */
static bool await_tls(struct play *play)
{
    const struct dialog_event *event = current_event(play);
    bool good = event->kind && !strcmp(event->kind, "START_TLS");

    if (!good)
        return complain(play, "the event is %s: %s", event->kind ? event->kind : "missing",
                        event->error ? xmpp_error_get_text(event->error) : "no error");
    event_clear(&play->event);
    return true;
}

static bool play_word(struct play *play, char *word, const char *arg)
{
    int r;

    if (!strcmp(word, "LEVEL")) {
        play->skipped = !strstr(arg, play->ops->level);
        return true;
    }
    if (!strcmp(word, "SET")) {
        char *name = strdup(arg);
        char *value = name;

        strsep(&value, " ");
        r = play->ops->set(play->target, name, value ? value : "");
        free(name);
        return r < 0 ? complain(play, "%s", xmpp_err_name(r)) : true;
    }
    if (!open_once(play))
        return false;
    if (!strcmp(word, "C:"))
        return play_client(play, arg);
    if (!strcmp(word, "S:"))
        return play_server(play, arg);
    if (!strcmp(word, "E:"))
        return play_event(play, arg);
    if (!strcmp(word, "GET"))
        return play_get(play, arg);
    if (!strcmp(word, "SCRAM"))
        return play_scram(play, arg);
    if (!strcmp(word, "FORGET")) {
        forget_captures(play);
        return true;
    }
    if (!strcmp(word, "TICK")) {
        r = play->ops->tick(play->target, strtoull(arg, NULL, 10));
        return r < 0 ? complain(play, "%s", xmpp_err_name(r)) : true;
    }
    if (!strcmp(word, "TLS") && !await_tls(play))
        return false;
    return play_command(play, word, arg);
}

static bool play_line(struct play *play)
{
    char *copy = strdup(play->line->text);
    char *arg = copy;
    char *word = strsep(&arg, " ");
    bool good = play_word(play, word, arg ? arg : "");

    free(copy);
    return good;
}

static bool check_end(struct play *play)
{
    const struct dialog_event *event;

    play->line = NULL;
    if (!check_silence(play))
        return false;
    event = current_event(play);
    while (event->kind && is_progress(event->kind)) {
        event_clear(&play->event);
        event = current_event(play);
    }
    if (event->kind)
        return complain(play, "one more event: %s: %s", event->kind,
                        event->error ? xmpp_error_get_text(event->error) : "");
    return true;
}

bool dialog_play(const struct dialog *dialog, const struct dialog_ops *ops, enum dialog_cut cut,
                 unsigned seed, char *message, size_t message_size)
{
    struct play play = {
        .dialog = dialog,
        .ops = ops,
        .cut = cut,
        .seed = seed,
        .message = message,
        .message_size = message_size,
    };
    bool good = true;

    if (ops->create(&play.target) < 0)
        return complain(&play, "the thing under test cannot be made");
    for (size_t i = 0; good && !play.skipped && i < dialog->count; i++) {
        play.line = &dialog->lines[i];
        good = play_line(&play);
    }
    if (good && !play.skipped)
        good = check_end(&play);
    event_clear(&play.event);
    ops->destroy(play.target);
    dialog_scram_clear(&play.scram);
    forget_captures(&play);
    return good;
}
