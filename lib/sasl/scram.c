/* SCRAM (RFC 5802, RFC 7677) with channel binding, XEP-0474 and XEP-0515.
 *
 * User name and password are prepared with SASLprep, as RFC 5802 says; for a localpart, which
 * UsernameCaseMapped has already been through, SASLprep changes nothing.
 */
#include "sasl/scram.h"

#include "base/base64.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "sasl/attr.h"
#include "sasl/derive.h"
#include "sasl/keys.h"
#include "sasl/prep.h"

#include <string.h>

/* SASL-15: at least 18 random bytes; a multiple of three needs no padding */
#define NONCE_BYTES 24

enum state {
    STATE_NEW = 0,
    STATE_FIRST = 1, /* waits for server-first-message */
    STATE_DERIVE = 2, /* PBKDF2 */
    STATE_FINAL = 3, /* waits for server-final-message */
    STATE_DONE = 4, /* the server has proved that it knows the keys */
    STATE_FAILED = 5
};

struct scram {
    struct sasl base;
    const struct derive_hash *hash;
    bool plus;
    enum state state;
    int error; /* in STATE_FAILED */
    const char *reason; /* static, or reason_text */
    char reason_text[96];
    char *name; /* prepared, not escaped */
    char *nonce;
    struct buf gs2; /* gs2-header */
    struct buf auth; /* AuthMessage, as far as it is known */
    size_t final_start; /* where client-final-message-without-proof begins in it */
    uint8_t salt[LIMIT_SCRAM_SALT + 2]; /* strict decoding may ask for two bytes more */
    size_t salt_len;
    unsigned iterations;
    struct derive derive;
    bool derived; /* keys come from the password, not from the store */
    struct derive_keys keys;
    uint8_t signature[DERIVE_HASH_MAX]; /* what the server must show */
};

/* base is the first member */
static struct scram *of(struct sasl *sasl)
{
    return (struct scram *)sasl;
}

static void forget(struct scram *scram)
{
    derive_clear(&scram->derive);
    secret_wipe(&scram->keys, sizeof scram->keys);
    secret_wipe(scram->signature, sizeof scram->signature);
}

/* Every failure is final; the reason is static. */
static int fail(struct scram *scram, int code, const char *reason)
{
    forget(scram);
    scram->state = STATE_FAILED;
    scram->error = code;
    scram->reason = code == XMPP_ERR_NOMEM ? "out of memory" : reason;
    return code;
}

static int fail_internal(struct scram *scram, int code)
{
    return fail(scram, code == XMPP_ERR_NOMEM ? code : XMPP_ERR_AUTH,
                "a cryptographic function failed");
}

/* server-error-value: a name of RFC 5802 section 7 or of an extension. It is shown to people, so anything
 * that does not look like a name is left out. */
static int fail_named(struct scram *scram, struct attr_value name)
{
    bool plain = name.len <= 48;

    for (size_t i = 0; i < name.len && plain; i++) {
        char c = str_lower(name.str[i]);
        plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    (void)fail(scram, XMPP_ERR_AUTH, "the server refused the SCRAM login");
    /* cannot be cut: the name is short */
    if (plain && str_format(scram->reason_text, sizeof scram->reason_text,
                            "the server refused the SCRAM login: %.*s", (int)name.len, name.str))
        scram->reason = scram->reason_text;
    return XMPP_ERR_AUTH;
}

static int scram_create(struct sasl **ret, const char *name, const struct sasl_params *params)
{
    bool plus = false;
    const struct derive_hash *hash = derive_hash_of(name, &plus);

    if (!hash)
        return XMPP_ERR_NOTFOUND;
    struct scram *scram = mem_zalloc(sizeof *scram);
    if (!scram)
        return XMPP_ERR_NOMEM;
    scram->base = (struct sasl){&sasl_scram_ops, params};
    scram->hash = hash;
    scram->plus = plus;
    scram->reason = "SCRAM login was not finished";
    derive_init(&scram->derive);
    buf_init(&scram->gs2, LIMIT_SASL_MESSAGE);
    buf_init(&scram->auth, 4 * LIMIT_SASL_MESSAGE);
    *ret = &scram->base;
    return XMPP_OK;
}

static void scram_free(struct sasl *sasl)
{
    if (!sasl)
        return;
    struct scram *scram = of(sasl);

    forget(scram);
    buf_clear(&scram->gs2);
    buf_clear(&scram->auth);
    mem_free(scram->name);
    mem_free(scram->nonce);
    secret_wipe(scram, sizeof *scram);
    mem_free(scram);
}

int scram_set_nonce(struct sasl *sasl, const char *nonce)
{
    char *copy = mem_strdup(nonce);

    if (!copy)
        return XMPP_ERR_NOMEM;
    mem_free(of(sasl)->nonce);
    of(sasl)->nonce = copy;
    return XMPP_OK;
}

static int make_nonce(struct scram *scram)
{
    uint8_t bytes[NONCE_BYTES];

    if (scram->nonce)
        return XMPP_OK;
    int r = rand_bytes(bytes, sizeof bytes);
    if (r < 0)
        return r;
    scram->nonce = mem_alloc(base64_encoded_len(sizeof bytes) + 1);
    if (!scram->nonce)
        return XMPP_ERR_NOMEM;
    base64_encode(bytes, sizeof bytes, scram->nonce);
    return XMPP_OK;
}

/* saslname: SASL-14 */
static int append_name(struct buf *out, const char *name)
{
    int r = XMPP_OK;

    for (; *name && r == XMPP_OK; name++) {
        if (*name == ',')
            r = buf_append_str(out, "=2C");
        else if (*name == '=')
            r = buf_append_str(out, "=3D");
        else
            r = buf_append_char(out, *name);
    }
    return r;
}

/* Several appends in a row: the first failure counts. */
static int append_all(struct buf *out, const char *const *parts, size_t count)
{
    int r = XMPP_OK;

    for (size_t i = 0; i < count && r == XMPP_OK; i++)
        r = buf_append_str(out, parts[i]);
    return r;
}

static int append_base64(struct buf *out, const void *data, size_t len)
{
    size_t size = base64_encoded_len(len);
    void *room = NULL;

    int r = buf_reserve(out, size + 1, &room);
    if (r < 0)
        return r;
    base64_encode(data, len, room);
    buf_commit(out, size); /* without the NUL */
    return XMPP_OK;
}

/* cb-name of RFC 5802 section 7 */
static bool is_binding_name(const char *name)
{
    for (const char *p = name; *p; p++) {
        char c = str_lower(*p);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-'))
            return false;
    }
    return *name != '\0';
}

/* gs2-header = gs2-cbind-flag "," [ authzid ] "," */
static int make_gs2(struct scram *scram)
{
    const struct sasl_params *params = scram->base.params;
    char flag[2] = {params->gs2_flag, '\0'};
    int r;

    if (scram->plus) {
        const char *parts[] = {"p=", params->cb_type};
        r = append_all(&scram->gs2, parts, ARRAY_LEN(parts));
    } else {
        r = buf_append_str(&scram->gs2, flag);
    }
    if (r == XMPP_OK)
        r = buf_append_str(&scram->gs2, params->authzid ? ",a=" : ",");
    if (r == XMPP_OK && params->authzid)
        r = append_name(&scram->gs2, params->authzid);
    if (r == XMPP_OK)
        r = buf_append_char(&scram->gs2, ',');
    return r;
}

/* client-first-message-bare, which also begins AuthMessage */
static int make_first_bare(struct scram *scram)
{
    const char *nonce[] = {",r=", scram->nonce};

    int r = buf_append_str(&scram->auth, "n=");
    if (r == XMPP_OK)
        r = append_name(&scram->auth, scram->name);
    if (r == XMPP_OK)
        r = append_all(&scram->auth, nonce, ARRAY_LEN(nonce));
    return r;
}

/* A message is put together first and appended whole: on failure out is as it was. */
static int emit(struct buf *out, const struct buf *head, const struct buf *tail, size_t skip)
{
    size_t before = buf_len(out);
    int r = XMPP_OK;

    if (head)
        r = buf_append(out, buf_peek(head), buf_len(head));
    if (r == XMPP_OK)
        r = buf_append(out, buf_peek(tail) + skip, buf_len(tail) - skip);
    if (r < 0)
        buf_truncate(out, before);
    return r;
}

/* The flag and the mechanism's name must say the same: the server compares them (RFC 5802 section 6). */
static bool is_consistent(const struct scram *scram)
{
    const struct sasl_params *params = scram->base.params;

    if (scram->plus)
        return params->gs2_flag == 'p' && params->cb_type && params->cb_data &&
               params->cb_len > 0 && is_binding_name(params->cb_type);
    return params->gs2_flag == 'n' || params->gs2_flag == 'y';
}

static int scram_start(struct sasl *sasl, struct buf *out, bool *ret_has)
{
    struct scram *scram = of(sasl);
    int r;

    if (scram->state == STATE_FAILED)
        return scram->error;
    if (scram->state != STATE_NEW)
        return fail(scram, XMPP_ERR_PROTOCOL, "SCRAM login was started twice");
    if (!is_consistent(scram))
        return fail(scram, XMPP_ERR_AUTH, "channel binding data do not fit the mechanism");
    if (!sasl->params->authcid || !*sasl->params->authcid)
        return fail(scram, XMPP_ERR_AUTH, "no user name to log in with");
    r = sasl_prep_name(sasl->params->authcid, &scram->name);
    if (r < 0)
        return fail(scram, r, "the user name has characters that SASLprep forbids");
    r = make_nonce(scram);
    if (r == XMPP_OK)
        r = make_gs2(scram);
    if (r == XMPP_OK)
        r = make_first_bare(scram);
    if (r == XMPP_OK)
        r = emit(out, &scram->gs2, &scram->auth, 0);
    if (r < 0)
        return fail(scram, r == XMPP_ERR_NOMEM ? r : XMPP_ERR_AUTH,
                    "the first SCRAM message could not be made");
    scram->state = STATE_FIRST;
    *ret_has = true;
    return SASL_RESULT_RESPOND;
}

/* SASL-24: XEP-0474 6.2 and XEP-0515 4.2. Both are covered by the signatures of both sides, so they can be
 * missing (an older server) but not wrong. */
static int check_downgrade(struct scram *scram, const struct attr_first *first)
{
    const struct sasl_params *params = scram->base.params;
    uint8_t digest[DERIVE_HASH_MAX];
    char expected[((DERIVE_HASH_MAX + 2) / 3) * 4 + 1];

    if (first->ssdp.str && params->ssdp) {
        int r = derive_digest(scram->hash, params->ssdp, strlen(params->ssdp), digest);
        if (r < 0)
            return fail_internal(scram, r);
        base64_encode(digest, scram->hash->len, expected);
        if (first->ssdp.len != strlen(expected) ||
            !secret_equal(first->ssdp.str, expected, first->ssdp.len))
            return fail(scram, XMPP_ERR_AUTH,
                        "the mechanisms or channel bindings that arrived are not those that the "
                        "server sent: possible downgrade attack");
    }
    if (first->tls.str) {
        if (!str_format(expected, sizeof expected, "%04x", (unsigned)params->tls_version) ||
            first->tls.len != strlen(expected) ||
            !secret_equal(first->tls.str, expected, first->tls.len))
            return fail(scram, XMPP_ERR_AUTH,
                        "the TLS version is not the one that the server sees: possible downgrade "
                        "attack");
    }
    return XMPP_OK;
}

static int check_salt(struct scram *scram, struct attr_value salt)
{
    static const char salt_too_long[] =
        "the server's SCRAM salt is longer than 1024 bytes, which is refused";

    if (salt.len > base64_encoded_len(LIMIT_SCRAM_SALT))
        return fail(scram, XMPP_ERR_AUTH, salt_too_long);
    int r = base64_decode(salt.str, salt.len, scram->salt, &scram->salt_len);
    if (r < 0)
        return fail(scram, XMPP_ERR_PROTOCOL, "the server's SCRAM salt is not valid base64");
    if (scram->salt_len > LIMIT_SCRAM_SALT)
        return fail(scram, XMPP_ERR_AUTH, salt_too_long);
    if (scram->salt_len == 0)
        return fail(scram, XMPP_ERR_PROTOCOL, "the server's SCRAM salt is empty");
    return XMPP_OK;
}

static int check_first(struct scram *scram, const struct attr_first *first)
{
    size_t own = strlen(scram->nonce);

    if (first->error.str)
        return fail_named(scram, first->error);
    /* SASL-16 */
    if (first->nonce.len < own || memcmp(first->nonce.str, scram->nonce, own) != 0)
        return fail(scram, XMPP_ERR_AUTH, "the server's nonce does not begin with ours");
    if (first->nonce.len == own)
        return fail(scram, XMPP_ERR_AUTH, "the server added nothing to the nonce");
    /* SASL-19: too few make the proof cheap to crack, too many are an attack on our time */
    if (first->iterations < LIMIT_SCRAM_ITERATIONS_MIN)
        return fail(scram, XMPP_ERR_AUTH,
                    "the server's SCRAM iteration count is below 4096, which is not safe");
    if (first->iterations > LIMIT_SCRAM_ITERATIONS_MAX)
        return fail(scram, XMPP_ERR_AUTH,
                    "the server's SCRAM iteration count is above 1000000, which is refused");
    scram->iterations = (unsigned)first->iterations;
    int r = check_salt(scram, first->salt);
    if (r < 0)
        return r;
    return check_downgrade(scram, first);
}

/* "c=" cbind-input ",r=" nonce; SASL-22: cbind-input is the header and the raw bytes of the binding */
static int append_final_bare(struct scram *scram, struct attr_value nonce)
{
    const struct sasl_params *params = scram->base.params;
    struct buf input;

    buf_init(&input, SIZE_MAX);
    int r = emit(&input, NULL, &scram->gs2, 0);
    if (r == XMPP_OK && scram->plus)
        r = buf_append(&input, params->cb_data, params->cb_len);
    if (r == XMPP_OK)
        r = buf_append_str(&scram->auth, "c=");
    if (r == XMPP_OK)
        r = append_base64(&scram->auth, buf_peek(&input), buf_len(&input));
    if (r == XMPP_OK)
        r = buf_append_str(&scram->auth, ",r=");
    if (r == XMPP_OK)
        r = buf_append(&scram->auth, nonce.str, nonce.len);
    buf_clear(&input);
    return r;
}

/* Completes AuthMessage; the rest of the exchange needs nothing else of server-first. */
static int make_auth(struct scram *scram, const void *in, size_t len, struct attr_value nonce)
{
    int r = buf_append_char(&scram->auth, ',');
    if (r == XMPP_OK)
        r = buf_append(&scram->auth, in, len);
    if (r == XMPP_OK)
        r = buf_append_char(&scram->auth, ',');
    if (r < 0)
        return r;
    scram->final_start = buf_len(&scram->auth);
    return append_final_bare(scram, nonce);
}

/* The keys are there: client-final-message. */
static int respond_final(struct scram *scram, struct buf *out)
{
    uint8_t proof[DERIVE_HASH_MAX];

    int r = derive_prove(scram->hash, &scram->keys, buf_peek(&scram->auth), buf_len(&scram->auth),
                         proof, scram->signature);
    if (r < 0)
        return fail_internal(scram, r);
    /* AuthMessage is not needed again, so the proof may follow in the same buffer */
    r = buf_append_str(&scram->auth, ",p=");
    if (r == XMPP_OK)
        r = append_base64(&scram->auth, proof, scram->hash->len);
    secret_wipe(proof, sizeof proof);
    if (r == XMPP_OK)
        r = emit(out, NULL, &scram->auth, scram->final_start);
    if (r < 0)
        return fail(scram, r == XMPP_ERR_NOMEM ? r : XMPP_ERR_AUTH,
                    "the SCRAM response is too long");
    scram->state = STATE_FINAL;
    return SASL_RESULT_RESPOND;
}

static struct keys_id keys_id_of(const struct scram *scram)
{
    return (struct keys_id){.hash = scram->hash,
                            .name = scram->name,
                            .salt = scram->salt,
                            .salt_len = scram->salt_len,
                            .iterations = scram->iterations};
}

static int begin_derive(struct scram *scram)
{
    const struct secret *secret = scram->base.params->secret;
    struct secret *prepared = NULL;

    int r = sasl_prep_password(secret_data(secret), secret_len(secret), &prepared);
    if (r < 0)
        return fail(scram, r, "the password is empty or has characters that SASLprep forbids");
    r = derive_begin(&scram->derive, scram->hash, secret_data(prepared), secret_len(prepared),
                     scram->salt, scram->salt_len, scram->iterations);
    secret_free(prepared);
    if (r < 0)
        return fail_internal(scram, r);
    scram->state = STATE_DERIVE;
    return SASL_RESULT_WORK;
}

static int step_first(struct scram *scram, const void *in, size_t len, struct buf *out)
{
    struct attr_first first;
    const char *reason = NULL;

    int r = attr_parse_first(in, len, &first, &reason);
    if (r < 0)
        return fail(scram, r, reason);
    r = check_first(scram, &first);
    if (r < 0)
        return r;
    struct keys_id id = keys_id_of(scram);
    bool found = keys_find(scram->base.params->keys, &id, &scram->keys);
    if (!found && !scram->base.params->secret)
        return SASL_RESULT_NEED_SECRET; /* the same message comes again */
    r = make_auth(scram, in, len, first.nonce);
    if (r < 0)
        return fail(scram, r == XMPP_ERR_NOMEM ? r : XMPP_ERR_AUTH,
                    "the SCRAM response is too long");
    return found ? respond_final(scram, out) : begin_derive(scram);
}

static int scram_work(struct sasl *sasl, struct buf *out)
{
    struct scram *scram = of(sasl);
    bool done = false;

    if (scram->state == STATE_FAILED)
        return scram->error;
    if (scram->state != STATE_DERIVE)
        return fail(scram, XMPP_ERR_PROTOCOL, "nothing to compute");
    int r = derive_slice(&scram->derive, &done);
    if (r == XMPP_OK && !done)
        return SASL_RESULT_WORK;
    if (r == XMPP_OK)
        r = derive_finish(&scram->derive, &scram->keys);
    if (r < 0)
        return fail_internal(scram, r);
    derive_clear(&scram->derive);
    scram->derived = true;
    return respond_final(scram, out);
}

static int step_final(struct scram *scram, const void *in, size_t len, bool last)
{
    struct attr_final final;
    const char *reason = NULL;
    uint8_t shown[DERIVE_HASH_MAX + 2]; /* strict decoding may ask for two bytes more */
    size_t shown_len = 0;

    int r = attr_parse_final(in, len, &final, &reason);
    if (r < 0)
        return fail(scram, r, reason);
    if (final.error.str)
        return fail_named(scram, final.error);
    if (final.verifier.len != base64_encoded_len(scram->hash->len) ||
        base64_decode(final.verifier.str, final.verifier.len, shown, &shown_len) < 0)
        return fail(scram, XMPP_ERR_PROTOCOL, "the server's SCRAM signature is malformed");
    /* SEC-36 */
    if (shown_len != scram->hash->len || !secret_equal(shown, scram->signature, shown_len))
        return fail(scram, XMPP_ERR_AUTH,
                    "the server's SCRAM signature is wrong: it does not know the password");
    if (scram->derived) {
        struct keys_id id = keys_id_of(scram);
        /* SASL-20, only now that they are known to be right. Without memory there is no harm but time. */
        (void)keys_store(scram->base.params->keys, &id, &scram->keys);
    }
    forget(scram);
    scram->state = STATE_DONE;
    /* SASL-07: additional data of <success/>, or a last challenge that wants an empty response */
    return last ? SASL_RESULT_DONE : SASL_RESULT_RESPOND;
}

static int scram_step(struct sasl *sasl, const void *in, size_t len, bool final, struct buf *out)
{
    struct scram *scram = of(sasl);

    if (scram->state == STATE_FAILED)
        return scram->error;
    if (len > LIMIT_SASL_MESSAGE)
        return fail(scram, XMPP_ERR_PROTOCOL, "a SCRAM message of the server is too long");
    if (scram->state == STATE_DONE) {
        if (final && len == 0)
            return SASL_RESULT_DONE;
        return fail(scram, XMPP_ERR_PROTOCOL, "the server went on after its last SCRAM message");
    }
    /* SASL-17 */
    if (final && (scram->state != STATE_FINAL || len == 0))
        return fail(scram, XMPP_ERR_AUTH,
                    "the server reported success without proving that it knows the password");
    if (scram->state == STATE_FIRST)
        return step_first(scram, in, len, out);
    if (scram->state == STATE_FINAL)
        return step_final(scram, in, len, final);
    return fail(scram, XMPP_ERR_PROTOCOL, "a SCRAM message came before its time");
}

static bool scram_is_done(const struct sasl *sasl)
{
    return ((const struct scram *)sasl)->state == STATE_DONE;
}

static const char *scram_reason(const struct sasl *sasl)
{
    return ((const struct scram *)sasl)->reason;
}

const struct sasl_ops sasl_scram_ops = {
    .name = "SCRAM",
    .needs_secret = true,
    .create = scram_create,
    .start = scram_start,
    .step = scram_step,
    .work = scram_work,
    .is_done = scram_is_done,
    .reason = scram_reason,
    .free = scram_free,
};
