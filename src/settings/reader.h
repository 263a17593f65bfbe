/* The state of reading one file: reader.c scans the lines, read.c parses the values. */
#ifndef SETTINGS_READER_H
#define SETTINGS_READER_H

#include "settings/settings.h"
#include "settings/table.h"

#include <sys/types.h>

enum {
    SETTINGS_READER_FILE_SIZE_MAX = 256 * 1024,
    /* maximum bytes that a deprecated key adds when it is rewritten under its new name */
    SETTINGS_READER_DEPRECATED_SIZE_MAX = 256,
    /* a corrected section name can be longer than the original */
    SETTINGS_READER_CLEAN_SIZE_MAX = 2 * (SETTINGS_READER_FILE_SIZE_MAX + 2) +
                                     SETTINGS_DEPRECATED_MAX * SETTINGS_READER_DEPRECATED_SIZE_MAX,
    SETTINGS_READER_READS_MAX = 8, /* attempts if the file changes while it is read */
    SETTINGS_READER_PROBLEMS_MAX = 100,
    SETTINGS_READER_PROBLEM_SIZE = 640,
    SETTINGS_READER_SHOWN_SIZE = 80, /* of text from the file, quoted in a sentence */
};

struct settings_reader_problem {
    unsigned line; /* 0: the whole file */
    char text[SETTINGS_READER_PROBLEM_SIZE];
};

struct settings_reader {
    struct settings *out;
    const char *path;
    const char *persisted; /* path of the persisted file; NULL: not known yet */
    bool is_persisted;     /* this is that file: only keys that can be set while the daemon runs */
    settings_problem_fn *report;
    void *ctx;
    dev_t device;
    ino_t inode;
    bool is_world_readable;
    size_t length;
    char *bytes; /* the file, NUL-terminated */
    char *clean; /* the same without invalid lines and with corrected section names */
    size_t clean_length;
    const char *section; /* of the table; NULL before the first and in an unknown one */
    bool is_in_unknown_section;
    bool is_newer;                       /* the file's settings version is newer than ours */
    unsigned line_of[SETTINGS_KEYS_MAX]; /* the line of each key; 0: absent */
    bool is_usable[SETTINGS_KEYS_MAX];
    bool is_invalid[SETTINGS_KEYS_MAX];
    unsigned deprecated_line_of[SETTINGS_DEPRECATED_MAX]; /* the same for deprecated keys */
    unsigned problem_count; /* can exceed SETTINGS_READER_PROBLEMS_MAX */
    struct settings_reader_problem problems[SETTINGS_READER_PROBLEMS_MAX];
};

__attribute__((format(printf, 3, 4))) void
settings_reader_add_problem(struct settings_reader *r, unsigned line, const char *format, ...);

/* Escapes and truncates text from the file for a sentence; returns `to`. */
const char *settings_reader_shown(char to[SETTINGS_READER_SHOWN_SIZE], const char *text);
/* The same for a value; a secret is not shown. */
const char *settings_reader_value_shown(char to[SETTINGS_READER_SHOWN_SIZE],
                                        const struct settings_row *row, const char *value);

/* Validates each line of `bytes`, records problems and copies valid lines to `clean` for iniparser.
 */
void settings_reader_scan(struct settings_reader *r);

#endif
