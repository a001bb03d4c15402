#include "codec/explain.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define RECORD_ALERT     0x15
#define RECORD_HANDSHAKE 0x16

bool explain_is_tls(const uint8_t *head, size_t len)
{
    if (len >= 1 && head[0] != RECORD_ALERT && head[0] != RECORD_HANDSHAKE)
        return false;
    return len < 2 || head[1] == 3;
}

/* RFC 8446 6: "unrecognized_name" out of GNUTLS_A_UNRECOGNIZED_NAME. */
static void alert_name(gnutls_alert_description_t alert, char *dst, size_t size)
{
    static const char prefix[] = "GNUTLS_A_";
    const char *name = gnutls_alert_get_strname(alert);
    size_t i;

    if (!name || !str_starts(name, prefix)) {
        (void)str_format(dst, size, "%d", (int)alert);
        return;
    }
    name += sizeof(prefix) - 1;
    for (i = 0; name[i] && i + 1 < size; i++)
        dst[i] = str_lower(name[i]);
    dst[i] = '\0';
}

static const char *alert_hint(gnutls_alert_description_t alert)
{
    switch (alert) {
    case GNUTLS_A_PROTOCOL_VERSION:
        return ": no common TLS version, we speak 1.2 and 1.3";
    case GNUTLS_A_HANDSHAKE_FAILURE:
    case GNUTLS_A_INSUFFICIENT_SECURITY:
        return ": no common cipher suite or TLS version (we speak 1.2 and 1.3), or it demands a "
               "client certificate";
    case GNUTLS_A_UNRECOGNIZED_NAME:
        return ": it does not serve this domain";
    case GNUTLS_A_NO_APPLICATION_PROTOCOL:
        return ": it does not speak XMPP on this port (ALPN xmpp-client)";
    case GNUTLS_A_CERTIFICATE_REQUIRED:
        return ": it demands a client certificate";
    case GNUTLS_A_BAD_CERTIFICATE:
    case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
    case GNUTLS_A_CERTIFICATE_REVOKED:
    case GNUTLS_A_CERTIFICATE_EXPIRED:
    case GNUTLS_A_CERTIFICATE_UNKNOWN:
    case GNUTLS_A_UNKNOWN_CA:
        return ": it does not accept our client certificate";
    default:
        return "";
    }
}

static void explain_alert(gnutls_session_t session, const struct explain *explain, char *dst,
                          size_t size)
{
    gnutls_alert_description_t alert = gnutls_alert_get(session);
    char name[48];

    alert_name(alert, name, sizeof(name));
    (void)str_format(dst, size, "server %s sent the TLS alert %s%s", explain->domain, name,
                     alert_hint(alert));
}

static void explain_not_tls(const struct explain *explain, char *dst, size_t size)
{
    char text[24] = "";
    size_t n = 0;

    for (; n < explain->head_len && n + 1 < sizeof(text); n++) {
        if (explain->head[n] < ' ' || explain->head[n] > '~')
            break;
        text[n] = (char)explain->head[n];
    }
    text[n] = '\0';
    if (n == explain->head_len || n > 3)
        (void)str_format(dst, size, "peer does not speak TLS: plain text received (\"%s\")%s", text,
                         text[0] == '<' ? ", perhaps this port wants STARTTLS" : "");
    else
        (void)str_format(dst, size, "peer does not speak TLS: unknown bytes received");
}

/* The record around a ServerHello of TLS 1.2 and below tells the version that the server chose. */
static void explain_version(const struct explain *explain, char *dst, size_t size)
{
    static const char *const names[] = {"SSL 3.0", "TLS 1.0", "TLS 1.1"};

    if (explain->head_len >= 3 && explain->head[1] == 3 && explain->head[2] < ARRAY_LEN(names))
        (void)str_format(dst, size, "no common TLS version: server speaks at most %s",
                         names[explain->head[2]]);
    else
        (void)str_format(dst, size, "no common TLS version: we speak 1.2 and 1.3");
}

/* GnuTLS itself has a limit, too: 8 key updates in a second. */
static void explain_controls(const struct explain *explain, char *dst, size_t size)
{
    if (explain->has_unsent)
        (void)str_format(dst, size, "more than %u bytes of TLS control messages for the peer wait",
                         LIMIT_TLS_OUT_BYTES);
    else if (explain->controls > LIMIT_TLS_CONTROLS)
        (void)str_format(dst, size, "peer sends more than %d TLS control messages in a row",
                         LIMIT_TLS_CONTROLS);
    else
        (void)str_format(dst, size, "peer sends TLS control messages faster than GnuTLS allows");
}

void explain_failure(gnutls_session_t session, const struct explain *explain, char *dst,
                     size_t size)
{
    if (explain->in_handshake && !explain_is_tls(explain->head, explain->head_len))
        return explain_not_tls(explain, dst, size);
    switch (explain->number) {
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
        return explain_alert(session, explain, dst, size);
    case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
        return explain_version(explain, dst, size);
    case GNUTLS_E_PREMATURE_TERMINATION:
        (void)str_format(dst, size, "%s",
                         explain->in_handshake
                             ? "connection ended during the TLS handshake"
                             : "connection ended without TLS close_notify: data may be missing");
        return;
    case GNUTLS_E_HANDSHAKE_TOO_LARGE:
        (void)str_format(dst, size, "TLS handshake exceeds %u bytes", LIMIT_TLS_HANDSHAKE_BYTES);
        return;
    case GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS:
        explain_controls(explain, dst, size);
        return;
    case GNUTLS_E_DECRYPTION_FAILED:
        (void)str_format(dst, size, "TLS record was altered or is corrupt");
        return;
    default:
        (void)str_format(dst, size, "%s%s",
                         explain->in_handshake ? "TLS handshake failed: " : "TLS failed: ",
                         gnutls_strerror(explain->number));
        return;
    }
}
