/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See netwatch.h.
 *
 * One rtnetlink socket per namespace, subscribed to link changes.  It also
 * asks for all links at the start and whenever the kernel had to drop
 * messages; the answers come over the same socket, so nothing waits for them.
 * What was known before and is not in the answer has gone meanwhile, so each
 * watch remembers which links there are.
 */
#include "ports/netwatch.h"

#include "ports/netdev.h"
#include "ports/netns.h"

#include <errno.h>
#include <ev.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif

#define MESSAGE_MAX 32768
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
struct watch {
    struct watch *next;
    struct netwatch *owner;
    uint64_t netns;
    unsigned users;
    struct mnl_socket *nl;
    ev_io readable;
    uint32_t dump;       /* sequence number of the last dump asked for */
    bool dumping;        /* its answers are still coming */
    bool dump_late;      /* messages were lost: ask (again) */
    struct known *known; /* sorted by ifindex */
    size_t n_known, max_known;
    bool reading; /* inside on_readable ... */
    bool dead;    /* ... which frees it then */
};

struct netwatch {
    struct ev_loop *loop;
    void (*change)(void *arg, uint64_t netns, const struct link_change *c);
    void *arg;
    struct watch *watches;
    char *buf; /* MESSAGE_MAX */
};

/* ---- which links there are ---- */

/* Where 'ifindex' is, or would be. */
static size_t place(const struct watch *w, int ifindex)
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

static void remember(struct watch *w, const struct netdev *d)
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
    w->known[at].seen = w->dump;
    memcpy(w->known[at].name, d->name, sizeof(d->name));
}

static void forget(struct watch *w, int ifindex)
{
    size_t at = place(w, ifindex);

    if (at == w->n_known || w->known[at].ifindex != ifindex)
        return;
    w->n_known--;
    memmove(w->known + at, w->known + at + 1,
            (w->n_known - at) * sizeof(*w->known));
}

/* ---- telling ---- */

static void tell(struct watch *w, const struct netdev *d, bool gone)
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

    if (!w->dead)
        w->owner->change(w->owner->arg, w->netns, &c);
}

/* A dump is complete: tell of the links it did not have. */
static void tell_vanished(struct watch *w)
{
    for (size_t i = 0; i < w->n_known;) {
        struct netdev d = {.ifindex = w->known[i].ifindex};

        if (w->known[i].seen == w->dump) {
            i++;
            continue;
        }
        memcpy(d.name, w->known[i].name, sizeof(d.name));
        forget(w, d.ifindex);
        tell(w, &d, true);
    }
}

/* ---- the socket ---- */

/* Sequence number of questions for one link; dumps count up from 1. */
#define ASK_ONE 0

static struct nlmsghdr *question(char *buf, uint16_t flags, uint32_t seq,
                                 int ifindex)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct ifinfomsg *ifi;

    nlh->nlmsg_type = RTM_GETLINK;
    nlh->nlmsg_flags = NLM_F_REQUEST | flags;
    nlh->nlmsg_seq = seq;
    ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
    ifi->ifi_family = AF_UNSPEC;
    ifi->ifi_index = ifindex;
    mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    return nlh;
}

static void ask_all(struct watch *w)
{
    alignas(struct nlmsghdr) char buf[256];
    struct nlmsghdr *nlh;

    if (++w->dump == ASK_ONE)
        w->dump++;
    nlh = question(buf, NLM_F_DUMP, w->dump, 0);
    w->dump_late = false;
    w->dumping = mnl_socket_sendto(w->nl, nlh, nlh->nlmsg_len) >= 0;
    if (!w->dumping)
        w->dump_late = true; /* EBUSY: another dump is running; later */
}

static void on_link(struct watch *w, const struct nlmsghdr *nlh)
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

static void on_done(struct watch *w, const struct nlmsghdr *nlh)
{
    if (!w->dumping || nlh->nlmsg_seq != w->dump)
        return;
    w->dumping = false;
    if (!w->dump_late)
        tell_vanished(w);
}

/* A request was refused: a dump, or the question for one link. */
static void on_error(struct watch *w, const struct nlmsghdr *nlh)
{
    const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
    const struct ifinfomsg *ifi;
    struct netdev d = {0};

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*err) + sizeof(*ifi))
        return;
    if (err->msg.nlmsg_seq != ASK_ONE) {
        w->dumping = false;
        w->dump_late = true;
        return;
    }
    ifi = mnl_nlmsg_get_payload(&err->msg);
    d.ifindex = ifi->ifi_index;
    if (err->error != -ENODEV)
        return;
    forget(w, d.ifindex);
    tell(w, &d, true);
}

static void on_message(struct watch *w, const struct nlmsghdr *nlh)
{
    /* Links changed between two pieces of a dump: read them again. */
    if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
        w->dump_late = true;
    if (nlh->nlmsg_type == NLMSG_DONE)
        on_done(w, nlh);
    else if (nlh->nlmsg_type == NLMSG_ERROR)
        on_error(w, nlh);
    else
        on_link(w, nlh);
}

/* False when nothing is left to read for now. */
static bool read_some(struct watch *w)
{
    char *buf = w->owner->buf;
    const struct nlmsghdr *nlh = (const void *)buf;
    ssize_t n = mnl_socket_recvfrom(w->nl, buf, MESSAGE_MAX);
    int left = (int)n;

    if (n < 0 && errno == ENOBUFS) {
        w->dump_late = true;
        return true;
    }
    if (n <= 0)
        return n < 0 && errno == EINTR;
    for (; mnl_nlmsg_ok(nlh, left) && !w->dead;
         nlh = mnl_nlmsg_next(nlh, &left))
        on_message(w, nlh);
    return true;
}

static void watch_free(struct watch *w)
{
    ev_io_stop(w->owner->loop, &w->readable);
    if (w->nl)
        mnl_socket_close(w->nl);
    free(w->known);
    free(w);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
    struct watch *w = io->data;
    unsigned turns = 0;

    (void)loop;
    (void)revents;
    w->reading = true;
    while (turns++ < TURN_MAX && !w->dead && read_some(w))
        ;
    w->reading = false;
    if (w->dead)
        watch_free(w);
    else if (w->dump_late && !w->dumping)
        ask_all(w);
}

static int subscribe(struct watch *w, struct err *e)
{
    const unsigned groups = 1u << (RTNLGRP_LINK - 1);
    int size = SOCKET_BUFFER, fd;

    w->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!w->nl)
        return err_sys(e, errno, "watching links");
    fd = mnl_socket_get_fd(w->nl);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    if (mnl_socket_bind(w->nl, groups, MNL_SOCKET_AUTOPID) < 0)
        return err_sys(e, errno, "watching links");
    return 0;
}

/* ---- watches ---- */

/* Its user may be inside a call from it. */
static void watch_drop(struct watch *w)
{
    w->dead = true;
    if (!w->reading)
        watch_free(w);
}

static struct watch *watch_new(struct netwatch *nw, int netns_fd, int *failed,
                               struct err *e)
{
    struct watch *w = calloc(1, sizeof(*w));
    struct netns_scope scope;
    int rc;

    if (!w) {
        *failed = err_set(e, ENOMEM, "watching links: no memory");
        return NULL;
    }
    w->owner = nw;
    w->netns = netns_id(netns_fd);
    w->users = 1;
    rc = netns_enter(&scope, netns_fd, e);
    if (!rc) {
        rc = subscribe(w, e);
        netns_leave(&scope);
    }
    if (rc) {
        *failed = rc;
        watch_free(w);
        return NULL;
    }
    ev_io_init(&w->readable, on_readable, mnl_socket_get_fd(w->nl), EV_READ);
    w->readable.data = w;
    ev_io_start(nw->loop, &w->readable);
    /* Between opening a device and now it may have changed. */
    ask_all(w);
    return w;
}

static struct watch **find(struct netwatch *nw, uint64_t netns)
{
    struct watch **w = &nw->watches;

    while (*w && (*w)->netns != netns)
        w = &(*w)->next;
    return w;
}

int netwatch_add(struct netwatch *nw, int netns_fd, struct err *e)
{
    struct watch **at = find(nw, netns_id(netns_fd));
    struct watch *w;
    int rc = 0;

    if (*at) {
        (*at)->users++;
        return 0;
    }
    w = watch_new(nw, netns_fd, &rc, e);
    if (!w)
        return rc;
    w->next = nw->watches;
    nw->watches = w;
    return 0;
}

void netwatch_remove(struct netwatch *nw, int netns_fd)
{
    struct watch **at = find(nw, netns_id(netns_fd));
    struct watch *w = *at;

    if (!w || --w->users)
        return;
    *at = w->next;
    watch_drop(w);
}

void netwatch_ask(struct netwatch *nw, int netns_fd, int ifindex)
{
    struct watch *w = *find(nw, netns_id(netns_fd));
    alignas(struct nlmsghdr) char buf[256];
    struct nlmsghdr *nlh;

    if (!w)
        return;
    nlh = question(buf, 0, ASK_ONE, ifindex);
    if (mnl_socket_sendto(w->nl, nlh, nlh->nlmsg_len) < 0)
        w->dump_late = true; /* with the next message */
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

void netwatch_free(struct netwatch *nw)
{
    if (!nw)
        return;
    while (nw->watches) {
        struct watch *w = nw->watches;

        nw->watches = w->next;
        watch_drop(w);
    }
    free(nw->buf);
    free(nw);
}
