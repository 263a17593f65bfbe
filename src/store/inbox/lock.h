/* The lock file that says that a daemon uses the inbox. */
#ifndef STORE_INBOX_LOCK_H
#define STORE_INBOX_LOCK_H

/* Opens and locks the lock file in `partial_fd` and writes our process id into it; 0, or -1 with
 * errno: then `*fd` may be open (another holds it). */
int inbox_lock_take(int partial_fd, int *fd);

#endif
