#include "rpc/args.h"

#include "base/text.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool rpc_args_error(struct rpc_args *args, const char *format, ...)
{
    va_list list;

    if (args->problem[0] != '\0')
        return false;
    va_start(list, format);
    vsnprintf(args->problem, sizeof args->problem, format, list);
    va_end(list);
    return false;
}

static size_t count_of(xmlrpc_value *array)
{
    xmlrpc_env env;
    int count;

    xmlrpc_env_init(&env);
    count = xmlrpc_array_size(&env, array);
    xmlrpc_env_clean(&env);
    return count < 0 ? 0 : (size_t)count;
}

static xmlrpc_value *item_of(xmlrpc_value *array, size_t index)
{
    xmlrpc_value *item = NULL;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    xmlrpc_array_read_item(&env, array, (unsigned)index, &item);
    if (env.fault_occurred)
        item = NULL;
    xmlrpc_env_clean(&env);
    return item;
}

static xmlrpc_value *member_of(xmlrpc_value *from, const char *name)
{
    xmlrpc_value *member = NULL;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    xmlrpc_struct_find_value(&env, from, name, &member);
    if (env.fault_occurred)
        member = NULL;
    xmlrpc_env_clean(&env);
    return member;
}

void rpc_args_init(struct rpc_args *args, xmlrpc_value *params)
{
    xmlrpc_value *only;

    *args = (struct rpc_args){.params = params};
    if (count_of(params) != 1)
        return;
    only = item_of(params, 0);
    args->is_named = only != NULL && xmlrpc_value_type(only) == XMLRPC_TYPE_STRUCT;
    rpc_release(&only);
}

/* The next parameter, or NULL if it is missing or nil; then *is_ok says whether that is allowed. */
static xmlrpc_value *next_param(struct rpc_args *args, const char *name, bool is_required,
                                bool *is_ok)
{
    xmlrpc_value *value = NULL;

    *is_ok = false;
    if (args->problem[0] != '\0')
        return NULL;
    if (args->is_named) {
        xmlrpc_value *all = item_of(args->params, 0);

        value = member_of(all, name);
        rpc_release(&all);
    } else if (args->next < count_of(args->params)) {
        value = item_of(args->params, args->next);
    }
    args->next++;
    args->found += value != NULL;
    if (value != NULL && xmlrpc_value_type(value) == XMLRPC_TYPE_NIL)
        rpc_release(&value);
    *is_ok = value != NULL || !is_required;
    if (!*is_ok)
        rpc_args_error(args, "missing parameter %u, %s", args->next, name);
    return value;
}

/* NULL if it is neither string nor base64, or contains a NUL. */
static char *text_of(xmlrpc_value *value)
{
    const unsigned char *bytes = NULL;
    const char *text = NULL;
    size_t length = 0;
    char *copy = NULL;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    if (xmlrpc_value_type(value) == XMLRPC_TYPE_BASE64)
        xmlrpc_read_base64(&env, value, &length, &bytes);
    else
        xmlrpc_read_string_lp(&env, value, &length, &text);
    if (!env.fault_occurred) {
        const void *from = bytes != NULL ? (const void *)bytes : text;

        if (length == 0 || (from != NULL && memchr(from, '\0', length) == NULL))
            copy = text_dup(from, length);
    }
    free((void *)bytes);
    free((void *)text);
    xmlrpc_env_clean(&env);
    return copy;
}

bool rpc_args_integer_of(xmlrpc_value *value, int64_t *out)
{
    xmlrpc_int64 wide = 0;
    int narrow = 0;
    xmlrpc_env env;
    bool is_valid;

    xmlrpc_env_init(&env);
    if (xmlrpc_value_type(value) == XMLRPC_TYPE_I8) {
        xmlrpc_read_i8(&env, value, &wide);
    } else {
        xmlrpc_read_int(&env, value, &narrow);
        wide = narrow;
    }
    is_valid = !env.fault_occurred;
    xmlrpc_env_clean(&env);
    if (is_valid)
        *out = wide;
    return is_valid;
}

bool rpc_args_text(struct rpc_args *args, const char *name, bool is_required, char **out)
{
    bool is_ok;
    xmlrpc_value *value = next_param(args, name, is_required, &is_ok);
    char *text;

    if (value == NULL)
        return is_ok;
    text = text_of(value);
    rpc_release(&value);
    if (text == NULL)
        return rpc_args_error(
            args, "invalid parameter %u, %s: expected text (string or base64, without NUL)",
            args->next, name);
    free(*out);
    *out = text;
    return true;
}

bool rpc_args_bytes(struct rpc_args *args, const char *name, unsigned char **out, size_t *length)
{
    bool is_ok;
    xmlrpc_value *value = next_param(args, name, true, &is_ok);
    const unsigned char *bytes = NULL;
    xmlrpc_env env;

    if (value == NULL)
        return is_ok;
    xmlrpc_env_init(&env);
    if (xmlrpc_value_type(value) == XMLRPC_TYPE_BASE64)
        xmlrpc_read_base64(&env, value, length, &bytes);
    is_ok = bytes != NULL && !env.fault_occurred;
    xmlrpc_env_clean(&env);
    rpc_release(&value);
    if (!is_ok)
        return rpc_args_error(args, "invalid parameter %u, %s: expected base64", args->next, name);
    *out = (unsigned char *)bytes;
    return true;
}

bool rpc_args_integer(struct rpc_args *args, const char *name, bool is_required, int64_t min,
                      int64_t max, int64_t *out)
{
    bool is_ok;
    xmlrpc_value *value = next_param(args, name, is_required, &is_ok);
    int64_t number = 0;

    if (value == NULL)
        return is_ok;
    is_ok = rpc_args_integer_of(value, &number) && number >= min && number <= max;
    rpc_release(&value);
    if (!is_ok)
        return rpc_args_error(
            args, "invalid parameter %u, %s: expected an integer from %" PRId64 " to %" PRId64,
            args->next, name, min, max);
    *out = number;
    return true;
}

static bool read_ids(xmlrpc_value *array, uint64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        xmlrpc_value *item = item_of(array, i);
        int64_t number = 0;
        bool is_valid = item != NULL && rpc_args_integer_of(item, &number) && number >= 1;

        rpc_release(&item);
        if (!is_valid)
            return false;
        ids[i] = (uint64_t)number;
    }
    return true;
}

bool rpc_args_ids(struct rpc_args *args, const char *name, bool is_required, size_t limit,
                  uint64_t **out, size_t *count)
{
    bool is_ok;
    xmlrpc_value *value = next_param(args, name, is_required, &is_ok);
    uint64_t *ids = NULL;
    size_t length;

    if (value == NULL)
        return is_ok;
    length = xmlrpc_value_type(value) == XMLRPC_TYPE_ARRAY ? count_of(value) : 0;
    is_ok = length > 0 && length <= limit && (ids = calloc(length, sizeof *ids)) != NULL &&
            read_ids(value, ids, length);
    rpc_release(&value);
    if (!is_ok) {
        free(ids);
        return rpc_args_error(args,
                              "invalid parameter %u, %s: expected an array of 1 to %zu request ids",
                              args->next, name, limit);
    }
    *out = ids;
    *count = length;
    return true;
}

/* Converts (host, port) to host:port, with brackets around an IPv6 address; NULL if invalid. */
static char *host_of_pair(xmlrpc_value *array)
{
    xmlrpc_value *first = NULL, *second = NULL;
    char *host = NULL, *joined = NULL;
    int64_t port = 0;

    if (count_of(array) == 2) {
        first = item_of(array, 0);
        second = item_of(array, 1);
    }
    if (first != NULL && second != NULL && rpc_args_integer_of(second, &port) && port >= 1 &&
        port <= 65535 && (host = text_of(first)) != NULL &&
        asprintf(&joined, strchr(host, ':') != NULL && host[0] != '[' ? "[%s]:%d" : "%s:%d", host,
                 (int)port) < 0)
        joined = NULL;
    free(host);
    rpc_release(&first);
    rpc_release(&second);
    return joined;
}

static char *host_of(xmlrpc_value *value)
{
    return xmlrpc_value_type(value) == XMLRPC_TYPE_ARRAY ? host_of_pair(value) : text_of(value);
}

static const char host_forms[] =
    "host:port, proto://host:port or an array (host, port) with a port from 1 to 65535";

bool rpc_args_host(struct rpc_args *args, const char *name, bool is_required, char **out)
{
    bool is_ok;
    xmlrpc_value *value = next_param(args, name, is_required, &is_ok);

    if (value == NULL)
        return is_ok;
    *out = host_of(value);
    rpc_release(&value);
    if (*out == NULL || **out == '\0')
        return rpc_args_error(args, "invalid parameter %u, %s: expected a host: %s", args->next,
                              name, host_forms);
    return true;
}

static char *join_contacts(xmlrpc_value *array)
{
    char *joined = NULL;
    size_t length = 0, count = count_of(array);
    FILE *out = count > 0 ? open_memstream(&joined, &length) : NULL;
    bool is_valid = out != NULL;

    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < count && is_valid; i++) {
        xmlrpc_value *item = item_of(array, i);
        char *text = item == NULL ? NULL : host_of(item);

        is_valid = text != NULL;
        if (is_valid)
            fprintf(out, "%s%s", i == 0 ? "" : ",", text);
        free(text);
        rpc_release(&item);
    }
    if (fclose(out) != 0 || !is_valid) {
        free(joined);
        joined = NULL;
    }
    return joined;
}

bool rpc_args_contacts(struct rpc_args *args, const char *name, char **out)
{
    bool is_ok;
    xmlrpc_value *value = next_param(args, name, true, &is_ok);

    if (value == NULL)
        return is_ok;
    *out = host_of(value);
    if (*out == NULL && xmlrpc_value_type(value) == XMLRPC_TYPE_ARRAY)
        *out = join_contacts(value);
    rpc_release(&value);
    if (*out == NULL || **out == '\0')
        return rpc_args_error(args,
                              "invalid parameter %u, %s: expected a host or an array of hosts: %s",
                              args->next, name, host_forms);
    return true;
}

static char *scalar_of(xmlrpc_value *value)
{
    xmlrpc_env env;
    xmlrpc_bool is = 0;
    int64_t number = 0;
    char *word = NULL;

    switch (xmlrpc_value_type(value)) {
    case XMLRPC_TYPE_BOOL:
        xmlrpc_env_init(&env);
        xmlrpc_read_bool(&env, value, &is);
        xmlrpc_env_clean(&env);
        return is ? text_dup("true", 4) : text_dup("false", 5);
    case XMLRPC_TYPE_INT:
    case XMLRPC_TYPE_I8:
        return rpc_args_integer_of(value, &number) && asprintf(&word, "%" PRId64, number) >= 0
                   ? word
                   : NULL;
    default:
        return text_of(value);
    }
}

bool rpc_args_scalar(struct rpc_args *args, const char *name, bool is_required, char **out)
{
    bool is_ok;
    xmlrpc_value *value = next_param(args, name, is_required, &is_ok);

    if (value == NULL)
        return is_ok;
    *out = scalar_of(value);
    rpc_release(&value);
    if (*out == NULL)
        return rpc_args_error(args,
                              "invalid parameter %u, %s: expected text, an integer or a boolean",
                              args->next, name);
    return true;
}

static bool flag_of(xmlrpc_value *options, const char *name, bool *out)
{
    xmlrpc_value *member = member_of(options, name);
    xmlrpc_bool is = 0;
    xmlrpc_env env;
    bool is_valid;

    if (member == NULL)
        return true;
    xmlrpc_env_init(&env);
    xmlrpc_read_bool(&env, member, &is);
    is_valid = !env.fault_occurred;
    xmlrpc_env_clean(&env);
    rpc_release(&member);
    if (is_valid)
        *out = is;
    return is_valid;
}

bool rpc_args_flag(struct rpc_args *args, const char *name, const char *member, bool *out)
{
    bool is_ok;
    xmlrpc_value *value = next_param(args, name, false, &is_ok);

    if (value == NULL)
        return is_ok;
    is_ok = xmlrpc_value_type(value) == XMLRPC_TYPE_STRUCT && flag_of(value, member, out);
    rpc_release(&value);
    if (!is_ok)
        return rpc_args_error(args, "invalid parameter %u, %s: expected a struct with a boolean %s",
                              args->next, name, member);
    return true;
}

void rpc_args_ignore_rest(struct rpc_args *args)
{
    args->found = args->next = UINT_MAX;
}

static size_t members(struct rpc_args *args)
{
    xmlrpc_value *all = item_of(args->params, 0);
    xmlrpc_env env;
    int count;

    xmlrpc_env_init(&env);
    count = xmlrpc_struct_size(&env, all);
    xmlrpc_env_clean(&env);
    rpc_release(&all);
    return count < 0 ? 0 : (size_t)count;
}

bool rpc_args_end(struct rpc_args *args)
{
    if (args->problem[0] != '\0')
        return false;
    if (args->is_named && members(args) > args->found)
        return rpc_args_error(
            args,
            "unknown names in the struct of parameters: system.methodHelp lists the valid ones");
    if (!args->is_named && count_of(args->params) > args->next)
        return rpc_args_error(args, "too many parameters: expected at most %u", args->next);
    return true;
}
