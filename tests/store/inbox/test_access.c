#include "store/inbox/access.h"

#include "store/inbox/partial_file.h"
#include "store/inbox/state.h"
#include "store/store_support.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Test(inbox_access, gives_files_and_folder_the_mode_and_group_of_the_settings, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    char problem[512];
    struct inbox_partial_file file;
    struct stat status;

    if (geteuid() != 0)
        cr_skip_test("only root can give files to any group");
    umask(0077);
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    cr_assert_eq(inbox_access_set(inbox, "nogroup", 0640, problem, sizeof problem), ERR_OK);
    cr_assert_eq(inbox_partial_file_begin(inbox, 8, &file), ERR_OK);
    cr_assert_eq(fstat(file.fd, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0640);
    cr_assert_eq(status.st_gid, 65534);
    cr_assert_eq(fstat(inbox->dir_fd, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0750);
    cr_assert_eq(status.st_gid, 65534);
    cr_assert_eq(fstat(inbox->partial_fd, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0700);
    close(file.fd);
}

Test(inbox_access, an_unknown_group_is_an_error_at_start, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    char problem[512];

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    cr_assert_eq(inbox_access_set(inbox, "no-such-group", 0640, problem, sizeof problem),
                 ERR_NOT_FOUND);
    cr_assert_not_null(strstr(problem, "no-such-group"));
}
