#include "base/mem.h"
#include "base/object.h"
#include "client/link.h"

#define CHAIN_MAX 16 /* certificates that are kept for the application */

struct cert_der {
    uint8_t *data;
    size_t len;
};

struct xmpp_cert {
    struct bound bound;
    xmpp_loop *loop; /* reference: the question may outlive the client */
    struct link *link; /* NULL: the connection is gone */
    int problems;
    char *text;
    struct cert_der chain[CHAIN_MAX];
    size_t count;
    bool asking; /* the application's function is running */
    bool answered;
    int verdict;
};

static void cert_free(xmpp_cert *cert)
{
    xmpp_loop *loop = cert->loop;

    for (size_t i = 0; i < cert->count; i++)
        mem_free(cert->chain[i].data);
    mem_free(cert->text);
    mem_free(cert);
    xmpp_loop_unref(loop);
}

/* Nobody can answer any more: that is a rejection. */
static void cert_destroy(struct bound *bound)
{
    xmpp_cert *cert = CONTAINER_OF(bound, xmpp_cert, bound);
    struct link *link = cert->link;

    if (link) {
        link->cert = NULL;
        cert->link = NULL;
        if (!cert->answered)
            session_answer_cert(link, false);
    }
    cert_free(cert);
}

/* Copies: the question outlives the TLS session. */
static int copy_chain(xmpp_cert *cert, const struct tls *tls)
{
    const uint8_t *der;
    size_t len;

    while (cert->count < CHAIN_MAX && tls_get_cert_der(tls, cert->count, &der, &len) == XMPP_OK) {
        uint8_t *copy = mem_dup(der, len);
        if (!copy)
            return XMPP_ERR_NOMEM;
        cert->chain[cert->count++] = (struct cert_der){.data = copy, .len = len};
    }
    return XMPP_OK;
}

static int cert_create(xmpp_cert **ret, struct link *link, struct tls *tls)
{
    xmpp_cert *cert = mem_zalloc(sizeof *cert);

    if (!cert)
        return XMPP_ERR_NOMEM;
    cert->loop = xmpp_loop_ref(link->loop);
    bound_init(&cert->bound, net_owner(link->loop), cert_destroy);
    cert->problems = tls_get_problems(tls);
    const char *text = tls_get_cert_text(tls);
    cert->text = mem_strdup(text ? text : tls_get_verdict(tls));
    if (!cert->text || copy_chain(cert, tls) < 0) {
        cert_free(cert);
        return XMPP_ERR_NOMEM;
    }
    *ret = cert;
    return XMPP_OK;
}

int cert_ask(struct link *link, struct tls *tls, int *ret_verdict)
{
    xmpp_client *client = link->client;
    const struct config *config = &client->config;
    xmpp_cert *cert;

    if (!config->cert_fn) {
        *ret_verdict = XMPP_CERT_REJECT;
        return XMPP_OK;
    }
    int r = cert_create(&cert, link, tls);
    if (r < 0)
        return r;
    cert->link = link;
    link->cert = cert;
    cert->asking = true;
    client->asking++;
    int verdict = config->cert_fn(client, cert, config->cert_user_data);
    client->asking--;
    cert->asking = false;
    /* CERT-09: an answer is for this connection and this chain only */
    if (!cert->answered && verdict != XMPP_CERT_LATER) {
        cert->answered = true;
        cert->verdict = verdict == XMPP_CERT_ACCEPT ? XMPP_CERT_ACCEPT : XMPP_CERT_REJECT;
    }
    verdict = cert->answered ? cert->verdict : XMPP_CERT_LATER;
    if (cert->link && cert->answered) {
        cert->link->cert = NULL;
        cert->link = NULL;
    }
    bound_unref(
        &cert->bound); /* the last one: nobody kept it to answer later, see cert_destroy() */
    *ret_verdict = verdict;
    return XMPP_OK;
}

void cert_forget(xmpp_cert *cert)
{
    cert->link = NULL;
}

xmpp_cert *xmpp_cert_ref(xmpp_cert *cert)
{
    if (cert)
        bound_ref(&cert->bound);
    return cert;
}

xmpp_cert *xmpp_cert_unref(xmpp_cert *cert)
{
    if (cert)
        bound_unref(&cert->bound);
    return NULL;
}

int xmpp_cert_get_problems(const xmpp_cert *cert)
{
    return cert ? cert->problems : 0;
}

int xmpp_cert_get_der(const xmpp_cert *cert, size_t index, const uint8_t **ret, size_t *ret_len)
{
    if (!cert || !ret || !ret_len)
        return XMPP_ERR_INVAL;
    if (index >= cert->count)
        return XMPP_ERR_NOTFOUND;
    *ret = cert->chain[index].data;
    *ret_len = cert->chain[index].len;
    return XMPP_OK;
}

const char *xmpp_cert_get_text(const xmpp_cert *cert)
{
    return cert ? cert->text : NULL;
}

int xmpp_cert_answer(xmpp_cert *cert, int verdict)
{
    if (!cert || (verdict != XMPP_CERT_ACCEPT && verdict != XMPP_CERT_REJECT))
        return XMPP_ERR_INVAL;
    int r = net_check(cert->loop);
    if (r < 0)
        return r;
    if (!cert->link || cert->answered)
        return XMPP_ERR_STATE;
    cert->answered = true;
    cert->verdict = verdict;
    if (cert->asking)
        return XMPP_OK; /* cert_ask() goes on from here */

    struct link *link = cert->link;
    link->cert = NULL;
    cert->link = NULL;
    session_answer_cert(link, verdict == XMPP_CERT_ACCEPT);
    return XMPP_OK;
}
