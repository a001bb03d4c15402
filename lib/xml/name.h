#ifndef XML_NAME_H
#define XML_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* The static string for a known namespace, element or attribute name, or NULL. Perfectly read-only,
 * shared by all threads. */
const char *name_find(const char *str, size_t len);
/* NCName of Namespaces in XML 1.0 (valid UTF-8 too) */
bool name_is_ncname(const char *str, size_t len);

#endif
