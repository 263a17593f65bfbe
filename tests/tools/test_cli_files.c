#include "tools/cli_files.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static void remove_tree(void)
{
    cli_files_fini(&files);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define FILES_TEST(name) \
    Test(cli_files, name, .init = make_tree, .fini = remove_tree, .timeout = 10)

FILES_TEST(a_folder_gives_its_files_in_order_of_name)
{
    cr_assert_eq(cli_files_add(&files, folder, true), ERR_OK);
    cr_assert_eq(files.count, 3);
    cr_assert_str_eq(strrchr(files.files[0].name, '/'), "/a");
    cr_assert_str_eq(strrchr(files.files[1].name, '/'), "/b");
    cr_assert_str_eq(strrchr(files.files[2].name, '/'), "/c");
    cr_assert_eq(files.files[2].size_bytes, 3);
    cr_assert_eq(files.files[0].state, FILE_WAITS);
    cr_assert_eq(files.files[0].path[0], '/');
}

FILES_TEST(a_folder_without_recursive_fails_with_what_to_do)
{
    cr_assert_eq(cli_files_add(&files, folder, false), ERR_OK);
    cr_assert_eq(files.count, 1);
    cr_assert_eq(files.files[0].state, FILE_FAILED);
    cr_assert_not_null(strstr(files.files[0].error, "--recursive"));
}

FILES_TEST(two_gib_is_one_byte_too_many)
{
    char path[128];

    put("most", 2147483647);
    put("more", 2147483648);
    snprintf(path, sizeof path, "%s/most", folder);
    cr_assert_eq(cli_files_add(&files, path, false), ERR_OK);
    snprintf(path, sizeof path, "%s/more", folder);
    cr_assert_eq(cli_files_add(&files, path, false), ERR_OK);
    cr_assert_eq(files.files[0].state, FILE_WAITS);
    cr_assert_eq(files.files[1].state, FILE_FAILED);
    cr_assert_not_null(strstr(files.files[1].error, "2,147,483,647"));
}

FILES_TEST(what_is_missing_or_no_file_fails_by_itself)
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
    cr_assert_eq(files.files[3].state, FILE_WAITS);
}
