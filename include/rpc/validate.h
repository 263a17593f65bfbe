/* What stands between foreign bytes and xmlrpc-c's parser. Any thread. */
#ifndef RPC_VALIDATE_H
#define RPC_VALIDATE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { RPC_REASON_SIZE = 512, RPC_DOCUMENT_LIMIT = 4 << 20, RPC_DEPTH_LIMIT = 128 };

/* What has to hold before a document may reach the parser: UTF-8 without NUL (a byte order
 * mark may stand before it) and declared as nothing else, no `<!` (entities, CDATA), no processing
 * instruction but a declaration at the start, at most RPC_DEPTH_LIMIT elements inside each other,
 * base64 that is base64. ERR_INVALID with a sentence. */
enum err rpc_validate_document(const char *bytes, size_t length, char problem[RPC_REASON_SIZE]);

/* True for UTF-8 that may stand in XML and that xmlrpc-c carries: nothing beyond U+FFFF, of
 * control characters only tab and newline. */
bool rpc_validate_text(const char *bytes, size_t length);

/* Length of the UTF-8 sequence at `at`, 0 if it is none that XML may hold. */
size_t rpc_validate_utf8_length(const char *at, size_t left);

/* Behind the byte order mark of UTF-8, which XML may begin with and xmlrpc-c does not know. */
const char *rpc_validate_skip_mark(const char *bytes, size_t *length);

#endif
