#include "base/err.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

static const char *const texts[] = {
#define X(name, text) [name] = text,
    ERR_LIST(X)
#undef X
};

static const char *const names[] = {
#define X(name, text) [name] = #name,
    ERR_LIST(X)
#undef X
};

const char *err_text(enum err e)
{
    return (size_t)e < sizeof texts / sizeof *texts ? texts[e] : "unknown error";
}

const char *err_name(enum err e)
{
    return (size_t)e < sizeof names / sizeof *names ? names[e] : "ERR_UNKNOWN";
}

enum err err_from_errno(int error_number)
{
    switch (error_number) {
    case 0:
        return ERR_OK;
    case ENOMEM:
    case ENOBUFS:
        return ERR_NO_MEMORY;
    case EINVAL:
    case ENAMETOOLONG:
        return ERR_INVALID;
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
    case ELOOP:
        return ERR_DENIED;
    case EADDRINUSE:
    case EBUSY:
    case ETXTBSY:
        return ERR_BUSY;
    case ENOSPC:
        return ERR_NO_SPACE;
    case EDQUOT:
        return ERR_QUOTA;
    case EROFS:
        return ERR_READ_ONLY;
    case EIO:
    case EUCLEAN: /* ext4, XFS and btrfs: corrupted structure */
    case EBADMSG:
    case ESTALE:
        return ERR_IO;
    case EINTR:
        return ERR_INTERRUPTED;
    case EISDIR:
    case ENXIO:
    case ENODEV:
        return ERR_NOT_REGULAR;
    case EFBIG:
    case EOVERFLOW:
        return ERR_TOO_LARGE;
    case EMFILE:
    case ENFILE:
        return ERR_DESCRIPTORS;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case EAGAIN:
        return ERR_AGAIN;
    case EPIPE:
    case ENOTCONN:
        return ERR_CLOSED;
    case ECONNRESET:
    case ECONNABORTED:
        return ERR_RESET;
    case ECONNREFUSED:
        return ERR_REFUSED;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
        return ERR_UNREACHABLE;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return ERR_ADDRESS;
    case ECANCELED:
        return ERR_CANCELLED;
    default:
        return ERR_SYSTEM;
    }
}

const char *err_advice(enum err e, const char *usual)
{
    switch (e) {
    case ERR_DESCRIPTORS:
        return "raise the open file limit of this process (ulimit -n, LimitNOFILE) or of the "
               "machine "
               "(fs.file-max)";
    case ERR_NO_MEMORY:
        return "free memory, or raise the memory limit of this process (ulimit -v or -d, "
               "MemoryMax)";
    case ERR_NO_SPACE:
        return "free space or inodes on that file system";
    case ERR_QUOTA:
        return "free space, or raise this user's quota on that file system";
    case ERR_READ_ONLY:
        return "remount that file system read-write, or use another";
    case ERR_IO:
        return "check the disk (see the kernel log)";
    case ERR_INTERRUPTED:
        return "try again";
    default:
        return usual;
    }
}

/* Tries to allocate a thread's stack. */
static bool has_memory_for_stack(void)
{
    enum { STACK_BYTES = 2 << 20 };
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    return stack != MAP_FAILED && munmap(stack, STACK_BYTES) == 0;
}

enum err err_from_thread(int error_number)
{
    if (error_number != EAGAIN)
        return err_from_errno(error_number);
    return has_memory_for_stack() ? ERR_THREADS : ERR_NO_MEMORY;
}
