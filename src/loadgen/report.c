#include "loadgen/report.h"

#include <string.h>

/* Derived results of a role, for the table and the JSON. */
struct figures {
    double span_s; /* from the first start to the last answer */
    double files_per_s, bytes_per_s, sessions_per_s;
    double cpu_s, cpu_s_per_gb, cpu_s_per_1000, anon_bytes_per_session;
};

static const struct {
    const char *name;
    double share;
} percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99_9", 0.999}, {"max", 1}};

enum { PERCENTILES = sizeof percentiles / sizeof *percentiles };

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static unsigned session_count(const struct loadgen_run_plan *plan)
{
    unsigned count = 0;

    for (unsigned i = 0; i < plan->role_count; i++)
        count += plan->roles[i].sessions;
    return count;
}

/* The daemon's CPU time is of the whole run, so it is divided by the files and bytes of all
 * roles. */
static void count_all(const struct loadgen_run_plan *plan, const struct loadgen_run_result *r,
                      uint64_t *files, double *bytes)
{
    *files = 0;
    *bytes = 0;
    for (unsigned i = 0; i < plan->role_count; i++) {
        *files += r->tallies[i].files;
        *bytes += (double)r->tallies[i].files * (double)plan->roles[i].size;
    }
}

static struct figures figures_of(const struct loadgen_run_plan *plan,
                                 const struct loadgen_run_result *r, unsigned role)
{
    const struct loadgen_session_tally *t = &r->tallies[role];
    struct figures f = {.span_s = (double)(t->last_ns - t->first_ns) / 1e9};
    uint64_t files;
    double bytes;

    if (t->last_ns <= t->first_ns)
        f.span_s = 0;
    count_all(plan, r, &files, &bytes);
    f.files_per_s = ratio((double)t->files, f.span_s);
    f.bytes_per_s = ratio((double)t->files * (double)plan->roles[role].size, f.span_s);
    f.sessions_per_s = plan->roles[role].work == LOADGEN_SESSION_HANDSHAKES
                           ? ratio((double)t->opened, f.span_s)
                           : ratio((double)t->opened, r->opening_s);
    f.cpu_s = r->after.cpu_s - r->opened.cpu_s;
    f.cpu_s_per_gb = ratio(f.cpu_s, bytes / 1e9);
    f.cpu_s_per_1000 = ratio(f.cpu_s, (double)files / 1e3);
    f.anon_bytes_per_session = 1024.0 *
                               ((double)r->after.rss_anon_kib - (double)r->before.rss_anon_kib) /
                               session_count(plan);
    return f;
}

static void print_role(FILE *out, const struct loadgen_run_plan *plan,
                       const struct loadgen_run_result *r, unsigned i)
{
    const struct loadgen_session_tally *t = &r->tallies[i];
    struct figures f = figures_of(plan, r, i);

    fprintf(out, "  %-14s %u sessions: %llu opened (%.0f/s), %llu refused, %llu lost\n",
            plan->roles[i].name, plan->roles[i].sessions, (unsigned long long)t->opened,
            f.sessions_per_s, (unsigned long long)t->refused, (unsigned long long)t->lost);
    if (plan->roles[i].work == LOADGEN_SESSION_FILES)
        fprintf(out, "  %-14s %llu ok (%.0f/s, %.1f MB/s), %llu aborted, %llu unanswered\n",
                "files", (unsigned long long)t->files, f.files_per_s, f.bytes_per_s / 1e6,
                (unsigned long long)t->failed, (unsigned long long)t->unanswered);
    if (t->latency.count > 0)
        fprintf(out, "  %-14s", "latency, us");
    for (size_t k = 0; t->latency.count > 0 && k < PERCENTILES; k++)
        fprintf(out, " %s %.1f%s", percentiles[k].name,
                (double)loadgen_histogram_at(&t->latency, percentiles[k].share) / 1e3,
                k + 1 < PERCENTILES ? "," : "\n");
    if (t->problem[0] != '\0')
        fprintf(out, "  %-14s %s\n", "first error", t->problem);
}

static void print_daemon(FILE *out, const struct loadgen_run_plan *plan,
                         const struct loadgen_run_result *r)
{
    struct figures f = figures_of(plan, r, 0);

    fprintf(out, "  %-14s %.3f s CPU (%.1f %%)", "daemon", f.cpu_s,
            100 * ratio(f.cpu_s, r->seconds));
    if (f.cpu_s_per_gb > 0)
        fprintf(out, ", %.3f s/GB, %.4f s/1,000 files", f.cpu_s_per_gb, f.cpu_s_per_1000);
    fprintf(
        out,
        "\n  %-14s peak %llu KiB resident; anonymous %llu -> %llu KiB (%.0f bytes per session)\n",
        "daemon memory", (unsigned long long)r->after.peak_kib,
        (unsigned long long)r->before.rss_anon_kib, (unsigned long long)r->after.rss_anon_kib,
        f.anon_bytes_per_session);
}

void loadgen_report_print(FILE *out, const char *part, const struct loadgen_run_plan *plan,
                          const struct loadgen_run_result *r)
{
    fprintf(out, "%s: %.2f s%s\n", part, r->seconds,
            r->is_interrupted ? ", interrupted: partial results" : "");
    for (unsigned i = 0; i < plan->role_count; i++)
        print_role(out, plan, r, i);
    if (r->has_daemon)
        print_daemon(out, plan, r);
    fprintf(out, "  %-14s %.3f s CPU\n", "this program", r->own_cpu_s);
}

static json_t *latency_json(const struct loadgen_histogram *h)
{
    json_t *object = json_object(), *curve = json_array();

    json_object_set_new(object, "count", json_integer((json_int_t)h->count));
    json_object_set_new(object, "mean", json_real((double)loadgen_histogram_mean(h) / 1e3));
    for (size_t i = 0; i < PERCENTILES; i++)
        json_object_set_new(object, percentiles[i].name,
                            json_real((double)loadgen_histogram_at(h, percentiles[i].share) / 1e3));
    /* Shares 0, 0.5, 0.75, 0.875 and so on, while the count is large enough. */
    for (uint64_t parts = 1; parts <= h->count; parts *= 2) {
        double share = 1 - 1 / (double)parts;

        json_array_append_new(
            curve, json_pack("[ff]", share, (double)loadgen_histogram_at(h, share) / 1e3));
    }
    json_object_set_new(object, "curve", curve);
    return object;
}

static json_t *role_json(const struct loadgen_run_plan *plan, const struct loadgen_run_result *r,
                         unsigned i)
{
    const struct loadgen_session_role *role = &plan->roles[i];
    const struct loadgen_session_tally *t = &r->tallies[i];
    struct figures f = figures_of(plan, r, i);

    return json_pack("{ss sI sI sI sf sf sI sI sI sI sI sI sf sf sf sf so ss}", "role", role->name,
                     "sessions", (json_int_t)role->sessions, "size", (json_int_t)role->size,
                     "window", (json_int_t)role->window, "rate", role->rate, "write_bytes_per_s",
                     role->write_bytes_per_s, "opened", (json_int_t)t->opened, "refused",
                     (json_int_t)t->refused, "lost", (json_int_t)t->lost, "files",
                     (json_int_t)t->files, "failed", (json_int_t)t->failed, "unanswered",
                     (json_int_t)t->unanswered, "span_s", f.span_s, "files_per_s", f.files_per_s,
                     "bytes_per_s", f.bytes_per_s, "sessions_per_s", f.sessions_per_s, "latency_us",
                     latency_json(&t->latency), "problem", t->problem);
}

static json_t *daemon_json(const struct loadgen_run_plan *plan, const struct loadgen_run_result *r)
{
    struct figures f = figures_of(plan, r, 0);

    return json_pack(
        "{sI sf sf sf sf sI sI sI sI sf}", "pid", (json_int_t)plan->pid, "cpu_s", f.cpu_s,
        "cpu_share", ratio(f.cpu_s, r->seconds), "cpu_s_per_GB", f.cpu_s_per_gb,
        "cpu_s_per_1000_files", f.cpu_s_per_1000, "peak_kib", (json_int_t)r->after.peak_kib,
        "rss_anon_before_kib", (json_int_t)r->before.rss_anon_kib, "rss_anon_opened_kib",
        (json_int_t)r->opened.rss_anon_kib, "rss_anon_after_kib", (json_int_t)r->after.rss_anon_kib,
        "anon_bytes_per_session", f.anon_bytes_per_session);
}

json_t *loadgen_report_json(const char *part, const struct loadgen_run_plan *plan,
                            const struct loadgen_run_result *r)
{
    json_t *roles = json_array();

    for (unsigned i = 0; i < plan->role_count; i++)
        json_array_append_new(roles, role_json(plan, r, i));
    return json_pack("{ss sb sf sf sI sf so so}", "part", part, "interrupted", r->is_interrupted,
                     "opening_s", r->opening_s, "seconds", r->seconds, "threads",
                     (json_int_t)plan->threads, "own_cpu_s", r->own_cpu_s, "roles", roles, "daemon",
                     r->has_daemon ? daemon_json(plan, r) : json_null());
}

bool loadgen_report_is_clean(const struct loadgen_run_plan *plan,
                             const struct loadgen_run_result *r)
{
    for (unsigned i = 0; i < plan->role_count; i++) {
        const struct loadgen_session_role *role = &plan->roles[i];
        bool is_missing = role->work != LOADGEN_SESSION_HANDSHAKES && !r->is_interrupted &&
                          r->tallies[i].opened < role->sessions;
        bool is_slow = role->read_bytes_per_s > 0 ||
                       (role->write_bytes_per_s > 0 && role->write_bytes_per_s < 1000);

        if (is_missing || r->tallies[i].refused > 0 || r->tallies[i].failed > 0 ||
            (r->tallies[i].lost > 0 && !is_slow))
            return false;
    }
    return true;
}
