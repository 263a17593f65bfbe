#include "control/quota.h"

#include <stdlib.h>
#include <uthash.h>

/* One row for each user with pending sends: few, since the socket restricts access. */
struct user {
    UT_hash_handle hh;
    uid_t uid;
    size_t bytes;
};

struct control_quota {
    struct user *users;
    size_t bytes;
};

enum err control_quota_open(struct control_quota **out)
{
    *out = calloc(1, sizeof **out);
    return *out == NULL ? ERR_NO_MEMORY : ERR_OK;
}

static struct user *find(const struct control_quota *quota, uid_t uid)
{
    struct user *user;

    HASH_FIND(hh, quota->users, &uid, sizeof uid, user);
    return user;
}

static void drop(struct control_quota *quota, struct user *user)
{
    /* The head is not NULL while the table has an entry. */
    HASH_DEL(quota->users, user); /* NOLINT(clang-analyzer-core.*, clang-analyzer-unix.Malloc) */
    free(user);
}

void control_quota_close(struct control_quota **quota)
{
    struct user *user, *next;

    if (*quota == NULL)
        return;
    HASH_ITER (hh, (*quota)->users, user, next)
        drop(*quota, user);
    free(*quota);
    *quota = NULL;
}

static struct user *find_or_create(struct control_quota *quota, uid_t uid)
{
    struct user *user = find(quota, uid);

    if (user != NULL || (user = calloc(1, sizeof *user)) == NULL)
        return user;
    user->uid = uid;
    HASH_ADD(hh, quota->users, uid, sizeof user->uid, user);
    if (user->hh.tbl == NULL) {
        free(user);
        return NULL;
    }
    return user;
}

enum err control_quota_acquire(struct control_quota *quota, uid_t uid, size_t bytes)
{
    struct user *user = find_or_create(quota, uid);

    if (user == NULL)
        return ERR_NO_MEMORY;
    if (bytes > CONTROL_QUOTA_MAX - quota->bytes ||
        bytes > CONTROL_QUOTA_MAX_PER_USER - user->bytes) {
        if (user->bytes == 0)
            drop(quota, user);
        return ERR_FULL;
    }
    quota->bytes += bytes;
    user->bytes += bytes;
    return ERR_OK;
}

void control_quota_release(struct control_quota *quota, uid_t uid, size_t bytes)
{
    struct user *user = find(quota, uid);

    if (user == NULL || bytes == 0)
        return;
    quota->bytes -= bytes;
    user->bytes -= bytes;
    if (user->bytes == 0)
        drop(quota, user);
}

size_t control_quota_bytes(const struct control_quota *quota)
{
    return quota->bytes;
}
