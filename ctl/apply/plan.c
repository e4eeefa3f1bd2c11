/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/apply/plan_guests.h"
#include "ctl/apply/plan_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- plans ---- */

struct step *plan_add(struct plan *p, enum step_kind kind, const char *bridge,
                      const char *port)
{
    struct step *s;

    if (p->n == p->room) {
        unsigned room = p->room ? p->room * 2 : 32;

        s = realloc(p->step, room * sizeof(*s));
        if (!s)
            return NULL;
        p->step = s;
        p->room = room;
    }
    s = &p->step[p->n++];
    *s = (struct step){.kind = kind};
    snprintf(s->bridge, sizeof(s->bridge), "%s", bridge);
    snprintf(s->port, sizeof(s->port), "%s", port ? port : "");
    return s;
}

int plan_say(struct plan *p, struct step *s, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s->text, fmt, ap);
    va_end(ap);
    if (n < 0) {
        s->text = NULL;
        return -ENOMEM;
    }
    p->n_said++;
    return 0;
}

int plan_note(struct plan *p, const char *fmt, ...)
{
    va_list ap;
    char *text;
    int n;

    if (p->n_notes == p->notes_room) {
        unsigned room = p->notes_room ? p->notes_room * 2 : 8;
        char **note = realloc(p->note, room * sizeof(*note));

        if (!note)
            return -ENOMEM;
        p->note = note;
        p->notes_room = room;
    }
    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return -ENOMEM;
    p->note[p->n_notes++] = text;
    return 0;
}

/* By kind, and within one as they were added. */
void plan_sort(struct plan *p)
{
    unsigned at[STEP_KINDS + 1] = {0};
    struct step *sorted = p->n ? malloc(p->n * sizeof(*sorted)) : NULL;

    if (!sorted) { /* slower, needs nothing */
        for (unsigned i = 1; i < p->n; i++) {
            struct step s = p->step[i];
            unsigned k = i;

            for (; k > 0 && p->step[k - 1].kind > s.kind; k--)
                p->step[k] = p->step[k - 1];
            p->step[k] = s;
        }
        return;
    }
    for (unsigned i = 0; i < p->n; i++)
        at[p->step[i].kind + 1]++;
    for (unsigned k = 0; k < STEP_KINDS; k++)
        at[k + 1] += at[k];
    for (unsigned i = 0; i < p->n; i++)
        sorted[at[p->step[i].kind]++] = p->step[i];
    free(p->step);
    p->step = sorted;
    p->room = p->n;
}

void plan_free(struct plan *p)
{
    for (unsigned i = 0; i < p->n; i++)
        free(p->step[i].text);
    for (unsigned i = 0; i < p->n_notes; i++)
        free(p->note[i]);
    free(p->step);
    free(p->note);
    memset(p, 0, sizeof(*p));
}

/* ---- making one ---- */

int maker_no_memory(struct maker *m)
{
    return err_set(m->e, ENOMEM, "no memory to compare the configuration");
}

/* A step about the file's bridge; NULL: out of memory. */
struct step *maker_add(struct maker *m, enum step_kind kind,
                       struct want_port *wp, const char *port)
{
    struct step *s = plan_add(m->p, kind, m->wb->conf->name, port);

    if (!s)
        return NULL;
    s->wb = m->wb;
    s->wp = wp;
    return s;
}

/* With an interface or without: a bridge is made so. */
static int remake_bridge(struct maker *m, const struct run_bridge *rb)
{
    const struct run_port *hand = plan_first_by_hand(m, rb);
    const char *name = rb->info.name;
    int rc;

    if (!rb->owned || hand)
        return want_fail(m->e, EEXIST, &m->wb->conf->pos,
                         "%s is there %s an interface of its own, and %s%s was "
                         "made by hand: delete it first (brctl delbr %s)",
                         name, rb->info.local ? "with" : "without",
                         hand ? "its port " : "it", hand ? hand->name : "",
                         name);
    rc = plan_remove_bridge(m, rb, true);
    return rc ? rc : plan_add_bridge(m);
}

static int want_one(struct maker *m)
{
    const struct conf_bridge *c = m->wb->conf;
    const struct run_bridge *rb = running_find(m->in->running, c->name);

    if (rb && rb->info.netns != m->in->netns)
        return want_fail(m->e, EEXIST, &c->pos,
                         "there is a bridge %s already, in another network "
                         "namespace",
                         c->name);
    if (c->adopt)
        return plan_adopt_bridge(m, rb);
    if (!rb)
        return plan_add_bridge(m);
    if (rb->info.device[0])
        return want_fail(m->e, EEXIST, &c->pos,
                         "%s is a bridge of the kernel's that was adopted: "
                         "whoever made it there configures it (to give it "
                         "back: bascule adopt %s --undo)",
                         c->name, c->name);
    return rb->info.local == c->local ? plan_keep_bridge(m, rb)
                                      : remake_bridge(m, rb);
}

/* A bridge that the file does not name. */
static int unwanted(struct maker *m, const struct run_bridge *rb)
{
    if (rb->owned && rb->owned->netns == m->in->netns)
        return rb->info.device[0] ? plan_unadopt(m, rb)
                                  : plan_remove_bridge(m, rb, false);
    if (rb->owned || rb->info.netns != m->in->netns)
        return 0;
    if (rb->info.device[0])
        return 0; /* not of our making */
    return plan_note(m->p, "%s was made by hand and stays", rb->info.name)
               ? maker_no_memory(m)
               : 0;
}

int plan_make(struct plan *p, const struct plan_input *in, struct err *e)
{
    struct maker m = {.p = p, .in = in, .e = e};
    int rc;

    memset(p, 0, sizeof(*p));
    rc = plan_guests(p, in, e);
    for (unsigned i = 0; !rc && i < in->running->n_bridges; i++)
        if (!want_find(in->want, in->running->bridge[i].info.name))
            rc = unwanted(&m, &in->running->bridge[i]);
    for (unsigned i = 0; !rc && i < in->want->n_bridges; i++) {
        m.wb = &in->want->bridge[i];
        rc = want_one(&m);
    }
    if (!rc)
        rc = plan_check_names(p, in, e);
    if (!rc)
        rc = plan_check_guests(p, in, e);
    if (rc)
        plan_free(p);
    else
        plan_sort(p);
    return rc;
}
