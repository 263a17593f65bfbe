#include "cli/json.h"

#include "cli/output.h"
#include "rpc/json.h"

const char *cli_text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "" : text;
}

const char *cli_text_or_dash(const json_t *object, const char *key)
{
    const char *text = cli_text_of(object, key);

    return text[0] == '\0' ? "-" : text;
}

int64_t cli_number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

const char *cli_size_of(char out[TEXT_SIZE_ROOM], const json_t *object, const char *key)
{
    return text_size(out, (uint64_t)cli_number_of(object, key));
}

bool cli_is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

void cli_put_json(json_t *value)
{
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6);

    rpc_json_escape(value);
    json_dumpf(value, stdout, cli_output_is_terminal(stdout) ? flags | JSON_ENSURE_ASCII : flags);
}

void cli_print_json(json_t *value)
{
    cli_put_json(value);
    putchar('\n');
    fflush(stdout);
}
