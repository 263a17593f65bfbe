/* XML-RPC on top of xmlrpc-c's core library, for client and server: parses documents, with checks
 * that the library lacks, and writes documents whose text is always valid XML. Independent of HTTP
 * and of the methods.
 *
 * Building an answer: every function takes an xmlrpc_env and is a no-op once that has a fault, so a
 * sequence of calls is checked once, at its end. Values are reference-counted; `rpc_put…` and
 * `rpc_add` take ownership of the value. */
#ifndef RPC_DOCUMENT_H
#define RPC_DOCUMENT_H

#include "base/err.h"
#include "rpc/fault.h"
#include "rpc/validate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xmlrpc-c/base.h>

/* Sets up xmlrpc-c. At start, before other threads exist; calls are counted. */
void rpc_library_init(void);
void rpc_library_fini(void);

/* A call, parsed by the server and written by the client. */
struct rpc_call {
    char *method;
    xmlrpc_value *params; /* an array */
};
enum err rpc_call_parse(struct rpc_call *out, const char *bytes, size_t length,
                        char problem[RPC_REASON_SIZE]);
void rpc_call_fini(struct rpc_call *call);

/* Each writes a NUL-terminated document to malloc'ed memory. ERR_NO_MEMORY, ERR_INVALID. The values
 * are not consumed. Bytes of a fault's message that a string cannot carry are percent-escaped. */
enum err rpc_call_write(char **out, size_t *length, const char *method, xmlrpc_value *params);
enum err rpc_answer_write(char **out, size_t *length, xmlrpc_value *answer);
enum err rpc_answer_write_fault(char **out, size_t *length, int code, const char *message);

/* An answer: a value or a fault; ERR_INVALID with the reason in `text` if it is neither. Release it
 * with rpc_answer_fini in every case. */
struct rpc_answer {
    xmlrpc_value *value; /* NULL: a fault */
    int fault_code;
    char *text; /* the fault's message, or the reason for ERR_INVALID */
};
enum err rpc_answer_parse(struct rpc_answer *out, const char *bytes, size_t length);
void rpc_answer_fini(struct rpc_answer *answer);

/* Any thread. Values. Text that a string cannot carry (rpc_validate_text) and paths with a tab or
 * newline are encoded as base64, which preserves their bytes; integers beyond 32 bits as i8. */
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
/* Drops a reference and sets it to NULL. NULL is a no-op. */
void rpc_release(xmlrpc_value **value);

#endif
