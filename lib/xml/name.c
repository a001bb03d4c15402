#include "xml/name.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* The namespaces, element and attribute names of XMPP that are met every day, in one group for each
 * length; each group is sorted by bytes. */
static const char *const len_1[] = {"N", "a", "c", "h", "p", "r", "x"};
static const char *const len_2[] = {"FN", "br", "by", "id", "iq", "iv", "os", "sm", "to"};
static const char *const len_3[] = {"ask", "csi", "ext", "fin", "get", "jid", "key",
                                    "max", "put", "rid", "set", "sid", "tag", "tzo",
                                    "url", "utc", "var", "ver", "xml"};
static const char *const len_4[] = {
    "TYPE", "auth", "bind", "body", "code", "data", "desc", "form", "from", "gone", "hash", "html",
    "info", "item", "keys", "lang", "last", "name", "next", "nick", "node", "note", "open", "ping",
    "prev", "push", "role", "sent", "show", "size", "slot", "span", "text", "time", "type"};
static const char *const len_5[] = {
    "PHOTO", "abort", "actor", "admin", "after", "block", "bound", "bytes", "close", "count",
    "delay", "email", "error", "event", "field", "first", "group", "index", "items", "label",
    "never", "owner", "photo", "prefs", "purge", "query", "reply", "reset", "since", "stamp",
    "store", "title", "token", "vCard", "value", "width", "xmlns"};
static const char *const len_6[] = {
    "BINVAL", "action", "active", "always", "before", "binval", "create", "delete", "device",
    "digest", "enable", "expiry", "failed", "header", "height", "inline", "invite", "limits",
    "member", "method", "option", "paused", "prekey", "previd", "pubsub", "reason", "remove",
    "result", "resume", "stable", "status", "stream", "thread"};
static const char *const len_7[] = {
    "aborted", "actions", "address", "carbons", "command", "decline", "default", "destroy",
    "disable", "enabled", "execute", "failure", "feature", "history", "message", "no-copy",
    "payload", "private", "proceed", "publish", "queryid", "replace", "request", "resumed",
    "retract", "seconds", "session", "storage", "subject", "success", "unblock", "version"};
static const char *const len_8[] = {
    "NICKNAME", "approved", "autojoin", "category", "complete", "conflict", "continue", "fallback",
    "features", "filename", "identity", "inactive", "location", "markable", "maxchars", "no-store",
    "optional", "password", "presence", "priority", "reaction", "received", "redirect", "reported",
    "required", "resource", "response", "software", "starttls", "unstable", "username"};
static const char *const len_9[] = {"addresses", "blocklist", "challenge", "composing", "configure",
                                    "displayed", "encrypted", "forbidden", "forwarded", "host-gone",
                                    "max-bytes", "mechanism", "namespace", "origin-id", "reactions",
                                    "retracted", "sessionid", "stanza-id", "subscribe"};
static const char *const len_10[] = {"bad-format", "collection", "conference",
                                     "encryption", "maxstanzas", "mechanisms",
                                     "registered", "user-agent", "vcard-temp"};
static const char *const len_11[] = {"affiliation", "bad-request", "compression", "invalid-xml",
                                     "not-allowed", "occupant-id", "unsubscribe"};
static const char *const len_12[] = {"acknowledged", "affiliations", "authenticate", "content-type",
                                     "host-unknown", "idle-seconds", "instructions", "invalid-from",
                                     "jabber:x:oob", "subscription", "urn:xmpp:bob"};
static const char *const len_13[] = {
    "features-list", "jabber:client", "jabber:x:data", "jid-malformed", "subscriptions",
    "urn:xmpp:caps", "urn:xmpp:ping", "urn:xmpp:sm:2", "urn:xmpp:sm:3", "urn:xmpp:time"};
static const char *const len_14[] = {
    "authentication", "item-not-found", "jabber:iq:auth", "jabber:iq:last",
    "jabber:x:delay", "not-acceptable", "not-authorized", "restricted-xml",
    "see-other-host", "urn:xmpp:csi:0", "urn:xmpp:delay", "urn:xmpp:eme:0",
    "urn:xmpp:hints", "urn:xmpp:mam:2", "urn:xmpp:sid:0", "urn:xmpp:xbosh"};
static const char *const len_15[] = {"additional-data", "channel-binding", "invalid-authzid",
                                     "jabber:x:signed", "not-well-formed", "publish-options",
                                     "system-shutdown", "urn:xmpp:bind:0", "urn:xmpp:fast:0",
                                     "urn:xmpp:push:0", "urn:xmpp:sasl:2", "urn:xmpp:vcard4"};
static const char *const len_16[] = {"account-disabled", "initial-response", "jabber:iq:roster",
                                     "jabber:iq:search", "policy-violation", "urn:xmpp:omemo:2",
                                     "urn:xmpp:reply:0"};
static const char *const len_17[] = {"invalid-mechanism", "invalid-namespace", "jabber:iq:gateway",
                                     "jabber:iq:private", "jabber:iq:version", "malformed-request",
                                     "storage:bookmarks", "urn:xmpp:blocking", "urn:xmpp:hashes:2",
                                     "urn:xmpp:jingle:1", "urn:xmpp:receipts", "urn:xmpp:thumbs:1"};
static const char *const len_18[] = {
    "connection-timeout", "incorrect-encoding", "jabber:iq:register", "jabber:x:encrypted",
    "mechanism-too-weak", "no-permanent-store", "unexpected-request", "urn:xmpp:carbons:2",
    "urn:xmpp:forward:0", "urn:xmpp:sasl-cb:0", "urn:xmpp:styling:0"};
static const char *const len_19[] = {
    "credentials-expired", "encryption-required", "improper-addressing", "jabber:x:conference",
    "resource-constraint", "service-unavailable", "undefined-condition", "unsupported-feature",
    "unsupported-version", "urn:xmpp:extdisco:2", "urn:xmpp:fallback:0", "urn:xmpp:order-by:1",
    "vcard-temp:x:update"};
static const char *const len_20[] = {
    "bad-namespace-prefix", "sasl-channel-binding", "unsupported-encoding", "urn:xmpp:attention:0",
    "urn:xmpp:avatar:data", "urn:xmpp:bookmarks:1", "urn:xmpp:reactions:0"};
static const char *const len_21[] = {"internal-server-error", "recipient-unavailable",
                                     "registration-required", "remote-server-timeout",
                                     "subscription-required"};
static const char *const len_22[] = {"temporary-auth-failure", "urn:xmpp:caps:optimize",
                                     "urn:xmpp:http:upload:0", "urn:xmpp:occupant-id:0"};
static const char *const len_23[] = {"feature-not-implemented", "remote-server-not-found",
                                     "unsupported-stanza-type", "urn:xmpp:chat-markers:0",
                                     "urn:xmpp:sasl:upgrade:0"};
static const char *const len_24[] = {"authorization-identifier", "remote-connection-failed",
                                     "urn:xmpp:avatar:metadata", "urn:xmpp:mds:displayed:0",
                                     "urn:xmpp:scram-upgrade:0", "urn:xmpp:stream-limits:0"};
static const char *const len_25[] = {"urn:xmpp:jingle-message:0"};
static const char *const len_26[] = {"urn:xmpp:message-correct:0", "urn:xmpp:message-retract:1"};
static const char *const len_27[] = {"urn:xmpp:features:rosterver"};
static const char *const len_28[] = {"http://www.w3.org/1999/xhtml"};
static const char *const len_29[] = {"http://jabber.org/protocol/si"};
static const char *const len_30[] = {
    "eu.siacs.conversations.axolotl", "http://jabber.org/protocol/ibb",
    "http://jabber.org/protocol/muc", "http://jabber.org/protocol/rsm",
    "urn:xmpp:features:pre-approval"};
static const char *const len_31[] = {
    "http://jabber.org/protocol/caps", "http://jabber.org/protocol/mood",
    "http://jabber.org/protocol/nick", "http://jabber.org/protocol/tune",
    "urn:ietf:params:xml:ns:xmpp-tls"};
static const char *const len_32[] = {
    "http://etherx.jabber.org/streams", "urn:ietf:params:xml:ns:vcard-4.0",
    "urn:ietf:params:xml:ns:xmpp-bind", "urn:ietf:params:xml:ns:xmpp-sasl"};
static const char *const len_33[] = {"http://jabber.org/protocol/geoloc",
                                     "http://jabber.org/protocol/pubsub"};
static const char *const len_34[] = {"http://jabber.org/features/iq-auth",
                                     "http://jabber.org/protocol/address"};
static const char *const len_35[] = {
    "http://jabber.org/features/compress", "http://jabber.org/protocol/activity",
    "http://jabber.org/protocol/commands", "http://jabber.org/protocol/compress",
    "http://jabber.org/protocol/httpbind", "http://jabber.org/protocol/muc#user",
    "http://jabber.org/protocol/xhtml-im", "urn:ietf:params:xml:ns:xmpp-framing",
    "urn:ietf:params:xml:ns:xmpp-session", "urn:ietf:params:xml:ns:xmpp-stanzas",
    "urn:ietf:params:xml:ns:xmpp-streams"};
static const char *const len_36[] = {"http://jabber.org/protocol/muc#admin",
                                     "http://jabber.org/protocol/muc#owner",
                                     "http://www.w3.org/XML/1998/namespace"};
static const char *const len_37[] = {"http://jabber.org/protocol/chatstates",
                                     "http://jabber.org/protocol/disco#info"};
static const char *const len_38[] = {
    "http://jabber.org/features/iq-register", "http://jabber.org/protocol/bytestreams",
    "http://jabber.org/protocol/disco#items", "http://jabber.org/protocol/jinglenodes",
    "http://jabber.org/protocol/muc#request"};
static const char *const len_39[] = {"http://jabber.org/protocol/pubsub#event",
                                     "http://jabber.org/protocol/pubsub#owner"};
static const char *const len_40[] = {"http://jabber.org/protocol/pubsub#errors"};
struct group {
    const char *const *names;
    size_t count;
};

static const struct group groups[] = {
    [1] = {len_1, ARRAY_LEN(len_1)},    [2] = {len_2, ARRAY_LEN(len_2)},
    [3] = {len_3, ARRAY_LEN(len_3)},    [4] = {len_4, ARRAY_LEN(len_4)},
    [5] = {len_5, ARRAY_LEN(len_5)},    [6] = {len_6, ARRAY_LEN(len_6)},
    [7] = {len_7, ARRAY_LEN(len_7)},    [8] = {len_8, ARRAY_LEN(len_8)},
    [9] = {len_9, ARRAY_LEN(len_9)},    [10] = {len_10, ARRAY_LEN(len_10)},
    [11] = {len_11, ARRAY_LEN(len_11)}, [12] = {len_12, ARRAY_LEN(len_12)},
    [13] = {len_13, ARRAY_LEN(len_13)}, [14] = {len_14, ARRAY_LEN(len_14)},
    [15] = {len_15, ARRAY_LEN(len_15)}, [16] = {len_16, ARRAY_LEN(len_16)},
    [17] = {len_17, ARRAY_LEN(len_17)}, [18] = {len_18, ARRAY_LEN(len_18)},
    [19] = {len_19, ARRAY_LEN(len_19)}, [20] = {len_20, ARRAY_LEN(len_20)},
    [21] = {len_21, ARRAY_LEN(len_21)}, [22] = {len_22, ARRAY_LEN(len_22)},
    [23] = {len_23, ARRAY_LEN(len_23)}, [24] = {len_24, ARRAY_LEN(len_24)},
    [25] = {len_25, ARRAY_LEN(len_25)}, [26] = {len_26, ARRAY_LEN(len_26)},
    [27] = {len_27, ARRAY_LEN(len_27)}, [28] = {len_28, ARRAY_LEN(len_28)},
    [29] = {len_29, ARRAY_LEN(len_29)}, [30] = {len_30, ARRAY_LEN(len_30)},
    [31] = {len_31, ARRAY_LEN(len_31)}, [32] = {len_32, ARRAY_LEN(len_32)},
    [33] = {len_33, ARRAY_LEN(len_33)}, [34] = {len_34, ARRAY_LEN(len_34)},
    [35] = {len_35, ARRAY_LEN(len_35)}, [36] = {len_36, ARRAY_LEN(len_36)},
    [37] = {len_37, ARRAY_LEN(len_37)}, [38] = {len_38, ARRAY_LEN(len_38)},
    [39] = {len_39, ARRAY_LEN(len_39)}, [40] = {len_40, ARRAY_LEN(len_40)},
};

const char *name_find(const char *str, size_t len)
{
    if (len >= ARRAY_LEN(groups))
        return NULL;
    size_t low = 0;
    size_t high = groups[len].count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = memcmp(str, groups[len].names[middle], len);

        if (order == 0)
            return groups[len].names[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
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

bool name_is_ncname(const char *str, size_t len)
{
    if (len == 0 || !utf8_is_valid(str, len))
        return false;
    for (size_t i = 0; i < len;) {
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
