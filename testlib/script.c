#include "tst.h"

#include <stdlib.h>
#include <string.h>

struct tst_script *tst_script_free(struct tst_script *script)
{
    if (!script)
        return NULL;
    for (size_t i = 0; i < script->count; i++) {
        free(script->steps[i].text);
        xmpp_elem_unref((xmpp_elem *)(uintptr_t)script->steps[i].pattern);
    }
    tst_captures_clear(script->captures);
    free(script->steps);
    free(script);
    return NULL;
}

/* --- reading --- */

static const struct {
    const char *word;
    enum tst_step_kind kind;
    int action;
} words[] = {
    {"C:", TST_STEP_CLIENT, 0},
    {"S:", TST_STEP_SERVER, 0},
    {"I:", TST_STEP_IGNORE, 0},
    {"WAIT", TST_STEP_WAIT, 0},
    {"TLS", TST_STEP_TLS, 0},
    {"SILENCE", TST_STEP_ACTION, XMPP_TEST_SILENCE},
    {"CLOSE", TST_STEP_ACTION, XMPP_TEST_CLOSE},
    {"DROP", TST_STEP_ACTION, XMPP_TEST_DROP},
    {"RESET", TST_STEP_ACTION, XMPP_TEST_RESET},
    {"GARBAGE", TST_STEP_ACTION, XMPP_TEST_GARBAGE},
    {"ERROR", TST_STEP_ACTION, XMPP_TEST_STREAM_ERROR},
};

static bool parse_us(const char *text, uint64_t *ret)
{
    char *end;
    unsigned long long us = strtoull(text, &end, 10);

    if (*text < '0' || *text > '9' || *end)
        return false;
    *ret = us;
    return true;
}

/* What is wrong with it, or NULL. */
static const char *parse_step(const char *line, struct tst_step *step)
{
    size_t word_len = strcspn(line, " ");
    const char *arg = line + word_len + strspn(line + word_len, " ");
    size_t i;

    for (i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == word_len && memcmp(words[i].word, line, word_len) == 0)
            break;
    if (i == sizeof words / sizeof *words)
        return "unknown word";
    step->kind = words[i].kind;
    step->action = words[i].action;
    step->text = *arg ? strdup(arg) : NULL;
    if (*arg && !step->text)
        return "out of memory";
    switch (step->kind) {
    case TST_STEP_CLIENT:
    case TST_STEP_IGNORE:
        if (strcmp(arg, "</stream:stream>") == 0) {
            step->kind = TST_STEP_CLIENT_END;
            return NULL;
        }
        return tst_pattern_parse(arg, &step->pattern) < 0 ? "not one XML element" : NULL;
    case TST_STEP_SERVER:
        return *arg ? NULL : "nothing to send";
    case TST_STEP_WAIT:
        return parse_us(arg, &step->us) ? NULL : "not a number of microseconds";
    case TST_STEP_ACTION:
        return !*arg || step->action == XMPP_TEST_STREAM_ERROR ? NULL : "something behind the word";
    default:
        return *arg ? "something behind the word" : NULL;
    }
}

static const char *add_step(struct tst_script *script, const char *line, unsigned number)
{
    struct tst_step *steps = realloc(script->steps, (script->count + 1) * sizeof *steps);

    if (!steps)
        return "out of memory";
    script->steps = steps;
    memset(&steps[script->count], 0, sizeof *steps);
    steps[script->count].line = number;
    return parse_step(line, &steps[script->count++]);
}

/* A line that begins with white space continues the one before. */
static size_t take_line(const char *text, unsigned *number, struct tst_buf *line)
{
    const char *at = text;

    line->len = 0;
    tst_buf_str(line, "");
    do {
        size_t len = strcspn(at, "\n");
        size_t indent = strspn(at, " \t");

        if (indent > len)
            indent = len;
        tst_buf_add(line, at + indent, len - indent);
        at += len + (at[len] == '\n');
        ++*number;
    } while (*at == ' ' || *at == '\t');
    return (size_t)(at - text);
}

int tst_script_parse(xmpp_test_server *server, const char *text, struct tst_script **ret)
{
    struct tst_script *script = calloc(1, sizeof *script);
    struct tst_buf line = {0};
    const char *problem = script ? NULL : "out of memory";
    unsigned number = 0;
    unsigned first = 0;

    while (!problem && *text) {
        first = number + 1;
        text += take_line(text, &number, &line);
        while (line.len > 0 && strchr(" \t\r", line.data[line.len - 1]))
            line.data[--line.len] = '\0';
        if (line.failed)
            problem = "out of memory";
        else if (line.len > 0 && line.data[0] != '#')
            problem = add_step(script, line.data, first);
    }
    if (problem)
        tst_server_fail(server, "script, line %u: %s: %s", first, problem,
                        line.data ? line.data : "");
    tst_buf_clear(&line);
    if (problem) {
        tst_script_free(script);
        return XMPP_ERR_INVAL;
    }
    *ret = script;
    return XMPP_OK;
}

/* --- playing --- */

static void finish(xmpp_test_conn *conn)
{
    conn->script = tst_script_free(conn->script);
    conn->server->running--;
    conn->server->dirty = true;
}

static void fail_script(xmpp_test_conn *conn, const struct tst_step *step, const char *got)
{
    tst_server_fail(conn->server, "script, line %u: expected %s, got %s", step ? step->line : 0,
                    step && step->text ? step->text : "nothing", got);
    finish(conn);
    tst_wire_reset(conn);
}

/* $1 becomes what was captured, as XML text; $$ a dollar. */
static void say(xmpp_test_conn *conn, const char *text, char *captures[10])
{
    struct tst_buf out = {0};

    for (; *text; text++) {
        if (text[0] == '$' && text[1] >= '1' && text[1] <= '9') {
            const char *value = captures[*++text - '0'];

            tst_buf_escape(&out, value ? value : "");
        } else {
            text += text[0] == '$' && text[1] == '$';
            tst_buf_add(&out, text, 1);
        }
    }
    conn->wire_out.failed |= out.failed;
    tst_conn_put(conn, out.data, out.len);
    tst_buf_clear(&out);
}

static void on_wait(xmpp_loop *loop, void *user_data)
{
    xmpp_test_conn *conn = user_data;
    xmpp_test_server *server = conn->server;

    (void)loop;
    tst_server_enter(server);
    conn->wait = xmpp_slot_unref(conn->wait);
    conn->waiting = false;
    tst_script_go_on(conn);
    tst_conn_process(conn);
    tst_wire_flush(conn);
    tst_server_leave(server);
}

static void begin_wait(xmpp_test_conn *conn, uint64_t us)
{
    conn->waiting = true;
    if (xmpp_loop_add_timer(conn->server->loop, &conn->wait, us, 0, on_wait, conn, NULL) < 0)
        conn->wire_out.failed = true;
}

void tst_script_go_on(xmpp_test_conn *conn)
{
    struct tst_script *script = conn->script;

    while (script && !conn->waiting && script->at < script->count) {
        const struct tst_step *step = &script->steps[script->at];

        if (step->kind == TST_STEP_CLIENT || step->kind == TST_STEP_CLIENT_END)
            return;
        script->at++;
        if (step->kind == TST_STEP_SERVER) {
            say(conn, step->text, script->captures);
            script = conn->script; /* it is over if the connection is */
        } else if (step->kind == TST_STEP_WAIT) {
            begin_wait(conn, step->us);
        } else if (step->kind == TST_STEP_TLS) {
            if (conn->tls || tst_tls_start(conn) < 0) {
                fail_script(conn, step, "TLS that runs already, or cannot be started");
                return;
            }
        } else if (step->kind == TST_STEP_ACTION) {
            if (script->at < script->count) {
                tst_act(conn, step->action, step->text);
                script = conn->script;
            } else {
                int action = step->action;
                char *text = step->text ? strdup(step->text) : NULL;

                finish(conn);
                tst_act(conn, action, text);
                free(text);
                return;
            }
        }
    }
    if (script && !conn->waiting && script->at == script->count)
        finish(conn);
}

void tst_script_begin(xmpp_test_conn *conn)
{
    int from = conn->ready ? XMPP_TEST_FROM_READY : XMPP_TEST_FROM_START;
    struct tst_script **link = &conn->server->scripts;

    while (*link && (*link)->from != from)
        link = &(*link)->next;
    if (!*link)
        return;
    conn->script = *link;
    *link = conn->script->next;
    conn->script->next = NULL;
    conn->server->running++;
    conn->scripted = from == XMPP_TEST_FROM_START;
    tst_script_go_on(conn);
}

static bool is_ignored(const struct tst_script *script, const xmpp_elem *elem)
{
    const struct tst_step *end = script->steps + script->count;

    for (const struct tst_step *step = script->steps; elem && step < end; step++) {
        char *captures[10] = {NULL};
        bool matches = step->kind == TST_STEP_IGNORE && tst_match(step->pattern, elem, captures);

        tst_captures_clear(captures);
        if (matches)
            return true;
    }
    return false;
}

bool tst_script_take(xmpp_test_conn *conn, enum tst_piece piece, const xmpp_elem *elem)
{
    struct tst_script *script = conn->script;
    const struct tst_step *step = script->at < script->count ? &script->steps[script->at] : NULL;
    char *xml = NULL;

    if (step && (piece == TST_END ? step->kind == TST_STEP_CLIENT_END
                                  : step->kind == TST_STEP_CLIENT &&
                                        tst_match(step->pattern, elem, script->captures))) {
        script->at++;
        tst_script_go_on(conn);
        return true;
    }
    if (is_ignored(script, elem))
        return conn->scripted;
    if (elem)
        (void)xmpp_elem_to_xml(elem, &xml, NULL);
    fail_script(conn, step, piece == TST_END ? "</stream:stream>" : xml ? xml : "something else");
    xmpp_mem_free(xml);
    return true;
}

void tst_script_lost(xmpp_test_conn *conn)
{
    const struct tst_script *script = conn->script;

    if (!script)
        return;
    tst_server_fail(conn->server, "script, line %u: expected %s, got the end of the connection",
                    script->at < script->count ? script->steps[script->at].line : 0,
                    script->at < script->count && script->steps[script->at].text
                        ? script->steps[script->at].text
                        : "more");
    finish(conn);
}
