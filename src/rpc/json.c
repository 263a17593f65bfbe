#include "rpc/json.h"

#include "base/text.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

static json_t *array_to_json(xmlrpc_env *env, xmlrpc_value *value)
{
    json_t *array = json_array();
    int count = xmlrpc_array_size(env, value);

    for (int i = 0; i < count; i++) {
        xmlrpc_value *item = NULL;

        xmlrpc_array_read_item(env, value, (unsigned)i, &item);
        if (env->fault_occurred)
            break;
        json_array_append_new(array, rpc_json_of(item));
        xmlrpc_DECREF(item);
    }
    return array;
}

static json_t *struct_to_json(xmlrpc_env *env, xmlrpc_value *value)
{
    json_t *object = json_object();
    int count = xmlrpc_struct_size(env, value);

    for (int i = 0; i < count; i++) {
        xmlrpc_value *key = NULL, *item = NULL;
        const char *name = NULL;

        xmlrpc_struct_read_member(env, value, (unsigned)i, &key, &item);
        if (env->fault_occurred)
            break;
        xmlrpc_read_string(env, key, &name);
        if (name != NULL)
            json_object_set_new(object, name, rpc_json_of(item));
        free((void *)name);
        xmlrpc_DECREF(key);
        xmlrpc_DECREF(item);
    }
    return object;
}

static json_t *bytes_to_json(xmlrpc_env *env, xmlrpc_value *value)
{
    const unsigned char *bytes = NULL;
    const char *text = NULL;
    json_t *json = NULL;
    size_t length = 0;

    if (xmlrpc_value_type(value) == XMLRPC_TYPE_BASE64)
        xmlrpc_read_base64(env, value, &length, &bytes);
    else
        xmlrpc_read_string_lp(env, value, &length, &text);
    if (!env->fault_occurred)
        json = json_stringn_nocheck(bytes != NULL ? (const char *)bytes : text, length);
    free((void *)bytes);
    free((void *)text);
    return json;
}

static json_t *number_to_json(xmlrpc_env *env, xmlrpc_value *value)
{
    xmlrpc_int64 wide = 0;
    xmlrpc_double real = 0;
    int narrow = 0;

    switch (xmlrpc_value_type(value)) {
    case XMLRPC_TYPE_I8:
        xmlrpc_read_i8(env, value, &wide);
        return json_integer(wide);
    case XMLRPC_TYPE_DOUBLE:
        xmlrpc_read_double(env, value, &real);
        return json_real(real);
    case XMLRPC_TYPE_BOOL:
        xmlrpc_read_bool(env, value, &narrow);
        return json_boolean(narrow);
    default:
        xmlrpc_read_int(env, value, &narrow);
        return json_integer(narrow);
    }
}

json_t *rpc_json_of(xmlrpc_value *value)
{
    json_t *json = NULL;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    switch (xmlrpc_value_type(value)) {
    case XMLRPC_TYPE_STRING:
    case XMLRPC_TYPE_BASE64:
        json = bytes_to_json(&env, value);
        break;
    case XMLRPC_TYPE_ARRAY:
        json = array_to_json(&env, value);
        break;
    case XMLRPC_TYPE_STRUCT:
        json = struct_to_json(&env, value);
        break;
    case XMLRPC_TYPE_INT:
    case XMLRPC_TYPE_I8:
    case XMLRPC_TYPE_BOOL:
    case XMLRPC_TYPE_DOUBLE:
        json = number_to_json(&env, value);
        break;
    default:
        break;
    }
    xmlrpc_env_clean(&env);
    return json == NULL ? json_null() : json;
}

static bool is_invalid_utf8(const json_t *value)
{
    return json_is_string(value) &&
           utf8_valid_length(json_string_value(value), json_string_length(value)) <
               json_string_length(value);
}

static json_t *escaped_string(const json_t *value)
{
    size_t length = json_string_length(value);
    char *escaped = malloc(3 * length + 1);
    json_t *text;

    if (escaped == NULL)
        return json_null();
    text_escape(escaped, 3 * length + 1, json_string_value(value), length, false);
    text = json_string(escaped);
    free(escaped);
    return text;
}

static const char *invalid_key(json_t *object)
{
    const char *key;
    json_t *item;

    json_object_foreach(object, key, item)
    {
        if (is_invalid_utf8(item))
            return key;
    }
    return NULL;
}

/* {"path": "a%FF", "path_is_escaped": true} */
static void escape_members(json_t *object)
{
    char *key, *flag;
    const char *found;

    while ((found = invalid_key(object)) != NULL && (key = strdup(found)) != NULL) {
        json_object_set_new(object, key, escaped_string(json_object_get(object, key)));
        if (asprintf(&flag, "%s_is_escaped", key) >= 0) {
            json_object_set_new(object, flag, json_true());
            free(flag);
        }
        free(key);
    }
}

void rpc_json_escape(json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_object(value))
        escape_members(value);
    json_object_foreach(value, key, item) rpc_json_escape(item);
    json_array_foreach(value, i, item)
    {
        if (is_invalid_utf8(item))
            json_array_set_new(value, i, escaped_string(item));
        else
            rpc_json_escape(item);
    }
}
