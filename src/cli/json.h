/* Looking into answers, and printing them. Strings hold the very bytes: text and hooks have them;
 * on the way out as JSON, what is no UTF-8 is escaped. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* "" and 0 for what is missing. */
const char *cli_text_of(const json_t *object, const char *key);
const char *cli_text_or_dash(const json_t *object, const char *key);
int64_t cli_number_of(const json_t *object, const char *key);
const char *cli_size_of(char out[TEXT_SIZE_ROOM], const json_t *object, const char *key);
bool cli_is_true(const json_t *object, const char *key);
/* On stdout. A member that is no UTF-8 is printed percent-escaped, and beside it NAME_is_escaped:
 * true; `value` is changed so. */
void cli_put_json(json_t *value);
void cli_print_json(json_t *value); /* one line, flushed */

#endif
