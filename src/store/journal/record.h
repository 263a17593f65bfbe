/* One line of the journal. Fields split by tabs, foreign text percent-escaped, the CRC-32 of all
 * before it (eight hex digits) as the last field, a line feed. docs/store.md lists the fields of
 * each kind. */
#ifndef STORE_JOURNAL_RECORD_H
#define STORE_JOURNAL_RECORD_H

#include "store/journal/file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum journal_record_kind {
    JOURNAL_RECORD_HEADER,   /* number: the format's version */
    JOURNAL_RECORD_FILE,     /* file: all of it */
    JOURNAL_RECORD_REPORTED, /* number: the transfer id whose report the gateway has had */
    JOURNAL_RECORD_VOID, /* number: the transfer id whose file never came to stand in the inbox */
    JOURNAL_RECORD_IDS,  /* number: where the next block of transfer ids begins */
    JOURNAL_RECORD_SETTLED, /* what became of each file before it is known: each stands in the inbox
                       under its name, or there is a JOURNAL_RECORD_VOID. number: how many were the
                       last */
};

struct journal_record {
    enum journal_record_kind kind;
    uint32_t number;
    struct journal_file file;
};

/* A longer identity than fits is cut; nothing else can be long. */
enum {
    JOURNAL_RECORD_LINE_MAX = 32768,
    JOURNAL_VERSION = 3,           /* version 2 had no proto */
    JOURNAL_VERSION_UNSETTLED = 1, /* nor a JOURNAL_RECORD_SETTLED; release 0.1 */
    GATEWAY_TRANSFER_ID_MAX = 99999999
};

/* Writes the line, as `version` has it, with its line feed, no NUL; returns its length. */
size_t journal_record_write(char to[JOURNAL_RECORD_LINE_MAX], const struct journal_record *record,
                            uint32_t version);

/* Takes `line`, of any version, apart in place (no line feed, room for a NUL behind it): the
 * strings of out->file point into it, or are constant. False if it is damaged. */
bool journal_record_read(struct journal_record *out, char *line, size_t length);

#endif
