/* A program for each event: `dustwire events --exec`. An argument vector and an environment, never
 * a shell, with the rights of whoever started the command. */
#ifndef CLI_HOOK_H
#define CLI_HOOK_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

enum { CLI_HOOK_JOBS_MAX = 64 };

struct cli_hook {
    char *const *program; /* with its arguments, ended by NULL */
    unsigned jobs;        /* at most so many at a time, up to CLI_HOOK_JOBS_MAX */
    unsigned running;
    struct {
        pid_t pid;
        int64_t number; /* of its event */
    } children[CLI_HOOK_JOBS_MAX];
};

/* Starts the program for `event` (an object of `dustwire events --json`): each field is in its
 * environment as DUSTWIRE_ and the field's name in capitals. At the limit it waits for one to end.
 * What fails is said on stderr. */
void cli_hook_run(struct cli_hook *hook, const json_t *event);

/* Takes the results of those that ended. */
void cli_hook_look(struct cli_hook *hook);

/* Waits for all. */
void cli_hook_end(struct cli_hook *hook);

#endif
