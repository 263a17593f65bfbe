/* What the xmlrpc files share. Any thread. */
#ifndef CONTROL_XMLRPC_PRIV_H
#define CONTROL_XMLRPC_PRIV_H

#include "control/xmlrpc.h"

/* Length of the UTF-8 sequence at `at`, 0 if it is none that XML may hold. */
size_t rpc_utf8_length(const char *at, size_t left);

/* Behind the byte order mark of UTF-8, which XML may begin with and xmlrpc-c does not know. */
const char *rpc_skip_mark(const char *bytes, size_t *length);

/* --- xmlrpc_guard.c: the tags of a document that rpc_document_check has passed */
struct rpc_tag {
    const char *begin, *end; /* `end`: behind '>' */
    bool is_closing;
    bool is_empty; /* <nil/> */
};

/* The tag that begins at `at`, where '<' stands. False: it has no end. */
bool rpc_read_tag(struct rpc_tag *out, const char *at, const char *end);
/* True for <name>, <name/>, <name with="attributes">. */
bool rpc_tag_is_named(const struct rpc_tag *tag, const char *name);

/* --- xmlrpc_wide.c: characters beyond U+FFFF, which xmlrpc-c refuses in strings */
bool rpc_has_wide(const char *bytes, size_t length);

/* Copies a document that rpc_document_check has passed, with each string that holds such a
 * character put as base64, which is taken wherever a string is; a fault's sentence, which has to
 * stay a string, gets them percent-escaped. `out` is malloc. ERR_NO_MEMORY. */
enum err rpc_narrow(char **out, size_t *out_length, const char *bytes, size_t length);

#endif
