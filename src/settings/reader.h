/* One reading of one file, shared by its two halves: reader.c looks at the lines,
 * read.c takes the values. */
#ifndef SETTINGS_READER_H
#define SETTINGS_READER_H

#include "settings/settings.h"
#include "settings/table.h"

#include <sys/types.h>

enum {
    FILE_SIZE_MAX = 256 * 1024,
    FORMER_SIZE_MAX = 256, /* what a key of an earlier release adds in its new form, at most */
    /* a name put right is longer, if not by so much */
    CLEAN_SIZE_MAX = 2 * (FILE_SIZE_MAX + 2) + SETTINGS_FORMERS_MAX * FORMER_SIZE_MAX,
    READS_MAX = 8, /* of a file that changes while it is read */
    PROBLEMS_MAX = 100,
    PROBLEM_SIZE = 640,
    SHOWN_SIZE = 80, /* of a foreign text in a sentence */
};

struct problem {
    unsigned line; /* 0: of the whole file */
    char text[PROBLEM_SIZE];
};

/* One reading of one file. */
struct reader {
    struct settings *out;
    const char *path;
    const char *own; /* where the file of our own is; NULL: not known yet */
    bool is_own;     /* the file of our own: only what can be set while the daemon runs */
    settings_problem_fn *report;
    void *ctx;
    dev_t device;
    ino_t inode;
    bool is_world_readable;
    size_t length;
    char *bytes; /* the file, with a NUL behind it */
    char *clean; /* the same without the lines that have problems, and with the sections
                    that are meant */
    size_t clean_length;
    const char *section; /* of the table; NULL before the first and in an unknown one */
    bool is_in_unknown_section;
    bool is_newer; /* what stands in the file is for another dustwired to understand */
    unsigned line_of[SETTINGS_KEYS_MAX]; /* where each key stands; 0: nowhere */
    bool is_usable[SETTINGS_KEYS_MAX];
    bool is_invalid[SETTINGS_KEYS_MAX];
    unsigned former_line_of[SETTINGS_FORMERS_MAX]; /* the same of keys of earlier releases */
    unsigned problem_count;                        /* may be beyond PROBLEMS_MAX */
    struct problem problems[PROBLEMS_MAX];
};

__attribute__((format(printf, 3, 4))) void settings_reader_complain(struct reader *r, unsigned line,
                                                                    const char *format, ...);

/* A foreign text as it may stand in a sentence; returns `to`. */
const char *settings_reader_shown(char to[SHOWN_SIZE], const char *text);
/* The same of a value; a secret is not shown. */
const char *settings_reader_value_shown(char to[SHOWN_SIZE], const struct settings_row *row,
                                        const char *value);

/* Looks at each line of `bytes`, reports what is wrong and copies what iniparser may see to
 * `clean`. */
void settings_reader_scan(struct reader *r);

#endif
