/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See netwatch.h.
 *
 * One rtnetlink socket for all namespaces.  The kernel passes the changes of
 * another namespace on to a socket that listens to all of them
 * (NETLINK_LISTEN_ALL_NSID) if the socket's own has a number for it (nsid);
 * we ask for one.  A number does not keep a namespace alive, as a socket or a
 * descriptor inside would: "ip netns del" and the end of a container take
 * their devices along although we watch them.
 *
 * The socket also asks for all links of a namespace at the start and whenever
 * the kernel had to drop messages; the answers come the same way, in order with
 * the changes.  A socket can have one such question at a time, so they
 * queue up.  What was known before and is not in the answer has gone
 * meanwhile, so each watch remembers which links there are.
 *
 * A thread asks and has the socket meanwhile (inquiry.h); what it heard there
 * is then taken as if it had just come.
 */
#include "ports/netwatch.h"

#include "ports/inquiry.h"
#include "ports/netdev.h"

#include <errno.h>
#include <ev.h>
#include <libmnl/libmnl.h>
#include <linux/capability.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Messages per turn of the loop: a thousand links take several turns, and
 * the control thread does other things between. */
#define TURN_MAX 8
/* A thousand devices made at once are not to overflow the socket. */
#define SOCKET_BUFFER (4 << 20)

struct known {
    int ifindex;
    uint32_t seen; /* the dump that last had it */
    char name[IFNAMSIZ];
};

/* The watch of one namespace. */
struct netwatch_ns {
    struct netwatch_ns *next;
    struct netwatch *owner;
    uint64_t netns;
    int nsid;
    unsigned users;
    bool joined;         /* got a user since the last dump was asked for */
    bool lost;           /* the namespace is gone */
    bool dump_late;      /* ask for all links (again) */
    struct known *known; /* sorted by ifindex */
    size_t n_known, max_known;
};

struct netwatch {
    struct ev_loop *loop;
    void (*change)(void *arg, uint64_t netns, const struct link_change *c);
    void *arg;
    struct netwatch_ns *watches;
    struct netwatch_ns *dropped; /* freed when nobody looks at them */
    struct mnl_socket *nl;       /* opened with the first watch */
    ev_io readable;
    ev_async wake;       /* an answer is there, or more of it */
    struct inquiry *out; /* NULL: the socket is ours */
    struct heard *heard; /* by the last one, and not yet looked at */
    char *buf;           /* MESSAGE_MAX */
    uint32_t dump;       /* sequence number of the last dump asked for */
    uint32_t answered;   /* ... of the last whose answer has begun: what is told
                            before that may be over */
    bool dumping;        /* its answers are still coming ... */
    struct netwatch_ns *dumper; /* ... for this watch; NULL: dropped */
    bool refused; /* a dump was, in this turn: not at once again */
    bool reading; /* inside take_some */
};

/* ---- which links there are ---- */

/* Where 'ifindex' is, or would be. */
static size_t place(const struct netwatch_ns *w, int ifindex)
{
    size_t lo = 0, hi = w->n_known;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (w->known[mid].ifindex < ifindex)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void remember(struct netwatch_ns *w, const struct netdev *d)
{
    size_t at = place(w, d->ifindex);

    if (at == w->n_known || w->known[at].ifindex != d->ifindex) {
        if (w->n_known == w->max_known) {
            size_t max = w->max_known ? 2 * w->max_known : 16;
            struct known *k = realloc(w->known, max * sizeof(*k));

            if (!k)
                return; /* its loss could only be missed after ENOBUFS */
            w->known = k;
            w->max_known = max;
        }
        memmove(w->known + at + 1, w->known + at,
                (w->n_known - at) * sizeof(*w->known));
        w->n_known++;
        w->known[at].ifindex = d->ifindex;
    }
    w->known[at].seen = w->owner->answered;
    memcpy(w->known[at].name, d->name, sizeof(d->name));
}

static void forget(struct netwatch_ns *w, int ifindex)
{
    size_t at = place(w, ifindex);

    if (at == w->n_known || w->known[at].ifindex != ifindex)
        return;
    w->n_known--;
    memmove(w->known + at, w->known + at + 1,
            (w->n_known - at) * sizeof(*w->known));
}

/* ---- telling ---- */

static void tell(struct netwatch_ns *w, const struct netdev *d, bool gone)
{
    struct link_change c = {
        .netns = w->netns,
        .ifindex = d->ifindex,
        .ifname = d->name,
        .gone = gone,
        .moved = d->moved_ns,
        .up = d->flags & IFF_UP,
        .carrier = d->flags & IFF_RUNNING,
        .mtu = d->mtu,
        .mac = d->mac,
        .master = d->master,
    };

    if (w->users)
        w->owner->change(w->owner->arg, w->netns, &c);
}

static void tell_gone(struct netwatch_ns *w, const struct known *k)
{
    struct netdev d = {.ifindex = k->ifindex};

    memcpy(d.name, k->name, sizeof(d.name));
    forget(w, d.ifindex);
    tell(w, &d, true);
}

/* A dump is complete: tell of the links it did not have. */
static void tell_vanished(struct netwatch_ns *w)
{
    for (size_t i = 0; i < w->n_known;) {
        if (w->known[i].seen == w->owner->dump)
            i++;
        else
            tell_gone(w, &w->known[i]);
    }
}

/* The namespace has ended, and all that was in it. */
static void ns_lost(struct netwatch_ns *w)
{
    w->lost = true;
    w->dump_late = false;
    while (w->n_known)
        tell_gone(w, &w->known[w->n_known - 1]);
}

static struct netwatch_ns *by_nsid(struct netwatch *nw, int nsid)
{
    struct netwatch_ns *w = nw->watches;

    while (w && (w->lost || w->nsid != nsid))
        w = w->next;
    return w;
}

/* ---- asking ---- */

/* The socket is the thread's from here on. */
static bool lend(struct netwatch *nw, int nsid)
{
    struct question k = {nw->nl, nsid, nw->dump, nw->loop, &nw->wake};

    ev_io_stop(nw->loop, &nw->readable);
    nw->out = inquiry_start(&k);
    if (!nw->out)
        ev_io_start(nw->loop, &nw->readable);
    return nw->out != NULL;
}

/* Asks for all links of the next watch that wants them. */
static void ask_all(struct netwatch *nw)
{
    struct netwatch_ns *w = nw->watches;

    if (nw->dumping || nw->out || nw->refused)
        return;
    while (w && !w->dump_late)
        w = w->next;
    if (!w)
        return;
    nw->dump++;
    if (!lend(nw, w->nsid))
        return; /* with the next message */
    w->dump_late = false;
    w->joined = false;
    nw->dumping = true;
    nw->dumper = w;
}

static void all_late(struct netwatch *nw)
{
    for (struct netwatch_ns *w = nw->watches; w; w = w->next)
        w->dump_late = !w->lost;
}

/* ---- what the socket says ---- */

static void on_link(struct netwatch_ns *w, const struct nlmsghdr *nlh)
{
    struct netdev d;
    bool gone;

    if (!netdev_parse(nlh, &d))
        return;
    gone = nlh->nlmsg_type == RTM_DELLINK;
    if (gone)
        forget(w, d.ifindex);
    else
        remember(w, &d);
    tell(w, &d, gone);
}

static void on_done(struct netwatch *nw, uint32_t seq)
{
    struct netwatch_ns *w = nw->dumper;

    if (!nw->dumping || seq != nw->dump)
        return;
    nw->dumping = false;
    nw->dumper = NULL;
    if (w && !w->dump_late && !w->lost)
        tell_vanished(w);
}

static void dump_refused(struct netwatch *nw, uint32_t seq, int error)
{
    struct netwatch_ns *w = nw->dumper;

    if (!nw->dumping || seq != nw->dump)
        return;
    nw->dumping = false;
    nw->dumper = NULL;
    /* About an earlier namespace of the same number and inode, perhaps. */
    if (w && !w->lost && w->joined) {
        w->dump_late = true;
        return;
    }
    if (!w || w->lost)
        return;
    if (error == -EINVAL && w->nsid != NSID_HOME) {
        ns_lost(w); /* nobody has that number any more */
        return;
    }
    nw->refused = true;
    w->dump_late = true;
}

static void on_error(struct netwatch *nw, const struct nlmsghdr *nlh)
{
    const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);

    if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(*err))
        dump_refused(nw, err->msg.nlmsg_seq, err->error);
}

static void on_nsid(struct netwatch *nw, const struct nlmsghdr *nlh)
{
    struct netwatch_ns *w = NULL;
    const struct nlattr *a;

    mnl_attr_for_each(a, nlh, sizeof(struct rtgenmsg))
    {
        if (mnl_attr_get_type(a) == NETNSA_NSID &&
            mnl_attr_get_payload_len(a) >= sizeof(int))
            w = by_nsid(nw, (int)mnl_attr_get_u32(a));
    }
    /* The number may be another namespace's by now, given to it while this
     * message waited: the answer, or its refusal, tells. */
    if (w && w->nsid != NSID_HOME)
        w->dump_late = true;
}

/* A piece of the answer to our question. */
static void on_answer(struct netwatch *nw, const struct nlmsghdr *nlh)
{
    struct netwatch_ns *w = nw->dumper;

    if (!nw->dumping || nlh->nlmsg_seq != nw->dump || !w || w->lost)
        return;
    nw->answered = nw->dump;
    /* Links changed between two pieces of a dump: read them again. */
    if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
        w->dump_late = true;
    on_link(w, nlh);
}

static int done_error(const struct nlmsghdr *nlh)
{
    int v = 0;

    if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(v))
        memcpy(&v, mnl_nlmsg_get_payload(nlh), sizeof(v));
    return v < 0 ? v : 0;
}

/* 'nsid': where it happened, as the kernel says of other namespaces. */
static void on_message(struct netwatch *nw, const struct nlmsghdr *nlh,
                       int nsid)
{
    struct netwatch_ns *w;

    if (nlh->nlmsg_type == NLMSG_DONE) {
        if (nlh->nlmsg_flags & NLM_F_DUMP_INTR && nw->dumper)
            nw->dumper->dump_late = true;
        /* A dump that fails once begun ends with its error. */
        if (done_error(nlh))
            dump_refused(nw, nlh->nlmsg_seq, done_error(nlh));
        else
            on_done(nw, nlh->nlmsg_seq);
    } else if (nlh->nlmsg_type == NLMSG_ERROR) {
        on_error(nw, nlh);
    } else if (nlh->nlmsg_type == RTM_DELNSID) {
        if (nsid == NSID_HOME)
            on_nsid(nw, nlh);
    } else if (nsid == NSID_HOME &&
               nlh->nlmsg_pid == mnl_socket_get_portid(nw->nl)) {
        on_answer(nw, nlh);
    } else {
        w = by_nsid(nw, nsid);
        if (w)
            on_link(w, nlh);
    }
}

static void on_octets(struct netwatch *nw, const char *octets, size_t n,
                      int nsid)
{
    const struct nlmsghdr *nlh = (const void *)octets;
    int left = (int)n;

    for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
        on_message(nw, nlh, nsid);
}

static void take_heard(struct netwatch *nw)
{
    struct heard *h = nw->heard;

    nw->heard = h->next;
    if (h->len)
        on_octets(nw, h->octets, h->len, h->nsid);
    else
        all_late(nw);
    free(h);
}

/* False when nothing is left to read for now. */
static bool read_some(struct netwatch *nw)
{
    int nsid;
    ssize_t n;

    if (nw->heard) {
        take_heard(nw);
        return true;
    }
    if (nw->out)
        return false;
    n = inquiry_receive(nw->nl, nw->buf, &nsid);
    if (n < 0 && errno == ENOBUFS) {
        all_late(nw);
        return true;
    }
    if (n <= 0)
        return n < 0 && errno == EINTR;
    on_octets(nw, nw->buf, (size_t)n, nsid);
    return true;
}

static void free_dropped(struct netwatch *nw)
{
    while (nw->dropped) {
        struct netwatch_ns *w = nw->dropped;

        nw->dropped = w->next;
        free(w->known);
        free(w);
    }
}

static void take_some(struct netwatch *nw)
{
    unsigned turns = 0;

    nw->reading = true;
    while (turns++ < TURN_MAX && read_some(nw))
        ;
    nw->reading = false;
    free_dropped(nw);
    ask_all(nw);
    if (nw->heard)
        ev_async_send(nw->loop, &nw->wake); /* the rest in the next turn */
}

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
    struct netwatch *nw = io->data;

    (void)loop;
    (void)revents;
    nw->refused = false;
    take_some(nw);
}

/* It could not be asked, or the answer not kept. */
static void unanswered(struct netwatch *nw)
{
    if (nw->dumper && !nw->dumper->lost)
        nw->dumper->dump_late = true;
    nw->dumping = false;
    nw->dumper = NULL;
    nw->refused = true;
}

static void take_back(struct netwatch *nw)
{
    bool complete;

    nw->heard = inquiry_take(nw->out, &complete);
    nw->out = NULL;
    if (!complete)
        unanswered(nw);
    ev_io_start(nw->loop, &nw->readable);
}

static void on_wake(struct ev_loop *loop, ev_async *w, int revents)
{
    struct netwatch *nw = w->data;

    (void)loop;
    (void)revents;
    if (nw->out && inquiry_answered(nw->out))
        take_back(nw);
    take_some(nw);
}

/* ---- beginning to listen ---- */

static int subscribe(struct netwatch *nw, struct err *e)
{
    const unsigned groups = 1u << (RTNLGRP_LINK - 1) | 1u << (RTNLGRP_NSID - 1);
    int size = SOCKET_BUFFER, on = 1, fd;

    if (nw->nl)
        return 0;
    nw->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!nw->nl)
        return err_sys(e, errno, "watching links");
    fd = mnl_socket_get_fd(nw->nl);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    /* Refused without privileges; then number_of refuses other namespaces. */
    if ((mnl_socket_setsockopt(nw->nl, NETLINK_LISTEN_ALL_NSID, &on,
                               sizeof(on)) < 0 &&
         errno != EPERM) ||
        mnl_socket_bind(nw->nl, groups, MNL_SOCKET_AUTOPID) < 0) {
        int rc = err_sys(e, errno, "watching links");

        mnl_socket_close(nw->nl);
        nw->nl = NULL;
        return rc;
    }
    ev_io_init(&nw->readable, on_readable, fd, EV_READ);
    nw->readable.data = nw;
    ev_io_start(nw->loop, &nw->readable);
    ev_async_init(&nw->wake, on_wake);
    nw->wake.data = nw;
    ev_async_start(nw->loop, &nw->wake);
    return 0;
}

/* Without it the kernel keeps the changes of other namespaces to itself. */
static bool may_listen(void)
{
    struct __user_cap_header_struct h = {.version =
                                             _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {{0}};

    if (syscall(SYS_capget, &h, d) < 0)
        return true;
    return d[CAP_TO_INDEX(CAP_NET_BROADCAST)].effective &
           CAP_TO_MASK(CAP_NET_BROADCAST);
}

/* The number our namespace has for that of 'fd', or -errno. */
static int number_of(int fd, int *nsid, struct err *e)
{
    *nsid = NSID_HOME;
    if (netns_id(fd) == netns_id(-1))
        return 0;
    if (!may_listen())
        return err_set(e, EPERM,
                       "watching links of another network namespace needs "
                       "root (CAP_NET_BROADCAST)");
    return netdev_nsid(fd, nsid, e);
}

/* ---- watches ---- */

static struct netwatch_ns *find(struct netwatch *nw, uint64_t netns, int nsid)
{
    struct netwatch_ns *w = by_nsid(nw, nsid);

    if (!w || w->netns == netns)
        return w;
    /* Another namespace got the number: we missed the end of the first. */
    ns_lost(w);
    return NULL;
}

struct netwatch_ns *netwatch_add(struct netwatch *nw, int netns_fd, int *rc,
                                 struct err *e)
{
    uint64_t netns = netns_id(netns_fd);
    struct netwatch_ns *w;
    int nsid;

    *rc = subscribe(nw, e);
    if (!*rc)
        *rc = number_of(netns_fd, &nsid, e);
    if (*rc)
        return NULL;
    w = find(nw, netns, nsid);
    if (w) {
        w->users++;
        w->joined = true;
        return w;
    }
    w = calloc(1, sizeof(*w));
    if (!w) {
        *rc = err_set(e, ENOMEM, "watching links: no memory");
        return NULL;
    }
    *w = (struct netwatch_ns){.next = nw->watches,
                              .owner = nw,
                              .netns = netns,
                              .nsid = nsid,
                              .users = 1,
                              /* Between opening a device and now it may have
                               * changed. */
                              .dump_late = true};
    nw->watches = w;
    ask_all(nw);
    return w;
}

void netwatch_remove(struct netwatch_ns *w)
{
    struct netwatch_ns **at;

    if (!w || --w->users)
        return;
    at = &w->owner->watches;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (w->owner->dumper == w)
        w->owner->dumper = NULL;
    /* Its user may be inside a call from it. */
    w->next = w->owner->dropped;
    w->owner->dropped = w;
    if (!w->owner->reading)
        free_dropped(w->owner);
}

struct netwatch *netwatch_new(struct ev_loop *loop,
                              void (*change)(void *arg, uint64_t netns,
                                             const struct link_change *c),
                              void *arg)
{
    struct netwatch *nw = calloc(1, sizeof(*nw));

    if (!nw)
        return NULL;
    nw->loop = loop;
    nw->change = change;
    nw->arg = arg;
    nw->buf = malloc(MESSAGE_MAX);
    if (!nw->buf) {
        free(nw);
        return NULL;
    }
    return nw;
}

static void stop_listening(struct netwatch *nw)
{
    ev_async_stop(nw->loop, &nw->wake);
    ev_io_stop(nw->loop, &nw->readable);
    heard_free(nw->heard);
    if (!nw->out || inquiry_abandon(nw->out))
        mnl_socket_close(nw->nl);
}

void netwatch_free(struct netwatch *nw)
{
    if (!nw)
        return;
    while (nw->watches) {
        struct netwatch_ns *w = nw->watches;

        nw->watches = w->next;
        w->next = nw->dropped;
        nw->dropped = w;
    }
    free_dropped(nw);
    if (nw->nl)
        stop_listening(nw);
    free(nw->buf);
    free(nw);
}
