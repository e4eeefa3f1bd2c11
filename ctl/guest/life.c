/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a guest: guest.h has its states.  A start goes
 *
 *   job      opens files, makes taps
 *   control  the taps become ports
 *   job      the process
 *   control  QEMU says by QMP that it runs
 *
 * and what fails takes everything back; an end goes
 *
 *   control  the process is gone; its ports leave, unless it comes back
 *   job      its directory goes
 *
 * The exit status of a process that we started has perhaps been collected by
 * libev, which waits for every child; then it is in all->reaped.
 */
#include "ctl/guest/guest_impl.h"
#include "ctl/guest/said.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open        434
#define SYS_pidfd_send_signal 424
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define START_LIMIT 30.                 /* s, for QEMU to answer */
#define BACKOFF_MAX 60                  /* s */
#define GOOD_RUN_NS (60 * NSEC_PER_SEC) /* after that, patience is new */

void life_set_timer(struct guest *g, double seconds)
{
    ev_timer_stop(g->all->loop, &g->timer);
    ev_timer_set(&g->timer, seconds, 0.);
    ev_timer_start(g->all->loop, &g->timer);
}

void life_send_kill(struct guest *g)
{
    if (g->pid)
        (void)syscall(SYS_pidfd_send_signal, g->exit.fd, SIGKILL, NULL, 0);
}

/* ---- the end ---- */

/* All that waits for its end. */
static void answer_end(struct guest *g)
{
    struct err none = {""}, how = {""};

    err_set(&how, 0, "%s", g->parting);
    answer(&g->on_stop, 0, &none);
    answer(&g->on_kill, 0, &none);
    answer(&g->on_leave, 0, &how);
}

static void wait_again(struct guest *g)
{
    bool good = clock_now() - g->since > GOOD_RUN_NS;

    g->backoff = good || !g->backoff ? 1 : g->backoff * 2;
    if (g->backoff > BACKOFF_MAX)
        g->backoff = BACKOFF_MAX;
    guest_move(g, GUEST_WAITING);
    guest_tell(g, "waiting", "guest %s is started again in %u s", g->def->name,
               g->backoff);
    life_set_timer(g, g->backoff);
}

/* Nothing of it is left. */
static void ended(struct guest *g)
{
    bool start_failed = g->on_start.done && !g->restart;
    struct err why = g->failure;

    if (start_failed && !why.text[0])
        err_set(&why, EINTR, "guest %s was killed", g->def->name);
    if (g->will_again) {
        wait_again(g);
        return;
    }
    if (!g->restart && ports_left(g)) { /* they waited for it in vain */
        ports_detach(g);
        return;
    }
    g->backoff = 0;
    g->by_policy = false;
    guest_move(g, GUEST_STOPPED);
    if (start_failed)
        answer(&g->on_start, g->failure_rc ? g->failure_rc : -EIO, &why);
    answer_end(g);
    if (g->restart) {
        g->restart = false;
        life_begin(g);
    }
}

static int clean(void *arg, struct err *e)
{
    struct guest *g = arg;

    return g->launch ? launch_discard(g->launch, e) : run_dir_remove(g->dir, e);
}

static void cleaned(void *arg, int rc, const struct err *e)
{
    struct guest *g = arg;

    if (rc)
        log_warn("guest %s: %s", g->def->name, e->text);
    launch_free(g->launch);
    g->launch = NULL;
    if (!g->all->ended)
        ended(g);
}

static void clean_up(struct guest *g)
{
    struct err e = {""};

    if (sw_job(g->all->sw, clean, cleaned, g) < 0)
        cleaned(g, clean(g, &e), &e); /* without memory it blocks us */
}

/* Takes back what there is; the launch has its files, the switch its ports.
 * One of these may still be on its way in: the next start begins behind it. */
void life_end(struct guest *g)
{
    ev_timer_stop(g->all->loop, &g->timer);
    guest_move(g, GUEST_ENDING);
    if (g->will_again || g->restart)
        ports_settle(g); /* they wait for it */
    else
        ports_detach(g);
}

static void ports_over(struct guest *g)
{
    if (g->will_again && !g->launch)
        ended(g); /* its directory tells the next daemon of it */
    else
        clean_up(g);
}

static bool is_end_for_policy(const struct guest *g, bool clean_end)
{
    bool run = g->state == GUEST_RUNNING || g->state == GUEST_STOPPING;

    if (g->wanted_end || !(run || g->by_policy))
        return false;
    if (g->def->restart == GUEST_ALWAYS)
        return true;
    return g->def->restart == GUEST_ON_FAILURE && (!clean_end || g->panicked);
}

/* A start that did not succeed: 'rc' and 'e' say why. */
static void fail_start(struct guest *g, int rc, const struct err *e)
{
    if (!g->failed) {
        g->failure = *e;
        g->failure_rc = rc;
    }
    g->failed = true;
    if (strncmp(g->failure.text, "guest ", 6) != 0)
        err_wrap(&g->failure, rc, "guest %s", g->def->name);
    guest_set_why(g, g->failure.text);
    g->will_again = is_end_for_policy(g, false);
    guest_tell(g, g->killed ? "killed" : GUEST_FAILED, "%s", g->failure.text);
    life_end(g);
}

/* ---- the process ---- */

/* False: nobody knows. */
static bool exit_status(struct guest *g, int *status)
{
    siginfo_t i = {0};

    if (!g->child)
        return false;
    for (unsigned k = 0; k < REAPED_MAX; k++) {
        struct reaped *r = &g->all->reaped[k];

        if (r->pid == g->pid) {
            *status = r->status;
            r->pid = 0;
            return true;
        }
    }
    if (waitid(P_PIDFD, (id_t)g->exit.fd, &i, WEXITED | WNOHANG) < 0 ||
        i.si_pid != g->pid)
        return false;
    *status = i.si_code == CLD_EXITED ? (i.si_status & 0xff) << 8
                                      : i.si_status & 0x7f;
    return true;
}

/* Why it ended, as a sentence; true: as it should. */
static bool explain(struct guest *g, struct err *e)
{
    bool known, well;
    char said[256] = ""; /* with the rest it fits into *e */
    int status = 0;

    known = exit_status(g, &status);
    well = known ? WIFEXITED(status) && WEXITSTATUS(status) == 0 : g->farewell;
    /* it is short, and the kernel has it in memory: no wait for a disk */
    if (!well)
        said_last(g->def, g->dir, said, sizeof(said));
    if (well)
        err_set(e, EIO, "guest %s: QEMU ended", g->def->name);
    else if (g->killed)
        err_set(e, EINTR, "guest %s %s", g->def->name,
                g->parting[0] ? g->parting : "was killed");
    else if (known && WIFSIGNALED(status))
        err_set(e, EIO, "guest %s: QEMU was ended by signal %d%s%s",
                g->def->name, WTERMSIG(status), said[0] ? ": " : "", said);
    else if (known)
        err_set(e, EIO, "guest %s: QEMU ended with status %d%s%s", g->def->name,
                WEXITSTATUS(status), said[0] ? ": " : "", said);
    else
        err_set(e, EIO, "guest %s: QEMU has ended%s%s", g->def->name,
                said[0] ? ": " : "", said);
    return well;
}

static void forget_process(struct guest *g)
{
    ev_io_stop(g->all->loop, &g->exit);
    close(g->exit.fd);
    g->pid = 0;
    logfile_unwatch(&g->log, g->all->loop);
    ports_end_losses(g);
    talk_close(g);
    cable_forget(g);
}

static void on_exit_(struct ev_loop *loop, ev_io *w, int revents)
{
    struct guest *g = w->data;
    struct err why = {""};
    bool well;

    (void)loop;
    (void)revents;
    if (g->state != GUEST_STARTING) /* which would not have failed then */
        talk_last_words(g);
    well = explain(g, &why);
    forget_process(g);
    if (g->state == GUEST_STARTING) {
        fail_start(g, g->killed ? -EINTR : -EIO, &why);
        return;
    }
    guest_set_why(g, !well ? why.text : g->panicked ? "it has panicked" : "");
    g->will_again = is_end_for_policy(g, well);
    if (well)
        guest_tell(g, "stopped", "guest %s has stopped", g->def->name);
    else
        guest_tell(g, g->killed ? "killed" : GUEST_FAILED, "%s", why.text);
    life_end(g);
}

static void watch(struct guest *g, pid_t pid, int pidfd,
                  unsigned long long start, bool kvm)
{
    g->pid = pid;
    g->start = start;
    g->kvm = kvm;
    g->since = clock_now();
    ev_io_set(&g->exit, pidfd, EV_READ);
    ev_io_start(g->all->loop, &g->exit);
    logfile_watch(&g->log, g->all->loop, g->dir);
    talk_open(g);
}

/* ---- the start ---- */

static int prepare(void *arg, struct err *e)
{
    struct guest *g = arg;

    return launch_prepare(g->launch, e);
}

static int spawn(void *arg, struct err *e)
{
    struct guest *g = arg;

    return launch_spawn(g->launch, e);
}

static void spawned(void *arg, int rc, const struct err *e)
{
    struct guest *g = arg;
    struct launch *l = g->launch;

    if (g->all->ended) { /* it runs; the next of us finds it */
        if (l->pidfd >= 0)
            close(l->pidfd);
        return;
    }
    if (rc) {
        fail_start(g, rc, e);
        return;
    }
    g->child = true;
    watch(g, l->pid, l->pidfd, l->start, l->kvm);
    if (l->notice[0])
        guest_tell(g, "notice", "guest %s %s", g->def->name, l->notice);
    snprintf(g->why, sizeof(g->why), "%s", l->notice);
    launch_free(l);
    g->launch = NULL;
    life_set_timer(g, START_LIMIT);
    if (g->failed) /* by guest_kill, meanwhile */
        life_send_kill(g);
}

void ports_done(struct guest *g)
{
    struct err e = {""};

    if (g->state == GUEST_ENDING) {
        ports_over(g);
        return;
    }
    if (g->state != GUEST_STARTING || !g->launch)
        return;
    if (g->failed)
        fail_start(g, g->failure_rc, &g->failure);
    else if (sw_job(g->all->sw, spawn, spawned, g) < 0)
        fail_start(g, err_set(&e, ENOMEM, "no memory"), &e);
}

static void prepared(void *arg, int rc, const struct err *e)
{
    struct guest *g = arg;
    struct err none;

    if (g->all->ended) {
        (void)launch_discard(g->launch, &none);
        return;
    }
    if (rc || g->failed) {
        fail_start(g, rc, e);
        return;
    }
    for (unsigned i = 0; i < g->def->n_nets; i++)
        g->port[i].due = true;
    ports_attach(g);
}

void talk_running(struct guest *g)
{
    struct err none = {""};

    if (g->state != GUEST_STARTING) {
        stop_go_on(g);
        return;
    }
    ev_timer_stop(g->all->loop, &g->timer);
    guest_move(g, GUEST_RUNNING);
    g->starts++;
    guest_tell(g, "started", "guest %s has started", g->def->name);
    answer(&g->on_start, 0, &none);
}

static void begin_anew(struct guest *g)
{
    g->failed = g->wanted_end = g->killed = g->panicked = false;
    g->farewell = g->deaf = g->will_again = false;
    g->lasting = g->forced = g->unpressed = false;
    g->failure.text[0] = '\0';
    g->failure_rc = 0;
    g->why[0] = g->parting[0] = '\0';
}

void life_begin(struct guest *g)
{
    struct err e = {""};
    int rc = ports_check(g, &e);

    begin_anew(g);
    g->since = clock_now();
    guest_move(g, GUEST_STARTING);
    if (!rc) {
        g->launch = launch_new(g->def, g->dir, g->all->run_own, &g->all->user);
        if (!g->launch || sw_job(g->all->sw, prepare, prepared, g) < 0)
            rc = err_set(&e, ENOMEM, "no memory for guest %s", g->def->name);
    }
    if (rc)
        fail_start(g, rc, &e);
}

static int runs_already(const struct guest *g, struct err *e)
{
    int rc = status_check(g, EALREADY, e);

    return rc ? rc
              : err_set(e, EALREADY, "guest %s runs already", g->def->name);
}

void guest_start(struct guest *g, sw_done done, void *arg)
{
    struct err e = {""};
    int rc = 0;

    if (g->state == GUEST_STOPPED)
        rc = ports_check(g, &e);
    else if (g->state == GUEST_RUNNING)
        rc = runs_already(g, &e);
    else if (g->state != GUEST_WAITING)
        rc = err_set(&e, EBUSY, "guest %s is %s: try again when that is over",
                     g->def->name, guest_state_word(g));
    if (rc) {
        answer_later(g->all, done, arg, rc, &e);
        return;
    }
    ev_timer_stop(g->all->loop, &g->timer);
    g->by_policy = false;
    g->backoff = 0;
    g->on_start = (struct answer){done, arg};
    life_begin(g);
}

/* ---- time is up ---- */

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct guest *g = w->data;

    (void)loop;
    (void)revents;
    switch (g->state) {
    case GUEST_STARTING:
        g->failed = true;
        g->failure_rc = err_set(&g->failure, ETIMEDOUT,
                                "guest %s: QEMU has not answered within %d s",
                                g->def->name, (int)START_LIMIT);
        life_send_kill(g);
        break;
    case GUEST_STOPPING:
        stop_out_of_patience(g);
        break;
    case GUEST_WAITING:
        g->by_policy = true;
        life_begin(g);
        break;
    default:
        break;
    }
}

/* ---- with the daemon ---- */

static void on_again(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct guest *g = w->data;

    (void)loop;
    (void)revents;
    if (g->pid && !g->qmp)
        talk_open(g);
}

void life_init(struct guest *g)
{
    ev_init(&g->exit, on_exit_);
    ev_timer_init(&g->timer, on_timer, 0., 0.);
    ev_timer_init(&g->again, on_again, 0., 0.);
    ports_watch_losses(g);
    cable_init(g);
    talk_init(g);
    g->exit.data = g->timer.data = g->again.data = g;
}

void life_adopt(struct guest *g, const struct run_state *r)
{
    int fd = (int)syscall(SYS_pidfd_open, r->pid, 0);
    struct ending wish;

    if (fd < 0 || process_start(r->pid) != r->start) {
        if (fd >= 0)
            close(fd);
        life_lost(g);
        return;
    }
    guest_move(g, GUEST_RUNNING);
    cable_recall(g);
    snprintf(g->why, sizeof(g->why), "%s", r->notice);
    watch(g, r->pid, fd, r->start, r->kvm);
    for (unsigned i = 0; i < g->def->n_nets; i++)
        g->port[i].due = true;
    ev_timer_start(g->all->loop, &g->all->attach);
    guest_tell(g, "found", "guest %s runs, process %d", g->def->name,
               (int)r->pid);
    if (ending_saved(g->dir, &wish))
        stop_resume(g, &wish);
}

void life_lost(struct guest *g)
{
    struct ending wish;

    if (ending_saved(g->dir, &wish)) {
        guest_tell(g, "stopped", "guest %s has stopped", g->def->name);
    } else {
        snprintf(g->why, sizeof(g->why),
                 "it ended while basculed was not there to see it");
        g->will_again = g->def->restart != GUEST_NO;
        guest_tell(g, GUEST_FAILED, "guest %s: %s", g->def->name, g->why);
    }
    life_end(g);
}

void life_let_go(struct guest *g)
{
    ev_timer_stop(g->all->loop, &g->timer);
    if (g->pid)
        forget_process(g);
    talk_close(g);
}
