/* The number of CPUs available to this process, limited by its affinity mask (taskset, cpusets) and
 * by the CPU quota of its control group (cpu.max). */
#ifndef BASE_CPUS_H
#define BASE_CPUS_H

/* Any thread. At least 1. Determined once, at the first call. */
unsigned cpus_usable(void);

/* The quota of the control group in whole CPUs, rounded up: the minimum of its own and those of its
 * ancestors; 0: no limit. `membership` is /proc/self/cgroup, `root` the mount point: version 2
 * there or in `unified`, version 1 in `cpu`. For cpus_usable and its tests. */
unsigned cpus_of_quota(const char *membership, const char *root);

#endif
