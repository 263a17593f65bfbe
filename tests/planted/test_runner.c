/* Tests that must fail, one for each kind of failure that the plain runner must detect, and tests
 * of the options that it must support. tests/planted/must_fail.cmake runs each by its name. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

Test(planted, fails_an_assert, .timeout = 5)
{
    cr_assert(false, "planted");
}

Test(planted, fails_an_expect_and_goes_on, .timeout = 5)
{
    cr_expect(false, "planted");
}

Test(planted, dies_by_a_signal, .timeout = 5)
{
    raise(SIGKILL);
}

Test(planted, never_ends_with_all_signals_blocked, .timeout = 0.02)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (;;)
        pause();
}

Test(planted, exits_with_another_code, .exit_code = 3, .timeout = 5)
{
    exit(4);
}

Test(planted, fails_an_assert_where_exit_code_1_is_expected, .exit_code = 1, .timeout = 5)
{
    cr_assert(false, "planted");
}

ParameterizedTestParameters(planted, fails_with_the_second_parameter)
{
    static int numbers[] = {1, 2, 3};

    return cr_make_param_array(int, numbers, 3);
}

ParameterizedTest(int *number, planted, fails_with_the_second_parameter, .timeout = 5)
{
    cr_assert_neq(*number, 2, "planted");
}

/* Tests that must pass. */
static int steps;

static void step(void)
{
    steps++;
}

static void check_steps(void)
{
    if (steps != 2)
        abort();
}

Test(honoured, init_runs_before_and_fini_after, .init = step, .fini = check_steps, .timeout = 5)
{
    cr_assert_eq(steps, 1);
    step();
}

Test(honoured, an_expected_signal_passes, .signal = SIGTERM, .timeout = 5)
{
    raise(SIGTERM);
}

Test(honoured, an_expected_exit_code_passes, .exit_code = 3, .timeout = 5)
{
    exit(3);
}

Test(honoured, a_disabled_test_does_not_run, .disabled = true, .timeout = 5)
{
    abort();
}

TestSuite(honoured_suite, .init = step, .timeout = 5);

Test(honoured_suite, a_suite_has_an_init_too)
{
    cr_assert_eq(steps, 1);
}
