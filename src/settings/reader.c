/* Looking at the lines before iniparser does. It forgives and forgets: of two equal keys it keeps
 * the last, a '#' cuts a value, a directory is an empty file. So each line is looked at here first,
 * for exactly what iniparser would not tell; a line with something wrong is reported and does not
 * reach it. */
#include "settings/reader.h"

#include "base/contract.h"
#include "base/text.h"
#include "settings/formers.h"
#include "settings/kind.h"
#include "settings/names.h"
#include "settings/table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) void settings_reader_complain(struct reader *r, unsigned line,
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

const char *settings_reader_shown(char to[SHOWN_SIZE], const char *text)
{
    text_escape(to, SHOWN_SIZE, text, strlen(text), false);
    return to;
}

const char *settings_reader_value_shown(char to[SHOWN_SIZE], const struct settings_row *row,
                                        const char *value)
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

static void pass_on(struct reader *r, const char *text, size_t length)
{
    CONTRACT(length <= CLEAN_SIZE_MAX - r->clean_length);
    memcpy(r->clean + r->clean_length, text, length);
    r->clean_length += length;
}

static void explain_section(struct reader *r, unsigned number, const char *line, const char *name,
                            bool is_well_formed)
{
    char shown[SHOWN_SIZE], names[NAMES_SIZE];

    if (!is_well_formed)
        settings_reader_complain(r, number,
                                 "'%s' is no section: it is [name] and nothing else on its line%s",
                                 settings_reader_shown(shown, line),
                                 r->section == NULL ? "; its keys were not looked at" : "");
    else if (r->section == NULL)
        settings_reader_complain(
            r, number,
            "[%s] is no section of dustwire, and its keys were not looked at: there "
            "are %s",
            settings_reader_shown(shown, name), settings_names_sections(names, NULL));
    else if (strcmp(r->section, name) != 0)
        settings_reader_complain(r, number, "[%s] is no section of dustwire: did you mean [%s]?",
                                 settings_reader_shown(shown, name), r->section);
}

/* A name that is nearly right is taken for the right one, so that what stands below is looked at
 * all the same: iniparser gets the section that is meant. */
static void scan_section(struct reader *r, unsigned number, const char *line)
{
    char copy[SETTINGS_LINE_MAX + 1], *name = copy + (line[0] == '['), *end;
    bool is_well_formed;

    snprintf(copy, sizeof copy, "%s", line);
    end = name + strcspn(name, "]#;");
    is_well_formed = name != copy && strcmp(end, "]") == 0;
    *end = '\0';
    name = trim(name);
    fold(name);
    r->section = settings_formers_find_section(name);
    if (r->section == NULL)
        r->section = settings_names_section(name);
    r->is_in_unknown_section = r->section == NULL;
    explain_section(r, number, line, name, is_well_formed);
    if (r->section == NULL)
        return;
    pass_on(r, "[", 1);
    pass_on(r, r->section, strlen(r->section));
    pass_on(r, "]", 1);
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

static void explain_key(struct reader *r, unsigned number, const char *name)
{
    const struct settings_row *meant = settings_names_key(r->section, name);
    char shown[SHOWN_SIZE], names[NAMES_SIZE];

    settings_reader_shown(shown, name);
    if (meant != NULL)
        settings_reader_complain(r, number, "[%s] has no key '%s': did you mean [%s] %s?",
                                 r->section, shown, meant->section, meant->name);
    else
        settings_reader_complain(r, number, "[%s] has no key '%s': it has %s", r->section, shown,
                                 settings_names_keys(names, r->section));
}

static void explain_homeless(struct reader *r, unsigned number, const char *name)
{
    char shown[SHOWN_SIZE], names[NAMES_SIZE];

    settings_names_sections(names, name);
    settings_reader_complain(r, number, "'%s' stands before the first [section]: %s %s",
                             settings_reader_shown(shown, name),
                             names[0] == '\0' ? "write above it the one" : "it belongs to",
                             names[0] == '\0' ? "that it belongs to" : names);
}

static bool is_row(unsigned index, const char *section, const char *name)
{
    return strcmp(settings_table[index].section, section) == 0 &&
           strcmp(settings_table[index].name, name) == 0;
}

/* The row of the key that has this name now. */
static bool find_row(const char *section, const char *name, unsigned *index)
{
    for (unsigned i = 0; i < settings_table_count; i++)
        if (is_row(i, section, name)) {
            *index = i;
            return true;
        }
    return false;
}

static bool may_be_here(struct reader *r, unsigned number, const struct settings_row *row)
{
    if (!r->is_own || row->is_settable)
        return true;
    settings_reader_complain(
        r, number,
        "[%s] %s cannot be set while the daemon runs: it belongs into the file given "
        "with --config",
        row->section, row->name);
    return false;
}

static bool is_first(struct reader *r, unsigned number, const char *name, unsigned *line_of)
{
    if (*line_of != 0) {
        settings_reader_complain(r, number,
                                 "[%s] %s stands there twice, first in line %u: keep one",
                                 r->section, name, *line_of);
        return false;
    }
    *line_of = number;
    return true;
}

/* True if `value` may go to iniparser as that of the row. */
static bool take_row(struct reader *r, unsigned number, unsigned index, const char *name,
                     const char *value)
{
    const char *trouble = value_trouble(value);
    char shown[SHOWN_SIZE];

    if (!may_be_here(r, number, &settings_table[index]) ||
        !is_first(r, number, name, &r->line_of[index]))
        return false;
    if (trouble != NULL) {
        r->is_invalid[index] = true;
        settings_reader_complain(r, number, "[%s] %s = %s: %s", r->section, name,
                                 settings_reader_value_shown(shown, &settings_table[index], value),
                                 trouble);
        return false;
    }
    r->is_usable[index] = true;
    return true;
}

/* A renamed key reaches iniparser under the name that it has now. */
static void take_former(struct reader *r, unsigned number, unsigned former, const char *value)
{
    const struct settings_former *f = &settings_formers[former];
    char line[SETTINGS_LINE_MAX + FORMER_SIZE_MAX];
    unsigned index;

    if (!is_first(r, number, f->name, &r->former_line_of[former]) || f->now_name == NULL)
        return;
    CONTRACT(find_row(f->now_section, f->now_name, &index));
    if (r->line_of[index] != 0) {
        settings_reader_complain(
            r, number, "[%s] %s is the earlier name of [%s] %s in line %u: keep that one",
            f->section, f->name, f->now_section, f->now_name, r->line_of[index]);
        return;
    }
    if (!take_row(r, number, index, f->name, value))
        return;
    snprintf(line, sizeof line, "[%s]\n%s = %s\n[%s]", f->now_section, f->now_name, value,
             r->section);
    pass_on(r, line, strlen(line));
}

/* True if the line may go to iniparser as it is. */
static bool take_key(struct reader *r, unsigned number, const char *name, const char *value)
{
    unsigned index;

    if (r->section == NULL)
        explain_homeless(r, number, name);
    else if (find_row(r->section, name, &index))
        return take_row(r, number, index, name, value);
    else if (settings_formers_find(r->section, name, &index))
        take_former(r, number, index, value);
    else
        explain_key(r, number, name);
    return false;
}

static bool scan_key(struct reader *r, unsigned number, char *text)
{
    char *equals = strchr(text, '='), *name, shown[SHOWN_SIZE];

    if (r->is_in_unknown_section)
        return false;
    if (equals == NULL || equals == text) {
        settings_reader_complain(r, number,
                                 "'%s' is neither [section] nor key = value nor a # comment",
                                 settings_reader_shown(shown, text));
        return false;
    }
    *equals = '\0';
    name = trim(text);
    fold(name);
    return take_key(r, number, name, trim(equals + 1));
}

/* Bytes that no line of text has; also NUL, at which iniparser's line would end. */
static bool scan_bytes(struct reader *r, unsigned number, const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)line[i];

        if (byte >= 0x20 ? byte == 0x7f : !is_blank(line[i])) {
            settings_reader_complain(r, number,
                                     "holds the control character 0x%02x: this is no line of text",
                                     (unsigned)byte);
            return false;
        }
    }
    if (length > SETTINGS_LINE_MAX) {
        settings_reader_complain(r, number, "is %zu bytes long: a line has at most %d", length,
                                 (int)SETTINGS_LINE_MAX);
        return false;
    }
    return true;
}

/* Also one whose first bracket is missing. */
static bool is_section(const char *text)
{
    return text[0] == '[' || (text[strlen(text) - 1] == ']' && strchr(text, '=') == NULL);
}

/* A comment that says for which version of the settings the file was written. */
static void scan_mark(struct reader *r, unsigned number, const char *text)
{
    size_t length = strlen(SETTINGS_VERSION_MARK);
    char shown[SHOWN_SIZE];
    uint64_t version;

    if (strncmp(text, SETTINGS_VERSION_MARK, length) != 0)
        return;
    if (text_to_u64(&version, text + length, UINT32_MAX) != ERR_OK || version == 0) {
        settings_reader_complain(r, number,
                                 "'%s' must end in a number from 1 to %d: mend it or take it out",
                                 settings_reader_shown(shown, text), (int)SETTINGS_VERSION);
        return;
    }
    r->is_newer = version > SETTINGS_VERSION;
    if (r->is_newer)
        settings_reader_complain(
            r, number,
            "is of version %" PRIu64 " of the settings, and this is dustwired %s, which "
            "knows version %d: install the release that wrote the file, or %s",
            version, DUSTWIRE_VERSION, (int)SETTINGS_VERSION,
            r->is_own ? "remove it and set its values again" : "write it anew for this one");
}

static bool is_comment(const char *text)
{
    return text[0] == '\0' || text[0] == '#' || text[0] == ';';
}

/* Passes on what iniparser may see. It need not see comments, and a backslash at the end of one
 * would hide the line below from it. */
static void scan_line(struct reader *r, unsigned number, const char *line, size_t length)
{
    char copy[SETTINGS_LINE_MAX + 1], *text;

    if (!scan_bytes(r, number, line, length))
        return;
    memcpy(copy, line, length);
    copy[length] = '\0';
    text = trim(copy);
    if (is_comment(text))
        scan_mark(r, number, text);
    else if (text[strlen(text) - 1] == '\\')
        settings_reader_complain(r, number,
                                 "ends in a backslash: a line cannot go on in the next one");
    else if (is_section(text))
        scan_section(r, number, text);
    else if (scan_key(r, number, text))
        pass_on(r, line, length);
}

/* What some editors put before a text; returns how much of the file is not looked at: of UTF-16 no
 * line could be. There are zeros behind the file. */
static size_t skip_mark(struct reader *r)
{
    bool is_utf8 = memcmp(r->bytes, "\xef\xbb\xbf", 3) == 0;
    bool is_utf16 = memcmp(r->bytes, "\xff\xfe", 2) == 0 || memcmp(r->bytes, "\xfe\xff", 2) == 0;

    if (is_utf8 || is_utf16)
        settings_reader_complain(r, 1, "begins with a byte order mark: save it as plain UTF-8");
    return is_utf8 ? 3 : is_utf16 ? r->length : 0;
}

void settings_reader_scan(struct reader *r)
{
    unsigned number = 1;
    size_t length;

    for (size_t start = skip_mark(r); start < r->length && !r->is_newer;
         start += length + 1, number++) {
        const char *line = r->bytes + start;
        const char *end = memchr(line, '\n', r->length - start);

        length = end == NULL ? r->length - start : (size_t)(end - line);
        scan_line(r, number, line, length);
        pass_on(r, "\n", 1);
    }
}
