/* The error codes of the project. A function that can fail returns one of these and nothing else;
 * ERR_OK is 0. Not for results: an absent item is NULL or false, not an error. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* name, text for messages (no full stop, fits after a colon) */
#define ERR_LIST(X)                                                    \
    X(ERR_OK, "ok")                                                    \
    X(ERR_NO_MEMORY, "out of memory")                                  \
    X(ERR_FULL, "queue full")                                          \
    X(ERR_PENDING, "result pending")                                   \
    X(ERR_INVALID, "not valid")                                        \
    X(ERR_NOT_FOUND, "not found")                                      \
    X(ERR_EXISTS, "already exists")                                    \
    X(ERR_DENIED, "permission denied")                                 \
    X(ERR_BUSY, "in use")                                              \
    X(ERR_NO_SPACE, "no space left on the disk")                       \
    X(ERR_QUOTA, "disk quota exceeded")                                \
    X(ERR_INBOX_QUOTA, "inbox quota exceeded")                         \
    X(ERR_INBOX_FILES, "inbox file limit reached")                     \
    X(ERR_MIN_FREE, "free disk space would drop below the limit")      \
    X(ERR_MIN_FREE_FILES, "free inodes would drop below the limit")    \
    X(ERR_NO_INBOX, "the inbox was replaced by another directory")     \
    X(ERR_NO_PARTIAL, "the partial file or its directory was removed") \
    X(ERR_READ_ONLY, "read-only file system")                          \
    X(ERR_IO, "input/output error")                                    \
    X(ERR_NOT_REGULAR, "not a regular file")                           \
    X(ERR_TOO_LARGE, "too large")                                      \
    X(ERR_SHRUNK, "the file became shorter while it was sent")         \
    X(ERR_CHANGED, "the file changed while it was sent")               \
    X(ERR_UNSIZED, "its size is not known in advance")                 \
    X(ERR_DESCRIPTORS, "too many open files")                          \
    X(ERR_THREADS, "process and thread limit reached")                 \
    X(ERR_TIMEOUT, "timed out")                                        \
    X(ERR_INTERRUPTED, "interrupted by a signal")                      \
    X(ERR_AGAIN, "would block")                                        \
    X(ERR_CLOSED, "closed")                                            \
    X(ERR_RESET, "connection reset by the peer")                       \
    X(ERR_REFUSED, "connection refused")                               \
    X(ERR_UNREACHABLE, "host or network unreachable")                  \
    X(ERR_ADDRESS, "no such address on this machine")                  \
    X(ERR_UNRESOLVED, "the name could not be resolved")                \
    X(ERR_NAME_SERVER, "the name server does not answer")              \
    X(ERR_SCOPE, "missing scope, as in fe80::1%eth0")                  \
    X(ERR_PROTOCOL, "protocol violation by the peer")                  \
    X(ERR_CORRUPT, "data corrupted")                                   \
    X(ERR_DISABLED, "disabled in the settings")                        \
    X(ERR_CANCELLED, "cancelled")                                      \
    X(ERR_GATEWAY, "rejected by the gateway")                          \
    X(ERR_SYSTEM, "operating system error")

enum err {
#define X(name, text) name,
    ERR_LIST(X)
#undef X
};

/* Any thread. The text of `e`; never NULL. */
const char *err_text(enum err e);

/* Any thread. The name of `e` as written above, for logs and tests; never NULL. */
const char *err_name(enum err e);

/* Any thread. Converts an errno. 0 is ERR_OK; an errno without a code of its own is ERR_SYSTEM (log
 * strerror with it). */
enum err err_from_errno(int error_number);

/* Any thread. The same for the result of pthread_create: EAGAIN means that the process limit was
 * reached or that memory for the stack is missing; this function tests which. */
enum err err_from_thread(int error_number);

/* Any thread. What to do about an error caused by a limit of the process, the machine or the disk;
 * `usual` for all others. */
const char *err_advice(enum err e, const char *usual);

#endif
