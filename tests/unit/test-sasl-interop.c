/* Our mechanisms against the server side of libsasl2. */
#include "base/mem.h"
#include "sasl/keys.h"
#include "sasl/mech.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sasl/sasl.h>

#include "sasl-server.h"
#include "support/torture.h"

struct result {
    int client; /* last result of the mechanism */
    int server; /* last result of the server */
    bool done; /* the mechanism believes it */
    unsigned works;
    char user[64]; /* whom the server has let in */
};

static int run_client(struct sasl *sasl, const char *in, unsigned len, bool final, struct buf *out,
                      unsigned *works)
{
    buf_truncate(out, 0);
    int r = sasl->ops->step(sasl, in, len, final, out);
    for (; r == SASL_RESULT_WORK; ++*works)
        r = sasl->ops->work(sasl, out);
    return r;
}

/* One login as an XMPP stream makes it: data with SASL_OK are the additional data of <success/>. */
static struct result login(const struct sasl_ops *ops, const char *mechanism,
                           const struct sasl_params *params, const struct server_options *options)
{
    struct result result = {.server = SASL_FAIL};
    struct server server;
    struct sasl *sasl = NULL;
    struct buf out;
    const char *in = NULL;
    unsigned in_len = 0;
    bool has = false;

    buf_init(&out, SIZE_MAX);
    server_open(&server, options);
    assert_int_equal(ops->create(&sasl, mechanism, params), XMPP_OK);
    result.client = ops->start(sasl, &out, &has);
    if (result.client == SASL_RESULT_RESPOND)
        result.server = server_start(
            &server, mechanism, has ? (buf_len(&out) ? (const char *)buf_peek(&out) : "") : NULL,
            buf_len(&out), &in, &in_len);
    while (result.client > 0 && result.server == SASL_CONTINUE) {
        assert_false(sasl->ops == &sasl_scram_ops && ops->is_done(sasl));
        result.client = run_client(sasl, in, in_len, false, &out, &result.works);
        if (result.client != SASL_RESULT_RESPOND)
            break;
        result.server = server_step(&server, buf_peek(&out), buf_len(&out), &in, &in_len);
    }
    if (result.server == SASL_OK && result.client > 0) {
        if (in || !ops->is_done(sasl))
            result.client = run_client(sasl, in, in_len, true, &out, &result.works);
        strcpy(result.user, server_user(&server));
    }
    result.done = ops->is_done(sasl);
    ops->free(sasl);
    server_close(&server);
    buf_wipe(&out);
    return result;
}

struct fixture {
    struct secret *secret;
    struct sasl_params params;
    struct server_options options;
};

static void fixture_init(struct fixture *fixture, const char *name, const char *password)
{
    *fixture =
        (struct fixture){.params = {.authcid = name, .domain = "example.org", .gs2_flag = 'n'}};
    assert_int_equal(secret_create(&fixture->secret, password, strlen(password)), XMPP_OK);
    fixture->params.secret = fixture->secret;
    fixture->params.tls_bits = 256;
    fixture->params.tls_version = 0x0304;
}

static void fixture_clear(struct fixture *fixture)
{
    fixture->secret = secret_free(fixture->secret);
}

static void assert_in(struct result result, const char *user)
{
    assert_int_equal(result.server, SASL_OK);
    assert_true(result.client > 0);
    assert_true(result.done);
    assert_string_equal(result.user, user);
}

static const char *const scram[] = {"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"};
static const char *const scram_plus[] = {"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS",
                                         "SCRAM-SHA-512-PLUS"};

/* SASL-01 */
static void test_interop_scram(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scram); i++)
        for (int flag = 0; flag < 2; flag++) {
            struct fixture f;
            fixture_init(&f, "user", "pencil");
            f.params.gs2_flag = flag ? 'y' : 'n';
            assert_in(login(&sasl_scram_ops, scram[i], &f.params, &f.options), "user");
            fixture_clear(&f);
        }
}

static void test_interop_scram_wrong_password(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scram); i++) {
        struct fixture f;
        fixture_init(&f, "user", "pencils");
        struct result result = login(&sasl_scram_ops, scram[i], &f.params, &f.options);
        assert_int_equal(result.server, SASL_BADAUTH);
        assert_false(result.done);
        fixture_clear(&f);
    }
}

static const char binding[] = "0123456789abcdef0123456789abcdef";

static void fixture_bind(struct fixture *f, const char *type)
{
    f->params.gs2_flag = 'p';
    f->params.cb_type = type;
    f->params.cb_data = binding;
    f->params.cb_len = 32;
    f->options.cb_type = type;
    f->options.cb_data = binding;
    f->options.cb_len = 32;
}

/* SASL-22 */
static void test_interop_scram_plus(void **state)
{
    static const char *const types[] = {"tls-exporter", "tls-unique", "tls-server-end-point"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scram_plus); i++)
        for (size_t k = 0; k < ARRAY_LEN(types); k++) {
            struct fixture f;
            fixture_init(&f, "user", "pencil");
            fixture_bind(&f, types[k]);
            assert_in(login(&sasl_scram_ops, scram_plus[i], &f.params, &f.options), "user");
            fixture_clear(&f);
        }
}

/* A relay: the bindings of its two TLS sessions differ. */
static void test_interop_scram_plus_relay(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scram_plus); i++) {
        struct fixture f;
        fixture_init(&f, "user", "pencil");
        fixture_bind(&f, "tls-exporter");
        f.options.cb_data = "another binding than the client ";
        struct result result = login(&sasl_scram_ops, scram_plus[i], &f.params, &f.options);
        assert_true(result.server < 0);
        assert_false(result.done);
        fixture_clear(&f);
    }
}

/* SASL-21 rule 2: the server sees the 'y' of a client from which -PLUS was hidden */
static void test_interop_scram_hidden_plus(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, "user", "pencil");
    f.params.gs2_flag = 'y';
    f.options.cb_type = "tls-exporter";
    f.options.cb_data = binding;
    f.options.cb_len = 32;
    struct result result = login(&sasl_scram_ops, "SCRAM-SHA-256", &f.params, &f.options);
    assert_true(result.server < 0);
    assert_false(result.done);
    /* 'n' is what a client says that does without */
    f.params.gs2_flag = 'n';
    assert_in(login(&sasl_scram_ops, "SCRAM-SHA-256", &f.params, &f.options), "user");
    fixture_clear(&f);
}

/* SASL-14: signs that are escaped, and long passwords */
static void test_interop_scram_names(void **state)
{
    static const char password[] = "a password that is longer than the block of any of the three "
                                   "hashes, which is 64 bytes for "
                                   "SHA-1 and for SHA-256 and 128 bytes for SHA-512, so that the "
                                   "key is hashed first: \xc3\xa4";

    (void)state;
    server_set_user("a=b,c", password);
    for (size_t i = 0; i < ARRAY_LEN(scram); i++) {
        struct fixture f;
        fixture_init(&f, "a=b,c", password);
        assert_in(login(&sasl_scram_ops, scram[i], &f.params, &f.options), "a=b,c");
        fixture_clear(&f);
    }
    server_set_user("user", "pencil");
}

static void test_interop_scram_authzid(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, "user", "pencil");
    f.params.authzid = "user";
    assert_in(login(&sasl_scram_ops, "SCRAM-SHA-256", &f.params, &f.options), "user");
    fixture_clear(&f);
}

/* SASL-20. libsasl2 makes a new salt for each exchange with a plain password, so keys do not fit again: the
 * password is asked for, and the login works. */
static void test_interop_scram_keys(void **state)
{
    struct sasl_keys *keys = NULL;
    struct fixture f;

    (void)state;
    assert_int_equal(sasl_keys_create(&keys), XMPP_OK);
    fixture_init(&f, "user", "pencil");
    f.params.keys = keys;
    for (int i = 0; i < 3; i++) {
        struct result result = login(&sasl_scram_ops, "SCRAM-SHA-512", &f.params, &f.options);
        assert_in(result, "user");
        assert_true(sasl_keys_has(keys));
    }
    fixture_clear(&f);
    sasl_keys_unref(keys);
}

static void test_interop_plain(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, "user", "pencil");
    assert_in(login(&sasl_plain_ops, "PLAIN", &f.params, &f.options), "user");
    f.params.authzid = "user";
    assert_in(login(&sasl_plain_ops, "PLAIN", &f.params, &f.options), "user");
    fixture_clear(&f);
    fixture_init(&f, "user", "pen");
    assert_int_equal(login(&sasl_plain_ops, "PLAIN", &f.params, &f.options).server, SASL_BADAUTH);
    fixture_clear(&f);
}

static void test_interop_external(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, "user", "unused");
    f.options.external = "user";
    assert_in(login(&sasl_external_ops, "EXTERNAL", &f.params, &f.options), "user");
    f.params.authzid = "user";
    assert_in(login(&sasl_external_ops, "EXTERNAL", &f.params, &f.options), "user");
    f.params.authzid = "other";
    assert_true(login(&sasl_external_ops, "EXTERNAL", &f.params, &f.options).server < 0);
    fixture_clear(&f);
}

static void test_interop_anonymous(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, "", "unused");
    assert_in(login(&sasl_anonymous_ops, "ANONYMOUS", &f.params, &f.options), "anonymous");
    fixture_clear(&f);
}

/* Through libsasl2 on both sides */
static void test_interop_digest_md5(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, "user", "pencil");
    struct result result = login(&sasl_cyrus_ops, "DIGEST-MD5", &f.params, &f.options);
    assert_in(result, "user");
    fixture_clear(&f);
    fixture_init(&f, "user", "pencils");
    result = login(&sasl_cyrus_ops, "DIGEST-MD5", &f.params, &f.options);
    assert_true(result.server < 0);
    assert_false(result.done);
    fixture_clear(&f);
}

static void test_interop_cram_md5(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, "user", "pencil");
    assert_in(login(&sasl_cyrus_ops, "CRAM-MD5", &f.params, &f.options), "user");
    fixture_clear(&f);
}

static int setup(void **state)
{
    (void)state;
    server_init();
    return 0;
}

int main(void)
{
    torture_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interop_scram),
        cmocka_unit_test(test_interop_scram_wrong_password),
        cmocka_unit_test(test_interop_scram_plus),
        cmocka_unit_test(test_interop_scram_plus_relay),
        cmocka_unit_test(test_interop_scram_hidden_plus),
        cmocka_unit_test(test_interop_scram_names),
        cmocka_unit_test(test_interop_scram_authzid),
        cmocka_unit_test(test_interop_scram_keys),
        cmocka_unit_test(test_interop_plain),
        cmocka_unit_test(test_interop_external),
        cmocka_unit_test(test_interop_anonymous),
        cmocka_unit_test(test_interop_digest_md5),
        cmocka_unit_test(test_interop_cram_md5),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
