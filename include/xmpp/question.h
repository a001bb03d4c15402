#ifndef XMPP_QUESTION_H
#define XMPP_QUESTION_H
#include <xmpp/base.h>
XMPP_BEGIN_DECLS

/**
 * @file
 * What a client asks its application while it connects: is this certificate acceptable, what is the password?
 *
 * A question is an object. It is answered at once, inside the function that is asked, or later, for instance when a
 * dialog was closed; the connection waits meanwhile, as long as xmpp_client_set_timeout() allows. This header is part of
 * <xmpp/client.h>.
 */

/* --- the certificate question --- */

/** A certificate that has problems: a question to the application. It may outlive the connection and the client. */
typedef struct xmpp_cert xmpp_cert;

/** What the application says. */
enum xmpp_cert_verdict {
    XMPP_CERT_REJECT = 0, /**< the connection ends with XMPP_ERR_CERT */
    XMPP_CERT_ACCEPT = 1, /**< go on in spite of the problems, this time */
    XMPP_CERT_LATER = 2 /**< xmpp_cert_answer() follows */
};

/** What is wrong with a certificate: bits. */
enum xmpp_cert_problem {
    XMPP_CERT_BAD_CHAIN = 1, /**< not issued by anybody who is trusted */
    XMPP_CERT_EXPIRED = 2, /**< no longer valid */
    XMPP_CERT_NOT_YET_VALID = 4, /**< not valid yet */
    XMPP_CERT_WRONG_NAME = 8, /**< not for the domain of the JID (RFC 6120, 13.7.2) */
    XMPP_CERT_REVOKED = 16, /**< the issuer has taken it back */
    XMPP_CERT_WEAK = 32 /**< algorithm or key too weak */
};

/**
 * Is a certificate acceptable?
 *
 * Asked only when it has problems.
 *
 * @param client     the client
 * @param cert       borrowed during the call; xmpp_cert_ref() keeps it, to answer later
 * @param user_data  as registered
 *
 * @return enum xmpp_cert_verdict; ignored when xmpp_cert_answer() was called meanwhile
 */
typedef int (*xmpp_cert_fn)(xmpp_client *client, xmpp_cert *cert, void *user_data);

/**
 * Set who is asked about certificates with problems.
 *
 * Without a function they are rejected. An answer counts for this connection only: an application that remembers
 * answers compares the whole certificate (xmpp_cert_get_der()).
 *
 * @param client     the client
 * @param fn         [optional] NULL: nobody
 * @param user_data  passed to fn
 * @param destroy    [optional] runs once when fn is replaced or the client dies; not when this call fails
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   client is NULL
 * @retval XMPP_ERR_STATE   a connection exists: only while XMPP_STATE_IDLE
 * @retval XMPP_ERR_BUSY    called by a function that is being asked
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_set_cert_fn(xmpp_client *client, xmpp_cert_fn fn, void *user_data,
                                     xmpp_destroy_fn destroy);

/**
 * Add a reference.
 *
 * @param cert  NULL allowed
 *
 * Any thread.
 *
 * @return cert
 * @since 0.1
 */
XMPP_API xmpp_cert *xmpp_cert_ref(xmpp_cert *cert);

/**
 * Drop a reference. With the last one, an unanswered question counts as rejected.
 *
 * @param cert  NULL allowed
 *
 * Any thread.
 *
 * @return NULL
 * @since 0.1
 */
XMPP_API xmpp_cert *xmpp_cert_unref(xmpp_cert *cert);

/**
 * What is wrong.
 *
 * @param cert  NULL: 0
 *
 * Any thread.
 *
 * @return bits of enum xmpp_cert_problem
 * @since 0.1
 */
XMPP_API int xmpp_cert_get_problems(const xmpp_cert *cert);

/**
 * A certificate of the chain as the server sent it; at most 16 are kept.
 *
 * @param cert     the question
 * @param index    0: the server's own, then upwards
 * @param ret      [out] DER, borrowed of cert
 * @param ret_len  [out] bytes
 *
 * Any thread.
 *
 * @retval XMPP_OK            both are set
 * @retval XMPP_ERR_INVAL     a pointer is NULL
 * @retval XMPP_ERR_NOTFOUND  index is behind the end of the chain
 * @since 0.1
 */
XMPP_API int xmpp_cert_get_der(const xmpp_cert *cert, size_t index, const uint8_t **ret,
                               size_t *ret_len);

/**
 * A description for a dialog: subject, issuer, validity, names, SHA-256 fingerprint.
 *
 * @param cert  NULL: NULL
 *
 * Any thread.
 *
 * @return several lines of UTF-8, borrowed of cert
 * @since 0.1
 */
XMPP_API const char *xmpp_cert_get_text(const xmpp_cert *cert);

/**
 * Answer the question.
 *
 * @param cert     the question
 * @param verdict  XMPP_CERT_ACCEPT or XMPP_CERT_REJECT
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          taken
 * @retval XMPP_ERR_INVAL   cert is NULL, or another verdict
 * @retval XMPP_ERR_STATE   answered already, or the connection is gone
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_cert_answer(xmpp_cert *cert, int verdict);

/* --- the question for credentials --- */

/** A question for a secret. It may outlive the connection and the client. */
typedef struct xmpp_ask xmpp_ask;

/** What is asked for. Expect unknown values: refuse them. */
enum xmpp_ask_kind {
    XMPP_ASK_PASSWORD = 1, /**< the password of the account */
    XMPP_ASK_TOKEN = 2, /**< a token */
    XMPP_ASK_AUTHZID = 3 /**< an account to act for */
};

/**
 * A secret is needed.
 *
 * Call xmpp_ask_answer(), now, or later with a reference of xmpp_ask_ref(). A function that does neither has refused.
 *
 * @param client     the client
 * @param ask        borrowed during the call
 * @param user_data  as registered
 */
typedef void (*xmpp_ask_fn)(xmpp_client *client, xmpp_ask *ask, void *user_data);

/**
 * Set who is asked for a password that was not set.
 *
 * Without a function the login fails with XMPP_ERR_AUTH.
 *
 * @param client     the client
 * @param fn         [optional] NULL: nobody
 * @param user_data  passed to fn
 * @param destroy    [optional] runs once when fn is replaced or the client dies; not when this call fails
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          set
 * @retval XMPP_ERR_INVAL   client is NULL
 * @retval XMPP_ERR_STATE   a connection exists: only while XMPP_STATE_IDLE
 * @retval XMPP_ERR_BUSY    called by a function that is being asked
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_client_set_ask_fn(xmpp_client *client, xmpp_ask_fn fn, void *user_data,
                                    xmpp_destroy_fn destroy);

/**
 * Add a reference.
 *
 * @param ask  NULL allowed
 *
 * Any thread.
 *
 * @return ask
 * @since 0.1
 */
XMPP_API xmpp_ask *xmpp_ask_ref(xmpp_ask *ask);

/**
 * Drop a reference. With the last one, an unanswered question counts as refused.
 *
 * @param ask  NULL allowed
 *
 * Any thread.
 *
 * @return NULL
 * @since 0.1
 */
XMPP_API xmpp_ask *xmpp_ask_unref(xmpp_ask *ask);

/**
 * What is asked for.
 *
 * @param ask  NULL: 0
 *
 * Any thread.
 *
 * @return enum xmpp_ask_kind
 * @since 0.1
 */
XMPP_API int xmpp_ask_get_kind(const xmpp_ask *ask);

/**
 * The mechanism that needs the secret: PLAIN shows it to the server, SCRAM does not.
 *
 * @param ask  NULL: NULL
 *
 * Any thread.
 *
 * @return name like "SCRAM-SHA-256-PLUS" (RFC 4422, 3.1), borrowed of ask
 * @since 0.1
 */
XMPP_API const char *xmpp_ask_get_mechanism(const xmpp_ask *ask);

/**
 * Answer the question.
 *
 * @param ask     the question
 * @param secret  [optional] UTF-8, not terminated; copied into memory that is overwritten after use. NULL: refused
 * @param len     bytes of secret
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          taken; what comes of it is told by the state
 * @retval XMPP_ERR_INVAL   ask is NULL, or secret is NULL and len is not 0
 * @retval XMPP_ERR_STATE   answered already, or the connection is gone
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @since 0.1
 */
XMPP_API int xmpp_ask_answer(xmpp_ask *ask, const char *secret, size_t len);

XMPP_END_DECLS
#endif
