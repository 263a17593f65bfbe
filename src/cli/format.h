/* Text for people: times, durations, the progress line, tables. Pure. */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Parses "90s", "15m", "1h" or "2d" before `now_us`, or a UTC time: "2026-11-21",
 * "2026-11-21T03:14", "2026-11-21T03:14:15", with an optional Z. ERR_INVALID for anything else,
 * including invalid dates and times. */
enum err cli_since(int64_t *out_us, const char *text, int64_t now_us);

/* "12 s", "3:05", "1:02:03"; returns `out`. */
enum { CLI_DURATION_SIZE = 24 };
const char *cli_duration(char out[CLI_DURATION_SIZE], double seconds);

struct cli_progress {
    uint64_t done_bytes, total_bytes;
    unsigned done_files, total_files;
    double bytes_per_second;
    bool is_waiting; /* the peer has all bytes but has not sent its ok yet */
};
/* Writes a line of at most `columns` characters. As the width grows, fields are added in this
 * order: percent, time left, bar, speed, files, sizes. */
void cli_progress_line(char *out, size_t size, unsigned columns, const struct cli_progress *p);

/* A table whose columns are as wide as their widest cell. A header that begins with '>' marks a
 * right-aligned column (numbers). Add the cells of a row from left to right. The struct must not be
 * moved between init and fini. */
struct cli_table {
    const char *const *headers;
    size_t columns;
    FILE *cells; /* one memory stream: an allocation per cell is slow */
    char *text;  /* its contents: each cell ends with a NUL */
    size_t length, count;
    bool is_broken; /* out of memory */
};
void cli_table_init(struct cli_table *table, const char *const *headers, size_t columns);
void cli_table_add(struct cli_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* For a terminal the cells are escaped (cli/terminal.h). */
void cli_table_print(struct cli_table *table, FILE *out, bool is_terminal);
void cli_table_fini(struct cli_table *table);

#endif
