/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See guard.h.
 *
 * The guard is forked, not executed: it needs no file to be found.  It closes
 * every descriptor it inherits but its own, else our taps and locks would
 * live as long as it does.
 */
#include "ports/guard.h"

#include "base/log.h"
#include "ports/guardfile.h"
#include "ports/ingress.h"
#include "ports/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <unistd.h>

enum { ADD, REMOVE };

/* What comes with ADD. */
enum { NETNS_FD, LOCK_FD, GATE_FD, FDS };

struct message {
    int what;
    struct guard_device device;
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- the guard's side ---- */

struct watched {
    struct watched *next;
    struct guard_device device;
    int fd[FDS];
};

static void close_fds(const int fd[FDS])
{
    for (int i = 0; i < FDS; i++)
        if (fd[i] >= 0)
            close(fd[i]);
}

static void forget(struct watched **list, const struct guard_device *d)
{
    while (*list) {
        struct watched *w = *list;

        if (w->device.netns != d->netns || w->device.ifindex != d->ifindex) {
            list = &w->next;
            continue;
        }
        *list = w->next;
        close_fds(w->fd);
        free(w);
    }
}

static bool keep(struct watched **list, const struct guard_device *d,
                 const int fd[FDS])
{
    struct watched *w = malloc(sizeof(*w));

    if (!w || fd[NETNS_FD] < 0 || fd[LOCK_FD] < 0) {
        free(w);
        close_fds(fd);
        return false;
    }
    forget(list, d);
    *w = (struct watched){.next = *list, .device = *d};
    memcpy(w->fd, fd, sizeof(w->fd));
    *list = w;
    return true;
}

static bool is_tree(const struct guard_device *d)
{
    return d->bridge.tree && d->bridge.bridge == d->ifindex;
}

static void switch_tree_on(const struct watched *w)
{
    struct netns_scope scope;

    if (!is_tree(&w->device) || netns_enter(&scope, w->fd[NETNS_FD], NULL) != 0)
        return;
    (void)kbridge_set_stp(w->device.ifindex, true);
    netns_leave(&scope);
}

/* 'urgent': what keeps frames from passing; settings can wait for that. */
static void put_back_here(const struct guard_device *d, bool urgent)
{
    if (urgent && d->filter)
        ingress_remove_filter(d->ifindex, d->made_hook);
    if (urgent && is_tree(d))
        (void)kbridge_tree_back(d->ifindex);
    else if (urgent)
        kbridge_restore(d->ifindex, &d->bridge);
    else
        settings_restore(d->ifindex, &d->saved);
}

static void put_back(const struct watched *w, bool urgent)
{
    struct netns_scope scope;

    if (netns_enter(&scope, w->fd[NETNS_FD], NULL) != 0)
        return;
    put_back_here(&w->device, urgent);
    netns_leave(&scope);
}

/* One message and the descriptors that came with it.  False at the end. */
static bool hear(int sock, struct message *m, int fd[FDS])
{
    union {
        char buf[CMSG_SPACE(FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec v = {.iov_base = m, .iov_len = sizeof(*m)};
    struct msghdr h = {.msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n;
    struct cmsghdr *c;

    do
        n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    for (int i = 0; i < FDS; i++)
        fd[i] = -1;
    if (n != (ssize_t)sizeof(*m))
        return false;
    c = CMSG_FIRSTHDR(&h);
    if (c && c->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(c),
               smaller(c->cmsg_len - CMSG_LEN(0), FDS * sizeof(int)));
    return true;
}

/* Nothing of the parent's stays open, its terminal and pipes included. */
static int shed(int sock)
{
    int null = open("/dev/null", O_RDWR);

    for (int fd = 0; fd <= 2; fd++)
        if (null >= 0)
            dup2(null, fd);
    if (sock != 3 && dup2(sock, 3) < 0)
        _exit(1);
    close_range(4, ~0U, 0);
    return 3;
}

static void guard_signals(void)
{
    sigset_t none;

    /* A stop of the whole group must leave it the moment it needs. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void raise_limit(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

static void run_guard(int sock)
{
    struct watched *list = NULL;
    struct message m;
    int fd[FDS];

    sock = shed(sock);
    prctl(PR_SET_NAME, "bascule-guard");
    guard_signals();
    raise_limit();
    while (hear(sock, &m, fd)) {
        char ok = 1;

        if (m.what == ADD)
            ok = keep(&list, &m.device, fd);
        else
            forget(&list, &m.device);
        if (send(sock, &ok, 1, 0) != 1)
            break;
    }
    for (struct watched *w = list; w; w = w->next)
        switch_tree_on(w);
    for (struct watched *w = list; w; w = w->next)
        if (w->fd[GATE_FD] >= 0)
            ingress_open_gate(w->fd[GATE_FD]);
    for (struct watched *w = list; w; w = w->next)
        put_back(w, true);
    for (struct watched *w = list; w; w = w->next) {
        put_back(w, false);
        guardfile_remove(w->device.netns, w->device.ifindex);
        close_fds(w->fd); /* now others may have it */
    }
    _exit(0);
}

/* ---- our side ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int guard = -1;         /* our end of the socket */
static pid_t guard_pid;        /* whose guard that is: a fork of us has none */
static int guard_process = -1; /* a pidfd */
static unsigned guard_number;  /* which one: there may have been others */
static struct watched *told;   /* what the guard knows, for the next one */

/*
 * The kernel lets go of a dead process's files in reverse order of their
 * numbers (its task works run last in, first out), and some of a device take
 * it 20 ms each.  The guard is to hear of our end before that, so its socket
 * gets a number higher than any device's.
 */
#define NUMBERS_MAX 16384

static int last_number(int fd)
{
    struct rlimit r;
    rlim_t top;
    int high;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return fd;
    top = r.rlim_cur < NUMBERS_MAX ? r.rlim_cur : NUMBERS_MAX;
    high = fcntl(fd, F_DUPFD_CLOEXEC, (int)top - 1);
    if (high < 0)
        return fd;
    close(fd);
    return high;
}

/* ---- should it end before us ---- */

static bool present(void)
{
    return guard >= 0 && guard_pid == getpid();
}

struct watcher {
    int process; /* a pidfd */
    unsigned number;
};

static int start(struct err *e);

/* Whoever starts a thread is perhaps in a device's namespace, which that would
 * keep; the next guard would, too. */
static void go_home(void)
{
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)setns(fd, CLONE_NEWNET);
        close(fd);
    }
}

static int lose(int rc);

/* It may have been replaced already. */
static void replace(unsigned number)
{
    struct err e = {""};

    if (number == guard_number && present())
        lose(0);
    if (!told || start(&e) == 0)
        log_warn("the guard, which puts interfaces back should basculed be "
                 "killed, was ended%s",
                 told ? "; there is a new one" : "");
    else
        log_error("the guard was ended, and there is no new one (%s): should "
                  "basculed be killed, interfaces are left as they are",
                  e.text);
}

static void *watch_guard(void *arg)
{
    struct watcher *w = arg;
    struct pollfd p = {.fd = w->process, .events = POLLIN};

    go_home();
    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        ;
    close(w->process);
    pthread_mutex_lock(&lock);
    replace(w->number);
    pthread_mutex_unlock(&lock);
    free(w);
    return NULL;
}

/* Without a watcher, whoever next tells the guard something notices. */
static void watch(void)
{
    struct watcher *w = malloc(sizeof(*w));
    sigset_t all, before;
    pthread_t t;
    int fd = fcntl(guard_process, F_DUPFD_CLOEXEC, 0);

    if (w)
        *w = (struct watcher){fd, guard_number};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (w && fd >= 0 && pthread_create(&t, NULL, watch_guard, w) == 0) {
        (void)pthread_detach(t);
    } else {
        free(w);
        if (fd >= 0)
            close(fd);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int fork_guard(struct err *e)
{
    /* It answers in microseconds; a stopped one must not stop us. */
    const struct timeval limit = {.tv_sec = 2};
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, errno, "starting the guard of devices");
    pid = fork();
    if (pid == 0) {
        close(pair[0]);
        run_guard(pair[1]);
    }
    close(pair[1]);
    if (pid < 0) {
        int rc = errno;

        close(pair[0]);
        return err_sys(e, rc, "starting the guard of devices");
    }
    pair[0] = last_number(pair[0]);
    (void)setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    guard_process = (int)syscall(SYS_pidfd_open, pid, 0);
    guard = pair[0];
    guard_pid = getpid();
    guard_number++;
    watch();
    return 0;
}

/* Gives the guard up: it was ended, or does not answer.  There is a new one
 * soon, of its watcher's, or next time.  One that was merely stopped must not
 * take it for our end later and open what we have shut. */
static int lose(int rc)
{
    if (guard_process >= 0) {
        (void)syscall(SYS_pidfd_send_signal, guard_process, SIGKILL, NULL, 0);
        close(guard_process);
    }
    guard_process = -1;
    close(guard);
    guard = -1;
    return rc;
}

/* The last one may be missing. */
static void put_fds(struct msghdr *h, const int fd[FDS])
{
    size_t n = (fd[GATE_FD] < 0 ? FDS - 1 : FDS) * sizeof(int);
    struct cmsghdr *c = CMSG_FIRSTHDR(h);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n);
    memcpy(CMSG_DATA(c), fd, n);
    h->msg_controllen = CMSG_SPACE(n);
}

/* Tells the guard and waits for its answer.  0 or -errno. */
static int say(const struct message *m, const int *fd)
{
    union {
        char buf[CMSG_SPACE(FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct message copy = *m;
    struct iovec v = {.iov_base = &copy, .iov_len = sizeof(copy)};
    struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};
    ssize_t n;
    char ok;

    memset(&control, 0, sizeof(control));
    if (fd) {
        h.msg_control = &control;
        h.msg_controllen = sizeof(control);
        put_fds(&h, fd);
    }
    if (sendmsg(guard, &h, MSG_NOSIGNAL) < 0)
        return lose(-errno);
    do
        n = recv(guard, &ok, 1, 0);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        return lose(n < 0 ? -errno : -EPIPE);
    return ok ? 0 : -ENOMEM;
}

static struct message message(int what, const struct guard_device *d)
{
    struct message m;

    memset(&m, 0, sizeof(m)); /* its padding is sent, too */
    m.what = what;
    m.device = *d;
    return m;
}

static int start_one(struct err *e)
{
    int rc = fork_guard(e);

    for (const struct watched *w = told; w && !rc; w = w->next) {
        struct message m = message(ADD, &w->device);

        rc = say(&m, w->fd);
        if (rc)
            err_sys(e, rc, "telling the guard of devices");
    }
    return rc;
}

/* There is one afterwards, and it knows what the last one knew.  Who ends
 * guards may end this one, too, before it knows. */
static int start(struct err *e)
{
    int rc = 0;

    for (unsigned tries = 0; !present() && tries < 5; tries++) {
        rc = start_one(e);
        if (rc != -EPIPE && rc != -ECONNRESET)
            break;
    }
    return rc;
}

/* For the next guard.  Without memory it will not know. */
static void note(const struct guard_device *d, const int fd[FDS])
{
    int own[FDS];

    for (int i = 0; i < FDS; i++)
        own[i] = fd[i] < 0 ? -1 : fcntl(fd[i], F_DUPFD_CLOEXEC, 0);
    (void)keep(&told, d, own);
}

static int add(const struct message *m, int lock_fd, int gate_fd, struct err *e)
{
    int fd[FDS] = {-1, lock_fd, gate_fd};
    int rc = start(e);

    if (rc)
        return rc;
    fd[NETNS_FD] = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (fd[NETNS_FD] < 0)
        return err_sys(e, errno, "telling the guard of devices");
    rc = say(m, fd);
    if (!rc) {
        note(&m->device, fd);
        guardfile_write(&m->device);
    }
    close(fd[NETNS_FD]);
    return rc ? err_sys(e, rc, "telling the guard of devices") : 0;
}

int guard_add(const struct guard_device *d, int lock_fd, int gate_fd,
              struct err *e)
{
    struct message m = message(ADD, d);
    int rc;

    pthread_mutex_lock(&lock);
    rc = add(&m, lock_fd, gate_fd, e);
    pthread_mutex_unlock(&lock);
    return rc;
}

int guard_add_tree(uint64_t netns, int bridge, int lock_fd, struct err *e)
{
    const struct guard_device d = {
        .netns = netns,
        .ifindex = bridge,
        .saved = SETTINGS_NONE,
        .bridge = {.bridge = bridge, .tree = true},
    };

    return guard_add(&d, lock_fd, -1, e);
}

bool guard_has_tree(uint64_t netns, int bridge)
{
    bool has = false;

    pthread_mutex_lock(&lock);
    for (const struct watched *w = told; w && !has; w = w->next)
        has = is_tree(&w->device) && w->device.netns == netns &&
              w->device.ifindex == bridge;
    pthread_mutex_unlock(&lock);
    return has;
}

void guard_remove(uint64_t netns, int ifindex)
{
    const struct guard_device d = {.netns = netns, .ifindex = ifindex};
    struct message m = message(REMOVE, &d);

    pthread_mutex_lock(&lock);
    forget(&told, &d);
    guardfile_remove(netns, ifindex);
    if (present())
        (void)say(&m, NULL);
    pthread_mutex_unlock(&lock);
}

/* ---- what is left of a daemon and its guard ---- */

/* False: it is taken, by another daemon since, or its guard is still at it. */
static bool left_behind(const struct guard_device *d)
{
    struct ingress taken;

    if (ingress_lock(&taken, d->ifindex, "", NULL) != 0)
        return false;
    put_back_here(d, true);
    put_back_here(d, false);
    ingress_release(&taken);
    return true;
}

static bool tree_left_behind(const struct guard_device *d)
{
    return is_tree(d) && left_behind(d);
}

/* As the guard does: no port forwards by what it once was while its bridge's
 * spanning tree is off. */
void guard_recover(const char *dir)
{
    guardfile_open(dir);
    guardfile_take_all(tree_left_behind);
    guardfile_take_all(left_behind);
}
