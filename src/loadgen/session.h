/* One session of the load generator: connects, sends hello, sends its files and reads the answers.
 * Owned by the thread of its group; no other thread accesses it. */
#ifndef LOADGEN_SESSION_H
#define LOADGEN_SESSION_H

#include "loadgen/histogram.h"
#include "loadgen/outgoing.h"
#include "loadgen/payload.h"

#include "base/address.h"
#include "loop/poller.h"
#include "wire/frame.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum loadgen_session_work {
    LOADGEN_SESSION_FILES,      /* open, send files, read the answers */
    LOADGEN_SESSION_HANDSHAKES, /* open, send hello, read the wazap, close, repeat */
    LOADGEN_SESSION_IDLE,       /* open, send keep-alives */
};

/* What the sessions of a role do. Read-only during a run. */
struct loadgen_session_role {
    const char *name;
    enum loadgen_session_work work;
    unsigned sessions;
    unsigned window; /* files in flight in each */
    uint64_t size;   /* of a file */
    uint64_t count;  /* files or handshakes in total; 0: until the time limit */
    double rate; /* files or handshakes per second in total, answered or not; 0: next on answer */
    double write_bytes_per_s;              /* of each session; 0: unlimited */
    double read_bytes_per_s;               /* likewise */
    bool is_background;                    /* the run does not wait for these sessions */
    const struct loadgen_payload *payload; /* LOADGEN_SESSION_FILES */
};

enum { LOADGEN_SESSION_PROBLEM_ROOM = 160 };

/* Results of the sessions of a group or role. */
struct loadgen_session_tally {
    uint64_t opened;  /* completed handshakes */
    uint64_t refused; /* failed ones */
    uint64_t lost;    /* sessions closed by the peer or by an error */
    uint64_t files;   /* answered with ok */
    uint64_t failed;  /* answered with abort */
    uint64_t unanswered;
    uint64_t first_ns, last_ns;                 /* time of the first start and the last answer */
    char problem[LOADGEN_SESSION_PROBLEM_ROOM]; /* the first error */
    struct loadgen_histogram latency;
};

/* State shared by the sessions of a thread. */
struct loadgen_session_shared {
    struct poller *poller;
    const struct address *target;
    const char *idurl;
    unsigned spread;     /* local addresses from 127.0.1.1; 0: the kernel's choice */
    unsigned connecting; /* sessions with an unfinished handshake */
    /* Counters for the progress line: written by this thread, read by the main thread. Atomic for
     * that; relaxed, because nothing depends on their order. */
    _Atomic uint64_t live_files, live_bytes, live_opened;
    uint8_t scratch[64 << 10];
};

/* The sessions of a role in a thread. With a rate, start number n of the group is due at origin_ns
 * + n * interval_ns, in session n % count. */
struct loadgen_session_group {
    const struct loadgen_session_role *role;
    struct loadgen_session_shared *shared;
    struct loadgen_session *sessions;
    unsigned count;
    unsigned busy;   /* sessions with work left */
    bool is_started; /* the work has started */
    double interval_ns;
    uint64_t origin_ns;
    uint64_t counted_from_ns; /* earlier starts are warm-up and not measured */
    uint64_t dispatched;      /* starts dispatched so far */
    uint64_t ticked_ns;       /* time of the last loadgen_session_tick() */
    struct loadgen_session_tally tally;
};

enum loadgen_session_state {
    LOADGEN_SESSION_NEW,
    LOADGEN_SESSION_CONNECTING,
    LOADGEN_SESSION_HELLO_SENT,
    LOADGEN_SESSION_OPEN,
    LOADGEN_SESSION_ENDED
};

struct loadgen_session {
    struct watch watch;
    enum loadgen_session_state state;
    struct loadgen_session_group *group;
    unsigned index;  /* in the group */
    unsigned number; /* in the run */
    uint64_t due, started, answered;
    uint64_t quota;               /* files or handshakes; UINT64_MAX: unlimited */
    uint64_t since_ns;            /* start of the current handshake */
    uint64_t written, bytes_read; /* bytes since the start, for the rate limits */
    bool is_writable;
    bool is_busy;                      /* counted in its group's `busy` */
    struct loadgen_outgoing *outgoing; /* LOADGEN_SESSION_FILES */
    struct frame_decoder decoder;
};

uint64_t loadgen_session_now_ns(void);

/* `*s` must be all zero except group, index, number and quota. */
enum err loadgen_session_init(struct loadgen_session *s);
void loadgen_session_fini(struct loadgen_session *s);

/* Starts the connect. The result is in the state and the tally. */
void loadgen_session_open(struct loadgen_session *s, uint64_t since_ns);

/* Starts the work, after all sessions are opened. */
void loadgen_session_start(struct loadgen_session *s);

/* One more start is due. */
void loadgen_session_add_due(struct loadgen_session *s);

/* Called periodically for throttled sessions and for handshakes: reads and writes what the rate
 * limits allow; retries failed opens. */
void loadgen_session_tick(struct loadgen_session *s);

#endif
