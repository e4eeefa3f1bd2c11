/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sockets of a packet port: one that receives data, one that receives
 * protocol frames only, and one to transmit with per forwarder.
 *
 * A packet socket receives from the moment it has a protocol, so each is made
 * without one, given its filter and options, and bound last: nothing slips in
 * before the filter is there.
 */
#include "ports/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pkt_sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A burst of super-frames is megabytes: 2 MB cost a tenth of TCP's rate
 * against 16 MB.  It is a limit, not a reservation. */
#define RCVBUF       (16 << 20)
#define RCVBUF_PROTO (1 << 20)
#define SNDBUF       (16 << 20)

/*
 * 01:80:c2:00:00:0X (802.1Q, table 8-1: reserved) and 01:00:0c:cc:cc:cd (the
 * per-VLAN spanning tree of others).  'hit' and 'miss' are what the program
 * returns for them and for all else: how much to keep.
 */
#define KEEP 0xffffffff
#define PROTO_FILTER(hit, miss)                                                \
    {                                                                          \
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),                                 \
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x0180c200, 1, 0),             \
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x01000ccc, 3, 5),             \
            BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),                             \
            BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff0),                       \
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 2),                      \
            BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),                             \
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xcccd, 1, 0),                 \
            BPF_STMT(BPF_RET | BPF_K, miss), BPF_STMT(BPF_RET | BPF_K, hit),   \
    }

static struct sock_filter data_filter[] = PROTO_FILTER(0, KEEP);
static struct sock_filter proto_filter[] = PROTO_FILTER(KEEP, 0);

static int set_filter(int fd, struct sock_filter *f)
{
    struct sock_fprog prog = {
        .len = sizeof(data_filter) / sizeof(data_filter[0]), .filter = f};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

static int set_one(int fd, int option)
{
    int one = 1;

    return setsockopt(fd, SOL_PACKET, option, &one, sizeof(one));
}

static int set_promisc(int fd, int ifindex)
{
    struct packet_mreq m = {.mr_ifindex = ifindex,
                            .mr_type = PACKET_MR_PROMISC};

    return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m));
}

static int bind_to(int fd, int ifindex, uint16_t protocol)
{
    struct sockaddr_ll a = {.sll_family = AF_PACKET,
                            .sll_ifindex = ifindex,
                            .sll_protocol = htons(protocol)};

    return bind(fd, (struct sockaddr *)&a, sizeof(a));
}

/* Beyond the system's limit if we may, else as far as it goes. */
static unsigned set_buffer(int fd, int force, int ask, int size)
{
    int granted = 0;
    socklen_t n = sizeof(granted);

    if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, ask, &size, sizeof(size));
    (void)getsockopt(fd, SOL_SOCKET, ask, &granted, &n);
    return (unsigned)granted / 2; /* the kernel doubles it for its own use */
}

/* A socket that receives and sends nothing yet. */
static int make(struct err *e)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        return fd;
    if (errno == EPERM)
        return err_set(e, EPERM,
                       "no permission to open a packet socket: run as root or "
                       "with CAP_NET_RAW");
    return err_sys(e, errno, "packet socket");
}

int packet_open_rx(struct packet *k, int ifindex, bool proto, struct err *e)
{
    struct packet_queue *q = proto ? &k->proto : &k->data;
    unsigned granted;
    int fd = make(e);

    if (fd < 0)
        return fd;
    q->fd = fd;    /* from here on packet_close_sockets closes it */
    q->expect = 1; /* packet_io.c learns better */
    if (set_filter(fd, proto ? proto_filter : data_filter) < 0)
        return err_sys(e, errno, "packet socket: filter");
    if (set_one(fd, PACKET_VNET_HDR) < 0 || set_one(fd, PACKET_AUXDATA) < 0)
        return err_sys(e, errno, "packet socket: virtio-net header");
    if (set_one(fd, PACKET_IGNORE_OUTGOING) < 0)
        return err_sys(e, errno, "packet socket: Linux 4.20 is needed");
    granted = set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF,
                         proto ? RCVBUF_PROTO : RCVBUF);
    if (!proto)
        k->rcvbuf = granted;
    if (!proto && set_promisc(fd, ifindex) < 0)
        return err_sys(e, errno, "packet socket: promiscuous mode");
    if (bind_to(fd, ifindex, ETH_P_ALL) < 0)
        return err_sys(e, errno, "packet socket: bind");
    return 0;
}

static int open_one_tx(struct packet *k, unsigned ctx, int ifindex,
                       struct err *e)
{
    const int control = TC_PRIO_CONTROL, mark = EGRESS_MARK;
    int fd = make(e);

    if (fd < 0)
        return fd;
    k->tx_fd[ctx] = fd;
    if (set_one(fd, PACKET_VNET_HDR) < 0)
        return err_sys(e, errno, "packet socket: virtio-net header");
    if (k->bypass && set_one(fd, PACKET_QDISC_BYPASS) < 0)
        return err_sys(e, errno, "packet socket: bypass=on");
    (void)set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, SNDBUF);
    /* Before it is bound: nothing is sent without the mark. */
    if (k->adopt &&
        setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0)
        return err_sys(e, errno, "packet socket: mark");
    if (ctx == 0) /* protocol frames: not behind data in the user's qdisc */
        (void)setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &control,
                         sizeof(control));
    /* Protocol 0: it never receives. */
    if (bind_to(fd, ifindex, 0) < 0)
        return err_sys(e, errno, "packet socket: bind");
    return 0;
}

int packet_open_tx(struct packet *k, int ifindex, struct err *e)
{
    for (unsigned ctx = 0; ctx < k->port.n_txctx; ctx++) {
        int rc = open_one_tx(k, ctx, ifindex, e);

        if (rc)
            return rc;
    }
    return 0;
}

static void drop(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void packet_close_sockets(struct packet *k)
{
    pthread_mutex_lock(&k->stat_lock);
    drop(&k->data.fd);
    drop(&k->proto.fd);
    pthread_mutex_unlock(&k->stat_lock);
    for (unsigned ctx = 0; ctx < PORT_TXCTX_MAX; ctx++)
        drop(&k->tx_fd[ctx]);
}

/* Reading them sets the kernel's counts back to zero. */
static uint64_t drops(int fd)
{
    struct tpacket_stats st;
    socklen_t n = sizeof(st);

    if (fd < 0 || getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &n) < 0)
        return 0;
    return st.tp_drops;
}

void packet_read_losses(struct packet *k)
{
    pthread_mutex_lock(&k->stat_lock);
    k->lost += drops(k->data.fd);
    k->lost += drops(k->proto.fd);
    pthread_mutex_unlock(&k->stat_lock);
}
