#include "settings/settings.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[128];
static struct settings s;
static char messages[65536]; /* reported by the last read, one per line */
static unsigned message_count;

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/settings-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file.ini", folder);
}

static void clean_up(void)
{
    unlink(path);
    rmdir(folder);
}

static void note(void *ctx, const char *sentence)
{
    size_t used = strlen(messages);

    cr_assert_eq(ctx, messages);
    snprintf(messages + used, sizeof messages - used, "%s\n", sentence);
    message_count++;
}

static enum err read_path(const char *from)
{
    const struct settings_paths paths = {.file = from, .persisted = ""};
    struct settings_origins origins;

    messages[0] = '\0';
    message_count = 0;
    return settings_load(&s, &origins, &paths, note, messages);
}

static enum err read_bytes(const void *bytes, size_t length)
{
    FILE *out = fopen(path, "w");

    cr_assert_eq(fwrite(bytes, 1, length, out), length);
    fclose(out);
    return read_path(path);
}

static enum err read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

__attribute__((format(printf, 1, 2))) static enum err read_format(const char *format, ...)
{
    static char text[8192];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return read_text(text);
}

/* The file is refused for exactly one reason, and its sentence holds `part`. */
static void check_refused(const char *text, const char *part)
{
    cr_assert_eq(read_text(text), ERR_INVALID, "%s", text);
    cr_assert_eq(message_count, 1, "%s: %s", text, messages);
    cr_assert_not_null(strstr(messages, part), "%s: %s", text, messages);
    cr_assert_not_null(strstr(messages, path));
}

static void check_taken(const char *text)
{
    cr_assert_eq(read_text(text), ERR_OK, "%s: %s", text, messages);
    cr_assert_eq(message_count, 0);
}

static void check_same(const struct settings *a, const struct settings *b)
{
    struct settings_change change;

    settings_compare(a, b, &change);
    cr_assert_not(change.is_any);
}

Test(settings, has_the_documented_defaults, .timeout = 5)
{
    settings_default(&s);
    cr_assert(s.tcp_transport.is_enabled && s.tcp_transport.is_receiving_enabled &&
              s.tcp_transport.is_sending_enabled);
    cr_assert_eq(s.tcp_connections.tcp_port, 7771);
    cr_assert(s.tcp_connections.is_listen_any);
    cr_assert_eq(s.workers.threads, 0);
    cr_assert_geq(settings_worker_count(&s), 1);
    cr_assert_eq(s.sessions.handshake_timeout_s, 10);
    cr_assert_eq(s.sessions.ok_timeout_s, 300);
    cr_assert_eq(s.sessions.limit, 16384);
    cr_assert_eq(s.sessions.chunk_kib, 96);
    cr_assert_eq(s.sessions.trusted_announcers.count, 0);
    cr_assert_str_eq(s.inbox.path, "/var/lib/dustwire/inbox");
    cr_assert_eq(s.inbox.durability, DURABILITY_FULL);
    cr_assert_str_eq(s.control.socket, "/run/dustwire/control.sock");
    cr_assert_eq(s.network.retry_s, 30);
    cr_assert_eq(s.network.retry_long_s, 60);
    cr_assert_eq(s.log.level, LOG_LEVEL_INFO);
    s.workers.threads = 3;
    cr_assert_eq(settings_worker_count(&s), 3);
}

Test(settings, are_the_defaults_in_an_empty_file, .init = set_up, .fini = clean_up, .timeout = 5)
{
    struct settings defaults;

    settings_default(&defaults);
    check_taken("");
    check_same(&s, &defaults);
    check_taken("# nothing but a comment \\\n; and another\n\n[workers]\r\n  \t\n");
    check_same(&s, &defaults);
}

struct limits {
    const char *section, *key;
    unsigned long min, max;
};

static const struct limits limits[] = {
    {"services/tcp-transport", "priority", 1, 99},
    {"services/tcp-connections", "tcp-port", 1, 65535},
    {"workers", "threads", 1, 256},
    {"workers", "read-buffer-kib", 16, 4096},
    {"workers", "mailbox-limit", 1024, 1048576},
    {"sessions", "handshake-timeout-s", 1, 86400},
    {"sessions", "connect-timeout-s", 1, 86400},
    {"sessions", "keep-alive-s", 0, 86400},
    {"sessions", "ok-timeout-s", 1, 86400},
    {"sessions", "stall-window-s", 1, 86400},
    {"sessions", "stall-bytes-per-s", 1, 1073741824},
    {"sessions", "tcp-user-timeout-s", 1, 86400},
    {"sessions", "tcp-keep-alive-s", 0, 60000},
    {"sessions", "linger-ms", 1, 86400},
    {"sessions", "stop-timeout-s", 1, 86400},
    {"sessions", "limit", 1, 1000000},
    {"sessions", "control-frame-limit-bytes", 256, 99997},
    {"sessions", "queue-limit", 1, 1000000},
    {"sessions", "chunk-kib", 1, 97},
    {"sessions", "idle-limit-s", 0, 86400},
    {"sessions", "unread-limit-s", 1, 86400},
    {"sessions", "limit-per-address", 1, 1000000},
    {"sessions", "limit-per-network", 1, 1000000},
    {"sessions", "half-open-limit", 1, 1000000},
    {"sessions", "half-open-per-address", 1, 1000000},
    {"sessions", "accepts-per-s", 1, 1000000},
    {"sessions", "accepts-burst", 1, 1000000},
    {"sessions", "idurl-limit-bytes", 16, 4096},
    {"sessions", "reason-limit-bytes", 0, 127},
    {"sessions", "files-in-limit", 1, 10000},
    {"sessions", "files-in-mib", 1, 1073741824},
    {"sessions", "files-out-limit", 1, 40},
    {"access", "penalty-after", 0, 1000000},
    {"access", "penalty-s", 0, 86400},
    {"access", "penalty-longest-s", 1, 86400},
    {"access", "files-per-s", 0, 1000000},
    {"bandwidth", "in-kib-per-s", 0, 9000000},
    {"bandwidth", "out-kib-per-s", 0, 9000000},
    {"bandwidth", "session-in-kib-per-s", 0, 9000000},
    {"bandwidth", "session-out-kib-per-s", 0, 9000000},
    {"inbox", "quota-mib", 0, 1073741824},
    {"inbox", "files-limit", 0, 1000000000},
    {"inbox", "min-free-mib", 0, 1073741824},
    {"inbox", "largest-file-mib", 1, 2048},
    {"log", "lines-per-peer-per-s", 0, 1000000},
    {"inbox", "journal-limit-mib", 1, 65536},
    {"network", "retry-s", 1, 86400},
    {"network", "retry-long-s", 1, 86400},
    {"control", "events-kept", 100, 1000000},
};

static void check_number(const struct limits *l, const char *value, bool is_accepted)
{
    char wanted[128];

    cr_assert_eq(read_format("[%s]\n%s = %s\n", l->section, l->key, value),
                 is_accepted ? ERR_OK : ERR_INVALID, "%s = %s: %s", l->key, value, messages);
    cr_assert_eq(message_count, is_accepted ? 0 : 1, "%s = %s: %s", l->key, value, messages);
    if (is_accepted)
        return;
    snprintf(wanted, sizeof wanted, "line 2: [%s] %s = ", l->section, l->key);
    cr_assert_not_null(strstr(messages, wanted), "%s", messages);
    snprintf(wanted, sizeof wanted, "a whole number from %lu to %lu", l->min, l->max);
    cr_assert_not_null(strstr(messages, wanted), "%s", messages);
}

Test(settings, hold_each_number_to_its_limits, .init = set_up, .fini = clean_up, .timeout = 30)
{
    static const char *const never[] = {
        "",          "-1",  "+5",      "010",  "0x10",
        "1.5",       "5s",  "1 000",   "1e3",  "\"\"",
        "ten",       "5,0", "\" 50\"", "True", "99999999999999999999",
        "4294967297"};
    char value[32];

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        const struct limits *l = &limits[i];

        snprintf(value, sizeof value, "%lu", l->min);
        check_number(l, value, true);
        snprintf(value, sizeof value, "\"%lu\"", l->max);
        check_number(l, value, true);
        snprintf(value, sizeof value, "%lu", l->max + 1);
        check_number(l, value, false);
        if (l->min > 0) {
            snprintf(value, sizeof value, "%lu", l->min - 1);
            check_number(l, value, false);
        }
        for (size_t j = 0; j < sizeof never / sizeof *never; j++)
            check_number(l, never[j], false);
    }
}

Test(settings, accept_the_boolean_words_and_no_other, .init = set_up, .fini = clean_up,
     .timeout = 10)
{
    static const char *const yes[] = {"true", "yes", "on", "1", "\"true\""};
    static const char *const no[] = {"false", "no", "off", "0"};
    static const char *const neither[] = {"True", "yesno", "y", "2", "", "t", "01", "enabled"};
    static const char *const keys[][2] = {{"services/tcp-transport", "enabled"},
                                          {"services/tcp-transport", "receiving-enabled"},
                                          {"services/tcp-transport", "sending-enabled"},
                                          {"services/tcp-connections", "enabled"},
                                          {"services/gateway", "enabled"}};

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        cr_assert_eq(read_format("[services/gateway]\nenabled=%s", yes[i]), ERR_OK);
        cr_assert(s.gateway_service.is_enabled);
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        cr_assert_eq(read_format("[services/gateway]\nenabled=%s", no[i]), ERR_OK);
        cr_assert_not(s.gateway_service.is_enabled);
    }
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        for (size_t i = 0; i < sizeof neither / sizeof *neither; i++) {
            cr_assert_eq(read_format("[%s]\n%s = %s\n", keys[k][0], keys[k][1], neither[i]),
                         ERR_INVALID);
            cr_assert_eq(message_count, 1);
            cr_assert_not_null(strstr(messages, "true or false"));
        }
}

Test(settings, accept_the_words_of_the_other_keys, .init = set_up, .fini = clean_up, .timeout = 5)
{
    check_taken("[inbox]\ndurability = none\n[log]\nlevel = debug\n[workers]\nthreads = auto\n");
    cr_assert_eq(s.inbox.durability, DURABILITY_NONE);
    cr_assert_eq(s.log.level, LOG_LEVEL_DEBUG);
    cr_assert_eq(s.workers.threads, 0);
    check_refused("[inbox]\ndurability = Full\n", "must be full or none");
    check_refused("[log]\nlevel = verbose\n", "must be error, warning, info or debug");
    check_refused("[workers]\nthreads = AUTO\n", "must be auto or a whole number");
}

Test(settings, accept_modes_from_0600_to_0666_only, .init = set_up, .fini = clean_up, .timeout = 5)
{
    static const char *const bad[] = {"0400", "0700", "0610", "4660", "06600",
                                      "66",   "0668", "rw",   "",     "0x1b0"};

    check_taken("[control]\nmode = 0660\n[inbox]\nmode = 644\n");
    cr_assert_eq(s.control.mode, 0660u);
    cr_assert_eq(s.inbox.mode, 0644u);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(read_format("[inbox]\nmode = \"%s\"\n", bad[i]), ERR_INVALID, "%s", bad[i]);
        cr_assert_not_null(strstr(messages, "must be an octal mode from 0600 to 0666"));
    }
}

Test(settings, accept_group_names, .init = set_up, .fini = clean_up, .timeout = 5)
{
    check_taken("[control]\ngroup = dust-wire_1.x\n");
    cr_assert_str_eq(s.control.group, "dust-wire_1.x");
    check_refused("[inbox]\ngroup = \"a b\"\n", "must be the name of a group");
    check_refused("[inbox]\ngroup = \"-a\"\n", "must be the name of a group");
}

Test(settings, accept_folders_to_send_from, .init = set_up, .fini = clean_up, .timeout = 5)
{
    char root[SETTINGS_TEXT_SIZE];
    const char *at = s.outbox.roots;

    check_taken("[outbox]\nroots = \"/srv/a/, /srv/b c,,/\"\n");
    cr_assert(settings_next_root(&at, root));
    cr_assert_str_eq(root, "/srv/a");
    cr_assert(settings_next_root(&at, root));
    cr_assert_str_eq(root, "/srv/b c");
    cr_assert(settings_next_root(&at, root));
    cr_assert_str_eq(root, "/");
    cr_assert_not(settings_next_root(&at, root));
    check_refused("[outbox]\nroots = \"/srv, home\"\n", "contains 'home': must be absolute paths");
}

Test(settings, check_the_identity_url, .init = set_up, .fini = clean_up, .timeout = 5)
{
    char url[1002];

    memset(url, 'u', sizeof url);
    url[1001] = '\0';
    cr_assert_eq(read_format("[node]\nidurl = \"%.1000s\"\n", url), ERR_OK, "%s", messages);
    cr_assert_eq(strlen(s.node.idurl), 1000);
    cr_assert_eq(read_format("[node]\nidurl = \"%s\"\n", url), ERR_INVALID);
    cr_assert_eq(message_count, 1, "%s", messages);
    check_taken("[node]\nidurl = \"http://a/b.xml#c;d\"\n");
    cr_assert_str_eq(s.node.idurl, "http://a/b.xml#c;d");
    check_refused("[node]\nidurl = \"a b\"\n", "without spaces");
    check_refused("[node]\nidurl = \"h\xc3\xb6\"\n", "printable ASCII");
    check_refused("[node]\nidurl = 'a\"b'\n", "double quote");
}

Test(settings, check_the_host, .init = set_up, .fini = clean_up, .timeout = 5)
{
    static const char *const good[][2] = {{"node.example.org", "node.example.org"},
                                          {"10.0.0.1", "10.0.0.1"},
                                          {"[FD00::1]", "fd00::1"},
                                          {"::ffff:1.2.3.4", "1.2.3.4"},
                                          {"", ""}};
    static const char *const bad[] = {"0.0.0.0", "::",     "[::]",   "10.0.0.256",
                                      "a b",     "a:7771", "http:/", "fe80::1%lo",
                                      ".a",      "a..b",   "-a",     "1.2.3"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert_eq(read_format("[node]\nhost = \"%s\"\n", good[i][0]), ERR_OK, "%s", messages);
        cr_assert_str_eq(s.node.host, good[i][1]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(read_format("[node]\nhost = \"%s\"\n", bad[i]), ERR_INVALID, "%s", bad[i]);
        cr_assert_eq(message_count, 1);
    }
}

Test(settings, check_the_addresses_to_listen_on, .init = set_up, .fini = clean_up, .timeout = 5)
{
    char list[SETTINGS_LISTEN_MAX * 16 + 32] = "127.0.0.1";

    check_taken("[services/tcp-connections]\nlisten = 127.0.0.1 , ::1,fe80::1%lo\n");
    cr_assert_not(s.tcp_connections.is_listen_any);
    cr_assert_eq(s.tcp_connections.listen_count, 3);
    cr_assert(address_is_loopback(&s.tcp_connections.listen[1]));
    cr_assert_neq(s.tcp_connections.listen[2].scope, 0);
    check_refused("[services/tcp-connections]\nlisten = \"127.0.0.1,127.0.0.1\"\n", "twice");
    check_refused("[services/tcp-connections]\nlisten = \"127.0.0.1,0.0.0.0\"\n", "covers");
    check_refused("[services/tcp-connections]\nlisten = \"*,::1\"\n", "alone");
    check_refused("[services/tcp-connections]\nlisten = \"::1,*\"\n", "alone");
    check_refused("[services/tcp-connections]\nlisten = \"localhost\"\n", "'localhost'");
    check_refused("[services/tcp-connections]\nlisten = \"127.0.0.1:7771\"\n", "without");
    check_refused("[services/tcp-connections]\nlisten = \"127.0.0.1,\"\n", "''");
    check_refused("[services/tcp-connections]\nlisten = \"\"\n", "''");
    for (int i = 2; i <= SETTINGS_LISTEN_MAX; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), ",127.0.0.%d", i);
    cr_assert_eq(read_format("[services/tcp-connections]\nlisten = \"%s\"\n", list), ERR_OK);
    cr_assert_eq(read_format("[services/tcp-connections]\nlisten = \"%s,127.1.1.1\"\n", list),
                 ERR_INVALID);
    cr_assert_not_null(strstr(messages, "more than 16"));
}

Test(settings, check_the_trusted_announcers, .init = set_up, .fini = clean_up, .timeout = 5)
{
    char list[1024] = "10.0.0.0/8";

    check_taken("[sessions]\ntrusted-announcers = \"10.0.0.0/8, fd00::/8,192.168.1.1\"\n");
    cr_assert_eq(s.sessions.trusted_announcers.count, 3);
    cr_assert_eq(s.sessions.trusted_announcers.networks[0].prefix_bits, 8);
    cr_assert_eq(s.sessions.trusted_announcers.networks[2].prefix_bits, 32);
    check_refused("[sessions]\ntrusted-announcers = \"10.0.0.0/33\"\n", "'10.0.0.0/33'");
    check_refused("[sessions]\ntrusted-announcers = \"a,b\"\n", "'a'");
    check_refused("[sessions]\ntrusted-announcers = \",\"\n", "''");
    check_refused("[sessions]\ntrusted-announcers = \"fe80::1%lo\"\n", "networks");
    for (int i = 1; i < SETTINGS_NETWORKS_MAX; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), ",10.0.%d.0/24", i);
    cr_assert_eq(read_format("[sessions]\ntrusted-announcers = \"%s\"\n", list), ERR_OK, "%s",
                 messages);
    cr_assert_eq(s.sessions.trusted_announcers.count, SETTINGS_NETWORKS_MAX);
    cr_assert_eq(read_format("[sessions]\ntrusted-announcers = \"%s,::1\"\n", list), ERR_INVALID);
    cr_assert_not_null(strstr(messages, "more than 64"));
}

Test(settings, check_the_lists_of_identities, .init = set_up, .fini = clean_up, .timeout = 5)
{
    check_taken("[access]\nallow-idurls = \"http://a/x.xml,http://b/y.xml\"\n");
    cr_assert_str_eq(s.access.allow_idurls, "http://a/x.xml,http://b/y.xml");
    check_taken("[access]\ndeny-idurls = \"\"\n");
    check_refused("[access]\nallow-idurls = \"http://a, http://b\"\n", "without spaces");
    check_refused("[access]\nallow-idurls = \"http://a,\"\n", "must be URLs");
    check_refused("[access]\nallow-idurls = \",http://a\"\n", "must be URLs");
    check_refused("[access]\ndeny-idurls = \",\"\n", "must be URLs");
}

Test(settings, exempt_loopback_from_source_limits, .timeout = 5)
{
    struct address address;

    settings_default(&s);
    cr_assert_eq(address_from_ip_text(&address, "127.1.2.3", 1), ERR_OK);
    cr_assert(network_list_contains(&s.access.exempt_networks, &address));
    cr_assert_eq(address_from_ip_text(&address, "::1", 1), ERR_OK);
    cr_assert(network_list_contains(&s.access.exempt_networks, &address));
    cr_assert_eq(address_from_ip_text(&address, "128.0.0.1", 1), ERR_OK);
    cr_assert_not(network_list_contains(&s.access.exempt_networks, &address));
    cr_assert_not(network_list_contains(&s.access.allow_networks, &address));
}

static unsigned limits_seen;

static void see_limit(void *ctx, const char *section, const char *name, const char *value)
{
    (void)ctx;
    cr_assert(section[0] != '\0' && name[0] != '\0' && value != NULL);
    cr_assert_str_neq(section, "node");
    limits_seen++;
}

Test(settings, print_each_limit, .timeout = 5)
{
    settings_default(&s);
    settings_each_limit(&s, see_limit, NULL);
    cr_assert_gt(limits_seen, 45u);
}

Test(settings, reject_a_list_that_is_too_long_to_print, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    char list[1024] = "::a01:2ff";

    /* Short as read, longer than a line when written out: "::10.1.2.255/128". */
    for (int i = 1; i < SETTINGS_NETWORKS_MAX; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), ",::a01:2ff");
    cr_assert_eq(read_format("[sessions]\ntrusted-announcers = \"%s\"\n", list), ERR_INVALID);
    cr_assert_eq(message_count, 1);
    cr_assert_not_null(strstr(messages, "too long"));
}

Test(settings, check_the_paths_and_the_probe, .init = set_up, .fini = clean_up, .timeout = 5)
{
    char longest[128];

    check_taken("[inbox]\npath = \"/srv/in#1;2 x\"\n");
    cr_assert_str_eq(s.inbox.path, "/srv/in#1;2 x");
    check_refused("[inbox]\npath = inbox\n", "absolute");
    check_refused("[inbox]\npath = \"\"\n", "absolute");
    check_refused("[inbox]\npath =\n", "absolute");
    check_refused("[control]\nsocket = run/x\n", "absolute");
    memset(longest, 's', sizeof longest);
    longest[0] = '/';
    cr_assert_eq(read_format("[control]\nsocket = %.107s\n", longest), ERR_OK, "%s", messages);
    cr_assert_eq(read_format("[control]\nsocket = %.108s\n", longest), ERR_INVALID);
    cr_assert_not_null(strstr(messages, "at most 107"));
    check_taken("[network]\nprobe = \"[::1]:53\"\n");
    check_taken("[network]\nprobe = 192.0.2.1:443\n");
    cr_assert_str_eq(s.network.probe, "192.0.2.1:443");
    check_refused("[network]\nprobe = example.org:443\n", "numeric");
    check_refused("[network]\nprobe = 192.0.2.1\n", "numeric");
    check_refused("[network]\nprobe = ::1:53\n", "numeric");
    check_refused("[inbox]\npath = /a\n[control]\nsocket = /a/s\n", "is in [inbox] path");
    check_taken("[inbox]\npath = /a\n[control]\nsocket = /ab/s\n");
}

Test(settings, name_an_unknown_key_and_suggest_the_nearest, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    check_refused("[worker]\nthreads = 2\n", "did you mean [workers]?");
    check_refused("[sessions]\nhandshake-timeout = 2\n", "[sessions] handshake-timeout-s?");
    check_refused("[workers]\npriority = 2\n", "did you mean [services/tcp-transport] priority?");
    check_refused("[services]\ntcp-transport/enabled = no\n", "unknown section [services]");
    check_refused("[services/gateway:enabled]\nx = no\n", "unknown section");
    check_refused("[node]\nidurl:x = no\n", "'idurl:x'");
}

Test(settings, list_the_valid_names_when_none_is_near, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    check_refused("[access]\ndeny = 10.0.0.0/8\n",
                  "unknown key 'deny' in [access]: valid keys are allow-");
    check_refused("[log]\nx = 1\n", "unknown key 'x' in [log]: valid keys are level");
    check_refused("[sessions]\nx = 1\n", ", trusted-announcers\n");
    check_refused("[foo]\n", "valid sections are [services/tcp-transport], ");
    check_refused("[]\n", "[gateway], [log]\n");
    cr_assert_null(strstr(messages, "did you mean"));
}

Test(settings, name_the_section_of_a_key_before_the_first_section, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    check_refused("threads = 2\n", "before the first [section]: it belongs to [workers]\n");
    check_refused("enabled = no\n", "to [services/tcp-transport], [services/tcp-connections], ");
    check_refused("x = 2\n", "[section]: move it into a section\n");
}

Test(settings, reject_a_byte_order_mark_and_check_the_rest, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    static const char wide[] = "\xff\xfe[\0l\0o\0g\0]\0\n";

    cr_assert_eq(read_text("\xef\xbb\xbf[workers]\nthreads = none\n"), ERR_INVALID);
    cr_assert_eq(message_count, 2, "%s", messages);
    cr_assert_not_null(
        strstr(messages, "line 1: unexpected byte order mark: save the file as plain UTF-8\n"));
    cr_assert_not_null(strstr(messages, "line 2: [workers] threads = none"));
    cr_assert_eq(read_bytes(wide, sizeof wide), ERR_INVALID);
    cr_assert_eq(message_count, 1, "%s", messages);
    cr_assert_not_null(strstr(messages, "line 1: unexpected byte order mark"));
}

Test(settings, name_what_is_wrong_below_a_section_that_is_not_written_as_one_too, .init = set_up,
     .fini = clean_up, .timeout = 5)
{
    static const char *const lines[] = {
        "[workers",  "[workers] # how many", "workers]",   "[worker]",
        "[wokrers]", "[workers]]",           "[ workers #"};

    for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++) {
        char file[128];

        snprintf(file, sizeof file, "[log]\nlevel = loud\n%s\nthreads = none\nno-key = 1\n",
                 lines[i]);
        cr_assert_eq(read_text(file), ERR_INVALID);
        cr_expect_eq(message_count, 4, "%s", messages);
        cr_expect_not_null(strstr(messages, "line 2: [log] level = loud"), "%s", messages);
        cr_expect_not_null(strstr(messages, "line 3: "), "%s", messages);
        cr_expect_not_null(strstr(messages, "line 4: [workers] threads = none"), "%s", messages);
        cr_expect_not_null(strstr(messages, "line 5: unknown key 'no-key' in [workers]"), "%s",
                           messages);
    }
    check_refused("[x y\nthreads = none\n", "its keys were not checked");
    check_refused("[wor\nthreads = none\n", "its keys were not checked");
}

Test(settings, fold_case_as_the_file_format_does, .init = set_up, .fini = clean_up, .timeout = 5)
{
    check_taken("[Workers]\nTHREADS = 2\n[ workers ]\nMailbox-Limit=2048\n");
    cr_assert_eq(s.workers.threads, 2);
    cr_assert_eq(s.workers.mailbox_limit, 2048);
}

Test(settings, name_duplicates_however_they_are_written, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    check_refused("[workers]\nthreads = 2\nthreads = 2\n",
                  "line 3: duplicate key [workers] threads");
    check_refused("[workers]\nthreads = 2\n[node]\n[WORKERS]\nThreads = 3\n", "first in line 2");
}

Test(settings, refuse_what_would_be_cut_or_joined, .init = set_up, .fini = clean_up, .timeout = 5)
{
    char longest[2048];

    check_refused("[inbox]\npath = /srv/in#1\n", "'#' or ';'");
    check_refused("[inbox]\npath = /srv/in;1\n", "'#' or ';'");
    check_refused("[workers]\nthreads = 2 # two\n", "line of its own");
    check_refused("[inbox]\npath = \"/srv/in\n", "missing closing quote");
    check_refused("[inbox]\npath = \"/srv/in\\\"1\"\n", "closing quote");
    check_refused("[inbox]\npath = /srv/\"in\"\n", "enclose the whole value");
    check_refused("[inbox]\npath = /srv/in\\\n", "backslash");
    check_refused("[workers] threads = 2\n", "invalid section header");
    check_refused("[workers\n", "invalid section header");
    check_refused("nonsense\n", "syntax error");
    check_refused("= 2\n", "syntax error");
    check_taken("[inbox]\npath = \"/srv/in\" # where\ndurability = 'none' ; why not\n");
    memset(longest, 'x', sizeof longest);
    longest[0] = '#';
    longest[1020] = '\n';
    cr_assert_eq(read_bytes(longest, 1021), ERR_OK, "%s", messages);
    longest[1020] = 'x';
    longest[1021] = '\n';
    cr_assert_eq(read_bytes(longest, 1022), ERR_INVALID);
    cr_assert_not_null(strstr(messages, "line 1: line of 1021 bytes is too long"));
}

Test(settings, report_everything_at_once_in_the_order_of_the_file, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    static const char *const parts[] = {"line 1: ", "line 3: ", "line 4: ", "line 5: ", "line 7: "};
    const char *at = messages;

    cr_assert_eq(read_text("x\n[workers]\nthreads = 0\nthread = 1\nthreads = 1\n[inbox]\n"
                           "path = in\n"),
                 ERR_INVALID);
    cr_assert_eq(message_count, 5, "%s", messages);
    for (size_t i = 0; i < 5; i++) {
        at = strstr(at, parts[i]);
        cr_assert_not_null(at, "%s: %s", parts[i], messages);
    }
}

Test(settings, say_why_a_file_cannot_be_read, .init = set_up, .fini = clean_up, .timeout = 5)
{
    char missing[160];

    cr_assert_eq(read_path(folder), ERR_NOT_REGULAR);
    cr_assert_eq(message_count, 1);
    cr_assert_eq(read_path("/dev/null"), ERR_NOT_REGULAR);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(read_path(path), ERR_NOT_REGULAR);
    unlink(path);
    cr_assert_eq(read_path(path), ERR_NOT_FOUND);
    cr_assert_not_null(strstr(messages, "no such file"));
    snprintf(missing, sizeof missing, "%s/missing/file.ini", folder);
    cr_assert_eq(read_path(missing), ERR_NOT_FOUND);
    cr_assert_eq(message_count, 1);
}

Test(settings, paths_that_are_not_set_lie_in_no_inbox, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    static const char *const inboxes[] = {"/", "//", "///"};
    char text[64];

    for (size_t i = 0; i < sizeof inboxes / sizeof *inboxes; i++) {
        snprintf(text, sizeof text, "[inbox]\npath = %s\n", inboxes[i]);
        cr_assert_eq(read_bytes(text, strlen(text)), ERR_INVALID);
        cr_expect_eq(message_count, 1, "%s", messages);
        cr_expect_not_null(strstr(messages, "[control] socket is in"));
    }
}

Test(settings, survive_garbage, .init = set_up, .fini = clean_up, .timeout = 20)
{
    size_t size = 10u << 20;
    unsigned char *bytes = malloc(size);
    uint32_t random = 1;

    for (size_t i = 0; i < size; i++) {
        random = random * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(random >> 24);
    }
    cr_assert_eq(read_bytes(bytes, size), ERR_INVALID);
    cr_assert_eq(message_count, 1);
    cr_assert_not_null(strstr(messages, "larger than 256 KiB"));
    cr_assert_eq(read_bytes(bytes, 256 * 1024), ERR_INVALID);
    cr_assert_eq(message_count, 101);
    cr_assert_not_null(strstr(messages, "more problems"));
    cr_assert_eq(read_bytes(bytes, 256 * 1024 + 1), ERR_INVALID);
    cr_assert_eq(message_count, 1);
    free(bytes);
}

Test(settings, refuse_bytes_that_are_no_text, .init = set_up, .fini = clean_up, .timeout = 5)
{
    static const char nul[] = "[workers]\nthreads = 1\0 2\n";

    cr_assert_eq(read_bytes(nul, sizeof nul - 1), ERR_INVALID);
    cr_assert_eq(message_count, 1);
    cr_assert_not_null(strstr(messages, "line 2: invalid control character 0x00"));
    check_refused("[node]\nidurl = a\x1b[m\n", "0x1b");
    check_refused("# \x7f\n", "0x7f");
    cr_assert_eq(read_bytes("\0", 1), ERR_INVALID);
}

static const char every_key[] =
    "[services/tcp-transport]\nenabled=no\nreceiving-enabled=no\nsending-enabled=no\npriority=7\n"
    "[services/tcp-connections]\nenabled=no\ntcp-port=1234\nlisten=\"127.0.0.1,fe80::1%lo,::1\"\n"
    "[services/gateway]\nenabled=no\n[node]\nidurl=\"http://a/#;\"\nhost=\"::1\"\n[workers]\n"
    "threads=5\nread-buffer-kib=17\nmailbox-limit=1025\n[sessions]\nhandshake-timeout-s=1\n"
    "connect-timeout-s=2\nkeep-alive-s=3\nok-timeout-s=4\nstall-window-s=5\nstall-bytes-per-s=6\n"
    "tcp-user-timeout-s=7\nlinger-ms=8\nstop-timeout-s=9\nlimit=10\n"
    "control-frame-limit-bytes=1111\nqueue-limit=12\nchunk-kib=13\n"
    "trusted-announcers=\"10.0.0.0/8,::1\"\n[inbox]\npath=\"/in#;'box\"\ndurability=none\n"
    "journal-limit-mib=14\n[network]\nretry-s=15\nretry-long-s=16\nprobe=\"192.0.2.1:1\"\n[control]"
    "\n"
    "socket=\"/s\"\nevents-kept=117\n[gateway]\nurl=\"unix:/g\"\n"
    "file-result=on\npatience-s=19\nqueue-limit=120\n[log]\nlevel=error\nlines-per-peer-per-s=18\n"
    "[sessions]\nidle-limit-s=19\nunread-limit-s=20\nlimit-per-address=21\nlimit-per-network=22\n"
    "half-open-limit=23\nhalf-open-per-address=24\naccepts-per-s=25\naccepts-burst=26\n"
    "idurl-limit-bytes=27\nreason-limit-bytes=28\nfiles-in-limit=29\nfiles-in-mib=30\n"
    "files-out-limit=31\n[access]\nallow-networks=\"192.0.2.0/24\"\ndeny-networks=\"::/0\"\n"
    "allow-idurls=\"http://a/;#,http://b\"\ndeny-idurls=\"http://c\"\nexempt-networks=\"\"\n"
    "penalty-after=32\npenalty-s=33\npenalty-longest-s=34\nfiles-per-s=43\n[bandwidth]\nin-kib-per-"
    "s=35\n"
    "out-kib-per-s=36\nsession-in-kib-per-s=37\nsession-out-kib-per-s=38\n[inbox]\nquota-mib=39\n"
    "min-free-mib=40\nlargest-file-mib=41\nfiles-limit=44\n";

static unsigned changed_count;

static void count_line(void *ctx, const char *sentence)
{
    (void)ctx;
    cr_assert_not_null(strstr(sentence, " = "));
    changed_count++;
}

Test(settings, print_what_reads_back_the_same, .init = set_up, .fini = clean_up, .timeout = 5)
{
    struct settings first;
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    check_taken(every_key);
    first = s;
    settings_print_changed(&first, count_line, NULL);
    cr_assert_eq(changed_count, 71, "%u keys differ from the default", changed_count);
    settings_print(&first, NULL, out);
    fclose(out);
    check_taken(text);
    check_same(&first, &s);
    cr_assert_eq(memcmp(&first.tcp_connections.listen, &s.tcp_connections.listen,
                        sizeof s.tcp_connections.listen),
                 0);
    cr_assert_str_eq(s.inbox.path, "/in#;'box");
    free(text);
}

Test(settings, print_nothing_changed_for_the_defaults, .timeout = 5)
{
    settings_default(&s);
    settings_print_changed(&s, count_line, NULL);
    cr_assert_eq(changed_count, 0);
}

Test(settings, are_the_sample_file_byte_for_byte, .timeout = 5)
{
    char *text, sample[32768];
    size_t length, sample_length;
    FILE *out = open_memstream(&text, &length), *in;

    settings_default(&s);
    settings_print(&s, NULL, out);
    fclose(out);
    in = fopen(TESTS_DIR "/../etc/dustwired.ini", "r");
    cr_assert_not_null(in);
    sample_length = fread(sample, 1, sizeof sample, in);
    fclose(in);
    cr_assert_eq(sample_length, length);
    cr_assert_eq(memcmp(sample, text, length), 0);
    free(text);
    cr_assert_eq(read_path(TESTS_DIR "/../etc/dustwired.ini"), ERR_OK);
}

Test(settings, tell_what_a_change_asks_for, .init = set_up, .fini = clean_up, .timeout = 5)
{
    static const struct {
        const char *text, *needs_restart;
        bool needs_reconnect;
    } cases[] = {
        {"[services/tcp-transport]\nenabled=no", "", true},
        {"[services/tcp-transport]\nreceiving-enabled=no", "", true},
        {"[services/tcp-transport]\nsending-enabled=no", "", false},
        {"[services/tcp-transport]\npriority=2", "", false},
        {"[services/tcp-connections]\nenabled=no", "", true},
        {"[services/tcp-connections]\ntcp-port=1", "", true},
        {"[services/tcp-connections]\nlisten=::1", "", true},
        {"[services/gateway]\nenabled=no", "", true},
        {"[node]\nhost=a", "", false},
        {"[workers]\nthreads=9", "[workers] threads", false},
        {"[workers]\nread-buffer-kib=99\n[inbox]\npath=/x",
         "[workers] read-buffer-kib, [inbox] path", false},
        {"[inbox]\ndurability=none", "[inbox] durability", false},
        {"[control]\nsocket=/s", "[control] socket", false},
        {"[sessions]\nlimit=1", "", false},
        {"[log]\nlevel=debug", "", false},
    };
    struct settings defaults;
    struct settings_change change;

    settings_default(&defaults);
    settings_compare(&defaults, &defaults, &change);
    cr_assert_not(change.is_any || change.needs_reconnect);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_taken(cases[i].text);
        settings_compare(&defaults, &s, &change);
        cr_assert(change.is_any);
        cr_assert_eq(change.needs_reconnect, cases[i].needs_reconnect, "%s", cases[i].text);
        cr_assert_str_eq(change.needs_restart, cases[i].needs_restart);
    }
}

Test(settings, keep_what_needs_a_restart, .init = set_up, .fini = clean_up, .timeout = 5)
{
    struct settings before;
    struct settings_change change;

    settings_default(&before);
    check_taken(every_key);
    settings_keep_fixed(&s, &(struct settings_origins){.persisted = ""}, &before,
                        &(struct settings_origins){.persisted = ""});
    settings_compare(&before, &s, &change);
    cr_assert(change.is_any && change.needs_reconnect);
    cr_assert_str_eq(change.needs_restart, "");
    cr_assert_str_eq(s.inbox.path, before.inbox.path);
    cr_assert_eq(s.workers.threads, 0);
    cr_assert_eq(s.sessions.limit, 10);
}

Test(settings, know_whether_any_transport_can_run, .init = set_up, .fini = clean_up, .timeout = 5)
{
    settings_default(&s);
    cr_assert(settings_has_transport(&s));
    check_taken("[services/tcp-transport]\nenabled = off\n");
    cr_assert_not(settings_has_transport(&s));
    check_taken("[services/gateway]\nenabled = off\n");
    cr_assert_not(settings_has_transport(&s));
}
