/* One line of the journal: tab-separated fields, text from peers percent-escaped, then the CRC-32
 * of everything before it (eight hex digits) as the last field, and a line feed. docs/store.md
 * lists the fields of each kind. */
#ifndef STORE_JOURNAL_RECORD_H
#define STORE_JOURNAL_RECORD_H

#include "base/transfer_id.h"
#include "store/journal/file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum journal_record_kind {
    JOURNAL_RECORD_HEADER,   /* number: the format's version */
    JOURNAL_RECORD_FILE,     /* file: all of it */
    JOURNAL_RECORD_REPORTED, /* number: the transfer id; the gateway has received its report */
    JOURNAL_RECORD_VOID,     /* number: the transfer id; its file was not stored in the inbox */
    JOURNAL_RECORD_IDS,      /* number: first id of the next block of transfer ids */
    JOURNAL_RECORD_SETTLED, /* the outcome of all earlier files is known: each is in the inbox under
                               its name or has a JOURNAL_RECORD_VOID. number: files in the last
                               batch */
};

struct journal_record {
    enum journal_record_kind kind;
    uint32_t number;
    struct journal_file file;
};

/* An IDURL that does not fit is truncated; no other field can be long. */
enum {
    JOURNAL_RECORD_LINE_MAX = 32768,
    JOURNAL_VERSION = 3,           /* version 2 has no proto */
    JOURNAL_VERSION_UNSETTLED = 1, /* no proto, no JOURNAL_RECORD_SETTLED; release 0.1 */
};

/* Writes the line in the format of `version`, with its line feed, without a NUL; returns its
 * length. */
size_t journal_record_write(char to[JOURNAL_RECORD_LINE_MAX], const struct journal_record *record,
                            uint32_t version);

/* Parses `line`, of any version, in place (no line feed; one byte after it must be writable): the
 * strings of out->file point into it or are constants. False if it is damaged. */
bool journal_record_read(struct journal_record *out, char *line, size_t length);

#endif
