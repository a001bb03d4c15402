/* Mechanisms and their choice. Byte 0: the mechanism, or (SELECT) that one is selected; bytes 1 and 2: flags. With
 * SELECT three lists of words follow, each up to a byte 0xff: offered mechanisms, channel binding types, and what the
 * application wants. The rest are the server's messages: a challenge ends with 0xff, the data of <success/> with
 * 0xfe. */
#include "fuzz/fuzz.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "sasl/attr.h"
#include "sasl/mech.h"
#include "sasl/prep.h"
#include "sasl/select.h"

#include <xmpp/error.h>

#define CHALLENGE 0xff
#define SUCCESS   0xfe
#define WORK_MAX  20 /* slices of PBKDF2 */
#define WORDS_MAX 40

enum {
    NO_SECRET = 1, /* until it is asked for */
    OTHER_SECRET = 2, /* the one that no seed knows */
    KEYS = 4, /* kept; the same conversation is had again without secret */
    BINDING = 8,
    AUTHZID = 16,
    OTHER_NAME = 32, /* one that needs preparation and escapes */
    TLS = 64,
    SSDP = 128
};
enum {
    /* of the second byte, for SELECT */
    SECURED = 1,
    CERTIFICATE = 2,
    NAMELESS = 4,
    PINNED = 8,
    HAS_TYPES = 16,
    HAS_WANTED = 32,
    OLD_TLS = 64, /* tls-unique */
    TRIED = 128 /* the first word has failed before */
};

static const struct {
    const char *name;
    const struct sasl_ops *ops;
} mechanisms[] = {
    {"SCRAM-SHA-1", &sasl_scram_ops},
    {"SCRAM-SHA-256", &sasl_scram_ops},
    {"SCRAM-SHA-512", &sasl_scram_ops},
    {"SCRAM-SHA-1-PLUS", &sasl_scram_ops},
    {"SCRAM-SHA-256-PLUS", &sasl_scram_ops},
    {"SCRAM-SHA-512-PLUS", &sasl_scram_ops},
    {"PLAIN", &sasl_plain_ops},
    {"EXTERNAL", &sasl_external_ops},
    {"ANONYMOUS", &sasl_anonymous_ops},
    {"DIGEST-MD5", &sasl_cyrus_ops},
    {"CRAM-MD5", &sasl_cyrus_ops},
    {"LOGIN", &sasl_cyrus_ops},
    {"NTLM", &sasl_cyrus_ops},
};
#define MECHANISMS (sizeof mechanisms / sizeof *mechanisms)

/* The plugin for DIGEST-MD5 in libsasl2 2.1.28 loses a copy of what a challenge says twice. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libdigestmd5";
}

struct words {
    char *text;
    const char *list[WORDS_MAX];
    size_t count;
};

struct run {
    struct input input;
    unsigned flags;
    struct sasl_params params;
    struct secret *secret;
    struct sasl_keys *keys;
    unsigned work;
};

static void take_words(struct input *input, struct words *words)
{
    size_t len;
    int separator;

    words->text = input_until(input, CHALLENGE, CHALLENGE, &len, &separator);
    words->count = 0;
    for (char *p = strtok(words->text, " "); p && words->count < WORDS_MAX; p = strtok(NULL, " "))
        words->list[words->count++] = p;
}

static bool has(const char *const *list, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(list[i], word))
            return true;
    return false;
}

/* The grammar alone, which must keep to the message. */
static void check_grammar(const char *message, size_t len)
{
    struct attr_first first;
    struct attr_final final;
    const char *reason = NULL;
    int r = attr_parse_first(message, len, &first, &reason);

    CHECK(r == XMPP_OK || reason);
    if (r == XMPP_OK && first.nonce.str)
        CHECK(first.nonce.str >= message && first.nonce.str + first.nonce.len <= message + len);
    if (r == XMPP_OK && first.salt.str)
        CHECK(first.salt.str >= message && first.salt.str + first.salt.len <= message + len);
    reason = NULL;
    r = attr_parse_final(message, len, &final, &reason);
    CHECK(r == XMPP_OK || reason);
    if (r == XMPP_OK)
        CHECK((final.verifier.str != NULL) != (final.error.str != NULL));
}

/* All the computing that a step asks for, and the secret. */
static int settle(struct run *run, struct sasl *sasl, int r, struct buf *out)
{
    while (r == SASL_RESULT_WORK) {
        CHECK(buf_len(out) == 0);
        CHECK(!sasl->ops->is_done(sasl));
        if (run->work++ == WORK_MAX)
            return XMPP_ERR_AUTH; /* long enough: it is freed in the middle */
        r = sasl->ops->work(sasl, out);
    }
    return r;
}

static void give_secret(struct run *run)
{
    const char *text = run->flags & OTHER_SECRET ? "unknown to all seeds" : "pencil";

    if (!run->secret)
        CHECK(secret_create(&run->secret, text, strlen(text)) == XMPP_OK);
    run->params.secret = run->secret;
}

static int step(struct run *run, struct sasl *sasl, const char *message, size_t len, bool final)
{
    struct buf out;
    int r;

    buf_init(&out, SIZE_MAX);
    r = settle(run, sasl, sasl->ops->step(sasl, message, len, final, &out), &out);
    if (r == SASL_RESULT_NEED_SECRET) {
        CHECK(!run->params.secret && buf_len(&out) == 0);
        give_secret(run);
        r = settle(run, sasl, sasl->ops->step(sasl, message, len, final, &out), &out);
        CHECK(r != SASL_RESULT_NEED_SECRET);
    }
    CHECK(r < 0 || r == SASL_RESULT_RESPOND || r == SASL_RESULT_DONE);
    if (r != SASL_RESULT_RESPOND)
        CHECK(buf_len(&out) == 0);
    if (r < 0) {
        CHECK(r == XMPP_ERR_AUTH || r == XMPP_ERR_PROTOCOL || r == XMPP_ERR_LIMIT);
        CHECK(!sasl->ops->is_done(sasl));
        CHECK(sasl->ops->reason(sasl) != NULL);
    }
    /* SASL-17: only who knows the password can make the server's signature */
    if (run->flags & OTHER_SECRET && sasl->ops == &sasl_scram_ops)
        CHECK(!sasl->ops->is_done(sasl));
    buf_wipe(&out);
    return r;
}

static int start(struct run *run, struct sasl *sasl)
{
    struct buf out;
    bool has_initial = false;
    int r;

    buf_init(&out, SIZE_MAX);
    r = settle(run, sasl, sasl->ops->start(sasl, &out, &has_initial), &out);
    if (r == SASL_RESULT_NEED_SECRET) {
        give_secret(run);
        r = settle(run, sasl, sasl->ops->start(sasl, &out, &has_initial), &out);
        CHECK(r != SASL_RESULT_NEED_SECRET);
    }
    CHECK(has_initial || buf_len(&out) == 0);
    CHECK(buf_len(&out) < 64u * 1024);
    buf_wipe(&out);
    return r;
}

static void converse(struct run *run, const struct sasl_ops *ops, const char *name)
{
    struct input input = run->input;
    struct sasl *sasl = NULL;
    unsigned steps = 0;
    int r = ops->create(&sasl, name, &run->params);

    if (r < 0) {
        CHECK(!sasl);
        return;
    }
    r = start(run, sasl);
    while (r >= 0 && input.len > 0 && steps++ < LIMIT_SASL_STEPS) {
        size_t len;
        int separator;
        char *message = input_until(&input, CHALLENGE, SUCCESS, &len, &separator);

        check_grammar(message, len);
        if (len <= LIMIT_SASL_MESSAGE)
            r = step(run, sasl, message, len, separator == SUCCESS);
        free(message);
    }
    ops->free(sasl);
}

static bool is_plus(const char *name)
{
    return str_ends(name, "-PLUS");
}

static void check_choice(const struct sasl_offer *offer, const struct sasl_choice *choice)
{
    CHECK(choice->ops && choice->name);
    CHECK(has(offer->mechanisms, offer->mechanism_count, choice->name));
    CHECK(!has(offer->tried, offer->tried_count, choice->name));
    CHECK(strcmp(choice->name, "PLAIN") != 0 || (offer->secured && !offer->no_plain));
    CHECK(strcmp(choice->name, "EXTERNAL") != 0 || (offer->secured && offer->external));
    CHECK((strcmp(choice->name, "ANONYMOUS") == 0) <= offer->anonymous);
    CHECK(is_plus(choice->name) == (choice->gs2_flag == 'p'));
    CHECK((choice->binding != NULL) == (choice->gs2_flag == 'p'));
    if (choice->ops == &sasl_cyrus_ops)
        CHECK(offer->wanted && strstr(offer->wanted, choice->name));
}

/* XEP-0474 6.1: sorted, so the order of the offer does not matter. */
static void check_ssdp(const struct sasl_offer *offer)
{
    const char *reversed[WORDS_MAX];
    struct sasl_offer other = *offer;
    char *a = NULL;
    char *b = NULL;

    for (size_t i = 0; i < offer->mechanism_count; i++)
        reversed[i] = offer->mechanisms[offer->mechanism_count - 1 - i];
    other.mechanisms = reversed;
    CHECK(sasl_ssdp_string(offer, &a) == XMPP_OK);
    CHECK(sasl_ssdp_string(&other, &b) == XMPP_OK);
    CHECK(strcmp(a, b) == 0);
    mem_free(a);
    mem_free(b);
}

static void run_select(struct run *run, unsigned flags)
{
    static const struct sasl_binding bindings[] = {
        {"tls-exporter", "0123456789abcdef", 16},
        {"tls-server-end-point", "fedcba9876543210", 16},
    };
    static const struct sasl_binding old_bindings[] = {
        {"tls-unique", "0123456789ab", 12},
        {"tls-server-end-point", "fedcba9876543210", 16},
    };
    struct words offered;
    struct words types;
    struct words wanted;
    struct sasl_choice choice = {.name = NULL};
    const char *reason = NULL;
    char *list = NULL;
    int r;

    take_words(&run->input, &offered);
    take_words(&run->input, &types);
    take_words(&run->input, &wanted);
    if (flags & HAS_WANTED) {
        list = fuzz_dup("", 0);
        for (size_t i = 0; i < wanted.count; i++) {
            list = realloc(list, strlen(list) + strlen(wanted.list[i]) + 2);
            strcat(strcat(list, wanted.list[i]), " ");
        }
    }
    struct sasl_offer offer = {
        .mechanisms = offered.list,
        .mechanism_count = offered.count,
        .cb_types = flags & HAS_TYPES ? types.list : NULL,
        .cb_type_count = flags & HAS_TYPES ? types.count : 0,
        .bindings = flags & OLD_TLS ? old_bindings : bindings,
        .binding_count = run->flags & BINDING ? 2 : 0,
        .wanted = list,
        .secured = flags & SECURED,
        .external = flags & CERTIFICATE,
        .anonymous = flags & NAMELESS,
        .no_plain = flags & PINNED,
        .tried = offered.list,
        .tried_count = flags & TRIED && offered.count > 0 ? 1 : 0,
    };
    r = sasl_select(&offer, &choice, &reason);
    CHECK(r == XMPP_OK || (r == XMPP_ERR_AUTH && reason && *reason));
    check_ssdp(&offer);
    if (r == XMPP_OK) {
        check_choice(&offer, &choice);
        run->params.gs2_flag = choice.gs2_flag;
        if (choice.binding) {
            run->params.cb_type = choice.binding->type;
            run->params.cb_data = choice.binding->data;
            run->params.cb_len = choice.binding->len;
        }
        converse(run, choice.ops, choice.name);
    }
    free(list);
    free(offered.text);
    free(types.text);
    free(wanted.text);
}

static void configure(struct run *run, const char *name)
{
    struct sasl_params *params = &run->params;

    params->authcid = run->flags & OTHER_NAME ? "\xc2\xaa=,\xe2\x84\xa6" : "user";
    params->authzid = run->flags & AUTHZID ? "other=,@a.example" : NULL;
    params->domain = "a.example";
    params->gs2_flag = run->flags & BINDING ? 'y' : 'n';
    if (run->flags & TLS) {
        params->tls_bits = 128;
        params->tls_version = run->flags & SSDP ? 0x0303 : 0x0304;
    }
    if (run->flags & SSDP)
        params->ssdp = "SCRAM-SHA-1\x1eSCRAM-SHA-256";
    if (name && is_plus(name)) {
        params->gs2_flag = 'p';
        params->cb_type = "tls-exporter";
        params->cb_data = "0123456789abcdef";
        params->cb_len = 16;
    }
    if (!(run->flags & NO_SECRET))
        give_secret(run);
    if (run->flags & KEYS) {
        CHECK(sasl_keys_create(&run->keys) == XMPP_OK);
        params->keys = run->keys;
    }
}

/* What is loaded once, and stays. */
static void warm_up(void)
{
    static bool is_warm;

    if (is_warm)
        return;
    fuzz_begin();
    (void)sasl_cyrus_has("DIGEST-MD5");
    is_warm = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run run = {.input = {data, size}};
    unsigned mechanism;
    unsigned select_flags;

    warm_up();
    fuzz_begin();
    mechanism = input_byte(&run.input) % (MECHANISMS * 2);
    run.flags = input_byte(&run.input);
    select_flags = input_byte(&run.input);
    if (mechanism < MECHANISMS) {
        configure(&run, mechanisms[mechanism].name);
        converse(&run, mechanisms[mechanism].ops, mechanisms[mechanism].name);
        if (run.keys && sasl_keys_has(run.keys)) {
            run.params.secret = NULL;
            converse(&run, mechanisms[mechanism].ops, mechanisms[mechanism].name);
        }
    } else {
        configure(&run, NULL);
        run_select(&run, select_flags);
    }
    sasl_keys_unref(run.keys);
    secret_free(run.secret);
    CHECK(fuzz_peak() < 1024u * 1024);
    fuzz_end();
    return 0;
}
