#include "base/error.h"

#include "base/limits.h"
#include "support/torture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const int codes[] = {
    XMPP_OK,         XMPP_ERR_NOMEM,    XMPP_ERR_INVAL,  XMPP_ERR_STATE,    XMPP_ERR_BUSY,
    XMPP_ERR_THREAD, XMPP_ERR_SEALED,   XMPP_ERR_LIMIT,  XMPP_ERR_TIMEOUT,  XMPP_ERR_CANCELLED,
    XMPP_ERR_CLOSED, XMPP_ERR_NOTFOUND, XMPP_ERR_SYSTEM, XMPP_ERR_DNS,      XMPP_ERR_TLS,
    XMPP_ERR_CERT,   XMPP_ERR_AUTH,     XMPP_ERR_XML,    XMPP_ERR_PROTOCOL, XMPP_ERR_STREAM,
    XMPP_ERR_STANZA, XMPP_ERR_JID,
};

static void test_err_names(void **state)
{
    (void)state;
    assert_string_equal(xmpp_err_name(XMPP_OK), "XMPP_OK");
    assert_string_equal(xmpp_err_name(XMPP_ERR_NOMEM), "XMPP_ERR_NOMEM");
    assert_string_equal(xmpp_err_name(XMPP_ERR_JID), "XMPP_ERR_JID");
    assert_string_equal(xmpp_err_text(XMPP_ERR_NOMEM), "out of memory");
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        assert_string_not_equal(xmpp_err_name(codes[i]), "XMPP_ERR_UNKNOWN");
        assert_string_not_equal(xmpp_err_text(codes[i]), "");
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(xmpp_err_name(codes[i]), xmpp_err_name(codes[k]));
            assert_string_not_equal(xmpp_err_text(codes[i]), xmpp_err_text(codes[k]));
        }
    }
    assert_string_equal(xmpp_err_name(-999), "XMPP_ERR_UNKNOWN");
    assert_string_equal(xmpp_err_text(1), "unknown error");
}

static void test_phase_names(void **state)
{
    (void)state;
    assert_string_equal(xmpp_phase_name(XMPP_PHASE_NONE), "none");
    assert_string_equal(xmpp_phase_name(XMPP_PHASE_RESOLVING), "resolving");
    assert_string_equal(xmpp_phase_name(XMPP_PHASE_CONNECTING), "connecting");
    assert_string_equal(xmpp_phase_name(XMPP_PHASE_SECURING), "securing");
    assert_string_equal(xmpp_phase_name(XMPP_PHASE_AUTHENTICATING), "authenticating");
    assert_string_equal(xmpp_phase_name(XMPP_PHASE_BINDING), "binding");
    assert_string_equal(xmpp_phase_name(XMPP_PHASE_READY), "ready");
    assert_string_equal(xmpp_phase_name(XMPP_PHASE_CLOSING), "closing");
    assert_string_equal(xmpp_phase_name(8), "unknown");
    assert_string_equal(xmpp_phase_name(-1), "unknown");
}

static void test_error_null(void **state)
{
    const char *target = "untouched";

    (void)state;
    assert_null(xmpp_error_ref(NULL));
    assert_null(xmpp_error_unref(NULL));
    assert_int_equal(xmpp_error_get_code(NULL), XMPP_OK);
    assert_int_equal(xmpp_error_get_number(NULL), 0);
    assert_int_equal(xmpp_error_get_phase(NULL), 0);
    assert_int_equal(xmpp_error_get_cert_problems(NULL), 0);
    assert_null(xmpp_error_get_type(NULL));
    assert_null(xmpp_error_get_condition(NULL));
    assert_null(xmpp_error_get_peer_text(NULL));
    assert_null(xmpp_error_get_elem(NULL));
    assert_string_equal(xmpp_error_get_text(NULL), "success");
    assert_int_equal(xmpp_error_count_attempts(NULL), 0);
    assert_null(xmpp_error_get_attempt(NULL, 0, &target));
    assert_string_equal(target, "untouched");
}

static void test_error_create_details(void **state)
{
    xmpp_error *error = error_create(XMPP_ERR_SYSTEM, XMPP_PHASE_NONE, "%s: %d", "connect", 111);

    (void)state;
    assert_int_equal(xmpp_error_get_code(error), XMPP_ERR_SYSTEM);
    assert_string_equal(xmpp_error_get_text(error), "connect: 111");
    assert_int_equal(xmpp_error_get_number(error), 0);
    assert_null(xmpp_error_get_type(error));
    assert_null(xmpp_error_get_condition(error));
    assert_null(xmpp_error_get_peer_text(error));

    error_set_number(error, 111);
    error_set_phase(error, XMPP_PHASE_CONNECTING);
    error_set_phase(error, XMPP_PHASE_READY); /* it has one */
    error_set_condition(error, "cancel", "item-not-found");
    error_set_condition(error, "wait", "gone");
    error_set_peer_text(error, "go away");
    error_set_cert_problems(error, 10);
    assert_int_equal(xmpp_error_get_number(error), 111);
    assert_int_equal(xmpp_error_get_phase(error), XMPP_PHASE_CONNECTING);
    assert_string_equal(xmpp_error_get_type(error), "wait");
    assert_string_equal(xmpp_error_get_condition(error), "gone");
    assert_string_equal(xmpp_error_get_peer_text(error), "go away");
    assert_int_equal(xmpp_error_get_cert_problems(error), 10);
    error_set_condition(error, NULL, "conflict");
    assert_null(xmpp_error_get_type(error));

    assert_ptr_equal(xmpp_error_ref(error), error);
    assert_null(xmpp_error_unref(error));
    assert_string_equal(xmpp_error_get_condition(error), "conflict");
    assert_null(xmpp_error_unref(error));
}

static void test_error_create_long_text(void **state)
{
    char text[5001];
    xmpp_error *error;

    (void)state;
    memset(text, 'x', 5000);
    text[5000] = '\0';
    error = error_create(XMPP_ERR_TLS, XMPP_PHASE_SECURING, "<%s>", text);
    assert_int_equal(strlen(xmpp_error_get_text(error)), LIMIT_ERROR_TEXT);
    xmpp_error_unref(error);
}

/* SEC-31: what of the peer is in a text cannot look like lines of the program, nor steer a terminal */
static void test_error_create_tames_text(void **state)
{
    xmpp_error *error = error_create(XMPP_ERR_STREAM, XMPP_PHASE_READY, "it said \"%s\" (%.2s)",
                                     "no\n\x1B[2Jlogged in\xE2\x80\xAE", "a\xC3\xA4");
    const char *target;

    (void)state;
    assert_string_equal(xmpp_error_get_text(error), "it said \"no  [2Jlogged in?\" (a?)");
    error_add_attempt(error, "x\n[127.0.0.1]:5222", error_nomem());
    assert_non_null(xmpp_error_get_attempt(error, 0, &target));
    assert_string_equal(target, "x [127.0.0.1]:5222");
    xmpp_error_unref(error);
}

static unsigned elem_unrefs;
static char elem_dummy[2];

static xmpp_elem *elem_unref(xmpp_elem *elem)
{
    assert_true((char *)elem == elem_dummy || (char *)elem == elem_dummy + 1);
    elem_unrefs++;
    return NULL;
}

static void test_error_set_elem(void **state)
{
    const xmpp_elem *first = (const xmpp_elem *)elem_dummy;
    const xmpp_elem *second = (const xmpp_elem *)(elem_dummy + 1);
    xmpp_error *error = error_create(XMPP_ERR_STANZA, XMPP_PHASE_READY, "x");

    (void)state;
    elem_unrefs = 0;
    error_set_elem(error, first, elem_unref);
    assert_ptr_equal(xmpp_error_get_elem(error), first);
    error_set_elem(error, second, elem_unref);
    assert_int_equal(elem_unrefs, 1);
    xmpp_error_unref(error);
    assert_int_equal(elem_unrefs, 2);
    error_set_elem(error_nomem(), first, elem_unref);
    assert_int_equal(elem_unrefs, 3);
    assert_null(xmpp_error_get_elem(error_nomem()));
}

static void test_error_attempts(void **state)
{
    xmpp_error *error = error_create(XMPP_ERR_SYSTEM, XMPP_PHASE_CONNECTING, "nothing answered");
    xmpp_error *failure = error_create(XMPP_ERR_SYSTEM, XMPP_PHASE_CONNECTING, "refused");
    const char *target = NULL;
    char name[20];

    (void)state;
    for (int i = 0; i < LIMIT_ATTEMPTS + 5; i++) {
        snprintf(name, sizeof name, "host-%d", i);
        error_add_attempt(error, name, i % 2 ? failure : error_nomem());
    }
    xmpp_error_unref(failure); /* the attempts hold it */
    assert_int_equal(xmpp_error_count_attempts(error), LIMIT_ATTEMPTS);
    assert_ptr_equal(xmpp_error_get_attempt(error, 0, NULL), error_nomem());
    assert_ptr_equal(xmpp_error_get_attempt(error, 7, &target), failure);
    assert_string_equal(target, "host-7");
    assert_string_equal(xmpp_error_get_text(xmpp_error_get_attempt(error, 9, NULL)), "refused");
    assert_null(xmpp_error_get_attempt(error, LIMIT_ATTEMPTS, &target));
    xmpp_error_unref(error);
}

static void test_error_nomem_is_immutable(void **state)
{
    xmpp_error *error = error_nomem();

    (void)state;
    error_set_number(error, 5);
    error_set_phase(error, XMPP_PHASE_READY);
    error_set_condition(error, "wait", "gone");
    error_set_peer_text(error, "x");
    error_set_cert_problems(error, 1);
    error_add_attempt(error, "x", error);
    assert_int_equal(xmpp_error_get_code(error), XMPP_ERR_NOMEM);
    assert_string_equal(xmpp_error_get_text(error), "out of memory");
    assert_int_equal(xmpp_error_get_number(error), 0);
    assert_int_equal(xmpp_error_get_phase(error), XMPP_PHASE_NONE);
    assert_null(xmpp_error_get_condition(error));
    assert_null(xmpp_error_get_peer_text(error));
    assert_int_equal(xmpp_error_get_cert_problems(error), 0);
    assert_int_equal(xmpp_error_count_attempts(error), 0);
    assert_ptr_equal(xmpp_error_ref(error), error);
    for (int i = 0; i < 10; i++)
        assert_null(xmpp_error_unref(error));
    assert_int_equal(xmpp_error_get_code(error), XMPP_ERR_NOMEM);
}

static void test_error_create_without_memory(void **state)
{
    xmpp_error *error;

    (void)state;
    torture_fail_at(1, true);
    error = error_create(XMPP_ERR_TLS, XMPP_PHASE_SECURING, "x");
    assert_ptr_equal(error, error_nomem());
    torture_fail_at(2, true); /* the object, but not its text */
    error = error_create(XMPP_ERR_TLS, XMPP_PHASE_SECURING, "x");
    torture_fail_at(0, false);
    assert_int_equal(xmpp_error_get_code(error), XMPP_ERR_TLS);
    assert_string_equal(xmpp_error_get_text(error), xmpp_err_text(XMPP_ERR_TLS));
    xmpp_error_unref(error);
}

static int scenario(void *user_data)
{
    xmpp_error *error = error_create(XMPP_ERR_SYSTEM, XMPP_PHASE_NONE, "text %d", 1);
    xmpp_error *failure = error_create(XMPP_ERR_DNS, XMPP_PHASE_RESOLVING, "none");
    bool complete;

    (void)user_data;
    error_set_condition(error, "cancel", "gone");
    error_set_peer_text(error, "text");
    error_set_elem(error, (const xmpp_elem *)elem_dummy, elem_unref);
    for (int i = 0; i < 9; i++)
        error_add_attempt(error, "target", failure);
    complete = xmpp_error_count_attempts(error) == 9 && xmpp_error_get_condition(error) &&
               xmpp_error_get_type(error) && xmpp_error_get_peer_text(error);
    xmpp_error_unref(failure);
    xmpp_error_unref(error);
    return complete ? XMPP_OK : XMPP_ERR_NOMEM;
}

static void test_error_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_err_names),
        cmocka_unit_test(test_phase_names),
        cmocka_unit_test(test_error_null),
        cmocka_unit_test(test_error_create_details),
        cmocka_unit_test(test_error_create_long_text),
        cmocka_unit_test(test_error_create_tames_text),
        cmocka_unit_test(test_error_set_elem),
        cmocka_unit_test(test_error_attempts),
        cmocka_unit_test(test_error_nomem_is_immutable),
        cmocka_unit_test(test_error_create_without_memory),
        cmocka_unit_test(test_error_out_of_memory),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
