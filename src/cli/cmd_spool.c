/* Streams a file that the daemon cannot read over the control socket. */
#include "cli/cmd_spool.h"

#include "base/file_state.h"
#include "cli/client.h"
#include "cli/exit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* Encoded as base64 it stays well below the daemon's limit for a request. */
    CHUNK_BYTES = 512 << 10,
    /* Largest file without blocks, whose st_size may be wrong (procfs): it is read into memory
     * first. The daemon does the same with files it reads itself (OUTBOX_UNSIZED_MAX). */
    UNSIZED_MAX = 1 << 20,
};

/* The file to stream: read from `fd`, or from `bytes` if its size was not known. */
struct source {
    int fd;
    const char *path;
    struct stat state;
    off_t size;
    char *bytes; /* malloc; NULL: not in memory */
};

/* Replaces the reply by that of the next call; true on success. */
static bool call(struct cli_client *client, const char *method, struct cli_request *request,
                 struct cli_reply *reply)
{
    cli_reply_fini(reply);
    *reply = cli_call(client, method, request, true);
    return reply->exit_code == CLI_OK;
}

static bool begin(struct cli_client *client, const struct source *source, struct cli_reply *reply)
{
    const char *name = strrchr(source->path, '/');
    struct cli_request request;

    cli_request_init(&request);
    cli_request_text(&request, name == NULL ? source->path : name + 1);
    cli_request_integer(&request, source->size);
    return call(client, "spool_begin", &request, reply);
}

/* -1 with errno set; fewer bytes than requested: end of file. */
static ssize_t read_all(int fd, char *to, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t count = read(fd, to + done, length - done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -1;
        if (count == 0)
            break;
        done += (size_t)count;
    }
    return (ssize_t)done;
}

static enum err fail(struct cli_reply *reply, const char *reason)
{
    cli_reply_fini(reply);
    *reply = (struct cli_reply){.exit_code = CLI_FAILED, .problem = strdup(reason)};
    return ERR_IO;
}

static bool is_same(const struct source *source)
{
    struct stat now;

    return fstat(source->fd, &now) == 0 && file_state_is_same(&source->state, &now, source->path);
}

static const char changed[] =
    "changed while being read: send it again when it is no longer written to, or send a copy";

/* Reads the next bytes at offset `done`. Returns NULL, or the reason of a failure. */
static const char *next_chunk(const struct source *source, char *chunk, off_t done, size_t wanted)
{
    ssize_t count;

    if (source->bytes != NULL) {
        memcpy(chunk, source->bytes + done, wanted);
        return NULL;
    }
    count = read_all(source->fd, chunk, wanted);
    if (count < 0)
        return strerror(errno);
    if (count < (ssize_t)wanted)
        return "truncated while being read";
    return is_same(source) ? NULL : changed;
}

static enum err stream(struct cli_client *client, const struct source *source, int64_t id,
                       struct cli_reply *reply)
{
    char *chunk = malloc(CHUNK_BYTES);
    enum err e = chunk == NULL ? fail(reply, "out of memory") : ERR_OK;

    for (off_t done = 0; e == ERR_OK && done < source->size;) {
        off_t left = source->size - done;
        size_t wanted = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
        const char *problem = next_chunk(source, chunk, done, wanted);
        struct cli_request request;

        if (problem != NULL) {
            e = fail(reply, problem);
            break;
        }
        cli_request_init(&request);
        cli_request_integer(&request, id);
        cli_request_bytes(&request, chunk, wanted);
        if (!call(client, "spool_write", &request, reply))
            e = ERR_GATEWAY;
        done += (off_t)wanted;
    }
    free(chunk);
    return e;
}

/* Reads the whole file into memory; its size is the number of bytes read. */
static enum err load(struct source *source, struct cli_reply *reply)
{
    ssize_t count;

    free(source->bytes);
    if ((source->bytes = malloc(UNSIZED_MAX + 1)) == NULL)
        return fail(reply, "out of memory");
    if ((count = read_all(source->fd, source->bytes, UNSIZED_MAX + 1)) < 0)
        return fail(reply, strerror(errno));
    if (count > UNSIZED_MAX)
        return fail(reply, "size not known in advance and larger than 1 MiB: send a copy");
    source->size = count;
    return is_same(source) ? ERR_OK : fail(reply, changed);
}

/* Waits until any later change changes the file's timestamps: some milliseconds after the last
 * one. */
static void settle(const struct source *source)
{
    uint64_t left_ms;

    while ((left_ms = file_state_settles_in_ms(&source->state, file_state_clock())) > 0)
        usleep((useconds_t)left_ms * 1000);
}

static enum err spool_from_start(struct cli_client *client, struct source *source, int64_t *id,
                                 struct cli_reply *reply)
{
    bool is_sized;
    enum err e;

    if (fstat(source->fd, &source->state) != 0 || !S_ISREG(source->state.st_mode))
        return ERR_DENIED;
    if (lseek(source->fd, 0, SEEK_SET) != 0)
        return fail(reply, strerror(errno));
    settle(source);
    is_sized = source->state.st_blocks > 0 || source->state.st_size > UNSIZED_MAX;
    source->size = source->state.st_size;
    if (!is_sized && (e = load(source, reply)) != ERR_OK)
        return e;
    if (!begin(client, source, reply))
        return ERR_GATEWAY;
    *id = json_integer_value(reply->answer);
    return stream(client, source, *id, reply);
}

/* The daemon may have dropped a spool while this process was stopped: then start over once. */
enum err cli_spool(struct cli_client *client, const char *path, int64_t *id,
                   struct cli_reply *reply)
{
    struct source source = {.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    enum err e;

    if (source.fd < 0 && errno != EACCES && errno != EPERM && errno != ENOENT)
        return fail(reply, strerror(errno));
    if (source.fd < 0)
        return ERR_DENIED;
    e = spool_from_start(client, &source, id, reply);
    if (e == ERR_GATEWAY && reply->was_paused)
        e = spool_from_start(client, &source, id, reply);
    free(source.bytes);
    close(source.fd);
    return e;
}
