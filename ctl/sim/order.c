/* SPDX-License-Identifier: BSD-2-Clause */
/* Timed orders: what is cut, mended, killed, set, and expected. */
#include "ctl/sim/check.h"
#include "ctl/sim/option.h"

/* Links may have come or gone: every engine on the LAN is told. */
static void tell_lan(struct sim *s, uint32_t lan)
{
    for (uint32_t i = 0; i < s->lan[lan].ports; i++)
        sim_tell_port(s, s->lan[lan].port[i]);
}

static void cut(struct sim *s, struct sim_target t, bool yes)
{
    if (t.what == SIM_LAN) {
        s->lan[t.index].cut = yes;
        tell_lan(s, t.index);
    } else {
        s->port[t.index].cut = yes;
        tell_lan(s, s->port[t.index].lan);
    }
}

static void tell_neighbours(struct sim *s, const struct sim_bridge *b)
{
    for (uint16_t n = 1; n <= b->ports; n++)
        if (b->port[n] != SIM_NONE)
            tell_lan(s, s->port[b->port[n]].lan);
}

static void kill_bridge(struct sim *s, uint32_t bridge)
{
    struct sim_bridge *b = &s->bridge[bridge];

    if (b->dead)
        return;
    b->dead = true;
    b->life++;
    stp_free(b->stp);
    b->stp = NULL;
    for (uint16_t n = 1; n <= b->ports; n++)
        if (b->port[n] != SIM_NONE)
            s->port[b->port[n]].state = STP_DISCARDING;
    tell_neighbours(s, b);
}

static void revive(struct sim *s, uint32_t bridge)
{
    if (!s->bridge[bridge].dead)
        return;
    s->bridge[bridge].dead = false;
    sim_start_bridge(s, bridge);
    tell_neighbours(s, &s->bridge[bridge]);
}

static void set(struct sim *s, const struct sim_order *o)
{
    sim_option_apply(s, o->target, o->option, o->value);
    sim_excuses(s);
    if (o->target.what == SIM_BRIDGE)
        sim_tell_bridge(s, o->target.index);
    else if (o->target.what == SIM_PORT)
        sim_tell_port(s, o->target.index);
    else
        tell_lan(s, o->target.index);
}

static void mcheck(struct sim *s, struct sim_target t)
{
    const struct sim_port *p = &s->port[t.index];
    struct stp_event e = {.type = STP_MCHECK, .port = p->number};

    sim_tell(s, p->bridge, &e);
}

/* ---- expectations ---- */

static void unexpected(struct sim *s, const struct sim_order *o, const char *is)
{
    s->result.wrong++;
    sim_fail(s, SIM_LINE_WRONG, "", "%s:%u: %s, but it is %s", s->file, o->line,
             o->text, is);
}

/* Is it the root? */
static void expect_bridge(struct sim *s, const struct sim_order *o)
{
    const struct sim_bridge *b = &s->bridge[o->target.index];
    struct stp_info i;

    if (!b->stp) {
        unexpected(s, o, "dead");
        return;
    }
    stp_info(b->stp, s->now, &i);
    if (i.root_port)
        unexpected(s, o, "not");
}

static void expect_port(struct sim *s, const struct sim_order *o)
{
    const struct sim_port *p = &s->port[o->target.index];
    const struct stp *stp = s->bridge[p->bridge].stp;
    struct stp_port_info i = {.role = STP_ROLE_DISABLED};
    char is[48];

    if (stp)
        (void)stp_port_info(stp, p->number, s->now, &i);
    if ((o->role < 0 || (int)i.role == o->role) &&
        (o->state < 0 || (int)i.state == o->state))
        return;
    snprintf(is, sizeof(is), "%s, %s", stp_role_name(i.role),
             stp_state_name(i.state));
    unexpected(s, o, is);
}

static void expect(struct sim *s, const struct sim_order *o)
{
    if (o->target.what == SIM_BRIDGE)
        expect_bridge(s, o);
    else
        expect_port(s, o);
}

void sim_carry_out(struct sim *s, const struct sim_order *o)
{
    if (o->verb != SIM_EXPECT)
        sim_say(s, SIM_LINE_ORDER, "", "%s", o->text);
    switch (o->verb) {
    case SIM_CUT:
    case SIM_HEAL:
        cut(s, o->target, o->verb == SIM_CUT);
        break;
    case SIM_KILL:
        kill_bridge(s, o->target.index);
        break;
    case SIM_REVIVE:
        revive(s, o->target.index);
        break;
    case SIM_SET:
        set(s, o);
        break;
    case SIM_MCHECK:
        mcheck(s, o->target);
        break;
    case SIM_EXPECT:
        expect(s, o);
        break;
    }
}
