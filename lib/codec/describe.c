#include "codec/verify.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"

#include <gnutls/x509-ext.h>
#include <xmpp/error.h>

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#define MAX_NAMES     32 /* of a certificate that are listed */
#define MAX_TEXT      (16u * 1024)
#define OID_SAN       "2.5.29.17"
#define MAX_DIGEST    64
#define DIGEST_SHA256 32

/* The peer wrote this. What is not UTF-8 keeps its ASCII; the rest becomes question marks. */
static int put_value(struct buf *buf, const void *data, size_t len)
{
    const char *text = data;
    bool is_text = utf8_is_valid(text, len);
    int r = XMPP_OK;

    for (size_t i = 0; i < len && r == XMPP_OK;) {
        uint32_t code_point = (uint8_t)text[i];
        size_t size = is_text ? utf8_decode(text + i, &code_point) : 1;

        if (utf8_is_deceptive(code_point) || (!is_text && code_point > 0x7f))
            r = buf_append_char(buf, '?');
        else
            r = buf_append(buf, text + i, size);
        i += size;
    }
    return r;
}

static int put_line(struct buf *buf, const char *label, const void *data, size_t len)
{
    int r = buf_append_str(buf, label);

    if (r == XMPP_OK)
        r = put_value(buf, data, len);
    if (r == XMPP_OK)
        r = buf_append_char(buf, '\n');
    return r;
}

static int put_dn(struct buf *buf, const char *label, gnutls_x509_crt_t crt,
                  int (*get)(gnutls_x509_crt_t crt, gnutls_datum_t *ret, unsigned flags))
{
    gnutls_datum_t dn = {0};
    int r;

    if (get(crt, &dn, 0) < 0)
        return put_line(buf, label, "", 0);
    r = put_line(buf, label, dn.data, dn.size);
    gnutls_free(dn.data);
    return r;
}

static int put_date(struct buf *buf, const char *label, time_t date)
{
    char text[48] = "?";
    struct tm tm;

    if (date != (time_t)-1 && gmtime_r(&date, &tm))
        (void)str_format(text, sizeof(text), "%04d-%02d-%02d %02d:%02d:%02d UTC", tm.tm_year + 1900,
                         tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return put_line(buf, label, text, strlen(text));
}

static int put_other(struct buf *buf, const gnutls_datum_t *oid, const gnutls_datum_t *value)
{
    gnutls_datum_t text = {0};
    unsigned type = 0;
    int r;

    if (gnutls_x509_othername_to_virtual((const char *)oid->data, value, &type, &text) < 0)
        return put_line(buf, "Other name: ", oid->data, oid->size);
    r = put_line(buf, type == GNUTLS_SAN_OTHERNAME_SRV ? "SRV name: " : "XMPP address: ", text.data,
                 text.size);
    gnutls_free(text.data);
    return r;
}

static int put_name(struct buf *buf, unsigned type, const gnutls_datum_t *value,
                    const gnutls_datum_t *oid)
{
    char text[INET6_ADDRSTRLEN];

    switch (type) {
    case GNUTLS_SAN_DNSNAME:
        return put_line(buf, "DNS name: ", value->data, value->size);
    case GNUTLS_SAN_IPADDRESS:
        if ((value->size != 4 && value->size != 16) ||
            !inet_ntop(value->size == 4 ? AF_INET : AF_INET6, value->data, text, sizeof(text)))
            return XMPP_OK;
        return put_line(buf, "IP address: ", text, strlen(text));
    case GNUTLS_SAN_OTHERNAME:
        return put_other(buf, oid, value);
    default:
        return XMPP_OK;
    }
}

static int put_names(struct buf *buf, gnutls_x509_crt_t crt)
{
    gnutls_subject_alt_names_t list = NULL;
    gnutls_datum_t der = {0};
    unsigned critical;
    int r = XMPP_OK;

    if (gnutls_x509_crt_get_extension_by_oid2(crt, OID_SAN, 0, &der, &critical) < 0)
        return XMPP_OK;
    if (gnutls_subject_alt_names_init(&list) >= 0 &&
        gnutls_x509_ext_import_subject_alt_names(&der, list, 0) >= 0) {
        for (unsigned i = 0; i < MAX_NAMES && r == XMPP_OK; i++) {
            gnutls_datum_t value = {0};
            gnutls_datum_t oid = {0};
            unsigned type;

            if (gnutls_subject_alt_names_get(list, i, &type, &value, &oid) < 0)
                break;
            r = put_name(buf, type, &value, &oid);
        }
    }
    if (list)
        gnutls_subject_alt_names_deinit(list);
    gnutls_free(der.data);
    return r;
}

static int put_fingerprint(struct buf *buf, const gnutls_datum_t *der)
{
    uint8_t digest[MAX_DIGEST];
    char text[DIGEST_SHA256 * 3 + 1];
    size_t len = sizeof(digest);

    if (gnutls_fingerprint(GNUTLS_DIG_SHA256, der, digest, &len) < 0 || len != DIGEST_SHA256)
        return XMPP_OK;
    for (size_t i = 0; i < len; i++)
        (void)str_format(text + i * 3, 4, "%02X%s", digest[i], i + 1 < len ? ":" : "");
    return put_line(buf, "SHA-256: ", text, strlen(text));
}

static int put_cert(struct buf *buf, gnutls_x509_crt_t crt, const gnutls_datum_t *der)
{
    int r = put_dn(buf, "Subject: ", crt, gnutls_x509_crt_get_dn3);

    if (r == XMPP_OK)
        r = put_dn(buf, "Issuer: ", crt, gnutls_x509_crt_get_issuer_dn3);
    if (r == XMPP_OK)
        r = put_date(buf, "Valid from: ", gnutls_x509_crt_get_activation_time(crt));
    if (r == XMPP_OK)
        r = put_date(buf, "Valid until: ", gnutls_x509_crt_get_expiration_time(crt));
    if (r == XMPP_OK)
        r = put_names(buf, crt);
    /* the end must not be lost to a long name: it is what people compare */
    if (r == XMPP_OK || r == XMPP_ERR_LIMIT) {
        buf->limit = SIZE_MAX;
        r = put_fingerprint(buf, der);
    }
    return r;
}

int verify_describe(gnutls_session_t session, char **ret)
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    gnutls_x509_crt_t crt;
    struct buf buf;
    int r;

    if (!chain || !count)
        return XMPP_ERR_NOTFOUND;
    if (gnutls_x509_crt_init(&crt) < 0)
        return XMPP_ERR_NOMEM;
    if (gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER) < 0) {
        gnutls_x509_crt_deinit(crt);
        return XMPP_ERR_TLS;
    }
    buf_init(&buf, MAX_TEXT);
    r = put_cert(&buf, crt, &chain[0]);
    gnutls_x509_crt_deinit(crt);
    if (r == XMPP_OK)
        r = buf_steal_str(&buf, ret, NULL);
    buf_clear(&buf);
    return r;
}
