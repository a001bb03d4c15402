#include "base/base64.h"

#include <xmpp/error.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

/* RFC 4648, section 10 */
static const char *const vectors[][2] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void test_base64_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        size_t len = strlen(vectors[i][0]);
        char text[20];
        uint8_t data[20];
        size_t n = 99;

        base64_encode(vectors[i][0], len, text);
        assert_string_equal(text, vectors[i][1]);
        assert_int_equal(base64_encoded_len(len), strlen(text));
        assert_int_equal(base64_decode(text, strlen(text), data, &n), XMPP_OK);
        assert_int_equal(n, len);
        assert_memory_equal(data, vectors[i][0], len);
    }
}

/* every value of every position, against the alphabet as the RFC prints it */
static void test_base64_alphabet(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    (void)state;
    for (uint32_t c = 0; c < 256; c++) {
        const char *at = c ? strchr(alphabet, (int)c) : NULL;

        for (unsigned pos = 0; pos < 4; pos++) {
            char text[5] = "AAAA";
            char back[5];
            uint8_t data[3];
            size_t n;

            text[pos] = (char)c;
            if (c == '=' && pos == 3)
                continue;
            assert_int_equal(base64_decode(text, 4, data, &n), at ? XMPP_OK : XMPP_ERR_INVAL);
            if (!at)
                continue;
            assert_int_equal((uint32_t)data[0] << 16 | (uint32_t)data[1] << 8 | data[2],
                             (uint32_t)(at - alphabet) << (18 - 6 * pos));
            base64_encode(data, 3, back);
            assert_string_equal(back, text);
        }
    }
}

static void test_base64_decode_strict(void **state)
{
    static const char *const bad[] = {
        "Z",      "Zg",   "Zg=",   "Zm8",      "=",    "==",       "====",     "Z===",
        "Zg==\n", " Zg=", "Zg= ",  "Zh==",     "Zm9=", "Zg==Zg==", "Zg=v",     "Zm=v",
        "Z=9v",   "=m9v", "Zm9v=", "Zm9v====", "Zm-_", "Zm9vZ",    "Zg==Zm9v", "Z\xC3\xA4v",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t data[20];
        size_t n = 99;

        assert_int_equal(base64_decode(bad[i], strlen(bad[i]), data, &n), XMPP_ERR_INVAL);
        assert_int_equal(n, 99);
    }
}

static void test_base64_nul_inside(void **state)
{
    uint8_t data[20];
    size_t n;

    (void)state;
    assert_int_equal(base64_decode("Zm\0v", 4, data, &n), XMPP_ERR_INVAL);
    assert_int_equal(base64_decode("Zm9vgarbage", 4, data, &n), XMPP_OK);
    assert_int_equal(n, 3);
}

static void test_base64_round_trip(void **state)
{
    uint8_t data[256];
    uint8_t back[256];
    char text[400];

    (void)state;
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 167 + 13);
    for (size_t len = 0; len <= sizeof data; len++) {
        size_t n;

        base64_encode(data, len, text);
        assert_int_equal(strlen(text), base64_encoded_len(len));
        assert_true(base64_decoded_max(strlen(text)) >= len);
        assert_int_equal(base64_decode(text, strlen(text), back, &n), XMPP_OK);
        assert_int_equal(n, len);
        assert_memory_equal(back, data, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_vectors),       cmocka_unit_test(test_base64_alphabet),
        cmocka_unit_test(test_base64_decode_strict), cmocka_unit_test(test_base64_nul_inside),
        cmocka_unit_test(test_base64_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
