#include "store/outbox.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[128];
static struct outbox_file file;
static int pair[2];

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/outbox-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    file.fd = -1;
    signal(SIGPIPE, SIG_IGN);
}

static void clean_up(void)
{
    outbox_close(&file);
    close(pair[0]);
    close(pair[1]);
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

Test(outbox, opens_a_regular_file_and_knows_its_size, .init = set_up, .fini = clean_up,
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

Test(outbox, refuses_what_is_no_regular_file, .init = set_up, .fini = clean_up, .timeout = 5)
{
    cr_assert_eq(outbox_open(&file, folder, OUTBOX_DAEMON), ERR_NOT_REGULAR);
    cr_assert_eq(file.fd, -1);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(outbox_open(&file, path, OUTBOX_DAEMON), ERR_NOT_REGULAR);
    cr_assert_eq(file.fd, -1);
    cr_assert_eq(outbox_open(&file, "/dev/null", OUTBOX_DAEMON), ERR_NOT_REGULAR);
}

/* How often what stands at `path` was opened since the last call. */
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

/* A device has effects when it is opened (a tape rewinds), as a FIFO has: so what is not to be sent
 * is never opened. */
Test(outbox, never_opens_what_is_not_to_be_sent, .init = set_up, .fini = clean_up, .timeout = 10)
{
    enum { STRANGER = 12345 };
    static const struct {
        const char *name;
        void (*make)(void);
        uid_t asker;
        enum err expected;
    } rows[] = {
        {"a FIFO", make_fifo, OUTBOX_DAEMON, ERR_NOT_REGULAR},
        {"a FIFO, for another user", make_fifo, STRANGER, ERR_DENIED},
        {"a folder", make_folder, OUTBOX_DAEMON, ERR_NOT_REGULAR},
        {"a folder, for another user", make_folder, STRANGER, ERR_DENIED},
        {"a link to a folder", make_link_to_folder, OUTBOX_DAEMON, ERR_NOT_REGULAR},
        {"a file beyond the size", make_huge, OUTBOX_DAEMON, ERR_TOO_LARGE},
        {"a file beyond the size, for another user", make_huge, STRANGER, ERR_DENIED},
        {"another's private file", make_private, STRANGER, ERR_DENIED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        unsigned finding; /* some kernels tell of that, too */

        rows[i].make();
        cr_assert_geq(inotify_add_watch(watch, path, IN_OPEN), 0);
        close(open(path, O_PATH | O_CLOEXEC));
        finding = opens(watch);
        cr_expect_eq(outbox_open(&file, path, rows[i].asker), rows[i].expected, "%s: %s",
                     rows[i].name, err_name(rows[i].expected));
        cr_expect_eq(file.fd, -1, "%s", rows[i].name);
        cr_expect_eq(opens(watch), finding, "%s was opened", rows[i].name);
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

Test(outbox, takes_the_largest_size_and_no_byte_more, .init = set_up, .fini = clean_up,
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

Test(outbox, sends_from_an_offset_to_a_socket, .init = set_up, .fini = clean_up, .timeout = 5)
{
    char got[16];
    size_t sent;
    bool is_socket;

    make_file("0123456789", 10);
    cr_assert_eq(outbox_open(&file, path, OUTBOX_DAEMON), ERR_OK);
    cr_assert_eq(outbox_send(&file, 2, 5, pair[0], &sent, &is_socket), ERR_OK);
    cr_assert_eq(sent, 5);
    cr_assert_eq(read(pair[1], got, sizeof got), 5);
    cr_assert_arr_eq(got, "23456", 5);
    cr_assert_eq(outbox_send(&file, 8, 100, pair[0], &sent, &is_socket), ERR_OK);
    cr_assert_eq(sent, 2);
    cr_assert_eq(outbox_send(&file, 10, 1, pair[0], &sent, &is_socket), ERR_SHRUNK);
    cr_assert_eq(sent, 0);
    cr_assert_not(is_socket);
}

Test(outbox, tells_a_full_socket_from_a_lost_one, .init = set_up, .fini = clean_up, .timeout = 10)
{
    size_t sent, total = 0;
    bool is_socket;
    enum err e;

    make_file("", 16 << 20);
    cr_assert_eq(outbox_open(&file, path, OUTBOX_DAEMON), ERR_OK);
    while ((e = outbox_send(&file, total, 1 << 20, pair[0], &sent, &is_socket)) == ERR_OK)
        total += sent;
    cr_assert_eq(e, ERR_AGAIN);
    cr_assert_not(is_socket);
    cr_assert_gt(total, 0);
    cr_assert_lt(total, 16u << 20);
    close(pair[1]);
    cr_assert_eq(outbox_send(&file, 0, 1, pair[0], &sent, &is_socket), ERR_CLOSED);
    cr_assert(is_socket);
}

Test(outbox, notices_a_file_that_shrank_after_it_was_opened, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    size_t sent;
    bool is_socket;
    char bytes[8];

    make_file("0123456789", 10);
    cr_assert_eq(outbox_open(&file, path, OUTBOX_DAEMON), ERR_OK);
    cr_assert_eq(truncate(path, 4), 0);
    cr_assert_eq(outbox_send(&file, 0, 10, pair[0], &sent, &is_socket), ERR_OK);
    cr_assert_eq(sent, 4);
    cr_assert_eq(outbox_send(&file, 4, 6, pair[0], &sent, &is_socket), ERR_SHRUNK);
    cr_assert_eq(outbox_read(&file, 0, bytes, 4), ERR_OK);
    cr_assert_arr_eq(bytes, "0123", 4);
    cr_assert_eq(outbox_read(&file, 0, bytes, 5), ERR_SHRUNK);
    cr_assert_eq(outbox_read(&file, 9, bytes, 0), ERR_OK);
}

Test(outbox, explains_itself_with_name_reason_and_advice, .timeout = 5)
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

Test(outbox, opens_for_another_user_only_what_that_one_could_read, .init = set_up, .fini = clean_up,
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
    cr_assert_eq(chmod(folder, 0754), 0, "readable, but not to be reached");
    cr_assert_eq(outbox_open(&file, path, SOMEBODY), ERR_DENIED);
    cr_assert_eq(chmod(folder, 0700), 0);
}

Test(outbox, opens_nothing_beside_its_roots_once_there_are_some, .init = set_up, .fini = clean_up,
     .timeout = 5)
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
