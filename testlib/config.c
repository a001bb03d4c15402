#include "tst.h"

#include <gnutls/crypto.h>

#include <stdlib.h>
#include <string.h>

/* NULL frees; false: no memory, nothing has changed */
static bool replace(char **str, const char *fresh)
{
    char *copy = fresh ? strdup(fresh) : NULL;

    if (fresh && !copy)
        return false;
    free(*str);
    *str = copy;
    return true;
}

static bool is_ascii(const char *str)
{
    for (; *str; str++)
        if ((unsigned char)*str >= 0x80)
            return false;
    return true;
}

/* They are for the domain. */
static void forget_certs(xmpp_test_server *server)
{
    tst_certs_forget(&server->certs);
    for (struct tst_account *account = server->accounts; account; account = account->next) {
        tst_file_clear(&account->cert);
        tst_file_clear(&account->key);
    }
}

int xmpp_test_server_set_domain(xmpp_test_server *server, const char *domain)
{
    xmpp_jid *jid;
    int r;

    if (!server || !domain || !is_ascii(domain))
        return XMPP_ERR_INVAL;
    if (server->conn_count > 0)
        return XMPP_ERR_STATE;
    r = xmpp_jid_compose(&jid, NULL, domain, NULL);
    if (r < 0)
        return r == XMPP_ERR_NOMEM ? r : XMPP_ERR_INVAL;
    r = replace(&server->domain, xmpp_jid_get_domain(jid)) ? XMPP_OK : XMPP_ERR_NOMEM;
    xmpp_jid_unref(jid);
    if (r >= 0)
        forget_certs(server);
    return r;
}

static struct tst_account *find_account(const xmpp_test_server *server, const char *user)
{
    struct tst_account *account = server->accounts;

    while (account && strcmp(account->user, user) != 0)
        account = account->next;
    return account;
}

const struct tst_account *tst_server_account(const xmpp_test_server *server, const char *user)
{
    return find_account(server, user);
}

const char *tst_server_password(const xmpp_test_server *server, const char *user)
{
    const struct tst_account *account = find_account(server, user);

    return account ? account->password : NULL;
}

/* A password keeps its salt from login to login (RFC 5802, 2.2: it is part of what the server stores). */
static int set_password(struct tst_account *account, const char *password)
{
    unsigned char salt[TST_SALT];

    if (gnutls_rnd(GNUTLS_RND_NONCE, salt, sizeof salt) < 0 ||
        !replace(&account->password, password))
        return XMPP_ERR_NOMEM;
    memcpy(account->salt, salt, sizeof salt);
    return XMPP_OK;
}

int xmpp_test_server_add_account(xmpp_test_server *server, const char *user, const char *password)
{
    struct tst_account *account;
    xmpp_jid *jid;
    int r;

    if (!server || !user || !password || !*password)
        return XMPP_ERR_INVAL;
    r = xmpp_jid_compose(&jid, user, server->domain, NULL);
    if (r < 0)
        return r == XMPP_ERR_NOMEM ? r : XMPP_ERR_INVAL;
    user = xmpp_jid_get_local(jid);
    account = find_account(server, user);
    if (account) {
        r = set_password(account, password);
        xmpp_jid_unref(jid);
        return r;
    }
    account = calloc(1, sizeof *account);
    if (!account || !replace(&account->user, user) || set_password(account, password) < 0) {
        free(account ? account->user : NULL);
        free(account);
        xmpp_jid_unref(jid);
        return XMPP_ERR_NOMEM;
    }
    account->cert.fd = account->key.fd = -1;
    account->next = server->accounts;
    server->accounts = account;
    xmpp_jid_unref(jid);
    return XMPP_OK;
}

/* Names that can stand in an attribute. */
static bool is_word_list(const char *words)
{
    return words[strspn(words, " -_.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz")] == '\0';
}

int xmpp_test_server_set_mechanisms(xmpp_test_server *server, const char *mechanisms)
{
    if (!server || (mechanisms && !is_word_list(mechanisms)))
        return XMPP_ERR_INVAL;
    return replace(&server->mechanisms, mechanisms) ? XMPP_OK : XMPP_ERR_NOMEM;
}

int xmpp_test_server_set_channel_bindings(xmpp_test_server *server, const char *types)
{
    if (!server || (types && !is_word_list(types)))
        return XMPP_ERR_INVAL;
    return replace(&server->bindings, types) ? XMPP_OK : XMPP_ERR_NOMEM;
}

int xmpp_test_server_set_tls_version(xmpp_test_server *server, int version)
{
    if (!server || (version != 0 && version != 0x0303 && version != 0x0304))
        return XMPP_ERR_INVAL;
    server->tls_version = version;
    return XMPP_OK;
}

int xmpp_test_server_set_cert(xmpp_test_server *server, int cert)
{
    if (!server || cert < XMPP_TEST_CERT_GOOD || cert >= TST_CERTS)
        return XMPP_ERR_INVAL;
    server->cert = cert;
    return XMPP_OK;
}

int xmpp_test_server_set_fault(xmpp_test_server *server, int fault, int64_t value)
{
    if (!server || fault <= 0 || fault >= TST_FAULTS)
        return XMPP_ERR_INVAL;
    server->faults[fault] = value < 0 ? -1 : value;
    return XMPP_OK;
}

int xmpp_test_server_fail_at(xmpp_test_server *server, int point, int action, const char *text)
{
    if (!server || point <= 0 || point >= TST_POINTS || !tst_is_action(action, text))
        return XMPP_ERR_INVAL;
    if (!replace(&server->plans[point].text, text))
        return XMPP_ERR_NOMEM;
    server->plans[point].action = action;
    return XMPP_OK;
}

int xmpp_test_server_clear_faults(xmpp_test_server *server)
{
    if (!server)
        return XMPP_ERR_INVAL;
    for (int i = 0; i < TST_FAULTS; i++)
        server->faults[i] = -1;
    for (int i = 0; i < TST_POINTS; i++) {
        server->plans[i].action = 0;
        (void)replace(&server->plans[i].text, NULL);
    }
    return XMPP_OK;
}

const char *xmpp_test_server_get_trust_file(const xmpp_test_server *server)
{
    return server ? server->certs.file.path : NULL;
}

int xmpp_test_server_get_cert_files(xmpp_test_server *server, const char *user,
                                    const char **ret_cert, const char **ret_key)
{
    struct tst_account *account;
    struct tst_buf address = {0};
    int r = XMPP_OK;

    if (!server || !user || !ret_cert || !ret_key)
        return XMPP_ERR_INVAL;
    account = find_account(server, user);
    if (!account)
        return XMPP_ERR_NOTFOUND;
    if (account->key.fd < 0) {
        tst_buf_printf(&address, "%s@%s", account->user, server->domain);
        r = address.failed ? XMPP_ERR_NOMEM
                           : tst_certs_make_client(&server->certs, address.data, &account->cert,
                                                   &account->key);
        tst_buf_clear(&address);
    }
    if (r < 0)
        return r;
    *ret_cert = account->cert.path;
    *ret_key = account->key.path;
    return XMPP_OK;
}

/* EXTERNAL needs it */
static int configure_cert(xmpp_test_server *server, xmpp_client *client, const char *user)
{
    const char *cert;
    const char *key;
    int r = xmpp_test_server_get_cert_files(server, user, &cert, &key);

    return r < 0 ? r : xmpp_client_set_cert_files(client, cert, key);
}

int xmpp_test_server_configure_client(xmpp_test_server *server, xmpp_client *client, int transport,
                                      const char *user)
{
    const struct tst_account *account = NULL;
    xmpp_jid *jid = NULL;
    uint16_t port;
    int r;

    if (!server || !client)
        return XMPP_ERR_INVAL;
    if (user) {
        account = find_account(server, user);
        if (!account)
            return XMPP_ERR_NOTFOUND;
    }
    r = xmpp_test_server_listen(server, transport, &port);
    if (r >= 0)
        r = xmpp_jid_compose(&jid, user, server->domain, NULL);
    if (r >= 0)
        r = xmpp_client_set_jid(client, jid);
    if (r >= 0)
        r = xmpp_client_set_password(client, account ? account->password : NULL);
    if (r >= 0)
        r = xmpp_client_set_trust_file(client, server->certs.file.path);
    if (r >= 0 && user && transport != XMPP_TEST_PLAIN && tst_auth_wants_cert(server))
        r = configure_cert(server, client, user);
    if (r >= 0)
        r = xmpp_client_set_tls_mode(client, transport == XMPP_TEST_PLAIN ? XMPP_TLS_LOCAL_ONLY
                                                                          : XMPP_TLS_REQUIRED);
    if (r >= 0)
        r = xmpp_client_set_endpoint(client, server->ipv6 ? "::1" : "127.0.0.1", port,
                                     transport == XMPP_TEST_DIRECT_TLS);
    xmpp_jid_unref(jid);
    return r;
}

int xmpp_test_server_play(xmpp_test_server *server, int from, const char *script)
{
    struct tst_script **link;
    struct tst_script *fresh;
    int r;

    if (!server || !script || (from != XMPP_TEST_FROM_START && from != XMPP_TEST_FROM_READY))
        return XMPP_ERR_INVAL;
    r = tst_script_parse(server, script, &fresh);
    if (r < 0)
        return r;
    fresh->from = from;
    for (link = &server->scripts; *link; link = &(*link)->next)
        ;
    *link = fresh;
    server->finished_told = false;
    return XMPP_OK;
}

/* The destroy function runs last: it may drop the server. */
static void replace_data(void **data, xmpp_destroy_fn *destroy, void *fresh_data,
                         xmpp_destroy_fn fresh_destroy)
{
    void *old_data = *data;
    xmpp_destroy_fn old_destroy = *destroy;

    *data = fresh_data;
    *destroy = fresh_destroy;
    if (old_destroy)
        old_destroy(old_data);
}

int xmpp_test_server_set_stanza_fn(xmpp_test_server *server, xmpp_test_stanza_fn fn,
                                   void *user_data, xmpp_destroy_fn destroy)
{
    if (!server)
        return XMPP_ERR_INVAL;
    server->stanza_fn = fn;
    replace_data(&server->stanza_data, &server->stanza_destroy, user_data, destroy);
    return XMPP_OK;
}

int xmpp_test_server_set_event_fn(xmpp_test_server *server, xmpp_test_event_fn fn, void *user_data,
                                  xmpp_destroy_fn destroy)
{
    if (!server)
        return XMPP_ERR_INVAL;
    server->event_fn = fn;
    replace_data(&server->event_data, &server->event_destroy, user_data, destroy);
    return XMPP_OK;
}

int xmpp_test_server_set_data_fn(xmpp_test_server *server, xmpp_test_data_fn fn, void *user_data,
                                 xmpp_destroy_fn destroy)
{
    if (!server)
        return XMPP_ERR_INVAL;
    server->data_fn = fn;
    replace_data(&server->data_data, &server->data_destroy, user_data, destroy);
    return XMPP_OK;
}
