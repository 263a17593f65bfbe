#include "base/log.h"

#include "base/log_file.h"
#include "base/log_sink.h"

#include "base/clock.h"
#include "base/log_meter.h"
#include "base/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const words[] = {
#define X(name, word, priority) [name] = word,
    LOG_LEVEL_LIST(X)
#undef X
};

static const int priorities[] = {
#define X(name, word, priority) [name] = priority,
    LOG_LEVEL_LIST(X)
#undef X
};

/* Read by every thread for every line, written by a reload. Relaxed: no other data depends on it,
 * and a line more or less around the change is harmless. */
static _Atomic int level_now = LOG_LEVEL_INFO;

/* Lines per second about one peer; the same holds. */
static _Atomic unsigned peer_limit = 0;

static _Thread_local struct log_meter transfer_meter, session_meter;
static _Thread_local char thread_name[16] = "main";

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&level_now, memory_order_relaxed);
}

void log_set_peer_limit(unsigned lines_per_s)
{
    atomic_store_explicit(&peer_limit, lines_per_s, memory_order_relaxed);
}

bool log_is_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&level_now, memory_order_relaxed);
}

const char *log_level_word(enum log_level level)
{
    return (unsigned)level < LOG_LEVEL_COUNT ? words[level] : "?";
}

bool log_level_from_word(enum log_level *out, const char *word)
{
    for (unsigned i = 0; i < LOG_LEVEL_COUNT; i++) {
        if (strcmp(word, words[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_name_thread(const char *name)
{
    snprintf(thread_name, sizeof thread_name, "%s", name);
    pthread_setname_np(pthread_self(), thread_name);
}

static void warn_of_reopen(const char *path, int error_number)
{
    log_warning("cannot reopen log file %s: %s; continuing with the old one", path,
                strerror(error_number));
}

enum err log_to_file(const char *path, char *problem, size_t room)
{
    return log_file_open(path, warn_of_reopen, problem, room);
}

void log_set_file_limit(uint64_t bytes)
{
    log_file_set_limit(bytes);
}

void log_reopen(void)
{
    log_file_reopen();
}

/* JOURNAL_STREAM names the device and inode of the stream that systemd reads (sd-daemon(3)); lines
 * get priorities only if stderr is that stream. */
static bool is_stderr_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static bool journal;
static pthread_once_t journal_once = PTHREAD_ONCE_INIT;

static void detect_journal(void)
{
    journal = !log_file_is_open() && is_stderr_journal();
}

static size_t bounded(int length, size_t room)
{
    if (length < 0)
        return 0;
    return (size_t)length < room ? (size_t)length : room - 1;
}

static void write_line(enum log_level level, const char *about, const char *format, va_list args)
{
    char line[LOG_LINE_SIZE], time[CLOCK_TEXT_SIZE];
    size_t end;

    pthread_once(&journal_once, detect_journal);
    if (journal)
        end = bounded(snprintf(line, sizeof line, "<%d>%-7s %-12s %s", priorities[level],
                               words[level], thread_name, about),
                      sizeof line);
    else
        end = bounded(snprintf(line, sizeof line, "%s %-7s %-12s %s",
                               clock_text(time, clock_real_us()), words[level], thread_name, about),
                      sizeof line);
    /* One byte is reserved for the newline. */
    end +=
        bounded(vsnprintf(line + end, sizeof line - 1 - end, format, args), sizeof line - 1 - end);
    line[end++] = '\n';
    log_sink_write(line, end);
}

void log_line(enum log_level level, const char *format, ...)
{
    va_list args;

    if (!log_is_on(level))
        return;
    va_start(args, format);
    write_line(level, "", format, args);
    va_end(args);
}

__attribute__((format(printf, 3, 4))) static void
write_about(enum log_level level, const char *about, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_line(level, about, format, args);
    va_end(args);
}

/* Applies the rate limit of a peer; there is none at level debug. */
static bool is_within_limit(struct log_meter *meter, enum log_level level, const char *peer,
                            const char *about)
{
    unsigned limit = atomic_load_explicit(&peer_limit, memory_order_relaxed), suppressed;

    if (limit == 0 || log_is_on(LOG_LEVEL_DEBUG))
        return true;
    if (!log_meter_allows(meter, peer, clock_mono_ms() / 1000, limit, &suppressed)) {
        metrics_add(METRIC_LOG_LINES_LIMITED, 1);
        return false;
    }
    if (suppressed > 0)
        write_about(level, about,
                    "%u previous lines suppressed: rate limit [log] lines-per-peer-per-s",
                    suppressed);
    return true;
}

/* `session` 0: none. */
__attribute__((format(printf, 5, 0))) static void write_metered(struct log_meter *meter,
                                                                enum log_level level,
                                                                uint64_t session, const char *peer,
                                                                const char *format, va_list args)
{
    char about[128];

    if (!log_is_on(level))
        return;
    if (session == 0)
        snprintf(about, sizeof about, "peer=%s ", peer);
    else
        snprintf(about, sizeof about, "session=%" PRIu64 " peer=%s ", session, peer);
    if (is_within_limit(meter, level, peer, about))
        write_line(level, about, format, args);
}

void log_session(enum log_level level, uint64_t session, const char *peer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_metered(&transfer_meter, level, session, peer, format, args);
    va_end(args);
}

void log_life(enum log_level level, uint64_t session, const char *peer, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_metered(&session_meter, level, session, peer, format, args);
    va_end(args);
}
