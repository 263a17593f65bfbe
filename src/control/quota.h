/* Limits the memory that pending sends use for text (paths, contacts, descriptions, ...), in total
 * and per user, in bytes. Belongs to the control thread. */
#ifndef CONTROL_QUOTA_H
#define CONTROL_QUOTA_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

enum { CONTROL_QUOTA_MAX = 64 << 20, CONTROL_QUOTA_MAX_PER_USER = 32 << 20 };
struct control_quota;
enum err control_quota_open(struct control_quota **out);
void control_quota_close(struct control_quota **quota);
/* ERR_FULL: over a limit; nothing is acquired. */
enum err control_quota_acquire(struct control_quota *quota, uid_t uid, size_t bytes);
void control_quota_release(struct control_quota *quota, uid_t uid, size_t bytes);
size_t control_quota_bytes(const struct control_quota *quota);

#endif
