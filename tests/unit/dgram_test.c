/* SPDX-License-Identifier: BSD-2-Clause */
/* The dgram kind through the port contract, against sockets of ours. */
#include "ports/dgram_port.h"
#include "tests/lib/portrig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct portrig r, other;
static char ours[100], theirs[100], spec[300];

static int fresh(void **state)
{
    static unsigned n;

    (void)state;
    snprintf(ours, sizeof(ours), "%s/o%u", portrig_dir(), n);
    snprintf(theirs, sizeof(theirs), "%s/t%u", portrig_dir(), n++);
    snprintf(spec, sizeof(spec), "dgram:%s,remote=%s", ours, theirs);
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
    portrig_close(&other);
    return 0;
}

/* ---- the other end ---- */

static struct sockaddr_un unix_at(const char *where)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", where);
    return a;
}

/* A socket as QEMU makes it: bound, not connected; what was there goes. */
static int qemu(void)
{
    struct sockaddr_un a = unix_at(theirs);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    unlink(theirs);
    assert_int_equal(bind(fd, (void *)&a, sizeof(a)), 0);
    return fd;
}

static ssize_t put(int fd, const void *octets, size_t n)
{
    struct sockaddr_un a = unix_at(ours);

    return sendto(fd, octets, n, MSG_DONTWAIT, (void *)&a, sizeof(a));
}

static void put_frame(int fd, uint32_t n, uint32_t mark)
{
    static uint8_t b[FRAME_LEN_MAX];

    portrig_frame(b, n, mark);
    assert_int_equal(put(fd, b, n), n);
}

static void check_octets(const uint8_t *got, uint32_t len, uint32_t n,
                         uint32_t mark)
{
    static uint8_t want[FRAME_LEN_MAX];

    portrig_frame(want, n, mark);
    assert_int_equal(len, n);
    assert_memory_equal(got, want, n);
}

static void check_frame(const struct frame *f, uint32_t n, uint32_t mark)
{
    uint32_t len;
    const uint8_t *got = portrig_octets(f, &len);

    assert_int_equal(f->csum, CSUM_COMPLETE);
    check_octets(got, len, n, mark);
}

/* The next datagram's length, the port's loop turning; -1 if none comes. */
static ssize_t get(int fd, void *to, size_t size)
{
    for (unsigned i = 0; i < 4000; i++) {
        ssize_t n = recv(fd, to, size, MSG_DONTWAIT);

        if (n >= 0)
            return n;
        portrig_run(&r, 0.005);
    }
    return -1;
}

static void get_frame(int fd, uint32_t n, uint32_t mark)
{
    static uint8_t b[FRAME_LEN_MAX];

    check_octets(b, (uint32_t)get(fd, b, sizeof(b)), n, mark);
}

static struct tx_result send_frame(struct portrig *rig, uint32_t n,
                                   uint32_t mark)
{
    static uint8_t b[FRAME_LEN_MAX];

    portrig_frame(b, n, mark);
    return portrig_send(rig, b, n, 1 + mark % FRAME_SEGS_MAX);
}

static bool link_of(const struct portrig *rig)
{
    return port_caps_now(rig->port).link;
}

static void detail(char text[PORT_DETAIL_MAX])
{
    struct port_desc d = {0};

    r.port->ops->describe(r.port, &d);
    memcpy(text, d.detail, sizeof(d.detail));
}

/* ---- specifications ---- */

static void refusals(void **state)
{
    static const char *const bad[][2] = {
        {"dgram:nowhere", "expected an absolute path"},
        {"dgram:@a", "remote=ADDR is missing"},
        {"dgram::5000", "learn=on"},
        {"dgram:@a,learn=on", "learn= is for UDP"},
        {"dgram::5000,remote=192.0.2.1:5,learn=on", "either"},
        {"dgram:@a,remote=@a", "itself"},
        {"dgram:@a,remote=127.0.0.1:80", "family"},
        {"dgram:127.0.0.1:80,remote=[::1]:80", "family"},
        {"dgram::5000,remote=:5001", "one peer"},
        {"dgram::5000,remote=224.1.1.1:5001", "one peer"},
        {"dgram::5000,remote=tcp:192.0.2.1:5001", "TCP is for stream"},
        {"dgram:224.1.1.1:5000,remote=192.0.2.1:5000", "multicast"},
        {"dgram:224.1.1.1:5000,local=eth0", "local=eth0"},
        {"dgram::5000,remote=192.0.2.1:5000,ttl=3", "multicast groups"},
        {"dgram::5000,remote=192.0.2.1:5000,mode=0600", "mode="},
        {"dgram::5000,remote=192.0.2.1:5000,mtu=65500", "mtu=65500"},
        {"dgram:/no/such/directory/s,remote=@x", "directory"},
    };
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(portrig_try(&r, bad[i][0], &e) < 0);
        if (!strstr(e.text, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], e.text);
    }
}

/* ---- frames over UNIX sockets ---- */

static void exchange(void **state)
{
    const uint32_t len[] = {14, 60, 1514, 2112, 2113, 9014, FRAME_LEN_MAX};
    int fd = qemu();

    (void)state;
    portrig_open(&r, spec);
    assert_true(link_of(&r));
    assert_int_equal(r.port->caps.mtu, 65535);
    for (uint32_t i = 0; i < 7; i++) {
        put_frame(fd, len[i], i);
        portrig_receive(&r, 1);
        check_frame(&r.frame[0], len[i], i);
        assert_true(r.frame[0].seg[0].iov_len >= 128 || r.frame[0].nseg == 1);
        assert_int_equal(send_frame(&r, len[i], i).sent, 1);
        get_frame(fd, len[i], i);
    }
    close(fd);
}

static void batches(void **state)
{
    int fd = qemu();
    unsigned got = 0;

    (void)state;
    portrig_open(&r, spec);
    for (uint32_t sent = 0; got < 500;) {
        uint8_t b[200];

        for (; sent < 500; sent++) {
            portrig_frame(b, 60 + sent % 100, sent);
            if (put(fd, b, 60 + sent % 100) < 0)
                break; /* its queue is full */
        }
        portrig_turn(&r);
        (void)portrig_rx(&r, 7);
        for (unsigned i = 0; i < r.b.n; i++, got++)
            check_frame(&r.frame[i], 60 + got % 100, got);
    }
    close(fd);
}

static void odd_datagrams(void **state)
{
    static uint8_t b[FRAME_LEN_MAX + 1000];
    int fd = qemu();

    (void)state;
    portrig_open(&r, spec);
    assert_int_equal(put(fd, b, 0), 0);
    assert_int_equal(put(fd, b, 13), 13);
    assert_int_equal(put(fd, b, FRAME_LEN_MAX + 1), FRAME_LEN_MAX + 1);
    assert_int_equal(put(fd, b, FRAME_LEN_MAX + 1000), FRAME_LEN_MAX + 1000);
    put_frame(fd, 60, 1);
    portrig_receive(&r, 1);
    check_frame(&r.frame[0], 60, 1);
    assert_int_equal(r.b.lost[PORT_REASON_RX_RUNT], 2);
    assert_int_equal(r.b.lost[PORT_REASON_RX_TRUNCATED], 2);
    assert_true(link_of(&r));
    close(fd);
}

/* A peer that does not read: what fits waits, the rest is counted. */
static void full_queue(void **state)
{
    unsigned sent = 0, slow = 0;
    char text[PORT_DETAIL_MAX];
    int fd = qemu();

    (void)state;
    portrig_open(&r, spec);
    for (uint32_t i = 0; i < 1000; i++) {
        struct tx_result t = send_frame(&r, 1514, i);

        assert_int_equal(t.sent + t.refused[PORT_REASON_TX_PEER_SLOW], 1);
        assert_true(t.sent == 0 || slow == 0); /* no gap */
        sent += t.sent;
        slow += t.refused[PORT_REASON_TX_PEER_SLOW];
    }
    assert_true(sent >= 256 && slow > 0);
    for (uint32_t i = 0; i < sent; i++)
        get_frame(fd, 1514, i); /* in order, by the port's own doing */
    detail(text);
    assert_non_null(strstr(text, "peer: "));
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(send_frame(&r, 60, i).sent, 1);
    for (uint32_t i = 0; i < 5; i++)
        get_frame(fd, 60, i);
    close(fd);
}

/* Forwarders that write at the same time, to a peer that comes and goes. */
static _Atomic unsigned writing;

static void *write_many(void *arg)
{
    uint32_t who = *(uint32_t *)arg;
    static _Thread_local uint8_t b[3000];

    for (uint32_t i = 0; i < 300;) {
        struct frame f = {.nseg = 1, .len = 60 + (i * 37 + who) % 2900};
        struct frame *list[] = {&f};
        struct tx_result t = {0};

        portrig_frame(b, f.len, who);
        f.seg[0] = (struct iovec){b, f.len};
        r.port->ops->tx(r.port, who, list, 1, &t);
        assert_int_equal(t.sent + t.refused[PORT_REASON_TX_PEER_SLOW] +
                             t.refused[PORT_REASON_TX_DOWN],
                         1);
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
    unsigned got = 0;
    pthread_t t[3];
    int fd = qemu();

    (void)state;
    portrig_open(&r, spec);
    writing = 3;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&t[i], NULL, write_many, &who[i]), 0);
    while (writing) {
        ssize_t n = recv(fd, b, sizeof(b), MSG_DONTWAIT);
        unsigned i = 0;

        if (n < 0) {
            portrig_run(&r, 0.002);
            continue;
        }
        assert_in_range(n, 60, 2960);
        do
            portrig_frame(want, (uint32_t)n, who[i]);
        while (memcmp(b, want, (size_t)n) != 0 && ++i < 3);
        assert_true(i < 3);
        if (++got % 50 == 0) {
            close(fd);
            fd = qemu();
        }
    }
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    assert_true(got > 20);
    close(fd);
}

static unsigned waits_in(struct dgram *d)
{
    return (unsigned)(d->out.tail - d->out.head);
}

/* What waited for a peer that died is counted as lost. */
static void dies_with_a_full_queue(void **state)
{
    struct port_desc d = {0};
    unsigned waiting = 0;
    int fd = qemu();

    (void)state;
    portrig_open(&r, spec);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(send_frame(&r, 60, i).sent, 1);
    waiting = waits_in(dgram_of(r.port)) / 64;
    assert_true(waiting >= 50);
    close(fd);
    portrig_event(&r, PORT_EVENT_DOWN, 1);
    r.port->ops->describe(r.port, &d);
    assert_int_equal(d.losses.n[PORT_REASON_TX_DOWN], waiting);
    assert_int_equal(waits_in(dgram_of(r.port)), 0);
}

/* ---- peers that come and go ---- */

static void comes_later(void **state)
{
    char text[PORT_DETAIL_MAX];
    int fd;

    (void)state;
    portrig_open(&r, spec);
    assert_false(link_of(&r));
    detail(text);
    assert_non_null(strstr(text, theirs));
    assert_int_equal(send_frame(&r, 60, 1).refused[PORT_REASON_TX_DOWN], 1);
    fd = qemu(); /* without its sending anything */
    portrig_event(&r, PORT_EVENT_UP, 1);
    assert_int_equal(send_frame(&r, 60, 2).sent, 1);
    get_frame(fd, 60, 2);
    /* gone without a word: found by sending */
    close(fd);
    unlink(theirs);
    assert_int_equal(send_frame(&r, 60, 3).refused[PORT_REASON_TX_DOWN], 1);
    portrig_event(&r, PORT_EVENT_DOWN, 1);
    assert_false(link_of(&r));
    /* and heard again before we would have tried */
    fd = qemu();
    put_frame(fd, 60, 4);
    portrig_receive(&r, 1);
    check_frame(&r.frame[0], 60, 4);
    portrig_event(&r, PORT_EVENT_UP, 2);
    assert_int_equal(send_frame(&r, 60, 5).sent, 1);
    get_frame(fd, 60, 5);
    assert_int_equal(r.events[PORT_EVENT_FAILED], 0);
    close(fd);
}

/* Killed and started again: neither direction loses a frame. */
static void restarts(void **state)
{
    int fd = qemu();

    (void)state;
    portrig_open(&r, spec);
    for (uint32_t i = 0; i < 10; i++) {
        close(fd);
        fd = qemu();
        if (i % 2) {
            put_frame(fd, 60, i);
            portrig_receive(&r, 1);
            check_frame(&r.frame[0], 60, i);
        }
        assert_int_equal(send_frame(&r, 60, i).sent, 1);
        get_frame(fd, 60, i);
    }
    assert_int_equal(r.events[PORT_EVENT_DOWN], 0);
    close(fd);
}

/* A peer that has connected itself to us takes from that socket only. */
static void connected_peer(void **state)
{
    struct sockaddr_un a = unix_at(ours);
    int fd;

    (void)state;
    portrig_open(&r, spec);
    fd = qemu();
    assert_int_equal(connect(fd, (void *)&a, sizeof(a)), 0);
    portrig_event(&r, PORT_EVENT_UP, 1);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(send_frame(&r, 60, i).sent, 1);
        get_frame(fd, 60, i);
        put_frame(fd, 60, i);
        portrig_receive(&r, 1);
        check_frame(&r.frame[0], 60, i);
    }
    close(fd); /* nothing is sent, and its successor is let in all the same */
    fd = qemu();
    for (unsigned i = 0; i < 500; i++) {
        if (connect(fd, (void *)&a, sizeof(a)) == 0)
            break;
        assert_int_equal(errno, EPERM);
        portrig_run(&r, 0.01);
    }
    put_frame(fd, 60, 7);
    portrig_receive(&r, 1);
    check_frame(&r.frame[0], 60, 7);
    close(fd);
}

static void files(void **state)
{
    struct err e;
    struct stat st;

    (void)state;
    portrig_open(&r, spec);
    assert_int_equal(portrig_try(&other, spec, &e), -EADDRINUSE);
    portrig_close(&r);
    assert_int_equal(access(ours, F_OK), -1);
    snprintf(theirs, sizeof(theirs), "%s", ours);
    close(qemu()); /* stale */
    with_keys(",mode=0606");
    portrig_open(&r, spec);
    assert_int_equal(stat(ours, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0606);
}

/* ---- UDP ---- */

/* Ports' numbers that nobody has now. */
static void two_ports(unsigned no[2])
{
    int fd[2];

    for (int i = 0; i < 2; i++) {
        struct sockaddr_in a = {.sin_family = AF_INET};
        socklen_t len = sizeof(a);

        fd[i] = socket(AF_INET, SOCK_DGRAM, 0);
        assert_int_equal(bind(fd[i], (void *)&a, sizeof(a)), 0);
        assert_int_equal(getsockname(fd[i], (void *)&a, &len), 0);
        no[i] = ntohs(a.sin_port);
    }
    close(fd[0]);
    close(fd[1]);
}

static int udp_at(unsigned no)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)no),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (void *)&a, sizeof(a)), 0);
    return fd;
}

static void udp_put(int fd, unsigned to, uint32_t n, uint32_t mark)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)to),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static uint8_t b[65507];

    portrig_frame(b, n, mark);
    assert_int_equal(sendto(fd, b, n, 0, (void *)&a, sizeof(a)), n);
}

static void udp(void **state)
{
    unsigned no[2];
    struct tx_result t;
    int fd, stranger;

    (void)state;
    two_ports(no);
    snprintf(spec, sizeof(spec), "dgram:127.0.0.1:%u,remote=127.0.0.1:%u",
             no[0], no[1]);
    fd = udp_at(no[1]);
    stranger = udp_at(0);
    portrig_open(&r, spec);
    udp_put(stranger, no[0], 60, 99);
    udp_put(fd, no[0], 1514, 1);
    udp_put(fd, no[0], 65507, 2);
    portrig_receive(&r, 2); /* and not the stranger's */
    check_frame(&r.frame[0], 1514, 1);
    check_frame(&r.frame[1], 65507, 2);
    assert_int_equal(send_frame(&r, 65507, 3).sent, 1);
    get_frame(fd, 65507, 3);
    /* too long for UDP: counted, and the port goes on */
    t = send_frame(&r, 65508, 4);
    assert_int_equal(t.refused[PORT_REASON_TX_TOO_BIG], 1);
    assert_true(r.port->caps.mtu + 14 + 8 <= 65507);
    assert_int_equal(send_frame(&r, 60, 5).sent, 1);
    get_frame(fd, 60, 5);
    close(stranger);
    close(fd);
}

static void udp_refused(void **state)
{
    uint8_t b[100];
    unsigned no[2];
    int fd;

    (void)state;
    two_ports(no);
    snprintf(spec, sizeof(spec), "dgram::%u,remote=127.0.0.1:%u", no[0], no[1]);
    portrig_open(&r, spec);
    assert_true(link_of(&r)); /* nobody knows better yet */
    assert_int_equal(send_frame(&r, 60, 1).sent, 1);
    portrig_event(&r, PORT_EVENT_DOWN, 1);
    assert_non_null(strstr(r.last, "refused"));
    assert_int_equal(send_frame(&r, 60, 2).refused[PORT_REASON_TX_DOWN], 1);
    /* it is asked, and answers by not refusing */
    fd = udp_at(no[1]);
    assert_int_equal(get(fd, b, sizeof(b)), 60);
    assert_int_equal(b[12] << 8 | b[13], 0x9000);
    assert_memory_equal(b, b + 6, 6);
    assert_int_equal(b[0] & 1, 0);
    portrig_event(&r, PORT_EVENT_UP, 2);
    assert_int_equal(send_frame(&r, 60, 3).sent, 1);
    get_frame(fd, 60, 3);
    /* gone, and heard again at once */
    close(fd);
    assert_int_equal(send_frame(&r, 60, 4).sent, 1);
    portrig_event(&r, PORT_EVENT_DOWN, 2);
    fd = udp_at(no[1]);
    udp_put(fd, no[0], 60, 5);
    portrig_receive(&r, 1);
    check_frame(&r.frame[0], 60, 5);
    portrig_event(&r, PORT_EVENT_UP, 3);
    assert_int_equal(r.events[PORT_EVENT_FAILED], 0);
    close(fd);
}

static void udp_learns(void **state)
{
    unsigned no[2];
    char text[PORT_DETAIL_MAX];
    int fd, late;

    (void)state;
    two_ports(no);
    snprintf(spec, sizeof(spec), "dgram:127.0.0.1:%u,learn=on", no[0]);
    portrig_open(&r, spec);
    assert_false(link_of(&r));
    fd = udp_at(0);
    late = udp_at(0);
    udp_put(fd, no[0], 60, 1);
    udp_put(late, no[0], 60, 2); /* queued before we could connect */
    portrig_receive(&r, 1);
    portrig_run(&r, 0.05);
    (void)portrig_rx(&r, 64);
    assert_int_equal(r.b.n, 1);
    check_frame(&r.frame[0], 60, 1);
    assert_int_equal(r.b.lost[PORT_REASON_RX_STRANGER], 1);
    assert_true(link_of(&r));
    detail(text);
    assert_non_null(strstr(text, "127.0.0.1:"));
    assert_int_equal(send_frame(&r, 60, 3).sent, 1);
    get_frame(fd, 60, 3);
    /* it goes: whoever comes next is the peer */
    close(fd);
    assert_int_equal(send_frame(&r, 60, 4).sent, 1);
    portrig_event(&r, PORT_EVENT_DOWN, 1);
    udp_put(late, no[0], 60, 5);
    portrig_receive(&r, 1);
    check_frame(&r.frame[0], 60, 5);
    assert_int_equal(send_frame(&r, 60, 6).sent, 1);
    get_frame(late, 60, 6);
    close(late);
}

static bool both_up(void *arg)
{
    (void)arg;
    portrig_run(&other, 0.01);
    return link_of(&r) && link_of(&other);
}

/* Two ports; frames both ways. */
static void talk(const char *a, const char *b)
{
    portrig_open(&r, a);
    portrig_open(&other, b);
    portrig_wait(&r, both_up, NULL, "both ends up");
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(send_frame(&other, 60 + i * 50, i).sent, 1);
        portrig_receive(&r, 1);
        check_frame(&r.frame[0], 60 + i * 50, i);
        assert_int_equal(send_frame(&r, 60 + i * 50, i).sent, 1);
        portrig_receive(&other, 1);
        check_frame(&other.frame[0], 60 + i * 50, i);
    }
    portrig_turn(&r);
    assert_int_equal(portrig_rx(&r, 64), 0); /* nothing of its own */
    portrig_close(&other);
    portrig_close(&r);
}

static void two_of_ours(void **state)
{
    unsigned no[2];
    char a[250], b[250];

    (void)state;
    snprintf(a, sizeof(a), "dgram:%s,remote=%s", ours, theirs);
    snprintf(b, sizeof(b), "dgram:%s,remote=%s", theirs, ours);
    talk(a, b);
    snprintf(a, sizeof(a), "dgram:@a%d,remote=@b%d", getpid(), getpid());
    snprintf(b, sizeof(b), "dgram:@b%d,remote=@a%d", getpid(), getpid());
    talk(a, b);
    two_ports(no);
    snprintf(a, sizeof(a), "dgram:localhost:%u,remote=127.0.0.1:%u", no[0],
             no[1]);
    snprintf(b, sizeof(b), "dgram::%u,remote=127.0.0.1:%u", no[1], no[0]);
    talk(a, b);
    if (access("/proc/net/if_inet6", F_OK))
        return; /* no IPv6 on this machine */
    snprintf(a, sizeof(a), "dgram:[::1]:%u,remote=[::1]:%u", no[0], no[1]);
    snprintf(b, sizeof(b), "dgram::%u,remote=[::1]:%u", no[1], no[0]);
    talk(a, b);
}

/* A segment of three: everybody hears all others and not itself. */
static void multicast(void **state)
{
    unsigned no[2];
    struct portrig third;

    (void)state;
    two_ports(no);
    snprintf(spec, sizeof(spec), "dgram:239.77.1.1:%u,local=127.0.0.1", no[0]);
    portrig_open(&r, spec);
    assert_true(link_of(&r));
    assert_false(r.port->caps.edge); /* many may be there */
    portrig_close(&r);
    talk(spec, spec);
    portrig_open(&r, spec);
    portrig_open(&other, spec);
    portrig_open(&third, spec);
    assert_int_equal(send_frame(&r, 100, 1).sent, 1);
    assert_int_equal(send_frame(&other, 100, 2).sent, 1);
    portrig_receive(&third, 2);
    check_frame(&third.frame[0], 100, 1);
    check_frame(&third.frame[1], 100, 2);
    portrig_receive(&other, 1);
    check_frame(&other.frame[0], 100, 1);
    portrig_close(&third);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, over)
    const struct CMUnitTest tests[] = {
        T(refusals),
        T(exchange),
        T(batches),
        T(odd_datagrams),
        T(full_queue),
        T(several_forwarders),
        T(dies_with_a_full_queue),
        T(comes_later),
        T(restarts),
        T(connected_peer),
        T(files),
        T(udp),
        T(udp_refused),
        T(udp_learns),
        T(two_of_ours),
        T(multicast),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
