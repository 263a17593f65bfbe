#include "store/inbox/partial_file.h"

#include "store/store_support.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

Test(inbox_partial_file, a_write_beyond_the_size_limit_is_an_error_and_counts_bytes,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    struct rlimit limit = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY};
    static char bytes[70000];
    struct inbox_partial_file file;

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(inbox_partial_file_begin(inbox, 8, &file), ERR_OK);
    cr_assert_eq(inbox_partial_file_write(&file, bytes, sizeof bytes), ERR_OK);
    cr_assert_eq(inbox_partial_file_write(&file, bytes, sizeof bytes),
                 ERR_TOO_LARGE); /* after a short write as well */
    cr_assert_eq(file.written_bytes, 100000);
    close(file.fd);
}
