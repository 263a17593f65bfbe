#include "store/inbox.h"

#include "store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Reading the journal and its parts beside their writers. A descriptor of its own keeps the file
 * that it began with though a rewrite puts another in its place, and a record half written is a
 * last line without an end, which the reader does not give.
 *
 * The parts are opened before the journal: one that is absorbed meanwhile is in the journal then,
 * and what was read in both is told once, as the journal says it. What became of a file stands
 * behind its record, so each file is read twice; the places of the records, 40 bytes each, are put
 * in order of time, and only those asked for are read again. */

struct source {
    int fd;
    struct ledger ledger;
    uint64_t end;
};

struct place {
    int64_t committed_us;
    uint64_t offset;
    uint32_t transfer_id, length, source;
    bool is_reported;
};

struct listing {
    int partial_fd;
    int64_t since_us;
    struct source *sources; /* the first is the journal itself */
    size_t source_count;
    struct place *places;
    size_t count, room;
};

static enum err add_source(struct listing *l, int fd)
{
    struct source *grown = realloc(l->sources, (l->source_count + 1) * sizeof *grown);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    l->sources = grown;
    l->sources[l->source_count++] = (struct source){.fd = fd};
    return ERR_OK;
}

static enum err open_source(struct listing *l, const char *name, int *fd)
{
    *fd = openat(l->partial_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    return *fd < 0 ? err_from_errno(errno) : ERR_OK;
}

static enum err open_part(void *ctx, const char *name)
{
    struct listing *l = ctx;
    int fd;
    enum err e = open_source(l, name, &fd);

    if (e != ERR_OK)
        return e == ERR_NOT_FOUND ? ERR_OK : e; /* absorbed */
    if ((e = add_source(l, fd)) != ERR_OK)
        close(fd);
    return e;
}

static enum err open_sources(struct listing *l)
{
    enum err e = add_source(l, -1);

    if (e == ERR_OK)
        e = part_each(l->partial_fd, open_part, l);
    return e == ERR_OK ? open_source(l, "journal", &l->sources[0].fd) : e;
}

static enum err add_place(struct listing *l, const struct place *place)
{
    if (l->count == l->room) {
        size_t room = l->room == 0 ? 256 : 2 * l->room;
        struct place *grown = realloc(l->places, room * sizeof *grown);

        if (grown == NULL)
            return ERR_NO_MEMORY;
        l->places = grown;
        l->room = room;
    }
    l->places[l->count++] = *place;
    return ERR_OK;
}

struct place_search {
    struct listing *listing;
    uint32_t source;
};

static enum err add_file(void *ctx, const struct journal_entry *entry)
{
    const struct place_search *search = ctx;
    struct listing *l = search->listing;
    const struct ledger *ledger = &l->sources[search->source].ledger;
    const struct inbox_record *file = &entry->record.file;
    struct place place = {.committed_us = file->committed_us,
                          .offset = entry->offset,
                          .transfer_id = file->transfer_id,
                          .length = entry->length,
                          .source = search->source};

    if (entry->record.kind != RECORD_FILE || file->committed_us < l->since_us ||
        ledger_is_voided(ledger, place.offset))
        return ERR_OK;
    place.is_reported = ledger_find(ledger, place.transfer_id, place.offset) == NULL;
    return add_place(l, &place);
}

static enum err find_places(struct listing *l, uint32_t index)
{
    struct source *s = &l->sources[index];
    struct place_search search = {l, index};
    enum err e = ledger_read(&s->ledger, s->fd, 0, UINT64_MAX, &s->end);

    return e == ERR_OK ? journal_reader_each(s->fd, 0, s->end, add_file, &search, NULL) : e;
}

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_files(const struct place *a, const struct place *b)
{
    int by_time = COMPARE(a->committed_us, b->committed_us);

    return by_time != 0 ? by_time : COMPARE(a->transfer_id, b->transfer_id);
}

/* The same file twice: in the journal and in a part that it has absorbed, or twice in the journal
 * after a crash on the way from one to the other. The journal is right, and its last record. */
static int compare(const void *one, const void *other)
{
    const struct place *a = one, *b = other;
    int by_file = compare_files(a, b);

    if (by_file != 0)
        return by_file;
    return a->source != b->source ? COMPARE(a->source, b->source) : COMPARE(b->offset, a->offset);
}

static void drop_doubles(struct listing *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->count; i++)
        if (kept == 0 || compare_files(&l->places[kept - 1], &l->places[i]) != 0)
            l->places[kept++] = l->places[i];
    l->count = kept;
}

struct telling {
    const struct place *place;
    inbox_received_fn *each;
    void *ctx;
    bool is_told;
};

/* Only the line at that very place: a part may have been cut back since, and written on. */
static enum err tell_entry(void *ctx, const struct journal_entry *entry)
{
    struct telling *telling = ctx;

    if (entry->record.kind != RECORD_FILE || entry->offset != telling->place->offset)
        return ERR_OK;
    telling->each(telling->ctx, &entry->record.file, telling->place->is_reported);
    telling->is_told = true;
    return ERR_OK;
}

static enum err tell(const struct listing *l, const struct place *place, inbox_received_fn *each,
                     void *ctx)
{
    struct telling telling = {.place = place, .each = each, .ctx = ctx};
    enum err e = journal_reader_each(l->sources[place->source].fd, place->offset,
                                     place->offset + place->length, tell_entry, &telling, NULL);

    return e == ERR_OK && !telling.is_told ? ERR_IO : e;
}

static void listing_fini(struct listing *l)
{
    for (size_t i = 0; i < l->source_count; i++) {
        ledger_fini(&l->sources[i].ledger);
        if (l->sources[i].fd >= 0)
            close(l->sources[i].fd);
    }
    free(l->sources);
    free(l->places);
}

enum err inbox_each_received(struct inbox *inbox, int64_t since_us, size_t offset, size_t limit,
                             inbox_received_fn *each, void *ctx)
{
    struct listing l = {.partial_fd = inbox->partial_fd, .since_us = since_us};
    enum err e = open_sources(&l);

    for (uint32_t i = 0; i < l.source_count && e == ERR_OK; i++)
        e = find_places(&l, i);
    if (e == ERR_OK && l.count > 0) {
        qsort(l.places, l.count, sizeof *l.places, compare);
        drop_doubles(&l);
    }
    for (size_t i = offset; i < l.count && i - offset < limit && e == ERR_OK; i++)
        e = tell(&l, &l.places[i], each, ctx);
    listing_fini(&l);
    return e;
}
