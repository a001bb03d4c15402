/* A server that means harm before the login is over: SASL, redirects. */
#include "exhaust/victim.h"
#include "support/certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SASL "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"

static void attack_mechanisms(struct hostile *hostile)
{
    char text[64];

    hostile_header(hostile);
    hostile_say(hostile, "<stream:features><mechanisms " SASL ">");
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(text, sizeof text, "<mechanism>X-%u</mechanism>", i);
        hostile_say(hostile, text);
    }
    hostile_say(hostile, "</mechanisms></stream:features>");
    hostile_linger(hostile);
}

/* As many as there is room for; the useful one comes first, or behind all others. */
static void offer_many(struct hostile *hostile, const char *first, const char *last)
{
    static char offer[64 * 1024];
    size_t len = (size_t)snprintf(offer, sizeof offer, "%s", first);

    for (unsigned i = 0; i < 2000; i++)
        len += (size_t)snprintf(offer + len, sizeof offer - len, "<mechanism>X%u</mechanism>", i);
    snprintf(offer + len, sizeof offer - len, "%s", last);
    hostile_offer(hostile, offer);
}

static void attack_many_mechanisms(struct hostile *hostile)
{
    offer_many(hostile, "<mechanism>ANONYMOUS</mechanism>", "");
    hostile_hear(hostile, "<auth");
    hostile_hear(hostile, ">");
    hostile_bind(hostile);
    hostile_end(hostile);
}

static void attack_late_mechanism(struct hostile *hostile)
{
    offer_many(hostile, "", "<mechanism>ANONYMOUS</mechanism>");
    hostile_linger(hostile);
}

/* --- SCRAM --- */

/* Up to the client's nonce */
static void begin_scram(struct hostile *hostile, char *nonce, size_t size)
{
    char text[512];
    gnutls_datum_t base64;
    gnutls_datum_t raw;
    const char *found;

    hostile_offer(hostile, "<mechanism>SCRAM-SHA-256</mechanism>");
    hostile_hear(hostile, "<auth");
    hostile_hear(hostile, ">");
    hostile_take(hostile, "</auth>", text, sizeof text);
    base64 = (gnutls_datum_t){.data = (unsigned char *)text, .size = (unsigned)strlen(text)};
    if (gnutls_base64_decode2(&base64, &raw) < 0)
        abort();
    snprintf(text, sizeof text, "%.*s", (int)raw.size, (char *)raw.data);
    found = strstr(text, "r=");
    if (!found)
        abort();
    snprintf(nonce, size, "%s", found + 2);
    gnutls_free(raw.data);
}

static void challenge(struct hostile *hostile, const void *data, size_t len)
{
    gnutls_datum_t raw = {.data = (unsigned char *)(uintptr_t)data, .size = (unsigned)len};
    gnutls_datum_t base64;

    if (gnutls_base64_encode2(&raw, &base64) < 0)
        abort();
    hostile_say(hostile, "<challenge " SASL ">");
    hostile_say(hostile, (const char *)base64.data);
    hostile_say(hostile, "</challenge>");
    gnutls_free(base64.data);
}

/* server-first-message (RFC 5802, 7) with a salt of so many letters */
static void attack_scram(struct hostile *hostile, unsigned iterations, size_t salt_len)
{
    static char message[256 * 1024];
    char nonce[128];
    size_t len;

    begin_scram(hostile, nonce, sizeof nonce);
    len = (size_t)snprintf(message, sizeof message, "r=%sserver,s=", nonce);
    memset(message + len, 'A', salt_len / 3 * 4);
    len += salt_len / 3 * 4;
    len += (size_t)snprintf(message + len, sizeof message - len, ",i=%u", iterations);
    challenge(hostile, message, len);
    hostile_linger(hostile);
}

static void attack_iterations(struct hostile *hostile)
{
    attack_scram(hostile, 30000000, 15);
}

static void attack_salt(struct hostile *hostile)
{
    attack_scram(hostile, 4096, 3 * KIB);
}

static void attack_giant_salt(struct hostile *hostile)
{
    attack_scram(hostile, 4096, 64 * KIB);
}

static void attack_challenge(struct hostile *hostile)
{
    static const char message[20 * 1024];
    char nonce[128];

    begin_scram(hostile, nonce, sizeof nonce);
    challenge(hostile, message, sizeof message);
    hostile_linger(hostile);
}

static void attack_endless_challenge(struct hostile *hostile)
{
    char nonce[128];

    begin_scram(hostile, nonce, sizeof nonce);
    hostile_say(hostile, "<challenge " SASL ">");
    hostile_flood(hostile, "AAAA", HOSTILE_ENDLESS);
}

static void attack_challenges(struct hostile *hostile)
{
    hostile_offer(hostile, "<mechanism>ANONYMOUS</mechanism>");
    hostile_hear(hostile, "<auth");
    hostile_flood(hostile, "<challenge " SASL "/>", HOSTILE_ENDLESS);
}

static void attack_failures(struct hostile *hostile)
{
    hostile_offer(hostile, "<mechanism>SCRAM-SHA-512</mechanism><mechanism>SCRAM-SHA-256"
                           "</mechanism><mechanism>SCRAM-SHA-1</mechanism>");
    hostile_hear(hostile, "<auth");
    hostile_flood(hostile, "<failure " SASL "><invalid-mechanism/></failure>", HOSTILE_ENDLESS);
}

static void attack_failure_text(struct hostile *hostile)
{
    hostile_offer(hostile, "<mechanism>SCRAM-SHA-256</mechanism>");
    hostile_hear(hostile, "<auth");
    hostile_say(hostile, "<failure " SASL "><not-authorized/><text>");
    hostile_flood(hostile, "x", HOSTILE_ENDLESS);
}

/* --- binding and redirects --- */

static void attack_bind(struct hostile *hostile)
{
    hostile_offer(hostile, "<mechanism>ANONYMOUS</mechanism>");
    hostile_hear(hostile, "<auth");
    hostile_hear(hostile, ">");
    hostile_say(hostile, "<success " SASL "/>");
    hostile_header(hostile);
    hostile_say(hostile, "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
                         "</stream:features>");
    hostile_hear(hostile, "<iq");
    hostile_say(hostile, "<iq type='result' id='x'><bind><jid>");
    hostile_flood(hostile, "x", HOSTILE_ENDLESS);
}

/* CORE-21: each connection sends the client to the next one. */
static void attack_redirects(struct hostile *hostile)
{
    char text[256];

    certs_server_creds("good");
    snprintf(text, sizeof text,
             "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>"
             "127.0.0.1:%u</see-other-host></stream:error></stream:stream>",
             hostile->port);
    for (;;) {
        hostile_starttls(hostile);
        hostile_tls(hostile, certs_server_creds("good"));
        hostile_header(hostile);
        hostile_say(hostile, text);
        hostile_accept(hostile);
    }
}

#define AUTH_LIMIT                                                                                 \
    .code = XMPP_ERR_LIMIT, .phase = XMPP_PHASE_AUTHENTICATING, .condition = "policy-violation",   \
    .flags = CASE_PASSWORD
#define AUTH_FAILS .code = XMPP_ERR_AUTH, .phase = XMPP_PHASE_AUTHENTICATING, .flags = CASE_PASSWORD
#define ELEM_TEXT  "more than 65536 bytes in one element"

/* SEC-16, SASL-19, SASL-20 */
static const struct exhaust_case cases[] = {
    {"mechanisms", "100 000 SASL mechanisms", "64 KiB before the login", MIB, 2 * MIB,
     .code = XMPP_ERR_LIMIT, .phase = XMPP_PHASE_SECURING, .condition = "policy-violation",
     .text = "65536", .attack = attack_mechanisms},
    {"many-mechanisms", "2000 SASL mechanisms, a good one first", "the first 256 are looked at",
     MIB, 2 * MIB, .attack = attack_many_mechanisms},
    {"late-mechanism", "2000 SASL mechanisms, a good one last", "the first 256 are looked at", MIB,
     2 * MIB, .code = XMPP_ERR_AUTH, .phase = XMPP_PHASE_SECURING,
     .text = "only the first 256 are looked at", .attack = attack_late_mechanism},
    {"scram-iterations", "SCRAM with 30 000 000 iterations", "1 000 000 iterations", 512 * KIB, MIB,
     AUTH_FAILS, .text = "above 1000000", .attack = attack_iterations},
    {"scram-salt", "SCRAM with a salt of 3 KiB", "1 KiB", 512 * KIB, MIB, AUTH_FAILS,
     .text = "longer than 1024 bytes", .attack = attack_salt},
    {"scram-giant-salt", "SCRAM with a salt of 64 KiB", "64 KiB before the login", 512 * KIB, MIB,
     AUTH_LIMIT, .text = ELEM_TEXT, .attack = attack_giant_salt},
    {"challenge", "a challenge of 20 KiB", "16 KiB", 512 * KIB, MIB, .code = XMPP_ERR_LIMIT,
     .phase = XMPP_PHASE_AUTHENTICATING, .flags = CASE_PASSWORD,
     .text = "more than 16384 bytes in one challenge", .attack = attack_challenge},
    {"endless-challenge", "a challenge without end", "64 KiB before the login", 512 * KIB, MIB,
     AUTH_LIMIT, .text = ELEM_TEXT, .attack = attack_endless_challenge},
    {"challenges", "challenges without end", "one too many for the mechanism", 512 * KIB, MIB,
     .code = XMPP_ERR_PROTOCOL, .phase = XMPP_PHASE_AUTHENTICATING,
     .text = "a challenge that the mechanism does not have", .attack = attack_challenges},
    {"failures", "mechanisms that fail without end", "4 attempts", 512 * KIB, MIB, AUTH_FAILS,
     .condition = "invalid-mechanism", .text = "SCRAM", .attack = attack_failures},
    {"failure-text", "a failure with a text without end", "64 KiB before the login", 512 * KIB, MIB,
     AUTH_LIMIT, .text = ELEM_TEXT, .attack = attack_failure_text},
    {"bind", "an answer to resource binding without end", "4 MiB of one stanza", 24 * MIB, 24 * MIB,
     .code = XMPP_ERR_LIMIT, .phase = XMPP_PHASE_BINDING, .condition = "policy-violation",
     .text = "more than 4194304 bytes in one element", .attack = attack_bind},
    {"redirects", "redirects without end", "5 redirects", MIB, 2 * MIB, .code = XMPP_ERR_STREAM,
     .phase = XMPP_PHASE_AUTHENTICATING, .condition = "see-other-host",
     .text = "more than 5 redirections", .flags = CASE_STARTTLS, .attack = attack_redirects},
};

int main(int argc, char **argv)
{
    return exhaust_main(argc, argv, "login", cases, sizeof cases / sizeof *cases, exhaust_warm_up);
}
