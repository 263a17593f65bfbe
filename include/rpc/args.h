/* The parameters of a call. */
#ifndef RPC_ARGS_H
#define RPC_ARGS_H

#include "rpc/document.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Any thread. False: not an integer. */
bool rpc_args_integer_of(xmlrpc_value *value, int64_t *out);

/* Reads the parameters of a call in order: by position, or by name if the only parameter is a
 * struct. A missing or nil parameter leaves `*out` unchanged, unless `is_required`. The first error
 * sticks: from then on every function returns false, and `problem` describes it. */
struct rpc_args {
    xmlrpc_value *params;
    unsigned next;
    bool is_named;
    unsigned found; /* members of the struct that were read */
    char problem[RPC_REASON_SIZE];
};
void rpc_args_init(struct rpc_args *args, xmlrpc_value *params);
/* String or base64, copied; malloc. */
bool rpc_args_text(struct rpc_args *args, const char *name, bool is_required, char **out);
/* Base64, copied; malloc. Required. */
bool rpc_args_bytes(struct rpc_args *args, const char *name, unsigned char **out, size_t *length);
bool rpc_args_integer(struct rpc_args *args, const char *name, bool is_required, int64_t min,
                      int64_t max, int64_t *out);
/* An array of 1 to `limit` positive integers; malloc. */
bool rpc_args_ids(struct rpc_args *args, const char *name, bool is_required, size_t limit,
                  uint64_t **out, size_t *count);
/* A host: text (host:port, proto://host:port), or an array (host, port), converted to host:port;
 * malloc. */
bool rpc_args_host(struct rpc_args *args, const char *name, bool is_required, char **out);
/* A host or an array of hosts, joined with commas; malloc. */
bool rpc_args_contacts(struct rpc_args *args, const char *name, char **out);
/* Text, a number or a boolean, as text; malloc. */
bool rpc_args_scalar(struct rpc_args *args, const char *name, bool is_required, char **out);
/* A boolean in a struct of options; if it is missing, `*out` is unchanged. Other options are
 * ignored. */
bool rpc_args_flag(struct rpc_args *args, const char *name, const char *member, bool *out);
/* Accepts and ignores all further parameters. */
void rpc_args_ignore_rest(struct rpc_args *args);
/* Sets `problem`, unless there is one. Returns false. */
bool rpc_args_error(struct rpc_args *args, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* True without an error and without unread parameters. */
bool rpc_args_end(struct rpc_args *args);

#endif
