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
static bool can_block; /* a pipe or terminal that could not be reopened */

/* Only with `can_block`: makes poll and write one step. */
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;

/* O_NONBLOCK belongs to the open file description, which other programs can share: a pipe or
 * terminal is reopened to get our own. A socket (systemd's journal) is used with MSG_DONTWAIT; a
 * regular file never blocks on a reader. */
static void detect_sink(void)
{
    struct stat st;
    int fd;

    if (fstat(STDERR_FILENO, &st) != 0)
        return;
    is_socket = S_ISSOCK(st.st_mode);
    if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
        return;
    fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) { /* no /proc, or owned by another user */
        can_block = true;
        return;
    }
    sink = fd;
    if (S_ISFIFO(st.st_mode))
        fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* for bursts; best effort */
}

/* A pipe that poll reports writable takes PIPE_BUF bytes without blocking. */
static bool write_if_it_fits(const char *line, size_t length)
{
    struct pollfd poll_fd = {.fd = sink, .events = POLLOUT};
    bool is_written;

    pthread_mutex_lock(&write_lock);
    is_written = poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLOUT) != 0 &&
                 write(sink, line, length) >= 0;
    pthread_mutex_unlock(&write_lock);
    return is_written;
}

static bool write_stderr(const char *line, size_t length)
{
    pthread_once(&once, detect_sink);
    if (is_socket)
        return send(sink, line, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
    if (can_block)
        return write_if_it_fits(line, length);
    return write(sink, line, length) >= 0;
}

void log_sink_write(const char *line, size_t length)
{
    bool is_written =
        log_file_is_open() ? log_file_write(line, length) : write_stderr(line, length);

    /* A failed log write must not stop the service. */
    if (!is_written)
        metrics_add(METRIC_LOG_LINES_LOST, 1);
}
