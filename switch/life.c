/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a port, as a table of states and allowed moves; what brings
 * about each move is below it.  A port whose device fails walks to "failed"
 * and waits there for the device; one that is deleted walks to "gone".
 */
#include "switch/bridge.h"

#include "base/log.h"
#include "ports/tap.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

static struct queue *of_mail(struct mail *m)
{
    return (struct queue *)(void *)((char *)m - offsetof(struct queue, mail));
}

static struct queue *of_mail_done(struct message *m)
{
    return (struct queue *)(void *)((char *)m -
                                    offsetof(struct queue, mail.done));
}

/* A device is there, and the tree may say what becomes of its frames. */
static bool operational(const struct bport *p)
{
    if (p->life != LIFE_RUNNING || !bridge_up(p->b))
        return false;
    return p->no == BRIDGE_LOCAL || p->caps.link;
}

enum bport_state bport_state(const struct bport *p)
{
    if (!operational(p))
        return BPORT_DISABLED;
    if (!p->b->tree.stp || p->no == BRIDGE_LOCAL)
        return BPORT_FORWARDING;
    if (p->stp_state == STP_FORWARDING)
        return BPORT_FORWARDING;
    if (p->stp_state == STP_LEARNING)
        return BPORT_LEARN;
    if (p->stp_role == STP_ROLE_ALTERNATE || p->stp_role == STP_ROLE_BACKUP ||
        (p->stp_guarded && p->stp_role != STP_ROLE_DISABLED))
        return BPORT_BLOCKING;
    return p->stp_role == STP_ROLE_DISABLED ? BPORT_DISABLED : BPORT_LISTENING;
}

enum bport_state bport_shown(const struct bport *p)
{
    enum bport_state s = bport_state(p);

    for (unsigned i = 0; i < PORT_QUEUES_MAX && s == BPORT_FORWARDING; i++)
        if (p->queue[i].freshening)
            s = BPORT_LISTENING;
    return s;
}

bool bport_forwarding(const struct bport *p)
{
    return bport_state(p) == BPORT_FORWARDING;
}

static void detach(struct bport *p);
static void failed(struct bport *p);

/* ---- the end ---- */

static void free_port(struct bport *p)
{
    struct sw *sw = p->b->sw;

    inbox_cancel(&sw->inbox, &p->message);
    netwatch_remove(p->watch);
    bport_set_note(p, NULL, NULL);
    port_free(p->port);
    view_port_put(p->record);
    free(p->lane);
    hold_free(p->hold);
    free(p);
}

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
    free_port(p);
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

static void attach_answered(struct message *m);

static void attach_run(struct mail *m, struct ev_loop *loop)
{
    struct queue *q = of_mail(m);
    struct port *port = q->in.q.port;

    q->rc = port->ops->attach(port, &q->in.q, loop);
}

static struct worker *least_busy(struct sw *sw)
{
    struct worker *w = sw->worker[0];

    for (unsigned i = 1; i < sw->n_workers; i++)
        if (sw->worker[i]->queues < w->queues)
            w = sw->worker[i];
    return w;
}

static void queue_init(struct bport *p, unsigned index, struct worker *w)
{
    struct queue *q = &p->queue[index];
    struct forwarder *fwd = w ? &w->fwd : p->b->sw->fwd;

    q->p = p;
    q->worker = w;
    q->in = (struct ingress){
        .q = {.port = p->port, .index = index, .ready = turn_ready},
        .fwd = fwd,
        .plane = &p->b->plane,
        .lane = &p->lane[fwd->ctx],
        .no = p->no,
        .fresh = p->opened,
        .asked = p->opened,
    };
    q->attached = true;
    if (w)
        w->queues++;
}

static void attach_queue(struct bport *p, unsigned index, struct worker *w)
{
    struct queue *q = &p->queue[index];

    queue_init(p, index, w);
    q->mail.run = attach_run;
    q->mail.done.run = attach_answered;
    p->outstanding++;
    if (w) {
        worker_mail(w, &q->mail);
    } else {
        attach_run(&q->mail, p->b->sw->loop);
        inbox_post(&p->b->sw->inbox, &q->mail.done);
    }
}

static void attach(struct bport *p)
{
    unsigned n = p->port->n_queues;

    move(p, LIFE_ATTACHING);
    if (n > PORT_QUEUES_MAX)
        n = PORT_QUEUES_MAX;
    for (unsigned i = 0; i < n; i++)
        attach_queue(p, i, least_busy(p->b->sw));
    if (p->caps.proto_queue)
        attach_queue(p, PORT_QUEUE_PROTO, NULL);
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
    if (!p->follow_set && p->no != BRIDGE_LOCAL)
        p->param[BPORT_FOLLOW_MOVES] =
            bport_default(BPORT_FOLLOW_MOVES, p->caps.edge);
    p->follow_set = true;
    if (p->limit_set || p->no == BRIDGE_LOCAL)
        return;
    p->limit_set = true;
    p->param[BPORT_FDB_LIMIT] = limit;
    fdb_set_port_limit(p->b->plane.fdb, p->no, limit);
}

/* A link change that came while a job had the port: true if its device left
 * since. */
static bool link_now(struct bport *p)
{
    bool was = p->from_link, left = p->from_gone;

    p->from_link = p->from_gone = false;
    if (was && p->port->ops->link)
        p->port->ops->link(p->port, &p->link);
    return left;
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
    if (link_now(p))
        tap_refresh(p->port); /* another of its name may be there */
}

/* The first failure of a new port is the answer to whoever adds it. */
static void give_up(struct bport *p, int rc, const struct err *e)
{
    changes_fail(&p->on_add, rc, e);
    p->deleting = true;
    if (p->no == BRIDGE_LOCAL)
        bridge_ready(p->b, rc, e);
}

static void attach_answered(struct message *m)
{
    struct queue *q = of_mail_done(m);
    struct bport *p = q->p;

    if (q->rc && !p->port->failed && !p->job_rc) {
        p->job_rc = q->rc;
        err_sys(&p->job_err, q->rc, "port %s: starting queue %u",
                p->port->spec.name, q->in.q.index);
    }
    if (--p->outstanding)
        return;
    if (!p->job_rc && p->port->failed && p->adding)
        p->job_rc =
            err_set(&p->job_err, EIO, "port %s failed as soon as it was open",
                    p->port->spec.name);
    if (p->job_rc && p->adding && !p->deleting)
        give_up(p, p->job_rc, &p->job_err);
    if (p->job_rc)
        text_copy(p->why, sizeof(p->why), p->job_err.text);
    if (p->job_rc || p->deleting || p->port->failed)
        detach(p);
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
        attach(p);
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

static void reopen(struct bport *p)
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
        reopen(p);
    else
        (void)link_now(p); /* is it back already? */
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

static void detach_run(struct mail *m, struct ev_loop *loop)
{
    struct queue *q = of_mail(m);
    struct port *port = q->in.q.port;

    port->ops->detach(port, &q->in.q, loop);
    turn_forget(&q->in);
}

static void detached(struct bport *p)
{
    move(p, LIFE_GRACE);
    sw_want_grace(p->b->sw);
}

static void detach_answered(struct message *m)
{
    struct queue *q = of_mail_done(m);
    struct bport *p = q->p;

    q->attached = false;
    if (q->worker)
        q->worker->queues--;
    if (--p->outstanding == 0)
        detached(p);
}

static void detach_queue(struct queue *q)
{
    q->mail.run = detach_run;
    q->mail.done.run = detach_answered;
    q->p->outstanding++;
    if (q->worker) {
        worker_mail(q->worker, &q->mail);
    } else {
        detach_run(&q->mail, q->p->b->sw->loop);
        inbox_post(&q->p->b->sw->inbox, &q->mail.done);
    }
}

static void detach(struct bport *p)
{
    move(p, LIFE_DETACHING);
    table_flush_port(p->b, p->no, true);
    if (p->no == BRIDGE_LOCAL)
        bridge_all_dirty(p->b);
    else
        bport_dirty(p);
    local_entries(p->b);
    p->outstanding += p->lent;
    for (unsigned i = 0; i <= PORT_QUEUE_PROTO; i++)
        if (p->queue[i].attached)
            detach_queue(&p->queue[i]);
    if (p->outstanding == 0)
        detached(p);
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
        detached(p);
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
        detach(p);
    else if (p->life == LIFE_FAILED)
        purge(p);
    /* in all other states an answer is due that looks at 'deleting' */
}

/* ---- what the device says ---- */

static void tell_failed(const struct bport *p)
{
    const char *bridge = p->b->name, *name = p->port->spec.name;

    if (p->hushed)
        return;
    if (p->end_expected)
        log_info("bridge %s: port %s: %s", bridge, name, p->why);
    else
        log_warn("bridge %s: port %s failed: %s", bridge, name, p->why);
}

static void on_failed(struct bport *p, const char *reason)
{
    text_copy(p->why, sizeof(p->why), reason);
    tell_failed(p);
    if (p->life == LIFE_RUNNING)
        detach(p);
}

static void on_ready(struct bport *p)
{
    if (p->life == LIFE_FAILED)
        reopen(p);
    else if (p->life != LIFE_RUNNING)
        p->ready = true;
}

/* The netdev of a tap has moved to another namespace: watch that. */
static void rewatch(struct bport *p)
{
    struct netwatch_ns *old = p->watch;
    int fd = tap_netns(p->port), rc = fd;
    struct err e = {{0}};

    p->watch = NULL;
    if (fd >= 0) {
        p->netns = netns_id(fd);
        p->watch = netwatch_add(p->b->sw->netwatch, fd, &rc, &e);
        close(fd);
    }
    netwatch_remove(old);
    if (p->watch) {
        tap_refresh(p->port); /* what it was before we watched is not told */
    } else {
        tap_unwatched(p->port);
        log_warn("bridge %s: port %s moved to a namespace whose links cannot "
                 "be watched: %s",
                 p->b->name, p->port->spec.name,
                 *e.text ? e.text : strerror(-rc));
    }
    life_describe(p);
}

/* 'fell': the link went down, even if it is up again by now. */
static void on_caps(struct bport *p, bool fell)
{
    bool link = p->caps.link;

    if (p->life != LIFE_RUNNING)
        return;
    if (p->watch && p->port->netns && p->port->netns != p->netns &&
        !p->port->failed)
        rewatch(p);
    p->caps = port_caps_now(p->port);
    if (fell || (link && !p->caps.link))
        table_flush_port(p->b, p->no, true);
    bport_dirty(p);
    if (p->no == BRIDGE_LOCAL)
        local_changed(p->b);
    local_entries(p->b);
}

#define BIT(e) (1u << PORT_EVENT_##e)

static void on_message(struct message *m)
{
    struct bport *p =
        (struct bport *)(void *)((char *)m - offsetof(struct bport, message));
    struct sw *sw = p->b->sw;
    char reason[sizeof(p->reason)], fell[sizeof(p->fell)];
    unsigned events;

    pthread_mutex_lock(&sw->event_lock);
    events = p->events;
    p->events = 0;
    memcpy(reason, p->reason, sizeof(reason));
    memcpy(fell, p->fell, sizeof(fell));
    pthread_mutex_unlock(&sw->event_lock);
    if (events & BIT(DOWN))
        text_copy(p->no_link, sizeof(p->no_link), fell);
    if (events & (BIT(UP) | BIT(DOWN) | BIT(CAPS)))
        on_caps(p, events & BIT(DOWN));
    if (events & BIT(UP))
        speed_ask(p);
    if (events & BIT(FAILED))
        on_failed(p, reason);
    if (events & BIT(READY))
        on_ready(p);
}

/* Any thread. */
static void on_event(struct port *port, enum port_event ev, const char *reason)
{
    struct bport *p = port->owner;
    struct sw *sw = p->b->sw;

    pthread_mutex_lock(&sw->event_lock);
    p->events |= 1u << ev;
    if (ev == PORT_EVENT_FAILED)
        text_copy(p->reason, sizeof(p->reason), reason ? reason : "");
    if (ev == PORT_EVENT_DOWN)
        text_copy(p->fell, sizeof(p->fell), reason ? reason : "");
    pthread_mutex_unlock(&sw->event_lock);
    inbox_post(&sw->inbox, &p->message);
}

/* While a job has the port its changes wait; the last one is enough, but for
 * whether one told that the device left. */
static void link_later(struct bport *p, const struct link_change *c)
{
    p->from_link = true;
    p->from_gone |= c->gone;
    p->link = *c;
    text_copy(p->link_name, sizeof(p->link_name), c->ifname ? c->ifname : "");
    p->link.ifname = p->link_name;
}

static void link_port(struct bport *p, const struct link_change *c)
{
    bool named = c->ifname && strcmp(c->ifname, p->port->spec.target) == 0;

    if (!named && (p->desc.ifindex == 0 || c->ifindex != p->desc.ifindex))
        return;
    if (p->life != LIFE_RUNNING && p->life != LIFE_FAILED) {
        link_later(p, c);
        return;
    }
    p->port->ops->link(p->port, c);
    if (p->no == BRIDGE_LOCAL && p->life == LIFE_RUNNING && !c->gone &&
        c->ifindex == p->desc.ifindex)
        local_heard(p->b, &c->mac, c->mtu);
}

void life_link(struct sw *sw, uint64_t netns, const struct link_change *c)
{
    for (struct bridge *b = sw->bridges; b; b = b->next)
        for (unsigned i = 0; i < VIEW_PORTS; i++)
            if (b->port[i] && b->port[i]->watch && b->port[i]->netns == netns &&
                b->port[i]->port->ops->link)
                link_port(b->port[i], c);
}

/* ---- birth ---- */

static int lanes_new(struct bport *p)
{
    size_t size = p->b->sw->n_forwarders * sizeof(*p->lane);

    p->lane = aligned_alloc(_Alignof(struct lane), size);
    if (!p->lane)
        return -ENOMEM;
    memset(p->lane, 0, size);
    return 0;
}

static int watch(struct bport *p, struct err *e)
{
    int fd = p->port->spec.netns_fd;
    int rc = 0;

    if (!p->port->kind->netdev || !p->port->ops->link)
        return 0;
    p->netns = p->netns_first = netns_id(fd);
    p->watch = netwatch_add(p->b->sw->netwatch, fd, &rc, e);
    return rc;
}

static int birth(struct bport *p, const struct port_spec *spec, struct err *e)
{
    int rc;

    p->port = port_new(spec, &rc, e);
    if (!p->port)
        return rc;
    p->port->owner = p;
    p->port->event = on_event;
    p->port->n_txctx = p->b->sw->n_forwarders;
    if (lanes_new(p))
        return err_set(e, ENOMEM, "port %s: no memory", spec->name);
    return watch(p, e);
}

struct bport *bport_new(struct bridge *b, const struct port_spec *spec,
                        uint16_t no, int *rc, struct err *e)
{
    struct bport *p = calloc(1, sizeof(*p));

    if (!p) {
        *rc = err_set(e, ENOMEM, "port %s: no memory", spec->name);
        return NULL;
    }
    p->b = b;
    p->no = no;
    p->adding = true;
    p->life = LIFE_OPENING;
    p->message.run = on_message;
    changes_init(&p->on_add);
    changes_init(&p->on_del);
    *rc = birth(p, spec, e);
    if (*rc) {
        free_port(p);
        return NULL;
    }
    return p;
}
