#ifndef CLIENT_FEATURE_H
#define CLIENT_FEATURE_H

#include <xmpp/client.h>

void features_clear(xmpp_client *client); /* the client dies: retires the registrations */

#endif
