#include "store/inbox/inbox.h"

#include "base/contract.h"
#include "base/log.h"
#include "base/text.h"
#include "store/directory.h"
#include "store/inbox/lock.h"
#include "store/inbox/place.h"
#include "store/inbox/recover.h"
#include "store/inbox/space.h"
#include "store/inbox/state.h"
#include "store/inbox/upgrade.h"
#include "store/journal/journal.h"
#include "store/journal/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Below the inbox everything is opened relative to directory descriptors and without following
 * links: the path is resolved once, at open, and later changes to it cannot redirect a file. */

static const char partial_name[] = INBOX_FOLDER, second_name[] = INBOX_SECOND;

/* Receives an error message. */
struct problem {
    char *to;
    size_t room;
    const char *path;
};

static void explain(const struct problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void explain(const struct problem *problem, const char *format, ...)
{
    char sentence[512];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (problem->room > 0)
        snprintf(problem->to, problem->room, "inbox %s: %s", problem->path, sentence);
}

/* Advice for an error. Never suggests removing existing files for an unrelated error. */
static const char *advice(int error_number, const char *usual)
{
    return err_advice(err_from_errno(error_number), usual);
}

/* --- opening -----------------------------------------------------------------------------------
 */

/* Sets the absolute path without links, for users and gateways. It is never opened; checks once
 * that it names the directory that is open. */
static enum err find_path(struct inbox *in, const char *path)
{
    struct stat ours, named;
    char *real = realpath(path, NULL);
    enum err e = real == NULL ? err_from_errno(errno) : text_copy(in->path, sizeof in->path, real);

    free(real);
    if (e == ERR_OK && (fstat(in->dir_fd, &ours) != 0 || stat(in->path, &named) != 0))
        e = err_from_errno(errno);
    if (e == ERR_OK && (ours.st_dev != named.st_dev || ours.st_ino != named.st_ino))
        e = ERR_DENIED;
    return e;
}

static enum err open_directory(struct inbox *in, const struct problem *problem)
{
    char why[512];
    enum err e = store_directory_open(&in->dir_fd, problem->path, why, sizeof why);

    if (e != ERR_OK) {
        explain(problem, "%s; %s", why,
                err_advice(e, "make it a directory that this user can read and write, or set "
                              "[inbox] path to another"));
        return e;
    }
    if (faccessat(in->dir_fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) != 0 && errno != EPERM) {
        /* EPERM is a system call filter's: write access is tested below */
        int error_number = errno;

        explain(problem, "files cannot be created in it: %s; %s", strerror(error_number),
                advice(error_number,
                       "make it writable for this user, or set [inbox] path to another directory"));
        return err_from_errno(error_number);
    }
    e = find_path(in, problem->path);
    if (e != ERR_OK)
        explain(problem, "its absolute path is unusable: %s; %s", err_text(e),
                err_advice(e, e == ERR_INVALID
                                  ? "set [inbox] path to a shorter one"
                                  : "give this user search permission on every folder of it, "
                                    "and do not move them during the start"));
    return e;
}

/* The folder holds received files and the journal: never suggest removing it. */
static const char *folder_advice(int error_number)
{
    if (error_number == ENOTDIR || error_number == ELOOP)
        return "move away the file of that name, which is not a folder";
    return advice(error_number, "make this user its owner, with read, write and search permission");
}

static enum err open_partial(struct inbox *in, const struct problem *problem)
{
    struct stat status;
    const char *name = partial_name;
    int error_number;

    in->partial_fd = store_directory_ensure(in->dir_fd, partial_name);
    if (in->partial_fd < 0 || fstat(in->partial_fd, &status) != 0)
        goto fail;
    errno = EPERM; /* its owner could exchange its content */
    if (status.st_uid != geteuid() || fchmod(in->partial_fd, 0700) != 0)
        goto fail;
    name = INBOX_FOLDER "/" INBOX_SECOND;
    in->second_fd = store_directory_ensure(in->partial_fd, second_name);
    if (in->second_fd >= 0)
        return ERR_OK;
fail:
    error_number = errno;
    explain(problem, "its folder %s for partial files and the journal is unusable: %s; %s", name,
            strerror(error_number), folder_advice(error_number));
    return err_from_errno(error_number);
}

/* Names the process that holds the lock, if known. */
static void explain_holder(int fd, const struct problem *problem)
{
    char pid[24] = "";
    ssize_t length = pread(fd, pid, sizeof pid - 1, 0);

    pid[length > 0 ? strcspn(pid, "\n") : 0] = '\0';
    explain(
        problem,
        "another dustwired%s%s uses this inbox; stop it, or give each daemon its own [inbox] path",
        pid[0] == '\0' ? "" : ", process ", pid);
}

static enum err lock(struct inbox *in, const struct problem *problem)
{
    int error_number;

    if (inbox_lock_take(in->partial_fd, &in->lock_fd) == 0)
        return ERR_OK;
    error_number = errno;
    if (in->lock_fd >= 0 && (error_number == EAGAIN || error_number == EACCES)) {
        explain_holder(in->lock_fd, problem);
        return ERR_BUSY;
    }
    explain(problem, "its lock file %s/%s cannot be locked: %s; %s", partial_name, INBOX_LOCK,
            strerror(error_number), advice(error_number, "make it writable for this user"));
    return err_from_errno(error_number);
}

/* Every commit needs RENAME_NOREPLACE: fail at start rather than for each file. */
static enum err try_rename(struct inbox *in, const struct problem *problem)
{
    static const char from[] = "try-rename", to[] = "try-renamed";
    int fd = openat(in->partial_fd, from, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int error_number = fd < 0 ? errno : 0;

    unlinkat(in->partial_fd, to, 0);
    if (fd >= 0 && renameat2(in->partial_fd, from, in->partial_fd, to, RENAME_NOREPLACE) != 0)
        error_number = errno;
    if (fd >= 0)
        close(fd);
    unlinkat(in->partial_fd, from, 0);
    unlinkat(in->partial_fd, to, 0);
    if (error_number != 0)
        explain(problem,
                "files in it cannot be created and renamed without replacing others: %s; %s",
                strerror(error_number),
                advice(error_number, "set [inbox] path to a file system that supports this "
                                     "(ext4, xfs, btrfs, tmpfs)"));
    return err_from_errno(error_number);
}

static enum err upgrade(struct inbox *in, const struct problem *problem)
{
    char blocked[STORE_NAME_SIZE];
    enum err e = inbox_upgrade(in, blocked);

    if (e == ERR_CORRUPT)
        return e;
    if (e == ERR_NOT_REGULAR)
        explain(problem, "its redo log %s/redo is not a regular file; remove it", partial_name);
    else if (blocked[0] != '\0')
        explain(problem, "%s, from the redo log %s/redo of release 0.1, cannot be written: %s; %s",
                blocked, partial_name, err_text(e), err_advice(e, "move away what has that name"));
    else if (e != ERR_OK)
        explain(
            problem,
            "files of release 0.1 in %s (redo, journal-*) cannot be upgraded: %s; %s (if they are "
            "removed, received files are lost)",
            partial_name, err_text(e),
            err_advice(e, "make it readable and writable for this user"));
    return e;
}

static enum err open_journal(struct inbox *in, uint64_t limit_bytes, const struct problem *problem)
{
    enum err e = journal_open(&in->journal, in->partial_fd, in->durability, limit_bytes);

    if (e == ERR_OK && (e = upgrade(in, problem)) != ERR_OK && e != ERR_CORRUPT)
        return e;
    if (e == ERR_OK)
        e = journal_upgrade(in->journal);
    if (e == ERR_CORRUPT)
        explain(problem,
                "its journal was written by a later version of dustwired; use that version, or "
                "move %s/journal* away",
                partial_name);
    else if (e != ERR_OK)
        explain(problem, "its journal %s/journal* is unusable: %s; %s", partial_name, err_text(e),
                err_advice(e, "make it readable and writable for this user"));
    if (e != ERR_OK)
        return e;
    if ((e = journal_rewrite_if_needed(in->journal)) == ERR_OK)
        e = inbox_recover(in);
    if (e != ERR_OK)
        explain(problem, "leftovers of the previous run in %s cannot be cleaned up: %s; %s",
                partial_name, err_text(e),
                err_advice(e, "make it readable and writable for this user, and check the disk"));
    return e;
}

enum err inbox_open(struct inbox **out, const char *path, enum durability durability,
                    uint64_t journal_limit_bytes, char *problem_text, size_t problem_room)
{
    struct problem problem = {.to = problem_text, .room = problem_room, .path = path};
    struct inbox *in = calloc(1, sizeof *in);
    enum err e = ERR_NO_MEMORY;

    *out = NULL;
    if (in == NULL) {
        explain(&problem, "%s", err_text(e));
        return e;
    }
    in->durability = durability;
    in->mode = 0600;
    in->dir_fd = in->partial_fd = in->second_fd = in->lock_fd = -1;
    if (path[0] == '\0' || strlen(path) >= SETTINGS_TEXT_SIZE) {
        e = ERR_INVALID;
        explain(&problem, "the path is empty or too long; set [inbox] path");
        goto fail;
    }
    if ((e = open_directory(in, &problem)) != ERR_OK ||
        (e = open_partial(in, &problem)) != ERR_OK || (e = lock(in, &problem)) != ERR_OK ||
        (e = try_rename(in, &problem)) != ERR_OK ||
        (e = open_journal(in, journal_limit_bytes, &problem)) != ERR_OK)
        goto fail;
    inbox_space_open(&in->space, in->dir_fd);
    inbox_place_open(in);
    *out = in;
    return ERR_OK;
fail:
    inbox_close(&in);
    return e;
}

void inbox_close(struct inbox **inbox)
{
    struct inbox *in = *inbox;

    if (in == NULL)
        return;
    journal_close(&in->journal);
    if (in->lock_fd >= 0)
        close(in->lock_fd);
    if (in->second_fd >= 0)
        close(in->second_fd);
    if (in->partial_fd >= 0)
        close(in->partial_fd);
    if (in->dir_fd >= 0)
        close(in->dir_fd);
    free(in);
    *inbox = NULL;
}

const struct inbox_recovery *inbox_recovery(const struct inbox *inbox)
{
    return &inbox->recovery;
}

/* --- before the threads start ------------------------------------------------------------------
 */

struct unreported_callback {
    inbox_unreported_fn *each;
    void *ctx;
};

static enum err report_unreported(void *ctx, const struct journal_file *record,
                                  struct journal_ledger_unreported *unreported)
{
    const struct unreported_callback *callback = ctx;

    callback->each(callback->ctx, record, !unreported->is_void);
    return ERR_OK;
}

void inbox_each_unreported(struct inbox *inbox, inbox_unreported_fn *each, void *ctx)
{
    struct unreported_callback callback = {each, ctx};
    enum err e = journal_each_unreported(inbox->journal, report_unreported, &callback);

    if (e != ERR_OK)
        log_error("inbox %s: its journal cannot be read: %s; some results stay unreported until "
                  "the next start",
                  inbox->path, err_text(e));
}

enum err inbox_first_ids(struct inbox *inbox, struct transfer_ids *out)
{
    enum err e;

    if ((e = journal_reserve_ids(inbox->journal, out)) == ERR_OK &&
        (e = journal_write(inbox->journal)) == ERR_OK)
        e = journal_sync(inbox->journal);
    if (e == ERR_OK)
        return e;
    *out = (struct transfer_ids){0};
    log_error("inbox %s: transfer ids cannot be reserved in its journal %s/journal: %s; %s",
              inbox->path, partial_name, err_text(e),
              err_advice(e, "make it readable and writable for this user"));
    return e;
}

/* --- at run time -------------------------------------------------------------------------------
 */

void inbox_set_limits(struct inbox *inbox, const struct settings *settings)
{
    inbox_space_set_limits(&inbox->space, inbox->dir_fd,
                           &(struct inbox_space_limits){
                               .quota_bytes = (uint64_t)settings->inbox.quota_mib << 20,
                               .files = settings->inbox.files_limit,
                               .min_free_bytes = (uint64_t)settings->inbox.min_free_mib << 20});
}

struct inbox_usage inbox_usage(const struct inbox *inbox)
{
    const struct inbox_space *s = &inbox->space;
    uint64_t quota_bytes = atomic_load(&s->quota_bytes);

    return (struct inbox_usage){.bytes = quota_bytes == 0 ? 0 : atomic_load(&s->used_bytes),
                                .quota_bytes = quota_bytes,
                                .files = atomic_load(&s->used_files),
                                .files_limit = atomic_load(&s->files_limit)};
}

void inbox_final_path(const struct inbox *inbox, const char *name, char out[INBOX_PATH_SIZE])
{
    bool is_root = strcmp(inbox->path, "/") == 0;

    enum err e = text_format(out, INBOX_PATH_SIZE, "%s/%s", is_root ? "" : inbox->path, name);
    CONTRACT(e == ERR_OK);
}
