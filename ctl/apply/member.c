/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/apply/member.h"

#include "base/log.h"
#include "ports/netdev.h"
#include "ports/netns.h"

#include <errno.h>
#include <string.h>

static int read_device(const char *device, const struct port_spec *as,
                       struct member *m, int *ifindex, struct err *e)
{
    struct netdev d;
    int rc = netdev_get(device, 0, &d, e);

    if (!rc && as)
        rc = netdev_check_port(&d, port_spec_get(as, "adopt") != NULL, e);
    if (rc)
        return rc;
    rc = netdev_wol_get(device);
    *m = (struct member){
        .has_mac = true,
        .mac = d.mac,
        .mtu = d.mtu,
        .up = d.flags & IFF_UP,
        .wakeonlan = rc < 0 ? CONF_UNSET
                     : rc   ? CONF_ON
                            : CONF_OFF,
    };
    *ifindex = d.ifindex;
    return 0;
}

int member_get(int netns_fd, const char *device, const struct port_spec *as,
               struct member *m, struct err *e)
{
    struct netns_scope scope;
    int rc = netns_enter(&scope, netns_fd, e), ifindex;

    if (rc)
        return rc;
    rc = read_device(device, as, m, &ifindex, e);
    netns_leave(&scope);
    return rc;
}

/* Some drivers take another address only while the device is down. */
static int set_mac(int ifindex, const struct mac *mac, bool up, struct err *e)
{
    int rc = netdev_set_mac(ifindex, mac, e);

    if (rc != -EBUSY || !up)
        return rc;
    rc = netdev_set_up(ifindex, false, e);
    if (!rc)
        rc = netdev_set_mac(ifindex, mac, e);
    (void)netdev_set_up(ifindex, true, NULL);
    return rc;
}

static int set_wol(const char *device, enum conf_switch v, struct err *e)
{
    int rc = netdev_wol_set(device, v == CONF_ON);

    if (rc == -EOPNOTSUPP && v == CONF_OFF)
        return 0; /* it has none */
    return rc ? err_sys(e, rc, "wakeonlan") : 0;
}

/* From how it is to how it shall be. */
static int set_all(const char *device, int ifindex, const struct member *now,
                   const struct member *m, struct err *e)
{
    int rc = 0;

    if (m->has_mac && !mac_equal(&m->mac, &now->mac))
        rc = set_mac(ifindex, &m->mac, now->up, e);
    if (!rc && m->mtu && m->mtu != now->mtu)
        rc = netdev_set_mtu(ifindex, m->mtu, e);
    if (!rc && m->wakeonlan != CONF_UNSET && m->wakeonlan != now->wakeonlan)
        rc = set_wol(device, m->wakeonlan, e);
    if (!rc && m->up && !now->up)
        rc = netdev_set_up(ifindex, true, e);
    return rc;
}

int member_set(int netns_fd, const char *device, const struct member *m,
               struct err *e)
{
    struct netns_scope scope;
    struct member before, now;
    int rc = netns_enter(&scope, netns_fd, e), ifindex;

    if (rc)
        return rc;
    rc = read_device(device, NULL, &before, &ifindex, e);
    if (!rc) {
        rc = set_all(device, ifindex, &before, m, e);
        if (rc && read_device(device, NULL, &now, &ifindex, NULL) == 0)
            (void)set_all(device, ifindex, &now, &before, NULL);
    }
    netns_leave(&scope);
    return rc ? err_wrap(e, rc, "%s", device) : 0;
}

void member_restore(int netns_fd, const char *device,
                    const struct member *before, const struct member *said)
{
    struct member back = *before, now;
    struct netns_scope scope;
    struct err e = {""};
    int rc = netns_enter(&scope, netns_fd, NULL), ifindex;

    if (rc)
        return;
    back.has_mac = said->has_mac;
    if (!said->mtu)
        back.mtu = 0;
    if (said->wakeonlan == CONF_UNSET)
        back.wakeonlan = CONF_UNSET;
    rc = read_device(device, NULL, &now, &ifindex, NULL);
    if (!rc)
        rc = set_all(device, ifindex, &now, &back, &e);
    if (!rc && now.up && !before->up)
        rc = netdev_set_up(ifindex, false, &e);
    netns_leave(&scope);
    if (rc && rc != -ENODEV)
        log_warn("%s: putting its settings back: %s", device,
                 e.text[0] ? e.text : strerror(-rc));
}
