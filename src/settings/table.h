/* The one list of keys, in the order in which they are printed. */
#ifndef SETTINGS_TABLE_H
#define SETTINGS_TABLE_H

#include "settings/row.h"

/* The first line of each file that we print or write; one of a newer version is refused. A key that
 * is new needs none: who does not know it says so. It is for what would be taken wrongly. */
#define SETTINGS_VERSION_MARK "# dustwired settings, version "
enum { SETTINGS_VERSION = 1 };

extern const struct settings_row settings_table[];
extern const unsigned settings_table_count;

#endif
