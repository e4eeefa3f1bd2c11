/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See adopt.h.  The way in, step by step:
 *
 *   survey     (task)   reads the kernel's bridge, its ports and table
 *   bridge     (switch) one of that name, with the tap
 *   front      (task)   the tap becomes a port of the kernel's bridge
 *   members    (switch) a few at a time
 *   addresses  (switch) what the kernel's bridge had learned
 *
 * If the kernel's bridge has its spanning tree on, ours is on as well before
 * the first member comes, and the tap becomes a port later:
 *
 *   members    (switch) those without link, the root port, then those that do
 *                       not forward
 *   join       (task)   the kernel's tree is put aside, the tap becomes a port
 *   members    (switch) the rest
 *
 * A failure on the way deletes the switch's bridge, and everything is as it
 * was: each port puts back its own device.
 */
#include "ctl/adopt/impl.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct adoption *find(const struct adopt *a, const char *name)
{
    struct adoption *ad;

    LIST_FOREACH(ad, &a->all, link)
    {
        if (ad->phase != DEAD && strcmp(ad->name, name) == 0)
            return ad;
    }
    return NULL;
}

/* By our name, or by what the kernel's bridge is called by now. */
static struct adoption *find_either(struct adopt *a, const char *name)
{
    struct adoption *ad = find(a, name);

    if (ad)
        return ad;
    LIST_FOREACH(ad, &a->all, link)
    {
        if (ad->phase == FOLLOWING && strcmp(ad->known.name, name) == 0)
            return ad;
    }
    return NULL;
}

/* ---- ends ---- */

static void adoption_free(struct adoption *ad)
{
    struct member *m;

    LIST_REMOVE(ad, link);
    follow_stop(ad);
    look_reset(&ad->look);
    look_forget_table(&ad->look);
    khold_release(&ad->look.hold);
    while ((m = LIST_FIRST(&ad->members)) != NULL)
        member_free(m);
    if (ad->netns_fd >= 0)
        close(ad->netns_fd);
    free(ad);
}

static void answer(struct adoption *ad)
{
    sw_done done = ad->done;

    ad->done = NULL;
    if (done)
        done(ad->arg, ad->rc, &ad->e);
}

static void end(struct adoption *ad)
{
    ad->phase = DEAD;
    follow_stop(ad);
    answer(ad);
    if (!ad->pending && !ad->looking)
        adoption_free(ad);
}

/* The first failure is the one that is told. */
static void note(struct adoption *ad, int rc, const struct err *e)
{
    if (!rc || ad->rc)
        return;
    ad->rc = rc;
    ad->e = *e;
}

static void on_bridge_gone(void *arg, int rc, const struct err *e)
{
    struct adoption *ad = arg;

    (void)rc;
    (void)e;
    ad->pending--;
    if (ad->done && !ad->rc) /* somebody has asked for it */
        log_info("bridge %s is the kernel's again", ad->name);
    end(ad);
}

static void delete_bridge(struct adoption *ad)
{
    if (!ad->bridge) {
        end(ad);
        return;
    }
    ad->bridge = false;
    ad->pending++;
    bridge_del(ad->a->sw, ad->name, true, on_bridge_gone, ad);
}

/* As a whole, its ports with it. */
static void drop_bridge(struct adoption *ad)
{
    ad->phase = UNDOING;
    ad->dropping = true;
    adoption_check(ad);
}

static void on_tree_back(void *arg, int rc, const struct err *e)
{
    struct adoption *ad = ((struct look *)arg)->ad;

    (void)rc; /* the bridge is gone, and its tree with it */
    (void)e;
    ad->looking = ad->look.hold.tree = false;
    if (ad->look.text[0])
        log_warn("bridge %s: %s", ad->name, ad->look.text);
    adoption_check(ad);
}

static void members_out(struct adoption *ad);

/*
 * The kernel's tree is on again before the first port is back, whose state it
 * keeps till then.  When undone, the tap goes last: until then it connects
 * those who are still here with those who are back.
 */
static void go_on_undoing(struct adoption *ad)
{
    if (ad->look.hold.tree) {
        if (adoption_look(ad, LOOK_BACK, on_tree_back) == 0)
            return;
        look_tree_back(&ad->look); /* no memory: it waits for the kernel */
        ad->look.hold.tree = false;
    }
    if (!ad->dropping)
        members_out(ad);
    if (!ad->pending)
        delete_bridge(ad);
}

void adoption_check(struct adoption *ad)
{
    if (ad->pending || ad->looking)
        return;
    if (ad->phase == DEAD)
        adoption_free(ad);
    else if (ad->phase == UNDOING && !ad->a->ending)
        go_on_undoing(ad);
}

void adoption_lost(struct adoption *ad, int rc, const char *why)
{
    log_warn("bridge %s is no longer adopted: %s", ad->name,
             rc == -ENODEV ? "the kernel's was deleted" : why);
    if (rc == -ENODEV && ad->a->on_lost)
        ad->a->on_lost(ad->a->on_lost_arg, ad->name);
    drop_bridge(ad);
}

/* ---- addresses ---- */

static void on_addresses(void *arg, int rc, const struct err *e)
{
    struct adoption *ad = arg;

    (void)rc; /* an address for which there was no room is flooded */
    (void)e;
    if (--ad->pending)
        return;
    if (ad->phase == ADOPTING) {
        log_info("bridge %s adopted; %s leads to the host", ad->name,
                 ad->look.device);
        look_reset(&ad->look);
        look_forget_table(&ad->look);
        follow_start(ad);
        answer(ad);
    }
    adoption_check(ad);
}

static struct bport *port_at(struct adoption *ad, struct bridge *b, int ifindex)
{
    struct member *m;

    LIST_FOREACH(m, &ad->members, link)
    {
        if (m->known.ifindex == ifindex)
            return bport_find(b, m->name);
    }
    return NULL;
}

static void import(struct adoption *ad, struct bridge *b,
                   const struct kbridge_entry *x)
{
    struct bport *p = port_at(ad, b, x->port);
    uint64_t key = fdb_key(0, mac_to_u64(&x->mac));
    struct fdb_value v;
    uint32_t age;
    uint8_t flags = 0;

    /* The ports' own addresses are known by now. */
    if (!p || x->vlan || bridge_fdb_get(b, key, &v, &age))
        return;
    if (kbridge_entry_local(x))
        flags = FDB_LOCAL | FDB_STATIC;
    else if (kbridge_entry_static(x))
        flags = FDB_STATIC;
    ad->pending++;
    bridge_fdb_set(b, key, p, flags, on_addresses, ad);
}

static void import_all(struct adoption *ad)
{
    struct bridge *b = adoption_bridge(ad);
    const struct err none = {""};

    ad->pending++;
    for (unsigned i = 0; b && i < ad->look.n_fdb; i++)
        import(ad, b, &ad->look.fdb[i]);
    if (b)
        bridge_settle(b);
    on_addresses(ad, 0, &none);
}

/* ---- members ---- */

/*
 * A member is without frames from the moment it leaves one side until it is on
 * the other, and the kernel takes them one at a time (its lock of all network
 * settings).  So a few change sides while the others go on where they are.
 */
#define AT_ONCE 4

static void add_members(struct adoption *ad);

static void members_in(struct adoption *ad);

static void on_front(void *arg, int rc, const struct err *e);

static void look_on(struct adoption *ad, enum look_what what)
{
    struct err e;

    if (adoption_look(ad, what, on_front) == 0)
        return;
    note(ad, err_set(&e, ENOMEM, "out of memory"), &e);
    drop_bridge(ad);
}

static void next_turn(struct adoption *ad)
{
    ad->turn++;
    ad->next = 0;
    if (ad->turn == TURN_REST)
        look_on(ad, LOOK_JOIN);
    else
        members_in(ad);
}

static void members_in(struct adoption *ad)
{
    bool stop = ad->rc || ad->a->ending || !adoption_bridge(ad);
    struct err e;

    if (ad->pending >= AT_ONCE)
        return;
    if (!stop && ad->next < ad->look.k.n_ports) {
        add_members(ad);
        return;
    }
    if (ad->pending)
        return;
    if (!adoption_bridge(ad)) /* delbr was quicker */
        note(ad, err_set(&e, ECANCELED, "bridge %s was deleted", ad->name), &e);
    if (stop)
        drop_bridge(ad);
    else if (ad->turn != TURN_REST)
        next_turn(ad);
    else
        import_all(ad);
}

static bool is_member(const struct adoption *ad, int ifindex)
{
    const struct member *m;

    LIST_FOREACH(m, &ad->members, link)
    {
        if (m->known.ifindex == ifindex)
            return true;
    }
    return false;
}

static void on_member(void *arg, int rc, const struct err *e)
{
    struct member *m = arg;
    struct adoption *ad = m->ad;

    ad->pending--;
    if (m->stage == MEMBER_COMING)
        m->stage = rc ? MEMBER_REFUSED : MEMBER_IN;
    /* One that has just been deleted is nobody's fault; one that was renamed
     * is met again. */
    if (rc == -ENODEV)
        member_free(m);
    else
        note(ad, rc, e);
    members_in(ad);
}

static void add_members(struct adoption *ad)
{
    const struct kbridge *k = &ad->look.k;

    while (ad->next < k->n_ports && ad->pending < AT_ONCE) {
        const struct kbridge_port *p = &k->port[ad->next++];
        struct err e;

        if (p->ifindex == ad->look.tap || is_member(ad, p->ifindex) ||
            !tree_turn(ad, p))
            continue;
        if (!member_add(ad, p, on_member)) {
            note(ad, err_set(&e, ENOMEM, "out of memory"), &e);
            ad->next = k->n_ports;
        }
    }
    if (!ad->pending)
        members_in(ad);
}

/* ---- the bridge ---- */

static void on_front(void *arg, int rc, const struct err *e)
{
    struct adoption *ad = ((struct look *)arg)->ad;

    ad->looking = false;
    note(ad, rc, e);
    if (ad->rc || ad->a->ending || !adoption_bridge(ad)) {
        members_in(ad);
        return;
    }
    follow_params(ad, &ad->look.k, ad->look.what == LOOK_FRONT);
    if (ad->look.hold.tree)
        tree_take(ad);
    if (ad->look.what == LOOK_FRONT)
        ad->turn = ad->look.hold.tree ? TURN_DEAD : TURN_REST;
    members_in(ad);
}

static void make_front(struct adoption *ad)
{
    struct bridge_info i;

    bridge_info(adoption_bridge(ad), &i);
    ad->look.tap = i.ifindex;
    look_on(ad, LOOK_FRONT);
}

static void on_bridge(void *arg, int rc, const struct err *e)
{
    struct adoption *ad = arg;

    ad->pending--;
    note(ad, rc, e);
    ad->bridge = rc == 0;
    if (rc || ad->a->ending || !adoption_bridge(ad))
        drop_bridge(ad);
    else
        make_front(ad);
}

static void on_surveyed(void *arg, int rc, const struct err *e)
{
    struct bridge_config c = {.local = true};
    struct adoption *ad = ((struct look *)arg)->ad;
    struct look *l = &ad->look;

    ad->looking = false;
    note(ad, rc, e);
    if (rc || ad->a->ending) {
        end(ad);
        return;
    }
    memcpy(c.name, ad->name, sizeof(c.name));
    memcpy(c.device, l->device, sizeof(c.device));
    c.netns_fd = ad->netns_fd;
    /* Without ports it may have none yet; then it will have the tap's. */
    c.mac = mac_is_zero(&l->k.mac) ? mac_random() : l->k.mac;
    c.mtu = l->k.mtu;
    ad->pending++;
    bridge_add(ad->a->sw, &c, on_bridge, ad);
}

/* ---- beginning ---- */

static void refuse(int netns_fd, sw_done done, void *arg, int rc,
                   const struct err *e)
{
    if (netns_fd >= 0)
        close(netns_fd);
    done(arg, rc, e);
}

void adopt_begin(struct adopt *a, const char *name, int netns_fd, bool disable,
                 sw_done done, void *arg)
{
    struct adoption *ad;
    struct err e;

    if (bridge_name_check(name, &e)) {
        refuse(netns_fd, done, arg, -EINVAL, &e);
        return;
    }
    if (find(a, name)) {
        err_set(&e, EALREADY, "%s is adopted already", name);
        refuse(netns_fd, done, arg, -EALREADY, &e);
        return;
    }
    ad = calloc(1, sizeof(*ad));
    if (!ad) {
        err_set(&e, ENOMEM, "out of memory");
        refuse(netns_fd, done, arg, -ENOMEM, &e);
        return;
    }
    ad->a = a;
    ad->disable = disable;
    ad->netns_fd = ad->look.netns_fd = netns_fd;
    ad->look.ad = ad;
    ad->look.nl_fd = -1;
    ad->look.hold = KHOLD_NONE;
    ad->look.what = LOOK_FIRST;
    ad->looking = true;
    ad->done = done;
    ad->arg = arg;
    LIST_INIT(&ad->members);
    snprintf(ad->name, sizeof(ad->name), "%s", name);
    memcpy(ad->look.name, ad->name, sizeof(ad->name));
    LIST_INSERT_HEAD(&a->all, ad, link);
    if (sw_job(a->sw, look_work, on_surveyed, &ad->look)) {
        err_set(&e, ENOMEM, "out of memory");
        on_surveyed(&ad->look, -ENOMEM, &e);
    }
}

/* ---- undoing ---- */

static void on_member_out(void *arg, int rc, const struct err *e);

static void members_out(struct adoption *ad)
{
    struct member *m, *next;

    for (unsigned rank = 0; rank < TREE_RANKS; rank++)
        for (m = LIST_FIRST(&ad->members); m && ad->pending < AT_ONCE;
             m = next) {
            next = LIST_NEXT(m, link);
            if ((m->stage == MEMBER_IN || m->stage == MEMBER_REFUSED) &&
                tree_rank(m) == rank)
                member_remove(m, on_member_out);
        }
}

static void on_member_out(void *arg, int rc, const struct err *e)
{
    struct member *m = arg;
    struct adoption *ad = m->ad;

    (void)rc;
    (void)e;
    ad->pending--;
    member_free(m);
    if (!ad->a->ending)
        members_out(ad);
    adoption_check(ad);
}

void adopt_undo(struct adopt *a, const char *name, sw_done done, void *arg)
{
    struct adoption *ad = find_either(a, name);
    struct err e;

    if (!ad || ad->phase != FOLLOWING || ad->done) {
        int rc = ad ? err_set(&e, EBUSY,
                              "%s is just being adopted or given "
                              "back: try again",
                              name)
                    : err_set(&e, ENXIO, "%s is not adopted", name);

        done(arg, rc, &e);
        return;
    }
    ad->phase = UNDOING;
    ad->done = done;
    ad->arg = arg;
    follow_stop(ad);
    adoption_check(ad);
}

bool adopt_has(const struct adopt *a, const char *name, bool *disable)
{
    const struct adoption *ad = find(a, name);

    *disable = ad && ad->disable;
    return ad != NULL;
}

/* ---- what happens in the switch ---- */

void adopt_event(struct adopt *a, const struct sw_event *ev)
{
    struct adoption *ad = find(a, ev->bridge);

    if (!ad)
        return;
    if (ev->type == SW_EVENT_BRIDGE_DEL)
        ad->bridge = false; /* who has its name from now on is another */
    if (ad->phase != FOLLOWING || a->ending)
        return;
    if (ev->type == SW_EVENT_BRIDGE_DEL) { /* delbr; its ports are back */
        log_info("bridge %s was deleted, and is the kernel's again", ad->name);
        follow_stop(ad);
        drop_bridge(ad);
    } else if (ev->type == SW_EVENT_PORT_STATE ||
               ev->type == SW_EVENT_PORT_DEL) {
        follow_soon(ad);
    }
}

/* ---- all of it ---- */

struct adopt *adopt_new(struct ev_loop *loop, struct sw *sw)
{
    struct adopt *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->loop = loop;
    a->sw = sw;
    LIST_INIT(&a->all);
    return a;
}

void adopt_on_lost(struct adopt *a, void (*fn)(void *arg, const char *bridge),
                   void *arg)
{
    a->on_lost = fn;
    a->on_lost_arg = arg;
}

void adopt_end(struct adopt *a)
{
    struct adoption *ad;

    a->ending = true;
    LIST_FOREACH(ad, &a->all, link)
    {
        ad->done = NULL; /* nobody is left to hear it */
        follow_stop(ad);
        look_tree_back(&ad->look);
    }
}

void adopt_free(struct adopt *a)
{
    struct adoption *ad, *next;

    if (!a)
        return;
    for (ad = LIST_FIRST(&a->all); ad; ad = next) {
        next = LIST_NEXT(ad, link);
        look_tree_back(&ad->look); /* a look may have come in between */
        adoption_free(ad);
    }
    free(a);
}
