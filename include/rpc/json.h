/* Converts XML-RPC values to JSON. Strings hold the raw bytes of the value (jansson's "nocheck")
 * until rpc_json_escape makes them valid in a JSON document. Any thread. */
#ifndef RPC_JSON_H
#define RPC_JSON_H

#include <jansson.h>
#include <xmlrpc-c/base.h>

/* nil and dates become null, as does everything when out of memory. Release with json_decref. */
json_t *rpc_json_of(xmlrpc_value *value);
/* Percent-encodes strings that are not valid UTF-8 in place; for a member NAME of an object, a
 * member NAME_is_escaped: true is added. */
void rpc_json_escape(json_t *value);

#endif
