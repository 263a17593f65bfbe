#include "store/outbox/outbox.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[128];
static struct outbox_file file;

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/outbox-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    file.fd = -1;
}

static void clean_up(void)
{
    outbox_close(&file);
    unlink(path);
    rmdir(folder);
}

static void make_file(const char *text, off_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    cr_assert_eq(ftruncate(fd, size), 0);
    close(fd);
}

Test(outbox, opens_a_regular_file_and_reports_its_size, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    make_file("hello", 5);
    cr_assert_eq(outbox_open(&file, path, OUTBOX_DAEMON), ERR_OK);
    cr_assert_eq(file.size_bytes, 5);
    cr_assert(fcntl(file.fd, F_GETFD) & FD_CLOEXEC);
    outbox_close(&file);
    cr_assert_eq(file.fd, -1);
    outbox_close(&file);
    make_file("", 0);
    cr_assert_eq(outbox_open(&file, path, OUTBOX_DAEMON), ERR_OK);
    cr_assert_eq(file.size_bytes, 0);
}

Test(outbox, refuses_files_that_are_not_regular, .init = set_up, .fini = clean_up, .timeout = 5)
{
    cr_assert_eq(outbox_open(&file, folder, OUTBOX_DAEMON), ERR_NOT_REGULAR);
    cr_assert_eq(file.fd, -1);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(outbox_open(&file, path, OUTBOX_DAEMON), ERR_NOT_REGULAR);
    cr_assert_eq(file.fd, -1);
    cr_assert_eq(outbox_open(&file, "/dev/null", OUTBOX_DAEMON), ERR_NOT_REGULAR);
}

/* Number of opens of `path` since the last call. */
static unsigned opens(int watch)
{
    char events[4096];
    ssize_t count = read(watch, events, sizeof events);
    unsigned found = 0;

    for (ssize_t at = 0; at < count;) {
        const struct inotify_event *e = (const struct inotify_event *)(const void *)(events + at);

        found += (e->mask & IN_OPEN) != 0;
        at += (ssize_t)sizeof *e + e->len;
    }
    return found;
}

static void make_fifo(void)
{
    cr_assert_eq(mkfifo(path, 0644), 0);
}

static void make_folder(void)
{
    cr_assert_eq(mkdir(path, 0755), 0);
}

static void make_link_to_folder(void)
{
    cr_assert_eq(symlink(folder, path), 0);
}

static void make_huge(void)
{
    make_file("", (off_t)OUTBOX_SIZE_MAX + 1);
}

static void make_private(void)
{
    make_file("", 1);
    cr_assert_eq(chmod(path, 0600), 0);
}

/* Opening a device or a FIFO has side effects (a tape rewinds): a file that is not sent must not be
 * opened. */
Test(outbox, never_opens_a_file_that_it_refuses, .init = set_up, .fini = clean_up, .timeout = 10)
{
    enum { OTHER_USER = 12345 };
    static const struct {
        const char *name;
        void (*make)(void);
        uid_t requester;
        enum err expected;
    } rows[] = {
        {"a FIFO", make_fifo, OUTBOX_DAEMON, ERR_NOT_REGULAR},
        {"a FIFO, for another user", make_fifo, OTHER_USER, ERR_DENIED},
        {"a folder", make_folder, OUTBOX_DAEMON, ERR_NOT_REGULAR},
        {"a folder, for another user", make_folder, OTHER_USER, ERR_DENIED},
        {"a link to a folder", make_link_to_folder, OUTBOX_DAEMON, ERR_NOT_REGULAR},
        {"a file beyond the size", make_huge, OUTBOX_DAEMON, ERR_TOO_LARGE},
        {"a file beyond the size, for another user", make_huge, OTHER_USER, ERR_DENIED},
        {"another's private file", make_private, OTHER_USER, ERR_DENIED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        unsigned opens_before; /* some kernels report that as well */

        rows[i].make();
        cr_assert_geq(inotify_add_watch(watch, path, IN_OPEN), 0);
        close(open(path, O_PATH | O_CLOEXEC));
        opens_before = opens(watch);
        cr_expect_eq(outbox_open(&file, path, rows[i].requester), rows[i].expected, "%s: %s",
                     rows[i].name, err_name(rows[i].expected));
        cr_expect_eq(file.fd, -1, "%s", rows[i].name);
        cr_expect_eq(opens(watch), opens_before, "%s was opened", rows[i].name);
        close(watch);
        remove(path);
    }
}

static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom",
                                      "/dev/tty"};

Test(outbox, refuses_devices_as_what_they_are, .init = set_up, .fini = clean_up, .timeout = 5)
{
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (access(devices[i], F_OK) == 0)
            cr_expect_eq(outbox_open(&file, devices[i], OUTBOX_DAEMON), ERR_NOT_REGULAR, "%s",
                         devices[i]);
}

Test(outbox, refuses_a_missing_file_and_a_relative_path, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    cr_assert_eq(outbox_open(&file, path, OUTBOX_DAEMON), ERR_NOT_FOUND);
    cr_assert_eq(outbox_open(&file, "file", OUTBOX_DAEMON), ERR_INVALID);
    cr_assert_eq(outbox_open(&file, "", OUTBOX_DAEMON), ERR_INVALID);
    cr_assert_eq(file.fd, -1);
}

Test(outbox, accepts_the_maximum_size_and_no_byte_more, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    make_file("", OUTBOX_SIZE_MAX);
    cr_assert_eq(outbox_open(&file, path, OUTBOX_DAEMON), ERR_OK);
    cr_assert_eq(file.size_bytes, (uint32_t)OUTBOX_SIZE_MAX);
    outbox_close(&file);
    make_file("", (off_t)OUTBOX_SIZE_MAX + 1);
    cr_assert_eq(outbox_open(&file, path, OUTBOX_DAEMON), ERR_TOO_LARGE);
    cr_assert_eq(file.fd, -1);
}

Test(outbox, reads_from_an_offset, .init = set_up, .fini = clean_up, .timeout = 5)
{
    char got[16];

    make_file("0123456789", 10);
    cr_assert_eq(outbox_open(&file, path, OUTBOX_DAEMON), ERR_OK);
    cr_assert_eq(outbox_load(&file), ERR_OK);
    cr_assert_eq(outbox_read(&file, 2, got, 5), ERR_OK);
    cr_assert_arr_eq(got, "23456", 5);
    cr_assert_eq(outbox_read(&file, 8, got, 2), ERR_OK);
    cr_assert_eq(outbox_read(&file, 10, got, 0), ERR_OK);
    cr_assert_eq(outbox_read(&file, 8, got, 3), ERR_SHRUNK);
}

/* Modifications between two reads, or before the first. */

static void write_at(off_t offset, const char *text)
{
    int fd = open(path, O_WRONLY);

    cr_assert_eq(pwrite(fd, text, strlen(text), offset), (ssize_t)strlen(text));
    close(fd);
}

static void set_times_back(void)
{
    struct timespec times[2] = {file.state.st_atim, file.state.st_mtim};

    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void is_rewritten(void)
{
    write_at(0, "abcdefghij");
}

static void is_rewritten_with_the_same_bytes(void)
{
    write_at(0, "0123456789");
}

static void is_rewritten_in_secret(void)
{
    write_at(3, "x");
    set_times_back();
}

static void is_appended_to(void)
{
    int fd = open(path, O_WRONLY | O_APPEND);

    cr_assert_eq(write(fd, "more", 4), 4);
    close(fd);
}

static void is_truncated(void)
{
    cr_assert_eq(truncate(path, 4), 0);
}

static void is_truncated_and_extended(void)
{
    cr_assert_eq(truncate(path, 0), 0);
    cr_assert_eq(truncate(path, 10), 0);
}

static void is_emptied_and_written_anew(void)
{
    make_file("abcdefghij", 10);
}

static void grows_beyond_the_limit(void)
{
    cr_assert_eq(truncate(path, (off_t)OUTBOX_SIZE_MAX + 1), 0);
}

static void gets_a_hole(void)
{
    int fd = open(path, O_WRONLY);

    cr_assert_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 10), 0);
    close(fd);
}

static void gets_an_older_time(void)
{
    struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void is_mapped_and_written(void)
{
    int fd = open(path, O_RDWR);
    char *bytes = mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    cr_assert_neq(bytes, MAP_FAILED);
    bytes[3] = 'x';
    munmap(bytes, 10);
    close(fd);
}

static void is_removed(void)
{
    cr_assert_eq(unlink(path), 0);
}

static void is_replaced(void)
{
    char other[160];
    int fd;

    snprintf(other, sizeof other, "%s.new", path);
    fd = open(other, O_WRONLY | O_CREAT, 0600);
    cr_assert_eq(write(fd, "abcdefghij", 10), 10);
    close(fd);
    cr_assert_eq(rename(other, path), 0);
}

static void is_renamed(void)
{
    char other[160];

    snprintf(other, sizeof other, "%s.old", path);
    cr_assert_eq(rename(path, other), 0);
}

static void is_made_unreadable(void)
{
    cr_assert_eq(chmod(path, 0), 0);
}

static void gets_another_link(void)
{
    char other[160];

    snprintf(other, sizeof other, "%s.link", path);
    cr_assert_eq(link(path, other), 0);
}

static void is_read_by_another(void)
{
    char byte;
    int fd = open(path, O_RDONLY);

    cr_assert_eq(read(fd, &byte, 1), 1);
    close(fd);
}

static void gets_a_folder_in_its_place(void)
{
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkdir(path, 0700), 0);
}

static const struct change {
    const char *what;
    void (*change)(void);
    enum err expected;
} changes[] = {
    {"rewritten in place", is_rewritten, ERR_CHANGED},
    {"rewritten with the same bytes", is_rewritten_with_the_same_bytes, ERR_CHANGED},
    {"rewritten, its time set back", is_rewritten_in_secret, ERR_CHANGED},
    {"appended to", is_appended_to, ERR_CHANGED},
    {"truncated", is_truncated, ERR_SHRUNK},
    {"truncated, then extended", is_truncated_and_extended, ERR_CHANGED},
    {"truncated and rewritten", is_emptied_and_written_anew, ERR_CHANGED},
    {"grown beyond the limit", grows_beyond_the_limit, ERR_CHANGED},
    {"got a hole", gets_a_hole, ERR_CHANGED},
    {"its time set back", gets_an_older_time, ERR_CHANGED},
    {"mapped and written", is_mapped_and_written, ERR_CHANGED},
    {"removed", is_removed, ERR_OK},
    {"replaced by another", is_replaced, ERR_OK},
    {"renamed", is_renamed, ERR_OK},
    {"mode 0", is_made_unreadable, ERR_OK},
    {"got another link", gets_another_link, ERR_OK},
    {"read by another", is_read_by_another, ERR_OK},
    {"replaced by a folder", gets_a_folder_in_its_place, ERR_OK},
};

static void settle(void)
{
    while (outbox_settles_in_ms(&file) > 0)
        usleep(1000);
}

static void remove_all(void)
{
    char command[160];

    snprintf(command, sizeof command, "rm -rf %s/*", folder);
    cr_assert_eq(system(command), 0);
}

static void play_change(const struct change *c, bool is_half_read)
{
    char bytes[16] = "";
    enum err e;

    make_file("0123456789", 10);
    cr_assert_eq(outbox_open(&file, path, OUTBOX_DAEMON), ERR_OK, "%s", c->what);
    cr_assert_eq(outbox_load(&file), ERR_OK, "%s", c->what);
    settle();
    if (is_half_read)
        cr_assert_eq(outbox_read(&file, 0, bytes, 5), ERR_OK, "%s", c->what);
    c->change();
    e = is_half_read ? outbox_read(&file, 5, bytes + 5, 5) : outbox_read(&file, 0, bytes, 10);
    cr_expect_eq(e, c->expected, "%s, half read %d: %s", c->what, is_half_read, err_name(e));
    if (e == ERR_OK)
        cr_expect_str_eq(bytes, "0123456789", "%s", c->what);
    outbox_close(&file);
    remove_all();
}

Test(outbox, reads_a_consistent_file_or_returns_an_error, .init = set_up, .fini = clean_up,
     .timeout = 20)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        play_change(&changes[i], false);
        play_change(&changes[i], true);
    }
}

/* Files whose content does not match stat. */
static const struct odd {
    const char *path;
    bool has_content;
    enum err opened, loaded;
} odds[] = {
    {"/proc/version", true, ERR_OK, ERR_OK},
    {"/proc/self/status", true, ERR_OK, ERR_OK},
    {"/proc/self/cmdline", true, ERR_OK, ERR_OK},
    {"/proc/meminfo", true, ERR_OK, ERR_OK},
    {"/proc/sys/kernel/ostype", true, ERR_OK, ERR_OK},
    {"/sys/kernel/mm/transparent_hugepage/enabled", true, ERR_OK, ERR_OK},
    {"/sys/devices/system/cpu/online", true, ERR_OK, ERR_OK},
    {"/proc/self/attr", false, ERR_NOT_REGULAR, ERR_OK},
    {"/proc/self/mem", false, ERR_OK, ERR_IO},
    {"/dev/zero", false, ERR_NOT_REGULAR, ERR_OK},
    {"/dev/stdin/x", false, ERR_NOT_FOUND, ERR_OK},
    {"/proc/self/fd", false, ERR_NOT_REGULAR, ERR_OK},
};

static void read_odd(const struct odd *o)
{
    static char bytes[OUTBOX_UNSIZED_MAX];
    enum err e = outbox_open(&file, o->path, OUTBOX_DAEMON);

    if (access(o->path, F_OK) != 0 && o->opened == ERR_OK)
        return; /* not supported by this kernel */
    cr_expect_eq(e, o->opened, "%s: opened: %s", o->path, err_name(e));
    if (e != ERR_OK)
        return;
    e = outbox_load(&file);
    cr_expect_eq(e, o->loaded, "%s: loaded: %s", o->path, err_name(e));
    if (e == ERR_OK) {
        cr_expect_eq(outbox_read(&file, 0, bytes, file.size_bytes), ERR_OK, "%s", o->path);
        cr_expect_eq(file.size_bytes > 0 && bytes[0] != '\0', o->has_content, "%s", o->path);
    }
    outbox_close(&file);
}

Test(outbox, reads_files_whose_size_stat_does_not_report, .init = set_up, .fini = clean_up,
     .timeout = 20)
{
    for (size_t i = 0; i < sizeof odds / sizeof *odds; i++)
        read_odd(&odds[i]);
}

/* Without content: an empty file and a file that is one hole. */
Test(outbox, empty_and_sparse_files_are_read_correctly, .init = set_up, .fini = clean_up,
     .timeout = 20)
{
    static const off_t sizes[] = {0, 1, 4095, 65536, OUTBOX_UNSIZED_MAX, OUTBOX_UNSIZED_MAX + 1};
    static char bytes[OUTBOX_UNSIZED_MAX + 1];

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make_file("", sizes[i]);
        cr_assert_eq(outbox_open(&file, path, OUTBOX_DAEMON), ERR_OK);
        cr_assert_eq(outbox_load(&file), ERR_OK);
        cr_expect_eq(file.size_bytes, sizes[i]);
        memset(bytes, 1, sizeof bytes);
        cr_assert_eq(outbox_read(&file, 0, bytes, file.size_bytes), ERR_OK);
        for (off_t at = 0; at < sizes[i]; at++)
            cr_assert_eq(bytes[at], 0);
        outbox_close(&file);
    }
}

Test(outbox, explains_errors_with_name_reason_and_advice, .timeout = 5)
{
    char text[256];

    outbox_explain(ERR_TOO_LARGE, "/big", text, sizeof text);
    cr_assert_str_eq(text, "cannot send /big: it is larger than 2,147,483,647 bytes, which the "
                           "protocol cannot carry: split it");
    outbox_explain(ERR_NOT_FOUND, "/a\nb", text, sizeof text);
    cr_assert_not_null(strstr(text, "/a%0Ab"));
    outbox_explain(ERR_SYSTEM, "/x", text, sizeof text);
    cr_assert_not_null(strstr(text, err_text(ERR_SYSTEM)));
    outbox_explain(ERR_TOO_LARGE, "/big", text, 8);
    cr_assert_str_eq(text, "cannot ");
}

Test(outbox, opens_for_another_user_only_files_that_user_can_read, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    enum { SOMEBODY = 61234 };

    make_file("x", 1);
    cr_assert_eq(chmod(folder, 0755), 0);
    cr_assert_eq(chmod(path, 0600), 0);
    cr_assert_eq(outbox_open(&file, path, SOMEBODY), ERR_DENIED);
    cr_assert_eq(file.fd, -1);
    cr_assert_eq(outbox_open(&file, path, geteuid()), ERR_OK);
    outbox_close(&file);
    cr_assert_eq(chmod(path, 0604), 0);
    cr_assert_eq(outbox_open(&file, path, SOMEBODY), ERR_OK);
    outbox_close(&file);
    cr_assert_eq(chmod(folder, 0754), 0, "readable, but its folder is not searchable");
    cr_assert_eq(outbox_open(&file, path, SOMEBODY), ERR_DENIED);
    cr_assert_eq(chmod(folder, 0700), 0);
}

Test(outbox, opens_only_files_below_its_roots, .init = set_up, .fini = clean_up, .timeout = 5)
{
    char roots[160], link[160];

    make_file("x", 1);
    snprintf(link, sizeof link, "%s/out", folder);
    cr_assert_eq(symlink("/etc/passwd", link), 0);
    snprintf(roots, sizeof roots, "/nowhere-at-all,%s", folder);
    cr_assert_eq(outbox_set_roots(roots), ERR_NOT_FOUND);
    cr_assert_eq(outbox_set_roots(folder), ERR_OK);
    cr_assert_eq(outbox_open(&file, path, OUTBOX_DAEMON), ERR_OK);
    outbox_close(&file);
    cr_assert_eq(outbox_open(&file, link, OUTBOX_DAEMON), ERR_DENIED);
    cr_assert_eq(outbox_open(&file, "/etc/passwd", OUTBOX_DAEMON), ERR_DENIED);
    cr_assert_eq(outbox_open(&file, folder, OUTBOX_DAEMON), ERR_DENIED);
    unlink(link);
}
