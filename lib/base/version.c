#include <xmpp/base.h>

/* The build passes the version of the project: it stands in one place. */

uint32_t xmpp_version_number(void)
{
    return (uint32_t)XMPP_VERSION_MAJOR << 16 | (uint32_t)XMPP_VERSION_MINOR << 8 |
           (uint32_t)XMPP_VERSION_PATCH;
}

const char *xmpp_version_string(void)
{
    return XMPP_VERSION_STRING;
}
