#include "store/inbox/received.h"

#include "store/inbox/state.h"
#include "store/journal/ledger.h"
#include "store/journal/reader.h"
#include "store/journal/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reading the journal beside its writer. A descriptor of its own keeps the file that it began with
 * though a rewrite puts another in its place, and a record half written is a last line without an
 * end, which the reader does not give.
 *
 * The places of the records are kept in order of time, and only those asked for are read again. A
 * later query reads on where the last one ended, as long as the file is the same one: whether it
 * is, its inode says, which nobody else can get while our descriptor has it. */

enum { TAIL_SIZE = 256 };

struct place {
    struct inbox_received_place at;
    uint64_t offset;
    uint32_t length;
};

struct inbox_received {
    struct inbox *inbox;
    const atomic_bool *is_stopping;
    int fd; /* of the journal; -1: none yet */
    dev_t device;
    ino_t inode;
    struct journal_ledger ledger;
    unsigned voided;      /* records that have been taken out of the places */
    uint64_t end;         /* read so far */
    char tail[TAIL_SIZE]; /* what stands before it */
    bool has_tail;
    struct place *places;
    size_t count, room;
    size_t sorted; /* of them, those that are in order */
};

enum err inbox_received_open(struct inbox_received **out, struct inbox *inbox,
                             const atomic_bool *is_stopping)
{
    struct inbox_received *r = calloc(1, sizeof *r);

    if (r == NULL)
        return ERR_NO_MEMORY;
    r->inbox = inbox;
    r->is_stopping = is_stopping;
    r->fd = -1;
    *out = r;
    return ERR_OK;
}

/* Places. */

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_files(const struct inbox_received_place *a, const struct inbox_received_place *b)
{
    int by_time = COMPARE(a->committed_us, b->committed_us);

    return by_time != 0 ? by_time : COMPARE(a->transfer_id, b->transfer_id);
}

/* The same file may be there twice, after a crash while another journal was taken in: its last
 * record is right. */
static int compare(const void *one, const void *other)
{
    const struct place *a = one, *b = other;
    int by_file = compare_files(&a->at, &b->at);

    return by_file != 0 ? by_file : COMPARE(b->offset, a->offset);
}

static enum err add_place(struct inbox_received *r, const struct place *place)
{
    if (r->count == r->room) {
        size_t room = r->room == 0 ? 256 : 2 * r->room;
        struct place *grown = realloc(r->places, room * sizeof *grown);

        if (grown == NULL)
            return ERR_NO_MEMORY;
        r->places = grown;
        r->room = room;
    }
    r->places[r->count++] = *place;
    return ERR_OK;
}

static void drop_doubles(struct inbox_received *r)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->count; i++)
        if (kept == 0 || compare_files(&r->places[kept - 1].at, &r->places[i].at) != 0)
            r->places[kept++] = r->places[i];
    r->count = kept;
}

/* What is new goes to its place from the end: most of it belongs there. */
static enum err sort_in(struct inbox_received *r)
{
    size_t old = r->sorted, new = r->count - old, at = r->count;
    struct place *later;

    if (new == 0)
        return ERR_OK;
    if ((later = malloc(new * sizeof *later)) == NULL)
        return ERR_NO_MEMORY;
    memcpy(later, r->places + old, new * sizeof *later);
    qsort(later, new, sizeof *later, compare);
    while (new > 0)
        r->places[--at] = old > 0 && compare(&r->places[old - 1], &later[new - 1]) > 0
                              ? r->places[--old]
                              : later[--new];
    free(later);
    drop_doubles(r);
    r->sorted = r->count;
    return ERR_OK;
}

/* Those whose file never came to stand in the inbox. */
static void take_out_voided(struct inbox_received *r)
{
    size_t kept = 0;

    if (HASH_COUNT(r->ledger.voided) == r->voided)
        return;
    r->voided = HASH_COUNT(r->ledger.voided);
    for (size_t i = 0; i < r->count; i++)
        if (!journal_ledger_is_voided(&r->ledger, r->places[i].offset))
            r->places[kept++] = r->places[i];
    r->count = r->sorted = kept;
}

/* Reading. */

static void begin_with(struct inbox_received *r, int fd, const struct stat *st)
{
    inbox_received_forget(r);
    r->fd = fd;
    r->device = st->st_dev;
    r->inode = st->st_ino;
}

static bool read_tail(const struct inbox_received *r, char tail[TAIL_SIZE])
{
    size_t length = r->end < TAIL_SIZE ? (size_t)r->end : TAIL_SIZE;

    memset(tail, 0, TAIL_SIZE);
    return pread(r->fd, tail, length, (off_t)(r->end - length)) == (ssize_t)length;
}

/* A write that failed is cut back, and what is written next may reach beyond what was read of it.
 */
static bool is_as_read(const struct inbox_received *r)
{
    char tail[TAIL_SIZE];

    return r->has_tail && read_tail(r, tail) && memcmp(tail, r->tail, TAIL_SIZE) == 0;
}

/* One that was rewritten, or cut back, is read anew. */
static enum err open_journal(struct inbox_received *r)
{
    int fd =
        openat(r->inbox->partial_fd, "journal", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    enum err e;

    if (fd < 0 || fstat(fd, &st) != 0) {
        e = err_from_errno(errno);
        if (fd >= 0)
            close(fd);
        return e;
    }
    if (r->fd >= 0 && r->device == st.st_dev && r->inode == st.st_ino && is_as_read(r))
        close(fd);
    else
        begin_with(r, fd, &st);
    return ERR_OK;
}

static enum err take_entry(void *ctx, const struct journal_entry *entry)
{
    struct inbox_received *r = ctx;
    const struct journal_file *file = &entry->record.file;
    enum err e = journal_ledger_take(&r->ledger, &entry->record, entry->offset, entry->length);

    if (e == ERR_OK && atomic_load(r->is_stopping))
        e = ERR_CLOSED;
    if (e != ERR_OK || entry->record.kind != JOURNAL_RECORD_FILE)
        return e;
    return add_place(r, &(struct place){.at = {file->committed_us, file->transfer_id},
                                        .offset = entry->offset,
                                        .length = entry->length});
}

static enum err read_on(struct inbox_received *r)
{
    struct journal_extent extent;
    enum err e = journal_reader_each(r->fd, r->end, UINT64_MAX, take_entry, r, &extent);

    r->end = extent.end;
    r->has_tail = read_tail(r, r->tail);
    return e;
}

static enum err refresh(struct inbox_received *r)
{
    enum err e = open_journal(r);

    if (e == ERR_OK)
        e = read_on(r);
    if (e == ERR_OK)
        e = sort_in(r);
    if (e == ERR_OK)
        take_out_voided(r);
    else
        inbox_received_forget(r); /* half of it would be wrong */
    return e;
}

/* Telling. */

struct telling {
    struct inbox_received *received;
    const struct place *place;
    inbox_received_fn *each;
    void *ctx;
    bool is_told;
};

static bool stands_in_inbox(const struct inbox *inbox, const char *name)
{
    struct stat st;

    return fstatat(inbox->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* Only the very record: the journal may have been cut back since, and written on. */
static enum err tell_entry(void *ctx, const struct journal_entry *entry)
{
    struct telling *t = ctx;
    const struct journal_file *file = &entry->record.file;
    const struct inbox_received_place at = {file->committed_us, file->transfer_id};
    bool is_reported;

    if (entry->record.kind != JOURNAL_RECORD_FILE || compare_files(&at, &t->place->at) != 0)
        return ERR_OK;
    is_reported =
        journal_ledger_find(&t->received->ledger, at.transfer_id, t->place->offset) == NULL;
    t->each(t->ctx, file, is_reported, stands_in_inbox(t->received->inbox, file->name));
    t->is_told = true;
    return ERR_OK;
}

static enum err tell(struct inbox_received *r, const struct place *place, inbox_received_fn *each,
                     void *ctx)
{
    struct telling t = {.received = r, .place = place, .each = each, .ctx = ctx};
    enum err e = journal_reader_each(r->fd, place->offset, place->offset + place->length,
                                     tell_entry, &t, NULL);

    return e == ERR_OK && !t.is_told ? ERR_CORRUPT : e;
}

/* How many stand before `at`. */
static size_t count_before(const struct inbox_received *r, struct inbox_received_place at)
{
    size_t low = 0, high = r->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_files(&r->places[middle].at, &at) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct inbox_received *r, size_t index,
                  const struct inbox_received_place *at)
{
    return index < r->count && compare_files(&r->places[index].at, at) == 0;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

struct range {
    size_t from, to;
};

static struct range find_range(const struct inbox_received *r, const struct inbox_received_query *q)
{
    size_t oldest = count_before(r, (struct inbox_received_place){q->since_us, 0});
    size_t at = count_before(r, q->place);
    struct range range = {oldest, r->count};

    if (q->from == INBOX_RECEIVED_FROM_START)
        range.from = q->offset < r->count - oldest ? oldest + q->offset : r->count;
    else if (q->from == INBOX_RECEIVED_AFTER)
        range.from = larger(oldest, at + is_at(r, at, &q->place));
    else if (q->from == INBOX_RECEIVED_BEFORE)
        range.to = larger(oldest, at);
    if (range.to - range.from <= q->limit)
        return range;
    if (q->from == INBOX_RECEIVED_BEFORE || q->from == INBOX_RECEIVED_NEWEST)
        range.from = range.to - q->limit;
    else
        range.to = range.from + q->limit;
    return range;
}

enum err inbox_received_each(struct inbox_received *received,
                             const struct inbox_received_query *query, inbox_received_fn *each,
                             void *ctx)
{
    enum err e = refresh(received);
    struct range range = {0, 0};

    if (e == ERR_OK)
        range = find_range(received, query);
    for (size_t i = range.from; i < range.to && e == ERR_OK; i++)
        e = tell(received, &received->places[i], each, ctx);
    if (e != ERR_OK)
        inbox_received_forget(received);
    return e;
}

void inbox_received_forget(struct inbox_received *received)
{
    journal_ledger_fini(&received->ledger);
    if (received->fd >= 0)
        close(received->fd);
    free(received->places);
    *received = (struct inbox_received){
        .inbox = received->inbox, .is_stopping = received->is_stopping, .fd = -1};
}

void inbox_received_close(struct inbox_received **received)
{
    if (*received == NULL)
        return;
    inbox_received_forget(*received);
    free(*received);
    *received = NULL;
}
