#include "client/config.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "client/client.h"
#include "jid/domain.h"
#include "jid/jid.h"

#include <string.h>

#define STANZA_BYTES_MIN   10000 /* RFC 6120 13.12 */
#define MECHANISM_NAME_MAX 20 /* RFC 4422 3.1 */
#define LANG_MAX           64
#define HOST_MAX           255

int config_init(struct config *config)
{
    *config = (struct config){
        .tls_mode = XMPP_TLS_REQUIRED,
        .connect_us = DEFAULT_CONNECT_US,
        .reply_us = DEFAULT_REPLY_US,
        .keepalive_us = DEFAULT_KEEPALIVE_US,
        .max_stanza_bytes = LIMIT_STANZA_BYTES,
        .max_queue_bytes = LIMIT_QUEUE_BYTES,
    };
    return sasl_keys_create(&config->keys);
}

void config_clear(struct config *config)
{
    xmpp_jid_unref(config->jid);
    secret_free(config->password);
    mem_free(config->authcid);
    xmpp_jid_unref(config->authzid);
    mem_free(config->mechanisms);
    mem_free(config->lang);
    mem_free(config->host);
    mem_free(config->trust_path);
    mem_free(config->cert_path);
    mem_free(config->key_path);
    tls_creds_unref(config->creds);
    sasl_keys_unref(config->keys);
    if (config->cert_destroy)
        config->cert_destroy(config->cert_user_data);
    if (config->ask_destroy)
        config->ask_destroy(config->ask_user_data);
    *config = (struct config){0};
}

/* What a setter may not do: change a connection that exists. */
static int check(const xmpp_client *client)
{
    int r = client_check(client);

    return r == XMPP_OK && client->state != XMPP_STATE_IDLE ? XMPP_ERR_STATE : r;
}

static int replace(char **dst, const char *src)
{
    char *copy = NULL;

    if (src) {
        copy = mem_strdup(src);
        if (!copy)
            return XMPP_ERR_NOMEM;
    }
    mem_free(*dst);
    *dst = copy;
    return XMPP_OK;
}

/* SASL-20, 25: what was learnt belongs to an account and its password. */
static void forget(struct config *config)
{
    sasl_keys_clear(config->keys);
    config->used_strong = false;
}

int xmpp_client_set_jid(xmpp_client *client, const xmpp_jid *jid)
{
    if (!jid || !jid_get_ascii_domain(jid))
        return XMPP_ERR_INVAL;
    int r = check(client);
    if (r < 0)
        return r;

    struct config *config = &client->config;
    if (!config->jid || !xmpp_jid_equal_bare(config->jid, jid))
        forget(config);
    xmpp_jid *old = config->jid;
    config->jid = xmpp_jid_ref(jid);
    xmpp_jid_unref(old);
    return XMPP_OK;
}

int xmpp_client_set_password(xmpp_client *client, const char *password)
{
    struct secret *secret = NULL;

    if (password && (!*password || !utf8_is_valid(password, strlen(password))))
        return XMPP_ERR_INVAL;
    int r = check(client);
    if (r < 0)
        return r;
    if (password) {
        r = secret_create(&secret, password, strlen(password));
        if (r < 0)
            return r;
    }

    struct config *config = &client->config;
    bool same =
        secret && config->password && secret_len(secret) == secret_len(config->password) &&
        secret_equal(secret_data(secret), secret_data(config->password), secret_len(secret));
    if (!same)
        forget(config);
    secret_free(config->password);
    config->password = secret;
    return XMPP_OK;
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

/* Names of hosts may have underscores, which a domainpart must not have; everything else is as there. */
static int host_to_ascii(const char *host, char **ret)
{
    CLEANUP(mem_freep) char *domain = NULL;
    enum domain_kind kind;
    size_t len = strlen(host);
    size_t i = 0;

    while (i < len && is_host_char(host[i]))
        i++;
    if (len == 0 || len > HOST_MAX)
        return XMPP_ERR_INVAL;
    if (i == len) {
        *ret = mem_strdup(host);
        return *ret ? XMPP_OK : XMPP_ERR_NOMEM;
    }
    if (strchr(host, ':') && host[0] != '[') {
        char bracketed[HOST_MAX + 3];
        if (!str_format(bracketed, sizeof bracketed, "[%s]", host))
            return XMPP_ERR_INVAL;
        return host_to_ascii(bracketed, ret);
    }
    int r = domain_enforce(host, len, false, &domain);
    if (r >= 0)
        r = domain_to_ascii(domain, ret, &kind);
    return r == XMPP_ERR_JID ? XMPP_ERR_INVAL : r;
}

int xmpp_client_set_endpoint(xmpp_client *client, const char *host, uint16_t port, int direct_tls)
{
    char *ascii = NULL;

    int r = check(client);
    if (r < 0)
        return r;
    if (host) {
        r = host_to_ascii(host, &ascii);
        if (r < 0)
            return r;
    }

    struct config *config = &client->config;
    mem_free(config->host);
    config->host = ascii;
    config->port = host ? port : 0;
    config->direct_tls = host && direct_tls;
    return XMPP_OK;
}

int xmpp_client_set_tls_mode(xmpp_client *client, int mode)
{
    if (mode != XMPP_TLS_REQUIRED && mode != XMPP_TLS_LOCAL_ONLY)
        return XMPP_ERR_INVAL;
    int r = check(client);
    if (r == XMPP_OK)
        client->config.tls_mode = mode;
    return r;
}

int xmpp_client_set_trust_file(xmpp_client *client, const char *pem_path)
{
    if (pem_path && !*pem_path)
        return XMPP_ERR_INVAL;
    int r = check(client);
    if (r >= 0)
        r = replace(&client->config.trust_path, pem_path);
    if (r >= 0)
        client->config.creds = tls_creds_unref(client->config.creds);
    return r;
}

int xmpp_client_set_timeout(xmpp_client *client, uint64_t connect_us, uint64_t reply_us)
{
    int r = check(client);
    if (r < 0)
        return r;
    client->config.connect_us = connect_us ? connect_us : DEFAULT_CONNECT_US;
    client->config.reply_us = reply_us ? reply_us : DEFAULT_REPLY_US;
    return XMPP_OK;
}

int xmpp_client_set_cert_files(xmpp_client *client, const char *cert_path, const char *key_path)
{
    if ((cert_path && !*cert_path) || (key_path && (!*key_path || !cert_path)))
        return XMPP_ERR_INVAL;
    int r = check(client);
    if (r < 0)
        return r;

    CLEANUP(mem_freep) char *key = key_path ? mem_strdup(key_path) : NULL;
    if (key_path && !key)
        return XMPP_ERR_NOMEM;
    r = replace(&client->config.cert_path, cert_path);
    if (r < 0)
        return r;
    mem_free(client->config.key_path);
    client->config.key_path = STEAL(key);
    client->config.creds = tls_creds_unref(client->config.creds);
    return XMPP_OK;
}

int xmpp_client_set_authcid(xmpp_client *client, const char *authcid)
{
    if (authcid && (!*authcid || !utf8_is_xml(authcid, strlen(authcid))))
        return XMPP_ERR_INVAL;
    int r = check(client);
    if (r < 0)
        return r;
    if (!str_eq(client->config.authcid, authcid))
        forget(&client->config);
    return replace(&client->config.authcid, authcid);
}

int xmpp_client_set_authzid(xmpp_client *client, const xmpp_jid *authzid)
{
    int r = check(client);
    if (r < 0)
        return r;
    xmpp_jid *old = client->config.authzid;
    client->config.authzid = authzid ? xmpp_jid_ref(authzid) : NULL;
    xmpp_jid_unref(old);
    return XMPP_OK;
}

static bool is_mechanism(const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = word[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return len > 0 && len <= MECHANISM_NAME_MAX;
}

int xmpp_client_set_mechanisms(xmpp_client *client, const char *mechanisms)
{
    const char *pos = mechanisms;
    const char *word;
    size_t len;
    size_t count = 0;

    while (mechanisms && str_next_word(&pos, &word, &len)) {
        if (!is_mechanism(word, len))
            return XMPP_ERR_INVAL;
        count++;
    }
    if (mechanisms && count == 0)
        return XMPP_ERR_INVAL;
    int r = check(client);
    return r < 0 ? r : replace(&client->config.mechanisms, mechanisms);
}

/* BCP 47 in shape: subtags of one to eight letters and digits */
static bool is_lang(const char *lang)
{
    size_t subtag = 0;
    size_t i = 0;

    for (; lang[i]; i++) {
        char c = str_lower(lang[i]);
        if (c == '-') {
            if (subtag == 0)
                return false;
            subtag = 0;
            continue;
        }
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) || ++subtag > 8)
            return false;
    }
    return subtag > 0 && i <= LANG_MAX;
}

int xmpp_client_set_lang(xmpp_client *client, const char *lang)
{
    if (lang && !is_lang(lang))
        return XMPP_ERR_INVAL;
    int r = check(client);
    return r < 0 ? r : replace(&client->config.lang, lang);
}

int xmpp_client_set_keepalive(xmpp_client *client, uint64_t idle_us)
{
    int r = check(client);
    if (r == XMPP_OK)
        client->config.keepalive_us = idle_us;
    return r;
}

int xmpp_client_set_limits(xmpp_client *client, size_t max_stanza_bytes, size_t max_queue_bytes)
{
    if (max_stanza_bytes && max_stanza_bytes < STANZA_BYTES_MIN)
        return XMPP_ERR_INVAL;
    int r = check(client);
    if (r < 0)
        return r;
    client->config.max_stanza_bytes = max_stanza_bytes ? max_stanza_bytes : LIMIT_STANZA_BYTES;
    client->config.max_queue_bytes = max_queue_bytes ? max_queue_bytes : LIMIT_QUEUE_BYTES;
    client->sendq.max_bytes = client->config.max_queue_bytes;
    return XMPP_OK;
}

/* The functions that are asked. Not exchanged while one of them runs: it still uses its user_data. */
static int check_question(const xmpp_client *client)
{
    int r = check(client);
    if (r == XMPP_OK && client->asking > 0)
        return XMPP_ERR_BUSY;
    return r;
}

int xmpp_client_set_cert_fn(xmpp_client *client, xmpp_cert_fn fn, void *user_data,
                            xmpp_destroy_fn destroy)
{
    int r = check_question(client);
    if (r < 0)
        return r;

    struct config *config = &client->config;
    xmpp_destroy_fn old_destroy = config->cert_destroy;
    void *old_user_data = config->cert_user_data;
    config->cert_fn = fn;
    config->cert_user_data = user_data;
    config->cert_destroy = destroy;
    if (old_destroy)
        old_destroy(old_user_data);
    return XMPP_OK;
}

int xmpp_client_set_ask_fn(xmpp_client *client, xmpp_ask_fn fn, void *user_data,
                           xmpp_destroy_fn destroy)
{
    int r = check_question(client);
    if (r < 0)
        return r;

    struct config *config = &client->config;
    xmpp_destroy_fn old_destroy = config->ask_destroy;
    void *old_user_data = config->ask_user_data;
    config->ask_fn = fn;
    config->ask_user_data = user_data;
    config->ask_destroy = destroy;
    if (old_destroy)
        old_destroy(old_user_data);
    return XMPP_OK;
}
