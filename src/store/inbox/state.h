/* The inside of an inbox: what only the store's files know of it. */
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
#define INBOX_SECOND "partial" /* in it */
#define INBOX_LOCK   "lock"    /* in it */

enum { REMAINS_MAX = 256 };

/* A failed file that could not be taken out of the inbox, or not yet be told of as out of it. */
struct remains {
    uint32_t transfer_id;
    char name[STORE_NAME_SIZE];
};

struct inbox {
    char path[SETTINGS_TEXT_SIZE]; /* absolute */
    enum durability durability;
    int dir_fd;               /* the inbox */
    int partial_fd;           /* .dustwire */
    int second_fd;            /* .dustwire/partial: of the partial files every other group
                               * (inbox_partial_file_folder) */
    int lock_fd;              /* once the committer runs: its second thread's */
    struct stat dir, partial; /* what dir_fd and partial_fd were at open; read only since */
    bool can_check_access;    /* what access(2) says of it can be believed */
    /* What place.c found wrong, 0: nothing. Atomic: whoever commits and whoever looks says
     * it, whoever begins a file asks; a number that stands for itself. */
    _Atomic uint32_t trouble;
    struct inbox_space space;
    struct journal *journal;
    struct remains remains[REMAINS_MAX]; /* the journal's owner's; more wait for the next start */
    unsigned remains_count;
    struct inbox_recovery recovery;
    bool has_group; /* of finished files; else the daemon's own */
    gid_t group;
    mode_t mode;
};

#endif
