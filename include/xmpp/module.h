#ifndef XMPP_MODULE_H
#define XMPP_MODULE_H
#include <xmpp/client.h>
XMPP_BEGIN_DECLS

/**
 * @file
 * What an extension module is made of.
 *
 * There is one module per client and name. It lives until its last reference goes, and pins its client meanwhile. A module
 * registers its handlers and features when it is created, with slots, and drops the slots in its destroy
 * function. Modules need nothing but the public headers, so they can live outside this library.
 */

/**
 * Make what a module consists of.
 *
 * @param module    the new module; not owned: a reference kept here would keep it forever
 * @param client    the client; the module has a reference
 * @param ret_data  [out] what xmpp_module_get_data() gives
 *
 * @return XMPP_OK or XMPP_ERR_*: then nothing remains, and destroy is not called
 */
typedef int (*xmpp_module_create_fn)(xmpp_module *module, xmpp_client *client, void **ret_data);

/**
 * Get the module of this name, or create it.
 *
 * @param ret      [out] new reference, xmpp_module_unref(); untouched on failure
 * @param client   the client; referenced by the module
 * @param name     not empty; copied. One name, one set of functions
 * @param create   not NULL; runs inside this call, if there is no such module
 * @param destroy  [optional] gets the data, once, in the thread of the loop, after the last reference went
 *
 * Thread of the loop.
 *
 * @retval XMPP_OK          *ret is set
 * @retval XMPP_ERR_INVAL   an argument is NULL, or name is empty
 * @retval XMPP_ERR_BUSY    called by the create function of the same module
 * @retval XMPP_ERR_NOMEM   out of memory
 * @retval XMPP_ERR_THREAD  wrong thread (debug builds), or after fork()
 * @return also what create returned
 * @since 0.1
 */
XMPP_API int xmpp_module_attach(xmpp_module **ret, xmpp_client *client, const char *name,
                                xmpp_module_create_fn create, xmpp_destroy_fn destroy);

/**
 * Add a reference.
 *
 * @param module  NULL allowed
 *
 * Any thread.
 *
 * @return module
 * @since 0.1
 */
XMPP_API xmpp_module *xmpp_module_ref(xmpp_module *module);

/**
 * Drop a reference. With the last one the module is destroyed, in the thread of the loop.
 *
 * @param module  NULL allowed
 *
 * Any thread.
 *
 * @return NULL
 * @since 0.1
 */
XMPP_API xmpp_module *xmpp_module_unref(xmpp_module *module);

/**
 * What the create function made.
 *
 * @param module  NULL: NULL
 *
 * Any thread; the data itself as the module says.
 *
 * @return the data
 * @since 0.1
 */
XMPP_API void *xmpp_module_get_data(const xmpp_module *module);

/**
 * The client of a module.
 *
 * @param module  NULL: NULL
 *
 * Any thread.
 *
 * @return borrowed of the module
 * @since 0.1
 */
XMPP_API xmpp_client *xmpp_module_get_client(const xmpp_module *module);

XMPP_END_DECLS
#endif
