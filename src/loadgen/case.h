/* The cases: which sessions a case has and what they do. */
#ifndef LOADGEN_CASE_H
#define LOADGEN_CASE_H

#include "loadgen/options.h"
#include "loadgen/run.h"

/* A case has one part, or two: the same without and with what disturbs it. */
enum { LOADGEN_CASE_PARTS_MAX = 2 };

struct loadgen_options_case {
    const char *name;
    const char *summary;
    struct loadgen_options_numbers defaults;
    unsigned parts;
    const char *part_names[LOADGEN_CASE_PARTS_MAX];
    /* Fills in the roles of a part. The role whose latency is asked for is the first. */
    void (*roles)(struct loadgen_run_plan *plan, const struct loadgen_options_numbers *n,
                  unsigned part);
};

extern const struct loadgen_options_case loadgen_case_cases[]; /* ends with a NULL name */
const struct loadgen_options_case *loadgen_case_find(const char *name);

#endif
