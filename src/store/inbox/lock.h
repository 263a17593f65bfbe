/* The lock file that marks the inbox as in use by a daemon. */
#ifndef STORE_INBOX_LOCK_H
#define STORE_INBOX_LOCK_H

/* Opens and locks the lock file in `partial_fd` and writes our process id into it. 0, or -1 with
 * errno; then `*fd` can be open (another process holds the lock). */
int inbox_lock_take(int partial_fd, int *fd);

#endif
