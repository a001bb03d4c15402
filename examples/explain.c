/* What went wrong, for a person: every field of an xmpp_error, and what to do about it. See doc/errors.md. */
#include "common.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_BYTES 400 /* of what the server says */

static const struct {
    int bit;
    const char *text;
    const char *advice;
} problems[] = {
    {XMPP_CERT_REVOKED, "revoked", "do not use this server; tell its operator"},
    {XMPP_CERT_WRONG_NAME, "wrong name",
     "check the domain of the JID; if it is right, this is not the server that you mean"},
    {XMPP_CERT_EXPIRED, "expired",
     "check the clock of this computer; else its operator must renew it"},
    {XMPP_CERT_NOT_YET_VALID, "not yet valid", "check the clock of this computer"},
    {XMPP_CERT_BAD_CHAIN, "chain not trusted",
     "if the server has an authority of its own, name its certificate with --ca-file"},
    {XMPP_CERT_WEAK, "weak", "its operator must replace it"},
};

/* Conditions of SASL and stream errors on which a person can act. */
static const struct {
    const char *condition;
    const char *advice;
} conditions[] = {
    {"not-authorized", "check the user name and the password"},
    {"account-disabled", "ask the operator of the server"},
    {"credentials-expired", "set a new password"},
    {"encryption-required", "use TLS: leave --plain away"},
    {"temporary-auth-failure", "try again later; the password may be right"},
    {"invalid-mechanism", "ask the operator for another way to log in"},
    {"mechanism-too-weak", "ask the operator for another way to log in"},
    {"conflict",
     "another client took over this resource: use another one, do not reconnect by itself"},
    {"host-gone", "the domain is no longer served there: check the JID"},
    {"host-unknown", "check the domain of the JID, and --server"},
    {"policy-violation", "send less, or slower; see what the server says"},
    {"resource-constraint", "try again later"},
    {"see-other-host", "connect to the host that the server names, if you trust it"},
    {"system-shutdown", "try again in a few minutes"},
    {"reset", "log in again"},
    {"connection-timeout", "log in again"},
};

/* One character of valid UTF-8; *at moves behind it. */
static unsigned long next_char(const char **at, const char *end)
{
    unsigned char first = (unsigned char)*(*at)++;
    unsigned long c = first;

    if (first >= 0xc0)
        c = first & (first < 0xe0 ? 0x1f : first < 0xf0 ? 0xf : 7);
    while (first >= 0xc0 && *at < end && ((unsigned char)**at & 0xc0) == 0x80)
        c = c << 6 | ((unsigned char)*(*at)++ & 0x3f);
    return c;
}

/* Moves the cursor, ends a line, is not seen, or turns the direction of writing. */
static int is_deceptive(unsigned long c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

void print_escaped(FILE *file, const char *text, size_t len, const char *keep)
{
    const char *end = text + len;

    while (text < end) {
        const char *start = text;
        unsigned long c = next_char(&text, end);
        if (is_deceptive(c) && !(c > 0 && c < 0x80 && strchr(keep, (int)c)))
            fprintf(file, "\\u%04lx", c);
        else
            fwrite(start, 1, (size_t)(text - start), file);
    }
}

/* The server wrote this: it must not look like lines of ours. */
static void print_quoted(const char *label, const char *text)
{
    size_t len = strlen(text);
    size_t shown = len < SHOWN_BYTES ? len : SHOWN_BYTES;

    while (((unsigned char)text[shown] & 0xc0) == 0x80)
        shown--; /* whole characters */
    fprintf(stderr, "  %s: \"", label);
    print_escaped(stderr, text, shown, "");
    fprintf(stderr, "\"%s\n", len > shown ? " ..." : "");
}

static void print_problems(int bits)
{
    const char *separator = "  certificate: ";

    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        if (!(bits & problems[i].bit))
            continue;
        fprintf(stderr, "%s%s", separator, problems[i].text);
        separator = ", ";
    }
    if (bits)
        fputc('\n', stderr);
}

static void print_addresses(const xmpp_error *error)
{
    for (size_t i = 0; i < xmpp_error_count_attempts(error); i++) {
        const char *target;
        const xmpp_error *failure = xmpp_error_get_attempt(error, i, &target);
        fprintf(stderr, "  tried: %s: %s\n", target, xmpp_error_get_text(failure));
    }
}

static const char not_xmpp[] = "is it an XMPP server, and the right port?";

static const char *advise_system(int number, int phase)
{
    switch (number) {
    case ECONNREFUSED:
        return "nobody listens there: is the server running, and is it the right port?";
    case ENETUNREACH:
    case EHOSTUNREACH:
        return "is this computer connected to the network? a firewall may be in between";
    case ENOENT:
    case EACCES:
        return "check the name and the permissions of the file";
    case EMFILE:
    case ENFILE:
        return "too many open files: see ulimit -n";
    default:
        return phase < XMPP_PHASE_AUTHENTICATING ? not_xmpp : "log in again";
    }
}

static const char *advise_timeout(int phase)
{
    switch (phase) {
    case XMPP_PHASE_RESOLVING:
        return "check the name server (/etc/resolv.conf, --dns)";
    case XMPP_PHASE_CONNECTING:
        return "check the address and the port; a firewall may be in between";
    case XMPP_PHASE_SECURING:
        return "is it an XMPP server, and the right port? on ports with direct TLS use "
               "--direct-tls";
    default:
        return "try again later, or give it more --timeout";
    }
}

static const char *advise(const xmpp_error *error)
{
    const char *condition = xmpp_error_get_condition(error);
    int phase = xmpp_error_get_phase(error);

    switch (xmpp_error_get_code(error)) {
    case XMPP_ERR_DNS:
        return "check the domain of the JID, or name the server with --server";
    case XMPP_ERR_SYSTEM:
        return advise_system(xmpp_error_get_number(error), phase);
    case XMPP_ERR_TIMEOUT:
        return advise_timeout(phase);
    case XMPP_ERR_CLOSED:
        return phase < XMPP_PHASE_READY ? not_xmpp : "log in again";
    case XMPP_ERR_CERT:
        for (size_t i = 0; i < sizeof problems / sizeof *problems; i++)
            if (xmpp_error_get_cert_problems(error) & problems[i].bit)
                return problems[i].advice;
        return NULL;
    case XMPP_ERR_AUTH:
    case XMPP_ERR_STREAM:
        for (size_t i = 0; condition && i < sizeof conditions / sizeof *conditions; i++)
            if (strcmp(condition, conditions[i].condition) == 0)
                return conditions[i].advice;
        return NULL;
    case XMPP_ERR_XML:
    case XMPP_ERR_PROTOCOL:
        return phase < XMPP_PHASE_AUTHENTICATING ? not_xmpp : NULL;
    case XMPP_ERR_TLS:
        if (phase < XMPP_PHASE_SECURING)
            return "check the file";
        return phase < XMPP_PHASE_READY ? not_xmpp : "log in again";
    case XMPP_ERR_NOMEM:
        return "close other programs, or raise the limit of memory";
    default:
        return NULL;
    }
}

static int exit_code(const xmpp_error *error)
{
    const char *condition = xmpp_error_get_condition(error);
    int phase = xmpp_error_get_phase(error);

    switch (xmpp_error_get_code(error)) {
    case XMPP_ERR_AUTH:
        return EXIT_PASSWORD;
    case XMPP_ERR_DNS:
        return EXIT_HOST;
    case XMPP_ERR_CERT:
        return EXIT_CERTIFICATE;
    case XMPP_ERR_SYSTEM:
        return xmpp_error_get_number(error) == ECONNREFUSED ? EXIT_REFUSED : EXIT_OTHER;
    case XMPP_ERR_TIMEOUT:
        return EXIT_TIMEOUT;
    case XMPP_ERR_STREAM:
        return condition && strcmp(condition, "host-unknown") == 0 ? EXIT_HOST : EXIT_OTHER;
    case XMPP_ERR_XML:
    case XMPP_ERR_PROTOCOL:
        return phase < XMPP_PHASE_AUTHENTICATING ? EXIT_NOT_XMPP : EXIT_OTHER;
    default:
        return EXIT_OTHER;
    }
}

int explain(const char *program, const xmpp_error *error)
{
    const char *advice = advise(error);

    fprintf(stderr, "%s: %s\n", program, xmpp_error_get_text(error));
    fprintf(stderr, "  code: %s\n", xmpp_err_name(xmpp_error_get_code(error)));
    fprintf(stderr, "  phase: %s\n", xmpp_phase_name(xmpp_error_get_phase(error)));
    if (xmpp_error_get_number(error))
        fprintf(stderr, "  number: %d\n", xmpp_error_get_number(error));
    if (xmpp_error_get_type(error))
        print_quoted("type", xmpp_error_get_type(error));
    if (xmpp_error_get_condition(error))
        fprintf(stderr, "  condition: %s\n", xmpp_error_get_condition(error));
    if (xmpp_error_get_peer_text(error))
        print_quoted("the server says", xmpp_error_get_peer_text(error));
    print_problems(xmpp_error_get_cert_problems(error));
    print_addresses(error);
    if (advice)
        fprintf(stderr, "  advice: %s\n", advice);
    return exit_code(error);
}
