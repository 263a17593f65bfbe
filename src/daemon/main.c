/* The program: options, settings, log, then the rooms until a stop signal. */

#include "daemon/limits.h"
#include "daemon/options.h"
#include "daemon/preflight.h"
#include "daemon/rooms.h"
#include "daemon/signals.h"

#include "base/inherit.h"
#include "base/log.h"
#include "loop/loop.h"
#include "settings/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Settings. */

static void print_problem(void *ctx, const char *sentence)
{
    (void)ctx;
    fprintf(stderr, "dustwired: %s\n", sentence);
}

static bool read_settings(struct rooms *rooms)
{
    enum err e = settings_load(&rooms->in_force.settings, &rooms->in_force.origins, &rooms->paths,
                               print_problem, NULL);

    if (e == ERR_NO_MEMORY)
        fprintf(stderr, "dustwired: cannot read the settings: %s\n", err_text(e));
    return e == ERR_OK;
}

static void print_note(void *ctx, const char *sentence)
{
    (void)ctx;
    printf("note: %s\n", sentence);
}

static int check_config(const struct settings_in_force *in_force)
{
    struct preflight preflight = {.problem = print_problem, .note = print_note};
    const char *file = in_force->origins.file;

    preflight_check(&preflight, in_force);
    settings_warn(&in_force->settings, &in_force->origins, print_note, NULL);
    if (preflight.problems > 0)
        return EXIT_FAILED;
    printf("%s: the settings are valid\n", file[0] == '\0' ? in_force->origins.persisted : file);
    return EXIT_ENDED;
}

/* Without origins if every setting is the default: that output is the sample file. */
static int dump_config(const struct settings_in_force *in_force)
{
    bool is_plain = in_force->origins.file[0] == '\0';

    for (unsigned i = 0; i < SETTINGS_KEYS_MAX; i++)
        is_plain = is_plain && in_force->origins.keys[i].from == ORIGIN_DEFAULT;
    settings_print(&in_force->settings, is_plain ? NULL : &in_force->origins, stdout);
    return EXIT_ENDED;
}

/* The log. */

static void log_setting(void *ctx, const char *sentence)
{
    (void)ctx;
    log_info("setting: %s", sentence);
}

static void log_advice(void *ctx, const char *sentence)
{
    (void)ctx;
    log_warning("settings: %s", sentence);
}

static void log_start(const struct rooms *rooms)
{
    log_info("dustwired %s starting: settings=%s workers=%u inbox=%s durability=%s control=%s",
             DUSTWIRE_VERSION, rooms->paths.file == NULL ? "(defaults)" : rooms->paths.file,
             settings_worker_count(&rooms->in_force.settings), rooms->in_force.settings.inbox.path,
             rooms->in_force.settings.inbox.durability == DURABILITY_FULL ? "full" : "none",
             rooms->in_force.settings.control.socket);
    settings_print_changed(&rooms->in_force.settings, log_setting, NULL);
    settings_warn(&rooms->in_force.settings, &rooms->in_force.origins, log_advice, NULL);
}

static enum err open_log(const struct settings *s)
{
    char problem[SETTINGS_TEXT_SIZE * 2];
    enum err e = ERR_OK;

    log_set_level(s->log.level);
    log_set_peer_limit(s->log.lines_per_peer_per_s);
    log_set_file_limit((uint64_t)s->log.file_limit_mib << 20);
    if (s->log.file[0] != '\0' && (e = log_to_file(s->log.file, problem, sizeof problem)) != ERR_OK)
        log_error("%s", problem);
    return e;
}

/* The run. */

static void reload(void *ctx)
{
    rooms_reload(ctx);
}

static void begin_stop(void *ctx)
{
    rooms_begin_stop(ctx);
}

static enum err start(struct rooms *rooms, struct signals *signals)
{
    enum err e = loop_open(
        &rooms->loop, &(struct loop_config){.name = "main", .mailbox_limit = 1024, .owner = rooms});

    if (e == ERR_OK)
        e = signals_open(signals, rooms->loop);
    if (e == ERR_OK)
        e = rooms_start(rooms);
    if (e != ERR_OK)
        log_error("dustwired cannot start: %s; %s", err_text(e),
                  err_advice(e, "see the log lines above"));
    return e;
}

static int run(struct rooms *rooms)
{
    struct signals signals = {.reload = reload, .stop = begin_stop, .ctx = rooms};
    enum err e;

    if (open_log(&rooms->in_force.settings) != ERR_OK)
        return EXIT_FAILED;
    limits_raise_descriptors();
    log_start(rooms);
    limits_log(&rooms->in_force.settings);
    e = start(rooms, &signals);
    while (e == ERR_OK && !rooms->is_stopped)
        rooms_turn(rooms);
    signals_exit_in_handler();
    if (rooms->loop != NULL)
        rooms_stop(rooms);
    signals_close(&signals);
    loop_close(&rooms->loop);
    if (e == ERR_OK)
        log_info("dustwired stopped");
    return e == ERR_OK ? EXIT_ENDED : EXIT_FAILED;
}

/* Output that cannot be written is a failure. */
static int printed(int exit_status)
{
    int error_number = inherit_flush_output();

    if (error_number == 0)
        return exit_status;
    fprintf(stderr, "dustwired: cannot write to standard output: %s\n", strerror(error_number));
    return exit_status == EXIT_ENDED ? EXIT_FAILED : exit_status;
}

int main(int argc, char **argv)
{
    static struct rooms rooms;
    struct options options;

    inherit_fill_standard();
    signals_block();
    umask(077); /* access for others is set explicitly: [inbox] mode, [control] mode */
    options_read(&options, argc, argv);
    if (options.action != OPTIONS_RUN)
        inherit_reset_signals(NULL);
    if (options.action == OPTIONS_END)
        return printed(options.exit_status);
    rooms.paths =
        (struct settings_paths){.file = options.config_path,
                                .persisted = options.settings_path,
                                .is_persisted_from_command_line = options.settings_path != NULL};
    if (!read_settings(&rooms))
        return EXIT_FAILED;
    if (options.action == OPTIONS_CHECK_CONFIG)
        return printed(check_config(&rooms.in_force));
    if (options.action == OPTIONS_DUMP_CONFIG)
        return printed(dump_config(&rooms.in_force));
    return run(&rooms);
}
