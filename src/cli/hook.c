#include "cli/hook.h"

#include "base/contract.h"
#include "base/inherit.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void report_exit(const struct cli_hook *hook, int64_t number, int status)
{
    if (WIFSIGNALED(status))
        fprintf(stderr, "dustwire: %s for event %" PRId64 " was terminated by signal %d (%s)\n",
                hook->program[0], number, WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        fprintf(stderr, "dustwire: %s for event %" PRId64 " failed with exit status %d\n",
                hook->program[0], number, WEXITSTATUS(status));
}

/* False if no program has exited. */
static bool reap_one(struct cli_hook *hook, int options)
{
    int status;
    pid_t pid;

    do
        pid = waitpid(-1, &status, options);
    while (pid < 0 && errno == EINTR);
    if (pid < 0)
        hook->running = 0; /* no children are left: their statuses were reaped elsewhere */
    for (unsigned i = 0; pid > 0 && i < hook->running; i++)
        if (hook->children[i].pid == pid) {
            report_exit(hook, hook->children[i].number, status);
            hook->children[i] = hook->children[--hook->running];
            break;
        }
    return pid > 0;
}

void cli_hook_reap(struct cli_hook *hook)
{
    while (hook->running > 0 && reap_one(hook, WNOHANG))
        ;
}

void cli_hook_wait_all(struct cli_hook *hook)
{
    while (hook->running > 0 && reap_one(hook, 0))
        ;
}

/* DUSTWIRE_TRANSFER_ID=17 (malloc); NULL if out of memory. */
static char *variable(const char *key, const json_t *value)
{
    char *text = NULL, *at;
    int length;

    if (json_is_string(value))
        length = asprintf(&text, "DUSTWIRE_%s=%s", key, json_string_value(value));
    else if (json_is_integer(value))
        length =
            asprintf(&text, "DUSTWIRE_%s=%" JSON_INTEGER_FORMAT, key, json_integer_value(value));
    else
        length = asprintf(&text, "DUSTWIRE_%s=%s", key, json_is_true(value) ? "1" : "");
    if (length < 0)
        return NULL;
    for (at = text + strlen("DUSTWIRE_"); *at != '='; at++)
        *at = (char)toupper((unsigned char)*at);
    return text;
}

static void free_environment(char **list, size_t own)
{
    for (size_t i = 0; list != NULL && i < own; i++)
        free(list[i]);
    free(list);
}

/* The event's variables, which take precedence, then those of the command. `*own` counts the
 * former. */
static char **environment(const json_t *event, size_t *own)
{
    size_t inherited = 0, count = 0;
    const char *key;
    json_t *value;
    char **list;

    while (environ[inherited] != NULL)
        inherited++;
    list = calloc(json_object_size(event) + inherited + 1, sizeof(char *));
    if (list == NULL)
        return NULL;
    json_object_foreach((json_t *)event, key, value)
    {
        list[count] = variable(key, value);
        if (list[count] == NULL) {
            free_environment(list, count);
            return NULL;
        }
        count++;
    }
    *own = count;
    for (size_t i = 0; i < inherited; i++)
        if (strncmp(environ[i], "DUSTWIRE_", strlen("DUSTWIRE_")) != 0)
            list[count++] = environ[i];
    return list;
}

/* Standard input is /dev/null; signal dispositions are those the command was started with. */
static int spawn(pid_t *pid, char *const *program, char **variables)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    int error_number;

    inherit_ignored_signals(&defaults);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", 0, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    error_number = posix_spawnp(pid, program[0], &files, &attributes, program, variables);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error_number;
}

/* errno values that have several causes. */
static const char *why_not_started(const char *program, int error_number)
{
    if (error_number == EAGAIN)
        return "process limit reached (ulimit -u, or the control group's limit)";
    if (error_number == ENOENT && strchr(program, '/') != NULL && access(program, F_OK) == 0)
        return "the interpreter in its first line does not exist";
    if (error_number == ENOEXEC)
        return "not an executable: a script must begin with #! and its interpreter";
    if (error_number == E2BIG)
        return "the environment with the event's fields is too long";
    return strerror(error_number);
}

void cli_hook_run(struct cli_hook *hook, const json_t *event)
{
    int64_t number = json_integer_value(json_object_get(event, "number"));
    size_t own = 0;
    char **variables = environment(event, &own);
    int error_number = variables == NULL ? ENOMEM : 0;
    pid_t pid = 0;

    CONTRACT(hook->jobs >= 1 && hook->jobs <= CLI_HOOK_JOBS_MAX);
    cli_hook_reap(hook);
    while (hook->running >= hook->jobs && reap_one(hook, 0))
        ;
    if (error_number == 0)
        error_number = spawn(&pid, hook->program, variables);
    free_environment(variables, own);
    if (error_number != 0) {
        fprintf(stderr, "dustwire: cannot start %s for event %" PRId64 ": %s\n", hook->program[0],
                number, why_not_started(hook->program[0], error_number));
        return;
    }
    hook->children[hook->running].pid = pid;
    hook->children[hook->running].number = number;
    hook->running++;
}
