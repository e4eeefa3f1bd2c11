/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/pipeline.h"

#include "base/cursor.h"
#include "switch/snoop/snoop.h"

#include <assert.h>
#include <endian.h>

#define MAC_BROADCAST 0xffffffffffffULL
#define MAC_GROUP_BIT (1ULL << 40)
/* 01:80:c2:00:00:0X without its last four bits (802.1Q-2018, table 8-1) */
#define MAC_RESERVED 0x0180c200000ULL

static void drop(struct fate *t, enum reason why)
{
    t->act = ACT_DROP;
    t->verdict = why;
}

/*
 * Sanity: is there an Ethernet header?  The two addresses are read as eight
 * octets each, the second pair ending with the type.
 */
static bool stage_sanity(const struct frame *f, struct fate *t, uint64_t *dst,
                         uint64_t *src, uint16_t *type)
{
    struct cursor head = cursor_over(f->seg[0].iov_base, f->seg[0].iov_len);
    struct cursor tail = head;
    uint64_t a, b;

    if (!cursor_bytes(&head, &a, 8) || !cursor_skip(&tail, 6) ||
        !cursor_bytes(&tail, &b, 8)) {
        drop(t, REASON_PORT_RX_RUNT);
        return false;
    }
    *dst = be64toh(a) >> 16;
    b = be64toh(b);
    *src = b >> 16;
    *type = (uint16_t)b;
    return true;
}

/*
 * The bridge group address: taken while the spanning tree is on, in whatever
 * state the port is.  While it is off, such frames pass whatever the mask, so
 * that other bridges see the loop that goes through us; the kernel does the
 * same.  A BPDU filter keeps them out.
 */
static bool stage_bpdu(const struct scene *s, struct fate *t)
{
    if (s->view->stp && s->view->up) {
        t->act = ACT_BPDU;
        t->verdict = REASON_BPDU;
        return false;
    }
    if (s->in->bpdu_filter) {
        drop(t, REASON_BPDU_FILTERED);
        return false;
    }
    t->reserved = true;
    return true;
}

/*
 * Reserved addresses: not forwarded unless the mask says so.  What the bridge's
 * own host sends is not judged by the mask.
 */
static bool stage_reserved(const struct scene *s, struct fate *t, uint64_t dst)
{
    unsigned bit = (unsigned)(dst & 0xf);

    if (dst >> 4 != MAC_RESERVED || s->in->no == BRIDGE_LOCAL)
        return true;
    if (bit == 0)
        return stage_bpdu(s, t);
    if (!(s->in->fwd_mask & 1u << bit)) {
        drop(t, REASON_RESERVED_DROPPED);
        return false;
    }
    t->reserved = true;
    return true;
}

/* VLAN ingress: tags pass untouched, everything is classified to VID 0. */
static uint16_t stage_vlan(const struct frame *f)
{
    return f->vid;
}

/* In state learning the source is still of interest. */
static bool stage_state(const struct scene *s, struct fate *t)
{
    if (!s->view->up)
        drop(t, REASON_BRIDGE_DOWN);
    else if (!s->in->forwarding || s->late)
        drop(t, REASON_PORT_STATE);
    return t->act != ACT_DROP || (s->view->up && s->in->learns_only);
}

static bool stage_source_form(struct fate *t, uint64_t src)
{
    if (src != 0 && !(src & MAC_GROUP_BIT))
        return true;
    drop(t, REASON_BAD_SOURCE);
    return false;
}

/*
 * Source checks against the table.  'found' is the packed entry of the source
 * address, 0 if there is none.  An address that belongs elsewhere is remarked
 * upon and not learned, but the frame goes on: so does the kernel's bridge, and
 * refusing it would be port security, which nobody asked for.  Decides also
 * whether there is anything to learn: not when the entry is this port's and was
 * seen in this tenth of a second.
 */
static void stage_source(const struct scene *s, struct fate *t, uint64_t found)
{
    const struct view_port *in = s->in;
    struct fdb_value v;

    if (!found) {
        t->learn = in->learning;
        return;
    }
    v = fdb_unpack(found);
    if (v.flags & FDB_LOCAL) {
        if (in->no != BRIDGE_LOCAL)
            t->note = REASON_OWN_SOURCE;
    } else if (v.port != in->no) {
        if (v.flags & (FDB_STATIC | FDB_STICKY))
            t->note = REASON_PINNED;
        else
            t->learn = in->learning;
    } else {
        t->learn =
            in->learning && !(v.flags & FDB_STATIC) && v.age != s->now.now;
    }
}

/*
 * Is there an address of a host's to be seen?  The answers of DHCP come from
 * where the server is, so they are looked for on all ports of a bridge that
 * has one that watches.
 */
static bool stage_watch(const struct scene *s, const struct frame *f,
                        uint16_t type)
{
    return s->view->watches && snoop_worth(type, f->seg[0].iov_base,
                                           f->seg[0].iov_len, !s->in->watches);
}

/* The stages that need no table.  False: the frame's fate is sealed. */
static bool early(const struct scene *s, const struct frame *f, struct fate *t)
{
    uint64_t dst, src;
    uint16_t vid, type;

    t->learn = t->reserved = t->tells = false;
    t->note = NO_NOTE;
    t->act = ACT_ONE;
    t->src = t->dst = 0;
    if (!stage_sanity(f, t, &dst, &src, &type))
        return false;
    vid = stage_vlan(f);
    t->dst = fdb_key(vid, dst);
    t->src = fdb_key(vid, src);
    if (!stage_reserved(s, t, dst) || !stage_state(s, t) ||
        !stage_source_form(t, src))
        return false;
    t->tells = stage_watch(s, f, type);
    return true;
}

/*
 * Look-ups of a batch, a key that repeats the one before it left out: a bulk
 * transfer costs one.
 */
struct lookups {
    uint64_t key[PIPELINE_BATCH];
    uint64_t found[PIPELINE_BATCH];
    uint8_t frame[PIPELINE_BATCH]; /* who asks, in order */
    uint8_t slot[PIPELINE_BATCH];  /* ... and where its answer is */
    unsigned keys, frames;
};

static inline void lookups_add(struct lookups *l, unsigned frame, uint64_t key)
{
    if (l->keys == 0 || l->key[l->keys - 1] != key)
        l->key[l->keys++] = key;
    l->frame[l->frames] = (uint8_t)frame;
    l->slot[l->frames++] = (uint8_t)(l->keys - 1);
}

static void lookups_run(struct lookups *l, const struct scene *s)
{
    memset(l->found, 0, l->keys * sizeof(l->found[0]));
    fdb_lookup_batch(s->fdb, &s->now, l->key, l->found, l->keys);
}

void pipeline_ingress(const struct scene *s, const struct frame *f,
                      struct fate *fate, unsigned n)
{
    struct lookups l;

    assert(n <= PIPELINE_BATCH);
    l.keys = l.frames = 0;
    for (unsigned i = 0; i < n; i++)
        if (early(s, &f[i], &fate[i]))
            lookups_add(&l, i, fate[i].src);
    lookups_run(&l, s);
    for (unsigned k = 0; k < l.frames; k++) {
        struct fate *t = &fate[l.frame[k]];

        stage_source(s, t, l.found[l.slot[k]]);
        /* the frame before it has the same source and will be learned */
        if (k > 0 && l.slot[k] == l.slot[k - 1])
            t->learn = false;
    }
}

/* ---- decide ---- */

static void flood(struct fate *t, enum flood kind)
{
    t->act = ACT_FLOOD;
    t->flood = (uint8_t)kind;
    t->verdict = t->reserved ? REASON_RESERVED_FORWARDED : REASON_FLOODED;
}

/* Nobody gets a flooded frame: why? */
static enum reason flood_nobody(const struct scene *s,
                                const struct flood_list *l)
{
    for (unsigned i = flood_span(s->in, l); i < l->n; i++)
        if (flood_reaches(s->in, l->to[i]))
            return REASON_ISOLATED;
    for (unsigned i = 1; i < VIEW_PORTS; i++) {
        const struct view_port *p = s->view->port[i];

        if (p && p->forwarding && flood_reaches(s->in, p))
            return REASON_FLOOD_OFF;
    }
    return REASON_NO_PORT;
}

static void stage_flood(const struct scene *s, struct fate *t, enum flood kind)
{
    const struct flood_list *l = &s->view->flood[kind];
    unsigned span = flood_span(s->in, l);

    flood(t, kind);
    if (span >= 2)
        return; /* at most one of them is the port it came from */
    for (unsigned i = 0; i < span; i++)
        if (flood_reaches(s->in, l->to[i]))
            return;
    drop(t, flood_nobody(s, l));
}

static void stage_group(const struct scene *s, struct fate *t, uint64_t dst)
{
    if (s->in->no == BRIDGE_LOCAL)
        stage_flood(s, t, FLOOD_FROM_LOCAL);
    else if (dst == MAC_BROADCAST)
        stage_flood(s, t, FLOOD_BROADCAST);
    else
        stage_flood(s, t, FLOOD_MULTICAST);
}

/* To the one port that has the address. */
static void stage_unicast(const struct scene *s, struct fate *t,
                          struct fdb_value v)
{
    bool own = (v.flags & FDB_LOCAL) && s->in->no != BRIDGE_LOCAL;
    const struct view_port *to =
        v.port < VIEW_PORTS ? s->view->port[own ? BRIDGE_LOCAL : v.port] : NULL;

    t->to = to;
    t->verdict = own ? REASON_LOCAL : REASON_FORWARDED;
    if (!to)
        drop(t, own ? REASON_NO_PORT : REASON_EGRESS_STATE);
    else if (!to->forwarding)
        drop(t, REASON_EGRESS_STATE);
    else if (to == s->in && !to->hairpin)
        drop(t, REASON_SAME_PORT);
    else if (to->isolated && s->in->isolated)
        drop(t, REASON_ISOLATED);
}

void pipeline_decide(const struct scene *s, struct fate *fate, unsigned n)
{
    struct lookups l;

    assert(n <= PIPELINE_BATCH);
    l.keys = l.frames = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t dst = fdb_key_mac(fate[i].dst);

        if (fate[i].act != ACT_ONE)
            continue;
        if (dst & MAC_GROUP_BIT)
            stage_group(s, &fate[i], dst);
        else
            lookups_add(&l, i, fate[i].dst);
    }
    lookups_run(&l, s);
    for (unsigned k = 0; k < l.frames; k++) {
        struct fate *t = &fate[l.frame[k]];
        uint64_t found = l.found[l.slot[k]];

        if (found)
            stage_unicast(s, t, fdb_unpack(found));
        else
            stage_flood(s, t, FLOOD_UNICAST);
    }
}

void pipeline_explain(const struct scene *s, const struct frame *f,
                      struct fate *fate)
{
    pipeline_ingress(s, f, fate, 1);
    pipeline_decide(s, fate, 1);
}
