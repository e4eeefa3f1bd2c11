/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bridge's own interface and addresses, by the kernel bridge's rules:
 *
 *   address  the lowest of the ports' own, until the user sets one on the
 *            interface; the bridge id of a bridge without ports is zero
 *   MTU      the least of the ports', until the user sets one
 *   carrier  while a port forwards
 *   up       while it is down nothing is forwarded
 *
 * One thing differs: when the last port leaves, the kernel gives the
 * interface the address zero, which no tap accepts; ours keeps the last one.
 *
 * What a user sets arrives as a change that we did not make.  Our own changes
 * come back the same way, possibly late and several of them, so the last few
 * are remembered.
 */
#include "switch/bridge.h"

#include "base/clock.h"
#include "base/log.h"
#include "ports/tap.h"

#define ECHO_NS     (2 * NSEC_PER_SEC)
#define MTU_DEFAULT 1500

bool bridge_up(const struct bridge *b)
{
    const struct bport *l = b->port[BRIDGE_LOCAL];

    return !l || (l->life == LIFE_RUNNING && l->caps.link);
}

/*
 * A tap made here has its netdev handed out: the address is that of the host
 * behind the port.
 */
struct mac bport_own_mac(const struct bport *p)
{
    const struct mac none = {{0}};

    if (p->life != LIFE_RUNNING ||
        (p->no != BRIDGE_LOCAL && p->port->kind == &port_kind_tap))
        return none;
    return p->caps.mac;
}

/* ---- what the ports make of the interface ---- */

static struct bport *interface(const struct bridge *b)
{
    struct bport *l = b->port[BRIDGE_LOCAL];

    return l && l->life == LIFE_RUNNING ? l : NULL;
}

static void remember(struct bridge *b, const struct mac *mac, uint32_t mtu)
{
    struct own_setting *o = &b->own[b->own_at++ % OWN_HISTORY];

    *o = (struct own_setting){.time = clock_now(), .mtu = mtu};
    if (mac)
        o->mac = *mac;
}

static bool is_echo(const struct bridge *b, const struct mac *mac, uint32_t mtu)
{
    uint64_t now = clock_now();

    for (unsigned i = 0; i < OWN_HISTORY; i++) {
        const struct own_setting *o = &b->own[i];

        if (o->time == 0 || now - o->time > ECHO_NS)
            continue;
        if ((mac && mac_equal(mac, &o->mac)) || (mtu && mtu == o->mtu))
            return true;
    }
    return false;
}

static struct mac lowest(const struct bridge *b)
{
    struct mac low = {{0}};

    for (unsigned i = 1; i < VIEW_PORTS; i++) {
        struct mac m;

        if (!b->port[i])
            continue;
        m = bport_own_mac(b->port[i]);
        if (!mac_is_zero(&m) &&
            (mac_is_zero(&low) || mac_compare(&m, &low) < 0))
            low = m;
    }
    return low;
}

static void set_mac(struct bridge *b, const struct mac *mac)
{
    struct bport *l = interface(b);
    struct err e = {{0}};

    if (mac_equal(mac, &b->mac))
        return;
    b->mac = *mac;
    if (!l)
        return;
    remember(b, mac, 0);
    if (tap_set_mac(l->port, mac, &e))
        log_warn("bridge %s: %s", b->name, e.text);
    l->caps = l->port->caps;
    bport_dirty(l);
}

static void update_mac(struct bridge *b)
{
    const struct mac none = {{0}};
    struct mac low = lowest(b);

    if (b->mac_set) {
        b->id_mac = b->mac;
        return;
    }
    if (!mac_is_zero(&low))
        set_mac(b, &low);
    b->id_mac = b->n_ports ? b->mac : none;
}

static uint32_t least_mtu(const struct bridge *b)
{
    uint32_t least = 0;

    for (unsigned i = 1; i < VIEW_PORTS; i++) {
        const struct bport *p = b->port[i];

        if (p && p->life == LIFE_RUNNING && !p->caps.any_mtu &&
            (!least || p->caps.mtu < least))
            least = p->caps.mtu;
    }
    return least ? least : MTU_DEFAULT;
}

static void update_mtu(struct bridge *b)
{
    uint32_t mtu = least_mtu(b);
    struct bport *l = interface(b);
    struct err e = {{0}};

    if (b->mtu_set || b->unsettled || mtu == b->mtu)
        return;
    b->mtu = mtu;
    if (!l)
        return;
    remember(b, NULL, mtu);
    if (tap_set_mtu(l->port, mtu, &e))
        log_warn("bridge %s: %s", b->name, e.text);
    l->caps = l->port->caps;
    bport_dirty(l);
}

static void update_carrier(struct bridge *b)
{
    struct bport *l = interface(b);
    struct err e = {{0}};
    bool on = false;

    for (unsigned i = 1; i < VIEW_PORTS && !on; i++)
        on = b->port[i] && bport_forwarding(b->port[i]);
    if (on == b->carrier || b->unsettled)
        return;
    b->carrier = on;
    if (l && tap_set_carrier(l->port, on, &e))
        log_warn("bridge %s: %s", b->name, e.text);
}

void local_identity(struct bridge *b)
{
    if (b->deleting)
        return;
    update_mac(b);
    update_mtu(b);
}

void local_update(struct bridge *b)
{
    if (b->deleting)
        return;
    update_carrier(b);
    local_entries(b);
}

void bridge_settle(struct bridge *b)
{
    b->unsettled = false;
    bridge_dirty(b); /* publishing looks at both */
}

/* ---- what the user makes of it ---- */

static void compare(struct bridge *b, const struct port_caps *c)
{
    if (!mac_equal(&c->mac, &b->mac) && !is_echo(b, &c->mac, 0)) {
        b->mac = c->mac;
        b->mac_set = true;
    }
    if (c->mtu != b->mtu && !is_echo(b, NULL, c->mtu)) {
        b->mtu = c->mtu;
        b->mtu_set = true;
    }
}

/* Opened: the kernel has made up an address, and there is no carrier yet. */
static void begin(struct bridge *b, struct bport *l)
{
    struct err e = {{0}};

    b->mac = l->caps.mac;
    b->mtu = l->caps.mtu;
    b->carrier = b->unsettled; /* a tap is made with one */
    if (b->unsettled)
        return;
    if (tap_set_carrier(l->port, false, &e))
        log_warn("bridge %s: %s", b->name, e.text);
}

void local_changed(struct bridge *b)
{
    struct bport *l = interface(b);

    if (!l)
        return;
    if (!l->record) /* the first time */
        begin(b, l);
    else
        compare(b, &l->caps);
    bridge_all_dirty(b); /* up or down concerns them all */
}

/* ---- own addresses in the table ---- */

static bool wants(const struct bridge *b, unsigned no, struct mac *want)
{
    if (no == BRIDGE_LOCAL) {
        *want = b->mac;
        return b->port[BRIDGE_LOCAL] != NULL && interface(b);
    }
    *want = bport_own_mac(b->port[no]);
    return !mac_is_zero(want);
}

static struct mac *entry_of(struct bridge *b, unsigned no)
{
    if (no == BRIDGE_LOCAL)
        return &b->entry;
    return b->port[no] ? &b->port[no]->entry : NULL;
}

/* Somebody may have put the address elsewhere: that stays. */
static void drop_entry(struct bridge *b, unsigned no, const struct mac *have)
{
    uint64_t key = fdb_key(0, mac_to_u64(have));
    struct fdb_now t = table_now(b);
    struct fdb_value v;

    if (fdb_lookup(b->plane.fdb, &t, key, &v) && (v.flags & FDB_LOCAL) &&
        v.port == no && fdb_del(b->plane.fdb, &t, key, NULL) == 0)
        observe_fdb(b, SW_EVENT_FDB_DEL, key, v.port, v.flags);
}

/* Removes the entries of those whose address has changed. */
static void drop_entries(struct bridge *b)
{
    const struct mac none = {{0}};

    for (unsigned i = 0; i < VIEW_PORTS; i++) {
        struct mac *have = entry_of(b, i), want;

        if (!have || mac_is_zero(have))
            continue;
        if (wants(b, i, &want) && mac_equal(have, &want))
            continue;
        drop_entry(b, i, have);
        *have = none;
    }
}

/*
 * Two may have the same address, commonly the bridge and its lowest port: the
 * entry is the port's, as in the kernel, and the first port's of several.
 */
static void take_entry(struct bridge *b, unsigned no, const struct mac *want)
{
    const struct mac none = {{0}};
    uint64_t key = fdb_key(0, mac_to_u64(want));
    struct fdb_now t = table_now(b);
    struct fdb_value v;
    int rc;

    if (fdb_lookup(b->plane.fdb, &t, key, &v) && (v.flags & FDB_LOCAL)) {
        if (v.port != BRIDGE_LOCAL || no == BRIDGE_LOCAL)
            return;
        b->entry = none;
    }
    v = (struct fdb_value){.port = (uint16_t)no,
                           .flags = FDB_LOCAL | FDB_STATIC};
    rc = fdb_set(b->plane.fdb, &t, key, &v);
    if (rc) {
        b->entries_due = true;
        return;
    }
    *entry_of(b, no) = *want;
    observe_fdb(b, SW_EVENT_FDB_ADD, key, v.port, v.flags);
}

void local_entries(struct bridge *b)
{
    if (b->deleting)
        return;
    drop_entries(b);
    b->entries_due = false;
    for (unsigned i = 1; i <= VIEW_PORTS; i++) {
        unsigned no = i % VIEW_PORTS; /* the bridge's own comes last */
        struct mac *have = entry_of(b, no), want;

        if (have && mac_is_zero(have) && wants(b, no, &want))
            take_entry(b, no, &want);
    }
    if (b->entries_due)
        table_kick(b);
}
