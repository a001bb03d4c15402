#include "sasl/attr.h"

#include "base/str.h"
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>
#include <xmpp/error.h>

/* Reads one attribute after the other. */
struct reader {
    const char *pos;
    const char *end;
    uint64_t seen; /* a bit for each letter that was there */
    const char *reason;
};

static const char text_mandatory[] = "the server demands a SCRAM extension that is not known here";
static const char text_malformed[] = "malformed SCRAM message from the server";
static const char text_twice[] = "SCRAM message from the server has an attribute twice";

static bool is_alpha(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static uint64_t letter_bit(char c)
{
    return UINT64_C(1) << (c - 'A'); /* 'z' - 'A' is 57 */
}

static int refuse(struct reader *reader, int code, const char *reason)
{
    reader->reason = reason;
    return code;
}

static int reader_init(struct reader *reader, const char *message, size_t len)
{
    *reader = (struct reader){.pos = message, .end = message + len};
    /* value-char is UTF-8 without NUL */
    if (len == 0 || memchr(message, '\0', len) || !utf8_is_valid(message, len))
        return refuse(reader, XMPP_ERR_PROTOCOL, text_malformed);
    return XMPP_OK;
}

static bool reader_at_end(const struct reader *reader)
{
    return !reader->pos;
}

/* attr-val = ALPHA "=" value, then "," or the end; reader->pos is NULL after the last one. */
static int read_attr(struct reader *reader, char *ret_name, struct attr_value *ret)
{
    if (reader_at_end(reader) || reader->end - reader->pos < 3 || !is_alpha(reader->pos[0]) ||
        reader->pos[1] != '=')
        return refuse(reader, XMPP_ERR_PROTOCOL, text_malformed);
    char name = reader->pos[0];
    if (name == 'm') /* reserved-mext, RFC 5802 5.1: fails where it is not understood */
        return refuse(reader, XMPP_ERR_AUTH, text_mandatory);
    if (reader->seen & letter_bit(name))
        return refuse(reader, XMPP_ERR_PROTOCOL, text_twice);
    const char *value = reader->pos + 2;
    const char *comma = memchr(value, ',', (size_t)(reader->end - value));
    const char *stop = comma ? comma : reader->end;
    if (stop == value)
        return refuse(reader, XMPP_ERR_PROTOCOL, text_malformed);
    reader->seen |= letter_bit(name);
    reader->pos = comma ? comma + 1 : NULL;
    *ret_name = name;
    *ret = (struct attr_value){value, (size_t)(stop - value)};
    return XMPP_OK;
}

static int read_named(struct reader *reader, char name, const char *missing, struct attr_value *ret)
{
    char found = '\0';
    struct attr_value value = {NULL, 0};

    int r = read_attr(reader, &found, &value);
    if (r < 0)
        return r;
    if (found != name)
        return refuse(reader, XMPP_ERR_PROTOCOL, missing);
    *ret = value;
    return XMPP_OK;
}

/* Everything after what the grammar names. Letters that have a meaning in another place are refused. */
static int read_extensions(struct reader *reader, struct attr_first *first)
{
    while (!reader_at_end(reader)) {
        char name = '\0';
        struct attr_value value = {NULL, 0};
        int r = read_attr(reader, &name, &value);
        if (r < 0)
            return r;
        if (strchr("acenprsiv", name))
            return refuse(reader, XMPP_ERR_PROTOCOL, text_malformed);
        if (first && name == 'h')
            first->ssdp = value;
        else if (first && name == 't')
            first->tls = value;
    }
    return XMPP_OK;
}

/* posit-number = %x31-39 *DIGIT */
static int parse_count(struct reader *reader, struct attr_value value, uint64_t *ret)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.str[i] < '0' || value.str[i] > '9')
            return refuse(reader, XMPP_ERR_PROTOCOL, "the SCRAM iteration count is not a number");
    if (value.len > 1 && value.str[0] == '0')
        return refuse(reader, XMPP_ERR_PROTOCOL, "the SCRAM iteration count is not a number");
    if (!str_parse_uint(value.str, value.len, UINT32_MAX, ret))
        *ret = UINT64_MAX;
    return XMPP_OK;
}

/* printable = %x21-2B / %x2D-7E; commas are gone already */
static bool is_printable(struct attr_value value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.str[i] < 0x21 || value.str[i] > 0x7e)
            return false;
    return true;
}

static int parse_first(struct reader *reader, struct attr_first *first)
{
    char name = '\0';
    struct attr_value count = {NULL, 0};

    int r = read_attr(reader, &name, &first->nonce);
    if (r < 0)
        return r;
    if (name == 'e') { /* not in the grammar, but servers have no other way to say it here */
        first->error = first->nonce;
        return XMPP_OK;
    }
    if (name != 'r' || !is_printable(first->nonce))
        return refuse(reader, XMPP_ERR_PROTOCOL, "no nonce in the server's first SCRAM message");
    r = read_named(reader, 's', "no salt in the server's first SCRAM message", &first->salt);
    if (r < 0)
        return r;
    r = read_named(reader, 'i', "no iteration count in the server's first SCRAM message", &count);
    if (r < 0)
        return r;
    r = parse_count(reader, count, &first->iterations);
    if (r < 0)
        return r;
    return read_extensions(reader, first);
}

int attr_parse_first(const char *message, size_t len, struct attr_first *ret,
                     const char **ret_reason)
{
    struct reader reader;
    struct attr_first first = {.iterations = 0};

    int r = reader_init(&reader, message, len);
    if (r == XMPP_OK)
        r = parse_first(&reader, &first);
    if (r < 0) {
        *ret_reason = reader.reason;
        return r;
    }
    *ret = first;
    return XMPP_OK;
}

static int parse_final(struct reader *reader, struct attr_final *final)
{
    char name = '\0';
    struct attr_value value = {NULL, 0};

    int r = read_attr(reader, &name, &value);
    if (r < 0)
        return r;
    if (name == 'e')
        final->error = value;
    else if (name == 'v')
        final->verifier = value;
    else
        return refuse(reader, XMPP_ERR_PROTOCOL, "no server signature in the last SCRAM message");
    return read_extensions(reader, NULL);
}

int attr_parse_final(const char *message, size_t len, struct attr_final *ret,
                     const char **ret_reason)
{
    struct reader reader;
    struct attr_final final = {.verifier = {NULL, 0}};

    int r = reader_init(&reader, message, len);
    if (r == XMPP_OK)
        r = parse_final(&reader, &final);
    if (r < 0) {
        *ret_reason = reader.reason;
        return r;
    }
    *ret = final;
    return XMPP_OK;
}
