/* The test cases: which sessions a case has and what they do. */
#ifndef LOADGEN_CASE_H
#define LOADGEN_CASE_H

#include "loadgen/run.h"

#include <stdint.h>

/* The parameters of a run. Fields that a case does not use are 0. */
struct loadgen_case_numbers {
    uint64_t sessions;
    uint64_t size; /* bytes of a file */
    uint64_t window;
    uint64_t files; /* or handshakes, in total; 0: until the time limit */
    uint64_t rate;  /* files or handshakes per second in total; 0: next on answer */
    uint64_t seconds;
    uint64_t warm_up_s;
    uint64_t keep_alive_s;
    uint64_t beside;                              /* additional idle sessions */
    uint64_t bulk_sessions, bulk_size, bulk_rate; /* mixed; bytes per second of all bulk sessions */
    uint64_t slow_percent;                        /* slow: percentage of slow sessions */
};

/* A case has one part, or two: the same load without and with a disturbance. */
enum { LOADGEN_CASE_PARTS_MAX = 2 };

struct loadgen_case {
    const char *name;
    const char *summary;
    struct loadgen_case_numbers defaults;
    unsigned parts;
    const char *part_names[LOADGEN_CASE_PARTS_MAX];
    /* Fills in the roles of a part. The first is the one whose latency is measured. */
    void (*roles)(struct loadgen_run_plan *plan, const struct loadgen_case_numbers *n,
                  unsigned part);
};

extern const struct loadgen_case loadgen_cases[]; /* ends with a NULL name */
const struct loadgen_case *loadgen_case_find(const char *name);

#endif
