#include "store/outbox/spool.h"

#include "base/log.h"
#include "base/text.h"
#include "store/directory.h"
#include "store/inbox/place.h"
#include "store/inbox/state.h"
#include "store/outbox/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <uthash.h>

static const char spool_name[] = "spool";

enum { FOLDER_SIZE = 24 }; /* a file's id in decimal, with NUL */

struct spooled {
    UT_hash_handle hh;
    uint64_t id;
    uid_t owner;
    uint64_t size_bytes, written_bytes;
    uint64_t used_ms;
    int fd; /* -1: complete, or taken */
    bool is_taken;
    char name[NAME_MAX + 1];
};

struct outbox_spool {
    struct inbox *inbox;
    int dir_fd; /* one of the outbox's roots has this descriptor */
    char path[OUTBOX_SPOOL_PATH_SIZE];
    uint64_t limit_bytes, bytes;
    uint64_t last_id;
    struct spooled *files;
};

static const char *folder_of(char out[FOLDER_SIZE], uint64_t id)
{
    snprintf(out, FOLDER_SIZE, "%" PRIu64, id);
    return out;
}

/* Removing. */

static enum err remove_file(void *ctx, int dir_fd, const char *name)
{
    (void)ctx;
    unlinkat(dir_fd, name, 0);
    return ERR_OK;
}

static enum err remove_folder(void *ctx, int dir_fd, const char *name)
{
    (void)ctx;
    store_directory_each(dir_fd, name, remove_file, NULL);
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        log_warning("spool: a file's folder cannot be removed: %s; retried at the next start",
                    strerror(errno));
    return ERR_OK;
}

static void drop(struct outbox_spool *spool, struct spooled *file)
{
    char folder[FOLDER_SIZE];

    if (file->fd >= 0)
        close(file->fd);
    remove_folder(NULL, spool->dir_fd, folder_of(folder, file->id));
    spool->bytes -= file->size_bytes;
    /* An element in the table cannot make uthash's head NULL or a dangling pointer. */
    HASH_DEL(spool->files, file); /* NOLINT(clang-analyzer-*) */
    free(file);
}

/* Opening. */

static enum err open_folder(struct outbox_spool *spool, const struct inbox *inbox)
{
    spool->dir_fd = store_directory_ensure(inbox->partial_fd, spool_name);
    if (spool->dir_fd < 0)
        return err_from_errno(errno);
    return text_format(spool->path, sizeof spool->path, "%s/" INBOX_FOLDER "/%s",
                       strcmp(inbox->path, "/") == 0 ? "" : inbox->path, spool_name);
}

/* Recreates the folder if it was removed, because files are sent by path. The new folder gets the
 * same descriptor number; files in the old one fail when they are sent. */
static enum err recreate_missing_folder(struct outbox_spool *spool)
{
    int partial_fd = spool->inbox->partial_fd;
    enum err e = inbox_place_check_folders(spool->inbox);

    if (e != ERR_OK || store_directory_is_same(partial_fd, spool_name, spool->dir_fd))
        return e;
    e = err_from_errno(store_directory_recreate(partial_fd, spool_name, spool->dir_fd));
    if (e == ERR_OK)
        log_warning("spool: its folder %s was removed; recreated", spool->path);
    return e;
}

enum err outbox_spool_open(struct outbox_spool **out, struct inbox *inbox, uint64_t limit_bytes)
{
    struct outbox_spool *spool = calloc(1, sizeof *spool);
    enum err e;

    if (spool == NULL)
        return ERR_NO_MEMORY;
    *spool = (struct outbox_spool){.inbox = inbox, .dir_fd = -1, .limit_bytes = limit_bytes};
    if ((e = open_folder(spool, inbox)) != ERR_OK) {
        outbox_spool_close(&spool);
        return e;
    }
    store_directory_each(spool->dir_fd, ".", remove_folder, NULL);
    outbox_add_root(spool->path, spool->dir_fd);
    *out = spool;
    return ERR_OK;
}

void outbox_spool_close(struct outbox_spool **spool)
{
    struct spooled *file, *next;

    if (*spool == NULL)
        return;
    HASH_ITER (hh, (*spool)->files, file, next)
        drop(*spool, file);
    if ((*spool)->dir_fd >= 0)
        close((*spool)->dir_fd);
    free(*spool);
    *spool = NULL;
}

/* Uploading. */

static bool is_file_name(const char *name)
{
    return name[0] != '\0' && strlen(name) <= NAME_MAX && strchr(name, '/') == NULL &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static enum err check_room(const struct outbox_spool *spool, uint64_t size_bytes)
{
    struct statvfs disk;

    if (spool->limit_bytes == 0)
        return ERR_DISABLED;
    if (size_bytes > spool->limit_bytes || size_bytes > OUTBOX_SIZE_MAX)
        return ERR_TOO_LARGE;
    if (size_bytes > spool->limit_bytes - spool->bytes ||
        HASH_COUNT(spool->files) >= OUTBOX_SPOOL_FILES_MAX)
        return ERR_FULL;
    if (fstatvfs(spool->dir_fd, &disk) != 0)
        return err_from_errno(errno);
    return (uint64_t)disk.f_bavail * disk.f_frsize < size_bytes + OUTBOX_SPOOL_MIN_FREE_BYTES
               ? ERR_NO_SPACE
               : ERR_OK;
}

/* A file system that cannot preallocate allocates blocks as they are written. */
static enum err reserve(int fd, uint64_t size_bytes)
{
    if (size_bytes == 0 || fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size_bytes) == 0 ||
        errno == EOPNOTSUPP)
        return ERR_OK;
    return err_from_errno(errno);
}

static enum err make_file(struct outbox_spool *spool, struct spooled *file)
{
    char folder[FOLDER_SIZE];
    enum err e = ERR_OK;
    int fd;

    if (mkdirat(spool->dir_fd, folder_of(folder, file->id), 0700) != 0)
        return err_from_errno(errno);
    fd = openat(spool->dir_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    file->fd = openat(fd, file->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file->fd < 0)
        e = err_from_errno(errno);
    close(fd);
    return e == ERR_OK ? reserve(file->fd, file->size_bytes) : e;
}

enum err outbox_spool_begin(struct outbox_spool *spool, const char *name, uint64_t size_bytes,
                            uid_t owner, uint64_t now_ms, uint64_t *id)
{
    struct spooled *file;
    enum err e = is_file_name(name) ? check_room(spool, size_bytes) : ERR_INVALID;

    if (e != ERR_OK || (e = recreate_missing_folder(spool)) != ERR_OK)
        return e;
    if ((file = calloc(1, sizeof *file)) == NULL)
        return ERR_NO_MEMORY;
    file->id = ++spool->last_id;
    file->owner = owner;
    file->size_bytes = size_bytes;
    file->used_ms = now_ms;
    file->fd = -1;
    snprintf(file->name, sizeof file->name, "%s", name);
    HASH_ADD(hh, spool->files, id, sizeof file->id, file);
    if (file->hh.tbl == NULL) {
        free(file);
        return ERR_NO_MEMORY;
    }
    spool->bytes += size_bytes;
    *id = file->id;
    if ((e = make_file(spool, file)) != ERR_OK)
        drop(spool, file);
    return e;
}

static struct spooled *find(const struct outbox_spool *spool, uint64_t id, uid_t owner)
{
    struct spooled *file;

    HASH_FIND(hh, spool->files, &id, sizeof id, file);
    return file != NULL && file->owner == owner && !file->is_taken ? file : NULL;
}

enum err outbox_spool_write(struct outbox_spool *spool, uint64_t id, uid_t owner, const void *bytes,
                            size_t length, uint64_t now_ms)
{
    struct spooled *file = find(spool, id, owner);
    const char *at = bytes;

    if (file == NULL)
        return ERR_NOT_FOUND;
    if (length > file->size_bytes - file->written_bytes)
        return ERR_TOO_LARGE;
    file->used_ms = now_ms;
    while (length > 0) {
        ssize_t count = write(file->fd, at, length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            enum err e = count < 0 ? err_from_errno(errno) : ERR_IO;

            drop(spool, file);
            return e;
        }
        at += count;
        length -= (size_t)count;
        file->written_bytes += (uint64_t)count;
    }
    return ERR_OK;
}

enum err outbox_spool_take(struct outbox_spool *spool, uint64_t id, uid_t owner,
                           char path[OUTBOX_SPOOL_PATH_SIZE])
{
    struct spooled *file = find(spool, id, owner);
    enum err e;

    if (file == NULL)
        return ERR_NOT_FOUND;
    if (file->written_bytes < file->size_bytes)
        return ERR_SHRUNK;
    e = text_format(path, OUTBOX_SPOOL_PATH_SIZE, "%s/%" PRIu64 "/%s", spool->path, id, file->name);
    if (e != ERR_OK)
        return e;
    close(file->fd);
    file->fd = -1;
    file->is_taken = true;
    return ERR_OK;
}

void outbox_spool_release(struct outbox_spool *spool, uint64_t id)
{
    struct spooled *file;

    HASH_FIND(hh, spool->files, &id, sizeof id, file);
    if (file != NULL)
        drop(spool, file);
}

void outbox_spool_expire(struct outbox_spool *spool, uint64_t now_ms)
{
    struct spooled *file, *next;

    HASH_ITER (hh, spool->files, file, next) {
        if (file->is_taken || now_ms - file->used_ms < OUTBOX_SPOOL_IDLE_MS)
            continue;
        log_info("spool: file %" PRIu64 " was not sent within %d s; removed", file->id,
                 OUTBOX_SPOOL_IDLE_MS / 1000);
        drop(spool, file);
    }
}

uint64_t outbox_spool_bytes(const struct outbox_spool *spool)
{
    return spool->bytes;
}
