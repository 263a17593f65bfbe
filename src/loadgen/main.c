/* dustwire-load: a load generator and benchmark for a node. It uses only the daemon's protocol, and
 * /proc for its CPU time and memory. */
#include "loadgen/case.h"
#include "loadgen/live.h"
#include "loadgen/options.h"
#include "loadgen/report.h"
#include "loadgen/run.h"

#include "base/inherit.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, PORT_TEXT_ROOM = 8, SESSIONS_PER_ADDRESS = 4000 };

static enum err resolve(struct address *out, const char *target,
                        char problem[LOADGEN_OPTIONS_PROBLEM_SIZE])
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char host[ADDRESS_HOST_SIZE];
    uint16_t port;
    enum err e;

    if ((e = address_split(target, host, &port)) != ERR_OK)
        return e; /* already checked by loadgen_options_read */
    if (getaddrinfo(host, NULL, &hints, &found) != 0) {
        snprintf(problem, LOADGEN_OPTIONS_PROBLEM_SIZE, "cannot resolve '%.100s'", host);
        return ERR_UNRESOLVED;
    }
    e = address_from_sockaddr(out, found->ai_addr);
    out->port = port;
    freeaddrinfo(found);
    return e;
}

static unsigned spread_of(const struct loadgen_options *options, const struct address *target)
{
    if (options->is_spread_given)
        return (unsigned)options->spread;
    if (target->family != ADDRESS_V4 || !address_is_loopback(target) ||
        options->numbers.sessions < SESSIONS_PER_ADDRESS)
        return 0;
    return (unsigned)(options->numbers.sessions / SESSIONS_PER_ADDRESS) + 1;
}

static enum err prepare(struct loadgen_run_plan *plan, const struct loadgen_options *options,
                        char problem[LOADGEN_OPTIONS_PROBLEM_SIZE])
{
    struct loadgen_daemon_usage usage;
    enum err e;

    *plan = (struct loadgen_run_plan){.idurl = options->idurl,
                                      .threads = (unsigned)options->threads,
                                      .chunk_bytes = (uint32_t)options->chunk_kib * 1024,
                                      .warm_up_s = (double)options->numbers.warm_up_s,
                                      .seconds = (double)options->numbers.seconds,
                                      .pid = (pid_t)options->pid,
                                      .inbox = options->inbox,
                                      .is_live = !options->is_quiet && isatty(STDERR_FILENO)};
    if ((e = resolve(&plan->target, options->target, problem)) != ERR_OK)
        return e;
    plan->spread = spread_of(options, &plan->target);
    if (options->socket != NULL)
        e = loadgen_daemon_pid(&plan->pid, options->socket, problem, LOADGEN_OPTIONS_PROBLEM_SIZE);
    else if (plan->pid != 0 && (e = loadgen_daemon_read_usage(&usage, plan->pid)) != ERR_OK)
        snprintf(problem, LOADGEN_OPTIONS_PROBLEM_SIZE,
                 "cannot read the usage of process --pid %d: %s", (int)plan->pid, err_text(e));
    return e;
}

/* Each session needs a descriptor: raises the soft limit to the hard limit. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum err run_parts(const struct loadgen_options *options, struct loadgen_run_plan *plan,
                          json_t *parts, bool *is_clean, char problem[LOADGEN_OPTIONS_PROBLEM_SIZE])
{
    const struct loadgen_case *c = options->the_case;
    struct loadgen_run_result *result = malloc(sizeof *result);
    enum err e = result == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (unsigned part = 0; e == ERR_OK && part < c->parts && !loadgen_run_is_interrupted();
         part++) {
        plan->title = c->part_names[part];
        plan->role_count = 0;
        c->roles(plan, &options->numbers, part);
        e = loadgen_run(result, plan, problem, LOADGEN_OPTIONS_PROBLEM_SIZE);
        loadgen_live_clear();
        if (e != ERR_OK)
            break;
        loadgen_report_print(options->json != NULL && strcmp(options->json, "-") == 0 ? stderr
                                                                                      : stdout,
                             plan->title, plan, result);
        json_array_append_new(parts, loadgen_report_json(plan->title, plan, result));
        *is_clean = *is_clean && loadgen_report_is_clean(plan, result);
    }
    free(result);
    return e;
}

static enum err json_failed(const char *path, enum err e,
                            char problem[LOADGEN_OPTIONS_PROBLEM_SIZE])
{
    snprintf(problem, LOADGEN_OPTIONS_PROBLEM_SIZE, "cannot write the results to %.100s: %s", path,
             err_text(e));
    return e;
}

/* Before the run, so that a wrong path fails early. NULL: no JSON output. */
static enum err open_json(FILE **out, const char *path, char problem[LOADGEN_OPTIONS_PROBLEM_SIZE])
{
    *out = NULL;
    if (path == NULL)
        return ERR_OK;
    *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    return *out != NULL ? ERR_OK : json_failed(path, err_from_errno(errno), problem);
}

static enum err write_json(FILE *out, const struct loadgen_options *options, json_t *parts,
                           char problem[LOADGEN_OPTIONS_PROBLEM_SIZE])
{
    json_t *whole = json_pack("{ss ss sO}", "case", options->the_case->name, "target",
                              options->target, "parts", parts);
    int failed = json_dumpf(whole, out, JSON_INDENT(2));

    json_decref(whole);
    failed = putc('\n', out) == EOF || failed != 0;
    failed = fflush(out) != 0 || failed;
    return failed ? json_failed(options->json, err_from_errno(errno), problem) : ERR_OK;
}

static int run(const struct loadgen_options *options)
{
    char problem[LOADGEN_OPTIONS_PROBLEM_SIZE] = "out of memory";
    json_t *parts = json_array();
    struct loadgen_run_plan plan;
    bool is_clean = true;
    FILE *json = NULL;
    enum err e;

    raise_descriptor_limit();
    loadgen_run_catch_interrupts();
    e = prepare(&plan, options, problem);
    if (e == ERR_OK)
        e = open_json(&json, options->json, problem);
    if (e == ERR_OK)
        e = run_parts(options, &plan, parts, &is_clean, problem);
    if (e == ERR_OK && json != NULL)
        e = write_json(json, options, parts, problem);
    if (json != NULL)
        fclose(json);
    json_decref(parts);
    if (e != ERR_OK)
        fprintf(stderr, "dustwire-load: %s\n", problem);
    return e == ERR_OK && is_clean ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Output that could not be written is a failure. */
static int printed(int exit_status)
{
    int error_number = inherit_flush_output();

    if (error_number == 0)
        return exit_status;
    fprintf(stderr, "dustwire-load: cannot write to standard output: %s\n", strerror(error_number));
    return exit_status == EXIT_SUCCESS ? EXIT_FAILURE : exit_status;
}

int main(int argc, char **argv)
{
    char problem[LOADGEN_OPTIONS_PROBLEM_SIZE];
    struct loadgen_options options;
    enum loadgen_options_action action;

    inherit_fill_standard();
    if (loadgen_options_read(&options, &action, argc, argv, problem) != ERR_OK) {
        fprintf(stderr, "dustwire-load: %s. Try `dustwire-load --help`.\n", problem);
        return EXIT_USAGE;
    }
    if (action == LOADGEN_OPTIONS_ACTION_HELP)
        loadgen_options_help(stdout);
    else if (action == LOADGEN_OPTIONS_ACTION_VERSION)
        puts("dustwire-load " DUSTWIRE_VERSION);
    else
        return printed(run(&options));
    return printed(EXIT_SUCCESS);
}
