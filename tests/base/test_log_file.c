#include "base/log.h"
#include "base/scratch.h"

#include "base/metrics.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Each row is a child in a folder of its own: a process opens one log file. It ends with the number
 * of the claim that does not hold, or 0. */

static char problem[2048];

static bool open_log(const char *path)
{
    return log_to_file(path, problem, sizeof problem) == ERR_OK;
}

/* Bytes; -1: no such file. */
static long size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

static bool holds(const char *path, const char *part)
{
    static char text[1 << 20];
    FILE *in = fopen(path, "r");
    size_t length;

    if (in == NULL)
        return false;
    length = fread(text, 1, sizeof text - 1, in);
    text[length] = '\0';
    fclose(in);
    return strstr(text, part) != NULL;
}

static void write_lines(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        log_info("line %u of those that fill the file", i);
}

/* The clock that the look at the name goes by has moved on. */
static void await_next_second(void)
{
    struct timespec now, begin;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while (now.tv_sec == begin.tv_sec);
}

static int stays_below_its_limit(void)
{
    enum { LIMIT = 64 << 10 };

    if (!open_log("log"))
        return 1;
    log_set_file_limit(LIMIT);
    write_lines(5000);
    if (size_of("log") > LIMIT + 4096 || size_of("log.1") > LIMIT + 4096)
        return 2;
    return holds("log.1", "line 4") && metrics_sum(METRIC_LOG_LINES_LOST) == 0 ? 0 : 3;
}

static int without_a_limit_it_grows(void)
{
    if (!open_log("log"))
        return 1;
    log_set_file_limit(0);
    write_lines(5000);
    return size_of("log") > (64 << 10) && size_of("log.1") == -1 ? 0 : 2;
}

static int is_begun_anew_when_moved_away(void)
{
    if (!open_log("log"))
        return 1;
    log_info("before");
    if (rename("log", "log.moved") != 0)
        return 2;
    await_next_second();
    log_info("after");
    return holds("log", "after") && holds("log.moved", "before") ? 0 : 3;
}

static int is_reopened_at_once_on_request(void)
{
    if (!open_log("log"))
        return 1;
    log_info("before");
    if (rename("log", "log.moved") != 0)
        return 2;
    log_reopen();
    log_info("after");
    return holds("log", "after") && !holds("log.moved", "after") ? 0 : 3;
}

/* How often `part` stands in a file. */
static unsigned count_of(const char *path, const char *part)
{
    static char text[1 << 16];
    FILE *in = fopen(path, "r");
    unsigned count = 0;
    size_t length;

    if (in == NULL)
        return 0;
    length = fread(text, 1, sizeof text - 1, in);
    text[length] = '\0';
    fclose(in);
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

static int says_once_why_it_cannot_be_begun_anew(void)
{
    if (!open_log("log"))
        return 1;
    if (rename("log", "log.moved") != 0 || mkdir("log", 0700) != 0)
        return 2;
    log_reopen();
    log_reopen();
    return count_of("log.moved", "cannot reopen log file") == 1 ? 0 : 3;
}

static int is_begun_anew_when_removed(void)
{
    if (!open_log("log"))
        return 1;
    log_info("before");
    if (unlink("log") != 0)
        return 2;
    await_next_second();
    log_info("after");
    return holds("log", "after") ? 0 : 3;
}

static int goes_on_when_its_folder_is_removed(void)
{
    if (mkdir("sub", 0700) != 0 || !open_log("sub/log"))
        return 1;
    log_set_file_limit(4096);
    if (unlink("sub/log") != 0 || rmdir("sub") != 0)
        return 2;
    await_next_second();
    write_lines(1000);
    if (mkdir("sub", 0700) != 0)
        return 3;
    await_next_second();
    log_info("after");
    return holds("sub/log", "after") ? 0 : 4;
}

static int is_cut_short_by_others(void)
{
    if (!open_log("log"))
        return 1;
    log_set_file_limit(64 << 10);
    write_lines(500);
    if (truncate("log", 0) != 0)
        return 2;
    await_next_second();
    write_lines(500);
    return size_of("log.1") == -1 && size_of("log") > 1000 ? 0 : 3;
}

static int a_link_stays_one(void)
{
    struct stat st;

    if (mkdir("real", 0700) != 0 || symlink("real/log", "log") != 0 || !open_log("log"))
        return 1;
    log_set_file_limit(8 << 10);
    write_lines(500);
    if (lstat("log", &st) != 0 || !S_ISLNK(st.st_mode))
        return 2;
    return size_of("real/log") >= 0 && size_of("real/log.1") > 0 ? 0 : 3;
}

/* /dev/stdout of a container is such a name. */
static int a_pipe_without_a_path_is_written_to(void)
{
    char name[32], got[4096];
    int ends[2];

    if (pipe(ends) != 0)
        return 1;
    snprintf(name, sizeof name, "/proc/self/fd/%d", ends[1]);
    if (!open_log(name))
        return 2;
    log_info("the first line");
    log_reopen();
    log_info("a line after a SIGHUP");
    for (size_t length = 0; length < sizeof got - 1;) {
        ssize_t count = read(ends[0], got + length, sizeof got - 1 - length);

        if (count <= 0)
            return 3;
        length += (size_t)count;
        got[length] = '\0';
        if (strstr(got, "after a SIGHUP") != NULL)
            return strstr(got, "the first line") != NULL && strstr(got, "cannot") == NULL ? 0 : 4;
    }
    return 5;
}

static int a_fifo_is_never_rotated_and_never_blocks(void)
{
    int reader;

    if (mkfifo("log", 0600) != 0 || open_log("log") || strstr(problem, "no reader on") == NULL)
        return 1;
    reader = open("log", O_RDONLY | O_NONBLOCK);
    if (reader < 0 || !open_log("log"))
        return 2;
    log_set_file_limit(4096);
    write_lines(5000); /* more than a pipe takes */
    return metrics_sum(METRIC_LOG_LINES_LOST) > 0 && size_of("log.1") == -1 ? 0 : 3;
}

static int a_device_takes_it(void)
{
    if (!open_log("/dev/null"))
        return 1;
    log_set_file_limit(4096);
    write_lines(1000);
    return size_of("/dev/null.1") == -1 ? 0 : 2;
}

static int a_folder_is_refused(void)
{
    if (mkdir("log", 0700) != 0 || open_log("log"))
        return 1;
    return strstr(problem, "log: Is a directory") != NULL ? 0 : 2;
}

static int a_folder_that_is_not_there_is_named(void)
{
    return !open_log("none/log") && strstr(problem, "none/log") != NULL ? 0 : 1;
}

/* root may write everywhere: a folder that takes no new file is played by one in the way. */
static int what_cannot_be_turned_is_emptied(void)
{
    if (!open_log("log") || mkdir("log.1", 0700) != 0)
        return 1;
    log_set_file_limit(8 << 10);
    write_lines(5000);
    return size_of("log") <= (16 << 10) + 4096 && size_of("log") > 0 ? 0 : 2;
}

static int a_full_disk_loses_lines_and_no_more(void)
{
    if (!open_log("/dev/full"))
        return 1;
    write_lines(10);
    return metrics_sum(METRIC_LOG_LINES_LOST) == 10 ? 0 : 2;
}

static int a_limit_of_the_process_turns_it(void)
{
    struct rlimit some = {32 << 10, 32 << 10};

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &some) != 0 || !open_log("log"))
        return 1;
    log_set_file_limit(1 << 20);
    write_lines(3000);
    log_info("after");
    return holds("log", "after") && size_of("log.1") > 0 ? 0 : 2;
}

static int a_new_file_has_the_old_ones_mode(void)
{
    struct stat st;

    if (!open_log("log") || chmod("log", 0640) != 0)
        return 1;
    log_set_file_limit(4096);
    write_lines(200);
    return stat("log", &st) == 0 && (st.st_mode & 0777) == 0640 ? 0 : 2;
}

static int stderr_goes_with_it_if_it_is_the_same_file(void)
{
    int fd = open("log", O_WRONLY | O_APPEND | O_CREAT, 0600);

    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 || !open_log("log"))
        return 1;
    if (rename("log", "log.moved") != 0)
        return 2;
    log_reopen();
    fputs("from a library\n", stderr);
    return holds("log", "from a library") ? 0 : 3;
}

static void *write_many(void *arg)
{
    (void)arg;
    write_lines(2000);
    return NULL;
}

/* Every line of every thread is whole, in one of the files. */
static int threads_share_it(void)
{
    pthread_t threads[4];
    char line[512];
    unsigned lines = 0;

    if (!open_log("log"))
        return 1;
    log_set_file_limit(600 << 10); /* turned once: nothing is gone yet */
    for (unsigned i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, write_many, NULL);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < 2; i++) {
        FILE *in = fopen(i == 0 ? "log" : "log.1", "r");

        while (in != NULL && fgets(line, sizeof line, in) != NULL) {
            if (strstr(line, " of those that fill the file\n") == NULL)
                return 2;
            lines++;
        }
        if (in != NULL)
            fclose(in);
    }
    return lines == 8000 ? 0 : 3;
}

static const struct {
    const char *name;
    int (*act)(void);
} rows[] = {
    {"stays below its limit", stays_below_its_limit},
    {"without a limit it grows", without_a_limit_it_grows},
    {"is begun anew when moved away", is_begun_anew_when_moved_away},
    {"is reopened at once on request", is_reopened_at_once_on_request},
    {"says once why it cannot be begun anew", says_once_why_it_cannot_be_begun_anew},
    {"is begun anew when removed", is_begun_anew_when_removed},
    {"goes on when its folder is removed", goes_on_when_its_folder_is_removed},
    {"is cut short by others", is_cut_short_by_others},
    {"a link stays one", a_link_stays_one},
    {"a pipe without a path is written to", a_pipe_without_a_path_is_written_to},
    {"a FIFO is never rotated and never blocks", a_fifo_is_never_rotated_and_never_blocks},
    {"a device takes it", a_device_takes_it},
    {"a folder is refused", a_folder_is_refused},
    {"a folder that is not there is named", a_folder_that_is_not_there_is_named},
    {"what cannot be turned is emptied", what_cannot_be_turned_is_emptied},
    {"a full disk loses lines and no more", a_full_disk_loses_lines_and_no_more},
    {"a limit of the process turns it", a_limit_of_the_process_turns_it},
    {"a new file has the old one's mode", a_new_file_has_the_old_ones_mode},
    {"stderr goes with it if it is the same file", stderr_goes_with_it_if_it_is_the_same_file},
    {"threads share it", threads_share_it},
};

static int run(unsigned row)
{
    int status;
    pid_t child;

    fflush(NULL);
    child = fork();
    cr_assert_geq(child, 0);
    if (child == 0)
        _exit(rows[row].act());
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Test(log_file, is_rotated_and_reopened, .timeout = 60)
{
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        int claim;

        make_folder();
        claim = run(i);
        remove_folder();
        cr_expect_eq(claim, 0, "%s: claim %d", rows[i].name, claim);
    }
}
