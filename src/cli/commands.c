/* The table of commands: the command line and the help are driven by its rows alone. */
#include "cli/commands.h"

#include "cli/cmd_control.h"
#include "cli/cmd_events.h"
#include "cli/cmd_lists.h"
#include "cli/cmd_send.h"
#include "cli/cmd_show.h"
#include "cli/exit.h"
#include "cli/nearest.h"
#include "cli/options.h"

#include <string.h>

const struct cli_command cli_commands[] = {
    {"status", "", "show node status", 0, 0, 0, cli_status,
     "Shows the network state; for each transport its bound address, sessions and files; the\n"
     "totals since start; each limit that was hit, and how often; and the recommended action, if\n"
     "any. --json prints the complete answer as one object, with all counters and limits.\n"
     "\n"
     "Exit status: 0 if the network is CONNECTED and a transport is up as configured (LISTENING,\n"
     "or ready to send if receiving is disabled); 3 if not, or if the daemon is unreachable;\n"
     "2 usage error.\n"
     "\n"
     "Example:\n"
     "  dustwire status || journalctl -u dustwired -n 50\n"},
    {"sessions", "", "list open TCP sessions", 0, 0, 0, cli_sessions,
     "Lists all sessions: the peer's address; the address it announced (unverified: files for\n"
     "that address are not sent over this session); files incoming, outgoing and queued; bytes;\n"
     "age; and the peer's IDURL. --json prints one array.\n"
     "\n"
     "Exit status: 0 success; 1 failure; 2 usage error; 3 daemon unreachable.\n"
     "\n"
     "Example:\n"
     "  dustwire sessions --json | jq '.[].host'\n"},
    {"streams", "", "list files in transfer", 0, 0, 0, cli_streams,
     "Lists all files being received, being sent or queued for sending: transfer ID (for\n"
     "'dustwire cancel'), state, bytes done, size and speed. --json prints one array.\n"
     "\n"
     "Exit status: 0 success; 1 failure; 2 usage error; 3 daemon unreachable.\n"
     "\n"
     "Example:\n"
     "  dustwire streams\n"},
    {"send", "FILE... CONTACT", "send files to a node, wait for its ok",
     CLI_RECURSIVE | CLI_SINGLE | CLI_IDURL | CLI_DESCRIPTION, 2, -1, cli_send,
     "Sends files to a contact and waits until the peer has acknowledged each of them. A contact\n"
     "is HOST, HOST:PORT or PROTO://HOST:PORT; the default port is 7771, and IPv6 addresses need\n"
     "brackets. A comma-separated list names several addresses of one node: the first one with a\n"
     "known protocol is used, without fallback to the others. Run the command once per node.\n"
     "\n"
     "The daemon reads the files in place; files that it cannot read or see are streamed to it\n"
     "([outbox] spool-limit-mib). At most 64 files are in progress at a time. Files larger than\n"
     "2,147,483,647 bytes are rejected. A terminal shows a progress line with the bytes that the\n"
     "peer has, time left and speed; otherwise one line per file is printed: finished files on\n"
     "standard output, all others on standard error. --json prints one object per file: file,\n"
     "status (finished, failed, skipped, outcome unknown, not sent), bytes, seconds, error.\n"
     "\n"
     "In directories, symbolic links, pipes, sockets, devices and empty directories are skipped\n"
     "and reported; a file or directory that cannot be read is a failure. Unless all of several\n"
     "files were sent, the last line counts those finished, failed, skipped and not sent.\n"
     "\n"
     "Ctrl-C or SIGTERM cancels the files in progress and waits up to 5 s for confirmation; a\n"
     "second signal exits at once. If the command is killed (SIGKILL, or SIGHUP when its terminal\n"
     "closes), the daemon still sends the files that it has accepted, at most 64. While the\n"
     "command is stopped (Ctrl-Z), it submits no further files.\n"
     "\n"
     "Options:\n"
     "  -r, --recursive       send the files in directories, recursively\n"
     "      --single          close the session after the file, if it was opened for it\n"
     "      --idurl IDURL     the receiver's identity, for the log and the gateway\n"
     "      --description TEXT  a note for the gateway\n"
     "\n"
     "Exit status: 0 all files finished (skipped files do not count); 1 a file failed, or no\n"
     "files were found; 2 usage error; 3 daemon unreachable, or lost with unknown outcome;\n"
     "130 interrupted.\n"
     "\n"
     "Example:\n"
     "  dustwire send -r photos/ node.example.net:7771\n"},
    {"connect", "CONTACT", "open a session to a node", 0, 1, 1, cli_connect,
     "Opens a session to a contact in advance, or finds an open one, and prints its ID. The\n"
     "default port is 7771.\n"
     "--json prints {answer, session}: answer is true if the session was already open.\n"
     "\n"
     "Exit status: 0 connected; 1 failure, with the reason; 2 usage error; 3 daemon unreachable.\n"
     "\n"
     "Example:\n"
     "  dustwire connect 192.0.2.7:7771\n"},
    {"disconnect", "CONTACT", "close the sessions with a node", 0, 1, 1, cli_disconnect,
     "Closes the sessions with a contact; files in progress on them fail. --json prints {answer}.\n"
     "\n"
     "Exit status: 0 closed; 1 no session; 2 usage error; 3 daemon unreachable.\n"
     "\n"
     "Example:\n"
     "  dustwire disconnect 192.0.2.7:7771\n"},
    {"keep-alive", "CONTACT", "send a keep-alive to a node", 0, 1, 1, cli_keep_alive,
     "Sends a wazap on the session with a contact. --json prints {answer}.\n"
     "\n"
     "Exit status: 0 sent; 1 no session; 2 usage error; 3 daemon unreachable.\n"
     "\n"
     "Example:\n"
     "  dustwire keep-alive 192.0.2.7:7771\n"},
    {"cancel", "TRANSFER-ID", "cancel a file transfer", 0, 1, 1, cli_cancel,
     "Cancels the sending or receiving of a file. 'dustwire streams' lists the IDs. A file whose\n"
     "last frame is being sent, or that is being committed to disk, can no longer be cancelled.\n"
     "--json prints {answer}.\n"
     "\n"
     "Exit status: 0 cancelled; 1 unknown transfer, or too late; 2 usage error; 3 daemon\n"
     "unreachable.\n"
     "\n"
     "Example:\n"
     "  dustwire cancel 65537\n"},
    {"events", "", "stream events, one per line",
     CLI_AFTER | CLI_COUNT | CLI_ON | CLI_EXEC | CLI_JOBS, 0, 0, cli_events,
     "Prints events as they occur until Ctrl-C: sessions opened and closed; files started,\n"
     "finished and failed; state changes of the network and the transports; reloads. Reports\n"
     "events lost because this command was too slow. --json prints one object per event: event,\n"
     "number, time, and where applicable status, path, size, bytes, idurl, host, transfer_id,\n"
     "session, request_id, error, from, to, proto.\n"
     "\n"
     "Exits when the reader of its output exits (| head). Ctrl-C and SIGTERM stop it once the\n"
     "programs of --exec have exited; a second signal stops it at once. Signals that are ignored\n"
     "at start stay ignored (Ctrl-C, for a script's background job started with &). SIGKILL\n"
     "leaves the programs of --exec running.\n"
     "\n"
     "Options:\n"
     "      --after N   start after event number N, with the events that the daemon still holds\n"
     "                  (0: all of them, as for a number above the last: from an earlier run)\n"
     "      --count N   exit after N events: with --on, N matching ones; with --exec, once their\n"
     "                  programs have exited\n"
     "      --on WORDS  only events whose name or status is one of WORDS, comma-separated:\n"
     "                  session-opened, session-identified, session-closed, file-sending-started,\n"
     "                  file-sending-progress, file-sent, file-receiving-started,\n"
     "                  file-receiving-progress, file-received, receiving-state-changed,\n"
     "                  network-connector-state-changed, network-transport-state-changed,\n"
     "                  settings-reloaded; finished, failed\n"
     "      --exec PROGRAM [ARG...]\n"
     "                  run PROGRAM for each event instead of printing it; the last option: all\n"
     "                  further arguments are PROGRAM's. Run without a shell; its environment has\n"
     "                  each field of --json, as DUSTWIRE_EVENT, DUSTWIRE_PATH, ..., unescaped.\n"
     "                  Failures are reported on stderr.\n"
     "      --jobs N    run at most N programs at a time (default 4); further events stay queued\n"
     "                  in the daemon\n"
     "\n"
     "Exit status: 0 after --count events; 1 failure; 2 usage error; 3 daemon unreachable or\n"
     "lost; 130 interrupted.\n"
     "\n"
     "Example:\n"
     "  dustwire events --json | jq -r 'select(.event == \"file-received\") | .path'\n"
     "  dustwire events --on file-received --exec sh -c 'mv \"$DUSTWIRE_PATH\" /srv/done/'\n"},
    {"received", "", "list received files", CLI_COUNT | CLI_SINCE, 0, 0, cli_received,
     "Lists received files from the inbox journal, oldest first: time, transfer ID, size, the\n"
     "peer's address and IDURL, and path, marked (no longer there) if the file was removed or\n"
     "moved. --json prints one object per file, with is_there.\n"
     "\n"
     "Options:\n"
     "      --count N      only the last N files (with --since, of those)\n"
     "      --since WHEN   only files received at or after WHEN: 90s, 15m, 1h or 2d ago, or a UTC\n"
     "                     time such as 2026-11-21 or 2026-11-21T03:14:15\n"
     "\n"
     "Exit status: 0 success; 1 failure; 2 usage error; 3 daemon unreachable.\n"
     "\n"
     "Example:\n"
     "  dustwire received --since 1h\n"
     "  dustwire received --count 20\n"},
    {"services", "", "list services and their states", 0, 0, 0, cli_services,
     "Lists the node's services: state, dependencies, and the reason if a service is not ON.\n"
     "--json prints one array.\n"
     "\n"
     "Exit status: 0 success; 1 failure; 2 usage error; 3 daemon unreachable.\n"
     "\n"
     "Example:\n"
     "  dustwire services\n"},
    {"get", "[NAME]", "show runtime settings", 0, 0, 1, cli_get,
     "Prints the settings that can be changed at runtime, with their values and origins; with\n"
     "NAME only its value. They are enabled, receiving-enabled, sending-enabled and priority of\n"
     "[services/tcp-transport] and tcp-port of [services/tcp-connections].\n"
     "--json prints an array of {name, section, value, from, allowed, meaning}, with NAME one\n"
     "such object.\n"
     "\n"
     "Exit status: 0 success; 1 unknown setting; 2 usage error; 3 daemon unreachable.\n"
     "\n"
     "Example:\n"
     "  dustwire get tcp-port\n"},
    {"set", "NAME VALUE", "change a runtime setting", 0, 2, 2, cli_set,
     "Changes one of the settings that 'dustwire get' lists, at once and for later starts: it is\n"
     "written to the daemon's own settings file, which is read after the main one and overrides\n"
     "it. Changing the port or what is received restarts the transport, which closes its\n"
     "sessions. An invalid value or a write error changes nothing. --json prints {text}.\n"
     "\n"
     "Exit status: 0 set; 1 rejected, with the reason; 2 usage error; 3 daemon unreachable.\n"
     "\n"
     "Example:\n"
     "  dustwire set receiving-enabled false\n"},
    {"unset", "NAME", "revert a runtime setting", 0, 1, 1, cli_unset,
     "Reverts what 'dustwire set' has changed, at once and for later starts: the value from the\n"
     "main settings file applies again, or the default. A setting that was not set is left\n"
     "unchanged, and the answer names its origin. --json prints {text}.\n"
     "\n"
     "Exit status: 0 reverted, or not set; 1 rejected, with the reason; 2 usage error; 3 daemon\n"
     "unreachable.\n"
     "\n"
     "Example:\n"
     "  dustwire unset tcp-port\n"},
    {"reload", "", "reload the settings file", 0, 0, 0, cli_reload,
     "Makes the daemon reload its settings file. Prints what changed and what needs a restart.\n"
     "An invalid file changes nothing; its errors are printed. --json prints {text}.\n"
     "\n"
     "Exit status: 0 applied; 1 rejected, with the reasons; 2 usage error; 3 daemon unreachable.\n"
     "\n"
     "Example:\n"
     "  dustwired --config /etc/dustwire/dustwired.ini --check-config && dustwire reload\n"},
    {"reconnect", "", "restart the transports", 0, 0, 0, cli_reconnect,
     "Makes network_connector stop and restart the transports. Their sessions are closed.\n"
     "\n"
     "Exit status: 0 started; 1 failure; 2 usage error; 3 daemon unreachable.\n"
     "\n"
     "Example:\n"
     "  dustwire reconnect\n"},
    {"stop", "", "stop the daemon", 0, 0, 0, cli_stop,
     "Stops the daemon as SIGTERM does: files in progress may complete within [sessions]\n"
     "stop-timeout-s; then the others are aborted and their peers notified.\n"
     "\n"
     "Exit status: 0 started; 1 failure; 2 usage error; 3 daemon unreachable.\n"
     "\n"
     "Example:\n"
     "  dustwire stop\n"},
    {"automata", "[NAME]", "show the running state machines", CLI_DOT, 0, 1, cli_automata,
     "Prints the transitions of all state machines, or of NAME: tcp_connection,\n"
     "network_transport or network_connector, from the tables that the daemon executes.\n"
     "--json prints {dot}.\n"
     "\n"
     "Options:\n"
     "      --dot   print complete Graphviz documents\n"
     "\n"
     "Exit status: 0 success; 1 unknown machine; 2 usage error; 3 daemon unreachable.\n"
     "\n"
     "Example:\n"
     "  dustwire automata tcp_connection --dot | dot -Tsvg > tcp_connection.svg\n"},
    {"help", "[COMMAND]", "show help for a command", 0, 0, 1, cli_help,
     "Prints the list of commands, or the help of one: description, options, exit status and an\n"
     "example.\n"
     "\n"
     "Exit status: 0 success; 2 unknown command.\n"
     "\n"
     "Example:\n"
     "  dustwire help send\n"},
    {NULL, NULL, NULL, 0, 0, 0, NULL, NULL},
};

const struct cli_command *cli_find_command(const char *name)
{
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

void cli_reject_command(const char *name)
{
    struct cli_nearest nearest = {.word = name};

    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        cli_nearest_try(&nearest, c->name);
    if (nearest.nearest == NULL)
        fprintf(stderr, "dustwire: unknown command '%s'; see 'dustwire help'\n", name);
    else
        fprintf(stderr, "dustwire: unknown command '%s': did you mean '%s'? See 'dustwire help'\n",
                name, nearest.nearest);
}

void cli_print_overview(FILE *out)
{
    fputs(
        "Usage: dustwire [--socket PATH | --url URL] [--json] COMMAND [ARGUMENT...]\n"
        "\n"
        "Moves files between the nodes of a peer-to-peer network through the daemon dustwired and\n"
        "its control socket.\n"
        "\n"
        "Commands:\n",
        out);
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        fprintf(out, "  %-11s %-16s %s\n", c->name, c->usage, c->summary);
    fputs(
        "\n"
        "Options:\n"
        "  --socket PATH  the daemon's control socket ([control] socket in its settings)\n"
        "  --url URL      its TCP address instead, http://HOST:PORT ([control] listen)\n"
        "  --token-file FILE  the token for that address, in the first line of FILE\n"
        "  --json         print JSON instead of text; a string that is not valid UTF-8 (a file\n"
        "                 name) is percent-encoded and marked by NAME_is_escaped: true\n"
        "  --timeout SECONDS  how long to wait for the daemon (default: 10, or 180 for commands\n"
        "                 that change, send or stream something)\n"
        "  --version      print the version\n"
        "  -h, --help     print this help, or after a command the help of that command\n"
        "  --             end of options: what follows is an argument even if it begins with '-'\n"
        "\n"
        "Exit status: 0 success; 1 failure, with the reason; 2 usage error; 3 daemon unreachable,\n"
        "not serving, or outcome unknown; 130 interrupted (Ctrl-C, SIGTERM). A write error on\n"
        "standard output is a failure; if its reader has exited (| head), the command is\n"
        "terminated by SIGPIPE.\n"
        "\n"
        "See 'dustwire help COMMAND' for the help of a command.\n",
        out);
}

void cli_print_help(const struct cli_command *command, FILE *out)
{
    fprintf(out, "Usage: dustwire [--socket PATH | --url URL] [--json] %s%s%s%s\n\n%s",
            command->name, command->options == 0 ? "" : " [OPTION...]",
            command->usage[0] == '\0' ? "" : " ", command->usage, command->help);
}

enum cli_exit cli_help(struct cli *cli)
{
    const struct cli_command *command;

    if (cli->argument_count == 0) {
        cli_print_overview(stdout);
        return CLI_OK;
    }
    command = cli_find_command(cli->arguments[0]);
    if (command == NULL) {
        cli_reject_command(cli->arguments[0]);
        return CLI_USAGE;
    }
    cli_print_help(command, stdout);
    return CLI_OK;
}
