#include "supervisor/reload.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct settings_in_force before, after;
static struct settings_change change;
static char path[] = "/tmp/dustwire-reload-XXXXXX";
static const struct settings_paths paths = {.file = path, .persisted = ""};

static void a_file(void)
{
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    close(fd);
    settings_default(&before.settings);
}

static void clean_up(void)
{
    unlink(path);
}

static void write_text(const char *text)
{
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

Test(reload, a_text_that_does_not_fit_ends_with_a_note, .init = a_file, .fini = clean_up,
     .timeout = 10)
{
    static const char last[] = "(and more)\n";
    char all[16384];

    write_text("[node]\nno-such-key = 1\nnor-this = 2\nnor-that = 3\n");
    cr_assert_eq(supervisor_reload_read(&paths, &before, &after, &change, all, sizeof all),
                 ERR_INVALID);
    for (size_t room = 64; room < strlen(all); room++) {
        char *text = malloc(room); /* so that a sanitizer detects an overflow */

        cr_assert_eq(supervisor_reload_read(&paths, &before, &after, &change, text, room),
                     ERR_INVALID);
        cr_assert_lt(strlen(text), room);
        cr_assert_str_eq(text + strlen(text) - strlen(last), last);
        free(text);
    }
}

Test(reload, lists_each_change_and_each_reset_to_the_default, .init = a_file, .fini = clean_up,
     .timeout = 10)
{
    char text[4096];

    before.settings.sessions.keep_alive_s = 77;
    before.settings.workers.threads = 3;
    write_text("[services/tcp-connections]\ntcp-port = 7782\n[workers]\nthreads = 4\n");
    cr_assert_eq(supervisor_reload_read(&paths, &before, &after, &change, text, sizeof text),
                 ERR_OK);
    cr_assert_not_null(strstr(text, "changed: services/tcp-connections/tcp-port = 7782\n"), "%s",
                       text);
    cr_assert_not_null(strstr(text, "changed: sessions/keep-alive-s reset to the default\n"), "%s",
                       text);
    cr_assert_not_null(strstr(text, "needs a restart: [workers] threads\n"), "%s", text);
    cr_assert_null(strstr(text, "changed: workers"), "%s", text);
    cr_assert_eq(after.settings.workers.threads, 3);
    cr_assert(change.is_any && change.needs_reconnect);
}
