/* The tags of a document. They can be told by looking, as validate.c explains. Any thread. */
#ifndef RPC_TAG_H
#define RPC_TAG_H

#include <stdbool.h>

struct rpc_tag {
    const char *begin, *end; /* `end`: behind '>' */
    bool is_closing;
    bool is_empty; /* <nil/> */
};

/* The tag that begins at `at`, where '<' stands. False: it has no end. */
bool rpc_tag_read(struct rpc_tag *out, const char *at, const char *end);
/* True for <name>, <name/>, <name with="attributes">. */
bool rpc_tag_is_named(const struct rpc_tag *tag, const char *name);

#endif
