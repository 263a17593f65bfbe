#include "settings/persisted.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], file[128], persisted[128];
static struct settings s;
static struct settings_origins origins;
static char messages[8192], problem[SETTINGS_PERSISTED_TEXT_SIZE];

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/settings-persisted-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/file.ini", folder);
    snprintf(persisted, sizeof persisted, "%s/persisted.ini", folder);
}

static void clean_up(void)
{
    unlink(file);
    unlink(persisted);
    cr_assert_eq(rmdir(folder), 0, "nothing else was left behind");
}

#define PERSISTED_TEST(name) Test(persisted, name, .init = set_up, .fini = clean_up, .timeout = 10)

static void note(void *ctx, const char *sentence)
{
    (void)ctx;
    snprintf(messages + strlen(messages), sizeof messages - strlen(messages), "%s\n", sentence);
}

static void write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");

    cr_assert_not_null(out);
    fputs(text, out);
    fclose(out);
}

static enum err load(void)
{
    messages[0] = '\0';
    return settings_load(
        &s, &origins, &(struct settings_paths){.file = file, .persisted = persisted}, note, NULL);
}

static void set(const char *name, const char *value)
{
    cr_assert_eq(settings_persisted_set(&s, &origins, name, value, problem), ERR_OK, "%s", problem);
    cr_assert_eq(settings_persisted_write(&s, &origins, problem), ERR_OK, "%s", problem);
}

static char *printed(void)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    settings_print(&s, &origins, out);
    fclose(out);
    return text;
}

PERSISTED_TEST(the_persisted_file_is_read_last_and_takes_precedence)
{
    write_text(file, "[services/tcp-connections]\ntcp-port = 7001\n[services/tcp-transport]\n"
                     "priority = 3\n");
    write_text(persisted, "[services/tcp-connections]\ntcp-port = 7002\n");
    cr_assert_eq(load(), ERR_OK, "%s", messages);
    cr_assert_eq(s.tcp_connections.tcp_port, 7002);
    cr_assert_eq(s.tcp_transport.priority, 3);
}

PERSISTED_TEST(each_value_has_its_origin)
{
    char line[256], *text;

    write_text(file, "[services/tcp-transport]\n\npriority = 3\n");
    write_text(persisted, "[services/tcp-connections]\ntcp-port = 7002\n");
    cr_assert_eq(load(), ERR_OK, "%s", messages);
    text = printed();
    snprintf(line, sizeof line, "# from %s, line 3\npriority = 3\n", file);
    cr_assert_not_null(strstr(text, line), "%s", text);
    snprintf(line, sizeof line, "# from %s (dustwire set)\ntcp-port = 7002\n", persisted);
    cr_assert_not_null(strstr(text, line), "%s", text);
    cr_assert_not_null(strstr(text, "# from the default\nthreads = auto\n"), "%s", text);
    free(text);
}

PERSISTED_TEST(what_was_set_is_read_again)
{
    struct stat st;

    write_text(file, "");
    cr_assert_eq(load(), ERR_OK);
    set("receiving-enabled", "off");
    set("services/tcp-transport/priority", "9");
    set("tcp-port", "7003");
    cr_assert_eq(stat(persisted, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
    cr_assert_eq(load(), ERR_OK, "%s", messages);
    cr_assert(!s.tcp_transport.is_receiving_enabled && s.tcp_transport.is_sending_enabled);
    cr_assert_eq(s.tcp_transport.priority, 9);
    cr_assert_eq(s.tcp_connections.tcp_port, 7003);
}

PERSISTED_TEST(holds_only_keys_that_can_be_set_at_run_time)
{
    write_text(file, "");
    write_text(persisted, "[sessions]\nlimit = 5\n");
    cr_assert_eq(load(), ERR_INVALID);
    cr_assert_not_null(strstr(messages, "limit cannot be set while the daemon runs"), "%s",
                       messages);
    write_text(persisted, "[services/tcp-transport]\npriority = 100\n");
    cr_assert_eq(load(), ERR_INVALID);
    cr_assert_not_null(strstr(messages, "persisted.ini, line 2"), "%s", messages);
    unlink(persisted);
    cr_assert_eq(load(), ERR_OK);
    cr_assert_eq(settings_persisted_set(&s, &origins, "limit", "5", problem), ERR_NOT_FOUND);
    cr_assert_eq(settings_persisted_set(&s, &origins, "sessions/limit", "5", problem),
                 ERR_NOT_FOUND);
}

PERSISTED_TEST(the_two_files_cannot_be_one)
{
    write_text(file, "[services/tcp-transport]\npriority = 3\n");
    cr_assert_eq(link(file, persisted), 0);
    cr_assert_eq(load(), ERR_INVALID);
    cr_assert_not_null(strstr(messages, "would overwrite it"), "%s", messages);
}

PERSISTED_TEST(a_failed_write_leaves_the_old_file_and_no_temporary_one)
{
    struct stat before, after;

    write_text(file, "");
    cr_assert_eq(load(), ERR_OK);
    set("priority", "9");
    cr_assert_eq(stat(persisted, &before), 0);
    snprintf(origins.persisted, sizeof origins.persisted, "%s/nowhere/persisted.ini", folder);
    cr_assert_eq(settings_persisted_set(&s, &origins, "priority", "8", problem), ERR_OK);
    cr_assert_eq(settings_persisted_write(&s, &origins, problem), ERR_NOT_FOUND);
    cr_assert_not_null(strstr(problem, "nothing was changed"), "%s", problem);
    cr_assert_eq(stat(persisted, &after), 0);
    cr_assert_eq(before.st_ino, after.st_ino);
    cr_assert_eq(load(), ERR_OK);
    cr_assert_eq(s.tcp_transport.priority, 9);
}

PERSISTED_TEST(a_token_is_never_printed)
{
    char *text;

    write_text(file, "[control]\ntoken = 0123456789abcdefXYZ\n");
    cr_assert_eq(load(), ERR_OK, "%s", messages);
    text = printed();
    cr_assert_null(strstr(text, "XYZ"));
    cr_assert_not_null(strstr(text, "# token = (set, not shown)"), "%s", text);
    free(text);
    settings_print_changed(&s, note, NULL);
    cr_assert_null(strstr(messages, "XYZ"));
    write_text(file, "[control]\ntoken = short-XYZ\n");
    cr_assert_eq(load(), ERR_INVALID);
    cr_assert_null(strstr(messages, "XYZ"));
    cr_assert_not_null(strstr(messages, "at least 16"), "%s", messages);
}

PERSISTED_TEST(a_world_readable_token_is_warned_about)
{
    write_text(file, "[control]\ntoken = 0123456789abcdef\n");
    cr_assert_eq(chmod(file, 0640), 0);
    cr_assert_eq(load(), ERR_OK);
    settings_warn(&s, &origins, note, NULL);
    cr_assert_str_eq(messages, "");
    cr_assert_eq(chmod(file, 0644), 0);
    cr_assert_eq(load(), ERR_OK);
    settings_warn(&s, &origins, note, NULL);
    cr_assert_not_null(strstr(messages, "chmod o-r"), "%s", messages);
}

PERSISTED_TEST(a_listen_address_beyond_loopback_requires_a_token)
{
    write_text(file, "[control]\nlisten = 127.0.0.1:8000\n");
    cr_assert_eq(load(), ERR_OK, "%s", messages);
    write_text(file, "[control]\nlisten = [::1]:8000\n");
    cr_assert_eq(load(), ERR_OK, "%s", messages);
    write_text(file, "[control]\nlisten = 0.0.0.0:8000\n");
    cr_assert_eq(load(), ERR_INVALID);
    cr_assert_not_null(strstr(messages, "requires [control] token"), "%s", messages);
    write_text(file, "[control]\nlisten = 0.0.0.0:8000\ntoken = 0123456789abcdef\n");
    cr_assert_eq(load(), ERR_OK, "%s", messages);
}

/* The version that a file was written for. */

static const struct {
    const char *text;
    const char *problem; /* "": it is taken */
} versions[] = {
    {"", ""},
    {"[services/tcp-transport]\npriority = 2\n", ""}, /* release 0.1 */
    {"# dustwired settings, version 1\n[services/tcp-transport]\npriority = 2\n", ""},
    {"\n\n# dustwired settings, version 1", ""},
    {"  # dustwired settings, version 1  \n", ""},
    {"# dustwired settings, version 2\n", "line 1: settings version 2 is not supported"},
    {"# dustwired settings, version 2\n[from-later]\nkey = 1\n", "supports version 1; install"},
    {"[log]\nlevel = info\n# dustwired settings, version 4000000000\n[later]\n", "line 3"},
    {"# dustwired settings, version 99999999999999999999\n", "must end in a number"},
    {"# dustwired settings, version \n", ""}, /* the blank is cut: another comment */
    {"# dustwired settings, version two\n", "must end in a number"},
    {"# dustwired settings, version 0\n", "must end in a number"},
    {"# dustwired settings, version 1.5\n", "must end in a number"},
    {"# dustwired settings, version -1\n", "must end in a number"},
    {"; dustwired settings, version 7\n", ""},
};

static void check_version(const char *text, const char *expected)
{
    cr_assert_eq(load(), expected[0] == '\0' ? ERR_OK : ERR_INVALID, "%s: %s", text, messages);
    cr_assert_not_null(strstr(messages, expected), "%s: %s", text, messages);
    cr_assert_eq(expected[0] == '\0', messages[0] == '\0', "%s: %s", text, messages);
    cr_assert(messages[0] == '\0' || strchr(messages, '\n')[1] == '\0', "one sentence: %s",
              messages);
}

PERSISTED_TEST(a_file_of_a_later_version_is_rejected)
{
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        write_text(file, versions[i].text);
        check_version(versions[i].text, versions[i].problem);
    }
}

PERSISTED_TEST(a_persisted_file_of_a_later_version_is_rejected_too)
{
    write_text(file, "");
    write_text(persisted, "# dustwired settings, version 2\n[services/tcp-transport]\nspeed = 2\n");
    check_version("persisted", "remove it and set its values again");
    write_text(persisted,
               "# dustwired settings, version 1\n[services/tcp-transport]\npriority = 2\n");
    check_version("persisted", "");
    cr_assert_eq(s.tcp_transport.priority, 2);
}

PERSISTED_TEST(writes_its_version)
{
    char line[64] = "", *text;
    FILE *in;

    write_text(file, "");
    cr_assert_eq(load(), ERR_OK);
    set("priority", "9");
    in = fopen(persisted, "r");
    cr_assert_not_null(fgets(line, sizeof line, in));
    fclose(in);
    cr_assert_str_eq(line, "# dustwired settings, version 1\n");
    text = printed();
    cr_assert_eq(strstr(text, "# dustwired settings, version 1\n"), text);
    free(text);
}

/* What 'dustwire set' goes over, and taking it back. */

static void warn(void)
{
    messages[0] = '\0';
    settings_warn(&s, &origins, note, NULL);
}

PERSISTED_TEST(an_overridden_value_of_the_file_is_reported)
{
    write_text(file, "[services/tcp-connections]\ntcp-port = 7001\n[sessions]\nlimit = 3\n");
    cr_assert_eq(load(), ERR_OK);
    warn();
    cr_assert_str_empty(messages);
    set("tcp-port", "7002");
    set("priority", "5"); /* not in the file: it overrides nothing */
    warn();
    cr_assert_not_null(strstr(messages, "line 2: [services/tcp-connections] tcp-port is overridden "
                                        "by 'dustwire set' with 7002"),
                       "%s", messages);
    cr_assert_null(strstr(messages, "priority"), "%s", messages);
    cr_assert_eq(load(), ERR_OK);
    warn();
    cr_assert_not_null(strstr(messages, "line 2: [services/tcp-connections] tcp-port"), "%s",
                       messages);
    cr_assert_null(strstr(messages, "priority"), "%s", messages);
}

static struct settings_in_force in_force, files;

static enum err unset(const char *name)
{
    enum err e;

    cr_assert_eq(load(), ERR_OK, "%s", messages);
    in_force = (struct settings_in_force){s, origins};
    cr_assert_eq(settings_load(&files.settings, &files.origins,
                               &(struct settings_paths){.file = file, .persisted = ""}, note, NULL),
                 ERR_OK);
    e = settings_persisted_unset(&in_force, &files, name, problem);
    if (e == ERR_OK)
        cr_assert_eq(settings_persisted_write(&in_force.settings, &in_force.origins, problem),
                     ERR_OK);
    return e;
}

PERSISTED_TEST(unset_reverts_to_the_file)
{
    write_text(file, "[services/tcp-connections]\ntcp-port = 7001\n");
    write_text(persisted, "[services/tcp-connections]\ntcp-port = 7002\n[services/tcp-transport]\n"
                          "priority = 5\nenabled = false\nsending-enabled = false\n"
                          "receiving-enabled = false\n");
    cr_assert_eq(unset("tcp-port"), ERR_OK, "%s", problem);
    cr_assert_eq(in_force.settings.tcp_connections.tcp_port, 7001);
    cr_assert_eq(unset("services/tcp-transport/priority"), ERR_OK, "%s", problem);
    cr_assert_eq(in_force.settings.tcp_transport.priority, 1);
    cr_assert_eq(unset("enabled"), ERR_OK, "%s", problem);
    cr_assert_eq(unset("sending-enabled"), ERR_OK, "%s", problem);
    cr_assert_eq(load(), ERR_OK);
    cr_assert(s.tcp_connections.tcp_port == 7001 && s.tcp_transport.priority == 1 &&
              s.tcp_transport.is_enabled && s.tcp_transport.is_sending_enabled);
    cr_assert_not(s.tcp_transport.is_receiving_enabled, "the others stay");
    warn();
    cr_assert_str_empty(messages);
}

PERSISTED_TEST(unset_rejects_what_was_not_set)
{
    static const struct {
        const char *name;
        enum err e;
        const char *part;
    } wanted[] = {
        {"tcp-port", ERR_EXISTS, "7001 comes from"},
        {"priority", ERR_EXISTS, "the default"},
        {"limit", ERR_NOT_FOUND, "'limit' is not a runtime setting"},
        {"", ERR_NOT_FOUND, "(empty)"},
        {"sessions/limit", ERR_NOT_FOUND, "receiving-enabled"},
        {"services/tcp-transport/enabled", ERR_EXISTS, "has not been set"},
    };

    write_text(file, "[services/tcp-connections]\ntcp-port = 7001\n");
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        cr_assert_eq(unset(wanted[i].name), wanted[i].e, "%s", wanted[i].name);
        cr_assert_not_null(strstr(problem, wanted[i].part), "%s: %s", wanted[i].name, problem);
    }
    cr_assert_eq(access(persisted, F_OK), -1, "nothing is written");
}

/* Files that are links. */

PERSISTED_TEST(a_persisted_file_that_is_a_link_stays_one)
{
    char target[192];
    struct stat st;

    write_text(file, "");
    snprintf(target, sizeof target, "%s/target.ini", folder);
    cr_assert_eq(symlink("target.ini", persisted), 0); /* to nothing yet */
    cr_assert_eq(load(), ERR_OK);
    set("priority", "9");
    cr_assert(lstat(persisted, &st) == 0 && S_ISLNK(st.st_mode));
    cr_assert(lstat(target, &st) == 0 && S_ISREG(st.st_mode));
    set("priority", "8");
    cr_assert(lstat(persisted, &st) == 0 && S_ISLNK(st.st_mode));
    cr_assert_eq(load(), ERR_OK);
    cr_assert_eq(s.tcp_transport.priority, 8);
    unlink(target);
}

PERSISTED_TEST(a_persisted_file_in_a_link_loop_is_rejected)
{
    write_text(file, "");
    cr_assert_eq(load(), ERR_OK);
    cr_assert_eq(symlink("persisted.ini", persisted), 0);
    cr_assert_eq(settings_persisted_set(&s, &origins, "priority", "8", problem), ERR_OK);
    cr_assert_eq(settings_persisted_write(&s, &origins, problem), ERR_DENIED);
    cr_assert_not_null(strstr(problem, "nothing was changed"), "%s", problem);
    cr_assert_eq(load(), ERR_DENIED);
    cr_assert_not_null(strstr(messages, "persisted.ini"), "%s", messages);
}

PERSISTED_TEST(a_file_replaced_by_a_rename_is_read_consistently)
{
    char path[192], other[256];

    for (unsigned i = 0; i < 20; i++) { /* ..data is a link to a folder, exchanged by a rename */
        snprintf(path, sizeof path, "%s/..%u", folder, i);
        cr_assert_eq(mkdir(path, 0700), 0);
        snprintf(other, sizeof other, "%s/file.ini", path);
        write_text(other, i % 2 ? "[sessions]\nlimit = 11\n" : "[sessions]\nlimit = 22\n");
        snprintf(other, sizeof other, "%s/..tmp", folder);
        cr_assert_eq(symlink(path, other), 0);
        snprintf(path, sizeof path, "%s/..data", folder);
        cr_assert_eq(rename(other, path), 0);
        if (i == 0)
            cr_assert_eq(symlink("..data/file.ini", file), 0);
        cr_assert_eq(load(), ERR_OK, "%s", messages);
        cr_assert_eq(s.sessions.limit, i % 2 ? 11 : 22);
    }
    snprintf(path, sizeof path, "rm -r %s/..?*", folder);
    cr_assert_eq(system(path), 0);
}
