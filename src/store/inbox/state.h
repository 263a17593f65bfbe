/* Internal state of an inbox; for the store's files only. */
#ifndef STORE_INBOX_STATE_H
#define STORE_INBOX_STATE_H

#include "settings/settings.h"
#include "store/inbox/recovery.h"
#include "store/inbox/space.h"
#include "store/name.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct journal;

#define INBOX_FOLDER ".dustwire"
#define INBOX_SECOND "partial" /* in INBOX_FOLDER */
#define INBOX_LOCK   "lock"    /* in INBOX_FOLDER */

enum { PENDING_REMOVALS_MAX = 256 };

/* A failed file that could not be removed from the inbox yet, or whose removal could not be
 * recorded yet. */
struct pending_removal {
    uint32_t transfer_id;
    char name[STORE_NAME_SIZE];
};

struct inbox {
    char path[SETTINGS_TEXT_SIZE]; /* absolute */
    enum durability durability;
    int dir_fd;               /* the inbox */
    int partial_fd;           /* .dustwire */
    int second_fd;            /* .dustwire/partial: every other group of partial files
                                 (inbox_partial_file_folder) */
    int lock_fd;              /* owner once the committer runs: its second thread */
    struct stat dir, partial; /* of dir_fd and partial_fd at open; read-only afterwards */
    bool can_check_access;    /* the result of access(2) is reliable */
    /* Fault found by place.c, 0: none. Atomic: set by committing and checking threads, read by any
     * thread that begins a file; independent of other data. */
    _Atomic uint32_t fault;
    struct inbox_space space;
    struct journal *journal;
    struct pending_removal
        pending_removals[PENDING_REMOVALS_MAX]; /* owner: the journal's owner; if full, the next
                                                   start removes the rest */
    unsigned pending_removal_count;
    struct inbox_recovery recovery;
    bool has_group; /* `group` applies to finished files; otherwise the daemon's own */
    gid_t group;
    mode_t mode;
};

#endif
