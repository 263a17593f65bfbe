/* The files of one `dustwire send` and their outcomes. The list is complete before anything is
 * sent, so that the progress line has a total. */
#ifndef CLI_FILE_LIST_H
#define CLI_FILE_LIST_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* FILE_SKIPPED: found in a directory and not sendable: a link, a pipe, a device, an empty
 * directory. */
enum cli_file_state {
    FILE_PENDING,
    FILE_IN_PROGRESS,
    FILE_FINISHED,
    FILE_FAILED,
    FILE_SKIPPED,
    FILE_UNKNOWN
};

struct cli_file {
    char *name; /* as given, or found in a given directory */
    char *path; /* absolute; NULL if there is none */
    uint64_t size_bytes, done_bytes;
    uint64_t request_id;
    int64_t spool_id; /* set if the file was streamed to the daemon; else 0 */
    double seconds;
    enum cli_file_state state;
    char *error; /* why it failed or was skipped; malloc */
};

struct cli_files {
    struct cli_file *files;
    size_t count, capacity;
};

/* Adds `name`: a file, or with `is_recursive` the files in a directory tree, sorted by name. Files
 * that cannot be sent are added as failed or skipped, with a reason. ERR_NO_MEMORY. */
enum err cli_files_add(struct cli_files *files, const char *name, bool is_recursive);
void cli_files_fini(struct cli_files *files);
void cli_file_fail(struct cli_file *file, const char *reason);

#endif
