#include "control/quota.h"

#include <criterion/criterion.h>
#include <stdint.h>

static struct control_quota *held;

static void set_up(void)
{
    cr_assert_eq(control_quota_open(&held), ERR_OK);
}

static void clean_up(void)
{
    control_quota_close(&held);
}

Test(held, what_one_user_and_what_all_hold_is_bounded, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    static const struct {
        const char *name;
        uid_t uid;
        size_t bytes;
        bool is_given_back;
        enum err expected;
        size_t then;
    } rows[] = {
        {"some", 1, 1000, false, ERR_OK, 1000},
        {"up to the user's bound", 1, CONTROL_QUOTA_MAX_PER_USER - 1000, false, ERR_OK,
         CONTROL_QUOTA_MAX_PER_USER},
        {"one byte more", 1, 1, false, ERR_FULL, CONTROL_QUOTA_MAX_PER_USER},
        {"nothing is always taken", 1, 0, false, ERR_OK, CONTROL_QUOTA_MAX_PER_USER},
        {"another user still can", 2, 5, false, ERR_OK, CONTROL_QUOTA_MAX_PER_USER + 5},
        {"a number that would wrap", 2, SIZE_MAX, false, ERR_FULL, CONTROL_QUOTA_MAX_PER_USER + 5},
        {"more than a user may", 3, CONTROL_QUOTA_MAX_PER_USER + 1, false, ERR_FULL,
         CONTROL_QUOTA_MAX_PER_USER + 5},
        {"up to the bound of all", 3, CONTROL_QUOTA_MAX - CONTROL_QUOTA_MAX_PER_USER - 5, false,
         ERR_OK, CONTROL_QUOTA_MAX},
        {"nobody can any more", 4, 1, false, ERR_FULL, CONTROL_QUOTA_MAX},
        {"given back", 1, 1000, true, ERR_OK, CONTROL_QUOTA_MAX - 1000},
        {"there is room again", 4, 1000, false, ERR_OK, CONTROL_QUOTA_MAX},
        {"but no more than that", 1, 1, false, ERR_FULL, CONTROL_QUOTA_MAX},
        {"all of one user back", 3, CONTROL_QUOTA_MAX - CONTROL_QUOTA_MAX_PER_USER - 5, true,
         ERR_OK, CONTROL_QUOTA_MAX_PER_USER + 5},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum err e = ERR_OK;

        if (rows[i].is_given_back)
            control_quota_release(held, rows[i].uid, rows[i].bytes);
        else
            e = control_quota_acquire(held, rows[i].uid, rows[i].bytes);
        cr_expect_eq(e, rows[i].expected, "%s: %s", rows[i].name, err_name(e));
        cr_expect_eq(control_quota_bytes(held), rows[i].then, "%s: %zu", rows[i].name,
                     control_quota_bytes(held));
    }
}
