/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends BPDUs, fast:
 *
 *   bpdublast [-r RATE] [-s SECONDS] [-t rst|config|tcn] [-f FLAGS]
 *             [-p PRIORITY] [-m BRIDGES] DEVICE
 *
 * 256 in turn, of so many bridges (at most 256), each of which says to be the
 * root, by that priority (0xf000: a bad one, nobody is to believe it).  The
 * times, too, change from one to the next, so that none repeats the last.
 */
#include "tests/tools/blast.h"
#include "switch/stp/bpdu.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH   32
#define BATCHES 8 /* made beforehand */

struct blast {
    double seconds, rate;
    uint64_t bridges, sent, refused;
    uint16_t priority;
    uint8_t type, flags;
    int fd;
    uint8_t buf[BATCHES * BATCH][BPDU_FRAME_LEN];
    struct iovec iov[BATCHES * BATCH];
    struct mmsghdr msg[BATCHES * BATCH];
};

static void make_frame(struct blast *b, uint64_t n, uint8_t *frame)
{
    struct mac m = mac_from_u64(0x060000000000ULL + n % b->bridges);
    uint64_t id = stp_bridge_id(b->priority, &m);
    struct bpdu p = {
        .version = b->type == BPDU_RST ? 2 : 0,
        .type = b->type,
        .flags = b->flags,
        .vector = {.root = id, .bridge = id, .port = 0x8001},
        .times = {.max_age = (uint16_t)((20 + n % 8) * STP_SECOND),
                  .hello = 2 * STP_SECOND,
                  .forward_delay = 15 * STP_SECOND},
    };

    bpdu_encode(&p, &m, frame);
}

static void prepare(struct blast *b)
{
    for (unsigned i = 0; i < BATCHES * BATCH; i++) {
        make_frame(b, i, b->buf[i]);
        b->iov[i] = (struct iovec){b->buf[i], BPDU_FRAME_LEN};
        b->msg[i].msg_hdr =
            (struct msghdr){.msg_iov = &b->iov[i], .msg_iovlen = 1};
    }
}

static void send_batch(struct blast *b, struct mmsghdr *msg)
{
    for (unsigned i = 0; i < BATCH;) {
        int k = sendmmsg(b->fd, msg + i, BATCH - i, 0);

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

static void run(struct blast *b)
{
    double t0 = now(), t = t0;

    for (unsigned n = 0; t - t0 < b->seconds; n++) {
        double ahead;

        send_batch(b, b->msg + n % BATCHES * BATCH);
        t = now();
        ahead = b->rate > 0 ? (double)b->sent / b->rate - (t - t0) : 0;
        if (ahead > 0.0005)
            usleep((useconds_t)(ahead * 1e6));
    }
    t = now() - t0;
    printf("sent %lu BPDUs in %.3f s, %.0f per second, %lu refused\n",
           (unsigned long)b->sent, t, (double)b->sent / t,
           (unsigned long)b->refused);
}

static void usage(void)
{
    fprintf(stderr, "usage: bpdublast [-r RATE] [-s SECONDS] [-t rst|config|"
                    "tcn] [-f FLAGS] [-p PRIORITY] [-m BRIDGES] DEVICE\n");
    exit(2);
}

static uint8_t type_of(const char *name)
{
    if (strcmp(name, "rst") == 0)
        return BPDU_RST;
    if (strcmp(name, "config") == 0)
        return BPDU_CONFIG;
    if (strcmp(name, "tcn") != 0)
        usage();
    return BPDU_TCN;
}

static void parse(struct blast *b, int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "r:s:t:f:p:m:")) != -1) {
        if (c == 'r')
            b->rate = strtod(optarg, NULL);
        else if (c == 's')
            b->seconds = strtod(optarg, NULL);
        else if (c == 't')
            b->type = type_of(optarg);
        else if (c == 'f')
            b->flags = (uint8_t)strtoul(optarg, NULL, 0);
        else if (c == 'p')
            b->priority = (uint16_t)strtoul(optarg, NULL, 0);
        else if (c == 'm')
            b->bridges = strtoull(optarg, NULL, 0);
        else
            usage();
    }
    if (optind + 1 != argc || !b->bridges)
        usage();
    b->fd = open_device(argv[optind]);
}

int main(int argc, char **argv)
{
    static struct blast b = {.seconds = 10,
                             .rate = 100000,
                             .bridges = 64,
                             .priority = 0xf000,
                             .type = BPDU_RST,
                             .flags = BPDU_PROPOSAL |
                                      BPDU_ROLE_DESIGNATED << BPDU_ROLE_SHIFT |
                                      BPDU_LEARNING | BPDU_FORWARDING};

    parse(&b, argc, argv);
    prepare(&b);
    run(&b);
    return 0;
}
