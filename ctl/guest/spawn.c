/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See spawn.h.  Other threads run while we fork: the new process allocates
 * nothing and takes no lock; all it needs has been prepared.
 */
#include "ctl/guest/spawn.h"

#include "ctl/guest/open.h"
#include "ctl/text.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* ---- what the new process does ---- */

struct birth {
    int go;      /* a word comes when it may begin */
    int report;  /* where it says what failed; closed by exec */
    int ours[2]; /* the other ends, which the new process must not hold */
    int log;
    int null;
    bool heavy; /* the daemon is spared by the OOM killer; QEMU is not */
    int *fd;    /* to be numbered from ARGS_FIRST_FD on */
    unsigned n;
    const struct launch *l;
};

enum step { STEP_FILES, STEP_USER, STEP_EXEC };
struct failure {
    int step;
    int err;
};

static char path_setting[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
static char lang_setting[] = "LANG=C";

static void __attribute__((noreturn)) give_up(const struct birth *b, int step)
{
    struct failure f = {step, errno};

    (void)!write(b->report, &f, sizeof(f));
    _exit(127);
}

/* As they were before the daemon changed them. */
static void plain_signals(void)
{
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            (void)signal(s, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * All descriptors out of the way first, then each to its place, where it
 * survives exec; the rest of them does not.
 */
static void place_files(struct birth *b)
{
    int high = ARGS_FIRST_FD + (int)b->n + 2;
    int *own[] = {&b->go, &b->report, &b->log, &b->null};

    for (unsigned i = 0; i < 4; i++)
        if ((*own[i] = fcntl(*own[i], F_DUPFD_CLOEXEC, high)) < 0)
            _exit(127);
    for (unsigned i = 0; i < b->n; i++)
        if ((b->fd[i] = fcntl(b->fd[i], F_DUPFD_CLOEXEC, high)) < 0)
            give_up(b, STEP_FILES);
    for (unsigned i = 0; i < b->n; i++)
        if (dup2(b->fd[i], ARGS_FIRST_FD + (int)i) < 0)
            give_up(b, STEP_FILES);
    if (dup2(b->null, 0) < 0 || dup2(b->log, 1) < 0 || dup2(b->log, 2) < 0)
        give_up(b, STEP_FILES);
    (void)close_range((unsigned)ARGS_FIRST_FD + b->n, ~0U, CLOSE_RANGE_CLOEXEC);
}

static void shed_rights(const struct birth *b)
{
    const struct launch *l = b->l;

    if (!l->user.change)
        return;
    if (setgroups(l->extra != (gid_t)-1, &l->extra) < 0 ||
        setresgid(l->user.gid, l->user.gid, l->user.gid) < 0 ||
        setresuid(l->user.uid, l->user.uid, l->user.uid) < 0)
        give_up(b, STEP_USER);
}

static void weigh_as_usual(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!write(fd, "0", 1);
        close(fd);
    }
}

static void __attribute__((noreturn)) be_born(struct birth *b)
{
    char *env[] = {path_setting, lang_setting, NULL};
    char word;

    plain_signals();
    setsid();
    close(b->ours[0]);
    close(b->ours[1]);
    place_files(b);
    if (b->heavy)
        weigh_as_usual();
    if (read(b->go, &word, 1) != 1) /* nobody would ever know of us */
        _exit(127);
    shed_rights(b);
    if (chdir("/") < 0)
        give_up(b, STEP_FILES);
    execve(b->l->args.argv[0], b->l->args.argv, env);
    give_up(b, STEP_EXEC);
}

/* ---- what we do ---- */

unsigned long long process_start(pid_t pid)
{
    char path[40], text[1024];
    unsigned long long start = 0;
    const char *p;
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    p = strrchr(text, ')'); /* behind the name, which may hold anything */
    /* a zombie has ended */
    if (!p || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X')
        return 0;
    /* state is field 3, the start time field 22 */
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    if (p)
        start = strtoull(p + 1, NULL, 10);
    return start;
}

/* A handler of the daemon's must not run in the new process. */
static pid_t quiet_fork(struct birth *b)
{
    sigset_t all, before;
    pid_t pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0)
        be_born(b);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static bool daemon_is_spared(void)
{
    char text[16] = "";
    int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

    if (fd >= 0)
        close(fd);
    return n > 0 && text[0] == '-';
}

/* What run_state reads; malloc'ed. */
static char *state_text(const struct launch *l)
{
    json_t *o = json_pack("{s:i,s:I,s:b,s:o}", "pid", (int)l->pid, "start",
                          (json_int_t)l->start, "kvm", (int)l->kvm, "notice",
                          text_value(l->notice));
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

    json_decref(o);
    return text;
}

/* Complete or not at all: the next daemon goes by it. */
static int write_down(struct launch *l, struct err *e)
{
    char path[PATH_MAX], *text;
    int fd, rc = 0;
    ssize_t n;

    if (snprintf(path, sizeof(path), "%s/state", l->dir) >= (int)sizeof(path))
        return err_set(e, ENAMETOOLONG, "%s: too long", l->dir);
    l->start = process_start(l->pid);
    text = state_text(l);
    if (!text)
        return err_set(e, ENOMEM, "no memory for the guest");
    n = (ssize_t)strlen(text);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        rc = err_sys(e, errno, "%s", path);
    if (fd >= 0)
        close(fd);
    free(text);
    return rc;
}

static int explain(const struct launch *l, const struct failure *f,
                   struct err *e)
{
    if (f->step == STEP_USER)
        return err_sys(e, f->err, "guest %s: running QEMU as user %u",
                       l->def->name, (unsigned)l->user.uid);
    if (f->step == STEP_EXEC)
        return err_sys(e, f->err, "guest %s: %s", l->def->name, l->program);
    return err_sys(e, f->err, "guest %s: passing descriptors to QEMU",
                   l->def->name);
}

/* Until exec: 0, or what the new process says. */
static int hear(struct launch *l, int report, struct err *e)
{
    struct failure f;
    ssize_t n;

    do {
        n = read(report, &f, sizeof(f));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(f) ? explain(l, &f, e) : 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The process between fork and exec: let it go on, or end it. */
static int let_go(struct launch *l, int *go, int report, struct err *e)
{
    int rc =
        l->pidfd < 0 ? err_sys(e, errno, "watching QEMU") : write_down(l, e);

    if (!rc && write(*go, "!", 1) != 1)
        rc = err_sys(e, errno, "starting QEMU");
    close_fd(go); /* without a word it ends */
    if (!rc)
        rc = hear(l, report, e);
    if (rc) {
        close_fd(&l->pidfd);
        l->pid = 0;
    }
    return rc;
}

static int give_birth(struct launch *l, struct birth *b, struct err *e)
{
    int go[2] = {-1, -1}, report[2] = {-1, -1}, rc = 0;

    if (pipe2(go, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0)
        rc = err_sys(e, errno, "starting QEMU");
    b->go = go[0];
    b->report = report[1];
    b->ours[0] = go[1];
    b->ours[1] = report[0];
    if (!rc) {
        l->pid = quiet_fork(b);
        if (l->pid < 0)
            rc = err_sys(e, errno, "starting QEMU");
    }
    close_fd(&go[0]);
    close_fd(&report[1]);
    if (!rc) {
        l->pidfd = (int)syscall(SYS_pidfd_open, l->pid, 0);
        rc = let_go(l, &go[1], report[0], e);
    }
    close_fd(&go[1]);
    close_fd(&report[0]);
    if (rc)
        l->pid = 0;
    return rc;
}

static int spawn(struct launch *l, struct err *e)
{
    struct birth b = {.l = l, .fd = l->fd, .n = l->args.n_pass};
    char path[PATH_MAX];
    int rc = 0;

    if (snprintf(path, sizeof(path), "%s/log", l->dir) >= (int)sizeof(path))
        return err_set(e, ENAMETOOLONG, "%s: too long", l->dir);
    b.log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    b.null = open("/dev/null", O_RDWR | O_CLOEXEC);
    b.heavy = daemon_is_spared();
    if (b.log < 0 || b.null < 0)
        rc = err_sys(e, errno, "%s", path);
    else
        rc = give_birth(l, &b, e);
    close_fd(&b.log);
    close_fd(&b.null);
    return rc;
}

int launch_spawn(void *arg, struct err *e)
{
    struct launch *l = arg;
    int rc = 0;

    for (unsigned i = 0; i < l->def->n_nets && !rc; i++)
        if (l->def->net[i].kind == GUEST_TAP)
            rc = tap_up(l->def->net[i].port, e);
    if (!rc)
        rc = spawn(l, e);
    launch_close(l);
    return rc;
}

int launch_discard(void *arg, struct err *e)
{
    struct launch *l = arg;

    launch_close(l);
    close_fd(&l->pidfd);
    return l->made_dir && l->pid == 0 ? run_dir_remove(l->dir, e) : 0;
}
