#include "base/path.h"

#include "base/text.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { LINKS_MAX = 8 };

enum err path_folder(char *to, size_t room, const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return text_copy(to, room, ".");
    return text_format(to, room, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

bool path_link_target(char *to, size_t room, const char *path)
{
    char target[PATH_MAX], folder[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target - 1);

    if (length <= 0)
        return false;
    target[length] = '\0';
    if (target[0] == '/')
        return text_copy(to, room, target) == ERR_OK;
    return path_folder(folder, sizeof folder, path) == ERR_OK &&
           text_format(to, room, "%s/%s", folder, target) == ERR_OK;
}

enum err path_follow(char *to, size_t room, const char *path)
{
    char next[PATH_MAX];

    if (text_copy(to, room, path) != ERR_OK)
        return ERR_TOO_LARGE;
    for (unsigned i = 0; path_link_target(next, sizeof next, to); i++) {
        if (i == LINKS_MAX)
            return ERR_DENIED;
        if (text_copy(to, room, next) != ERR_OK)
            return ERR_TOO_LARGE;
    }
    return ERR_OK;
}
