#include "sasl/scram.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "sasl/keys.h"
#include "sasl/select.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <time.h>

#include "support/torture.h"

/* The example of RFC 5802 section 5 */
#define NONCE "fyko+d2lbbFgONRv9qkxdawL"
#define BOTH  NONCE "3rfcNHYJY1ZVvWVs7j"
#define SALT  "QSXCR+Q6sek8bf92"
#define FIRST "r=" BOTH ",s=" SALT ",i=4096"
#define PROOF "c=biws,r=" BOTH ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
#define FINAL "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="

struct login {
    struct sasl_params params;
    struct secret *secret;
    struct sasl *sasl;
    struct buf out;
    unsigned works;
};

static void login_init(struct login *login, const char *password)
{
    *login =
        (struct login){.params = {.authcid = "user", .domain = "example.org", .gs2_flag = 'n'}};
    buf_init(&login->out, SIZE_MAX);
    if (password) {
        assert_int_equal(secret_create(&login->secret, password, strlen(password)), XMPP_OK);
        login->params.secret = login->secret;
    }
}

static void login_clear(struct login *login)
{
    if (login->sasl)
        login->sasl->ops->free(login->sasl);
    login->sasl = NULL;
    buf_wipe(&login->out);
    login->secret = secret_free(login->secret);
}

static int login_start(struct login *login, const char *mechanism, const char *nonce)
{
    bool has = false;

    int r = sasl_scram_ops.create(&login->sasl, mechanism, &login->params);
    if (r < 0)
        return r;
    assert_ptr_equal(login->sasl->ops, &sasl_scram_ops);
    if (nonce)
        r = scram_set_nonce(login->sasl, nonce);
    if (r < 0)
        return r;
    buf_truncate(&login->out, 0);
    r = login->sasl->ops->start(login->sasl, &login->out, &has);
    if (r >= 0) {
        assert_int_equal(r, SASL_RESULT_RESPOND);
        assert_true(has);
    }
    return r;
}

/* A step with all the computing that it needs. */
static int login_step(struct login *login, const char *in, size_t len, bool final)
{
    struct sasl *sasl = login->sasl;

    buf_truncate(&login->out, 0);
    login->works = 0;
    int r = sasl->ops->step(sasl, in, len, final, &login->out);
    while (r == SASL_RESULT_WORK) {
        assert_int_equal(buf_len(&login->out), 0);
        assert_false(sasl->ops->is_done(sasl));
        r = sasl->ops->work(sasl, &login->out);
        login->works++;
    }
    if (r < 0) {
        /* a failure is final, says why, and leaves nothing in out */
        assert_int_equal(buf_len(&login->out), 0);
        assert_false(sasl->ops->is_done(sasl));
        assert_true(*sasl->ops->reason(sasl) != '\0');
        assert_int_equal(sasl->ops->step(sasl, FINAL, strlen(FINAL), true, &login->out), r);
        assert_int_equal(sasl->ops->work(sasl, &login->out), r);
        assert_false(sasl->ops->is_done(sasl));
    }
    return r;
}

static int login_text(struct login *login, const char *text, bool final)
{
    return login_step(login, text, strlen(text), final);
}

static void assert_out(const struct login *login, const char *expected)
{
    assert_int_equal(buf_len(&login->out), strlen(expected));
    assert_memory_equal(buf_peek(&login->out), expected, strlen(expected));
}

static bool is_done(const struct login *login)
{
    return login->sasl->ops->is_done(login->sasl);
}

static const char *reason(const struct login *login)
{
    return login->sasl->ops->reason(login->sasl);
}

/* --- vectors --- */

/* SASL-01 */
static void test_scram_rfc5802(void **state)
{
    struct login login;

    (void)state;
    login_init(&login, "pencil");
    assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
    assert_out(&login, "n,,n=user,r=" NONCE);
    assert_int_equal(login_text(&login, FIRST, false), SASL_RESULT_RESPOND);
    assert_out(&login, PROOF);
    assert_false(is_done(&login));
    assert_int_equal(login_text(&login, FINAL, true), SASL_RESULT_DONE);
    assert_int_equal(buf_len(&login.out), 0);
    assert_true(is_done(&login));
    login_clear(&login);
}

static void test_scram_rfc7677(void **state)
{
    struct login login;

    (void)state;
    login_init(&login, "pencil");
    assert_int_equal(login_start(&login, "SCRAM-SHA-256", "rOprNGfwEbeRWgbNEkqO"),
                     SASL_RESULT_RESPOND);
    assert_out(&login, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    assert_int_equal(login_text(&login,
                                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                                false),
                     SASL_RESULT_RESPOND);
    assert_out(&login, "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                       "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    assert_int_equal(login_text(&login, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", true),
                     SASL_RESULT_DONE);
    assert_true(is_done(&login));
    login_clear(&login);
}

#define XEP_NONCE "12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6"
#define XEP_BOTH  XEP_NONCE "a09117a6-ac50-4f2f-93f1-93799c2bddf6"
#define XEP_FIRST "r=" XEP_BOTH ",s=" SALT ",i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08="
#define XEP_C     "c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB"

static const char xep_binding[] = "THIS IS FAKE CB DATA";

static void xep_init(struct login *login)
{
    login_init(login, "pencil");
    login->params.gs2_flag = 'p';
    login->params.cb_type = "tls-exporter";
    login->params.cb_data = xep_binding;
    login->params.cb_len = strlen(xep_binding);
    login->params.tls_version = 0x0304;
    login->params.ssdp = "SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point";
}

/* XEP-0515: h= and t= are right. SASL-22, SASL-24 */
static void test_scram_xep0515(void **state)
{
    struct login login;

    (void)state;
    xep_init(&login);
    assert_int_equal(login_start(&login, "SCRAM-SHA-1-PLUS", XEP_NONCE), SASL_RESULT_RESPOND);
    assert_out(&login, "p=tls-exporter,,n=user,r=" XEP_NONCE);
    assert_int_equal(login_text(&login, XEP_FIRST ",t=0304", false), SASL_RESULT_RESPOND);
    assert_out(&login, XEP_C ",r=" XEP_BOTH ",p=KHUfN8dSy1K95crT4D5y1ItLJfs=");
    assert_int_equal(login_text(&login, "v=3w34ZIMVRkx2f2Ozb3/ecRPVdv4=", true), SASL_RESULT_DONE);
    login_clear(&login);
}

/* XEP-0474 6.3: its h= is accepted; the proof of that example, which has an extension, is in test-sasl-derive */
static void test_scram_xep0474(void **state)
{
    struct login login;

    (void)state;
    xep_init(&login);
    assert_int_equal(login_start(&login, "SCRAM-SHA-1-PLUS", XEP_NONCE), SASL_RESULT_RESPOND);
    assert_int_equal(login_text(&login, XEP_FIRST, false), SASL_RESULT_RESPOND);
    assert_memory_equal(buf_peek(&login.out),
                        XEP_C ",r=" XEP_BOTH ",p=", strlen(XEP_C ",r=" XEP_BOTH ",p="));
    login_clear(&login);
}

/* SASL-24, SEC-11 */
static void test_scram_downgrade_is_found(void **state)
{
    static const struct {
        const char *ssdp;
        int tls;
        const char *first;
    } rows[] = {
        /* -PLUS was taken out of the list, types were taken out, types were changed, nothing is left */
        {"SCRAM-SHA-1\x1ftls-exporter\x1etls-server-end-point", 0x0304, XEP_FIRST},
        {"SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS", 0x0304, XEP_FIRST},
        {"SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-server-end-point", 0x0304, XEP_FIRST},
        {"", 0x0304, XEP_FIRST},
        /* TLS version */
        {NULL, 0x0303, XEP_FIRST ",t=0304"},
        {NULL, 0, XEP_FIRST ",t=0304"},
        {NULL, 0x0304, XEP_FIRST ",t=0303"},
        {NULL, 0x0304, XEP_FIRST ",t=304"},
        {NULL, 0x0304, XEP_FIRST ",t=00304"},
        {NULL, 0x0a0b, XEP_FIRST ",t=0A0B"},
        /* a hash that is not one */
        {"x", 0x0304, "r=" XEP_BOTH ",s=" SALT ",i=4096,h=x"},
        {"x", 0x0304, "r=" XEP_BOTH ",s=" SALT ",i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=="},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct login login;
        xep_init(&login);
        login.params.ssdp = rows[i].ssdp;
        login.params.tls_version = rows[i].tls;
        assert_int_equal(login_start(&login, "SCRAM-SHA-1-PLUS", XEP_NONCE), SASL_RESULT_RESPOND);
        assert_int_equal(login_text(&login, rows[i].first, false), XMPP_ERR_AUTH);
        assert_non_null(strstr(reason(&login), "downgrade"));
        login_clear(&login);
    }
}

/* --- first message --- */

static void test_scram_start_escapes_names(void **state)
{
    struct login login;

    (void)state;
    login_init(&login, "pencil");
    login.params.authcid = "a=b,c==";
    login.params.authzid = "x,y@example.org";
    login.params.gs2_flag = 'y';
    assert_int_equal(login_start(&login, "SCRAM-SHA-512", NONCE), SASL_RESULT_RESPOND);
    assert_out(&login, "y,a=x=2Cy@example.org,n=a=3Db=2Cc=3D=3D,r=" NONCE); /* SASL-14, SASL-08 */
    login_clear(&login);
}

/* SASL-15 */
static void test_scram_start_nonce_is_fresh(void **state)
{
    char seen[2][128];

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct login login;
        login_init(&login, "pencil");
        assert_int_equal(login_start(&login, "SCRAM-SHA-1", NULL), SASL_RESULT_RESPOND);
        size_t len = buf_len(&login.out);
        assert_in_range(len, strlen("n,,n=user,r=") + 24, sizeof seen[i] - 1);
        memcpy(seen[i], buf_peek(&login.out), len);
        seen[i][len] = '\0';
        const char *nonce = seen[i] + strlen("n,,n=user,r=");
        assert_null(strchr(nonce, ','));
        assert_int_equal(strlen(nonce), 32);
        login_clear(&login);
    }
    assert_string_not_equal(seen[0], seen[1]);
}

static void test_scram_create_unknown_name(void **state)
{
    struct sasl_params params = {.authcid = "user"};
    struct sasl *sasl = NULL;

    (void)state;
    assert_int_equal(sasl_scram_ops.create(&sasl, "SCRAM-SHA-384", &params), XMPP_ERR_NOTFOUND);
    assert_int_equal(sasl_scram_ops.create(&sasl, "PLAIN", &params), XMPP_ERR_NOTFOUND);
    assert_null(sasl);
    sasl_scram_ops.free(NULL);
}

static void test_scram_start_inconsistent(void **state)
{
    static const struct {
        const char *mechanism;
        char flag;
        const char *type;
        size_t len;
        const char *name;
    } rows[] = {
        {"SCRAM-SHA-1", 'p', "tls-unique", 4, "user"},
        {"SCRAM-SHA-1", '\0', NULL, 0, "user"},
        {"SCRAM-SHA-1-PLUS", 'n', "tls-unique", 4, "user"},
        {"SCRAM-SHA-1-PLUS", 'y', "tls-unique", 4, "user"},
        {"SCRAM-SHA-1-PLUS", 'p', NULL, 4, "user"},
        {"SCRAM-SHA-1-PLUS", 'p', "tls-unique", 0, "user"},
        {"SCRAM-SHA-1-PLUS", 'p', "tls,unique", 4, "user"},
        {"SCRAM-SHA-1-PLUS", 'p', "", 4, "user"},
        {"SCRAM-SHA-1", 'n', NULL, 0, ""},
        {"SCRAM-SHA-1", 'n', NULL, 0, NULL},
        {"SCRAM-SHA-1", 'n', NULL, 0, "a\x01z"}, /* SASLprep */
        {"SCRAM-SHA-1", 'n', NULL, 0, "\xff"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct login login;
        login_init(&login, "pencil");
        login.params.gs2_flag = rows[i].flag;
        login.params.cb_type = rows[i].type;
        login.params.cb_data = "data";
        login.params.cb_len = rows[i].len;
        login.params.authcid = rows[i].name;
        assert_int_equal(login_start(&login, rows[i].mechanism, NULL), XMPP_ERR_AUTH);
        assert_int_equal(buf_len(&login.out), 0);
        assert_true(*reason(&login) != '\0');
        login_clear(&login);
    }
}

static void test_scram_start_twice(void **state)
{
    struct login login;
    bool has;

    (void)state;
    login_init(&login, "pencil");
    assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
    assert_int_equal(sasl_scram_ops.start(login.sasl, &login.out, &has), XMPP_ERR_PROTOCOL);
    assert_int_equal(sasl_scram_ops.start(login.sasl, &login.out, &has), XMPP_ERR_PROTOCOL);
    login_clear(&login);
}

/* SASL-14: U+00AD and U+2060 are mapped to nothing */
static void test_scram_password_is_prepared(void **state)
{
    static const char *const same[] = {"pencil",
                                       "pen\xc2\xad"
                                       "cil",
                                       "p\xe2\x81\xa0"
                                       "encil"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        struct login login;
        login_init(&login, same[i]);
        login.params.authcid = i ? "us\xc2\xad"
                                   "er"
                                 : "user";
        assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
        assert_out(&login, "n,,n=user,r=" NONCE);
        assert_int_equal(login_text(&login, FIRST, false), SASL_RESULT_RESPOND);
        assert_out(&login, PROOF);
        login_clear(&login);
    }
}

static void test_scram_password_forbidden(void **state)
{
    static const char *const bad[] = {"", "a\x07", "\xff", "\xc3"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct login login;
        login_init(&login, bad[i]);
        assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
        assert_int_equal(login_text(&login, FIRST, false), XMPP_ERR_AUTH);
        assert_non_null(strstr(reason(&login), "password"));
        login_clear(&login);
    }
}

/* --- what a hostile server can send first --- */

static void test_scram_first_tampered(void **state)
{
    static const struct {
        const char *message;
        int result;
        const char *reason; /* a part of it */
    } rows[] = {
        /* SASL-16, SEC-12 */
        {"r=" NONCE ",s=" SALT ",i=4096", XMPP_ERR_AUTH, "nonce"},
        {"r=fyko+d2lbbFgONRv9qkxdaw,s=" SALT ",i=4096", XMPP_ERR_AUTH, "nonce"},
        {"r=Fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=" SALT ",i=4096", XMPP_ERR_AUTH, "nonce"},
        {"r=3rfcNHYJY1ZVvWVs7j,s=" SALT ",i=4096", XMPP_ERR_AUTH, "nonce"},
        {"r=x" BOTH ",s=" SALT ",i=4096", XMPP_ERR_AUTH, "nonce"},
        {"r=,s=" SALT ",i=4096", XMPP_ERR_PROTOCOL, ""},
        /* attributes missing, twice, in another order */
        {"", XMPP_ERR_PROTOCOL, ""},
        {"s=" SALT ",i=4096", XMPP_ERR_PROTOCOL, "nonce"},
        {"r=" BOTH ",i=4096", XMPP_ERR_PROTOCOL, "salt"},
        {"r=" BOTH ",s=" SALT, XMPP_ERR_PROTOCOL, ""},
        {"r=" BOTH ",r=" BOTH ",s=" SALT ",i=4096", XMPP_ERR_PROTOCOL, "twice"},
        {FIRST ",i=5000", XMPP_ERR_PROTOCOL, "twice"},
        {FIRST ",s=" SALT, XMPP_ERR_PROTOCOL, "twice"},
        {"s=" SALT ",r=" BOTH ",i=4096", XMPP_ERR_PROTOCOL, ""},
        {FIRST ",", XMPP_ERR_PROTOCOL, ""},
        /* SASL-19, SEC-13 */
        {"r=" BOTH ",s=" SALT ",i=4095", XMPP_ERR_AUTH, "below 4096"},
        {"r=" BOTH ",s=" SALT ",i=1", XMPP_ERR_AUTH, "below 4096"},
        {"r=" BOTH ",s=" SALT ",i=0", XMPP_ERR_AUTH, "below 4096"},
        {"r=" BOTH ",s=" SALT ",i=1000001", XMPP_ERR_AUTH, "above 1000000"},
        {"r=" BOTH ",s=" SALT ",i=2147483648", XMPP_ERR_AUTH, "above 1000000"},
        {"r=" BOTH ",s=" SALT ",i=4294971392", XMPP_ERR_AUTH, "above 1000000"},
        {"r=" BOTH ",s=" SALT ",i=18446744073709555712", XMPP_ERR_AUTH, "above 1000000"},
        {"r=" BOTH ",s=" SALT ",i=-1", XMPP_ERR_PROTOCOL, "not a number"},
        {"r=" BOTH ",s=" SALT ",i=4096x", XMPP_ERR_PROTOCOL, "not a number"},
        /* salt */
        {"r=" BOTH ",s=,i=4096", XMPP_ERR_PROTOCOL, ""},
        {"r=" BOTH ",s====,i=4096", XMPP_ERR_PROTOCOL, "salt"},
        {"r=" BOTH ",s=QSXCR+Q6sek8bf9,i=4096", XMPP_ERR_PROTOCOL, "salt"},
        {"r=" BOTH ",s=QSXCR+Q6sek8bf92=,i=4096", XMPP_ERR_PROTOCOL, "salt"},
        {"r=" BOTH ",s=QSXCR Q6sek8bf92,i=4096", XMPP_ERR_PROTOCOL, "salt"},
        {"r=" BOTH ",s=QSXCR-Q6sek8bf92,i=4096", XMPP_ERR_PROTOCOL, "salt"},
        {"r=" BOTH ",s=QR==,i=4096", XMPP_ERR_PROTOCOL, "salt"}, /* pad bits, SASL-05 */
        /* SASL-18 */
        {"m=x," FIRST, XMPP_ERR_AUTH, "extension"},
        {FIRST ",m=x", XMPP_ERR_AUTH, "extension"},
        {"e=unknown-user", XMPP_ERR_AUTH, "unknown-user"},
        {"e=server-does-support-channel-binding", XMPP_ERR_AUTH,
         "server-does-support-channel-binding"},
        /* the last message before its time */
        {FINAL, XMPP_ERR_PROTOCOL, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct login login;
        login_init(&login, "pencil");
        assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
        assert_int_equal(login_text(&login, rows[i].message, false), rows[i].result);
        assert_non_null(strstr(reason(&login), rows[i].reason));
        assert_int_equal(login.works, 0);
        login_clear(&login);
    }
}

static char *long_first(size_t salt_chars, const char *salt_end)
{
    struct buf buf;
    char *text = NULL;

    buf_init(&buf, SIZE_MAX);
    assert_int_equal(buf_append_str(&buf, "r=" BOTH ",s="), XMPP_OK);
    for (size_t i = 0; i < salt_chars; i++)
        assert_int_equal(buf_append_char(&buf, 'A'), XMPP_OK);
    assert_int_equal(buf_append_str(&buf, salt_end), XMPP_OK);
    assert_int_equal(buf_append_str(&buf, ",i=4096"), XMPP_OK);
    assert_int_equal(buf_steal_str(&buf, &text, NULL), XMPP_OK);
    return text;
}

static void test_scram_first_salt_length(void **state)
{
    static const struct {
        size_t chars;
        const char *end;
        int result;
    } rows[] = {
        {1364, "AA==", SASL_RESULT_RESPOND}, /* 1024 bytes */
        {1364, "AAA=", XMPP_ERR_AUTH}, /* 1025 */
        {1364, "AAAA", XMPP_ERR_AUTH}, /* 1026 */
        {1368, "AA==", XMPP_ERR_AUTH},       {0, "AA==", SASL_RESULT_RESPOND}, /* one byte */
        {12000, "", XMPP_ERR_AUTH},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct login login;
        char *text = long_first(rows[i].chars, rows[i].end);
        login_init(&login, "pencil");
        assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
        assert_int_equal(login_text(&login, text, false), rows[i].result);
        mem_free(text);
        login_clear(&login);
    }
}

static void test_scram_message_too_long(void **state)
{
    size_t len = 64 * 1024;
    char *text = mem_alloc(len);

    (void)state;
    assert_non_null(text);
    memset(text, 'a', len);
    memcpy(text, FIRST ",x=", strlen(FIRST ",x="));
    for (int round = 0; round < 2; round++) {
        struct login login;
        login_init(&login, "pencil");
        assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
        if (round == 1) {
            assert_int_equal(login_text(&login, FIRST, false), SASL_RESULT_RESPOND);
            memcpy(text, FINAL ",x=", strlen(FINAL ",x="));
        }
        assert_int_equal(login_step(&login, text, len, false), XMPP_ERR_PROTOCOL);
        login_clear(&login);
    }
    /* the longest that is allowed */
    struct login login;
    login_init(&login, "pencil");
    assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
    memcpy(text, "r=" BOTH ",", strlen("r=" BOTH ","));
    memset(text, 'a', LIMIT_SASL_MESSAGE);
    memcpy(text, "r=" NONCE, strlen("r=" NONCE));
    const char *tail = ",s=" SALT ",i=4096";
    memcpy(text + LIMIT_SASL_MESSAGE - strlen(tail), tail, strlen(tail));
    assert_int_equal(login_step(&login, text, LIMIT_SASL_MESSAGE, false), SASL_RESULT_RESPOND);
    login_clear(&login);
    mem_free(text);
}

/* Every byte of a good message exchanged for others, every prefix: never a success, never a wrong access. */
static void test_scram_first_mutations(void **state)
{
    static const char replacements[] = {'\0', ',', '=', 'm', '9', '\xff', ' '};
    size_t len = strlen(FIRST);

    (void)state;
    for (size_t at = 0; at <= len; at++) {
        for (size_t k = 0; k < ARRAY_LEN(replacements); k++) {
            struct login login;
            char *copy = mem_dup(FIRST, len);
            size_t used = at < len ? len : k;
            login_init(&login, "pencil");
            if (at < len)
                copy[at] = replacements[k];
            assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
            struct buf out;
            buf_init(&out, SIZE_MAX);
            int r = sasl_scram_ops.step(login.sasl, copy, used, false, &out);
            assert_true(r < 0 || r == SASL_RESULT_WORK);
            assert_false(is_done(&login));
            buf_clear(&out);
            mem_free(copy);
            login_clear(&login);
        }
    }
}

/* SASL-17 */
static void test_scram_success_before_proof(void **state)
{
    static const char *const data[] = {"", FINAL, FIRST, "e=other-error"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(data); i++) {
        struct login login;
        login_init(&login, "pencil");
        assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
        assert_false(is_done(&login));
        assert_int_equal(login_text(&login, data[i], true), XMPP_ERR_AUTH);
        login_clear(&login);
    }
}

/* While PBKDF2 runs, nothing may come. */
static void test_scram_message_while_computing(void **state)
{
    for (int final = 0; final <= 1; final++) {
        struct login login;
        (void)state;
        login_init(&login, "pencil");
        assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
        buf_truncate(&login.out, 0);
        assert_int_equal(sasl_scram_ops.step(login.sasl, FIRST, strlen(FIRST), false, &login.out),
                         SASL_RESULT_WORK);
        assert_int_equal(login_text(&login, FINAL, final),
                         final ? XMPP_ERR_AUTH : XMPP_ERR_PROTOCOL);
        login_clear(&login);
    }
}

static void test_scram_step_before_start(void **state)
{
    struct login login;

    (void)state;
    login_init(&login, "pencil");
    assert_int_equal(sasl_scram_ops.create(&login.sasl, "SCRAM-SHA-1", &login.params), XMPP_OK);
    assert_int_equal(login_text(&login, FIRST, false), XMPP_ERR_PROTOCOL);
    login_clear(&login);

    login_init(&login, "pencil");
    assert_int_equal(sasl_scram_ops.create(&login.sasl, "SCRAM-SHA-1", &login.params), XMPP_OK);
    assert_int_equal(sasl_scram_ops.work(login.sasl, &login.out), XMPP_ERR_PROTOCOL);
    login_clear(&login);
}

/* --- what a hostile server can send last --- */

static void login_to_final(struct login *login)
{
    login_init(login, "pencil");
    assert_int_equal(login_start(login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
    assert_int_equal(login_text(login, FIRST, false), SASL_RESULT_RESPOND);
}

static void test_scram_final_tampered(void **state)
{
    static const struct {
        const char *message;
        int result;
        const char *reason;
    } rows[] = {
        {"v=smF9pqV8S7suAoZWja4dJRkFsKQ=", XMPP_ERR_AUTH, "signature is wrong"},
        {"v=rmF9pqV8S7suAoZWja4dJRkFsKU=", XMPP_ERR_AUTH, "signature is wrong"},
        {"v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", XMPP_ERR_AUTH, "signature is wrong"},
        {"v=rmF9pqV8S7suAoZWja4dJRkFsA==", XMPP_ERR_AUTH, ""}, /* 19 bytes */
        {"v=rmF9pqV8S7suAoZWja4dJRkFsKQ", XMPP_ERR_PROTOCOL, ""},
        {"v=rmF9pqV8S7suAoZWja4dJRkFsKR=", XMPP_ERR_PROTOCOL, ""},
        {"v=rmF9pqV8S7suAoZWja4dJRkFsKQA", XMPP_ERR_AUTH, ""}, /* 21 bytes */
        {"v=rmF9", XMPP_ERR_PROTOCOL, ""},
        {"v=", XMPP_ERR_PROTOCOL, ""},
        {"v", XMPP_ERR_PROTOCOL, ""},
        {"x=1", XMPP_ERR_PROTOCOL, "no server signature"},
        {"x=1," FINAL, XMPP_ERR_PROTOCOL, "no server signature"},
        {FINAL "," FINAL, XMPP_ERR_PROTOCOL, "twice"},
        {FINAL ",", XMPP_ERR_PROTOCOL, ""},
        {FINAL ",m=1", XMPP_ERR_AUTH, "extension"},
        {"m=1," FINAL, XMPP_ERR_AUTH, "extension"},
        {"e=invalid-proof", XMPP_ERR_AUTH, ": invalid-proof"},
        {"e=channel-bindings-dont-match", XMPP_ERR_AUTH, ": channel-bindings-dont-match"},
        {"e=invalid-proof," FINAL, XMPP_ERR_PROTOCOL, ""},
        {FINAL ",e=invalid-proof", XMPP_ERR_PROTOCOL, ""},
        {FIRST, XMPP_ERR_PROTOCOL, ""},
    };

    (void)state;
    for (int final = 0; final <= 1; final++)
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct login login;
            login_to_final(&login);
            assert_int_equal(login_text(&login, rows[i].message, final), rows[i].result);
            assert_non_null(strstr(reason(&login), rows[i].reason));
            login_clear(&login);
        }
}

/* SASL-17: success without data */
static void test_scram_final_empty(void **state)
{
    struct login login;

    (void)state;
    login_to_final(&login);
    assert_int_equal(login_step(&login, NULL, 0, true), XMPP_ERR_AUTH);
    login_clear(&login);
    login_to_final(&login);
    assert_int_equal(login_step(&login, NULL, 0, false), XMPP_ERR_PROTOCOL);
    login_clear(&login);
}

/* What the server calls its error is shown only when it is a name. */
static void test_scram_final_error_text(void **state)
{
    static const char *const bad[] = {
        "e=\x1b[31mred",
        "e=pay at http://example.com",
        "e=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct login login;
        login_to_final(&login);
        assert_int_equal(login_text(&login, bad[i], true), XMPP_ERR_AUTH);
        assert_string_equal(reason(&login), "the server refused the SCRAM login");
        login_clear(&login);
    }
}

/* SASL-07: the signature in a last challenge, then <success/> without data */
static void test_scram_final_in_challenge(void **state)
{
    struct login login;

    (void)state;
    login_to_final(&login);
    assert_int_equal(login_text(&login, FINAL ",x=1", false), SASL_RESULT_RESPOND);
    assert_int_equal(buf_len(&login.out), 0);
    assert_true(is_done(&login));
    assert_int_equal(login_step(&login, NULL, 0, true), SASL_RESULT_DONE);
    assert_true(is_done(&login));
    login_clear(&login);
}

static void test_scram_final_twice(void **state)
{
    for (int first_final = 0; first_final <= 1; first_final++)
        for (int second_final = 0; second_final <= 1; second_final++) {
            struct login login;
            (void)state;
            login_to_final(&login);
            assert_true(login_text(&login, FINAL, first_final) > 0);
            assert_int_equal(login_text(&login, FINAL, second_final), XMPP_ERR_PROTOCOL);
            login_clear(&login);
        }
    struct login login;
    login_to_final(&login);
    assert_true(login_text(&login, FINAL, false) > 0);
    assert_int_equal(login_step(&login, NULL, 0, false), XMPP_ERR_PROTOCOL);
    login_clear(&login);
}

/* --- secrets, keys, slices --- */

static void test_scram_secret_comes_later(void **state)
{
    struct login login;

    (void)state;
    login_init(&login, NULL);
    assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
    assert_int_equal(login_text(&login, FIRST, false), SASL_RESULT_NEED_SECRET);
    assert_int_equal(buf_len(&login.out), 0);
    assert_int_equal(login_text(&login, FIRST, false), SASL_RESULT_NEED_SECRET);
    assert_int_equal(secret_create(&login.secret, "pencil", 6), XMPP_OK);
    login.params.secret = login.secret;
    assert_int_equal(login_text(&login, FIRST, false), SASL_RESULT_RESPOND);
    assert_out(&login, PROOF);
    assert_int_equal(login_text(&login, FINAL, true), SASL_RESULT_DONE);
    login_clear(&login);
}

/* Nobody is asked for a password because of a message that is refused anyhow. */
static void test_scram_secret_only_for_good_message(void **state)
{
    struct login login;

    (void)state;
    login_init(&login, NULL);
    assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
    assert_int_equal(login_text(&login, "r=" BOTH ",s=" SALT ",i=1", false), XMPP_ERR_AUTH);
    login_clear(&login);
}

static void run_login(struct sasl_keys *keys, const char *password, bool works)
{
    struct login login;

    login_init(&login, password);
    login.params.keys = keys;
    assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
    assert_int_equal(login_text(&login, FIRST, false), SASL_RESULT_RESPOND);
    assert_int_equal(login.works > 0, works);
    assert_out(&login, PROOF);
    assert_int_equal(login_text(&login, FINAL, true), SASL_RESULT_DONE);
    assert_true(is_done(&login));
    login_clear(&login);
}

/* SASL-20 */
static void test_scram_keys_are_kept(void **state)
{
    struct sasl_keys *keys = NULL;
    struct login login;

    (void)state;
    assert_int_equal(sasl_keys_create(&keys), XMPP_OK);
    run_login(keys, "pencil", true);
    assert_true(sasl_keys_has(keys));
    run_login(keys, NULL, false); /* no password, no PBKDF2 */
    run_login(keys, NULL, false);

    /* another salt, count or user: the password is needed again */
    static const char *const other[] = {"r=" BOTH ",s=AAAA,i=4096", "r=" BOTH ",s=" SALT ",i=4097"};
    for (size_t i = 0; i < ARRAY_LEN(other); i++) {
        login_init(&login, NULL);
        login.params.keys = keys;
        assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
        assert_int_equal(login_text(&login, other[i], false), SASL_RESULT_NEED_SECRET);
        login_clear(&login);
    }
    login_init(&login, NULL);
    login.params.keys = keys;
    login.params.authcid = "user2";
    assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
    assert_int_equal(login_text(&login, FIRST, false), SASL_RESULT_NEED_SECRET);
    login_clear(&login);
    sasl_keys_unref(keys);
}

/* Keys of a wrong password must not stay: they would be used before a right one. */
static void test_scram_keys_only_when_proved(void **state)
{
    struct sasl_keys *keys = NULL;
    struct login login;

    (void)state;
    assert_int_equal(sasl_keys_create(&keys), XMPP_OK);
    login_init(&login, "wrong");
    login.params.keys = keys;
    assert_int_equal(login_start(&login, "SCRAM-SHA-1", NONCE), SASL_RESULT_RESPOND);
    assert_int_equal(login_text(&login, FIRST, false), SASL_RESULT_RESPOND);
    assert_int_equal(login_text(&login, FINAL, true), XMPP_ERR_AUTH);
    assert_false(sasl_keys_has(keys));
    login_clear(&login);
    sasl_keys_unref(keys);
}

static uint64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* SASL-19: the largest count is computed in many slices, none of which is long */
static void test_scram_work_is_sliced(void **state)
{
    struct login login;
    unsigned slices = 0;
    uint64_t longest = 0;
    int r;

    (void)state;
    login_init(&login, "pencil");
    assert_int_equal(login_start(&login, "SCRAM-SHA-512", NONCE), SASL_RESULT_RESPOND);
    buf_truncate(&login.out, 0);
    uint64_t start = now_us();
    r = sasl_scram_ops.step(login.sasl, "r=" BOTH ",s=" SALT ",i=1000000",
                            strlen("r=" BOTH ",s=" SALT ",i=1000000"), false, &login.out);
    assert_int_equal(r, SASL_RESULT_WORK);
    uint64_t step_us = now_us() - start;
    uint64_t all = now_us();
    while (r == SASL_RESULT_WORK && slices < 500) {
        start = now_us();
        r = sasl_scram_ops.work(login.sasl, &login.out);
        uint64_t took = now_us() - start;
        if (took > longest)
            longest = took;
        slices++;
    }
    all = now_us() - all;
    assert_int_equal(slices, 500);
    assert_int_equal(r, SASL_RESULT_WORK);
    print_message("          step %u us, slice %u us on average, %u us at most\n",
                  (unsigned)step_us, (unsigned)(all / slices), (unsigned)longest);
    login_clear(&login); /* in the middle */
}

/* --- out of memory --- */

static int scenario(void *data)
{
    struct login login;
    struct sasl_keys *keys = NULL;
    bool has = false;
    int r;

    (void)data;
    login = (struct login){.params = {.authcid = "user", .gs2_flag = 'n'}};
    buf_init(&login.out, SIZE_MAX);
    r = secret_create(&login.secret, "pencil", 6);
    if (r == XMPP_OK)
        r = sasl_keys_create(&keys);
    login.params.secret = login.secret;
    login.params.keys = keys;
    login.params.authzid = "a,b@example.org";
    if (r == XMPP_OK)
        r = sasl_scram_ops.create(&login.sasl, "SCRAM-SHA-1", &login.params);
    if (r == XMPP_OK)
        r = sasl_scram_ops.start(login.sasl, &login.out, &has);
    if (r > 0) {
        /* our nonce, as the peer sees it */
        char first[256];
        size_t head = strlen("n,a=a=2Cb@example.org,n=user,");
        size_t len = buf_len(&login.out) - head;
        memcpy(first, buf_peek(&login.out) + head, len);
        memcpy(first + len, "x,s=" SALT ",i=4096", sizeof "x,s=" SALT ",i=4096");
        buf_truncate(&login.out, 0);
        r = sasl_scram_ops.step(login.sasl, first, strlen(first), false, &login.out);
        while (r == SASL_RESULT_WORK)
            r = sasl_scram_ops.work(login.sasl, &login.out);
    }
    if (r == XMPP_ERR_NOMEM && login.sasl) {
        assert_string_equal(login.sasl->ops->reason(login.sasl), "out of memory");
        assert_int_equal(login.sasl->ops->step(login.sasl, FINAL, strlen(FINAL), true, &login.out),
                         r);
    }
    if (login.sasl)
        login.sasl->ops->free(login.sasl);
    buf_wipe(&login.out);
    secret_free(login.secret);
    sasl_keys_unref(keys);
    return r > 0 ? XMPP_OK : r;
}

/* The whole exchange of the vector, where keeping the keys may fail without harm. */
static int scenario_keys(void *data)
{
    struct sasl_keys *keys = data;
    struct login login;
    bool has = false;
    int r;

    sasl_keys_clear(keys);
    login = (struct login){.params = {.authcid = "user", .gs2_flag = 'n', .keys = keys}};
    buf_init(&login.out, SIZE_MAX);
    r = secret_create(&login.secret, "pencil", 6);
    login.params.secret = login.secret;
    if (r == XMPP_OK)
        r = sasl_scram_ops.create(&login.sasl, "SCRAM-SHA-1", &login.params);
    if (r == XMPP_OK)
        r = scram_set_nonce(login.sasl, NONCE);
    if (r == XMPP_OK)
        r = sasl_scram_ops.start(login.sasl, &login.out, &has);
    if (r > 0)
        r = sasl_scram_ops.step(login.sasl, FIRST, strlen(FIRST), false, &login.out);
    while (r == SASL_RESULT_WORK)
        r = sasl_scram_ops.work(login.sasl, &login.out);
    if (r > 0)
        r = sasl_scram_ops.step(login.sasl, FINAL, strlen(FINAL), true, &login.out);
    if (r > 0)
        assert_true(is_done(&login));
    if (login.sasl)
        login.sasl->ops->free(login.sasl);
    buf_wipe(&login.out);
    secret_free(login.secret);
    sasl_keys_clear(keys);
    return r > 0 ? XMPP_OK : r;
}

static void test_scram_out_of_memory(void **state)
{
    struct sasl_keys *keys = NULL;

    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
    assert_int_equal(sasl_keys_create(&keys), XMPP_OK);
    assert_int_equal(torture_run(scenario_keys, keys), XMPP_OK);
    sasl_keys_unref(keys);
}

int main(void)
{
    torture_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scram_rfc5802),
        cmocka_unit_test(test_scram_rfc7677),
        cmocka_unit_test(test_scram_xep0515),
        cmocka_unit_test(test_scram_xep0474),
        cmocka_unit_test(test_scram_downgrade_is_found),
        cmocka_unit_test(test_scram_start_escapes_names),
        cmocka_unit_test(test_scram_start_nonce_is_fresh),
        cmocka_unit_test(test_scram_create_unknown_name),
        cmocka_unit_test(test_scram_start_inconsistent),
        cmocka_unit_test(test_scram_start_twice),
        cmocka_unit_test(test_scram_password_is_prepared),
        cmocka_unit_test(test_scram_password_forbidden),
        cmocka_unit_test(test_scram_first_tampered),
        cmocka_unit_test(test_scram_first_salt_length),
        cmocka_unit_test(test_scram_message_too_long),
        cmocka_unit_test(test_scram_first_mutations),
        cmocka_unit_test(test_scram_success_before_proof),
        cmocka_unit_test(test_scram_message_while_computing),
        cmocka_unit_test(test_scram_step_before_start),
        cmocka_unit_test(test_scram_final_tampered),
        cmocka_unit_test(test_scram_final_empty),
        cmocka_unit_test(test_scram_final_error_text),
        cmocka_unit_test(test_scram_final_in_challenge),
        cmocka_unit_test(test_scram_final_twice),
        cmocka_unit_test(test_scram_secret_comes_later),
        cmocka_unit_test(test_scram_secret_only_for_good_message),
        cmocka_unit_test(test_scram_keys_are_kept),
        cmocka_unit_test(test_scram_keys_only_when_proved),
        cmocka_unit_test(test_scram_work_is_sliced),
        cmocka_unit_test(test_scram_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
