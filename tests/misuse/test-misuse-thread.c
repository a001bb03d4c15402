/* Calls from the wrong thread, and in the child of a fork(). What belongs to a loop is noticed: in debug builds in the
 * wrong thread, in a child always. What is allowed in any thread works there. */
#include "calls.h"

#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

struct visit {
    const struct call *call;
    struct fix *fix;
    struct result result;
};

static const struct vary nothing = {.kind = VARY_NOTHING};

static void *run_call(void *arg)
{
    struct visit *visit = arg;

    call_run(visit->call, visit->fix, &nothing, &visit->result);
    return NULL;
}

/* Also those that make the loop the calling thread's: the main thread takes it back. */
static void check_thread(const struct call *call)
{
    bool is_bound = (call->flags & CALL_LOOP_THREAD) != 0;
    struct visit visit = {.call = call};
    pthread_t thread;
    struct fix fix;

    fix_create(&fix, call_stage(call));
    visit.fix = &fix;
    assert_int_equal(pthread_create(&thread, NULL, run_call, &visit), 0);
    pthread_join(thread, NULL);
    if ((call->flags & CALL_HAS_ERRORS) && is_bound != (visit.result.value == XMPP_ERR_THREAD))
        call_fail(call, &nothing, &visit.result,
                  is_bound ? "the wrong thread is not noticed" : "any thread should be good");
    assert_true(xmpp_loop_step(fix.loop, 0) >= 0);
    fix_destroy(&fix);
}

static void test_other_thread(void **state)
{
    (void)state;
    for (size_t i = 0; i < calls_count; i++) {
        if (strcmp(calls[i].header, "test.h") == 0)
            continue; /* all of it is for the loop's thread, and it does not look */
#ifndef XMPP_DEBUG
        if (calls[i].flags & CALL_LOOP_THREAD)
            continue;
#endif
        check_thread(&calls[i]);
    }
    call_end();
}

/* The child refuses, drops everything, and has not disturbed the parent. */
static void run_child(const struct call *call, struct fix *fix)
{
    struct result result;

    call_run(call, fix, &nothing, &result);
    if (result.value != XMPP_ERR_THREAD)
        call_fail(call, &nothing, &result, "the child of a fork is not noticed");
    fix->server = NULL; /* not made for this */
    fix_destroy(fix);
    call_end();
}

/* One of a slot may be ended in a child: the loop keeps it from the parent. */
static bool is_refused_in_child(const struct call *call)
{
    return (call->flags & CALL_LOOP_THREAD) && strncmp(call->name, "xmpp_slot_", 10) != 0;
}

static void check_session(struct fix *fix)
{
    const xmpp_elem *last;
    size_t before = xmpp_test_conn_count_received(fix->conn);

    assert_int_equal(xmpp_client_send(fix->client, fix->elem), XMPP_OK);
    while (xmpp_test_conn_count_received(fix->conn) == before)
        fix_step(fix);
    last = xmpp_test_conn_get_received(fix->conn, before);
    assert_int_equal(xmpp_elem_get_kind(last), XMPP_MESSAGE);
    assert_int_equal(xmpp_client_get_state(fix->client), XMPP_STATE_READY);
}

static void test_child_of_fork(void **state)
{
    struct fix fix;

    (void)state;
    for (size_t i = 0; i < calls_count; i++) {
        int status;
        pid_t pid;

        if (!is_refused_in_child(&calls[i]))
            continue;
        fix_create(&fix, call_stage(&calls[i]));
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            run_child(&calls[i], &fix);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0)
            print_error("%s() in a child: status %#x\n", calls[i].name, (unsigned)status);
        assert_int_equal(status, 0);
        if (xmpp_client_get_state(fix.client) == XMPP_STATE_READY)
            check_session(&fix);
        fix_destroy(&fix);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_thread),
        cmocka_unit_test(test_child_of_fork),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
