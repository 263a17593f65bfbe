/* The command line of dustwire-load. */
#ifndef LOADGEN_OPTIONS_H
#define LOADGEN_OPTIONS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    LOAD_SECONDS_MAX = 86400,
    LOAD_THREADS_MAX = 64,
    LOAD_SESSIONS_MAX = 1000000,
    LOAD_PROBLEM_SIZE = 256,
};

/* The numbers of a run. The fields that a case does not use keep their zero. */
struct load_numbers {
    uint64_t sessions;
    uint64_t size; /* bytes of a file */
    uint64_t window;
    uint64_t files; /* or handshakes, in all; 0: until the time is over */
    uint64_t rate;  /* of them a second in all; 0: by the answers */
    uint64_t seconds;
    uint64_t warm_up_s;
    uint64_t keep_alive_s;
    uint64_t beside;                              /* idle sessions besides */
    uint64_t bulk_sessions, bulk_size, bulk_rate; /* mixed; bytes a second of all bulk sessions */
    uint64_t slow_percent;                        /* slow: of the sessions */
};

struct load_case;

struct load_options {
    const struct load_case *the_case;
    const char *target; /* HOST:PORT as given */
    struct load_numbers numbers;
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

enum load_asked { LOAD_ASKED_RUN, LOAD_ASKED_HELP, LOAD_ASKED_VERSION };

/* ERR_INVALID with a sentence in `problem`. `out` points into `argv`. */
enum err load_options_read(struct load_options *out, enum load_asked *asked, int argc, char **argv,
                           char problem[LOAD_PROBLEM_SIZE]);
void load_options_help(FILE *out);

/* "512", "4K", "512M", "2G" (powers of 1,024); at most `most`. */
enum err load_size_read(uint64_t *out, const char *text, uint64_t most);

#endif
