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

Test(held, bytes_are_limited_per_user_and_in_total, .init = set_up, .fini = clean_up, .timeout = 5)
{
    static const struct {
        const char *name;
        uid_t uid;
        size_t bytes;
        bool is_released;
        enum err expected;
        size_t then;
    } rows[] = {
        {"some", 1, 1000, false, ERR_OK, 1000},
        {"up to the user's limit", 1, CONTROL_QUOTA_MAX_PER_USER - 1000, false, ERR_OK,
         CONTROL_QUOTA_MAX_PER_USER},
        {"one byte more", 1, 1, false, ERR_FULL, CONTROL_QUOTA_MAX_PER_USER},
        {"zero bytes always fit", 1, 0, false, ERR_OK, CONTROL_QUOTA_MAX_PER_USER},
        {"another user still can", 2, 5, false, ERR_OK, CONTROL_QUOTA_MAX_PER_USER + 5},
        {"a number that would wrap", 2, SIZE_MAX, false, ERR_FULL, CONTROL_QUOTA_MAX_PER_USER + 5},
        {"over a user's limit", 3, CONTROL_QUOTA_MAX_PER_USER + 1, false, ERR_FULL,
         CONTROL_QUOTA_MAX_PER_USER + 5},
        {"up to the total limit", 3, CONTROL_QUOTA_MAX - CONTROL_QUOTA_MAX_PER_USER - 5, false,
         ERR_OK, CONTROL_QUOTA_MAX},
        {"over the total limit", 4, 1, false, ERR_FULL, CONTROL_QUOTA_MAX},
        {"released", 1, 1000, true, ERR_OK, CONTROL_QUOTA_MAX - 1000},
        {"fits again", 4, 1000, false, ERR_OK, CONTROL_QUOTA_MAX},
        {"full again", 1, 1, false, ERR_FULL, CONTROL_QUOTA_MAX},
        {"all of one user released", 3, CONTROL_QUOTA_MAX - CONTROL_QUOTA_MAX_PER_USER - 5, true,
         ERR_OK, CONTROL_QUOTA_MAX_PER_USER + 5},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum err e = ERR_OK;

        if (rows[i].is_released)
            control_quota_release(held, rows[i].uid, rows[i].bytes);
        else
            e = control_quota_acquire(held, rows[i].uid, rows[i].bytes);
        cr_expect_eq(e, rows[i].expected, "%s: %s", rows[i].name, err_name(e));
        cr_expect_eq(control_quota_bytes(held), rows[i].then, "%s: %zu", rows[i].name,
                     control_quota_bytes(held));
    }
}
