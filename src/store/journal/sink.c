#include "store/journal/sink.h"

#include "store/journal/record.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct sink *sink_new(int fd, uint64_t size)
{
    struct sink *sink = malloc(sizeof *sink);

    if (sink == NULL)
        return NULL;
    sink->fd = fd;
    sink->size = size;
    sink->held = 0;
    return sink;
}

void sink_free(struct sink **sink)
{
    if (*sink == NULL)
        return;
    if ((*sink)->fd >= 0)
        close((*sink)->fd);
    free(*sink);
    *sink = NULL;
}

enum err sink_flush(struct sink *sink)
{
    size_t done = 0;

    while (done < sink->held) {
        ssize_t count =
            pwrite(sink->fd, sink->buffer + done, sink->held - done, (off_t)(sink->size + done));

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 ? err_from_errno(errno) : ERR_IO;
        done += (size_t)count;
    }
    sink->size += sink->held;
    sink->held = 0;
    return ERR_OK;
}

enum err sink_put(struct sink *sink, const struct record *record)
{
    enum err e;

    if (sink->held + RECORD_LINE_MAX > SINK_SIZE && (e = sink_flush(sink)) != ERR_OK)
        return e;
    sink->held += record_write(sink->buffer + sink->held, record);
    return ERR_OK;
}

enum err sink_put_number(struct sink *sink, enum record_kind kind, uint32_t number)
{
    struct record record = {.kind = kind, .number = number};

    return sink_put(sink, &record);
}

uint64_t sink_end(const struct sink *sink)
{
    return sink->size + sink->held;
}
