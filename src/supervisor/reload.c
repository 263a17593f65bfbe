#include "supervisor/reload.h"

#include "base/contract.h"
#include "base/text.h"
#include "settings/persisted.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lines of text. Lines that do not fit are dropped, and page_cut is the last line then. */
struct page {
    char *text;
    size_t room, used; /* space for page_cut is reserved until `is_cut` */
    bool is_cut;
};

static const char page_cut[] = "(and more)\n";

static void page_init(struct page *p, char *text, size_t room)
{
    CONTRACT(room > sizeof page_cut);
    *p = (struct page){.text = text, .room = room};
    text[0] = '\0';
}

__attribute__((format(printf, 2, 3))) static void page_add(struct page *p, const char *format, ...)
{
    size_t left = p->room - p->used;
    va_list arguments;
    int length;

    if (p->is_cut)
        return;
    va_start(arguments, format);
    length = vsnprintf(p->text + p->used, left, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length + 1 + sizeof page_cut < left) {
        p->used += (size_t)length;
        p->text[p->used++] = '\n';
        p->text[p->used] = '\0';
        return;
    }
    memcpy(p->text + p->used, page_cut, sizeof page_cut);
    p->is_cut = true;
}

static bool is_empty(const struct page *p)
{
    return p->used == 0 && !p->is_cut;
}

static void add_problem(void *ctx, const char *text)
{
    page_add(ctx, "%s", text);
}

/* The settings that are not the default, as lines "section/key = value". */
enum { LINES_MAX = 128 };
struct lines {
    char *list[LINES_MAX];
    unsigned count;
};

static void add_line(void *ctx, const char *text)
{
    struct lines *lines = ctx;

    if (lines->count < LINES_MAX &&
        (lines->list[lines->count] = text_dup(text, strlen(text))) != NULL)
        lines->count++;
}

static void lines_clear(struct lines *lines)
{
    for (unsigned i = 0; i < lines->count; i++)
        free(lines->list[i]);
    lines->count = 0;
}

static size_t key_length(const char *line)
{
    const char *end = strstr(line, " = ");

    return end == NULL ? strlen(line) : (size_t)(end - line);
}

static bool has_line(const struct lines *lines, const char *line)
{
    for (unsigned i = 0; i < lines->count; i++)
        if (strcmp(lines->list[i], line) == 0)
            return true;
    return false;
}

static bool has_key(const struct lines *lines, const char *line)
{
    size_t length = key_length(line);

    for (unsigned i = 0; i < lines->count; i++)
        if (key_length(lines->list[i]) == length && memcmp(lines->list[i], line, length) == 0)
            return true;
    return false;
}

static void add_changes(struct page *page, const struct settings *before,
                        const struct settings *after)
{
    struct lines old = {.count = 0}, new = {.count = 0};

    settings_print_changed(before, add_line, &old);
    settings_print_changed(after, add_line, &new);
    for (unsigned i = 0; i < new.count; i++)
        if (!has_line(&old, new.list[i]))
            page_add(page, "changed: %s", new.list[i]);
    for (unsigned i = 0; i < old.count; i++)
        if (!has_key(&new, old.list[i]))
            page_add(page, "changed: %.*s reset to the default", (int)key_length(old.list[i]),
                     old.list[i]);
    lines_clear(&old);
    lines_clear(&new);
}

static void add_note(void *ctx, const char *text)
{
    page_add(ctx, "note: %s", text);
}

static void describe_change(struct page *page, const struct settings *before,
                            const struct settings *after, const char *needs_restart)
{
    add_changes(page, before, after);
    if (needs_restart[0] != '\0')
        page_add(page, "needs a restart: %s", needs_restart);
    if (is_empty(page))
        page_add(page, "nothing has changed");
}

enum err supervisor_reload_read(const struct settings_paths *paths,
                                const struct settings_in_force *before,
                                struct settings_in_force *after, struct settings_change *change,
                                char *text, size_t room)
{
    struct page page;
    struct settings_change wanted;
    enum err e;

    page_init(&page, text, room);
    if (paths->file == NULL) {
        page_add(&page, "no settings file to reload: the daemon was started without --config FILE");
        return ERR_INVALID;
    }
    e = settings_load(&after->settings, &after->origins, paths, add_problem, &page);
    if (e != ERR_OK) {
        if (is_empty(&page))
            page_add(&page, "cannot read %s: %s", paths->file, err_text(e));
        return ERR_INVALID;
    }
    settings_compare(&before->settings, &after->settings, &wanted);
    settings_keep_fixed(&after->settings, &after->origins, &before->settings, &before->origins);
    settings_compare(&before->settings, &after->settings, change);
    describe_change(&page, &before->settings, &after->settings, wanted.needs_restart);
    settings_warn(&after->settings, &after->origins, add_note, &page);
    return ERR_OK;
}

enum err supervisor_reload_set(const char *name, const char *value,
                               const struct settings_in_force *before,
                               struct settings_in_force *after, struct settings_change *change,
                               char *text, size_t room)
{
    char problem[SETTINGS_PERSISTED_TEXT_SIZE];
    struct page page;
    enum err e;

    page_init(&page, text, room);
    *after = *before;
    e = settings_persisted_set(&after->settings, &after->origins, name, value, problem);
    if (e == ERR_OK)
        e = settings_persisted_write(&after->settings, &after->origins, problem);
    if (e != ERR_OK) {
        page_add(&page, "%s", problem);
        return e;
    }
    settings_compare(&before->settings, &after->settings, change);
    describe_change(&page, &before->settings, &after->settings, "");
    return ERR_OK;
}

/* Reads the operator's file, which gives the value after an UNSET; its other changes are left to a
 * reload. */
static enum err read_file_only(const struct settings_paths *paths, struct settings_in_force *out,
                               struct page *page)
{
    const struct settings_paths file_only = {.file = paths->file, .persisted = ""};
    char text[4096];
    struct page problems;

    page_init(&problems, text, sizeof text);
    if (settings_load(&out->settings, &out->origins, &file_only, add_problem, &problems) == ERR_OK)
        return ERR_OK;
    page_add(page, "nothing was changed: cannot read the settings file for the new value: %.*s",
             (int)strcspn(text, "\n"), text);
    return ERR_INVALID;
}

enum err supervisor_reload_unset(const char *name, const struct settings_paths *paths,
                                 const struct settings_in_force *before,
                                 struct settings_in_force *after, struct settings_change *change,
                                 char *text, size_t room)
{
    char problem[SETTINGS_PERSISTED_TEXT_SIZE];
    struct settings_in_force files;
    struct page page;
    enum err e;

    page_init(&page, text, room);
    *after = *before;
    if ((e = read_file_only(paths, &files, &page)) != ERR_OK)
        return e;
    e = settings_persisted_unset(after, &files, name, problem);
    if (e == ERR_OK)
        e = settings_persisted_write(&after->settings, &after->origins, problem);
    if (e != ERR_OK) {
        page_add(&page, "%s", problem);
        settings_compare(&before->settings, &before->settings, change);
        return e;
    }
    settings_compare(&before->settings, &after->settings, change);
    describe_change(&page, &before->settings, &after->settings, "");
    return ERR_OK;
}
