#include "store/inbox/partial_file.h"

#include "base/metrics.h"
#include "store/inbox/access.h"
#include "store/inbox/place.h"
#include "store/inbox/space.h"
#include "store/inbox/state.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int inbox_partial_file_folder(const struct inbox *in, const char *name)
{
    return store_name_is_in_partial2(name) ? in->second_fd : in->partial_fd;
}

static enum err create_partial(struct inbox *inbox, struct inbox_partial_file *file)
{
    enum err e = store_name_choose(file->name);

    if (e != ERR_OK)
        return e;
    file->fd = openat(inbox_partial_file_folder(inbox, file->name), file->name,
                      O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file->fd < 0)
        return errno == ENOENT ? ERR_NO_PARTIAL : err_from_errno(errno);
    if ((e = inbox_access_apply(inbox, file->fd)) == ERR_OK)
        return ERR_OK;
    unlinkat(inbox_partial_file_folder(inbox, file->name), file->name, 0);
    close(file->fd);
    file->fd = -1;
    return e;
}

enum err inbox_partial_file_begin(struct inbox *inbox, uint64_t size_bytes,
                                  struct inbox_partial_file *out)
{
    uint64_t cost = inbox_space_cost(&inbox->space, size_bytes);
    enum err e;

    *out = (struct inbox_partial_file){
        .fd = -1, .inbox = inbox, .reserved_bytes = cost, .pending_bytes = cost};
    if ((e = inbox_place_refusal(inbox)) != ERR_OK)
        metrics_add(METRIC_FILES_NO_INBOX, 1);
    else
        e = inbox_space_reserve(&inbox->space, inbox->dir_fd, cost);
    if (e != ERR_OK)
        return e;
    if ((e = create_partial(inbox, out)) != ERR_OK) {
        enum err why = inbox_place_check_folders(inbox);

        inbox_partial_file_release(inbox, out, false);
        e = why != ERR_OK ? why : e;
        inbox_place_note_error(inbox, e);
    }
    return e;
}

void inbox_partial_file_release(struct inbox *inbox, struct inbox_partial_file *file, bool is_kept)
{
    inbox_space_release(&inbox->space, file->pending_bytes, file->reserved_bytes, is_kept);
    file->pending_bytes = file->reserved_bytes = 0;
}

/* Written bytes are no longer reserved; reported in steps, so that most writes do not touch the
 * shared counter. */
static void report_written(struct inbox_partial_file *file)
{
    uint64_t reported = file->reserved_bytes - file->pending_bytes;
    uint64_t unreported = file->written_bytes - reported;

    if (unreported < INBOX_SPACE_STEP_BYTES || unreported > file->pending_bytes)
        return;
    inbox_space_written(&file->inbox->space, unreported);
    file->pending_bytes -= unreported;
}

enum err inbox_partial_file_write(struct inbox_partial_file *file, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t count = write(file->fd, at, length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 ? err_from_errno(errno) : ERR_IO;
        at += count;
        length -= (size_t)count;
        file->written_bytes += (uint64_t)count;
    }
    report_written(file);
    return ERR_OK;
}

void inbox_partial_file_close(struct inbox_partial_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}
