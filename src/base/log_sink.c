#include "base/log_sink.h"

#include "base/log_file.h"
#include "base/metrics.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int sink = STDERR_FILENO;
static bool is_socket;
static bool may_wait; /* a pipe or terminal that could not be opened for us alone */

/* Only with `may_wait`: who asked whether a line fits writes it before the next asks. */
static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER;

/* O_NONBLOCK belongs to the open file, which a shell and other programs may share with us: a pipe
 * or terminal is opened once more, for us alone. A socket (systemd's journal) is told with each
 * call; a file never waits for a reader. */
static void look(void)
{
    struct stat st;
    int fd;

    if (fstat(STDERR_FILENO, &st) != 0)
        return;
    is_socket = S_ISSOCK(st.st_mode);
    if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
        return;
    fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) { /* no /proc, or it is another user's */
        may_wait = true;
        return;
    }
    sink = fd;
    if (S_ISFIFO(st.st_mode))
        fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* for bursts; as it was if that is not allowed */
}

/* A pipe that poll finds writable takes PIPE_BUF bytes without waiting. */
static bool write_if_it_fits(const char *line, size_t length)
{
    struct pollfd ask = {.fd = sink, .events = POLLOUT};
    bool is_written;

    pthread_mutex_lock(&asking);
    is_written =
        poll(&ask, 1, 0) == 1 && (ask.revents & POLLOUT) != 0 && write(sink, line, length) >= 0;
    pthread_mutex_unlock(&asking);
    return is_written;
}

static bool write_stderr(const char *line, size_t length)
{
    pthread_once(&once, look);
    if (is_socket)
        return send(sink, line, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
    if (may_wait)
        return write_if_it_fits(line, length);
    return write(sink, line, length) >= 0;
}

void log_sink_write(const char *line, size_t length)
{
    bool is_written =
        log_file_is_open() ? log_file_write(line, length) : write_stderr(line, length);

    /* A log that cannot be written is no reason to stop serving. */
    if (!is_written)
        metrics_add(METRIC_LOG_LINES_LOST, 1);
}
