/* The layer between a daemon and the kernel: preloaded (LD_PRELOAD), it makes the n-th system call
 * or allocation fail, be short, block or kill the process, shifts the clock, and records changes to
 * the files of one folder so that a power cut can be replayed. A test controls it through a page of
 * shared memory while the daemon runs (tests/faults/layer.py).
 *
 * FAULTS_PAGE: the file of that page (struct layer_page); if unset nothing is ever hit.
 * FAULTS_ROOT: the folder to record, FAULTS_LOG: the file that receives the records. */
#ifndef FAULTS_LAYER_H
#define FAULTS_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum layer_mode {
    LAYER_FAIL,        /* returns -1 with `error`, without doing the call */
    LAYER_SHORT,       /* half of the requested length */
    LAYER_BLOCK,       /* sleeps `block_ms`, then does the call */
    LAYER_KILL_BEFORE, /* SIGKILL instead of the call */
    LAYER_KILL_AFTER,  /* SIGKILL after the call */
};

/* Written by the test, except `seen` and `hits`. */
struct layer_page {
    char
        call[128]; /* names of system calls, space-separated; "alloc": malloc, calloc and realloc */
    char under[256]; /* only calls on files below this folder; "": all */
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
/* Before the call on `fd` (-1: none): counts it, and blocks or kills if it is hit. */
struct layer_hit layer_decide(const char *call, int fd);
/* Returns -1 with the errno set in the page. */
int layer_fail(void);
/* After the call. */
void layer_done(const struct layer_hit *hit);
int64_t layer_clock_offset_us(void);
/* True if the path of `fd` is in `folder`. */
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

/* Format of the log; `length` bytes follow. */
struct layer_record {
    uint32_t kind, length;
    uint64_t start_ns; /* CLOCK_MONOTONIC before the call */
    uint64_t ino, dir, to_dir, offset;
    char name[48], to_name[48];
};

/* Before a call that changes or syncs a file. Serialises recorded calls, so the log has their
 * order. False: `fd` is not below FAULTS_ROOT, nothing is recorded. */
bool layer_record_begin(int fd, struct layer_record *record);
/* After the call; writes the record if `is_done`. */
void layer_record_end(struct layer_record *record, bool is_done, const void *bytes, size_t length);
uint64_t layer_ino(int fd);

#endif
