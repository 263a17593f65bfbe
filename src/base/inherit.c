#include "base/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

static bool is_closed(int fd)
{
    return fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

/* Call in ascending order: open returns the lowest free number, which then is `fd`. Without
 * /dev/null (an empty root) a directory serves: it can neither be read nor written. */
static void fill(int fd)
{
    if (!is_closed(fd))
        return;
    if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
        (void)open("/", O_RDONLY | O_DIRECTORY);
}

void inherit_fill_standard(void)
{
    fill(STDIN_FILENO);
    fill(STDOUT_FILENO);
    fill(STDERR_FILENO);
}

int inherit_flush_output(void)
{
    errno = 0;
    if (fflush(stdout) != 0)
        return errno == 0 ? EIO : errno;
    return ferror(stdout) ? EIO : 0; /* stdio does not keep the errno of an earlier write */
}

static bool is_kept(int number)
{
    static const int kept[] = {SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGTTIN, SIGTTOU};

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (number == kept[i])
            return true;
    return false;
}

bool inherit_is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void inherit_reset_signals(const sigset_t *blocked)
{
    sigset_t none;

    for (int number = 1; number <= SIGRTMAX; number++)
        if (!is_kept(number) && inherit_is_ignored(number))
            signal(number, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, blocked == NULL ? &none : blocked, NULL);
}

void inherit_ignored_signals(sigset_t *out)
{
    sigemptyset(out);
    sigaddset(out, SIGPIPE);
    sigaddset(out, SIGXFSZ);
}
