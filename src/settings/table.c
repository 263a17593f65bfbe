#include "settings/table.h"

#include "base/contract.h"
#include "settings/kind.h"

#include <string.h>

#define KEY(sec, key, of_kind, field, def, lo, hi, of_unit, on_change, says) \
    {.section = (sec),                                                       \
     .name = (key),                                                          \
     .kind = &(of_kind),                                                     \
     .offset = offsetof(struct settings, field),                             \
     .fallback = (def),                                                      \
     .least = (lo),                                                          \
     .most = (hi),                                                           \
     .unit = (of_unit),                                                      \
     .change = (on_change),                                                  \
     .meaning = (says)},

/* One that can be set while the daemon runs. */
#define KEY_TO_SET(sec, key, of_kind, field, def, lo, hi, of_unit, on_change, says) \
    {.section = (sec),                                                              \
     .name = (key),                                                                 \
     .kind = &(of_kind),                                                            \
     .offset = offsetof(struct settings, field),                                    \
     .fallback = (def),                                                             \
     .least = (lo),                                                                 \
     .most = (hi),                                                                  \
     .unit = (of_unit),                                                             \
     .change = (on_change),                                                         \
     .meaning = (says),                                                             \
     .is_settable = true},

#define DAY_S         86400
#define BANDWIDTH_MAX 9000000 /* a second's worth of nanoseconds times that fits in 64 bits */
#define NOW           CHANGE_AT_ONCE
#define RECONN        CHANGE_RECONNECTS
#define RESTART       CHANGE_RESTARTS

/* In the order in which they are printed; the keys of a section stand together. */
/* clang-format off */
const struct settings_row settings_table[] = {
#define S "services/tcp-transport"
    KEY_TO_SET(S, "enabled", settings_kind_bool, tcp_transport.is_enabled, "true", 0, 0, "", RECONN,
        "Files move over TCP; needs the two services below.")
    KEY_TO_SET(S, "receiving-enabled", settings_kind_bool, tcp_transport.is_receiving_enabled, "true", 0, 0, "", RECONN,
        "Listen for peers; without it only sessions that we open ourselves exist.")
    KEY_TO_SET(S, "sending-enabled", settings_kind_bool, tcp_transport.is_sending_enabled, "true", 0, 0, "", NOW,
        "Take files to send.")
    KEY_TO_SET(S, "priority", settings_kind_number, tcp_transport.priority, "1", 1, 99, "", NOW,
        "Among several transports that could reach a peer the lowest number is taken.")
#undef S
#define S "services/tcp-connections"
    KEY(S, "enabled", settings_kind_bool, tcp_connections.is_enabled, "true", 0, 0, "", RECONN,
        "Use TCP at all.")
    KEY_TO_SET(S, "tcp-port", settings_kind_port, tcp_connections.tcp_port, "7771", 1, 65535, "", RECONN,
        "The port to listen on.")
    KEY(S, "listen", settings_kind_listen, tcp_connections, "*", 0, 0, "", RECONN,
        "The addresses to listen on; \"*\" is every address of this machine.")
#undef S
#define S "services/gateway"
    KEY(S, "enabled", settings_kind_bool, gateway_service.is_enabled, "true", 0, 0, "", RECONN,
        "Somebody takes the received files and asks for files to be sent.")
#undef S
#define S "node"
    KEY(S, "idurl", settings_kind_idurl, node.idurl, "", 0, 1000, "", NOW,
        "The identity URL that peers are told; empty: none.")
    KEY(S, "host", settings_kind_host, node.host, "", 0, 253, "", NOW,
        "The host that peers are told to reach us at; empty: they take the address that they see.")
    KEY(S, "settings-file", settings_kind_own_path, node.settings_file, "", 0, 1000, "", RESTART,
        "Where 'dustwire set' writes, read after this file; empty: .dustwire/settings.ini in the inbox.")
    KEY(S, "confined", settings_kind_bool, node.is_confined, "true", 0, 0, "", RESTART,
        "Give up, by Landlock, every file that the daemon does not need: docs/privilege.md.")
#undef S
#define S "workers"
    KEY(S, "threads", settings_kind_threads, workers.threads, "auto", 1, 256, "threads", RESTART,
        "Threads that run the sessions; auto is one for each CPU that the daemon may use.")
    KEY(S, "read-buffer-kib", settings_kind_number, workers.read_buffer_kib, "512", 16, 4096, "KiB", RESTART,
        "The read buffer of each thread, shared by all of its sessions.")
    KEY(S, "mailbox-limit", settings_kind_number, workers.mailbox_limit, "65536", 1024, 1048576, "messages", RESTART,
        "How many orders may wait for one thread; more are refused.")
#undef S
#define S "sessions"
    KEY(S, "handshake-timeout-s", settings_kind_number, sessions.handshake_timeout_s, "10", 1, DAY_S, "seconds", NOW,
        "How long a peer may take to say hello.")
    KEY(S, "connect-timeout-s", settings_kind_number, sessions.connect_timeout_s, "10", 1, DAY_S, "seconds", NOW,
        "How long a connect to a peer may take.")
    KEY(S, "keep-alive-s", settings_kind_number, sessions.keep_alive_s, "0", 0, DAY_S, "seconds", NOW,
        "How often an idle session says that it is alive; 0: never.")
    KEY(S, "idle-limit-s", settings_kind_number, sessions.idle_limit_s, "0", 0, DAY_S, "seconds", NOW,
        "How long a peer without files under way may say nothing, no keep-alive either; 0: for ever.")
    KEY(S, "unread-limit-s", settings_kind_number, sessions.unread_limit_s, "120", 1, DAY_S, "seconds", NOW,
        "How long a peer may read nothing of what waits for it.")
    KEY(S, "ok-timeout-s", settings_kind_number, sessions.ok_timeout_s, "300", 1, DAY_S, "seconds", NOW,
        "How long to wait for the peer's ok after the last byte of a file.")
    KEY(S, "stall-window-s", settings_kind_number, sessions.stall_window_s, "60", 1, DAY_S, "seconds", NOW,
        "The time over which the speed of incoming files is judged.")
    KEY(S, "stall-bytes-per-s", settings_kind_number, sessions.stall_bytes_per_s, "1024", 1, 1073741824, "bytes a second", NOW,
        "The files of a session that brings less over that time are given up.")
    KEY(S, "tcp-user-timeout-s", settings_kind_number, sessions.tcp_user_timeout_s, "30", 1, DAY_S, "seconds", NOW,
        "How long a peer may acknowledge nothing of what was sent, its window being open.")
    KEY(S, "tcp-keep-alive-s", settings_kind_number, sessions.tcp_keep_alive_s, "60", 0, 60000, "seconds", NOW,
        "How long it takes to find out that a peer without files has vanished; 0: never.")
    KEY(S, "linger-ms", settings_kind_number, sessions.linger_ms, "2000", 1, DAY_S, "milliseconds", NOW,
        "How long a session that we close waits for the peer to close too.")
    KEY(S, "stop-timeout-s", settings_kind_number, sessions.stop_timeout_s, "10", 1, DAY_S, "seconds", NOW,
        "How long a stop lets files under way finish.")
    KEY(S, "limit", settings_kind_number, sessions.limit, "16384", 1, 1000000, "sessions", NOW,
        "How many sessions there may be at once; more are refused.")
    KEY(S, "limit-per-address", settings_kind_number, sessions.limit_per_address, "100", 1, 1000000, "sessions", NOW,
        "How many of those that peers opened may come from one address.")
    KEY(S, "limit-per-network", settings_kind_number, sessions.limit_per_network, "1000", 1, 1000000, "sessions", NOW,
        "How many of them may come from one network: /24 for IPv4, /64 for IPv6.")
    KEY(S, "half-open-limit", settings_kind_number, sessions.half_open_limit, "2048", 1, 1000000, "sessions", NOW,
        "How many accepted sessions may be without a hello at once; at it old ones give way.")
    KEY(S, "half-open-per-address", settings_kind_number, sessions.half_open_per_address, "32", 1, 1000000, "sessions", NOW,
        "How many of those may come from one address (IPv6: one /64).")
    KEY(S, "accepts-per-s", settings_kind_number, sessions.accepts_per_s, "20", 1, 1000000, "sessions a second", NOW,
        "How many sessions one address (IPv6: one /64) may open a second in the long run.")
    KEY(S, "accepts-burst", settings_kind_number, sessions.accepts_burst, "100", 1, 1000000, "sessions", NOW,
        "How many it may open at once after a rest.")
    KEY(S, "control-frame-limit-bytes", settings_kind_number, sessions.control_frame_limit_bytes, "4096", 256, 99997, "bytes", NOW,
        "The longest hello, wazap or abort that a peer may send.")
    KEY(S, "idurl-limit-bytes", settings_kind_number, sessions.idurl_limit_bytes, "1024", 16, SETTINGS_IDURL_MAX, "bytes", NOW,
        "The longest identity that a peer may give.")
    KEY(S, "reason-limit-bytes", settings_kind_number, sessions.reason_limit_bytes, "127", 0, 127, "bytes", NOW,
        "How much of the text of an abort is kept.")
    KEY(S, "files-in-limit", settings_kind_number, sessions.files_in_limit, "40", 1, 10000, "files", NOW,
        "How many files may come in at once in one session; one more and it is closed.")
    KEY(S, "files-in-mib", settings_kind_number, sessions.files_in_mib, "40960", 1, 1073741824, "MiB", NOW,
        "How large those may be together, as announced; a file beyond that is refused.")
    KEY(S, "files-out-limit", settings_kind_number, sessions.files_out_limit, "20", 1, 40, "files", NOW,
        "How many files go out at once in one session; BitDust takes 40 at most.")
    KEY(S, "queue-limit", settings_kind_number, sessions.queue_limit, "10000", 1, 1000000, "files", NOW,
        "How many files may wait in one session; more are refused.")
    KEY(S, "chunk-kib", settings_kind_number, sessions.chunk_kib, "96", 1, 97, "KiB", NOW,
        "How much of a file goes out in one data frame.")
    KEY(S, "trusted-announcers", settings_kind_networks, sessions.trusted_announcers, "", 0, 0, "", NOW,
        "Peers in these networks are believed when they announce another address than their own.")
#undef S
#define S "access"
    KEY(S, "allow-networks", settings_kind_networks, access.allow_networks, "", 0, 0, "", NOW,
        "Only peers in these networks may have a session; empty: all.")
    KEY(S, "deny-networks", settings_kind_networks, access.deny_networks, "", 0, 0, "", NOW,
        "Peers in these networks may not, also if they are allowed above.")
    KEY(S, "allow-idurls", settings_kind_idurls, access.allow_idurls, "", 0, 900, "", NOW,
        "Only peers that call themselves one of these may have a session; empty: all.")
    KEY(S, "deny-idurls", settings_kind_idurls, access.deny_idurls, "", 0, 900, "", NOW,
        "Peers that call themselves one of these may not.")
    KEY(S, "exempt-networks", settings_kind_networks, access.exempt_networks, "127.0.0.0/8,::1/128", 0, 0, "", NOW,
        "Peers in these networks are free from limits per address and network, and from penalties.")
    KEY(S, "penalty-after", settings_kind_number, access.penalty_after, "10", 0, 1000000, "offences", NOW,
        "How often an address may break the protocol before it is refused; one is forgiven a minute.")
    KEY(S, "penalty-s", settings_kind_number, access.penalty_s, "10", 0, DAY_S, "seconds", NOW,
        "How long it is refused then, doubled with each further time; 0: never.")
    KEY(S, "penalty-longest-s", settings_kind_number, access.penalty_longest_s, "3600", 1, DAY_S, "seconds", NOW,
        "The longest that it is refused.")
    KEY(S, "files-per-s", settings_kind_number, access.files_per_s, "1000", 0, 1000000, "files a second", NOW,
        "How many files one address (IPv6: one /64) may begin a second; beyond it is read later; 0: no limit.")
#undef S
#define S "bandwidth"
    KEY(S, "in-kib-per-s", settings_kind_number, bandwidth.in_kib_per_s, "0", 0, BANDWIDTH_MAX, "KiB a second", NOW,
        "What all sessions together may receive; 0: no limit.")
    KEY(S, "out-kib-per-s", settings_kind_number, bandwidth.out_kib_per_s, "0", 0, BANDWIDTH_MAX, "KiB a second", NOW,
        "What all sessions together may send; 0: no limit.")
    KEY(S, "session-in-kib-per-s", settings_kind_number, bandwidth.session_in_kib_per_s, "0", 0, BANDWIDTH_MAX, "KiB a second", NOW,
        "What one session may receive; 0: no limit.")
    KEY(S, "session-out-kib-per-s", settings_kind_number, bandwidth.session_out_kib_per_s, "0", 0, BANDWIDTH_MAX, "KiB a second", NOW,
        "What one session may send; 0: no limit.")
#undef S
#define S "inbox"
    KEY(S, "path", settings_kind_path, inbox.path, "/var/lib/dustwire/inbox", 1, 990, "", RESTART,
        "The folder where received files end up.")
    KEY(S, "durability", settings_kind_durability, inbox.durability, "full", 0, 0, "", RESTART,
        "full: a file is acknowledged when it survives a power cut; none: when it is complete.")
    KEY(S, "journal-limit-mib", settings_kind_number, inbox.journal_limit_mib, "64", 1, 65536, "MiB", RESTART,
        "How large the journal of received files may grow before its oldest records go.")
    KEY(S, "quota-mib", settings_kind_number, inbox.quota_mib, "0", 0, 1073741824, "MiB", NOW,
        "How much may stand in the inbox and be on its way there; more is refused; 0: no limit.")
    KEY(S, "files-limit", settings_kind_number, inbox.files_limit, "1000000", 0, 1000000000, "files", NOW,
        "How many files may stand in the inbox and be on their way there; more are refused; 0: no limit.")
    KEY(S, "min-free-mib", settings_kind_number, inbox.min_free_mib, "64", 0, 1073741824, "MiB", NOW,
        "What stays free on the inbox's disk when all files under way are whole.")
    KEY(S, "largest-file-mib", settings_kind_number, inbox.largest_file_mib, "2048", 1, 2048, "MiB", NOW,
        "A file that is announced as larger is refused.")
    KEY(S, "group", settings_kind_group, inbox.group, "", 0, SETTINGS_GROUP_SIZE - 1, "", RESTART,
        "The group of received files and of their folder; empty: the daemon's own.")
    KEY(S, "mode", settings_kind_mode, inbox.mode, "0600", 0600, 0666, "", RESTART,
        "Who may read received files, as for chmod; their folder lets the same people in.")
#undef S
#define S "outbox"
    KEY(S, "roots", settings_kind_roots, outbox.roots, "", 0, 1000, "", RESTART,
        "Files to be sent lie below these folders or are refused; empty: wherever the daemon may read.")
    KEY(S, "spool-limit-mib", settings_kind_number, outbox.spool_limit_mib, "4096", 0, 1048576, "MiB", RESTART,
        "How much 'dustwire send' may stream here of files that the daemon cannot read; 0: nothing.")
#undef S
#define S "network"
    KEY(S, "retry-s", settings_kind_number, network.retry_s, "30", 1, DAY_S, "seconds", NOW,
        "How often a transport that could not listen tries again, the first three times.")
    KEY(S, "retry-long-s", settings_kind_number, network.retry_long_s, "60", 1, DAY_S, "seconds", NOW,
        "How often it tries after that.")
    KEY(S, "probe", settings_kind_endpoint, network.probe, "", 0, 300, "", NOW,
        "A numeric address:port that is asked whether the network works; empty: none is.")
#undef S
#define S "control"
    KEY(S, "socket", settings_kind_path, control.socket, "/run/dustwire/control.sock", 1, 107, "", RESTART,
        "The socket where the command dustwire reaches the daemon.")
    KEY(S, "listen", settings_kind_endpoint, control.listen, "", 0, 300, "", RESTART,
        "A TCP address where the same is answered; beyond loopback only with a token.")
    KEY(S, "token", settings_kind_token, control.token, "", 16, 200, "", RESTART,
        "What clients at that address have to show: Authorization: Bearer TOKEN; empty: nothing.")
    KEY(S, "events-kept", settings_kind_number, control.events_kept, "10000", 100, 1000000, "events", RESTART,
        "How many past events are kept for those who follow them.")
    KEY(S, "group", settings_kind_group, control.group, "", 0, SETTINGS_GROUP_SIZE - 1, "", RESTART,
        "The group of the socket; empty: the daemon's own.")
    KEY(S, "mode", settings_kind_mode, control.mode, "0600", 0600, 0666, "", RESTART,
        "Who may use the socket, as for chmod: who may write to it commands the daemon.")
#undef S
#define S "gateway"
    KEY(S, "url", settings_kind_gateway_url, gateway.url, "", 0, 1000, "", RESTART,
        "Who hears of files, by XML-RPC: http://127.0.0.1:PORT/ or unix:/PATH; empty: the built-in gateway.")
    KEY(S, "file-result", settings_kind_bool, gateway.has_file_result, "false", 0, 0, "", RESTART,
        "That gateway offers file_result; `init` may say otherwise.")
    KEY(S, "patience-s", settings_kind_number, gateway.patience_s, "30", 1, DAY_S, "seconds", RESTART,
        "How long an incoming file waits for that gateway to register it.")
    KEY(S, "queue-limit", settings_kind_number, gateway.queue_limit, "10000", 10, 1000000, "calls", RESTART,
        "How many calls may wait for that gateway; at it nothing more is read from peers.")
#undef S
#define S "log"
    KEY(S, "level", settings_kind_level, log.level, "info", 0, 0, "", NOW,
        "What is logged.")
    KEY(S, "lines-per-peer-per-s", settings_kind_number, log.lines_per_peer_per_s, "100", 0, 1000000, "lines a second", NOW,
        "How many lines each thread writes about one peer; 0, and at level debug: all.")
    KEY(S, "file", settings_kind_own_path, log.file, "", 0, 1000, "", RESTART,
        "Where the log goes, opened anew when it was moved away; empty: standard error.")
    KEY(S, "file-limit-mib", settings_kind_number, log.file_limit_mib, "16", 0, 65536, "MiB", NOW,
        "At that size the file gets the name FILE.1, and a new one is begun; 0: never.")
#undef S
};
/* clang-format on */

const unsigned settings_table_count = sizeof settings_table / sizeof *settings_table;

_Static_assert(sizeof settings_table / sizeof *settings_table <= SETTINGS_KEYS_MAX,
               "SETTINGS_KEYS_MAX is too small");

void settings_default(struct settings *out)
{
    char why[SETTINGS_WHY_SIZE];

    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < settings_table_count; i++)
        CONTRACT(settings_kind_read(&settings_table[i], out, settings_table[i].fallback, why) ==
                 ERR_OK);
}
