/* Checks on untrusted documents before xmlrpc-c parses them. Any thread. */
#ifndef RPC_VALIDATE_H
#define RPC_VALIDATE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { RPC_REASON_SIZE = 512, RPC_DOCUMENT_LIMIT = 4 << 20, RPC_DEPTH_LIMIT = 128 };

/* Accepts a document for the parser: UTF-8 without NUL, optionally with a byte order mark, not
 * declared as another encoding; no `<!` (entities, CDATA), no processing instruction except the XML
 * declaration; at most RPC_DEPTH_LIMIT nested elements; valid base64 and i8. Otherwise ERR_INVALID,
 * with the reason in `problem`. */
enum err rpc_validate_document(const char *bytes, size_t length, char problem[RPC_REASON_SIZE]);

/* True for UTF-8 that is valid in XML and supported by xmlrpc-c: nothing beyond U+FFFF, no control
 * characters except tab and newline. */
bool rpc_validate_text(const char *bytes, size_t length);

/* Length of the UTF-8 sequence at `at`; 0 if it is invalid or not allowed in XML. */
size_t rpc_validate_utf8_length(const char *at, size_t left);

/* Skips a UTF-8 byte order mark, which XML allows and xmlrpc-c does not support. */
const char *rpc_validate_skip_bom(const char *bytes, size_t *length);

#endif
