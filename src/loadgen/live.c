#include "loadgen/live.h"

#include <stdio.h>

#define SECOND_NS UINT64_C(1000000000)

struct moment {
    uint64_t at_ns, files, bytes, opened;
};

/* Main thread only: the values shown last. */
static struct moment last;

static struct moment moment_of(struct loadgen_thread *threads, unsigned count, uint64_t now_ns)
{
    struct moment m = {.at_ns = now_ns};

    for (unsigned i = 0; i < count; i++) {
        struct loadgen_session_shared *shared = &threads[i].shared;

        m.files += atomic_load_explicit(&shared->live_files, memory_order_relaxed);
        m.bytes += atomic_load_explicit(&shared->live_bytes, memory_order_relaxed);
        m.opened += atomic_load_explicit(&shared->live_opened, memory_order_relaxed);
    }
    return m;
}

void loadgen_live_show(const char *title, struct loadgen_thread *threads, unsigned count,
                       uint64_t since_ns)
{
    struct moment now = moment_of(threads, count, loadgen_session_now_ns());
    double passed;

    if (last.at_ns < since_ns)
        last = (struct moment){.at_ns = since_ns, .opened = last.opened};
    if (now.at_ns < last.at_ns + SECOND_NS)
        return;
    passed = (double)(now.at_ns - last.at_ns) / 1e9;
    fprintf(stderr, "\r%s: %3.0f s  %8.1f MB/s  %8.0f files/s  %7.0f sessions/s  %llu files \033[K",
            title, (double)(now.at_ns - since_ns) / 1e9,
            (double)(now.bytes - last.bytes) / 1e6 / passed,
            (double)(now.files - last.files) / passed, (double)(now.opened - last.opened) / passed,
            (unsigned long long)now.files);
    fflush(stderr);
    last = now;
}

void loadgen_live_clear(void)
{
    if (last.at_ns != 0)
        fputs("\r\033[K", stderr);
    last = (struct moment){0};
}
