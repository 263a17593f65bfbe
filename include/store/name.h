/* Names of received files. */
#ifndef STORE_NAME_H
#define STORE_NAME_H

#include "base/err.h"

#include <stdbool.h>

enum { STORE_NAME_SIZE = 48 };

/* Creates a new unique name: UTC time, 63 random bits, one bit that selects the directory of the
 * partial file. */
enum err store_name_choose(char name[STORE_NAME_SIZE]);

/* True if a partial file of that name is stored in the second of the two directories. */
bool store_name_is_in_partial2(const char *name);

/* True if `name` has the form of such a name. */
bool store_name_is_valid(const char *name);

#endif
