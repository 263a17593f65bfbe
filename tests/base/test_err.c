#include "base/err.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

Test(err, has_a_name_and_a_sentence_for_each_code, .timeout = 5)
{
    for (int e = ERR_OK; e <= ERR_SYSTEM; e++) {
        const char *text = err_text((enum err)e);

        cr_assert_eq(strncmp(err_name((enum err)e), "ERR_", 4), 0);
        cr_assert_gt(strlen(text), 1u);
        cr_assert_neq(text[strlen(text) - 1], '.', "it stands after a colon");
        for (int other = ERR_OK; other < e; other++)
            cr_assert_str_neq(text, err_text((enum err)other));
    }
    cr_assert_str_eq(err_name(ERR_NO_SPACE), "ERR_NO_SPACE");
    cr_assert_str_eq(err_text(ERR_NO_SPACE), "no space left on the disk");
}

Test(err, handles_unknown_codes, .timeout = 5)
{
    cr_assert_not_null(err_text((enum err)(ERR_SYSTEM + 1)));
    cr_assert_not_null(err_name((enum err)(ERR_SYSTEM + 1)));
    cr_assert_not_null(err_text((enum err) - 1));
}

Test(err, is_made_from_errno, .timeout = 5)
{
    static const struct {
        int error_number;
        enum err e;
    } table[] = {
        {0, ERR_OK},
        {ENOENT, ERR_NOT_FOUND},
        {EACCES, ERR_DENIED},
        {ENOSPC, ERR_NO_SPACE},
        {EDQUOT, ERR_QUOTA},
        {EROFS, ERR_READ_ONLY},
        {EMFILE, ERR_DESCRIPTORS},
        {EAGAIN, ERR_AGAIN},
        {EADDRINUSE, ERR_BUSY},
        {EADDRNOTAVAIL, ERR_ADDRESS},
        {ECONNRESET, ERR_RESET},
        {ECONNREFUSED, ERR_REFUSED},
        {ENETUNREACH, ERR_UNREACHABLE},
        {EPIPE, ERR_CLOSED},
        {ETIMEDOUT, ERR_TIMEOUT},
        {EXDEV, ERR_SYSTEM},
        {99999, ERR_SYSTEM},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        cr_assert_eq(err_from_errno(table[i].error_number), table[i].e, "%s",
                     strerror(table[i].error_number));
}

Test(err, limits_have_specific_advice, .timeout = 5)
{
    static const struct {
        int error_number;
        const char *advice; /* in it; NULL: the usual one */
    } rows[] = {
        {EMFILE, "ulimit -n"}, {ENFILE, "fs.file-max"}, {ENOMEM, "memory"},
        {ENOBUFS, "memory"},   {ENOSPC, "free space"},  {EDQUOT, "quota"},
        {EROFS, "read-write"}, {EIO, "disk"},           {EUCLEAN, "disk"},
        {EBADMSG, "disk"},     {ESTALE, "disk"},        {EINTR, "try again"},
        {EACCES, NULL},        {ENOENT, NULL},          {ENOTDIR, NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum err e = err_from_errno(rows[i].error_number);
        const char *advice = err_advice(e, "the usual");

        cr_expect(strstr(advice, rows[i].advice == NULL ? "the usual" : rows[i].advice) != NULL,
                  "%d: %s", rows[i].error_number, advice);
        cr_expect_null(strstr(advice, "remove"));
    }
}

static enum err of_a_thread_below(__rlimit_resource_t resource, rlim_t bytes)
{
    struct rlimit limit, low;
    enum err e;

    cr_assert_eq(getrlimit(resource, &limit), 0);
    low = (struct rlimit){.rlim_cur = bytes, .rlim_max = limit.rlim_max};
    cr_assert_eq(setrlimit(resource, &low), 0);
    e = err_from_thread(EAGAIN);
    setrlimit(resource, &limit);
    return e;
}

Test(err, of_a_thread_without_memory_for_its_stack_names_the_memory, .timeout = 5)
{
    static const rlim_t bytes[] = {4096, 65536, 1 << 20}; /* of 0 Linux makes an exception */

    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        cr_expect_eq(of_a_thread_below(RLIMIT_DATA, bytes[i]), ERR_NO_MEMORY);
        cr_expect_eq(of_a_thread_below(RLIMIT_AS, bytes[i]), ERR_NO_MEMORY);
    }
    cr_expect_eq(of_a_thread_below(RLIMIT_STACK, 1 << 20), ERR_THREADS);
}

Test(err, of_a_thread_that_could_not_be_started_names_the_limit, .timeout = 5)
{
    cr_assert_eq(err_from_thread(0), ERR_OK);
    cr_assert_eq(err_from_thread(EAGAIN), ERR_THREADS);
    cr_assert_eq(err_from_thread(EPERM), ERR_DENIED);
    cr_assert_eq(err_from_errno(EAGAIN), ERR_AGAIN);
}
