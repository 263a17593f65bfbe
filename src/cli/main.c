/* dustwire: parses the command line and runs the command. The commands are in commands.c. */
#include "base/clock.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/contact.h"
#include "cli/exit.h"
#include "cli/format.h"
#include "cli/hook.h"
#include "cli/nearest.h"
#include "cli/options.h"
#include "cli/output.h"
#include "rpc/document.h"
#include "settings/settings.h"

#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    OPTION_SOCKET = 256,
    OPTION_URL,
    OPTION_TOKEN_FILE,
    OPTION_JSON,
    OPTION_TIMEOUT,
    OPTION_VERSION,
    OPTION_HELP,
    OPTION_OF_COMMAND = 4096
};
enum { TIMEOUT_MAX_S = 86400, NAME_SIZE = 64 };

static const struct option all_options[] = {
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"url", required_argument, NULL, OPTION_URL},
    {"token-file", required_argument, NULL, OPTION_TOKEN_FILE},
    {"json", no_argument, NULL, OPTION_JSON},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {"recursive", no_argument, NULL, OPTION_OF_COMMAND + CLI_RECURSIVE},
    {"single", no_argument, NULL, OPTION_OF_COMMAND + CLI_SINGLE},
    {"idurl", required_argument, NULL, OPTION_OF_COMMAND + CLI_IDURL},
    {"description", required_argument, NULL, OPTION_OF_COMMAND + CLI_DESCRIPTION},
    {"after", required_argument, NULL, OPTION_OF_COMMAND + CLI_AFTER},
    {"count", required_argument, NULL, OPTION_OF_COMMAND + CLI_COUNT},
    {"since", required_argument, NULL, OPTION_OF_COMMAND + CLI_SINCE},
    {"on", required_argument, NULL, OPTION_OF_COMMAND + CLI_ON},
    {"exec", required_argument, NULL, OPTION_OF_COMMAND + CLI_EXEC},
    {"jobs", required_argument, NULL, OPTION_OF_COMMAND + CLI_JOBS},
    {"dot", no_argument, NULL, OPTION_OF_COMMAND + CLI_DOT},
    {NULL, 0, NULL, 0},
};

static enum cli_exit usage_error(const struct cli_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum cli_exit usage_error(const struct cli_command *command, const char *format, ...)
{
    va_list list;

    fputs("dustwire: ", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    if (command == NULL)
        fputs("; see 'dustwire help'\n", stderr);
    else
        fprintf(stderr, "; see 'dustwire help %s'\n", command->name);
    return CLI_USAGE;
}

/* What each option's value can be, for error messages. */
static const char *const socket_value = "the path of the control socket, at most 107 bytes";
static const char *const token_file_value = "a file path";
static const char *const timeout_value = "an integer from 1 to 86400 (seconds)";

static const struct {
    unsigned option;
    const char *form;
} expected_values[] = {
    {CLI_AFTER, "an event number, or 0 for all events that the daemon still holds"},
    {CLI_COUNT, "an integer of at least 1"},
    {CLI_JOBS, "an integer from 1 to 64"},
    {CLI_SINCE, "a duration such as 90s, 15m, 1h or 2d, or a valid UTC time such as 2026-11-21 or "
                "2026-11-21T03:14:15"},
    {CLI_ON, "comma-separated event names"},
};
_Static_assert(CLI_HOOK_JOBS_MAX == 64, "the text for --jobs names the limit");

static const char *expected_value(unsigned option)
{
    for (size_t i = 0; i < sizeof expected_values / sizeof *expected_values; i++)
        if (expected_values[i].option == option)
            return expected_values[i].form;
    return "a different value";
}

static enum cli_exit reject_value(const struct cli_command *command, const char *name,
                                  const char *form)
{
    return usage_error(command, "invalid value '%s' for --%s: expected %s", optarg, name, form);
}

/* False if the path is empty or longer than `size` bytes with its NUL. */
static bool read_path(const char **out, size_t size)
{
    *out = optarg;
    return optarg[0] != '\0' && strlen(optarg) < size;
}

static const char *option_name(unsigned option)
{
    for (const struct option *o = all_options; o->name != NULL; o++)
        if (o->val == (int)(OPTION_OF_COMMAND + option))
            return o->name;
    return "?";
}

static bool read_number(int64_t *out, const char *text)
{
    uint64_t number;

    if (text_to_u64(&number, text, INT64_MAX) != ERR_OK)
        return false;
    *out = (int64_t)number;
    return true;
}

static bool read_value(struct cli *cli, unsigned option, const char *value)
{
    cli->given |= option;
    switch (option) {
    case CLI_IDURL:
        cli->idurl = value;
        return true;
    case CLI_DESCRIPTION:
        cli->description = value;
        return true;
    case CLI_AFTER:
        return read_number(&cli->after, value);
    case CLI_COUNT:
        return read_number(&cli->count, value) && cli->count > 0;
    case CLI_ON:
        cli->on = value;
        return value[0] != '\0';
    case CLI_JOBS:
        return read_number(&cli->jobs, value) && cli->jobs >= 1 && cli->jobs <= CLI_HOOK_JOBS_MAX;
    case CLI_SINCE:
        return cli_since(&cli->since_us, value, clock_real_us()) == ERR_OK;
    default:
        return true;
    }
}

/* True for the command's own options and the global ones. */
static bool is_option_of(const struct cli_command *command, const struct option *option)
{
    unsigned own = (unsigned)option->val - OPTION_OF_COMMAND;

    return option->val < OPTION_OF_COMMAND || (command != NULL && (command->options & own) != 0);
}

/* The option that `word` abbreviates; NULL if there is none, or more than one. */
static const struct option *option_with_prefix(const char *word, size_t length)
{
    const struct option *found = NULL;

    for (const struct option *o = all_options; o->name != NULL; o++) {
        if (strncmp(o->name, word, length) != 0)
            continue;
        if (o->name[length] == '\0')
            return o;
        if (found != NULL)
            return NULL;
        found = o;
    }
    return found;
}

static enum cli_exit reject_long_option(const struct cli_command *command, const char *word)
{
    size_t length = strcspn(word, "=");
    const struct option *known = option_with_prefix(word + 2, length - 2);
    char name[NAME_SIZE];
    struct cli_nearest nearest = {.word = name};

    snprintf(name, sizeof name, "%.*s", (int)length - 2, word + 2);
    if (known != NULL && word[length] == '=')
        return usage_error(command, "option --%s takes no value", known->name);
    for (const struct option *o = all_options; o->name != NULL; o++)
        if (is_option_of(command, o))
            cli_nearest_try(&nearest, o->name);
    if (nearest.nearest == NULL)
        return usage_error(command, "unknown option %.*s", (int)length, word);
    return usage_error(command, "unknown option %.*s: did you mean --%s?", (int)length, word,
                       nearest.nearest);
}

/* A negative number or a file name can look like an option. */
static enum cli_exit reject_option(const struct cli_command *command, const char *word)
{
    if (word[1] == '-')
        return reject_long_option(command, word);
    if (command == NULL || command->max_arguments == 0)
        return usage_error(command, "unknown option %s", word);
    return usage_error(command,
                       "unknown option %s: put an argument that begins with '-' after --, as in "
                       "'dustwire %s -- %s'",
                       word, command->name, command->usage);
}

static void print_version(void)
{
    puts("dustwire " DUSTWIRE_VERSION);
}

/* Applies one option; sets *is_done if the program is to exit. */
static enum cli_exit apply_option(struct cli *cli, const struct cli_command *command, int found,
                                  const char *word, bool *is_done)
{
    unsigned option;

    switch (found) {
    case OPTION_SOCKET:
        *is_done = !read_path(&cli->socket, sizeof(((struct sockaddr_un *)0)->sun_path));
        return *is_done ? reject_value(command, "socket", socket_value) : CLI_OK;
    case OPTION_URL:
        cli->url = optarg;
        *is_done = !cli_url_check(cli->url);
        return *is_done ? CLI_USAGE : CLI_OK;
    case OPTION_TOKEN_FILE:
        *is_done = !read_path(&cli->token_file, PATH_MAX);
        return *is_done ? reject_value(command, "token-file", token_file_value) : CLI_OK;
    case OPTION_JSON:
        cli->is_json = true;
        return CLI_OK;
    case OPTION_TIMEOUT:
        *is_done = !read_number(&cli->timeout_s, optarg) || cli->timeout_s < 1 ||
                   cli->timeout_s > TIMEOUT_MAX_S;
        return *is_done ? reject_value(command, "timeout", timeout_value) : CLI_OK;
    case OPTION_VERSION:
        *is_done = true;
        print_version();
        return CLI_OK;
    case 'h':
    case OPTION_HELP:
        *is_done = true;
        if (command == NULL)
            cli_print_overview(stdout);
        else
            cli_print_help(command, stdout);
        return CLI_OK;
    case '?':
    case ':':
        *is_done = true;
        return found == ':' ? usage_error(command, "option %s requires a value", word)
                            : reject_option(command, word);
    }
    option = found == 'r' ? CLI_RECURSIVE : (unsigned)found - OPTION_OF_COMMAND;
    *is_done = true;
    if (command == NULL || (command->options & option) == 0)
        return usage_error(command, "option --%s %s", option_name(option),
                           command == NULL ? "must follow the command"
                                           : "is not valid for this command");
    if (!read_value(cli, option, optarg))
        return reject_value(command, option_name(option), expected_value(option));
    *is_done = false;
    return CLI_OK;
}

/* The option that getopt has just rejected: one of several letters after a dash, or a whole word.
 */
static const char *rejected_word(char letter[3], char **words)
{
    if (optopt <= 0 || optopt > CHAR_MAX)
        return words[optind - 1];
    letter[0] = '-';
    letter[1] = (char)optopt;
    letter[2] = '\0';
    return letter;
}

/* `letters` begins with '+' before the command, where options end at the first argument. */
static enum cli_exit parse_options(struct cli *cli, const struct cli_command *command, int count,
                                   char **words, const char *letters, bool *is_done)
{
    enum cli_exit exit_code = CLI_OK;
    char letter[3];

    optind = 0;
    opterr = 0;
    for (;;) {
        int found = getopt_long(count, words, letters, all_options, NULL);

        if (found < 0)
            break;
        exit_code = apply_option(cli, command, found, rejected_word(letter, words), is_done);
        if (*is_done)
            return exit_code;
        if (cli->given & CLI_EXEC) { /* all further arguments are the program's */
            cli->program = words + optind - 1;
            optind = count;
            break;
        }
    }
    return exit_code;
}

static enum cli_exit run_command(struct cli *cli, const struct cli_command *command)
{
    enum cli_exit exit_code;

    if (command->run == cli_help)
        return cli_help(cli);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    rpc_library_init();
    cli->client = cli_client_new(cli->socket, cli->url, cli->token_file);
    if (cli->client != NULL && cli->timeout_s > 0)
        cli_client_wait_for(cli->client, cli->timeout_s);
    exit_code = cli->client == NULL ? CLI_FAILED : command->run(cli);
    cli_client_free(&cli->client);
    rpc_library_fini();
    curl_global_cleanup();
    return exit_code;
}

static enum cli_exit dispatch(struct cli *cli, int count, char **words)
{
    const struct cli_command *command = cli_find_command(words[0]);
    bool is_done = false;
    enum cli_exit exit_code;

    if (command == NULL) {
        cli_reject_command(words[0]);
        return CLI_USAGE;
    }
    exit_code = parse_options(cli, command, count, words, ":rh", &is_done);
    if (is_done)
        return exit_code;
    cli->arguments = words + optind;
    cli->argument_count = count - optind;
    if (cli->argument_count < command->min_arguments)
        return usage_error(command, "'%s' requires %s", command->name, command->usage);
    if (command->max_arguments >= 0 && cli->argument_count > command->max_arguments)
        return usage_error(command, "'%s': unexpected argument '%s'", command->name,
                           cli->arguments[command->max_arguments]);
    return run_command(cli, command);
}

/* A write error must not look like success. If the reader has exited (`| head`), terminate by
 * SIGPIPE as other programs do. */
static enum cli_exit close_output(enum cli_exit exit_code)
{
    int error_number = cli_output_close();

    if (exit_code == CLI_OUTPUT_CLOSED || (exit_code == CLI_OK && error_number == EPIPE)) {
        cli_output_raise_sigpipe();
        error_number = EPIPE;
        exit_code = CLI_FAILED;
    }
    if (error_number == 0)
        return exit_code;
    fprintf(stderr, "dustwire: cannot write to standard output: %s\n", strerror(error_number));
    return exit_code == CLI_OK ? CLI_FAILED : exit_code;
}

int main(int count, char **words)
{
    struct settings defaults;
    struct cli cli = {.since_us = 0};
    bool is_done = false;
    enum cli_exit exit_code;

    cli_output_open();
    settings_default(&defaults);
    cli.socket = defaults.control.socket;
    exit_code = parse_options(&cli, NULL, count, words, "+:rh", &is_done);
    if (is_done)
        return (int)close_output(exit_code);
    if (optind >= count) {
        cli_print_overview(stderr);
        return (int)CLI_USAGE;
    }
    return (int)close_output(dispatch(&cli, count - optind, words + optind));
}
