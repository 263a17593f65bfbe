/* Disk fault injection: replaces these C library calls in the whole test program. */
#ifndef STORE_BAD_DISK_H
#define STORE_BAD_DISK_H

#include <stdatomic.h>

enum { BAD_SYNC = 1, BAD_WRITE = 2, BAD_RENAME = 4, BAD_UNLINK = 8, BAD_ALL = 15 };

/* Counts calls of the kinds in `set`: `good` of them succeed, then `bad` fail with EIO (-1: all
 * later ones), then all succeed again. Zero-initialised: nothing fails. */
struct bad_disk {
    _Atomic unsigned set;
    _Atomic int good, bad;
    _Atomic unsigned refused; /* number of calls that failed */
};
extern struct bad_disk bad_disk;

void disk_refuses(unsigned set, int good, int bad);

#endif
