/* Which mechanism, and which channel binding.
 *
 * SASL-02: EXTERNAL, SCRAM with channel binding, SCRAM without, PLAIN. Mechanisms of libsasl2 only when the
 * application names them (SASL-03). XEP-0440 section 3 for plain SASL, by what the server offers, when our TLS
 * session has a binding (without one: rule 1, flag 'n'):
 *
 *   -PLUS  types
 *   no     no      'y': we could, the server says that it cannot. It refuses when it did not say so (rule 2)
 *   yes    yes     'p' with the best type that both have (rule 6). None in common: given up, unless the server
 *                  has tls-server-end-point and only we lack it: then 'n' (rule 5)
 *   no     yes     given up: somebody may have taken -PLUS out of the list (rule 4)
 *   yes    no      TLS 1.2 (tls-unique is there): 'p' with tls-unique, which is what servers mean that know of
 *                  no types. TLS 1.3: 'n', since such servers offer -PLUS and then refuse tls-exporter
 *                  (SASL-23, rule 3); 'y' would be a lie that a server takes for an attack
 *
 * What is given up concerns mechanisms with a password. After a mechanism with channel binding has failed, none
 * without is tried: a relay in the middle could get around the binding by answering <failure/>.
 *
 * The application's list changes this where it speaks of it. Without any -PLUS name it says that no channel
 * binding is wanted, and nothing is given up. With one, the best binding that we have is tried although the
 * server names no types, and since that is a guess, what the list has behind it may follow when it fails.
 */
#include "sasl/select.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

enum kind {
    KIND_EXTERNAL = 1,
    KIND_SCRAM = 2,
    KIND_PLAIN = 3,
    KIND_ANONYMOUS = 4,
    KIND_FOREIGN = 5 /* of libsasl2 */
};

struct own {
    const char *name;
    const struct sasl_ops *ops;
    enum kind kind;
    bool plus;
};

/* in order of preference */
static const struct own table[] = {
    {"EXTERNAL", &sasl_external_ops, KIND_EXTERNAL, false},
    {"SCRAM-SHA-512-PLUS", &sasl_scram_ops, KIND_SCRAM, true},
    {"SCRAM-SHA-256-PLUS", &sasl_scram_ops, KIND_SCRAM, true},
    {"SCRAM-SHA-1-PLUS", &sasl_scram_ops, KIND_SCRAM, true},
    {"SCRAM-SHA-512", &sasl_scram_ops, KIND_SCRAM, false},
    {"SCRAM-SHA-256", &sasl_scram_ops, KIND_SCRAM, false},
    {"SCRAM-SHA-1", &sasl_scram_ops, KIND_SCRAM, false},
    {"PLAIN", &sasl_plain_ops, KIND_PLAIN, false},
    {"ANONYMOUS", &sasl_anonymous_ops, KIND_ANONYMOUS, false},
};

/* Why a mechanism is not taken. Of all that apply, the last in this order is told: the one that came nearest
 * to a login. */
enum verdict {
    VERDICT_OK = 0,
    VERDICT_NOT_OFFERED,
    VERDICT_UNKNOWN,
    VERDICT_HAS_NAME,
    VERDICT_NO_NAME,
    VERDICT_NO_CERTIFICATE,
    VERDICT_NO_BINDING,
    VERDICT_NO_PLUGIN,
    VERDICT_EXTERNAL_INSECURE,
    VERDICT_PLAIN_INSECURE,
    VERDICT_PLAIN_PINNED,
    VERDICT_TRIED,
    VERDICT_PLUS_REMOVED,
    VERDICT_NO_COMMON_TYPE,
    VERDICT_PLUS_FAILED,
    VERDICTS
};

static const char *const reasons[VERDICTS] = {
    [VERDICT_OK] = "",
    [VERDICT_NOT_OFFERED] = "server offers none of the mechanisms that may be used",
    [VERDICT_UNKNOWN] = "server offers only mechanisms that are not used unless the application "
                        "names them",
    [VERDICT_HAS_NAME] = "server offers only ANONYMOUS, but the address has a user name",
    [VERDICT_NO_NAME] = "the address has no user name and server does not offer ANONYMOUS",
    [VERDICT_NO_CERTIFICATE] =
        "server offers only EXTERNAL, which needs a client certificate, and none is set",
    [VERDICT_NO_BINDING] = "server offers only mechanisms with channel binding, and this "
                           "connection has none that fits",
    [VERDICT_NO_PLUGIN] = "no usable mechanism: is libsasl2-modules installed?",
    [VERDICT_EXTERNAL_INSECURE] = "EXTERNAL is not used without verified TLS",
    [VERDICT_PLAIN_INSECURE] = "server offers only PLAIN without TLS",
    [VERDICT_PLAIN_PINNED] = "server offers only PLAIN, but this account has used a stronger "
                             "mechanism before: possible downgrade attack",
    [VERDICT_TRIED] = "every mechanism that may be used has failed",
    [VERDICT_PLUS_REMOVED] = "server announces channel binding types but offers no mechanism with "
                             "channel binding: possible downgrade attack",
    [VERDICT_NO_COMMON_TYPE] = "server and client have no channel binding type in common: possible "
                               "downgrade attack",
    [VERDICT_PLUS_FAILED] = "login with channel binding has failed; nothing weaker is tried, since "
                            "somebody may be in between",
};

/* What the channel bindings of both sides come to; computed once for an offer. */
struct binding_policy {
    const struct sasl_binding *binding; /* for -PLUS; NULL: -PLUS is not used */
    char flag; /* without -PLUS: 'n' or 'y' */
    enum verdict without; /* may a mechanism without channel binding be used? */
};

static bool has_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(names[i], name))
            return true;
    return false;
}

static bool has_plus(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_ends(names[i], "-PLUS"))
            return true;
    return false;
}

static const struct sasl_binding *find_binding(const struct sasl_offer *offer, const char *type)
{
    for (size_t i = 0; i < offer->binding_count; i++)
        if (str_eq(offer->bindings[i].type, type) && offer->bindings[i].len > 0)
            return &offer->bindings[i];
    return NULL;
}

/* Strongest first. tls-unique is among the bindings of a session only below TLS 1.3. */
static const char *const types[] = {"tls-exporter", "tls-unique", "tls-server-end-point"};

static const struct sasl_binding *best_binding(const struct sasl_offer *offer, bool announced_only)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        const struct sasl_binding *binding = find_binding(offer, types[i]);
        if (binding &&
            (!announced_only || has_name(offer->cb_types, offer->cb_type_count, types[i])))
            return binding;
    }
    return NULL;
}

static bool wants_plus(const struct sasl_offer *offer)
{
    const char *pos = offer->wanted;
    const char *word = NULL;
    size_t len = 0;
    const size_t tail = strlen("-PLUS");

    while (pos && str_next_word(&pos, &word, &len))
        if (len > tail && memcmp(word + len - tail, "-PLUS", tail) == 0)
            return true;
    return false;
}

static struct binding_policy make_policy(const struct sasl_offer *offer)
{
    bool named = wants_plus(offer);
    bool plus = has_plus(offer->mechanisms, offer->mechanism_count);
    bool announced = offer->cb_types && offer->cb_type_count > 0;
    struct binding_policy policy = {NULL, 'n', VERDICT_OK};

    if (!best_binding(offer, false))
        return policy;
    if (!plus && !announced) {
        policy.flag = 'y';
    } else if (!plus) {
        policy.without = VERDICT_PLUS_REMOVED;
    } else if (announced) {
        policy.binding = best_binding(offer, true);
        if (!policy.binding &&
            !has_name(offer->cb_types, offer->cb_type_count, "tls-server-end-point"))
            policy.without = VERDICT_NO_COMMON_TYPE;
    } else {
        policy.binding = find_binding(offer, "tls-unique");
        if (!policy.binding && named)
            policy.binding = best_binding(offer, false);
    }
    if (has_plus(offer->tried, offer->tried_count) && (announced || !named))
        policy.without = VERDICT_PLUS_FAILED;
    if (offer->wanted && !named)
        policy.without = VERDICT_OK;
    return policy;
}

/* PLAIN and its like give the password to whoever listens: SASL-02, SASL-25, SEC-08. */
static enum verdict judge_clear(const struct sasl_offer *offer)
{
    if (!offer->secured)
        return VERDICT_PLAIN_INSECURE;
    return offer->no_plain ? VERDICT_PLAIN_PINNED : VERDICT_OK;
}

static enum verdict judge_own(const struct sasl_offer *offer, const struct binding_policy *policy,
                              const struct own *own)
{
    enum verdict verdict = VERDICT_OK;

    switch (own->kind) {
    case KIND_EXTERNAL:
        if (!offer->external)
            return VERDICT_NO_CERTIFICATE;
        return offer->secured ? VERDICT_OK : VERDICT_EXTERNAL_INSECURE;
    case KIND_ANONYMOUS:
        return offer->anonymous ? VERDICT_OK : VERDICT_HAS_NAME;
    case KIND_PLAIN:
        verdict = judge_clear(offer);
        break;
    default:
        break;
    }
    if (offer->anonymous)
        return VERDICT_NO_NAME;
    if (verdict != VERDICT_OK)
        return verdict;
    if (own->plus)
        return policy->binding ? VERDICT_OK : VERDICT_NO_BINDING;
    return policy->without;
}

/* A mechanism of libsasl2, which the application has named. */
static enum verdict judge_foreign(const struct sasl_offer *offer,
                                  const struct binding_policy *policy, const char *name)
{
    if (!sasl_cyrus_has(name))
        return VERDICT_NO_PLUGIN;
    if (str_eq(name, "LOGIN") && judge_clear(offer) != VERDICT_OK)
        return judge_clear(offer);
    if (str_ends(name, "-PLUS") && !policy->binding)
        return VERDICT_NO_BINDING;
    return VERDICT_OK;
}

static const struct own *find_own(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (str_eq(table[i].name, name))
            return &table[i];
    return NULL;
}

static void choose(struct sasl_choice *ret, const struct sasl_ops *ops, const char *name,
                   enum kind kind, const struct binding_policy *policy)
{
    bool plus = str_ends(name, "-PLUS");
    /* the flag has a meaning in SCRAM and in the GS2 family only */
    bool gs2 = kind == KIND_SCRAM || str_starts(name, "GS2-");

    *ret = (struct sasl_choice){.ops = ops,
                                .name = name,
                                .gs2_flag = plus  ? 'p'
                                            : gs2 ? policy->flag
                                                  : 'n',
                                .binding = plus ? policy->binding : NULL};
}

/* One mechanism, known to be offered. */
static enum verdict try_one(const struct sasl_offer *offer, const struct binding_policy *policy,
                            const char *name, struct sasl_choice *ret)
{
    const struct own *own = find_own(name);

    if (has_name(offer->tried, offer->tried_count, name))
        return VERDICT_TRIED;
    if (own) {
        enum verdict verdict = judge_own(offer, policy, own);
        if (verdict == VERDICT_OK)
            choose(ret, own->ops, own->name, own->kind, policy);
        return verdict;
    }
    if (!offer->wanted)
        return VERDICT_UNKNOWN;
    enum verdict verdict = judge_foreign(offer, policy, name);
    if (verdict == VERDICT_OK)
        choose(ret, &sasl_cyrus_ops, name, KIND_FOREIGN, policy);
    return verdict;
}

static const char *find_offered(const struct sasl_offer *offer, const char *name, size_t len)
{
    for (size_t i = 0; i < offer->mechanism_count; i++)
        if (strlen(offer->mechanisms[i]) == len && memcmp(offer->mechanisms[i], name, len) == 0)
            return offer->mechanisms[i];
    return NULL;
}

static enum verdict worse(enum verdict a, enum verdict b)
{
    return a > b ? a : b;
}

static enum verdict select_wanted(const struct sasl_offer *offer,
                                  const struct binding_policy *policy, struct sasl_choice *ret)
{
    enum verdict all = VERDICT_NOT_OFFERED;
    const char *pos = offer->wanted;
    const char *word = NULL;
    size_t len = 0;

    while (str_next_word(&pos, &word, &len)) {
        const char *name = find_offered(offer, word, len);
        if (!name)
            continue;
        enum verdict verdict = try_one(offer, policy, name, ret);
        if (verdict == VERDICT_OK)
            return VERDICT_OK;
        all = worse(all, verdict);
    }
    return all;
}

static enum verdict select_default(const struct sasl_offer *offer,
                                   const struct binding_policy *policy, struct sasl_choice *ret)
{
    enum verdict all = VERDICT_NOT_OFFERED;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (!has_name(offer->mechanisms, offer->mechanism_count, table[i].name))
            continue;
        enum verdict verdict = try_one(offer, policy, table[i].name, ret);
        if (verdict == VERDICT_OK)
            return VERDICT_OK;
        all = worse(all, verdict);
    }
    /* only to tell "nothing that is used" from "nothing at all" */
    if (all == VERDICT_NOT_OFFERED && offer->mechanism_count > 0)
        all = offer->anonymous ? VERDICT_NO_NAME : VERDICT_UNKNOWN;
    return all;
}

int sasl_select(const struct sasl_offer *offer, struct sasl_choice *ret, const char **ret_reason)
{
    if (offer->mechanism_count == 0) {
        *ret_reason = "server offers no mechanisms";
        return XMPP_ERR_AUTH;
    }
    struct binding_policy policy = make_policy(offer);
    enum verdict verdict =
        offer->wanted ? select_wanted(offer, &policy, ret) : select_default(offer, &policy, ret);
    if (verdict == VERDICT_OK)
        return XMPP_OK;
    *ret_reason = reasons[verdict];
    return XMPP_ERR_AUTH;
}

/* --- XEP-0474 --- */

/* i;octet; strcmp() compares unsigned. Shell sort: in place, no memory, and quick enough for any list that
 * fits into one <features/>. */
static void sort_names(const char **names, size_t count)
{
    for (size_t gap = count / 2; gap > 0; gap /= 2)
        for (size_t i = gap; i < count; i++) {
            const char *name = names[i];
            size_t k = i;
            for (; k >= gap && strcmp(names[k - gap], name) > 0; k -= gap)
                names[k] = names[k - gap];
            names[k] = name;
        }
}

static void free_names(const char ***names)
{
    mem_free(*names);
}

static int append_sorted(struct buf *out, const char *const *list, size_t count)
{
    CLEANUP(free_names) const char **names = mem_zalloc_array(count, sizeof *names);
    int r = XMPP_OK;

    if (!names)
        return XMPP_ERR_NOMEM;
    for (size_t i = 0; i < count; i++)
        names[i] = list[i];
    sort_names(names, count);
    for (size_t i = 0; i < count && r == XMPP_OK; i++) {
        if (i > 0)
            r = buf_append_char(out, '\x1e');
        if (r == XMPP_OK)
            r = buf_append_str(out, names[i]);
    }
    return r;
}

int sasl_ssdp_string(const struct sasl_offer *offer, char **ret)
{
    struct buf out;

    buf_init(&out, SIZE_MAX);
    int r = append_sorted(&out, offer->mechanisms, offer->mechanism_count);
    if (r == XMPP_OK && offer->cb_types) {
        r = buf_append_char(&out, '\x1f');
        if (r == XMPP_OK)
            r = append_sorted(&out, offer->cb_types, offer->cb_type_count);
    }
    if (r == XMPP_OK)
        r = buf_steal_str(&out, ret, NULL);
    buf_clear(&out);
    return r;
}
