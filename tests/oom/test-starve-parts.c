/* The parts of the library that stand on another one, when that gets no memory: c-ares, libsasl2 and its plug-ins,
 * libxml2, libidn2, GnuTLS. */
#include "base/buf.h"
#include "base/secret.h"
#include "codec/creds.h"
#include "net/dns.h"
#include "net/lookup.h"
#include "oom/known.h"
#include "sasl/mech.h"
#include "support/certs.h"
#include "support/dnsserver.h"
#include "support/starve-run.h"
#include "support/starve.h"
#include "support/tlspair.h"
#include "support/torture.h"
#include "unit/sasl-server.h"

#include <ares.h>
#include <sasl/sasl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xmpp/client.h>
#include <xmpp/elem.h>
#include <xmpp/jid.h>

#include <cmocka.h>

/* --- names --- */

int __real_ares_init_options(ares_channel *ret, struct ares_options *options, int mask);
int __wrap_ares_init_options(ares_channel *ret, struct ares_options *options, int mask);

int __wrap_ares_init_options(ares_channel *ret, struct ares_options *options, int mask)
{
    assert_true(options->timeout > STARVE_TRY_MS);
    options->timeout = STARVE_TRY_MS;
    return __real_ares_init_options(ret, options, mask);
}

#define SERVICE "_xmpp-client._tcp.a.example"

static struct dns_proc dns;

static const char zone[] =
    "{\"" SERVICE "\": {\"SRV\": [[10, 0, 5222, \"x1.a.example\"], [5, 60, 5222, \"x2.a.example\"],"
    "[5, 40, 5223, \"x3.a.example\"]]},"
    "\"both.example\": {\"A\": [\"192.0.2.1\", \"192.0.2.2\"], \"AAAA\": [\"2001:db8::1\"]}}";

struct answer {
    unsigned calls;
    size_t count;
    bool is_last;
    int result; /* of what failed */
};

static void on_srv(void *user_data, const struct net_srv *records, size_t count,
                   const xmpp_error *error)
{
    struct answer *answer = user_data;

    (void)records;
    answer->calls++;
    answer->count = count;
    answer->is_last = true;
    if (error)
        answer->result = xmpp_error_get_code(error);
}

static void on_addresses(void *user_data, const struct net_addr *addrs, size_t count, int status,
                         bool last)
{
    struct answer *answer = user_data;

    (void)addrs;
    answer->calls++;
    answer->count += count;
    answer->is_last = last;
    if (status)
        answer->result = lookup_is_nomem(status) ? XMPP_ERR_NOMEM : XMPP_ERR_DNS;
}

static int make_loop(xmpp_loop **ret)
{
    int r = xmpp_loop_create(ret);

    return r < 0 ? r : xmpp_loop_set_dns_servers(*ret, dns.servers);
}

/* An answer is whole, or there is an error. */
static int judge(const struct answer *answer, int r, unsigned calls, size_t count)
{
    if (r < 0)
        return r;
    if (answer->result < 0)
        return answer->result;
    return answer->calls == calls && answer->count == count ? XMPP_OK : 1;
}

static int run_srv(void)
{
    struct answer answer = {0};
    struct net_srv_query *query = NULL;
    xmpp_loop *loop = NULL;
    int r = make_loop(&loop);

    if (r >= 0)
        r = net_srv_start(loop, &query, SERVICE, on_srv, &answer);
    while (r >= 0 && !answer.is_last)
        r = xmpp_loop_step(loop, -1);
    if (!answer.is_last)
        net_srv_cancel(query);
    xmpp_loop_unref(loop);
    return judge(&answer, r, 1, 3);
}

static int run_lookup(void)
{
    struct answer answer = {0};
    struct lookup *lookup = NULL;
    xmpp_loop *loop = NULL;
    int r = make_loop(&loop);

    if (r >= 0)
        r = lookup_start(loop, &lookup, "both.example", on_addresses, &answer);
    while (r >= 0 && !answer.is_last)
        r = xmpp_loop_step(loop, -1);
    lookup_free(lookup);
    xmpp_loop_unref(loop);
    return judge(&answer, r, 2, 3);
}

/* --- SASL --- */

/* The server is libsasl2, too, and in the same thread. */
static int answer_sasl(struct server *server, struct buf *out, const char **ret, unsigned *ret_len)
{
    bool was_on = starve_pause();
    int r = server_step(server, buf_peek(out), buf_len(out), ret, ret_len);

    starve_resume(was_on);
    return r;
}

static int exchange_sasl(struct sasl *sasl, struct server *server, const char *in, unsigned in_len,
                         struct buf *out)
{
    const struct sasl_ops *ops = &sasl_cyrus_ops;
    bool has = false;
    int r = ops->start(sasl, out, &has);

    if (r < 0)
        return r;
    r = ops->step(sasl, in, in_len, false, out);
    if (r < 0)
        return r;
    if (answer_sasl(server, out, &in, &in_len) != SASL_OK || !in)
        return ops->is_done(sasl) ? 1 : XMPP_ERR_AUTH;
    buf_truncate(out, 0);
    r = ops->step(sasl, in, in_len, true, out);
    if (r < 0)
        return ops->is_done(sasl) ? 1 : r;
    return ops->is_done(sasl) ? XMPP_OK : 1;
}

static int run_sasl(void)
{
    struct server_options options = {.cb_type = NULL};
    struct sasl_params params = {
        .authcid = "user", .domain = "example.org", .gs2_flag = 'n', .tls_bits = 256};
    struct server server;
    struct secret *secret = NULL;
    struct sasl *sasl = NULL;
    struct buf out;
    const char *in = NULL;
    unsigned in_len = 0;
    bool was_on = starve_pause();
    int r;

    server_open(&server, &options);
    (void)server_start(&server, "DIGEST-MD5", NULL, 0, &in, &in_len);
    starve_resume(was_on);
    buf_init(&out, SIZE_MAX);
    r = secret_create(&secret, "pencil", strlen("pencil"));
    params.secret = secret;
    if (r >= 0)
        r = sasl_cyrus_ops.create(&sasl, "DIGEST-MD5", &params);
    if (r >= 0)
        r = exchange_sasl(sasl, &server, in, in_len, &out);
    if (sasl)
        sasl_cyrus_ops.free(sasl);
    secret_free(secret);
    buf_wipe(&out);
    was_on = starve_pause();
    server_close(&server);
    starve_resume(was_on);
    return r;
}

/* --- XML and addresses --- */

static const char document[] =
    "<message xmlns='jabber:client' from='B&#xFC;cher@b&#xFC;cher.example/&#x2665;' id='1' "
    "xml:lang='de'><body>a &lt;b&gt; &amp; <![CDATA[<c>]]> d</body>"
    "<x:y xmlns:x='http://example.com/a%20b?c#d' x:z='&quot;'><w xmlns='urn:w' v='u'/></x:y>"
    "</message>";

static int run_xml(void)
{
    xmpp_elem *elem = NULL;
    xmpp_elem *copy = NULL;
    xmpp_elem *again = NULL;
    char *text = NULL;
    char *copy_text = NULL;
    int r = xmpp_elem_parse(&elem, document, strlen(document));

    if (r >= 0)
        r = xmpp_elem_to_xml(elem, &text, NULL);
    if (r >= 0)
        r = xmpp_elem_parse(&again, text, strlen(text));
    if (r >= 0)
        r = xmpp_elem_copy(again, &copy);
    if (r >= 0)
        r = xmpp_elem_to_xml(copy, &copy_text, NULL);
    if (r >= 0 && (!xmpp_elem_get_from(elem) || strcmp(text, copy_text) != 0))
        r = 1;
    xmpp_elem_unref(elem);
    xmpp_elem_unref(copy);
    xmpp_elem_unref(again);
    xmpp_mem_free(text);
    xmpp_mem_free(copy_text);
    return r;
}

static int run_jid(void)
{
    static const char address[] = "\xC3\x84lice@XN--BCHER-KVA.example/\xEF\xBC\xA1";
    static const char other[] = "\xC3\xA4lice@b\xC3\xBC"
                                "cher.example/\xEF\xBC\xA1";
    xmpp_jid *a = NULL;
    xmpp_jid *b = NULL;
    int r = xmpp_jid_parse(&a, address);

    if (r >= 0)
        r = xmpp_jid_parse(&b, other);
    if (r >= 0)
        r = xmpp_jid_compare(a, b) == 0 ? XMPP_OK : 1;
    xmpp_jid_unref(a);
    xmpp_jid_unref(b);
    return r;
}

/* --- certificates --- */

/* the server and its certificates always get memory */
#define PAUSED(type, call)                                                                         \
    bool was_on = starve_pause();                                                                  \
    type ret = call;                                                                               \
    starve_resume(was_on);                                                                         \
    return ret

struct tlspeer *__real_tlspeer_create(const struct tlspeer_options *options);
struct tlspeer *__real_tlspeer_free(struct tlspeer *peer);
int __real_tlspeer_feed(struct tlspeer *peer, const void *data, size_t len);
size_t __real_tlspeer_take(struct tlspeer *peer, void *dst, size_t size);
const char *__real_certs_crt_path(const char *name);
const char *__real_certs_key_path(const char *name);

struct tlspeer *__wrap_tlspeer_create(const struct tlspeer_options *options)
{
    PAUSED(struct tlspeer *, __real_tlspeer_create(options));
}

struct tlspeer *__wrap_tlspeer_free(struct tlspeer *peer)
{
    PAUSED(struct tlspeer *, __real_tlspeer_free(peer));
}

int __wrap_tlspeer_feed(struct tlspeer *peer, const void *data, size_t len)
{
    PAUSED(int, __real_tlspeer_feed(peer, data, len));
}

size_t __wrap_tlspeer_take(struct tlspeer *peer, void *dst, size_t size)
{
    PAUSED(size_t, __real_tlspeer_take(peer, dst, size));
}

const char *__wrap_certs_crt_path(const char *name)
{
    PAUSED(const char *, __real_certs_crt_path(name));
}

const char *__wrap_certs_key_path(const char *name)
{
    PAUSED(const char *, __real_certs_key_path(name));
}

static const char *server_cert;
static const char *client_cert;
static int problems; /* what is wrong with the server's */

/* What is wrong may be called by another name, but nothing that is wrong is ever trusted. */
static int run_tls(void)
{
    struct tlspeer_options options = {.cert = server_cert, .request_cert = client_cert != NULL};
    struct tlspair pair;
    int r = tlspair_open(&pair, NULL, client_cert, NULL, &options, CUT_NONE);

    if (r >= 0)
        r = tlspair_run(&pair);
    if (r >= 0 && tls_get_state(pair.tls) != TLS_VERIFY)
        r = XMPP_ERR_STATE;
    if (r >= 0 && problems && !tls_get_problems(pair.tls))
        r = 1;
    else if (r >= 0 && tls_get_problems(pair.tls) != problems)
        r = XMPP_ERR_CERT;
    if (r >= 0 && !tls_get_cert_text(pair.tls))
        r = XMPP_ERR_NOMEM;
    tlspair_free(&pair);
    return r;
}

static unsigned count_authorities(struct tls_creds *creds)
{
    gnutls_certificate_credentials_t cred;
    gnutls_x509_trust_list_t list;
    gnutls_x509_trust_list_iter_t iter = NULL;
    gnutls_x509_crt_t crt;
    gnutls_session_t session;
    unsigned count = 0;
    bool was_on = starve_pause();

    if (gnutls_init(&session, GNUTLS_CLIENT) < 0 || creds_attach(creds, session) < 0 ||
        gnutls_credentials_get(session, GNUTLS_CRD_CERTIFICATE, (void **)&cred) < 0)
        abort();
    gnutls_certificate_get_trust_list(cred, &list);
    while (gnutls_x509_trust_list_iter_get_ca(list, &iter, &crt) >= 0) {
        gnutls_x509_crt_deinit(crt);
        count++;
    }
    gnutls_deinit(session);
    starve_resume(was_on);
    return count;
}

/* A store that could not be loaded must not be kept. */
static int run_trust(void)
{
    struct tls_creds *creds = NULL;
    int r = tls_creds_get(&creds, NULL, NULL, NULL, NULL);

    if (r >= 0 && count_authorities(creds) == 0)
        r = XMPP_ERR_CERT;
    tls_creds_unref(creds);
    return r;
}

/* --- tests --- */

static void expect_survival(const char *name, int (*run)(void), unsigned step, bool is_cold)
{
    struct starve_scenario scenario = {.name = name, .run = run, .step = step, .is_cold = is_cold};

    assert_int_equal(starve_run(&scenario, known), 0);
}

static void test_srv(void **state)
{
    (void)state;
    assert_true(dns_proc_start(&dns, zone, false));
    expect_survival("SRV records", run_srv, 1, false);
    dns_proc_stop(&dns);
}

static void test_lookup(void **state)
{
    /* Without memory c-ares drops answers and waits for others, six seconds each time. */
    struct starve_scenario scenario = {
        .name = "addresses", .run = run_lookup, .step = 1, .step_on = 9};

    (void)state;
    assert_true(dns_proc_start(&dns, zone, false));
    assert_int_equal(starve_run(&scenario, known), 0);
    dns_proc_stop(&dns);
}

static void test_sasl(void **state)
{
    (void)state;
    expect_survival("DIGEST-MD5", run_sasl, 1, false);
}

/* The plug-ins are loaded. libsasl2 leaves out those for which there is no memory, for good, and calls that success. */
static void test_sasl_cold(void **state)
{
    struct starve_scenario scenario = {.name = "DIGEST-MD5, cold",
                                       .run = run_sasl,
                                       .step = 3,
                                       .is_cold = true,
                                       .is_lasting = true};

    (void)state;
    assert_int_equal(starve_run(&scenario, known), 0);
}

static void test_xml(void **state)
{
    (void)state;
    expect_survival("XML", run_xml, 1, false);
}

static void test_jid(void **state)
{
    (void)state;
    expect_survival("addresses of XMPP", run_jid, 1, false);
}

static void run_certificate(const char *name, int bits, unsigned step)
{
    server_cert = name;
    problems = bits;
    expect_survival(name, run_tls, step, false);
}

static void test_good(void **state)
{
    (void)state;
    run_certificate("staple", 0, 1);
}

static void test_client_certificate(void **state)
{
    (void)state;
    client_cert = "alice";
    run_certificate("good", 0, 1);
    client_cert = NULL;
}

/* CERT-12 */
static void test_revoked(void **state)
{
    (void)state;
    run_certificate("revoked", XMPP_CERT_REVOKED, 1);
}

/* CERT-04, CERT-06 */
static void test_other_names(void **state)
{
    (void)state;
    run_certificate("xmpp-addr", 0, 3);
    run_certificate("wildcard", XMPP_CERT_WRONG_NAME, 3);
}

static void test_bad_chain(void **state)
{
    (void)state;
    run_certificate("not-ca", XMPP_CERT_BAD_CHAIN, 3);
    run_certificate("self-expired", XMPP_CERT_BAD_CHAIN | XMPP_CERT_EXPIRED, 3);
}

/* thousands of allocations, milliseconds each time */
static void test_system_trust(void **state)
{
    (void)state;
    if (access("/etc/ssl/certs/ca-certificates.crt", R_OK) < 0)
        skip();
    expect_survival("the system's trust", run_trust, 101, true);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_srv),       cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_sasl_cold), cmocka_unit_test(test_sasl),
        cmocka_unit_test(test_xml),       cmocka_unit_test(test_jid),
        cmocka_unit_test(test_good),      cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_revoked),   cmocka_unit_test(test_other_names),
        cmocka_unit_test(test_bad_chain), cmocka_unit_test(test_system_trust),
    };
    int r;

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    torture_install();
    server_init();
    (void)certs_crt_path("ca"); /* the parent makes them, for all children */
    r = cmocka_run_group_tests(tests, NULL, NULL);
    certs_free();
    return r;
}
