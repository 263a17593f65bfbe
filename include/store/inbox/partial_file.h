/* A partial file: its owner's until it is given to the committer. */
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
    uint64_t reserved_bytes; /* what its announced size will take on the disk */
    uint64_t pending_bytes;  /* of these, not told as written */
    uint64_t early_bytes;    /* of these, whose way to the disk has begun (committer_write_early) */
};

/* Any thread. Reserves the room and makes the partial file. ERR_NO_INBOX and what else
 * inbox_place_trouble says;  ERR_INBOX_QUOTA, ERR_INBOX_FILES,
 * ERR_MIN_FREE, ERR_MIN_FREE_FILES: there is none; ERR_NO_SPACE, ERR_QUOTA, ERR_DESCRIPTORS, ... */
enum err inbox_partial_file_begin(struct inbox *inbox, uint64_t size_bytes,
                                  struct inbox_partial_file *out);

/* The file's owner. Appends all of it or fails; a failed file is to be discarded (COMMIT_DISCARD).
 */
enum err inbox_partial_file_write(struct inbox_partial_file *file, const void *bytes,
                                  size_t length);

/* The rest is for whoever finishes the file. */

/* A closed one is left alone. */
void inbox_partial_file_close(struct inbox_partial_file *file);

/* The file is through: what it had reserved is free again. `is_kept`: it stands in the inbox. */
void inbox_partial_file_release(struct inbox *inbox, struct inbox_partial_file *file, bool is_kept);

/* The folder in which a partial file of that name stands. */
int inbox_partial_file_folder(const struct inbox *inbox, const char *name);

#endif
