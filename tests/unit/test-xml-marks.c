#include "xml/marks.h"

#include "support/torture.h"
#include "xml-tools.h"

/* The definition, byte by byte. */
static bool is_mark(unsigned char c)
{
    return strchr("<>&'\"=]", c) && c != '\0';
}

static bool may_be_marked(unsigned char c)
{
    return is_mark(c) || c == '#' || c == '?';
}

/* Each byte in each place, alone and in front of others: nothing is missed, and nothing else is found first. */
static void check_all(unsigned (*find)(const char *data), bool (*must)(unsigned char c),
                      bool (*may)(unsigned char c))
{
    static const char around[] = {'a', '\x80', '\xFF', '!', ';', '@', '<', '\x1F'};

    for (size_t i = 0; i < sizeof around; i++) {
        for (unsigned c = 0; c < 256; c++) {
            for (unsigned at = 0; at < MARKS_BLOCK; at++) {
                char data[MARKS_BLOCK];
                unsigned found;

                memset(data, 'a', sizeof data);
                memset(data + at, around[i], sizeof data - at);
                data[at] = (char)c;
                found = find(data);
                assert_true(found >> MARKS_BLOCK == 0);
                assert_int_equal(found & ((1u << at) - 1), 0);
                if (must((unsigned char)c))
                    assert_true(found >> at & 1);
                else if (!may((unsigned char)c))
                    assert_false(found >> at & 1);
                if (at + 1 < MARKS_BLOCK && must((unsigned char)around[i]))
                    assert_int_equal(found >> (at + 1), (1u << (MARKS_BLOCK - at - 1)) - 1);
            }
        }
    }
}

static bool is_control(unsigned char c)
{
    return c < 0x20;
}

/* Both ways to do it, whatever the machine takes. */
static void test_marks_find_each_byte(void **state)
{
    (void)state;
    check_all(marks_find, is_mark, may_be_marked);
    check_all(marks_find_portably, is_mark, may_be_marked);
}

static void test_marks_find_controls_each_byte(void **state)
{
    (void)state;
    check_all(marks_find_controls, is_control, is_control);
    check_all(marks_find_controls_portably, is_control, is_control);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks_find_each_byte),
        cmocka_unit_test(test_marks_find_controls_each_byte),
    };

    torture_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
