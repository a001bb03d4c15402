#include "base/mem.h"
#include "base/rand.h"
#include "sasl/derive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "support/torture.h"
#include <xmpp/error.h>

static const char *const names[] = {"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"};

static void test_derive_hash_of_names(void **state)
{
    bool plus = true;

    (void)state;
    assert_string_equal(derive_hash_of("SCRAM-SHA-1", &plus)->name, "SHA-1");
    assert_false(plus);
    assert_string_equal(derive_hash_of("SCRAM-SHA-256-PLUS", &plus)->name, "SHA-256");
    assert_true(plus);
    assert_string_equal(derive_hash_of("SCRAM-SHA-512", &plus)->name, "SHA-512");
    assert_int_equal(derive_hash_of("SCRAM-SHA-512", &plus)->len, 64);
    assert_null(derive_hash_of("SCRAM-SHA-384", &plus));
    assert_null(derive_hash_of("SCRAM-SHA-1-PLUSX", &plus));
    assert_null(derive_hash_of("SCRAM-SHA-10", &plus));
    assert_null(derive_hash_of("scram-sha-1", &plus));
    assert_null(derive_hash_of("PLAIN", &plus));
    assert_null(derive_hash_of("", &plus));
}

static void check_pbkdf2(const struct derive_hash *hash, const char *password, size_t password_len,
                         const uint8_t *salt, size_t salt_len, unsigned iterations)
{
    struct derive derive;
    uint8_t expected[DERIVE_HASH_MAX];
    unsigned slices = 0;
    bool done = false;
    gnutls_datum_t key = {(unsigned char *)(uintptr_t)password, (unsigned)password_len};
    gnutls_datum_t salt_datum = {(unsigned char *)(uintptr_t)salt, (unsigned)salt_len};

    derive_init(&derive);
    assert_int_equal(
        derive_begin(&derive, hash, password, password_len, salt, salt_len, iterations), XMPP_OK);
    while (!done) {
        assert_int_equal(derive_slice(&derive, &done), XMPP_OK);
        slices++;
    }
    /* SASL-19: a slice is of fixed size */
    assert_in_range(slices, iterations / 1024, iterations / 256 + 1);
    assert_int_equal(gnutls_pbkdf2((gnutls_mac_algorithm_t)hash->mac, &key, &salt_datum, iterations,
                                   expected, hash->len),
                     0);
    assert_memory_equal(derive_get_salted(&derive), expected, hash->len);
    derive_clear(&derive);
    derive_clear(&derive); /* twice does no harm */
}

static void test_derive_slice_is_pbkdf2(void **state)
{
    static const unsigned border[] = {1, 2, 511, 512, 513, 514, 1024, 1025, 4096};
    uint8_t salt[1024];
    char password[200];
    bool plus;

    (void)state;
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        const struct derive_hash *hash = derive_hash_of(names[n], &plus);
        assert_int_equal(rand_bytes(salt, sizeof salt), XMPP_OK);
        for (size_t i = 0; i < ARRAY_LEN(border); i++)
            check_pbkdf2(hash, "pencil", 6, salt, 16, border[i]);
        for (int i = 0; i < 12; i++) {
            /* longer than the block of the hash, too */
            size_t len = 1 + rand_below(sizeof password);
            assert_int_equal(rand_bytes(password, len), XMPP_OK);
            assert_int_equal(rand_bytes(salt, sizeof salt), XMPP_OK);
            check_pbkdf2(hash, password, len, salt, 1 + rand_below(sizeof salt),
                         1 + rand_below(6000));
        }
    }
}

/* RFC 6070 and RFC 7914 11 */
static void test_derive_slice_vectors(void **state)
{
    struct derive derive;
    bool done = false;
    bool plus;
    static const uint8_t sha1_4096[] = {0x4b, 0x00, 0x79, 0x01, 0xb7, 0x65, 0x48, 0x9a, 0xbe, 0xad,
                                        0x49, 0xd9, 0x26, 0xf7, 0x21, 0xd0, 0x65, 0xa4, 0x29, 0xc1};
    static const uint8_t sha256_1[] = {0x55, 0xac, 0x04, 0x6e, 0x56, 0xe3, 0x08, 0x9f,
                                       0xec, 0x16, 0x91, 0xc2, 0x25, 0x44, 0xb6, 0x05};

    (void)state;
    derive_init(&derive);
    assert_int_equal(
        derive_begin(&derive, derive_hash_of("SCRAM-SHA-1", &plus), "password", 8, "salt", 4, 4096),
        XMPP_OK);
    while (!done)
        assert_int_equal(derive_slice(&derive, &done), XMPP_OK);
    assert_memory_equal(derive_get_salted(&derive), sha1_4096, sizeof sha1_4096);

    /* begin again without clear */
    assert_int_equal(
        derive_begin(&derive, derive_hash_of("SCRAM-SHA-256", &plus), "passwd", 6, "salt", 4, 1),
        XMPP_OK);
    assert_int_equal(derive_slice(&derive, &done), XMPP_OK);
    assert_true(done);
    assert_memory_equal(derive_get_salted(&derive), sha256_1, sizeof sha256_1);
    derive_clear(&derive);
}

static void make_keys(const char *mechanism, const char *salt, size_t salt_len,
                      struct derive_keys *ret)
{
    struct derive derive;
    bool done = false;
    bool plus;

    derive_init(&derive);
    assert_int_equal(
        derive_begin(&derive, derive_hash_of(mechanism, &plus), "pencil", 6, salt, salt_len, 4096),
        XMPP_OK);
    while (!done)
        assert_int_equal(derive_slice(&derive, &done), XMPP_OK);
    assert_int_equal(derive_finish(&derive, ret), XMPP_OK);
    derive_clear(&derive);
}

static void check_prove(const char *auth, const char *proof64, const char *signature64)
{
    /* QSXCR+Q6sek8bf92 */
    static const char salt[] = "\x41\x25\xc2\x47\xe4\x3a\xb1\xe9\x3c\x6d\xff\x76";
    struct derive_keys keys;
    uint8_t proof[DERIVE_HASH_MAX];
    uint8_t signature[DERIVE_HASH_MAX];
    gnutls_datum_t text;
    bool plus;
    const struct derive_hash *hash = derive_hash_of("SCRAM-SHA-1", &plus);

    make_keys("SCRAM-SHA-1", salt, sizeof salt - 1, &keys);
    assert_int_equal(derive_prove(hash, &keys, auth, strlen(auth), proof, signature), XMPP_OK);
    gnutls_datum_t data = {proof, (unsigned)hash->len};
    assert_int_equal(gnutls_base64_encode2(&data, &text), 0);
    assert_string_equal((char *)text.data, proof64);
    gnutls_free(text.data);
    data.data = signature;
    assert_int_equal(gnutls_base64_encode2(&data, &text), 0);
    assert_string_equal((char *)text.data, signature64);
    gnutls_free(text.data);
}

/* the example of RFC 5802 section 5 */
static void test_derive_prove_rfc5802(void **state)
{
    (void)state;
    check_prove("n=user,r=fyko+d2lbbFgONRv9qkxdawL,"
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,"
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
                "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ=");
}

/* XEP-0474 6.3: the client of that example has an extension of its own in its last message */
static void test_derive_prove_xep0474(void **state)
{
    (void)state;
    check_prove("n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6,"
                "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,"
                "s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=,"
                "c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,"
                "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,"
                "x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3",
                "M/SIDjT+dfcxUh89jZEypRvFxB4=", "MQrMPvv7yv4x4Cq4W4Ih25EqS2c=");
}

int main(void)
{
    torture_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_derive_hash_of_names), cmocka_unit_test(test_derive_slice_is_pbkdf2),
        cmocka_unit_test(test_derive_slice_vectors), cmocka_unit_test(test_derive_prove_rfc5802),
        cmocka_unit_test(test_derive_prove_xep0474),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
