/* Reading the files: the one that the operator writes, then the daemon's own over it. What reader.c
 * has found good in a file is read by iniparser, from a file in memory, and only its strings are
 * used. */
#include "settings/settings.h"

#include "reader.h"
#include "settings_priv.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <iniparser/iniparser.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes */

static enum err cannot_read(struct reader *r, enum err e)
{
    switch (e) {
    case ERR_NOT_FOUND:
        reader_complain(r, 0, "there is no such file: check the path given with --config");
        break;
    case ERR_DENIED:
        reader_complain(r, 0, "it may not be read: %s",
                        r->is_own ? "run this as the daemon's user"
                                  : "give the daemon's user the right to");
        break;
    case ERR_NOT_REGULAR:
        reader_complain(r, 0, "it is not a regular file: give the path of an INI file");
        break;
    case ERR_TOO_LARGE:
        reader_complain(r, 0, "it is larger than %d KiB, which no settings file is: check the path",
                        FILE_SIZE_MAX / 1024);
        return ERR_INVALID;
    default:
        reader_complain(r, 0, "it cannot be read: %s", err_text(e));
        break;
    }
    return e;
}

static enum err read_all(struct reader *r, int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return err_from_errno(errno);
    if (!S_ISREG(st.st_mode))
        return ERR_NOT_REGULAR;
    if (st.st_size > FILE_SIZE_MAX)
        return ERR_TOO_LARGE;
    r->device = st.st_dev;
    r->inode = st.st_ino;
    r->is_world_readable = (st.st_mode & S_IROTH) != 0;
    r->bytes = calloc(1, FILE_SIZE_MAX + 2 + CLEAN_SIZE_MAX);
    if (r->bytes == NULL)
        return ERR_NO_MEMORY;
    r->clean = r->bytes + FILE_SIZE_MAX + 2;
    while (r->length <= FILE_SIZE_MAX) {
        ssize_t count = read(fd, r->bytes + r->length, FILE_SIZE_MAX + 1 - r->length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return err_from_errno(errno);
        if (count == 0)
            return ERR_OK;
        r->length += (size_t)count;
    }
    return ERR_TOO_LARGE;
}

static enum err read_file(struct reader *r)
{
    int fd = open(r->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    enum err e;

    if (fd < 0)
        return err_from_errno(errno);
    e = read_all(r, fd);
    close(fd);
    return e;
}

/* iniparser: its error callback and its load know no context, hence these, one reading at a time.
 */

static pthread_mutex_t iniparser_lock = PTHREAD_MUTEX_INITIALIZER;
static struct reader *iniparser_reader; /* under the lock */

static int iniparser_complains(const char *format, ...)
{
    char text[256], escaped[SHOWN_SIZE * 2];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_escape(escaped, sizeof escaped, text, strcspn(text, "\n"), false);
    reader_complain(iniparser_reader, 0, "%s", escaped);
    return 0;
}

static dictionary *load_clean(struct reader *r, int fd)
{
    char path[64];
    dictionary *values;
    size_t done = 0, length = r->clean_length;

    while (done < length) {
        ssize_t count = write(fd, r->clean + done, length - done);

        if (count <= 0)
            return NULL;
        done += (size_t)count;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    pthread_mutex_lock(&iniparser_lock);
    iniparser_reader = r;
    iniparser_set_error_callback(iniparser_complains);
    values = iniparser_load(path);
    iniparser_reader = NULL;
    pthread_mutex_unlock(&iniparser_lock);
    return values;
}

static void take_value(struct reader *r, unsigned index, const dictionary *values)
{
    const struct setting *row = &settings_rows[index];
    char key[128], why[SETTINGS_WHY_SIZE], text[SHOWN_SIZE];
    const char *value;

    snprintf(key, sizeof key, "%s:%s", row->section, row->name);
    value = iniparser_getstring(values, key, NULL);
    if (value == NULL) {
        reader_complain(r, r->line_of[index], "[%s] %s could not be read: write it as key = value",
                        row->section, row->name);
        r->is_invalid[index] = true;
    } else if (setting_read(row, r->out, value, why) != ERR_OK) {
        reader_complain(r, r->line_of[index], "[%s] %s = %s: %s", row->section, row->name,
                        reader_value_shown(text, row, value), why);
        r->is_invalid[index] = true;
    }
}

static enum err take_values(struct reader *r)
{
    int fd = memfd_create("settings", MFD_CLOEXEC);
    dictionary *values;

    if (fd < 0)
        return cannot_read(r, err_from_errno(errno));
    values = load_clean(r, fd);
    close(fd);
    if (values == NULL) {
        reader_complain(r, 0, "it cannot be taken apart: out of memory, or /proc is not there");
        return ERR_INVALID;
    }
    for (unsigned i = 0; i < settings_row_count; i++)
        if (r->is_usable[i])
            take_value(r, i, values);
    iniparser_freedict(values);
    return ERR_OK;
}

/* Combinations */

static unsigned row_of(size_t offset)
{
    unsigned i = 0;

    while (settings_rows[i].offset != offset)
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
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static void check_socket(struct reader *r)
{
    const struct settings *s = r->out;
    unsigned line;

    if (are_known(r, offsetof(struct settings, inbox.path),
                  offsetof(struct settings, control.socket), &line) &&
        lies_in(s->control.socket, s->inbox.path))
        reader_complain(r, line,
                        "[control] socket lies in [inbox] path, where only received files do: "
                        "choose another folder for one of them");
}

static void check_own_file(struct reader *r)
{
    const struct settings *s = r->out;
    unsigned line;

    if (are_known(r, offsetof(struct settings, inbox.path),
                  offsetof(struct settings, node.settings_file), &line) &&
        lies_in(s->node.settings_file, s->inbox.path))
        reader_complain(r, line,
                        "[node] settings-file lies in [inbox] path, where only received files do: "
                        "choose another folder for one of them, or leave it empty");
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
        reader_complain(r, line,
                        "[control] listen = %s can be reached from other machines and needs "
                        "[control] token: set one, or listen on 127.0.0.1",
                        s->control.listen);
}

static void check_combinations(struct reader *r)
{
    check_socket(r);
    check_own_file(r);
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
        reader_scan(r);
        e = take_values(r);
    }
    if (e == ERR_OK && !r->is_own)
        check_combinations(r);
    if (e == ERR_OK && r->problem_count > 0)
        e = ERR_INVALID;
    tell(r);
    return e;
}

static struct reader *reader_new(struct settings *out, const char *path,
                                 settings_problem_fn *problem, void *ctx)
{
    struct reader *r = calloc(1, sizeof *r);

    if (r != NULL)
        *r = (struct reader){.out = out, .path = path, .report = problem, .ctx = ctx};
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
    for (unsigned i = 0; i < settings_row_count; i++)
        if (r->line_of[i] != 0)
            origins->keys[i] = (struct settings_place){.from = from, .line = r->line_of[i]};
}

/* The operator's file. What the reader found out about the file itself is kept for the next. */
static enum err load_file(struct settings *out, struct settings_origins *origins, const char *path,
                          settings_problem_fn *problem, void *ctx)
{
    struct reader *r = reader_new(out, path, problem, ctx);
    enum err e;

    if (r == NULL)
        return ERR_NO_MEMORY;
    if ((e = read_over(r)) == ERR_OK) {
        snprintf(origins->file, sizeof origins->file, "%s", path);
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
    struct reader *r = reader_new(out, origins->own, problem, ctx);
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
        e = load_file(out, origins, paths->file, problem, ctx);
    if (e == ERR_OK && (e = choose_own(out, origins, paths)) != ERR_OK)
        problem(ctx, "the path of the daemon's own settings file is too long: set [node] "
                     "settings-file to a shorter one");
    if (e == ERR_OK && origins->own[0] != '\0')
        e = load_own(out, origins, problem, ctx);
    return e;
}
