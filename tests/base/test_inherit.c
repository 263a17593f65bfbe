#include "base/inherit.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each try is a child: what it does to its descriptors and signals stays its own. It ends with the
 * number of the claim that did not hold, or 0. */
static int child_says(int (*act)(unsigned row), unsigned row)
{
    int status;
    pid_t child;

    fflush(NULL);
    child = fork();
    cr_assert_geq(child, 0);
    if (child == 0)
        _exit(act(row));
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status), "row %u: ended by signal %d", row, WTERMSIG(status));
    return WEXITSTATUS(status);
}

static const struct {
    const char *name;
    bool is_closed[3];
} closings[] = {
    {"none", {false, false, false}},      {"stdin", {true, false, false}},
    {"stdout", {false, true, false}},     {"stderr", {false, false, true}},
    {"in and out", {true, true, false}},  {"in and err", {true, false, true}},
    {"out and err", {false, true, true}}, {"all", {true, true, true}},
};

static int fill_closed(unsigned row)
{
    char byte;
    int next;

    for (int fd = 0; fd < 3; fd++)
        if (closings[row].is_closed[fd])
            close(fd);
    inherit_fill_standard();
    next = open("/", O_RDONLY | O_DIRECTORY);
    if (next < 3)
        return 1;
    if (closings[row].is_closed[0] && (read(0, &byte, 1) != -1 || errno != EBADF))
        return 2;
    for (int fd = 1; fd < 3; fd++)
        if (closings[row].is_closed[fd] && (write(fd, "x", 1) != -1 || errno != EBADF))
            return 3;
    return 0;
}

Test(inherit, opens_closed_standard_descriptors, .timeout = 10)
{
    for (unsigned i = 0; i < sizeof closings / sizeof *closings; i++) {
        int claim = child_says(fill_closed, i);

        cr_assert_eq(claim, 0, "%s: claim %d", closings[i].name, claim);
    }
}

/* In a root folder without /dev. */
static int fill_without_null(unsigned row)
{
    struct stat st;

    (void)row;
    if (chroot("/etc") != 0 || chdir("/") != 0)
        return 0; /* only root may; the row is then one of the above */
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    inherit_fill_standard();
    for (int fd = 0; fd < 3; fd++)
        if (fstat(fd, &st) != 0)
            return 1;
    return write(1, "x", 1) == -1 ? 0 : 2;
}

Test(inherit, opens_them_without_a_null_device_too, .timeout = 10)
{
    cr_assert_eq(child_says(fill_without_null, 0), 0);
}

static const struct {
    const char *name;
    int number;
    bool is_blocked, is_ignored;
    bool stays_ignored;
} signals[] = {
    {"SIGTERM blocked", SIGTERM, true, false, false},
    {"SIGTERM ignored", SIGTERM, false, true, false},
    {"SIGTERM both", SIGTERM, true, true, false},
    {"SIGALRM ignored", SIGALRM, false, true, false},
    {"SIGCHLD ignored", SIGCHLD, false, true, false},
    {"SIGUSR1 blocked", SIGUSR1, true, false, false},
    {"SIGABRT ignored", SIGABRT, true, true, false},
    {"SIGSEGV ignored", SIGSEGV, true, true, false},
    {"SIGRTMAX ignored", 64, true, true, false},
    {"SIGINT ignored", SIGINT, false, true, true},
    {"SIGINT blocked", SIGINT, true, false, false},
    {"SIGQUIT ignored", SIGQUIT, true, true, true},
    {"SIGHUP ignored", SIGHUP, false, true, true},
    {"SIGTSTP ignored", SIGTSTP, false, true, true},
    {"SIGPIPE default", SIGPIPE, true, false, true},
    {"SIGXFSZ default", SIGXFSZ, true, false, true},
};

static int settle(unsigned row)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, signals[row].number);
    if (signals[row].is_blocked)
        sigprocmask(SIG_BLOCK, &set, NULL);
    if (signals[row].is_ignored)
        signal(signals[row].number, SIG_IGN);
    inherit_reset_signals(NULL);
    sigprocmask(SIG_BLOCK, NULL, &set);
    if (sigismember(&set, signals[row].number))
        return 1;
    return inherit_is_ignored(signals[row].number) == signals[row].stays_ignored ? 0 : 2;
}

Test(inherit, resets_inherited_blocked_and_ignored_signals, .timeout = 10)
{
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
        int claim = child_says(settle, i);

        cr_assert_eq(claim, 0, "%s: claim %d", signals[i].name, claim);
    }
}

static int settle_blocked(unsigned row)
{
    sigset_t set, after;

    (void)row;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    inherit_reset_signals(&set);
    raise(SIGHUP); /* waits */
    sigprocmask(SIG_BLOCK, NULL, &after);
    return sigismember(&after, SIGHUP) && !sigismember(&after, SIGTERM) ? 0 : 1;
}

Test(inherit, blocks_the_given_signals, .timeout = 10)
{
    cr_assert_eq(child_says(settle_blocked, 0), 0);
}

static int write_beyond(unsigned row)
{
    const struct rlimit none = {0, 0};
    FILE *file = tmpfile();

    (void)row;
    if (file == NULL || setrlimit(RLIMIT_FSIZE, &none) != 0)
        return 1;
    inherit_reset_signals(NULL);
    return write(fileno(file), "x", 1) == -1 && errno == EFBIG ? 0 : 2;
}

Test(inherit, turns_the_signal_of_a_full_file_into_an_error, .timeout = 10)
{
    cr_assert_eq(child_says(write_beyond, 0), 0);
}

Test(inherit, returns_the_signals_to_restore_for_a_child, .timeout = 10)
{
    sigset_t set;

    inherit_ignored_signals(&set);
    cr_assert(sigismember(&set, SIGPIPE) && sigismember(&set, SIGXFSZ));
    cr_assert_not(sigismember(&set, SIGINT));
}
