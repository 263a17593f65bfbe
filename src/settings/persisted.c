#include "settings/persisted.h"

#include "settings/kind.h"
#include "settings/origin.h"
#include "settings/table.h"

#include "base/contract.h"
#include "base/path.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN_SIZE = 100 };

static void describe_allowed(const struct settings_row *row, char *to, size_t room)
{
    if (row->kind->allowed != NULL)
        snprintf(to, room, "%s", row->kind->allowed);
    else
        snprintf(to, room, "%llu to %llu", (unsigned long long)row->min,
                 (unsigned long long)row->max);
}

unsigned settings_persisted_list(struct settings_persisted_key out[SETTINGS_PERSISTED_MAX],
                                 const struct settings *s, const struct settings_origins *origins)
{
    char value[SETTINGS_VALUE_SIZE], origin[SETTINGS_ORIGIN_SIZE];
    unsigned count = 0;

    for (unsigned i = 0; i < settings_table_count && count < SETTINGS_PERSISTED_MAX; i++) {
        const struct settings_row *row = &settings_table[i];
        struct settings_persisted_key *key = &out[count];

        if (!row->is_settable)
            continue;
        *key = (struct settings_persisted_key){
            .section = row->section, .name = row->name, .meaning = row->meaning};
        snprintf(key->value, sizeof key->value, "%.63s", settings_kind_text(value, row, s));
        snprintf(key->origin, sizeof key->origin, "%s", settings_origin_text(origin, origins, i));
        describe_allowed(row, key->allowed, sizeof key->allowed);
        count++;
    }
    return count;
}

bool settings_persisted_is_named(const char *section, const char *name, const char *wanted)
{
    size_t length = strlen(section);

    return strcmp(name, wanted) == 0 ||
           (strncmp(wanted, section, length) == 0 && wanted[length] == '/' &&
            strcmp(name, wanted + length + 1) == 0);
}

static bool find_row(const char *name, bool is_any, unsigned *index)
{
    for (unsigned i = 0; i < settings_table_count; i++) {
        const struct settings_row *row = &settings_table[i];

        if ((is_any || row->is_settable) &&
            settings_persisted_is_named(row->section, row->name, name)) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* Escapes and truncates text from a client for a sentence and the log. */
static const char *shown(char to[SHOWN_SIZE], const char *text)
{
    if (text[0] == '\0')
        return "(empty)";
    text_escape(to, SHOWN_SIZE, text, strlen(text), false);
    return to;
}

void settings_persisted_explain_unknown(const char *wanted,
                                        char problem[SETTINGS_PERSISTED_TEXT_SIZE])
{
    char text[SHOWN_SIZE];
    size_t used;

    snprintf(problem, SETTINGS_PERSISTED_TEXT_SIZE,
             "'%s' is not a runtime setting; valid names are", shown(text, wanted));
    for (unsigned i = 0; i < settings_table_count; i++) {
        if (!settings_table[i].is_settable)
            continue;
        used = strlen(problem);
        snprintf(problem + used, SETTINGS_PERSISTED_TEXT_SIZE - used, " %s",
                 settings_table[i].name);
    }
}

static enum err set_row(struct settings *s, struct settings_origins *origins, unsigned index,
                        const char *value, enum settings_origin from,
                        char problem[SETTINGS_PERSISTED_TEXT_SIZE])
{
    char why[SETTINGS_WHY_SIZE], text[SHOWN_SIZE];
    struct settings after = *s;

    if (settings_kind_read(&settings_table[index], &after, value, why) != ERR_OK) {
        snprintf(problem, SETTINGS_PERSISTED_TEXT_SIZE, "%s = %s: %s; nothing was changed",
                 settings_table[index].name, shown(text, value), why);
        return ERR_INVALID;
    }
    *s = after;
    settings_origin_note(origins, index, (struct settings_place){.from = from});
    return ERR_OK;
}

enum err settings_persisted_set(struct settings *s, struct settings_origins *origins,
                                const char *name, const char *value,
                                char problem[SETTINGS_PERSISTED_TEXT_SIZE])
{
    unsigned index;

    if (find_row(name, false, &index))
        return set_row(s, origins, index, value, ORIGIN_PERSISTED, problem);
    settings_persisted_explain_unknown(name, problem);
    return ERR_NOT_FOUND;
}

enum err settings_persisted_unset(struct settings_in_force *in_force,
                                  const struct settings_in_force *files, const char *name,
                                  char problem[SETTINGS_PERSISTED_TEXT_SIZE])
{
    char value[SETTINGS_VALUE_SIZE], why[SETTINGS_WHY_SIZE], origin[SETTINGS_ORIGIN_SIZE];
    const struct settings_row *row;
    unsigned index;

    if (!find_row(name, false, &index)) {
        settings_persisted_explain_unknown(name, problem);
        return ERR_NOT_FOUND;
    }
    row = &settings_table[index];
    if (in_force->origins.keys[index].from != ORIGIN_PERSISTED) {
        snprintf(problem, SETTINGS_PERSISTED_TEXT_SIZE,
                 "%s has not been set with 'dustwire set': %s comes from %s", row->name,
                 settings_kind_text(value, row, &in_force->settings),
                 settings_origin_text(origin, &in_force->origins, index));
        return ERR_EXISTS;
    }
    CONTRACT(row->kind->print(row, &files->settings, value, sizeof value) == ERR_OK);
    CONTRACT(settings_kind_read(row, &in_force->settings, value, why) == ERR_OK);
    in_force->origins.keys[index] = files->origins.keys[index];
    in_force->origins.overridden[index] = (struct settings_place){.from = ORIGIN_DEFAULT};
    return ERR_OK;
}

enum err settings_override(struct settings_in_force *in_force, const char *key, const char *value,
                           char problem[SETTINGS_PERSISTED_TEXT_SIZE])
{
    unsigned index;

    CONTRACT(find_row(key, true, &index));
    return set_row(&in_force->settings, &in_force->origins, index, value, ORIGIN_GATEWAY, problem);
}

static void print_persisted(const struct settings *s, const struct settings_origins *origins,
                            FILE *out)
{
    char value[SETTINGS_VALUE_SIZE];
    const char *section = "";

    fprintf(out, SETTINGS_VERSION_MARK "%d\n", (int)SETTINGS_VERSION);
    fputs("# Written by dustwired for 'dustwire set'; read after the file given with --config.\n",
          out);
    for (unsigned i = 0; i < settings_table_count; i++) {
        const struct settings_row *row = &settings_table[i];

        if (origins->keys[i].from != ORIGIN_PERSISTED)
            continue;
        if (strcmp(section, row->section) != 0)
            fprintf(out, "\n[%s]\n", row->section);
        section = row->section;
        fprintf(out, "%s = %s\n", row->name, settings_kind_text(value, row, s));
    }
}

static const char *why_not_written(int error_number)
{
    if (error_number == EBUSY)
        return "it is a mount point, which cannot be replaced by a new file";
    return strerror(error_number);
}

static enum err fail(char problem[SETTINGS_PERSISTED_TEXT_SIZE], const char *path, int error_number)
{
    snprintf(problem, SETTINGS_PERSISTED_TEXT_SIZE,
             "cannot write settings file %.900s: %s; nothing was changed. Check its directory, or "
             "choose another file with [node] settings-file",
             path, why_not_written(error_number));
    return err_from_errno(error_number);
}

/* Returns 0 or an errno. Closes `fd` in any case. */
static int fill_file(int fd, const struct settings *s, const struct settings_origins *origins)
{
    FILE *out = fdopen(fd, "w");
    int error_number;

    if (out == NULL) {
        error_number = errno;
        close(fd);
        return error_number;
    }
    print_persisted(s, origins, out);
    error_number = fflush(out) != 0 || fsync(fd) != 0 ? errno : 0;
    if (fclose(out) != 0 && error_number == 0)
        error_number = errno;
    return error_number;
}

static int write_new(const char *path, const struct settings *s,
                     const struct settings_origins *origins)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    return fd < 0 ? errno : fill_file(fd, s, origins);
}

/* Returns 0 or an errno. Makes a rename in the directory durable. */
static int sync_folder(const char *path)
{
    char folder[PATH_MAX];
    int fd, error_number;

    if (path_folder(folder, sizeof folder, path) != ERR_OK)
        return ENAMETOOLONG;
    if ((fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return errno;
    error_number = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return error_number;
}

/* Keeps the old file under a second name until the directory is synced, so that it can be restored.
 */
static int replace(const char *new_path, const char *old_path, const char *path)
{
    bool had_old;
    int error_number;

    unlink(old_path);
    had_old = link(path, old_path) == 0;
    if (!had_old && errno != ENOENT)
        return errno;
    error_number = rename(new_path, path) == 0 ? sync_folder(path) : errno;
    if (error_number == 0)
        unlink(old_path);
    else if (had_old)
        (void)rename(old_path, path); /* a no-op if both are the same file still */
    else
        unlink(path);
    if (error_number != 0)
        unlink(old_path);
    return error_number;
}

/* Follows a symbolic link: its target is replaced, not the link. */
enum err settings_persisted_write(const struct settings *s, const struct settings_origins *origins,
                                  char problem[SETTINGS_PERSISTED_TEXT_SIZE])
{
    char path[PATH_MAX - 8], new_path[PATH_MAX], old_path[PATH_MAX];
    int error_number;

    if (path_follow(path, sizeof path, origins->persisted) != ERR_OK)
        return fail(problem, origins->persisted, ELOOP);
    snprintf(new_path, sizeof new_path, "%s.new", path);
    snprintf(old_path, sizeof old_path, "%s.old", path);
    error_number = write_new(new_path, s, origins);
    if (error_number == 0)
        error_number = replace(new_path, old_path, path);
    if (error_number == 0)
        return ERR_OK;
    unlink(new_path);
    return fail(problem, origins->persisted, error_number);
}
