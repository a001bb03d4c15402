#include "support/certs.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509-ext.h>

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OID_XMPP_ADDR "1.3.6.1.5.5.7.8.5"
#define OID_SRV_NAME  "1.3.6.1.5.5.7.8.7"
#define DAY           86400
#define EXPIRED_FROM  1577836800 /* 2020-01-01 */
#define EXPIRED_UNTIL 1580515200 /* 2020-02-01 */

struct spec {
    const char *name;
    const char *issuer; /* NULL: itself */
    const char *dns;
    const char *srv;
    const char *xmpp_addr;
    const char *cn;
    time_t from; /* 0: an hour ago */
    time_t until;
    size_t dns_len; /* with a NUL inside */
    unsigned many;
    gnutls_digest_algorithm_t digest;
    int staple; /* CertStatus: 1 good, 2 revoked */
    bool is_ca;
    bool is_ip;
    bool is_client;
    bool is_future;
    bool sends_issuer;
};

static const struct spec specs[] = {
    {.name = "ca", .is_ca = true},
    {.name = "other-ca", .is_ca = true},
    {.name = "middle-ca", .issuer = "ca", .is_ca = true},
    {.name = "good", .issuer = "ca", .dns = "a.example"},
    {.name = "expired",
     .issuer = "ca",
     .dns = "a.example",
     .from = EXPIRED_FROM,
     .until = EXPIRED_UNTIL},
    {.name = "future", .issuer = "ca", .dns = "a.example", .is_future = true},
    {.name = "wrong-name", .issuer = "ca", .dns = "wrong.example"},
    {.name = "self-signed", .dns = "a.example"},
    {.name = "self-expired", .dns = "a.example", .from = EXPIRED_FROM, .until = EXPIRED_UNTIL},
    {.name = "wildcard", .issuer = "ca", .dns = "*.wild.example"},
    {.name = "wild-partial", .issuer = "ca", .dns = "b*.wild.example"},
    {.name = "wild-srv", .issuer = "ca", .srv = "_xmpp-client.*.wild.example"},
    {.name = "srv", .issuer = "ca", .srv = "_xmpp-client.a.example"},
    {.name = "srv-server", .issuer = "ca", .srv = "_xmpp-server.a.example"},
    {.name = "xmpp-addr", .issuer = "ca", .xmpp_addr = "a.example"},
    {.name = "idn", .issuer = "ca", .dns = "xn--bcher-kva.example"},
    {.name = "idn-xmpp-addr",
     .issuer = "ca",
     .xmpp_addr = "b\xc3\xbc"
                  "cher.example"},
    {.name = "deceptive",
     .issuer = "ca",
     .xmpp_addr = "a\xc2\x85"
                  "b\xe2\x80\xae"
                  "c\n\xc3\xa9"},
    {.name = "ip", .issuer = "ca", .is_ip = true},
    {.name = "cn-only", .issuer = "ca", .cn = "a.example"},
    {.name = "nul", .issuer = "ca", .dns = "a.example\0.evil.example", .dns_len = 23},
    {.name = "client-only", .issuer = "ca", .dns = "a.example", .is_client = true},
    {.name = "chain", .issuer = "middle-ca", .dns = "a.example", .sends_issuer = true},
    {.name = "chain-broken", .issuer = "middle-ca", .dns = "a.example"},
    {.name = "expired-ca",
     .issuer = "ca",
     .is_ca = true,
     .from = EXPIRED_FROM,
     .until = EXPIRED_UNTIL},
    {.name = "chain-expired", .issuer = "expired-ca", .dns = "a.example", .sends_issuer = true},
    {.name = "future-ca", .issuer = "ca", .is_ca = true, .is_future = true},
    {.name = "chain-future", .issuer = "future-ca", .dns = "a.example", .sends_issuer = true},
    {.name = "odd-ca",
     .is_ca = true,
     .cn = "b\xc3\xbc"
           "cher"},
    {.name = "odd-issuer", .issuer = "odd-ca", .dns = "a.example"},
    {.name = "not-ca", .issuer = "good", .dns = "a.example", .sends_issuer = true},
    {.name = "untrusted", .issuer = "other-ca", .dns = "a.example"},
    {.name = "weak", .issuer = "ca", .dns = "a.example", .digest = GNUTLS_DIG_SHA1},
    {.name = "many", .issuer = "ca", .dns = "a.example", .many = 1000},
    {.name = "staple", .issuer = "ca", .dns = "a.example", .staple = 1},
    {.name = "revoked", .issuer = "ca", .dns = "a.example", .staple = 2},
    {.name = "alice", .issuer = "ca", .xmpp_addr = "alice@a.example", .is_client = true},
};
#define SPEC_COUNT (sizeof(specs) / sizeof *(specs))

struct entry {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    gnutls_datum_t chain_pem;
    gnutls_datum_t key_pem;
    gnutls_datum_t staple;
    gnutls_certificate_credentials_t creds;
    char crt_path[160];
    char key_path[160];
};

static struct entry entries[SPEC_COUNT];
static char directory[64];
static char **files;
static size_t file_count;

static void must(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "certs: %s: %s\n", what, gnutls_strerror(r));
    abort();
}

static size_t find(const char *name)
{
    for (size_t i = 0; i < SPEC_COUNT; i++)
        if (strcmp(specs[i].name, name) == 0)
            return i;
    fprintf(stderr, "certs: no certificate %s\n", name);
    abort();
}

static struct entry *get(const char *name);

/* otherName with a value of one short string type */
static void add_other(gnutls_x509_crt_t crt, const char *oid, unsigned char tag, const char *value)
{
    unsigned char der[128];
    size_t len = strlen(value);

    der[0] = tag;
    der[1] = (unsigned char)len;
    memcpy(der + 2, value, len);
    must(gnutls_x509_crt_set_subject_alt_othername(crt, oid, der, (unsigned)len + 2,
                                                   GNUTLS_FSAN_APPEND),
         oid);
}

/* Written by hand: GnuTLS does not let a NUL or a wildcard within a label pass. */
static void set_raw_dns(gnutls_x509_crt_t crt, const char *dns, size_t len)
{
    unsigned char der[128] = {0x30, (unsigned char)(len + 2), 0x82, (unsigned char)len};

    memcpy(der + 4, dns, len);
    must(gnutls_x509_crt_set_extension_by_oid(crt, "2.5.29.17", der, len + 4, 0), dns);
}

/* In one go: to append one after the other takes GnuTLS seconds. */
static void add_many(gnutls_x509_crt_t crt, unsigned count)
{
    gnutls_subject_alt_names_t names;
    gnutls_datum_t der;
    char dns[32];

    must(gnutls_subject_alt_names_init(&names), "names");
    for (unsigned i = 0; i < count; i++) {
        int len = snprintf(dns, sizeof(dns), "n%u.example", i);
        gnutls_datum_t name = {(unsigned char *)dns, (unsigned)len};

        must(gnutls_subject_alt_names_set(names, GNUTLS_SAN_DNSNAME, &name, NULL), dns);
    }
    must(gnutls_x509_ext_export_subject_alt_names(names, &der), "names");
    must(gnutls_x509_crt_set_extension_by_oid(crt, "2.5.29.17", der.data, der.size, 0), "names");
    gnutls_free(der.data);
    gnutls_subject_alt_names_deinit(names);
}

static void add_names(gnutls_x509_crt_t crt, const struct spec *spec)
{
    static const unsigned char v4[] = {127, 0, 0, 1};
    struct in6_addr v6 = IN6ADDR_LOOPBACK_INIT;

    if (spec->many > 0)
        add_many(crt, spec->many);
    if (spec->dns_len || (spec->dns && strchr(spec->dns, '*')))
        set_raw_dns(crt, spec->dns, spec->dns_len ? spec->dns_len : strlen(spec->dns));
    else if (spec->dns)
        must(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, spec->dns,
                                                  (unsigned)strlen(spec->dns), GNUTLS_FSAN_APPEND),
             spec->dns);
    if (spec->srv)
        add_other(crt, OID_SRV_NAME, 0x16, spec->srv);
    if (spec->xmpp_addr)
        add_other(crt, OID_XMPP_ADDR, 0x0c, spec->xmpp_addr);
    if (spec->is_ip) {
        must(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, v4, sizeof(v4),
                                                  GNUTLS_FSAN_APPEND),
             "ip");
        must(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, &v6, sizeof(v6),
                                                  GNUTLS_FSAN_APPEND),
             "ip");
    }
}

static void fill_crt(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const struct spec *spec)
{
    const char *cn = spec->cn ? spec->cn : spec->name;
    time_t now = time(NULL);
    time_t from = spec->from ? spec->from : spec->is_future ? now + DAY : now - 3600;
    time_t until = spec->until ? spec->until : now + 3 * DAY;
    unsigned char serial[8];
    unsigned char key_id[20];
    size_t len = sizeof(key_id);

    must(gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial)), "serial");
    serial[0] = 1; /* positive */
    must(gnutls_x509_crt_set_version(crt, 3), "version");
    must(gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)), "serial");
    must(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, cn,
                                       (unsigned)strlen(cn)),
         "cn");
    must(gnutls_x509_crt_set_activation_time(crt, from), "from");
    must(gnutls_x509_crt_set_expiration_time(crt, until), "until");
    must(gnutls_x509_crt_set_key(crt, key), "key");
    must(gnutls_x509_crt_get_key_id(crt, 0, key_id, &len), "key id");
    must(gnutls_x509_crt_set_subject_key_id(crt, key_id, len), "key id");
    must(gnutls_x509_crt_set_basic_constraints(crt, spec->is_ca, -1), "constraints");
    if (spec->is_ca) {
        must(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN),
             "usage");
    } else {
        must(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE), "usage");
        must(gnutls_x509_crt_set_key_purpose_oid(
                 crt, spec->is_client ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER, 0),
             "purpose");
    }
    add_names(crt, spec);
}

/* --- a stapled OCSP answer (RFC 6960 4.2.1), which GnuTLS can read but not make --- */

struct der {
    unsigned char data[2048];
    size_t len;
};

static void put(struct der *der, const void *data, size_t len)
{
    if (len > sizeof(der->data) - der->len)
        abort();
    memcpy(der->data + der->len, data, len);
    der->len += len;
}

static void put_tlv(struct der *der, unsigned char tag, const void *data, size_t len)
{
    unsigned char head[4] = {tag, (unsigned char)len};
    size_t head_len = 2;

    if (len >= 256) {
        head[1] = 0x82;
        head[2] = (unsigned char)(len >> 8);
        head[3] = (unsigned char)len;
        head_len = 4;
    } else if (len >= 128) {
        head[1] = 0x81;
        head[2] = (unsigned char)len;
        head_len = 3;
    }
    put(der, head, head_len);
    put(der, data, len);
}

static void put_time(struct der *der, unsigned char tag, time_t when)
{
    char text[32];
    struct der inner = {.len = 0};
    struct tm tm;

    gmtime_r(&when, &tm);
    strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
    put_tlv(&inner, 0x18, text, strlen(text));
    if (tag == 0x18)
        put(der, inner.data, inner.len);
    else
        put_tlv(der, tag, inner.data, inner.len);
}

/* CertID: SHA-1 of the issuer's name and key, and the serial number */
static void put_cert_id(struct der *der, gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
    static const unsigned char sha1[] = {0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,
                                         0x03, 0x02, 0x1a, 0x05, 0x00};
    struct der id = {.len = 0};
    unsigned char digest[20];
    unsigned char serial[32];
    unsigned char bits[256];
    size_t serial_len = sizeof(serial);
    gnutls_datum_t dn;
    gnutls_datum_t x;
    gnutls_datum_t y;
    gnutls_ecc_curve_t curve;

    put(&id, sha1, sizeof(sha1));
    must(gnutls_x509_crt_get_raw_dn(issuer, &dn), "dn");
    must(gnutls_hash_fast(GNUTLS_DIG_SHA1, dn.data, dn.size, digest), "hash");
    gnutls_free(dn.data);
    put_tlv(&id, 0x04, digest, sizeof(digest));
    must(gnutls_x509_crt_get_pk_ecc_raw(issuer, &curve, &x, &y), "ecc");
    bits[0] = 4; /* uncompressed point; GnuTLS may give a leading zero */
    memset(bits + 1, 0, 64);
    memcpy(bits + 1, x.data + x.size - 32, 32);
    memcpy(bits + 33, y.data + y.size - 32, 32);
    gnutls_free(x.data);
    gnutls_free(y.data);
    must(gnutls_hash_fast(GNUTLS_DIG_SHA1, bits, 65, digest), "hash");
    put_tlv(&id, 0x04, digest, sizeof(digest));
    must(gnutls_x509_crt_get_serial(crt, serial, &serial_len), "serial");
    put_tlv(&id, 0x02, serial, serial_len);
    put_tlv(der, 0x30, id.data, id.len);
}

static void make_staple(struct entry *entry, const struct spec *spec, const struct entry *issuer)
{
    static const unsigned char ecdsa_sha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                                 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    static const unsigned char basic_oid[] = {0x06, 0x09, 0x2b, 0x06, 0x01, 0x05,
                                              0x05, 0x07, 0x30, 0x01, 0x01};
    static const unsigned char successful[] = {0x0a, 0x01, 0x00};
    struct der single = {.len = 0};
    struct der list = {.len = 0};
    struct der data = {.len = 0};
    struct der tbs = {.len = 0};
    struct der basic = {.len = 0};
    struct der whole = {.len = 0};
    struct der out = {.len = 0};
    struct der bits = {.len = 0};
    time_t now = time(NULL);
    gnutls_datum_t dn;
    gnutls_datum_t signature;
    gnutls_privkey_t key;

    put_cert_id(&single, entry->crt, issuer->crt);
    if (spec->staple == 1)
        put_tlv(&single, 0x80, "", 0);
    else
        put_time(&single, 0xa1, now - 600);
    put_time(&single, 0x18, now - 300);
    put_time(&single, 0xa0, now + DAY);
    put_tlv(&list, 0x30, single.data, single.len);

    must(gnutls_x509_crt_get_raw_dn(issuer->crt, &dn), "dn");
    put_tlv(&data, 0xa1, dn.data, dn.size);
    gnutls_free(dn.data);
    put_time(&data, 0x18, now - 300);
    put_tlv(&data, 0x30, list.data, list.len);
    put_tlv(&tbs, 0x30, data.data, data.len);

    must(gnutls_privkey_init(&key), "key");
    must(gnutls_privkey_import_x509(key, issuer->key, 0), "key");
    must(gnutls_privkey_sign_data(key, GNUTLS_DIG_SHA256, 0,
                                  &(gnutls_datum_t){tbs.data, (unsigned)tbs.len}, &signature),
         "sign");
    gnutls_privkey_deinit(key);
    put(&bits, "", 1);
    put(&bits, signature.data, signature.size);
    gnutls_free(signature.data);

    put(&basic, tbs.data, tbs.len);
    put(&basic, ecdsa_sha256, sizeof(ecdsa_sha256));
    put_tlv(&basic, 0x03, bits.data, bits.len);
    memset(&single, 0, sizeof(single));
    put_tlv(&single, 0x30, basic.data, basic.len);
    put(&whole, basic_oid, sizeof(basic_oid));
    put_tlv(&whole, 0x04, single.data, single.len);
    memset(&data, 0, sizeof(data));
    put_tlv(&data, 0x30, whole.data, whole.len);
    memset(&list, 0, sizeof(list));
    put(&list, successful, sizeof(successful));
    put_tlv(&list, 0xa0, data.data, data.len);
    put_tlv(&out, 0x30, list.data, list.len);

    entry->staple.data = gnutls_malloc(out.len);
    entry->staple.size = (unsigned)out.len;
    memcpy(entry->staple.data, out.data, out.len);
}

/* --- entries --- */

static void make_pem(struct entry *entry, const struct spec *spec, const struct entry *issuer)
{
    gnutls_datum_t leaf;
    gnutls_datum_t above = {0};

    must(gnutls_x509_privkey_export2(entry->key, GNUTLS_X509_FMT_PEM, &entry->key_pem), "pem");
    must(gnutls_x509_crt_export2(entry->crt, GNUTLS_X509_FMT_PEM, &leaf), "pem");
    if (spec->sends_issuer)
        must(gnutls_x509_crt_export2(issuer->crt, GNUTLS_X509_FMT_PEM, &above), "pem");
    entry->chain_pem.data = gnutls_malloc(leaf.size + above.size + 1);
    entry->chain_pem.size = leaf.size + above.size;
    memcpy(entry->chain_pem.data, leaf.data, leaf.size);
    if (above.size)
        memcpy(entry->chain_pem.data + leaf.size, above.data, above.size);
    entry->chain_pem.data[entry->chain_pem.size] = '\0';
    gnutls_free(leaf.data);
    gnutls_free(above.data);
}

static struct entry *get(const char *name)
{
    size_t index = find(name);
    const struct spec *spec = &specs[index];
    struct entry *entry = &entries[index];
    struct entry *issuer = spec->issuer ? get(spec->issuer) : entry;

    if (entry->crt)
        return entry;
    must(gnutls_x509_privkey_init(&entry->key), "key");
    must(gnutls_x509_privkey_generate(entry->key, GNUTLS_PK_ECDSA,
                                      GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
         "generate");
    must(gnutls_x509_crt_init(&entry->crt), "crt");
    fill_crt(entry->crt, entry->key, spec);
    must(gnutls_x509_crt_sign2(entry->crt, issuer->crt, issuer->key,
                               spec->digest ? spec->digest : GNUTLS_DIG_SHA256, 0),
         "sign");
    make_pem(entry, spec, issuer);
    if (spec->staple)
        make_staple(entry, spec, issuer);
    return entry;
}

gnutls_x509_crt_t certs_leaf(const char *name)
{
    return get(name)->crt;
}

const char *certs_chain_pem(const char *name)
{
    return (const char *)get(name)->chain_pem.data;
}

const char *certs_key_pem(const char *name)
{
    return (const char *)get(name)->key_pem.data;
}

gnutls_datum_t certs_staple(const char *name)
{
    return get(name)->staple;
}

/* By a function: GnuTLS refuses to load an answer that says "revoked". */
static int give_staple(gnutls_session_t session, void *ptr, gnutls_datum_t *ret)
{
    struct entry *entry = ptr;

    (void)session;
    ret->data = gnutls_malloc(entry->staple.size);
    ret->size = entry->staple.size;
    memcpy(ret->data, entry->staple.data, ret->size);
    return 0;
}

gnutls_certificate_credentials_t certs_server_creds(const char *name)
{
    struct entry *entry = get(name);

    if (entry->creds)
        return entry->creds;
    must(gnutls_certificate_allocate_credentials(&entry->creds), "creds");
    must(gnutls_certificate_set_x509_key_mem(entry->creds, &entry->chain_pem, &entry->key_pem,
                                             GNUTLS_X509_FMT_PEM),
         "creds");
    must(gnutls_certificate_set_x509_trust_mem(entry->creds, &get("ca")->chain_pem,
                                               GNUTLS_X509_FMT_PEM),
         "creds");
    if (entry->staple.size)
        gnutls_certificate_set_ocsp_status_request_function(entry->creds, give_staple, entry);
    return entry->creds;
}

/* --- files --- */

const char *certs_dir(void)
{
    if (!directory[0]) {
        snprintf(directory, sizeof(directory), "/tmp/libxmpp-certs-XXXXXX");
        if (!mkdtemp(directory))
            abort();
    }
    return directory;
}

const char *certs_write(const char *file_name, const void *data, size_t len)
{
    char path[160];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", certs_dir(), file_name);
    file = fopen(path, "we");
    if (!file || fwrite(data, 1, len, file) != len || fclose(file) != 0)
        abort();
    for (size_t i = 0; i < file_count; i++)
        if (strcmp(files[i], path) == 0)
            return files[i];
    files = realloc(files, (file_count + 1) * sizeof(*files));
    if (!files)
        abort();
    files[file_count] = strdup(path);
    return files[file_count++];
}

static const char *write_pem(const char *name, const char *suffix, const gnutls_datum_t *pem,
                             char *path, size_t size)
{
    char file_name[64];

    if (!path[0]) {
        snprintf(file_name, sizeof(file_name), "%s.%s", name, suffix);
        snprintf(path, size, "%s", certs_write(file_name, pem->data, pem->size));
    }
    return path;
}

const char *certs_crt_path(const char *name)
{
    struct entry *entry = get(name);

    return write_pem(name, "crt", &entry->chain_pem, entry->crt_path, sizeof(entry->crt_path));
}

const char *certs_key_path(const char *name)
{
    struct entry *entry = get(name);

    return write_pem(name, "key", &entry->key_pem, entry->key_path, sizeof(entry->key_path));
}

void certs_free(void)
{
    for (size_t i = 0; i < SPEC_COUNT; i++) {
        struct entry *entry = &entries[i];

        if (entry->creds)
            gnutls_certificate_free_credentials(entry->creds);
        if (entry->crt)
            gnutls_x509_crt_deinit(entry->crt);
        if (entry->key)
            gnutls_x509_privkey_deinit(entry->key);
        gnutls_free(entry->chain_pem.data);
        gnutls_free(entry->key_pem.data);
        gnutls_free(entry->staple.data);
    }
    memset(entries, 0, sizeof(entries));
    for (size_t i = 0; i < file_count; i++) {
        unlink(files[i]);
        free(files[i]);
    }
    free(files);
    files = NULL;
    file_count = 0;
    if (directory[0])
        rmdir(directory);
    directory[0] = '\0';
}
