/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policy routing rules that name an interface.  They are not moved: what a
 * rule means for the uplink need not be meant for the bridge's interface.
 */
#include "ctl/l3/impl.h"

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <stdalign.h>
#include <string.h>

struct search {
    const char *ifname;
    unsigned found;
};

static int look(const struct nlmsghdr *h, void *data)
{
    struct search *s = data;
    const struct nlattr *a;

    mnl_attr_for_each(a, h, sizeof(struct fib_rule_hdr))
    {
        uint16_t type = mnl_attr_get_type(a);

        if ((type == FRA_IIFNAME || type == FRA_OIFNAME) &&
            strcmp(mnl_attr_get_str(a), s->ifname) == 0) {
            s->found++;
            break;
        }
    }
    return MNL_CB_OK;
}

static void dump(struct mnl_socket *nl, uint8_t family, struct search *s)
{
    alignas(struct nlmsghdr) char buf[32768];
    struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
    struct fib_rule_hdr *r = mnl_nlmsg_put_extra_header(h, sizeof(*r));
    ssize_t n;
    int rc = 1;

    h->nlmsg_type = RTM_GETRULE;
    h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    h->nlmsg_seq = family;
    r->family = family;
    if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
        return;
    while (rc > 0 && (n = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0)
        rc = mnl_cb_run(buf, (size_t)n, family, mnl_socket_get_portid(nl), look,
                        s);
}

void note_rules(const char *ifname, struct l3_notes *n)
{
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    struct search s = {.ifname = ifname};

    if (!nl)
        return;
    if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0) {
        dump(nl, AF_INET, &s);
        dump(nl, AF_INET6, &s);
    }
    mnl_socket_close(nl);
    if (s.found)
        l3_note(n,
                "%u routing rule%s name%s %s and stay as they are (see: ip "
                "rule)",
                s.found, s.found == 1 ? "" : "s", s.found == 1 ? "s" : "",
                ifname);
}
