#include "store/inbox/upgrade.h"

#include "base/log.h"
#include "base/text.h"
#include "store/directory.h"
#include "store/inbox/state.h"
#include "store/inbox/upgrade_redo.h"
#include "store/journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* TO BE REMOVED WITH RELEASE 0.3, with upgrade_redo.c and journal_append_part: upgrade from release
 * 0.1.
 *
 * With durability = none each of its workers wrote its own journal parts, `journal-W-N`; a start
 * appends them to the journal. */
static bool is_part(const char *name)
{
    unsigned worker, number;
    char again[64];

    return sscanf(name, "journal-%u-%u", &worker, &number) == 2 &&
           text_format(again, sizeof again, "journal-%u-%u", worker, number) == ERR_OK &&
           strcmp(name, again) == 0;
}

struct leftovers {
    struct inbox *inbox;
    unsigned damaged, count;
};

/* A part that was appended but not removed is appended again; the result is the same, because it is
 * read completely and in order. */
static enum err append_part(void *ctx, int dir_fd, const char *name)
{
    struct leftovers *left = ctx;
    struct inbox *inbox = left->inbox;
    int fd;
    enum err e;

    if (!is_part(name))
        return ERR_OK;
    fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_from_errno(errno);
    if ((e = journal_append_part(inbox->journal, fd, UINT64_MAX, &left->damaged)) == ERR_OK)
        e = journal_sync(inbox->journal);
    close(fd);
    if (e == ERR_OK && unlinkat(dir_fd, name, 0) != 0)
        e = err_from_errno(errno);
    left->count++;
    return e;
}

static enum err append_parts(struct inbox *inbox)
{
    struct leftovers left = {.inbox = inbox};
    enum err e = store_directory_each(inbox->partial_fd, ".", append_part, &left);

    if (left.damaged > 0)
        log_warning("journal: %u damaged records in workers' parts skipped", left.damaged);
    inbox->recovery.damaged_records += left.damaged;
    if (e == ERR_OK && left.count > 0 && inbox->durability == DURABILITY_FULL &&
        fsync(inbox->partial_fd) != 0)
        e = err_from_errno(errno);
    return e;
}

enum err inbox_upgrade(struct inbox *inbox, char blocked[STORE_NAME_SIZE])
{
    enum err e = append_parts(inbox);

    blocked[0] = '\0';
    return e == ERR_OK ? inbox_upgrade_redo(inbox, blocked) : e;
}
