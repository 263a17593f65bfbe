#include "loadgen/case.h"

#include <string.h>

enum { KIB = 1 << 10, BULK_BYTES = 64 << 20 };

static struct loadgen_session_role *add_role(struct loadgen_run_plan *plan, const char *name,
                                             enum loadgen_session_work work, uint64_t sessions)
{
    struct loadgen_session_role *role = &plan->roles[plan->role_count++];

    *role = (struct loadgen_session_role){
        .name = name, .work = work, .sessions = (unsigned)sessions, .window = 1};
    return role;
}

static struct loadgen_session_role *add_files(struct loadgen_run_plan *plan, const char *name,
                                              const struct loadgen_case_numbers *n,
                                              uint64_t sessions)
{
    struct loadgen_session_role *role = add_role(plan, name, LOADGEN_SESSION_FILES, sessions);

    role->window = (unsigned)n->window;
    role->size = n->size;
    role->count = n->files;
    role->rate = (double)n->rate;
    return role;
}

static void files_roles(struct loadgen_run_plan *plan, const struct loadgen_case_numbers *n,
                        unsigned part)
{
    (void)part;
    add_files(plan, "files", n, n->sessions);
    if (n->beside > 0)
        add_role(plan, "idle", LOADGEN_SESSION_IDLE, n->beside)->is_background = true;
}

static void handshake_roles(struct loadgen_run_plan *plan, const struct loadgen_case_numbers *n,
                            unsigned part)
{
    struct loadgen_session_role *role =
        add_role(plan, "handshakes", LOADGEN_SESSION_HANDSHAKES, n->sessions);

    (void)part;
    role->count = n->files;
    role->rate = (double)n->rate;
}

/* A keep-alive is a due start without an answer. */
static void idle_roles(struct loadgen_run_plan *plan, const struct loadgen_case_numbers *n,
                       unsigned part)
{
    struct loadgen_session_role *role = add_role(plan, "idle", LOADGEN_SESSION_IDLE, n->sessions);

    (void)part;
    if (n->keep_alive_s > 0)
        role->rate = (double)n->sessions / (double)n->keep_alive_s;
}

static void mixed_roles(struct loadgen_run_plan *plan, const struct loadgen_case_numbers *n,
                        unsigned part)
{
    struct loadgen_session_role *bulk;

    add_files(plan, "small", n, n->sessions);
    if (part == 0)
        return;
    bulk = add_role(plan, "bulk", LOADGEN_SESSION_FILES, n->bulk_sessions);
    bulk->size = n->bulk_size;
    bulk->write_bytes_per_s = (double)n->bulk_rate / (double)n->bulk_sessions;
}

/* Half of the slow peers write one byte per second, half read one. */
static void slow_roles(struct loadgen_run_plan *plan, const struct loadgen_case_numbers *n,
                       unsigned part)
{
    uint64_t slow = n->sessions * n->slow_percent / 100, writers = (slow + 1) / 2;
    struct loadgen_case_numbers endless = *n;

    add_files(plan, "small", n, n->sessions - slow);
    if (part == 0)
        return;
    endless.files = 0;
    endless.rate = 0;
    add_files(plan, "slow writers", &endless, writers)->write_bytes_per_s = 1;
    add_files(plan, "slow readers", &endless, slow - writers)->read_bytes_per_s = 1;
}

const struct loadgen_case loadgen_cases[] = {
    {.name = "bulk",
     .summary = "large files at full speed",
     .defaults = {.sessions = 1, .size = BULK_BYTES, .window = 1, .seconds = 10},
     .parts = 1,
     .part_names = {"bulk"},
     .roles = files_roles},
    {.name = "small",
     .summary = "small files, --window in flight in each session",
     .defaults = {.sessions = 1, .size = KIB, .window = 20, .seconds = 10},
     .parts = 1,
     .part_names = {"small"},
     .roles = files_roles},
    {.name = "handshake",
     .summary = "sessions opened and closed, --sessions concurrently",
     .defaults = {.sessions = 64, .seconds = 10},
     .parts = 1,
     .part_names = {"handshake"},
     .roles = handshake_roles},
    {.name = "idle",
     .summary = "idle sessions; reports the daemon's memory per session",
     .defaults = {.sessions = 1000, .seconds = 30, .keep_alive_s = 60},
     .parts = 1,
     .part_names = {"idle"},
     .roles = idle_roles},
    {.name = "mixed",
     .summary = "small files alone, then with concurrent bulk transfers",
     .defaults = {.sessions = 1,
                  .size = KIB,
                  .window = 20,
                  .rate = 1000,
                  .seconds = 10,
                  .bulk_sessions = 2,
                  .bulk_size = BULK_BYTES},
     .parts = 2,
     .part_names = {"alone", "beside bulk"},
     .roles = mixed_roles},
    {.name = "slow",
     .summary = "small files alone, then with peers that read or write one byte per second",
     .defaults = {.sessions = 100,
                  .size = KIB,
                  .window = 20,
                  .rate = 1000,
                  .seconds = 10,
                  .slow_percent = 20},
     .parts = 2,
     .part_names = {"alone", "beside slow peers"},
     .roles = slow_roles},
    {0},
};

const struct loadgen_case *loadgen_case_find(const char *name)
{
    for (const struct loadgen_case *c = loadgen_cases; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}
