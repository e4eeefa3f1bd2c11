/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of a plan about bridges of the kernel's that are adopted.
 */
#include "ctl/apply/plan_impl.h"

#include <errno.h>

static int adopt(struct maker *m)
{
    const struct conf_bridge *c = m->wb->conf;
    struct step *s = maker_add(m, STEP_ADOPT, NULL, NULL);

    return s && plan_say(m->p, s, "adopt bridge %s%s", c->name,
                         c->adopt == CONF_ADOPT_DISABLE
                             ? ", its ports disabled for the kernel"
                             : "") == 0
               ? 0
               : maker_no_memory(m);
}

int plan_unadopt(struct maker *m, const struct run_bridge *rb)
{
    const char *name = rb->info.name;
    struct step *s = plan_add(m->p, STEP_UNADOPT, name, NULL);

    return s && plan_say(m->p, s, "give bridge %s back to the kernel", name) ==
                       0
               ? 0
               : maker_no_memory(m);
}

/* One of our own has its name; where it has no interface, that can be. */
static int replace(struct maker *m, const struct run_bridge *rb)
{
    const char *name = rb->info.name;
    int rc;

    if (!rb->owned || plan_first_by_hand(m, rb))
        return want_fail(m->e, EEXIST, &m->wb->conf->pos,
                         "there is a bridge %s of our own, and it or a port of "
                         "it was made by hand: delete it first (brctl delbr "
                         "%s)",
                         name, name);
    rc = plan_remove_bridge(m, rb, true);
    return rc ? rc : adopt(m);
}

/* In another way than it was. */
static int anew(struct maker *m, const struct run_bridge *rb)
{
    const char *name = rb->info.name;
    int rc;

    if (!rb->owned)
        return want_fail(m->e, EEXIST, &m->wb->conf->pos,
                         "%s was adopted by hand, and in another way: give it "
                         "back first (bascule adopt %s --undo)",
                         name, name);
    rc = plan_unadopt(m, rb);
    return rc ? rc : adopt(m);
}

int plan_adopt_bridge(struct maker *m, const struct run_bridge *rb)
{
    const char *name = m->wb->conf->name;

    if (rb && !rb->info.device[0])
        return replace(m, rb);
    if (m->wb->absent)
        return plan_note(m->p, "%s waits for the kernel's bridge of that name",
                         name)
                   ? maker_no_memory(m)
                   : 0;
    if (!rb)
        return adopt(m);
    if (rb->adopt != m->wb->conf->adopt)
        return anew(m, rb);
    if (!rb->owned &&
        plan_note(m->p, "%s was adopted by hand and is the file's from now on",
                  name))
        return maker_no_memory(m);
    return maker_add(m, STEP_BRIDGE_OWN, NULL, NULL) ? 0 : maker_no_memory(m);
}
