/* The table of commands: what is in a row is all that the command line and the help know of it. */
#include "cli/commands.h"

#include "cli/cmd_control.h"
#include "cli/cmd_events.h"
#include "cli/cmd_lists.h"
#include "cli/cmd_send.h"
#include "cli/cmd_show.h"
#include "cli/end.h"
#include "cli/nearest.h"
#include "cli/options.h"

#include <string.h>

const struct cli_command cli_commands[] = {
    {"status", "", "how the node is", 0, 0, 0, cli_status,
     "Shows the network's state, each transport with what it is bound to, its sessions and files,\n"
     "what was moved since the start, the limits that were ever hit, each with how often, and "
     "what\n"
     "an operator should do now, if anything. --json prints the whole answer as one object, with\n"
     "every counter and every limit in force.\n"
     "\n"
     "Exit status: 0 if the network is CONNECTED and a transport is up as its settings say\n"
     "(LISTENING, or with receiving switched off ready to send); 3 if not, or if there is no\n"
     "daemon; 2 for a wrong command line.\n"
     "\n"
     "Example:\n"
     "  dustwire status || journalctl -u dustwired -n 50\n"},
    {"sessions", "", "the TCP sessions that are open", 0, 0, 0, cli_sessions,
     "Lists every session: the peer's address, what it announced (unverified: files for that\n"
     "address do not go down this session), files coming in, going out and waiting, bytes, age "
     "and\n"
     "the peer's IDURL. --json prints one array.\n"
     "\n"
     "Exit status: 0; 1 failure, 2 wrong command line, 3 no daemon.\n"
     "\n"
     "Example:\n"
     "  dustwire sessions --json | jq '.[].host'\n"},
    {"streams", "", "the files under way", 0, 0, 0, cli_streams,
     "Lists every file coming in, going out or waiting to go out, with its transfer id (for\n"
     "'dustwire cancel'), state, bytes done, size and speed. --json prints one array.\n"
     "\n"
     "Exit status: 0; 1 failure, 2 wrong command line, 3 no daemon.\n"
     "\n"
     "Example:\n"
     "  dustwire streams\n"},
    {"send", "FILE... CONTACT", "send files to a node, wait for its ok",
     CLI_RECURSIVE | CLI_SINGLE | CLI_IDURL | CLI_DESCRIPTION, 2, -1, cli_send,
     "Sends files to a contact and waits until the peer has acknowledged each. A contact is HOST,\n"
     "HOST:PORT or PROTO://HOST:PORT; without a port it is 7771, an IPv6 address stands in "
     "brackets.\n"
     "Several with commas between them are addresses of one node: the first that has a transport "
     "here\n"
     "is taken, and its failure is the file's. Files go to one node at a time; for a second one, "
     "run\n"
     "the command again.\n"
     "\n"
     "The daemon reads the files where they are; those that it may not read or does not see are\n"
     "streamed to it ([outbox] spool-limit-mib). At most 64 are under way at a time. A file of "
     "more\n"
     "than 2,147,483,647 bytes is refused. On a terminal a line shows how much the peer has, the "
     "time\n"
     "left and the speed; piped, there is one line a file: finished ones on standard output, all\n"
     "others on standard error. --json prints one object a file: file, status (finished, failed,\n"
     "skipped, outcome unknown, not sent), bytes, seconds, error.\n"
     "\n"
     "Below a folder, links, pipes, sockets, devices and empty folders are skipped; each is told, "
     "as\n"
     "is a folder or file that cannot be read (which is a failure). If not all of several were "
     "sent,\n"
     "the last line counts how many finished, failed, were skipped or not sent.\n"
     "\n"
     "Ctrl-C or SIGTERM (kill) cancels what is under way and waits up to 5 s for its end; a "
     "second\n"
     "one ends the command at once. If the command ends in another way (kill -9, its terminal is\n"
     "closed), the daemon still sends what it has taken, at most those 64. Stopped (Ctrl-Z), the\n"
     "command sends no further files until it goes on.\n"
     "\n"
     "Options:\n"
     "  -r, --recursive       send the files of folders too, however deep\n"
     "      --single          close a session that was opened for this after the file\n"
     "      --idurl IDURL     the identity of the receiver, for the log and the gateway\n"
     "      --description TEXT  a note for the gateway\n"
     "\n"
     "Exit status: 0 all files finished (skipped ones do not count); 1 one failed, with the "
     "reason, or\n"
     "there was none; 2 wrong command line; 3 no daemon, or it went away and the outcome is "
     "unknown;\n"
     "130 interrupted.\n"
     "\n"
     "Example:\n"
     "  dustwire send -r photos/ node.example.net:7771\n"},
    {"connect", "CONTACT", "open a session to a node", 0, 1, 1, cli_connect,
     "Opens a session to a contact ahead of use, or finds one open, and prints its number. "
     "Without\n"
     "a port it is 7771.\n"
     "--json prints {answer, session}: answer is true if it was open already.\n"
     "\n"
     "Exit status: 0 connected; 1 not, with the reason; 2 wrong command line; 3 no daemon.\n"
     "\n"
     "Example:\n"
     "  dustwire connect 192.0.2.7:7771\n"},
    {"disconnect", "CONTACT", "end the sessions with a node", 0, 1, 1, cli_disconnect,
     "Ends the sessions with a contact; files under way on them fail. --json prints {answer}.\n"
     "\n"
     "Exit status: 0 done; 1 there was none; 2 wrong command line; 3 no daemon.\n"
     "\n"
     "Example:\n"
     "  dustwire disconnect 192.0.2.7:7771\n"},
    {"keep-alive", "CONTACT", "send a keep-alive to a node", 0, 1, 1, cli_keep_alive,
     "Sends a wazap on the session with a contact. --json prints {answer}.\n"
     "\n"
     "Exit status: 0 sent; 1 there is no session; 2 wrong command line; 3 no daemon.\n"
     "\n"
     "Example:\n"
     "  dustwire keep-alive 192.0.2.7:7771\n"},
    {"cancel", "TRANSFER-ID", "cancel a file under way", 0, 1, 1, cli_cancel,
     "Cancels the sending or the receiving of a file. 'dustwire streams' shows the ids. A file\n"
     "whose last frame has begun, or that is being made durable, can no longer be cancelled.\n"
     "--json prints {answer}.\n"
     "\n"
     "Exit status: 0 cancelled; 1 there is no such file, or it is too late; 2 wrong command line;\n"
     "3 no daemon.\n"
     "\n"
     "Example:\n"
     "  dustwire cancel 65537\n"},
    {"events", "", "follow what happens, a line each",
     CLI_AFTER | CLI_COUNT | CLI_ON | CLI_EXEC | CLI_JOBS, 0, 0, cli_events,
     "Prints every event from now on until Ctrl-C: sessions opened and closed, files started,\n"
     "finished and failed, changes of the network's and the transports' state, reloads. Says when\n"
     "some were lost because nobody could keep up. --json prints one object an event: event,\n"
     "number, time, and as it applies status, path, size, bytes, idurl, host, transfer_id, "
     "session,\n"
     "request_id, error, from, to, proto.\n"
     "\n"
     "Ends when nobody reads its output any more (| head). Ctrl-C and SIGTERM (kill) end it after "
     "the\n"
     "programs of --exec have ended, a second one at once; what a script made it ignore (a "
     "command\n"
     "behind & ignores Ctrl-C) stays ignored. kill -9 leaves programs of --exec running.\n"
     "\n"
     "Options:\n"
     "      --after N   begin behind event number N, with those that the daemon still has (0: "
     "all);\n"
     "                  a number above the last is of an earlier run of it, and means all, too\n"
     "      --count N   end after N events: with --on after N of those, with --exec when their N\n"
     "                  programs have ended\n"
     "      --on WORDS  only events whose name or status is one of WORDS, comma separated:\n"
     "                  session-opened, session-identified, session-closed, file-sending-started,\n"
     "                  file-sending-progress, file-sent, file-receiving-started,\n"
     "                  file-receiving-progress, file-received, receiving-state-changed,\n"
     "                  network-connector-state-changed, network-transport-state-changed,\n"
     "                  settings-reloaded; finished, failed\n"
     "      --exec PROGRAM [ARG...]\n"
     "                  run PROGRAM for each instead of printing it; the last option, all behind "
     "it is\n"
     "                  PROGRAM's. No shell: its environment has every field of --json, as\n"
     "                  DUSTWIRE_EVENT, DUSTWIRE_PATH, ... with the very bytes of a name. Failures "
     "are\n"
     "                  said on stderr.\n"
     "      --jobs N    at most N programs at a time (default 4); events wait in the daemon "
     "meanwhile\n"
     "\n"
     "Exit status: 0 after --count events; 1 failure; 2 wrong command line; 3 no daemon, or it "
     "went\n"
     "away; 130 interrupted.\n"
     "\n"
     "Example:\n"
     "  dustwire events --json | jq -r 'select(.event == \"file-received\") | .path'\n"
     "  dustwire events --on file-received --exec sh -c 'mv \"$DUSTWIRE_PATH\" /srv/done/'\n"},
    {"received", "", "the files that were received", CLI_COUNT | CLI_SINCE, 0, 0, cli_received,
     "Lists what the inbox's journal knows of received files, oldest first: time, transfer id,\n"
     "size, the peer's address and IDURL, path; (no longer there) behind it, if somebody took\n"
     "the file away since. --json prints one object a file, with is_there.\n"
     "\n"
     "Options:\n"
     "      --count N      only the last N (of those since WHEN, if that is given)\n"
     "      --since WHEN   only those received at or after WHEN: 90s, 15m, 1h, 2d (ago), or a UTC\n"
     "                     time such as 2026-11-21 or 2026-11-21T03:14:15\n"
     "\n"
     "Exit status: 0; 1 failure, 2 wrong command line, 3 no daemon.\n"
     "\n"
     "Example:\n"
     "  dustwire received --since 1h\n"
     "  dustwire received --count 20\n"},
    {"services", "", "the services and why one is not on", 0, 0, 0, cli_services,
     "Lists the services of the node, their state, what they need, and why one is not ON.\n"
     "--json prints one array.\n"
     "\n"
     "Exit status: 0; 1 failure, 2 wrong command line, 3 no daemon.\n"
     "\n"
     "Example:\n"
     "  dustwire services\n"},
    {"get", "[NAME]", "what can be set while it runs", 0, 0, 1, cli_get,
     "Prints the settings that can be set while the daemon runs, their values and where each "
     "comes\n"
     "from; with a NAME only its value. They are enabled, receiving-enabled, sending-enabled and\n"
     "priority of [services/tcp-transport] and tcp-port of [services/tcp-connections].\n"
     "--json prints an array of {name, section, value, from, allowed, meaning}, with a NAME one "
     "of\n"
     "these.\n"
     "\n"
     "Exit status: 0; 1 there is no such setting; 2 wrong command line; 3 no daemon.\n"
     "\n"
     "Example:\n"
     "  dustwire get tcp-port\n"},
    {"set", "NAME VALUE", "set one of them", 0, 2, 2, cli_set,
     "Sets one of the settings that 'dustwire get' lists, at once and for every later start: it "
     "is\n"
     "written to the daemon's own settings file, which is read after the other and wins. What\n"
     "changes the port or what is received takes the transport down and up; sessions end.\n"
     "A bad value, or a file that cannot be written, changes nothing. --json prints {text}.\n"
     "\n"
     "Exit status: 0 set; 1 refused, with the reason; 2 wrong command line; 3 no daemon.\n"
     "\n"
     "Example:\n"
     "  dustwire set receiving-enabled false\n"},
    {"unset", "NAME", "take back what was set", 0, 1, 1, cli_unset,
     "Takes back what 'dustwire set' has set, at once and for every later start: what the "
     "settings\n"
     "file says holds again, or the default. What was not set stays, and the answer says where it\n"
     "comes from. --json prints {text}.\n"
     "\n"
     "Exit status: 0 not set any more; 1 refused, with the reason; 2 wrong command line; 3 no\n"
     "daemon.\n"
     "\n"
     "Example:\n"
     "  dustwire unset tcp-port\n"},
    {"reload", "", "read the settings file again", 0, 0, 0, cli_reload,
     "Makes the daemon read its settings file again. Prints what changed and what needs a "
     "restart.\n"
     "A bad file changes nothing: its problems are printed. --json prints {text}.\n"
     "\n"
     "Exit status: 0 taken; 1 refused, with the reasons; 2 wrong command line; 3 no daemon.\n"
     "\n"
     "Example:\n"
     "  dustwired --config /etc/dustwire/dustwired.ini --check-config && dustwire reload\n"},
    {"reconnect", "", "take the network down and up again", 0, 0, 0, cli_reconnect,
     "Makes network_connector take the transports down and up again. Sessions end.\n"
     "\n"
     "Exit status: 0 begun; 1 failure, 2 wrong command line, 3 no daemon.\n"
     "\n"
     "Example:\n"
     "  dustwire reconnect\n"},
    {"stop", "", "end the daemon", 0, 0, 0, cli_stop,
     "Ends the daemon as SIGTERM does: files under way may finish for the time that the settings\n"
     "give ([sessions] stop-timeout-s), then peers are told what is aborted.\n"
     "\n"
     "Exit status: 0 begun; 1 failure, 2 wrong command line, 3 no daemon.\n"
     "\n"
     "Example:\n"
     "  dustwire stop\n"},
    {"automata", "[NAME]", "the state machines that run", CLI_DOT, 0, 1, cli_automata,
     "Prints the transitions of the state machines (or of the one named): tcp_connection,\n"
     "network_transport, network_connector, from the very tables that run.\n"
     "--json prints {dot}.\n"
     "\n"
     "Options:\n"
     "      --dot   print whole Graphviz documents\n"
     "\n"
     "Exit status: 0; 1 there is no such machine; 2 wrong command line; 3 no daemon.\n"
     "\n"
     "Example:\n"
     "  dustwire automata tcp_connection --dot | dot -Tsvg > tcp_connection.svg\n"},
    {"help", "[COMMAND]", "how a command is used", 0, 0, 1, cli_help,
     "Prints the list of commands, or how one is used: what it does, its options, its exit\n"
     "statuses, an example.\n"
     "\n"
     "Exit status: 0; 2 if there is no such command.\n"
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

void cli_refuse_command(const char *name)
{
    struct cli_nearest nearest = {.word = name};

    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        cli_nearest_try(&nearest, c->name);
    if (nearest.nearest == NULL)
        fprintf(stderr, "dustwire: unknown command '%s'; 'dustwire help' lists them\n", name);
    else
        fprintf(stderr,
                "dustwire: unknown command '%s': did you mean '%s'? 'dustwire help' lists them\n",
                name, nearest.nearest);
}

void cli_print_overview(FILE *out)
{
    fputs(
        "Usage: dustwire [--socket PATH | --url URL] [--json] COMMAND [ARGUMENT...]\n"
        "\n"
        "Moves files between the nodes of a peer-to-peer network, by way of the daemon dustwired\n"
        "at its control socket.\n"
        "\n"
        "Commands:\n",
        out);
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
        fprintf(out, "  %-11s %-16s %s\n", c->name, c->usage, c->summary);
    fputs("\n"
          "Options:\n"
          "  --socket PATH  the daemon's control socket ([control] socket of its settings)\n"
          "  --url URL      its TCP address instead, http://HOST:PORT ([control] listen)\n"
          "  --token-file FILE  the token for that address, in the file's first line\n"
          "  --json         print JSON instead of text; a member that is no UTF-8 (a file's name) "
          "stands\n"
          "                 percent-escaped, and NAME_is_escaped is true beside it\n"
          "  --timeout SECONDS  how long to wait for the daemon; without it 10, and 180 where\n"
          "                 something is changed, sent or followed\n"
          "  --version      print the version\n"
          "  -h, --help     print this, or behind a command how that is used\n"
          "  --             all behind it are arguments, also what begins with '-'\n"
          "\n"
          "Exit status: 0 done; 1 failed, with the reason; 2 wrong command line; 3 no daemon, not\n"
          "serving, or outcome unknown; 130 interrupted (Ctrl-C, SIGTERM). Output that cannot be\n"
          "written is a failure; a reader that has gone (| head) ends the command by SIGPIPE.\n"
          "\n"
          "'dustwire help COMMAND' says more about a command.\n",
          out);
}

void cli_print_help(const struct cli_command *command, FILE *out)
{
    fprintf(out, "Usage: dustwire [--socket PATH | --url URL] [--json] %s%s%s%s\n\n%s",
            command->name, command->options == 0 ? "" : " [OPTION...]",
            command->usage[0] == '\0' ? "" : " ", command->usage, command->help);
}

enum cli_end cli_help(struct cli *cli)
{
    const struct cli_command *command;

    if (cli->argument_count == 0) {
        cli_print_overview(stdout);
        return CLI_OK;
    }
    command = cli_find_command(cli->arguments[0]);
    if (command == NULL) {
        cli_refuse_command(cli->arguments[0]);
        return CLI_USAGE;
    }
    cli_print_help(command, stdout);
    return CLI_OK;
}
