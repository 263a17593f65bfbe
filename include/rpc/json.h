/* XML-RPC values as JSON. A string holds the very bytes of the value (jansson calls that
 * "nocheck"), until rpc_json_clean makes of it what may stand in a JSON document. Any thread. */
#ifndef RPC_JSON_H
#define RPC_JSON_H

#include <jansson.h>
#include <xmlrpc-c/base.h>

/* nil, dates, and what there is no memory for become null. The caller's (json_decref). */
json_t *rpc_json_of(xmlrpc_value *value);
/* Whatever is no UTF-8 is percent-escaped in place; where it was the member NAME of an object, that
 * gets a member NAME_is_escaped: true. */
void rpc_json_clean(json_t *value);

#endif
