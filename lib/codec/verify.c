#include "codec/verify.h"

#include "base/mem.h"
#include "base/str.h"

#include <gnutls/ocsp.h>
#include <gnutls/x509-ext.h>
#include <xmpp/client.h>
#include <xmpp/error.h>

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#define OID_SAN    "2.5.29.17"
#define SRV_PREFIX "_xmpp-client."
#define SRV_LEN    (sizeof(SRV_PREFIX) - 1)
#define MAX_LISTED 4 /* names of a wrong certificate that the verdict tells */

/* --- names --- */

/* All names of a certificate, parsed once. */
struct names {
    gnutls_subject_alt_names_t list;
};

static void names_clear(struct names *names)
{
    if (names->list)
        gnutls_subject_alt_names_deinit(names->list);
}

static int names_load(struct names *names, gnutls_x509_crt_t crt)
{
    gnutls_datum_t der = {0};
    unsigned critical;
    int r = gnutls_x509_crt_get_extension_by_oid2(crt, OID_SAN, 0, &der, &critical);

    names->list = NULL;
    if (r < 0)
        return r;
    r = gnutls_subject_alt_names_init(&names->list);
    if (r >= 0)
        r = gnutls_x509_ext_import_subject_alt_names(&der, names->list, 0);
    gnutls_free(der.data);
    return r;
}

/* Letters, digits, hyphen, underscore and dot, and the asterisk of a wildcard: so no NUL and nothing outside ASCII
 * ever matches or is printed (CERT-08). */
static bool is_host_char(char c)
{
    char lower = str_lower(c);

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '*';
}

static bool is_host(const gnutls_datum_t *value)
{
    for (unsigned i = 0; i < value->size; i++)
        if (!is_host_char((char)value->data[i]))
            return false;
    return value->size > 0;
}

/* The value is not terminated; a NUL inside it differs from every character of the string. */
static bool equals(const void *value, size_t len, const char *str)
{
    const char *chars = value;

    if (strlen(str) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (str_lower(chars[i]) != str_lower(str[i]))
            return false;
    return true;
}

/* CERT-02, CERT-06: "*." stands for exactly one label. */
static bool dns_matches(const gnutls_datum_t *value, const char *domain)
{
    const char *chars = (const char *)value->data;
    const char *dot = strchr(domain, '.');

    if (!is_host(value))
        return false;
    if (chars[0] != '*')
        return equals(chars, value->size, domain);
    return value->size > 2 && chars[1] == '.' && dot && dot != domain &&
           equals(chars + 1, value->size - 1, dot);
}

static bool ip_matches(const gnutls_datum_t *value, const char *literal)
{
    uint8_t address[sizeof(struct in6_addr)];

    if (value->size == 4 && inet_pton(AF_INET, literal, address) == 1)
        return memcmp(value->data, address, 4) == 0;
    if (value->size == 16 && inet_pton(AF_INET6, literal, address) == 1)
        return memcmp(value->data, address, 16) == 0;
    return false;
}

/* CERT-03..05: the two other names that XMPP knows. What matched in words, or NULL. */
static const char *other_matches(const gnutls_datum_t *oid, const gnutls_datum_t *value,
                                 const struct verify_name *name)
{
    const char *ret = NULL;
    gnutls_datum_t text = {0};
    unsigned type = 0;

    if (gnutls_x509_othername_to_virtual((const char *)oid->data, value, &type, &text) < 0)
        return NULL;
    if (type == GNUTLS_SAN_OTHERNAME_SRV && text.size > SRV_LEN &&
        equals(text.data, SRV_LEN, SRV_PREFIX) &&
        equals(text.data + SRV_LEN, text.size - SRV_LEN, name->ascii))
        ret = "SRV name " SRV_PREFIX;
    else if (type == GNUTLS_SAN_OTHERNAME_XMPP && (equals(text.data, text.size, name->unicode) ||
                                                   equals(text.data, text.size, name->ascii)))
        ret = "XMPP address ";
    gnutls_free(text.data);
    return ret;
}

int verify_name_matches(gnutls_x509_crt_t crt, const struct verify_name *name, char *matched,
                        size_t size)
{
    CLEANUP(names_clear) struct names names;
    int r = names_load(&names, crt);

    if (r == GNUTLS_E_MEMORY_ERROR)
        return XMPP_ERR_NOMEM;
    if (r < 0)
        return 0; /* no name but perhaps a CN, which does not count (CERT-07) */
    for (unsigned i = 0;; i++) {
        gnutls_datum_t value = {0};
        gnutls_datum_t oid = {0};
        const char *what = NULL;
        unsigned type;
        bool is_wild = false;

        if (gnutls_subject_alt_names_get(names.list, i, &type, &value, &oid) < 0)
            return 0;
        if (name->is_ip) {
            /* a literal is matched by an address and by nothing else */
            if (type == GNUTLS_SAN_IPADDRESS && ip_matches(&value, name->ascii))
                what = "IP address ";
        } else if (type == GNUTLS_SAN_DNSNAME && dns_matches(&value, name->ascii)) {
            what = "DNS name ";
            is_wild = value.data[0] == '*';
        } else if (type == GNUTLS_SAN_OTHERNAME) {
            what = other_matches(&oid, &value, name);
        }
        if (!what)
            continue;
        if (matched)
            (void)str_format(matched, size, "%s%s%s", what, is_wild ? "*" : "",
                             is_wild ? strchr(name->ascii, '.') : name->ascii);
        return 1;
    }
}

/* --- verdict --- */

struct words {
    char *dst;
    size_t size;
    size_t len;
};

/* Appends "; text", or "text" at the beginning; what does not fit is cut. */
static void words_add(struct words *words, const char *text)
{
    const char *separator = words->len ? "; " : "";

    if (words->len + 1 >= words->size)
        return;
    (void)str_format(words->dst + words->len, words->size - words->len, "%s%s", separator, text);
    words->len += strlen(words->dst + words->len);
}

static void words_add_date(struct words *words, const char *what, time_t date)
{
    char text[64];
    struct tm tm;

    if (!gmtime_r(&date, &tm))
        return words_add(words, what);
    (void)str_format(text, sizeof(text), "%s %04d-%02d-%02d", what, tm.tm_year + 1900,
                     tm.tm_mon + 1, tm.tm_mday);
    words_add(words, text);
}

/* GnuTLS stops at the first thing that is wrong with a chain; the dates of the leaf are always told. */
static int judge_dates(gnutls_x509_crt_t leaf, unsigned status, struct words *words)
{
    time_t until = gnutls_x509_crt_get_expiration_time(leaf);
    time_t from = gnutls_x509_crt_get_activation_time(leaf);
    struct timespec now;
    int problems = 0;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail; the clock that GnuTLS uses, too */
    if (until != (time_t)-1 && until < now.tv_sec) {
        words_add_date(words, "expired", until);
        problems |= XMPP_CERT_EXPIRED;
    } else if (status & GNUTLS_CERT_EXPIRED) {
        words_add(words, "a certificate of its chain has expired");
        problems |= XMPP_CERT_EXPIRED;
    }
    if (from != (time_t)-1 && from > now.tv_sec) {
        words_add_date(words, "not valid before", from);
        problems |= XMPP_CERT_NOT_YET_VALID;
    } else if (status & GNUTLS_CERT_NOT_ACTIVATED) {
        words_add(words, "a certificate of its chain is not yet valid");
        problems |= XMPP_CERT_NOT_YET_VALID;
    }
    return problems;
}

static void say_unknown_issuer(gnutls_x509_crt_t leaf, struct words *words)
{
    char dn[128];
    size_t len = sizeof(dn);
    char text[192];

    if (gnutls_x509_crt_check_issuer(leaf, leaf))
        return words_add(words, "self-signed");
    if (gnutls_x509_crt_get_issuer_dn(leaf, dn, &len) < 0)
        return words_add(words, "issuer not trusted");
    for (size_t i = 0; dn[i]; i++)
        if (dn[i] < ' ' || dn[i] > '~')
            dn[i] = '?';
    (void)str_format(text, sizeof(text), "issuer not trusted: %s", dn);
    words_add(words, text);
}

static int judge_chain(gnutls_x509_crt_t leaf, unsigned status, struct words *words)
{
    static const struct {
        unsigned bit;
        int problem;
        const char *text;
    } table[] = {
        {GNUTLS_CERT_REVOKED, XMPP_CERT_REVOKED, "revoked"},
        {GNUTLS_CERT_INSECURE_ALGORITHM, XMPP_CERT_WEAK, "weak signature or key"},
        {GNUTLS_CERT_SIGNER_NOT_CA, XMPP_CERT_BAD_CHAIN, "issuer is no authority"},
        {GNUTLS_CERT_SIGNATURE_FAILURE, XMPP_CERT_BAD_CHAIN, "wrong signature"},
        {GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, XMPP_CERT_BAD_CHAIN,
         "outside the constraints of its issuer"},
        {GNUTLS_CERT_PURPOSE_MISMATCH, XMPP_CERT_BAD_CHAIN, "not meant for TLS servers"},
        {GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS, XMPP_CERT_BAD_CHAIN,
         "has an unknown critical extension"},
        {GNUTLS_CERT_MISSING_OCSP_STATUS, XMPP_CERT_BAD_CHAIN,
         "the OCSP status that it demands is missing"},
        {GNUTLS_CERT_INVALID_OCSP_STATUS, XMPP_CERT_BAD_CHAIN, "invalid OCSP status"},
        {GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED, XMPP_CERT_BAD_CHAIN, "outdated OCSP status"},
        {GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE, XMPP_CERT_BAD_CHAIN,
         "OCSP status from the future"},
    };
    int problems = 0;

    if (status & GNUTLS_CERT_SIGNER_NOT_FOUND) {
        say_unknown_issuer(leaf, words);
        problems |= XMPP_CERT_BAD_CHAIN;
    }
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (!(status & table[i].bit))
            continue;
        words_add(words, table[i].text);
        problems |= table[i].problem;
    }
    return problems;
}

static void say_wrong_name(gnutls_x509_crt_t leaf, const struct verify_name *name,
                           struct words *words)
{
    CLEANUP(names_clear) struct names names;
    char text[VERIFY_VERDICT_SIZE];
    struct words line = {.dst = text, .size = sizeof(text)};
    unsigned listed = 0;

    (void)str_format(text, sizeof(text), "not for %s", name->ascii);
    line.len = strlen(text);
    if (names_load(&names, leaf) >= 0) {
        for (unsigned i = 0; listed < MAX_LISTED; i++) {
            gnutls_datum_t value = {0};
            char host[80];
            unsigned type;

            if (gnutls_subject_alt_names_get(names.list, i, &type, &value, NULL) < 0)
                break;
            if (type != GNUTLS_SAN_DNSNAME || !is_host(&value))
                continue;
            (void)str_format(host, sizeof(host), "%s%.*s", listed++ ? ", " : " but for DNS name ",
                             (int)value.size, (const char *)value.data);
            (void)str_format(text + line.len, sizeof(text) - line.len, "%s", host);
            line.len += strlen(text + line.len);
        }
    }
    if (!listed && line.len + 1 < sizeof(text))
        (void)str_format(text + line.len, sizeof(text) - line.len, " (it has no DNS name)");
    words_add(words, text);
}

static int judge(gnutls_x509_crt_t leaf, unsigned status, const struct verify_name *name,
                 char *verdict, size_t size)
{
    struct words words = {.dst = verdict, .size = size};
    char matched[VERIFY_VERDICT_SIZE];
    int problems;
    int r = verify_name_matches(leaf, name, matched, sizeof(matched));

    if (r < 0)
        return r;
    problems = judge_chain(leaf, status, &words);
    problems |= judge_dates(leaf, status, &words);
    if (status && !problems) {
        words_add(&words, "chain not valid");
        problems |= XMPP_CERT_BAD_CHAIN;
    }
    if (r == 0) {
        say_wrong_name(leaf, name, &words);
        problems |= XMPP_CERT_WRONG_NAME;
    }
    if (!problems)
        (void)str_format(verdict, size, "trusted, %s", matched);
    return problems;
}

static int fail(int number, char *verdict, size_t size)
{
    if (number == GNUTLS_E_MEMORY_ERROR)
        return XMPP_ERR_NOMEM;
    (void)str_format(verdict, size, "certificate cannot be verified: %s", gnutls_strerror(number));
    return XMPP_ERR_TLS;
}

int verify_session(gnutls_session_t session, const struct verify_name *name, char *verdict,
                   size_t size)
{
    /* GnuTLS' type is not const, it does not write */
    static unsigned char purpose[] = GNUTLS_KP_TLS_WWW_SERVER;
    gnutls_typed_vdata_st data = {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = purpose};
    const gnutls_datum_t *chain;
    gnutls_x509_crt_t leaf;
    unsigned count = 0;
    unsigned status = 0;
    int r;

    /* An OCSP answer that came with the handshake is looked at in here (CERT-12). */
    r = gnutls_certificate_verify_peers(session, &data, 1, &status);
    if (r < 0)
        return fail(r, verdict, size);
    chain = gnutls_certificate_get_peers(session, &count);
    if (!chain || !count)
        return fail(GNUTLS_E_NO_CERTIFICATE_FOUND, verdict, size);
    r = gnutls_x509_crt_init(&leaf);
    if (r < 0)
        return fail(r, verdict, size);
    r = gnutls_x509_crt_import(leaf, &chain[0], GNUTLS_X509_FMT_DER);
    if (r < 0)
        r = fail(r, verdict, size);
    else
        r = judge(leaf, status, name, verdict, size);
    gnutls_x509_crt_deinit(leaf);
    return r;
}
