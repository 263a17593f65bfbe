/* Files that fail or change while they are sent, the effect on the session, and acknowledged bytes.
 */
#include "tcp/tcp_support.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(tcp_sends_troubled, .init = context_open, .fini = context_close, .timeout = 30);

enum { CHUNK = 96 * 1024, LONG = 3 * CHUNK + 1000 };

/* System calls that fail on demand: reads of one file from an offset on, writes to one socket. */
static struct {
    ino_t inode;
    off_t from;
    int error_number, times;
} bad_file;
static struct {
    int fd, error_number, times;
} bad_socket = {.fd = -1};

ssize_t pread(int fd, void *to, size_t length, off_t offset)
{
    struct stat st;

    if (bad_file.times > 0 && offset >= bad_file.from && fstat(fd, &st) == 0 &&
        st.st_ino == bad_file.inode) {
        bad_file.times--;
        errno = bad_file.error_number;
        return -1;
    }
    return syscall(SYS_pread64, fd, to, length, offset);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    if (bad_socket.times > 0 && fd == bad_socket.fd) {
        bad_socket.times--;
        errno = bad_socket.error_number;
        return -1;
    }
    return syscall(SYS_sendto, fd, bytes, length, flags, NULL, 0);
}

/* A file of 100 bytes to offset 0, or a long one to its second frame. */
static void a_bad_file(char path[128], size_t size, int error_number, off_t from, int times)
{
    struct stat st;

    snprintf(path, 128, "%s", make_file("bad", size));
    cr_assert_eq(stat(path, &st), 0);
    bad_file.inode = st.st_ino;
    bad_file.from = from;
    bad_file.error_number = error_number;
    bad_file.times = times;
}

/* Receives a file's frames up to the last; false: it was aborted, with `text`. */
static bool takes(size_t size, char text[300])
{
    size_t got = 0;
    struct received_frame h;

    do {
        h = peer_receive();
        if (h.command == 'a') {
            snprintf(text, 300, "%s", h.text);
            return false;
        }
        cr_assert_eq(h.command, 'd');
        for (size_t i = 0; i < h.length; i++)
            cr_assert_eq(h.bytes[i], byte_at(got + i), "byte %zu", got + i);
        got += h.length;
    } while (got < size);
    peer_ok(h.file_id);
    return true;
}

static void is_alive(void)
{
    struct sent_file *s = send_made(10);
    char text[300];

    cr_assert(takes(10, text));
    UNTIL(s->answers == 1);
    cr_assert_eq(s->status, GATEWAY_TRANSFER_FINISHED);
    cr_assert_eq(state(), ST_CONNECTED);
}

static const int read_errors[] = {
    EIO,      EUCLEAN,      EBADMSG,    ENOMEM,      ENOBUFS,    EINVAL,    EOVERFLOW,    ESPIPE,
    ESTALE,   EBADF,        EAGAIN,     EISDIR,      ENXIO,      ENODEV,    EACCES,       EPERM,
    ENOENT,   ENOSYS,       EOPNOTSUPP, EPIPE,       ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETDOWN,
    ENOTCONN, ECONNREFUSED, EREMOTEIO,  EKEYEXPIRED, EDQUOT,     ENOSPC,
};

Test(tcp_sends_troubled, a_read_error_fails_the_file_and_never_the_session)
{
    char path[128], expected[200], text[300];

    session_connected(true);
    for (size_t i = 0; i < sizeof read_errors / sizeof *read_errors; i++) {
        int error_number = read_errors[i];
        struct sent_file *s;

        snprintf(expected, sizeof expected, " reading the file failed: %s", strerror(error_number));
        a_bad_file(path, LONG, error_number, CHUNK, 1);
        s = send_path(path, false);
        cr_expect_not(takes(LONG, text), "%s", expected);
        cr_expect_str_eq(text, expected);
        UNTIL(s->answers == 1);
        cr_expect_str_eq(s->error, expected + 1);
        a_bad_file(path, 100, error_number, 0, 1);
        s = send_path(path, false); /* without a frame to the peer */
        UNTIL(s->answers == 1);
        cr_expect_str_eq(s->error, expected + 1);
    }
    is_alive();
    context_close();
}

Test(tcp_sends_troubled, an_interrupted_read_goes_on)
{
    char path[128], text[300];

    session_connected(true);
    a_bad_file(path, LONG, EINTR, 0, 5);
    send_path(path, false);
    cr_expect(takes(LONG, text));
    UNTIL(answered() == 1);
    cr_expect_eq(sent[0].status, GATEWAY_TRANSFER_FINISHED);
    context_close();
}

static const int socket_errors[] = {
    EPIPE,   ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ENETDOWN,
    ENOBUFS, ENOMEM,     EPERM,     EACCES,       ENOTCONN,    EIO,
};

Test(tcp_sends_troubled, a_send_error_ends_the_session)
{
    for (size_t i = 0; i < sizeof socket_errors / sizeof *socket_errors; i++) {
        struct sent_file *s;

        session_connected(true);
        s = send_made(LONG);
        bad_socket.fd = conn->link.fd;
        bad_socket.error_number = socket_errors[i];
        bad_socket.times = 1;
        UNTIL(conn == NULL);
        UNTIL(s->answers == 1);
        cr_expect_eq(s->status, GATEWAY_TRANSFER_FAILED, "%s", strerror(socket_errors[i]));
        cr_expect_null(strstr(s->error, "reading"), "%s", s->error);
        peer_close();
    }
    context_close();
}

Test(tcp_sends_troubled, a_send_that_is_interrupted_or_would_wait_goes_on)
{
    char text[300];

    session_connected(true);
    bad_socket.fd = conn->link.fd;
    bad_socket.error_number = EINTR;
    bad_socket.times = 3;
    send_made(LONG);
    cr_expect(takes(LONG, text));
    UNTIL(answered() == 1);
    context_close();
}

/* The file changes after part of it was sent. */

static void writes(const char *path)
{
    int fd = open(path, O_WRONLY);

    cr_assert_eq(pwrite(fd, "xxxx", 4, LONG - 10), 4);
    close(fd);
}

static void writes_what_has_gone(const char *path)
{
    int fd = open(path, O_WRONLY);

    cr_assert_eq(pwrite(fd, "xxxx", 4, 0), 4);
    close(fd);
}

static void writes_in_secret(const char *path)
{
    struct stat st;

    cr_assert_eq(stat(path, &st), 0);
    writes(path);
    cr_assert_eq(utimensat(AT_FDCWD, path, (struct timespec[2]){st.st_atim, st.st_mtim}, 0), 0);
}

static void appends(const char *path)
{
    FILE *file = fopen(path, "a");

    fputs("more", file);
    fclose(file);
}

static void shortens(const char *path)
{
    cr_assert_eq(truncate(path, LONG - 1), 0);
}

static void shortens_and_lengthens(const char *path)
{
    cr_assert_eq(truncate(path, 0), 0);
    cr_assert_eq(truncate(path, LONG), 0);
}

static void lengthens_beyond_all(const char *path)
{
    cr_assert_eq(truncate(path, (off_t)1 << 31), 0);
}

static void maps(const char *path)
{
    int fd = open(path, O_RDWR);
    char *bytes = mmap(NULL, LONG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    cr_assert_neq(bytes, MAP_FAILED);
    bytes[CHUNK - 1] = (char)~bytes[CHUNK - 1];
    munmap(bytes, LONG);
    close(fd);
}

static void writes_anew(const char *path)
{
    FILE *file = fopen(path, "w");

    for (size_t i = 0; i < LONG; i++)
        fputc('x', file);
    fclose(file);
}

static void punches(const char *path)
{
    int fd = open(path, O_WRONLY);

    cr_assert_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, LONG), 0);
    close(fd);
}

static void removes(const char *path)
{
    cr_assert_eq(unlink(path), 0);
}

static void replaces(const char *path)
{
    char other[160];
    FILE *file;

    snprintf(other, sizeof other, "%s.new", path);
    file = fopen(other, "w");
    fputs("another", file);
    fclose(file);
    cr_assert_eq(rename(other, path), 0);
}

static void renames(const char *path)
{
    char other[160];

    snprintf(other, sizeof other, "%s.old", path);
    cr_assert_eq(rename(path, other), 0);
}

static void forbids(const char *path)
{
    cr_assert_eq(chmod(path, 0), 0);
}

static void links(const char *path)
{
    char other[160];

    snprintf(other, sizeof other, "%s.link", path);
    unlink(other);
    cr_assert_eq(link(path, other), 0);
}

static const struct change {
    const char *what;
    void (*change)(const char *path);
    bool is_sent;
} changes[] = {
    {"written to, ahead", writes, false},
    {"written to, behind", writes_what_has_gone, false},
    {"written to, its time set back", writes_in_secret, false},
    {"appended to", appends, false},
    {"shortened", shortens, false},
    {"shortened and lengthened", shortens_and_lengthens, false},
    {"lengthened beyond the limit", lengthens_beyond_all, false},
    {"mapped and written to", maps, false},
    {"written anew", writes_anew, false},
    {"punched", punches, false},
    {"removed", removes, true},
    {"replaced", replaces, true},
    {"renamed", renames, true},
    {"made unreadable", forbids, true},
    {"linked", links, true},
};

/* The file has begun, and the socket is full. */
static bool is_under_way(enum transfer_outgoing_phase phase)
{
    struct transfer_outgoing *out = TAILQ_FIRST(&conn->outgoing.head);

    return out != NULL && out->is_begun && out->phase == phase &&
           !session_link_is_writable(&conn->link);
}

static void narrow(void)
{
    int size = 32768;

    cr_assert_eq(setsockopt(conn->link.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    cr_assert_eq(setsockopt(peer_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
}

Test(tcp_sends_troubled, a_file_that_changes_while_sent_is_aborted_and_the_session_continues)
{
    session_connected(true);
    narrow();
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const struct change *c = &changes[i];
        char path[128], text[300] = "";
        struct sent_file *s;

        snprintf(path, sizeof path, "%s", make_file("changes", LONG));
        s = send_path(path, false);
        UNTIL(is_under_way(OUTGOING_SENDING));
        c->change(path);
        cr_expect_eq(takes(LONG, text), c->is_sent, "%s: %s", c->what, text);
        UNTIL(s->answers == 1);
        cr_expect_eq(s->status == GATEWAY_TRANSFER_FINISHED, c->is_sent, "%s: %s", c->what,
                     s->error);
        if (!c->is_sent)
            cr_expect_str_eq(s->error, "the file changed while it was sent", "%s", c->what);
        chmod(path, 0600);
        unlink(path);
        is_alive();
    }
    context_close();
}

/* Bytes that were read are a copy, which no change affects. */
Test(tcp_sends_troubled, a_file_that_changes_after_it_was_read_arrives_unchanged)
{
    enum { ONE = CHUNK };

    session_connected(true);
    narrow();
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char path[128], text[300] = "";
        struct sent_file *s;

        snprintf(path, sizeof path, "%s", make_file("changes", ONE));
        s = send_path(path, false);
        UNTIL(is_under_way(OUTGOING_OK_AWAITED));
        changes[i].change(path);
        cr_expect(takes(ONE, text), "%s: %s", changes[i].what, text);
        UNTIL(s->answers == 1);
        cr_expect_eq(s->status, GATEWAY_TRANSFER_FINISHED, "%s", changes[i].what);
        chmod(path, 0600);
        unlink(path);
    }
    context_close();
}

/* If another file gets the name before the send starts, that one is sent or refused. */

static void puts_a_folder(const char *path)
{
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkdir(path, 0700), 0);
}

static void puts_a_pipe(const char *path)
{
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkfifo(path, 0600), 0);
}

static void puts_a_link_to_a_device(const char *path)
{
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(symlink("/dev/zero", path), 0);
}

static void puts_a_link_to_itself(const char *path)
{
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(symlink(path, path), 0);
}

static void puts_the_next_version(const char *path)
{
    char other[160];
    FILE *file;

    snprintf(other, sizeof other, "%s.new", path);
    file = fopen(other, "w");
    for (size_t i = 0; i < LONG; i++)
        fputc(byte_at(i), file);
    fclose(file);
    cr_assert_eq(rename(other, path), 0);
}

static void writes_the_next_version(const char *path)
{
    FILE *file = fopen(path, "w");

    for (size_t i = 0; i < LONG; i++)
        fputc(byte_at(i), file);
    fclose(file);
}

static void puts_a_link_to_the_next_version(const char *path)
{
    char other[160];

    snprintf(other, sizeof other, "%s.new", path);
    cr_assert_eq(rename(path, other), 0);
    writes_the_next_version(other);
    cr_assert_eq(symlink(other, path), 0);
}

static const struct swap {
    const char *what;
    void (*change)(const char *path);
    const char *problem; /* part of it; NULL: LONG bytes are sent */
} swaps[] = {
    {"the next version by rename", puts_the_next_version, NULL},
    {"the next version in place", writes_the_next_version, NULL},
    {"a link to the next version", puts_a_link_to_the_next_version, NULL},
    {"removed", removes, "file not exist"},
    {"renamed", renames, "file not exist"},
    {"a folder", puts_a_folder, "not a regular file"},
    {"a pipe", puts_a_pipe, "not a regular file"},
    {"a device", puts_a_link_to_a_device, "not a regular file"},
    {"a link to itself", puts_a_link_to_itself, "no read permission"},
    {"beyond the limit", lengthens_beyond_all, "2,147,483,647"},
};

Test(tcp_sends_troubled, the_file_with_that_name_at_the_start_of_the_send_is_sent_or_refused)
{
    for (size_t i = 0; i < sizeof swaps / sizeof *swaps; i++) {
        char path[128], text[300] = "";
        struct sent_file *s;

        session_dialled();
        snprintf(path, sizeof path, "%s", make_file("queued", 10));
        s = send_path(path, false);
        swaps[i].change(path);
        cr_assert_eq(peer_receive().command, 'h');
        peer_send('w', "None", 4);
        if (swaps[i].problem == NULL)
            cr_expect(takes(LONG, text), "%s: %s", swaps[i].what, text);
        UNTIL(s->answers == 1);
        cr_expect_eq(s->status == GATEWAY_TRANSFER_FINISHED, swaps[i].problem == NULL, "%s",
                     swaps[i].what);
        if (swaps[i].problem != NULL)
            cr_expect_not_null(strstr(s->error, swaps[i].problem), "%s: %s", swaps[i].what,
                               s->error);
        is_alive();
        remove(path);
        session_core_drop(conn, "next");
        UNTIL(conn == NULL);
        peer_close();
    }
    context_close();
}

Test(tcp_sends_troubled, a_file_without_a_size_is_sent_with_the_size_read)
{
    static const char *const names[] = {"/proc/version", "/proc/sys/kernel/ostype",
                                        "/proc/filesystems", "/proc/self/cmdline"};

    session_connected(true);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct sent_file *s = send_path(names[i], false);
        FILE *file = fopen(names[i], "r");
        char bytes[16384];
        size_t length = fread(bytes, 1, sizeof bytes, file);
        struct received_frame h = peer_receive();

        fclose(file);
        cr_assert_gt(length, 0);
        cr_expect_eq(h.size, (int32_t)length, "%s", names[i]);
        cr_assert_eq(h.length, length);
        cr_expect_arr_eq(h.bytes, bytes, length);
        peer_ok(h.file_id);
        UNTIL(s->answers == 1);
        cr_expect_eq(s->status, GATEWAY_TRANSFER_FINISHED);
    }
    context_close();
}

/* Acknowledged bytes. */

static uint32_t acknowledged_now(void)
{
    struct transfer_outgoing *out = TAILQ_FIRST(&conn->outgoing.head);

    return transfer_marks_passed(&out->marks, session_core_acknowledged(conn));
}

Test(tcp_sends_troubled, acknowledged_bytes_are_those_that_the_peers_kernel_acknowledged)
{
    enum { WAITS = 1 << 20 };
    uint32_t before;
    int32_t file_id;
    char path[128];
    struct transfer_outgoing *out;
    size_t got = 0;

    session_connected(true);
    snprintf(path, sizeof path, "%s", make_file("long", WAITS));
    send_path(path, false);
    UNTIL(TAILQ_FIRST(&conn->outgoing.head) != NULL && TAILQ_FIRST(&conn->outgoing.head)->is_begun);
    out = TAILQ_FIRST(&conn->outgoing.head);
    before = acknowledged_now();
    cr_expect_leq(before, out->transfer.done_bytes);
    cr_expect_leq(before, conn->writer.sent_bytes);
    do {
        struct received_frame h = peer_receive();
        uint32_t now;

        got += h.length;
        file_id = h.file_id;
        now = acknowledged_now();
        cr_expect_geq(now, before);
        cr_expect_leq(now, out->transfer.done_bytes);
        before = now;
    } while (got < WAITS);
    UNTIL(acknowledged_now() == WAITS);
    peer_ok(file_id);
    UNTIL(answered() == 1);
    context_close();
}
