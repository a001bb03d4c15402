#ifndef SASL_SCRAM_H
#define SASL_SCRAM_H

#include "sasl/mech.h"

/* Fixes the client's nonce, which is random otherwise, so that test vectors can be replayed. Between create()
 * and start(). Not reachable from outside the library. */
int scram_set_nonce(struct sasl *sasl, const char *nonce);

#endif
