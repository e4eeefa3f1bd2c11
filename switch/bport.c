/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/bridge.h"

#include "ports/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- finding ---- */

/* Ports that are on their way out are not shown. */
static bool shown(const struct bport *p)
{
    return p && !p->deleting && p->no != BRIDGE_LOCAL;
}

static bool has_name(const struct bport *p, const char *name)
{
    return p && strcmp(p->port->spec.name, name) == 0;
}

static struct bport *any_port(struct sw *sw, const char *name)
{
    for (struct bridge *b = sw->bridges; b; b = b->next)
        for (unsigned i = 1; i < VIEW_PORTS; i++)
            if (has_name(b->port[i], name))
                return b->port[i];
    return NULL;
}

struct bport *bport_find(struct bridge *b, const char *name)
{
    for (unsigned i = 1; i < VIEW_PORTS; i++)
        if (shown(b->port[i]) && has_name(b->port[i], name))
            return b->port[i];
    return NULL;
}

struct bport *bport_next(struct bridge *b, struct bport *prev)
{
    for (unsigned i = prev ? prev->no + 1U : 1; i < VIEW_PORTS; i++)
        if (shown(b->port[i]))
            return b->port[i];
    return NULL;
}

bool bport_leaving(const struct bport *p)
{
    return p->deleting;
}

const struct port_spec *bport_spec(const struct bport *p)
{
    return &p->port->spec;
}

int bport_check(const struct port_spec *spec, struct err *e)
{
    return port_check(spec, e);
}

int bport_file(const struct bport *p)
{
    int fd = p->port->spec.file_fd;

    return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

struct bport *bport_local(struct bridge *b)
{
    return b->port[BRIDGE_LOCAL];
}

struct bport *bport_by_no(struct bridge *b, uint16_t no)
{
    return no < VIEW_PORTS ? b->port[no] : NULL;
}

struct bridge *bport_owner(struct sw *sw, const char *name)
{
    struct bport *p = any_port(sw, name);

    return p && !p->deleting ? p->b : NULL;
}

/* ---- adding ---- */

/* stream0, stream1, ...: the first that is free */
static void number_name(struct sw *sw, struct port_spec *s)
{
    for (unsigned i = 0; !s->name[0] || any_port(sw, s->name); i++)
        snprintf(s->name, sizeof(s->name), "%.10s%u", s->kind, i);
}

static bool same_device(const struct bport *p, const struct port_spec *s,
                        uint64_t netns)
{
    return p && p->watch && p->netns == netns &&
           strcmp(p->port->spec.kind, s->kind) == 0 &&
           strcmp(p->port->spec.target, s->target) == 0;
}

static int check_device(struct sw *sw, const struct port_spec *s, struct err *e)
{
    const struct port_kind *k = port_kind_find(s->kind);
    uint64_t netns;

    if (!k || !k->netdev)
        return 0;
    netns = netns_id(s->netns_fd);
    for (struct bridge *b = sw->bridges; b; b = b->next) {
        if (b->port[BRIDGE_LOCAL] && b->netns == netns &&
            strcmp(b->name, s->target) == 0)
            return err_set(e, ELOOP, "%s is a bridge itself", s->target);
        for (unsigned i = 1; i < VIEW_PORTS; i++)
            if (same_device(b->port[i], s, netns))
                return err_set(e, EBUSY, "%s is a port of bridge %s already",
                               s->target, b->name);
    }
    return 0;
}

static int check_name(struct bridge *b, const struct port_spec *s,
                      struct err *e)
{
    struct bport *p = any_port(b->sw, s->name);

    if (p && p->b != b)
        return err_set(e, EBUSY, "port %s is in bridge %s already", s->name,
                       p->b->name);
    if (p)
        return err_set(e, EEXIST, "bridge %s has a port %s already", b->name,
                       s->name);
    for (struct bridge *o = b->sw->bridges; o; o = o->next)
        if (strcmp(o->name, s->name) == 0)
            return err_set(e, EEXIST, "%s is the name of a bridge", s->name);
    return port_name_check(s->name, e);
}

static bool is_free(const struct bridge *b, uint16_t no)
{
    return no >= 1 && no < VIEW_PORTS && !b->port[no] && !b->gen_wait[no];
}

static uint16_t free_number(const struct bridge *b, uint16_t wish)
{
    if (is_free(b, wish))
        return wish;
    for (uint16_t i = 1; i < VIEW_PORTS; i++)
        if (is_free(b, i))
            return i;
    return 0;
}

/* Everything that is known without opening the device. */
static struct bport *admit(struct bridge *b, struct port_spec *s, uint16_t wish,
                           int *rc, struct err *e)
{
    uint16_t no = free_number(b, wish);

    *rc = check_device(b->sw, s, e);
    if (*rc)
        return NULL;
    if (!s->name[0])
        number_name(b->sw, s);
    *rc = check_name(b, s, e);
    if (*rc)
        return NULL;
    if (no == 0) {
        *rc = err_set(e, EXFULL, "bridge %s has %u ports, no number is left",
                      b->name, BRIDGE_PORTS_MAX);
        return NULL;
    }
    return bport_new(b, s, no, rc, e);
}

/* A guest has few addresses, an uplink any number. */
#define EDGE_FDB_LIMIT 1024

uint32_t bport_default(enum bport_param w, bool edge)
{
    static const uint32_t defaults[BPORT_PARAMS] = {
        [BPORT_PRIORITY] = 32,   [BPORT_LEARNING] = 1,    [BPORT_FLOOD] = 1,
        [BPORT_FLOOD_MCAST] = 1, [BPORT_FLOOD_BCAST] = 1, [BPORT_AUTO_EDGE] = 1,
        [BPORT_P2P] = 2,
    };

    if (w == BPORT_ADMIN_EDGE || w == BPORT_WATCH_ADDRESSES)
        return edge;
    return w == BPORT_FDB_LIMIT && edge ? EDGE_FDB_LIMIT : defaults[w];
}

static void set_defaults(struct bport *p)
{
    for (unsigned w = 0; w < BPORT_PARAMS; w++)
        p->param[w] = bport_default((enum bport_param)w, false);
}

static void enter(struct bridge *b, struct bport *p)
{
    b->port[p->no] = p;
    b->n_ports++;
    set_defaults(p);
    fdb_set_active_ports(b->plane.fdb, b->n_ports);
    fdb_set_port_limit(b->plane.fdb, p->no, 0);
    life_open(p);
}

static void add(struct bridge *b, const struct port_spec *spec, bool may_wait,
                const struct bport_heritage *h, sw_done done, void *arg)
{
    struct port_spec s;
    struct err e = {{0}};
    struct bport *p = NULL;
    int rc = port_spec_copy(&s, spec);

    if (rc)
        err_set(&e, rc, "port %s: the specification is too long", spec->name);
    else if (b->deleting)
        rc = err_set(&e, ENXIO, "bridge %s is being deleted", b->name);
    else
        p = admit(b, &s, h ? h->no : 0, &rc, &e);
    if (!p) {
        sw_answer(b->sw, done, arg, rc, &e);
        return;
    }
    p->may_wait = may_wait;
    if (h)
        p->heritage = *h;
    (void)change_new(&p->on_add, done, arg);
    enter(b, p);
}

void bport_add(struct bridge *b, const struct port_spec *spec, sw_done done,
               void *arg)
{
    add(b, spec, false, NULL, done, arg);
}

void bport_add_heir(struct bridge *b, const struct port_spec *spec,
                    const struct bport_heritage *h, sw_done done, void *arg)
{
    add(b, spec, false, h, done, arg);
}

void bport_add_absent(struct bridge *b, const struct port_spec *spec,
                      sw_done done, void *arg)
{
    add(b, spec, true, NULL, done, arg);
}

/* Also one that is on its way out already: whoever asks for that as well hears
 * when it is gone. */
static struct bport *find_any(struct bridge *b, const char *name)
{
    for (unsigned i = 1; i < VIEW_PORTS; i++)
        if (has_name(b->port[i], name))
            return b->port[i];
    return NULL;
}

void bport_del(struct bridge *b, const char *name, sw_done done, void *arg)
{
    struct bport *p = find_any(b, name);
    struct err e;

    if (!p) {
        err_set(&e, EINVAL, "bridge %s has no port %s", b->name, name);
        sw_answer(b->sw, done, arg, -EINVAL, &e);
        return;
    }
    (void)change_new(&p->on_del, done, arg);
    life_delete(p);
}

void bport_hush(struct bport *p)
{
    p->hushed = true;
}

void bport_expect_end(struct bport *p, bool expected)
{
    p->end_expected = expected;
}

/* ---- parameters ---- */

static const struct limits {
    const char *what;
    uint32_t max;
    int error;
} limits[BPORT_PARAMS] = {
    [BPORT_PATH_COST] = {"path cost", 65535, ERANGE},
    [BPORT_PRIORITY] = {"priority", 63, ERANGE},
    [BPORT_HAIRPIN] = {"hairpin", 1, EINVAL},
    [BPORT_ISOLATED] = {"isolation", 1, EINVAL},
    [BPORT_LEARNING] = {"learning", 1, EINVAL},
    [BPORT_FLOOD] = {"flooding of unknown addresses", 1, EINVAL},
    [BPORT_FLOOD_MCAST] = {"flooding of multicasts", 1, EINVAL},
    [BPORT_FLOOD_BCAST] = {"flooding of broadcasts", 1, EINVAL},
    [BPORT_FWD_MASK] = {"group forward mask", 0xffff, ERANGE},
    [BPORT_FDB_LIMIT] = {"limit of learned addresses", 1U << 30, ERANGE},
    [BPORT_ADMIN_EDGE] = {"admin edge", 1, EINVAL},
    [BPORT_AUTO_EDGE] = {"auto edge", 1, EINVAL},
    [BPORT_P2P] = {"point to point", 2, EINVAL},
    [BPORT_BPDU_GUARD] = {"BPDU guard", 1, EINVAL},
    [BPORT_BPDU_FILTER] = {"BPDU filter", 1, EINVAL},
    [BPORT_ROOT_GUARD] = {"root guard", 1, EINVAL},
    [BPORT_TCN_GUARD] = {"TCN guard", 1, EINVAL},
    [BPORT_LOOP_GUARD] = {"loop guard", 1, EINVAL},
    [BPORT_ASSURANCE] = {"bridge assurance", 1, EINVAL},
    [BPORT_WATCH_ADDRESSES] = {"watching for addresses", 1, EINVAL},
    [BPORT_FOLLOW_MOVES] = {"following moves", 1, EINVAL},
};

/* 17.14 of 802.1D-2004 */
#define LONG_COST_MAX 200000000U

static uint32_t param_max(const struct bport *p, enum bport_param w)
{
    return w == BPORT_PATH_COST && p->b->param[BRIDGE_LONG_COST]
               ? LONG_COST_MAX
               : limits[w].max;
}

void bport_set(struct bport *p, enum bport_param w, uint32_t v, sw_done done,
               void *arg)
{
    char text[OBSERVE_VALUE_MAX];
    struct changes told;
    struct err e = {{0}};

    if ((unsigned)w >= BPORT_PARAMS || v > param_max(p, w)) {
        int rc = (unsigned)w < BPORT_PARAMS ? limits[w].error : EINVAL;

        err_set(&e, rc, "port %s: %s %u is not in 0..%u", p->port->spec.name,
                (unsigned)w < BPORT_PARAMS ? limits[w].what : "parameter", v,
                (unsigned)w < BPORT_PARAMS ? param_max(p, w) : 0);
        sw_answer(p->b->sw, done, arg, -rc, &e);
        return;
    }
    p->param[w] = v;
    p->limit_set |= w == BPORT_FDB_LIMIT;
    p->edge_set |= w == BPORT_ADMIN_EDGE;
    p->watch_set |= w == BPORT_WATCH_ADDRESSES;
    if (w == BPORT_FDB_LIMIT)
        fdb_set_port_limit(p->b->plane.fdb, p->no, v);
    bport_dirty(p);
    observe_port(p, SW_EVENT_PORT_PARAM, "port %s: %s is %s",
                 p->port->spec.name, limits[w].what,
                 observe_value(v, limits[w].max, text));
    changes_init(&told);
    if (change_new(&told, done, arg))
        sw_stage(p->b->sw, &told);
}

/* As the kernel's bridge has it (Linux 6.18). */
static uint32_t cost_of_speed(uint32_t mbps)
{
    static const struct {
        uint32_t speed, cost;
    } table[] = {{10, 100}, {100, 19}, {1000, 5},
                 {2500, 4}, {5000, 3}, {10000, 2}};

    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (mbps == table[i].speed)
            return table[i].cost;
    return mbps > 10000 ? 1 : 100;
}

/* Table 17-3 of 802.1D-2004; of unknown speed as if it were 10 Mb/s, as above
 */
static uint32_t long_cost_of_speed(uint32_t mbps)
{
    const uint32_t at_one = 20000000;

    if (mbps == 0)
        mbps = 10;
    return mbps > at_one ? 1 : at_one / mbps;
}

uint32_t bport_cost(const struct bport *p)
{
    uint32_t cost = p->param[BPORT_PATH_COST];

    if (cost)
        return cost;
    return p->b->param[BRIDGE_LONG_COST] ? long_cost_of_speed(p->caps.speed)
                                         : cost_of_speed(p->caps.speed);
}

/* ---- showing ---- */

static void say_why(const struct bport *p, struct bport_info *i)
{
    const struct port_desc *d = &p->desc;
    const char *why = "";

    if (i->state == BPORT_FORWARDING)
        return;
    if (p->why[0])
        why = p->why;
    else if (p->life == LIFE_OPENING || p->life == LIFE_ATTACHING)
        why = "being opened";
    else if (p->life != LIFE_RUNNING)
        why = "being closed";
    else if (!bridge_up(p->b))
        why = "the bridge interface is down";
    else if (!p->caps.link && p->port->kind->peer && d->detail[0])
        why = d->detail; /* which also tells of attempts that failed */
    else if (!p->caps.link)
        why = p->no_link[0] ? p->no_link : "no link";
    else
        why = tree_why_shut(p);
    text_copy(i->why, sizeof(i->why), why);
}

static void show_caps(const struct port_caps *c, struct bport_info *i)
{
    i->mac = c->mac;
    i->mtu = c->mtu;
    i->speed = c->speed;
    i->link = c->link;
    i->vnet = c->vnet;
    i->tx_csum = c->tx_csum;
    i->tx_tso4 = c->tx_tso4;
    i->tx_tso6 = c->tx_tso6;
    i->tx_uso = c->tx_uso;
}

/* It forwards when the view that makes it so is out, and until the view that
 * shuts it is.  The end of a peer may not have been told yet. */
static enum bport_state state_in_force(const struct bport *p)
{
    const struct port *port = p->port;
    enum bport_state s = bport_shown(p);
    bool forwards = atomic_load(&port->forwarding);

    if (s == BPORT_FORWARDING &&
        (!forwards || (port->kind->peer && !atomic_load(&port->peer))))
        return BPORT_DISABLED;
    return s != BPORT_FORWARDING && forwards && p->apply == APPLY_WANTED
               ? BPORT_FORWARDING
               : s;
}

void bport_info(const struct bport *p, struct bport_info *i)
{
    struct bport *w = p->b->port[p->no];

    memset(i, 0, sizeof(*i));
    life_describe(w);
    text_copy(i->name, sizeof(i->name), p->port->spec.name);
    (void)port_spec_format(&p->port->spec, i->spec, sizeof(i->spec));
    text_copy(i->kind, sizeof(i->kind), p->port->kind->name);
    i->no = p->no;
    i->state = state_in_force(p);
    i->failed = p->life == LIFE_FAILED ||
                (p->life != LIFE_RUNNING && !p->adding && !p->deleting);
    say_why(p, i);
    memcpy(i->param, p->param, sizeof(i->param));
    i->edge = p->caps.edge;
    i->netns = p->netns_first;
    i->cost_auto = p->param[BPORT_PATH_COST] == 0;
    if (i->cost_auto)
        i->param[BPORT_PATH_COST] = bport_cost(p);
    show_caps(&p->caps, i);
    text_copy(i->device, sizeof(i->device), p->desc.device);
    text_copy(i->detail, sizeof(i->detail), p->desc.detail);
    i->ifindex = p->desc.ifindex;
    i->netns = p->watch ? p->netns : 0;
    i->fdb_learned =
        fdb_port_learned(p->b->plane.fdb, p->no, p->b->gens[p->no]);
}

void bport_stats(const struct bport *p, struct bport_stats *s)
{
    memset(s, 0, sizeof(*s));
    for (unsigned i = 0; i < p->b->sw->n_forwarders; i++) {
        const struct lane *l = &p->lane[i];

        s->rx_frames += lane_read(&l->rx_frames);
        s->rx_bytes += lane_read(&l->rx_bytes);
        s->tx_frames += lane_read(&l->tx_frames);
        s->tx_bytes += lane_read(&l->tx_bytes);
        for (unsigned r = 0; r < REASON_COUNT; r++)
            s->reason[r] += lane_read(&l->reason[r]);
    }
    life_describe(p->b->port[p->no]);
    for (unsigned r = 0; r < PORT_REASON_COUNT; r++)
        s->reason[r] += p->past.n[r] + p->desc.losses.n[r];
}

/* ---- mem ports ---- */

int bport_mem_inject(struct bport *p, const void *frame, uint32_t len,
                     const struct virtio_net_hdr *vnet, unsigned copies)
{
    return mem_inject(p->port, frame, len, vnet, copies);
}

int bport_mem_collect(struct bport *p, void *buf, uint32_t size,
                      struct virtio_net_hdr *vnet)
{
    return mem_collect(p->port, buf, size, vnet);
}

int bport_mem_fail_after(struct bport *p, int64_t n)
{
    return mem_fail_after(p->port, n);
}
