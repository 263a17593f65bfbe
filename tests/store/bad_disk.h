/* A disk that refuses: these calls stand in the place of the C library's, for the whole test
 * program. */
#ifndef STORE_BAD_DISK_H
#define STORE_BAD_DISK_H

#include <stdatomic.h>

enum { BAD_SYNC = 1, BAD_WRITE = 2, BAD_RENAME = 4, BAD_UNLINK = 8, BAD_ALL = 15 };

/* Calls of the kinds in `set` are counted; `good` of them pass, then `bad` fail with EIO (-1: all
 * from then on), then all pass again. All zero: nothing fails. */
struct bad_disk {
    _Atomic unsigned set;
    _Atomic int good, bad;
    _Atomic unsigned refused; /* so many were */
};
extern struct bad_disk bad_disk;

void disk_refuses(unsigned set, int good, int bad);

#endif
