/* XML-RPC on top of xmlrpc-c's core library, for both ends of a connection: documents in, checked
 * for what that library does not check, and documents out, with text that is always valid XML.
 * Knows no HTTP and no method.
 *
 * Building an answer: every function takes an xmlrpc_env and does nothing once that has a fault, so
 * a run of calls is checked once, at its end. Values are counted; `rpc_put…` takes over the value
 * that it puts. */
#ifndef RPC_DOCUMENT_H
#define RPC_DOCUMENT_H

#include "base/err.h"
#include "rpc/fault.h"
#include "rpc/validate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xmlrpc-c/base.h>

/* At start, before other threads: xmlrpc-c's own setting up, which counts. */
void rpc_library_init(void);
void rpc_library_fini(void);

/* A call: what the server reads and the client writes. */
struct rpc_call {
    char *method;
    xmlrpc_value *params; /* an array */
};
enum err rpc_call_parse(struct rpc_call *out, const char *bytes, size_t length,
                        char problem[RPC_REASON_SIZE]);
void rpc_call_fini(struct rpc_call *call);

/* Each makes a document in malloc'ed memory, with a NUL behind it. ERR_NO_MEMORY, ERR_INVALID. The
 * values stay the caller's. What a string cannot carry of a fault's sentence is percent-escaped. */
enum err rpc_call_write(char **out, size_t *length, const char *method, xmlrpc_value *params);
enum err rpc_answer_write(char **out, size_t *length, xmlrpc_value *answer);
enum err rpc_fault_write(char **out, size_t *length, int code, const char *sentence);

/* An answer: a value, or a fault. ERR_INVALID with a sentence in `text` if it is neither.
 * Always to be ended with rpc_answer_fini. */
struct rpc_answer {
    xmlrpc_value *value; /* NULL: a fault */
    int fault_code;
    char *text; /* the fault's sentence, or why it is ERR_INVALID */
};
enum err rpc_answer_parse(struct rpc_answer *out, const char *bytes, size_t length);
void rpc_answer_fini(struct rpc_answer *answer);

/* Any thread. Values. Text that a string cannot carry (rpc_validate_text), and a path with a tab or
 * a newline in it, goes as base64, so that its bytes come through. Integers beyond 32 bits go as
 * i8. */
xmlrpc_value *rpc_text(xmlrpc_env *env, const char *text);
xmlrpc_value *rpc_path(xmlrpc_env *env, const char *path);
xmlrpc_value *rpc_bytes(xmlrpc_env *env, const void *bytes, size_t length); /* base64 */
xmlrpc_value *rpc_integer(xmlrpc_env *env, int64_t number);
xmlrpc_value *rpc_struct(xmlrpc_env *env);
xmlrpc_value *rpc_array(xmlrpc_env *env);
xmlrpc_value *rpc_bool(xmlrpc_env *env, bool is);
xmlrpc_value *rpc_nil(xmlrpc_env *env);
void rpc_put(xmlrpc_env *env, xmlrpc_value *to, const char *name, xmlrpc_value *value);
void rpc_put_text(xmlrpc_env *env, xmlrpc_value *to, const char *name, const char *text);
void rpc_put_integer(xmlrpc_env *env, xmlrpc_value *to, const char *name, int64_t number);
void rpc_put_bool(xmlrpc_env *env, xmlrpc_value *to, const char *name, bool is);
void rpc_put_double(xmlrpc_env *env, xmlrpc_value *to, const char *name, double number);
void rpc_add(xmlrpc_env *env, xmlrpc_value *array, xmlrpc_value *value);
/* At ease with NULL; clears. */
void rpc_release(xmlrpc_value **value);

#endif
