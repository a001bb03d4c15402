#ifndef XMPP_XMPP_H
#define XMPP_XMPP_H
/** @file
 * Everything of the core. Extension modules have headers of their own in <xmpp/ext/...>.
 */
#include <xmpp/base.h>
#include <xmpp/client.h>
#include <xmpp/elem.h>
#include <xmpp/error.h>
#include <xmpp/jid.h>
#include <xmpp/loop.h>
#include <xmpp/module.h>
#include <xmpp/slot.h>
#endif
