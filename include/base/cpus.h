/* How many CPUs this process may use, which may be fewer than the machine has: those that it is
 * bound to (taskset, cpusets) and the share of time that its control group has (cpu.max). */
#ifndef BASE_CPUS_H
#define BASE_CPUS_H

/* Any thread. At least 1. Found out once, at the first call. */
unsigned cpus_usable(void);

/* What the control group gives: its quota in whole CPUs, rounded up, the least of its own and of
 * those above it; 0: no limit. `membership` is /proc/self/cgroup, `root` where the groups are
 * mounted: version 2 there or in `unified`, version 1 in `cpu`. For cpus_usable and its tests. */
unsigned cpus_of_quota(const char *membership, const char *root);

#endif
