/* Reads the files: the operator's, then the persisted one over it. The lines that reader.c found
 * valid are parsed by iniparser from a memory file; only its strings are used. */
#include "settings/settings.h"

#include "settings/deprecated.h"
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

/* access(2) checks the file's permissions only; a file that passes it but cannot be opened was
 * denied by Landlock. */
static const char *why_denied(const struct settings_reader *r)
{
    char end[PATH_MAX];

    if (path_follow(end, sizeof end, r->path) == ERR_DENIED)
        return "symbolic link loop; give the path of a file";
    if (access(r->path, R_OK) == 0)
        return "it is not in the directory that was allowed (Landlock) at the daemon's start: "
               "restart the daemon, or set [node] confined = false";
    return r->is_persisted ? "run this as the daemon's user"
                           : "give the daemon's user read permission";
}

static enum err report_unreadable(struct settings_reader *r, enum err e)
{
    switch (e) {
    case ERR_NOT_FOUND:
        settings_reader_add_problem(r, 0, "no such file: check the path given with --config");
        break;
    case ERR_DENIED:
        settings_reader_add_problem(r, 0, "permission denied: %s", why_denied(r));
        break;
    case ERR_AGAIN:
        settings_reader_add_problem(r, 0, "file changed while it was read: try again");
        return ERR_INVALID;
    case ERR_NOT_REGULAR:
        settings_reader_add_problem(r, 0, "not a regular file: give the path of an INI file");
        break;
    case ERR_TOO_LARGE:
        settings_reader_add_problem(
            r, 0, "larger than %d KiB, too large for a settings file: check the path",
            SETTINGS_READER_FILE_SIZE_MAX / 1024);
        return ERR_INVALID;
    default:
        settings_reader_add_problem(r, 0, "cannot read: %s", err_text(e));
        break;
    }
    return e;
}

static enum err read_bytes(struct settings_reader *r, int fd)
{
    r->length = 0;
    while (r->length <= SETTINGS_READER_FILE_SIZE_MAX) {
        ssize_t count =
            read(fd, r->bytes + r->length, SETTINGS_READER_FILE_SIZE_MAX + 1 - r->length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return err_from_errno(errno);
        if (count == 0)
            break;
        r->length += (size_t)count;
    }
    memset(r->bytes + r->length, 0, SETTINGS_READER_FILE_SIZE_MAX + 2 - r->length);
    return r->length > SETTINGS_READER_FILE_SIZE_MAX ? ERR_TOO_LARGE : ERR_OK;
}

static enum err read_all(struct settings_reader *r, int fd, struct stat *st)
{
    if (fstat(fd, st) != 0)
        return err_from_errno(errno);
    if (!S_ISREG(st->st_mode))
        return ERR_NOT_REGULAR;
    if (st->st_size > SETTINGS_READER_FILE_SIZE_MAX)
        return ERR_TOO_LARGE;
    if (r->bytes == NULL && (r->bytes = calloc(1, SETTINGS_READER_FILE_SIZE_MAX + 2 +
                                                      SETTINGS_READER_CLEAN_SIZE_MAX)) == NULL)
        return ERR_NO_MEMORY;
    r->clean = r->bytes + SETTINGS_READER_FILE_SIZE_MAX + 2;
    return read_bytes(r, fd);
}

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* True if the path still names the file that was read, and the file was not modified meanwhile. */
static bool is_unchanged(const struct settings_reader *r, const struct stat *before)
{
    struct stat now;

    return stat(r->path, &now) == 0 && now.st_dev == before->st_dev &&
           now.st_ino == before->st_ino && now.st_size == before->st_size &&
           is_same_time(now.st_mtim, before->st_mtim);
}

static enum err read_once(struct settings_reader *r, bool *is_whole)
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

/* Retries until the file is stable: half of a file can be valid, with defaults for the rest. */
static enum err read_file(struct settings_reader *r)
{
    bool is_whole = false;
    enum err e = ERR_OK;

    for (unsigned i = 0; i < SETTINGS_READER_READS_MAX && e == ERR_OK && !is_whole; i++)
        e = read_once(r, &is_whole);
    return e == ERR_OK && !is_whole ? ERR_AGAIN : e;
}

/* iniparser's error callback has no context argument: hence a global and a lock. */

static pthread_mutex_t iniparser_lock = PTHREAD_MUTEX_INITIALIZER;
static struct settings_reader *iniparser_reader; /* under the lock */

static int report_iniparser_error(const char *format, ...)
{
    char text[256], escaped[SETTINGS_READER_SHOWN_SIZE * 2];
    va_list args;

    if (errno == EMFILE || errno == ENFILE) { /* fopen failed; its message names our memory file */
        settings_reader_add_problem(iniparser_reader, 0, "cannot read: %s",
                                    err_text(ERR_DESCRIPTORS));
        return 0;
    }
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_escape(escaped, sizeof escaped, text, strcspn(text, "\n"), false);
    settings_reader_add_problem(iniparser_reader, 0, "%s", escaped);
    return 0;
}

/* iniparser opens a file by its path. A memory file has one in /proc only; without /proc, or if a
 * seccomp filter denies memfd_create, a temporary file is used and unlinked after reading. */
struct scratch_file {
    int fd;
    bool is_in_folder;
    char name[PATH_MAX];
};

static bool open_in_memory(struct scratch_file *scratch)
{
    scratch->fd = memfd_create("settings", MFD_CLOEXEC);
    snprintf(scratch->name, sizeof scratch->name, "/proc/self/fd/%d", scratch->fd);
    if (scratch->fd < 0 || access(scratch->name, R_OK) == 0)
        return scratch->fd >= 0;
    close(scratch->fd);
    return false;
}

static bool open_in_folder(struct scratch_file *scratch, const char *folder)
{
    if (text_format(scratch->name, sizeof scratch->name, "%s/dustwired-XXXXXX", folder) != ERR_OK)
        return false;
    scratch->fd = mkostemp(scratch->name, O_CLOEXEC);
    scratch->is_in_folder = scratch->fd >= 0;
    return scratch->is_in_folder;
}

/* The last directory is the only one that Landlock allows in a running daemon. */
static bool open_scratch(struct scratch_file *scratch, const char *persisted)
{
    char folder[PATH_MAX];

    *scratch = (struct scratch_file){.fd = -1};
    return open_in_memory(scratch) || open_in_folder(scratch, "/tmp") ||
           open_in_folder(scratch, "/run") ||
           (persisted != NULL && persisted[0] != '\0' &&
            path_folder(folder, sizeof folder, persisted) == ERR_OK &&
            open_in_folder(scratch, folder));
}

static void close_scratch(struct scratch_file *scratch)
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

static dictionary *load_clean(struct settings_reader *r)
{
    struct scratch_file scratch;
    dictionary *values = NULL;

    if (!open_scratch(&scratch, r->persisted)) {
        settings_reader_add_problem(
            r, 0,
            "cannot parse: %s, and neither /tmp nor /run is writable: mount "
            "/proc, or let this user write there",
            errno == EMFILE || errno == ENFILE ? err_text(ERR_DESCRIPTORS)
                                               : "no memory file available");
        return NULL;
    }
    pthread_mutex_lock(&iniparser_lock);
    iniparser_reader = r;
    iniparser_set_error_callback(report_iniparser_error);
    errno = 0;
    if (write_all(scratch.fd, r->clean, r->clean_length))
        values = iniparser_load(scratch.name);
    iniparser_reader = NULL;
    pthread_mutex_unlock(&iniparser_lock);
    close_scratch(&scratch);
    if (values == NULL && r->problem_count == 0)
        settings_reader_add_problem(r, 0, "cannot parse: %s", err_text(ERR_NO_MEMORY));
    return values;
}

static void read_value(struct settings_reader *r, unsigned index, const dictionary *values)
{
    const struct settings_row *row = &settings_table[index];
    char key[128], why[SETTINGS_WHY_SIZE], text[SETTINGS_READER_SHOWN_SIZE];
    const char *value;

    snprintf(key, sizeof key, "%s:%s", row->section, row->name);
    value = iniparser_getstring(values, key, NULL);
    if (value == NULL) {
        settings_reader_add_problem(r, r->line_of[index],
                                    "cannot parse [%s] %s: write it as key = value", row->section,
                                    row->name);
        r->is_invalid[index] = true;
    } else if (settings_kind_read(row, r->out, value, why) != ERR_OK) {
        settings_reader_add_problem(r, r->line_of[index], "[%s] %s = %s: %s", row->section,
                                    row->name, settings_reader_value_shown(text, row, value), why);
        r->is_invalid[index] = true;
    }
}

static enum err read_values(struct settings_reader *r)
{
    dictionary *values = load_clean(r);

    if (values == NULL)
        return ERR_INVALID;
    for (unsigned i = 0; i < settings_table_count; i++)
        if (r->is_usable[i])
            read_value(r, i, values);
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

/* True if both values are valid or defaults, so that they can be compared; `*line` is the line of
 * the later one. */
static bool are_known(const struct settings_reader *r, size_t offset_a, size_t offset_b,
                      unsigned *line)
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

/* Paths that must not be in the inbox. */
static const struct {
    size_t offset;
    const char *name;
} reserved_paths[] = {
    {offsetof(struct settings, control.socket), "[control] socket"},
    {offsetof(struct settings, node.settings_file), "[node] settings-file"},
    {offsetof(struct settings, log.file), "[log] file"},
};

static void check_reserved_paths(struct settings_reader *r)
{
    unsigned line;

    for (size_t i = 0; i < sizeof reserved_paths / sizeof *reserved_paths; i++)
        if (are_known(r, offsetof(struct settings, inbox.path), reserved_paths[i].offset, &line) &&
            lies_in((const char *)r->out + reserved_paths[i].offset, r->out->inbox.path))
            settings_reader_add_problem(
                r, line,
                "%s is in [inbox] path, which is for received files only: choose another directory "
                "for one of them",
                reserved_paths[i].name);
}

static void check_control(struct settings_reader *r)
{
    const struct settings *s = r->out;
    struct address address;
    unsigned line;

    if (are_known(r, offsetof(struct settings, control.listen),
                  offsetof(struct settings, control.token), &line) &&
        s->control.token[0] == '\0' && settings_control_address(s, &address) &&
        !address_is_loopback(&address))
        settings_reader_add_problem(
            r, line,
            "[control] listen = %s is reachable from other machines and requires [control] token: "
            "set one, or listen on 127.0.0.1",
            s->control.listen);
}

static void check_combinations(struct settings_reader *r)
{
    check_reserved_paths(r);
    check_control(r);
}

/* Reporting */

/* Stable insertion sort: at most 100 entries, nearly sorted. */
static void sort_problems(struct settings_reader_problem *problems, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        struct settings_reader_problem moved = problems[i];
        unsigned at = i;

        for (; at > 0 && problems[at - 1].line > moved.line; at--)
            problems[at] = problems[at - 1];
        problems[at] = moved;
    }
}

static void report_problems(struct settings_reader *r)
{
    char sentence[SETTINGS_READER_PROBLEM_SIZE + SETTINGS_TEXT_SIZE + 32], file[SETTINGS_TEXT_SIZE];
    unsigned count = r->problem_count < SETTINGS_READER_PROBLEMS_MAX ? r->problem_count
                                                                     : SETTINGS_READER_PROBLEMS_MAX;

    text_escape(file, sizeof file, r->path, strlen(r->path), false);
    sort_problems(r->problems, count);
    for (unsigned i = 0; i < count; i++) {
        const struct settings_reader_problem *p = &r->problems[i];

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

/* Reads one file over `*out`; on ERR_OK `r` has the line of each key. */
static enum err read_over(struct settings_reader *r)
{
    enum err e = read_file(r);

    if (e == ERR_NOT_FOUND && r->is_persisted)
        return e; /* nothing has been set yet */
    if (e != ERR_OK) {
        e = report_unreadable(r, e);
    } else {
        settings_reader_scan(r);
        e = read_values(r);
    }
    if (e == ERR_OK && !r->is_persisted)
        check_combinations(r);
    if (e == ERR_OK && r->problem_count > 0)
        e = ERR_INVALID;
    report_problems(r);
    return e;
}

static struct settings_reader *reader_new(struct settings *out, const char *path,
                                          const char *persisted, settings_problem_fn *problem,
                                          void *ctx)
{
    struct settings_reader *r = calloc(1, sizeof *r);

    if (r != NULL)
        *r = (struct settings_reader){
            .out = out, .path = path, .persisted = persisted, .report = problem, .ctx = ctx};
    return r;
}

static void reader_free(struct settings_reader **r)
{
    free((*r)->bytes);
    free(*r);
    *r = NULL;
}

static void note_origins(const struct settings_reader *r, struct settings_origins *origins,
                         enum settings_origin from)
{
    for (unsigned i = 0; i < settings_table_count; i++)
        if (r->line_of[i] != 0)
            settings_origin_note(origins, i, (struct settings_place){from, r->line_of[i]});
    for (unsigned i = 0; i < settings_deprecated_count; i++)
        if (r->deprecated_line_of[i] != 0)
            origins->deprecated[i] =
                (struct settings_place){.from = from, .line = r->deprecated_line_of[i]};
}

/* Reads the operator's file and records its identity, to detect that the persisted file is the
 * same.
 */
static enum err load_file(struct settings *out, struct settings_origins *origins,
                          const struct settings_paths *paths, settings_problem_fn *problem,
                          void *ctx)
{
    struct settings_reader *r = reader_new(out, paths->file, paths->persisted, problem, ctx);
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

static enum err choose_persisted(struct settings *s, struct settings_origins *origins,
                                 const struct settings_paths *paths)
{
    unsigned row = row_of(offsetof(struct settings, node.settings_file));

    if (paths->is_persisted_from_command_line) {
        origins->keys[row] = (struct settings_place){.from = ORIGIN_COMMAND_LINE};
        if (text_copy(s->node.settings_file, sizeof s->node.settings_file, paths->persisted) !=
            ERR_OK)
            return ERR_TOO_LARGE;
    }
    if (paths->persisted != NULL)
        return text_copy(origins->persisted, sizeof origins->persisted, paths->persisted);
    if (s->node.settings_file[0] != '\0')
        return text_copy(origins->persisted, sizeof origins->persisted, s->node.settings_file);
    return text_format(origins->persisted, sizeof origins->persisted, "%s/.dustwire/settings.ini",
                       s->inbox.path);
}

static enum err load_persisted(struct settings *out, struct settings_origins *origins,
                               settings_problem_fn *problem, void *ctx)
{
    struct settings_reader *r =
        reader_new(out, origins->persisted, origins->persisted, problem, ctx);
    enum err e;

    if (r == NULL)
        return ERR_NO_MEMORY;
    r->is_persisted = true;
    e = read_over(r);
    if (e == ERR_OK)
        note_origins(r, origins, ORIGIN_PERSISTED);
    if (e == ERR_OK && r->device == origins->device && r->inode == origins->inode) {
        problem(ctx, "[node] settings-file is the file given with --config: 'dustwire set' would "
                     "overwrite it; choose another file");
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
    if (e == ERR_OK && (e = choose_persisted(out, origins, paths)) != ERR_OK)
        problem(ctx, "the path of the file written by 'dustwire set' is too long: set [node] "
                     "settings-file to a shorter one");
    if (e == ERR_OK && origins->persisted[0] != '\0')
        e = load_persisted(out, origins, problem, ctx);
    return e;
}
