#include "loadgen/options.h"

#include "loadgen/payload.h"

#include "base/address.h"
#include "base/text.h"
#include "wire/frame.h"

#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROW = 256, HELP_COLUMN = 24, IDURL_MAX = 1000 };

enum kind { KIND_NUMBER, KIND_SIZE, KIND_TEXT, KIND_FLAG };

#define AT(field)        offsetof(struct loadgen_options, field)
#define AT_NUMBER(field) AT(numbers.field)

static const struct row {
    const char *name;
    enum kind kind;
    size_t offset;
    uint64_t min, max;
    const char *argument, *meaning;
} rows[] = {
    {"sessions", KIND_NUMBER, AT_NUMBER(sessions), 1, LOADGEN_OPTIONS_SESSIONS_MAX, "N",
     "concurrent sessions"},
    {"files", KIND_NUMBER, AT_NUMBER(files), 0, UINT32_MAX, "N",
     "files (handshakes) in total; 0: until the time limit"},
    {"size", KIND_SIZE, AT_NUMBER(size), 0, FRAME_FILE_SIZE_MAX, "SIZE", "file size: 1K, 64M, 1G"},
    {"window", KIND_NUMBER, AT_NUMBER(window), 1, LOADGEN_PAYLOAD_WINDOW_MAX, "N",
     "files in flight in each session"},
    {"rate", KIND_NUMBER, AT_NUMBER(rate), 0, 10000000, "N",
     "files (handshakes) per second in total, answered or not: latency is then measured from the "
     "time when each was due; 0: next on answer"},
    {"seconds", KIND_NUMBER, AT_NUMBER(seconds), 1, LOADGEN_OPTIONS_SECONDS_MAX, "N",
     "time limit of each part"},
    {"warm-up", KIND_NUMBER, AT_NUMBER(warm_up_s), 0, LOADGEN_OPTIONS_SECONDS_MAX, "SECONDS",
     "unmeasured time before it; default 0"},
    {"threads", KIND_NUMBER, AT(threads), 1, LOADGEN_OPTIONS_THREADS_MAX, "N",
     "threads of this program; default 1"},
    {"keep-alive", KIND_NUMBER, AT_NUMBER(keep_alive_s), 0, LOADGEN_OPTIONS_SECONDS_MAX, "SECONDS",
     "idle: keep-alive interval of each session; 0: none"},
    {"beside", KIND_NUMBER, AT_NUMBER(beside), 0, LOADGEN_OPTIONS_SESSIONS_MAX, "N",
     "bulk, small: additional idle sessions"},
    {"bulk-sessions", KIND_NUMBER, AT_NUMBER(bulk_sessions), 1, LOADGEN_OPTIONS_SESSIONS_MAX, "N",
     "mixed: sessions with large files"},
    {"bulk-size", KIND_SIZE, AT_NUMBER(bulk_size), 1, FRAME_FILE_SIZE_MAX, "SIZE",
     "mixed: size of a large file"},
    {"bulk-rate", KIND_SIZE, AT_NUMBER(bulk_rate), 0, UINT64_C(1) << 40, "SIZE",
     "mixed: bytes per second of all bulk sessions together; 0: unlimited"},
    {"slow-percent", KIND_NUMBER, AT_NUMBER(slow_percent), 1, 99, "N",
     "slow: percentage of slow sessions"},
    {"chunk-kib", KIND_NUMBER, AT(chunk_kib), 1, FRAME_DATA_BYTES_MAX / 1024, "N",
     "file bytes per data frame; default 96"},
    {"spread", KIND_NUMBER, AT(spread), 0, 250, "N",
     "number of local addresses (from 127.0.1.1) to connect from, for more ports; 0: one"},
    {"pid", KIND_NUMBER, AT(pid), 1, INT32_MAX, "PID",
     "process of the daemon: reports its CPU time and memory"},
    {"socket", KIND_TEXT, AT(socket), 0, 0, "PATH", "the same by the daemon's control socket"},
    {"inbox", KIND_TEXT, AT(inbox), 0, 0, "DIR",
     "remove received files from this inbox during the run"},
    {"json", KIND_TEXT, AT(json), 0, 0, "FILE", "write the results as JSON; -: to stdout"},
    {"idurl", KIND_TEXT, AT(idurl), 0, 0, "URL", "identity sent in the hello"},
    {"quiet", KIND_FLAG, AT(is_quiet), 0, 0, NULL, "no progress line"},
};

enum { ROWS = sizeof rows / sizeof *rows };

void loadgen_options_help(FILE *out)
{
    fputs("Usage: dustwire-load CASE [OPTION]... HOST:PORT\n"
          "\n"
          "Load generator for dustwired and other nodes that speak its protocol.\n"
          "\n"
          "Cases:\n",
          out);
    for (const struct loadgen_case *c = loadgen_cases; c->name != NULL; c++)
        fprintf(out, "  %-10s %s\n", c->name, c->summary);
    fputs("\nOptions:\n", out);
    for (size_t i = 0; i < ROWS; i++) {
        int length = fprintf(out, "  --%s%s%s", rows[i].name, rows[i].argument ? " " : "",
                             rows[i].argument ? rows[i].argument : "");

        fprintf(out, "%*s%s\n", length < HELP_COLUMN ? HELP_COLUMN - length : 1, "",
                rows[i].meaning);
    }
    fputs(
        "  -h, --help            show this help\n"
        "  -V, --version         show the version\n"
        "\n"
        "Ctrl-C stops the run and prints the results so far. Exit status: 0: success; 1: the run\n"
        "failed, or sessions or files failed; 2: invalid usage.\n",
        out);
}

enum err loadgen_options_size_read(uint64_t *out, const char *text, uint64_t max)
{
    static const char suffixes[] = "KMG";
    size_t length = strlen(text);
    const char *suffix = length == 0 ? NULL : strchr(suffixes, text[length - 1]);
    unsigned shift = suffix == NULL ? 0 : 10 * (unsigned)(suffix - suffixes + 1);
    char digits[24];
    uint64_t number;

    if (suffix != NULL)
        length--;
    if (length >= sizeof digits)
        return ERR_INVALID;
    memcpy(digits, text, length);
    digits[length] = '\0';
    if (text_to_u64(&number, digits, max >> shift) != ERR_OK)
        return ERR_INVALID;
    *out = number << shift;
    return ERR_OK;
}

static enum err read_value(struct loadgen_options *out, const struct row *row, const char *text)
{
    void *field = (char *)out + row->offset;
    uint64_t number;

    switch (row->kind) {
    case KIND_FLAG:
        *(bool *)field = true;
        return ERR_OK;
    case KIND_TEXT:
        *(const char **)field = text;
        return ERR_OK;
    default:
        break;
    }
    if (loadgen_options_size_read(&number, text, row->max) != ERR_OK || number < row->min)
        return ERR_INVALID;
    *(uint64_t *)field = number;
    return ERR_OK;
}

static void fill_long_options(struct option to[ROWS + 3])
{
    memset(to, 0, (ROWS + 3) * sizeof *to);
    for (int i = 0; i < ROWS; i++)
        to[i] = (struct option){.name = rows[i].name,
                                .has_arg = rows[i].argument ? required_argument : no_argument,
                                .val = FIRST_ROW + i};
    to[ROWS] = (struct option){.name = "help", .val = 'h'};
    to[ROWS + 1] = (struct option){.name = "version", .val = 'V'};
}

static enum err read_option(struct loadgen_options *out, enum loadgen_options_action *action,
                            int option, char **argv, char problem[LOADGEN_OPTIONS_PROBLEM_SIZE])
{
    const struct row *row;

    if (option == 'h' || option == 'V') {
        *action = option == 'h' ? LOADGEN_OPTIONS_ACTION_HELP : LOADGEN_OPTIONS_ACTION_VERSION;
        return ERR_OK;
    }
    if (option < FIRST_ROW) {
        snprintf(problem, LOADGEN_OPTIONS_PROBLEM_SIZE,
                 "unknown option '%s', or its argument is missing", argv[optind - 1]);
        return ERR_INVALID;
    }
    row = &rows[option - FIRST_ROW];
    if (read_value(out, row, optarg) == ERR_OK)
        return ERR_OK;
    snprintf(problem, LOADGEN_OPTIONS_PROBLEM_SIZE,
             "invalid value '%s' for --%s: expected %llu to %llu", optarg, row->name,
             (unsigned long long)row->min, (unsigned long long)row->max);
    return ERR_INVALID;
}

static void name_cases(char problem[LOADGEN_OPTIONS_PROBLEM_SIZE], const char *name)
{
    int length = snprintf(problem, LOADGEN_OPTIONS_PROBLEM_SIZE,
                          "unknown case '%.40s'; the first argument must be ", name);

    for (const struct loadgen_case *c = loadgen_cases; c->name != NULL; c++)
        length += snprintf(problem + length, LOADGEN_OPTIONS_PROBLEM_SIZE - (size_t)length, "%s%s",
                           c->name,
                           c[1].name == NULL   ? ""
                           : c[2].name == NULL ? " or "
                                               : ", ");
}

static enum err read_case(struct loadgen_options *out, int argc, char **argv,
                          char problem[LOADGEN_OPTIONS_PROBLEM_SIZE])
{
    const char *name = argc > 1 ? argv[1] : "";

    out->the_case = loadgen_case_find(name);
    if (out->the_case != NULL) {
        out->numbers = out->the_case->defaults;
        return ERR_OK;
    }
    name_cases(problem, name);
    return ERR_INVALID;
}

static enum err check_together(const struct loadgen_options *o,
                               char problem[LOADGEN_OPTIONS_PROBLEM_SIZE])
{
    char host[ADDRESS_HOST_SIZE];
    uint16_t port;

    if (o->target == NULL)
        snprintf(problem, LOADGEN_OPTIONS_PROBLEM_SIZE, "expected one HOST:PORT after the options");
    else if (address_split(o->target, host, &port) != ERR_OK)
        snprintf(problem, LOADGEN_OPTIONS_PROBLEM_SIZE,
                 "invalid target '%.100s': expected HOST:PORT", o->target);
    else if (strlen(o->idurl) > IDURL_MAX)
        snprintf(problem, LOADGEN_OPTIONS_PROBLEM_SIZE, "--idurl is longer than %d bytes",
                 IDURL_MAX);
    else if (o->numbers.warm_up_s > 0 && o->numbers.files > 0)
        snprintf(problem, LOADGEN_OPTIONS_PROBLEM_SIZE,
                 "--warm-up cannot be combined with --files: use --seconds");
    else
        return ERR_OK;
    return ERR_INVALID;
}

/* The case is the first argument: its defaults must be set before options override them. */
enum err loadgen_options_read(struct loadgen_options *out, enum loadgen_options_action *action,
                              int argc, char **argv, char problem[LOADGEN_OPTIONS_PROBLEM_SIZE])
{
    struct option long_options[ROWS + 3];
    bool has_case = argc > 1 && argv[1][0] != '-';
    int option;

    *out = (struct loadgen_options){.threads = 1,
                                    .chunk_kib = 96,
                                    .spread = UINT64_MAX,
                                    .idurl = "http://load.invalid/peer.xml"};
    *action = LOADGEN_OPTIONS_ACTION_RUN;
    if (has_case && read_case(out, argc, argv, problem) != ERR_OK)
        return ERR_INVALID;
    fill_long_options(long_options);
    if (has_case) { /* getopt takes it for the program's name */
        argc--;
        argv++;
    }
    optind = 0; /* restarts getopt, also for a second call */
    opterr = 0;
    while ((option = getopt_long(argc, argv, "hV", long_options, NULL)) != -1)
        if (read_option(out, action, option, argv, problem) != ERR_OK)
            return ERR_INVALID;
    if (*action != LOADGEN_OPTIONS_ACTION_RUN)
        return ERR_OK;
    if (!has_case)
        return read_case(out, argc, argv, problem);
    out->is_spread_given = out->spread != UINT64_MAX;
    out->target = optind == argc - 1 ? argv[optind] : NULL;
    return check_together(out, problem);
}
