#include "support/dialog.h"

#include <string.h>

#define TLS_NS    "urn:ietf:params:xml:ns:xmpp-tls"
#define SASL_NS   "urn:ietf:params:xml:ns:xmpp-sasl"
#define BIND_NS   "urn:ietf:params:xml:ns:xmpp-bind"
#define STREAM_NS "http://etherx.jabber.org/streams"

#define C_HEADER                                                                                   \
    "C: <?xml version='1.0'?><stream:stream to='*' version='1.0' xmlns='jabber:client'"            \
    " xmlns:stream='" STREAM_NS "'>\n"
#define C_HEADER_TLS                                                                               \
    "C: <?xml version='1.0'?><stream:stream from='*' to='*' version='1.0' xmlns='jabber:client'"   \
    " xmlns:stream='" STREAM_NS "'>\n"
#define S_HEADER                                                                                   \
    "S: <?xml version='1.0'?><stream:stream from='a.example' id='s1' version='1.0'"                \
    " xml:lang='en' xmlns='jabber:client' xmlns:stream='" STREAM_NS "'>\n"
#define STARTTLS                                                                                   \
    "S: <stream:features><starttls xmlns='" TLS_NS "'><required/></starttls></stream:features>\n"  \
    "C: <starttls xmlns='" TLS_NS "'/>\n"                                                          \
    "S: <proceed xmlns='" TLS_NS "'/>\n"                                                           \
    "TLS\n"
#define PLAIN                                                                                      \
    "S: <stream:features><mechanisms xmlns='" SASL_NS "'><mechanism>PLAIN</mechanism>"             \
    "</mechanisms></stream:features>\n"                                                            \
    "C: <auth xmlns='" SASL_NS "' mechanism='PLAIN'>AHVzZXIAcGVuY2ls</auth>\n"
#define SUCCESS "S: <success xmlns='" SASL_NS "'/>\n"
#define BIND_OFFER                                                                                 \
    "S: <stream:features><bind xmlns='" BIND_NS "'/></stream:features>\n"                          \
    "C: <iq type='set' id='$9'><bind xmlns='" BIND_NS "'/></iq>\n"
#define BIND_RESULT                                                                                \
    "S: <iq type='result' id='$9'><bind xmlns='" BIND_NS "'><jid>user@a.example/r1</jid>"          \
    "</bind></iq>\n"                                                                               \
    "E: READY\n"

static const struct {
    const char *name;
    const char *lines;
} macros[] = {
    {"header", C_HEADER}, /* ours, in plain text */
    {"header-tls", C_HEADER_TLS}, /* ours, over TLS */
    {"answer", S_HEADER}, /* the server's */
    {"opened", C_HEADER S_HEADER}, /* both, in plain text */
    {"starttls", STARTTLS}, /* from the features to the finished handshake */
    {"secured", C_HEADER S_HEADER STARTTLS C_HEADER_TLS S_HEADER}, /* up to the features over TLS */
    {"plain", PLAIN}, /* features with PLAIN, and our <auth/> */
    {"success", SUCCESS},
    {"authenticated",
     C_HEADER S_HEADER STARTTLS C_HEADER_TLS S_HEADER PLAIN SUCCESS C_HEADER_TLS S_HEADER},
    {"bind", BIND_OFFER}, /* features with bind, and our request; its id is $9 */
    {"bound", BIND_RESULT},
    {"login", C_HEADER S_HEADER STARTTLS C_HEADER_TLS S_HEADER PLAIN SUCCESS C_HEADER_TLS S_HEADER
                  BIND_OFFER BIND_RESULT},
};

const char *dialog_find_macro(const char *name)
{
    for (size_t i = 0; i < sizeof macros / sizeof *macros; i++)
        if (!strcmp(macros[i].name, name))
            return macros[i].lines;
    return NULL;
}
