/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbered frames: what becomes of each, and for how long nothing came.
 *
 *   numbered send [-r RATE] [-s SECONDS] [-i STREAM] [-d DST] [-l LEN] DEVICE
 *   numbered recv DEVICE
 *
 * The sender writes stream, number and time of sending into each frame, until
 * its time is over or its standard input ends, and then says how many it sent.
 *
 * The receiver counts how many copies of each number come.  A line on its
 * standard input asks for a report, "reset" forgets all that came so far, the
 * end of it ends the receiver.  A report is one line of JSON:
 *
 *   {"dropped": frames that the socket had no room for,
 *    "streams": {"1": {"frames", "numbers": different ones,
 *      "duplicated": numbers that came more than once, "copies": the most that
 *      one came, "first", "last": the lowest and highest number, "missing":
 *      how many between them did not come, "disorder": how often a lower one
 *      came after a higher one, "gap_ms": the longest time in which none came,
 *      "gap_at": the number that ended it, "hole_ms": the longest stretch of
 *      missing ones, by the sender's clock, "late_ms": the longest way,
 *      "examples": the first few that came more than once}}}
 *
 * Arrival is when the kernel got the frame, not when this program did.
 */
#include "base/mac.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ETH_NUMBERED 0x88b6 /* IEEE 802: local experimental 2 */
#define MAGIC        0x6e756d62
#define LEN_MIN      60
#define LEN_MAX      1514
#define STREAMS      8
#define NUMBERS_MAX  (1u << 22)
#define BATCH        64
#define EXAMPLES     8

struct numbered {
    uint8_t dst[6], src[6];
    uint16_t proto;
    uint32_t magic, stream;
    uint64_t number, sent_at;
} __attribute__((packed));

struct stream {
    uint8_t *copies;   /* [number], saturating */
    uint64_t *sent_at; /* [number] */
    uint64_t frames, numbers, duplicated, disorder, late;
    uint64_t gap, gap_at, arrived; /* ns */
    uint32_t first, last, examples[EXAMPLES];
    unsigned n_examples;
};

struct receiver {
    int fd;
    uint64_t dropped;
    struct stream stream[STREAMS];
    uint8_t buf[BATCH][LEN_MAX];
    uint8_t control[BATCH][64];
    struct iovec iov[BATCH];
    struct mmsghdr msg[BATCH];
};

static void die(const char *what)
{
    fprintf(stderr, "numbered: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The clock of SO_TIMESTAMPNS; nobody sets it while a test runs. */
static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int open_device(const char *name, uint16_t proto)
{
    struct sockaddr_ll a = {.sll_family = AF_PACKET};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die("socket");
    a.sll_protocol = htobe16(proto);
    a.sll_ifindex = (int)if_nametoindex(name);
    if (!a.sll_ifindex)
        die(name);
    /* set before binding: nothing is received before all is in place */
    int one = 1, size = 64 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
    if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)))
        die("SO_TIMESTAMPNS");
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)))
        die(name);
    return fd;
}

/* ---- sending ---- */

struct sender {
    int fd;
    double rate, seconds;
    unsigned len;
    uint64_t sent, refused;
    uint8_t dst[6];
    uint32_t stream;
};

static void own_address(int fd, const char *device, uint8_t out[6])
{
    struct ifreq r = {0};

    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", device);
    if (ioctl(fd, SIOCGIFHWADDR, &r))
        die(device);
    memcpy(out, r.ifr_hwaddr.sa_data, 6);
}

/* Waits until 'when'; true if standard input has ended meanwhile. */
static bool wait_until(uint64_t when)
{
    struct pollfd p = {.fd = 0, .events = POLLIN};
    struct timespec t = {0};
    uint64_t n = now();
    char c[64];

    if (when > n)
        t.tv_nsec = (long)(when - n > 999999999 ? 999999999 : when - n);
    return ppoll(&p, 1, &t, NULL) > 0 && read(0, c, sizeof(c)) <= 0;
}

static void send_one(struct sender *s, uint8_t *buf, uint64_t number)
{
    struct numbered f;

    memcpy(&f, buf, sizeof(f));
    f.number = number;
    f.sent_at = now();
    memcpy(buf, &f, sizeof(f));
    if (send(s->fd, buf, s->len, 0) == (ssize_t)s->len)
        s->sent++;
    else
        s->refused++; /* the device is down, or its queue full */
}

static void send_all(struct sender *s, const char *device)
{
    static uint8_t buf[LEN_MAX];
    struct numbered f = {.proto = htobe16(ETH_NUMBERED),
                         .magic = htobe32(MAGIC),
                         .stream = s->stream};
    uint64_t t0 = now(), end = t0 + (uint64_t)(s->seconds * 1e9);
    double step = 1e9 / s->rate;

    memcpy(f.dst, s->dst, 6);
    own_address(s->fd, device, f.src);
    memcpy(buf, &f, sizeof(f));
    for (uint64_t i = 0; i < NUMBERS_MAX; i++) {
        uint64_t due = t0 + (uint64_t)((double)i * step);

        while (now() < due)
            if (wait_until(due))
                goto over;
        if (due >= end)
            break;
        send_one(s, buf, i);
    }
over:
    printf("{\"sent\": %" PRIu64 ", \"refused\": %" PRIu64
           ", \"seconds\": %.3f}\n",
           s->sent, s->refused, (double)(now() - t0) / 1e9);
}

/* ---- receiving ---- */

static void stream_ready(struct stream *s)
{
    if (s->copies)
        return;
    /* untouched pages cost nothing */
    s->copies = calloc(NUMBERS_MAX, sizeof(*s->copies));
    s->sent_at = calloc(NUMBERS_MAX, sizeof(*s->sent_at));
    if (!s->copies || !s->sent_at)
        die("memory");
    s->first = UINT32_MAX;
}

static void count_copy(struct stream *s, uint32_t n)
{
    if (s->copies[n] < UINT8_MAX)
        s->copies[n]++;
    if (s->copies[n] == 1) {
        s->numbers++;
    } else if (s->copies[n] == 2) {
        s->duplicated++;
        if (s->n_examples < EXAMPLES)
            s->examples[s->n_examples++] = n;
    }
}

static void count_time(struct stream *s, const struct numbered *f, uint64_t at)
{
    if (s->arrived && at > s->arrived && at - s->arrived > s->gap) {
        s->gap = at - s->arrived;
        s->gap_at = f->number;
    }
    if (at > s->arrived)
        s->arrived = at;
    if (at > f->sent_at && at - f->sent_at > s->late)
        s->late = at - f->sent_at;
}

static void take(struct receiver *r, const uint8_t *buf, size_t len,
                 uint64_t at)
{
    struct numbered f;

    if (len < sizeof(f))
        return;
    memcpy(&f, buf, sizeof(f));
    if (be32toh(f.magic) != MAGIC || f.stream >= STREAMS ||
        f.number >= NUMBERS_MAX)
        return;
    struct stream *s = &r->stream[f.stream];
    uint32_t n = (uint32_t)f.number;

    stream_ready(s);
    if (s->frames++ && n < s->last && !s->copies[n])
        s->disorder++;
    count_copy(s, n);
    s->sent_at[n] = f.sent_at;
    if (n < s->first)
        s->first = n;
    if (n > s->last)
        s->last = n;
    count_time(s, &f, at);
}

static uint64_t arrival(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        struct timespec t;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
            continue;
        memcpy(&t, CMSG_DATA(c), sizeof(t));
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
    }
    return now();
}

static void receive(struct receiver *r)
{
    int n;

    do {
        for (unsigned i = 0; i < BATCH; i++) {
            r->iov[i] = (struct iovec){r->buf[i], LEN_MAX};
            r->msg[i].msg_hdr =
                (struct msghdr){.msg_iov = &r->iov[i],
                                .msg_iovlen = 1,
                                .msg_control = r->control[i],
                                .msg_controllen = sizeof(r->control[i])};
        }
        n = recvmmsg(r->fd, r->msg, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++)
            take(r, r->buf[i], r->msg[i].msg_len, arrival(&r->msg[i].msg_hdr));
    } while (n == BATCH);
}

/* The longest stretch of numbers that did not come, by when they were sent. */
static double longest_hole(const struct stream *s)
{
    uint64_t hole = 0, before = 0;
    uint32_t last = s->first;

    for (uint32_t n = s->first; n <= s->last; n++) {
        if (!s->copies[n])
            continue;
        if (n > last + 1 && s->sent_at[n] - before > hole)
            hole = s->sent_at[n] - before;
        before = s->sent_at[n];
        last = n;
    }
    return (double)hole / 1e6;
}

static void report_stream(const struct stream *s, unsigned no, bool more)
{
    printf("%s\"%u\": {\"frames\": %" PRIu64 ", \"numbers\": %" PRIu64
           ", \"duplicated\": %" PRIu64,
           more ? ", " : "", no, s->frames, s->numbers, s->duplicated);
    unsigned most = 0;
    for (uint32_t n = s->first; n <= s->last; n++)
        most = s->copies[n] > most ? s->copies[n] : most;
    printf(
        ", \"copies\": %u, \"first\": %u, \"last\": %u, \"missing\": %" PRIu64
        ", \"disorder\": %" PRIu64,
        most, s->first, s->last, s->last - s->first + 1 - s->numbers,
        s->disorder);
    printf(", \"gap_ms\": %.3f, \"gap_at\": %" PRIu64
           ", \"hole_ms\": %.3f, \"late_ms\": %.3f, \"examples\": [",
           (double)s->gap / 1e6, s->gap_at, longest_hole(s),
           (double)s->late / 1e6);
    for (unsigned i = 0; i < s->n_examples; i++)
        printf("%s%u", i ? ", " : "", s->examples[i]);
    printf("]}");
}

static void report(struct receiver *r)
{
    struct tpacket_stats st = {0};
    socklen_t len = sizeof(st);
    bool more = false;

    if (!getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len))
        r->dropped += st.tp_drops;
    printf("{\"dropped\": %" PRIu64 ", \"streams\": {", r->dropped);
    for (unsigned i = 0; i < STREAMS; i++) {
        if (!r->stream[i].frames)
            continue;
        report_stream(&r->stream[i], i, more);
        more = true;
    }
    printf("}}\n");
    fflush(stdout);
}

static void reset(struct receiver *r)
{
    for (unsigned i = 0; i < STREAMS; i++) {
        free(r->stream[i].copies);
        free(r->stream[i].sent_at);
        r->stream[i] = (struct stream){0};
    }
}

/* False: standard input has ended. */
static bool obey(struct receiver *r)
{
    char line[64];
    ssize_t n = read(0, line, sizeof(line) - 1);

    if (n <= 0)
        return false;
    line[n] = 0;
    receive(r);
    report(r);
    if (strncmp(line, "reset", 5) == 0)
        reset(r);
    return true;
}

static void receive_all(struct receiver *r)
{
    struct pollfd p[2] = {{.fd = 0, .events = POLLIN},
                          {.fd = r->fd, .events = POLLIN}};

    puts("ready");
    fflush(stdout);
    while (poll(p, 2, -1) >= 0 || errno == EINTR) {
        if (p[1].revents)
            receive(r);
        if (p[0].revents && !obey(r))
            return;
    }
}

/* ---- */

static void usage(void)
{
    fprintf(stderr, "usage: numbered send [-r RATE] [-s SECONDS] [-i STREAM] "
                    "[-d DST] [-l LEN] DEVICE\n"
                    "       numbered recv DEVICE\n");
    exit(2);
}

static void parse_sender(struct sender *s, int argc, char **argv)
{
    struct mac m;
    int c;

    while ((c = getopt(argc, argv, "r:s:i:d:l:")) != -1) {
        if (c == 'r')
            s->rate = strtod(optarg, NULL);
        else if (c == 's')
            s->seconds = strtod(optarg, NULL);
        else if (c == 'i')
            s->stream = (uint32_t)strtoul(optarg, NULL, 0);
        else if (c == 'l')
            s->len = (unsigned)strtoul(optarg, NULL, 0);
        else if (c == 'd' && mac_parse(optarg, &m))
            memcpy(s->dst, m.octet, 6);
        else
            usage();
    }
    if (optind + 1 != argc || s->rate <= 0 || s->stream >= STREAMS ||
        s->len < LEN_MIN || s->len > LEN_MAX)
        usage();
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "send") == 0) {
        struct sender s = {.rate = 1000, .seconds = 3600, .len = LEN_MIN};

        memset(s.dst, 0xff, 6);
        parse_sender(&s, argc - 1, argv + 1);
        s.fd = open_device(argv[argc - 1], 0);
        send_all(&s, argv[argc - 1]);
    } else if (argc == 3 && strcmp(argv[1], "recv") == 0) {
        static struct receiver r;

        r.fd = open_device(argv[2], ETH_NUMBERED);
        receive_all(&r);
    } else {
        usage();
    }
    return 0;
}
