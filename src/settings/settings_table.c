#include "settings_priv.h"

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

#define DAY_S   86400
#define NOW     CHANGE_AT_ONCE
#define RECONN  CHANGE_RECONNECTS
#define RESTART CHANGE_RESTARTS

/* In the order in which they are printed; the keys of a section stand together. */
/* clang-format off */
const struct setting settings_rows[] = {
#define S "services/tcp-transport"
    KEY_TO_SET(S, "enabled", kind_bool, tcp_transport.is_enabled, "true", 0, 0, "", RECONN,
        "Files move over TCP; needs the two services below.")
    KEY_TO_SET(S, "receiving-enabled", kind_bool, tcp_transport.is_receiving_enabled, "true", 0, 0, "", RECONN,
        "Listen for peers; without it only sessions that we open ourselves exist.")
    KEY_TO_SET(S, "sending-enabled", kind_bool, tcp_transport.is_sending_enabled, "true", 0, 0, "", NOW,
        "Take files to send.")
    KEY_TO_SET(S, "priority", kind_number, tcp_transport.priority, "1", 1, 99, "", NOW,
        "Among several transports that could reach a peer the lowest number is taken.")
#undef S
#define S "services/tcp-connections"
    KEY(S, "enabled", kind_bool, tcp_connections.is_enabled, "true", 0, 0, "", RECONN,
        "Use TCP at all.")
    KEY_TO_SET(S, "tcp-port", kind_port, tcp_connections.tcp_port, "7771", 1, 65535, "", RECONN,
        "The port to listen on.")
    KEY(S, "listen", kind_listen, tcp_connections, "*", 0, 0, "", RECONN,
        "The addresses to listen on; \"*\" is every address of this machine.")
#undef S
#define S "services/gateway"
    KEY(S, "enabled", kind_bool, gateway_service.is_enabled, "true", 0, 0, "", RECONN,
        "Somebody takes the received files and asks for files to be sent.")
#undef S
#define S "node"
    KEY(S, "idurl", kind_idurl, node.idurl, "", 0, 1000, "", NOW,
        "The identity URL that peers are told; empty: none.")
    KEY(S, "host", kind_host, node.host, "", 0, 253, "", NOW,
        "The host that peers are told to reach us at; empty: they take the address that they see.")
    KEY(S, "settings-file", kind_own_path, node.settings_file, "", 0, 1000, "", RESTART,
        "Where 'dustwire set' writes, read after this file; empty: .dustwire/settings.ini in the inbox.")
    KEY(S, "confined", kind_bool, node.is_confined, "true", 0, 0, "", RESTART,
        "Give up, by Landlock, every file that the daemon does not need: docs/privilege.md.")
#undef S
#define S "workers"
    KEY(S, "threads", kind_threads, workers.threads, "auto", 1, 256, "threads", RESTART,
        "Threads that run the sessions; auto is one for each CPU that is online.")
    KEY(S, "read-buffer-kib", kind_number, workers.read_buffer_kib, "256", 16, 4096, "KiB", RESTART,
        "The read buffer of each thread, shared by all of its sessions.")
    KEY(S, "mailbox-limit", kind_number, workers.mailbox_limit, "65536", 1024, 1048576, "messages", RESTART,
        "How many orders may wait for one thread; more are refused.")
#undef S
#define S "sessions"
    KEY(S, "handshake-timeout-s", kind_number, sessions.handshake_timeout_s, "10", 1, DAY_S, "seconds", NOW,
        "How long a peer may take to say hello.")
    KEY(S, "connect-timeout-s", kind_number, sessions.connect_timeout_s, "10", 1, DAY_S, "seconds", NOW,
        "How long a connect to a peer may take.")
    KEY(S, "keep-alive-s", kind_number, sessions.keep_alive_s, "0", 0, DAY_S, "seconds", NOW,
        "How often an idle session says that it is alive; 0: never.")
    KEY(S, "ok-timeout-s", kind_number, sessions.ok_timeout_s, "300", 1, DAY_S, "seconds", NOW,
        "How long to wait for the peer's ok after the last byte of a file.")
    KEY(S, "stall-window-s", kind_number, sessions.stall_window_s, "60", 1, DAY_S, "seconds", NOW,
        "The time over which the speed of an incoming file is judged.")
    KEY(S, "stall-bytes-per-s", kind_number, sessions.stall_bytes_per_s, "1024", 1, 1073741824, "bytes a second", NOW,
        "An incoming file that is slower over that time is given up.")
    KEY(S, "tcp-user-timeout-s", kind_number, sessions.tcp_user_timeout_s, "30", 1, DAY_S, "seconds", NOW,
        "How long sent bytes may stay unacknowledged before the kernel gives the session up.")
    KEY(S, "linger-ms", kind_number, sessions.linger_ms, "2000", 1, DAY_S, "milliseconds", NOW,
        "How long a session that we close waits for the peer to close too.")
    KEY(S, "stop-timeout-s", kind_number, sessions.stop_timeout_s, "10", 1, DAY_S, "seconds", NOW,
        "How long a stop lets files under way finish.")
    KEY(S, "limit", kind_number, sessions.limit, "16384", 1, 1000000, "sessions", NOW,
        "How many sessions there may be at once; more are refused.")
    KEY(S, "control-frame-limit-bytes", kind_number, sessions.control_frame_limit_bytes, "4096", 256, 99997, "bytes", NOW,
        "The longest hello, wazap or abort that a peer may send.")
    KEY(S, "queue-limit", kind_number, sessions.queue_limit, "10000", 1, 1000000, "files", NOW,
        "How many files may wait in one session; more are refused.")
    KEY(S, "chunk-kib", kind_number, sessions.chunk_kib, "96", 1, 97, "KiB", NOW,
        "How much of a file goes out in one data frame.")
    KEY(S, "trusted-announcers", kind_networks, sessions.trusted_announcers, "", 0, 0, "", NOW,
        "Peers in these networks are believed when they announce another address than their own.")
#undef S
#define S "inbox"
    KEY(S, "path", kind_path, inbox.path, "/var/lib/dustwire/inbox", 1, 990, "", RESTART,
        "The folder where received files end up.")
    KEY(S, "durability", kind_durability, inbox.durability, "full", 0, 0, "", RESTART,
        "full: a file is acknowledged when it survives a power cut; none: when it is complete.")
    KEY(S, "journal-limit-mib", kind_number, inbox.journal_limit_mib, "64", 1, 65536, "MiB", RESTART,
        "How large the journal of received files may grow before its oldest records go.")
    KEY(S, "group", kind_group, inbox.group, "", 0, SETTINGS_GROUP_SIZE - 1, "", RESTART,
        "The group of received files and of their folder; empty: the daemon's own.")
    KEY(S, "mode", kind_mode, inbox.mode, "0600", 0600, 0666, "", RESTART,
        "Who may read received files, as for chmod; their folder lets the same people in.")
#undef S
#define S "outbox"
    KEY(S, "roots", kind_roots, outbox.roots, "", 0, 1000, "", RESTART,
        "Files to be sent lie below these folders or are refused; empty: wherever the daemon may read.")
    KEY(S, "spool-limit-mib", kind_number, outbox.spool_limit_mib, "4096", 0, 1048576, "MiB", RESTART,
        "How much 'dustwire send' may stream here of files that the daemon cannot read; 0: nothing.")
#undef S
#define S "network"
    KEY(S, "retry-s", kind_number, network.retry_s, "30", 1, DAY_S, "seconds", NOW,
        "How often a transport that could not listen tries again, the first three times.")
    KEY(S, "retry-long-s", kind_number, network.retry_long_s, "60", 1, DAY_S, "seconds", NOW,
        "How often it tries after that.")
    KEY(S, "probe", kind_endpoint, network.probe, "", 0, 300, "", NOW,
        "A numeric address:port that is asked whether the network works; empty: none is.")
#undef S
#define S "control"
    KEY(S, "socket", kind_path, control.socket, "/run/dustwire/control.sock", 1, 107, "", RESTART,
        "The socket where the command dustwire reaches the daemon.")
    KEY(S, "listen", kind_endpoint, control.listen, "", 0, 300, "", RESTART,
        "A TCP address where the same is answered; beyond loopback only with a token.")
    KEY(S, "token", kind_token, control.token, "", 16, 200, "", RESTART,
        "What clients at that address have to show: Authorization: Bearer TOKEN; empty: nothing.")
    KEY(S, "events-kept", kind_number, control.events_kept, "10000", 100, 1000000, "events", RESTART,
        "How many past events are kept for those who follow them.")
    KEY(S, "group", kind_group, control.group, "", 0, SETTINGS_GROUP_SIZE - 1, "", RESTART,
        "The group of the socket; empty: the daemon's own.")
    KEY(S, "mode", kind_mode, control.mode, "0600", 0600, 0666, "", RESTART,
        "Who may use the socket, as for chmod: who may write to it commands the daemon.")
#undef S
#define S "gateway"
    KEY(S, "url", kind_gateway_url, gateway.url, "", 0, 1000, "", RESTART,
        "Who hears of files, by XML-RPC: http://127.0.0.1:PORT/ or unix:/PATH; empty: the built-in gateway.")
    KEY(S, "file-result", kind_bool, gateway.has_file_result, "false", 0, 0, "", RESTART,
        "That gateway offers file_result; `init` may say otherwise.")
    KEY(S, "patience-s", kind_number, gateway.patience_s, "30", 1, DAY_S, "seconds", RESTART,
        "How long an incoming file waits for that gateway to register it.")
    KEY(S, "queue-limit", kind_number, gateway.queue_limit, "10000", 10, 1000000, "calls", RESTART,
        "How many calls may wait for that gateway; at it nothing more is read from peers.")
#undef S
#define S "log"
    KEY(S, "level", kind_level, log.level, "info", 0, 0, "", NOW,
        "What is logged.")
#undef S
};
/* clang-format on */

const unsigned settings_row_count = sizeof settings_rows / sizeof *settings_rows;

_Static_assert(sizeof settings_rows / sizeof *settings_rows <= SETTINGS_KEYS_MAX,
               "SETTINGS_KEYS_MAX is too small");
