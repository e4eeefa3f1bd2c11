/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See child.h.  Between fork and exec, and in the process between, nothing is
 * allocated and no lock taken: another thread may have held it.
 */
#include "ctl/l3/child.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#define GRACE_MS    3000 /* between SIGTERM and SIGKILL */
#define BACKOFF_MAX 60   /* s */

static const char *const path_dirs[] = {"/usr/sbin", "/usr/bin", "/sbin",
                                        "/bin"};
#define PATH_SETTING "PATH=/usr/sbin:/usr/bin:/sbin:/bin"

bool child_find(const char *name, char path[PATH_MAX])
{
    char own[PATH_MAX];
    char *p = path ? path : own;

    if (name[0] == '/') {
        snprintf(p, PATH_MAX, "%s", name);
        return access(p, X_OK) == 0;
    }
    for (unsigned i = 0; i < sizeof(path_dirs) / sizeof(path_dirs[0]); i++) {
        snprintf(p, PATH_MAX, "%s/%s", path_dirs[i], name);
        if (access(p, X_OK) == 0)
            return true;
    }
    return false;
}

/* ---- what is prepared before the fork ---- */

struct command {
    char path[PATH_MAX];
    char name[32];
    char *argv[CHILD_ARGS_MAX + 1];
    char *envp[CHILD_ARGS_MAX + 3];
    bool journal;  /* how the log marks its lines */
    int null, out; /* descriptors of its input and output */
};

/* exec's types are older than const */
static char *unconst(const char *s)
{
    union {
        const char *c;
        char *m;
    } u = {.c = s};

    return u.m;
}

static int prepare(struct command *c, const char *const argv[],
                   const char *const env[], struct err *e)
{
    unsigned n = 0, m = 0;

    memset(c, 0, sizeof(*c));
    c->null = c->out = -1;
    if (!child_find(argv[0], c->path))
        return err_set(e, ENOENT, "%s is not installed", argv[0]);
    snprintf(c->name, sizeof(c->name), "%s", argv[0]);
    c->journal = log_is_journal();
    while (n < CHILD_ARGS_MAX && argv[n]) {
        c->argv[n] = unconst(argv[n]);
        n++;
    }
    c->envp[m++] = unconst(PATH_SETTING);
    c->envp[m++] = unconst("LANG=C");
    for (unsigned i = 0; env && env[i] && i < CHILD_ARGS_MAX; i++)
        c->envp[m++] = unconst(env[i]);
    c->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    return c->null < 0 ? err_sys(e, errno, "%s", argv[0]) : 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- processes ---- */

static int pidfd_of(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* As it was before the daemon changed it. */
static void plain_signals(void)
{
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            (void)signal(s, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A handler of the daemon's must not run in the new process. */
static pid_t quiet_fork(void)
{
    sigset_t all, before;
    pid_t pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0)
        plain_signals();
    else
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

/* The program itself; 'parent' is the process between. */
static void __attribute__((noreturn))
become(const struct command *c, pid_t parent)
{
    plain_signals(); /* ignored ones would stay ignored */
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127);
    dup2(c->null, 0);
    dup2(c->out >= 0 ? c->out : c->null, 1);
    dup2(c->out >= 0 ? c->out : c->null, 2);
    close_range(3, ~0U, 0);
    execve(c->path, c->argv, c->envp);
    _exit(127);
}

/* What the process between keeps: standard error for the log, and 3 to 5. */
static void shed(struct command *c, int *sock)
{
    int null = fcntl(c->null, F_DUPFD, 10);
    int out = c->out >= 0 ? fcntl(c->out, F_DUPFD, 10) : -1;
    int s = fcntl(*sock, F_DUPFD, 10);

    *sock = dup2(s, 3);
    c->null = dup2(null, 4);
    c->out = out >= 0 ? dup2(out, 5) : -1;
    close_range(out >= 0 ? 6 : 5, ~0U, 0);
    dup2(c->null, 0);
    dup2(c->null, 1);
    /* so that what it starts does not hold them */
    for (int fd = 3; fd <= 5; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    prctl(PR_SET_NAME, "bascule-child");
}

/* Waits for the end of 'pid' or of the socket.  True: the process ended. */
static bool wait_end(pid_t pid, int sock, int limit_ms, int *status)
{
    struct pollfd p[2] = {{.fd = pidfd_of(pid), .events = POLLIN},
                          {.fd = sock, .events = POLLIN}};
    bool ended = false;

    while (poll(p, sock >= 0 ? 2 : 1, limit_ms) < 0 && errno == EINTR)
        ;
    if (p[0].revents)
        ended = waitpid(pid, status, 0) == pid;
    close(p[0].fd);
    return ended;
}

static void end(pid_t pid)
{
    int status;

    /* It alone: its helpers are what it undoes its work with. */
    kill(pid, SIGTERM);
    if (!wait_end(pid, -1, GRACE_MS, &status)) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    kill(-pid, SIGKILL); /* what it has left behind */
}

static pid_t start(const struct command *c)
{
    pid_t self = getpid(), pid = fork();

    if (pid == 0)
        become(c, self);
    return pid;
}

/* ---- a short command ---- */

static void __attribute__((noreturn)) between_once(struct command *c, int sock)
{
    int status = 0;
    pid_t pid;

    shed(c, &sock);
    pid = start(c);
    if (pid < 0)
        _exit(1);
    close_fd(&c->out);
    if (wait_end(pid, sock, -1, &status))
        (void)!write(sock, &status, sizeof(status));
    else
        end(pid);
    _exit(0);
}

static int ms_left(const struct timespec *until)
{
    struct timespec now;
    long ms;

    clock_gettime(CLOCK_MONOTONIC, &now);
    ms = (until->tv_sec - now.tv_sec) * 1000 +
         (until->tv_nsec - now.tv_nsec) / 1000000;
    return ms > 0 ? (int)ms : 0;
}

/* Gathers output and status.  0, or -ETIMEDOUT, -EIO. */
static int gather(int sock, int out_fd, char *out, size_t n, int *status)
{
    struct timespec until;
    size_t len = 0;
    bool open = true;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += CHILD_LIMIT_MS / 1000;
    for (;;) {
        struct pollfd p[2] = {{.fd = sock, .events = POLLIN},
                              {.fd = open ? out_fd : -1, .events = POLLIN}};
        char piece[512];
        ssize_t got;

        if (poll(p, 2, ms_left(&until)) <= 0 && ms_left(&until) == 0)
            return -ETIMEDOUT;
        if (p[1].revents) {
            got = read(out_fd, piece, sizeof(piece));
            open = got > 0;
            if (got > 0 && len + (size_t)got < n) {
                memcpy(out + len, piece, (size_t)got);
                len += (size_t)got;
                out[len] = 0;
            }
            continue; /* all it said, before its end */
        }
        if (p[0].revents)
            return read(sock, status, sizeof(*status)) ==
                           (ssize_t)sizeof(*status)
                       ? 0
                       : -EIO;
    }
}

/* The event loop may have been first; then there is nothing left to do. */
static void reap(int pidfd)
{
    siginfo_t info;

    if (pidfd < 0)
        return;
    (void)waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
    close(pidfd);
}

static int result(const char *name, int rc, int status, struct err *e)
{
    if (rc == -ETIMEDOUT)
        return err_set(e, ETIMEDOUT, "%s did not end within %d s", name,
                       CHILD_LIMIT_MS / 1000);
    if (rc)
        return err_sys(e, rc, "running %s", name);
    if (WIFSIGNALED(status))
        return err_set(e, EINTR, "%s was ended by signal %d", name,
                       WTERMSIG(status));
    return WEXITSTATUS(status);
}

int child_run(const char *const argv[], char *out, size_t n, struct err *e)
{
    int sock[2] = {-1, -1}, pipe_fd[2] = {-1, -1}, status = 0, pidfd = -1;
    struct command c;
    pid_t pid;
    int rc = prepare(&c, argv, NULL, e);

    out[0] = 0;
    if (!rc && (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) < 0 ||
                pipe2(pipe_fd, O_CLOEXEC) < 0))
        rc = err_sys(e, errno, "running %s", argv[0]);
    if (rc) {
        close_fd(&c.null);
        close_fd(&sock[0]);
        close_fd(&sock[1]);
        return rc;
    }
    c.out = pipe_fd[1];
    pid = quiet_fork();
    if (pid == 0)
        between_once(&c, sock[1]);
    pidfd = pid > 0 ? pidfd_of(pid) : -1;
    close_fd(&sock[1]);
    close_fd(&c.out);
    close_fd(&c.null);
    rc = pid < 0 ? -EAGAIN : gather(sock[0], pipe_fd[0], out, n, &status);
    close_fd(&sock[0]); /* if it still runs, it is ended */
    close_fd(&pipe_fd[0]);
    if (rc != -ETIMEDOUT)
        reap(pidfd);
    else
        close_fd(&pidfd);
    return result(argv[0], rc, status, e);
}

/* ---- one that is kept running ---- */

struct child {
    int sock; /* its end of the other side ends the program */
    int pidfd;
};

static void complain(const struct command *c, int status, unsigned wait)
{
    char line[160];
    int n = snprintf(
        line, sizeof(line), "%s%s ended by itself (%s %d); again in %u s\n",
        c->journal ? "<4>" : "basculed: warn: ", c->name,
        WIFSIGNALED(status) ? "signal" : "status",
        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), wait);

    (void)!write(2, line, (size_t)n);
}

static bool gone(int sock, int ms)
{
    struct pollfd p = {.fd = sock, .events = POLLIN};

    return poll(&p, 1, ms) > 0;
}

static void __attribute__((noreturn)) between(struct command *c, int sock)
{
    unsigned wait = 1;

    shed(c, &sock);
    /* a ^C for the daemon reaches us, too: its end is what we go by */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    for (;;) {
        struct timespec then, now;
        int status = 0;
        pid_t pid;

        clock_gettime(CLOCK_MONOTONIC, &then);
        pid = start(c);
        if (pid > 0 && !wait_end(pid, sock, -1, &status)) {
            end(pid);
            _exit(0);
        }
        if (pid > 0)
            kill(-pid, SIGKILL);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - then.tv_sec > BACKOFF_MAX)
            wait = 1;
        complain(c, status, wait);
        if (gone(sock, (int)wait * 1000))
            _exit(0);
        wait = wait * 2 > BACKOFF_MAX ? BACKOFF_MAX : wait * 2;
    }
}

/* Ours has ended: another of us does what is left to do. */
static void __attribute__((noreturn)) survive(struct command *c, int sock)
{
    pid_t parent = getppid();
    struct pollfd p = {.events = POLLIN};
    char word;

    shed(c, &sock);
    p.fd = pidfd_of(parent);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    while (read(sock, &word, 1) < 0 && errno == EINTR)
        ;
    /* its devices are gone when it is, not before */
    (void)poll(&p, p.fd >= 0, GRACE_MS);
    close_range(3, ~0U, 0);
    execve(c->path, c->argv, c->envp);
    _exit(127);
}

static int spawn(struct child **out, struct command *c,
                 void (*run)(struct command *, int), struct err *e)
{
    struct child *ch = calloc(1, sizeof(*ch));
    int sock[2] = {-1, -1};
    pid_t pid;

    if (!ch || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) < 0) {
        free(ch);
        close_fd(&c->null);
        return err_sys(e, errno, "starting %s", c->name);
    }
    pid = quiet_fork();
    if (pid == 0)
        run(c, sock[1]);
    close_fd(&c->null);
    close_fd(&sock[1]);
    if (pid < 0) {
        close_fd(&sock[0]);
        free(ch);
        return err_sys(e, EAGAIN, "starting %s", c->name);
    }
    ch->sock = sock[0];
    ch->pidfd = pidfd_of(pid);
    *out = ch;
    return 0;
}

int child_start(struct child **out, const char *name, const char *const argv[],
                const char *const env[], struct err *e)
{
    struct command c;
    int rc = prepare(&c, argv, env, e);

    if (rc)
        return rc;
    snprintf(c.name, sizeof(c.name), "%s", name);
    return spawn(out, &c, between, e);
}

void child_stop(struct child *c)
{
    if (!c)
        return;
    close_fd(&c->sock);
    reap(c->pidfd);
    free(c);
}

int child_watch_us(struct child **out, const char *const env[], struct err *e)
{
    static const char *const argv[] = {"/proc/self/exe", NULL};
    struct command c;
    int rc = prepare(&c, argv, env, e);

    return rc ? rc : spawn(out, &c, survive, e);
}
