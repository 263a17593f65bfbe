#include "store/inbox/lock.h"

#include "store/inbox/state.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int inbox_lock_take(int partial_fd, int *fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    *fd = openat(partial_fd, INBOX_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (*fd < 0 || fcntl(*fd, F_OFD_SETLK, &whole) != 0)
        return -1;
    if (ftruncate(*fd, 0) == 0)
        dprintf(*fd, "%ld\n", (long)getpid()); /* informational only */
    return 0;
}
