/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends small frames at a chosen rate at one place and counts them at
 * another: the traffic of the frame rate benchmarks.
 *
 *   pps SENDER RECEIVER
 *
 * A place is "if:NETNS:NAME", a host on the netdev NAME, or "tap:NETNS:NAME",
 * a guest: the tap NAME is created and its descriptor is used as a virtual
 * machine would.  Both send with an EtherType for local experiments, so that
 * the stacks of the hosts have no more to do than drop the frame.
 *
 * Says "ready", then obeys lines of standard input until its end:
 *
 *   trial SIZE RATE MSEC [bcast]    RATE 0: as fast as it goes
 *
 * and answers each with one line of JSON: frames offered, frames the sender's
 * own device refused, frames received, frames received behind a later one,
 * and the nanoseconds from the first to the last frame at either place.
 *
 * On a machine with few processors a sender that waits by spinning takes a
 * processor from the switch it wants to measure.  So a paced sender sleeps
 * between bursts; how far it may catch up after oversleeping is bounded, for
 * a burst that no queue can hold measures the queue.  What it could not send
 * is not made up for: the rate that counts is the one received.
 */
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ETHERTYPE_LOCAL 0x88b5 /* IEEE 802: local experimental 1 */
#define MAGIC           0x42734370u
#define BURST           64
#define TICK_NS         (50 * NSEC_PER_USEC)
#define CATCH_UP        256 /* frames; a quarter of a short device ring */
#define QUIET_NS        (40 * NSEC_PER_MSEC)
#define FRAME_MAX       1514

struct place {
    bool tap;
    int fd;
    int ifindex;
    uint8_t mac[6];
};

struct probe {
    struct ether_header eth;
    uint32_t magic;
    uint32_t trial;
    uint32_t seq;
} __attribute__((packed));

/* What goes to the kernel for one frame: taps want the vnet header first. */
struct packet {
    struct virtio_net_hdr vnet;
    union {
        struct probe probe;
        uint8_t octet[FRAME_MAX];
    };
} __attribute__((packed));

struct result {
    uint64_t offered, refused, send_ns;
    _Atomic uint64_t received, reordered, first, last;
};

static struct place sender, receiver;
static struct result result;
static _Atomic uint32_t current_trial;

static void die(const char *what)
{
    fprintf(stderr, "pps: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- places ---- */

static void enter(const char *netns)
{
    char path[256];
    int fd;

    snprintf(path, sizeof path, "/run/netns/%s", netns);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
        die(path);
    close(fd);
}

static void open_tap(struct place *p, const char *name)
{
    struct ifreq ifr = {0};

    p->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (p->fd < 0)
        die("/dev/net/tun");
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    if (ioctl(p->fd, TUNSETIFF, &ifr) < 0)
        die(name);
    /* what an ordinary guest's driver negotiates */
    if (ioctl(p->fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) < 0)
        die(name);
    memcpy(p->mac, "\x02\x62\x67\x00\x00", 5);
    p->mac[5] = p == &sender ? 1 : 2;
}

static void open_if(struct place *p, const char *name)
{
    struct ifreq ifr = {0};
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETHERTYPE_LOCAL)};
    struct timeval tick = {.tv_usec = 20000};
    int octets = 64 << 20;

    p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (p->fd < 0)
        die("packet socket");
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
    if (ioctl(p->fd, SIOCGIFHWADDR, &ifr) < 0)
        die(name);
    memcpy(p->mac, ifr.ifr_hwaddr.sa_data, 6);
    if (ioctl(p->fd, SIOCGIFINDEX, &ifr) < 0)
        die(name);
    p->ifindex = ifr.ifr_ifindex;
    at.sll_ifindex = p->ifindex;
    if (p == &sender) /* hears nothing */
        at.sll_protocol = 0;
    if (setsockopt(p->fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets) ||
        setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof tick) ||
        bind(p->fd, (struct sockaddr *)&at, sizeof at) < 0)
        die(name);
}

/* "if:NETNS:NAME" or "tap:NETNS:NAME" */
static void open_place(struct place *p, const char *text)
{
    char kind[8], netns[128], name[IFNAMSIZ];

    if (sscanf(text, "%7[^:]:%127[^:]:%15s", kind, netns, name) != 3) {
        errno = EINVAL;
        die(text);
    }
    enter(netns);
    p->tap = strcmp(kind, "tap") == 0;
    if (p->tap)
        open_tap(p, name);
    else
        open_if(p, name);
}

/* ---- sending ---- */

/* Sends n frames; returns how many the device refused at once. */
static unsigned send_tap(const struct place *p, struct packet *frame,
                         unsigned n, unsigned size)
{
    unsigned refused = 0;

    for (unsigned i = 0; i < n; i++)
        if (write(p->fd, &frame[i], sizeof frame->vnet + size) < 0)
            refused++;
    return refused;
}

static unsigned send_if(const struct place *p, struct packet *frame, unsigned n,
                        unsigned size)
{
    struct mmsghdr msg[BURST] = {0};
    struct iovec iov[BURST];
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_ifindex = p->ifindex};
    unsigned refused = 0;

    for (unsigned i = 0; i < n; i++) {
        iov[i].iov_base = frame[i].octet;
        iov[i].iov_len = size;
        msg[i].msg_hdr.msg_iov = &iov[i];
        msg[i].msg_hdr.msg_iovlen = 1;
        msg[i].msg_hdr.msg_name = &to;
        msg[i].msg_hdr.msg_namelen = sizeof to;
    }
    for (unsigned i = 0; i < n;) {
        int sent = sendmmsg(p->fd, msg + i, n - i, 0);

        if (sent > 0) {
            i += (unsigned)sent;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != ENOBUFS && errno != EAGAIN)
            die("sendmmsg");
        refused++; /* this one; the next may fit */
        i++;
    }
    return refused;
}

static unsigned send_burst(const struct place *p, struct packet *frame,
                           unsigned n, unsigned size)
{
    return (p->tap ? send_tap : send_if)(p, frame, n, size);
}

static void fill(struct packet *frame, unsigned n, const uint8_t *dst,
                 const uint8_t *src)
{
    memset(frame, 0, n * sizeof *frame);
    for (unsigned i = 0; i < n; i++) {
        struct probe *b = &frame[i].probe;

        memcpy(b->eth.ether_dhost, dst, 6);
        memcpy(b->eth.ether_shost, src, 6);
        b->eth.ether_type = htons(ETHERTYPE_LOCAL);
        b->magic = MAGIC;
    }
}

static void sleep_until(uint64_t t)
{
    struct timespec at = {.tv_sec = (time_t)(t / NSEC_PER_SEC),
                          .tv_nsec = (long)(t % NSEC_PER_SEC)};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/*
 * How many frames are due now, at most a burst; when none is, sleeps a tick
 * and returns 0.  *start moves when we are too late to catch up.
 */
static unsigned due(uint64_t *start, uint64_t sent, double rate)
{
    uint64_t now = clock_now();
    double behind;

    if (rate <= 0)
        return BURST;
    behind = (double)(now - *start) * rate / 1e9 - (double)sent;
    if (behind < 1) {
        sleep_until(now + TICK_NS);
        return 0;
    }
    if (behind > CATCH_UP) {
        *start += (uint64_t)((behind - CATCH_UP) / rate * 1e9);
        behind = CATCH_UP;
    }
    return behind > BURST ? BURST : (unsigned)behind;
}

static void send_for(unsigned size, double rate, uint64_t ns, const uint8_t *to)
{
    static struct packet frame[BURST];
    uint64_t begin = clock_now(), start = begin;
    uint32_t trial = atomic_load(&current_trial);

    fill(frame, BURST, to, sender.mac);
    while (clock_now() - begin < ns) {
        unsigned n = due(&start, result.offered, rate);

        for (unsigned i = 0; i < n; i++) {
            frame[i].probe.trial = trial;
            frame[i].probe.seq = (uint32_t)result.offered + i;
        }
        result.refused += send_burst(&sender, frame, n, size);
        result.offered += n;
    }
    result.send_ns = clock_now() - begin;
}

/* ---- receiving ---- */

struct tally {
    uint32_t trial;
    uint32_t next; /* the sequence number that would be in order */
    uint64_t received, reordered, first;
};

static void count(struct tally *t, const struct probe *b, size_t len,
                  uint64_t now)
{
    uint32_t trial = atomic_load_explicit(&current_trial, memory_order_acquire);

    if (len < sizeof *b || b->magic != MAGIC || b->trial != trial)
        return;
    if (t->trial != trial)
        *t = (struct tally){.trial = trial, .first = now};
    t->received++;
    if ((int32_t)(b->seq - t->next) < 0)
        t->reordered++;
    else
        t->next = b->seq + 1;
}

static void publish(const struct tally *t, uint64_t now)
{
    if (t->trial != atomic_load(&current_trial))
        return;
    atomic_store(&result.received, t->received);
    atomic_store(&result.reordered, t->reordered);
    atomic_store(&result.first, t->first);
    atomic_store(&result.last, now);
}

static void receive_tap(struct tally *t)
{
    struct pollfd p = {.fd = receiver.fd, .events = POLLIN};
    static struct packet frame;
    uint64_t now;

    if (poll(&p, 1, 20) <= 0)
        return;
    now = clock_now();
    for (unsigned i = 0; i < BURST; i++) {
        ssize_t n = read(receiver.fd, &frame, sizeof frame);

        if (n < 0)
            break;
        if (n > (ssize_t)sizeof frame.vnet)
            count(t, &frame.probe, (size_t)n - sizeof frame.vnet, now);
    }
    publish(t, now);
}

static void receive_if(struct tally *t)
{
    static struct packet frame[BURST];
    struct mmsghdr msg[BURST] = {0};
    struct iovec iov[BURST];
    uint64_t now;
    int n;

    for (unsigned i = 0; i < BURST; i++) {
        iov[i].iov_base = frame[i].octet;
        iov[i].iov_len = FRAME_MAX;
        msg[i].msg_hdr.msg_iov = &iov[i];
        msg[i].msg_hdr.msg_iovlen = 1;
    }
    n = recvmmsg(receiver.fd, msg, BURST, MSG_WAITFORONE, NULL);
    now = clock_now();
    for (int i = 0; i < n; i++)
        count(t, &frame[i].probe, msg[i].msg_len, now);
    if (n > 0)
        publish(t, now);
}

static void *receive(void *arg)
{
    struct tally tally = {0};

    for (;;)
        if (receiver.tap)
            receive_tap(&tally);
        else
            receive_if(&tally);
    return arg;
}

/* Nothing has arrived for a while (or something has for far too long). */
static void settle(void)
{
    uint64_t begin = clock_now(), since = begin, now, seen = UINT64_MAX, n;

    do {
        sleep_until(clock_now() + 5 * NSEC_PER_MSEC);
        now = clock_now();
        n = atomic_load(&result.received);
        if (n != seen)
            since = now;
        seen = n;
    } while (now - since < QUIET_NS && now - begin < 2 * NSEC_PER_SEC);
}

/* ---- trials ---- */

/* Lets the switch learn where the receiver is. */
static void announce(void)
{
    static struct packet frame[2];

    fill(frame, 2, sender.mac, receiver.mac);
    send_burst(&receiver, frame, 2, 60);
    sleep_until(clock_now() + 10 * NSEC_PER_MSEC);
}

static void trial(unsigned size, double rate, unsigned ms, bool bcast)
{
    static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};

    announce();
    result.offered = result.refused = 0;
    atomic_store(&result.received, 0);
    atomic_store(&result.reordered, 0);
    atomic_store(&result.first, 0);
    atomic_store(&result.last, 0);
    atomic_fetch_add(&current_trial, 1);
    send_for(size, rate, ms * NSEC_PER_MSEC, bcast ? all : receiver.mac);
    settle();
    printf("{\"offered\": %llu, \"refused\": %llu, \"received\": %llu, "
           "\"reordered\": %llu, \"send_ns\": %llu, \"recv_ns\": %llu}\n",
           (unsigned long long)result.offered,
           (unsigned long long)result.refused,
           (unsigned long long)result.received,
           (unsigned long long)result.reordered,
           (unsigned long long)result.send_ns,
           (unsigned long long)(result.last - result.first));
}

static void misunderstood(const char *line)
{
    fprintf(stderr, "pps: what is %s", line);
    exit(2);
}

/* The next word of a line as a number; what is none is not understood. */
static double number(char **rest, double low, double high, const char *line)
{
    char *end, *word = strsep(rest, " \n");
    double v = word ? strtod(word, &end) : -1;

    if (!word || end == word || *end || v < low || v > high)
        misunderstood(line);
    return v;
}

static void obey(const char *line)
{
    char copy[128], *rest = copy;
    unsigned size, ms;
    double rate;
    bool bcast;

    snprintf(copy, sizeof copy, "%s", line);
    if (strncmp(copy, "trial ", 6) != 0)
        misunderstood(line);
    rest += 6;
    size = (unsigned)number(&rest, 60, FRAME_MAX, line);
    rate = number(&rest, 0, 1e9, line);
    ms = (unsigned)number(&rest, 1, 60000, line);
    bcast = rest && strcmp(rest, "bcast\n") == 0;
    if (rest && *rest && !bcast)
        misunderstood(line);
    trial(size, rate, ms, bcast);
}

int main(int argc, char **argv)
{
    pthread_t thread;
    char line[128];

    if (argc != 3) {
        fprintf(stderr, "usage: pps SENDER RECEIVER, each if:NETNS:NAME or "
                        "tap:NETNS:NAME\n");
        return 2;
    }
    setlinebuf(stdout);
    prctl(PR_SET_TIMERSLACK, 1);
    open_place(&sender, argv[1]);
    open_place(&receiver, argv[2]);
    if (pthread_create(&thread, NULL, receive, NULL) != 0)
        die("thread");
    puts("ready");
    while (fgets(line, sizeof line, stdin))
        obey(line);
    return 0;
}
