/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a port, as a table of states and allowed moves; what brings
 * about each move is below it.  A port whose device fails walks to "failed"
 * and waits there for the device; one that is deleted walks to "gone".
 */
#include "switch/life.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define MAY(s) (1u << LIFE_##s)

static const unsigned allowed[LIFE_STATES] = {
    [LIFE_OPENING] =
        MAY(ATTACHING) | MAY(FAILED) | MAY(GRACE) | MAY(PURGING) | MAY(GONE),
    [LIFE_ATTACHING] = MAY(RUNNING) | MAY(DETACHING),
    [LIFE_RUNNING] = MAY(DETACHING),
    [LIFE_DETACHING] = MAY(GRACE),
    [LIFE_GRACE] = MAY(CLOSING),
    [LIFE_CLOSING] = MAY(FAILED) | MAY(PURGING),
    [LIFE_FAILED] = MAY(OPENING) | MAY(PURGING),
    [LIFE_PURGING] = MAY(GONE),
};

static void move(struct bport *p, enum life to)
{
    assert(allowed[p->life] & 1u << to);
    p->life = to;
}

static struct bport *of_job(struct job *j)
{
    return (struct bport *)(void *)((char *)j - offsetof(struct bport, job));
}

static struct bport *of_job_done(struct message *m)
{
    return (struct bport *)(void *)((char *)m -
                                    offsetof(struct bport, job.done));
}

/* ---- the end ---- */

static void gone(struct bport *p)
{
    struct bridge *b = p->b;
    struct changes told;

    move(p, LIFE_GONE);
    tree_port_gone(p);
    changes_init(&told);
    changes_move(&told, &p->on_add);
    own_wait(b, &p->on_del);
    b->port[p->no] = NULL;
    if (p->no != BRIDGE_LOCAL)
        b->n_ports--;
    bport_free(p);
    sw_answer_all(b->sw, &told);
    bridge_port_gone(b);
}

void life_purged(struct bport *p)
{
    gone(p);
}

static void purge(struct bport *p)
{
    move(p, LIFE_PURGING);
    if (p->b->deleting)
        gone(p); /* the table goes as a whole */
    else
        table_purge_port(p);
}

/* ---- opening ---- */

static void failed(struct bport *p);

static void open_work(struct job *j)
{
    struct bport *p = of_job(j);

    p->job_err.text[0] = '\0';
    p->job_rc = p->port->ops->open(p->port, &p->job_err);
}

/* A job that has the port would be in the way. */
void life_describe(struct bport *p)
{
    if (p->life == LIFE_OPENING || p->life == LIFE_CLOSING)
        return;
    memset(&p->desc, 0, sizeof(p->desc));
    if (p->port->ops->describe)
        p->port->ops->describe(p->port, &p->desc);
}

static void tell_added(struct bport *p)
{
    if (p->no != BRIDGE_LOCAL)
        observe_port(p, SW_EVENT_PORT_ADD, "port %s added to bridge %s as %u",
                     p->port->spec.name, p->b->name, p->no);
}

static void tell_came_back(struct bport *p)
{
    if (p->adding)
        tell_added(p);
    else
        log_info("bridge %s: port %s is back", p->b->name, p->port->spec.name);
}

/* What is behind the port is known when it is open for the first time. */
static void default_by_kind(struct bport *p)
{
    uint32_t limit = bport_default(BPORT_FDB_LIMIT, p->caps.edge);

    if (!p->edge_set)
        p->param[BPORT_ADMIN_EDGE] =
            bport_default(BPORT_ADMIN_EDGE, p->caps.edge);
    p->edge_set = true;
    if (!p->watch_set && p->no != BRIDGE_LOCAL)
        p->param[BPORT_WATCH_ADDRESSES] =
            bport_default(BPORT_WATCH_ADDRESSES, p->caps.edge);
    p->watch_set = true;
    if (p->limit_set || p->no == BRIDGE_LOCAL)
        return;
    p->limit_set = true;
    p->param[BPORT_FDB_LIMIT] = limit;
    fdb_set_port_limit(p->b->plane.fdb, p->no, limit);
}

static void running(struct bport *p)
{
    move(p, LIFE_RUNNING);
    p->caps = port_caps_now(p->port); /* they may have changed since the open */
    tell_came_back(p);
    default_by_kind(p);
    p->adding = false;
    p->why[0] = '\0';
    bport_dirty(p);
    if (p->no == BRIDGE_LOCAL) {
        local_changed(p->b);
        bridge_ready(p->b, 0, NULL);
    }
    local_entries(p->b);
    own_wait(p->b, &p->on_add);
    if (device_link_now(p))
        home_ask(p); /* another of its name may be there */
}

/* The first failure of a new port is the answer to whoever adds it. */
static void give_up(struct bport *p, int rc, const struct err *e)
{
    changes_fail(&p->on_add, rc, e);
    p->deleting = true;
    if (p->no == BRIDGE_LOCAL)
        bridge_ready(p->b, rc, e);
}

void life_attached(struct bport *p)
{
    if (!p->job_rc && p->port->failed && p->adding)
        p->job_rc =
            err_set(&p->job_err, EIO, "port %s failed as soon as it was open",
                    p->port->spec.name);
    if (p->job_rc && p->adding && !p->deleting)
        give_up(p, p->job_rc, &p->job_err);
    if (p->job_rc)
        text_copy(p->why, sizeof(p->why), p->job_err.text);
    if (p->job_rc || p->deleting || p->port->failed)
        life_detach(p);
    else
        running(p);
}

/* Is what the port stands on not there, or not to be touched? */
static bool lacks_device(const struct bport *p)
{
    int rc = p->job_rc;

    return rc == -ENODEV || rc == -ENETDOWN ||
           (p->port->kind->file && (rc == -ENOENT || rc == -EEXIST));
}

/* It fails, but for whoever adds it, it is in the bridge. */
static void add_without_device(struct bport *p)
{
    text_copy(p->why, sizeof(p->why), p->job_err.text);
    log_warn("bridge %s: port %s %s: %s", p->b->name, p->port->spec.name,
             p->port->kind->file ? "does without its file"
                                 : "waits for its device",
             p->why);
    tell_added(p);
    p->adding = false;
    sw_stage(p->b->sw, &p->on_add);
}

static void open_done(struct message *m)
{
    struct bport *p = of_job_done(m);

    if (p->job_rc == 0) {
        p->caps = port_caps_now(p->port);
        move(p, LIFE_ATTACHING);
        queues_attach(p);
        life_describe(p);
        return;
    }
    if (p->adding && !p->deleting && p->may_wait && lacks_device(p))
        add_without_device(p);
    else if (p->adding && !p->deleting)
        give_up(p, p->job_rc, &p->job_err);
    else
        text_copy(p->why, sizeof(p->why), p->job_err.text);
    if (p->deleting)
        purge(p);
    else
        failed(p);
}

void life_open(struct bport *p)
{
    p->job.work = open_work;
    p->job.done.run = open_done;
    p->ready = false;
    jobs_add(&p->b->sw->devices, &p->job);
}

/* The kind counts from its last open on: keep what it has so far. */
static void keep_losses(struct bport *p)
{
    life_describe(p);
    for (unsigned i = 0; i < PORT_REASON_COUNT; i++)
        p->past.n[i] += p->desc.losses.n[i];
    memset(&p->desc.losses, 0, sizeof(p->desc.losses));
}

void life_reopen(struct bport *p)
{
    keep_losses(p);
    p->no_link[0] = '\0';
    move(p, LIFE_OPENING);
    life_open(p);
}

/* ---- closing ---- */

static void failed(struct bport *p)
{
    move(p, LIFE_FAILED);
    observe_state(p);
    if (p->ready)
        life_reopen(p);
    else
        (void)device_link_now(p); /* is it back already? */
}

static void close_work(struct job *j)
{
    struct bport *p = of_job(j);

    p->port->ops->close(p->port);
}

static void close_done(struct message *m)
{
    struct bport *p = of_job_done(m);

    if (p->deleting)
        purge(p);
    else
        failed(p);
}

static void close_it(struct bport *p)
{
    life_describe(p);
    move(p, LIFE_CLOSING);
    p->job.work = close_work;
    p->job.done.run = close_done;
    jobs_add(&p->b->sw->devices, &p->job);
}

void life_graced(struct bport *p)
{
    p->in_grace = false;
    close_it(p);
}

void life_detached(struct bport *p)
{
    move(p, LIFE_GRACE);
    sw_want_grace(p->b->sw);
}

void life_detach(struct bport *p)
{
    move(p, LIFE_DETACHING);
    table_flush_port(p->b, p->no, true);
    if (p->no == BRIDGE_LOCAL)
        bridge_all_dirty(p->b);
    else
        bport_dirty(p);
    local_entries(p->b);
    p->outstanding += p->lent;
    queues_detach(p);
    if (p->outstanding == 0)
        life_detached(p);
}

void life_lend(struct bport *p)
{
    assert(p->life == LIFE_RUNNING);
    p->lent++;
}

void life_give_back(struct bport *p)
{
    p->lent--;
    if (p->life == LIFE_DETACHING && --p->outstanding == 0)
        life_detached(p);
}

void life_delete(struct bport *p)
{
    bool was = p->deleting;
    struct err e;

    p->deleting = true;
    if (was)
        return;
    if (p->adding)
        changes_fail(
            &p->on_add,
            err_set(&e, ECANCELED, "port %s was deleted", p->port->spec.name),
            &e);
    if (p->no != BRIDGE_LOCAL)
        observe_port(p, SW_EVENT_PORT_DEL, "port %s left bridge %s",
                     p->port->spec.name, p->b->name);
    if (p->life == LIFE_RUNNING)
        life_detach(p);
    else if (p->life == LIFE_FAILED)
        purge(p);
    /* in all other states an answer is due that looks at 'deleting' */
}
