#ifndef STREAM_ENGINE_H
#define STREAM_ENGINE_H

#include "sasl/mech.h"

#include <stdbool.h>
#include <xmpp/stream.h>

/* What the client needs of the engine beyond <xmpp/stream.h>. */

/* Every unit in and out as text for the wire log, credentials masked. NULL: off. The only callback of the
 * engine: it must not call back. */
typedef void (*engine_trace_fn)(void *user_data, bool outgoing, const char *text, size_t len);
void engine_set_trace(xmpp_stream *stream, engine_trace_fn fn, void *user_data);

void engine_set_keys(xmpp_stream *stream, struct sasl_keys *keys); /* keeps a reference */
/* SASL-25: PLAIN is refused; engine_used_strong() says after READY whether to pin */
void engine_set_no_plain(xmpp_stream *stream, bool no_plain);
bool engine_used_strong(const xmpp_stream *stream);
/* xmpp_stream_send() for what the library owes the peer: the queue's limit does not count */
int engine_send_owed(xmpp_stream *stream, xmpp_elem *stanza, uint64_t now_us);
size_t engine_get_output_len(const xmpp_stream *stream); /* unsent bytes */
uint64_t engine_count_received(const xmpp_stream *stream); /* stanzas */
uint64_t engine_count_sent(const xmpp_stream *stream);
void engine_shrink(xmpp_stream *stream); /* nothing moves at the moment: gives back what is empty */
/* What it waits for, as words after "waiting for"; never NULL */
const char *engine_get_awaited(const xmpp_stream *stream);
bool engine_has_events(const xmpp_stream *stream); /* xmpp_stream_next() would return one */

#endif
