#include "bench.h"

#include <gloox/chatstate.h>
#include <gloox/client.h>
#include <gloox/connectionlistener.h>
#include <gloox/connectiontcpclient.h>
#include <gloox/iqhandler.h>
#include <gloox/message.h>
#include <gloox/messagehandler.h>
#include <gloox/presence.h>
#include <gloox/presencehandler.h>
#include <gloox/receipt.h>

using namespace gloox;

namespace
{

class Peer : public ConnectionListener, public MessageHandler, public PresenceHandler
{
  public:
    Peer() : client_(JID(BENCH_JID), BENCH_PASSWORD, bench.port), ready_(false)
    {
        StringList ca;

        ca.push_back(bench.ca_file ? bench.ca_file : "");
        client_.setCACerts(ca);
        client_.setServer(BENCH_HOST);
        client_.setTls(bench.tls == BENCH_PLAIN ? TLSDisabled : TLSRequired);
        client_.setCompression(false);
        client_.disableRoster();
        client_.registerConnectionListener(this);
        client_.registerMessageHandler(this);
        client_.registerPresenceHandler(this);
        client_.registerStanzaExtension(new Receipt(Receipt::Invalid));
        client_.registerStanzaExtension(new ChatState(ChatStateInvalid));
        if (!client_.connect(false))
            bench_fail("gloox cannot connect");
    }

    ~Peer()
    {
        ready_ = true;
        client_.disconnect();
    }

    void onConnect()
    {
        ready_ = true;
    }

    void onDisconnect(ConnectionError error)
    {
        (void)error;
        if (!ready_)
            bench_fail("gloox was disconnected");
    }

    bool onTLSConnect(const CertInfo &info)
    {
        (void)info;
        return true;
    }

    void handleMessage(const Message &message, MessageSession *session)
    {
        const std::string body = message.body();

        (void)session;
        bench_stanza(body.empty() ? 0 : body.c_str(), message.findExtension(ExtReceipt) != 0);
    }

    void handlePresence(const Presence &presence)
    {
        (void)presence;
        bench_stanza(0, 0);
    }

    Client client_;
    bool ready_;
};

Peer *current;

} // namespace

void peer_init(void)
{
}

void *peer_open(void)
{
    current = new Peer;
    return current;
}

int peer_is_ready(void *peer)
{
    return static_cast<Peer *>(peer)->ready_;
}

/* gloox sends its presence by itself. */
void peer_announce(void *peer)
{
    (void)peer;
}

void *peer_reopen(void *peer)
{
    (void)peer;
    return 0;
}

void peer_step(int wait_ms)
{
    current->client_.recv(wait_ms * 1000);
}

int peer_send(void *peer, const char *id, const char *body)
{
    Message message(Message::Chat, JID(BENCH_FRIEND), body);

    message.setID(id);
    static_cast<Peer *>(peer)->client_.send(message);
    return 1;
}

void peer_close(void *peer)
{
    if (current == peer)
        current = 0;
    delete static_cast<Peer *>(peer);
}

void peer_extra(void *peer, const char *mode)
{
    (void)peer;
    (void)mode;
}
