#ifndef CLIENT_CONFIG_H
#define CLIENT_CONFIG_H

#include "base/secret.h"
#include "codec/tls.h"
#include "sasl/mech.h"

#include <stdbool.h>
#include <stdint.h>
#include <xmpp/client.h>

/* Everything that the application sets before connecting. */
struct config {
    xmpp_jid *jid;
    struct secret *password;
    char *authcid;
    xmpp_jid *authzid;
    char *mechanisms;
    char *lang;
    char *host; /* endpoint by hand, or NULL */
    uint16_t port;
    bool direct_tls;
    int tls_mode;
    char *trust_path;
    char *cert_path;
    char *key_path;
    uint64_t connect_us;
    uint64_t reply_us;
    uint64_t keepalive_us;
    size_t max_stanza_bytes;
    size_t max_queue_bytes;
    xmpp_cert_fn cert_fn;
    void *cert_user_data;
    xmpp_destroy_fn cert_destroy;
    xmpp_ask_fn ask_fn;
    void *ask_user_data;
    xmpp_destroy_fn ask_destroy;
    /* learnt, kept from login to login */
    struct tls_creds *creds; /* of the last login; NULL: of none */
    struct sasl_keys *keys;
    bool used_strong; /* SASL-25 */
};

int config_init(struct config *config);
void config_clear(struct config *config);

#endif
