#include "http/auth.h"

#include <criterion/criterion.h>

static const char token[] = "0123456789abcdef";

Test(http_token, a_bearer_token_is_accepted)
{
    cr_assert(http_auth_is_valid("Bearer 0123456789abcdef", token));
    cr_assert(http_auth_is_valid("bearer 0123456789abcdef", token));
}

Test(http_token, everything_else_is_rejected)
{
    static const char *const wrong[] = {"",
                                        "Bearer",
                                        "Bearer ",
                                        "0123456789abcdef",
                                        "Basic 0123456789abcdef",
                                        "Bearer 0123456789abcdeg",
                                        "Bearer 1123456789abcdef",
                                        "Bearer 0123456789abcde",
                                        "Bearer 0123456789abcdef ",
                                        "Bearer 0123456789abcdef0",
                                        "Bearer 0123456789abcdef0123456789abcdef",
                                        "Bearer  0123456789abcdef"};

    cr_assert_not(http_auth_is_valid(NULL, token));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert_not(http_auth_is_valid(wrong[i], token), "'%s'", wrong[i]);
}
