#ifndef SUPPORT_FOLDERS_H
#define SUPPORT_FOLDERS_H

/* Removes the directory with all below it; errors are ignored. */
void folders_remove(const char *path);

/* Entries of the directory whose name ends with `ending`. */
unsigned folders_count(const char *path, const char *ending);

#endif
