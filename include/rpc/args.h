/* The parameters of a call. */
#ifndef RPC_ARGS_H
#define RPC_ARGS_H

#include "rpc/document.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Any thread. False for what is no whole number. */
bool rpc_args_integer_of(xmlrpc_value *value, int64_t *out);

/* The parameters of a call, taken one after the other: by position, or by name if the call has one
 * struct and nothing else. A missing or nil one leaves `*out` as it was, unless `is_needed`. The
 * first problem sticks: then every call answers false and `problem` is a sentence. */
struct rpc_args {
    xmlrpc_value *params;
    unsigned next;
    bool is_named;
    unsigned found; /* of a struct's members, how many were asked for */
    char problem[RPC_REASON_SIZE];
};
void rpc_args_init(struct rpc_args *args, xmlrpc_value *params);
/* String or base64, copied; malloc. */
bool rpc_args_text(struct rpc_args *args, const char *name, bool is_needed, char **out);
/* Base64, copied; malloc. Needed. */
bool rpc_args_bytes(struct rpc_args *args, const char *name, unsigned char **out, size_t *length);
bool rpc_args_integer(struct rpc_args *args, const char *name, bool is_needed, int64_t least,
                      int64_t most, int64_t *out);
/* An array of integers of at least 1; malloc. */
bool rpc_args_ids(struct rpc_args *args, const char *name, bool is_needed, size_t limit,
                  uint64_t **out, size_t *count);
/* A host: text (host:port, proto://host:port) or an array (host, port), which becomes host:port;
 * malloc. */
bool rpc_args_host(struct rpc_args *args, const char *name, bool is_needed, char **out);
/* A host or an array of hosts, joined with commas; malloc. */
bool rpc_args_contacts(struct rpc_args *args, const char *name, char **out);
/* Text, a number or a boolean, as text; malloc. */
bool rpc_args_word(struct rpc_args *args, const char *name, bool is_needed, char **out);
/* A boolean in a struct of options; a missing one leaves `*out`, and other options do not matter.
 */
bool rpc_args_flag(struct rpc_args *args, const char *name, const char *member, bool *out);
/* Whatever else there is was meant for somebody else. */
void rpc_args_ignore_rest(struct rpc_args *args);
/* A problem that the caller found: a sentence. Answers false. */
bool rpc_args_complain(struct rpc_args *args, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* True if there was no problem and nothing is left over. */
bool rpc_args_end(struct rpc_args *args);

#endif
