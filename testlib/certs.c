#include "tst.h"

#include <gnutls/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define DAY           86400
#define EXPIRED_FROM  1577836800 /* 2020-01-01 */
#define EXPIRED_UNTIL 1580515200 /* 2020-02-01 */
#define XMPP_ADDR     "1.3.6.1.5.5.7.8.5" /* RFC 6120, 13.7.1.4 */

/* For whom, and for what. */
static int set_use(gnutls_x509_crt_t crt, const char *name, bool is_client)
{
    unsigned len = (unsigned)strlen(name);
    int r = gnutls_x509_crt_set_key_purpose_oid(
        crt, is_client ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER, 0);

    if (r < 0)
        return r;
    return is_client
               ? gnutls_x509_crt_set_subject_alt_othername(
                     crt, XMPP_ADDR, name, len, GNUTLS_FSAN_APPEND | GNUTLS_FSAN_ENCODE_UTF8_STRING)
               : gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name, len,
                                                      GNUTLS_FSAN_APPEND);
}

/* One certificate; without an issuer it signs itself. GnuTLS' result. */
static int make_crt(gnutls_x509_crt_t *ret, gnutls_x509_privkey_t key, gnutls_x509_crt_t issuer,
                    gnutls_x509_privkey_t issuer_key, const char *name, int kind)
{
    bool is_ca = kind == 0;
    time_t now = time(NULL);
    time_t from = kind == XMPP_TEST_CERT_EXPIRED  ? EXPIRED_FROM
                  : kind == XMPP_TEST_CERT_FUTURE ? now + DAY
                                                  : now - 3600;
    time_t until = kind == XMPP_TEST_CERT_EXPIRED ? EXPIRED_UNTIL : now + 3 * DAY;
    unsigned char serial[8];
    unsigned char id[20];
    size_t id_len = sizeof id;
    gnutls_x509_crt_t crt;
    int r = gnutls_x509_crt_init(&crt);

    if (r < 0)
        return r;
    r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);
    serial[0] = 1; /* positive */
    if (r >= 0)
        r = gnutls_x509_crt_set_version(crt, 3);
    if (r >= 0)
        r = gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
    if (r >= 0)
        r = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                          (unsigned)strlen(name));
    if (r >= 0)
        r = gnutls_x509_crt_set_activation_time(crt, from);
    if (r >= 0)
        r = gnutls_x509_crt_set_expiration_time(crt, until);
    if (r >= 0)
        r = gnutls_x509_crt_set_key(crt, key);
    if (r >= 0)
        r = gnutls_x509_crt_get_key_id(crt, 0, id, &id_len);
    if (r >= 0)
        r = gnutls_x509_crt_set_subject_key_id(crt, id, id_len);
    if (r >= 0)
        r = gnutls_x509_crt_set_basic_constraints(crt, is_ca, -1);
    if (r >= 0)
        r = gnutls_x509_crt_set_key_usage(crt, is_ca ? GNUTLS_KEY_KEY_CERT_SIGN
                                                     : GNUTLS_KEY_DIGITAL_SIGNATURE);
    if (r >= 0 && !is_ca)
        r = set_use(crt, name, kind == TST_CERT_CLIENT);
    if (r >= 0)
        r = gnutls_x509_crt_sign2(crt, issuer ? issuer : crt, issuer_key, GNUTLS_DIG_SHA256, 0);
    if (r < 0)
        gnutls_x509_crt_deinit(crt);
    else
        *ret = crt;
    return r;
}

static int make_key(gnutls_x509_privkey_t *ret)
{
    int r = gnutls_x509_privkey_init(ret);

    if (r < 0)
        return r;
    r = gnutls_x509_privkey_generate(*ret, GNUTLS_PK_ECDSA,
                                     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    if (r < 0) {
        gnutls_x509_privkey_deinit(*ret);
        *ret = NULL;
    }
    return r;
}

/* --- files: nothing stays behind in a directory, however the test ends --- */

void tst_file_clear(struct tst_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = -1;
}

static int write_file(struct tst_file *file, const void *data, size_t len)
{
    file->fd = memfd_create("xmpp-test", MFD_CLOEXEC);
    if (file->fd < 0 || write(file->fd, data, len) != (ssize_t)len) {
        tst_file_clear(file);
        return XMPP_ERR_SYSTEM;
    }
    /* by the number of the process, so that programs started by the test can read it too */
    (void)snprintf(file->path, sizeof file->path, "/proc/%ld/fd/%d", (long)getpid(), file->fd);
    return XMPP_OK;
}

static int write_crt(struct tst_file *file, gnutls_x509_crt_t crt)
{
    gnutls_datum_t pem;
    int r;

    if (gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem) < 0)
        return XMPP_ERR_TLS;
    r = write_file(file, pem.data, pem.size);
    gnutls_free(pem.data);
    return r;
}

static int write_key(struct tst_file *file, gnutls_x509_privkey_t key)
{
    gnutls_datum_t pem;
    int r;

    if (gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem) < 0)
        return XMPP_ERR_TLS;
    r = write_file(file, pem.data, pem.size);
    gnutls_free(pem.data);
    return r;
}

/* --- the authority --- */

int tst_certs_init(struct tst_certs *certs)
{
    memset(certs, 0, sizeof *certs);
    certs->file.fd = -1;
    if (make_key(&certs->key) < 0 ||
        make_crt(&certs->ca, certs->key, NULL, certs->key, "libxmpp-test", 0) < 0)
        return XMPP_ERR_TLS;
    return write_crt(&certs->file, certs->ca);
}

void tst_certs_forget(struct tst_certs *certs)
{
    for (int i = 0; i < TST_CERTS; i++) {
        if (certs->creds[i])
            gnutls_certificate_free_credentials(certs->creds[i]);
        certs->creds[i] = NULL;
    }
}

void tst_certs_clear(struct tst_certs *certs)
{
    tst_certs_forget(certs);
    if (certs->ca)
        gnutls_x509_crt_deinit(certs->ca);
    if (certs->key)
        gnutls_x509_privkey_deinit(certs->key);
    tst_file_clear(&certs->file);
    certs->ca = NULL;
    certs->key = NULL;
}

gnutls_certificate_credentials_t tst_certs_get(struct tst_certs *certs, int kind,
                                               const char *domain)
{
    const char *name = kind == XMPP_TEST_CERT_WRONG_NAME ? "wrong.example" : domain;
    gnutls_x509_privkey_t other = NULL; /* an authority that nobody knows */
    gnutls_certificate_credentials_t creds = NULL;
    gnutls_x509_crt_t crt = NULL;
    int r = 0;

    if (certs->creds[kind])
        return certs->creds[kind];
    if (kind == XMPP_TEST_CERT_UNTRUSTED)
        r = make_key(&other);
    if (r >= 0)
        r = kind == XMPP_TEST_CERT_SELF_SIGNED
                ? make_crt(&crt, certs->key, NULL, certs->key, name, kind)
                : make_crt(&crt, certs->key, certs->ca, other ? other : certs->key, name, kind);
    if (r >= 0)
        r = gnutls_certificate_allocate_credentials(&creds);
    if (r >= 0)
        r = gnutls_certificate_set_x509_key(creds, &crt, 1, certs->key);
    if (r >= 0)
        r = gnutls_certificate_set_x509_trust(creds, &certs->ca, 1);
    if (r < 0 && creds) {
        gnutls_certificate_free_credentials(creds);
        creds = NULL;
    }
    if (crt)
        gnutls_x509_crt_deinit(crt);
    if (other)
        gnutls_x509_privkey_deinit(other);
    certs->creds[kind] = creds;
    return creds;
}

/* --- clients --- */

int tst_certs_make_client(struct tst_certs *certs, const char *address, struct tst_file *cert,
                          struct tst_file *key)
{
    gnutls_x509_privkey_t own = NULL;
    gnutls_x509_crt_t crt = NULL;
    int r = XMPP_ERR_TLS;

    if (make_key(&own) >= 0 &&
        make_crt(&crt, own, certs->ca, certs->key, address, TST_CERT_CLIENT) >= 0)
        r = write_crt(cert, crt);
    if (r >= 0)
        r = write_key(key, own);
    if (r < 0)
        tst_file_clear(cert);
    if (crt)
        gnutls_x509_crt_deinit(crt);
    if (own)
        gnutls_x509_privkey_deinit(own);
    return r;
}

char *tst_certs_read_peer(gnutls_session_t tls)
{
    const gnutls_datum_t *shown = gnutls_certificate_get_peers(tls, NULL);
    gnutls_x509_crt_t crt;
    unsigned status;
    char address[512];
    size_t size = sizeof address - 1;
    bool has_address;

    if (!shown || gnutls_certificate_verify_peers2(tls, &status) < 0 || status != 0 ||
        gnutls_x509_crt_init(&crt) < 0)
        return NULL;
    has_address = gnutls_x509_crt_import(crt, shown, GNUTLS_X509_FMT_DER) >= 0 &&
                  gnutls_x509_crt_get_subject_alt_name(crt, 0, address, &size, NULL) ==
                      GNUTLS_SAN_OTHERNAME_XMPP;
    gnutls_x509_crt_deinit(crt);
    return has_address ? strndup(address, size) : NULL;
}
