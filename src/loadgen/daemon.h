/* CPU time and memory of the daemon under load, from /proc and the kernel. Main thread. */
#ifndef LOADGEN_DAEMON_H
#define LOADGEN_DAEMON_H

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct loadgen_daemon_usage {
    double cpu_s; /* user and system, by the scheduler's clock */
    uint64_t rss_kib;
    uint64_t rss_anon_kib;
    uint64_t peak_kib;
};

/* Finds the process that listens on a Unix socket. On failure `problem` has the reason. */
enum err loadgen_daemon_pid(pid_t *out, const char *socket_path, char *problem,
                            size_t problem_room);

/* Resets the peak memory if this user is permitted to; else the peak since the daemon's start is
 * reported. */
void loadgen_daemon_reset_peak(pid_t pid);

/* ERR_NOT_FOUND: no such process. */
enum err loadgen_daemon_read_usage(struct loadgen_daemon_usage *out, pid_t pid);

/* CPU time of this process. */
double loadgen_daemon_own_cpu_s(void);

#endif
