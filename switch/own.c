/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Setting the bridge's own interface to what local.c has made out.
 *
 * Each such request waits for the kernel's lock of all interfaces, which is
 * held for tens of milliseconds whenever one goes, so a job makes it.  There is
 * one at a time for each interface.  It sets what differs between how the
 * interface is and how it is to be when the job begins; what is wanted
 * meanwhile is compared when it ends, so that the last wish wins and those
 * between are left out.  The interface is lent to the job: its descriptor is
 * not closed before the job has ended.
 *
 * A change that is answered after it is in force waits for the interface, too.
 *
 * What the user sets while a job is out may have come before it or after it.
 * So what the kernel tells counts for how the interface is, old or new: if it
 * is not what is wanted, that is set once more.
 */
#include "switch/bridge.h"

#include "base/clock.h"
#include "base/log.h"
#include "ports/tap.h"

/* After that long nothing is on its way any more. */
#define ECHO_NS (2 * NSEC_PER_SEC)

static struct bridge *of_done(struct message *m)
{
    return (struct bridge *)(void *)((char *)m -
                                     offsetof(struct bridge, own.job.done));
}

static struct bridge *of_job(struct job *j)
{
    return (struct bridge *)(void *)((char *)j -
                                     offsetof(struct bridge, own.job));
}

static struct own_state wanted(const struct bridge *b)
{
    return (struct own_state){b->mac, b->mtu, b->carrier};
}

static bool equal(const struct own_state *a, const struct own_state *b,
                  enum own_what w)
{
    return w == OWN_MAC ? mac_equal(&a->mac, &b->mac) : a->mtu == b->mtu;
}

static bool same(const struct own_state *a, const struct own_state *b)
{
    return equal(a, b, OWN_MAC) && equal(a, b, OWN_MTU) &&
           a->carrier == b->carrier;
}

/* ---- the job ---- */

static void complain(const struct bridge *b, int rc, const struct err *e)
{
    if (rc)
        log_warn("bridge %s: %s", b->name, e->text);
}

static void work(struct job *j)
{
    struct bridge *b = of_job(j);
    const struct own_state *is = &b->own.is, *to = &b->own.doing;
    struct port *port = b->own.setting->port;
    struct err e = {{0}};

    if (!equal(to, is, OWN_MAC))
        complain(b, tap_set_mac(port, &to->mac, &e), &e);
    if (!equal(to, is, OWN_MTU))
        complain(b, tap_set_mtu(port, to->mtu, &e), &e);
    if (to->carrier != is->carrier)
        complain(b, tap_set_carrier(port, to->carrier, &e), &e);
}

/* What was refused counts as done: it would be refused again. */
static void done(struct message *m)
{
    struct bridge *b = of_done(m);
    struct own *o = &b->own;
    struct bport *l = o->setting;
    struct own_state want = wanted(b);

    o->past[o->at % OWN_HISTORY].time = clock_now();
    o->is = o->doing;
    o->setting = NULL;
    sw_stage(b->sw, &o->in_job);
    if (o->waiting.head || !same(&o->is, &want))
        bridge_dirty(b);
    life_give_back(l);
}

static void start(struct bridge *b, struct bport *l,
                  const struct own_state *want)
{
    struct own *o = &b->own;

    o->setting = l;
    o->doing = *want;
    o->past[++o->at % OWN_HISTORY] = (struct own_setting){
        .after = *want,
        /* of what stays, nothing will be told */
        .told = {[OWN_MAC] = equal(&o->is, want, OWN_MAC),
                 [OWN_MTU] = equal(&o->is, want, OWN_MTU)},
    };
    life_lend(l);
    jobs_add(&b->sw->settings, &o->job);
}

void own_follow(struct bridge *b)
{
    struct bport *l = b->port[BRIDGE_LOCAL];
    struct own_state want = wanted(b);
    struct own *o = &b->own;
    bool there = l && l->life == LIFE_RUNNING && !b->deleting;

    if (there && !o->setting && !same(&o->is, &want))
        start(b, l, &want);
    if (o->setting && same(&o->doing, &want))
        changes_move(&o->in_job, &o->waiting);
    else if (!o->setting || !there)
        sw_stage(b->sw, &o->waiting);
}

void own_wait(struct bridge *b, struct changes *c)
{
    changes_move(&b->own.waiting, c);
    bridge_dirty(b);
}

/* ---- what the kernel tells ---- */

/* The k-th job before the last one, if its changes may yet be told. */
static struct own_setting *job_before(struct own *o, unsigned k)
{
    struct own_setting *s = &o->past[(o->at - k) % OWN_HISTORY];
    bool out = o->setting && k == 0;

    return out || (s->time && clock_now() - s->time < ECHO_NS) ? s : NULL;
}

/* The kernel tells of changes in order, so that those before it are over. */
static bool set_by_job(struct own *o, const struct own_state *s,
                       enum own_what w)
{
    unsigned k = OWN_HISTORY;

    while (k-- > 0) {
        struct own_setting *j = job_before(o, k);

        if (!j || j->told[w] || !equal(&j->after, s, w))
            continue;
        for (; k < OWN_HISTORY; k++)
            o->past[(o->at - k) % OWN_HISTORY].told[w] = true;
        return true;
    }
    return false;
}

bool own_heard(struct bridge *b, const struct own_state *s, enum own_what w)
{
    struct own *o = &b->own;
    bool news = !equal(s, &o->told, w);

    if (w == OWN_MAC)
        o->told.mac = s->mac;
    else
        o->told.mtu = s->mtu;
    return news && !set_by_job(o, s, w);
}

void own_compare(struct bridge *b)
{
    struct own *o = &b->own;
    struct own_state want = wanted(b);

    if (o->setting)
        return; /* seen to when the job ends */
    o->is.mac = o->told.mac;
    o->is.mtu = o->told.mtu;
    if (!same(&o->is, &want))
        bridge_dirty(b);
}

/* ---- beginning and end ---- */

void own_init(struct bridge *b)
{
    changes_init(&b->own.waiting);
    changes_init(&b->own.in_job);
    b->own.job.work = work;
    b->own.job.done.run = done;
}

void own_begin(struct bridge *b, const struct own_state *is)
{
    b->own.is = b->own.told = *is;
}

void own_end(struct bridge *b)
{
    sw_answer_all(b->sw, &b->own.waiting);
}
