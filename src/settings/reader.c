/* Validates the lines before iniparser, which is too lenient: it keeps the last of duplicate keys,
 * cuts a value at '#', and reads a directory as an empty file. An invalid line is reported and not
 * passed to iniparser. */
#include "settings/reader.h"

#include "base/contract.h"
#include "base/text.h"
#include "settings/deprecated.h"
#include "settings/kind.h"
#include "settings/names.h"
#include "settings/table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) void
settings_reader_add_problem(struct settings_reader *r, unsigned line, const char *format, ...)
{
    va_list args;

    if (r->problem_count++ >= SETTINGS_READER_PROBLEMS_MAX)
        return;
    struct settings_reader_problem *p = &r->problems[r->problem_count - 1];

    p->line = line;
    va_start(args, format);
    vsnprintf(p->text, sizeof p->text, format, args);
    va_end(args);
}

const char *settings_reader_shown(char to[SETTINGS_READER_SHOWN_SIZE], const char *text)
{
    text_escape(to, SETTINGS_READER_SHOWN_SIZE, text, strlen(text), false);
    return to;
}

const char *settings_reader_value_shown(char to[SETTINGS_READER_SHOWN_SIZE],
                                        const struct settings_row *row, const char *value)
{
    if (value[0] == '\0')
        return "(empty)";
    return row->kind->is_secret ? "(not shown)" : settings_reader_shown(to, value);
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

static void copy_clean(struct settings_reader *r, const char *text, size_t length)
{
    CONTRACT(length <= SETTINGS_READER_CLEAN_SIZE_MAX - r->clean_length);
    memcpy(r->clean + r->clean_length, text, length);
    r->clean_length += length;
}

static void report_section(struct settings_reader *r, unsigned number, const char *line,
                           const char *name, bool is_well_formed)
{
    char shown[SETTINGS_READER_SHOWN_SIZE], names[SETTINGS_NAMES_SIZE];

    if (!is_well_formed)
        settings_reader_add_problem(
            r, number, "invalid section header '%s': expected [name] alone on its line%s",
            settings_reader_shown(shown, line),
            r->section == NULL ? "; its keys were not checked" : "");
    else if (r->section == NULL)
        settings_reader_add_problem(
            r, number, "unknown section [%s], its keys were not checked: valid sections are %s",
            settings_reader_shown(shown, name), settings_names_sections(names, NULL));
    else if (strcmp(r->section, name) != 0)
        settings_reader_add_problem(r, number, "unknown section [%s]: did you mean [%s]?",
                                    settings_reader_shown(shown, name), r->section);
}

/* A misspelled section is reported and corrected for iniparser, so that its keys are still checked.
 */
static void scan_section(struct settings_reader *r, unsigned number, const char *line)
{
    char copy[SETTINGS_LINE_MAX + 1], *name = copy + (line[0] == '['), *end;
    bool is_well_formed;

    snprintf(copy, sizeof copy, "%s", line);
    end = name + strcspn(name, "]#;");
    is_well_formed = name != copy && strcmp(end, "]") == 0;
    *end = '\0';
    name = trim(name);
    fold(name);
    r->section = settings_deprecated_find_section(name);
    if (r->section == NULL)
        r->section = settings_names_section(name);
    r->is_in_unknown_section = r->section == NULL;
    report_section(r, number, line, name, is_well_formed);
    if (r->section == NULL)
        return;
    copy_clean(r, "[", 1);
    copy_clean(r, r->section, strlen(r->section));
    copy_clean(r, "]", 1);
}

/* The reason why iniparser would parse the value differently from what is written; or NULL. */
static const char *value_fault(const char *value)
{
    const char *end;

    if (*value != '"' && *value != '\'') {
        if (strpbrk(value, "#;") != NULL)
            return "'#' or ';' begins a comment: put the value in double quotes, and a comment on "
                   "a "
                   "line of its own";
        return strchr(value, '"') == NULL ? NULL : "quotes must enclose the whole value";
    }
    end = strchr(value + 1, *value);
    if (end == NULL)
        return "missing closing quote";
    for (end++; is_blank(*end);)
        end++;
    if (*end == '\0' || *end == '#' || *end == ';')
        return NULL;
    return "unexpected text after the closing quote (quotes cannot be nested)";
}

static void report_unknown_key(struct settings_reader *r, unsigned number, const char *name)
{
    const struct settings_row *meant = settings_names_key(r->section, name);
    char shown[SETTINGS_READER_SHOWN_SIZE], names[SETTINGS_NAMES_SIZE];

    settings_reader_shown(shown, name);
    if (meant != NULL)
        settings_reader_add_problem(r, number, "unknown key '%s' in [%s]: did you mean [%s] %s?",
                                    shown, r->section, meant->section, meant->name);
    else
        settings_reader_add_problem(r, number, "unknown key '%s' in [%s]: valid keys are %s", shown,
                                    r->section, settings_names_keys(names, r->section));
}

static void report_outside_section(struct settings_reader *r, unsigned number, const char *name)
{
    char shown[SETTINGS_READER_SHOWN_SIZE], names[SETTINGS_NAMES_SIZE];

    settings_names_sections(names, name);
    settings_reader_add_problem(
        r, number, "key '%s' before the first [section]: %s%s", settings_reader_shown(shown, name),
        names[0] == '\0' ? "move it into a section" : "it belongs to ", names);
}

static bool is_row(unsigned index, const char *section, const char *name)
{
    return strcmp(settings_table[index].section, section) == 0 &&
           strcmp(settings_table[index].name, name) == 0;
}

/* The row of a key that is not deprecated. */
static bool find_row(const char *section, const char *name, unsigned *index)
{
    for (unsigned i = 0; i < settings_table_count; i++)
        if (is_row(i, section, name)) {
            *index = i;
            return true;
        }
    return false;
}

static bool is_allowed_here(struct settings_reader *r, unsigned number,
                            const struct settings_row *row)
{
    if (!r->is_persisted || row->is_settable)
        return true;
    settings_reader_add_problem(
        r, number,
        "[%s] %s cannot be set while the daemon runs: move it to the file given with --config",
        row->section, row->name);
    return false;
}

static bool is_first(struct settings_reader *r, unsigned number, const char *name,
                     unsigned *line_of)
{
    if (*line_of != 0) {
        settings_reader_add_problem(r, number,
                                    "duplicate key [%s] %s, first in line %u: remove one",
                                    r->section, name, *line_of);
        return false;
    }
    *line_of = number;
    return true;
}

/* True if `value` can be passed to iniparser as the value of the row. */
static bool accept_row(struct settings_reader *r, unsigned number, unsigned index, const char *name,
                       const char *value)
{
    const char *fault = value_fault(value);
    char shown[SETTINGS_READER_SHOWN_SIZE];

    if (!is_allowed_here(r, number, &settings_table[index]) ||
        !is_first(r, number, name, &r->line_of[index]))
        return false;
    if (fault != NULL) {
        r->is_invalid[index] = true;
        settings_reader_add_problem(
            r, number, "[%s] %s = %s: %s", r->section, name,
            settings_reader_value_shown(shown, &settings_table[index], value), fault);
        return false;
    }
    r->is_usable[index] = true;
    return true;
}

/* A renamed key is passed to iniparser under its new name. */
static void accept_deprecated(struct settings_reader *r, unsigned number, unsigned deprecated,
                              const char *value)
{
    const struct settings_deprecated_key *f = &settings_deprecated[deprecated];
    char line[SETTINGS_LINE_MAX + SETTINGS_READER_DEPRECATED_SIZE_MAX];
    unsigned index;

    if (!is_first(r, number, f->name, &r->deprecated_line_of[deprecated]) || f->new_name == NULL)
        return;
    CONTRACT(find_row(f->new_section, f->new_name, &index));
    if (r->line_of[index] != 0) {
        settings_reader_add_problem(
            r, number, "[%s] %s is the old name of [%s] %s in line %u: remove the old one",
            f->section, f->name, f->new_section, f->new_name, r->line_of[index]);
        return;
    }
    if (!accept_row(r, number, index, f->name, value))
        return;
    snprintf(line, sizeof line, "[%s]\n%s = %s\n[%s]", f->new_section, f->new_name, value,
             r->section);
    copy_clean(r, line, strlen(line));
}

/* True if the line can be passed to iniparser unchanged. */
static bool accept_key(struct settings_reader *r, unsigned number, const char *name,
                       const char *value)
{
    unsigned index;

    if (r->section == NULL)
        report_outside_section(r, number, name);
    else if (find_row(r->section, name, &index))
        return accept_row(r, number, index, name, value);
    else if (settings_deprecated_find(r->section, name, &index))
        accept_deprecated(r, number, index, value);
    else
        report_unknown_key(r, number, name);
    return false;
}

static bool scan_key(struct settings_reader *r, unsigned number, char *text)
{
    char *equals = strchr(text, '='), *name, shown[SETTINGS_READER_SHOWN_SIZE];

    if (r->is_in_unknown_section)
        return false;
    if (equals == NULL || equals == text) {
        settings_reader_add_problem(
            r, number, "syntax error in '%s': expected [section], key = value or # comment",
            settings_reader_shown(shown, text));
        return false;
    }
    *equals = '\0';
    name = trim(text);
    fold(name);
    return accept_key(r, number, name, trim(equals + 1));
}

/* Rejects control characters; also NUL, at which iniparser's line would end. */
static bool scan_bytes(struct settings_reader *r, unsigned number, const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)line[i];

        if (byte >= 0x20 ? byte == 0x7f : !is_blank(line[i])) {
            settings_reader_add_problem(r, number, "invalid control character 0x%02x",
                                        (unsigned)byte);
            return false;
        }
    }
    if (length > SETTINGS_LINE_MAX) {
        settings_reader_add_problem(r, number, "line of %zu bytes is too long: the maximum is %d",
                                    length, (int)SETTINGS_LINE_MAX);
        return false;
    }
    return true;
}

/* Also true if the opening bracket is missing. */
static bool is_section(const char *text)
{
    return text[0] == '[' || (text[strlen(text) - 1] == ']' && strchr(text, '=') == NULL);
}

/* Handles the comment with the settings version of the file. */
static void scan_version(struct settings_reader *r, unsigned number, const char *text)
{
    size_t length = strlen(SETTINGS_VERSION_MARK);
    char shown[SETTINGS_READER_SHOWN_SIZE];
    uint64_t version;

    if (strncmp(text, SETTINGS_VERSION_MARK, length) != 0)
        return;
    if (text_to_u64(&version, text + length, UINT32_MAX) != ERR_OK || version == 0) {
        settings_reader_add_problem(r, number,
                                    "'%s' must end in a number from 1 to %d: correct or remove it",
                                    settings_reader_shown(shown, text), (int)SETTINGS_VERSION);
        return;
    }
    r->is_newer = version > SETTINGS_VERSION;
    if (r->is_newer)
        settings_reader_add_problem(
            r, number,
            "settings version %" PRIu64 " is not supported: dustwired %s supports version %d; "
            "install the release that wrote the file, or %s",
            version, DUSTWIRE_VERSION, (int)SETTINGS_VERSION,
            r->is_persisted ? "remove it and set its values again" : "rewrite it for this release");
}

static bool is_comment(const char *text)
{
    return text[0] == '\0' || text[0] == '#' || text[0] == ';';
}

/* Copies valid lines for iniparser. Comments are dropped: a backslash at the end of one would make
 * iniparser skip the next line. */
static void scan_line(struct settings_reader *r, unsigned number, const char *line, size_t length)
{
    char copy[SETTINGS_LINE_MAX + 1], *text;

    if (!scan_bytes(r, number, line, length))
        return;
    memcpy(copy, line, length);
    copy[length] = '\0';
    text = trim(copy);
    if (is_comment(text))
        scan_version(r, number, text);
    else if (text[strlen(text) - 1] == '\\')
        settings_reader_add_problem(r, number,
                                    "unexpected backslash at the end: lines cannot be continued");
    else if (is_section(text))
        scan_section(r, number, text);
    else if (scan_key(r, number, text))
        copy_clean(r, line, length);
}

/* Returns how many bytes to skip: a UTF-8 byte order mark, or the whole file if it is UTF-16. The
 * buffer is zero-padded after the file. */
static size_t skip_byte_order_mark(struct settings_reader *r)
{
    bool is_utf8 = memcmp(r->bytes, "\xef\xbb\xbf", 3) == 0;
    bool is_utf16 = memcmp(r->bytes, "\xff\xfe", 2) == 0 || memcmp(r->bytes, "\xfe\xff", 2) == 0;

    if (is_utf8 || is_utf16)
        settings_reader_add_problem(r, 1,
                                    "unexpected byte order mark: save the file as plain UTF-8");
    return is_utf8 ? 3 : is_utf16 ? r->length : 0;
}

void settings_reader_scan(struct settings_reader *r)
{
    unsigned number = 1;
    size_t length;

    for (size_t start = skip_byte_order_mark(r); start < r->length && !r->is_newer;
         start += length + 1, number++) {
        const char *line = r->bytes + start;
        const char *end = memchr(line, '\n', r->length - start);

        length = end == NULL ? r->length - start : (size_t)(end - line);
        scan_line(r, number, line, length);
        copy_clean(r, "\n", 1);
    }
}
