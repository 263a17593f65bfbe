/* The names of files that come in. */
#ifndef STORE_NAME_H
#define STORE_NAME_H

#include "base/err.h"

#include <stdbool.h>

enum { STORE_NAME_SIZE = 48 };

/* A name that no file has had: the time, 63 random bits and one for its place. */
enum err store_name_choose(char name[STORE_NAME_SIZE]);

/* True if a partial file of that name stands in the second of the two folders. */
bool store_name_is_of_second(const char *name);

/* True if `name` is one of those. */
bool store_name_is_valid(const char *name);

#endif
