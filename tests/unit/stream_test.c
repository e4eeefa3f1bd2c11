/* SPDX-License-Identifier: BSD-2-Clause */
/* The stream kind through the port contract, against sockets of ours. */
#include "ports/stream_port.h"
#include "tests/lib/portrig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct portrig r;
static char path[100], spec[200];

static int fresh(void **state)
{
    static unsigned n;

    (void)state;
    snprintf(path, sizeof(path), "%s/s%u", portrig_dir(), n++);
    snprintf(spec, sizeof(spec), "stream:%s", path);
    return 0;
}

static void with_keys(const char *keys)
{
    size_t n = strlen(spec);

    snprintf(spec + n, sizeof(spec) - n, "%s", keys);
}

static int over(void **state)
{
    (void)state;
    portrig_close(&r);
    return 0;
}

/* ---- the other end ---- */

static struct sockaddr_un unix_at(const char *where)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", where);
    return a;
}

static int try_peer(void)
{
    struct sockaddr_un a = unix_at(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (void *)&a, sizeof(a)), 0);
    return fd;
}

/* Connects, and is the port's peer. */
static int peer(void)
{
    unsigned up = r.events[PORT_EVENT_UP];
    int fd = try_peer();

    portrig_event(&r, PORT_EVENT_UP, up + 1);
    return fd;
}

static int listener(void)
{
    struct sockaddr_un a = unix_at(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (void *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static void put(int fd, const void *octets, size_t n)
{
    assert_int_equal(send(fd, octets, n, MSG_NOSIGNAL), n);
}

static size_t framed(uint8_t *to, uint32_t n, uint32_t mark)
{
    uint32_t head = htonl(n);

    memcpy(to, &head, 4);
    portrig_frame(to + 4, n, mark);
    return 4 + n;
}

static void put_frame(int fd, uint32_t n, uint32_t mark)
{
    uint8_t *b = malloc(4 + n);

    assert_non_null(b);
    put(fd, b, framed(b, n, mark));
    free(b);
}

static void check_octets(const uint8_t *got, uint32_t len, uint32_t n,
                         uint32_t mark)
{
    uint8_t *want = malloc(n);

    assert_non_null(want);
    portrig_frame(want, n, mark);
    assert_int_equal(len, n);
    assert_memory_equal(got, want, n);
    free(want);
}

static void check_frame(const struct frame *f, uint32_t n, uint32_t mark)
{
    uint32_t len;
    const uint8_t *got = portrig_octets(f, &len);

    assert_int_equal(f->csum, CSUM_COMPLETE);
    check_octets(got, len, n, mark);
}

/* Reads n octets, turning the port's loop meanwhile. */
static void get(int fd, void *to, size_t n)
{
    size_t at = 0;

    for (unsigned idle = 0; at < n && idle < 2000;) {
        ssize_t got = recv(fd, (uint8_t *)to + at, n - at, MSG_DONTWAIT);

        assert_true(got != 0);
        if (got > 0) {
            at += (size_t)got;
            idle = 0;
        } else {
            idle++;
            portrig_run(&r, 0.005);
        }
    }
    assert_int_equal(at, n);
}

/* Reads one frame and returns its mark's octets checked. */
static void get_frame(int fd, uint32_t n, uint32_t mark)
{
    uint32_t head;
    uint8_t *b = malloc(n);

    assert_non_null(b);
    get(fd, &head, 4);
    assert_int_equal(ntohl(head), n);
    get(fd, b, n);
    check_octets(b, n, n, mark);
    free(b);
}

static bool at_end(int fd)
{
    char c;

    return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

static bool peer_at_end(void *arg)
{
    return at_end(*(int *)arg);
}

/* ---- specifications ---- */

static void refusals(void **state)
{
    static const char *const bad[][2] = {
        {"stream:nowhere", "expected an absolute path"},
        {"stream:unix:relative", "absolute"},
        {"stream:/", "missing"},
        {"stream:127.0.0.1:0", "1 to 65535"},
        {"stream:127.0.0.1:65536", "1 to 65535"},
        {"stream:127.0.0.1:", "1 to 65535"},
        {"stream:::1:80", "expected"},
        {"stream:udp:127.0.0.1:80", "UDP is for dgram"},
        {"stream::80,listen=off", "which host"},
        {"stream:@x,reconnect=2", "listen=off"},
        {"stream:@x,reconnect=0", "reconnect=0"},
        {"stream:@x,mtu=67", "mtu=67"},
        {"stream:@x,mode=0660", "mode="},
        {"stream:/x,mode=999", "mode=999"},
        {"stream:@x,listen=perhaps", "listen=perhaps"},
        {"stream:/no/such/directory/s", "directory"},
        {"stream:@x,colour=red", "colour"},
        {"stream:example.org:80", "not looked up"},
    };
    char text[300];
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(portrig_try(&r, bad[i][0], &e) < 0);
        if (!strstr(e.text, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], e.text);
    }
    snprintf(text, sizeof(text), "stream:/%0107d", 1);
    assert_int_equal(portrig_try(&r, text, &e), -ENAMETOOLONG);
    assert_non_null(strstr(e.text, "107"));
}

static void capabilities(void **state)
{
    (void)state;
    portrig_open(&r, spec);
    assert_true(r.port->caps.serial && r.port->caps.edge);
    assert_true(r.port->caps.any_mtu && !r.port->caps.vnet);
    assert_int_equal(r.port->caps.mtu, 65535);
    assert_false(port_caps_now(r.port).link);
    portrig_close(&r);
    with_keys(",mtu=1400,edge=off");
    portrig_open(&r, spec);
    assert_false(r.port->caps.edge || r.port->caps.any_mtu);
    assert_int_equal(r.port->caps.mtu, 1400);
}

/* ---- receiving ---- */

static void split_anywhere(void **state)
{
    uint8_t all[256];
    size_t n = 0;
    int fd;

    (void)state;
    portrig_open(&r, spec);
    fd = peer();
    n += framed(all + n, 14, 1);
    n += framed(all + n, 60, 2);
    n += framed(all + n, 15, 3);
    for (size_t cut = 1; cut < n; cut++) {
        put(fd, all, cut);
        portrig_turn(&r);
        portrig_run(&r, 0.5);
        assert_int_equal(r.ready, 1);
        assert_int_equal(portrig_rx(&r, 64),
                         (cut >= 18) + (cut >= 82) + (cut == n));
        r.ready = 0;
        put(fd, all + cut, n - cut);
        portrig_run(&r, 0.5);
        assert_int_equal(r.ready, 1);
        (void)portrig_rx(&r, 64); /* in the same turn: all of them are there */
        assert_int_equal(r.b.n, 3);
        check_frame(&r.frame[0], 14, 1);
        check_frame(&r.frame[1], 60, 2);
        check_frame(&r.frame[2], 15, 3);
        r.ready = 0;
    }
    close(fd);
}

static void octet_by_octet(void **state)
{
    uint8_t all[2000];
    size_t n = framed(all, 1514, 9);
    int fd;

    (void)state;
    portrig_open(&r, spec);
    fd = peer();
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(r.b.n, 0);
        put(fd, all + i, 1);
        portrig_turn(&r);
        (void)portrig_rx(&r, 64);
    }
    assert_int_equal(r.b.n, 1);
    check_frame(&r.frame[0], 1514, 9);
    close(fd);
}

/* What is in the buffer is told again, although the socket is empty. */
static void budget(void **state)
{
    static uint8_t all[100 * 70];
    size_t n = 0;
    int fd;

    (void)state;
    portrig_open(&r, spec);
    fd = peer();
    for (uint32_t i = 0; i < 100; i++)
        n += framed(all + n, 60, i);
    put(fd, all, n);
    for (uint32_t i = 0; i < 100; i += 10) {
        portrig_receive(&r, 10);
        for (uint32_t k = 0; k < 10; k++)
            check_frame(&r.frame[k], 60, i + k);
        r.ready = 1; /* a full budget: the switch comes again */
    }
    portrig_turn(&r);
    assert_int_equal(portrig_rx(&r, 10), 0);
    close(fd);
}

/* Refused frames use up the budget, and what is behind them is not lost. */
static void runts_and_the_frame_behind(void **state)
{
    static uint8_t all[200 * 20 + 100];
    size_t n = 0;
    int fd;

    (void)state;
    portrig_open(&r, spec);
    fd = peer();
    for (uint32_t i = 0; i < 200; i++)
        n += framed(all + n, 1 + i % 13, i);
    n += framed(all + n, 60, 7);
    put(fd, all, n);
    portrig_run(&r, 0.5);
    assert_int_equal(portrig_rx(&r, 64), 0);
    assert_int_equal(r.b.lost[PORT_REASON_RX_RUNT], 64);
    r.ready = 0;
    portrig_run(&r, 0.5); /* by itself: the socket is empty */
    assert_int_equal(r.ready, 1);
    portrig_receive(&r, 1);
    assert_int_equal(r.b.lost[PORT_REASON_RX_RUNT], 136);
    check_frame(&r.frame[0], 60, 7);
    close(fd);
}

/* Frames of a turn stay where they are, however much comes. */
static void memory_of_a_turn(void **state)
{
    enum { LEN = 9000, N = 200 };
    static uint8_t all[LEN + 4];
    unsigned sent = 0, got = 0;
    int fd;

    (void)state;
    portrig_open(&r, spec);
    fd = peer();
    while (got < N) {
        unsigned first = got;

        portrig_turn(&r);
        /* more than the buffer holds, within one turn */
        for (unsigned i = 0; i < 100 && r.b.n < PORTRIG_FRAMES; i++) {
            while (sent < N) {
                size_t n = framed(all, LEN, sent);

                if (send(fd, all, n, MSG_DONTWAIT) != (ssize_t)n)
                    break;
                sent++;
            }
            (void)portrig_rx(&r, 8);
        }
        got += r.b.n;
        for (unsigned i = 0; i < r.b.n; i++)
            check_frame(&r.frame[i], LEN, first + i);
        assert_true(r.b.n > 0);
        assert_true(r.b.n * (LEN + 4) <= STREAM_INPUT);
    }
    assert_int_equal(got, N);
    close(fd);
}

static void longest_frames(void **state)
{
    uint8_t *b = malloc(STREAM_WIRE_MAX + 4);
    uint32_t head = htonl(STREAM_WIRE_MAX);
    struct pollfd p = {.events = POLLOUT};
    int fd;

    (void)state;
    assert_non_null(b);
    portrig_open(&r, spec);
    fd = p.fd = peer();
    put_frame(fd, FRAME_LEN_MAX, 5);
    portrig_receive(&r, 1);
    check_frame(&r.frame[0], FRAME_LEN_MAX, 5);
    /* longer than we carry, but a frame: skipped, and the next one found */
    memset(b, 1, STREAM_WIRE_MAX + 4);
    memcpy(b, &head, 4);
    put(fd, b, STREAM_WIRE_MAX + 4);
    put_frame(fd, 60, 6);
    portrig_receive(&r, 1);
    assert_int_equal(r.b.lost[PORT_REASON_RX_TRUNCATED], 1);
    check_frame(&r.frame[0], 60, 6);
    assert_int_equal(poll(&p, 1, 0), 1);
    close(fd);
    free(b);
}

static void impossible_lengths(void **state)
{
    static const uint32_t bad[] = {0, STREAM_WIRE_MAX + 1, 0xffffffff};
    unsigned downs = 0;

    (void)state;
    portrig_open(&r, spec);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint32_t head = htonl(bad[i]);
        struct port_desc d = {0};
        int fd = peer();

        put_frame(fd, 60, 1);
        put(fd, &head, 4);
        portrig_receive(&r, 1); /* what was good before it is received */
        r.ready = 0;
        while (r.events[PORT_EVENT_DOWN] == downs) {
            portrig_run(&r, 0.01);
            (void)portrig_rx(&r, 64);
        }
        downs++;
        assert_int_equal(r.b.lost[PORT_REASON_RX_BAD_LENGTH], 1);
        assert_non_null(strstr(r.last, "octets"));
        portrig_wait(&r, peer_at_end, &fd, "peer disconnected");
        assert_false(port_caps_now(r.port).link);
        r.port->ops->describe(r.port, &d);
        assert_non_null(strstr(d.detail, "octets"));
        close(fd);
    }
    assert_int_equal(r.events[PORT_EVENT_FAILED], 0);
}

/* ---- sending ---- */

static void sending(void **state)
{
    static uint8_t b[FRAME_LEN_MAX];
    const uint32_t len[] = {14, 60, 1514, 9014, 65000};
    int fd;

    (void)state;
    portrig_open(&r, spec);
    portrig_frame(b, 60, 1);
    assert_int_equal(portrig_send(&r, b, 60, 1).refused[PORT_REASON_TX_DOWN],
                     1);
    fd = peer();
    for (unsigned i = 0; i < 5; i++) {
        struct tx_result t;

        portrig_frame(b, len[i], i);
        t = portrig_send(&r, b, len[i], 1 + i % FRAME_SEGS_MAX);
        assert_int_equal(t.sent, 1);
        assert_int_equal(t.bytes, len[i]);
        get_frame(fd, len[i], i);
    }
    close(fd);
}

/* Long lists: more segments than one call takes. */
static void long_list(void **state)
{
    enum { N = 500, LEN = 200 };
    static uint8_t b[N][LEN];
    static struct frame f[N];
    static struct frame *list[N];
    struct tx_result t = {0};
    int fd;

    (void)state;
    portrig_open(&r, spec);
    fd = peer();
    for (unsigned i = 0; i < N; i++) {
        portrig_frame(b[i], LEN, i);
        f[i] = (struct frame){.len = LEN, .nseg = 3};
        f[i].seg[0] = (struct iovec){b[i], 54};
        f[i].seg[1] = (struct iovec){b[i] + 54, 100};
        f[i].seg[2] = (struct iovec){b[i] + 154, 46};
        list[i] = &f[i];
    }
    r.port->ops->tx(r.port, 0, list, N, &t);
    assert_int_equal(t.sent, N);
    assert_int_equal(t.bytes, N * LEN);
    for (unsigned i = 0; i < N; i++)
        get_frame(fd, LEN, i);
    close(fd);
}

/* A peer that reads little, through a tiny buffer: whole frames only. */
static void slow_peer(void **state)
{
    static uint8_t b[60000], kept[4096];
    uint32_t mark = 0, seen = 0, last = 0;
    unsigned slow = 0, sent = 0;
    int fd;

    (void)state;
    with_keys(",buffer=4096");
    portrig_open(&r, spec);
    fd = peer();
    while (seen < 300) {
        uint32_t n = 100 + mark * 977 % 40000, head;
        struct tx_result t;

        portrig_frame(b, n, mark);
        memcpy(b + 14, &mark, 4);
        t = portrig_send(&r, b, n, 1 + mark % 4);
        assert_int_equal(t.sent + t.refused[PORT_REASON_TX_PEER_SLOW], 1);
        sent += t.sent;
        slow += t.refused[PORT_REASON_TX_PEER_SLOW];
        mark++;
        if (mark % 3)
            continue;
        /* reads one frame; its rest comes without our sending more */
        get(fd, &head, 4);
        n = ntohl(head);
        assert_true(n >= 100 && n < 40100);
        get(fd, b, n);
        memcpy(&head, b + 14, 4);
        assert_true(seen == 0 || head > last);
        last = head;
        assert_int_equal(n, 100 + last * 977 % 40000);
        seen++;
    }
    assert_true(slow > 100);
    assert_true(sent >= seen);
    /* the rest of a frame that was cut short comes by itself */
    for (unsigned i = 0; i < sent - seen; i++) {
        uint32_t n;

        get(fd, &n, 4);
        for (n = ntohl(n); n; n -= n < sizeof(kept) ? n : sizeof(kept))
            get(fd, kept, n < sizeof(kept) ? n : sizeof(kept));
    }
    assert_true(recv(fd, b, 1, MSG_DONTWAIT) < 0);
    close(fd);
}

/* Forwarders that write at the same time: no frame inside another. */
static _Atomic unsigned writing;

static void *write_many(void *arg)
{
    uint32_t who = *(uint32_t *)arg;
    static _Thread_local uint8_t b[3000];
    struct iovec v = {b, 0};

    for (uint32_t i = 0; i < 300;) {
        struct frame f = {.nseg = 1, .len = 60 + (i * 37 + who) % 2900};
        struct frame *list[] = {&f};
        struct tx_result t = {0};

        portrig_frame(b, f.len, who);
        v.iov_len = f.len;
        f.seg[0] = v;
        r.port->ops->tx(r.port, who, list, 1, &t);
        assert_int_equal(t.sent + t.refused[PORT_REASON_TX_PEER_SLOW], 1);
        i += t.sent;
        if (!t.sent)
            usleep(200);
    }
    writing--;
    return NULL;
}

static void several_forwarders(void **state)
{
    static uint8_t b[3000], want[3000];
    uint32_t who[3] = {1, 2, 3};
    pthread_t t[3];
    unsigned got = 0;
    int fd;

    (void)state;
    with_keys(",buffer=20000");
    portrig_open(&r, spec);
    fd = peer();
    writing = 3;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&t[i], NULL, write_many, &who[i]), 0);
    for (unsigned quiet = 0; quiet < 20;) {
        uint32_t head, i = 0;

        if (recv(fd, &head, 4, MSG_DONTWAIT | MSG_PEEK) != 4) {
            portrig_run(&r, 0.002);
            quiet = writing ? 0 : quiet + 1;
            continue;
        }
        get(fd, &head, 4);
        assert_in_range(ntohl(head), 60, 2960);
        get(fd, b, ntohl(head));
        do
            portrig_frame(want, ntohl(head), who[i]);
        while (memcmp(b, want, ntohl(head)) != 0 && ++i < 3);
        assert_true(i < 3);
        got++;
    }
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(got, 900);
    close(fd);
}

/* ---- peers that come and go ---- */

static void peer_goes_and_comes(void **state)
{
    int fd;

    (void)state;
    portrig_open(&r, spec);
    for (unsigned i = 1; i < 5; i++) {
        fd = peer();
        assert_true(port_caps_now(r.port).link);
        put_frame(fd, 60, i);
        put(fd, "\0\0\1", 3); /* and the beginning of another */
        close(fd);
        portrig_receive(&r, 1); /* said last, and not lost */
        check_frame(&r.frame[0], 60, i);
        portrig_event(&r, PORT_EVENT_DOWN, i);
        assert_non_null(strstr(r.last, "in the middle of a frame"));
        assert_false(port_caps_now(r.port).link);
    }
}

static void second_peer(void **state)
{
    struct port_desc d = {0};
    int first, second;

    (void)state;
    portrig_open(&r, spec);
    first = peer();
    second = try_peer();
    portrig_wait(&r, peer_at_end, &second, "second peer turned away");
    close(second);
    r.port->ops->describe(r.port, &d);
    assert_non_null(strstr(d.detail, "1 others"));
    put_frame(first, 60, 3);
    portrig_receive(&r, 1);
    check_frame(&r.frame[0], 60, 3);
    /* The first dies, and its successor knocks before that was noticed. */
    put_frame(first, 60, 4);
    close(first);
    second = try_peer();
    portrig_event(&r, PORT_EVENT_UP, 2);
    assert_int_equal(r.events[PORT_EVENT_DOWN], 1);
    put_frame(second, 60, 5);
    portrig_receive(&r, 1);
    check_frame(&r.frame[0], 60, 5);
    close(second);
}

/* Writing to a peer that is gone says so once, and the port goes on. */
static void writing_to_the_dead(void **state)
{
    uint8_t b[60];
    struct tx_result t;
    int fd;

    (void)state;
    portrig_open(&r, spec);
    fd = peer();
    close(fd);
    portrig_frame(b, 60, 1);
    t = portrig_send(&r, b, 60, 1);
    assert_int_equal(t.refused[PORT_REASON_TX_DOWN], 1);
    assert_false(t.failed);
    portrig_event(&r, PORT_EVENT_DOWN, 1);
    fd = peer();
    assert_int_equal(portrig_send(&r, b, 60, 1).sent, 1);
    get_frame(fd, 60, 1);
    close(fd);
}

static int accept_one(int ls)
{
    struct pollfd p = {.fd = ls, .events = POLLIN};

    for (unsigned i = 0; i < 1000 && poll(&p, 1, 0) == 0; i++)
        portrig_run(&r, 0.01);
    return accept4(ls, NULL, NULL, SOCK_CLOEXEC);
}

static void connecting(void **state)
{
    struct port_desc d = {0};
    int ls, fd;

    (void)state;
    with_keys(",listen=off,reconnect=1");
    portrig_open(&r, spec);
    r.port->ops->describe(r.port, &d);
    assert_non_null(strstr(d.detail, "No such file"));
    ls = listener();
    fd = accept_one(ls);
    assert_true(fd >= 0);
    portrig_event(&r, PORT_EVENT_UP, 1);
    put_frame(fd, 60, 1);
    portrig_receive(&r, 1);
    close(fd); /* it is connected again, by itself */
    portrig_event(&r, PORT_EVENT_DOWN, 1);
    fd = accept_one(ls);
    assert_true(fd >= 0);
    portrig_event(&r, PORT_EVENT_UP, 2);
    put_frame(fd, 60, 2);
    portrig_receive(&r, 1);
    check_frame(&r.frame[0], 60, 2);
    /* the listener goes altogether, and comes back */
    close(ls);
    unlink(path);
    close(fd);
    portrig_event(&r, PORT_EVENT_DOWN, 2);
    portrig_run(&r, 0.3);
    ls = listener();
    fd = accept_one(ls);
    assert_true(fd >= 0);
    portrig_event(&r, PORT_EVENT_UP, 3);
    close(fd);
    close(ls);
}

/* ---- files ---- */

static void files(void **state)
{
    struct portrig other;
    struct stat st;
    struct err e;
    int fd;

    (void)state;
    portrig_open(&r, spec);
    assert_int_equal(portrig_try(&other, spec, &e), -EADDRINUSE);
    assert_non_null(strstr(e.text, "already"));
    portrig_run(&r, 0.05);
    assert_int_equal(r.events[PORT_EVENT_UP], 0); /* it did not notice */
    fd = peer();
    assert_int_equal(portrig_try(&other, spec, &e), -EADDRINUSE);
    portrig_close(&r);
    close(fd);
    assert_int_equal(access(path, F_OK), -1);
    /* stale: bound once, and nobody has it open any more */
    close(listener());
    assert_int_equal(stat(path, &st), 0);
    portrig_open(&r, spec);
    close(peer());
    /* not ours any more: left alone */
    assert_int_equal(unlink(path), 0);
    fd = listener();
    portrig_close(&r);
    assert_int_equal(access(path, F_OK), 0);
    close(fd);
    unlink(path);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "precious", 8), 8);
    close(fd);
    assert_int_equal(portrig_try(&r, spec, &e), -EEXIST);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 8);
    unlink(path);
    with_keys(",mode=0660");
    portrig_open(&r, spec);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
}

/* ---- TCP and abstract names: a port at each end ---- */

static bool both_up(void *arg)
{
    struct portrig *other = arg;

    portrig_run(other, 0.01);
    return port_caps_now(r.port).link && port_caps_now(other->port).link;
}

static void talk(const char *a, const char *b)
{
    struct portrig other;
    uint8_t f[1514];

    portrig_open(&r, a);
    portrig_open(&other, b);
    portrig_wait(&r, both_up, &other, "both ends up");
    for (uint32_t i = 0; i < 20; i++) {
        portrig_frame(f, 60 + i * 50, i);
        assert_int_equal(portrig_send(&other, f, 60 + i * 50, 1).sent, 1);
        portrig_receive(&r, 1);
        check_frame(&r.frame[0], 60 + i * 50, i);
        assert_int_equal(portrig_send(&r, f, 60 + i * 50, 2).sent, 1);
        portrig_receive(&other, 1);
        check_frame(&other.frame[0], 60 + i * 50, i);
    }
    portrig_close(&other);
    portrig_event(&r, PORT_EVENT_DOWN, 1);
    portrig_close(&r);
}

/* A port's number that nobody has now. */
static unsigned free_port(int family)
{
    struct sockaddr_in6 a = {.sin6_family = (sa_family_t)family};
    socklen_t len = sizeof(a);
    int fd = socket(family, SOCK_STREAM, 0);
    unsigned n = 0;

    if (fd >= 0 && bind(fd, (void *)&a, family == AF_INET ? 16 : 28) == 0 &&
        getsockname(fd, (void *)&a, &len) == 0)
        n = ntohs(a.sin6_port);
    close(fd);
    return n;
}

static void transports(void **state)
{
    unsigned no = free_port(AF_INET);
    char a[100], b[100];

    (void)state;
    snprintf(a, sizeof(a), "stream:@bascule-%d", getpid());
    snprintf(b, sizeof(b), "stream:unix:@bascule-%d,listen=off", getpid());
    talk(a, b);
    snprintf(a, sizeof(a), "stream:127.0.0.1:%u,listen=on", no);
    snprintf(b, sizeof(b), "stream:tcp:127.0.0.1:%u", no);
    talk(a, b);
    snprintf(a, sizeof(a), "stream::%u", no);
    snprintf(b, sizeof(b), "stream:localhost:%u", no);
    talk(a, b);
    no = free_port(AF_INET6);
    if (!no || access("/proc/net/if_inet6", F_OK))
        return; /* no IPv6 on this machine */
    snprintf(a, sizeof(a), "stream:[::1]:%u,listen=on", no);
    snprintf(b, sizeof(b), "stream:[::1]:%u", no);
    talk(a, b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, over)
    const struct CMUnitTest tests[] = {
        T(refusals),
        T(capabilities),
        T(split_anywhere),
        T(octet_by_octet),
        T(budget),
        T(runts_and_the_frame_behind),
        T(memory_of_a_turn),
        T(longest_frames),
        T(impossible_lengths),
        T(sending),
        T(long_list),
        T(slow_peer),
        T(several_forwarders),
        T(peer_goes_and_comes),
        T(second_peer),
        T(writing_to_the_dead),
        T(connecting),
        T(files),
        T(transports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
