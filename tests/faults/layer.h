/* The layer between a daemon and its kernel: preloaded (LD_PRELOAD), it makes system calls and
 * allocations fail, fall short, wait, or end the process at the n-th one, moves the clock, and
 * records what happens to the files of one folder so that a power cut can be played back. A test
 * steers it through a page of shared memory while the daemon runs; tests/faults/layer.py is its
 * other end.
 *
 * FAULTS_PAGE  the file of that page (struct layer_page); without it nothing is ever hit
 * FAULTS_ROOT  the folder to record, FAULTS_LOG the file that the records go to
 */
#ifndef FAULTS_LAYER_H
#define FAULTS_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum layer_mode {
    LAYER_FAIL,        /* -1 and `error`, nothing done */
    LAYER_SHORT,       /* half of what was asked for */
    LAYER_BLOCK,       /* waits `block_ms`, then does it */
    LAYER_KILL_BEFORE, /* SIGKILL instead of the call */
    LAYER_KILL_AFTER,  /* SIGKILL when it is done */
};

/* Written by the test, but for `seen` and `hits`. */
struct layer_page {
    char call[128];  /* the system calls' names, with a space between them; "alloc": malloc, calloc
                        and realloc */
    char under[256]; /* only calls on files below this folder; empty: all */
    uint32_t is_armed;
    uint32_t at; /* the first call to hit, from 0, counted since `seen` was set to 0 */
    uint32_t times;
    uint32_t mode;
    int32_t error;
    uint32_t block_ms;
    uint32_t seen, hits;
    int64_t clock_offset_us; /* added to the real time */
};

struct layer_hit {
    bool is_failing, is_short, is_killing_after;
};

bool layer_is_armed(const char *call);
/* Before the call on `fd` (-1: on none): counts it, waits or kills if that is its fate. */
struct layer_hit layer_decide(const char *call, int fd);
/* -1, with the errno that the page says. */
int layer_fail(void);
/* After it. */
void layer_done(const struct layer_hit *hit);
int64_t layer_clock_offset_us(void);
/* The path of `fd` lies in `folder`. */
bool layer_is_below(int fd, const char *folder);

enum layer_record_kind {
    LAYER_CREATE, /* name in dir, ino */
    LAYER_WRITE,  /* ino, offset, bytes */
    LAYER_TRUNCATE,
    LAYER_SYNC, /* ino: a file's or a folder's */
    LAYER_SYNC_ALL,
    LAYER_RENAME,
    LAYER_UNLINK,
};

/* As it stands in the log; `length` bytes follow. */
struct layer_record {
    uint32_t kind, length;
    uint64_t start_ns; /* CLOCK_MONOTONIC before the call: what was seen earlier was true then */
    uint64_t ino, dir, to_dir, offset;
    char name[48], to_name[48];
};

/* Around a call that changes or syncs a file: recorded calls happen one at a time, so the log has
 * them in their order. False: `fd` is not below FAULTS_ROOT, nothing is to be recorded. */
bool layer_record_begin(int fd, struct layer_record *record);
/* With `is_done` the record is written. */
void layer_record_end(struct layer_record *record, bool is_done, const void *bytes, size_t length);
uint64_t layer_ino(int fd);

#endif
