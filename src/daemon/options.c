#include "daemon/options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>

static const char help[] =
    "Usage: dustwired [--config FILE] [--settings-file FILE] [--check-config | --dump-config]\n"
    "\n"
    "The dustwire daemon: BitDust's tcp_transport() as a server. Stays in the foreground, logs to\n"
    "stderr, one line an event.\n"
    "\n"
    "  -c, --config FILE   read the settings from FILE (INI; see dustwired.ini(5)); without it "
    "every\n"
    "                      setting has its default\n"
    "      --settings-file FILE\n"
    "                      where 'dustwire set' writes, read after the other; overrides [node]\n"
    "                      settings-file\n"
    "      --check-config  check the settings of FILE, and whether this machine has what they\n"
    "                      name (folders, groups, addresses); name every problem at once, and "
    "end\n"
    "      --dump-config   print the settings in force, with their meaning, unit and where each "
    "comes\n"
    "                      from, and end\n"
    "  -h, --help          this text\n"
    "  -V, --version       the version\n"
    "\n"
    "Signals: SIGTERM or SIGINT stops (files under way may finish, see [sessions] stop-timeout-s; "
    "a\n"
    "second one ends it at once), SIGHUP reads the settings again.\n"
    "\n"
    "Exit status: 0 stopped in order, or the settings are good; 1 it could not start (settings, "
    "inbox,\n"
    "lock, control socket), or was ended at once; 2 wrong usage.\n"
    "\n"
    "Talk to it with dustwire(1): `dustwire status`, `dustwire help`.\n";

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

static void take(struct options *out, int option)
{
    switch (option) {
    case 'c':
        out->config_path = optarg;
        break;
    case OPTION_SETTINGS_FILE:
        if (optarg[0] == '/') {
            out->settings_path = optarg;
        } else {
            fprintf(stderr, "dustwired: --settings-file needs an absolute path, not '%s'\n",
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
    default: /* getopt has named it */
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
        take(out, option);
    if (out->action == OPTIONS_CHECK_CONFIG && out->config_path == NULL &&
        out->settings_path == NULL) {
        fputs("dustwired: --check-config has nothing to check: give the file with --config FILE\n",
              stderr);
        end(out, EXIT_USAGE);
    }
    if (out->action != OPTIONS_END && optind < argc) {
        fprintf(stderr,
                "dustwired: '%s' is not an option; settings go into a file: --config FILE\n",
                argv[optind]);
        end(out, EXIT_USAGE);
    }
}
