/* Reading members of answers, and printing JSON. Strings hold raw bytes, as text output and hooks
 * need them; invalid UTF-8 is escaped only when JSON is printed. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Missing members read as "", 0 and false. */
const char *cli_text_of(const json_t *object, const char *key);
const char *cli_text_or_dash(const json_t *object, const char *key);
int64_t cli_number_of(const json_t *object, const char *key);
const char *cli_size_of(char out[TEXT_SIZE_ROOM], const json_t *object, const char *key);
bool cli_is_true(const json_t *object, const char *key);
/* To stdout. A member that is not valid UTF-8 is percent-encoded in place, and NAME_is_escaped:
 * true is added. */
void cli_put_json(json_t *value);
void cli_print_json(json_t *value); /* with a newline, flushed */

#endif
