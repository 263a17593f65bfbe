#include "base/accept_error.h"

#include <criterion/criterion.h>
#include <errno.h>

TestSuite(accept_error, .timeout = 10);

Test(accept_error, of_a_connection_is_what_accept_2_says_of_the_network_and_firewalls)
{
    static const int of_connection[] = {ENETDOWN,     EPROTO,       ENOPROTOOPT, EHOSTDOWN,
                                        ENONET,       EHOSTUNREACH, EOPNOTSUPP,  ENETUNREACH,
                                        ECONNABORTED, EPERM,        EINTR};
    static const int of_listener[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EAGAIN, EBADF, EINVAL};

    for (size_t i = 0; i < sizeof of_connection / sizeof *of_connection; i++)
        cr_expect(accept_error_is_transient(of_connection[i]), "%d", of_connection[i]);
    for (size_t i = 0; i < sizeof of_listener / sizeof *of_listener; i++)
        cr_expect_not(accept_error_is_transient(of_listener[i]), "%d", of_listener[i]);
}

Test(accept_error, is_logged_once_until_absent_for_a_second)
{
    struct accept_error_log trouble = {0};
    uint64_t now_ms = 5000;

    cr_expect(accept_error_is_new(&trouble, now_ms));
    for (int i = 0; i < 50; i++) /* however long it goes on, and comes and goes */
        cr_expect_not(accept_error_is_new(&trouble, now_ms += ACCEPT_ERROR_QUIET_MS - 1));
    cr_expect(accept_error_is_new(&trouble, now_ms + ACCEPT_ERROR_QUIET_MS));
}
