/* Addresses. The input is up to three strings with NUL between them. One: it is parsed, strictly and leniently. Two or
 * three: a localpart (empty: none), a domainpart and a resourcepart (not there: none) are composed. */
#include "fuzz/fuzz.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "jid/domain.h"
#include "jid/jid.h"
#include "jid/prep.h"

#include <xmpp/error.h>

static void check_part(const char *part)
{
    if (!part)
        return;
    CHECK(strlen(part) >= 1 && strlen(part) <= LIMIT_JID_PART);
    CHECK(utf8_is_xml(part, strlen(part)));
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_equal(const xmpp_jid *a, const xmpp_jid *b)
{
    CHECK(same(xmpp_jid_get_str(a), xmpp_jid_get_str(b)));
    CHECK(same(xmpp_jid_get_local(a), xmpp_jid_get_local(b)));
    CHECK(same(xmpp_jid_get_domain(a), xmpp_jid_get_domain(b)));
    CHECK(same(xmpp_jid_get_resource(a), xmpp_jid_get_resource(b)));
    CHECK(same(xmpp_jid_get_bare_str(a), xmpp_jid_get_bare_str(b)));
    CHECK(xmpp_jid_compare(a, b) == 0 && xmpp_jid_compare(b, a) == 0);
    CHECK(xmpp_jid_equal_bare(a, b) == 1);
}

/* What holds for every JID. */
static void check_shape(const xmpp_jid *jid)
{
    const char *str = xmpp_jid_get_str(jid);
    const char *local = xmpp_jid_get_local(jid);
    const char *resource = xmpp_jid_get_resource(jid);
    xmpp_jid *bare = NULL;
    char joined[LIMIT_JID + 1];

    CHECK(xmpp_jid_get_domain(jid) != NULL);
    check_part(local);
    check_part(xmpp_jid_get_domain(jid));
    check_part(resource);
    CHECK(strlen(str) <= LIMIT_JID);
    snprintf(joined, sizeof joined, "%s%s%s%s%s", local ? local : "", local ? "@" : "",
             xmpp_jid_get_domain(jid), resource ? "/" : "", resource ? resource : "");
    CHECK(same(joined, str));
    CHECK(xmpp_jid_to_bare(jid, &bare) == XMPP_OK);
    CHECK(same(xmpp_jid_get_str(bare), xmpp_jid_get_bare_str(jid)));
    CHECK(xmpp_jid_get_resource(bare) == NULL);
    CHECK(xmpp_jid_equal_bare(bare, jid) == 1);
    CHECK((xmpp_jid_compare(bare, jid) == 0) == (resource == NULL));
    xmpp_jid_unref(bare);
}

/* The A-label form is another spelling of the same domain. */
static void check_ascii(const xmpp_jid *jid)
{
    const char *ascii = jid_get_ascii_domain(jid);
    xmpp_jid *again = NULL;

    CHECK(ascii != NULL && *ascii != '\0');
    CHECK(utf8_is_ascii(ascii, strlen(ascii)));
    if (jid_is_ip(jid))
        return;
    CHECK(xmpp_jid_compose(&again, xmpp_jid_get_local(jid), ascii, xmpp_jid_get_resource(jid)) ==
          XMPP_OK);
    check_equal(jid, again);
    xmpp_jid_unref(again);
}

static void check_strict(const xmpp_jid *jid)
{
    xmpp_jid *parsed = NULL;
    xmpp_jid *composed = NULL;
    xmpp_jid *lenient = NULL;
    const char *str = xmpp_jid_get_str(jid);

    check_shape(jid);
    CHECK(xmpp_jid_parse(&parsed, str) == XMPP_OK);
    check_equal(jid, parsed);
    CHECK(xmpp_jid_compose(&composed, xmpp_jid_get_local(jid), xmpp_jid_get_domain(jid),
                           xmpp_jid_get_resource(jid)) == XMPP_OK);
    check_equal(jid, composed);
    CHECK(jid_parse_lenient(&lenient, str, strlen(str)) == XMPP_OK);
    check_equal(jid, lenient);
    check_ascii(jid);
    xmpp_jid_unref(parsed);
    xmpp_jid_unref(composed);
    xmpp_jid_unref(lenient);
}

static void run_parse(const char *str, size_t len)
{
    xmpp_jid *strict = NULL;
    xmpp_jid *lenient = NULL;
    int r = xmpp_jid_parse(&strict, str);
    int r_lenient = jid_parse_lenient(&lenient, str, len);

    CHECK(r == XMPP_OK || r == XMPP_ERR_JID);
    CHECK(r_lenient == XMPP_OK || r_lenient == XMPP_ERR_JID);
    if (r == XMPP_OK) {
        check_strict(strict);
        CHECK(r_lenient == XMPP_OK);
        check_equal(strict, lenient);
    }
    if (r_lenient == XMPP_OK) {
        xmpp_jid *again = NULL;
        const char *canonical = xmpp_jid_get_str(lenient);

        check_shape(lenient);
        CHECK(jid_parse_lenient(&again, canonical, strlen(canonical)) == XMPP_OK);
        check_equal(lenient, again);
        xmpp_jid_unref(again);
    }
    xmpp_jid_unref(strict);
    xmpp_jid_unref(lenient);
}

static void run_compose(const char *local, const char *domain, const char *resource)
{
    xmpp_jid *jid = NULL;
    int r = xmpp_jid_compose(&jid, local, domain, resource);

    CHECK(r == XMPP_OK || r == XMPP_ERR_JID);
    if (r < 0)
        return;
    CHECK((local != NULL) == (xmpp_jid_get_local(jid) != NULL));
    CHECK((resource != NULL) == (xmpp_jid_get_resource(jid) != NULL));
    check_strict(jid);
    xmpp_jid_unref(jid);
}

typedef int (*prep_fn)(const char *str, size_t len, bool lenient, char **ret);

static int preserved(const char *str, size_t len, bool lenient, char **ret)
{
    (void)lenient;
    return prep_username_case_preserved(str, len, ret);
}

/* RFC 8265: enforcing once more changes nothing. */
static void run_prep(const char *str, size_t len)
{
    static const prep_fn profiles[] = {prep_username_case_mapped, prep_opaque_string, preserved};

    for (size_t i = 0; i < 6; i++) {
        prep_fn prep = profiles[i / 2];
        bool lenient = i % 2;
        char *once = NULL;
        char *twice = NULL;

        if (prep(str, len, lenient, &once) < 0)
            continue;
        CHECK(utf8_is_xml(once, strlen(once)));
        if (strlen(once) <= LIMIT_JID) {
            CHECK(prep(once, strlen(once), lenient, &twice) == XMPP_OK);
            CHECK(same(once, twice));
        }
        xmpp_mem_free(once);
        xmpp_mem_free(twice);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    int separator;
    size_t len;
    char *first;

    fuzz_begin();
    first = input_until(&input, 0, 0, &len, &separator);
    if (len == size) {
        run_parse(first, len);
        run_prep(first, len);
    } else {
        size_t domain_len;
        char *domain = input_until(&input, 0, 0, &domain_len, &separator);
        bool has_resource = domain_len + len + 1 < size;
        size_t rest_len;
        char *resource = input_rest(&input, &rest_len);
        xmpp_jid *lenient = NULL;

        run_compose(len > 0 ? first : NULL, domain, has_resource ? resource : NULL);
        /* NUL among the bytes */
        CHECK(jid_parse_lenient(&lenient, (const char *)data, size) == XMPP_ERR_JID);
        free(domain);
        free(resource);
    }
    free(first);
    fuzz_end();
    return 0;
}
