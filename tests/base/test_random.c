#include "base/random.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As a container's filter does it. */
static void refuse_getrandom(int error_number)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error_number),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof rules / sizeof *rules, .filter = rules};

    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static void check_distinct(void)
{
    enum { COUNT = 1000 };
    static uint64_t numbers[COUNT];
    uint64_t all = 0, none = ~UINT64_C(0);

    for (unsigned i = 0; i < COUNT; i++) {
        random_fill(&numbers[i], sizeof numbers[i]);
        all |= numbers[i];
        none &= numbers[i];
        for (unsigned k = 0; k < i; k++)
            cr_assert_neq(numbers[i], numbers[k]);
    }
    cr_assert_eq(all, ~UINT64_C(0), "each bit is set at times");
    cr_assert_eq(none, 0, "and at times not");
}

Test(random, returns_different_bytes_at_each_call, .timeout = 10)
{
    check_distinct();
}

Test(random, works_without_getrandom, .timeout = 10)
{
    char byte;

    refuse_getrandom(ENOSYS);
    cr_assert_eq(getrandom(&byte, 1, 0), -1);
    check_distinct();
}

Test(random, works_under_a_filter_that_denies_it, .timeout = 10)
{
    refuse_getrandom(EPERM);
    check_distinct();
}

Test(random, fills_exactly_the_requested_bytes, .timeout = 10)
{
    for (size_t length = 0; length < 70; length++) {
        unsigned char bytes[80], zero[80] = {0};

        memset(bytes, 0, sizeof bytes);
        random_fill(bytes, length);
        cr_assert_arr_eq(bytes + length, zero, sizeof bytes - length);
    }
}
