/* The one list of keys, in the order in which they are printed. */
#ifndef SETTINGS_TABLE_H
#define SETTINGS_TABLE_H

#include "settings/row.h"

/* The first line of each file that we print or write; a file of a newer version is rejected. Raise
 * the version when the meaning of an existing key changes; a new key does not need it, because an
 * older release reports it as unknown. */
#define SETTINGS_VERSION_MARK "# dustwired settings, version "
enum { SETTINGS_VERSION = 1 };

extern const struct settings_row settings_table[];
extern const unsigned settings_table_count;

#endif
