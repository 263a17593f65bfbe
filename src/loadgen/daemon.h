/* The daemon under load seen from outside: what /proc and the kernel tell about a process that is
 * not ours. Main thread. */
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

/* Who listens at a Unix socket. `problem` gets a sentence. */
enum err loadgen_daemon_pid(pid_t *out, const char *socket_path, char *problem,
                            size_t problem_room);

/* Makes the peak begin anew, where this user may; else it is that of the daemon's whole life. */
void loadgen_daemon_forget_peak(pid_t pid);

/* ERR_NOT_FOUND: there is no such process. */
enum err loadgen_daemon_look(struct loadgen_daemon_usage *out, pid_t pid);

/* The same of ourselves; memory is 0. */
double loadgen_daemon_own_cpu_s(void);

#endif
