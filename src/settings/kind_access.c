/* The kinds of values for access control: groups, modes, directories. */
#include "settings/kind.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* Whether the group exists is checked when it is used: a file can be checked on another machine. */
static enum err read_group(const struct settings_row *row, struct settings *s, const char *text,
                           char why[SETTINGS_WHY_SIZE])
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

    if (text[strspn(text, letters)] != '\0' || text[0] == '-')
        return settings_kind_reject(why, "must be the name of a group, or empty");
    return settings_kind_take_text(row, s, text, why);
}

const struct settings_kind settings_kind_group = {.read = read_group,
                                                  .print = settings_kind_print_text,
                                                  .allowed = "the name of a group or empty",
                                                  .is_quoted = true};

/* Three octal digits with an optional leading zero. The owner (the daemon) needs read and write
 * permission; execute permission is not allowed. */
static enum err read_mode(const struct settings_row *row, struct settings *s, const char *text,
                          char why[SETTINGS_WHY_SIZE])
{
    const char *digits = text[0] == '0' ? text + 1 : text;
    unsigned mode = 0;

    for (size_t i = 0; digits[i] >= '0' && digits[i] <= '7' && i < 3; i++)
        mode = mode * 8 + (unsigned)(digits[i] - '0');
    if (strlen(digits) != 3 || strspn(digits, "01234567") != 3 || (mode & 0600) != 0600 ||
        (mode & ~0666u) != 0)
        return settings_kind_reject(why,
                                    "must be an octal mode from 0600 to 0666 with read and write "
                                    "for the owner and no execute permission, such as 0660");
    *(unsigned *)settings_kind_field(row, s) = mode;
    return ERR_OK;
}

static enum err print_mode(const struct settings_row *row, const struct settings *s, char *to,
                           size_t room)
{
    return text_format(to, room, "%04o", *(const unsigned *)settings_kind_const_field(row, s));
}

const struct settings_kind settings_kind_mode = {
    .read = read_mode, .print = print_mode, .allowed = "an octal mode, 0600 to 0666"};

bool settings_next_root(const char **at, char root[SETTINGS_TEXT_SIZE])
{
    size_t length;

    *at += strspn(*at, " \t,");
    length = strcspn(*at, ",");
    if (length == 0)
        return false;
    snprintf(root, SETTINGS_TEXT_SIZE, "%.*s", (int)length, *at);
    *at += length;
    while (length > 1 && (root[length - 1] == ' ' || root[length - 1] == '/'))
        root[--length] = '\0';
    return true;
}

static enum err read_roots(const struct settings_row *row, struct settings *s, const char *text,
                           char why[SETTINGS_WHY_SIZE])
{
    char root[SETTINGS_TEXT_SIZE];
    const char *at = text;

    if (strlen(text) < SETTINGS_TEXT_SIZE)
        while (settings_next_root(&at, root))
            if (root[0] != '/')
                return settings_kind_reject(
                    why, "contains '%.200s': must be absolute paths, comma separated", root);
    return settings_kind_take_text(row, s, text, why);
}

const struct settings_kind settings_kind_roots = {.read = read_roots,
                                                  .print = settings_kind_print_text,
                                                  .allowed =
                                                      "absolute paths, comma separated, or empty",
                                                  .is_quoted = true};
