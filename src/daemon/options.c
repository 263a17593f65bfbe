#include "daemon/options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>

static const char help[] =
    "Usage: dustwired [--config FILE] [--settings-file FILE]\n"
    "                 [--check-config | --dump-config]\n"
    "\n"
    "The dustwire daemon: BitDust's tcp_transport() as a server. Runs in the\n"
    "foreground and logs to stderr, one line per event.\n"
    "\n"
    "  -c, --config FILE   read the settings from FILE (INI, see dustwired.ini(5));\n"
    "                      default: built-in defaults only\n"
    "      --settings-file FILE\n"
    "                      absolute path of the file that 'dustwire set' writes, read\n"
    "                      after the settings file; overrides [node] settings-file\n"
    "      --check-config  check the settings and the directories, groups and\n"
    "                      addresses they name; print every error and exit\n"
    "      --dump-config   print the effective settings with meaning, unit and\n"
    "                      origin, and exit\n"
    "  -h, --help          print this help and exit\n"
    "  -V, --version       print the version and exit\n"
    "\n"
    "Signals: SIGTERM and SIGINT stop the daemon (transfers in progress may finish,\n"
    "see [sessions] stop-timeout-s; a second one exits immediately), SIGHUP reloads\n"
    "the settings.\n"
    "\n"
    "Exit status: 0 clean stop, or the settings are valid; 1 start failed (settings,\n"
    "inbox, lock, control socket), or immediate exit; 2 usage error.\n"
    "\n"
    "Control it with dustwire(1): `dustwire status`, `dustwire help`.\n";

enum { OPTION_CHECK = 256, OPTION_DUMP, OPTION_SETTINGS_FILE };

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"settings-file", required_argument, NULL, OPTION_SETTINGS_FILE},
    {"check-config", no_argument, NULL, OPTION_CHECK},
    {"dump-config", no_argument, NULL, OPTION_DUMP},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static void end(struct options *out, int exit_status)
{
    out->action = OPTIONS_END;
    out->exit_status = exit_status;
}

static void apply_option(struct options *out, int option)
{
    switch (option) {
    case 'c':
        out->config_path = optarg;
        break;
    case OPTION_SETTINGS_FILE:
        if (optarg[0] == '/') {
            out->settings_path = optarg;
        } else {
            fprintf(stderr, "dustwired: --settings-file requires an absolute path, not '%s'\n",
                    optarg);
            end(out, EXIT_USAGE);
        }
        break;
    case OPTION_CHECK:
        out->action = OPTIONS_CHECK_CONFIG;
        break;
    case OPTION_DUMP:
        out->action = OPTIONS_DUMP_CONFIG;
        break;
    case 'h':
        fputs(help, stdout);
        end(out, EXIT_ENDED);
        break;
    case 'V':
        puts("dustwired " DUSTWIRE_VERSION);
        end(out, EXIT_ENDED);
        break;
    default: /* getopt has printed the error */
        fputs("Try `dustwired --help`.\n", stderr);
        end(out, EXIT_USAGE);
        break;
    }
}

void options_read(struct options *out, int argc, char **argv)
{
    int option;

    *out = (struct options){.action = OPTIONS_RUN};
    while (out->action != OPTIONS_END &&
           (option = getopt_long(argc, argv, "c:hV", long_options, NULL)) != -1)
        apply_option(out, option);
    if (out->action == OPTIONS_CHECK_CONFIG && out->config_path == NULL &&
        out->settings_path == NULL) {
        fputs("dustwired: --check-config requires --config FILE or --settings-file FILE\n", stderr);
        end(out, EXIT_USAGE);
    }
    if (out->action != OPTIONS_END && optind < argc) {
        fprintf(stderr,
                "dustwired: unexpected argument '%s'; settings belong in a file: --config FILE\n",
                argv[optind]);
        end(out, EXIT_USAGE);
    }
}
