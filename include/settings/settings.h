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
#include <sys/types.h>

enum {
    SETTINGS_TEXT_SIZE = 1024, /* an iniparser line is no longer */
    SETTINGS_LISTEN_MAX = 16,
    SETTINGS_NETWORKS_MAX = 64,
    SETTINGS_KEYS_MAX = 160,
    SETTINGS_FORMERS_MAX = 16, /* keys of earlier releases that are still taken */
    SETTINGS_GROUP_SIZE = 33,
    SETTINGS_TOKEN_SIZE = 208,
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
    struct {                                    /* [node] */
        char idurl[SETTINGS_TEXT_SIZE];         /* "" is none: the word None goes out */
        char host[ADDRESS_HOST_SIZE];           /* "" : peers take the address they see */
        char settings_file[SETTINGS_TEXT_SIZE]; /* "": in the inbox */
        bool is_confined;                       /* by Landlock */
    } node;
    struct {              /* [workers] */
        unsigned threads; /* 0 is auto: the CPUs that the process may use */
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
        unsigned linger_ms;        /* how long a closing session waits for the peer's end of file */
        unsigned stop_timeout_s;   /* how long a stop lets files under way finish */
        unsigned limit;            /* sessions at once */
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
        unsigned files_per_s; /* begun by one address; 0: no limit */
    } access;
    struct { /* [bandwidth]; 0: no limit */
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
        unsigned spool_limit_mib;       /* 0: none is taken */
    } outbox;
    struct {                            /* [network] */
        unsigned retry_s;               /* timer-5sec */
        unsigned retry_long_s;          /* timer-1hour */
        char probe[SETTINGS_TEXT_SIZE]; /* host:port asked by doPing; "" is none */
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
        char url[SETTINGS_TEXT_SIZE]; /* "" : the built-in one */
        bool has_file_result;
        unsigned patience_s;
        unsigned queue_limit;
    } gateway;
    struct { /* [log] */
        enum log_level level;
        unsigned lines_per_peer_per_s; /* 0: no limit */
        char file[SETTINGS_TEXT_SIZE]; /* "": stderr */
        unsigned file_limit_mib;       /* 0: no limit */
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

/* Where a value in force comes from. */
enum settings_origin {
    ORIGIN_DEFAULT,
    ORIGIN_FILE,
    ORIGIN_OWN_FILE,
    ORIGIN_COMMAND_LINE,
    ORIGIN_GATEWAY, /* an option of its connect; never written down */
};
struct settings_place {
    enum settings_origin from;
    unsigned line; /* of a file */
};
struct settings_origins {
    char file[SETTINGS_TEXT_SIZE]; /* given with --config; "" is none */
    char own[SETTINGS_TEXT_SIZE];  /* the daemon's own; "" is none */
    bool is_file_world_readable;
    dev_t device; /* of `file` */
    ino_t inode;
    struct settings_place keys[SETTINGS_KEYS_MAX]; /* in the order of the table */
    /* Where the operator's file says what `dustwire set` went over. */
    struct settings_place hidden[SETTINGS_KEYS_MAX];
    struct settings_place formers[SETTINGS_FORMERS_MAX]; /* that stand in a file; the others are
                                                            ORIGIN_DEFAULT */
};

/* What a running daemon goes by. */
struct settings_in_force {
    struct settings settings;
    struct settings_origins origins;
};

struct settings_paths {
    const char *file; /* NULL: none, every key at its default */
    const char *own;  /* the daemon's own file; NULL: as the settings say; "": none */
    bool is_own_from_command_line;
};

/* Reads both files over the defaults, the daemon's own last; problems as above, of both. It may be
 * missing: nothing has been set yet then. */
enum err settings_load(struct settings *out, struct settings_origins *origins,
                       const struct settings_paths *paths, settings_problem_fn *problem, void *ctx);

/* Prints the settings as a commented INI file that settings_read takes back (but for a secret,
 * which is not printed): each key with its meaning, unit, default, and where its value comes from
 * if `origins` is not NULL. etc/dustwired.ini is this output for the defaults (a test compares
 * them). */
void settings_print(const struct settings *s, const struct settings_origins *origins, FILE *out);

/* One sentence for each thing that is no error, but that people must be told: no transport can run,
 * a file with a token that everybody may read, a key that was renamed or does nothing any more,
 * a value of the file that `dustwire set` went over. */
void settings_advise(const struct settings *s, const struct settings_origins *origins,
                     settings_problem_fn *advice, void *ctx);

/* [control] listen; false if there is none. */
bool settings_control_address(const struct settings *s, struct address *out);

/* One line a setting in force that is not the default: "section/key = value"; for the log at start.
 */
void settings_print_changed(const struct settings *s, settings_problem_fn *line, void *ctx);

/* True for the address of a remote gateway: http://ADDRESS:PORT[/PATH] with a loopback address (or
 * the name localhost), or unix:/PATH. Otherwise `why` is what it must be. */
enum { SETTINGS_WHY_SIZE = 256 };
bool settings_gateway_url_check(const char *url, char why[SETTINGS_WHY_SIZE]);

/* Each setting of the sections that hold limits (all but services, node, workers, network and
 * control), as it is printed. */
typedef void settings_limit_fn(void *ctx, const char *section, const char *name, const char *value);
void settings_each_limit(const struct settings *s, settings_limit_fn *each, void *ctx);

/* False if no transport can run: none is switched on together with the services that it needs. Not
 * an error, but people must be told. */
bool settings_has_transport(const struct settings *s);

/* The folders of [outbox] roots, one a call: `*at` begins as the setting's text and moves on. False
 * when there is none left. */
bool settings_next_root(const char **at, char root[SETTINGS_TEXT_SIZE]);

/* The worker count that `threads` means for this process. */
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

/* Copies from `before` what needs a restart, so that a reload never leaves a mixture in force;
 * where a value that is kept comes from is kept with it. */
void settings_keep_fixed(struct settings *after, struct settings_origins *after_origins,
                         const struct settings *before,
                         const struct settings_origins *before_origins);

#endif
