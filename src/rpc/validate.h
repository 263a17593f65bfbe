/* What stands between foreign bytes and the parser. Any thread. */
#ifndef RPC_VALIDATE_H
#define RPC_VALIDATE_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the UTF-8 sequence at `at`, 0 if it is none that XML may hold. */
size_t rpc_validate_utf8_length(const char *at, size_t left);

/* Behind the byte order mark of UTF-8, which XML may begin with and xmlrpc-c does not know. */
const char *rpc_validate_skip_mark(const char *bytes, size_t *length);

/* A tag of a document that rpc_validate_document has passed. */
struct rpc_tag {
    const char *begin, *end; /* `end`: behind '>' */
    bool is_closing;
    bool is_empty; /* <nil/> */
};

/* The tag that begins at `at`, where '<' stands. False: it has no end. */
bool rpc_validate_read_tag(struct rpc_tag *out, const char *at, const char *end);
/* True for <name>, <name/>, <name with="attributes">. */
bool rpc_validate_tag_is_named(const struct rpc_tag *tag, const char *name);

#endif
