/* The bytes of text (paths, contacts, descriptions, ...) of the sends that are not decided yet, in
 * all and by who asked for them. Belongs to the control thread. */
#ifndef CONTROL_HELD_H
#define CONTROL_HELD_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

enum { HELD_MAX = 64 << 20, HELD_MAX_PER_USER = 32 << 20 };
struct held;
enum err held_open(struct held **out);
void held_close(struct held **held);
/* ERR_FULL: it would be too much, nothing is taken. */
enum err held_take(struct held *held, uid_t uid, size_t bytes);
void held_give_back(struct held *held, uid_t uid, size_t bytes);
size_t held_bytes(const struct held *held);

#endif
