#include "base/error.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/object.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct error_attempt {
    char *target;
    xmpp_error *failure;
};

struct xmpp_error {
    struct object object;
    int code;
    int phase;
    int number;
    int cert_problems;
    char *text;
    char *type;
    char *condition;
    char *peer_text;
    const xmpp_elem *elem;
    xmpp_elem *(*elem_unref)(xmpp_elem *elem);
    struct error_attempt *attempts;
    size_t attempt_count;
    size_t attempt_cap;
};

/* What is left to say when there is no memory to say it with; never counted, never changed. */
static xmpp_error nomem = {.code = XMPP_ERR_NOMEM};

struct err_entry {
    int code;
    const char *name;
    const char *text;
};

#define ENTRY(code, text)                                                                          \
    {                                                                                              \
        code, #code, text                                                                          \
    }
static const struct err_entry err_table[] = {
    ENTRY(XMPP_OK, "success"),
    ENTRY(XMPP_ERR_NOMEM, "out of memory"),
    ENTRY(XMPP_ERR_INVAL, "invalid argument"),
    ENTRY(XMPP_ERR_STATE, "not allowed in this state"),
    ENTRY(XMPP_ERR_BUSY, "called from inside a callback"),
    ENTRY(XMPP_ERR_THREAD, "called from the wrong thread"),
    ENTRY(XMPP_ERR_SEALED, "element is sealed"),
    ENTRY(XMPP_ERR_LIMIT, "limit reached"),
    ENTRY(XMPP_ERR_TIMEOUT, "timed out"),
    ENTRY(XMPP_ERR_CANCELLED, "cancelled"),
    ENTRY(XMPP_ERR_CLOSED, "connection closed"),
    ENTRY(XMPP_ERR_NOTFOUND, "not found"),
    ENTRY(XMPP_ERR_SYSTEM, "system call failed"),
    ENTRY(XMPP_ERR_DNS, "name lookup failed"),
    ENTRY(XMPP_ERR_TLS, "TLS failed"),
    ENTRY(XMPP_ERR_CERT, "certificate not trusted"),
    ENTRY(XMPP_ERR_AUTH, "authentication failed"),
    ENTRY(XMPP_ERR_XML, "XML not well-formed or not allowed"),
    ENTRY(XMPP_ERR_PROTOCOL, "protocol violated by the peer"),
    ENTRY(XMPP_ERR_STREAM, "stream error"),
    ENTRY(XMPP_ERR_STANZA, "stanza error"),
    ENTRY(XMPP_ERR_JID, "invalid JID"),
};

static const struct err_entry *err_find(int err)
{
    static const struct err_entry unknown = {0, "XMPP_ERR_UNKNOWN", "unknown error"};

    for (size_t i = 0; i < ARRAY_LEN(err_table); i++)
        if (err_table[i].code == err)
            return &err_table[i];
    return &unknown;
}

const char *xmpp_err_name(int err)
{
    return err_find(err)->name;
}

const char *xmpp_err_text(int err)
{
    return err_find(err)->text;
}

const char *xmpp_phase_name(int phase)
{
    static const char *const names[] = {
        "none",           "resolving", "connecting", "securing",
        "authenticating", "binding",   "ready",      "closing",
    };

    if (phase < 0 || phase >= (int)ARRAY_LEN(names))
        return "unknown";
    return names[phase];
}

/* NULL without memory: the error has then the text of its code. */
__attribute__((format(printf, 1, 0))) static char *format_text(const char *format, va_list args)
{
    va_list again;
    char *text;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0)
        return NULL;
    if (len > LIMIT_ERROR_TEXT)
        len = LIMIT_ERROR_TEXT;
    text = mem_alloc((size_t)len + 1);
    if (!text)
        return NULL;
    (void)vsnprintf(text, (size_t)len + 1, format, args); /* what does not fit is cut */
    /* parts of it may be the peer's words */
    text[utf8_tame(text, (size_t)len)] = '\0';
    return text;
}

xmpp_error *error_create(int code, int phase, const char *format, ...)
{
    xmpp_error *error = mem_zalloc(sizeof *error);
    va_list args;

    if (!error)
        return error_nomem();
    object_init(&error->object);
    error->code = code;
    error->phase = phase;
    va_start(args, format);
    error->text = format_text(format, args);
    va_end(args);
    return error;
}

xmpp_error *error_nomem(void)
{
    return &nomem;
}

void error_set_number(xmpp_error *error, int number)
{
    if (error != &nomem)
        error->number = number;
}

void error_set_phase(xmpp_error *error, int phase)
{
    if (error != &nomem && error->phase == XMPP_PHASE_NONE)
        error->phase = phase;
}

static void set_string(char **str, const char *value)
{
    mem_free(*str);
    *str = value ? mem_strdup(value) : NULL;
}

void error_set_condition(xmpp_error *error, const char *type, const char *condition)
{
    if (error == &nomem)
        return;
    set_string(&error->type, type);
    set_string(&error->condition, condition);
}

void error_set_peer_text(xmpp_error *error, const char *text)
{
    if (error != &nomem)
        set_string(&error->peer_text, text);
}

void error_set_cert_problems(xmpp_error *error, int problems)
{
    if (error != &nomem)
        error->cert_problems = problems;
}

static void drop_elem(xmpp_error *error)
{
    if (error->elem)
        error->elem_unref((xmpp_elem *)(uintptr_t)error->elem);
    error->elem = NULL;
}

void error_set_elem(xmpp_error *error, const xmpp_elem *elem, xmpp_elem *(*unref)(xmpp_elem *elem))
{
    if (error == &nomem) {
        /* the reference was given to us */
        unref((xmpp_elem *)(uintptr_t)elem);
        return;
    }
    drop_elem(error);
    error->elem = elem;
    error->elem_unref = unref;
}

static bool grow_attempts(xmpp_error *error)
{
    size_t cap = error->attempt_cap > 0 ? error->attempt_cap * 2 : 4;
    struct error_attempt *attempts;

    if (error->attempt_count < error->attempt_cap)
        return true;
    attempts = mem_realloc(error->attempts, cap * sizeof *attempts);
    if (!attempts)
        return false;
    error->attempts = attempts;
    error->attempt_cap = cap;
    return true;
}

void error_add_attempt(xmpp_error *error, const char *target, const xmpp_error *failure)
{
    char *copy;

    if (error == &nomem || error->attempt_count == LIMIT_ATTEMPTS || !grow_attempts(error))
        return;
    copy = mem_strdup(target);
    if (!copy)
        return;
    copy[utf8_tame(copy, strlen(copy))] = '\0'; /* names of hosts come from DNS */
    error->attempts[error->attempt_count++] = (struct error_attempt){
        .target = copy,
        .failure = xmpp_error_ref(failure),
    };
}

xmpp_error *xmpp_error_ref(const xmpp_error *error)
{
    xmpp_error *counted = (xmpp_error *)(uintptr_t)error;

    if (counted && counted != &nomem)
        object_ref(&counted->object);
    return counted;
}

xmpp_error *xmpp_error_unref(xmpp_error *error)
{
    if (!error || error == &nomem || !object_unref(&error->object))
        return NULL;
    /* One level deep: the failure of an attempt has no attempts of its own. */
    for (size_t i = 0; i < error->attempt_count; i++) {
        mem_free(error->attempts[i].target);
        xmpp_error_unref(error->attempts[i].failure);
    }
    mem_free(error->attempts);
    drop_elem(error);
    mem_free(error->text);
    mem_free(error->type);
    mem_free(error->condition);
    mem_free(error->peer_text);
    return mem_free(error);
}

int xmpp_error_get_code(const xmpp_error *error)
{
    return error ? error->code : XMPP_OK;
}

int xmpp_error_get_number(const xmpp_error *error)
{
    return error ? error->number : 0;
}

int xmpp_error_get_phase(const xmpp_error *error)
{
    return error ? error->phase : XMPP_PHASE_NONE;
}

const char *xmpp_error_get_type(const xmpp_error *error)
{
    return error ? error->type : NULL;
}

const char *xmpp_error_get_condition(const xmpp_error *error)
{
    return error ? error->condition : NULL;
}

const char *xmpp_error_get_text(const xmpp_error *error)
{
    if (error && error->text)
        return error->text;
    return xmpp_err_text(xmpp_error_get_code(error));
}

const char *xmpp_error_get_peer_text(const xmpp_error *error)
{
    return error ? error->peer_text : NULL;
}

const xmpp_elem *xmpp_error_get_elem(const xmpp_error *error)
{
    return error ? error->elem : NULL;
}

int xmpp_error_get_cert_problems(const xmpp_error *error)
{
    return error ? error->cert_problems : 0;
}

size_t xmpp_error_count_attempts(const xmpp_error *error)
{
    return error ? error->attempt_count : 0;
}

const xmpp_error *xmpp_error_get_attempt(const xmpp_error *error, size_t index,
                                         const char **ret_target)
{
    if (index >= xmpp_error_count_attempts(error))
        return NULL;
    if (ret_target)
        *ret_target = error->attempts[index].target;
    return error->attempts[index].failure;
}
