/* NULL for each pointer of each public function in turn: what the header does not allow is refused without an effect,
 * what it allows works. */
#include "calls.h"

#include <stdarg.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static bool is_reader(const struct call *call)
{
    return strstr(call->name, "_get_") || strstr(call->name, "_count_") ||
           strstr(call->name, "_is_") || strstr(call->name, "_ref") ||
           strstr(call->name, "_unref") || strstr(call->name, "_free");
}

/* What reads an object that is not there finds nothing, but a text where there always is one. */
static bool is_nothing(const struct call *call, const struct result *result)
{
    if (call->flags & CALL_NEVER_NULL)
        return call->returns == RETURNS_NUMBER || result->pointer;
    return result->value == 0 && !result->pointer;
}

static void check_null(const struct call *call, unsigned param)
{
    const struct vary vary = {.kind = VARY_NULL, .param = param};
    bool is_optional = call->params[param].is_optional;
    struct result result;
    struct fix fix;

    fix_create(&fix, call_stage(call));
    call_run(call, &fix, &vary, &result);
    if (call->returns == RETURNS_POINTER) {
        if (!is_optional && result.pointer)
            call_fail(call, &vary, &result, "NULL should be refused");
    } else if (call->flags & CALL_HAS_ERRORS) {
        if (is_optional != (result.value != XMPP_ERR_INVAL))
            call_fail(call, &vary, &result,
                      is_optional ? "NULL should be allowed" : "NULL should be refused");
    }
    if (is_optional && param == 0 && is_reader(call) && !is_nothing(call, &result))
        call_fail(call, &vary, &result, "there is nothing to read");
    fix_destroy(&fix);
}

static void test_null_for_each_pointer(void **state)
{
    (void)state;
    for (size_t i = 0; i < calls_count; i++)
        for (unsigned p = 0; p < calls[i].count; p++)
            if (calls[i].params[p].is_pointer)
                check_null(&calls[i], p);
    call_end();
}

/* Else the test above would see a refusal for another reason. */
static void test_good_arguments_are_accepted(void **state)
{
    const struct vary vary = {.kind = VARY_NOTHING};
    struct result result;
    struct fix fix;

    (void)state;
    for (size_t i = 0; i < calls_count; i++) {
        fix_create(&fix, call_stage(&calls[i]));
        call_run(&calls[i], &fix, &vary, &result);
        if ((calls[i].flags & CALL_HAS_ERRORS) && result.value == XMPP_ERR_INVAL)
            call_fail(&calls[i], &vary, &result, "good arguments");
        fix_destroy(&fix);
    }
    call_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_arguments_are_accepted),
        cmocka_unit_test(test_null_for_each_pointer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
