/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See netrig.h.
 */
#include "tests/lib/netrig.h"

#include "base/clock.h"
#include "base/mac.h"
#include "ports/netns.h"
#include "ports/tap.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- namespaces ---- */

static void settle_in(void)
{
    /* /proc/sys/net is that of the calling thread's namespace. */
    if (system("ip link set lo up; "
               "for i in all default; do "
               "echo 1 > /proc/sys/net/ipv6/conf/$i/disable_ipv6; done") != 0)
        fprintf(stderr, "cannot set up the namespace\n");
}

void netrig_start(void)
{
    if (geteuid() != 0) {
        puts("needs root: makes network namespaces and devices");
        exit(77);
    }
    if (unshare(CLONE_NEWNET) < 0) {
        printf("cannot make a network namespace: %s\n", strerror(errno));
        exit(77);
    }
    settle_in();
}

static int here(void)
{
    return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

int netrig_ns(void)
{
    int home = here(), fd;

    assert_true(home >= 0);
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    settle_in();
    fd = here();
    assert_true(fd >= 0);
    assert_int_equal(setns(home, CLONE_NEWNET), 0);
    close(home);
    return fd;
}

static int run(int ns, const char *cmd)
{
    struct netns_scope scope;
    int rc;

    assert_int_equal(netns_enter(&scope, ns, NULL), 0);
    rc = system(cmd);
    netns_leave(&scope);
    return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

int netrig_run(int ns, const char *fmt, ...)
{
    char cmd[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(cmd, sizeof(cmd), fmt, ap);
    va_end(ap);
    return run(ns, cmd);
}

void netrig_do(int ns, const char *fmt, ...)
{
    char cmd[1024];
    va_list ap;
    int rc;

    va_start(ap, fmt);
    vsnprintf(cmd, sizeof(cmd), fmt, ap);
    va_end(ap);
    rc = run(ns, cmd);
    if (rc)
        fail_msg("exit code %d of: %s", rc, cmd);
}

bool netrig_pings(int ns, bool must)
{
    return netrig_run(ns, "ping -q -c 1 -i 0.2 %s 10.77.0.1 >/dev/null",
                      must ? "-w 10" : "-W 0.4") == 0;
}

const char *netrig_path(int ns)
{
    static char path[4][64];
    static unsigned at;
    char *p = path[at++ % 4];

    snprintf(p, sizeof(path[0]), "/proc/%d/fd/%d", getpid(), ns);
    return p;
}

unsigned netrig_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 3; /* . and .. and the directory itself */
}

/* ---- a port ---- */

static void on_event(struct port *p, enum port_event ev, const char *reason)
{
    struct netrig *r = p->owner;

    r->events[ev]++;
    snprintf(r->last, sizeof(r->last), "%s", reason);
    ev_break(r->loop, EVBREAK_ONE);
}

static void on_ready(struct port_queue *q)
{
    struct netrig *r = q->port->owner;

    r->ready |= 1u << q->index;
    ev_break(r->loop, EVBREAK_ONE);
}

static void attach(struct netrig *r)
{
    struct port *p = r->port;
    unsigned queues[] = {0, PORT_QUEUE_PROTO};

    for (unsigned i = 0; i < (p->caps.proto_queue ? 2 : 1); i++) {
        struct port_queue *q = &r->q[queues[i]];

        *q = (struct port_queue){
            .port = p, .index = queues[i], .ready = on_ready};
        assert_int_equal(p->ops->attach(p, q, r->loop), 0);
    }
    r->attached = true;
}

int netrig_reopen(struct netrig *r, struct err *e)
{
    int rc = r->port->ops->open(r->port, e);

    if (!rc)
        attach(r);
    return rc;
}

int netrig_try(struct netrig *r, const char *spec, int ns, struct err *e)
{
    struct port_spec s;
    int rc;

    memset(r, 0, sizeof(*r));
    e->text[0] = 0;
    rc = port_spec_parse(&s, spec, e);
    if (rc)
        return rc;
    s.netns_fd = ns;
    s.may_open = true;
    r->port = port_new(&s, &rc, e);
    if (!r->port)
        return rc;
    r->port->owner = r;
    r->port->event = on_event;
    r->port->n_txctx = 2;
    r->loop = ev_loop_new(EVBACKEND_EPOLL);
    if (!r->loop || arena_init(&r->arena, 16 << 20) != 0)
        rc = -EMFILE;
    else
        rc = netrig_reopen(r, e);
    if (rc)
        netrig_close(r);
    return rc;
}

void netrig_open(struct netrig *r, const char *spec, int ns)
{
    struct err e;
    int rc = netrig_try(r, spec, ns, &e);

    if (rc)
        fail_msg("%s: %s", spec, e.text);
}

void netrig_shut(struct netrig *r)
{
    struct port *p = r->port;

    if (r->attached) {
        p->ops->detach(p, &r->q[0], r->loop);
        if (p->caps.proto_queue)
            p->ops->detach(p, &r->q[PORT_QUEUE_PROTO], r->loop);
        r->attached = false;
    }
    p->ops->close(p);
}

void netrig_close(struct netrig *r)
{
    if (!r->port)
        return;
    netrig_shut(r);
    netwatch_free(r->watch);
    port_free(r->port);
    arena_destroy(&r->arena);
    if (r->loop)
        ev_loop_destroy(r->loop);
    memset(r, 0, sizeof(*r));
}

/* ---- the loop ---- */

static void on_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
    (void)t;
    (void)revents;
    ev_break(loop, EVBREAK_ONE);
}

static void run_for(struct ev_loop *loop, double seconds)
{
    ev_timer t;

    ev_timer_init(&t, on_timer, seconds, 0);
    ev_now_update(loop);
    ev_timer_start(loop, &t);
    ev_run(loop, EVRUN_ONCE);
    ev_timer_stop(loop, &t);
}

static double now(void)
{
    return (double)clock_now() / NSEC_PER_SEC;
}

/* Watches the namespace the tap is in now, and looks how it is there. */
static void watch_tap(struct netrig *r)
{
    struct netwatch_ns *n = NULL;
    struct tap_place w;
    int rc;

    tap_ask(r->port, &w);
    tap_find(r->port, &w);
    if (w.netns_fd >= 0 && (!r->watched || w.netns != r->netns)) {
        r->netns = w.netns;
        n = netwatch_add(r->watch, w.netns_fd, &rc, NULL);
        assert_non_null(n);
        netwatch_remove(r->watched);
        r->watched = n;
    }
    assert_true(tap_found(r->port, &w));
    if (w.netns_fd >= 0)
        close(w.netns_fd);
    if (n)
        watch_tap(r);
}

static void on_change(void *arg, uint64_t netns, const struct link_change *c)
{
    struct netrig *r = arg;
    unsigned away = r->events[PORT_EVENT_AWAY];

    assert_int_equal(netns, c->netns);
    r->port->ops->link(r->port, c);
    /* As the switch does. */
    if (r->events[PORT_EVENT_AWAY] != away)
        watch_tap(r);
}

void netrig_watch(struct netrig *r)
{
    int rc;

    r->watch = netwatch_new(r->loop, on_change, r);
    assert_non_null(r->watch);
    if (r->port->kind == &port_kind_tap)
        watch_tap(r);
    else
        assert_non_null(
            netwatch_add(r->watch, r->port->spec.netns_fd, &rc, NULL));
}

bool netrig_event(struct netrig *r, enum port_event ev, unsigned n)
{
    double end = now() + NETRIG_WAIT;

    while (r->events[ev] < n && now() < end)
        run_for(r->loop, end - now());
    return r->events[ev] >= n;
}

/* ---- frames ---- */

struct tx_result netrig_send(struct netrig *r, const void *octets, size_t n,
                             const struct virtio_net_hdr *vnet)
{
    struct frame f = {.len = (uint32_t)n, .nseg = 1};
    struct frame *list[] = {&f};
    struct tx_result res = {0};
    uint8_t *copy = malloc(n ? n : 1);

    assert_non_null(copy);
    memcpy(copy, octets, n);
    f.seg[0] = (struct iovec){copy, n};
    if (vnet)
        f.vnet = *vnet;
    r->port->ops->tx(r->port, 1, list, 1, &res);
    free(copy);
    return res;
}

static bool is_test_frame(const uint8_t *f, size_t n)
{
    for (size_t at = 12; at + 2 <= n; at += 4) {
        unsigned type = (unsigned)(f[at] << 8 | f[at + 1]);

        if (type != 0x8100 && type != 0x88a8)
            return type == TEST_TYPE;
    }
    return false;
}

static int flatten(const struct frame *f, void *out, size_t size)
{
    size_t at = 0;

    assert_int_equal(f->len, frame_iov_len(f));
    for (unsigned i = 0; i < f->nseg; i++) {
        assert_true(at + f->seg[i].iov_len <= size);
        memcpy((uint8_t *)out + at, f->seg[i].iov_base, f->seg[i].iov_len);
        at += f->seg[i].iov_len;
    }
    return (int)at;
}

/* One frame of the queue, of whatever type; its length or 0. */
static int take(struct netrig *r, unsigned queue, void *out, size_t size)
{
    struct batch *b = &r->b;
    int n;

    r->arena.used = 0;
    b->frame = r->frame;
    b->n = 0;
    b->max = 1;
    b->arena = &r->arena;
    n = r->port->ops->rx(r->port, queue, b, 1);
    return n == 1 ? flatten(&r->frame[0], out, size) : 0;
}

int netrig_recv(struct netrig *r, unsigned queue, void *out, size_t size,
                double seconds)
{
    double end = now() + seconds;

    do {
        int n;

        while ((n = take(r, queue, out, size)) > 0)
            if (is_test_frame(out, (size_t)n))
                return n;
        run_for(r->loop, 0.02);
    } while (now() < end);
    return -1;
}

int netrig_vm(int ns, const char *name)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    struct netns_scope scope;
    int fd;

    assert_int_equal(netns_enter(&scope, ns, NULL), 0);
    fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
    netns_leave(&scope);
    netrig_do(ns, "ip link set %s up", name);
    return fd;
}

int netrig_vm_recv(int fd, void *out, size_t size, double seconds)
{
    double end = now() + seconds;

    do {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        while ((n = read(fd, out, size)) > 0)
            if (is_test_frame(out, (size_t)n))
                return (int)n;
        poll(&p, 1, 20);
    } while (now() < end);
    return -1;
}

size_t netrig_frame(uint8_t *out, size_t n, const char *dst,
                    const uint32_t *tags, unsigned n_tags)
{
    const struct mac from = {{2, 0, 0, 0, 0, 1}};
    struct mac to = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    uint16_t type = htons(TEST_TYPE);
    size_t at = 12;

    assert_true(!dst || mac_parse(dst, &to));
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(i * 7 + n);
    memcpy(out, &to, 6);
    memcpy(out + 6, &from, 6);
    for (unsigned i = 0; i < n_tags; i++, at += 4) {
        uint32_t tag = htonl(tags[i]);

        memcpy(out + at, &tag, 4);
    }
    memcpy(out + at, &type, 2);
    return n;
}
