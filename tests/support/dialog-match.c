#include "support/dialog.h"

#include "../testlib/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A small tokenizer of its own, so that the library's parser does not judge the library's writer. */
enum token_kind { TOKEN_END, TOKEN_DECL, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_TEXT, TOKEN_BAD };

#define MAX_ATTRS 32

struct token {
    enum token_kind kind;
    char *name; /* or the text */
    size_t attr_count;
    char *attr_names[MAX_ATTRS];
    char *attr_values[MAX_ATTRS];
};

struct reader {
    const char *pos;
    const char *end;
    char *pending_close; /* of an empty-element tag */
};

static void token_clear(struct token *token)
{
    free(token->name);
    for (size_t i = 0; i < token->attr_count; i++) {
        free(token->attr_names[i]);
        free(token->attr_values[i]);
    }
    memset(token, 0, sizeof *token);
}

static char *unescape(const char *str, size_t len)
{
    static const struct {
        const char *name;
        char c;
    } entities[] = {
        {"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&apos;", '\''}, {"&quot;", '"'}};
    char *out = malloc(len + 1);
    size_t n = 0;

    for (size_t i = 0; i < len;) {
        size_t k;

        for (k = 0; k < sizeof entities / sizeof *entities; k++)
            if (len - i >= strlen(entities[k].name) &&
                !memcmp(str + i, entities[k].name, strlen(entities[k].name)))
                break;
        if (k < sizeof entities / sizeof *entities) {
            out[n++] = entities[k].c;
            i += strlen(entities[k].name);
        } else {
            out[n++] = str[i++];
        }
    }
    out[n] = '\0';
    return out;
}

static bool is_name_end(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '/' || c == '>' || c == '=';
}

static void read_tag(struct reader *in, struct token *token)
{
    const char *p = in->pos + 1;
    const char *start = p;

    token->kind = TOKEN_BAD;
    while (p < in->end && !is_name_end(*p))
        p++;
    token->name = strndup(start, (size_t)(p - start));
    for (;;) {
        char quote;

        while (p < in->end && (*p == ' ' || *p == '\t' || *p == '\n'))
            p++;
        if (p >= in->end)
            return;
        if (*p == '>' || (*p == '/' && p + 1 < in->end && p[1] == '>'))
            break;
        start = p;
        while (p < in->end && !is_name_end(*p))
            p++;
        if (p == start || p + 1 >= in->end || *p != '=' || token->attr_count == MAX_ATTRS)
            return;
        token->attr_names[token->attr_count] = strndup(start, (size_t)(p - start));
        quote = p[1];
        start = p + 2;
        p = quote == '\'' || quote == '"' ? memchr(start, quote, (size_t)(in->end - start)) : NULL;
        if (!p) {
            free(token->attr_names[token->attr_count]);
            return;
        }
        token->attr_values[token->attr_count++] = unescape(start, (size_t)(p - start));
        p++;
    }
    if (*p == '/') {
        in->pending_close = strdup(token->name);
        p++;
    }
    in->pos = p + 1;
    token->kind = TOKEN_OPEN;
}

static void read_token(struct reader *in, struct token *token)
{
    const char *end;

    memset(token, 0, sizeof *token);
    if (in->pending_close) {
        token->kind = TOKEN_CLOSE;
        token->name = in->pending_close;
        in->pending_close = NULL;
        return;
    }
    if (in->pos == in->end)
        return;
    if (*in->pos != '<') {
        end = memchr(in->pos, '<', (size_t)(in->end - in->pos));
        if (!end)
            end = in->end;
        token->kind = TOKEN_TEXT;
        token->name = unescape(in->pos, (size_t)(end - in->pos));
        in->pos = end;
        return;
    }
    end = memchr(in->pos, '>', (size_t)(in->end - in->pos));
    if (!end || in->end - in->pos < 3) {
        token->kind = TOKEN_BAD;
    } else if (in->pos[1] == '?') {
        token->kind = TOKEN_DECL;
        token->name = strndup(in->pos, (size_t)(end + 1 - in->pos));
        in->pos = end + 1;
    } else if (in->pos[1] == '/') {
        token->kind = TOKEN_CLOSE;
        token->name = strndup(in->pos + 2, (size_t)(end - in->pos - 2));
        in->pos = end + 1;
    } else {
        read_tag(in, token);
    }
}

static bool match_attrs(const struct token *want, const struct token *got, char *captures[10])
{
    if (want->attr_count != got->attr_count)
        return false;
    for (size_t i = 0; i < want->attr_count; i++) {
        size_t k;

        for (k = 0; k < got->attr_count; k++)
            if (!strcmp(want->attr_names[i], got->attr_names[k]))
                break;
        if (k == got->attr_count ||
            !tst_match_value(want->attr_values[i], got->attr_values[k], captures))
            return false;
    }
    return true;
}

static bool match_token(const struct token *want, const struct token *got, char *captures[10])
{
    if (want->kind != got->kind)
        return false;
    switch (want->kind) {
    case TOKEN_TEXT:
        return tst_match_value(want->name, got->name, captures);
    case TOKEN_OPEN:
        return !strcmp(want->name, got->name) && match_attrs(want, got, captures);
    default:
        return !strcmp(want->name, got->name);
    }
}

long dialog_match(const char *pattern, const char *text, size_t len, char *captures[10],
                  char *reason, size_t reason_size)
{
    struct reader want_in = {pattern, pattern + strlen(pattern), NULL};
    struct reader got_in = {text, text + len, NULL};
    long result = -1;

    for (;;) {
        struct token want;
        struct token got;
        bool same;

        read_token(&want_in, &want);
        if (want.kind == TOKEN_END) {
            result = (long)(got_in.pos - text);
            break;
        }
        read_token(&got_in, &got);
        same = want.kind != TOKEN_BAD && match_token(&want, &got, captures);
        if (!same)
            snprintf(reason, reason_size, "expected \"%.300s\", got \"%.*s\"", pattern,
                     (int)(len > 600 ? 600 : len), text);
        token_clear(&want);
        token_clear(&got);
        if (!same)
            break;
    }
    /* "<a/>" against "<a>" would leave an end tag half read */
    if (result >= 0 && got_in.pending_close) {
        snprintf(reason, reason_size, "the pattern ends inside <%s/>", got_in.pending_close);
        result = -1;
    }
    free(want_in.pending_close);
    free(got_in.pending_close);
    return result;
}
