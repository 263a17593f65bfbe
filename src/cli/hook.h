/* Runs a program per event: `dustwire events --exec`. It is executed without a shell, as the user
 * of the command. */
#ifndef CLI_HOOK_H
#define CLI_HOOK_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

enum { CLI_HOOK_JOBS_MAX = 64 };

struct cli_hook {
    char *const *program; /* with its arguments, NULL-terminated */
    unsigned jobs;        /* limit of running programs, up to CLI_HOOK_JOBS_MAX */
    unsigned running;
    struct {
        pid_t pid;
        int64_t number; /* event number */
    } children[CLI_HOOK_JOBS_MAX];
};

/* Starts the program for `event` (an object of `dustwire events --json`). Each field is passed in
 * the environment as DUSTWIRE_ and its name in capitals. Blocks at the limit until a program exits.
 * Failures are reported on stderr. */
void cli_hook_run(struct cli_hook *hook, const json_t *event);

/* Reaps the programs that have exited, without blocking. */
void cli_hook_reap(struct cli_hook *hook);

/* Waits until all programs have exited. */
void cli_hook_wait_all(struct cli_hook *hook);

#endif
