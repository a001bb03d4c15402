#include <xmpp/base.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>

/* the number and the string are the same version */
static void test_version(void **state)
{
    uint32_t number = xmpp_version_number();
    char text[40];

    (void)state;
    assert_string_equal(xmpp_version_string(), "0.1.0");
    snprintf(text, sizeof text, "%u.%u.%u", number >> 16, number >> 8 & 0xFF, number & 0xFF);
    assert_string_equal(xmpp_version_string(), text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
