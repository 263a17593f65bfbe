/* The INI file, read, checked and put into one plain struct without pointers: a copy is an
 * assignment, so each thread keeps its own and a reload sends copies. Only src/settings meets
 * iniparser.
 *
 * Every key has a default. Times carry their unit in their name. Booleans are true/false, yes/no,
 * on/off, 1/0 and nothing else. Numbers are read strictly. */
#ifndef SETTINGS_SETTINGS_H
#define SETTINGS_SETTINGS_H

#include "base/address.h"
#include "base/err.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    SETTINGS_TEXT_SIZE = 1024, /* an iniparser line is no longer */
    SETTINGS_LISTEN_MAX = 16,
    SETTINGS_NETWORKS_MAX = 64,
    SETTINGS_IDURL_MAX = 4096, /* bytes of a peer's identity, at most */
};

enum durability { DURABILITY_NONE, DURABILITY_FULL };

struct network_list {
    unsigned count;
    struct network networks[SETTINGS_NETWORKS_MAX];
};

struct settings {
    struct { /* [services/tcp-transport] */
        bool is_enabled;
        bool is_receiving_enabled;
        bool is_sending_enabled;
        unsigned priority; /* 1 is the highest */
    } tcp_transport;
    struct { /* [services/tcp-connections] */
        bool is_enabled;
        uint16_t tcp_port;
        /* `listen`: addresses without port, comma separated; "*" is 0.0.0.0 and, where the machine
         * has it, ::. The port is tcp_port. */
        bool is_listen_any;
        unsigned listen_count;
        struct address listen[SETTINGS_LISTEN_MAX];
    } tcp_connections;
    struct { /* [services/gateway] */
        bool is_enabled;
    } gateway_service;
    struct {                            /* [node] */
        char idurl[SETTINGS_TEXT_SIZE]; /* "" is none: the word None goes out */
        char host[ADDRESS_HOST_SIZE];   /* "" : peers take the address they see */
    } node;
    struct {              /* [workers] */
        unsigned threads; /* 0 is auto: the online CPUs */
        unsigned read_buffer_kib;
        unsigned mailbox_limit;
    } workers;
    struct { /* [sessions] */
        unsigned handshake_timeout_s;
        unsigned connect_timeout_s;
        unsigned keep_alive_s; /* 0: none */
        unsigned idle_limit_s; /* 0: none */
        unsigned ok_timeout_s;
        unsigned unread_limit_s;
        unsigned stall_window_s;
        unsigned stall_bytes_per_s;
        unsigned tcp_user_timeout_s;
        unsigned linger_ms;      /* how long a closing session waits for the peer's end of file */
        unsigned stop_timeout_s; /* how long a stop lets files under way finish */
        unsigned limit;          /* sessions at once */
        unsigned limit_per_address, limit_per_network;   /* accepted ones, of them */
        unsigned half_open_limit, half_open_per_address; /* accepted, no hello yet */
        unsigned accepts_per_s, accepts_burst;           /* from one address */
        unsigned control_frame_limit_bytes;              /* payload of hello, wazap and abort */
        unsigned idurl_limit_bytes;                      /* of a peer's identity */
        unsigned reason_limit_bytes;                     /* of an abort's text */
        unsigned files_in_limit, files_out_limit;        /* under way in one session */
        unsigned files_in_mib;                           /* announced by those coming in */
        unsigned queue_limit;                            /* files waiting in one session */
        unsigned chunk_kib;                              /* file bytes in an outgoing data frame */
        struct network_list trusted_announcers;
    } sessions;
    struct {                                               /* [access] */
        struct network_list allow_networks, deny_networks; /* none in allow: everybody */
        struct network_list exempt_networks;               /* no limits per source */
        /* Comma separated, no spaces; "" in allow: everybody. */
        char allow_idurls[SETTINGS_TEXT_SIZE];
        char deny_idurls[SETTINGS_TEXT_SIZE];
        unsigned penalty_after; /* offences that cost nothing */
        unsigned penalty_s;     /* of the next one; each after it doubles it; 0: none */
        unsigned penalty_longest_s;
    } access;
    struct { /* [bandwidth]; 0: no limit */
        unsigned in_kib_per_s, out_kib_per_s;
        unsigned session_in_kib_per_s, session_out_kib_per_s;
    } bandwidth;
    struct { /* [inbox] */
        char path[SETTINGS_TEXT_SIZE];
        enum durability durability;
        unsigned journal_limit_mib;
        unsigned quota_mib; /* 0: none */
        unsigned min_free_mib;
        unsigned largest_file_mib;
    } inbox;
    struct {                            /* [network] */
        unsigned retry_s;               /* timer-5sec */
        unsigned retry_long_s;          /* timer-1hour */
        char probe[SETTINGS_TEXT_SIZE]; /* host:port asked by doPing; "" is none */
    } network;
    struct { /* [control] */
        char socket[SETTINGS_TEXT_SIZE];
        unsigned events_kept;
    } control;
    struct { /* [log] */
        enum log_level level;
        unsigned lines_per_peer_per_s; /* 0: no limit */
    } log;
};

/* Any thread. True if one of the networks holds `address`. */
bool network_list_contains(const struct network_list *list, const struct address *address);

/* Fills in every default. */
void settings_default(struct settings *out);

/* Takes a problem found in a file, one sentence that names file, section, key, value and what would
 * be right. */
typedef void settings_problem_fn(void *ctx, const char *sentence);

/* Reads `path` over the defaults. Reports every unknown section and key, every duplicate, every bad
 * value and every impossible combination, each as one problem, in the file's order as far as it
 * goes; ERR_INVALID if there was one (`*out` is then undefined). ERR_NOT_FOUND, ERR_DENIED,
 * ERR_NOT_REGULAR (also reported as a problem) if the file cannot be read. A missing file is never
 * silently empty. */
enum err settings_read(struct settings *out, const char *path, settings_problem_fn *problem,
                       void *ctx);

/* Prints the settings as a commented INI file that settings_read takes back: each key with its
 * meaning, unit and default. etc/dustwired.ini is this output for the defaults (a test compares
 * them). */
void settings_print(const struct settings *s, FILE *out);

/* One line a setting in force that is not the default: "section/key = value"; for the log at start.
 */
void settings_print_changed(const struct settings *s, settings_problem_fn *line, void *ctx);

/* Each setting of the sections that hold limits (all but services, node, workers, network and
 * control), as it is printed. */
typedef void settings_limit_fn(void *ctx, const char *section, const char *name, const char *value);
void settings_each_limit(const struct settings *s, settings_limit_fn *each, void *ctx);

/* False if no transport can run: none is switched on together with the services that it needs. Not
 * an error, but people must be told. */
bool settings_has_transport(const struct settings *s);

/* The worker count that `threads` means on this machine. */
unsigned settings_worker_count(const struct settings *s);

/* What a change from `before` to `after` asks for. */
struct settings_change {
    bool is_any;
    bool
        needs_reconnect; /* port, listen, enabled, receiving-enabled, services: network_connector */
    char needs_restart[SETTINGS_TEXT_SIZE]; /* "[workers] threads, [inbox] path" or "" */
};
void settings_compare(const struct settings *before, const struct settings *after,
                      struct settings_change *out);

/* Copies from `before` what needs a restart, so that a reload never leaves a mixture in force. */
void settings_keep_fixed(struct settings *after, const struct settings *before);

#endif
