/* Plays a dialogue against the engine and writes down what the server said, as an input of fuzz-stream:
 * fuzz-record DIALOGUE OUTPUT. What an input cannot say (a number of a setting) is left out.
 * Or writes inputs of fuzz-cert with the certificates of support/certs.h: fuzz-record --certs FOLDER. */
#define main dialog_engine_main
#include "dialog/dialog-engine.c"
#undef main

#include "fuzz/talk.h"
#include "support/certs.h"

static struct dialog_ops ops;
static unsigned char head[3];
static FILE *body;

static void put(int c)
{
    fputc(c, body);
}

static int record_set(void *data, const char *name, const char *value)
{
    if (!strcmp(name, "secured"))
        head[0] = 1;
    if (!strcmp(name, "secret") && !strcmp(value, "none"))
        head[1] |= 1;
    if (!strcmp(name, "tls") && !strcmp(value, "0"))
        head[1] |= 2;
    if (!strcmp(name, "external"))
        head[1] |= 4;
    if (!strcmp(name, "no-plain"))
        head[1] |= 8;
    if (!strcmp(name, "jid") && !strchr(value, '@'))
        head[1] |= 16;
    if (!strcmp(name, "keys"))
        head[1] |= 32;
    if (!strcmp(name, "binding"))
        head[1] |= 128;
    if (!strncmp(name, "max-", 4))
        head[2] |= 1;
    if (!strcmp(name, "keepalive") && !strcmp(value, "0"))
        head[2] |= 4;
    if (!strcmp(name, "lang"))
        head[2] |= 16;
    if (!strcmp(name, "authzid"))
        head[2] |= 32;
    if (!strcmp(name, "jid") && strchr(value, '/'))
        head[2] |= 64;
    return engine_ops.set(data, name, value);
}

static int record_feed(void *data, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            put(TALK_RAW);
        put(c);
    }
    put(TALK_CUT);
    return engine_ops.feed(data, bytes, len);
}

static int record_tick(void *data, uint64_t us)
{
    int power = 0;

    while (us >> power > 1)
        power++;
    if (us > 0) {
        put(TALK_WAIT);
        put(power);
    }
    return engine_ops.tick(data, us);
}

static int record_command(void *data, const char *name, const char *arg)
{
    if (!strcmp(name, "TLS") || !strcmp(name, "SECURED"))
        put(TALK_SECURED);
    if (!strcmp(name, "SECRET"))
        put(TALK_SECRET);
    if (!strcmp(name, "REFUSE"))
        put(TALK_REFUSE);
    if (!strcmp(name, "SEND")) {
        put(TALK_SEND);
        put(8);
    }
    if (!strcmp(name, "CLOSE"))
        put(TALK_CLOSE);
    if (!strcmp(name, "EOF"))
        put(TALK_EOF);
    return engine_ops.command(data, name, arg);
}

static int write_file(const char *folder, const char *name, const char *suffix,
                      const unsigned char *first, const gnutls_datum_t *der)
{
    char path[4096];
    FILE *out;

    snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    out = fopen(path, "wb");
    if (!out || fwrite(first, 1, 5, out) != 5 ||
        fwrite(der->data, 1, der->size, out) != der->size || fclose(out) != 0)
        return 1;
    return 0;
}

static int record_certs(const char *folder)
{
    static const char *const names[] = {"good",          "srv",       "xmpp-addr", "idn",
                                        "idn-xmpp-addr", "ip",        "nul",       "wildcard",
                                        "alice",         "deceptive", "ca",        "cn-only"};
    /* status, wanted name and what it is: the whole certificate, or its names */
    static const unsigned char whole[5];
    static const unsigned char only_names[5] = {0, 0, 0, 0, 8};
    int bad = 0;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        gnutls_datum_t der = {NULL, 0};
        unsigned critical;

        if (gnutls_x509_crt_export2(certs_leaf(names[i]), GNUTLS_X509_FMT_DER, &der) < 0)
            return 1;
        bad |= write_file(folder, names[i], "", whole, &der);
        gnutls_free(der.data);
        der.data = NULL;
        if (gnutls_x509_crt_get_extension_by_oid2(certs_leaf(names[i]), "2.5.29.17", 0, &der,
                                                  &critical) < 0)
            continue;
        bad |= write_file(folder, names[i], "-names", only_names, &der);
        gnutls_free(der.data);
    }
    certs_free();
    return bad;
}

static int record_dialog(const char *path, const char *to)
{
    struct dialog *dialog = dialog_load(path);
    char message[4096];
    char *bytes = NULL;
    size_t len = 0;
    FILE *out;

    if (!dialog)
        return 2;
    ops = engine_ops;
    ops.set = record_set;
    ops.feed = record_feed;
    ops.tick = record_tick;
    ops.command = record_command;
    body = open_memstream(&bytes, &len);
    if (!dialog_play(dialog, &ops, DIALOG_WHOLE, 0, message, sizeof message))
        fprintf(stderr, "%s: %s\n", path, message);
    dialog_free(dialog);
    fclose(body);
    out = fopen(to, "wb");
    if (!out || fwrite(head, 1, sizeof head, out) != sizeof head ||
        fwrite(bytes, 1, len, out) != len || fclose(out) != 0)
        return 1;
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    return strcmp(argv[1], "--certs") ? record_dialog(argv[1], argv[2]) : record_certs(argv[2]);
}
