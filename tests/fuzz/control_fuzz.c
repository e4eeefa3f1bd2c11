/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Octets as a client of the control socket may send them, to a real switch
 * with mem ports: each answer is a line of JSON with a result or an error,
 * and when the client has gone nothing of it is left.
 *
 * The first octet chooses: authority, and in what pieces the rest arrives.
 * The process leaves the network namespace it is started in first, so that
 * no request can reach a device.
 */
#include "ctl/call.h"
#include "ctl/conn.h"
#include "ctl/server.h"
#include "tests/fuzz/check.h"

#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS_MAX 20000

static struct ev_loop *loop;
static struct sw *sw;
static struct server *server;

static void done(void *arg, int rc, const struct err *e)
{
    (void)e;
    CHECK(rc == 0);
    *(bool *)arg = true;
}

static void wait_for(bool *flag)
{
    while (!*flag)
        ev_run(loop, EVRUN_ONCE);
    *flag = false;
}

/*
 * A bridge that outlives an input is no leak, but its table hangs on mapped
 * memory, where the leak checker does not look.
 */
__attribute__((weak)) void __lsan_disable(void);
__attribute__((weak)) void __lsan_enable(void);

static void add_base_bridge(const struct bridge_config *bc, bool *flag)
{
    if (__lsan_disable)
        __lsan_disable();
    bridge_add(sw, bc, done, flag);
    if (__lsan_enable)
        __lsan_enable();
    wait_for(flag);
}

/* What each input finds: the bridge "b" with the mem ports "m" and "n". */
static void base_state(void)
{
    struct bridge_config bc = {.name = "b", .netns_fd = -1};
    struct port_spec spec;
    bool flag = false;

    if (!bridge_find(sw, "b"))
        add_base_bridge(&bc, &flag);
    for (const char *const *s = (const char *const[]){"mem:m", "mem:n", NULL};
         *s; s++) {
        if (bport_owner(sw, *s + 4))
            continue;
        CHECK(port_spec_parse(&spec, *s, NULL) == 0);
        bport_add(bridge_find(sw, "b"), &spec, done, &flag);
        wait_for(&flag);
    }
}

/* Bridges an input made go again. */
static void restore(void)
{
    struct bridge *b;
    bool flag = false;

    for (b = bridge_next(sw, NULL); b; b = bridge_next(sw, NULL)) {
        struct bridge_info i;

        bridge_info(b, &i);
        if (strcmp(i.name, "b") == 0 && i.n_ports <= 2)
            b = bridge_next(sw, b);
        if (!b)
            break;
        bridge_info(b, &i);
        bridge_del(sw, i.name, true, done, &flag);
        wait_for(&flag);
    }
    base_state();
}

static void tear_down(void)
{
    server_close(server);
    sw_free(sw);
    server_free(server);
    ev_loop_destroy(loop);
}

static void set_up(void)
{
    struct sw_config c = {.workers = 1,
                          .cpu = {-1, -1, -1, -1, -1, -1, -1, -1}};
    struct server_config sc = {.fd = -1, .group = (gid_t)-1};
    struct err e;

    CHECK(unshare(CLONE_NEWNET) == 0 ||
          unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
    loop = ev_loop_new(EVBACKEND_EPOLL);
    c.loop = sc.loop = loop;
    CHECK(sw_new(&sw, &c, &e) == 0);
    sc.sw = sw;
    CHECK(server_new(&server, &sc, &e) == 0);
    CHECK(atexit(tear_down) == 0);
}

/* Every line that comes back must be an answer or an event. */
static void check_line(const char *text, size_t n)
{
    json_t *v = json_loadb(text, n, JSON_ALLOW_NUL, NULL);
    const json_t *error, *message;

    CHECK(json_is_object(v));
    error = json_object_get(v, "error");
    message = json_object_get(error, "message");
    CHECK(error || json_object_get(v, "result") ||
          json_object_get(v, "method"));
    CHECK(!error || (json_is_string(message) && json_string_length(message)));
    json_decref(v);
}

struct answers {
    char *p;
    size_t n, cap;
};

/* Reads what is there and checks whole lines.  False: the server hung up. */
static bool read_answers(int fd, struct answers *a)
{
    char *nl;
    ssize_t n;

    if (a->cap - a->n < 65536) {
        a->cap += 262144;
        a->p = realloc(a->p, a->cap);
        CHECK(a->p);
    }
    n = recv(fd, a->p + a->n, 65536, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0;
    a->n += (size_t)n;
    while (a->n && (nl = memchr(a->p, '\n', a->n)) != NULL) {
        size_t len = (size_t)(nl - a->p);

        check_line(a->p, len);
        a->n -= len + 1;
        memmove(a->p, nl + 1, a->n);
    }
    return true;
}

/* Has the client nothing more to expect?  Waiting and monitoring go on. */
static bool settled(void)
{
    struct conn *c = TAILQ_FIRST(&server->conns);

    return !c || (!c->is_ready && !c->parsing && !c->dump &&
                  (!c->call || c->call->cancel) && text_size(&c->out) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct answers a = {0};
    size_t piece;
    int fd[2];

    if (size < 1)
        return 0;
    if (!sw)
        set_up();
    base_state();
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
    CHECK(server_adopt(server, fd[1], data[0] & 1) == 0);
    piece = data[0] & 2 ? 1u + (data[0] >> 2) : size;
    for (size_t at = 1; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;

        if (send(fd[0], data + at, n, MSG_NOSIGNAL) < 0)
            break;
        ev_run(loop, EVRUN_NOWAIT);
    }
    if (data[0] & 128)
        shutdown(fd[0], SHUT_WR);
    for (int i = 0; i < TURNS_MAX; i++) {
        ev_run(loop, EVRUN_NOWAIT);
        if (!read_answers(fd[0], &a) || (settled() && i > 3))
            break;
    }
    close(fd[0]);
    for (int i = 0; server->n_conns && i < 100; i++) {
        ev_run(loop, EVRUN_NOWAIT);
        server_reap(server);
    }
    CHECK(server->n_conns == 0 && server->n_monitors == 0);
    CHECK(LIST_EMPTY(&server->waiters));
    while (!LIST_EMPTY(&server->calls)) /* the switch has yet to answer */
        ev_run(loop, EVRUN_ONCE);
    CHECK(server->memory == 0);
    free(a.p);
    restore();
    return 0;
}
