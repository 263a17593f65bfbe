/* The redo log: what makes small files durable with one sync for many (durability = full). A file
 * of fixed size, `.dustwire/redo`, written once with zeros and from then on only overwritten, so
 * that its sync writes those bytes and nothing of the file system. A batch's files and their
 * journal records go there as blocks; after a power cut the next start writes again what did not
 * reach its place (docs/store.md).
 *
 * It has two halves. One is written; when it is full it is retired: a checkpoint brings what it
 * stands for to the disk (redo_settle, in the bulk thread), then it is clean and its next epoch
 * begins. Meanwhile the other half is written. */
#ifndef STORE_REDO_H
#define STORE_REDO_H

#include "store_priv.h"

enum {
    REDO_ALIGN = 4096,            /* a block begins at a multiple: none is written twice */
    REDO_BLOCK_MAX = 256 * 1024,  /* with its header */
    REDO_HALF_MIN = 512 * 1024,   /* of a half */
    REDO_DATA_MAX = 16 * 1024,    /* a larger file is synced by itself */
    REDO_HEADER_SIZE = 72,        /* of a block */
    REDO_ENTRY_SIZE = 16,         /* of an entry, before its line and its data */
    REDO_MARKS_ROOM = 128 * 1024, /* at the end of a half, not for files */
};

/* --- redo_block.c: bytes ------------------------------------------------------------------------
 * Numbers little-endian. A block: CRC-32 of all behind it (4 bytes), length of the entries (4),
 * magic (8), epoch (8), sequence (4), 0 (4), boot id (40); then the entries. An entry: length of
 * its line (4), length of its data (4), mode (4), group (4); then the record's line as it stands in
 * the journal, and the file's data. */
struct redo_stamp {
    uint64_t epoch;    /* of the half: which time it is written */
    uint32_t sequence; /* of the block in it, from 0 */
    char boot[BOOT_ID_SIZE];
};

struct redo_entry {
    struct record record; /* RECORD_FILE, RECORD_REPORTED or RECORD_VOID; points into the block */
    uint32_t mode, group; /* RECORD_FILE: of the finished file; REDO_NO_GROUP: the daemon's own */
    const char *data;
    size_t length;
};
#define REDO_NO_GROUP UINT32_MAX

/* Room for REDO_BLOCK_MAX bytes; `held` of them are used. */
struct redo_block {
    size_t held;
    char bytes[REDO_BLOCK_MAX];
};

void redo_block_begin(struct redo_block *block);
bool redo_block_is_empty(const struct redo_block *block);

/* True if an entry with `length` bytes of data fits, whatever its record. */
bool redo_block_has_room(const struct redo_block *block, size_t length);

/* Adds an entry for which there is room. The place for its data, which is the caller's to fill, or
 * to cut off again by setting `held` back. */
char *redo_block_add(struct redo_block *block, const struct record *record, uint32_t mode,
                     uint32_t group, size_t length);

/* Completes the block and its last REDO_ALIGN bytes. */
void redo_block_seal(struct redo_block *block, const struct redo_stamp *stamp);

/* How long the block is whose first REDO_HEADER_SIZE bytes are at `bytes`; 0: that is none. */
size_t redo_block_length(const char *bytes);

/* True if the `held` bytes are a whole block: its stamp. */
bool redo_block_check(const struct redo_block *block, struct redo_stamp *stamp);

/* The entry at `*at` (0: the first) of a checked block, and on to the next. False at the end. */
bool redo_block_next(struct redo_block *block, size_t *at, struct redo_entry *out);

/* --- redo.c: the file ---------------------------------------------------------------------------
 * Owner: its inbox's journal's. */
enum redo_half_state {
    HALF_CLEAN,   /* its blocks, if any, are of an epoch that is over */
    HALF_WRITTEN, /* has blocks that a power cut would need */
    HALF_RETIRED, /* takes no more; is to be settled */
    HALF_SETTLING /* lent to the bulk thread */
};

struct redo_half {
    enum redo_half_state state;
    uint64_t from; /* its place in the file: the header, then blocks */
    uint64_t used; /* with its header's REDO_ALIGN bytes */
    uint64_t epoch;
    uint32_t sequence; /* of the next block */
    uint64_t since_ms; /* when the first block came */
};

struct redo {
    struct inbox *inbox;
    int fd;
    int sync_fd; /* its own, so that syncfs(2) tells it each error of the file system once */
    uint64_t half_bytes;
    struct redo_half halves[2];
    struct redo_half *current; /* NULL: none can be written now */
    enum err error;            /* of a block of this batch */
    bool is_suspect[2];        /* the bulk thread's: a file of that half may not be on the disk */
    bool is_damaged;           /* a half without a header: to be removed, not to be used */
    struct redo_block block;   /* being filled */
};

/* Opens the inbox's log, which takes nothing before redo_begin_anew. ERR_NOT_FOUND: there is none.
 * ERR_CORRUPT: it has not the form of one. ERR_NOT_REGULAR: it is not a file of ours at all. */
enum err redo_open(struct redo **out, struct inbox *inbox);

/* Makes one of `bytes`, both halves. ERR_NO_SPACE also where it would take more than a tenth of
 * what is free; ERR_MIN_FREE. */
enum err redo_make(struct redo **out, struct inbox *inbox, uint64_t bytes);
void redo_close(struct redo **redo);
/* Of a clean one: with its file. */
void redo_remove(struct redo **redo);
uint64_t redo_bytes(const struct redo *redo);

/* True if a file of that size goes into the log now. */
bool redo_takes(const struct redo *redo, const struct inbox_file *file);

/* Puts such a file into the log: its record, and its data as read from its descriptor. False: it
 * must be synced in another way. */
bool redo_put_file(struct redo *redo, const struct commit_request *request,
                   const struct record *record);
/* What became of a file of the log; goes to the disk with the next redo_sync. A mark without room
 * is left out. */
void redo_put_mark(struct redo *redo, enum record_kind kind, uint32_t transfer_id);

/* Before the records of a batch are written: what becomes of its files stays in the journal as long
 * as a half may have them. */
void redo_pin(const struct redo *redo);

/* Writes and syncs what was put. On an error none of it counts as durable, and the half is retired.
 */
enum err redo_sync(struct redo *redo);

bool redo_has_blocks(const struct redo *redo); /* that a power cut would need */
bool redo_has_clean_half(const struct redo *redo);
bool redo_is_nearly_full(const struct redo *redo);

/* No more goes into the current half; the other is the current one, if it is clean. */
void redo_retire(struct redo *redo);

/* All that the half stands for is on the disk: its next epoch begins. */
enum err redo_clean(struct redo *redo, struct redo_half *half);

/* After redo_open, when all that the log stands for is on the disk: the next epoch of both halves.
 * Always, because what was read of a header may not be what is on the disk. */
enum err redo_begin_anew(struct redo *redo);

/* Reads the block at `at` of the half, the one of this epoch and `sequence`. ERR_NOT_FOUND: there
 * is none; any other error says nothing about that. */
enum err redo_read_block(const struct redo *redo, const struct redo_half *half, uint64_t at,
                         uint32_t sequence, struct redo_block *block, struct redo_stamp *stamp);

/* --- redo_replay.c ------------------------------------------------------------------------------
 */

/* At open, when the journal is read and before anything is judged by it: what a power cut kept from
 * its place is written again; all is on the disk then, and the log is clean (with durability none:
 * removed). On an error nothing of it is lost; `blocked` names the file that could not be written,
 * or is "". */
enum err redo_recover(struct inbox *inbox, char blocked[INBOX_NAME_SIZE]);

/* Thread of the bulk. Brings everything that a retired half stands for to the disk. */
enum err redo_settle(struct redo *redo, const struct redo_half *half);

#endif
