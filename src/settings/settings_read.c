/* Reading the file. iniparser forgives and forgets: of two equal keys it keeps the last, a '#' cuts
 * a value, a directory is an empty file. So each line is looked at here first, for exactly what
 * iniparser would not tell; a line with something wrong is reported and does not reach it.
 * iniparser then reads what is left, from a file in memory, and only its strings are used. */
#include "settings/settings.h"

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

enum {
    FILE_SIZE_MAX = 256 * 1024,
    PROBLEMS_MAX = 100,
    PROBLEM_SIZE = 640,
    SHOWN_SIZE = 80, /* of a foreign text in a sentence */
};

struct problem {
    unsigned line; /* 0: of the whole file */
    char text[PROBLEM_SIZE];
};

/* One reading of one file. */
struct reader {
    struct settings *out;
    const char *path;
    settings_problem_fn *report;
    void *ctx;
    size_t length;
    char *bytes;         /* the file, with a NUL behind it */
    char *clean;         /* the same, lines with problems blanked */
    const char *section; /* of the table; NULL before the first and in an unknown one */
    bool is_in_unknown_section;
    unsigned line_of[SETTINGS_ROWS_MAX]; /* where each key stands; 0: nowhere */
    bool is_usable[SETTINGS_ROWS_MAX];
    bool is_invalid[SETTINGS_ROWS_MAX];
    unsigned problem_count; /* may be beyond PROBLEMS_MAX */
    struct problem problems[PROBLEMS_MAX];
};

__attribute__((format(printf, 3, 4))) static void complain(struct reader *r, unsigned line,
                                                           const char *format, ...)
{
    va_list args;

    if (r->problem_count++ >= PROBLEMS_MAX)
        return;
    struct problem *p = &r->problems[r->problem_count - 1];

    p->line = line;
    va_start(args, format);
    vsnprintf(p->text, sizeof p->text, format, args);
    va_end(args);
}

static const char *shown(char to[SHOWN_SIZE], const char *text)
{
    text_escape(to, SHOWN_SIZE, text, strlen(text), false);
    return to;
}

/* Bytes */

static enum err cannot_read(struct reader *r, enum err e)
{
    switch (e) {
    case ERR_NOT_FOUND:
        complain(r, 0, "there is no such file: check the path given with --config");
        break;
    case ERR_DENIED:
        complain(r, 0, "it may not be read: give the daemon's user the right to");
        break;
    case ERR_NOT_REGULAR:
        complain(r, 0, "it is not a regular file: give the path of an INI file");
        break;
    case ERR_TOO_LARGE:
        complain(r, 0, "it is larger than %d KiB, which no settings file is: check the path",
                 FILE_SIZE_MAX / 1024);
        return ERR_INVALID;
    default:
        complain(r, 0, "it cannot be read: %s", err_text(e));
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
    r->bytes = calloc(2, FILE_SIZE_MAX + 2);
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
        return cannot_read(r, err_from_errno(errno));
    e = read_all(r, fd);
    close(fd);
    return e == ERR_OK ? ERR_OK : cannot_read(r, e);
}

/* The nearest known name */

static unsigned least_of(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

/* How many letters must change to make one of the other (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
    enum { LONGEST = 48 };
    unsigned row[LONGEST + 1];
    size_t length = strlen(b);

    if (strlen(a) > LONGEST || length > LONGEST)
        return LONGEST;
    for (unsigned i = 0; i <= length; i++)
        row[i] = i;
    for (unsigned i = 1; *a != '\0'; a++, i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            unsigned above = row[j];

            row[j] = least_of(above + 1, row[j - 1] + 1, diagonal + (*a != b[j - 1]));
            diagonal = above;
        }
    }
    return row[length];
}

static const char *nearest_section(const char *name)
{
    const char *nearest = settings_rows[0].section;

    for (unsigned i = 1; i < settings_row_count; i++)
        if (distance(name, settings_rows[i].section) < distance(name, nearest))
            nearest = settings_rows[i].section;
    return nearest;
}

/* In the section first; a key that is exactly one of another section was put into the wrong one. */
static const struct setting *nearest_key(const char *section, const char *name)
{
    const struct setting *nearest = NULL;

    for (unsigned i = 0; i < settings_row_count; i++) {
        const struct setting *row = &settings_rows[i];

        if (strcmp(row->section, section) == 0 &&
            (nearest == NULL || distance(name, row->name) < distance(name, nearest->name)))
            nearest = row;
    }
    for (unsigned i = 0; i < settings_row_count; i++)
        if (strcmp(settings_rows[i].name, name) == 0)
            return &settings_rows[i];
    return nearest;
}

/* Lines */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static char *trim(char *text)
{
    size_t length = strlen(text);

    while (length > 0 && is_blank(text[length - 1]))
        text[--length] = '\0';
    while (is_blank(*text))
        text++;
    return text;
}

/* ASCII, as iniparser folds sections and keys. */
static void fold(char *text)
{
    for (; *text != '\0'; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}

static bool scan_section(struct reader *r, unsigned number, char *text)
{
    char name[SHOWN_SIZE];
    size_t length = strlen(text);

    r->section = NULL;
    r->is_in_unknown_section = true;
    if (text[length - 1] != ']') {
        complain(r, number, "'%s' is no section: it is [name] and nothing else on its line",
                 shown(name, text));
        return false;
    }
    text[length - 1] = '\0';
    text = trim(text + 1);
    fold(text);
    for (unsigned i = 0; i < settings_row_count; i++) {
        if (strcmp(settings_rows[i].section, text) == 0) {
            r->section = settings_rows[i].section;
            r->is_in_unknown_section = false;
            return true;
        }
    }
    complain(r, number,
             "[%s] is no section of dustwire, and its keys were not looked at: did you "
             "mean [%s]?",
             shown(name, text), nearest_section(text));
    return false;
}

/* What iniparser would read differently from what is written, as the end of a sentence; or NULL. */
static const char *value_trouble(const char *value)
{
    const char *end;

    if (*value != '"' && *value != '\'') {
        if (strpbrk(value, "#;") != NULL)
            return "a '#' or ';' would cut it: put the value in double quotes, and a comment on a "
                   "line of its own";
        return strchr(value, '"') == NULL ? NULL : "the quotes must be around the whole value";
    }
    end = strchr(value + 1, *value);
    if (end == NULL)
        return "the quote is not closed";
    for (end++; is_blank(*end);)
        end++;
    if (*end == '\0' || *end == '#' || *end == ';')
        return NULL;
    return "nothing may follow the closing quote (a quote cannot stand inside of quotes)";
}

static bool find_row(struct reader *r, unsigned number, const char *name, unsigned *index)
{
    char text[SHOWN_SIZE];
    const struct setting *nearest;

    for (unsigned i = 0; i < settings_row_count; i++) {
        if (strcmp(settings_rows[i].section, r->section) == 0 &&
            strcmp(settings_rows[i].name, name) == 0) {
            *index = i;
            return true;
        }
    }
    nearest = nearest_key(r->section, name);
    complain(r, number, "[%s] has no key '%s': did you mean [%s] %s?", r->section,
             shown(text, name), nearest->section, nearest->name);
    return false;
}

static bool scan_key(struct reader *r, unsigned number, char *text)
{
    char *equals = strchr(text, '='), *name, *value, name_shown[SHOWN_SIZE],
         value_shown[SHOWN_SIZE];
    const char *trouble;
    unsigned index;

    if (r->is_in_unknown_section)
        return false;
    if (equals == NULL || equals == text) {
        complain(r, number, "'%s' is neither [section] nor key = value nor a # comment",
                 shown(name_shown, text));
        return false;
    }
    *equals = '\0';
    name = trim(text);
    value = trim(equals + 1);
    fold(name);
    if (r->section == NULL) {
        complain(r, number, "'%s' stands before the first [section]", shown(name_shown, name));
        return false;
    }
    if (!find_row(r, number, name, &index))
        return false;
    if (r->line_of[index] != 0) {
        complain(r, number, "[%s] %s stands there twice, first in line %u: keep one", r->section,
                 name, r->line_of[index]);
        return false;
    }
    r->line_of[index] = number;
    trouble = value_trouble(value);
    if (trouble != NULL) {
        r->is_invalid[index] = true;
        complain(r, number, "[%s] %s = %s: %s", r->section, name, shown(value_shown, value),
                 trouble);
        return false;
    }
    r->is_usable[index] = true;
    return true;
}

/* Bytes that no line of text has; also NUL, at which iniparser's line would end. */
static bool scan_bytes(struct reader *r, unsigned number, const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)line[i];

        if (byte >= 0x20 ? byte == 0x7f : !is_blank(line[i])) {
            complain(r, number, "holds the control character 0x%02x: this is no line of text",
                     (unsigned)byte);
            return false;
        }
    }
    if (length > SETTINGS_LINE_MAX) {
        complain(r, number, "is %zu bytes long: a line has at most %d", length,
                 (int)SETTINGS_LINE_MAX);
        return false;
    }
    return true;
}

/* True if iniparser may see the line. It need not see comments, and a backslash at the end of one
 * would hide the line below from it. */
static bool scan_line(struct reader *r, unsigned number, const char *line, size_t length)
{
    char copy[SETTINGS_LINE_MAX + 1], *text;

    if (!scan_bytes(r, number, line, length))
        return false;
    memcpy(copy, line, length);
    copy[length] = '\0';
    text = trim(copy);
    if (text[0] == '\0' || text[0] == '#' || text[0] == ';')
        return false;
    if (text[strlen(text) - 1] == '\\') {
        complain(r, number, "ends in a backslash: a line cannot go on in the next one");
        return false;
    }
    return text[0] == '[' ? scan_section(r, number, text) : scan_key(r, number, text);
}

static void scan(struct reader *r)
{
    unsigned number = 1;
    size_t length;

    for (size_t start = 0; start < r->length; start += length + 1, number++) {
        const char *line = r->bytes + start;
        const char *end = memchr(line, '\n', r->length - start);

        length = end == NULL ? r->length - start : (size_t)(end - line);
        if (scan_line(r, number, line, length))
            memcpy(r->clean + start, line, length);
        else
            memset(r->clean + start, '\n', length);
        r->clean[start + length] = '\n';
    }
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
    complain(iniparser_reader, 0, "%s", escaped);
    return 0;
}

static dictionary *load_clean(struct reader *r, int fd)
{
    char path[64];
    dictionary *values;
    size_t done = 0, length = r->length;

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
        complain(r, r->line_of[index], "[%s] %s could not be read: write it as key = value",
                 row->section, row->name);
        r->is_invalid[index] = true;
    } else if (setting_read(row, r->out, value, why) != ERR_OK) {
        complain(r, r->line_of[index], "[%s] %s = %s: %s", row->section, row->name,
                 value[0] == '\0' ? "(empty)" : shown(text, value), why);
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
        complain(r, 0, "it cannot be taken apart: out of memory, or /proc is not there");
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

static void check_combinations(struct reader *r)
{
    const struct settings *s = r->out;
    unsigned line;

    if (are_known(r, offsetof(struct settings, inbox.path),
                  offsetof(struct settings, control.socket), &line) &&
        lies_in(s->control.socket, s->inbox.path))
        complain(r, line,
                 "[control] socket lies in [inbox] path, where only received files do: "
                 "choose another folder for one of them");
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

enum err settings_read(struct settings *out, const char *path, settings_problem_fn *problem,
                       void *ctx)
{
    struct reader *r = calloc(1, sizeof *r);
    enum err e;

    if (r == NULL)
        return ERR_NO_MEMORY;
    r->out = out;
    r->path = path;
    r->report = problem;
    r->ctx = ctx;
    settings_default(out);
    e = read_file(r);
    if (e == ERR_OK) {
        scan(r);
        e = take_values(r);
    }
    if (e == ERR_OK) {
        check_combinations(r);
        e = r->problem_count == 0 ? ERR_OK : ERR_INVALID;
    }
    tell(r);
    free(r->bytes);
    free(r);
    return e;
}
