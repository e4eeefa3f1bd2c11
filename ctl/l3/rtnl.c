/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See rtnl.h: talking to the kernel, a request and its answer.
 */
#include "ctl/l3/rtnl_impl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int rtnl_open(struct rtnl **out, struct err *e)
{
    /* The kernel answers at once; should it not, we do not wait for ever. */
    const struct timeval limit = {.tv_sec = 5};
    struct rtnl *r = calloc(1, sizeof(*r));
    int on = 1;

    if (!r)
        return err_sys(e, ENOMEM, "talking to the kernel");
    r->hz = sysconf(_SC_CLK_TCK);
    r->seq = (uint32_t)time(NULL);
    r->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!r->nl || mnl_socket_bind(r->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
        int rc = errno;

        rtnl_close(r);
        return err_sys(e, rc, "opening rtnetlink");
    }
    (void)mnl_socket_setsockopt(r->nl, NETLINK_EXT_ACK, &on, sizeof(on));
    (void)mnl_socket_setsockopt(r->nl, NETLINK_CAP_ACK, &on, sizeof(on));
    (void)setsockopt(mnl_socket_get_fd(r->nl), SOL_SOCKET, SO_RCVTIMEO, &limit,
                     sizeof(limit));
    *out = r;
    return 0;
}

void rtnl_close(struct rtnl *r)
{
    if (!r)
        return;
    if (r->nl)
        mnl_socket_close(r->nl);
    free(r);
}

/* The kernel's own sentence about a refusal, if it sent one. */
static void take_words(const struct nlmsghdr *h, char *words, size_t n)
{
    const struct nlmsgerr *m = mnl_nlmsg_get_payload(h);
    const struct nlattr *a;
    size_t skip = sizeof(*m);

    if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
        return;
    if (!(h->nlmsg_flags & NLM_F_CAPPED))
        skip += MNL_ALIGN(m->msg.nlmsg_len - sizeof(m->msg));
    mnl_attr_for_each(a, h, skip)
    {
        if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG)
            snprintf(words, n, "%.*s", (int)mnl_attr_get_payload_len(a),
                     mnl_attr_get_str(a));
    }
}

/* Waits for the answer to request r->seq.  0 or -errno. */
static int answer(struct rtnl *r, char words[RTNL_WORDS_MAX])
{
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(r->nl, r->buf, sizeof(r->buf));
        const struct nlmsghdr *h = (const void *)r->buf;
        int len = (int)n;

        if (n < 0)
            return -errno;
        for (; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len)) {
            const struct nlmsgerr *m = mnl_nlmsg_get_payload(h);

            if (h->nlmsg_seq != r->seq || h->nlmsg_type != NLMSG_ERROR)
                continue;
            if (m->error)
                take_words(h, words, RTNL_WORDS_MAX);
            return m->error;
        }
    }
}

int rtnl_talk(struct rtnl *r, struct nlmsghdr *req, char words[RTNL_WORDS_MAX])
{
    words[0] = 0;
    req->nlmsg_seq = ++r->seq;
    req->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    if (mnl_socket_sendto(r->nl, req, req->nlmsg_len) < 0)
        return -errno;
    return answer(r, words);
}

int rtnl_refused(struct err *e, int rc, const char *words, const char *what)
{
    if (words[0])
        return err_set(e, rc, "%s: %s", what, words);
    return err_sys(e, rc, "%s", what);
}
