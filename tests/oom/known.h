#ifndef OOM_KNOWN_H
#define OOM_KNOWN_H

#include "support/starve-run.h"

#include <stddef.h>

/* Where a dependency itself ends the process (doc/testing.md). */
static const struct starve_known known[] = {
    {"/libtasn1.so", "asn1_create_element", "gnutls_x509_dn_init",
     "GnuTLS 3.7.9 passes on what it could not allocate"},
    {"/libtasn1.so", "gnutls_x509_crt_deinit", "gnutls_x509_crt_list_import",
     "GnuTLS 3.7.9 frees what it could not allocate"},
    {"/libgnutls.so", "gnutls_x509_crt_deinit", "gnutls_x509_crt_list_import", "the same"},
    {"/libsasl2.so", "sasl_client_init", NULL,
     "libsasl2 2.1.28 uses the name of a plug-in that it could not copy"},
    {"/libsasl2.so", "sasl_client_new", NULL,
     "libsasl2 2.1.28 uses the connection, and glibc the host name, that was not allocated"},
    {"/libdigestmd5.so", "sasl_client_step", NULL,
     "the plug-in of libsasl2 2.1.28 uses what it could not allocate"},
    {NULL, NULL, NULL, NULL},
};

#endif
