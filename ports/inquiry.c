/* SPDX-License-Identifier: BSD-2-Clause */
#include "ports/inquiry.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif

/* After that long an answer is asked for although nothing is there to read: the
 * kernel may have had no memory for the next piece. */
#define PIECE_MS 1000

struct inquiry {
    struct question ask;
    pthread_mutex_t lock;
    bool wanted;   /* cleared when nobody wants the answer any more */
    bool answered; /* the socket is the owner's again */
    /* the thread's until then */
    bool complete;
    struct heard *head, **tail;
};

/* ---- the socket ---- */

ssize_t inquiry_receive(struct mnl_socket *nl, char *buf, int *nsid)
{
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec v = {buf, MESSAGE_MAX};
    struct msghdr m = {.msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(mnl_socket_get_fd(nl), &m, 0);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

    *nsid = NSID_HOME;
    if (c && c->cmsg_level == SOL_NETLINK &&
        c->cmsg_type == NETLINK_LISTEN_ALL_NSID)
        memcpy(nsid, CMSG_DATA(c), sizeof(*nsid));
    return n;
}

/* ---- the thread that asks ---- */

static bool ask(const struct inquiry *q)
{
    alignas(struct nlmsghdr) char buf[256];
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct ifinfomsg *ifi;

    nlh->nlmsg_type = RTM_GETLINK;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    nlh->nlmsg_seq = q->ask.seq;
    ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
    ifi->ifi_family = AF_UNSPEC;
    mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    if (q->ask.nsid != NSID_HOME)
        mnl_attr_put_u32(nlh, IFLA_TARGET_NETNSID, (uint32_t)q->ask.nsid);
    return mnl_socket_sendto(q->ask.nl, nlh, nlh->nlmsg_len) >= 0;
}

/* False: there is no memory for it. */
static bool keep(struct inquiry *q, const char *octets, size_t n, int nsid)
{
    struct heard *h = malloc(sizeof(*h) + n);

    if (!h)
        return false;
    h->next = NULL;
    h->nsid = nsid;
    h->len = n;
    if (n)
        memcpy(h->octets, octets, n);
    *q->tail = h;
    q->tail = &h->next;
    return true;
}

/* Does this end the answer, well or not? */
static bool ends(const struct inquiry *q, const char *octets, size_t n,
                 int nsid)
{
    const struct nlmsghdr *nlh = (const void *)octets;
    int left = (int)n;

    for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
        if ((nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR) &&
            nlh->nlmsg_seq == q->ask.seq && nsid == NSID_HOME)
            return true;
    return false;
}

/* False when nothing more is to be read. */
static bool hear(struct inquiry *q, char *buf)
{
    struct pollfd p = {mnl_socket_get_fd(q->ask.nl), POLLIN, 0};
    int nsid;
    ssize_t n;

    (void)poll(&p, 1, PIECE_MS);
    n = inquiry_receive(q->ask.nl, buf, &nsid);
    if (n < 0 && errno == ENOBUFS)
        return keep(q, NULL, 0, NSID_HOME);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (!keep(q, buf, (size_t)n, nsid))
        return false;
    q->complete = ends(q, buf, (size_t)n, nsid);
    return !q->complete;
}

void heard_free(struct heard *h)
{
    while (h) {
        struct heard *next = h->next;

        free(h);
        h = next;
    }
}

static void inquiry_free(struct inquiry *q)
{
    heard_free(q->head);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

/* Gives the socket back; closes it if there is nobody to have it. */
static void answer(struct inquiry *q)
{
    bool wanted;

    pthread_mutex_lock(&q->lock);
    wanted = q->wanted;
    q->answered = true;
    if (wanted)
        ev_async_send(q->ask.loop, q->ask.wake);
    pthread_mutex_unlock(&q->lock);
    if (wanted)
        return;
    mnl_socket_close(q->ask.nl);
    inquiry_free(q);
}

static void *inquire(void *arg)
{
    struct inquiry *q = arg;
    char *buf = malloc(MESSAGE_MAX);

    if (buf && ask(q))
        while (hear(q, buf))
            ;
    free(buf);
    answer(q);
    return NULL;
}

/* ---- the one who has it asked ---- */

/* Nobody waits for its end: that may take as long as the lock is held. */
static int start_thread(struct inquiry *q)
{
    pthread_attr_t attr;
    pthread_t thread;
    int rc = pthread_attr_init(&attr);

    if (rc)
        return rc;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    rc = pthread_create(&thread, &attr, inquire, q);
    pthread_attr_destroy(&attr);
    return rc;
}

struct inquiry *inquiry_start(const struct question *k)
{
    struct inquiry *q = calloc(1, sizeof(*q));

    if (!q)
        return NULL;
    q->ask = *k;
    q->wanted = true;
    q->tail = &q->head;
    pthread_mutex_init(&q->lock, NULL);
    if (start_thread(q) == 0)
        return q;
    inquiry_free(q);
    return NULL;
}

bool inquiry_answered(struct inquiry *q)
{
    bool answered;

    pthread_mutex_lock(&q->lock);
    answered = q->answered;
    pthread_mutex_unlock(&q->lock);
    return answered;
}

struct heard *inquiry_take(struct inquiry *q, bool *complete)
{
    struct heard *h = q->head;

    *complete = q->complete;
    q->head = NULL;
    inquiry_free(q);
    return h;
}

bool inquiry_abandon(struct inquiry *q)
{
    bool answered;

    pthread_mutex_lock(&q->lock);
    answered = q->answered;
    q->wanted = false;
    pthread_mutex_unlock(&q->lock);
    if (answered)
        inquiry_free(q);
    return answered;
}
