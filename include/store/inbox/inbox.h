/* The inbox on disk: finished files directly in it, partial files, one journal and one lock in
 * `<inbox>/.dustwire/`. A file has one name for life, chosen when it begins (UTC time, 63
 * random bits and one for its place, ".in"); while partial it stands under that name in .dustwire
 * or .dustwire/partial, renamed it stands in the inbox.
 *
 * Here: opening and recovering the inbox, beginning and writing partial files (any thread, a file
 * is its owner's), reading the journal. Finishing files and writing the journal is the committer's.
 */
#ifndef STORE_INBOX_INBOX_H
#define STORE_INBOX_INBOX_H

#include "base/address.h"
#include "base/err.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INBOX_NAME_SIZE = 48, INBOX_PATH_SIZE = SETTINGS_TEXT_SIZE + INBOX_NAME_SIZE };

struct inbox;

/* What a journal record says of one received file. Strings are the record's holder's. */
struct inbox_record {
    uint32_t transfer_id; /* ours: by it the journal knows the file */
    uint32_t gateway_id;  /* a remote gateway's, to which it is owed; 0: none's */
    struct address peer;
    uint64_t size_bytes;
    int64_t started_us, committed_us; /* real time */
    char name[INBOX_NAME_SIZE];
    const char *idurl; /* escaped; "" if unknown */
};

/* What the last run left: told once, at open. */
struct inbox_recovery {
    unsigned partial_files; /* removed */
    uint64_t partial_bytes;
    unsigned owed_finished, owed_failed; /* reports that the gateway has not had */
    unsigned damaged_records;            /* skipped */
    unsigned written_again;              /* files, after a power cut */
};

/* Opens (and makes, with mode 0700, where missing) the inbox, takes its lock, reads the journal,
 * clears what was half done. A link on the way to it is followed only if it is root's or this
 * user's; below it none is. `problem` gets a sentence that names the path, the reason and what to
 * do. ERR_BUSY: another daemon holds the lock. */
enum err inbox_open(struct inbox **out, const char *path, enum durability durability,
                    uint64_t journal_limit_bytes, char *problem, size_t problem_room);
void inbox_close(struct inbox **inbox);

/* After open, before other threads: finished files belong to `group` ("": our own) and have `mode`;
 * the inbox itself lets in who may read them. Without it: 0600. */
enum err inbox_access_set(struct inbox *inbox, const char *group, unsigned mode, char *problem,
                          size_t problem_room);

const struct inbox_recovery *inbox_recovery(const struct inbox *inbox);

/* After open, before other threads: each report still owed, `is_finished` or failed. The record is
 * valid during the call. Mark it taken with the committer (COMMIT_REPORTED). */
typedef void inbox_owed_fn(void *ctx, const struct inbox_record *record, bool is_finished);
void inbox_each_owed(struct inbox *inbox, inbox_owed_fn *each, void *ctx);

/* A block of transfer ids, 1 to 99,999,999, that nobody else is given before it is given back
 * (COMMIT_IDS), and no run after this one uses while a report under one of them may be owed.
 * `next == end` is an empty one. */
struct transfer_ids {
    uint32_t next, end;
};
enum { TRANSFER_IDS_BLOCK = 65536 };
/* At start, before the committer runs (later: COMMIT_IDS). */
enum err inbox_first_ids(struct inbox *inbox, struct transfer_ids *out);

/* A partial file. Its owner's until it is given to the committer. */
struct inbox_file {
    int fd; /* -1: none */
    char name[INBOX_NAME_SIZE];
    uint64_t written_bytes;
    struct inbox *inbox;
    uint64_t reserved_bytes; /* what its announced size will take on the disk */
    uint64_t pending_bytes;  /* of these, not told as written */
    uint64_t early_bytes;    /* of these, whose way to the disk has begun (committer_write_early) */
};

/* Any thread but a worker. How much may stand in the inbox and be under way to it, and what must
 * stay free on its disk: quota-mib, files-limit and min-free-mib of [inbox]. */
void inbox_set_limits(struct inbox *inbox, const struct settings *settings);

/* Any thread. What stands in the inbox and is under way to it, as counted last; `bytes` only where
 * there is a quota. */
struct inbox_usage {
    uint64_t bytes, quota_bytes; /* quota 0: none */
    uint64_t files, files_limit; /* 0: none */
};
struct inbox_usage inbox_usage(const struct inbox *inbox);

/* Any thread. Why no file is taken in: the inbox is not the folder that was opened any more, or
 * cannot be written. A sentence with what to do, "" and ERR_OK if nothing is wrong. As seen by the
 * last commit, or within the last second. */
enum { INBOX_TROUBLE_SIZE = SETTINGS_TEXT_SIZE + 256 };
enum err inbox_place_trouble(const struct inbox *inbox, char *to, size_t room);

/* Any thread. Reserves the room and makes the partial file. ERR_NO_INBOX and what else
 * inbox_place_trouble says;  ERR_INBOX_QUOTA, ERR_INBOX_FILES,
 * ERR_MIN_FREE, ERR_MIN_FREE_FILES: there is none; ERR_NO_SPACE, ERR_QUOTA, ERR_DESCRIPTORS, ... */
enum err inbox_begin(struct inbox *inbox, uint64_t size_bytes, struct inbox_file *out);

/* The file's owner. Appends all of it or fails; a failed file is to be discarded (COMMIT_DISCARD).
 */
enum err inbox_write(struct inbox_file *file, const void *bytes, size_t length);

/* Any thread. Absolute path of the final name. */
void inbox_final_path(const struct inbox *inbox, const char *name, char out[INBOX_PATH_SIZE]);

#endif
