/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/client/accepted.h"

#include <libmnl/libmnl.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdalign.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define ANSWER_MAX 4096
#define NO_COOKIE  (~0U) /* INET_DIAG_NOCOOKIE */

static int take_peer(const struct nlattr *a, void *arg)
{
    bool *accepted = arg;

    /* a connection has an inode from the moment it is accepted */
    if (mnl_attr_get_type(a) == UNIX_DIAG_PEER &&
        mnl_attr_validate(a, MNL_TYPE_U32) == 0)
        *accepted = mnl_attr_get_u32(a) != 0;
    return MNL_CB_OK;
}

static int take(const struct nlmsghdr *nlh, void *arg)
{
    if (nlh->nlmsg_type == SOCK_DIAG_BY_FAMILY)
        mnl_attr_parse(nlh, sizeof(struct unix_diag_msg), take_peer, arg);
    return MNL_CB_STOP;
}

static bool ask(const struct mnl_socket *nl, uint32_t inode)
{
    alignas(struct nlmsghdr) char buf[ANSWER_MAX];
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    struct unix_diag_req *q;

    nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    nlh->nlmsg_flags = NLM_F_REQUEST;
    q = mnl_nlmsg_put_extra_header(nlh, sizeof(*q));
    *q = (struct unix_diag_req){.sdiag_family = AF_UNIX,
                                .udiag_ino = inode,
                                .udiag_show = UDIAG_SHOW_PEER,
                                .udiag_cookie = {NO_COOKIE, NO_COOKIE}};
    return mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) >= 0;
}

bool unix_accepted(int fd)
{
    alignas(struct nlmsghdr) char buf[ANSWER_MAX];
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
    bool accepted = true;
    struct stat st;
    ssize_t n;

    if (!nl)
        return true;
    if (fstat(fd, &st) == 0 && ask(nl, (uint32_t)st.st_ino) &&
        (n = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0)
        (void)mnl_cb_run(buf, (size_t)n, 0, 0, take, &accepted);
    mnl_socket_close(nl);
    return accepted;
}
