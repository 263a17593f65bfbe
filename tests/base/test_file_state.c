#include "base/file_state.h"

#include <criterion/criterion.h>

enum { MS = 1000000 };

static const struct settling {
    const char *what;
    struct timespec mtime, ctime, now;
    bool is_settled;
} settlings[] = {
    {"changed long ago", {1000, 123}, {1000, 123}, {2000, 0}, true},
    {"changed in this tick", {1000, 5 * MS + 1}, {1000, 5 * MS + 1}, {1000, 5 * MS + 1}, false},
    {"changed one tick before", {1000, 5 * MS + 1}, {1000, 5 * MS + 1}, {1000, 9 * MS + 1}, true},
    {"changed in this tick, 100 ns cut off",
     {1000, 5 * MS + 100},
     {1000, 5 * MS + 100},
     {1000, 5 * MS + 150},
     false},
    {"only the rights changed in this tick",
     {10, 123},
     {1000, 5 * MS + 1},
     {1000, 5 * MS + 1},
     false},
    {"a time set back, in this tick", {10, 0}, {1000, 5 * MS + 1}, {1000, 5 * MS + 1}, false},
    {"whole seconds, in this one", {1000, 0}, {1000, 0}, {1000, 900 * MS}, false},
    {"whole seconds, in the one before", {1000, 0}, {1000, 0}, {1001, 900 * MS}, false},
    {"whole seconds, three before", {1000, 0}, {1000, 0}, {1003, 0}, true},
    {"hundredths, in this second", {1000, 30 * MS}, {1000, 30 * MS}, {1000, 35 * MS}, false},
    {"a clock ahead by a second", {1001, 7}, {1001, 7}, {1000, 7}, false},
    {"a clock ahead by a day", {87400, 7}, {87400, 7}, {1000, 7}, true},
};

Test(file_state, a_change_within_the_same_clock_tick_is_not_detectable, .timeout = 5)
{
    for (size_t i = 0; i < sizeof settlings / sizeof *settlings; i++) {
        const struct settling *s = &settlings[i];
        struct stat state = {.st_mtim = s->mtime, .st_ctim = s->ctime};
        uint64_t left_ms = file_state_settles_in_ms(&state, s->now);

        cr_expect_eq(left_ms == 0, s->is_settled, "%s: %llu", s->what, (unsigned long long)left_ms);
        cr_expect_leq(left_ms, 2010, "%s", s->what);
    }
}

/* Against a file of 100 bytes, changed at 50.000000007. */
static const struct difference {
    const char *what;
    struct stat now;
    bool is_same;
} differences[] = {
    {"nothing", {.st_size = 100, .st_nlink = 1, .st_mtim = {50, 7}, .st_ctim = {50, 7}}, true},
    {"read since",
     {.st_size = 100, .st_nlink = 1, .st_atim = {60, 0}, .st_mtim = {50, 7}, .st_ctim = {50, 7}},
     true},
    {"longer", {.st_size = 101, .st_nlink = 1, .st_mtim = {50, 7}, .st_ctim = {50, 7}}, false},
    {"shorter", {.st_size = 99, .st_nlink = 1, .st_mtim = {50, 7}, .st_ctim = {50, 7}}, false},
    {"written", {.st_size = 100, .st_nlink = 1, .st_mtim = {50, 8}, .st_ctim = {50, 8}}, false},
    {"an older time",
     {.st_size = 100, .st_nlink = 1, .st_mtim = {40, 7}, .st_ctim = {51, 7}},
     false},
    {"written, the time set back",
     {.st_size = 100, .st_nlink = 1, .st_mtim = {50, 7}, .st_ctim = {51, 7}},
     false},
    {"another file",
     {.st_ino = 1, .st_size = 100, .st_nlink = 1, .st_mtim = {50, 7}, .st_ctim = {50, 7}},
     false},
    {"another file system",
     {.st_dev = 1, .st_size = 100, .st_nlink = 1, .st_mtim = {50, 7}, .st_ctim = {50, 7}},
     false},
    {"a link more", {.st_size = 100, .st_nlink = 2, .st_mtim = {50, 7}, .st_ctim = {51, 7}}, true},
    {"removed", {.st_size = 100, .st_nlink = 0, .st_mtim = {50, 7}, .st_ctim = {51, 7}}, true},
    {"other rights",
     {.st_size = 100, .st_nlink = 1, .st_mode = 0644, .st_mtim = {50, 7}, .st_ctim = {51, 7}},
     true},
    {"another owner",
     {.st_size = 100, .st_nlink = 1, .st_uid = 5, .st_mtim = {50, 7}, .st_ctim = {51, 7}},
     true},
    {"another group",
     {.st_size = 100, .st_nlink = 1, .st_gid = 5, .st_mtim = {50, 7}, .st_ctim = {51, 7}},
     true},
    {"a link more, and written",
     {.st_size = 100, .st_nlink = 2, .st_mtim = {51, 7}, .st_ctim = {51, 7}},
     false},
};

Test(file_state, distinguishes_content_from_name_and_mode_changes, .timeout = 5)
{
    struct stat before = {.st_size = 100, .st_nlink = 1, .st_mtim = {50, 7}, .st_ctim = {50, 7}};
    struct stat root;

    cr_assert_eq(stat("/", &root), 0);
    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++) {
        const struct difference *d = &differences[i];
        struct stat now = d->now;

        /* The name leads to the file: "/" is it. */
        before.st_dev = root.st_dev;
        before.st_ino = root.st_ino;
        now.st_dev += root.st_dev;
        now.st_ino += root.st_ino;
        cr_expect_eq(file_state_is_same(&before, &now, "/"), d->is_same, "%s", d->what);
    }
}

Test(file_state, a_name_of_another_file_explains_a_change_without_content, .timeout = 5)
{
    struct stat before = {.st_size = 100, .st_mtim = {50, 7}, .st_ctim = {50, 7}}, now = before;

    now.st_ctim.tv_sec++;
    cr_expect(file_state_is_same(&before, &now, "/nonexistent"));
    cr_expect(file_state_is_same(&before, &now, "/"), "another file");
    now.st_mtim.tv_sec++;
    cr_expect_not(file_state_is_same(&before, &now, "/nonexistent"));
}
