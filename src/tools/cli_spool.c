/* The bytes of a file that the daemon cannot read, over the control socket. */
#include "tools/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* In base64, with its line ends, it stays well below what the daemon takes as a request. */
enum { CHUNK_BYTES = 512 << 10 };

/* Exchanges the reply for the next call's; true if that went well. */
static bool call(struct cli_client *client, const char *method, struct cli_ask *ask,
                 struct cli_reply *reply)
{
    cli_reply_fini(reply);
    *reply = cli_call(client, method, ask, true);
    return reply->end == CLI_OK;
}

static bool begin(struct cli_client *client, const char *path, off_t size, struct cli_reply *reply)
{
    const char *name = strrchr(path, '/');
    struct cli_ask ask;

    cli_ask_init(&ask);
    cli_ask_text(&ask, name == NULL ? path : name + 1);
    cli_ask_integer(&ask, size);
    return call(client, "spool_begin", &ask, reply);
}

/* -1 with the reason in errno; fewer than asked for: the file ended. */
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
    *reply = (struct cli_reply){.end = CLI_FAILED, .problem = strdup(reason)};
    return ERR_IO;
}

/* A file that grows meanwhile is sent as long as it was at the beginning. */
static enum err stream(struct cli_client *client, int fd, off_t left, int64_t id,
                       struct cli_reply *reply)
{
    char *chunk = malloc(CHUNK_BYTES);
    enum err e = chunk == NULL ? fail(reply, "out of memory") : ERR_OK;

    while (e == ERR_OK && left > 0) {
        size_t wanted = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
        ssize_t count = read_all(fd, chunk, wanted);
        struct cli_ask ask;

        if (count < (ssize_t)wanted) {
            e = fail(reply, count < 0 ? strerror(errno) : "it became shorter while it was read");
            break;
        }
        cli_ask_init(&ask);
        cli_ask_integer(&ask, id);
        cli_ask_bytes(&ask, chunk, wanted);
        if (!call(client, "spool_write", &ask, reply))
            e = ERR_GATEWAY;
        left -= count;
    }
    free(chunk);
    return e;
}

static enum err stream_from_start(struct cli_client *client, const char *path, int fd, int64_t *id,
                                  struct cli_reply *reply)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return ERR_DENIED;
    if (lseek(fd, 0, SEEK_SET) != 0 || !begin(client, path, status.st_size, reply))
        return ERR_GATEWAY;
    *id = json_integer_value(reply->answer);
    return stream(client, fd, status.st_size, *id, reply);
}

/* Bytes that went out before we were stopped may be forgotten meanwhile: then all once more. */
enum err cli_spool(struct cli_client *client, const char *path, int64_t *id,
                   struct cli_reply *reply)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum err e = ERR_DENIED;

    if (fd < 0 && errno != EACCES && errno != EPERM && errno != ENOENT)
        return fail(reply, strerror(errno));
    if (fd < 0)
        return e;
    e = stream_from_start(client, path, fd, id, reply);
    if (e == ERR_GATEWAY && reply->was_paused)
        e = stream_from_start(client, path, fd, id, reply);
    close(fd);
    return e;
}
