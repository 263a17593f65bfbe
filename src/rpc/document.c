#include "rpc/document.h"

#include "base/contract.h"
#include "base/text.h"
#include "rpc/validate.h"
#include "rpc/wide.h"

#include <stdlib.h>
#include <string.h>

void rpc_library_init(void)
{
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    xmlrpc_init(&env);
    CONTRACT(!env.fault_occurred);
    /* rpc_validate_document enforces the limit; rpc_wide_encode can make a document longer. */
    xmlrpc_limit_set(XMLRPC_XML_SIZE_LIMIT_ID, 4 * (size_t)RPC_DOCUMENT_LIMIT);
    xmlrpc_env_clean(&env);
}

void rpc_library_fini(void)
{
    xmlrpc_term();
}

/* xmlrpc-c's messages can quote parts of the document, so they are escaped. */
static void format_reason(char to[RPC_REASON_SIZE], const char *before, const char *reason)
{
    char escaped[RPC_REASON_SIZE / 2];

    text_escape(escaped, sizeof escaped, reason, strlen(reason), false);
    text_format(to, RPC_REASON_SIZE, "%s%s", before, escaped);
}

/* A document for the parser: checked, without a byte order mark, and without characters that are
 * valid in XML-RPC but not supported by xmlrpc-c. */
struct document {
    const char *bytes;
    size_t length;
    char *own; /* the rewritten document, malloc; NULL: `bytes` are the caller's */
};

static enum err document_prepare(struct document *out, const char *bytes, size_t length,
                                 char problem[RPC_REASON_SIZE])
{
    enum err e = rpc_validate_document(bytes, length, problem);

    *out = (struct document){.bytes = rpc_validate_skip_bom(bytes, &length)};
    out->length = length;
    if (e == ERR_OK && rpc_wide_has(out->bytes, length)) {
        e = rpc_wide_encode(&out->own, &out->length, out->bytes, length);
        out->bytes = out->own;
        if (e != ERR_OK)
            text_format(problem, RPC_REASON_SIZE, "cannot read the XML document: %s", err_text(e));
    }
    return e;
}

enum err rpc_call_parse(struct rpc_call *out, const char *bytes, size_t length,
                        char problem[RPC_REASON_SIZE])
{
    const char *method = NULL;
    xmlrpc_value *params = NULL;
    struct document document;
    enum err e = document_prepare(&document, bytes, length, problem);
    xmlrpc_env env;

    if (e != ERR_OK)
        return e;
    xmlrpc_env_init(&env);
    xmlrpc_parse_call(&env, document.bytes, document.length, &method, &params);
    if (env.fault_occurred) {
        format_reason(problem, "the request is not an XML-RPC call: ", env.fault_string);
        e = ERR_INVALID;
    } else {
        out->method = (char *)method; /* malloc'ed by xmlrpc-c, in spite of const */
        out->params = params;
    }
    xmlrpc_env_clean(&env);
    free(document.own);
    return e;
}

void rpc_call_fini(struct rpc_call *call)
{
    free(call->method);
    call->method = NULL;
    rpc_release(&call->params);
}

/* Copies an xmlrpc-c memory block to malloc'ed memory; releases `env` and `block`. */
static enum err copy_document(char **out, size_t *length, xmlrpc_env *env, xmlrpc_mem_block *block)
{
    enum err e = ERR_OK;

    if (env->fault_occurred) {
        e = ERR_INVALID;
    } else {
        *length = XMLRPC_MEMBLOCK_SIZE(char, block);
        *out = text_dup(XMLRPC_MEMBLOCK_CONTENTS(char, block), *length);
        if (*out == NULL)
            e = ERR_NO_MEMORY;
    }
    if (block != NULL)
        XMLRPC_MEMBLOCK_FREE(char, block);
    xmlrpc_env_clean(env);
    return e;
}

enum err rpc_call_write(char **out, size_t *length, const char *method, xmlrpc_value *params)
{
    xmlrpc_mem_block *block;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    block = XMLRPC_MEMBLOCK_NEW(char, &env, 0);
    if (!env.fault_occurred)
        xmlrpc_serialize_call(&env, block, method, params);
    return copy_document(out, length, &env, block);
}

enum err rpc_answer_write(char **out, size_t *length, xmlrpc_value *answer)
{
    xmlrpc_mem_block *block;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    block = XMLRPC_MEMBLOCK_NEW(char, &env, 0);
    if (!env.fault_occurred)
        xmlrpc_serialize_response(&env, block, answer);
    return copy_document(out, length, &env, block);
}

/* A copy with the bytes that a string cannot carry percent-escaped; malloc, NULL: out of memory. */
static char *escape_uncarriable(const char *text)
{
    size_t left = strlen(text), room = 3 * left + 1;
    char *to = malloc(room), *end = to;

    while (to != NULL && left > 0) {
        size_t step = rpc_validate_utf8_length(text, left);

        if (step > 0 && rpc_validate_text(text, step)) {
            memcpy(end, text, step);
            end += step;
        } else {
            step = 1;
            end += text_escape(end, room - (size_t)(end - to), text, 1, false);
        }
        text += step;
        left -= step;
    }
    if (to != NULL)
        *end = '\0';
    return to;
}

enum err rpc_answer_write_fault(char **out, size_t *length, int code, const char *message)
{
    char *clean = escape_uncarriable(message);
    xmlrpc_mem_block *block;
    xmlrpc_env env, fault;

    if (clean == NULL)
        return ERR_NO_MEMORY;
    xmlrpc_env_init(&env);
    xmlrpc_env_init(&fault);
    xmlrpc_env_set_fault(&fault, code, clean);
    block = XMLRPC_MEMBLOCK_NEW(char, &env, 0);
    if (!env.fault_occurred)
        xmlrpc_serialize_fault(&env, block, &fault);
    xmlrpc_env_clean(&fault);
    free(clean);
    return copy_document(out, length, &env, block);
}

enum err rpc_answer_parse(struct rpc_answer *out, const char *bytes, size_t length)
{
    char problem[RPC_REASON_SIZE];
    const char *fault = NULL;
    struct document document;
    enum err e = document_prepare(&document, bytes, length, problem);
    xmlrpc_env env;

    *out = (struct rpc_answer){.value = NULL};
    xmlrpc_env_init(&env);
    if (e == ERR_OK) {
        xmlrpc_parse_response2(&env, document.bytes, document.length, &out->value, &out->fault_code,
                               &fault);
        if (env.fault_occurred) {
            format_reason(problem, "the answer is not an XML-RPC answer: ", env.fault_string);
            out->value = NULL;
            e = ERR_INVALID;
        }
    }
    if (e != ERR_OK)
        out->text = text_dup(problem, strlen(problem));
    else if (fault != NULL) {
        out->value = NULL;
        out->text = (char *)fault;
    }
    xmlrpc_env_clean(&env);
    free(document.own);
    return e;
}

void rpc_answer_fini(struct rpc_answer *answer)
{
    rpc_release(&answer->value);
    free(answer->text);
    answer->text = NULL;
}

/* A failed xmlrpc_…_new returns a dangling pointer, not NULL. */
static xmlrpc_value *value_or_null(const xmlrpc_env *env, xmlrpc_value *value)
{
    return env->fault_occurred ? NULL : value;
}

static xmlrpc_value *string_or_bytes(xmlrpc_env *env, const char *text, bool is_string)
{
    size_t length = strlen(text);

    if (env->fault_occurred)
        return NULL;
    if (is_string && rpc_validate_text(text, length))
        return value_or_null(env, xmlrpc_string_new_lp(env, length, text));
    return rpc_bytes(env, text, length);
}

xmlrpc_value *rpc_text(xmlrpc_env *env, const char *text)
{
    return string_or_bytes(env, text, true);
}

xmlrpc_value *rpc_path(xmlrpc_env *env, const char *path)
{
    return string_or_bytes(env, path, strpbrk(path, "\t\n") == NULL);
}

xmlrpc_value *rpc_nil(xmlrpc_env *env)
{
    return env->fault_occurred ? NULL : value_or_null(env, xmlrpc_nil_new(env));
}

xmlrpc_value *rpc_bytes(xmlrpc_env *env, const void *bytes, size_t length)
{
    if (env->fault_occurred)
        return NULL;
    return value_or_null(env, xmlrpc_base64_new(env, length, bytes));
}

xmlrpc_value *rpc_integer(xmlrpc_env *env, int64_t number)
{
    if (env->fault_occurred)
        return NULL;
    if (number >= INT32_MIN && number <= INT32_MAX)
        return value_or_null(env, xmlrpc_int_new(env, (int)number));
    return value_or_null(env, xmlrpc_i8_new(env, number));
}

xmlrpc_value *rpc_struct(xmlrpc_env *env)
{
    return env->fault_occurred ? NULL : value_or_null(env, xmlrpc_struct_new(env));
}

xmlrpc_value *rpc_array(xmlrpc_env *env)
{
    return env->fault_occurred ? NULL : value_or_null(env, xmlrpc_array_new(env));
}

xmlrpc_value *rpc_bool(xmlrpc_env *env, bool is)
{
    return env->fault_occurred ? NULL : value_or_null(env, xmlrpc_bool_new(env, is));
}

void rpc_put(xmlrpc_env *env, xmlrpc_value *to, const char *name, xmlrpc_value *value)
{
    if (!env->fault_occurred)
        xmlrpc_struct_set_value(env, to, name, value);
    rpc_release(&value);
}

void rpc_put_text(xmlrpc_env *env, xmlrpc_value *to, const char *name, const char *text)
{
    rpc_put(env, to, name, rpc_text(env, text));
}

void rpc_put_integer(xmlrpc_env *env, xmlrpc_value *to, const char *name, int64_t number)
{
    rpc_put(env, to, name, rpc_integer(env, number));
}

void rpc_put_bool(xmlrpc_env *env, xmlrpc_value *to, const char *name, bool is)
{
    rpc_put(env, to, name, rpc_bool(env, is));
}

void rpc_put_double(xmlrpc_env *env, xmlrpc_value *to, const char *name, double number)
{
    rpc_put(env, to, name,
            env->fault_occurred ? NULL : value_or_null(env, xmlrpc_double_new(env, number)));
}

void rpc_add(xmlrpc_env *env, xmlrpc_value *array, xmlrpc_value *value)
{
    if (!env->fault_occurred)
        xmlrpc_array_append_item(env, array, value);
    rpc_release(&value);
}

void rpc_release(xmlrpc_value **value)
{
    if (*value != NULL)
        xmlrpc_DECREF(*value);
    *value = NULL;
}
