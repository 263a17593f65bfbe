/* Reading the files: the one that the operator writes, then the daemon's own over it. What reader.c
 * has found good in a file is read by iniparser, from a file in memory, and only its strings are
 * used. */
#include "settings/settings.h"

#include "settings/formers.h"
#include "settings/kind.h"
#include "settings/origin.h"
#include "settings/reader.h"
#include "settings/table.h"

#include "base/path.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <iniparser/iniparser.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes */

/* The rights of the file are not all: what Landlock refuses to a daemon that runs, access(2), which
 * looks at the rights alone, still finds good. */
static const char *why_denied(const struct reader *r)
{
    char end[PATH_MAX];

    if (path_follow(end, sizeof end, r->path) == ERR_DENIED)
        return "its links lead round in a circle; give the path of a file";
    if (access(r->path, R_OK) == 0)
        return "it lies in another folder than at the daemon's start, and the daemon gave up all "
               "others (Landlock): restart it, or set [node] confined = false";
    return r->is_own ? "run this as the daemon's user" : "give the daemon's user the right to";
}

static enum err cannot_read(struct reader *r, enum err e)
{
    switch (e) {
    case ERR_NOT_FOUND:
        settings_reader_complain(r, 0, "there is no such file: check the path given with --config");
        break;
    case ERR_DENIED:
        settings_reader_complain(r, 0, "it may not be read: %s", why_denied(r));
        break;
    case ERR_AGAIN:
        settings_reader_complain(r, 0, "it changes while it is read: read it when it is whole");
        return ERR_INVALID;
    case ERR_NOT_REGULAR:
        settings_reader_complain(r, 0, "it is not a regular file: give the path of an INI file");
        break;
    case ERR_TOO_LARGE:
        settings_reader_complain(
            r, 0, "it is larger than %d KiB, which no settings file is: check the path",
            FILE_SIZE_MAX / 1024);
        return ERR_INVALID;
    default:
        settings_reader_complain(r, 0, "it cannot be read: %s", err_text(e));
        break;
    }
    return e;
}

static enum err read_bytes(struct reader *r, int fd)
{
    r->length = 0;
    while (r->length <= FILE_SIZE_MAX) {
        ssize_t count = read(fd, r->bytes + r->length, FILE_SIZE_MAX + 1 - r->length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return err_from_errno(errno);
        if (count == 0)
            break;
        r->length += (size_t)count;
    }
    memset(r->bytes + r->length, 0, FILE_SIZE_MAX + 2 - r->length);
    return r->length > FILE_SIZE_MAX ? ERR_TOO_LARGE : ERR_OK;
}

static enum err read_all(struct reader *r, int fd, struct stat *st)
{
    if (fstat(fd, st) != 0)
        return err_from_errno(errno);
    if (!S_ISREG(st->st_mode))
        return ERR_NOT_REGULAR;
    if (st->st_size > FILE_SIZE_MAX)
        return ERR_TOO_LARGE;
    if (r->bytes == NULL && (r->bytes = calloc(1, FILE_SIZE_MAX + 2 + CLEAN_SIZE_MAX)) == NULL)
        return ERR_NO_MEMORY;
    r->clean = r->bytes + FILE_SIZE_MAX + 2;
    return read_bytes(r, fd);
}

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* The file that the path names now is the one that was read, and nobody wrote in it meanwhile. */
static bool is_unchanged(const struct reader *r, const struct stat *before)
{
    struct stat now;

    return stat(r->path, &now) == 0 && now.st_dev == before->st_dev &&
           now.st_ino == before->st_ino && now.st_size == before->st_size &&
           is_same_time(now.st_mtim, before->st_mtim);
}

static enum err read_once(struct reader *r, bool *is_whole)
{
    int fd = open(r->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    enum err e;

    *is_whole = true;
    if (fd < 0)
        return err_from_errno(errno);
    e = read_all(r, fd, &st);
    close(fd);
    if (e != ERR_OK)
        return e;
    r->device = st.st_dev;
    r->inode = st.st_ino;
    r->is_world_readable = (st.st_mode & S_IROTH) != 0;
    *is_whole = is_unchanged(r, &st);
    return ERR_OK;
}

/* Half of a file could be one without problems, in which half of the settings are the defaults. */
static enum err read_file(struct reader *r)
{
    bool is_whole = false;
    enum err e = ERR_OK;

    for (unsigned i = 0; i < READS_MAX && e == ERR_OK && !is_whole; i++)
        e = read_once(r, &is_whole);
    return e == ERR_OK && !is_whole ? ERR_AGAIN : e;
}

/* iniparser: its error callback and its load know no context, hence these, one reading at a time.
 */

static pthread_mutex_t iniparser_lock = PTHREAD_MUTEX_INITIALIZER;
static struct reader *iniparser_reader; /* under the lock */

static int iniparser_complains(const char *format, ...)
{
    char text[256], escaped[SHOWN_SIZE * 2];
    va_list args;

    if (errno == EMFILE || errno == ENFILE) { /* of its fopen: the name is one of ours */
        settings_reader_complain(iniparser_reader, 0, "it cannot be read: %s",
                                 err_text(ERR_DESCRIPTORS));
        return 0;
    }
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_escape(escaped, sizeof escaped, text, strcspn(text, "\n"), false);
    settings_reader_complain(iniparser_reader, 0, "%s", escaped);
    return 0;
}

/* iniparser opens a file by its name. That of a file in memory needs /proc; without it, or with a
 * filter that refuses memfd_create, a file in a folder has to do, and loses its name once read. */
struct scratch {
    int fd;
    bool is_in_folder;
    char name[PATH_MAX];
};

static bool open_in_memory(struct scratch *scratch)
{
    scratch->fd = memfd_create("settings", MFD_CLOEXEC);
    snprintf(scratch->name, sizeof scratch->name, "/proc/self/fd/%d", scratch->fd);
    if (scratch->fd < 0 || access(scratch->name, R_OK) == 0)
        return scratch->fd >= 0;
    close(scratch->fd);
    return false;
}

static bool open_in_folder(struct scratch *scratch, const char *folder)
{
    if (text_format(scratch->name, sizeof scratch->name, "%s/dustwired-XXXXXX", folder) != ERR_OK)
        return false;
    scratch->fd = mkostemp(scratch->name, O_CLOEXEC);
    scratch->is_in_folder = scratch->fd >= 0;
    return scratch->is_in_folder;
}

/* The last folder is the only one that Landlock leaves to a daemon that runs. */
static bool open_scratch(struct scratch *scratch, const char *own)
{
    char folder[PATH_MAX];

    *scratch = (struct scratch){.fd = -1};
    return open_in_memory(scratch) || open_in_folder(scratch, "/tmp") ||
           open_in_folder(scratch, "/run") ||
           (own != NULL && own[0] != '\0' && path_folder(folder, sizeof folder, own) == ERR_OK &&
            open_in_folder(scratch, folder));
}

static void close_scratch(struct scratch *scratch)
{
    if (scratch->is_in_folder)
        unlink(scratch->name);
    close(scratch->fd);
}

static bool write_all(int fd, const char *bytes, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t count = write(fd, bytes + done, length - done);

        if (count <= 0)
            return false;
        done += (size_t)count;
    }
    return true;
}

static dictionary *load_clean(struct reader *r)
{
    struct scratch scratch;
    dictionary *values = NULL;

    if (!open_scratch(&scratch, r->own)) {
        settings_reader_complain(r, 0,
                                 "it cannot be taken apart: %s, and neither /tmp nor /run takes a "
                                 "file: mount /proc, or let this user write there",
                                 errno == EMFILE || errno == ENFILE ? err_text(ERR_DESCRIPTORS)
                                                                    : "there is no file in memory");
        return NULL;
    }
    pthread_mutex_lock(&iniparser_lock);
    iniparser_reader = r;
    iniparser_set_error_callback(iniparser_complains);
    errno = 0;
    if (write_all(scratch.fd, r->clean, r->clean_length))
        values = iniparser_load(scratch.name);
    iniparser_reader = NULL;
    pthread_mutex_unlock(&iniparser_lock);
    close_scratch(&scratch);
    if (values == NULL && r->problem_count == 0)
        settings_reader_complain(r, 0, "it cannot be taken apart: %s", err_text(ERR_NO_MEMORY));
    return values;
}

static void take_value(struct reader *r, unsigned index, const dictionary *values)
{
    const struct settings_row *row = &settings_table[index];
    char key[128], why[SETTINGS_WHY_SIZE], text[SHOWN_SIZE];
    const char *value;

    snprintf(key, sizeof key, "%s:%s", row->section, row->name);
    value = iniparser_getstring(values, key, NULL);
    if (value == NULL) {
        settings_reader_complain(r, r->line_of[index],
                                 "[%s] %s could not be read: write it as key = value", row->section,
                                 row->name);
        r->is_invalid[index] = true;
    } else if (settings_kind_read(row, r->out, value, why) != ERR_OK) {
        settings_reader_complain(r, r->line_of[index], "[%s] %s = %s: %s", row->section, row->name,
                                 settings_reader_value_shown(text, row, value), why);
        r->is_invalid[index] = true;
    }
}

static enum err take_values(struct reader *r)
{
    dictionary *values = load_clean(r);

    if (values == NULL)
        return ERR_INVALID;
    for (unsigned i = 0; i < settings_table_count; i++)
        if (r->is_usable[i])
            take_value(r, i, values);
    iniparser_freedict(values);
    return ERR_OK;
}

/* Combinations */

static unsigned row_of(size_t offset)
{
    unsigned i = 0;

    while (settings_table[i].offset != offset)
        i++;
    return i;
}

/* True if both values were good or left out, so that comparing them says something; `*line` is
 * where the later of the two stands. */
static bool are_known(const struct reader *r, size_t offset_a, size_t offset_b, unsigned *line)
{
    unsigned a = row_of(offset_a), b = row_of(offset_b);

    *line = r->line_of[a] > r->line_of[b] ? r->line_of[a] : r->line_of[b];
    return !r->is_invalid[a] && !r->is_invalid[b];
}

static bool lies_in(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    while (length > 0 && folder[length - 1] == '/')
        length--;
    return path[0] != '\0' && strncmp(path, folder, length) == 0 &&
           (path[length] == '/' || path[length] == '\0');
}

/* Paths of ours that must not be among the received files. */
static const struct {
    size_t offset;
    const char *name;
} own_paths[] = {
    {offsetof(struct settings, control.socket), "[control] socket"},
    {offsetof(struct settings, node.settings_file), "[node] settings-file"},
    {offsetof(struct settings, log.file), "[log] file"},
};

static void check_own_paths(struct reader *r)
{
    unsigned line;

    for (size_t i = 0; i < sizeof own_paths / sizeof *own_paths; i++)
        if (are_known(r, offsetof(struct settings, inbox.path), own_paths[i].offset, &line) &&
            lies_in((const char *)r->out + own_paths[i].offset, r->out->inbox.path))
            settings_reader_complain(
                r, line,
                "%s lies in [inbox] path, where only received files do: choose "
                "another folder for one of them",
                own_paths[i].name);
}

static void check_control(struct reader *r)
{
    const struct settings *s = r->out;
    struct address address;
    unsigned line;

    if (are_known(r, offsetof(struct settings, control.listen),
                  offsetof(struct settings, control.token), &line) &&
        s->control.token[0] == '\0' && settings_control_address(s, &address) &&
        !address_is_loopback(&address))
        settings_reader_complain(
            r, line,
            "[control] listen = %s can be reached from other machines and needs "
            "[control] token: set one, or listen on 127.0.0.1",
            s->control.listen);
}

static void check_combinations(struct reader *r)
{
    check_own_paths(r);
    check_control(r);
}

/* Telling */

/* A merge would be overdoing it: at most a hundred, nearly in order. Equal lines keep their order.
 */
static void sort_problems(struct problem *problems, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        struct problem moved = problems[i];
        unsigned at = i;

        for (; at > 0 && problems[at - 1].line > moved.line; at--)
            problems[at] = problems[at - 1];
        problems[at] = moved;
    }
}

static void tell(struct reader *r)
{
    char sentence[PROBLEM_SIZE + SETTINGS_TEXT_SIZE + 32], file[SETTINGS_TEXT_SIZE];
    unsigned count = r->problem_count < PROBLEMS_MAX ? r->problem_count : PROBLEMS_MAX;

    text_escape(file, sizeof file, r->path, strlen(r->path), false);
    sort_problems(r->problems, count);
    for (unsigned i = 0; i < count; i++) {
        const struct problem *p = &r->problems[i];

        if (p->line == 0)
            snprintf(sentence, sizeof sentence, "%s: %s", file, p->text);
        else
            snprintf(sentence, sizeof sentence, "%s, line %u: %s", file, p->line, p->text);
        r->report(r->ctx, sentence);
    }
    if (r->problem_count > count) {
        snprintf(sentence, sizeof sentence, "%s: and %u more problems", file,
                 r->problem_count - count);
        r->report(r->ctx, sentence);
    }
}

/* One file over `*out`; on ERR_OK `r` says where each key stands. */
static enum err read_over(struct reader *r)
{
    enum err e = read_file(r);

    if (e == ERR_NOT_FOUND && r->is_own)
        return e; /* nothing has been set yet */
    if (e != ERR_OK) {
        e = cannot_read(r, e);
    } else {
        settings_reader_scan(r);
        e = take_values(r);
    }
    if (e == ERR_OK && !r->is_own)
        check_combinations(r);
    if (e == ERR_OK && r->problem_count > 0)
        e = ERR_INVALID;
    tell(r);
    return e;
}

static struct reader *reader_new(struct settings *out, const char *path, const char *own,
                                 settings_problem_fn *problem, void *ctx)
{
    struct reader *r = calloc(1, sizeof *r);

    if (r != NULL)
        *r = (struct reader){.out = out, .path = path, .own = own, .report = problem, .ctx = ctx};
    return r;
}

static void reader_free(struct reader **r)
{
    free((*r)->bytes);
    free(*r);
    *r = NULL;
}

enum err settings_read(struct settings *out, const char *path, settings_problem_fn *problem,
                       void *ctx)
{
    struct settings_origins origins;

    return settings_load(out, &origins, &(struct settings_paths){.file = path, .own = ""}, problem,
                         ctx);
}

static void note_origins(const struct reader *r, struct settings_origins *origins,
                         enum settings_origin from)
{
    for (unsigned i = 0; i < settings_table_count; i++)
        if (r->line_of[i] != 0)
            settings_origin_note(origins, i, (struct settings_place){from, r->line_of[i]});
    for (unsigned i = 0; i < settings_formers_count; i++)
        if (r->former_line_of[i] != 0)
            origins->formers[i] =
                (struct settings_place){.from = from, .line = r->former_line_of[i]};
}

/* The operator's file. What the reader found out about the file itself is kept for the next. */
static enum err load_file(struct settings *out, struct settings_origins *origins,
                          const struct settings_paths *paths, settings_problem_fn *problem,
                          void *ctx)
{
    struct reader *r = reader_new(out, paths->file, paths->own, problem, ctx);
    enum err e;

    if (r == NULL)
        return ERR_NO_MEMORY;
    if ((e = read_over(r)) == ERR_OK) {
        snprintf(origins->file, sizeof origins->file, "%s", paths->file);
        origins->is_file_world_readable = r->is_world_readable;
        origins->device = r->device;
        origins->inode = r->inode;
        note_origins(r, origins, ORIGIN_FILE);
    }
    reader_free(&r);
    return e;
}

static enum err choose_own(struct settings *s, struct settings_origins *origins,
                           const struct settings_paths *paths)
{
    unsigned row = row_of(offsetof(struct settings, node.settings_file));

    if (paths->is_own_from_command_line) {
        origins->keys[row] = (struct settings_place){.from = ORIGIN_COMMAND_LINE};
        if (text_copy(s->node.settings_file, sizeof s->node.settings_file, paths->own) != ERR_OK)
            return ERR_TOO_LARGE;
    }
    if (paths->own != NULL)
        return text_copy(origins->own, sizeof origins->own, paths->own);
    if (s->node.settings_file[0] != '\0')
        return text_copy(origins->own, sizeof origins->own, s->node.settings_file);
    return text_format(origins->own, sizeof origins->own, "%s/.dustwire/settings.ini",
                       s->inbox.path);
}

static enum err load_own(struct settings *out, struct settings_origins *origins,
                         settings_problem_fn *problem, void *ctx)
{
    struct reader *r = reader_new(out, origins->own, origins->own, problem, ctx);
    enum err e;

    if (r == NULL)
        return ERR_NO_MEMORY;
    r->is_own = true;
    e = read_over(r);
    if (e == ERR_OK)
        note_origins(r, origins, ORIGIN_OWN_FILE);
    if (e == ERR_OK && r->device == origins->device && r->inode == origins->inode) {
        problem(ctx, "[node] settings-file is the file given with --config itself: 'dustwire set' "
                     "would overwrite it; name another");
        e = ERR_INVALID;
    }
    reader_free(&r);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err settings_load(struct settings *out, struct settings_origins *origins,
                       const struct settings_paths *paths, settings_problem_fn *problem, void *ctx)
{
    enum err e = ERR_OK;

    settings_default(out);
    memset(origins, 0, sizeof *origins);
    if (paths->file != NULL)
        e = load_file(out, origins, paths, problem, ctx);
    if (e == ERR_OK && (e = choose_own(out, origins, paths)) != ERR_OK)
        problem(ctx, "the path of the daemon's own settings file is too long: set [node] "
                     "settings-file to a shorter one");
    if (e == ERR_OK && origins->own[0] != '\0')
        e = load_own(out, origins, problem, ctx);
    return e;
}
