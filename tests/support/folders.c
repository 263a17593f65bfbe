#include "support/folders.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *at)
{
    (void)s, (void)kind, (void)at;
    return remove(path);
}

void folders_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

unsigned folders_count(const char *path, const char *ending)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    unsigned count = 0;

    cr_assert_not_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        size_t length = strlen(entry->d_name), tail = strlen(ending);

        count += length >= tail && strcmp(entry->d_name + length - tail, ending) == 0;
    }
    closedir(dir);
    return count;
}
