/* Logs one line per event, to stderr or to a file: time, level, thread, and for sessions the
 * session and its peer. Under systemd (JOURNAL_STREAM names our stderr) the time is omitted and
 * each line starts with the journal's priority, "<6>". Any thread can log; a line is one write(2),
 * so lines are never interleaved. Never blocks: a line that does not fit in a pipe is dropped and
 * counted. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* name, printed word, syslog priority (sd-daemon(3)) */
#define LOG_LEVEL_LIST(X)              \
    X(LOG_LEVEL_ERROR, "error", 3)     \
    X(LOG_LEVEL_WARNING, "warning", 4) \
    X(LOG_LEVEL_INFO, "info", 6)       \
    X(LOG_LEVEL_DEBUG, "debug", 7)

enum log_level {
#define X(name, word, priority) name,
    LOG_LEVEL_LIST(X)
#undef X
        LOG_LEVEL_COUNT
};

/* Any thread, at any time. Less severe lines are dropped. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Any thread. Limits the lines per second about one peer, per thread; 0: no limit. Not applied at
 * level debug. */
void log_set_peer_limit(unsigned lines_per_s);

/* Redirects the log to this file. Once, before other threads exist. On an error `problem` is a
 * sentence and the log stays on stderr. */
enum err log_to_file(const char *path, char *problem, size_t room);
/* Any thread. At this size the file is renamed to its name with ".1" and a new one is opened; 0:
 * never. If another program renames it, a new one is opened within a second. */
void log_set_file_limit(uint64_t bytes);
/* Any thread. Reopens the file by its path. No-op without a file. */
void log_reopen(void);

/* True if lines of `level` are written; check before building an expensive line. */
bool log_is_on(enum log_level level);

/* The word of a level, and back; false if there is no such word. */
const char *log_level_word(enum log_level level);
bool log_level_from_word(enum log_level *out, const char *word);

/* The calling thread's name in its lines ("worker-1"); also set as the kernel's thread name. */
void log_name_thread(const char *name);

/* Any thread. Untrusted bytes must be escaped (text_escape) by the caller. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Any thread. The same for a session: `peer` is an address in text. */
void log_session(enum log_level level, uint64_t session, const char *peer, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Any thread. The same for the lifecycle of a session, or for a peer without one (session 0). These
 * lines have a rate limit of their own: lines about files cannot suppress them. */
void log_life(enum log_level level, uint64_t session, const char *peer, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) \
    (log_is_on(LOG_LEVEL_DEBUG) ? log_line(LOG_LEVEL_DEBUG, __VA_ARGS__) : (void)0)

#endif
