/* One run of the load generator: sessions opened, work done for a bounded time, the daemon looked
 * at before, between and after. Main thread. */
#ifndef LOADGEN_RUN_H
#define LOADGEN_RUN_H

#include "loadgen/daemon.h"
#include "loadgen/thread.h"

struct load_plan {
    struct address target;
    const char *idurl;
    unsigned threads;
    unsigned spread;
    uint32_t chunk_bytes;
    double warm_up_s;  /* of work before anything is counted */
    double seconds;    /* of work after that; opening the sessions has LOAD_OPENING_S more */
    pid_t pid;         /* of the daemon, 0: unknown */
    bool is_live;      /* a line on stderr each second */
    const char *inbox; /* finished files are removed from there while it runs; NULL: they stay */
    const char *title;
    unsigned role_count;
    struct load_role roles[LOAD_ROLES_MAX];
};

enum { LOAD_OPENING_S = 60 };

struct load_result {
    bool is_interrupted;
    double opening_s;
    double seconds; /* of counted work, as it was */
    double own_cpu_s;
    bool has_daemon;
    struct load_usage before; /* no session */
    struct load_usage opened; /* all of them, warm */
    struct load_usage after;  /* the end of the work */
    struct load_tally tallies[LOAD_ROLES_MAX];
};

/* Ends by itself, when there is nothing left to do or the time is over, or with Ctrl-C. `problem`
 * gets a sentence if it cannot begin. */
enum err load_run(struct load_result *out, struct load_plan *plan, char *problem,
                  size_t problem_room);

/* Ctrl-C and SIGTERM end a run, with the figures so far; a second one ends the program. */
void load_catch_interrupts(void);
bool load_is_interrupted(void);

#endif
