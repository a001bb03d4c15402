/* A server that falls silent, or sends a byte a second, on a clock that only the test moves. */
#include "exhaust/victim.h"
#include "fake/fake.h"

#include <string.h>

#define SECOND ((uint64_t)1000000)
#define STEP   (20 * SECOND) /* the most that one step of the negotiation may take */
#define STREAM                                                                                     \
    "<stream:stream from='a.example' id='s1' version='1.0' xmlns='jabber:client'"                  \
    " xmlns:stream='http://etherx.jabber.org/streams'>"
#define OFFER                                                                                      \
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"                       \
    "<mechanism>ANONYMOUS</mechanism></mechanisms></stream:features>"
#define SUCCESS "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
#define BIND    "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>"
#define STARTTLS                                                                                   \
    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"
#define PROCEED "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

static void begin(struct victim *victim)
{
    fake_host("127.0.0.1", 5222, FAKE_ACCEPT);
    victim_connect(victim);
    fake_run(victim->loop);
    assert_non_null(fake_last());
}

static void say(struct victim *victim, const char *text)
{
    fake_feed(fake_last(), text, strlen(text));
    fake_run(victim->loop);
}

static void expect_end(struct victim *victim, uint64_t since, uint64_t after)
{
    assert_true(victim_is_idle(victim));
    assert_true(fake_now() - since <= after + SECOND);
    assert_true(fake_is_closed(fake_last()));
}

static void wait_in_vain(struct victim *victim)
{
    uint64_t since = fake_now();

    for (unsigned i = 0; i < 60 && !victim_is_idle(victim); i++)
        fake_pass(victim->loop, SECOND);
    expect_end(victim, since, STEP);
}

/* The bytes come one by one, a second for each, and begin anew. */
static void drip(struct victim *victim, const char *bytes, size_t len)
{
    uint64_t since = fake_now();

    for (unsigned i = 0; i < 60 && !victim_is_idle(victim); i++) {
        fake_feed(fake_last(), bytes + i % len, 1);
        fake_pass(victim->loop, SECOND);
    }
    expect_end(victim, since, STEP);
}

static void run_accept(struct victim *victim)
{
    begin(victim);
    wait_in_vain(victim);
}

static void run_header(struct victim *victim)
{
    begin(victim);
    drip(victim, " ", 1);
}

static void run_features(struct victim *victim)
{
    begin(victim);
    say(victim, STREAM);
    wait_in_vain(victim);
}

static void run_features_drip(struct victim *victim)
{
    begin(victim);
    say(victim, STREAM "<stream:features>");
    drip(victim, "<a/>", 4);
}

static void run_proceed(struct victim *victim)
{
    begin(victim);
    say(victim, STREAM STARTTLS);
    wait_in_vain(victim);
}

static void run_handshake(struct victim *victim)
{
    begin(victim);
    say(victim, STREAM STARTTLS);
    say(victim, PROCEED);
    wait_in_vain(victim);
}

/* ServerHello, of which a byte comes each second */
static void run_handshake_drip(struct victim *victim)
{
    static const char hello[64] = "\x16\x03\x03\x00\x3b\x02\x00\x00\x37\x03\x03";

    begin(victim);
    say(victim, STREAM STARTTLS);
    say(victim, PROCEED);
    drip(victim, hello, sizeof hello);
}

static void run_direct(struct victim *victim)
{
    fake_host("127.0.0.1", 5223, FAKE_ACCEPT);
    begin(victim);
    wait_in_vain(victim);
}

static void run_auth(struct victim *victim)
{
    begin(victim);
    say(victim, STREAM OFFER);
    wait_in_vain(victim);
}

static void run_restart(struct victim *victim)
{
    begin(victim);
    say(victim, STREAM OFFER);
    say(victim, SUCCESS);
    wait_in_vain(victim);
}

static void run_bind(struct victim *victim)
{
    begin(victim);
    say(victim, STREAM OFFER);
    say(victim, SUCCESS);
    say(victim, STREAM BIND);
    wait_in_vain(victim);
}

static void run_bind_drip(struct victim *victim)
{
    begin(victim);
    say(victim, STREAM OFFER);
    say(victim, SUCCESS);
    say(victim, STREAM BIND);
    drip(victim, " ", 1);
}

static int no_servers(void **state)
{
    (void)state;
    fake_reset();
    return 0;
}

#define TIMEOUT(when) .code = XMPP_ERR_TIMEOUT, .phase = XMPP_PHASE_##when
#define SPACE         512 * KIB, MIB

/* CORE-29: a step that does not end, ends */
static const struct exhaust_case cases[] = {
    {"silence", "accepts, and is silent", "20 s", SPACE, TIMEOUT(SECURING),
     .text = "timed out while waiting for the server's stream header", .run = run_accept},
    {"header-drip", "white space instead of a header, a byte each second", "20 s", SPACE,
     TIMEOUT(SECURING), .text = "timed out while waiting for the server's stream header",
     .run = run_header},
    {"features-silence", "silent instead of the features", "20 s", SPACE, TIMEOUT(SECURING),
     .text = "timed out while waiting for the stream features", .run = run_features},
    {"features-drip", "features without end, a byte each second", "20 s", SPACE, TIMEOUT(SECURING),
     .text = "timed out while waiting for the stream features", .run = run_features_drip},
    {"proceed-silence", "silent instead of the answer to STARTTLS", "20 s", SPACE,
     TIMEOUT(SECURING), .flags = CASE_STARTTLS,
     .text = "timed out while waiting for the answer to STARTTLS", .run = run_proceed},
    {"handshake-silence", "silent instead of a TLS handshake", "20 s", SPACE, TIMEOUT(SECURING),
     .flags = CASE_STARTTLS, .text = "the TLS handshake did not end in time", .run = run_handshake},
    {"handshake-drip", "a TLS handshake, a byte each second", "20 s", SPACE, TIMEOUT(SECURING),
     .flags = CASE_STARTTLS, .text = "the TLS handshake did not end in time",
     .run = run_handshake_drip},
    {"direct-silence", "accepts direct TLS, and is silent", "20 s", SPACE, TIMEOUT(SECURING),
     .flags = CASE_TLS, .text = "the TLS handshake did not end in time", .run = run_direct},
    {"auth-silence", "silent instead of the answer to the authentication", "20 s", SPACE,
     TIMEOUT(AUTHENTICATING),
     .text = "timed out while waiting for the answer to the authentication", .run = run_auth},
    {"restart-silence", "silent after the authentication", "20 s", SPACE, TIMEOUT(BINDING),
     .text = "timed out while waiting for the server's stream header", .run = run_restart},
    {"bind-silence", "silent instead of the answer to resource binding", "20 s", SPACE,
     TIMEOUT(BINDING), .text = "timed out while waiting for the answer to the resource binding",
     .run = run_bind},
    {"bind-drip", "white space instead of that answer, a byte each second", "20 s", SPACE,
     TIMEOUT(BINDING), .text = "timed out while waiting for the answer to the resource binding",
     .run = run_bind_drip},
};

int main(int argc, char **argv)
{
    return exhaust_main(argc, argv, "time", cases, sizeof cases / sizeof *cases, no_servers);
}
