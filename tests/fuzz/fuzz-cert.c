/* Certificates. GnuTLS' functions that tell what the peer sent, and what it thinks of it, are replaced: both come from
 * the input. Bytes 0 to 3: the status; byte 4: the name that is wanted, and what the rest is: the DER of a certificate,
 * or only that of its names or of its subject, around which a certificate is made. */
#include "fuzz/fuzz.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "codec/verify.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <xmpp/client.h>
#include <xmpp/error.h>

#define OID_SAN "2.5.29.17"

enum { WHOLE = 0, NAMES = 1, SUBJECT = 2, KINDS = 3 };

static gnutls_datum_t peer;
static unsigned peer_status;
static int peer_result;

/* --- in place of GnuTLS --- */

const gnutls_datum_t *gnutls_certificate_get_peers(gnutls_session_t session, unsigned *ret_count)
{
    (void)session;
    *ret_count = peer.size > 0 ? 1 : 0;
    return peer.size > 0 ? &peer : NULL;
}

int gnutls_certificate_verify_peers(gnutls_session_t session, gnutls_typed_vdata_st *data,
                                    unsigned count, unsigned *ret_status)
{
    (void)session;
    CHECK(count == 1 && data->type == GNUTLS_DT_KEY_PURPOSE_OID);
    *ret_status = peer_status;
    return peer_result;
}

/* --- what must hold --- */

/* CERT-08, SEC-31: nothing that the peer wrote can fake a line, or a direction */
static void check_text(const char *text, bool lines)
{
    CHECK(utf8_is_valid(text, strlen(text)));
    for (const char *p = text; *p;) {
        uint32_t c;

        p += utf8_decode(p, &c);
        CHECK(c == '\n' ? lines : c >= ' ');
        CHECK(c < 0x7f || c >= 0xa0);
        CHECK(c < 0x2028 || c > 0x202e);
        CHECK(c < 0x2066 || c > 0x2069);
    }
}

static void check_description(void)
{
    static const char *const labels[] = {
        "Subject: ",  "Issuer: ",       "Valid from: ", "Valid until: ", "DNS name: ",
        "SRV name: ", "XMPP address: ", "Other name: ", "IP address: ",  "SHA-256: "};
    char *text = NULL;
    int r = verify_describe(NULL, &text);

    CHECK(r == XMPP_OK || r == XMPP_ERR_NOTFOUND || r == XMPP_ERR_TLS);
    CHECK((r == XMPP_OK) == (text != NULL));
    if (r < 0)
        return;
    check_text(text, true);
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        bool known = false;

        for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
            known = known || str_starts(line, labels[i]);
        CHECK(known && strchr(line, '\n'));
    }
    CHECK(strstr(text, "SHA-256: "));
    CHECK(strlen(text) < 20000);
    mem_free(text);
}

static void check_verdict(const struct verify_name *name)
{
    char verdict[VERIFY_VERDICT_SIZE];
    char small[24];
    int problems;
    int again;

    memset(verdict, 'x', sizeof verdict);
    problems = verify_session(NULL, name, verdict, sizeof verdict);
    if (problems < 0) {
        CHECK(problems == XMPP_ERR_TLS);
        return;
    }
    CHECK(memchr(verdict, '\0', sizeof verdict));
    CHECK(*verdict != '\0');
    check_text(verdict, false);
    CHECK(problems == 0 || !str_starts(verdict, "trusted"));
    CHECK(peer_status == 0 || problems != 0);
    /* short of room, nothing but the words changes */
    again = verify_session(NULL, name, small, sizeof small);
    CHECK(again == problems);
    CHECK(memchr(small, '\0', sizeof small));
}

static void check_match(const struct verify_name *name)
{
    char matched[128] = "";
    gnutls_x509_crt_t crt;
    bool matches;

    CHECK(gnutls_x509_crt_init(&crt) >= 0);
    if (gnutls_x509_crt_import(crt, &peer, GNUTLS_X509_FMT_DER) >= 0) {
        matches = verify_name_matches(crt, name, matched, sizeof matched);
        CHECK(matches == (*matched != '\0'));
        CHECK(verify_name_matches(crt, name, NULL, 0) == matches);
        check_text(matched, false);
        if (matches)
            CHECK(!name->is_ip == !str_starts(matched, "IP address "));
    }
    gnutls_x509_crt_deinit(crt);
}

/* --- a certificate around the input --- */

static gnutls_x509_privkey_t key;

static void make(unsigned kind, struct input *input)
{
    gnutls_datum_t der = {(unsigned char *)(size_t)input->data, (unsigned)input->len};
    gnutls_x509_crt_t crt;
    bool good;

    if (der.size == 0)
        return; /* GnuTLS takes it for a string */
    CHECK(gnutls_x509_crt_init(&crt) >= 0);
    CHECK(gnutls_x509_crt_set_version(crt, 3) >= 0);
    CHECK(gnutls_x509_crt_set_serial(crt, "\1", 1) >= 0);
    CHECK(gnutls_x509_crt_set_activation_time(crt, 1577836800) >= 0);
    CHECK(gnutls_x509_crt_set_expiration_time(crt, 4102444800) >= 0);
    CHECK(gnutls_x509_crt_set_key(crt, key) >= 0);
    if (kind == NAMES)
        good = gnutls_x509_crt_set_extension_by_oid(crt, OID_SAN, der.data, der.size, 0) >= 0;
    else
        good = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, der.data,
                                             der.size) >= 0;
    good = good && gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) >= 0 &&
           gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &peer) >= 0;
    if (!good)
        peer.size = 0;
    gnutls_x509_crt_deinit(crt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct verify_name wanted[] = {
        {"a.example", "a.example", false},
        {"xn--bcher-kva.example",
         "b\xc3\xbc"
         "cher.example",
         false},
        {"x.wild.example", "x.wild.example", false},
        {"127.0.0.1", "127.0.0.1", true},
        {"::1", "::1", true},
        {"example", "example", false},
    };
    struct input input = {data, size};
    const struct verify_name *name;
    unsigned flags;

    if (!key) {
        CHECK(gnutls_x509_privkey_init(&key) >= 0);
        CHECK(gnutls_x509_privkey_generate(
                  key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) >= 0);
    }
    fuzz_begin();
    peer_status = input_u16(&input) << 16;
    peer_status |= input_u16(&input);
    /* bits that GnuTLS does not have are none that it could tell */
    peer_status &= 0x7ffffe;
    peer_result = 0;
    flags = input_byte(&input);
    name = &wanted[flags % (sizeof wanted / sizeof *wanted)];
    memset(&peer, 0, sizeof peer);
    if (flags / 8 % KINDS == WHOLE) {
        peer.data = (unsigned char *)gnutls_malloc(input.len + 1);
        CHECK(peer.data != NULL);
        memcpy(peer.data, input.data, input.len);
        peer.size = (unsigned)input.len;
    } else {
        make(flags / 8 % KINDS, &input);
    }
    check_description();
    check_verdict(name);
    check_match(name);
    gnutls_free(peer.data);
    fuzz_end();
    return 0;
}
