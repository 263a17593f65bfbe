#include "store_priv.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "journal-2-17": the 17th part of worker 2 in this run. A number is not used twice in a run, and a
 * start leaves none of the last run's. */
static const char part_prefix[] = "journal-";

enum err part_new(struct journal_part **out, struct inbox *inbox, unsigned worker, unsigned number)
{
    struct journal_part *part = calloc(1, sizeof *part);
    enum err e = ERR_NO_MEMORY;

    if (part == NULL)
        return e;
    if ((e = text_format(part->name, sizeof part->name, "%s%u-%u", part_prefix, worker, number)) !=
            ERR_OK ||
        (e = journal_begin(&part->journal, inbox->partial_fd, part->name)) != ERR_OK) {
        part_free(&part);
        return e;
    }
    *out = part;
    return ERR_OK;
}

void part_free(struct journal_part **part)
{
    if (*part == NULL)
        return;
    journal_close(&(*part)->journal);
    free(*part);
    *part = NULL;
}

/* What is absorbed must not be absorbed again: a mark written since would be forgotten. */
static void remove_part(const struct inbox *inbox, const char *name)
{
    if (unlinkat(inbox->partial_fd, name, 0) != 0)
        log_error(
            "inbox %s: the journal's part %s cannot be removed: %s; remove it, else files are "
            "reported a second time after the next start",
            inbox->path, name, strerror(errno));
}

enum err part_absorb(struct inbox *inbox, struct journal_part *part)
{
    unsigned damaged = 0;
    enum err e = journal_absorb(inbox->journal, journal_fd(part->journal),
                                journal_size(part->journal), &damaged);

    if (e != ERR_OK) {
        log_error("inbox %s: the journal cannot take its part %s: %s; it is tried again later",
                  inbox->path, part->name, err_text(e));
        return e;
    }
    remove_part(inbox, part->name);
    return ERR_OK;
}

struct parts_told {
    part_fn *each;
    void *ctx;
};

static enum err tell_part(void *ctx, int dir_fd, const char *name)
{
    struct parts_told *told = ctx;

    (void)dir_fd;
    return strncmp(name, part_prefix, sizeof part_prefix - 1) == 0 ? told->each(told->ctx, name)
                                                                   : ERR_OK;
}

enum err part_each(int dir_fd, part_fn *each, void *ctx)
{
    return directory_each(dir_fd, ".", tell_part, &(struct parts_told){each, ctx});
}

struct leftovers {
    struct inbox *inbox;
    unsigned damaged, count;
};

static enum err absorb_leftover(void *ctx, const char *name)
{
    struct leftovers *left = ctx;
    struct inbox *inbox = left->inbox;
    int fd = openat(inbox->partial_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    enum err e;

    if (fd < 0)
        return err_from_errno(errno);
    if ((e = journal_absorb(inbox->journal, fd, UINT64_MAX, &left->damaged)) == ERR_OK)
        e = journal_sync(inbox->journal);
    close(fd);
    if (e == ERR_OK && unlinkat(inbox->partial_fd, name, 0) != 0)
        e = err_from_errno(errno);
    left->count++;
    return e;
}

enum err part_absorb_all(struct inbox *inbox, unsigned *damaged)
{
    struct leftovers left = {.inbox = inbox};
    enum err e = part_each(inbox->partial_fd, absorb_leftover, &left);

    if (left.damaged > 0)
        log_warning("journal: %u damaged records of workers' parts skipped", left.damaged);
    *damaged += left.damaged;
    if (e == ERR_OK && left.count > 0 && inbox->durability == DURABILITY_FULL &&
        fsync(inbox->partial_fd) != 0)
        e = err_from_errno(errno);
    return e;
}

struct owed_reading {
    struct inbox *inbox;
    struct ledger *ledger;
};

static enum err read_owed(void *ctx, const char *name)
{
    struct owed_reading *reading = ctx;
    int fd = openat(reading->inbox->partial_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    uint64_t end;
    enum err e;

    if (fd < 0) /* absorbed meanwhile */
        return errno == ENOENT ? ERR_OK : err_from_errno(errno);
    e = ledger_read(reading->ledger, fd, 0, UINT64_MAX, &end);
    close(fd);
    return e;
}

enum err part_read_owed(struct inbox *inbox, struct ledger *ledger)
{
    struct owed_reading reading = {inbox, ledger};

    return part_each(inbox->partial_fd, read_owed, &reading);
}

/* The ids of a run follow one another, so until they begin again no part can owe one to come. */
enum err inbox_reserve_ids(struct inbox *inbox, struct transfer_ids *out)
{
    struct ledger others = {0};
    enum err e = ERR_OK;

    if (journal_has_begun_ids_again(inbox->journal))
        e = part_read_owed(inbox, &others);
    if (e == ERR_OK)
        e = journal_reserve_ids(inbox->journal, &others, out);
    ledger_fini(&others);
    return e;
}
