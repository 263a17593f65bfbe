#include "store/inbox.h"

#include "store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Reading the journal beside its writer. A descriptor of its own keeps the file that it began with
 * though a rewrite puts another in its place, and a record half written is a last line without an
 * end, which the reader does not give. Two passes: what became of a file stands behind its record.
 */

struct listing {
    int64_t since_us;
    size_t offset, limit;
    inbox_received_fn *each;
    void *ctx;
};

static void list_one(struct listing *listing, const struct ledger *ledger,
                     const struct inbox_record *file, uint64_t line_offset)
{
    const struct owed *owed = ledger_find(ledger, file->transfer_id, line_offset);

    if (file->committed_us < listing->since_us || ledger_is_voided(ledger, line_offset))
        return;
    if (listing->offset > 0) {
        listing->offset--;
        return;
    }
    listing->limit--;
    listing->each(listing->ctx, file, owed == NULL);
}

static enum err list(struct listing *listing, const struct ledger *ledger, int fd, uint64_t end)
{
    struct journal_reader *reader = journal_reader_new(fd, 0, end);
    struct record record;
    enum journal_line line;
    enum err e = ERR_OK;

    if (reader == NULL)
        return ERR_NO_MEMORY;
    while (e == ERR_OK && listing->limit > 0 &&
           (line = journal_reader_next(reader, &record)) != LINE_END) {
        if (line == LINE_UNREADABLE)
            e = err_from_errno(errno);
        else if (line == LINE_RECORD && record.kind == RECORD_FILE)
            list_one(listing, ledger, &record.file, reader->line_offset);
    }
    free(reader);
    return e;
}

enum err inbox_each_received(struct inbox *inbox, int64_t since_us, size_t offset, size_t limit,
                             inbox_received_fn *each, void *ctx)
{
    struct listing listing = {since_us, offset, limit, each, ctx};
    struct ledger ledger = {0};
    uint64_t end;
    enum err e;
    int fd = openat(inbox->partial_fd, "journal", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return err_from_errno(errno);
    if ((e = ledger_read(&ledger, fd, UINT64_MAX, &end)) == ERR_OK)
        e = list(&listing, &ledger, fd, end);
    ledger_fini(&ledger);
    close(fd);
    return e;
}
