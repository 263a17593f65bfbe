/* One run of the load generator: opens the sessions, works for a limited time, and reads the
 * daemon's usage before, between and after. Main thread. */
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
    double warm_up_s;  /* of unmeasured work */
    double seconds;    /* of measured work; opening the sessions is limited separately */
    pid_t pid;         /* of the daemon, 0: unknown */
    bool is_live;      /* a progress line on stderr */
    const char *inbox; /* received files are removed from this folder; NULL: none are */
    const char *title;
    unsigned role_count;
    struct loadgen_session_role roles[LOADGEN_THREAD_ROLES_MAX];
};

enum { LOADGEN_RUN_OPENING_S = 60 }; /* time limit for opening the sessions */

struct loadgen_run_result {
    bool is_interrupted;
    double opening_s;
    double seconds; /* actual duration of measured work */
    double own_cpu_s;
    bool has_daemon;
    struct loadgen_daemon_usage before; /* without sessions */
    struct loadgen_daemon_usage opened; /* all sessions open, after the warm-up */
    struct loadgen_daemon_usage after;  /* at the end of the work */
    struct loadgen_session_tally tallies[LOADGEN_THREAD_ROLES_MAX];
};

/* Returns when the work is done, at the time limit, or on Ctrl-C. If it cannot start, `problem` has
 * the reason. */
enum err loadgen_run(struct loadgen_run_result *out, struct loadgen_run_plan *plan, char *problem,
                     size_t problem_room);

/* SIGINT (Ctrl-C) and SIGTERM stop a run, with partial results; a second one exits the program. */
void loadgen_run_catch_interrupts(void);
bool loadgen_run_is_interrupted(void);

#endif
