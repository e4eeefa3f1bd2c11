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
 * This is what it is to be; own.c sets it.  What a user sets arrives as a
 * change that we did not make.  Our own changes come back the same way,
 * possibly late and several of them, so the last few are remembered.
 */
#include "switch/bridge.h"

#include "ports/tap.h"

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

static void update_mac(struct bridge *b)
{
    const struct mac none = {{0}};
    struct mac low = lowest(b);

    if (b->mac_set) {
        b->id_mac = b->mac;
        return;
    }
    if (!mac_is_zero(&low))
        b->mac = low;
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
    if (!b->mtu_set && !b->unsettled)
        b->mtu = least_mtu(b);
}

static void update_carrier(struct bridge *b)
{
    bool on = false;

    for (unsigned i = 1; i < VIEW_PORTS && !on; i++)
        on = b->port[i] && bport_forwarding(b->port[i]);
    if (!b->unsettled)
        b->carrier = on;
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

void local_heard(struct bridge *b, const struct mac *mac, uint32_t mtu)
{
    const struct own_state s = {.mac = *mac, .mtu = mtu};

    if (own_heard(b, &s, OWN_MAC) && !mac_equal(mac, &b->mac)) {
        b->mac = *mac;
        b->mac_set = true;
    }
    if (own_heard(b, &s, OWN_MTU) && mtu != b->mtu) {
        b->mtu = mtu;
        b->mtu_set = true;
    }
    own_compare(b);
}

/* Opened: the kernel has made up an address, and a tap is made with a
 * carrier. */
static void begin(struct bridge *b, const struct bport *l)
{
    const struct own_state is = {l->caps.mac, l->caps.mtu, true};

    b->mac = is.mac;
    b->mtu = is.mtu;
    b->carrier = is.carrier;
    own_begin(b, &is);
}

void local_changed(struct bridge *b)
{
    struct bport *l = interface(b);

    if (!l)
        return;
    if (!l->record) /* the first time */
        begin(b, l);
    else
        local_heard(b, &l->caps.mac, l->caps.mtu);
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
