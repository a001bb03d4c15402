#ifndef XMPP_MODULE_H
#define XMPP_MODULE_H
#include <xmpp/client.h>
XMPP_BEGIN_DECLS
/* What an extension module is made of. One per client and name; lives until its last reference goes,
 * which may happen in any thread: destroy always runs in the loop's thread. A module pins its client. */
typedef int (*xmpp_module_create_fn)(xmpp_module *module, xmpp_client *client, void **ret_data);
XMPP_API int xmpp_module_attach(xmpp_module **ret, xmpp_client *client, const char *name,
                                xmpp_module_create_fn create, xmpp_destroy_fn destroy);
XMPP_API xmpp_module *xmpp_module_ref(xmpp_module *module);
XMPP_API xmpp_module *xmpp_module_unref(xmpp_module *module);
XMPP_API void *xmpp_module_get_data(const xmpp_module *module);
XMPP_API xmpp_client *xmpp_module_get_client(const xmpp_module *module); /* borrowed */
XMPP_END_DECLS
#endif
