/* A partial file. Owned by its creator until it is passed to the committer. */
#ifndef STORE_INBOX_PARTIAL_FILE_H
#define STORE_INBOX_PARTIAL_FILE_H

#include "base/err.h"
#include "store/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inbox;

struct inbox_partial_file {
    int fd; /* -1: none */
    char name[STORE_NAME_SIZE];
    uint64_t written_bytes;
    struct inbox *inbox;
    uint64_t reserved_bytes;  /* disk usage of its announced size */
    uint64_t pending_bytes;   /* of these, not yet reported as written */
    uint64_t writeback_bytes; /* writeback started, committer_start_writeback */
};

/* Any thread. Reserves disk space and creates the partial file. ERR_NO_INBOX or another error of
 * inbox_place_fault: the inbox is unusable; ERR_INBOX_QUOTA, ERR_INBOX_FILES, ERR_MIN_FREE,
 * ERR_MIN_FREE_FILES: a limit is reached; ERR_NO_SPACE, ERR_QUOTA, ERR_DESCRIPTORS, ... */
enum err inbox_partial_file_begin(struct inbox *inbox, uint64_t size_bytes,
                                  struct inbox_partial_file *out);

/* File owner. Appends all bytes or fails; discard the file after a failure (COMMIT_DISCARD). */
enum err inbox_partial_file_write(struct inbox_partial_file *file, const void *bytes,
                                  size_t length);

/* The functions below are for the code that finishes the file. */

/* No-op if already closed. */
void inbox_partial_file_close(struct inbox_partial_file *file);

/* Releases the file's reservation. `is_kept`: the file is in the inbox. */
void inbox_partial_file_release(struct inbox *inbox, struct inbox_partial_file *file, bool is_kept);

/* The directory that holds the partial file of that name. */
int inbox_partial_file_folder(const struct inbox *inbox, const char *name);

#endif
