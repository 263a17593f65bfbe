#include "base/log.h"

#include "base/metrics.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What `act` writes to a stderr that is a pipe; the pipe's own name stands in JOURNAL_STREAM if
 * asked, as systemd does it. A child does it, because a process looks at its stderr only once. */
enum journal { NO_JOURNAL, JOURNAL, ANOTHER_JOURNAL };

static char text[1 << 18];

static void capture(void (*act)(void), enum journal journal)
{
    int ends[2];
    size_t length = 0;
    ssize_t got;
    int status;
    pid_t child;

    cr_assert_eq(pipe(ends), 0);
    fflush(NULL);
    child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        char name[64];
        struct stat st;

        dup2(ends[1], STDERR_FILENO);
        if (fstat(STDERR_FILENO, &st) != 0)
            _exit(1);
        snprintf(name, sizeof name, "%llu:%llu", (unsigned long long)st.st_dev,
                 (unsigned long long)st.st_ino + (journal == ANOTHER_JOURNAL));
        if (journal == NO_JOURNAL)
            unsetenv("JOURNAL_STREAM");
        else
            setenv("JOURNAL_STREAM", name, 1);
        act();
        _exit(0);
    }
    close(ends[1]);
    while ((got = read(ends[0], text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    close(ends[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void expect_match(const char *pattern)
{
    regex_t compiled;

    cr_assert_eq(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB), 0);
    cr_assert_eq(regexec(&compiled, text, 0, NULL, 0), 0, "'%s' against '%s'", text, pattern);
    regfree(&compiled);
}

static void say_one(void)
{
    log_name_thread("worker-1");
    log_info("listening on %s", "[::]:7771");
}

#define TIME_PATTERN "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"

Test(log, writes_time_level_and_thread, .timeout = 10)
{
    capture(say_one, NO_JOURNAL);
    expect_match("^" TIME_PATTERN " info +worker-1 +listening on \\[::\\]:7771\n$");
}

Test(log, writes_priorities_when_stderr_is_the_journal, .timeout = 10)
{
    capture(say_one, JOURNAL);
    expect_match("^<6>info +worker-1 +listening on \\[::\\]:7771\n$");
}

Test(log, writes_time_when_the_journal_is_another_stream, .timeout = 10)
{
    capture(say_one, ANOTHER_JOURNAL);
    expect_match("^" TIME_PATTERN " info ");
}

static void say_each_level(void)
{
    log_set_level(LOG_LEVEL_DEBUG);
    log_error("e");
    log_warning("w");
    log_info("i");
    log_debug("d");
}

Test(log, gives_each_level_its_priority, .timeout = 10)
{
    capture(say_each_level, JOURNAL);
    expect_match("^<3>error [^\n]*e\n<4>warning [^\n]*w\n<6>info [^\n]*i\n<7>debug [^\n]*d\n$");
}

static unsigned built;

static const char *expensive(void)
{
    built++;
    return "line";
}

static void say_below_the_level(void)
{
    log_debug("%s", expensive());
    log_set_level(LOG_LEVEL_WARNING);
    log_info("info");
    log_session(LOG_LEVEL_INFO, 1, "p", "session");
    log_debug("%s", expensive());
    log_warning("warning");
    if (built != 0 || log_is_on(LOG_LEVEL_INFO) || !log_is_on(LOG_LEVEL_ERROR))
        _exit(1);
}

Test(log, drops_lines_below_the_level_unformatted, .timeout = 10)
{
    cr_assert_eq(log_get_level(), LOG_LEVEL_INFO);
    capture(say_below_the_level, NO_JOURNAL);
    expect_match("^[^\n]*warning +main +warning\n$");
}

static void say_of_a_session(void)
{
    log_session(LOG_LEVEL_WARNING, 12345678901ull, "[2001:db8::1]:7771", "closed after %d bytes",
                5);
}

Test(log, names_the_session_and_its_peer, .timeout = 10)
{
    capture(say_of_a_session, NO_JOURNAL);
    expect_match("warning +main +session=12345678901 peer=\\[2001:db8::1\\]:7771 closed after 5 "
                 "bytes\n$");
}

static void say_far_too_much(void)
{
    static char much[20000];

    memset(much, 'm', sizeof much - 1);
    log_info("%s", much);
    log_info("next");
}

Test(log, truncates_a_long_line_and_terminates_it, .timeout = 10)
{
    capture(say_far_too_much, NO_JOURNAL);
    cr_assert_lt(strchr(text, '\n') - text, 4096);
    cr_assert_gt(strchr(text, '\n') - text, 4000);
    expect_match("m\n[^\n]* next\n$");
}

static void say_a_lot_about_two(void)
{
    log_set_peer_limit(5);
    for (int i = 0; i < 50; i++)
        log_session(LOG_LEVEL_INFO, 1, "192.0.2.1:4000", "stranger");
    log_life(LOG_LEVEL_INFO, 1, "192.0.2.1:4001", "how it ended");
    log_life(LOG_LEVEL_INFO, 0, "192.0.2.2:4001", "neighbour");
    log_info("without a peer");
}

Test(log, a_peer_cannot_flood_it, .timeout = 10)
{
    unsigned lines = 0;

    capture(say_a_lot_about_two, NO_JOURNAL);
    expect_match("session=1 peer=192\\.0\\.2\\.1:4001 how it ended\n[^\n]*info +main "
                 "+peer=192\\.0\\.2\\.2:4001 neighbour\n[^\n]*without a peer\n$");
    for (char *at = text; (at = strstr(at, " stranger")) != NULL; at++)
        lines++;
    cr_assert(lines >= 5 && lines <= 10, "%u lines: a second may have begun", lines);
}

/* The read end of the pipe is open but never read. */
static void log_without_a_reader(void)
{
    uint64_t lost;

    for (int i = 0; i < 100000; i++)
        log_info("line %d that is long enough to fill any pipe at last", i);
    lost = metrics_sum(METRIC_LOG_LINES_LOST);
    _exit(lost > 50000 ? 42 : 1);
}

static void expect_not_blocked(int ends[2])
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        log_without_a_reader();
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    close(ends[0]);
    close(ends[1]);
}

Test(log, never_blocks_on_a_stalled_reader, .timeout = 20)
{
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    expect_not_blocked(ends);
}

Test(log, never_blocks_on_a_stalled_journal, .timeout = 20)
{
    int ends[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    expect_not_blocked(ends);
}

enum { THREADS = 4, LINES = 200 };

static void *say_many(void *arg)
{
    char name[16];

    snprintf(name, sizeof name, "thread-%u", *(unsigned *)arg);
    log_name_thread(name);
    for (unsigned i = 0; i < LINES; i++)
        log_info("line %u of %s end", i, name);
    return NULL;
}

static void say_from_threads(void)
{
    pthread_t threads[THREADS];
    unsigned numbers[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        if (pthread_create(&threads[i], NULL, say_many, &numbers[i]) != 0)
            _exit(1);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

Test(log, never_mixes_the_lines_of_threads, .timeout = 30)
{
    unsigned next[THREADS] = {0}, count = 0;

    capture(say_from_threads, JOURNAL);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        unsigned number, thread, again;
        int end = 0;

        cr_assert_eq(sscanf(line, "<6>info thread-%u line %u of thread-%u end%n", &thread, &number,
                            &again, &end),
                     3, "%s", line);
        cr_assert(thread < THREADS && thread == again && (size_t)end == strlen(line));
        cr_assert_eq(number, next[thread]++);
        count++;
    }
    cr_assert_eq(count, (unsigned)(THREADS * LINES));
}

Test(log, knows_the_words_of_its_levels, .timeout = 5)
{
    enum log_level level = LOG_LEVEL_ERROR;

    for (unsigned i = 0; i < LOG_LEVEL_COUNT; i++) {
        cr_assert(log_level_from_word(&level, log_level_word((enum log_level)i)));
        cr_assert_eq(level, (enum log_level)i);
    }
    cr_assert_not(log_level_from_word(&level, "Info"));
    cr_assert_not(log_level_from_word(&level, ""));
    cr_assert_str_eq(log_level_word(LOG_LEVEL_COUNT), "?");
}
