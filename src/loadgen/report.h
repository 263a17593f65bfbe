/* The results of a run as a table and as JSON. Main thread. */
#ifndef LOADGEN_REPORT_H
#define LOADGEN_REPORT_H

#include "loadgen/case.h"

#include <jansson.h>
#include <stdio.h>

void loadgen_report_print(FILE *out, const char *part, const struct loadgen_run_plan *plan,
                          const struct loadgen_run_result *result);

/* NULL: no memory. */
json_t *loadgen_report_json(const char *part, const struct loadgen_run_plan *plan,
                            const struct loadgen_run_result *result);

/* False if sessions were refused or not opened, files aborted, or sessions lost other than
 * deliberately slow ones. */
bool loadgen_report_is_clean(const struct loadgen_run_plan *plan,
                             const struct loadgen_run_result *result);

#endif
