/* Every public function, called inside every function of the application: nothing hangs, nothing breaks, the loop is
 * not entered twice. And everything dropped there, in each order. Meant to be run under AddressSanitizer. */
#include "calls.h"
#include "provoke.h"

#include <stdarg.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static const struct vary nothing = {.kind = VARY_NOTHING};

/* --- each function in each place --- */

static const struct call *call;

static bool enters_loop(void)
{
    return strcmp(call->name, "xmpp_loop_run") == 0 || strcmp(call->name, "xmpp_loop_step") == 0 ||
           strcmp(call->name, "xmpp_loop_dispatch") == 0;
}

static void do_call(struct fix *fix)
{
    struct result result;

    if ((call_has_param(call, "xmpp_cert") && !fix->cert) ||
        (call_has_param(call, "xmpp_ask") && !fix->ask) ||
        (call_has_param(call, "xmpp_test_conn") && !fix->conn))
        return;
    call_run(call, fix, &nothing, &result);
    if (enters_loop() && place_is_dispatched(fix->place) && result.value != XMPP_ERR_BUSY) {
        print_error("inside %s: ", place_name(fix->place));
        call_fail(call, &nothing, &result, "the loop was entered twice");
    }
}

/* What touches nothing but itself: all in one go. */
static bool is_apart(size_t i)
{
    return call_stage(&calls[i]) == FIX_BARE && !call_has_param(&calls[i], "xmpp_loop");
}

static void do_call_apart(struct fix *fix)
{
    struct result result;

    for (size_t i = 0; i < calls_count; i++)
        if (is_apart(i))
            call_run(&calls[i], fix, &nothing, &result);
}

static void check_inside(enum fix_place place, void (*act)(struct fix *fix))
{
    struct fix fix;

    fix_create(&fix, place_stage(place));
    fix.place = place;
    fix.act = act;
    place_provoke(&fix);
    fix_destroy(&fix);
}

static void test_each_function_in_each_place(void **state)
{
    (void)state;
    for (enum fix_place place = IN_NOTHING + 1; place < FIX_PLACES; place++) {
        check_inside(place, do_call_apart);
        for (size_t i = 0; i < calls_count; i++) {
            call = &calls[i];
            if (!is_apart(i))
                check_inside(place, do_call);
        }
    }
    call_end();
}

/* --- dropping in each order --- */

enum { CLIENT, LOOP, SLOT, MODULE, SERVER, THINGS };

static int order[THINGS];

static void drop_one(struct fix *fix, int thing)
{
    switch (thing) {
    case CLIENT:
        fix->ping = xmpp_ping_unref(fix->ping);
        fix->client = xmpp_client_unref(fix->client);
        break;
    case LOOP:
        fix->loop = xmpp_loop_unref(fix->loop);
        break;
    case SLOT:
        fix->slot = xmpp_slot_unref(fix->slot);
        fix->io_slot = xmpp_slot_unref(fix->io_slot);
        break;
    case MODULE:
        fix->module = xmpp_module_unref(fix->module);
        break;
    default:
        fix->conn = NULL;
        fix->server = xmpp_test_server_unref(fix->server);
    }
}

/* all of them, up to a negative one */
static void drop(struct fix *fix)
{
    for (int i = 0; i < THINGS && order[i] >= 0; i++)
        drop_one(fix, order[i]);
}

static void check_drop(enum fix_place place)
{
    struct fix fix;

    fix_create(&fix, place_stage(place));
    fix.place = place;
    fix.act = drop;
    place_provoke(&fix);
    fix_destroy(&fix);
    if (fix.destroyed != 1)
        fail_msg("in %s, dropping %d %d %d %d %d: destroyed %u times", place_name(place), order[0],
                 order[1], order[2], order[3], order[4], fix.destroyed);
}

static void swap(int i, int j)
{
    int thing = order[i];

    order[i] = order[j];
    order[j] = thing;
}

/* The orders of everything from at on. */
static void check_orders(enum fix_place place, int at)
{
    if (at == THINGS)
        check_drop(place);
    for (int i = at; i < THINGS; i++) {
        swap(at, i);
        check_orders(place, at + 1);
        swap(at, i);
    }
}

/* SEC-33 */
static void test_drop_all_in_each_order(void **state)
{
    (void)state;
    for (enum fix_place place = IN_NOTHING + 1; place < FIX_PLACES; place++) {
        for (int i = 0; i < THINGS; i++)
            order[i] = i;
        check_orders(place, 0);
    }
}

/* SEC-33 */
static void test_drop_one_or_two(void **state)
{
    (void)state;
    for (enum fix_place place = IN_NOTHING + 1; place < FIX_PLACES; place++)
        for (int first = 0; first < THINGS; first++)
            for (int second = -1; second < THINGS; second++) {
                order[0] = first;
                order[1] = second == first ? -1 : second;
                order[2] = -1;
                check_drop(place);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_function_in_each_place),
        cmocka_unit_test(test_drop_all_in_each_order),
        cmocka_unit_test(test_drop_one_or_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
