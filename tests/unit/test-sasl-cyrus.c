#include "base/mem.h"
#include "sasl/mech.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include "sasl-server.h"
#include "support/torture.h"

#define OPS (&sasl_cyrus_ops)

struct login {
    struct sasl_params params;
    struct secret *secret;
    struct sasl *sasl;
    struct server server;
    struct buf out;
    bool has;
    const char *in; /* of the server */
    unsigned in_len;
};

static void login_init(struct login *login, const char *mechanism, const char *password)
{
    struct server_options options = {.cb_type = NULL};

    *login = (struct login){
        .params = {.authcid = "user", .domain = "example.org", .gs2_flag = 'n', .tls_bits = 256}};
    buf_init(&login->out, SIZE_MAX);
    if (password) {
        assert_int_equal(secret_create(&login->secret, password, strlen(password)), XMPP_OK);
        login->params.secret = login->secret;
    }
    server_open(&login->server, &options);
    assert_int_equal(OPS->create(&login->sasl, mechanism, &login->params), XMPP_OK);
    assert_false(OPS->is_done(login->sasl));
}

static void login_clear(struct login *login)
{
    OPS->free(login->sasl);
    server_close(&login->server);
    secret_free(login->secret);
    buf_wipe(&login->out);
}

static int login_step(struct login *login, const char *in, size_t len, bool final)
{
    buf_truncate(&login->out, 0);
    int r = OPS->step(login->sasl, in, len, final, &login->out);
    if (r < 0) {
        assert_int_equal(buf_len(&login->out), 0);
        assert_false(OPS->is_done(login->sasl));
        assert_true(*OPS->reason(login->sasl) != '\0');
        /* final */
        assert_int_equal(OPS->step(login->sasl, in, len, final, &login->out), r);
    }
    return r;
}

/* DIGEST-MD5 up to the message that shows that the server knows the password (rspauth) */
static void digest_to_rspauth(struct login *login)
{
    login_init(login, "DIGEST-MD5", "pencil");
    assert_int_equal(OPS->start(login->sasl, &login->out, &login->has), SASL_RESULT_RESPOND);
    assert_false(login->has); /* the server speaks first: SASL-04 */
    assert_int_equal(
        server_start(&login->server, "DIGEST-MD5", NULL, 0, &login->in, &login->in_len),
        SASL_CONTINUE);
    assert_int_equal(login_step(login, login->in, login->in_len, false), SASL_RESULT_RESPOND);
    assert_true(buf_len(&login->out) > 0);
    assert_false(OPS->is_done(login->sasl));
    assert_int_equal(server_step(&login->server, buf_peek(&login->out), buf_len(&login->out),
                                 &login->in, &login->in_len),
                     SASL_OK);
    assert_non_null(login->in);
}

static void test_cyrus_has(void **state)
{
    (void)state;
    assert_true(sasl_cyrus_has("DIGEST-MD5"));
    assert_true(sasl_cyrus_has("CRAM-MD5"));
    assert_false(sasl_cyrus_has("X-NO-SUCH"));
    assert_false(sasl_cyrus_has(""));
    assert_false(sasl_cyrus_has("DIGEST"));
    assert_false(sasl_cyrus_has("digest-md5"));
    assert_false(sasl_cyrus_has("DIGEST-MD5-PLUS")); /* it has no channel binding */
    /* ours */
    assert_false(sasl_cyrus_has("PLAIN"));
    assert_false(sasl_cyrus_has("EXTERNAL"));
    assert_false(sasl_cyrus_has("ANONYMOUS"));
    assert_false(sasl_cyrus_has("SCRAM-SHA-1"));
    assert_false(sasl_cyrus_has("SCRAM-SHA-384"));
    assert_false(sasl_cyrus_has("SCRAM-SHA-384-PLUS"));
}

static void test_cyrus_create_unknown(void **state)
{
    struct sasl_params params = {.authcid = "user"};
    struct sasl *sasl = NULL;

    (void)state;
    assert_int_equal(OPS->create(&sasl, "X-NO-SUCH", &params), XMPP_ERR_NOTFOUND);
    assert_int_equal(OPS->create(&sasl, "SCRAM-SHA-384", &params), XMPP_ERR_NOTFOUND);
    assert_null(sasl);
    OPS->free(NULL);
}

/* SASL-07: both ways that a server has to send the last message */
static void test_cyrus_digest_final_in_success(void **state)
{
    struct login login;

    (void)state;
    digest_to_rspauth(&login);
    assert_int_equal(login_step(&login, login.in, login.in_len, true), SASL_RESULT_DONE);
    assert_true(OPS->is_done(login.sasl));
    login_clear(&login);
}

static void test_cyrus_digest_final_in_challenge(void **state)
{
    struct login login;

    (void)state;
    digest_to_rspauth(&login);
    assert_int_equal(login_step(&login, login.in, login.in_len, false), SASL_RESULT_RESPOND);
    assert_int_equal(buf_len(&login.out), 0);
    assert_true(OPS->is_done(login.sasl));
    assert_int_equal(login_step(&login, NULL, 0, true), SASL_RESULT_DONE);
    assert_true(OPS->is_done(login.sasl));
    login_clear(&login);
}

/* SASL-17 */
static void test_cyrus_digest_success_without_proof(void **state)
{
    struct login login;

    (void)state;
    digest_to_rspauth(&login);
    assert_int_equal(login_step(&login, NULL, 0, true), XMPP_ERR_AUTH);
    login_clear(&login);
    login_init(&login, "DIGEST-MD5", "pencil");
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), SASL_RESULT_RESPOND);
    assert_int_equal(login_step(&login, NULL, 0, true), XMPP_ERR_AUTH);
    login_clear(&login);
}

static void test_cyrus_digest_wrong_proof(void **state)
{
    for (int final = 0; final <= 1; final++) {
        struct login login;
        (void)state;
        digest_to_rspauth(&login);
        static const char wrong[] = "rspauth=00000000000000000000000000000000";
        assert_true(login_step(&login, wrong, strlen(wrong), final) < 0);
        login_clear(&login);
    }
}

/* A first challenge sent as <success/>: the answer has nowhere to go. */
static void test_cyrus_digest_success_with_challenge(void **state)
{
    struct login login;

    (void)state;
    login_init(&login, "DIGEST-MD5", "pencil");
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), SASL_RESULT_RESPOND);
    assert_int_equal(server_start(&login.server, "DIGEST-MD5", NULL, 0, &login.in, &login.in_len),
                     SASL_CONTINUE);
    assert_int_equal(login_step(&login, login.in, login.in_len, true), XMPP_ERR_AUTH);
    login_clear(&login);
}

static void test_cyrus_digest_goes_on(void **state)
{
    struct login login;

    (void)state;
    digest_to_rspauth(&login);
    assert_int_equal(login_step(&login, login.in, login.in_len, false), SASL_RESULT_RESPOND);
    assert_int_equal(login_step(&login, login.in, login.in_len, false), XMPP_ERR_PROTOCOL);
    login_clear(&login);
    digest_to_rspauth(&login);
    assert_int_equal(login_step(&login, login.in, login.in_len, false), SASL_RESULT_RESPOND);
    assert_int_equal(login_step(&login, NULL, 0, false), XMPP_ERR_PROTOCOL);
    login_clear(&login);
}

static void test_cyrus_digest_bad_challenge(void **state)
{
    static const char *const bad[] = {
        "x",
        "nonce",
        "nonce=",
        "realm=\"a",
        "qop=\"auth\",algorithm=md5-sess,charset=utf-8",
        "nonce=\"a\",qop=\"auth\",maxbuf=0,algorithm=md5-sess",
        ",,,,",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct login login;
        login_init(&login, "DIGEST-MD5", "pencil");
        assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), SASL_RESULT_RESPOND);
        if (login_step(&login, bad[i], strlen(bad[i]), false) >= 0)
            fail_msg("accepted: %s", bad[i]);
        assert_null(strstr(OPS->reason(login.sasl), "pencil"));
        login_clear(&login);
    }
}

/* The plug-in would read through a null pointer. */
static void test_cyrus_digest_proof_before_challenge(void **state)
{
    static const char *const proofs[] = {"rspauth=", "rspauth=ea40f60335c427b5527b84dbabcdfffd",
                                         "RspAuth=\"x\",nonce=\"y\""};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (int final = 0; final < 2; final++) {
            struct login login;

            login_init(&login, "DIGEST-MD5", "pencil");
            assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), SASL_RESULT_RESPOND);
            assert_int_equal(login_step(&login, proofs[i], strlen(proofs[i]), final),
                             XMPP_ERR_PROTOCOL);
            login_clear(&login);
        }
    }
}

static void test_cyrus_message_too_long(void **state)
{
    struct login login;
    size_t len = 64 * 1024;
    char *text = mem_zalloc(len);

    (void)state;
    login_init(&login, "DIGEST-MD5", "pencil");
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), SASL_RESULT_RESPOND);
    assert_int_equal(login_step(&login, text, len, false), XMPP_ERR_PROTOCOL);
    login_clear(&login);
    mem_free(text);
}

static void test_cyrus_wrong_order(void **state)
{
    struct login login;

    (void)state;
    login_init(&login, "DIGEST-MD5", "pencil");
    assert_int_equal(login_step(&login, "x", 1, false), XMPP_ERR_PROTOCOL);
    login_clear(&login);
    login_init(&login, "DIGEST-MD5", "pencil");
    assert_int_equal(OPS->work(login.sasl, &login.out), XMPP_ERR_PROTOCOL);
    login_clear(&login);
    login_init(&login, "DIGEST-MD5", "pencil");
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), SASL_RESULT_RESPOND);
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), XMPP_ERR_PROTOCOL);
    login_clear(&login);
}

static void test_cyrus_secret_comes_later(void **state)
{
    struct login login;

    (void)state;
    login_init(&login, "CRAM-MD5", NULL);
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), SASL_RESULT_NEED_SECRET);
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), SASL_RESULT_NEED_SECRET);
    assert_int_equal(secret_create(&login.secret, "pencil", 6), XMPP_OK);
    login.params.secret = login.secret;
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), SASL_RESULT_RESPOND);
    assert_int_equal(server_start(&login.server, "CRAM-MD5", NULL, 0, &login.in, &login.in_len),
                     SASL_CONTINUE);
    assert_int_equal(login_step(&login, login.in, login.in_len, false), SASL_RESULT_RESPOND);
    assert_int_equal(server_step(&login.server, buf_peek(&login.out), buf_len(&login.out),
                                 &login.in, &login.in_len),
                     SASL_OK);
    assert_string_equal(server_user(&login.server), "user");
    assert_true(OPS->is_done(login.sasl));
    assert_int_equal(login_step(&login, NULL, 0, true), SASL_RESULT_DONE);
    login_clear(&login);
}

static void test_cyrus_secret_refused(void **state)
{
    struct login login;

    (void)state;
    login_init(&login, "DIGEST-MD5", "a\x07");
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), XMPP_ERR_AUTH);
    assert_non_null(strstr(OPS->reason(login.sasl), "password"));
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), XMPP_ERR_AUTH);
    login_clear(&login);
}

static void test_cyrus_no_name(void **state)
{
    struct login login;

    (void)state;
    login_init(&login, "DIGEST-MD5", "pencil");
    login.params.authcid = NULL;
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), XMPP_ERR_AUTH);
    login_clear(&login);
}

/* SEC-08: what gives the password away is refused by libsasl2, too, where there is no TLS */
static void test_cyrus_login_without_tls(void **state)
{
    struct login login;

    (void)state;
    if (!sasl_cyrus_has("LOGIN"))
        return;
    login_init(&login, "LOGIN", "pencil");
    login.params.tls_bits = 0;
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), XMPP_ERR_NOTFOUND);
    assert_int_equal(buf_len(&login.out), 0);
    login_clear(&login);
    login_init(&login, "LOGIN", "pencil");
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), SASL_RESULT_RESPOND);
    login_clear(&login);
}

/* SASL-10: of the realms that are offered, the domain's; else the first. And no layer of the mechanism: the
 * offer of encryption is not taken up. */
static void test_cyrus_digest_realm(void **state)
{
    static const struct {
        const char *challenge;
        const char *realm;
    } rows[] = {
        {"realm=\"a\",realm=\"example.org\",nonce=\"n\",qop=\"auth,auth-int,auth-conf\","
         "cipher=\"rc4\",charset=utf-8,algorithm=md5-sess",
         "realm=\"example.org\""},
        {"realm=\"a\",realm=\"b\",nonce=\"n\",qop=\"auth\",charset=utf-8,algorithm=md5-sess",
         "realm=\"a\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct login login;
        login_init(&login, "DIGEST-MD5", "pencil");
        assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), SASL_RESULT_RESPOND);
        assert_int_equal(login_step(&login, rows[i].challenge, strlen(rows[i].challenge), false),
                         SASL_RESULT_RESPOND);
        assert_int_equal(buf_append_char(&login.out, '\0'), XMPP_OK);
        const char *text = (const char *)buf_peek(&login.out);
        assert_non_null(strstr(text, rows[i].realm));
        assert_non_null(strstr(text, "qop=auth,"));
        assert_null(strstr(text, "pencil"));
        login_clear(&login);
    }
}

/* --- mechanisms of the test's own, for what no installed plug-in does without a Kerberos server --- */

/* One exchange at a time. */
static char plug_out[128];
static sasl_interact_t plug_prompts[2];
static int plug_rounds;

static int plug_new(void *context, sasl_client_params_t *params, void **ret)
{
    (void)params;
    *ret = context;
    plug_rounds = 0;
    return SASL_OK;
}

static int plug_finish(sasl_client_params_t *params, sasl_out_params_t *result, int code)
{
    if (code == SASL_OK) {
        code = params->canon_user(params->utils->conn, "user", 4, SASL_CU_AUTHID | SASL_CU_AUTHZID,
                                  result);
        result->doneflag = 1;
    }
    return code;
}

static int plug_ask(unsigned long id, sasl_interact_t **prompts)
{
    memset(plug_prompts, 0, sizeof plug_prompts);
    plug_prompts[0].id = id;
    plug_prompts[1].id = SASL_CB_LIST_END;
    *prompts = plug_prompts;
    return SASL_INTERACT;
}

static int plug_step(void *context, sasl_client_params_t *params, const char *in, unsigned in_len,
                     sasl_interact_t **prompts, const char **out, unsigned *out_len,
                     sasl_out_params_t *result)
{
    const char *kind = context;
    sasl_interact_t *answer = *prompts;

    (void)in;
    (void)in_len;
    *prompts = NULL;
    plug_out[0] = '\0';
    if (strcmp(kind, "X-ASK") == 0) {
        if (!answer)
            return plug_ask(SASL_CB_NOECHOPROMPT, prompts);
        assert_true(answer->len < sizeof plug_out);
        memcpy(plug_out, answer->result, answer->len);
        plug_out[answer->len] = '\0';
    } else if (strcmp(kind, "X-ECHO") == 0) {
        return plug_ask(SASL_CB_ECHOPROMPT, prompts);
    } else if (strcmp(kind, "X-AGAIN") == 0) {
        plug_rounds++;
        return plug_ask(SASL_CB_NOECHOPROMPT, prompts);
    } else if (strcmp(kind, "X-LEAK") == 0) {
        params->utils->seterror(params->utils->conn, 0, "wrong password: pencil");
        return SASL_BADAUTH;
    } else if (strcmp(kind, "X-PROTO") == 0) {
        params->utils->seterror(params->utils->conn, 0, "not \x1b[1m what was said");
        return SASL_BADPROT;
    } else if (strcmp(kind, "X-NOMEM") == 0) {
        return SASL_NOMEM;
    } else if (strcmp(kind, "X-BIND") == 0) {
        const sasl_channel_binding_t *b = params->cbinding;
        sprintf(plug_out, "%d %s %.*s", (int)params->cbindingdisp, b ? b->name : "-",
                b && b->data ? (int)b->len : 0, b && b->data ? (const char *)b->data : "");
    }
    *out = plug_out;
    *out_len = (unsigned)strlen(plug_out);
    return plug_finish(params, result, SASL_OK);
}

static const unsigned long plug_needs_nothing[] = {SASL_CB_LIST_END};

#define PLUG(text, flags)                                                                          \
    {                                                                                              \
        .mech_name = (text), .features = (flags), .required_prompts = plug_needs_nothing,          \
        .glob_context = (void *)(uintptr_t)(text), .mech_new = plug_new, .mech_step = plug_step,   \
        .security_flags = SASL_SEC_NOANONYMOUS | SASL_SEC_NOPLAINTEXT                              \
    }

static sasl_client_plug_t plugs[] = {
    PLUG("X-ASK", SASL_FEAT_WANT_CLIENT_FIRST),
    PLUG("X-ECHO", SASL_FEAT_WANT_CLIENT_FIRST),
    PLUG("X-AGAIN", SASL_FEAT_WANT_CLIENT_FIRST),
    PLUG("X-LEAK", SASL_FEAT_WANT_CLIENT_FIRST),
    PLUG("X-PROTO", SASL_FEAT_WANT_CLIENT_FIRST),
    PLUG("X-NOMEM", SASL_FEAT_WANT_CLIENT_FIRST),
    PLUG("X-BIND", SASL_FEAT_WANT_CLIENT_FIRST | SASL_FEAT_CHANNEL_BINDING),
};

static int plug_init(const sasl_utils_t *utils, int max_version, int *version,
                     sasl_client_plug_t **list, int *count)
{
    (void)utils;
    (void)max_version;
    *version = SASL_CLIENT_PLUG_VERSION;
    *list = plugs;
    *count = (int)ARRAY_LEN(plugs);
    return SASL_OK;
}

static void test_cyrus_prompt(void **state)
{
    struct login login;

    (void)state;
    login_init(&login, "X-ASK", NULL);
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), SASL_RESULT_NEED_SECRET);
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), SASL_RESULT_NEED_SECRET);
    assert_int_equal(secret_create(&login.secret,
                                   "pen\xc2\xad"
                                   "cil",
                                   8),
                     XMPP_OK);
    login.params.secret = login.secret;
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), SASL_RESULT_RESPOND);
    assert_true(login.has);
    assert_int_equal(buf_len(&login.out), 6); /* prepared: SASL-14 */
    assert_memory_equal(buf_peek(&login.out), "pencil", 6);
    assert_true(OPS->is_done(login.sasl));
    login_clear(&login);
}

static void test_cyrus_prompt_nobody_can_answer(void **state)
{
    struct login login;

    (void)state;
    login_init(&login, "X-ECHO", "pencil");
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), XMPP_ERR_AUTH);
    assert_non_null(strstr(OPS->reason(login.sasl), "asks"));
    login_clear(&login);
    login_init(&login, "X-AGAIN", "pencil");
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), XMPP_ERR_AUTH);
    assert_in_range(plug_rounds, 1, 10);
    login_clear(&login);
    login_init(&login, "X-ASK", "a\x07");
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), XMPP_ERR_AUTH);
    login_clear(&login);
}

/* SEC-31: what plug-ins say is not trusted */
static void test_cyrus_reason(void **state)
{
    struct login login;

    (void)state;
    login_init(&login, "X-LEAK", "pencil");
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), XMPP_ERR_AUTH);
    assert_null(strstr(OPS->reason(login.sasl), "pencil"));
    assert_true(strlen(OPS->reason(login.sasl)) > 0);
    login_clear(&login);
    login_init(&login, "X-LEAK", "another");
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), XMPP_ERR_AUTH);
    assert_non_null(strstr(OPS->reason(login.sasl), "wrong password"));
    login_clear(&login);
    login_init(&login, "X-PROTO", "pencil");
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), XMPP_ERR_PROTOCOL);
    assert_null(strchr(OPS->reason(login.sasl), '\x1b'));
    assert_non_null(strstr(OPS->reason(login.sasl), "what was said"));
    login_clear(&login);
    login_init(&login, "X-NOMEM", "pencil");
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), XMPP_ERR_NOMEM);
    assert_string_equal(OPS->reason(login.sasl), "out of memory");
    login_clear(&login);
}

static void check_binding(const char *mechanism, char flag, const char *type, const char *expected)
{
    struct login login;

    login_init(&login, mechanism, "pencil");
    login.params.gs2_flag = flag;
    login.params.cb_type = type;
    login.params.cb_data = "DATA";
    login.params.cb_len = type ? 4 : 0;
    assert_int_equal(OPS->start(login.sasl, &login.out, &login.has), SASL_RESULT_RESPOND);
    assert_int_equal(buf_append_char(&login.out, '\0'), XMPP_OK);
    assert_string_equal((const char *)buf_peek(&login.out), expected);
    login_clear(&login);
}

/* SASL-21, SASL-22; 0: flag 'n', 1: 'y', 2: 'p' */
static void test_cyrus_binding(void **state)
{
    (void)state;
    assert_true(sasl_cyrus_has("X-BIND"));
    assert_true(sasl_cyrus_has("X-BIND-PLUS"));
    assert_false(sasl_cyrus_has("X-ASK-PLUS"));
    check_binding("X-BIND", 'n', NULL, "0 - ");
    check_binding("X-BIND", 'y', NULL, "1 tls-exporter ");
    check_binding("X-BIND-PLUS", 'p', "tls-unique", "2 tls-unique DATA");
}

static int scenario(void *data)
{
    struct secret *secret = NULL;
    struct sasl_params params = {
        .authcid = "user", .domain = "example.org", .gs2_flag = 'n', .tls_bits = 256};
    static const char challenge[] =
        "realm=\"a\",nonce=\"n\",qop=\"auth\",charset=utf-8,algorithm=md5-sess";
    struct sasl *sasl = NULL;
    struct buf out;
    bool has = false;

    (void)data;
    buf_init(&out, SIZE_MAX);
    int r = secret_create(&secret, "pencil", 6);
    params.secret = secret;
    if (r == XMPP_OK)
        r = OPS->create(&sasl, "DIGEST-MD5", &params);
    if (r == XMPP_OK)
        r = OPS->start(sasl, &out, &has);
    if (r > 0)
        r = OPS->step(sasl, challenge, strlen(challenge), false, &out);
    if (r < 0 && sasl)
        assert_string_equal(OPS->reason(sasl), "out of memory");
    if (sasl)
        OPS->free(sasl);
    secret_free(secret);
    buf_wipe(&out);
    return r > 0 ? XMPP_OK : r;
}

static void test_cyrus_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(torture_run(scenario, NULL), XMPP_OK);
}

static int setup(void **state)
{
    (void)state;
    server_init();
    /* initialises the client side */
    return sasl_cyrus_has("DIGEST-MD5") ? sasl_client_add_plugin("unit", plug_init) : 1;
}

int main(void)
{
    torture_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cyrus_has),
        cmocka_unit_test(test_cyrus_create_unknown),
        cmocka_unit_test(test_cyrus_digest_final_in_success),
        cmocka_unit_test(test_cyrus_digest_final_in_challenge),
        cmocka_unit_test(test_cyrus_digest_success_without_proof),
        cmocka_unit_test(test_cyrus_digest_wrong_proof),
        cmocka_unit_test(test_cyrus_digest_success_with_challenge),
        cmocka_unit_test(test_cyrus_digest_goes_on),
        cmocka_unit_test(test_cyrus_digest_bad_challenge),
        cmocka_unit_test(test_cyrus_digest_proof_before_challenge),
        cmocka_unit_test(test_cyrus_message_too_long),
        cmocka_unit_test(test_cyrus_wrong_order),
        cmocka_unit_test(test_cyrus_secret_comes_later),
        cmocka_unit_test(test_cyrus_secret_refused),
        cmocka_unit_test(test_cyrus_no_name),
        cmocka_unit_test(test_cyrus_login_without_tls),
        cmocka_unit_test(test_cyrus_digest_realm),
        cmocka_unit_test(test_cyrus_prompt),
        cmocka_unit_test(test_cyrus_prompt_nobody_can_answer),
        cmocka_unit_test(test_cyrus_reason),
        cmocka_unit_test(test_cyrus_binding),
        cmocka_unit_test(test_cyrus_out_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
