/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a guest is ended: by its power button, by its plug, or by the one and
 * then the other.
 */
#include "ctl/guest/guest_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define END_WAIT 1. /* s, for a process that is ending */
#define UNASKED  "could not be asked to power down"

int guest_not_running(const struct guest *g, struct err *e)
{
    if (g->state == GUEST_STOPPED || g->state == GUEST_SAVING)
        return err_set(e, ESRCH, "guest %s does not run", g->def->name);
    return 0;
}

/* ---- the plug ---- */

/* It is not started again, if that is what would come next. */
static void call_off(struct guest *g)
{
    g->will_again = g->restart = false;
    g->wanted_end = true;
    if (g->state == GUEST_WAITING)
        life_end(g);
}

static void pull_plug(struct guest *g)
{
    g->killed = true;
    call_off(g);
    if (g->state == GUEST_STARTING && !g->pid && !g->failed) {
        g->failed = true;
        g->failure_rc =
            err_set(&g->failure, EINTR, "guest %s was killed", g->def->name);
    } else {
        life_send_kill(g);
    }
}

void guest_kill(struct guest *g, sw_done done, void *arg)
{
    struct err e = {""};
    int rc = guest_not_running(g, &e);

    if (!rc && g->on_kill.done)
        rc = err_set(&e, EBUSY, "guest %s is being killed already",
                     g->def->name);
    if (rc) {
        answer_later(g->all, done, arg, rc, &e);
        return;
    }
    g->on_kill = (struct answer){done, arg};
    pull_plug(g);
}

/* ---- the power button ---- */

static void part(struct guest *g, const char *how)
{
    snprintf(g->parting, sizeof(g->parting), "%s and was killed", how);
    pull_plug(g);
}

/* It has not gone: it runs on. */
static void give_up(struct guest *g, int rc, const struct err *e)
{
    ev_timer_stop(g->all->loop, &g->timer);
    g->wanted_end = g->restart = false;
    guest_move(g, GUEST_RUNNING);
    answer(&g->on_stop, rc, e);
    answer(&g->on_start, rc, e);
}

/* The answer to a command that ends it, if QEMU refused. */
static void on_power(void *arg, const json_t *result, const char *text)
{
    struct guest *g = arg;
    struct err e = {""};

    if (result || g->state != GUEST_STOPPING)
        return;
    if (g->on_leave.done)
        part(g, UNASKED);
    else
        give_up(g,
                err_set(&e, EIO, "guest %s: QEMU: %.200s", g->def->name, text),
                &e);
}

/*
 * Who cannot be told is perhaps ending at this moment, and then it has been
 * asked for: it gets as long as that may take.
 */
static int power_down(struct guest *g, unsigned seconds, struct err *e)
{
    /* before it has begun, there is nobody who would see a button */
    const char *how =
        strcmp(g->status, "prelaunch") == 0 ? "quit" : "system_powerdown";
    int rc = guest_not_running(g, e);

    if (!rc && g->state != GUEST_RUNNING)
        rc = err_set(e, EBUSY, "guest %s is %s: bascule guest kill %s ends it",
                     g->def->name, guest_state_word(g), g->def->name);
    if (!rc)
        rc = status_check(g, EBUSY, e);
    if (rc)
        return rc;
    g->untold = !g->qmp || qmp_command(g->qmp, how, NULL, on_power, g) < 0;
    g->wanted_end = true;
    g->patience = seconds;
    guest_move(g, GUEST_STOPPING);
    life_set_timer(g, g->untold ? END_WAIT : seconds);
    return 0;
}

void guest_stop(struct guest *g, unsigned seconds, sw_done done, void *arg)
{
    struct err e = {""};
    int rc;

    if (g->state == GUEST_WAITING ||
        (g->state == GUEST_ENDING && !g->on_stop.done)) {
        g->on_stop = (struct answer){done, arg};
        call_off(g);
        return;
    }
    rc = power_down(g, seconds, &e);
    if (rc)
        answer_later(g->all, done, arg, rc, &e);
    else
        g->on_stop = (struct answer){done, arg};
}

void guest_restart(struct guest *g, unsigned seconds, sw_done done, void *arg)
{
    struct err e = {""};
    int rc;

    if (g->state == GUEST_STOPPED || g->state == GUEST_WAITING) {
        guest_start(g, done, arg);
        return;
    }
    rc = power_down(g, seconds, &e);
    if (rc) {
        answer_later(g->all, done, arg, rc, &e);
        return;
    }
    g->on_start = (struct answer){done, arg};
    g->restart = true;
}

/* Somebody waits for it to leave: it does, by force. */
static void part_late(struct guest *g)
{
    char how[40];

    snprintf(how, sizeof(how), "ignored its power button for %u s",
             g->patience);
    part(g, g->untold ? UNASKED : how);
}

void stop_out_of_patience(struct guest *g)
{
    const char *name = g->def->name;
    struct err e = {""};
    int rc;

    if (g->on_leave.done)
        part_late(g);
    else if (g->untold)
        give_up(g,
                err_set(&e, ENOTCONN,
                        "guest %s: its QEMU does not listen; bascule guest "
                        "kill %s ends it",
                        name, name),
                &e);
    else if ((rc = status_check(g, ETIMEDOUT, &e)) != 0)
        give_up(g, rc, &e);
    else
        give_up(g,
                err_set(&e, ETIMEDOUT,
                        "guest %s has not powered down in time: perhaps it "
                        "does not listen to its power button; bascule guest "
                        "kill %s ends it",
                        name, name),
                &e);
}

/* ---- one and the other ---- */

/* Would something be lost if its plug were pulled? */
static bool may_lose(const struct guest_def *d)
{
    for (unsigned i = 0; i < d->n_disks; i++)
        if (!d->disk[i].readonly && !d->snapshot)
            return true;
    return false;
}

unsigned guest_stop_seconds(const struct guest *g)
{
    return g->def->stop_timeout ? g->def->stop_timeout : GUEST_STOP_SECONDS;
}

unsigned guest_leave_seconds(const struct guest *g)
{
    return g->def->stop_timeout || may_lose(g->def) ? guest_stop_seconds(g) : 0;
}

void guest_leave(struct guest *g, unsigned seconds, sw_done done, void *arg)
{
    struct err e = {""};
    int rc = guest_not_running(g, &e);

    if (!rc && g->on_leave.done)
        rc = err_set(&e, EBUSY, "guest %s is leaving already", g->def->name);
    if (rc) {
        answer_later(g->all, done, arg, rc, &e);
        return;
    }
    g->on_leave = (struct answer){done, arg};
    g->restart = false;
    if (g->state == GUEST_STOPPING && seconds > 0)
        return; /* somebody has pressed the button already */
    if (g->state != GUEST_RUNNING || seconds == 0)
        pull_plug(g);
    else if (power_down(g, seconds, &e))
        part(g, UNASKED);
}
