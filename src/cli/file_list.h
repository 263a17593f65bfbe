/* The files of one `dustwire send`: found before anything is sent, so that progress knows the
 * whole, and each with its outcome afterwards. */
#ifndef CLI_FILE_LIST_H
#define CLI_FILE_LIST_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Skipped is what stands below a given folder and is nothing that could be sent: a link, a pipe, a
 * device, an empty folder. */
enum cli_file_state {
    FILE_WAITS,
    FILE_UNDER_WAY,
    FILE_FINISHED,
    FILE_FAILED,
    FILE_SKIPPED,
    FILE_UNKNOWN
};

struct cli_file {
    char *name; /* as given, or found below a given folder */
    char *path; /* absolute; NULL if there is none */
    uint64_t size_bytes, done_bytes;
    uint64_t request_id;
    int64_t spool_id; /* the daemon has its bytes: it cannot read the file; 0: not streamed */
    double seconds;
    enum cli_file_state state;
    char *error; /* why it failed or was skipped; malloc */
};

struct cli_files {
    struct cli_file *files;
    size_t count, room;
};

/* Adds `name`: a file, or with `is_recursive` a folder's files, however deep, in order of name.
 * What cannot be sent is added too, as failed or skipped, with its reason. ERR_NO_MEMORY. */
enum err cli_files_add(struct cli_files *files, const char *name, bool is_recursive);
void cli_files_fini(struct cli_files *files);
void cli_file_fail(struct cli_file *file, const char *reason);

#endif
