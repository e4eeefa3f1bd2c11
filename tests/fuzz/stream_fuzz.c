/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Received octets of a stream port, cut anywhere, against a plain reading of
 * the whole.  Input: how many octets each write has (two octets of length
 * for each piece, ended by zero), the budget and the rhythm of turns, then the
 * octets.  Lengths are made likely to be possible ones: of each piece's first
 * four octets the upper two may be cleared.
 */
#include "tests/fuzz/check.h"

#include "ports/stream_port.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAMES 64

static struct portless {
    struct port *port;
    struct stream *s;
    struct ev_loop *loop;
    struct port_queue q;
    struct arena arena;
    struct frame frame[FRAMES];
    unsigned ready;
    unsigned downs;
} p;

static void on_ready(struct port_queue *q)
{
    (void)q;
    p.ready++;
}

static void on_event(struct port *port, enum port_event ev, const char *reason)
{
    (void)port;
    CHECK(ev == PORT_EVENT_UP || ev == PORT_EVENT_DOWN);
    CHECK(reason[0]);
    p.downs += ev == PORT_EVENT_DOWN;
}

/* A port that waits for peers nobody sends it; we give it one by hand. */
static void set_up(void)
{
    struct port_spec spec;
    char text[64];
    struct err e;
    int rc;

    if (p.port)
        return;
    snprintf(text, sizeof(text), "stream:@bascule-fuzz-%d", (int)getpid());
    CHECK(port_spec_parse(&spec, text, &e) == 0);
    p.port = port_new(&spec, &rc, &e);
    CHECK(p.port);
    p.port->event = on_event;
    p.s = stream_of(p.port);
    CHECK(p.port->ops->open(p.port, &e) == 0);
    p.loop = ev_loop_new(EVBACKEND_EPOLL);
    p.q = (struct port_queue){p.port, 0, on_ready};
    CHECK(p.port->ops->attach(p.port, &p.q, p.loop) == 0);
    CHECK(arena_init(&p.arena, 1 << 20) == 0);
}

/* As accept would; the end that writes. */
static int connect_peer(void)
{
    int fd[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
    stream_connected(p.s, fd[0]);
    p.downs = 0;
    return fd[1];
}

/* ---- what is expected: the input read in one go ---- */

struct model {
    const uint8_t *octets;
    size_t n, at;
    unsigned runts, truncated;
    bool broken;
};

/* The next frame that is to be given out; NULL: none is complete. */
static const uint8_t *next(struct model *m, uint32_t *len)
{
    while (!m->broken && m->n - m->at >= 4) {
        const uint8_t *h = m->octets + m->at;
        uint32_t n = (uint32_t)h[0] << 24 | (uint32_t)h[1] << 16 |
                     (uint32_t)h[2] << 8 | h[3];

        if (n == 0 || n > STREAM_WIRE_MAX) {
            m->broken = true;
            break;
        }
        if (m->n - m->at - 4 < n)
            break;
        m->at += 4 + n;
        m->runts += n < FRAME_ETH_HLEN;
        m->truncated += n > FRAME_LEN_MAX;
        *len = n;
        if (n >= FRAME_ETH_HLEN && n <= FRAME_LEN_MAX)
            return h + 4;
    }
    return NULL;
}

struct rhythm {
    unsigned budget;
    unsigned calls; /* of rx, in a turn */
};

/*
 * One turn; 'm' knows what must come.  True: a full budget, so that the
 * switch would come again unasked.
 */
static bool turn(struct model *m, const struct rhythm *r, unsigned *lost)
{
    static uint64_t no;
    struct batch b = {
        .frame = p.frame, .max = FRAMES, .arena = &p.arena, .turn = ++no};
    bool full = true;

    for (unsigned i = 0; full && i < r->calls && b.n < FRAMES; i++) {
        unsigned most = FRAMES - b.n < r->budget ? FRAMES - b.n : r->budget;

        int got = p.port->ops->rx(p.port, 0, &b, most);

        CHECK(got >= 0 && (unsigned)got <= most);
        full = (unsigned)got == most;
        CHECK(b.n <= FRAMES);
    }
    for (unsigned i = 0; i < b.n; i++) { /* when all of the turn is there */
        uint32_t len = 0;
        const uint8_t *want = next(m, &len);

        CHECK(want && b.frame[i].nseg == 1 && b.frame[i].len == len);
        CHECK(memcmp(want, b.frame[i].seg[0].iov_base, len) == 0);
    }
    for (unsigned i = 0; i < PORT_REASON_COUNT; i++)
        lost[i] += b.lost[i];
    return full;
}

/* Runs turns as the loop says, until nothing comes. */
static void run(struct model *m, const struct rhythm *r, unsigned *lost)
{
    bool full = false;

    do {
        p.ready = 0;
        ev_run(p.loop, EVRUN_NOWAIT);
        if (p.ready || full)
            full = turn(m, r, lost);
    } while (p.ready || full);
}

static void check_end(struct model *m, const unsigned *lost)
{
    uint32_t len;

    CHECK(next(m, &len) == NULL); /* nothing was left in the buffer */
    CHECK(lost[PORT_REASON_RX_RUNT] == m->runts);
    CHECK(lost[PORT_REASON_RX_TRUNCATED] == m->truncated);
    CHECK(lost[PORT_REASON_RX_BAD_LENGTH] == m->broken);
    CHECK(p.downs == m->broken);
    CHECK((p.s->fd < 0) == m->broken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t stretched[1 << 18];
    struct model m = {.octets = stretched};
    unsigned lost[PORT_REASON_COUNT] = {0};
    struct rhythm r;
    size_t pieces;
    int fd;

    if (size < 4)
        return 0;
    set_up();
    r = (struct rhythm){1 + data[0] % FRAMES, 1 + data[1] % 4};
    pieces = data[2] % 32;
    data += 3;
    size -= 3;
    if (size < pieces * 2)
        return 0;
    fd = connect_peer();
    for (size_t i = 0, at = pieces * 2; i <= pieces && !m.broken; i++) {
        /* a piece: some octets of the input, many times over if asked */
        size_t n = i < pieces ? data[2 * i] : size - at;
        unsigned times = i < pieces ? 1U + data[2 * i + 1] * 4U : 1;

        if (n > size - at)
            n = size - at;
        for (; times && m.n + n <= sizeof(stretched); times--) {
            memcpy(stretched + m.n, data + at, n);
            if (send(fd, stretched + m.n, n, MSG_NOSIGNAL) != (ssize_t)n) {
                CHECK(n == 0 || errno == EPIPE || errno == EAGAIN);
                break;
            }
            m.n += n;
            if (times % 8 == 0)
                run(&m, &r, lost);
        }
        at += n;
        run(&m, &r, lost);
    }
    run(&m, &r, lost);
    check_end(&m, lost);
    if (p.s->fd >= 0)
        stream_disconnect(p.s, "over");
    close(fd);
    return 0;
}
