/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IP addresses of the hosts behind each port, as forwarders have seen them
 * claimed (watch.h).  For people and programs that look for a guest.
 */
#include "switch/bridge.h"

#include "base/clock.h"

static bool watches(const struct bport *p)
{
    return p->life == LIFE_RUNNING && p->caps.link &&
           p->param[BPORT_WATCH_ADDRESSES];
}

void addresses_follow(struct bport *p)
{
    if (!watches(p))
        p->addresses.n = 0;
}

/* ---- what was seen ---- */

/* The host has moved here: it is no longer behind another port. */
static void moved(struct bport *to, const struct snoop_claim *c)
{
    for (unsigned i = 1; i < VIEW_PORTS; i++) {
        struct bport *p = to->b->port[i];

        if (p && p != to && p->addresses.n)
            (void)snoop_forget(&p->addresses, c);
    }
}

static void enter(struct bport *p, const struct snoop_claim *c, uint64_t now)
{
    if (!watches(p) || snoop_enter(&p->addresses, c, now) == SNOOP_KNOWN)
        return;
    moved(p, c);
    observe_address(p, c);
}

/* A server's answer says nothing of the port it came from, but the client has
 * just asked. */
static struct bport *port_of(struct bport *in, const struct claim_slot *s)
{
    uint64_t key = fdb_key(s->vid, mac_to_u64(&s->claim.mac));
    struct fdb_value v;
    uint32_t age;

    if (s->claim.how != SNOOP_DHCP_ACK)
        return in;
    if (!bridge_fdb_get(in->b, key, &v, &age) || v.flags & FDB_LOCAL)
        return NULL;
    return bport_by_no(in->b, v.port);
}

static void poll_port(struct bport *in)
{
    uint64_t now = clock_now();

    for (unsigned k = 0; k < in->b->sw->n_forwarders; k++) {
        struct claim_slot s;

        while (claim_ring_pop(&in->lane[k].claims, &s)) {
            struct bport *p = port_of(in, &s);

            if (p)
                enter(p, &s.claim, now);
        }
    }
}

static void poll_bridge(struct bridge *b)
{
    for (unsigned i = 0; i < VIEW_PORTS / 64; i++) {
        uint64_t some = 0;

        if (atomic_load_explicit(&b->plane.claims[i], memory_order_relaxed))
            some = atomic_exchange_explicit(&b->plane.claims[i], 0,
                                            memory_order_acquire);
        for (; some; some &= some - 1) {
            struct bport *p = b->port[i * 64 + (unsigned)__builtin_ctzll(some)];

            if (p)
                poll_port(p);
        }
    }
}

void addresses_poll(struct sw *sw)
{
    for (struct bridge *b = sw->bridges; b; b = b->next)
        poll_bridge(b);
}

/* ---- asked for ---- */

static void show(const struct snoop_entry *e, uint64_t now,
                 struct bport_address *out)
{
    out->mac = e->claim.mac;
    out->family = e->claim.family;
    memcpy(out->ip, e->claim.ip, sizeof(out->ip));
    out->how = (enum snoop_how)e->claim.how;
    out->age_cs = (uint32_t)((now - e->seen) / (10 * NSEC_PER_MSEC));
    snoop_ip_format(&e->claim, out->text);
}

unsigned bport_addresses(const struct bport *p, struct bport_address *out,
                         unsigned max)
{
    const struct snoop_entry *entry[SNOOP_TABLE_MAX];
    unsigned n = p->addresses.n;
    uint64_t now = clock_now();

    for (unsigned i = 0; i < n; i++) {
        unsigned at = i;

        for (; at > 0 && entry[at - 1]->seen <= p->addresses.entry[i].seen;
             at--)
            entry[at] = entry[at - 1];
        entry[at] = &p->addresses.entry[i];
    }
    if (n > max)
        n = max;
    for (unsigned i = 0; i < n; i++)
        show(entry[i], now, &out[i]);
    return n;
}
