#include "control/xmlrpc.h"

#include "base/contract.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

void rpc_library_init(void)
{
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    xmlrpc_init(&env);
    CONTRACT(!env.fault_occurred);
    xmlrpc_limit_set(XMLRPC_XML_SIZE_LIMIT_ID, RPC_DOCUMENT_LIMIT);
    xmlrpc_env_clean(&env);
}

void rpc_library_fini(void)
{
    xmlrpc_term();
}

/* What xmlrpc-c says about a document may quote it, in parts: only printable text goes on. */
static void keep_reason(char to[RPC_REASON_SIZE], const char *before, const char *reason)
{
    char escaped[RPC_REASON_SIZE / 2];

    text_escape(escaped, sizeof escaped, reason, strlen(reason), false);
    text_format(to, RPC_REASON_SIZE, "%s%s", before, escaped);
}

enum err rpc_call_parse(struct rpc_call *out, const char *bytes, size_t length,
                        char problem[RPC_REASON_SIZE])
{
    const char *method = NULL;
    xmlrpc_value *params = NULL;
    enum err e = rpc_document_check(bytes, length, problem);
    xmlrpc_env env;

    if (e != ERR_OK)
        return e;
    xmlrpc_env_init(&env);
    xmlrpc_parse_call(&env, bytes, length, &method, &params);
    if (env.fault_occurred) {
        keep_reason(problem, "the request is not an XML-RPC call: ", env.fault_string);
        e = ERR_INVALID;
    } else {
        out->method = (char *)method; /* ours to free, const or not */
        out->params = params;
    }
    xmlrpc_env_clean(&env);
    return e;
}

void rpc_call_fini(struct rpc_call *call)
{
    free(call->method);
    call->method = NULL;
    rpc_release(&call->params);
}

/* Out of xmlrpc-c's memory block into plain memory; ends `env` and `block`. */
static enum err take_document(char **out, size_t *length, xmlrpc_env *env, xmlrpc_mem_block *block)
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
    return take_document(out, length, &env, block);
}

enum err rpc_answer_write(char **out, size_t *length, xmlrpc_value *answer)
{
    xmlrpc_mem_block *block;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    block = XMLRPC_MEMBLOCK_NEW(char, &env, 0);
    if (!env.fault_occurred)
        xmlrpc_serialize_response(&env, block, answer);
    return take_document(out, length, &env, block);
}

static char *escaped(const char *text, size_t length)
{
    char *to = malloc(3 * length + 1);

    if (to != NULL)
        text_escape(to, 3 * length + 1, text, length, false);
    return to;
}

enum err rpc_fault_write(char **out, size_t *length, int code, const char *sentence)
{
    size_t sentence_length = strlen(sentence);
    char *clean = rpc_is_clean_text(sentence, sentence_length) ? text_dup(sentence, sentence_length)
                                                               : escaped(sentence, sentence_length);
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
    return take_document(out, length, &env, block);
}

enum err rpc_answer_parse(struct rpc_answer *out, const char *bytes, size_t length)
{
    char problem[RPC_REASON_SIZE];
    const char *fault = NULL;
    enum err e = rpc_document_check(bytes, length, problem);
    xmlrpc_env env;

    *out = (struct rpc_answer){.value = NULL};
    xmlrpc_env_init(&env);
    if (e == ERR_OK) {
        xmlrpc_parse_response2(&env, bytes, length, &out->value, &out->fault_code, &fault);
        if (env.fault_occurred) {
            keep_reason(problem, "the answer is not an XML-RPC answer: ", env.fault_string);
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
    return e;
}

void rpc_answer_fini(struct rpc_answer *answer)
{
    rpc_release(&answer->value);
    free(answer->text);
    answer->text = NULL;
}

/* What a failed xmlrpc_…_new gives back is a pointer to freed memory, not NULL. */
static xmlrpc_value *made(const xmlrpc_env *env, xmlrpc_value *value)
{
    return env->fault_occurred ? NULL : value;
}

xmlrpc_value *rpc_text(xmlrpc_env *env, const char *text)
{
    size_t length = strlen(text);
    xmlrpc_value *value = NULL;
    char *clean;

    if (env->fault_occurred)
        return NULL;
    if (rpc_is_clean_text(text, length))
        return made(env, xmlrpc_string_new_lp(env, length, text));
    if ((clean = escaped(text, length)) == NULL) {
        xmlrpc_env_set_fault(env, XMLRPC_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    value = made(env, xmlrpc_string_new(env, clean));
    free(clean);
    return value;
}

xmlrpc_value *rpc_path(xmlrpc_env *env, const char *path)
{
    size_t length = strlen(path);

    if (env->fault_occurred)
        return NULL;
    if (rpc_is_clean_text(path, length) && strpbrk(path, "\t\n") == NULL)
        return made(env, xmlrpc_string_new_lp(env, length, path));
    return rpc_bytes(env, path, length);
}

xmlrpc_value *rpc_nil(xmlrpc_env *env)
{
    return env->fault_occurred ? NULL : made(env, xmlrpc_nil_new(env));
}

xmlrpc_value *rpc_bytes(xmlrpc_env *env, const void *bytes, size_t length)
{
    if (env->fault_occurred)
        return NULL;
    return made(env, xmlrpc_base64_new(env, length, bytes));
}

xmlrpc_value *rpc_integer(xmlrpc_env *env, int64_t number)
{
    if (env->fault_occurred)
        return NULL;
    if (number >= INT32_MIN && number <= INT32_MAX)
        return made(env, xmlrpc_int_new(env, (int)number));
    return made(env, xmlrpc_i8_new(env, number));
}

xmlrpc_value *rpc_struct(xmlrpc_env *env)
{
    return env->fault_occurred ? NULL : made(env, xmlrpc_struct_new(env));
}

xmlrpc_value *rpc_array(xmlrpc_env *env)
{
    return env->fault_occurred ? NULL : made(env, xmlrpc_array_new(env));
}

xmlrpc_value *rpc_bool(xmlrpc_env *env, bool is)
{
    return env->fault_occurred ? NULL : made(env, xmlrpc_bool_new(env, is));
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
    rpc_put(env, to, name, env->fault_occurred ? NULL : made(env, xmlrpc_double_new(env, number)));
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
