#ifndef XML_NAME_H
#define XML_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* The static string for a known namespace, element or attribute name, or NULL; shared by all threads. */
const char *name_find(const char *str, size_t len);
/* The same for those that are an NCName. */
const char *name_find_ncname(const char *str, size_t len);
/* NCName of Namespaces in XML 1.0 (valid UTF-8 too) */
bool name_is_ncname(const char *str, size_t len);

#endif
