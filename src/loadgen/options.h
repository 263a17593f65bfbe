/* The command line of dustwire-load. */
#ifndef LOADGEN_OPTIONS_H
#define LOADGEN_OPTIONS_H

#include "loadgen/case.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    LOADGEN_OPTIONS_SECONDS_MAX = 86400,
    LOADGEN_OPTIONS_THREADS_MAX = 64,
    LOADGEN_OPTIONS_SESSIONS_MAX = 1000000,
    LOADGEN_OPTIONS_PROBLEM_SIZE = 256,
};

struct loadgen_options {
    const struct loadgen_case *the_case;
    const char *target; /* HOST:PORT as given */
    struct loadgen_case_numbers numbers;
    uint64_t threads;
    uint64_t chunk_kib;
    uint64_t spread;
    bool is_spread_given;
    uint64_t pid;
    const char *socket;
    const char *inbox;
    const char *json;
    const char *idurl;
    bool is_quiet;
};

enum loadgen_options_action {
    LOADGEN_OPTIONS_ACTION_RUN,
    LOADGEN_OPTIONS_ACTION_HELP,
    LOADGEN_OPTIONS_ACTION_VERSION
};

/* ERR_INVALID: `problem` has the reason. `out` points into `argv`. */
enum err loadgen_options_read(struct loadgen_options *out, enum loadgen_options_action *action,
                              int argc, char **argv, char problem[LOADGEN_OPTIONS_PROBLEM_SIZE]);
void loadgen_options_help(FILE *out);

/* "512", "4K", "512M", "2G" (powers of 1,024); at most `max`. */
enum err loadgen_options_size_read(uint64_t *out, const char *text, uint64_t max);

#endif
