/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From files to a plan.  All of it runs on the task thread, while the control
 * thread leaves the memory of what files made as it is.
 */
#include "ctl/apply/op.h"
#include "ctl/config/load.h"
#include "ctl/apply/member.h"
#include "ctl/guest/guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- files ---- */

/* A conf_open: the client has sent all of them. */
static int sent_file(void *arg, const char *name, const char *from, char **text,
                     size_t *len, struct err *e)
{
    const struct apply_request *r = arg;

    (void)from;
    for (unsigned i = 0; i < r->n_files; i++) {
        const struct apply_file *f = &r->file[i];

        if (strcmp(f->name, name) != 0)
            continue;
        *text = malloc(f->len + 1);
        if (!*text)
            return err_set(e, ENOMEM, "%s: no memory", name);
        memcpy(*text, f->text, f->len + 1);
        *len = f->len;
        return 0;
    }
    return err_set(e, ENOENT, "%s: the client has not sent it", name);
}

static int load(struct op *op, struct err *e)
{
    struct apply_request *r = op->req;

    if (op->hold) /* read before */
        return 0;
    if (r->conf) {
        op->conf = r->conf;
        r->conf = NULL;
        return 0;
    }
    return conf_load(&op->conf, r->file[0].name, sent_file, r, e);
}

/* ---- what a plan asks for ---- */

static int device(void *arg, int netns_fd, const char *name,
                  const struct port_spec *as, struct member *m, struct err *e)
{
    (void)arg;
    return member_get(netns_fd, name, as, m, e);
}

static int guest(void *arg, const struct guest_def *d, bool start, long others,
                 char *notice, size_t n, struct err *e)
{
    const struct op *op = arg;

    return guest_try(op->a->guests, d, start, others, notice, n, e);
}

/* ---- layer 3 ---- */

/* In a sorted plan, which is short where it is searched. */
static struct step *step_of(struct plan *p, enum step_kind kind,
                            const char *bridge)
{
    for (unsigned i = 0; i < p->n; i++)
        if (p->step[i].kind == kind && strcmp(p->step[i].bridge, bridge) == 0)
            return &p->step[i];
    return NULL;
}

static int begin_l3(struct op *op, const struct plan_input *in, struct step *s,
                    struct err *e)
{
    const struct conf_pos *pos = &s->wb->conf->pos;
    int rc;

    s->l3 = apply_l3_new(op->a, s->bridge, op->req->netns_fd,
                         plan_renderer(op->want, s->wb));
    if (!s->l3)
        return err_set(e, ENOMEM, "%s: no memory", s->bridge);
    if (!step_of(&op->plan, STEP_BRIDGE_ADD, s->bridge) ||
        step_of(&op->plan, STEP_BRIDGE_DEL, s->bridge))
        return 0;
    rc = l3_check(s->l3, e);
    return rc ? want_wrap(e, rc, pos)
              : plan_check_interface(in, op->req->netns_fd, s->bridge,
                                     NETDEV_FOR_BRIDGE, pos, e);
}

/* Without any change around it, what layer 3 says decides. */
static bool needed(struct plan *p, const char *bridge)
{
    return step_of(p, STEP_L3_BEGIN, bridge) ||
           step_of(p, STEP_UPLINK_TAKE, bridge) ||
           step_of(p, STEP_UPLINK_RETURN, bridge);
}

static struct l3 *planned_l3(struct op *op, const char *bridge)
{
    const struct step *begin = step_of(&op->plan, STEP_L3_BEGIN, bridge);
    const struct owned_bridge *b = owned_find(&op->a->owned, bridge);

    return begin ? begin->l3 : b ? b->l3 : NULL;
}

static int plan_l3(struct op *op, struct step *s, struct err *e)
{
    struct l3 *l = planned_l3(op, s->bridge);
    struct l3_notes notes = {{0}, 0, 0};
    int rc = l ? l3_plan(l, &s->wb->conf->l3, &notes, e) : 0;

    if (rc)
        return want_wrap(e, rc, &s->wb->conf->pos);
    while (notes.len && notes.text[notes.len - 1] == '\n')
        notes.text[--notes.len] = '\0';
    s->idle = notes.len == 0 && !s->text && !needed(&op->plan, s->bridge);
    if (notes.len == 0 || s->text)
        return 0;
    if (notes.more)
        rc = plan_say(&op->plan, s, "%s\n... and %u more", notes.text,
                      notes.more);
    else
        rc = plan_say(&op->plan, s, "%s", notes.text);
    return rc ? err_set(e, ENOMEM, "%s: no memory", s->bridge) : 0;
}

/* Doing it says the same when it is done. */
static void plan_moves(struct op *op)
{
    for (unsigned i = 0; op->req->dry_run && i < op->plan.n; i++) {
        const struct step *s = &op->plan.step[i];
        struct l3 *l =
            s->kind == STEP_UPLINK_TAKE ? planned_l3(op, s->bridge) : NULL;

        if (l)
            l3_plan_uplink(l, s->device, &op->notes);
    }
}

static int plan_all_l3(struct op *op, const struct plan_input *in,
                       struct err *e)
{
    struct plan *p = &op->plan;
    int rc = 0;

    for (unsigned i = 0; !rc && i < p->n; i++)
        if (p->step[i].kind == STEP_L3_BEGIN)
            rc = begin_l3(op, in, &p->step[i], e);
    for (unsigned i = 0; !rc && i < p->n; i++)
        if (p->step[i].kind == STEP_L3_APPLY)
            rc = plan_l3(op, &p->step[i], e);
    if (!rc)
        plan_moves(op);
    return rc;
}

/* ---- what is missing ---- */

static bool found(const struct want_bridge *wb, const struct conf_port *cp)
{
    for (unsigned i = 0; i < wb->n_ports; i++)
        if (wb->port[i].conf == cp)
            return true;
    return false;
}

static int say_missing(struct plan *p, const struct want_bridge *wb)
{
    for (unsigned i = 0; i < wb->conf->n_ports; i++) {
        const struct conf_port *cp = &wb->conf->port[i];

        if (cp->match.used && !found(wb, cp) &&
            plan_note(p, "%s: %s waits for an interface that matches it",
                      wb->conf->name, cp->id))
            return -ENOMEM;
    }
    return 0;
}

static int say_all_missing(struct op *op, struct err *e)
{
    const struct want *w = op->want;

    for (unsigned i = 0; w->missing.n && i < w->n_bridges; i++)
        if (say_missing(&op->plan, &w->bridge[i]))
            return err_set(e, ENOMEM, "no memory");
    return 0;
}

/* ---- all of it ---- */

int apply_plan_work(void *arg, struct err *e)
{
    struct op *op = arg;
    const struct apply_request *r = op->req;
    struct want_where where = {
        .netns_fd = r->netns_fd,
        .netns = op->netns,
        .named = r->named,
        .n_named = r->n_named,
        .file = r->opened,
        .n_files = r->n_opened,
        .may_open = r->may_open,
        .dry_run = r->dry_run,
        .may_name = r->may_name,
        .owned = &op->a->owned,
        .running = op->running,
        .may_wait = r->may_wait,
    };
    struct plan_input in = {
        .running = op->running,
        .owned = &op->a->owned,
        .netns = op->netns,
        .may_wait = r->may_wait,
        .may_guest = r->may_name,
        .no_guests = r->missing != NULL,
        .device = device,
        .guest = guest,
        .arg = op,
    };
    int rc = load(op, e);

    if (!rc)
        rc = want_make(&op->want, op->conf, &where, e);
    if (rc || (r->missing && !want_found_more(&op->want->missing, r->missing)))
        return rc;
    in.want = op->want;
    rc = plan_make(&op->plan, &in, e);
    if (!rc)
        rc = say_all_missing(op, e);
    if (!rc)
        rc = plan_all_l3(op, &in, e);
    if (!rc)
        unconfirmed_note(op);
    return rc;
}
