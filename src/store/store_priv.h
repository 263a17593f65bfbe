/* What only the store's files share: the journal's records, the journal, the inside of an inbox. */
#ifndef STORE_STORE_PRIV_H
#define STORE_STORE_PRIV_H

#include "store/committer.h"
#include "store/inbox.h"

#include <dirent.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <uthash.h>

/* --- record.c: one line of the journal ---------------------------------------------------------
 * Fields split by tabs, foreign text percent-escaped, the CRC-32 of all before it (eight hex
 * digits) as the last field, a line feed. docs/store.md lists the fields of each kind. */
enum record_kind {
    RECORD_HEADER,   /* number: the format's version */
    RECORD_FILE,     /* file: all of it */
    RECORD_REPORTED, /* number: the transfer id whose report the gateway has had */
    RECORD_VOID,     /* number: the transfer id whose file never came to stand in the inbox */
    RECORD_IDS,      /* number: where the next block of transfer ids begins */
    RECORD_SETTLED,  /* what became of each file before it is known: each stands in the inbox under
                        its name, or there is a RECORD_VOID. number: how many were the last */
};

struct record {
    enum record_kind kind;
    uint32_t number;
    struct inbox_record file;
};

/* A longer identity than fits is cut; nothing else can be long. */
enum {
    RECORD_LINE_MAX = 32768,
    JOURNAL_VERSION = 2,
    JOURNAL_VERSION_UNSETTLED = 1, /* had no RECORD_SETTLED; release 0.1 */
    TRANSFER_ID_MAX = 99999999
};

/* Writes the line with its line feed, no NUL; returns its length. */
size_t record_write(char to[RECORD_LINE_MAX], const struct record *record);

/* Takes `line` (no line feed, room for a NUL behind it) apart in place: out->file.idurl points into
 * it. False if it is damaged. */
bool record_read(struct record *out, char *line, size_t length);

/* --- sink.c: records on their way into a file -------------------------------------------------
 * Its holder's. */
enum { SINK_SIZE = 256 * 1024 };

struct sink {
    int fd;
    uint64_t size; /* written */
    size_t held;
    char buffer[SINK_SIZE];
};

/* The descriptor becomes the sink's. NULL when there is no memory: then it is still the caller's.
 */
struct sink *sink_new(int fd, uint64_t size);
void sink_free(struct sink **sink);

/* At sink_end. Writes what is held when there is no more room. */
enum err sink_put(struct sink *sink, const struct record *record);
enum err sink_put_number(struct sink *sink, enum record_kind kind, uint32_t number);
enum err sink_flush(struct sink *sink);
uint64_t sink_end(const struct sink *sink); /* with what is held */

/* --- journal_reader.c: the records of a journal, streamed --------------------------------------
 * Reads with pread, so that the descriptor may be the writer's. */
struct journal_entry {
    struct record record;
    uint64_t offset; /* where its line begins */
    uint32_t length; /* with its line feed */
};

/* What was gone through. */
struct journal_extent {
    uint64_t end;     /* of the last whole line */
    unsigned damaged; /* lines skipped */
    uint64_t first_damaged_offset;
};

/* What `entry` points to is valid until it returns. */
typedef enum err journal_entry_fn(void *ctx, const struct journal_entry *entry);

/* Calls `each` for the records of `fd` from `from` on, where a line begins, and before `most`, in
 * their order. Damaged lines are skipped, a last one without its line feed is taken for not there.
 * Ends at the first error, its own or that of `each`, and returns it. `out` may be NULL; it says
 * how far it came in any case. */
enum err journal_reader_each(int fd, uint64_t from, uint64_t most, journal_entry_fn *each,
                             void *ctx, struct journal_extent *out);

/* --- ledger.c: what a journal comes to ---------------------------------------------------------
 * Only what is owed is kept, by transfer id, each with the place of its record: a journal of a
 * million reported files costs no memory. */
struct owed {
    uint32_t transfer_id;
    uint32_t length;
    uint64_t offset;
    bool is_void;
    UT_hash_handle hh;
};

struct voided {
    uint64_t offset;
    UT_hash_handle hh;
};

/* All zero is an empty one. */
struct ledger {
    struct owed *owed;     /* by transfer_id */
    struct voided *voided; /* by offset: file records without a file; failures, so few */
    bool has_header;
    uint32_t version;
    uint32_t next_id;
    uint64_t settled_offset; /* of the last RECORD_SETTLED */
    unsigned damaged;
    uint64_t first_damaged_offset;
};

void ledger_fini(struct ledger *ledger);

/* Enters the record that stands at `offset`. */
enum err ledger_take(struct ledger *ledger, const struct record *record, uint64_t offset,
                     uint32_t length);

/* Enters all lines of `fd` from `from` on and before `most`; `*end` is where the last whole line
 * ends. */
enum err ledger_read(struct ledger *ledger, int fd, uint64_t from, uint64_t most, uint64_t *end);

/* Forgets the records at `offset` and behind it. */
void ledger_cut(struct ledger *ledger, uint64_t offset);

bool ledger_owes(const struct ledger *ledger, uint32_t transfer_id);

/* The owed entry whose record is the one at `offset`, else NULL. */
struct owed *ledger_find(const struct ledger *ledger, uint32_t transfer_id, uint64_t offset);
bool ledger_is_voided(const struct ledger *ledger, uint64_t offset);
/* True if what became of the file of the record at `offset` was known. */
bool ledger_is_settled(const struct ledger *ledger, uint64_t offset);
void ledger_forget(struct ledger *ledger, uint32_t transfer_id);

/* --- id_blocks.c: blocks of transfer ids that are out --------------------------------------------
 * Given to a worker and not given back: a transfer may still have one of their ids. All zero is
 * none. Owner: the journal's. */
struct id_blocks {
    struct transfer_ids *out;
    size_t count, room;
};
void id_blocks_fini(struct id_blocks *blocks);
enum err id_blocks_add(struct id_blocks *blocks, const struct transfer_ids *block);
/* The block that begins as `block` does; at ease with one that is not out. */
void id_blocks_remove(struct id_blocks *blocks, const struct transfer_ids *block);
/* Where the block with `id` in it ends; 0: it is in none. */
uint32_t id_blocks_end(const struct id_blocks *blocks, uint32_t id);
/* Where the next block behind `id` begins; UINT32_MAX: there is none. */
uint32_t id_blocks_next(const struct id_blocks *blocks, uint32_t id);

/* --- journal.c: the file -----------------------------------------------------------------------
 * Owner: whoever opened the inbox, then who has the committer's lock. */
struct journal;

/* Opens or makes `journal` in `dir_fd`, reads it, cuts off a torn end; pinned. ERR_CORRUPT: written
 * by a later version. */
enum err journal_open(struct journal **out, int dir_fd, enum durability durability,
                      uint64_t limit_bytes);
void journal_close(struct journal **journal);

/* Adds a record to what the next journal_write writes, and to the ledger. */
enum err journal_add(struct journal *journal, const struct record *record);

/* Writes what was added since the last journal_write: all of it, or on an error none of it (the
 * ledger is the caller's to correct, with journal_forget). What became of a file, RECORD_VOID and
 * RECORD_REPORTED, then goes out with the next one that succeeds. */
enum err journal_write(struct journal *journal);

/* fdatasync(2). After an error nothing written is known to be on the disk: the journal is broken
 * until journal_mend. */
enum err journal_sync(struct journal *journal);

/* The same, when a sync of the whole file system has just written it: asks only for its error. */
enum err journal_was_synced(struct journal *journal);

/* Rewrites a broken journal and one that has grown beyond its limit (journal_wants_mending); at
 * ease with any other. */
bool journal_wants_mending(const struct journal *journal);
enum err journal_mend(struct journal *journal);

/* Rewrites it in any case: what was read of it may not be what is on the disk. */
enum err journal_renew(struct journal *journal);

/* Rewrites one of the version before as well, when nothing of that version is left beside it. */
enum err journal_update(struct journal *journal);

/* While it is true, a rewrite leaves nothing behind: at open, until a redo log of the release
 * before was looked at, which has no other word of those that failed. */
void journal_keep_whole(struct journal *journal, bool is_whole);

/* Writes what the part `fd` says of files, before `most`, behind the journal's own: all of it, or
 * on an error none of it. ERR_CORRUPT: written by a later version. `*damaged` records were skipped.
 */
enum err journal_absorb(struct journal *journal, int fd, uint64_t most, unsigned *damaged);

void journal_forget(struct journal *journal, uint32_t transfer_id);
struct ledger *journal_ledger(struct journal *journal);
/* The blocks of ids that are out; who takes one back removes it. */
struct id_blocks *journal_ids_out(struct journal *journal);
bool journal_owes(struct journal *journal, uint32_t transfer_id);
/* What stands under its name is what it writes to: nobody took it away, or put another there. */
bool journal_is_in_place(const struct journal *journal);
int journal_fd(const struct journal *journal);
uint64_t journal_size(const struct journal *journal);

/* Calls `each` for the record of everything owed. */
typedef enum err journal_owed_fn(void *ctx, const struct inbox_record *record, struct owed *owed);
enum err journal_each_owed(struct journal *journal, journal_owed_fn *each, void *ctx);

/* Reserves the next block of transfer ids: added, not yet written. What is owed is passed over, and
 * so are the blocks that are out. ERR_FULL: that is all of them. */
enum err journal_reserve_ids(struct journal *journal, struct transfer_ids *out);

/* --- space.c: room on the disk for what peers announced ------------------------------------------
 * A file's whole size is reserved when it begins, so that files that come in at once never fill the
 * disk together. What counts is what the file system takes: whole blocks, one at least. Any thread,
 * where nothing else is said. All zero is one without limits. */
struct space {
    uint64_t block_bytes; /* of the file system; set before the threads */
    /* Of all files that stand in the inbox or are under way; 0: no limit. */
    _Atomic uint64_t quota_bytes, files_limit;
    _Atomic uint64_t min_free_bytes; /* of the disk */
    _Atomic uint64_t pending_bytes;  /* reserved and not written yet, in steps */
    /* Of the files under way. */
    _Atomic uint64_t open_bytes, open_files;
    /* Those, and what stood in the inbox when it was counted last. */
    _Atomic uint64_t used_bytes, used_files;
};

enum { SPACE_STEP_BYTES = 1 << 20 };

/* Before the threads. */
void space_open(struct space *s, int dir_fd);

/* What a file of that size takes. */
uint64_t space_cost(const struct space *s, uint64_t size);

struct space_limits {
    uint64_t quota_bytes, files; /* 0: none */
    uint64_t min_free_bytes;
};
/* Not in a worker: a new limit begins with counting. */
void space_set_limits(struct space *s, int dir_fd, const struct space_limits *limits);

/* How many inodes stay free on a file system that has `all`. */
uint64_t space_free_files_wanted(uint64_t all);

/* One file more, of that space_cost. ERR_INBOX_QUOTA, ERR_INBOX_FILES, ERR_MIN_FREE,
 * ERR_MIN_FREE_FILES: nothing is reserved. */
enum err space_reserve(struct space *s, int dir_fd, uint64_t cost);
void space_written(struct space *s, uint64_t bytes);

/* The file is through. `pending`: what was not told as written; `is_kept`: it stands in the inbox.
 */
void space_release(struct space *s, uint64_t pending, uint64_t cost, bool is_kept);

/* Not in a worker: reads the directory, because others take files away. `has_sizes`: every inode
 * too, for the quota. */
void space_count(struct space *s, int dir_fd, bool has_sizes);

/* The same, if there is a limit and the folder has changed since the last time (or a minute has
 * gone by). `r`: the caller's, all zero at first. */
struct space_recount {
    int64_t mtime_ns; /* of the folder, when it was counted */
    uint64_t counted_ms;
    bool is_settled; /* nothing more could change under that mtime */
};
void space_recount(struct space *s, struct space_recount *r, int dir_fd, uint64_t now_ms);

/* --- inbox.c -----------------------------------------------------------------------------------
 */
#define INBOX_FOLDER ".dustwire"
#define INBOX_SECOND "partial" /* in it */
#define INBOX_LOCK   "lock"    /* in it */

enum { REMAINS_MAX = 256 };

/* A failed file that could not be taken out of the inbox, or not yet be told of as out of it. */
struct remains {
    uint32_t transfer_id;
    char name[INBOX_NAME_SIZE];
};

struct inbox {
    char path[SETTINGS_TEXT_SIZE]; /* absolute */
    enum durability durability;
    int dir_fd;     /* the inbox */
    int partial_fd; /* .dustwire */
    int second_fd;  /* .dustwire/partial: of the partial files every other group (inbox_partial_fd)
                     */
    int lock_fd;    /* once the committer runs: its second thread's */
    struct stat dir, partial; /* what dir_fd and partial_fd were at open; read only since */
    bool can_check_access;    /* what access(2) says of it can be believed */
    /* What inbox_place.c found wrong, 0: nothing. Atomic: whoever commits and whoever looks says
     * it, whoever begins a file asks; a number that stands for itself. */
    _Atomic uint32_t trouble;
    struct space space;
    struct journal *journal;
    struct remains remains[REMAINS_MAX]; /* the journal's owner's; more wait for the next start */
    unsigned remains_count;
    struct inbox_recovery recovery;
    bool has_group; /* of finished files; else the daemon's own */
    gid_t group;
    mode_t mode;
};

/* The file is through: what it had reserved is free again. */
void inbox_release(struct inbox *inbox, struct inbox_file *file, bool is_kept);

/* inbox_recover.c. The journal's owner: they are removed by inbox_remains_remove, else by the next
 * start. */
void inbox_remains_add(struct inbox *inbox, uint32_t transfer_id, const char *name);
void inbox_remains_remove(struct inbox *inbox);

/* Opens and locks the lock file; 0, or -1 with errno: then `*fd` may be open (another holds it). */
int inbox_lock(int partial_fd, int *fd);

/* --- inbox_place.c -----------------------------------------------------------------------------
 */

/* At the end of opening. */
void inbox_place_open(struct inbox *inbox);

/* Any thread. ERR_NO_INBOX: the inbox or its .dustwire is not what was opened any more, so what
 * stands in it now is not under the path that is told; ERR_DENIED: that cannot be seen. Two looks
 * at names. */
enum err inbox_place_look(struct inbox *inbox);

/* Any thread. A file could not be made there for that reason. */
void inbox_place_refused(struct inbox *inbox, enum err e);

/* Any thread. Why no file is to be begun. Of a read-only file system each file hears by itself, so
 * that one refusal, which may have been of a moment, refuses no other file. */
enum err inbox_place_refuses(const struct inbox *inbox);

/* True if `name` in `dir_fd` is what `fd` has open. */
bool inbox_is_same(int dir_fd, const char *name, int fd);

/* The committer's second thread. Looks at all of it, takes a trouble back that is over, and makes
 * the lock file and the second folder of partial files again. */
enum err inbox_place_check(struct inbox *inbox);

/* --- directory.c -------------------------------------------------------------------------------
 */

/* Opens the directory, makes (0700) the parts of its path that are missing, follows only links of
 * root's and of our own. A failure: `why` is a clause that names the part and the reason. */
enum err directory_open(int *out, const char *path, char *why, size_t room);

/* Opens the folder `name` in `dir_fd`, made (0700) if it is missing. -1 with errno. */
int directory_make(int dir_fd, const char *name);
/* The same, and puts it in the place of the one that `fd` has open. 0, or an errno. */
int directory_make_again(int dir_fd, const char *name, int fd);

/* Each entry of `folder` below `dir_fd` ("." is that itself) but "." and ".."; `each` may remove
 * it. Ends at the first error and returns it. */
typedef enum err directory_each_fn(void *ctx, int dir_fd, const char *name);
enum err directory_each(int dir_fd, const char *folder, directory_each_fn *each, void *ctx);
/* The same with what the folder says of the entry's kind, DT_UNKNOWN if nothing. */
typedef enum err directory_kind_fn(void *ctx, int dir_fd, const char *name, unsigned char kind);
enum err directory_each_kind(int dir_fd, const char *folder, directory_kind_fn *each, void *ctx);

/* --- inbox_access.c ----------------------------------------------------------------------------
 */

/* Gives a file of ours the group and mode of inbox_set_access. */
enum err inbox_apply_access(const struct inbox *in, int fd);

/* --- inbox_name.c ------------------------------------------------------------------------------
 */

/* A name that no file has had: the time, 63 random bits and one for its place. */
enum err inbox_choose_name(char name[INBOX_NAME_SIZE]);

/* The folder in which a partial file of that name stands. */
int inbox_partial_fd(const struct inbox *inbox, const char *name);

/* True if `name` is one of those. */
bool inbox_is_name(const char *name);

/* --- batch.c: many commits as one --------------------------------------------------------------
 * Owner: its journal's. */
enum { BATCH_MAX = 1024 };

struct batch {
    struct inbox *inbox;
    struct journal *journal;
    int meminfo_fd; /* /proc/meminfo; -1: none, or nothing is synced at once */
    /* What waits: COMMIT_FILE; COMMIT_REPORTED and COMMIT_IDS. */
    struct message_list files, marks;
    /* The batch under way. A request's result is its state: ERR_OK as long as all went well. */
    struct message_list marks_taken;
    size_t count;
    struct commit_request *requests[BATCH_MAX];
    bool is_renamed[BATCH_MAX];
    int64_t now_us;
    bool has_ids;                /* that must be on the disk before they are given out */
    bool has_records;            /* of this batch, in the journal */
    enum err journal_error;      /* of this batch's records and marks */
    uint64_t told_s;             /* when it was said last */
    struct message_list answers; /* of batch_run, not sent yet; each with its `deliver` set */
};

void batch_init(struct batch *batch, struct inbox *inbox, struct journal *journal);

/* FILE, REPORTED, IDS. */
void batch_add(struct batch *batch, struct commit_request *request);
bool batch_is_waiting(const struct batch *batch);

/* Commits what waits, BATCH_MAX files at most, and adds it to `answers`. `journal_state` not
 * ERR_OK: the journal cannot be written, everything fails for that reason. */
void batch_run(struct batch *batch, enum err journal_state);

/* Any thread that has the batch. Sends `answers` back to whoever asked. */
void batch_send_answers(struct batch *batch);

void batch_close_file(struct inbox_file *file);

/* --- inbox_recover.c ---------------------------------------------------------------------------
 */

/* Clears what the last run left half done, and counts it. */
enum err inbox_recover(struct inbox *inbox);

/* --- sync.c ------------------------------------------------------------------------------------
 */

/* fdatasync(2); -1 is synced already. */
enum err sync_data(int fd);

/* For a file that a syncfs has written: waits for nothing, tells its own error. -1 has none. */
enum err sync_written_error(int fd);

/* True on file systems of which it is known that syncfs(2) leaves what was written on the disk, and
 * that a file tells its own error afterwards. Others are known for less: FUSE's syncfs asks nothing
 * of whoever serves the files, overlayfs keeps the errors to the files below. */
bool sync_at_once_is_known(int dir_fd);

/* Gets the data of a batch on to the disk. A request whose result is not ERR_OK is left alone, one
 * whose sync fails gets its error as result. `dir_fd` is on their file system and stays open;
 * `meminfo_fd` is /proc/meminfo, or -1. True: all that was written on that file system before is on
 * the disk (but for errors of other files). */
bool sync_batch_data(int meminfo_fd, struct commit_request *const *batch, size_t count, int dir_fd);

/* --- upgrade.c ---------------------------------------------------------------------------------
 * What a daemon of release 0.1 leaves in .dustwire beside the journal: parts of the journal, a
 * second folder of partial files, a redo log. To be removed with release 0.3. */

/* At open, when the journal is read and before anything is judged by it. All of it is in the
 * journal and the inbox then, on the disk, and the old files are gone. On an error nothing of it is
 * lost; `blocked` names the file that could not be written, or is "". */
enum err upgrade_inbox(struct inbox *inbox, char blocked[INBOX_NAME_SIZE]);

/* upgrade_redo.c */
enum err upgrade_redo(struct inbox *inbox, char blocked[INBOX_NAME_SIZE]);

#endif
