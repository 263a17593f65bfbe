#include "base/cpus.h"

#include "base/text.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, LINE_SIZE = PATH_SIZE + 128 };

/* Reads the first line of a file, without the newline; false if there is none. */
static bool read_line(const char *path, char line[LINE_SIZE])
{
    FILE *in = fopen(path, "re");
    bool is_read = in != NULL && fgets(line, LINE_SIZE, in) != NULL;

    if (in != NULL)
        fclose(in);
    if (is_read)
        line[strcspn(line, "\n")] = '\0';
    return is_read;
}

static bool read_number(const char *path, double *out)
{
    char line[LINE_SIZE], *end;

    if (!read_line(path, line))
        return false;
    *out = strtod(line, &end);
    return end != line;
}

/* 0: no limit. */
static unsigned cpus_of(double quota, double period)
{
    double cpus = period > 0 ? quota / period : 0;

    if (!(cpus > 0) || cpus > 1000000)
        return 0;
    return (unsigned)cpus + ((double)(unsigned)cpus < cpus);
}

/* "max 100000", "150000 100000" */
static unsigned quota_v2(const char *folder)
{
    char path[PATH_SIZE + 32], line[LINE_SIZE], *end;
    double quota;

    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (!read_line(path, line))
        return 0;
    quota = strtod(line, &end);
    return end == line ? 0 : cpus_of(quota, strtod(end, NULL));
}

static unsigned quota_v1(const char *folder)
{
    char path[PATH_SIZE + 32];
    double quota, period;

    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!read_number(path, &quota))
        return 0;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    return read_number(path, &period) ? cpus_of(quota, period) : 0;
}

static unsigned least(unsigned a, unsigned b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/* The quota of the group and its ancestors. If its path is not mounted here (a container that sees
 * the host's group names), only the mounted root, the container's own group, counts. */
static unsigned quota_up(const char *root, const char *group, unsigned (*quota)(const char *folder))
{
    char folder[PATH_SIZE], *slash;
    unsigned found;

    if (text_format(folder, sizeof folder, "%s%s", root, group) != ERR_OK)
        return quota(root);
    found = quota(folder);
    while (strlen(folder) > strlen(root) && (slash = strrchr(folder, '/')) != NULL) {
        *slash = '\0';
        found = least(found, quota(folder));
    }
    return found;
}

static bool has_cpu(const char *controllers)
{
    size_t length;

    for (; *controllers != '\0'; controllers += length + (controllers[length] == ',')) {
        length = strcspn(controllers, ",");
        if (length == 3 && memcmp(controllers, "cpu", 3) == 0)
            return true;
    }
    return false;
}

/* "0::/user.slice" is version 2, "4:cpu,cpuacct:/user.slice" version 1. */
static unsigned quota_of_line(char *line, const char *root)
{
    char *controllers = strchr(line, ':'), *group, mount[PATH_SIZE];
    unsigned found;

    if (controllers == NULL || (group = strchr(controllers + 1, ':')) == NULL)
        return 0;
    *controllers++ = *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (controllers[0] != '\0' && !has_cpu(controllers))
        return 0;
    snprintf(mount, sizeof mount, "%s/%s", root, controllers[0] == '\0' ? "unified" : "cpu");
    if (controllers[0] != '\0')
        return quota_up(mount, group, quota_v1);
    found = quota_up(root, group, quota_v2);
    return least(found, quota_up(mount, group, quota_v2));
}

unsigned cpus_of_quota(const char *membership, const char *root)
{
    char line[LINE_SIZE];
    FILE *in = fopen(membership, "re");
    unsigned found = 0;

    while (in != NULL && fgets(line, sizeof line, in) != NULL)
        found = least(found, quota_of_line(line, root));
    if (in != NULL)
        fclose(in);
    return found;
}

static unsigned affinity_count(void)
{
    cpu_set_t set;
    long online;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    online = sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than a cpu_set_t can represent */
    return online < 1 ? 1 : (unsigned)online;
}

static unsigned usable;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void detect_usable(void)
{
    usable = least(affinity_count(), cpus_of_quota("/proc/self/cgroup", "/sys/fs/cgroup"));
}

unsigned cpus_usable(void)
{
    pthread_once(&once, detect_usable);
    return usable;
}
