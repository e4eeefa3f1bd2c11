/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/bridge.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const uint32_t defaults[BRIDGE_PARAMS] = {
    [BRIDGE_AGEING] = 30000,       [BRIDGE_PRIORITY] = 32768,
    [BRIDGE_FORWARD_DELAY] = 1500, [BRIDGE_HELLO] = 200,
    [BRIDGE_MAX_AGE] = 2000,       [BRIDGE_STP] = 0,
    [BRIDGE_FWD_MASK] = 0,         [BRIDGE_FDB_LIMIT] = 1U << 20,
    [BRIDGE_FORCE_VERSION] = 2,    [BRIDGE_TX_HOLD] = 6,
    [BRIDGE_LONG_COST] = 0,        [BRIDGE_RECOVERY] = 30000,
};

/* ---- finding ---- */

static struct bridge *any_bridge(struct sw *sw, const char *name)
{
    for (struct bridge *b = sw->bridges; b; b = b->next)
        if (strcmp(b->name, name) == 0)
            return b;
    return NULL;
}

static bool settled(const struct bridge *b)
{
    return !b->adding && !b->deleting;
}

struct bridge *bridge_find(struct sw *sw, const char *name)
{
    struct bridge *b = any_bridge(sw, name);

    return b && settled(b) ? b : NULL;
}

struct bridge *bridge_next(struct sw *sw, struct bridge *prev)
{
    struct bridge *b = prev ? prev->next : sw->bridges;

    while (b && !settled(b))
        b = b->next;
    return b;
}

struct bridge *bridge_by_number(struct sw *sw, uint32_t number)
{
    struct bridge *b = sw->bridges;

    while (b && b->number != number)
        b = b->next;
    return b;
}

/* ---- making ---- */

static void entry_gone(void *arg, uint64_t key, const struct fdb_value *v)
{
    observe_fdb(arg, SW_EVENT_FDB_DEL, key, v->port, v->flags);
}

static void bridge_free(struct bridge *b)
{
    struct view *v = rcu_read(&b->plane.view);

    view_free(v);
    fdb_free(b->plane.fdb);
    if (b->netns_fd >= 0)
        close(b->netns_fd);
    free(b);
}

/* A forwarder never meets a bridge without a view. */
static int first_view(struct bridge *b)
{
    static const struct view_port *const none[VIEW_PORTS];
    struct view *v = view_new(none, b->gens);

    rcu_publish(&b->plane.view, v);
    return v ? 0 : -ENOMEM;
}

static int set_up(struct bridge *b, const struct bridge_config *c,
                  struct err *e)
{
    struct fdb_config fc = {
        .limit = defaults[BRIDGE_FDB_LIMIT], .gone = entry_gone, .gone_arg = b};

    if (c->netns_fd >= 0) {
        b->netns_fd = fcntl(c->netns_fd, F_DUPFD_CLOEXEC, 3);
        if (b->netns_fd < 0)
            return err_sys(e, errno, "bridge %s: its namespace", c->name);
    }
    b->netns = netns_id(b->netns_fd);
    b->plane.fdb = fdb_new(&fc);
    if (!b->plane.fdb || first_view(b))
        return err_set(e, ENOMEM, "bridge %s: no memory", c->name);
    b->mac = mac_random();
    if (!c->device[0])
        return 0;
    b->mac = c->mac;
    b->mac_set = b->unsettled = true;
    return 0;
}

static struct bridge *bridge_new(struct sw *sw, const struct bridge_config *c,
                                 int *rc, struct err *e)
{
    struct bridge *b = calloc(1, sizeof(*b));

    if (!b) {
        *rc = err_set(e, ENOMEM, "bridge %s: no memory", c->name);
        return NULL;
    }
    b->sw = sw;
    b->netns_fd = -1;
    b->number = sw->next_number++;
    b->plane.bridge = b->number;
    b->adding = true;
    text_copy(b->name, sizeof(b->name), c->name);
    text_copy(b->device, sizeof(b->device), c->device);
    memcpy(b->param, defaults, sizeof(defaults));
    changes_init(&b->on_add);
    changes_init(&b->on_del);
    own_init(b);
    *rc = set_up(b, c, e);
    if (*rc) {
        bridge_free(b);
        return NULL;
    }
    return b;
}

static void interface_text(const struct bridge *b,
                           const struct bridge_config *c, char *out, size_t n)
{
    char mac[MAC_TEXT_MAX];

    if (b->device[0])
        snprintf(out, n, "tap:%s,name=%s,mac=%s,mtu=%u", b->device, b->name,
                 mac_format(&c->mac, mac), c->mtu);
    else
        snprintf(out, n, "tap:%s", b->name);
}

static int add_interface(struct bridge *b, const struct bridge_config *c,
                         struct err *e)
{
    struct port_spec spec;
    char text[128];
    struct bport *p;
    int rc;

    interface_text(b, c, text, sizeof(text));
    rc = port_spec_parse(&spec, text, e);
    if (rc)
        return rc;
    spec.local = true;
    spec.netns_fd = b->netns_fd;
    p = bport_new(b, &spec, BRIDGE_LOCAL, &rc, e);
    /* From here on its tap's: a bridge does not keep a namespace alive. */
    if (b->netns_fd >= 0)
        close(b->netns_fd);
    b->netns_fd = -1;
    if (!p)
        return rc;
    p->param[BPORT_FLOOD_MCAST] = p->param[BPORT_FLOOD_BCAST] = 1;
    p->param[BPORT_FLOOD] = b->device[0] != '\0';
    b->port[BRIDGE_LOCAL] = p;
    life_open(p);
    return 0;
}

static int add_check(struct sw *sw, const struct bridge_config *c,
                     struct err *e)
{
    int rc = bridge_name_check(c->name, e);

    if (rc)
        return rc;
    if (any_bridge(sw, c->name))
        return err_set(e, EEXIST, "there is a bridge %s already", c->name);
    if (bport_owner(sw, c->name))
        return err_set(e, EEXIST, "there is a port %s already", c->name);
    return 0;
}

static void begin(struct bridge *b)
{
    struct sw *sw = b->sw;

    *sw->bridges_tail = b;
    sw->bridges_tail = &b->next;
    table_start(b);
    bridge_dirty(b);
    if (!b->port[BRIDGE_LOCAL])
        bridge_ready(b, 0, NULL);
}

/* The view must exist before a queue can deliver its first frame. */
void bridge_add(struct sw *sw, const struct bridge_config *c, sw_done done,
                void *arg)
{
    struct err e = {{0}};
    int rc = add_check(sw, c, &e);
    struct bridge *b = rc ? NULL : bridge_new(sw, c, &rc, &e);

    if (!b) {
        sw_answer(sw, done, arg, rc, &e);
        return;
    }
    if (c->local)
        rc = add_interface(b, c, &e);
    if (rc) {
        bridge_free(b);
        sw_answer(sw, done, arg, rc, &e);
        return;
    }
    (void)change_new(&b->on_add, done, arg);
    begin(b);
}

/* Its interface is there, or has failed to come up. */
void bridge_ready(struct bridge *b, int rc, const struct err *e)
{
    if (!b->adding)
        return;
    changes_fail(&b->on_add, rc, e);
    if (rc) {
        b->deleting = true; /* told when it is gone */
        return;
    }
    b->adding = false;
    observe_bridge(b, SW_EVENT_BRIDGE_ADD, "bridge %s added", b->name);
    own_wait(b, &b->on_add);
}

/* ---- deleting ---- */

static void unlink_bridge(struct bridge *b)
{
    struct bridge **at = &b->sw->bridges;

    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    if (!*at)
        b->sw->bridges_tail = at;
}

/* No queue leads to the bridge any more, so no forwarder does. */
static void finish(struct bridge *b)
{
    unlink_bridge(b);
    table_stop(b);
    own_end(b);
    sw_answer_all(b->sw, &b->on_add);
    sw_answer_all(b->sw, &b->on_del);
    bridge_free(b);
}

static bool empty(const struct bridge *b)
{
    for (unsigned i = 0; i < VIEW_PORTS; i++)
        if (b->port[i])
            return false;
    return true;
}

static void run_last(struct message *m)
{
    finish(
        (struct bridge *)(void *)((char *)m - offsetof(struct bridge, last)));
}

/* From a message: whoever told us that a port is gone looks at the bridge. */
static void finish_soon(struct bridge *b)
{
    b->last.run = run_last;
    inbox_post(&b->sw->inbox, &b->last);
}

void bridge_port_gone(struct bridge *b)
{
    bridge_dirty(b);
    fdb_set_active_ports(b->plane.fdb, b->n_ports);
    if (b->deleting && empty(b))
        finish_soon(b);
}

static void start_delete(struct bridge *b)
{
    struct err e;

    if (b->adding)
        changes_fail(&b->on_add,
                     err_set(&e, ECANCELED, "bridge %s was deleted", b->name),
                     &e);
    else
        observe_bridge(b, SW_EVENT_BRIDGE_DEL, "bridge %s deleted", b->name);
    b->deleting = true;
    (void)tree_switch(b, false);
    for (unsigned i = 0; i < VIEW_PORTS; i++)
        if (b->port[i])
            life_delete(b->port[i]);
    if (empty(b))
        finish_soon(b);
}

void bridge_del(struct sw *sw, const char *name, bool force, sw_done done,
                void *arg)
{
    struct bridge *b = force ? any_bridge(sw, name) : bridge_find(sw, name);
    struct err e = {{0}};

    if (!b) {
        err_set(&e, ENXIO, "there is no bridge %s", name);
        sw_answer(sw, done, arg, -ENXIO, &e);
        return;
    }
    if (!force && b->port[BRIDGE_LOCAL] && bridge_up(b)) {
        err_set(&e, EBUSY, "bridge %s is still up (ip link set dev %s down)",
                name, name);
        sw_answer(sw, done, arg, -EBUSY, &e);
        return;
    }
    (void)change_new(&b->on_del, done, arg);
    if (!b->deleting)
        start_delete(b);
}

/* ---- parameters ---- */

static const struct limits {
    const char *what;
    uint32_t min, max;
    bool time; /* in hundredths of a second */
} limits[BRIDGE_PARAMS] = {
    [BRIDGE_AGEING] = {"ageing time", 0, 600000, true},
    [BRIDGE_PRIORITY] = {"priority", 0, 65535, false},
    [BRIDGE_FORWARD_DELAY] = {"forward delay", 0, UINT32_MAX, true},
    [BRIDGE_HELLO] = {"hello time", 100, 1000, true},
    [BRIDGE_MAX_AGE] = {"max age", 600, 4000, true},
    [BRIDGE_STP] = {"spanning tree", 0, 1, false},
    [BRIDGE_FWD_MASK] = {"group forward mask", 0, 0xffff, false},
    [BRIDGE_FDB_LIMIT] = {"limit of learned addresses", 1, UINT32_MAX, false},
    [BRIDGE_FORCE_VERSION] = {"force version", 0, 2, false},
    [BRIDGE_TX_HOLD] = {"transmit hold count", 1, 10, false},
    [BRIDGE_LONG_COST] = {"long path costs", 0, 1, false},
    [BRIDGE_RECOVERY] = {"recovery time", 0, 8640000, true},
};

/* What the kernel allows while its spanning tree is on. */
#define FORWARD_DELAY_MIN 200
#define FORWARD_DELAY_MAX 3000

/* A cost that 16 bits do not hold stands in the way of the short table. */
static int check_costs(const struct bridge *b, struct err *e)
{
    for (unsigned i = 1; i < VIEW_PORTS; i++)
        if (b->port[i] && b->port[i]->param[BPORT_PATH_COST] > UINT16_MAX)
            return err_set(e, EINVAL,
                           "bridge %s: port %s has the path cost %u, which "
                           "needs long ones",
                           b->name, b->port[i]->port->spec.name,
                           b->port[i]->param[BPORT_PATH_COST]);
    return 0;
}

static int check_tree(const struct bridge *b, enum bridge_param p, uint32_t v,
                      struct err *e)
{
    if (p == BRIDGE_FORWARD_DELAY && b->tree.stp &&
        (v < FORWARD_DELAY_MIN || v > FORWARD_DELAY_MAX))
        return err_set(e, ERANGE,
                       "bridge %s: while the spanning tree is on, a forward "
                       "delay of %u.%02u is not in 2..30 seconds",
                       b->name, v / 100, v % 100);
    if (p == BRIDGE_FORCE_VERSION && v == 1)
        return err_set(e, EINVAL,
                       "bridge %s: force version is 0 (STP) or 2 (RSTP)",
                       b->name);
    return p == BRIDGE_LONG_COST && !v ? check_costs(b, e) : 0;
}

static int set_check(const struct bridge *b, enum bridge_param p, uint32_t v,
                     struct err *e)
{
    const struct limits *l;

    if (p >= BRIDGE_PARAMS)
        return err_set(e, EINVAL, "bridge %s: no parameter %u", b->name, p);
    l = &limits[p];
    if ((v < l->min || v > l->max) && l->time)
        return err_set(
            e, ERANGE, "bridge %s: %s %u.%02u is not in %u..%u seconds",
            b->name, l->what, v / 100, v % 100, l->min / 100, l->max / 100);
    if (v < l->min || v > l->max)
        return err_set(e, ERANGE, "bridge %s: %s %u is not in %u..%u", b->name,
                       l->what, v, l->min, l->max);
    return check_tree(b, p, v, e);
}

uint32_t bridge_default(enum bridge_param p)
{
    return defaults[p];
}

/* Switched on, the forward delay comes into its range, as in the kernel. */
static int switch_tree(struct bridge *b, bool on, struct err *e)
{
    uint32_t *delay = &b->param[BRIDGE_FORWARD_DELAY];
    int rc = tree_switch(b, on);

    if (rc)
        return err_set(e, rc, "bridge %s: no memory for a spanning tree",
                       b->name);
    if (on && *delay < FORWARD_DELAY_MIN)
        *delay = FORWARD_DELAY_MIN;
    if (on && *delay > FORWARD_DELAY_MAX)
        *delay = FORWARD_DELAY_MAX;
    return 0;
}

/* As people read it. */
static const char *value_words(enum bridge_param p, uint32_t v,
                               char text[OBSERVE_VALUE_MAX])
{
    if (!limits[p].time)
        return observe_value(v, limits[p].max, text);
    snprintf(text, OBSERVE_VALUE_MAX, "%u.%02u s", v / 100, v % 100);
    return text;
}

void bridge_set(struct bridge *b, enum bridge_param p, uint32_t v, sw_done done,
                void *arg)
{
    char text[OBSERVE_VALUE_MAX];
    struct changes told;
    struct err e = {{0}};
    int rc = set_check(b, p, v, &e);

    if (rc || p >= BRIDGE_PARAMS) {
        sw_answer(b->sw, done, arg, rc, &e);
        return;
    }
    if (p == BRIDGE_STP)
        rc = switch_tree(b, v, &e);
    if (rc) {
        sw_answer(b->sw, done, arg, rc, &e);
        return;
    }
    b->param[p] = v;
    if (p == BRIDGE_FDB_LIMIT)
        fdb_set_limit(b->plane.fdb, v);
    bridge_all_dirty(b);
    table_kick(b);
    observe_bridge(b, SW_EVENT_BRIDGE_PARAM, "bridge %s: %s is %s", b->name,
                   limits[p].what, value_words(p, v, text));
    changes_init(&told);
    if (change_new(&told, done, arg))
        sw_stage(b->sw, &told);
}

static uint16_t count_ports(const struct bridge *b)
{
    uint16_t n = 0;

    for (unsigned i = 1; i < VIEW_PORTS; i++)
        n += b->port[i] && !b->port[i]->deleting;
    return n;
}

void bridge_info(const struct bridge *b, struct bridge_info *i)
{
    struct bport *l = b->port[BRIDGE_LOCAL];

    memset(i, 0, sizeof(*i));
    text_copy(i->name, sizeof(i->name), b->name);
    i->mac = b->id_mac;
    i->mac_set = b->mac_set;
    i->mtu_set = b->mtu_set;
    memcpy(i->param, b->param, sizeof(i->param));
    i->local = l != NULL;
    text_copy(i->device, sizeof(i->device), b->device);
    i->up = bridge_up(b);
    i->carrier = b->carrier;
    i->mtu = b->mtu;
    i->netns = b->netns;
    i->n_ports = count_ports(b);
    if (l) {
        life_describe(l);
        i->ifindex = l->desc.ifindex;
    }
    fdb_stats(b->plane.fdb, &i->fdb);
}
