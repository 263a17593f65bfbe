/* The tags of a document, scanned without an XML parser; validate.c says why that is safe. Any
 * thread. */
#ifndef RPC_TAG_H
#define RPC_TAG_H

#include <stdbool.h>

struct rpc_tag {
    const char *begin, *end; /* `end`: after '>' */
    bool is_closing;
    bool is_empty; /* <nil/> */
};

/* Reads the tag at `at`, which points to '<'. False: it is not terminated. */
bool rpc_tag_read(struct rpc_tag *out, const char *at, const char *end);
/* True for <name>, <name/>, <name with="attributes">. */
bool rpc_tag_is_named(const struct rpc_tag *tag, const char *name);

#endif
