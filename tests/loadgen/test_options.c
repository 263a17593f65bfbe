#include "loadgen/options.h"

#include "loadgen/case.h"

#include <criterion/criterion.h>
#include <string.h>

enum { WORDS_MAX = 16 };

static struct loadgen_options options;
static enum loadgen_options_action action;
static char problem[LOADGEN_OPTIONS_PROBLEM_SIZE];

/* Parses a command line with words separated by single spaces. */
static enum err read_line(const char *line)
{
    static char text[512];
    char *words[WORDS_MAX] = {"dustwire-load"}, *rest = text;
    int count = 1;

    cr_assert_lt(strlen(line), sizeof text);
    strcpy(text, line);
    for (char *word; count < WORDS_MAX - 1 && (word = strsep(&rest, " ")) != NULL;)
        words[count++] = word;
    problem[0] = '\0';
    return loadgen_options_read(&options, &action, count, words, problem);
}

Test(loadgen_options, a_case_and_a_target_are_enough, .timeout = 5)
{
    cr_assert_eq(read_line("small 127.0.0.1:7771"), ERR_OK, "%s", problem);
    cr_assert_str_eq(options.the_case->name, "small");
    cr_assert_str_eq(options.target, "127.0.0.1:7771");
    cr_assert_eq(options.numbers.size, 1024);
    cr_assert_eq(options.numbers.window, 20);
    cr_assert_gt(options.numbers.seconds, 0);
}

Test(loadgen_options, every_case_has_a_time_limit, .timeout = 5)
{
    for (const struct loadgen_case *c = loadgen_cases; c->name != NULL; c++) {
        cr_assert_gt(c->defaults.seconds, 0, "%s", c->name);
        cr_assert_leq(c->defaults.seconds, LOADGEN_OPTIONS_SECONDS_MAX, "%s", c->name);
    }
    cr_assert_eq(read_line("bulk --seconds 0 h:1"), ERR_INVALID);
    cr_assert_eq(read_line("bulk --seconds 86401 h:1"), ERR_INVALID);
}

Test(loadgen_options, options_override_the_defaults_of_the_case, .timeout = 5)
{
    cr_assert_eq(read_line("bulk --size 3M --sessions 7 --rate 10 --quiet --json - host:1"), ERR_OK,
                 "%s", problem);
    cr_assert_eq(options.numbers.size, 3 << 20);
    cr_assert_eq(options.numbers.sessions, 7);
    cr_assert_eq(options.numbers.rate, 10);
    cr_assert(options.is_quiet);
    cr_assert_str_eq(options.json, "-");
}

Test(loadgen_options, errors_name_the_option, .timeout = 5)
{
    static const struct {
        const char *line, *named;
    } bad[] = {
        {"fast h:1", "fast"},
        {"small --window 41 h:1", "window"},
        {"small --size -1 h:1", "size"},
        {"bulk --size 2G h:1", "size"},
        {"bulk --no-such h:1", "no-such"},
        {"bulk --sessions", "sessions"},
        {"bulk", "HOST:PORT"},
        {"bulk h:1 h:2", "HOST:PORT"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(read_line(bad[i].line), ERR_INVALID, "%s", bad[i].line);
        cr_assert_not_null(strstr(problem, bad[i].named), "%s: %s", bad[i].line, problem);
    }
}

Test(loadgen_options, conflicting_options_are_refused, .timeout = 5)
{
    cr_assert_eq(read_line("small --files 10 --warm-up 1 h:1"), ERR_INVALID);
    cr_assert(strstr(problem, "--seconds") != NULL, "%s", problem);
    cr_assert_eq(read_line("small --warm-up 1 h:1"), ERR_OK, "%s", problem);
    cr_assert_eq(read_line("small localhost"), ERR_INVALID);
    cr_assert(strstr(problem, "HOST:PORT") != NULL, "%s", problem);
    cr_assert_eq(read_line("smal h:1"), ERR_INVALID);
    cr_assert(strstr(problem, "small, handshake") != NULL, "%s", problem);
    cr_assert(strstr(problem, "mixed or slow") != NULL, "%s", problem);
}

Test(loadgen_options, help_and_version_need_no_case, .timeout = 5)
{
    cr_assert_eq(read_line("--help"), ERR_OK);
    cr_assert_eq(action, LOADGEN_OPTIONS_ACTION_HELP);
    cr_assert_eq(read_line("-V"), ERR_OK);
    cr_assert_eq(action, LOADGEN_OPTIONS_ACTION_VERSION);
    cr_assert_eq(read_line("bulk --help"), ERR_OK);
    cr_assert_eq(action, LOADGEN_OPTIONS_ACTION_HELP);
}

Test(loadgen_options, sizes_take_powers_of_1024, .timeout = 5)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0}, {"512", 512}, {"4K", 4096}, {"512M", 512 << 20}, {"1G", 1 << 30}};
    static const char *const bad[] = {
        "", "K", "1k", "1T", "-1", "1.5M", " 1", "1 M", "99999999999999999999"};
    uint64_t bytes;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert_eq(loadgen_options_size_read(&bytes, good[i].text, INT32_MAX), ERR_OK, "%s",
                     good[i].text);
        cr_assert_eq(bytes, good[i].bytes, "%s", good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(loadgen_options_size_read(&bytes, bad[i], INT32_MAX), ERR_INVALID, "%s",
                     bad[i]);
    cr_assert_eq(loadgen_options_size_read(&bytes, "2G", INT32_MAX), ERR_INVALID);
}

Test(loadgen_options, both_parts_of_a_case_have_the_same_first_role, .timeout = 5)
{
    for (const struct loadgen_case *c = loadgen_cases; c->name != NULL; c++) {
        struct loadgen_run_plan alone = {0}, beside = {0};

        c->roles(&alone, &c->defaults, 0);
        cr_assert_geq(alone.role_count, 1, "%s", c->name);
        if (c->parts < 2)
            continue;
        c->roles(&beside, &c->defaults, 1);
        cr_assert_gt(beside.role_count, alone.role_count, "%s", c->name);
        cr_assert_str_eq(beside.roles[0].name, alone.roles[0].name);
        cr_assert_eq(beside.roles[0].sessions, alone.roles[0].sessions);
        cr_assert_eq(beside.roles[0].rate, alone.roles[0].rate);
    }
}
