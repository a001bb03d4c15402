#include "xml/name.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

/* The element and attribute names and the namespaces of XMPP that are met every day. */
/* clang-format off */
static const char *const known[] = {
    "BINVAL", "FN", "N", "NICKNAME", "PHOTO", "TYPE", "a", "abort", "aborted", "account-disabled",
    "acknowledged", "action", "actions", "active", "actor", "additional-data", "address",
    "addresses", "admin", "affiliation", "affiliations", "after", "always", "approved", "ask",
    "auth", "authenticate", "authentication", "authorization-identifier", "autojoin", "bad-format",
    "bad-namespace-prefix", "bad-request", "before", "bind", "binval", "block", "blocklist", "body",
    "bound", "br", "by", "bytes", "c", "carbons", "category", "challenge", "channel-binding",
    "close", "code", "collection", "command", "complete", "composing", "compression", "conference",
    "configure", "conflict", "connection-timeout", "content-type", "continue", "count", "create",
    "credentials-expired", "csi", "data", "decline", "default", "delay", "delete", "desc",
    "destroy", "device", "digest", "disable", "displayed", "email", "enable", "enabled",
    "encrypted", "encryption", "encryption-required", "error", "eu.siacs.conversations.axolotl",
    "event", "execute", "expiry", "ext", "failed", "failure", "fallback", "feature",
    "feature-not-implemented", "features", "features-list", "field", "filename", "fin", "first",
    "forbidden", "form", "forwarded", "from", "get", "gone", "group", "h", "hash", "header",
    "height", "history", "host-gone", "host-unknown", "html", "id", "identity", "idle-seconds",
    "improper-addressing", "inactive", "incorrect-encoding", "index", "info", "initial-response",
    "inline", "instructions", "internal-server-error", "invalid-authzid", "invalid-from",
    "invalid-mechanism", "invalid-namespace", "invalid-xml", "invite", "iq", "item",
    "item-not-found", "items", "iv", "jid", "jid-malformed", "key", "keys", "label", "lang", "last",
    "limits", "location", "malformed-request", "markable", "max", "max-bytes", "maxchars",
    "maxstanzas", "mechanism", "mechanism-too-weak", "mechanisms", "member", "message", "method",
    "name", "namespace", "never", "next", "nick", "no-copy", "no-permanent-store", "no-store",
    "node", "not-acceptable", "not-allowed", "not-authorized", "not-well-formed", "note",
    "occupant-id", "open", "option", "optional", "origin-id", "os", "owner", "p", "password",
    "paused", "payload", "photo", "ping", "policy-violation", "prefs", "prekey", "presence", "prev",
    "previd", "priority", "private", "proceed", "publish", "publish-options", "pubsub", "purge",
    "push", "put", "query", "queryid", "r", "reaction", "reactions", "reason", "received",
    "recipient-unavailable", "redirect", "registered", "registration-required",
    "remote-connection-failed", "remote-server-not-found", "remote-server-timeout", "remove",
    "replace", "reply", "reported", "request", "required", "reset", "resource",
    "resource-constraint", "response", "restricted-xml", "result", "resume", "resumed", "retract",
    "retracted", "rid", "role", "sasl-channel-binding", "seconds", "see-other-host", "sent",
    "service-unavailable", "session", "sessionid", "set", "show", "sid", "since", "size", "slot",
    "sm", "software", "span", "stable", "stamp", "stanza-id", "starttls", "status", "storage",
    "store", "stream", "subject", "subscribe", "subscription", "subscription-required",
    "subscriptions", "success", "system-shutdown", "tag", "temporary-auth-failure", "text",
    "thread", "time", "title", "to", "token", "type", "tzo", "unblock", "undefined-condition",
    "unexpected-request", "unstable", "unsubscribe", "unsupported-encoding", "unsupported-feature",
    "unsupported-stanza-type", "unsupported-version", "url", "user-agent", "username", "utc",
    "vCard", "value", "var", "vcard-temp", "ver", "version", "width", "x", "xml", "xmlns",

    "http://etherx.jabber.org/streams", "http://jabber.org/features/compress",
    "http://jabber.org/features/iq-auth", "http://jabber.org/features/iq-register",
    "http://jabber.org/protocol/activity", "http://jabber.org/protocol/address",
    "http://jabber.org/protocol/bytestreams", "http://jabber.org/protocol/caps",
    "http://jabber.org/protocol/chatstates", "http://jabber.org/protocol/commands",
    "http://jabber.org/protocol/compress", "http://jabber.org/protocol/disco#info",
    "http://jabber.org/protocol/disco#items", "http://jabber.org/protocol/geoloc",
    "http://jabber.org/protocol/httpbind", "http://jabber.org/protocol/ibb",
    "http://jabber.org/protocol/jinglenodes", "http://jabber.org/protocol/mood",
    "http://jabber.org/protocol/muc", "http://jabber.org/protocol/muc#admin",
    "http://jabber.org/protocol/muc#owner", "http://jabber.org/protocol/muc#request",
    "http://jabber.org/protocol/muc#user", "http://jabber.org/protocol/nick",
    "http://jabber.org/protocol/pubsub", "http://jabber.org/protocol/pubsub#errors",
    "http://jabber.org/protocol/pubsub#event", "http://jabber.org/protocol/pubsub#owner",
    "http://jabber.org/protocol/rsm", "http://jabber.org/protocol/si",
    "http://jabber.org/protocol/tune", "http://jabber.org/protocol/xhtml-im",
    "http://www.w3.org/1999/xhtml", "http://www.w3.org/XML/1998/namespace", "jabber:client",
    "jabber:iq:auth", "jabber:iq:gateway", "jabber:iq:last", "jabber:iq:private",
    "jabber:iq:register", "jabber:iq:roster", "jabber:iq:search", "jabber:iq:version",
    "jabber:x:conference", "jabber:x:data", "jabber:x:delay", "jabber:x:encrypted", "jabber:x:oob",
    "jabber:x:signed", "storage:bookmarks", "urn:ietf:params:xml:ns:vcard-4.0",
    "urn:ietf:params:xml:ns:xmpp-bind", "urn:ietf:params:xml:ns:xmpp-framing",
    "urn:ietf:params:xml:ns:xmpp-sasl", "urn:ietf:params:xml:ns:xmpp-session",
    "urn:ietf:params:xml:ns:xmpp-stanzas", "urn:ietf:params:xml:ns:xmpp-streams",
    "urn:ietf:params:xml:ns:xmpp-tls", "urn:xmpp:attention:0", "urn:xmpp:avatar:data",
    "urn:xmpp:avatar:metadata", "urn:xmpp:bind:0", "urn:xmpp:blocking", "urn:xmpp:bob",
    "urn:xmpp:bookmarks:1", "urn:xmpp:caps", "urn:xmpp:caps:optimize", "urn:xmpp:carbons:2",
    "urn:xmpp:chat-markers:0", "urn:xmpp:csi:0", "urn:xmpp:delay", "urn:xmpp:eme:0",
    "urn:xmpp:extdisco:2", "urn:xmpp:fallback:0", "urn:xmpp:fast:0",
    "urn:xmpp:features:pre-approval", "urn:xmpp:features:rosterver", "urn:xmpp:forward:0",
    "urn:xmpp:hashes:2", "urn:xmpp:hints", "urn:xmpp:http:upload:0", "urn:xmpp:jingle-message:0",
    "urn:xmpp:jingle:1", "urn:xmpp:mam:2", "urn:xmpp:mds:displayed:0", "urn:xmpp:message-correct:0",
    "urn:xmpp:message-retract:1", "urn:xmpp:occupant-id:0", "urn:xmpp:omemo:2",
    "urn:xmpp:order-by:1", "urn:xmpp:ping", "urn:xmpp:push:0", "urn:xmpp:reactions:0",
    "urn:xmpp:receipts", "urn:xmpp:reply:0", "urn:xmpp:sasl-cb:0", "urn:xmpp:sasl:2",
    "urn:xmpp:sasl:upgrade:0", "urn:xmpp:scram-upgrade:0", "urn:xmpp:sid:0", "urn:xmpp:sm:2",
    "urn:xmpp:sm:3", "urn:xmpp:stream-limits:0", "urn:xmpp:styling:0", "urn:xmpp:thumbs:1",
    "urn:xmpp:time", "urn:xmpp:vcard4", "urn:xmpp:xbosh", "vcard-temp:x:update",
};
/* clang-format on */

#define SLOTS     1024 /* a power of two above twice the count of names */
#define MAX_LEN   63
#define IS_NCNAME 0x80

/* Made once, and read-only from then on. */
static uint16_t slots[SLOTS]; /* index in known + 1, where the hash says or behind; 0: free */
static uint8_t lens[ARRAY_LEN(known)]; /* with IS_NCNAME */
static pthread_once_t slots_once = PTHREAD_ONCE_INIT;

/* Of the length and of up to twelve bytes: nobody but us chooses what the table holds. */
static size_t hash(const char *str, size_t len)
{
    uint32_t parts[3] = {0};
    uint64_t sum = len;

    if (len >= sizeof *parts) {
        memcpy(&parts[0], str, sizeof *parts);
        memcpy(&parts[1], str + len / 2 - sizeof *parts / 2, sizeof *parts);
        memcpy(&parts[2], str + len - sizeof *parts, sizeof *parts);
    } else {
        memcpy(&parts[0], str, len);
    }
    sum ^= parts[0] * UINT64_C(0x9E3779B97F4A7C15);
    sum ^= parts[1] * UINT64_C(0xC2B2AE3D27D4EB4F);
    sum ^= parts[2] * UINT64_C(0x165667B19E3779F9);
    return (size_t)(sum >> 40) & (SLOTS - 1);
}

static void fill_slots(void)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        size_t len = strlen(known[i]);
        size_t at = hash(known[i], len);

        while (slots[at])
            at = (at + 1) & (SLOTS - 1);
        slots[at] = (uint16_t)(i + 1);
        lens[i] = (uint8_t)(len | (name_is_ncname(known[i], len) ? IS_NCNAME : 0));
    }
}

/* Its index in known + 1, or 0. */
static size_t find(const char *str, size_t len)
{
    if (len == 0 || len > MAX_LEN)
        return 0;
    (void)pthread_once(&slots_once, fill_slots); /* cannot fail with these arguments */
    for (size_t at = hash(str, len); slots[at]; at = (at + 1) & (SLOTS - 1)) {
        size_t i = slots[at] - 1u;

        if ((lens[i] & ~IS_NCNAME) == len && memcmp(known[i], str, len) == 0)
            return i + 1;
    }
    return 0;
}

const char *name_find(const char *str, size_t len)
{
    size_t found = find(str, len);

    return found ? known[found - 1] : NULL;
}

const char *name_find_ncname(const char *str, size_t len)
{
    size_t found = find(str, len);

    return found && (lens[found - 1] & IS_NCNAME) ? known[found - 1] : NULL;
}

struct range {
    uint32_t first;
    uint32_t last;
};

/* XML 1.0 (fifth edition) 2.3, without the colon: Namespaces in XML 1.0, section 3 */
static const struct range start_chars[] = {
    {'A', 'Z'},       {'_', '_'},       {'a', 'z'},       {0xC0, 0xD6},     {0xD8, 0xF6},
    {0xF8, 0x2FF},    {0x370, 0x37D},   {0x37F, 0x1FFF},  {0x200C, 0x200D}, {0x2070, 0x218F},
    {0x2C00, 0x2FEF}, {0x3001, 0xD7FF}, {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF},
};
static const struct range more_chars[] = {
    {'-', '.'}, {'0', '9'}, {0xB7, 0xB7}, {0x300, 0x36F}, {0x203F, 0x2040},
};

static bool is_in(const struct range *ranges, size_t count, uint32_t c)
{
    for (size_t i = 0; i < count; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

static bool is_ascii_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_ascii_more(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '.';
}

/* How many bytes at the start are an NCName of ASCII letters and the like: mostly all. */
static size_t skip_ascii(const char *str, size_t len)
{
    size_t i = 0;

    while (i < len && (is_ascii_letter(str[i]) || (i > 0 && is_ascii_more(str[i]))))
        i++;
    return i;
}

bool name_is_ncname(const char *str, size_t len)
{
    size_t i = skip_ascii(str, len);

    if (len == 0 || !utf8_is_valid(str + i, len - i))
        return false;
    while (i < len) {
        uint32_t c;
        bool fits;
        size_t n = utf8_decode(str + i, &c);

        fits = is_in(start_chars, ARRAY_LEN(start_chars), c);
        if (!fits && i > 0)
            fits = is_in(more_chars, ARRAY_LEN(more_chars), c);
        if (!fits)
            return false;
        i += n;
    }
    return true;
}
