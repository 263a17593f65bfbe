/* The error codes of the whole project. A function that can fail returns one of these and nothing
 * else; ERR_OK is 0. Not for results ("there is none" is a NULL or a false, not an error). */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* name, the sentence that people read (no full stop, fits after a colon) */
#define ERR_LIST(X)                                                 \
    X(ERR_OK, "ok")                                                 \
    X(ERR_NO_MEMORY, "out of memory")                               \
    X(ERR_FULL, "the queue is full")                                \
    X(ERR_PENDING, "the answer comes later")                        \
    X(ERR_INVALID, "not valid")                                     \
    X(ERR_NOT_FOUND, "not found")                                   \
    X(ERR_EXISTS, "exists already")                                 \
    X(ERR_DENIED, "permission denied")                              \
    X(ERR_BUSY, "in use")                                           \
    X(ERR_NO_SPACE, "no space left on the disk")                    \
    X(ERR_QUOTA, "the disk quota is used up")                       \
    X(ERR_INBOX_QUOTA, "the quota of the inbox has no room for it") \
    X(ERR_INBOX_FILES, "the inbox is full: too many files")         \
    X(ERR_MIN_FREE, "too little of the disk would stay free")       \
    X(ERR_MIN_FREE_FILES, "too few inodes would stay free")         \
    X(ERR_NO_INBOX, "the inbox is not the folder that was opened")  \
    X(ERR_NO_PARTIAL, "its partial file or the folder was removed") \
    X(ERR_READ_ONLY, "the file system is read-only")                \
    X(ERR_IO, "input/output error")                                 \
    X(ERR_NOT_REGULAR, "not a regular file")                        \
    X(ERR_TOO_LARGE, "too large")                                   \
    X(ERR_SHRUNK, "the file became shorter while it was sent")      \
    X(ERR_CHANGED, "the file changed while it was sent")            \
    X(ERR_UNSIZED, "its size is not known in advance")              \
    X(ERR_DESCRIPTORS, "too many open files")                       \
    X(ERR_THREADS, "the limit of processes and threads is used up") \
    X(ERR_TIMEOUT, "timed out")                                     \
    X(ERR_INTERRUPTED, "interrupted by a signal")                   \
    X(ERR_AGAIN, "would block")                                     \
    X(ERR_CLOSED, "closed")                                         \
    X(ERR_RESET, "connection reset by the peer")                    \
    X(ERR_REFUSED, "connection refused")                            \
    X(ERR_UNREACHABLE, "host or network is unreachable")            \
    X(ERR_ADDRESS, "no such address on this machine")               \
    X(ERR_UNRESOLVED, "the name could not be resolved")             \
    X(ERR_NAME_SERVER, "the name server does not answer")           \
    X(ERR_SCOPE, "its scope is missing, as in fe80::1%eth0")        \
    X(ERR_PROTOCOL, "the peer broke the protocol")                  \
    X(ERR_CORRUPT, "the data is damaged")                           \
    X(ERR_DISABLED, "switched off in the settings")                 \
    X(ERR_CANCELLED, "cancelled")                                   \
    X(ERR_GATEWAY, "the gateway did not take it")                   \
    X(ERR_SYSTEM, "the operating system refused")

enum err {
#define X(name, text) name,
    ERR_LIST(X)
#undef X
};

/* Any thread. The sentence of `e`; never NULL. */
const char *err_text(enum err e);

/* Any thread. The name of `e` as written above, for logs and tests; never NULL. */
const char *err_name(enum err e);

/* Any thread. The one place where an errno becomes an err. 0 is ERR_OK; what has no code of its own
 * is ERR_SYSTEM (log strerror beside it). */
enum err err_from_errno(int error_number);

/* Any thread. The same of what pthread_create returned: it says EAGAIN at the limit of processes,
 * and also when there is no memory for a stack, which is tried here. */
enum err err_from_thread(int error_number);

/* Any thread. What to do about an error that comes from the process's, the machine's or the disk's
 * limits, whatever it was met at; `usual` for any other. */
const char *err_advice(enum err e, const char *usual);

#endif
