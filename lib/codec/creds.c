#include "codec/creds.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/object.h"
#include "base/str.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE_BYTES (16u * 1024 * 1024) /* of one PEM file */
#define MAX_CHAIN      16 /* certificates in the chain of a client */

/* Where Debian and most others keep the system's trust; looked at only to see that it changed. */
#define SYSTEM_BUNDLE "/etc/ssl/certs/ca-certificates.crt"

/* Taken away from whatever the system's policy allows: TLS-09; TLS-11, where a MAC other than AEAD means a suite
 * without AEAD, and RSA as key exchange one without forward secrecy. GnuTLS has no compression (TLS-10). */
#define PRIORITIES                                                                                 \
    "-VERS-TLS1.1:-VERS-TLS1.0:-VERS-SSL3.0:-VERS-DTLS-ALL:-MAC-ALL:+AEAD:-CIPHER-NULL:"           \
    "-RSA:-RSA-PSK:-PSK:-DHE-PSK:-ECDHE-PSK:-SRP:-SRP-RSA:-SRP-DSS:-ANON-DH:-ANON-ECDH"

/* Tells whether a file is still the one that was read. */
struct stamp {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime;
};

struct trust {
    struct list node;
    unsigned refs; /* under the lock */
    char *path; /* NULL: system */
    struct stamp stamp;
    gnutls_certificate_credentials_t cred;
};

struct identity {
    struct list node;
    unsigned refs; /* under the lock */
    char *cert_path;
    char *key_path;
    struct stamp cert_stamp;
    struct stamp key_stamp;
    gnutls_pcert_st chain[MAX_CHAIN];
    unsigned chain_len;
    gnutls_privkey_t key;
};

struct tls_creds {
    struct object object;
    struct trust *trust;
    struct identity *identity; /* NULL: none */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list trusts = {&trusts, &trusts};
static struct list identities = {&identities, &identities};
static struct trust *kept; /* the system's trust that was used last: a reference */

static gnutls_priority_t priority; /* parsed by the first session that has the memory for it */

static int priority_get(gnutls_priority_t *ret)
{
    gnutls_priority_t fresh = NULL;
    int r = 0;

    pthread_mutex_lock(&lock);
    if (!priority) {
        r = gnutls_priority_init2(&fresh, PRIORITIES, NULL, GNUTLS_PRIORITY_INIT_DEF_APPEND);
        if (r >= 0)
            priority = fresh;
    }
    *ret = priority;
    pthread_mutex_unlock(&lock);
    return r;
}

static bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec;
}

static void stamp_set(struct stamp *stamp, const struct stat *st)
{
    stamp->dev = st->st_dev;
    stamp->ino = st->st_ino;
    stamp->size = st->st_size;
    stamp->mtime = st->st_mtim;
}

/* All zero when there is no such file. */
static void stamp_take(struct stamp *stamp, const char *path)
{
    struct stat st;

    memset(stamp, 0, sizeof(*stamp));
    if (stat(path, &st) == 0)
        stamp_set(stamp, &st);
}

static int fail(xmpp_error **ret_error, int code, int number, const char *what, const char *path,
                const char *why)
{
    xmpp_error *error;

    if (!ret_error)
        return code;
    if (code == XMPP_ERR_NOMEM) {
        *ret_error = error_nomem();
        return code;
    }
    error = error_create(code, XMPP_PHASE_NONE, "%s %s: %s", what, path, why);
    error_set_number(error, number);
    *ret_error = error;
    return code;
}

static int fail_errno(xmpp_error **ret_error, int number, const char *what, const char *path)
{
    const char *why = strerrordesc_np(number);

    return fail(ret_error, XMPP_ERR_SYSTEM, number, what, path, why ? why : "cannot be read");
}

static int fail_gnutls(xmpp_error **ret_error, int number, const char *what, const char *path)
{
    if (number == GNUTLS_E_MEMORY_ERROR)
        return fail(ret_error, XMPP_ERR_NOMEM, number, what, path, "");
    return fail(ret_error, XMPP_ERR_TLS, number, what, path, gnutls_strerror(number));
}

/* Fills the buffer from an open file; 0, errno, or ENOMEM. */
static int fill(int fd, const struct stat *st, struct buf *buf)
{
    size_t left = (size_t)st->st_size + 1; /* the one: to see the end, and room for all at once */
    void *dst;

    if (buf_reserve(buf, left, &dst) < 0)
        return ENOMEM;
    while (left) {
        ssize_t n = read(fd, (char *)dst + buf_len(buf), left);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return 0;
        buf_commit(buf, (size_t)n);
        left -= (size_t)n;
    }
    return EFBIG; /* it grew while we read */
}

/* Reads a file whole; its stamp is that of the very bytes that were read. */
static int read_file(const char *what, const char *path, struct buf *buf, struct stamp *stamp,
                     xmpp_error **ret_error)
{
    /* non-blocking: a fifo must not stop us */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    int number;

    if (fd < 0)
        return fail_errno(ret_error, errno, what, path);
    if (fstat(fd, &st) < 0)
        number = errno;
    else if (!S_ISREG(st.st_mode))
        number = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    else if (st.st_size > MAX_FILE_BYTES)
        number = EFBIG;
    else
        number = fill(fd, &st, buf);
    (void)close(fd); /* only read */
    if (number == ENOMEM)
        return fail(ret_error, XMPP_ERR_NOMEM, 0, what, path, "");
    if (number)
        return fail_errno(ret_error, number, what, path);
    stamp_set(stamp, &st);
    return XMPP_OK;
}

static gnutls_datum_t datum(const struct buf *buf)
{
    /* GnuTLS only reads it, but its type is not const */
    return (gnutls_datum_t){.data = buf->data + buf->start, .size = (unsigned)buf_len(buf)};
}

/* --- trust --- */

static struct trust *trust_free(struct trust *trust)
{
    if (!trust)
        return NULL;
    if (trust->cred)
        gnutls_certificate_free_credentials(trust->cred);
    mem_free(trust->path);
    return mem_free(trust);
}
DEFINE_CLEANUP(struct trust, trust_free)

static struct trust *trust_unref(struct trust *trust)
{
    if (trust && --trust->refs == 0) {
        list_remove(&trust->node);
        trust_free(trust);
    }
    return NULL;
}

static int client_cert(gnutls_session_t session, const gnutls_datum_t *authorities, int count,
                       const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                       gnutls_pcert_st **chain, unsigned *chain_len, gnutls_privkey_t *key);

static size_t count_certs(const struct buf *buf)
{
    static const char *const marks[] = {"-----BEGIN CERTIFICATE", "-----BEGIN X509 CERTIFICATE"};
    const uint8_t *end = buf_peek(buf) + buf_len(buf);
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        size_t len = strlen(marks[i]);
        const uint8_t *p = buf_peek(buf);

        while ((p = memmem(p, (size_t)(end - p), marks[i], len))) {
            count++;
            p += len;
        }
    }
    return count;
}

/* The number of certificates in the file, or GnuTLS' error. When it runs out of memory, GnuTLS may say that it took
 * fewer. What it leaves then is damaged: using it and even freeing it would crash, so it is lost. */
static int trust_load_pem(struct trust *trust, const struct buf *buf)
{
    gnutls_datum_t pem = datum(buf);
    int count = gnutls_certificate_set_x509_trust_mem(trust->cred, &pem, GNUTLS_X509_FMT_PEM);

    if (count <= 0 || (size_t)count >= count_certs(buf))
        return count;
    trust->cred = NULL;
    return GNUTLS_E_MEMORY_ERROR;
}

static int trust_load_file(struct trust *trust, xmpp_error **ret_error)
{
    static const char what[] = "trust file";
    struct buf buf;
    int r;

    buf_init(&buf, MAX_FILE_BYTES + 1);
    r = read_file(what, trust->path, &buf, &trust->stamp, ret_error);
    if (r == XMPP_OK) {
        int count = trust_load_pem(trust, &buf);

        if (count == 0 || count == GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR ||
            count == GNUTLS_E_NO_CERTIFICATE_FOUND)
            r = fail(ret_error, XMPP_ERR_TLS, GNUTLS_E_NO_CERTIFICATE_FOUND, what, trust->path,
                     "contains no certificate in PEM form");
        else if (count < 0)
            r = fail_gnutls(ret_error, count, what, trust->path);
    }
    buf_clear(&buf);
    return r;
}

/* None at all is no reason to stop: the application may still accept a certificate that it knows. */
static int trust_load_system(struct trust *trust, xmpp_error **ret_error)
{
    struct buf buf;
    int count;
    int r;

    buf_init(&buf, MAX_FILE_BYTES + 1);
    r = read_file("trust", SYSTEM_BUNDLE, &buf, &trust->stamp, NULL);
    if (r == XMPP_OK)
        count = trust_load_pem(trust, &buf);
    else if (r == XMPP_ERR_NOMEM)
        count = GNUTLS_E_MEMORY_ERROR;
    else
        count = gnutls_certificate_set_x509_system_trust(trust->cred); /* it is elsewhere */
    buf_clear(&buf);
    if (count == GNUTLS_E_MEMORY_ERROR)
        return fail_gnutls(ret_error, count, "trust", "of the system");
    if (count <= 0)
        trust->stamp = (struct stamp){0}; /* the next connection tries again */
    return XMPP_OK;
}

static int trust_load(struct trust **ret, const char *path, xmpp_error **ret_error)
{
    CLEANUP(trust_freep) struct trust *trust = mem_zalloc(sizeof(*trust));
    int r;

    if (!trust)
        return fail(ret_error, XMPP_ERR_NOMEM, 0, "", "", "");
    if (path) {
        trust->path = mem_strdup(path);
        if (!trust->path)
            return fail(ret_error, XMPP_ERR_NOMEM, 0, "", "", "");
    }
    r = gnutls_certificate_allocate_credentials(&trust->cred);
    if (r < 0)
        return fail_gnutls(ret_error, r, "trust", path ? path : "of the system");
    r = path ? trust_load_file(trust, ret_error) : trust_load_system(trust, ret_error);
    if (r < 0)
        return r;
    gnutls_certificate_set_retrieve_function2(trust->cred, client_cert);
    *ret = STEAL(trust);
    return XMPP_OK;
}

static int trust_get(struct trust **ret, const char *path, xmpp_error **ret_error)
{
    struct stamp stamp;
    struct trust *trust = NULL;
    int r;

    stamp_take(&stamp, path ? path : SYSTEM_BUNDLE);
    for (struct list *node = trusts.next; node != &trusts; node = node->next) {
        trust = CONTAINER_OF(node, struct trust, node);
        if (str_eq(trust->path, path) && stamp_equal(&trust->stamp, &stamp)) {
            trust->refs++;
            *ret = trust;
            return XMPP_OK;
        }
    }
    r = trust_load(&trust, path, ret_error);
    if (r < 0)
        return r;
    trust->refs = 1;
    list_append(&trusts, &trust->node);
    if (!path) {
        trust_unref(kept);
        trust->refs++;
        kept = trust;
    }
    *ret = trust;
    return XMPP_OK;
}

/* --- client certificate --- */

static struct identity *identity_free(struct identity *identity)
{
    if (!identity)
        return NULL;
    for (unsigned i = 0; i < identity->chain_len; i++)
        gnutls_pcert_deinit(&identity->chain[i]);
    if (identity->key)
        gnutls_privkey_deinit(identity->key);
    mem_free(identity->cert_path);
    mem_free(identity->key_path);
    return mem_free(identity);
}
DEFINE_CLEANUP(struct identity, identity_free)

static struct identity *identity_unref(struct identity *identity)
{
    if (identity && --identity->refs == 0) {
        list_remove(&identity->node);
        identity_free(identity);
    }
    return NULL;
}

static int identity_load_chain(struct identity *identity, xmpp_error **ret_error)
{
    static const char what[] = "certificate file";
    struct buf buf;
    int r;

    buf_init(&buf, MAX_FILE_BYTES + 1);
    r = read_file(what, identity->cert_path, &buf, &identity->cert_stamp, ret_error);
    if (r == XMPP_OK) {
        gnutls_datum_t pem = datum(&buf);
        unsigned count = MAX_CHAIN;
        int number = gnutls_pcert_list_import_x509_raw(
            identity->chain, &count, &pem, GNUTLS_X509_FMT_PEM,
            GNUTLS_X509_CRT_LIST_SORT | GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);

        if (number == GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR ||
            number == GNUTLS_E_NO_CERTIFICATE_FOUND || (number >= 0 && count == 0))
            r = fail(ret_error, XMPP_ERR_TLS, GNUTLS_E_NO_CERTIFICATE_FOUND, what,
                     identity->cert_path, "contains no certificate in PEM form");
        else if (number == GNUTLS_E_SHORT_MEMORY_BUFFER)
            r = fail(ret_error, XMPP_ERR_TLS, number, what, identity->cert_path,
                     "contains too many certificates");
        else if (number < 0)
            r = fail_gnutls(ret_error, number, what, identity->cert_path);
        else
            identity->chain_len = count;
    }
    buf_wipe(&buf); /* the key may be in it, too */
    return r;
}

static int identity_load_key(struct identity *identity, xmpp_error **ret_error)
{
    static const char what[] = "private key file";
    struct buf buf;
    int r;

    buf_init(&buf, MAX_FILE_BYTES + 1);
    r = read_file(what, identity->key_path, &buf, &identity->key_stamp, ret_error);
    if (r == XMPP_OK) {
        gnutls_datum_t pem = datum(&buf);
        int number = gnutls_privkey_init(&identity->key);

        if (number >= 0)
            number =
                gnutls_privkey_import_x509_raw(identity->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
        if (number == GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR ||
            number == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            r = fail(ret_error, XMPP_ERR_TLS, number, what, identity->key_path,
                     "contains no private key in PEM form");
        else if (number == GNUTLS_E_DECRYPTION_FAILED)
            r = fail(ret_error, XMPP_ERR_TLS, number, what, identity->key_path,
                     "is encrypted with a password; decrypt it first");
        else if (number < 0)
            r = fail_gnutls(ret_error, number, what, identity->key_path);
    }
    buf_wipe(&buf);
    return r;
}

/* Do key and certificate belong together? GnuTLS' number, _CERTIFICATE_KEY_MISMATCH if not. */
static int identity_check(const struct identity *identity)
{
    uint8_t of_key[64];
    uint8_t of_cert[64];
    size_t key_len = sizeof(of_key);
    size_t cert_len = sizeof(of_cert);
    gnutls_pubkey_t pubkey;
    int number = gnutls_pubkey_init(&pubkey);

    if (number < 0)
        return number;
    number = gnutls_pubkey_import_privkey(pubkey, identity->key, 0, 0);
    if (number >= 0)
        number = gnutls_pubkey_get_key_id(pubkey, GNUTLS_KEYID_USE_SHA256, of_key, &key_len);
    if (number >= 0)
        number = gnutls_pubkey_get_key_id(identity->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256,
                                          of_cert, &cert_len);
    gnutls_pubkey_deinit(pubkey);
    if (number < 0)
        return number;
    /* both are public, nothing is learnt from the time this takes */
    if (key_len != cert_len || memcmp(of_key, of_cert, key_len) != 0)
        return GNUTLS_E_CERTIFICATE_KEY_MISMATCH;
    return 0;
}

static int identity_load(struct identity **ret, const char *cert_path, const char *key_path,
                         xmpp_error **ret_error)
{
    CLEANUP(identity_freep) struct identity *identity = mem_zalloc(sizeof(*identity));
    int r;

    if (!identity)
        return fail(ret_error, XMPP_ERR_NOMEM, 0, "", "", "");
    identity->cert_path = mem_strdup(cert_path);
    identity->key_path = mem_strdup(key_path);
    if (!identity->cert_path || !identity->key_path)
        return fail(ret_error, XMPP_ERR_NOMEM, 0, "", "", "");
    r = identity_load_chain(identity, ret_error);
    if (r < 0)
        return r;
    r = identity_load_key(identity, ret_error);
    if (r < 0)
        return r;
    r = identity_check(identity);
    if (r == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return fail(ret_error, XMPP_ERR_TLS, r, "private key file", key_path,
                    "the key does not belong to the certificate");
    if (r < 0)
        return fail_gnutls(ret_error, r, "private key file", key_path);
    *ret = STEAL(identity);
    return XMPP_OK;
}

static int identity_get(struct identity **ret, const char *cert_path, const char *key_path,
                        xmpp_error **ret_error)
{
    struct stamp cert_stamp;
    struct stamp key_stamp;
    struct identity *identity = NULL;
    int r;

    stamp_take(&cert_stamp, cert_path);
    stamp_take(&key_stamp, key_path);
    for (struct list *node = identities.next; node != &identities; node = node->next) {
        identity = CONTAINER_OF(node, struct identity, node);
        if (str_eq(identity->cert_path, cert_path) && str_eq(identity->key_path, key_path) &&
            stamp_equal(&identity->cert_stamp, &cert_stamp) &&
            stamp_equal(&identity->key_stamp, &key_stamp)) {
            identity->refs++;
            *ret = identity;
            return XMPP_OK;
        }
    }
    r = identity_load(&identity, cert_path, key_path, ret_error);
    if (r < 0)
        return r;
    identity->refs = 1;
    list_append(&identities, &identity->node);
    *ret = identity;
    return XMPP_OK;
}

/* GnuTLS asks when the server wants a certificate. The credentials are shared, the identity belongs to the session.
 * It is sent whatever authorities the server names: the user chose it for this account (CERT-14). */
static int client_cert(gnutls_session_t session, const gnutls_datum_t *authorities, int count,
                       const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                       gnutls_pcert_st **chain, unsigned *chain_len, gnutls_privkey_t *key)
{
    struct tls_creds *creds = gnutls_session_get_ptr(session);
    struct identity *identity = creds->identity;

    (void)authorities;
    (void)count;
    (void)algorithms;
    (void)algorithm_count;
    *chain = identity ? identity->chain : NULL;
    *chain_len = identity ? identity->chain_len : 0;
    *key = identity ? identity->key : NULL;
    return 0;
}

/* --- both --- */

int tls_creds_get(struct tls_creds **ret, const char *trust_path, const char *cert_path,
                  const char *key_path, xmpp_error **ret_error)
{
    struct tls_creds *creds;
    int r;

    if (!ret || (key_path && !cert_path))
        return XMPP_ERR_INVAL;
    creds = mem_zalloc(sizeof(*creds));
    if (!creds)
        return fail(ret_error, XMPP_ERR_NOMEM, 0, "", "", "");
    object_init(&creds->object);
    pthread_mutex_lock(&lock);
    r = trust_get(&creds->trust, trust_path, ret_error);
    if (r == XMPP_OK && cert_path)
        r = identity_get(&creds->identity, cert_path, key_path ? key_path : cert_path, ret_error);
    pthread_mutex_unlock(&lock);
    if (r < 0) {
        tls_creds_unref(creds);
        return r;
    }
    *ret = creds;
    return XMPP_OK;
}

struct tls_creds *tls_creds_ref(struct tls_creds *creds)
{
    object_ref(&creds->object);
    return creds;
}

struct tls_creds *tls_creds_unref(struct tls_creds *creds)
{
    if (creds && object_unref(&creds->object)) {
        pthread_mutex_lock(&lock);
        trust_unref(creds->trust);
        identity_unref(creds->identity);
        pthread_mutex_unlock(&lock);
        mem_free(creds);
    }
    return NULL;
}

int creds_attach(struct tls_creds *creds, gnutls_session_t session)
{
    gnutls_priority_t shared;
    int r;

    r = priority_get(&shared);
    if (r >= 0)
        r = gnutls_priority_set(session, shared);
    if (r < 0)
        return r;
    gnutls_session_set_ptr(session, creds);
    return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, creds->trust->cred);
}
