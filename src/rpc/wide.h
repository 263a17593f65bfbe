/* Characters beyond U+FFFF, which xmlrpc-c rejects in strings. Any thread. */
#ifndef RPC_WIDE_H
#define RPC_WIDE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

bool rpc_wide_has(const char *bytes, size_t length);

/* Copies a document that rpc_validate_document has accepted. Strings with such characters become
 * base64, which is accepted wherever a string is; in a faultString, which must stay a string, the
 * characters are percent-escaped. `out` is malloc. ERR_NO_MEMORY. */
enum err rpc_wide_encode(char **out, size_t *out_length, const char *bytes, size_t length);

#endif
