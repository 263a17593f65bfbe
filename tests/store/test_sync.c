#include "store/sync.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

/* Without reliable syncfs(2) each file is synced. */
Test(store_sync, uses_syncfs_only_where_it_is_known_to_be_reliable, .timeout = 5)
{
    static const struct {
        const char *path;
        bool is_known;
    } rows[] = {{"/proc", false}, {"/sys", false}, {"/dev/shm", true}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int fd = open(rows[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0) /* not available on every machine */
            continue;
        cr_assert_eq(store_sync_is_syncfs_reliable(fd), rows[i].is_known, "%s", rows[i].path);
        close(fd);
    }
    cr_assert_not(store_sync_is_syncfs_reliable(-1));
}
