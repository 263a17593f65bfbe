/* yardstick: the work of a file transport without a protocol, to measure what the kernel of this
 * machine allows. dustwired is compared with it, alternately and in the same folder, because
 * absolute speeds say more about the machine than about the program. */
/* clang-format off
 *
 *   yardstick bulk   DIR MIB STREAMS ROUNDS   sendfile, loopback, recv of 256 KiB, pwrite to a new file
 *   yardstick splice DIR MIB STREAMS ROUNDS   the same, received with splice(2) through a pipe
 *   yardstick drop   DIR MIB STREAMS ROUNDS   the same, received bytes discarded
 *   yardstick small  DIR COUNT WINDOW         1 KiB each: create, write, rename, answer
 *   yardstick conns  COUNT WINDOW             connect, 40 bytes, 30 bytes back, close
 *   yardstick fsync  DIR COUNT                1 KiB each: create, write, fsync, rename, sequentially
 *   yardstick batch  DIR BATCH ROUNDS MODE    the same in batches, with a journal line for each file:
 *                                             created, then synced by MODE (each, syncfs, once)
 *
 * clang-format on */
/* Prints a line of JSON. Each end of each stream is a process that blocks in its system calls, so
 * only the kernel schedules them. It includes no code of this project on purpose. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_BYTES = 256 << 10,
    PIPE_BYTES = 64 << 10,
    BLOCK_BYTES = 1 << 20,
    FILE_BYTES = 1024,
    LINE_BYTES = 150, /* journal line of a file */
    HEADER_BYTES = 14,
    ANSWER_BYTES = 10,
    REQUEST_BYTES = 40,
    REPLY_BYTES = 30,
    BATCH = 256,
    BACKLOG = 4096,
    STREAMS_MAX = 64,
    ROUNDS_MAX = 100,
    NAME_ROOM = 64,
    PATH_ROOM = 4096,
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "yardstick: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_of(int who)
{
    struct rusage u;

    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double cpu_s(void)
{
    return cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* ---- sockets and bytes */

static int listen_on_free_port(struct sockaddr_in *at, int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
    socklen_t length = sizeof *at;

    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || bind(fd, (struct sockaddr *)at, sizeof *at) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)at, &length) != 0)
        die("listen");
    return fd;
}

static void set_no_delay(int fd)
{
    const int one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static int connect_to(const struct sockaddr_in *to, int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | flags, 0);

    if (fd < 0 ||
        (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0 && errno != EINPROGRESS))
        die("connect");
    set_no_delay(fd);
    return fd;
}

static void write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(fd, bytes, length);

        if (count <= 0)
            die("write");
        bytes += count;
        length -= (size_t)count;
    }
}

static void read_all(int fd, char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = read(fd, bytes, length);

        if (count <= 0)
            die("read");
        bytes += count;
        length -= (size_t)count;
    }
}

/* ---- bulk, splice, drop */

/* Receives the next bytes of the stream; returns their number. */
typedef ssize_t receive_fn(int from, int to, off_t at, char *buffer, const int through[2]);

static ssize_t by_copy(int from, int to, off_t at, char *buffer, const int through[2])
{
    ssize_t count = read(from, buffer, READ_BYTES);

    (void)through;
    for (ssize_t done = 0; done < count;) {
        ssize_t written = pwrite(to, buffer + done, (size_t)(count - done), at + done);

        if (written <= 0)
            die("pwrite");
        done += written;
    }
    return count;
}

static ssize_t by_splice(int from, int to, off_t at, char *buffer, const int through[2])
{
    ssize_t count = splice(from, NULL, through[1], NULL, PIPE_BYTES, SPLICE_F_MOVE);

    (void)buffer;
    for (ssize_t left = count; left > 0;) {
        ssize_t moved = splice(through[0], NULL, to, &at, (size_t)left, SPLICE_F_MOVE);

        if (moved <= 0)
            die("splice");
        left -= moved;
    }
    return count;
}

static ssize_t by_discarding(int from, int to, off_t at, char *buffer, const int through[2])
{
    (void)to, (void)at, (void)through;
    return read(from, buffer, READ_BYTES);
}

struct stream {
    receive_fn *receive;
    char target[PATH_ROOM];
    int source;
    off_t length;
};

static _Noreturn void receive_stream(const struct stream *s, int listener)
{
    int from = accept(listener, NULL, NULL), through[2];
    int to = open(s->target, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    char *buffer = malloc(READ_BYTES);

    if (from < 0 || to < 0 || buffer == NULL || pipe(through) != 0)
        die("receiving");
    for (off_t at = 0; at < s->length;) {
        ssize_t count = s->receive(from, to, at, buffer, through);

        if (count <= 0)
            die("receiving");
        at += count;
    }
    write_all(from, "k", 1);
    _exit(EXIT_SUCCESS);
}

static _Noreturn void send_stream(const struct stream *s, const struct sockaddr_in *to)
{
    int fd = connect_to(to, 0);
    char answer;

    for (off_t at = 0; at < s->length;)
        if (sendfile(fd, s->source, &at, (size_t)(s->length - at)) <= 0)
            die("sendfile");
    read_all(fd, &answer, 1);
    _exit(EXIT_SUCCESS);
}

static void wait_for(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, 0) != pid || status != 0) {
        errno = ECHILD;
        die("a stream failed");
    }
}

static pid_t start(void)
{
    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    return pid;
}

/* Returns the bytes per second of all streams together. */
static double one_round(struct stream *s, const char *folder, unsigned streams)
{
    pid_t receivers[STREAMS_MAX], senders[STREAMS_MAX];
    struct sockaddr_in at;
    int listener = listen_on_free_port(&at, 0);
    double began, seconds;

    for (unsigned i = 0; i < streams; i++) {
        snprintf(s->target, sizeof s->target, "%s/yardstick.%u.target", folder, i);
        if ((receivers[i] = start()) == 0)
            receive_stream(s, listener);
    }
    began = now_s();
    for (unsigned i = 0; i < streams; i++)
        if ((senders[i] = start()) == 0)
            send_stream(s, &at);
    for (unsigned i = 0; i < streams; i++)
        wait_for(senders[i]);
    seconds = now_s() - began;
    for (unsigned i = 0; i < streams; i++) {
        wait_for(receivers[i]);
        snprintf(s->target, sizeof s->target, "%s/yardstick.%u.target", folder, i);
        unlink(s->target);
    }
    close(listener);
    return (double)s->length * streams / seconds;
}

static int make_source(const char *folder, off_t length)
{
    char *block = malloc(BLOCK_BYTES), path[PATH_ROOM];
    int fd;

    snprintf(path, sizeof path, "%s/yardstick.source", folder);
    if (block == NULL || (fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600)) < 0)
        die(path);
    memset(block, 7, BLOCK_BYTES);
    for (off_t at = 0; at < length; at += BLOCK_BYTES)
        write_all(fd, block, BLOCK_BYTES);
    unlink(path);
    free(block);
    return fd;
}

static void print_rounds(double *speeds, unsigned rounds)
{
    printf("\"rounds_MB_per_s\":[");
    for (unsigned i = 0; i < rounds; i++)
        printf("%s%.1f", i > 0 ? "," : "", speeds[i] / 1e6);
    qsort(speeds, rounds, sizeof *speeds, by_value);
    printf("],\"MB_per_s\":%.1f,\"best_MB_per_s\":%.1f", speeds[rounds / 2] / 1e6,
           speeds[rounds - 1] / 1e6);
}

static void bulk(const char *name, receive_fn *receive, char **arguments)
{
    struct stream s = {.receive = receive};
    unsigned streams = (unsigned)atoi(arguments[2]), rounds = (unsigned)atoi(arguments[3]);
    double speeds[ROUNDS_MAX], cpu;

    s.length = (off_t)atol(arguments[1]) * BLOCK_BYTES;
    if (s.length <= 0 || streams < 1 || streams > STREAMS_MAX || rounds < 1 ||
        rounds > ROUNDS_MAX) {
        errno = EINVAL;
        die(name);
    }
    s.source = make_source(arguments[0], s.length);
    cpu = cpu_s();
    for (unsigned i = 0; i < rounds; i++)
        speeds[i] = one_round(&s, arguments[0], streams);
    cpu = cpu_s() - cpu;
    printf("{\"case\":\"%s\",\"MiB\":%s,\"streams\":%u,", name, arguments[1], streams);
    print_rounds(speeds, rounds);
    printf(",\"cpu_s_per_GB\":%.3f}\n", cpu / ((double)s.length / 1e9 * streams * rounds));
}

static void run_bulk(char **arguments)
{
    bulk("bulk", by_copy, arguments);
}

static void run_splice(char **arguments)
{
    bulk("splice", by_splice, arguments);
}

static void run_drop(char **arguments)
{
    bulk("drop", by_discarding, arguments);
}

/* ---- small, fsync */

static int open_folder(const char *path)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY);

    if (folder < 0)
        die(path);
    return folder;
}

static void name_of(char out[NAME_ROOM], int number, const char *suffix)
{
    snprintf(out, NAME_ROOM, "yardstick.%d%s", number, suffix);
}

static void make_file(int folder, int number, const char *bytes, bool is_synced)
{
    char partial[NAME_ROOM], whole[NAME_ROOM];
    int fd;

    name_of(partial, number, ".part");
    name_of(whole, number, "");
    if ((fd = openat(folder, partial, O_WRONLY | O_CREAT | O_EXCL, 0600)) < 0)
        die(partial);
    write_all(fd, bytes, FILE_BYTES);
    if (is_synced && fsync(fd) != 0)
        die("fsync");
    close(fd);
    if (renameat(folder, partial, folder, whole) != 0)
        die("rename");
}

static void remove_files(int folder, int count)
{
    char name[NAME_ROOM];

    for (int i = 0; i < count; i++) {
        name_of(name, i, "");
        unlinkat(folder, name, 0);
    }
}

static _Noreturn void take_files(int listener, int folder, int count)
{
    int from = accept(listener, NULL, NULL);
    char bytes[HEADER_BYTES + FILE_BYTES], answer[ANSWER_BYTES] = {0};

    set_no_delay(from);
    for (int i = 0; i < count; i++) {
        read_all(from, bytes, sizeof bytes);
        make_file(folder, i, bytes + HEADER_BYTES, false);
        write_all(from, answer, sizeof answer);
    }
    remove_files(folder, count);
    _exit(EXIT_SUCCESS);
}

/* Stores the time from sending to answer of each file in `took`. */
static void send_files(int to, int count, int window, double *took)
{
    char bytes[HEADER_BYTES + FILE_BYTES] = {0}, answer[ANSWER_BYTES];
    int sent = 0;

    for (int answered = 0; answered < count; answered++) {
        for (; sent < count && sent - answered < window; sent++) {
            took[sent] = now_s();
            write_all(to, bytes, sizeof bytes);
        }
        read_all(to, answer, sizeof answer);
        took[answered] = now_s() - took[answered];
    }
}

static void run_small(char **arguments)
{
    int folder = open_folder(arguments[0]), count = atoi(arguments[1]);
    struct sockaddr_in at;
    int listener = listen_on_free_port(&at, 0), to;
    double *took = calloc((size_t)count + 1, sizeof *took), began, seconds;
    pid_t receiver;

    if ((receiver = start()) == 0)
        take_files(listener, folder, count);
    to = connect_to(&at, 0);
    began = now_s();
    send_files(to, count, atoi(arguments[2]), took);
    seconds = now_s() - began;
    wait_for(receiver);
    qsort(took, (size_t)count, sizeof *took, by_value);
    printf("{\"case\":\"small\",\"files\":%d,\"window\":%s,\"files_per_s\":%.0f,\"p50_us\":%.1f,"
           "\"p99_us\":%.1f}\n",
           count, arguments[2], count / seconds, took[count / 2] * 1e6,
           took[(int)(count * 0.99)] * 1e6);
    free(took);
}

/* Leaves the files: on ext4 creating files is several times slower if thousands were removed in the
 * last minutes, so the caller removes them after all measurements. */
static void run_fsync(char **arguments)
{
    int folder = open_folder(arguments[0]), count = atoi(arguments[1]);
    const char bytes[FILE_BYTES] = {0};
    double began = now_s(), seconds;

    for (int i = 0; i < count; i++)
        make_file(folder, i, bytes, true);
    seconds = now_s() - began;
    printf("{\"case\":\"fsync\",\"files\":%d,\"files_per_s\":%.1f}\n", count, count / seconds);
}

/* ---- batch: committing small files together */

struct commit_batch {
    int folder, partial, journal, count;
    int *fds;
};

static void begin_batch(const struct commit_batch *b, int first)
{
    const char bytes[FILE_BYTES] = {0};
    char name[NAME_ROOM];

    for (int i = 0; i < b->count; i++) {
        name_of(name, first + i, "");
        b->fds[i] = openat(b->partial, name, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (b->fds[i] < 0)
            die(name);
        write_all(b->fds[i], bytes, FILE_BYTES);
    }
}

static void write_lines(const struct commit_batch *b)
{
    char *lines = calloc((size_t)b->count, LINE_BYTES);

    if (lines == NULL)
        die("lines");
    write_all(b->journal, lines, (size_t)b->count * LINE_BYTES);
    free(lines);
}

static void rename_batch(const struct commit_batch *b, int first)
{
    char name[NAME_ROOM];

    for (int i = 0; i < b->count; i++) {
        close(b->fds[i]);
        name_of(name, first + i, "");
        if (renameat2(b->partial, name, b->folder, name, RENAME_NOREPLACE) != 0)
            die("rename");
    }
}

static void range_of_each(const struct commit_batch *b, unsigned flags)
{
    for (int i = 0; i < b->count; i++)
        if (sync_file_range(b->fds[i], 0, 0, flags) != 0)
            die("sync_file_range");
}

/* Starts writing all, then syncs each, then renames. */
static void by_each(const struct commit_batch *b, int first)
{
    write_lines(b);
    range_of_each(b, SYNC_FILE_RANGE_WRITE);
    for (int i = 0; i < b->count; i++)
        if (fdatasync(b->fds[i]) != 0)
            die("fdatasync");
    if (fdatasync(b->journal) != 0)
        die("fdatasync");
    rename_batch(b, first);
    if (fsync(b->folder) != 0)
        die("fsync");
}

/* As dustwired does. */
static void by_syncfs(const struct commit_batch *b, int first)
{
    write_lines(b);
    if (syncfs(b->folder) != 0)
        die("syncfs");
    range_of_each(b, SYNC_FILE_RANGE_WAIT_BEFORE);
    rename_batch(b, first);
    if (fsync(b->folder) != 0)
        die("fsync");
}

/* Syncs the data, then names and journal together by one syncfs: a name can be on the disk before
 * its line in the journal. */
static void by_one(const struct commit_batch *b, int first)
{
    range_of_each(b, SYNC_FILE_RANGE_WRITE);
    range_of_each(b, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER);
    write_lines(b);
    rename_batch(b, first);
    if (syncfs(b->folder) != 0)
        die("syncfs");
}

static const struct mode {
    const char *name;
    void (*run)(const struct commit_batch *b, int first);
} modes[] = {{"each", by_each}, {"syncfs", by_syncfs}, {"once", by_one}};

static const struct mode *find_mode(const char *name)
{
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(modes[i].name, name) == 0)
            return &modes[i];
    errno = EINVAL;
    die(name);
}

/* Leaves the files, as run_fsync does. */
static void run_batch(char **arguments)
{
    struct commit_batch b = {.folder = open_folder(arguments[0]), .count = atoi(arguments[1])};
    const struct mode *mode = find_mode(arguments[3]);
    int rounds = atoi(arguments[2]);
    double making = 0, began = now_s(), seconds;

    mkdirat(b.folder, "partial", 0700);
    b.partial = openat(b.folder, "partial", O_RDONLY | O_DIRECTORY);
    b.journal = openat(b.folder, "journal", O_WRONLY | O_CREAT | O_APPEND, 0600);
    b.fds = calloc((size_t)b.count + 1, sizeof *b.fds);
    if (b.partial < 0 || b.journal < 0 || b.fds == NULL)
        die("batch");
    for (int i = 0; i < rounds; i++) {
        double at = now_s();

        begin_batch(&b, i * b.count);
        making += now_s() - at;
        mode->run(&b, i * b.count);
    }
    seconds = now_s() - began;
    printf("{\"case\":\"batch\",\"way\":\"%s\",\"batch\":%d,\"files_per_s\":%.0f,\"make_us\":%.1f,"
           "\"commit_us\":%.1f}\n",
           mode->name, b.count, b.count * rounds / seconds, making / rounds / b.count * 1e6,
           (seconds - making) / rounds / b.count * 1e6);
    free(b.fds);
}

/* ---- conns */

static void watch(int poller, int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    epoll_ctl(poller, operation, fd, &event);
}

static void accept_all(int poller, int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
        watch(poller, EPOLL_CTL_ADD, fd, EPOLLIN);
}

/* Answers a request; true if the connection was closed. */
static bool reply(int fd)
{
    char bytes[64] = {0};

    if (read(fd, bytes, sizeof bytes) > 0)
        return write(fd, bytes, REPLY_BYTES) < 0;
    close(fd);
    return true;
}

static _Noreturn void serve(int listener, int count)
{
    struct epoll_event ready[BATCH];
    int poller = epoll_create1(0);

    watch(poller, EPOLL_CTL_ADD, listener, EPOLLIN);
    for (int done = 0; done < count;) {
        int n = epoll_wait(poller, ready, BATCH, -1);

        for (int i = 0; i < n; i++)
            if (ready[i].data.fd == listener)
                accept_all(poller, listener);
            else if (reply(ready[i].data.fd))
                done++;
    }
    _exit(EXIT_SUCCESS);
}

/* Closes by reset: otherwise tens of thousands of ports would be in TIME_WAIT. */
static void begin_connect(int poller, const struct sockaddr_in *to)
{
    const struct linger reset = {.l_onoff = 1};
    int fd = connect_to(to, SOCK_NONBLOCK);

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    watch(poller, EPOLL_CTL_ADD, fd, EPOLLOUT);
}

static bool advance(int poller, const struct epoll_event *event)
{
    char bytes[64] = {0};
    int fd = event->data.fd;

    if (event->events & EPOLLOUT) {
        if (write(fd, bytes, REQUEST_BYTES) != REQUEST_BYTES)
            die("conns");
        watch(poller, EPOLL_CTL_MOD, fd, EPOLLIN);
        return false;
    }
    if (read(fd, bytes, sizeof bytes) < 0)
        die("conns");
    close(fd);
    return true;
}

static void run_conns(char **arguments)
{
    int count = atoi(arguments[0]), window = atoi(arguments[1]), begun = 0;
    struct epoll_event ready[BATCH];
    struct sockaddr_in at;
    int listener = listen_on_free_port(&at, SOCK_NONBLOCK), poller = epoll_create1(0);
    pid_t server = start();
    double began = now_s();

    if (server == 0)
        serve(listener, count);
    for (int done = 0; done < count;) {
        for (; begun < count && begun - done < window; begun++)
            begin_connect(poller, &at);
        for (int i = 0, n = epoll_wait(poller, ready, BATCH, -1); i < n; i++)
            done += advance(poller, &ready[i]) ? 1 : 0;
    }
    printf("{\"case\":\"conns\",\"count\":%d,\"window\":%d,\"per_s\":%.0f}\n", count, window,
           count / (now_s() - began));
    wait_for(server);
}

static const struct {
    const char *name;
    int arguments;
    void (*run)(char **arguments);
} cases[] = {{"bulk", 4, run_bulk},   {"splice", 4, run_splice}, {"drop", 4, run_drop},
             {"small", 3, run_small}, {"conns", 2, run_conns},   {"fsync", 2, run_fsync},
             {"batch", 4, run_batch}};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof cases / sizeof *cases; i++)
        if (strcmp(argv[1], cases[i].name) == 0 && argc - 2 == cases[i].arguments) {
            cases[i].run(argv + 2);
            return EXIT_SUCCESS;
        }
    fputs("usage: yardstick bulk|splice|drop DIR MIB STREAMS ROUNDS | small DIR COUNT WINDOW |\n"
          "       conns COUNT WINDOW | fsync DIR COUNT | batch DIR BATCH ROUNDS each|syncfs|once\n",
          stderr);
    return 2;
}
