#include "settings/settings_own.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], file[128], own[128];
static struct settings s;
static struct settings_origins origins;
static char told[8192], problem[SETTINGS_OWN_TEXT_SIZE];

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/settings-own-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/file.ini", folder);
    snprintf(own, sizeof own, "%s/own.ini", folder);
}

static void clean_up(void)
{
    unlink(file);
    unlink(own);
    cr_assert_eq(rmdir(folder), 0, "nothing else was left behind");
}

#define OWN_TEST(name) Test(settings_own, name, .init = set_up, .fini = clean_up, .timeout = 10)

static void note(void *ctx, const char *sentence)
{
    (void)ctx;
    snprintf(told + strlen(told), sizeof told - strlen(told), "%s\n", sentence);
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
    told[0] = '\0';
    return settings_load(&s, &origins, &(struct settings_paths){.file = file, .own = own}, note,
                         NULL);
}

static void set(const char *name, const char *value)
{
    cr_assert_eq(settings_own_set(&s, &origins, name, value, problem), ERR_OK, "%s", problem);
    cr_assert_eq(settings_own_write(&s, &origins, problem), ERR_OK, "%s", problem);
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

OWN_TEST(the_own_file_is_read_after_the_other_and_wins)
{
    write_text(file, "[services/tcp-connections]\ntcp-port = 7001\n[services/tcp-transport]\n"
                     "priority = 3\n");
    write_text(own, "[services/tcp-connections]\ntcp-port = 7002\n");
    cr_assert_eq(load(), ERR_OK, "%s", told);
    cr_assert_eq(s.tcp_connections.tcp_port, 7002);
    cr_assert_eq(s.tcp_transport.priority, 3);
}

OWN_TEST(each_value_says_where_it_comes_from)
{
    char line[256], *text;

    write_text(file, "[services/tcp-transport]\n\npriority = 3\n");
    write_text(own, "[services/tcp-connections]\ntcp-port = 7002\n");
    cr_assert_eq(load(), ERR_OK, "%s", told);
    text = printed();
    snprintf(line, sizeof line, "# from %s, line 3\npriority = 3\n", file);
    cr_assert_not_null(strstr(text, line), "%s", text);
    snprintf(line, sizeof line, "# from %s (dustwire set)\ntcp-port = 7002\n", own);
    cr_assert_not_null(strstr(text, line), "%s", text);
    cr_assert_not_null(strstr(text, "# from the default\nthreads = auto\n"), "%s", text);
    free(text);
}

OWN_TEST(what_was_set_is_read_again)
{
    struct stat st;

    write_text(file, "");
    cr_assert_eq(load(), ERR_OK);
    set("receiving-enabled", "off");
    set("services/tcp-transport/priority", "9");
    set("tcp-port", "7003");
    cr_assert_eq(stat(own, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
    cr_assert_eq(load(), ERR_OK, "%s", told);
    cr_assert(!s.tcp_transport.is_receiving_enabled && s.tcp_transport.is_sending_enabled);
    cr_assert_eq(s.tcp_transport.priority, 9);
    cr_assert_eq(s.tcp_connections.tcp_port, 7003);
}

OWN_TEST(only_what_can_be_set_while_the_daemon_runs_stands_there)
{
    write_text(file, "");
    write_text(own, "[sessions]\nlimit = 5\n");
    cr_assert_eq(load(), ERR_INVALID);
    cr_assert_not_null(strstr(told, "limit cannot be set while the daemon runs"), "%s", told);
    write_text(own, "[services/tcp-transport]\npriority = 100\n");
    cr_assert_eq(load(), ERR_INVALID);
    cr_assert_not_null(strstr(told, "own.ini, line 2"), "%s", told);
    unlink(own);
    cr_assert_eq(load(), ERR_OK);
    cr_assert_eq(settings_own_set(&s, &origins, "limit", "5", problem), ERR_NOT_FOUND);
    cr_assert_eq(settings_own_set(&s, &origins, "sessions/limit", "5", problem), ERR_NOT_FOUND);
}

OWN_TEST(the_two_files_cannot_be_one)
{
    write_text(file, "[services/tcp-transport]\npriority = 3\n");
    cr_assert_eq(link(file, own), 0);
    cr_assert_eq(load(), ERR_INVALID);
    cr_assert_not_null(strstr(told, "itself"), "%s", told);
}

OWN_TEST(a_write_that_fails_leaves_the_old_file_and_nothing_beside_it)
{
    struct stat before, after;

    write_text(file, "");
    cr_assert_eq(load(), ERR_OK);
    set("priority", "9");
    cr_assert_eq(stat(own, &before), 0);
    snprintf(origins.own, sizeof origins.own, "%s/nowhere/own.ini", folder);
    cr_assert_eq(settings_own_set(&s, &origins, "priority", "8", problem), ERR_OK);
    cr_assert_eq(settings_own_write(&s, &origins, problem), ERR_NOT_FOUND);
    cr_assert_not_null(strstr(problem, "nothing was changed"), "%s", problem);
    cr_assert_eq(stat(own, &after), 0);
    cr_assert_eq(before.st_ino, after.st_ino);
    cr_assert_eq(load(), ERR_OK);
    cr_assert_eq(s.tcp_transport.priority, 9);
}

OWN_TEST(a_token_is_never_printed)
{
    char *text;

    write_text(file, "[control]\ntoken = 0123456789abcdefXYZ\n");
    cr_assert_eq(load(), ERR_OK, "%s", told);
    text = printed();
    cr_assert_null(strstr(text, "XYZ"));
    cr_assert_not_null(strstr(text, "# token = (set, not shown)"), "%s", text);
    free(text);
    settings_print_changed(&s, note, NULL);
    cr_assert_null(strstr(told, "XYZ"));
    write_text(file, "[control]\ntoken = short-XYZ\n");
    cr_assert_eq(load(), ERR_INVALID);
    cr_assert_null(strstr(told, "XYZ"));
    cr_assert_not_null(strstr(told, "at least 16"), "%s", told);
}

OWN_TEST(a_token_that_everybody_may_read_is_warned_about)
{
    write_text(file, "[control]\ntoken = 0123456789abcdef\n");
    cr_assert_eq(chmod(file, 0640), 0);
    cr_assert_eq(load(), ERR_OK);
    settings_advise(&s, &origins, note, NULL);
    cr_assert_str_eq(told, "");
    cr_assert_eq(chmod(file, 0644), 0);
    cr_assert_eq(load(), ERR_OK);
    settings_advise(&s, &origins, note, NULL);
    cr_assert_not_null(strstr(told, "chmod o-r"), "%s", told);
}

OWN_TEST(beyond_loopback_control_needs_a_token)
{
    write_text(file, "[control]\nlisten = 127.0.0.1:8000\n");
    cr_assert_eq(load(), ERR_OK, "%s", told);
    write_text(file, "[control]\nlisten = [::1]:8000\n");
    cr_assert_eq(load(), ERR_OK, "%s", told);
    write_text(file, "[control]\nlisten = 0.0.0.0:8000\n");
    cr_assert_eq(load(), ERR_INVALID);
    cr_assert_not_null(strstr(told, "needs [control] token"), "%s", told);
    write_text(file, "[control]\nlisten = 0.0.0.0:8000\ntoken = 0123456789abcdef\n");
    cr_assert_eq(load(), ERR_OK, "%s", told);
}
