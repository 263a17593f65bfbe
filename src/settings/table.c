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
     .min = (lo),                                                            \
     .max = (hi),                                                            \
     .unit = (of_unit),                                                      \
     .change = (on_change),                                                  \
     .meaning = (says)},

/* A key that can be set while the daemon runs. */
#define KEY_TO_SET(sec, key, of_kind, field, def, lo, hi, of_unit, on_change, says) \
    {.section = (sec),                                                              \
     .name = (key),                                                                 \
     .kind = &(of_kind),                                                            \
     .offset = offsetof(struct settings, field),                                    \
     .fallback = (def),                                                             \
     .min = (lo),                                                                   \
     .max = (hi),                                                                   \
     .unit = (of_unit),                                                             \
     .change = (on_change),                                                         \
     .meaning = (says),                                                             \
     .is_settable = true},

#define DAY_S         86400
#define BANDWIDTH_MAX 9000000 /* its bytes times the nanoseconds of a second fit in 64 bits */
#define NOW           CHANGE_AT_ONCE
#define RECONN        CHANGE_RECONNECTS
#define RESTART       CHANGE_RESTARTS

/* In the order of printing; the keys of a section are adjacent. */
/* clang-format off */
const struct settings_row settings_table[] = {
#define S "services/tcp-transport"
    KEY_TO_SET(S, "enabled", settings_kind_bool, tcp_transport.is_enabled, "true", 0, 0, "", RECONN,
        "TCP transport; requires the two services below.")
    KEY_TO_SET(S, "receiving-enabled", settings_kind_bool, tcp_transport.is_receiving_enabled, "true", 0, 0, "", RECONN,
        "Accept sessions from peers; if off, only outgoing sessions exist.")
    KEY_TO_SET(S, "sending-enabled", settings_kind_bool, tcp_transport.is_sending_enabled, "true", 0, 0, "", NOW,
        "Accept files for sending.")
    KEY_TO_SET(S, "priority", settings_kind_number, tcp_transport.priority, "1", 1, 99, "", NOW,
        "Priority among the transports that can reach a peer; the lowest number is preferred.")
#undef S
#define S "services/tcp-connections"
    KEY(S, "enabled", settings_kind_bool, tcp_connections.is_enabled, "true", 0, 0, "", RECONN,
        "Enable TCP.")
    KEY_TO_SET(S, "tcp-port", settings_kind_port, tcp_connections.tcp_port, "7771", 1, 65535, "", RECONN,
        "Listening port.")
    KEY(S, "listen", settings_kind_listen, tcp_connections, "*", 0, 0, "", RECONN,
        "Listening addresses; \"*\" = all addresses of this machine.")
#undef S
#define S "services/gateway"
    KEY(S, "enabled", settings_kind_bool, gateway_service.is_enabled, "true", 0, 0, "", RECONN,
        "Enable the gateway service.")
#undef S
#define S "node"
    KEY(S, "idurl", settings_kind_idurl, node.idurl, "", 0, 1000, "", NOW,
        "Identity URL announced to peers; empty = none.")
    KEY(S, "host", settings_kind_host, node.host, "", 0, 253, "", NOW,
        "Host announced to peers; empty = peers use the source address of the connection.")
    KEY(S, "settings-file", settings_kind_optional_path, node.settings_file, "", 0, 1000, "", RESTART,
        "File written by 'dustwire set', read after this file; empty = .dustwire/settings.ini in the inbox.")
    KEY(S, "confined", settings_kind_bool, node.is_confined, "true", 0, 0, "", RESTART,
        "Restrict file access with Landlock to what the daemon needs; see docs/privilege.md.")
#undef S
#define S "workers"
    KEY(S, "threads", settings_kind_threads, workers.threads, "auto", 1, 256, "threads", RESTART,
        "Number of worker threads; auto = one per usable CPU.")
    KEY(S, "read-buffer-kib", settings_kind_number, workers.read_buffer_kib, "512", 16, 4096, "KiB", RESTART,
        "Read buffer size per worker, shared by all of its sessions.")
    KEY(S, "mailbox-limit", settings_kind_number, workers.mailbox_limit, "65536", 1024, 1048576, "messages", RESTART,
        "Per-worker mailbox capacity; requests beyond it are rejected.")
#undef S
#define S "sessions"
    KEY(S, "handshake-timeout-s", settings_kind_number, sessions.handshake_timeout_s, "10", 1, DAY_S, "seconds", NOW,
        "Handshake timeout: time until a peer's hello must arrive.")
    KEY(S, "connect-timeout-s", settings_kind_number, sessions.connect_timeout_s, "10", 1, DAY_S, "seconds", NOW,
        "Timeout for connecting to a peer.")
    KEY(S, "keep-alive-s", settings_kind_number, sessions.keep_alive_s, "0", 0, DAY_S, "seconds", NOW,
        "Keep-alive interval of an idle session; 0 = off.")
    KEY(S, "idle-limit-s", settings_kind_number, sessions.idle_limit_s, "0", 0, DAY_S, "seconds", NOW,
        "Idle timeout of a session without active files, keep-alives count as activity; 0 = unlimited.")
    KEY(S, "unread-limit-s", settings_kind_number, sessions.unread_limit_s, "120", 1, DAY_S, "seconds", NOW,
        "Write timeout: a session is closed if the peer reads nothing of its pending data for this long.")
    KEY(S, "ok-timeout-s", settings_kind_number, sessions.ok_timeout_s, "300", 1, DAY_S, "seconds", NOW,
        "Timeout for the peer's ok after the last byte of a file.")
    KEY(S, "stall-window-s", settings_kind_number, sessions.stall_window_s, "60", 1, DAY_S, "seconds", NOW,
        "Averaging window for the minimum rate of incoming files.")
    KEY(S, "stall-bytes-per-s", settings_kind_number, sessions.stall_bytes_per_s, "1024", 1, 1073741824, "bytes/s", NOW,
        "Minimum rate of a session's incoming files over stall-window-s; below it they are aborted.")
    KEY(S, "tcp-user-timeout-s", settings_kind_number, sessions.tcp_user_timeout_s, "30", 1, DAY_S, "seconds", NOW,
        "TCP_USER_TIMEOUT: time sent data can stay unacknowledged while the peer's window is open.")
    KEY(S, "tcp-keep-alive-s", settings_kind_number, sessions.tcp_keep_alive_s, "60", 0, 60000, "seconds", NOW,
        "Time to detect a dead peer on an idle connection with TCP keep-alive; 0 = off.")
    KEY(S, "linger-ms", settings_kind_number, sessions.linger_ms, "2000", 1, DAY_S, "milliseconds", NOW,
        "Timeout for the peer's end of file after closing our side.")
    KEY(S, "stop-timeout-s", settings_kind_number, sessions.stop_timeout_s, "10", 1, DAY_S, "seconds", NOW,
        "Grace period for active files during a stop.")
    KEY(S, "limit", settings_kind_number, sessions.limit, "16384", 1, 1000000, "sessions", NOW,
        "Maximum number of sessions; connections beyond it are rejected.")
    KEY(S, "limit-per-address", settings_kind_number, sessions.limit_per_address, "100", 1, 1000000, "sessions", NOW,
        "Maximum number of accepted sessions per source address.")
    KEY(S, "limit-per-network", settings_kind_number, sessions.limit_per_network, "1000", 1, 1000000, "sessions", NOW,
        "Maximum number of accepted sessions per source network: /24 for IPv4, /64 for IPv6.")
    KEY(S, "half-open-limit", settings_kind_number, sessions.half_open_limit, "2048", 1, 1000000, "sessions", NOW,
        "Maximum number of half-open sessions (accepted, no hello yet); at the limit an old one is evicted.")
    KEY(S, "half-open-per-address", settings_kind_number, sessions.half_open_per_address, "32", 1, 1000000, "sessions", NOW,
        "Maximum number of half-open sessions per source address (IPv6: per /64).")
    KEY(S, "accepts-per-s", settings_kind_number, sessions.accepts_per_s, "20", 1, 1000000, "sessions/s", NOW,
        "Sustained accept rate per source address (IPv6: per /64).")
    KEY(S, "accepts-burst", settings_kind_number, sessions.accepts_burst, "100", 1, 1000000, "sessions", NOW,
        "Accept burst per source address.")
    KEY(S, "control-frame-limit-bytes", settings_kind_number, sessions.control_frame_limit_bytes, "4096", 256, 99997, "bytes", NOW,
        "Maximum payload of a peer's hello, wazap or abort frame.")
    KEY(S, "idurl-limit-bytes", settings_kind_number, sessions.idurl_limit_bytes, "1024", 16, SETTINGS_IDURL_MAX, "bytes", NOW,
        "Maximum length of a peer's identity URL.")
    KEY(S, "reason-limit-bytes", settings_kind_number, sessions.reason_limit_bytes, "127", 0, 127, "bytes", NOW,
        "Maximum stored length of an abort's reason; the rest is cut.")
    KEY(S, "files-in-limit", settings_kind_number, sessions.files_in_limit, "40", 1, 10000, "files", NOW,
        "Maximum number of concurrent incoming files per session; one more closes the session.")
    KEY(S, "files-in-mib", settings_kind_number, sessions.files_in_mib, "40960", 1, 1073741824, "MiB", NOW,
        "Maximum total announced size of a session's incoming files; a file beyond it is rejected.")
    KEY(S, "files-out-limit", settings_kind_number, sessions.files_out_limit, "20", 1, 40, "files", NOW,
        "Maximum number of concurrent outgoing files per session; BitDust accepts at most 40.")
    KEY(S, "queue-limit", settings_kind_number, sessions.queue_limit, "10000", 1, 1000000, "files", NOW,
        "Maximum number of queued outgoing files per session; more are rejected.")
    KEY(S, "chunk-kib", settings_kind_number, sessions.chunk_kib, "96", 1, 97, "KiB", NOW,
        "Size of the file data in an outgoing data frame.")
    KEY(S, "trusted-announcers", settings_kind_networks, sessions.trusted_announcers, "", 0, 0, "", NOW,
        "Networks whose peers are allowed to announce an address other than their own.")
#undef S
#define S "access"
    KEY(S, "allow-networks", settings_kind_networks, access.allow_networks, "", 0, 0, "", NOW,
        "Allowed source networks; empty = all.")
    KEY(S, "deny-networks", settings_kind_networks, access.deny_networks, "", 0, 0, "", NOW,
        "Denied source networks; takes precedence over allow-networks.")
    KEY(S, "allow-idurls", settings_kind_idurls, access.allow_idurls, "", 0, 900, "", NOW,
        "Allowed peer identity URLs; empty = all.")
    KEY(S, "deny-idurls", settings_kind_idurls, access.deny_idurls, "", 0, 900, "", NOW,
        "Denied peer identity URLs; takes precedence over allow-idurls.")
    KEY(S, "exempt-networks", settings_kind_networks, access.exempt_networks, "127.0.0.0/8,::1/128", 0, 0, "", NOW,
        "Networks exempt from the limits per address and network, and from penalties.")
    KEY(S, "penalty-after", settings_kind_number, access.penalty_after, "10", 0, 1000000, "violations", NOW,
        "Protocol violations tolerated per address before a penalty; one expires per minute.")
    KEY(S, "penalty-s", settings_kind_number, access.penalty_s, "10", 0, DAY_S, "seconds", NOW,
        "Initial penalty: time an address is rejected, doubled with each further one; 0 = off.")
    KEY(S, "penalty-longest-s", settings_kind_number, access.penalty_longest_s, "3600", 1, DAY_S, "seconds", NOW,
        "Maximum penalty.")
    KEY(S, "files-per-s", settings_kind_number, access.files_per_s, "1000", 0, 1000000, "files/s", NOW,
        "New incoming files per source address (IPv6: per /64); beyond it reading is delayed; 0 = unlimited.")
#undef S
#define S "bandwidth"
    KEY(S, "in-kib-per-s", settings_kind_number, bandwidth.in_kib_per_s, "0", 0, BANDWIDTH_MAX, "KiB/s", NOW,
        "Node-wide receive rate limit; 0 = unlimited.")
    KEY(S, "out-kib-per-s", settings_kind_number, bandwidth.out_kib_per_s, "0", 0, BANDWIDTH_MAX, "KiB/s", NOW,
        "Node-wide send rate limit; 0 = unlimited.")
    KEY(S, "session-in-kib-per-s", settings_kind_number, bandwidth.session_in_kib_per_s, "0", 0, BANDWIDTH_MAX, "KiB/s", NOW,
        "Per-session receive rate limit; 0 = unlimited.")
    KEY(S, "session-out-kib-per-s", settings_kind_number, bandwidth.session_out_kib_per_s, "0", 0, BANDWIDTH_MAX, "KiB/s", NOW,
        "Per-session send rate limit; 0 = unlimited.")
#undef S
#define S "inbox"
    KEY(S, "path", settings_kind_path, inbox.path, "/var/lib/dustwire/inbox", 1, 990, "", RESTART,
        "Inbox: directory for received files.")
    KEY(S, "durability", settings_kind_durability, inbox.durability, "full", 0, 0, "", RESTART,
        "When a file is acknowledged: full = after it is synced to disk, none = after it is complete.")
    KEY(S, "journal-limit-mib", settings_kind_number, inbox.journal_limit_mib, "64", 1, 65536, "MiB", RESTART,
        "Maximum size of the journal of received files; the oldest records are dropped first.")
    KEY(S, "quota-mib", settings_kind_number, inbox.quota_mib, "0", 0, 1073741824, "MiB", NOW,
        "Inbox size limit, incomplete files included; a file beyond it is rejected; 0 = unlimited.")
    KEY(S, "files-limit", settings_kind_number, inbox.files_limit, "1000000", 0, 1000000000, "files", NOW,
        "Inbox file count limit, incomplete files included; a file beyond it is rejected; 0 = unlimited.")
    KEY(S, "min-free-mib", settings_kind_number, inbox.min_free_mib, "64", 0, 1073741824, "MiB", NOW,
        "Free space reserved on the inbox's file system, after all active files are complete.")
    KEY(S, "largest-file-mib", settings_kind_number, inbox.largest_file_mib, "2048", 1, 2048, "MiB", NOW,
        "Maximum size of a received file; a larger one is rejected.")
    KEY(S, "group", settings_kind_group, inbox.group, "", 0, SETTINGS_GROUP_SIZE - 1, "", RESTART,
        "Group of received files and of their directory; empty = the daemon's primary group.")
    KEY(S, "mode", settings_kind_mode, inbox.mode, "0600", 0600, 0666, "", RESTART,
        "Permissions of received files, as for chmod; their directory gets the matching search permission.")
#undef S
#define S "outbox"
    KEY(S, "roots", settings_kind_roots, outbox.roots, "", 0, 1000, "", RESTART,
        "Directories from which files can be sent; empty = any file the daemon can read.")
    KEY(S, "spool-limit-mib", settings_kind_number, outbox.spool_limit_mib, "4096", 0, 1048576, "MiB", RESTART,
        "Spool size limit for files that 'dustwire send' streams because the daemon cannot read them; 0 = off.")
#undef S
#define S "network"
    KEY(S, "retry-s", settings_kind_number, network.retry_s, "30", 1, DAY_S, "seconds", NOW,
        "Retry interval of a transport that failed to listen, for the first three retries.")
    KEY(S, "retry-long-s", settings_kind_number, network.retry_long_s, "60", 1, DAY_S, "seconds", NOW,
        "Retry interval after the third retry.")
    KEY(S, "probe", settings_kind_endpoint, network.probe, "", 0, 300, "", NOW,
        "Numeric address:port probed to check network connectivity; empty = no probe.")
#undef S
#define S "control"
    KEY(S, "socket", settings_kind_path, control.socket, "/run/dustwire/control.sock", 1, 107, "", RESTART,
        "Unix socket for control connections of the dustwire command.")
    KEY(S, "listen", settings_kind_endpoint, control.listen, "", 0, 300, "", RESTART,
        "TCP address for control connections; requires a token unless it is a loopback address.")
    KEY(S, "token", settings_kind_token, control.token, "", 16, 200, "", RESTART,
        "Bearer token required over TCP (Authorization: Bearer TOKEN); empty = none.")
    KEY(S, "events-kept", settings_kind_number, control.events_kept, "10000", 100, 1000000, "events", RESTART,
        "Number of past events kept in memory for subscribers.")
    KEY(S, "group", settings_kind_group, control.group, "", 0, SETTINGS_GROUP_SIZE - 1, "", RESTART,
        "Group of the control socket; empty = the daemon's primary group.")
    KEY(S, "mode", settings_kind_mode, control.mode, "0600", 0600, 0666, "", RESTART,
        "Permissions of the control socket, as for chmod; write permission gives full control of the daemon.")
#undef S
#define S "gateway"
    KEY(S, "url", settings_kind_gateway_url, gateway.url, "", 0, 1000, "", RESTART,
        "XML-RPC URL of a remote gateway: http://127.0.0.1:PORT/ or unix:/PATH; empty = the built-in gateway.")
    KEY(S, "file-result", settings_kind_bool, gateway.has_file_result, "false", 0, 0, "", RESTART,
        "The remote gateway implements file_result; `init` can override it.")
    KEY(S, "patience-s", settings_kind_number, gateway.patience_s, "30", 1, DAY_S, "seconds", RESTART,
        "Timeout for the remote gateway to register an incoming file.")
    KEY(S, "queue-limit", settings_kind_number, gateway.queue_limit, "10000", 10, 1000000, "calls", RESTART,
        "Maximum number of pending calls to the remote gateway; at the limit reading from peers is paused.")
#undef S
#define S "log"
    KEY(S, "level", settings_kind_level, log.level, "info", 0, 0, "", NOW,
        "Minimum severity of logged messages.")
    KEY(S, "lines-per-peer-per-s", settings_kind_number, log.lines_per_peer_per_s, "100", 0, 1000000, "lines/s", NOW,
        "Log rate limit per peer and thread; 0 = unlimited; not applied at level debug.")
    KEY(S, "file", settings_kind_optional_path, log.file, "", 0, 1000, "", RESTART,
        "Log file, reopened after it is renamed or removed; empty = standard error.")
    KEY(S, "file-limit-mib", settings_kind_number, log.file_limit_mib, "16", 0, 65536, "MiB", NOW,
        "Log rotation size: the file is renamed to FILE.1 and a new one is opened; 0 = no rotation.")
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
