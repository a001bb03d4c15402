#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* Every limit and its default, in one place. */
#define LIMIT_STANZA_BYTES (4u * 1024 * 1024) /* one top-level element as received or sent */
#define LIMIT_DEPTH        128 /* element nesting, the stream's root not counted */
#define LIMIT_ATTRS        256 /* attributes of one element, namespace declarations included */
#define LIMIT_TAG_BYTES    (64u * 1024) /* an unfinished tag, comment, entity */
#define LIMIT_TREE_FACTOR  4 /* memory of a received tree, in times of the bytes of one element */
#define LIMIT_TREE_SLACK   (64u * 1024) /* and that much beyond it */
#define LIMIT_NAMES        16384 /* that one element brings: tags, attributes, prefixes, namespaces */
#define LIMIT_QUEUE_BYTES  (4u * 1024 * 1024) /* unsent output of one connection */
#define LIMIT_JID_PART     1023
#define LIMIT_JID          3071

/* before authentication the peer gets less */
#define LIMIT_NEGOTIATION_BYTES     (64u * 1024) /* one top-level element */
#define LIMIT_NEGOTIATION_TAG_BYTES (16u * 1024)
#define LIMIT_FEATURES              256 /* children of <stream:features/> that are looked at */

#define LIMIT_SCRAM_ITERATIONS_MIN 4096
#define LIMIT_SCRAM_ITERATIONS_MAX 1000000
#define LIMIT_SCRAM_SALT           1024
#define LIMIT_SASL_MESSAGE         (16u * 1024) /* one decoded challenge */
#define LIMIT_SASL_STEPS           16
#define LIMIT_SASL_ATTEMPTS        4 /* mechanisms tried on one stream */

#define LIMIT_SRV_RECORDS         64 /* taken from both answers together, best priority first */
#define LIMIT_ADDRESSES           32 /* of one host name */
#define LIMIT_TLS_HANDSHAKE_BYTES (256u * 1024)
#define LIMIT_TLS_CONTROLS        64 /* tickets, key updates, ... in a row, without data between them */
#define LIMIT_TLS_OUT_BYTES       (64u * 1024) /* of TLS' own output that the peer does not take */

#define LIMIT_PENDING_REQUESTS 16384
#define LIMIT_ATTEMPTS         256 /* failed attempts that one error keeps */
#define LIMIT_ERROR_TEXT       1000 /* bytes of the text of one error */

#define LIMIT_DISPATCH_STANZAS 64 /* of one client in one turn of the loop */
#define LIMIT_TURN_US          4000 /* computing and timers in one turn of the loop */
#define LIMIT_FLUSH_BYTES      (16u * 1024)

#define DEFAULT_CONNECT_US   (30u * 1000 * 1000) /* connect() to READY */
#define DEFAULT_STEP_US      (20u * 1000 * 1000) /* one step of the negotiation */
#define DEFAULT_REPLY_US     (60u * 1000 * 1000)
#define DEFAULT_CLOSE_US     (5u * 1000 * 1000)
#define DEFAULT_KEEPALIVE_US (300u * 1000 * 1000)

#endif
