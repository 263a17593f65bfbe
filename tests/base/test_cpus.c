#include "base/cpus.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/cpus-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}

static void clean_up(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert_eq(system(command), 0);
}

/* `name` in the folder; its own folders are made. */
static void put(const char *name, const char *text)
{
    char path[256];
    FILE *out;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *at = path + strlen(folder) + 1; (at = strchr(at, '/')) != NULL; *at++ = '/') {
        *at = '\0';
        cr_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
    }
    out = fopen(path, "w");
    cr_assert_not_null(out, "%s", path);
    fputs(text, out);
    fclose(out);
}

static const struct {
    const char *name;
    const char *membership;
    struct {
        const char *name, *text;
    } files[4];
    unsigned cpus;
} rows[] = {
    {"no limit", "0::/a\n", {{"root/a/cpu.max", "max 100000\n"}}, 0},
    {"one CPU", "0::/a\n", {{"root/a/cpu.max", "100000 100000\n"}}, 1},
    {"one and a half", "0::/a\n", {{"root/a/cpu.max", "150000 100000\n"}}, 2},
    {"a tenth", "0::/a\n", {{"root/a/cpu.max", "10000 100000\n"}}, 1},
    {"eight", "0::/a\n", {{"root/a/cpu.max", "400000 50000\n"}}, 8},
    {"the group above has less",
     "0::/a/b/c\n",
     {{"root/a/b/c/cpu.max", "400000 100000\n"}, {"root/a/cpu.max", "200000 100000\n"}},
     2},
    {"the group above has more",
     "0::/a/b\n",
     {{"root/a/b/cpu.max", "300000 100000\n"}, {"root/a/cpu.max", "800000 100000\n"}},
     3},
    {"a container with its own root", "0::/\n", {{"root/cpu.max", "200000 100000\n"}}, 2},
    {"a container with the host's names",
     "0::/system.slice/docker-1.scope\n",
     {{"root/cpu.max", "200000 100000\n"}},
     2},
    {"a name outside of the root", "0::/../x\n", {{"root/cpu.max", "300000 100000\n"}}, 3},
    {"both versions",
     "4:cpu,cpuacct:/a\n0::/a\n",
     {{"root/cpu/a/cpu.cfs_quota_us", "250000\n"}, {"root/cpu/a/cpu.cfs_period_us", "100000\n"}},
     3},
    {"version 1 without a limit",
     "4:cpu:/a\n",
     {{"root/cpu/a/cpu.cfs_quota_us", "-1\n"}, {"root/cpu/a/cpu.cfs_period_us", "100000\n"}},
     0},
    {"version 1, another controller",
     "4:cpuset:/a\n",
     {{"root/cpu/a/cpu.cfs_quota_us", "100000\n"}, {"root/cpu/a/cpu.cfs_period_us", "100000\n"}},
     0},
    {"version 2 beside version 1", "0::/a\n", {{"root/unified/a/cpu.max", "100000 100000\n"}}, 1},
    {"no period", "0::/a\n", {{"root/a/cpu.max", "100000\n"}}, 0},
    {"a period of 0", "0::/a\n", {{"root/a/cpu.max", "100000 0\n"}}, 0},
    {"no number", "0::/a\n", {{"root/a/cpu.max", "many\n"}}, 0},
    {"empty files", "0::/a\n", {{"root/a/cpu.max", ""}}, 0},
    {"more than anybody has", "0::/a\n", {{"root/a/cpu.max", "1e300 1\n"}}, 0},
    {"no line of groups", "nonsense\n", {{"root/a/cpu.max", "100000 100000\n"}}, 0},
    {"no groups", "", {{"root/a/cpu.max", "100000 100000\n"}}, 0},
};

static unsigned count(unsigned row)
{
    char membership[128], root[128];

    put("membership", rows[row].membership);
    for (unsigned i = 0; i < 4 && rows[row].files[i].name != NULL; i++)
        put(rows[row].files[i].name, rows[row].files[i].text);
    snprintf(membership, sizeof membership, "%s/membership", folder);
    snprintf(root, sizeof root, "%s/root", folder);
    return cpus_of_quota(membership, root);
}

Test(cpus, of_a_control_group_are_its_share_of_time, .timeout = 10)
{
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        set_up();
        cr_expect_eq(count(i), rows[i].cpus, "%s: %u", rows[i].name, count(i));
        clean_up();
    }
}

Test(cpus, without_control_groups_are_not_limited_by_them, .timeout = 5)
{
    cr_assert_eq(cpus_of_quota("/nonexistent/cgroup", "/nonexistent"), 0);
}

Test(cpus, are_those_that_the_process_is_bound_to, .timeout = 5)
{
    cpu_set_t set;
    size_t first = 0;

    cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
    while (!CPU_ISSET(first, &set))
        first++;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    cr_assert_eq(sched_setaffinity(0, sizeof set, &set), 0);
    cr_assert_eq(cpus_usable(), 1);
}
