#include "store/journal/sink.h"

#include "store/journal/record.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct journal_sink *journal_sink_new(int fd, uint64_t size)
{
    struct journal_sink *sink = malloc(sizeof *sink);

    if (sink == NULL)
        return NULL;
    sink->fd = fd;
    sink->version = JOURNAL_VERSION;
    sink->size = size;
    sink->buffered_bytes = 0;
    return sink;
}

void journal_sink_free(struct journal_sink **sink)
{
    if (*sink == NULL)
        return;
    if ((*sink)->fd >= 0)
        close((*sink)->fd);
    free(*sink);
    *sink = NULL;
}

enum err journal_sink_flush(struct journal_sink *sink)
{
    size_t done = 0;

    while (done < sink->buffered_bytes) {
        ssize_t count = pwrite(sink->fd, sink->buffer + done, sink->buffered_bytes - done,
                               (off_t)(sink->size + done));

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 ? err_from_errno(errno) : ERR_IO;
        done += (size_t)count;
    }
    sink->size += sink->buffered_bytes;
    sink->buffered_bytes = 0;
    return ERR_OK;
}

enum err journal_sink_put(struct journal_sink *sink, const struct journal_record *record)
{
    enum err e;

    if (sink->buffered_bytes + JOURNAL_RECORD_LINE_MAX > JOURNAL_SINK_SIZE &&
        (e = journal_sink_flush(sink)) != ERR_OK)
        return e;
    sink->buffered_bytes +=
        journal_record_write(sink->buffer + sink->buffered_bytes, record, sink->version);
    return ERR_OK;
}

enum err journal_sink_put_number(struct journal_sink *sink, enum journal_record_kind kind,
                                 uint32_t number)
{
    struct journal_record record = {.kind = kind, .number = number};

    return journal_sink_put(sink, &record);
}

uint64_t journal_sink_end_offset(const struct journal_sink *sink)
{
    return sink->size + sink->buffered_bytes;
}
