/* One session of the load generator: connects, greets, sends its files and hears the answers. Its
 * squad's thread owns it; nothing here is touched by another. */
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
    LOADGEN_SESSION_FILES,      /* open, send files, hear the answers */
    LOADGEN_SESSION_HANDSHAKES, /* open, say hello, hear the wazap, close, again */
    LOADGEN_SESSION_IDLE,       /* open, and say now and then that it is alive */
};

/* What the sessions of a kind do. Read only during a run. */
struct loadgen_session_role {
    const char *name;
    enum loadgen_session_work work;
    unsigned sessions;
    unsigned window;          /* files in flight in each */
    uint64_t size;            /* of a file */
    uint64_t count;           /* files or handshakes in all; 0: until the time is over */
    double rate;              /* of them a second in all, answered or not; 0: by the answers */
    double write_bytes_per_s; /* of each session; 0: as fast as it goes */
    double read_bytes_per_s;  /* likewise */
    bool is_background;       /* the run does not wait for these sessions */
    const struct loadgen_payload *payload; /* LOADGEN_SESSION_FILES */
};

enum { LOADGEN_SESSION_PROBLEM_ROOM = 160 };

/* What came of it. */
struct loadgen_session_tally {
    uint64_t opened;  /* sessions that became CONNECTED */
    uint64_t refused; /* that did not */
    uint64_t lost;    /* that the other side ended */
    uint64_t files;   /* answered with ok */
    uint64_t failed;  /* answered with abort */
    uint64_t unanswered;
    uint64_t first_ns, last_ns;                 /* of the first start and the last answer */
    char problem[LOADGEN_SESSION_PROBLEM_ROOM]; /* the first one, a sentence */
    struct loadgen_histogram latency;
};

/* What the sessions of a thread share. */
struct loadgen_session_home {
    struct poller *poller;
    const struct address *target;
    const char *idurl;
    unsigned spread;   /* local addresses 127.0.1.1 and on; 0: what the kernel takes */
    unsigned settling; /* sessions between connect and CONNECTED */
    /* Counters for the live line: written by this thread, read by the main thread, and nothing
     * depends on them; so atomic, but in no order. */
    _Atomic uint64_t live_files, live_bytes, live_opened;
    uint8_t scratch[64 << 10];
};

/* The sessions of a role in a thread. With a rate, start number n of the squad is due at
 * origin_ns + n * interval_ns and goes to session n % count. */
struct loadgen_session_squad {
    const struct loadgen_session_role *role;
    struct loadgen_session_home *home;
    struct loadgen_session *sessions;
    unsigned count;
    unsigned busy; /* sessions that have something left to do */
    bool is_going; /* the opening is over */
    double interval_ns;
    uint64_t origin_ns;
    uint64_t counted_from_ns; /* what began before is only done: the warming up */
    uint64_t handed;          /* starts that fell due so far */
    uint64_t ration_ns;       /* when the sessions had their ration last */
    struct loadgen_session_tally tally;
};

enum loadgen_session_state {
    LOADGEN_SESSION_NEW,
    LOADGEN_SESSION_CONNECTING,
    LOADGEN_SESSION_GREETING,
    LOADGEN_SESSION_OPEN,
    LOADGEN_SESSION_ENDED
};

struct loadgen_session {
    struct watch watch;
    enum loadgen_session_state state;
    struct loadgen_session_squad *squad;
    unsigned index;  /* in the squad */
    unsigned number; /* in the run */
    uint64_t due, started, answered;
    uint64_t quota;             /* of files or handshakes, UINT64_MAX: no end */
    uint64_t since_ns;          /* of the handshake under way */
    uint64_t written, was_read; /* bytes, since the start, where they are rationed */
    bool is_writable;
    bool is_busy;                      /* counted in its squad's `busy` */
    struct loadgen_outgoing *outgoing; /* LOADGEN_SESSION_FILES */
    struct frame_decoder decoder;
};

uint64_t loadgen_session_now_ns(void);

/* `*s` is all zero but for squad, index, number and quota. */
enum err loadgen_session_init(struct loadgen_session *s);
void loadgen_session_fini(struct loadgen_session *s);

/* Starts the connect. What becomes of it stands in the state and the tally. */
void loadgen_session_open(struct loadgen_session *s, uint64_t since_ns);

/* The opening is over: the work begins. */
void loadgen_session_go(struct loadgen_session *s);

/* One more start fell due. */
void loadgen_session_due(struct loadgen_session *s);

/* From time to time, for rationed sessions and for handshakes: reads and writes what is allowed by
 * now; tries again what could not be opened. */
void loadgen_session_ration(struct loadgen_session *s);

#endif
