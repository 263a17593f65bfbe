#include "rpc/json.h"

#include "rpc/document.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* Takes over `value`. */
static void expect_json(xmlrpc_env *env, xmlrpc_value *value, const char *expected)
{
    json_t *json;
    char *text;

    cr_assert(!env->fault_occurred, "%s", env->fault_string);
    json = rpc_json_of(value);
    rpc_json_escape(json);
    text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    cr_expect_str_eq(text, expected);
    free(text);
    json_decref(json);
    rpc_release(&value);
    xmlrpc_env_clean(env);
}

Test(rpc_json, every_kind_of_value_has_its_json, .timeout = 10)
{
    xmlrpc_value *value, *array;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    value = rpc_struct(&env);
    array = rpc_array(&env);
    rpc_add(&env, array, rpc_nil(&env));
    rpc_add(&env, array, rpc_integer(&env, INT64_C(1) << 40));
    rpc_add(&env, array, rpc_integer(&env, -1));
    rpc_put(&env, value, "array", array);
    rpc_put_bool(&env, value, "bool", true);
    rpc_put_double(&env, value, "double", 0.5);
    rpc_put_text(&env, value, "text", "h\xc3\xa9");
    expect_json(
        &env, value,
        "{\"array\":[null,1099511627776,-1],\"bool\":true,\"double\":0.5,\"text\":\"h\xc3\xa9\"}");
}

Test(rpc_json, bytes_are_kept_until_they_are_cleaned, .timeout = 10)
{
    xmlrpc_value *value;
    xmlrpc_env env;
    json_t *json;

    xmlrpc_env_init(&env);
    value = rpc_text(&env, "a\xff");
    json = rpc_json_of(value);
    cr_assert_str_eq(json_string_value(json), "a\xff");
    json_decref(json);
    rpc_release(&value);
    xmlrpc_env_clean(&env);
}

Test(rpc_json, what_is_no_utf8_is_escaped_and_said_to_be, .timeout = 10)
{
    xmlrpc_value *value, *inner, *array;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    value = rpc_struct(&env);
    inner = rpc_struct(&env);
    array = rpc_array(&env);
    rpc_put_text(&env, inner, "path", "a\xff");
    rpc_put(&env, value, "inner", inner);
    rpc_add(&env, array, rpc_text(&env, "\xfe"));
    rpc_put(&env, value, "list", array);
    expect_json(&env, value,
                "{\"inner\":{\"path\":\"a%FF\",\"path_is_escaped\":true},\"list\":[\"%FE\"]}");
}
