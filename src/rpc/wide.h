/* Characters beyond U+FFFF, which xmlrpc-c refuses in strings. Any thread. */
#ifndef RPC_WIDE_H
#define RPC_WIDE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

bool rpc_wide_has(const char *bytes, size_t length);

/* Copies a document that rpc_validate_document has passed, with each string that holds such a
 * character put as base64, which is taken wherever a string is; a fault's sentence, which has to
 * stay a string, gets them percent-escaped. `out` is malloc. ERR_NO_MEMORY. */
enum err rpc_wide_narrow(char **out, size_t *out_length, const char *bytes, size_t length);

#endif
