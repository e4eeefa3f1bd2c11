/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a guest is ended: by its power button, by its plug, or by the one and
 * then the other.
 */
#include "ctl/guest/guest_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define END_WAIT  1. /* s, for a process that is ending */
#define UNASKED   "could not be asked to power down"
#define NOTE_WAIT 1. /* s, for a note for the next daemon */

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
    if (g->lasting)
        wish_write(g, (struct ending){0, true});
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
    g->lasting = true;
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
    if (g->lasting)
        wish_take_back(g, rc, e);
    else
        answer(&g->on_stop, rc, e);
    g->lasting = false;
    answer(&g->on_start, rc, e);
}

/* The answer to a command that ends it, if QEMU refused. */
static void on_power(void *arg, const json_t *result, const char *text)
{
    struct guest *g = arg;
    struct err e = {""};

    if (result || g->state != GUEST_STOPPING)
        return;
    if (g->forced)
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
static void press(struct guest *g)
{
    /* before it has begun, there is nobody who would see a button */
    const char *how =
        strcmp(g->status, "prelaunch") == 0 ? "quit" : "system_powerdown";

    g->unpressed = false;
    g->untold = !g->qmp || qmp_command(g->qmp, how, NULL, on_power, g) < 0;
    life_set_timer(g, g->untold ? END_WAIT : g->patience);
}

void stop_go_on(struct guest *g)
{
    if (g->state == GUEST_STOPPING && g->unpressed && !g->noting)
        press(g);
}

static int may_power_down(const struct guest *g, struct err *e)
{
    int rc = guest_not_running(g, e);

    if (!rc && g->state != GUEST_RUNNING)
        rc = err_set(e, EBUSY, "guest %s is %s: bascule guest kill %s ends it",
                     g->def->name, guest_state_word(g), g->def->name);
    return rc ? rc : status_check(g, EBUSY, e);
}

/* What is to last is written down before the guest hears of it. */
static void power_down(struct guest *g, unsigned seconds)
{
    g->wanted_end = g->unpressed = true;
    g->patience = seconds;
    guest_move(g, GUEST_STOPPING);
    if (!g->lasting) {
        press(g);
        return;
    }
    life_set_timer(g, NOTE_WAIT);
    wish_write(g, (struct ending){seconds, g->forced});
}

/* Nobody waits for the end that is under way, begun by an earlier daemon for
 * example: whoever asks for it now does. */
static bool joins(const struct guest *g)
{
    return g->state == GUEST_STOPPING && g->lasting && !g->on_stop.done;
}

void guest_stop(struct guest *g, unsigned seconds, sw_done done, void *arg)
{
    struct err e = {""};
    int rc;

    if (g->state == GUEST_WAITING ||
        (g->state == GUEST_ENDING && !g->on_stop.done)) {
        g->on_stop = (struct answer){done, arg};
        g->lasting = true;
        call_off(g);
        return;
    }
    rc = joins(g) ? 0 : may_power_down(g, &e);
    if (rc) {
        answer_later(g->all, done, arg, rc, &e);
        return;
    }
    g->on_stop = (struct answer){done, arg};
    g->lasting = true;
    if (g->state == GUEST_RUNNING)
        power_down(g, seconds);
}

void guest_restart(struct guest *g, unsigned seconds, sw_done done, void *arg)
{
    struct err e = {""};
    int rc;

    if (g->state == GUEST_STOPPED || g->state == GUEST_WAITING) {
        guest_start(g, done, arg);
        return;
    }
    rc = may_power_down(g, &e);
    if (rc) {
        answer_later(g->all, done, arg, rc, &e);
        return;
    }
    g->on_start = (struct answer){done, arg};
    g->restart = true;
    power_down(g, seconds);
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

    if (g->unpressed && g->noting) { /* it does not wait longer than this */
        press(g);
        return;
    }
    g->untold |= g->unpressed; /* it has not listened for as long as it had */
    g->unpressed = false;
    if (g->forced)
        part_late(g);
    else if (g->untold)
        give_up(g,
                err_set(&e, ENOTCONN,
                        "guest %s: its QEMU does not listen; bascule guest "
                        "kill %s ends it",
                        name, name),
                &e);
    else
        give_up(g, status_late(g, &e), &e);
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

void guest_leave(struct guest *g, unsigned seconds, bool lasting, sw_done done,
                 void *arg)
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
    g->forced = true;
    g->lasting |= lasting;
    if (g->state == GUEST_STOPPING && seconds > 0) {
        if (lasting) /* somebody has pressed the button already */
            wish_write(g, (struct ending){g->patience, true});
        return;
    }
    if (g->state != GUEST_RUNNING || seconds == 0)
        pull_plug(g);
    else if (may_power_down(g, &e))
        part(g, UNASKED);
    else
        power_down(g, seconds);
}

/* ---- what an earlier daemon was asked for ---- */

void stop_resume(struct guest *g, const struct ending *w)
{
    g->lasting = true;
    g->forced = w->force;
    if (w->force && w->seconds == 0) {
        pull_plug(g);
        return;
    }
    /* perhaps it was asked already: it gets its time anew */
    g->wanted_end = g->unpressed = true;
    g->patience = w->seconds;
    guest_move(g, GUEST_STOPPING);
    life_set_timer(g, g->patience);
}
