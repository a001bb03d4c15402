#ifndef XMPP_TEST_H
#define XMPP_TEST_H

/**
 * @file
 * libxmpp-test: a server for tests of applications, inside the test program and on the application's own loop.
 *
 * It is a library of its own (`pkg-config libxmpp-test`). It listens on loopback addresses, on ports that the system
 * chooses, or serves sockets that the test has connected; authority and certificates are made in memory. It logs clients
 * in (STARTTLS, direct TLS, plain text; SCRAM-SHA-1, -256, -512 and their -PLUS, PLAIN, ANONYMOUS, EXTERNAL) and passes
 * stanzas between them: to full and bare addresses, presence to the other resources of the account; pings are answered,
 * other requests to the server get service-unavailable. What a client sent is kept. There is no roster, nothing is
 * stored, nothing private: it is a server for nothing but tests.
 *
 * What a test wants to be different can be ordered in five ways, from coarse to fine:
 *
 * - faults, xmpp_test_server_set_fault(): cuts, delays, wrong signatures, wrong ids;
 * - something else instead of a step of the login, xmpp_test_server_fail_at();
 * - scripts: expect this, send that, xmpp_test_server_play();
 * - a function that sees each stanza, xmpp_test_server_set_stanza_fn();
 * - a function that sees each byte, and may be the server itself, xmpp_test_server_set_data_fn().
 *
 * Faults and settings concern the connections that are accepted after the call, unless a function says otherwise.
 *
 * All functions are for the thread of the loop, but references are taken and dropped in any thread. Functions of the
 * test run only from inside those that run the loop, and xmpp_test_server_accept(); they may do everything that does
 * not run the loop, also drop the last reference to the server. Elements, JIDs and registrations of the server come
 * from xmpp_mem_set_allocator(), its other memory does not. Without memory, the connection is reset and the server has
 * failed.
 *
 * ### Scripts
 *
 * A script is a text of lines. A line that begins with a space or a tab continues the one before (joined without that
 * white space); empty lines and lines that begin with # say nothing.
 *
 *     C: <pattern/>    the next thing that the client sends; "</stream:stream>" is the end of its stream
 *     S: text          send this, as it is; $1 to $9 become what was captured, $$ a dollar
 *     I: <pattern/>    counts for the whole script: a thing that is not expected, but fits this, is left to the server
 *     WAIT 20000       microseconds; what comes in meanwhile is looked at later
 *     TLS              what follows is TLS (behind "S: <proceed .../>")
 *     ERROR condition  stream error, and the end
 *     CLOSE            end of the stream, of TLS, of TCP
 *     DROP             end of TCP alone
 *     RESET            TCP is reset
 *     GARBAGE          bytes that are neither XML nor TLS; then silence
 *     SILENCE          nothing is sent any more
 *
 * A pattern is one XML element, in the namespace jabber:client unless it says otherwise; the prefix "stream" is
 * declared. It fits an element with the same namespace and name, with these attributes, this text (white space alone:
 * any text), and these children in this order; more attributes and children may be there. In the value of an
 * attribute and in a text * stands for anything. A value that is "$1" (to "$9") captures, or must be equal to
 * what the script captured before; an attribute with the value "!" must not be there. In a script that begins with the
 * first byte `C: <stream:stream>` is the header of a stream.
 *
 * When something else comes than what the script expects, or the connection ends before the script, the server has
 * failed: xmpp_test_server_get_error() says where and why, and the connection is reset.
 *
 * ### Example
 *
 * A test of an application that asks for its roster, and then becomes available.
 *
 * @code
 * #include <stdio.h>
 * #include <xmpp/test.h>
 * #include <xmpp/xmpp.h>
 *
 * static void on_roster(xmpp_client *client, const xmpp_elem *reply, const xmpp_error *error, void *user_data)
 * {
 *     xmpp_elem *presence;
 *
 *     (void)error;
 *     (void)user_data;
 *     if (reply && xmpp_elem_create_stanza(&presence, XMPP_PRESENCE, NULL, NULL) >= 0) {
 *         xmpp_client_send(client, presence);
 *         xmpp_elem_unref(presence);
 *     }
 * }
 *
 * static void on_state(xmpp_client *client, int old_state, int new_state, const xmpp_error *error, void *user_data)
 * {
 *     xmpp_elem *iq;
 *
 *     (void)old_state;
 *     (void)user_data;
 *     if (new_state == XMPP_STATE_READY && xmpp_elem_create_stanza(&iq, XMPP_IQ, "get", NULL) >= 0) {
 *         xmpp_elem_add_child(iq, "jabber:iq:roster", "query");
 *         xmpp_client_request(client, NULL, iq, 0, on_roster, NULL, NULL);
 *         xmpp_elem_unref(iq);
 *     }
 *     if (error)
 *         fprintf(stderr, "client: %s\n", xmpp_error_get_text(error));
 * }
 *
 * int main(void)
 * {
 *     static const char script[] =
 *         "C: <iq type='get' id='$1'><query xmlns='jabber:iq:roster'/></iq>\n"
 *         "S: <iq type='result' id='$1'><query xmlns='jabber:iq:roster'/></iq>\n"
 *         "C: <presence type='!'/>\n";
 *     xmpp_loop *loop = NULL;
 *     xmpp_client *client = NULL;
 *     xmpp_test_server *server = NULL;
 *     int r;
 *
 *     if ((r = xmpp_loop_create(&loop)) >= 0 && (r = xmpp_client_create(&client, loop)) >= 0 &&
 *         (r = xmpp_test_server_create(&server, loop)) >= 0 &&
 *         (r = xmpp_test_server_add_account(server, "alice", "secret")) >= 0 &&
 *         (r = xmpp_test_server_configure_client(server, client, XMPP_TEST_STARTTLS, "alice")) >= 0 &&
 *         (r = xmpp_test_server_play(server, XMPP_TEST_FROM_READY, script)) >= 0 &&
 *         (r = xmpp_client_on_state(client, NULL, on_state, NULL, NULL)) >= 0 &&
 *         (r = xmpp_client_connect(client)) >= 0)
 *         r = xmpp_test_server_run(server, 10000000);
 *     if (r < 0)
 *         fprintf(stderr, "%s\n", r == XMPP_ERR_PROTOCOL ? xmpp_test_server_get_error(server) : xmpp_err_text(r));
 *     xmpp_client_unref(client);
 *     xmpp_test_server_unref(server);
 *     xmpp_loop_unref(loop);
 *     return r < 0;
 * }
 * @endcode
 */

#include <xmpp/base.h>

XMPP_BEGIN_DECLS

/** The server. */
typedef struct xmpp_test_server xmpp_test_server;
/** A connection that a client has made to it. Borrowed of the server, also after its end. */
typedef struct xmpp_test_conn xmpp_test_conn;

/* --- life --- */

/**
 * Make a server. It does not listen yet.
 *
 * @param ret   [out] new reference; untouched on failure
 * @param loop  the loop that runs it, usually that of the clients; referenced
 *
 * @retval XMPP_OK          *ret is set
 * @retval XMPP_ERR_INVAL   ret or loop is NULL
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_TLS     no certificate could be made
 * @retval XMPP_ERR_SYSTEM  no file for the authority
 * @since 0.1
 */
XMPP_API int xmpp_test_server_create(xmpp_test_server **ret, xmpp_loop *loop);

/**
 * Take another reference, in any thread that holds one.
 *
 * @param server  NULL allowed
 * @return server
 * @since 0.1
 */
XMPP_API xmpp_test_server *xmpp_test_server_ref(xmpp_test_server *server);

/**
 * Drop a reference, in any thread. With the last one everything is closed, without a word to the test: in the loop's
 * thread before this returns, elsewhere that is left to the loop.
 *
 * @param server  NULL allowed
 * @return always NULL
 * @since 0.1
 */
XMPP_API xmpp_test_server *xmpp_test_server_unref(xmpp_test_server *server);

/* --- settings --- */

/**
 * Set the domain. It is "test.example" unless this is called.
 *
 * @param server  without a connection so far
 * @param domain  host name of ASCII characters, not an address; copied
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  an argument is NULL, or not such a name
 * @retval XMPP_ERR_STATE  there was a connection
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_test_server_set_domain(xmpp_test_server *server, const char *domain);

/**
 * Add an account, or change its password. Counts at once. SCRAM's salt stays as long as the password is not set anew.
 *
 * @param server    the server
 * @param user      localpart (RFC 7622, 3.3); copied
 * @param password  not empty, UTF-8; compared byte by byte, so in the form that RFC 8265 gives it; copied
 *
 * @retval XMPP_OK         added
 * @retval XMPP_ERR_INVAL  an argument is NULL; not a localpart; an empty password
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_test_server_add_account(xmpp_test_server *server, const char *user,
                                          const char *password);

/**
 * Set the SASL mechanisms that are offered. Counts at once.
 *
 * Mechanisms that end with -PLUS are offered only where there is TLS. With EXTERNAL among them, clients are asked for a
 * certificate during the TLS handshake, and EXTERNAL is offered to those that have shown one of
 * xmpp_test_server_get_cert_files() (XEP-0178). Unknown ones are offered, and fail with temporary-auth-failure.
 *
 * @param server      the server
 * @param mechanisms  [optional] names separated by single spaces; copied. NULL: all known ones but EXTERNAL
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  server is NULL; a character that no name has
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_test_server_set_mechanisms(xmpp_test_server *server, const char *mechanisms);

/**
 * Set the types of channel binding that are announced (XEP-0440). Counts at once.
 *
 * Others than the announced ones are refused; if none are announced, every type that the TLS session has is accepted:
 * tls-exporter (RFC 9266), tls-server-end-point, and with TLS 1.2 tls-unique (RFC 5929).
 *
 * @param server  the server
 * @param types   [optional] names separated by single spaces; copied. "": none. NULL: all that the session has
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  server is NULL; a character that no name has
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_test_server_set_channel_bindings(xmpp_test_server *server, const char *types);

/**
 * Set the version of TLS.
 *
 * @param server   the server
 * @param version  0x0303: TLS 1.2; 0x0304: TLS 1.3; 0: either
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  server is NULL, or another number
 * @since 0.1
 */
XMPP_API int xmpp_test_server_set_tls_version(xmpp_test_server *server, int version);

/** Certificates that the server can show. */
enum xmpp_test_cert {
    XMPP_TEST_CERT_GOOD = 1, /**< for the domain, by the authority of the trust file */
    XMPP_TEST_CERT_EXPIRED = 2, /**< since 2020 */
    XMPP_TEST_CERT_FUTURE = 3, /**< valid from tomorrow */
    XMPP_TEST_CERT_WRONG_NAME = 4, /**< for wrong.example */
    XMPP_TEST_CERT_UNTRUSTED = 5, /**< signed with another key than the authority's */
    XMPP_TEST_CERT_SELF_SIGNED = 6 /**< by itself */
};

/**
 * Choose the certificate.
 *
 * @param server  the server
 * @param cert    enum xmpp_test_cert
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  server is NULL, or an unknown certificate
 * @since 0.1
 */
XMPP_API int xmpp_test_server_set_cert(xmpp_test_server *server, int cert);

/** How a connection begins. */
enum xmpp_test_transport {
    XMPP_TEST_STARTTLS = 0, /**< plain text, where STARTTLS is offered and required */
    XMPP_TEST_DIRECT_TLS = 1, /**< TLS from the first byte (XEP-0368) */
    XMPP_TEST_PLAIN = 2 /**< plain text, and no STARTTLS is offered */
};

/**
 * Choose between IPv4 and IPv6, for xmpp_test_server_listen() and xmpp_test_server_configure_client() from now on.
 *
 * @param server   the server
 * @param enabled  0: 127.0.0.1, as from the beginning; else ::1
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  server is NULL
 * @since 0.1
 */
XMPP_API int xmpp_test_server_set_ipv6(xmpp_test_server *server, int enabled);

/**
 * Listen on 127.0.0.1 or ::1, on a port that the system chooses: one for each transport, also in a second call.
 *
 * @param server     the server
 * @param transport  enum xmpp_test_transport
 * @param ret_port   [out, optional] the port
 *
 * @retval XMPP_OK          it listens
 * @retval XMPP_ERR_INVAL   server is NULL, or an unknown transport
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_SYSTEM  no socket, see errno
 * @since 0.1
 */
XMPP_API int xmpp_test_server_listen(xmpp_test_server *server, int transport, uint16_t *ret_port);

/**
 * Serve a socket that is connected already, like one end of a socketpair(), as if it had come through a listener. The
 * connection begins inside this call. What is no TCP cannot be reset: it ends.
 *
 * @param server     the server
 * @param transport  enum xmpp_test_transport
 * @param fd         connected stream socket; made non-blocking; belongs to the server on success
 *
 * @retval XMPP_OK          a connection, the last one of xmpp_test_server_get_conn()
 * @retval XMPP_ERR_INVAL   server is NULL, an unknown transport, or no such socket
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_TLS     direct TLS cannot be started
 * @retval XMPP_ERR_SYSTEM  the descriptor cannot be watched, see errno
 * @since 0.1
 */
XMPP_API int xmpp_test_server_accept(xmpp_test_server *server, int transport, int fd);

/**
 * The authority that has signed the certificate, for xmpp_client_set_trust_file() and other programs.
 *
 * @param server  NULL: NULL
 * @return path of a PEM file that lives in memory: readable for processes of the same user as long as the server
 *         lives; borrowed
 * @since 0.1
 */
XMPP_API const char *xmpp_test_server_get_trust_file(const xmpp_test_server *server);

/**
 * The certificate of an account, signed by the server's authority, for xmpp_client_set_cert_files() and SASL EXTERNAL.
 * It has the address as XmppAddr (RFC 6120, 13.7.1.4).
 *
 * @param server    the server
 * @param user      an account
 * @param ret_cert  [out] path of a PEM file like the trust file; borrowed until the domain changes
 * @param ret_key   [out] path of its key, likewise
 *
 * @retval XMPP_OK            both are set
 * @retval XMPP_ERR_INVAL     an argument is NULL
 * @retval XMPP_ERR_NOTFOUND  no such account
 * @retval XMPP_ERR_NOMEM     out of memory
 * @retval XMPP_ERR_TLS       no certificate could be made
 * @retval XMPP_ERR_SYSTEM    no file for it
 * @since 0.1
 */
XMPP_API int xmpp_test_server_get_cert_files(xmpp_test_server *server, const char *user,
                                             const char **ret_cert, const char **ret_key);

/**
 * Give a client all that it needs to log in here: JID, password, endpoint, trust file, TLS mode; with EXTERNAL among
 * the mechanisms and TLS also the certificate of the account. Listens if need be.
 *
 * @param server     the server
 * @param client     idle; keeps no reference
 * @param transport  enum xmpp_test_transport; with XMPP_TEST_PLAIN the client accepts plain text on loopback addresses
 * @param user       [optional] an account. NULL: the login is anonymous
 *
 * @retval XMPP_OK            done; else some settings may have been made
 * @retval XMPP_ERR_INVAL     an argument is NULL, or an unknown transport
 * @retval XMPP_ERR_NOTFOUND  no such account
 * @retval XMPP_ERR_STATE     the client is not idle
 * @retval XMPP_ERR_NOMEM     out of memory
 * @retval XMPP_ERR_TLS       no certificate could be made
 * @retval XMPP_ERR_SYSTEM    no socket, or no file for the certificate
 * @since 0.1
 */
XMPP_API int xmpp_test_server_configure_client(xmpp_test_server *server, xmpp_client *client,
                                               int transport, const char *user);

/* --- misbehaviour --- */

/**
 * Faults. Byte counts are of one connection, on the wire (TLS included). Several faults can be set together.
 *
 * A flag is set by 1. All are off with -1, flags also with 0.
 */
enum xmpp_test_fault {
    XMPP_TEST_FAULT_STOP_AFTER = 1, /**< bytes; then nothing is sent any more, and nothing closed */
    XMPP_TEST_FAULT_DROP_AFTER = 2, /**< bytes; then TCP ends, without an end of TLS */
    XMPP_TEST_FAULT_RESET_AFTER = 3, /**< bytes; then TCP is reset */
    XMPP_TEST_FAULT_GARBAGE_AFTER = 4, /**< bytes; then some that are neither TLS nor XML */
    XMPP_TEST_FAULT_CUT = 5, /**< at most so many bytes are written in one turn of the loop */
    XMPP_TEST_FAULT_CUT_RANDOM = 6, /**< seed: pieces of random size, the same for the same seed */
    XMPP_TEST_FAULT_DELAY = 7, /**< microseconds before each write */
    XMPP_TEST_FAULT_NEVER_READ = 8, /**< bytes; then nothing is read any more */
    XMPP_TEST_FAULT_NO_CLOSE_NOTIFY = 9, /**< flag: TCP is closed without an end of TLS */
    XMPP_TEST_FAULT_NO_STARTTLS = 10, /**< flag: XMPP_TEST_STARTTLS offers SASL at once, no TLS */
    XMPP_TEST_FAULT_BEHIND_PROCEED = 11, /**< flag: a message in plain text follows `<proceed/>` */
    XMPP_TEST_FAULT_WRONG_SIGNATURE = 12, /**< flag: SCRAM's server signature (RFC 5802, 3) */
    XMPP_TEST_FAULT_WRONG_NONCE = 13, /**< flag: SCRAM's nonce does not begin with the client's */
    XMPP_TEST_FAULT_ITERATIONS = 14, /**< SCRAM's iteration count, instead of 4096 */
    XMPP_TEST_FAULT_WRONG_ID = 15, /**< flag: answers to IQs have an id that nobody asked with */
    XMPP_TEST_FAULT_FORGED_FROM = 16, /**< flag: answers to IQs, but binding, are from another */
    /** enum xmpp_test_point: what is sent there has a wrong namespace. For headers, features, STARTTLS, AUTH, BIND */
    XMPP_TEST_FAULT_WRONG_NAMESPACE = 17
};

/**
 * Set a fault.
 *
 * @param server  the server
 * @param fault   enum xmpp_test_fault
 * @param value   what it says there; -1 (or less): off
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  server is NULL, or an unknown fault
 * @since 0.1
 */
XMPP_API int xmpp_test_server_set_fault(xmpp_test_server *server, int fault, int64_t value);

/** Steps of a connection at which something else can happen. */
enum xmpp_test_point {
    XMPP_TEST_AT_ACCEPT = 1, /**< TCP is connected; the login goes on after it */
    XMPP_TEST_AT_HEADER = 2, /**< instead of the answer to the first header */
    XMPP_TEST_AT_FEATURES = 3, /**< after the first header, instead of the features */
    XMPP_TEST_AT_STARTTLS = 4, /**< instead of `<proceed/>` */
    XMPP_TEST_AT_HANDSHAKE = 5, /**< instead of the answer to TLS' ClientHello */
    XMPP_TEST_AT_SECURE_HEADER = 6, /**< instead of the answer to the first header inside TLS */
    XMPP_TEST_AT_SECURE_FEATURES = 7, /**< after that header, instead of the features */
    XMPP_TEST_AT_AUTH = 8, /**< instead of the answer to `<auth/>` */
    XMPP_TEST_AT_RESPONSE = 9, /**< instead of the answer to `<response/>` */
    XMPP_TEST_AT_BIND_HEADER = 10, /**< instead of the answer to the header after SASL */
    XMPP_TEST_AT_BIND_FEATURES = 11, /**< after that header, instead of the features */
    XMPP_TEST_AT_BIND = 12, /**< instead of the answer to resource binding */
    XMPP_TEST_AT_READY = 13, /**< behind the answer to resource binding; no script begins then */
    XMPP_TEST_AT_STANZA = 14 /**< instead of dealing with a stanza of the client */
};

/** What happens. */
enum xmpp_test_action {
    XMPP_TEST_SILENCE = 1, /**< nothing is sent any more, and nothing closed */
    XMPP_TEST_CLOSE = 2, /**< the stream, TLS and TCP are closed, in this order */
    XMPP_TEST_DROP = 3, /**< TCP ends, without an end of the stream and of TLS */
    XMPP_TEST_RESET = 4, /**< TCP is reset */
    XMPP_TEST_GARBAGE = 5, /**< the text, or bytes that are not XML; then silence */
    XMPP_TEST_STREAM_ERROR = 6, /**< stream error; the text is the condition (RFC 6120, 4.9.3) */
    XMPP_TEST_SEND = 7, /**< the text is sent; the server goes on reading */
    XMPP_TEST_START_TLS = 8 /**< what follows is TLS, of which this is the server's side */
};

/**
 * Let something else happen at a step of the connection.
 *
 * What is sent goes through TLS if that is up. XMPP_TEST_START_TLS does nothing where there is TLS already.
 *
 * @param server  the server
 * @param point   enum xmpp_test_point
 * @param action  enum xmpp_test_action; 0: the ordinary course again
 * @param text    [optional] as the action says; copied. Not NULL for XMPP_TEST_SEND
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  server is NULL; unknown point or action; no text to send
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_test_server_fail_at(xmpp_test_server *server, int point, int action,
                                      const char *text);

/**
 * Take back all faults, and all that was said with xmpp_test_server_fail_at().
 *
 * @param server  the server
 *
 * @retval XMPP_OK         done
 * @retval XMPP_ERR_INVAL  server is NULL
 * @since 0.1
 */
XMPP_API int xmpp_test_server_clear_faults(xmpp_test_server *server);

/* --- scripts --- */

/** Where a script begins. */
enum xmpp_test_from {
    XMPP_TEST_FROM_START = 0, /**< with the first byte: the server does nothing but direct TLS */
    XMPP_TEST_FROM_READY = 1 /**< when a resource is bound; the server goes on after the script */
};

/**
 * Give a script to the next connection that comes to where it begins. Several scripts go to as many connections, in
 * their order.
 *
 * @param server  the server
 * @param from    enum xmpp_test_from
 * @param script  UTF-8; copied
 *
 * @retval XMPP_OK         waiting for a connection
 * @retval XMPP_ERR_INVAL  an argument is NULL, or unknown; or the script cannot be read, which
 *                         xmpp_test_server_get_error() explains: the server has failed then
 * @since 0.1
 */
XMPP_API int xmpp_test_server_play(xmpp_test_server *server, int from, const char *script);

/**
 * Play a script on a connection that is ready. It begins inside this call.
 *
 * @param conn    bound
 * @param script  UTF-8; copied
 *
 * @retval XMPP_OK         begun
 * @retval XMPP_ERR_INVAL  an argument is NULL; or the script cannot be read: the server has failed then
 * @retval XMPP_ERR_STATE  not bound, ended, or another script runs
 * @since 0.1
 */
XMPP_API int xmpp_test_conn_play(xmpp_test_conn *conn, const char *script);

/**
 * Have all scripts been played to their end?
 *
 * @param server  the server
 *
 * @retval 1                  yes, or there was none
 * @retval 0                  not yet
 * @retval XMPP_ERR_PROTOCOL  something went otherwise, see xmpp_test_server_get_error()
 * @retval XMPP_ERR_INVAL     server is NULL
 * @since 0.1
 */
XMPP_API int xmpp_test_server_is_finished(const xmpp_test_server *server);

/**
 * What went wrong first: "script, line 3: expected <message/>, got <presence/>". A server that has failed stays so.
 *
 * @param server  NULL: NULL
 * @return English; borrowed; NULL: nothing did
 * @since 0.1
 */
XMPP_API const char *xmpp_test_server_get_error(const xmpp_test_server *server);

/**
 * Run the loop until all scripts have been played to their end, or something went wrong.
 *
 * @param server      the server; not from a callback
 * @param timeout_us  microseconds
 *
 * @retval XMPP_OK            finished, or there was no script
 * @retval XMPP_ERR_PROTOCOL  see xmpp_test_server_get_error()
 * @retval XMPP_ERR_TIMEOUT   not finished
 * @return also what xmpp_loop_step() fails with; XMPP_ERR_INVAL when server is NULL
 * @since 0.1
 */
XMPP_API int xmpp_test_server_run(xmpp_test_server *server, uint64_t timeout_us);

/**
 * Does an element fit a pattern? See the description of this file.
 *
 * @param elem     sealed
 * @param pattern  UTF-8
 *
 * @retval 1               yes
 * @retval 0               no
 * @retval XMPP_ERR_INVAL  an argument is NULL, or the pattern is not one XML element
 * @retval XMPP_ERR_NOMEM  out of memory
 * @since 0.1
 */
XMPP_API int xmpp_test_elem_match(const xmpp_elem *elem, const char *pattern);

/* --- functions of the test --- */

/**
 * A bound client sent a stanza that no script expected.
 *
 * @param server     the server
 * @param conn       the client's connection
 * @param stanza     sealed; borrowed during the call
 * @param user_data  as registered
 * @return XMPP_PASS: the server deals with it; XMPP_DONE or another value: it does nothing
 */
typedef int (*xmpp_test_stanza_fn)(xmpp_test_server *server, xmpp_test_conn *conn,
                                   const xmpp_elem *stanza, void *user_data);

/**
 * Set the function that sees stanzas. Counts at once; it replaces the one before.
 *
 * @param server     the server
 * @param fn         [optional] NULL: none
 * @param user_data  passed to fn
 * @param destroy    [optional] runs once after the last use of user_data; may run inside this call, for the old one
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  server is NULL
 * @since 0.1
 */
XMPP_API int xmpp_test_server_set_stanza_fn(xmpp_test_server *server, xmpp_test_stanza_fn fn,
                                            void *user_data, xmpp_destroy_fn destroy);

/** What happened on the server. Expect unknown values. */
enum xmpp_test_event {
    XMPP_TEST_EVENT_CONNECTED = 1, /**< TCP */
    XMPP_TEST_EVENT_READY = 2, /**< a resource was bound */
    XMPP_TEST_EVENT_CLOSED = 3, /**< a connection ended, by either side */
    XMPP_TEST_EVENT_FINISHED = 4, /**< all scripts have been played; no connection */
    XMPP_TEST_EVENT_FAILED = 5, /**< see xmpp_test_server_get_error(); once, no connection */
    XMPP_TEST_EVENT_SECURED = 6, /**< the TLS handshake is over */
    XMPP_TEST_EVENT_TLS_END = 7, /**< the client has closed TLS */
    XMPP_TEST_EVENT_TCP_END = 8 /**< the client has closed or reset TCP, perhaps as the last one */
};

/**
 * Something happened.
 *
 * @param server     the server
 * @param conn       which connection it happened to; NULL: none
 * @param event      enum xmpp_test_event
 * @param user_data  as registered
 */
typedef void (*xmpp_test_event_fn)(xmpp_test_server *server, xmpp_test_conn *conn, int event,
                                   void *user_data);

/**
 * Set the function that is told what happens. Counts at once; it replaces the one before.
 *
 * @param server     the server
 * @param fn         [optional] NULL: none
 * @param user_data  passed to fn
 * @param destroy    [optional] runs once after the last use of user_data; may run inside this call, for the old one
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  server is NULL
 * @since 0.1
 */
XMPP_API int xmpp_test_server_set_event_fn(xmpp_test_server *server, xmpp_test_event_fn fn,
                                           void *user_data, xmpp_destroy_fn destroy);

/**
 * A client sent bytes.
 *
 * A function that never lets the server have them is the server itself, a raw peer: it answers with
 * xmpp_test_conn_send_bytes(), and xmpp_test_conn_act() with XMPP_TEST_START_TLS begins its side of TLS. What the
 * function is looking at then is the beginning of the handshake, if it is passed.
 *
 * @param server     the server
 * @param conn       the client's connection; it has ended if the server ended it
 * @param data       out of TLS, if there is TLS; borrowed during the call
 * @param len        not 0
 * @param user_data  as registered
 * @return XMPP_PASS: the server, or its script, deals with them; XMPP_DONE or another value: they do not count
 */
typedef int (*xmpp_test_data_fn)(xmpp_test_server *server, xmpp_test_conn *conn, const void *data,
                                 size_t len, void *user_data);

/**
 * Set the function that sees all bytes before the server does. Counts at once; it replaces the one before.
 *
 * @param server     the server
 * @param fn         [optional] NULL: none
 * @param user_data  passed to fn
 * @param destroy    [optional] runs once after the last use of user_data; may run inside this call, for the old one
 *
 * @retval XMPP_OK         set
 * @retval XMPP_ERR_INVAL  server is NULL
 * @since 0.1
 */
XMPP_API int xmpp_test_server_set_data_fn(xmpp_test_server *server, xmpp_test_data_fn fn,
                                          void *user_data, xmpp_destroy_fn destroy);

/* --- connections --- */

/**
 * How many connections there have been, those that have ended included.
 *
 * @param server  NULL: 0
 * @return number
 * @since 0.1
 */
XMPP_API size_t xmpp_test_server_count_conns(const xmpp_test_server *server);

/**
 * One of the connections, in the order in which they were made.
 *
 * @param server  NULL: NULL
 * @param index   0, 1, ...
 * @return borrowed of the server; NULL: no such index
 * @since 0.1
 */
XMPP_API xmpp_test_conn *xmpp_test_server_get_conn(const xmpp_test_server *server, size_t index);

/**
 * The open connection that an address is bound to. Of several with the same bare address the newest one.
 *
 * @param server  NULL: NULL
 * @param jid     full, or bare: any resource; NULL: NULL
 * @return borrowed of the server; NULL: none
 * @since 0.1
 */
XMPP_API xmpp_test_conn *xmpp_test_server_find_conn(const xmpp_test_server *server,
                                                    const xmpp_jid *jid);

/**
 * Is there still a session, or can there be one?
 *
 * @param conn  NULL: 0
 * @return 1, or 0: it has ended
 * @since 0.1
 */
XMPP_API int xmpp_test_conn_is_open(const xmpp_test_conn *conn);

/**
 * The address that was bound.
 *
 * @param conn  NULL: NULL
 * @return borrowed of the connection; NULL: none was
 * @since 0.1
 */
XMPP_API const xmpp_jid *xmpp_test_conn_get_jid(const xmpp_test_conn *conn);

/**
 * Send an element to the client, as it is: no "from" is added.
 *
 * @param conn  open
 * @param elem  sealed by this call
 *
 * @retval XMPP_OK         queued
 * @retval XMPP_ERR_INVAL  an argument is NULL
 * @retval XMPP_ERR_STATE  the connection has ended
 * @retval XMPP_ERR_NOMEM  out of memory
 * @return also the first error that happened while the element was built
 * @since 0.1
 */
XMPP_API int xmpp_test_conn_send(xmpp_test_conn *conn, xmpp_elem *elem);

/**
 * Do something on a connection now: close it, drop it, send any text, begin TLS.
 *
 * @param conn    open
 * @param action  enum xmpp_test_action
 * @param text    [optional] as the action says. Not NULL for XMPP_TEST_SEND
 *
 * @retval XMPP_OK         done, or queued
 * @retval XMPP_ERR_INVAL  conn is NULL; unknown action; no text to send
 * @retval XMPP_ERR_STATE  the connection has ended; XMPP_TEST_START_TLS where there is TLS
 * @since 0.1
 */
XMPP_API int xmpp_test_conn_act(xmpp_test_conn *conn, int action, const char *text);

/**
 * Send any bytes: XMPP_TEST_SEND for data that may hold NUL. They go through TLS if that is up.
 *
 * @param conn  open
 * @param data  copied; NULL only with len 0
 * @param len   number of bytes
 *
 * @retval XMPP_OK         queued
 * @retval XMPP_ERR_INVAL  conn is NULL, or data
 * @retval XMPP_ERR_STATE  the connection has ended
 * @since 0.1
 */
XMPP_API int xmpp_test_conn_send_bytes(xmpp_test_conn *conn, const void *data, size_t len);

/* --- what happened --- */

/**
 * How many elements the client has sent: stanzas, and those of the login. 10000 are kept.
 *
 * @param conn  NULL: 0
 * @return number
 * @since 0.1
 */
XMPP_API size_t xmpp_test_conn_count_received(const xmpp_test_conn *conn);

/**
 * One of the elements that the client has sent, in their order.
 *
 * @param conn   NULL: NULL
 * @param index  0, 1, ...
 * @return sealed, borrowed of the connection; NULL: no such index
 * @since 0.1
 */
XMPP_API const xmpp_elem *xmpp_test_conn_get_received(const xmpp_test_conn *conn, size_t index);

/** Numbers, of a connection or of all together. */
enum xmpp_test_stat {
    XMPP_TEST_STAT_CONNECTIONS = 1, /**< accepted */
    XMPP_TEST_STAT_LOGINS = 2, /**< resources bound */
    XMPP_TEST_STAT_BYTES_IN = 3, /**< read from the sockets */
    XMPP_TEST_STAT_BYTES_OUT = 4, /**< written to them */
    XMPP_TEST_STAT_STANZAS_IN = 5, /**< of clients that have bound a resource */
    XMPP_TEST_STAT_STANZAS_OUT = 6 /**< delivered, answered, sent as elements; not of scripts */
};

/**
 * A number about all connections.
 *
 * @param server  NULL: 0
 * @param stat    enum xmpp_test_stat
 * @return the number; 0 for an unknown stat
 * @since 0.1
 */
XMPP_API uint64_t xmpp_test_server_get_stat(const xmpp_test_server *server, int stat);

/**
 * A number about one connection.
 *
 * @param conn  NULL: 0
 * @param stat  enum xmpp_test_stat
 * @return the number; 0 for an unknown stat
 * @since 0.1
 */
XMPP_API uint64_t xmpp_test_conn_get_stat(const xmpp_test_conn *conn, int stat);

XMPP_END_DECLS

#endif
