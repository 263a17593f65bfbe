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

/* Reads the journal concurrently with its writer. Our own descriptor keeps the same file even if a
 * rewrite replaces it by name, and an incomplete record is a last line without a line feed, which
 * the reader ignores.
 *
 * The offsets of the records are kept in order of time, and only requested records are read again.
 * A later query continues where the last one ended if the file is still the same; its inode tells,
 * which cannot be reused while our descriptor is open. */

enum { TAIL_SIZE = 256 };

struct place {
    struct inbox_received_position at;
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
    unsigned voided;      /* voided records already removed from `places` */
    uint64_t end;         /* end of the range read */
    char tail[TAIL_SIZE]; /* the last bytes before `end` */
    bool has_tail;
    struct place *places;
    size_t count, room;
    size_t sorted; /* of them, those already in order */
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

/* Index. */

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_files(const struct inbox_received_position *a,
                         const struct inbox_received_position *b)
{
    int by_time = COMPARE(a->committed_us, b->committed_us);

    return by_time != 0 ? by_time : COMPARE(a->transfer_id, b->transfer_id);
}

/* A file can have two records, after a crash while another journal was being appended: the last one
 * is valid. */
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

static void drop_duplicates(struct inbox_received *r)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->count; i++)
        if (kept == 0 || compare_files(&r->places[kept - 1].at, &r->places[i].at) != 0)
            r->places[kept++] = r->places[i];
    r->count = kept;
}

/* Merges the new entries from the end: most of them belong there. */
static enum err merge_new(struct inbox_received *r)
{
    size_t old = r->sorted, new = r->count - old, at = r->count;
    struct place *sorted_new;

    if (new == 0)
        return ERR_OK;
    if ((sorted_new = malloc(new * sizeof *sorted_new)) == NULL)
        return ERR_NO_MEMORY;
    memcpy(sorted_new, r->places + old, new * sizeof *sorted_new);
    qsort(sorted_new, new, sizeof *sorted_new, compare);
    while (new > 0)
        r->places[--at] = old > 0 && compare(&r->places[old - 1], &sorted_new[new - 1]) > 0
                              ? r->places[--old]
                              : sorted_new[--new];
    free(sorted_new);
    drop_duplicates(r);
    r->sorted = r->count;
    return ERR_OK;
}

/* Removes files that were not stored in the inbox. */
static void remove_voided(struct inbox_received *r)
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

static void start_file(struct inbox_received *r, int fd, const struct stat *st)
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

/* A failed write is truncated, and later writes can extend beyond what was read of it. */
static bool is_tail_unchanged(const struct inbox_received *r)
{
    char tail[TAIL_SIZE];

    return r->has_tail && read_tail(r, tail) && memcmp(tail, r->tail, TAIL_SIZE) == 0;
}

/* A journal that was rewritten or truncated is read from the start. */
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
    if (r->fd >= 0 && r->device == st.st_dev && r->inode == st.st_ino && is_tail_unchanged(r))
        close(fd);
    else
        start_file(r, fd, &st);
    return ERR_OK;
}

static enum err add_entry(void *ctx, const struct journal_entry *entry)
{
    struct inbox_received *r = ctx;
    const struct journal_file *file = &entry->record.file;
    enum err e = journal_ledger_apply(&r->ledger, &entry->record, entry->offset, entry->length);

    if (e == ERR_OK && atomic_load(r->is_stopping))
        e = ERR_CLOSED;
    if (e != ERR_OK || entry->record.kind != JOURNAL_RECORD_FILE)
        return e;
    return add_place(r, &(struct place){.at = {file->committed_us, file->transfer_id},
                                        .offset = entry->offset,
                                        .length = entry->length});
}

static enum err read_new(struct inbox_received *r)
{
    struct journal_extent extent;
    enum err e = journal_reader_each(r->fd, r->end, UINT64_MAX, add_entry, r, &extent);

    r->end = extent.end;
    r->has_tail = read_tail(r, r->tail);
    return e;
}

static enum err refresh(struct inbox_received *r)
{
    enum err e = open_journal(r);

    if (e == ERR_OK)
        e = read_new(r);
    if (e == ERR_OK)
        e = merge_new(r);
    if (e == ERR_OK)
        remove_voided(r);
    else
        inbox_received_forget(r); /* a partial index would be wrong */
    return e;
}

/* Visiting. */

struct visit {
    struct inbox_received *received;
    const struct place *place;
    inbox_received_fn *each;
    void *ctx;
    bool is_found;
};

static bool is_in_inbox(const struct inbox *inbox, const char *name)
{
    struct stat st;

    return fstatat(inbox->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* Only the same record: the journal can have been truncated and extended since. */
static enum err visit_entry(void *ctx, const struct journal_entry *entry)
{
    struct visit *v = ctx;
    const struct journal_file *file = &entry->record.file;
    const struct inbox_received_position at = {file->committed_us, file->transfer_id};
    bool is_reported;

    if (entry->record.kind != JOURNAL_RECORD_FILE || compare_files(&at, &v->place->at) != 0)
        return ERR_OK;
    is_reported =
        journal_ledger_find(&v->received->ledger, at.transfer_id, v->place->offset) == NULL;
    v->each(v->ctx, file, is_reported, is_in_inbox(v->received->inbox, file->name));
    v->is_found = true;
    return ERR_OK;
}

static enum err visit_place(struct inbox_received *r, const struct place *place,
                            inbox_received_fn *each, void *ctx)
{
    struct visit v = {.received = r, .place = place, .each = each, .ctx = ctx};
    enum err e = journal_reader_each(r->fd, place->offset, place->offset + place->length,
                                     visit_entry, &v, NULL);

    return e == ERR_OK && !v.is_found ? ERR_CORRUPT : e;
}

/* Number of entries before `at`. */
static size_t count_before(const struct inbox_received *r, struct inbox_received_position at)
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
                  const struct inbox_received_position *at)
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
    size_t oldest = count_before(r, (struct inbox_received_position){q->since_us, 0});
    size_t at = count_before(r, q->position);
    struct range range = {oldest, r->count};

    if (q->from == INBOX_RECEIVED_FROM_START)
        range.from = q->offset < r->count - oldest ? oldest + q->offset : r->count;
    else if (q->from == INBOX_RECEIVED_AFTER)
        range.from = larger(oldest, at + is_at(r, at, &q->position));
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
        e = visit_place(received, &received->places[i], each, ctx);
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
