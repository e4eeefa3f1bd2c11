/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port role selection (802.1D-2004, 17.28): the root, the root port and every
 * port's role, computed from what the ports know.
 */
#include "switch/stp/engine.h"

/* The better of two root path vectors (17.6): by the port received on, where
 * the rest is equal. */
static bool better_path(const struct stp_vector *a, uint16_t a_port,
                        const struct stp_vector *b, uint16_t b_port)
{
    int order = stp_vector_compare(a, b);

    return order < 0 || (order == 0 && a_port < b_port);
}

static bool same_bridge(uint64_t a, uint64_t b)
{
    return (a & 0xffffffffffffULL) == (b & 0xffffffffffffULL);
}

/* May the port's information lead to the root (17.21.25, a)? */
static bool leads_to_root(const struct stp *s, const struct stp_port *p)
{
    return p->info_is == INFO_RECEIVED && !p->config.root_guard &&
           !same_bridge(p->port_priority.bridge, s->config.id);
}

/* 17.6: the root path priority vector by this port. */
struct stp_vector stp_path_by(const struct stp_port *p)
{
    struct stp_vector v = p->port_priority;

    v.cost = v.cost > UINT32_MAX - p->config.cost ? UINT32_MAX
                                                  : v.cost + p->config.cost;
    return v;
}

/* Would it lead to a better root, or to this one a better way? */
bool stp_leads_better(const struct stp *s, const struct stp_port *p)
{
    struct stp_vector v = stp_path_by(p);

    return p->info_is == INFO_RECEIVED && stp_vector_compare(&v, &s->root) < 0;
}

static void be_root(struct stp *s)
{
    s->root = (struct stp_vector){.root = s->config.id, .bridge = s->config.id};
    s->root_port = 0;
    s->root_times = (struct stp_times){
        .max_age = s->config.max_age,
        .hello = s->config.hello,
        .forward_delay = s->config.forward_delay,
    };
}

/* 17.21.25, c: one hop further, in whole seconds. */
static struct stp_times one_hop_on(const struct stp_times *from)
{
    struct stp_times t = *from;
    uint32_t age = t.message_age + STP_SECOND;

    age = (age + STP_SECOND / 2) / STP_SECOND * STP_SECOND;
    t.message_age = age > UINT16_MAX ? UINT16_MAX : (uint16_t)age;
    return t;
}

/* 17.21.25, a to c */
static void find_root(struct stp *s)
{
    uint16_t best_id = 0;

    be_root(s);
    each_port (s, p) {
        struct stp_vector v;

        if (!leads_to_root(s, p))
            continue;
        v = stp_path_by(p);
        if (!better_path(&v, p->config.id, &s->root, best_id))
            continue;
        s->root = v;
        best_id = p->config.id;
        s->root_port = p->number;
    }
    if (s->root_port)
        s->root_times = one_hop_on(&s->port[s->root_port].port_times);
}

/* 17.21.25, d and e */
static void set_designated(const struct stp *s, struct stp_port *p)
{
    p->designated = (struct stp_vector){.root = s->root.root,
                                        .cost = s->root.cost,
                                        .bridge = s->config.id,
                                        .port = p->config.id};
    p->designated_times = s->root_times;
    p->designated_times.hello = s->config.hello;
}

static bool says_other(const struct stp_port *p)
{
    return stp_vector_compare(&p->port_priority, &p->designated) != 0 ||
           !stp_times_same(&p->port_times, &p->designated_times);
}

/* 17.21.25, h to l: what was received stands against what we would send. */
static void select_received(const struct stp *s, struct stp_port *p)
{
    p->updt_info = false;
    if (p->number == s->root_port) {
        p->selected_role = STP_ROLE_ROOT;
    } else if (stp_vector_compare(&p->designated, &p->port_priority) < 0) {
        p->selected_role = STP_ROLE_DESIGNATED;
        p->updt_info = true;
    } else if (same_bridge(p->port_priority.bridge, s->config.id)) {
        p->selected_role = STP_ROLE_BACKUP;
    } else {
        p->selected_role = STP_ROLE_ALTERNATE;
    }
}

/* 17.21.25, f and g */
static void select_role(const struct stp *s, struct stp_port *p)
{
    switch (p->info_is) {
    case INFO_DISABLED:
        p->selected_role = STP_ROLE_DISABLED;
        p->updt_info = false; /* else it could not take its role */
        break;
    case INFO_AGED:
        p->updt_info = true;
        p->selected_role = STP_ROLE_DESIGNATED;
        break;
    case INFO_MINE:
        if (says_other(p))
            p->updt_info = true;
        p->selected_role = STP_ROLE_DESIGNATED;
        break;
    case INFO_RECEIVED:
        select_received(s, p);
        break;
    }
}

/* Tells of another root, or another way to it. */
static void tell_root(struct stp *s)
{
    struct stp_note *n;

    if (s->root.root == s->shown_root && s->root_port == s->shown_root_port)
        return;
    s->shown_root = s->root.root;
    s->shown_root_port = s->root_port;
    n = stp_tell(s, NULL, STP_NOTE_ROOT, &s->tree_cause);
    n->vector = s->root;
    n->was = s->root_port ? STP_ROLE_ROOT : STP_ROLE_DISABLED;
}

/* 17.28, figure 17-19. */
void stp_select_roles(struct stp *s)
{
    if (!s->roles_due)
        return;
    s->roles_due = false;
    find_root(s);
    each_port (s, p) {
        p->reselect = false; /* 17.21.2 clearReselectTree */
        set_designated(s, p);
        select_role(s, p);
        p->selected = true; /* 17.21.16 setSelectedTree */
    }
    tell_root(s);
    stp_wake_all(s);
}
