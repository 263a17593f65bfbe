/* The INI file, parsed and validated into one plain struct without pointers: a copy is an
 * assignment, so each thread keeps its own and a reload sends copies. Only src/settings uses
 * iniparser.
 *
 * Every key has a default. The unit of a time is part of its name. Booleans are true/false, yes/no,
 * on/off, 1/0 only. Numbers are parsed strictly. */
#ifndef SETTINGS_SETTINGS_H
#define SETTINGS_SETTINGS_H

#include "base/address.h"
#include "base/err.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum {
    SETTINGS_TEXT_SIZE = 1024, /* maximum length of an iniparser line */
    SETTINGS_LISTEN_MAX = 16,
    SETTINGS_NETWORKS_MAX = 64,
    SETTINGS_KEYS_MAX = 160,
    SETTINGS_DEPRECATED_MAX = 16, /* keys of earlier releases that are still accepted */
    SETTINGS_GROUP_SIZE = 33,
    SETTINGS_TOKEN_SIZE = 208,
    SETTINGS_IDURL_MAX = 4096, /* maximum bytes of a peer's identity URL */
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
        /* `listen`: addresses without port, comma separated; "*" is 0.0.0.0 and, if the machine
         * supports IPv6, ::. The port is tcp_port. */
        bool is_listen_any;
        unsigned listen_count;
        struct address listen[SETTINGS_LISTEN_MAX];
    } tcp_connections;
    struct { /* [services/gateway] */
        bool is_enabled;
    } gateway_service;
    struct {                                    /* [node] */
        char idurl[SETTINGS_TEXT_SIZE];         /* "" is none: sent as the word None */
        char host[ADDRESS_HOST_SIZE];           /* "": peers use the connection's source address */
        char settings_file[SETTINGS_TEXT_SIZE]; /* "": in the inbox */
        bool is_confined;                       /* by Landlock */
    } node;
    struct {              /* [workers] */
        unsigned threads; /* 0 is auto: the number of usable CPUs */
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
        unsigned tcp_keep_alive_s; /* 0: none */
        unsigned linger_ms;        /* a closing session waits so long for the peer's end of file */
        unsigned stop_timeout_s;   /* grace period for active files during a stop */
        unsigned limit;            /* concurrent sessions */
        unsigned limit_per_address, limit_per_network;   /* accepted sessions */
        unsigned half_open_limit, half_open_per_address; /* accepted, no hello yet */
        unsigned accepts_per_s, accepts_burst;           /* from one address */
        unsigned control_frame_limit_bytes;              /* payload of hello, wazap and abort */
        unsigned idurl_limit_bytes;                      /* of a peer's identity URL */
        unsigned reason_limit_bytes;                     /* of an abort's text */
        unsigned files_in_limit, files_out_limit;        /* active files per session */
        unsigned files_in_mib;                           /* announced size of incoming files */
        unsigned queue_limit;                            /* queued files per session */
        unsigned chunk_kib;                              /* file bytes in an outgoing data frame */
        struct network_list trusted_announcers;
    } sessions;
    struct {                                               /* [access] */
        struct network_list allow_networks, deny_networks; /* empty allow list: all */
        struct network_list exempt_networks;               /* no limits per source */
        /* Comma separated, no spaces; "" in allow: all. */
        char allow_idurls[SETTINGS_TEXT_SIZE];
        char deny_idurls[SETTINGS_TEXT_SIZE];
        unsigned penalty_after; /* violations tolerated before the first penalty */
        unsigned penalty_s;     /* the first penalty, doubled with each further one; 0: none */
        unsigned penalty_longest_s;
        unsigned files_per_s; /* new files per address; 0: unlimited */
    } access;
    struct { /* [bandwidth]; 0: unlimited */
        unsigned in_kib_per_s, out_kib_per_s;
        unsigned session_in_kib_per_s, session_out_kib_per_s;
    } bandwidth;
    struct { /* [inbox] */
        char path[SETTINGS_TEXT_SIZE];
        enum durability durability;
        unsigned journal_limit_mib;
        unsigned quota_mib;   /* 0: none */
        unsigned files_limit; /* 0: none */
        unsigned min_free_mib;
        unsigned largest_file_mib;
        char group[SETTINGS_GROUP_SIZE]; /* of finished files; "": the daemon's own */
        unsigned mode;
    } inbox;
    struct {                            /* [outbox] */
        char roots[SETTINGS_TEXT_SIZE]; /* folders, comma separated; "": anywhere */
        unsigned spool_limit_mib;       /* 0: off */
    } outbox;
    struct {                            /* [network] */
        unsigned retry_s;               /* timer-5sec */
        unsigned retry_long_s;          /* timer-1hour */
        char probe[SETTINGS_TEXT_SIZE]; /* host:port probed by doPing; "" is none */
    } network;
    struct { /* [control] */
        char socket[SETTINGS_TEXT_SIZE];
        char listen[SETTINGS_TEXT_SIZE]; /* numeric address:port; "" is none */
        char token[SETTINGS_TOKEN_SIZE]; /* "" is none; never printed */
        unsigned events_kept;
        char group[SETTINGS_GROUP_SIZE]; /* of the socket; "": the daemon's own */
        unsigned mode;
    } control;
    struct {                          /* [gateway] */
        char url[SETTINGS_TEXT_SIZE]; /* "": the built-in gateway */
        bool has_file_result;
        unsigned patience_s;
        unsigned queue_limit;
    } gateway;
    struct { /* [log] */
        enum log_level level;
        unsigned lines_per_peer_per_s; /* 0: unlimited */
        char file[SETTINGS_TEXT_SIZE]; /* "": stderr */
        unsigned file_limit_mib;       /* 0: unlimited */
    } log;
};

/* Any thread. True if one of the networks contains `address`. */
bool network_list_contains(const struct network_list *list, const struct address *address);

/* Sets every key to its default. */
void settings_default(struct settings *out);

/* Receives one problem found in a file: a sentence that names file, section, key, value and what
 * would be valid. */
typedef void settings_problem_fn(void *ctx, const char *sentence);

/* Where the effective value of a key comes from. */
enum settings_origin {
    ORIGIN_DEFAULT,
    ORIGIN_FILE,
    ORIGIN_PERSISTED,
    ORIGIN_COMMAND_LINE,
    ORIGIN_GATEWAY, /* an option of its connect; never persisted */
};
struct settings_place {
    enum settings_origin from;
    unsigned line; /* of a file */
};
struct settings_origins {
    char file[SETTINGS_TEXT_SIZE];      /* given with --config; "" is none */
    char persisted[SETTINGS_TEXT_SIZE]; /* written by `dustwire set`; "" is none */
    bool is_file_world_readable;
    dev_t device; /* of `file` */
    ino_t inode;
    struct settings_place keys[SETTINGS_KEYS_MAX]; /* in the order of the table */
    /* Where the operator's file sets a value that `dustwire set` overrides. */
    struct settings_place overridden[SETTINGS_KEYS_MAX];
    /* Where deprecated keys are used; the others are ORIGIN_DEFAULT. */
    struct settings_place deprecated[SETTINGS_DEPRECATED_MAX];
};

/* The effective settings of a running daemon. */
struct settings_in_force {
    struct settings settings;
    struct settings_origins origins;
};

struct settings_paths {
    const char *file;      /* NULL: none, every key at its default */
    const char *persisted; /* the file of `dustwire set`; NULL: as the settings say; "": none */
    bool is_persisted_from_command_line;
};

/* Reads both files over the defaults, the persisted one last. Reports every unknown section and
 * key, every duplicate, every invalid value and every invalid combination, each as one problem,
 * sorted by line; ERR_INVALID if there was one (`*out` is then undefined). ERR_NOT_FOUND,
 * ERR_DENIED, ERR_NOT_REGULAR (also reported as a problem) if a file cannot be read. A missing
 * `file` is an error, a missing persisted file is not: nothing has been set yet. */
enum err settings_load(struct settings *out, struct settings_origins *origins,
                       const struct settings_paths *paths, settings_problem_fn *problem, void *ctx);

/* Prints the settings as a commented INI file that settings_load accepts (secrets are not printed):
 * each key with its description, unit, default, and its origin if `origins` is not NULL.
 * etc/dustwired.ini is this output for the defaults (a test compares them). */
void settings_print(const struct settings *s, const struct settings_origins *origins, FILE *out);

/* Reports warnings, one sentence each: no transport can run, a file with a token is world-readable,
 * a key is deprecated, `dustwire set` overrides a value of the file. */
void settings_warn(const struct settings *s, const struct settings_origins *origins,
                   settings_problem_fn *warning, void *ctx);

/* The address of [control] listen; false if it is empty. */
bool settings_control_address(const struct settings *s, struct address *out);

/* Reports each effective setting that differs from its default as "section/key = value"; for the
 * log at start. */
void settings_print_changed(const struct settings *s, settings_problem_fn *line, void *ctx);

/* True for a valid URL of a remote gateway: http://ADDRESS:PORT[/PATH] with a loopback address (or
 * the name localhost), or unix:/PATH. Otherwise `why` says what is valid. */
enum { SETTINGS_WHY_SIZE = 256 };
bool settings_gateway_url_check(const char *url, char why[SETTINGS_WHY_SIZE]);

/* Calls `each` for every setting of the sections with limits (sessions, access, bandwidth, inbox,
 * log), with its value as printed. */
typedef void settings_limit_fn(void *ctx, const char *section, const char *name, const char *value);
void settings_each_limit(const struct settings *s, settings_limit_fn *each, void *ctx);

/* False if no transport can run: none is enabled together with the services that it requires. A
 * warning, not an error. */
bool settings_has_transport(const struct settings *s);

/* Iterates over the directories of [outbox] roots: `*at` starts as the setting's text and is
 * advanced. False at the end. */
bool settings_next_root(const char **at, char root[SETTINGS_TEXT_SIZE]);

/* The number of worker threads, with `auto` resolved for this process. */
unsigned settings_worker_count(const struct settings *s);

/* What is needed to apply a change from `before` to `after`. */
struct settings_change {
    bool is_any;
    bool needs_reconnect;                   /* port, listen, enabled, receiving-enabled, services */
    char needs_restart[SETTINGS_TEXT_SIZE]; /* "[workers] threads, [inbox] path" or "" */
};
void settings_compare(const struct settings *before, const struct settings *after,
                      struct settings_change *out);

/* Copies from `before` the values, with their origins, that can change at a restart only. */
void settings_keep_fixed(struct settings *after, struct settings_origins *after_origins,
                         const struct settings *before,
                         const struct settings_origins *before_origins);

#endif
