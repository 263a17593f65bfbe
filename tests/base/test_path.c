#include "base/path.h"
#include "base/scratch.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *path, *folder;
} folders[] = {
    {"/a/b/c", "/a/b"}, {"/a", "/"},  {"/", "/"},         {"a", "."},
    {"a/b", "a"},       {"./a", "."}, {"../a", ".."},     {"", "."},
    {"/a/b/", "/a/b"},  {"//a", "/"}, {"/a b/c", "/a b"},
};

Test(path, folder_is_the_parent_of_a_path, .timeout = 5)
{
    char found[64];

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        cr_assert_eq(path_folder(found, sizeof found, folders[i].path), ERR_OK);
        cr_expect_str_eq(found, folders[i].folder, "%s: %s", folders[i].path, found);
    }
    cr_assert_eq(path_folder(found, 4, "/abc/d"), ERR_TOO_LARGE);
    cr_assert_eq(path_folder(found, 5, "/abc/d"), ERR_OK);
}

/* {name, target}: links in the folder */
static const struct {
    const char *name;
    const char *links[10][2];
    const char *path, *end; /* NULL: ERR_DENIED */
} rows[] = {
    {"no link", {{NULL}}, "file", "file"},
    {"nothing there", {{NULL}}, "/nonexistent/x", "/nonexistent/x"},
    {"a link", {{"a", "file"}}, "a", "./file"},
    {"a link to nowhere", {{"a", "none"}}, "./a", "./none"},
    {"an absolute one", {{"a", "/etc/hostname"}}, "a", "/etc/hostname"},
    {"two", {{"a", "b"}, {"b", "c"}}, "a", "./c"},
    {"up", {{"a", "../x"}}, "./a", "./../x"},
    {"as in Kubernetes", {{"a", "..data/a"}, {"..data", "..2026"}}, "./a", "./..data/a"},
    {"a circle", {{"a", "b"}, {"b", "a"}}, "a", NULL},
    {"itself", {{"a", "a"}}, "a", NULL},
    {"eight",
     {{"a", "b"},
      {"b", "c"},
      {"c", "d"},
      {"d", "e"},
      {"e", "f"},
      {"f", "g"},
      {"g", "h"},
      {"h", "i"}},
     "a",
     "./i"},
    {"nine",
     {{"a", "b"},
      {"b", "c"},
      {"c", "d"},
      {"d", "e"},
      {"e", "f"},
      {"f", "g"},
      {"g", "h"},
      {"h", "i"},
      {"i", "j"}},
     "a",
     NULL},
};

static void follow(unsigned row)
{
    char end[PATH_MAX];
    enum err e;

    for (unsigned i = 0; i < 10 && rows[row].links[i][0] != NULL; i++)
        cr_assert_eq(symlink(rows[row].links[i][1], rows[row].links[i][0]), 0);
    e = path_follow(end, sizeof end, rows[row].path);
    cr_expect_eq(e, rows[row].end == NULL ? ERR_DENIED : ERR_OK, "%s", rows[row].name);
    if (e == ERR_OK)
        cr_expect_str_eq(end, rows[row].end, "%s: %s", rows[row].name, end);
}

Test(path, links_are_followed_to_their_final_target, .timeout = 10)
{
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        make_folder();
        follow(i);
        remove_folder();
    }
}
