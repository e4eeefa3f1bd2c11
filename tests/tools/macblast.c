/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends small frames from many source addresses, fast:
 *
 *   macblast [-n FRAMES] [-s SECONDS] [-r RATE] [-m MACS] [-o FIRST]
 *            [-d DST] [-l LENGTH] DEVICE...
 *
 * Source addresses are 06:00:00:00:00:00 + FIRST + (0 .. MACS - 1).  With
 * several devices every batch goes out of each of them in turn, so that each
 * address moves from device to device as often as frames are sent.  Ends
 * after FRAMES frames or SECONDS seconds and prints what was sent.
 */
#include "tests/tools/blast.h"
#include "base/mac.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH     64
#define LEN_MAX   1514
#define DEVS_MAX  16
#define ETH_TEST  0x88b5
#define MAC_FIRST 0x060000000000ULL

struct blast {
    uint64_t frames, macs, first, rate;
    double seconds;
    unsigned len;
    uint8_t dst[6];
    int fd[DEVS_MAX];
    unsigned n_fd;
    uint8_t buf[BATCH][LEN_MAX];
    struct iovec iov[BATCH];
    struct mmsghdr msg[BATCH];
    uint64_t sent, refused;
};

static void prepare(struct blast *b)
{
    for (unsigned i = 0; i < BATCH; i++) {
        uint8_t *f = b->buf[i];

        memset(f, 0, LEN_MAX);
        memcpy(f, b->dst, 6);
        f[12] = ETH_TEST >> 8;
        f[13] = ETH_TEST & 0xff;
        b->iov[i] = (struct iovec){.iov_base = f, .iov_len = b->len};
        b->msg[i].msg_hdr =
            (struct msghdr){.msg_iov = &b->iov[i], .msg_iovlen = 1};
    }
}

/* One batch of addresses from 'at' on, out of every device. */
static void send_batch(struct blast *b, uint64_t at, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct mac m = mac_from_u64(MAC_FIRST + b->first + (at + i) % b->macs);

        memcpy(b->buf[i] + 6, m.octet, sizeof(m.octet));
    }
    for (unsigned d = 0; d < b->n_fd; d++) {
        for (unsigned i = 0; i < n;) {
            int k = sendmmsg(b->fd[d], b->msg + i, n - i, 0);

            if (k > 0) {
                b->sent += (unsigned)k;
                i += (unsigned)k;
            } else if (errno == ENOBUFS || errno == EAGAIN) {
                b->refused++;
                i++;
            } else if (errno != EINTR) {
                die("sendmmsg");
            }
        }
    }
}

static void run(struct blast *b)
{
    double t0 = now(), t = t0;
    uint64_t at = 0;

    while (b->sent + b->refused < b->frames && t - t0 < b->seconds) {
        uint64_t left = b->frames - b->sent - b->refused;
        unsigned n = left < BATCH ? (unsigned)left : BATCH;

        send_batch(b, at, n);
        at += n;
        t = now();
        if (b->rate) {
            double ahead = (double)b->sent / (double)b->rate - (t - t0);

            if (ahead > 0.0005)
                usleep((useconds_t)(ahead * 1e6));
        }
    }
    t = now() - t0;
    printf("sent %lu frames in %.3f s, %.0f per second, %lu refused\n",
           (unsigned long)b->sent, t, t > 0 ? (double)b->sent / t : 0,
           (unsigned long)b->refused);
}

static void parse_dst(struct blast *b, const char *text)
{
    struct mac m;

    if (!mac_parse(text, &m)) {
        errno = EINVAL;
        die(text);
    }
    memcpy(b->dst, m.octet, sizeof(b->dst));
}

static void parse(struct blast *b, int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "n:s:r:m:o:d:l:")) != -1) {
        switch (c) {
        case 'n':
            b->frames = strtoull(optarg, NULL, 0);
            break;
        case 's':
            b->seconds = strtod(optarg, NULL);
            break;
        case 'r':
            b->rate = strtoull(optarg, NULL, 0);
            break;
        case 'm':
            b->macs = strtoull(optarg, NULL, 0);
            break;
        case 'o':
            b->first = strtoull(optarg, NULL, 0);
            break;
        case 'd':
            parse_dst(b, optarg);
            break;
        case 'l':
            b->len = (unsigned)strtoul(optarg, NULL, 0);
            break;
        default:
            exit(2);
        }
    }
    for (; optind < argc && b->n_fd < DEVS_MAX; optind++)
        b->fd[b->n_fd++] = open_device(argv[optind]);
    if (!b->n_fd || !b->macs || b->len < 14 || b->len > LEN_MAX) {
        fprintf(stderr,
                "usage: macblast [-n FRAMES] [-s SECONDS] [-r RATE] "
                "[-m MACS] [-o FIRST] [-d DST] [-l LENGTH] DEVICE...\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static struct blast b = {.frames = UINT64_MAX,
                             .seconds = 3600,
                             .macs = 1,
                             .len = 60,
                             .dst = {6, 0xff, 0, 0, 0, 1}};

    parse(&b, argc, argv);
    prepare(&b);
    run(&b);
    return 0;
}
