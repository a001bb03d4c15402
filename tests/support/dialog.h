#ifndef SUPPORT_DIALOG_H
#define SUPPORT_DIALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xmpp/elem.h>
#include <xmpp/error.h>

/* Scripted conversations. One file is one conversation; a line that begins with white space continues the line before
 * it (joined without that white space). Lines:
 *
 *   # text                  comment; the first one names the rules that the dialogue shows
 *   LEVEL engine ...        only for these levels; other levels pass without playing
 *   SET name value          before anything else: jid, secret, tls, secured, lang, timeout, ... (the level's own)
 *   C: pattern              what the client must send next, token by token. In an attribute or a text, '*' matches
 *                           anything, and $1 (as the whole value, 1 to 9) captures it or must equal what it holds
 *   S: text                 what the server sends; $1 is replaced; @{70000:ab} repeats "ab"
 *   E: KIND field ...       the next event; code=, condition=, phase=, type=, peer= and text~= (contains) of its
 *                           error, xml= (the rest of the line, a pattern) of its element
 *   TICK us                 time passes
 *   GET name value          a property of the thing under test
 *   SCRAM hash first 1 2 [salt]  server's part of SCRAM (sha1, sha256) for the password "pencil": capture 1 is the
 *                           client's message in base64, capture 2 becomes the answer
 *   SCRAM hash final 3 4    the client in base64, capture 2 becomes the answer
 *   FORGET                  all captures
 *   @name                   a macro, see dialog-macros.c
 *   other words             commands of the level: TLS, SECRET word, REFUSE, SEND xml, CLOSE, EOF, ...;
 *                           a "!XMPP_ERR_..." in front of the word is the result that is expected
 *
 * Progress (START_TLS, AUTHENTICATING, BINDING) need not be written down. All that the client sent must have been
 * expected by the time the server speaks and at the end, where no event may be left either. */

struct dialog_event {
    const char *kind; /* "STANZA"; NULL: none */
    xmpp_elem *elem; /* reference, or NULL */
    xmpp_error *error;
};

/* The thing under test. Results are XMPP_OK or XMPP_ERR_*. */
struct dialog_ops {
    const char *level;
    int (*create)(void **ret_target);
    void (*destroy)(void *target);
    int (*set)(void *target, const char *name,
               const char *value); /* XMPP_ERR_NOTFOUND: no such setting */
    int (*open)(void *target);
    int (*feed)(void *target, const char *data,
                size_t len); /* what the server says, as plain text */
    size_t (*peek)(void *target, const char **ret_data); /* what the client says, as plain text */
    void (*consume)(void *target, size_t len);
    void (*next)(void *target, struct dialog_event *ret);
    bool (*is_busy)(void *target); /* it computes: tick(0) */
    int (*tick)(void *target, uint64_t us); /* time passes */
    int (*command)(void *target, const char *name,
                   const char *arg); /* XMPP_ERR_NOTFOUND: no such command */
    /* false: no such property; a value that is not there reads "none" */
    bool (*get)(void *target, const char *name, char *dst, size_t size);
};

struct dialog; /* a parsed file */

/* NULL and a message on stderr when it cannot be read */
struct dialog *dialog_load(const char *path);
struct dialog *dialog_free(struct dialog *dialog);

enum dialog_cut { DIALOG_WHOLE = 0, DIALOG_BYTES = 1, DIALOG_RANDOM = 2 };

/* Plays it once. false: it went otherwise than written; the message (if not NULL) says where and how. */
bool dialog_play(const struct dialog *dialog, const struct dialog_ops *ops, enum dialog_cut cut,
                 unsigned seed, char *message, size_t message_size);

/* --- inside --- */
const char *dialog_find_macro(const char *name); /* lines, or NULL */
/* Does text begin with what the pattern describes? The length of that part, or -1 and the reason. */
long dialog_match(const char *pattern, const char *text, size_t len, char *captures[10],
                  char *reason, size_t reason_size);
/* The server's side of SCRAM; state is kept between the two calls. false: the client is wrong. */
struct dialog_scram {
    char *client_first_bare;
    char *server_first;
    char *salt;
    char nonce[128];
};
bool dialog_scram_first(struct dialog_scram *scram, const char *salt, const char *in64,
                        char **ret_out64);
bool dialog_scram_final(struct dialog_scram *scram, const char *hash, const char *in64,
                        char **ret_out64);
void dialog_scram_clear(struct dialog_scram *scram);

#endif
