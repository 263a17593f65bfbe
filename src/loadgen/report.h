/* The figures of a run, for people and for programs. Main thread. */
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

/* False if something failed that should not: sessions refused or not opened, files answered with an
 * abort, or sessions lost that are not slow on purpose. */
bool loadgen_report_is_clean(const struct loadgen_run_plan *plan,
                             const struct loadgen_run_result *result);

#endif
