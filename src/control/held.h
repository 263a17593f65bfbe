/* The bytes of text (paths, contacts, descriptions, ...) of the sends that are not decided yet, in
 * all and by who asked for them. Belongs to the control thread. */
#ifndef CONTROL_HELD_H
#define CONTROL_HELD_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

enum { CONTROL_HELD_MAX = 64 << 20, CONTROL_HELD_MAX_PER_USER = 32 << 20 };
struct control_held;
enum err control_held_open(struct control_held **out);
void control_held_close(struct control_held **held);
/* ERR_FULL: it would be too much, nothing is taken. */
enum err control_held_take(struct control_held *held, uid_t uid, size_t bytes);
void control_held_give_back(struct control_held *held, uid_t uid, size_t bytes);
size_t control_held_bytes(const struct control_held *held);

#endif
