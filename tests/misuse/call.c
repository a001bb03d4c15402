#include "calls.h"

#include <stdarg.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

bool vary_is_null(const struct vary *vary, unsigned param)
{
    return vary->kind == VARY_NULL && vary->param == param;
}

const char *vary_text(const struct vary *vary, unsigned param, const char *text)
{
    if (vary_is_null(vary, param))
        return NULL;
    return vary->kind == VARY_TEXT && vary->param == param ? vary->text : text;
}

uint64_t vary_number(const struct vary *vary, unsigned param, uint64_t number)
{
    return vary->kind == VARY_NUMBER && vary->param == param ? vary->number : number;
}

bool call_has_param(const struct call *call, const char *type)
{
    for (unsigned i = 0; i < call->count; i++)
        if (strcmp(call->params[i].type, type) == 0)
            return true;
    return false;
}

/* Nothing else knows a client or a server. */
static bool is_bare(const struct call *call)
{
    static const char *const types[] = {"xmpp_client", "xmpp_slot",        "xmpp_module",
                                        "xmpp_ping",   "xmpp_test_server", "xmpp_test_conn"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (call_has_param(call, types[i]))
            return false;
    return true;
}

enum fix_stage call_stage(const struct call *call)
{
    if (call_has_param(call, "xmpp_cert"))
        return FIX_CERT;
    if (call_has_param(call, "xmpp_ask"))
        return FIX_ASK;
    if (is_bare(call))
        return FIX_BARE;
    if ((call->flags & CALL_WHILE_IDLE) || strcmp(call->name, "xmpp_client_connect") == 0 ||
        strcmp(call->name, "xmpp_test_server_set_domain") == 0 ||
        strcmp(call->name, "xmpp_test_server_configure_client") == 0)
        return FIX_IDLE;
    return FIX_READY;
}

bool call_is_documented(const struct call *call, int64_t value)
{
    if (value >= 0)
        return true;
    for (const int *error = call->errors; *error; error++)
        if (*error == value)
            return true;
    return (call->flags & CALL_OTHER_ERRORS) != 0;
}

static unsigned complaints;

void call_fail(const struct call *call, const struct vary *vary, const struct result *result,
               const char *what)
{
    const char *param = vary->kind == VARY_NOTHING ? "" : call->params[vary->param].name;

    complaints++;
    print_error("%s(): %s", call->name, param);
    if (vary->kind == VARY_NULL)
        print_error(" is NULL");
    if (vary->kind == VARY_TEXT)
        print_error(" is \"%.40s\"", vary->text);
    if (vary->kind == VARY_NUMBER)
        print_error(" is %lld", (long long)vary->number);
    print_error(": %s; result %lld, %p\n", what, (long long)result->value, result->pointer);
}

void call_end(void)
{
    unsigned found = complaints;

    complaints = 0;
    assert_int_equal(found, 0);
}

void call_run(const struct call *call, struct fix *fix, const struct vary *vary,
              struct result *result)
{
    int state = xmpp_client_get_state(fix->client);
    size_t features = xmpp_client_count_features(fix->client);
    unsigned destroyed = fix->destroyed;

    memset(result, 0, sizeof *result);
    call->run(fix, vary, result);
    if (call->returns != RETURNS_NUMBER || !(call->flags & CALL_HAS_ERRORS) || result->value >= 0)
        return;
    if (!call_is_documented(call, result->value))
        call_fail(call, vary, result, "an error that is not documented");
    if (result->touched)
        call_fail(call, vary, result, "it failed and set an output parameter");
    if (fix->destroyed != destroyed)
        call_fail(call, vary, result, "it failed and called destroy");
    if (fix->client && (xmpp_client_get_state(fix->client) != state ||
                        xmpp_client_count_features(fix->client) != features))
        call_fail(call, vary, result, "it failed and had an effect");
}
