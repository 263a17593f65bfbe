/* One run of the load generator: sessions opened, work done for a bounded time, the daemon looked
 * at before, between and after. Main thread. */
#ifndef LOADGEN_RUN_H
#define LOADGEN_RUN_H

#include "loadgen/daemon.h"
#include "loadgen/thread.h"

struct loadgen_run_plan {
    struct address target;
    const char *idurl;
    unsigned threads;
    unsigned spread;
    uint32_t chunk_bytes;
    double warm_up_s;  /* of work before anything is counted */
    double seconds;    /* of work after that; opening the sessions has LOADGEN_RUN_OPENING_S more */
    pid_t pid;         /* of the daemon, 0: unknown */
    bool is_live;      /* a line on stderr each second */
    const char *inbox; /* finished files are removed from there while it runs; NULL: they stay */
    const char *title;
    unsigned role_count;
    struct loadgen_session_role roles[LOADGEN_THREAD_ROLES_MAX];
};

enum { LOADGEN_RUN_OPENING_S = 60 };

struct loadgen_run_result {
    bool is_interrupted;
    double opening_s;
    double seconds; /* of counted work, as it was */
    double own_cpu_s;
    bool has_daemon;
    struct loadgen_daemon_usage before; /* no session */
    struct loadgen_daemon_usage opened; /* all of them, warm */
    struct loadgen_daemon_usage after;  /* the end of the work */
    struct loadgen_session_tally tallies[LOADGEN_THREAD_ROLES_MAX];
};

/* Ends by itself, when there is nothing left to do or the time is over, or with Ctrl-C. `problem`
 * gets a sentence if it cannot begin. */
enum err loadgen_run(struct loadgen_run_result *out, struct loadgen_run_plan *plan, char *problem,
                     size_t problem_room);

/* Ctrl-C and SIGTERM end a run, with the figures so far; a second one ends the program. */
void loadgen_run_catch_interrupts(void);
bool loadgen_run_is_interrupted(void);

#endif
