#include "cli/file_list.h"
#include "support/folders.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64];
static struct cli_files files;

static void put(const char *name, off_t size)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(ftruncate(fd, size), 0);
    close(fd);
}

static void make_tree(void)
{
    char path[128];

    strcpy(folder, "/tmp/dustwire-files-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/sub", folder);
    cr_assert_eq(mkdir(path, 0700), 0);
    put("b", 2);
    put("a", 1);
    put("sub/c", 3);
    snprintf(path, sizeof path, "%s/loop", folder);
    cr_assert_eq(symlink(folder, path), 0);
    snprintf(path, sizeof path, "%s/pipe", folder);
    cr_assert_eq(mkfifo(path, 0600), 0);
}

static void remove_tree(void)
{
    cli_files_fini(&files);
    folders_remove(folder);
}

#define FILES_TEST(name) \
    Test(cli_files, name, .init = make_tree, .fini = remove_tree, .timeout = 10)

FILES_TEST(a_directory_is_listed_sorted_by_name)
{
    cr_assert_eq(cli_files_add(&files, folder, true), ERR_OK);
    cr_assert_eq(files.count, 5);
    cr_assert_str_eq(strrchr(files.files[0].name, '/'), "/a");
    cr_assert_str_eq(strrchr(files.files[1].name, '/'), "/b");
    cr_assert_str_eq(strrchr(files.files[4].name, '/'), "/c");
    cr_assert_eq(files.files[4].size_bytes, 3);
    cr_assert_eq(files.files[0].state, FILE_PENDING);
    cr_assert_eq(files.files[0].path[0], '/');
}

FILES_TEST(a_directory_without_recursive_fails_with_advice)
{
    cr_assert_eq(cli_files_add(&files, folder, false), ERR_OK);
    cr_assert_eq(files.count, 1);
    cr_assert_eq(files.files[0].state, FILE_FAILED);
    cr_assert_not_null(strstr(files.files[0].error, "--recursive"));
}

FILES_TEST(two_gib_exceed_the_limit_by_one_byte)
{
    char path[128];

    put("most", 2147483647);
    put("more", 2147483648);
    snprintf(path, sizeof path, "%s/most", folder);
    cr_assert_eq(cli_files_add(&files, path, false), ERR_OK);
    snprintf(path, sizeof path, "%s/more", folder);
    cr_assert_eq(cli_files_add(&files, path, false), ERR_OK);
    cr_assert_eq(files.files[0].state, FILE_PENDING);
    cr_assert_eq(files.files[1].state, FILE_FAILED);
    cr_assert_not_null(strstr(files.files[1].error, "2,147,483,647"));
}

FILES_TEST(missing_and_irregular_files_fail_individually)
{
    char path[128];

    cr_assert_eq(cli_files_add(&files, "/no/such/file", false), ERR_OK);
    cr_assert_eq(cli_files_add(&files, "", false), ERR_OK);
    snprintf(path, sizeof path, "%s/pipe", folder);
    cr_assert_eq(cli_files_add(&files, path, false), ERR_OK);
    snprintf(path, sizeof path, "%s/a", folder);
    cr_assert_eq(cli_files_add(&files, path, false), ERR_OK);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(files.files[i].state, FILE_FAILED);
    cr_assert_eq(files.files[3].state, FILE_PENDING);
}

/* A path in the directory, in one of four static buffers. */
static const char *below(const char *name)
{
    static char paths[4][4300];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

/* Nested directories whose path is longer than PATH_MAX. */
static void make_deep(void)
{
    char name[201];
    int at = open(folder, O_RDONLY | O_DIRECTORY);

    memset(name, 'd', 200);
    name[200] = '\0';
    for (int i = 0; i < 22; i++) {
        int next;

        cr_assert_eq(mkdirat(at, name, 0700), 0);
        next = openat(at, name, O_RDONLY | O_DIRECTORY);
        cr_assert_geq(next, 0);
        close(at);
        at = next;
    }
    close(at);
}

/* nftw cannot descend that deep. */
static void remove_deep(void)
{
    char name[201];

    memset(name, 'd', 200);
    name[200] = '\0';
    cr_assert_eq(chdir(folder), 0);
    for (int i = 0; i < 22; i++)
        cr_assert_eq(chdir(name), 0);
    for (int i = 0; i < 22; i++)
        cr_assert(chdir("..") == 0 && rmdir(name) == 0);
}

FILES_TEST(each_directory_entry_is_listed_or_skipped_with_a_reason)
{
    static const struct {
        const char *name;
        enum cli_file_state state;
        const char *reason;
    } rows[] = {
        {"a", FILE_PENDING, NULL},
        {"empty-file", FILE_PENDING, NULL},
        {".hidden", FILE_PENDING, NULL},
        {"two\nlines\xff", FILE_PENDING, NULL},
        {"sub/c", FILE_PENDING, NULL},
        {"pipe", FILE_SKIPPED, "pipe"},
        {"socket", FILE_SKIPPED, "socket"},
        {"loop", FILE_SKIPPED, "link"},
        {"dangling", FILE_SKIPPED, "link"},
        {"link-to-file", FILE_SKIPPED, "link"},
        {"empty-folder", FILE_SKIPPED, "empty directory"},
        {"sub/empty", FILE_SKIPPED, "empty directory"},
        {"more", FILE_FAILED, "2,147,483,647"},
    };

    put("empty-file", 0);
    put(".hidden", 1);
    put("two\nlines\xff", 1);
    put("more", 2147483648);
    open_socket(below("socket"));
    cr_assert_eq(symlink("nowhere", below("dangling")), 0);
    cr_assert_eq(symlink("a", below("link-to-file")), 0);
    cr_assert_eq(mkdir(below("empty-folder"), 0700), 0);
    cr_assert_eq(mkdir(below("sub/empty"), 0700), 0);
    cr_assert_eq(cli_files_add(&files, folder, true), ERR_OK);
    cr_assert_eq(files.count, sizeof rows / sizeof *rows + 1, "%zu", files.count); /* and b */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct cli_file *file = NULL;

        for (size_t j = 0; j < files.count; j++)
            if (strcmp(files.files[j].name, below(rows[i].name)) == 0)
                file = &files.files[j];
        cr_assert_not_null(file, "%s", rows[i].name);
        cr_assert_eq(file->state, rows[i].state, "%s", rows[i].name);
        if (rows[i].reason != NULL)
            cr_assert_not_null(strstr(file->error, rows[i].reason), "%s: %s", rows[i].name,
                               file->error);
    }
}

FILES_TEST(a_path_too_long_to_open_is_reported)
{
    size_t failed = 0;

    make_deep();
    cr_assert_eq(cli_files_add(&files, folder, true), ERR_OK);
    for (size_t i = 0; i < files.count; i++)
        if (files.files[i].state == FILE_FAILED) {
            failed++;
            cr_assert_not_null(strstr(files.files[i].error, "too long"), "%s",
                               files.files[i].error);
        }
    cr_assert_eq(failed, 1);
    remove_deep();
}

FILES_TEST(a_device_fails_and_an_empty_directory_is_skipped)
{
    cr_assert_eq(mkdir(below("none"), 0700), 0);
    cr_assert_eq(cli_files_add(&files, "/dev/null", true), ERR_OK);
    cr_assert_eq(cli_files_add(&files, below("none"), true), ERR_OK);
    cr_assert_eq(files.files[0].state, FILE_FAILED);
    cr_assert_eq(files.files[1].state, FILE_SKIPPED);
}
