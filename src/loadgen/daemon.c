#include "loadgen/daemon.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PATH_ROOM = 64 };

static double seconds_of(clockid_t clock)
{
    struct timespec t = {0};

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double loadgen_daemon_own_cpu_s(void)
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

/* The peer's credentials are those of the process that called listen(2). */
static enum err peer_of(pid_t *out, int fd, const struct sockaddr_un *at)
{
    struct ucred peer;
    socklen_t length = sizeof peer;

    if (connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
        return err_from_errno(errno);
    *out = peer.pid;
    return ERR_OK;
}

enum err loadgen_daemon_pid(pid_t *out, const char *socket_path, char *problem, size_t problem_room)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    enum err e = text_copy(at.sun_path, sizeof at.sun_path, socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (e == ERR_OK)
        e = fd < 0 ? err_from_errno(errno) : peer_of(out, fd, &at);
    if (fd >= 0)
        close(fd);
    if (e != ERR_OK)
        snprintf(problem, problem_room,
                 "no daemon answers on the control socket %s: %s; start dustwired, or name its "
                 "process with --pid",
                 socket_path, err_text(e));
    return e;
}

void loadgen_daemon_reset_peak(pid_t pid)
{
    char path[PATH_ROOM];
    int fd;

    snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)pid);
    if ((fd = open(path, O_WRONLY | O_CLOEXEC)) < 0)
        return;
    if (write(fd, "5", 1) != 1) /* the peak stays that since the daemon's start */
        errno = 0;
    close(fd);
}

static void read_line(struct loadgen_daemon_usage *out, const char *line)
{
    const struct {
        const char *key;
        uint64_t *value;
    } keys[] = {
        {"VmHWM:", &out->peak_kib}, {"VmRSS:", &out->rss_kib}, {"RssAnon:", &out->rss_anon_kib}};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strncmp(line, keys[i].key, strlen(keys[i].key)) == 0)
            *keys[i].value = strtoull(line + strlen(keys[i].key), NULL, 10);
}

enum err loadgen_daemon_read_usage(struct loadgen_daemon_usage *out, pid_t pid)
{
    char path[PATH_ROOM], line[256];
    clockid_t clock;
    FILE *status;

    *out = (struct loadgen_daemon_usage){0};
    if (clock_getcpuclockid(pid, &clock) != 0)
        return ERR_NOT_FOUND;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if ((status = fopen(path, "re")) == NULL)
        return err_from_errno(errno);
    while (fgets(line, sizeof line, status) != NULL)
        read_line(out, line);
    fclose(status);
    out->cpu_s = seconds_of(clock);
    return ERR_OK;
}
