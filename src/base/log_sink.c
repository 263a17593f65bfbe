#include "log_sink.h"

#include "base/metrics.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int sink = STDERR_FILENO;
static bool is_socket;

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
    if (fd < 0)
        return; /* no /proc: better a log that may wait than none */
    sink = fd;
    if (S_ISFIFO(st.st_mode))
        fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* for bursts; as it was if that is not allowed */
}

void log_sink_write(const char *line, size_t length)
{
    ssize_t written;

    pthread_once(&once, look);
    if (is_socket)
        written = send(sink, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    else
        written = write(sink, line, length);
    /* A log that cannot be written is no reason to stop serving. */
    if (written < 0)
        metrics_add(METRIC_LOG_LINES_LOST, 1);
}
