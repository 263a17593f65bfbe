#include "cli/file_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_SIZE_MAX = 2147483647, DEPTH_MAX = 256 };

void cli_file_fail(struct cli_file *file, const char *reason)
{
    free(file->error);
    file->error = strdup(reason);
    file->state = FILE_FAILED;
}

static struct cli_file *add(struct cli_files *files, const char *name)
{
    struct cli_file *file;

    if (files->count == files->capacity) {
        size_t capacity = files->capacity == 0 ? 64 : files->capacity * 2;
        struct cli_file *more = realloc(files->files, capacity * sizeof *more);

        if (more == NULL)
            return NULL;
        files->files = more;
        files->capacity = capacity;
    }
    file = &files->files[files->count];
    *file = (struct cli_file){.name = strdup(name)};
    if (file->name == NULL)
        return NULL;
    files->count++;
    return file;
}

static enum err add_skipped(struct cli_files *files, const char *name, const char *reason)
{
    struct cli_file *file = add(files, name);

    if (file == NULL)
        return ERR_NO_MEMORY;
    cli_file_fail(file, reason);
    file->state = FILE_SKIPPED;
    return ERR_OK;
}

static enum err add_failed(struct cli_files *files, const char *name, const char *reason)
{
    struct cli_file *file = add(files, name);

    if (file == NULL)
        return ERR_NO_MEMORY;
    cli_file_fail(file, reason);
    return ERR_OK;
}

static enum err add_regular(struct cli_files *files, const char *name, const struct stat *st)
{
    struct cli_file *file = add(files, name);

    if (file == NULL)
        return ERR_NO_MEMORY;
    file->size_bytes = (uint64_t)st->st_size;
    if (st->st_size > FILE_SIZE_MAX)
        cli_file_fail(file, "larger than 2,147,483,647 bytes, the protocol's limit: split it");
    else if ((file->path = realpath(name, NULL)) == NULL)
        cli_file_fail(file, strerror(errno));
    return ERR_OK;
}

static int not_dots(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static enum err add_any(struct cli_files *files, const char *name, bool is_recursive, int depth);

static enum err add_folder(struct cli_files *files, const char *name, int depth)
{
    struct dirent **entries;
    int count = scandir(name, &entries, not_dots, alphasort);
    enum err e = ERR_OK;

    if (count < 0)
        return add_failed(files, name, strerror(errno));
    if (count == 0)
        e = add_skipped(files, name, "empty directory");
    for (int i = 0; i < count; i++) {
        char *path = NULL;

        if (e == ERR_OK && asprintf(&path, "%s%s%s", name, name[strlen(name) - 1] == '/' ? "" : "/",
                                    entries[i]->d_name) < 0) {
            path = NULL;
            e = ERR_NO_MEMORY;
        }
        if (e == ERR_OK)
            e = add_any(files, path, true, depth + 1);
        free(path);
        free(entries[i]);
    }
    free(entries);
    return e;
}

static const char *kind_of(mode_t mode)
{
    if (S_ISLNK(mode))
        return "symbolic link, not followed in a directory";
    if (S_ISFIFO(mode))
        return "named pipe";
    if (S_ISSOCK(mode))
        return "socket";
    return S_ISCHR(mode) || S_ISBLK(mode) ? "device" : "not a regular file";
}

/* In a given directory, links are not followed, and all but files and directories are skipped. */
static enum err add_any(struct cli_files *files, const char *name, bool is_recursive, int depth)
{
    struct stat st;

    if ((depth == 0 ? stat(name, &st) : lstat(name, &st)) != 0)
        return add_failed(files, name, strerror(errno));
    if (S_ISREG(st.st_mode))
        return add_regular(files, name, &st);
    if (S_ISDIR(st.st_mode)) {
        if (!is_recursive)
            return add_failed(files, name, "is a directory: use --recursive to send its files");
        if (depth > DEPTH_MAX)
            return add_failed(files, name, "directories nested too deeply");
        return add_folder(files, name, depth);
    }
    return depth > 0 ? add_skipped(files, name, kind_of(st.st_mode))
                     : add_failed(files, name, "not a regular file");
}

enum err cli_files_add(struct cli_files *files, const char *name, bool is_recursive)
{
    if (name[0] == '\0')
        return add_failed(files, "''", "empty file name");
    return add_any(files, name, is_recursive, 0);
}

void cli_files_fini(struct cli_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->files[i].name);
        free(files->files[i].path);
        free(files->files[i].error);
    }
    free(files->files);
    *files = (struct cli_files){.files = NULL};
}
