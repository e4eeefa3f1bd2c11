/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket on a real switch with mem ports, driven in one thread:
 * requests go in at one end of a socket pair, answers are read there.
 */
#include "base/clock.h"
#include "ctl/call.h"
#include "ctl/conn.h"
#include "ctl/listen.h"
#include "ctl/options.h"
#include "ctl/server.h"
#include "tests/lib/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT (10 * NSEC_PER_SEC)

static struct rig r;
static struct server *server;

struct peer {
    int fd;
    char *buf;
    size_t n, cap;
};

static int up(void **state)
{
    struct server_config c = {.fd = -1, .group = (gid_t)-1};
    struct err e;

    (void)state;
    rig_up(&r, 1);
    assert_int_equal(rig_add(&r, "mem:a"), 0);
    assert_int_equal(rig_add(&r, "mem:b"), 0);
    c.loop = r.loop;
    c.sw = r.sw;
    return server_new(&server, &c, &e);
}

static int down(void **state)
{
    (void)state;
    server_close(server);
    rig_down(&r);
    server_free(server);
    return 0;
}

static void peer_open(struct peer *p, enum authority authority)
{
    int fd[2];

    memset(p, 0, sizeof(*p));
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd),
        0);
    p->fd = fd[0];
    assert_int_equal(server_adopt(server, fd[1], authority), 0);
}

static void peer_close(struct peer *p)
{
    close(p->fd);
    free(p->buf);
    ev_run(r.loop, EVRUN_NOWAIT);
    ev_run(r.loop, EVRUN_NOWAIT);
}

static void turn(void)
{
    ev_run(r.loop, EVRUN_NOWAIT);
}

/* What has arrived; false at the end of the stream. */
static bool receive(struct peer *p)
{
    ssize_t n;

    if (p->cap - p->n < 65536) {
        p->cap = p->cap * 2 + 131072;
        p->buf = realloc(p->buf, p->cap);
        assert_non_null(p->buf);
    }
    n = recv(p->fd, p->buf + p->n, 65536, 0);
    if (n > 0)
        p->n += (size_t)n;
    return n > 0 || (n < 0 && errno == EAGAIN);
}

/* The next line, parsed; NULL at the end of the stream. */
static json_t *line(struct peer *p)
{
    uint64_t end = clock_now() + LIMIT;
    char *nl;

    while (!p->n || !(nl = memchr(p->buf, '\n', p->n))) {
        assert_true(clock_now() < end);
        turn();
        if (!receive(p))
            return NULL;
    }
    json_t *v = json_loadb(p->buf, (size_t)(nl - p->buf), 0, NULL);

    assert_non_null(v);
    p->n -= (size_t)(nl + 1 - p->buf);
    memmove(p->buf, nl + 1, p->n);
    return v;
}

static void say(struct peer *p, const char *text)
{
    size_t n = strlen(text);
    uint64_t end = clock_now() + LIMIT;

    while (n > 0) {
        ssize_t sent = send(p->fd, text, n, MSG_NOSIGNAL);

        assert_true(clock_now() < end);
        if (sent < 0) {
            assert_int_equal(errno, EAGAIN);
            turn();
            continue;
        }
        text += sent;
        n -= (size_t)sent;
    }
}

static json_t *ask(struct peer *p, const char *method, const char *params)
{
    char text[400];

    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n",
             method, params);
    say(p, text);
    return line(p);
}

static int code(json_t *answer)
{
    const json_t *e = json_object_get(answer, "error");
    int n = (int)json_integer_value(json_object_get(e, "code"));

    json_decref(answer);
    return n;
}

static bool ok(json_t *answer)
{
    bool yes = json_object_get(answer, "result") != NULL;

    json_decref(answer);
    return yes;
}

static const char *errno_of(const json_t *answer)
{
    return json_string_value(json_object_get(
        json_object_get(json_object_get(answer, "error"), "data"), "errno"));
}

/* What the daemon would open with its own rights is not for its group. */
static void sockets_are_the_owners(void **state)
{
    static const char *const spec[] = {
        "stream:/no/such/dir/s", "stream:@bascule-test-none,listen=off",
        "stream:unix:/no/such/dir/s",
        "dgram:127.0.0.1:1,remote=/no/such/dir/s"};
    char params[200];
    struct peer p;

    (void)state;
    for (int owner = 0; owner < 2; owner++) {
        peer_open(&p, owner ? AUTHORITY_OWNER : AUTHORITY_CHANGE);
        for (int i = 0; i < 4; i++) {
            json_t *a;

            snprintf(params, sizeof(params),
                     "{\"bridge\":\"br0\",\"port\":\"%s,name=u\"}", spec[i]);
            a = ask(&p, "addif", params);
            if (owner)
                assert_true(!errno_of(a) || strcmp(errno_of(a), "EPERM") != 0);
            else
                assert_string_equal(errno_of(a), "EPERM");
            json_decref(a);
        }
        /* other addresses are for both */
        assert_true(ok(ask(&p, "addif",
                           "{\"bridge\":\"br0\",\"port\":"
                           "\"stream:127.0.0.1:1,name=t\"}")));
        assert_true(
            ok(ask(&p, "delif", "{\"bridge\":\"br0\",\"port\":\"t\"}")));
        peer_close(&p);
    }
}

static void say_with_fd(struct peer *p, const char *text, int fd)
{
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    char copy[512];
    struct iovec iov = {copy, strlen(text)};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);

    memcpy(copy, text, strlen(text) + 1);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &fd, sizeof(fd));
    assert_int_equal(sendmsg(p->fd, &m, MSG_NOSIGNAL), iov.iov_len);
}

/* Descriptors come with a request's first octets.  They wait for its last,
 * also if the request before it has just been answered. */
static void descriptors_wait_for_their_line(void **state)
{
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    struct peer p;

    (void)state;
    assert_true(fd >= 0);
    peer_open(&p, AUTHORITY_OWNER);
    say_with_fd(&p,
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"setageing\","
                "\"params\":{\"bridge\":\"br0\",\"value\":1000}}\n"
                "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"addif\",",
                fd);
    close(fd);
    assert_true(ok(line(&p)));
    for (int i = 0; i < 20; i++)
        turn();
    say(&p, "\"params\":{\"bridge\":\"br0\",\"port\":\"mem:z\","
            "\"netns\":true}}\n");
    assert_true(ok(line(&p)));
    peer_close(&p);
}

static void changes_and_answers(void **state)
{
    struct peer p;
    json_t *a;

    (void)state;
    peer_open(&p, true);
    assert_true(ok(ask(&p, "addbr", "{\"bridge\":\"x\",\"local\":false}")));
    a = ask(&p, "addbr", "{\"bridge\":\"x\",\"local\":false}");
    assert_string_equal(
        json_string_value(json_object_get(
            json_object_get(json_object_get(a, "error"), "data"), "errno")),
        "EEXIST");
    json_decref(a);
    assert_true(ok(ask(&p, "addif", "{\"bridge\":\"x\",\"port\":\"mem:c\"}")));
    a = ask(&p, "show", "{\"bridge\":\"x\"}");
    assert_string_equal(
        json_string_value(json_array_get(
            json_object_get(json_array_get(json_object_get(a, "result"), 0),
                            "interfaces"),
            0)),
        "c");
    json_decref(a);
    assert_int_equal(
        code(ask(&p, "addif", "{\"bridge\":\"x\",\"port\":\"mem:c,netns=n\"}")),
        RPC_BAD_PARAMS);
    assert_true(ok(ask(&p, "stp", "{\"bridge\":\"x\",\"value\":true}")));
    assert_true(ok(ask(&p, "stp", "{\"bridge\":\"x\",\"value\":false}")));
    assert_true(ok(ask(&p, "delbr", "{\"bridge\":\"x\"}")));
    peer_close(&p);
    assert_int_equal(server->n_conns, 0);
}

static json_int_t labels_after(struct peer *p, const char *params)
{
    json_t *a = ask(p, "port.label", params);
    json_t *labels = json_object_get(a, "result");
    json_int_t n = labels ? (json_int_t)json_object_size(labels) : -1;

    json_decref(a);
    return n;
}

/* All or nothing, and gone with the port. */
static void labels_stay_with_the_port(void **state)
{
    struct peer p;

    (void)state;
    peer_open(&p, true);
    assert_true(ok(ask(&p, "addbr", "{\"bridge\":\"x\",\"local\":false}")));
    for (int round = 0; round < 2; round++) {
        assert_true(
            ok(ask(&p, "addif", "{\"bridge\":\"x\",\"port\":\"mem:c\"}")));
        assert_int_equal(labels_after(&p, "{\"port\":\"c\"}"), 0);
        assert_int_equal(
            labels_after(&p, "{\"port\":\"c\",\"set\":[\"a\",\"1\",\"b\","
                             "\"2\"],\"clear\":[\"none\"]}"),
            2);
        assert_int_equal(
            labels_after(&p, "{\"port\":\"c\",\"set\":[\"d\",\"\"]}"), -1);
        assert_int_equal(labels_after(&p, "{\"port\":\"c\",\"set\":[\"d\"]}"),
                         -1);
        assert_int_equal(labels_after(&p, "{\"port\":\"c\",\"clear\":[\"a\"]}"),
                         1);
        assert_int_equal(
            labels_after(&p,
                         "{\"port\":\"c\",\"all\":true,\"set\":[\"z\",\"1\"]}"),
            1);
        assert_true(ok(ask(&p, "delif", "{\"bridge\":\"x\",\"port\":\"c\"}")));
    }
    assert_int_equal(labels_after(&p, "{\"port\":\"c\"}"), -1);
    assert_true(ok(ask(&p, "delbr", "{\"bridge\":\"x\"}")));
    peer_close(&p);
}

static void one_after_the_other(void **state)
{
    char text[4096] = "";
    struct peer p;

    (void)state;
    peer_open(&p, true);
    for (int i = 0; i < 20; i++) { /* asynchronous ones and quick ones */
        size_t n = strlen(text);

        snprintf(text + n, sizeof(text) - n,
                 "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":"
                 "{\"bridge\":\"br0\"%s}}\n",
                 i, i % 2 ? "bridge.show" : "setageing",
                 i % 2 ? "" : ",\"value\":1000");
    }
    say(&p, text);
    for (int i = 0; i < 20; i++) {
        json_t *a = line(&p);

        assert_int_equal(json_integer_value(json_object_get(a, "id")), i);
        assert_true(ok(a));
    }
    peer_close(&p);
}

static void readers_only_read(void **state)
{
    struct peer p;

    (void)state;
    peer_open(&p, false);
    assert_true(ok(ask(&p, "port.show", "{}")));
    assert_int_equal(
        code(ask(&p, "addbr", "{\"bridge\":\"y\",\"local\":false}")),
        RPC_DENIED);
    assert_null(bridge_find(r.sw, "y"));
    /* as a notification, too */
    say(&p, "{\"jsonrpc\":\"2.0\",\"method\":\"addbr\",\"params\":{\"bridge\":"
            "\"y\",\"local\":false}}\n");
    assert_true(ok(ask(&p, "ping", "{}")));
    assert_null(bridge_find(r.sw, "y"));
    peer_close(&p);
}

/* A client may go at any moment of a request. */
static void clients_go(void **state)
{
    static const char *const request[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"addbr\",\"params\":"
        "{\"bridge\":\"g\",\"local\":false}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"delbr\",\"params\":"
        "{\"bridge\":\"g\"}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fdb.show\"}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"monitor\"}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wait-forwarding\","
        "\"params\":{\"port\":\"a\",\"timeout\":5}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1",
    };

    (void)state;
    for (int i = 0; i < 120; i++) {
        struct peer p;

        peer_open(&p, true);
        say(&p, request[i % 6]);
        for (int k = 0; k < i / 6; k++)
            turn();
        peer_close(&p);
    }
    rig_run(&r, 0.1);
    assert_int_equal(server->n_conns, 0);
    assert_int_equal(server->n_monitors, 0);
    assert_int_equal(server->memory, 0);
    assert_true(LIST_EMPTY(&server->waiters));
}

static void long_requests_too(void **state)
{
    char *text = malloc(200001);
    struct peer p, q;
    int n;

    (void)state;
    n = snprintf(text, 100,
                 "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"ping\"");
    memset(text + n, ' ', (size_t)(199998 - n));
    memcpy(text + 199998, "}\n", 3);
    peer_open(&p, true);
    for (int i = 0; i < 3; i++) {
        say(&p, text);
        assert_true(ok(line(&p)));
    }
    /* gone while it is read */
    peer_open(&q, true);
    say(&q, text);
    turn();
    peer_close(&q);
    assert_true(ok(ask(&p, "ping", "{}")));
    rig_run(&r, 0.1);
    assert_int_equal(server->n_conns, 1);
    peer_close(&p);
    assert_int_equal(server->memory, 0);
    free(text);
}

static void too_long_a_line(void **state)
{
    char *text = malloc(RPC_REQUEST_MAX + 10);
    struct peer p;

    (void)state;
    memset(text, 'x', RPC_REQUEST_MAX + 2);
    text[RPC_REQUEST_MAX + 2] = '\0';
    peer_open(&p, true);
    say(&p, text);
    assert_int_equal(code(line(&p)), RPC_LIMIT);
    assert_null(line(&p));
    peer_close(&p);
    assert_int_equal(server->n_conns, 0);
    assert_int_equal(server->memory, 0);
    free(text);
}

#define ENTRIES 20000

/*
 * How many were learned: a learner may pass over one while the table grows,
 * so it need not be all of them.
 */
static unsigned fill_table(void)
{
    struct bport_info info;

    for (unsigned i = 0; i < ENTRIES; i++) {
        rig_send(&r, "b", 0xffffffffffffULL, 0x020000000000ULL + i, 60, i);
        if (i % 256 == 255)
            rig_settle(&r);
    }
    rig_settle(&r);
    (void)rig_count(&r, "a");
    bport_info(rig_port(&r, "b"), &info);
    assert_true(info.fdb_learned > ENTRIES / 2);
    return info.fdb_learned;
}

/* A long answer is written as it is read, and is whole. */
static void dumps_are_pulled(void **state)
{
    struct peer p, q;
    unsigned n;
    json_t *a;

    (void)state;
    assert_int_equal(rig_set(&r, "b", BPORT_FDB_LIMIT, 0), 0);
    n = fill_table();
    peer_open(&p, false);
    peer_open(&q, false);
    say(&p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fdb.show\",\"params\":"
            "{\"bridge\":\"br0\",\"port\":\"b\"}}\n");
    for (int i = 0; i < 2000; i++)
        turn();
    assert_true(text_size(&TAILQ_FIRST(&server->conns)->out) <
                2 * CONN_QUEUE_LOW);
    assert_true(ok(ask(&q, "ping", "{}")));
    a = line(&p);
    assert_true(json_array_size(json_object_get(a, "result")) >= n);
    json_decref(a);
    assert_true(ok(ask(&p, "ping", "{}")));
    peer_close(&p);
    peer_close(&q);
}

/* Events do not get into the middle of a long answer, but behind it. */
static void events_wait_for_a_dump(void **state)
{
    struct sw_event e = {.type = SW_EVENT_FDB_FLUSH, .bridge = "br0"};
    struct peer p;
    json_t *a;

    (void)state;
    assert_int_equal(rig_set(&r, "b", BPORT_FDB_LIMIT, 0), 0);
    peer_open(&p, false);
    assert_true(ok(ask(&p, "monitor", "{\"what\":\"fdb\"}")));
    sw_observe(r.sw, NULL, NULL); /* what fill_table does is not told */
    fill_table();
    say(&p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fdb.show\"}\n");
    for (int i = 0; i < 2000; i++)
        turn();
    assert_non_null(TAILQ_FIRST(&server->conns)->dump);
    monitor_event(server, &e);
    monitor_event(server, &e);
    a = line(&p);
    assert_true(json_array_size(json_object_get(a, "result")) > 1000);
    json_decref(a);
    for (int i = 0; i < 2; i++) {
        a = line(&p);
        assert_string_equal(json_string_value(json_object_get(a, "method")),
                            "event");
        json_decref(a);
    }
    assert_true(ok(ask(&p, "ping", "{}")));
    peer_close(&p);
}

/* The bridge goes in the middle of the answer: it ends, as JSON. */
static void a_dumped_bridge_goes(void **state)
{
    struct peer p, q;
    unsigned n;
    json_t *a;

    (void)state;
    assert_int_equal(rig_set(&r, "b", BPORT_FDB_LIMIT, 0), 0);
    n = fill_table();
    peer_open(&p, false);
    peer_open(&q, true);
    say(&p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fdb.show\"}\n");
    for (int i = 0; i < 2000; i++)
        turn();
    assert_true(ok(ask(&q, "delbr", "{\"bridge\":\"br0\"}")));
    a = line(&p);
    assert_true(json_array_size(json_object_get(a, "result")) < n);
    json_decref(a);
    peer_close(&p);
    peer_close(&q);
}

static int balance_and_down(void **state)
{
    rig_balance(&r);
    return down(state);
}

static void waiting_ends(void **state)
{
    struct peer p, q;
    json_t *a;

    (void)state;
    peer_open(&p, false);
    peer_open(&q, true);
    assert_true(ok(ask(&p, "wait-forwarding", "{\"port\":\"a\"}")));
    assert_int_equal(code(ask(&p, "wait-forwarding", "{\"port\":\"nope\"}")),
                     RPC_FAILED);
    assert_int_equal(
        code(ask(&p, "wait-forwarding", "{\"port\":\"a\",\"timeout\":100000}")),
        RPC_BAD_PARAMS);
    a = ask(&q, "delif", "{\"bridge\":\"br0\",\"port\":\"a\"}");
    assert_true(ok(a));
    peer_close(&p);
    peer_close(&q);
}

#define MAC(n) "\"mac\":\"02:aa:00:00:00:0" #n "\""

/* errno's number of a refusal; the answer is given back */
static int number(json_t *a)
{
    json_t *data = json_object_get(json_object_get(a, "error"), "data");
    int n = (int)json_integer_value(json_object_get(data, "number"));

    json_decref(a);
    return n;
}

/* "static"; "absent" if there is no such entry */
static const char *entry_state(struct peer *p, const char *where)
{
    json_t *a = ask(p, "fdb.get", where);
    static char text[20];
    const char *s;

    s = json_string_value(
        json_object_get(json_object_get(a, "result"), "state"));
    snprintf(text, sizeof(text), "%s", s ? s : "absent");
    json_decref(a);
    return text;
}

static void entries_of_every_kind(void **state)
{
    struct peer p;

    (void)state;
    peer_open(&p, true);
    assert_true(ok(ask(&p, "fdb.add",
                       "{\"port\":\"a\",\"exclusive\":true," MAC(
                           1) ",\"type\":\"dynamic\"}")));
    assert_int_equal(
        number(ask(&p, "fdb.add",
                   "{\"port\":\"b\",\"exclusive\":true," MAC(1) "}")),
        EEXIST);
    assert_string_equal(entry_state(&p, "{\"bridge\":\"br0\"," MAC(1) "}"), "");
    /* without "exclusive" the entry is changed; a port says which bridge */
    assert_true(ok(ask(&p, "fdb.add", "{\"port\":\"b\"," MAC(1) "}")));
    assert_string_equal(entry_state(&p, "{\"port\":\"a\"," MAC(1) "}"),
                        "static");
    /* on another port than named there is none */
    assert_int_equal(number(ask(&p, "fdb.del", "{\"port\":\"a\"," MAC(1) "}")),
                     ENOENT);
    assert_true(ok(ask(&p, "fdb.del", "{\"port\":\"b\"," MAC(1) "}")));
    assert_int_equal(
        number(ask(&p, "fdb.get", "{\"bridge\":\"br0\"," MAC(1) "}")), ENOENT);
    /* the bridge's own are permanent */
    assert_int_equal(
        number(ask(&p, "fdb.add", "{\"port\":\"br0\"," MAC(2) "}")), EINVAL);
    assert_true(
        ok(ask(&p, "fdb.add",
               "{\"port\":\"br0\"," MAC(2) ",\"type\":\"permanent\"}")));
    assert_string_equal(entry_state(&p, "{\"bridge\":\"br0\"," MAC(2) "}"),
                        "permanent");
    assert_int_equal(
        number(ask(
            &p, "fdb.add",
            "{\"port\":\"a\",\"type\":\"local\",\"sticky\":true," MAC(3) "}")),
        EINVAL);
    assert_int_equal(
        number(ask(&p, "fdb.add", "{\"port\":\"a\",\"vlan\":5," MAC(3) "}")),
        EINVAL);
    assert_int_equal(
        code(ask(&p, "fdb.add", "{\"bridge\":\"br0\"," MAC(3) "}")),
        RPC_BAD_PARAMS);
    assert_int_equal(code(ask(&p, "fdb.del", "{" MAC(3) "}")), RPC_BAD_PARAMS);
    peer_close(&p);
}

/* One entry of each kind; a letter for each that is there. */
static void fill(struct peer *p)
{
    static const char *const add[] = {
        "{\"port\":\"a\"," MAC(1) ",\"type\":\"permanent\"}",
        "{\"port\":\"a\"," MAC(2) ",\"type\":\"static\"}",
        "{\"port\":\"a\"," MAC(3) ",\"type\":\"dynamic\"}",
        "{\"port\":\"b\"," MAC(4) ",\"type\":\"static\",\"sticky\":true}",
        "{\"port\":\"b\"," MAC(5) ",\"type\":\"dynamic\",\"sticky\":true}",
        "{\"port\":\"b\"," MAC(6) ",\"type\":\"dynamic\",\"extern\":true}"};

    for (unsigned i = 0; i < sizeof(add) / sizeof(add[0]); i++)
        assert_true(ok(ask(p, "fdb.add", add[i])));
}

static const char *left(struct peer *p)
{
    json_t *a = ask(p, "fdb.show", "{\"bridge\":\"br0\"}"), *e;
    static const char kind[] = "psdSDx";
    static char text[8];
    bool there[6] = {false};
    size_t i, n = 0;

    json_array_foreach(json_object_get(a, "result"), i, e)
    {
        const char *mac = json_string_value(json_object_get(e, "mac"));

        if (strncmp(mac, "02:aa:00:00:00:0", 16) == 0)
            there[mac[16] - '1'] = true;
    }
    json_decref(a);
    for (i = 0; i < 6; i++)
        if (there[i])
            text[n++] = kind[i];
    text[n] = '\0';
    return text;
}

static void flushes_by_kind(void **state)
{
    static const struct {
        const char *params, *left;
    } step[] = {
        {"{\"bridge\":\"br0\"}", "psS"}, /* what was learned */
        {"{\"bridge\":\"br0\",\"all\":true}", ""},
        {"{\"port\":\"a\",\"all\":true}", "SDx"},
        {"{\"port\":\"a\",\"bridge\":\"br0\"}", "psSDx"},
        {"{\"port\":\"br0\",\"all\":true}", "psdSDx"},
        {"{\"bridge\":\"br0\",\"permanent\":true}", "sdSDx"},
        {"{\"bridge\":\"br0\",\"permanent\":false}", "p"},
        {"{\"bridge\":\"br0\",\"static\":true,\"permanent\":false}", "pdDx"},
        {"{\"bridge\":\"br0\",\"static\":false}", "psS"},
        {"{\"bridge\":\"br0\",\"sticky\":true}", "psdx"},
        {"{\"bridge\":\"br0\",\"sticky\":false}", "SD"},
        {"{\"bridge\":\"br0\",\"sticky\":true,\"static\":false}", "psdSx"},
        {"{\"bridge\":\"br0\",\"extern\":true}", "psdSD"},
        {"{\"bridge\":\"br0\",\"extern\":false}", "x"},
        {"{\"bridge\":\"br0\",\"vlan\":7}", "psdSDx"},
        {"{\"bridge\":\"br0\",\"vlan\":0}", ""},
    };
    struct peer p;

    (void)state;
    peer_open(&p, true);
    for (unsigned i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
        fill(&p);
        assert_string_equal(left(&p), "psdSDx");
        assert_true(ok(ask(&p, "fdb.flush", step[i].params)));
        assert_string_equal(left(&p), step[i].left);
    }
    assert_int_equal(
        number(ask(&p, "fdb.flush", "{\"bridge\":\"br0\",\"vlan\":4095}")),
        ERANGE);
    assert_int_equal(number(ask(&p, "fdb.flush", "{\"port\":\"nope\"}")),
                     ENOENT);
    assert_int_equal(code(ask(&p, "fdb.flush", "{}")), RPC_BAD_PARAMS);
    peer_close(&p);
}

/* A flush is under way when its client, the port or the bridge goes. */
static void flushes_interrupted(void **state)
{
    static const char flush[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
                                "\"fdb.flush\",\"params\":{\"port\":\"a\","
                                "\"static\":true}}\n";
    struct peer p, q;
    json_t *a;

    (void)state;
    peer_open(&p, true);
    fill(&p);
    for (int round = 0; round < 3; round++) {
        peer_open(&q, true);
        assert_true(send(q.fd, flush, sizeof(flush) - 1, 0) > 0);
        for (int i = 0; i < round; i++)
            turn();
        peer_close(&q); /* before it was read, begun, half done */
        turn();
    }
    peer_open(&q, true);
    assert_true(send(q.fd, flush, sizeof(flush) - 1, 0) > 0);
    assert_true(ok(ask(&p, "delbr", "{\"bridge\":\"br0\",\"force\":true}")));
    a = line(&q);
    assert_true(json_object_get(a, "result") || json_object_get(a, "error"));
    json_decref(a);
    peer_close(&p);
    peer_close(&q);
}

static void events_carry_the_port(void **state)
{
    struct peer p, q;
    json_t *a, *o;

    (void)state;
    peer_open(&p, false);
    peer_open(&q, true);
    assert_true(ok(ask(&p, "monitor", "{\"what\":\"link\"}")));
    assert_true(ok(ask(&q, "setpathcost",
                       "{\"bridge\":\"br0\",\"port\":\"a\",\"value\":9}")));
    a = line(&p);
    o = json_object_get(json_object_get(a, "params"), "object");
    assert_int_equal(json_integer_value(json_object_get(o, "cost")), 9);
    assert_string_equal(json_string_value(json_object_get(o, "name")), "a");
    json_decref(a);
    assert_true(ok(ask(&q, "delif", "{\"bridge\":\"br0\",\"port\":\"a\"}")));
    a = line(&p);
    o = json_object_get(a, "params");
    assert_string_equal(json_string_value(json_object_get(o, "event")),
                        "port-del");
    o = json_object_get(o, "object"); /* though it is on its way out */
    assert_string_equal(json_string_value(json_object_get(o, "name")), "a");
    json_decref(a);
    peer_close(&p);
    peer_close(&q);
}

static void monitors_hear(void **state)
{
    struct peer p, q;
    json_t *a;
    const char *name;

    (void)state;
    peer_open(&p, false);
    peer_open(&q, true);
    assert_true(ok(ask(&p, "monitor", "{\"what\":\"fdb\"}")));
    assert_int_equal(server->n_monitors, 1);
    assert_true(ok(ask(&q, "fdb.add",
                       "{\"bridge\":\"br0\",\"port\":\"a\",\"mac\":"
                       "\"02:aa:00:00:00:01\"}")));
    a = line(&p);
    name =
        json_string_value(json_object_get(json_object_get(a, "params"), "mac"));
    assert_string_equal(name, "02:aa:00:00:00:01");
    json_decref(a);
    /* other requests still get their answers */
    assert_true(ok(ask(&p, "ping", "{}")));
    peer_close(&p);
    peer_close(&q);
    assert_int_equal(server->n_monitors, 0);
}

/* The answer's result, or what stands first in it. */
static json_t *result(json_t *answer)
{
    json_t *v = json_object_get(answer, "result");

    if (json_is_array(v))
        v = json_array_get(v, 0);
    json_incref(v);
    json_decref(answer);
    return v;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static void tree_on_and_off(void **state)
{
    struct bridge_info i;
    struct peer p;
    json_t *v;

    (void)state;
    peer_open(&p, true);
    v = result(ask(&p, "stp.show", "{\"bridge\":\"br0\"}"));
    assert_true(json_is_false(json_object_get(v, "stp")));
    json_decref(v);
    assert_true(ok(ask(&p, "stp", "{\"bridge\":\"br0\",\"value\":\"stp\"}")));
    bridge_info(bridge_find(r.sw, "br0"), &i);
    assert_int_equal(i.param[BRIDGE_FORCE_VERSION], 0);
    assert_int_equal(i.param[BRIDGE_STP], 1);
    /* brctl's words leave the version alone */
    assert_true(ok(ask(&p, "stp", "{\"bridge\":\"br0\",\"value\":false}")));
    assert_true(ok(ask(&p, "stp", "{\"bridge\":\"br0\",\"value\":1}")));
    bridge_info(bridge_find(r.sw, "br0"), &i);
    assert_int_equal(i.param[BRIDGE_FORCE_VERSION], 0);
    assert_true(ok(ask(&p, "stp", "{\"bridge\":\"br0\",\"value\":\"rstp\"}")));
    v = result(ask(&p, "stp.show", "{}"));
    assert_true(json_is_true(json_object_get(v, "stp")));
    assert_string_equal(text_of(v, "version"), "rstp");
    assert_string_equal(text_of(v, "root"), text_of(v, "id"));
    assert_int_equal(json_array_size(json_object_get(v, "ports")), 2);
    assert_string_equal(
        text_of(json_array_get(json_object_get(v, "ports"), 1), "role"),
        "designated");
    json_decref(v);
    assert_true(ok(ask(&p, "stp.tcn", "{\"bridge\":\"br0\"}")));
    assert_true(ok(ask(&p, "stp.mcheck", "{\"port\":\"a\"}")));
    peer_close(&p);
}

static void tree_refusals(void **state)
{
    static const struct {
        const char *method, *params;
        int code;
    } t[] = {
        {"stp", "{\"bridge\":\"br0\",\"value\":\"mstp\"}", RPC_BAD_PARAMS},
        {"stp", "{\"bridge\":\"br0\",\"value\":2}", RPC_FAILED},
        {"stp", "{\"bridge\":\"no\",\"value\":\"rstp\"}", RPC_FAILED},
        {"stp.show", "{\"bridge\":\"no\"}", RPC_FAILED},
        {"stp.why", "{\"port\":\"no\"}", RPC_FAILED},
        {"stp.why", "{}", RPC_BAD_PARAMS},
        {"stp.tcn", "{\"bridge\":\"br0\"}", RPC_FAILED}, /* it is off */
        {"stp.mcheck", "{\"port\":\"a\"}", RPC_FAILED},
        {"stp.mcheck", "{\"port\":\"no\"}", RPC_FAILED},
        {"bridge.set",
         "{\"bridge\":\"br0\",\"parameter\":\"force-version\",\"value\":2}",
         RPC_BAD_PARAMS},
        {"bridge.set",
         "{\"bridge\":\"br0\",\"parameter\":\"tx_hold\",\"value\":11}",
         RPC_FAILED},
        {"bridge.set",
         "{\"bridge\":\"br0\",\"parameter\":\"tx-hold\",\"value\":\"6\"}",
         RPC_BAD_PARAMS},
        {"port.set", "{\"port\":\"a\",\"parameter\":\"p2p\",\"value\":\"yes\"}",
         RPC_BAD_PARAMS},
        {"port.set",
         "{\"port\":\"a\",\"parameter\":\"path-cost\",\"value\":65536}",
         RPC_FAILED},
        {"monitor", "{\"what\":\"bpdu\"}", RPC_BAD_PARAMS},
    };
    struct peer p;

    (void)state;
    peer_open(&p, true);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        if (code(ask(&p, t[i].method, t[i].params)) != t[i].code)
            fail_msg("%s %s", t[i].method, t[i].params);
    peer_close(&p);
    peer_open(&p, false);
    assert_true(ok(ask(&p, "stp.show", "{}")));
    assert_int_equal(code(ask(&p, "stp.tcn", "{\"bridge\":\"br0\"}")),
                     RPC_DENIED);
    peer_close(&p);
}

static void words_and_values(void **state)
{
    const json_t *list, *port;
    struct peer p;
    json_t *v;

    (void)state;
    peer_open(&p, true);
    assert_true(ok(ask(&p, "bridge.set",
                       "{\"bridge\":\"br0\",\"parameter\":"
                       "\"path-cost-method\",\"value\":\"long\"}")));
    assert_true(ok(ask(&p, "port.set",
                       "{\"port\":\"a\",\"parameter\":\"path-cost\","
                       "\"value\":200000000}")));
    assert_true(
        ok(ask(&p, "port.set",
               "{\"port\":\"a\",\"parameter\":\"p2p\",\"value\":false}")));
    v = result(ask(&p, "bridge.show", "{\"bridge\":\"br0\"}"));
    assert_string_equal(text_of(v, "path_cost_method"), "long");
    assert_string_equal(text_of(v, "force_version"), "rstp");
    json_decref(v);
    v = ask(&p, "port.show", "{\"bridge\":\"br0\"}");
    list = json_object_get(v, "result");
    port = json_array_get(list, json_array_size(list) - 2);
    assert_true(json_is_false(json_object_get(port, "p2p")));
    assert_int_equal(json_integer_value(json_object_get(port, "cost")),
                     200000000);
    json_decref(v);
    peer_close(&p);
}

static void why_says_that_it_is_off(void **state)
{
    struct peer p;
    json_t *v;

    (void)state;
    peer_open(&p, false);
    v = result(ask(&p, "stp.why", "{\"port\":\"a\"}"));
    assert_true(json_is_false(json_object_get(v, "stp")));
    assert_non_null(
        strstr(json_string_value(json_array_get(json_object_get(v, "why"), 0)),
               "is off"));
    json_decref(v);
    peer_close(&p);
}

/* BPDUs are for those who ask for them, who may vanish. */
static void tree_is_monitored(void **state)
{
    bool stp = false, bpdu = false;
    struct peer p, q, all;

    (void)state;
    peer_open(&p, false);
    peer_open(&q, true);
    peer_open(&all, false);
    assert_true(ok(ask(&p, "monitor", "{\"what\":\"stp\"}")));
    assert_true(ok(ask(&all, "monitor", "{\"what\":\"all\"}")));
    assert_int_equal(server->n_stp_monitors, 1);
    assert_int_equal(server->n_monitors, 2);
    assert_true(ok(ask(&q, "stp", "{\"bridge\":\"br0\",\"value\":true}")));
    while (!stp || !bpdu) {
        json_t *a = line(&p);
        const char *event = text_of(json_object_get(a, "params"), "event");

        stp |= strcmp(event, "stp") == 0;
        bpdu |= strcmp(event, "bpdu") == 0;
        json_decref(a);
    }
    rig_settle(&r);
    turn();
    assert_true(receive(&all));
    assert_non_null(memmem(all.buf, all.n, "\"event\":\"stp\"", 13));
    assert_null(memmem(all.buf, all.n, "\"event\":\"bpdu\"", 14));
    peer_close(&p);
    assert_int_equal(server->n_stp_monitors, 0);
    assert_int_equal(server->n_monitors, 1);
    peer_close(&q);
    peer_close(&all);
    assert_int_equal(server->n_monitors, 0);
}

static void mem_ports_by_script(void **state)
{
    struct peer p;
    json_t *a;

    (void)state;
    peer_open(&p, true);
    assert_true(ok(ask(&p, "mem.inject",
                       "{\"port\":\"a\",\"copies\":3,\"frame\":"
                       "\"ff:ff:ff:ff:ff:ff 020000000001 88b5 0001\"}")));
    rig_settle(&r);
    a = ask(&p, "mem.collect", "{\"port\":\"b\",\"max\":2}");
    assert_int_equal(json_array_size(json_object_get(a, "result")), 2);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(a, "result"), 0)),
        "ffffffffffff02000000000188b50001");
    json_decref(a);
    assert_int_equal(
        code(ask(&p, "mem.inject", "{\"port\":\"a\",\"frame\":\"0\"}")),
        RPC_BAD_PARAMS);
    assert_int_equal(
        code(ask(&p, "mem.fail-after", "{\"port\":\"a\",\"frames\":-2}")),
        RPC_BAD_PARAMS);
    assert_true(ok(ask(&p, "mem.fail-after", "{\"port\":\"b\",\"frames\":0}")));
    peer_close(&p);
}

/* ---- what the daemon's start consists of ---- */

static void processor_lists(void **state)
{
    struct err e;
    unsigned n;
    int cpu[OPTIONS_WORKERS_MAX];

    (void)state;
    assert_int_equal(options_cpu_list("0,2-4", cpu, &n, &e), 0);
    assert_int_equal(n, 4);
    assert_int_equal(cpu[3], 4);
    for (const char *const *s =
             (const char *const[]){"", "x", "1-", "-1", "3-1", "1,,2", "1 2",
                                   "99999", "1,", NULL};
         *s; s++) {
        assert_true(options_cpu_list(*s, cpu, &n, &e) < 0);
        assert_non_null(strstr(e.text, "--cpus"));
    }
    assert_int_equal(options_cpu_list("0-20", cpu, &n, &e), -E2BIG);
}

/* Processors that no worker would use are refused, not ignored. */
static void more_processors_than_workers(void **state)
{
    char name[] = "basculed", cpus[] = "--cpus=0,0", two[] = "--workers=2";
    char *argv[] = {name, cpus, two, NULL};
    struct options o;
    struct err e;

    (void)state;
    assert_int_equal(options_parse(&o, 2, argv, &e), -EINVAL);
    assert_non_null(strstr(e.text, "--workers"));
    assert_int_equal(options_parse(&o, 3, argv, &e), 0);
    assert_int_equal(o.workers, 2);
}

static void help_by_its_letter(void **state)
{
    char name[] = "basculed", letter[] = "-h", word[] = "--help", no[] = "-H";
    char *by_letter[] = {name, letter, NULL}, *by_word[] = {name, word, NULL};
    char *none[] = {name, no, NULL};
    struct options o;
    struct err e;

    (void)state;
    assert_int_equal(options_parse(&o, 2, by_letter, &e), 1);
    assert_int_equal(options_parse(&o, 2, by_word, &e), 1);
    assert_int_equal(options_parse(&o, 2, none, &e), -EINVAL);
    assert_string_equal(e.text, "there is no option -H; see --help");
}

static void one_listener_per_path(void **state)
{
    char dir[] = "/tmp/bascule-listen-XXXXXX";
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct listener l, second;
    struct err e;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", dir);
    assert_int_equal(listener_open(&l, &a, (gid_t)-1, &e), 0);
    assert_int_equal(listener_open(&second, &a, (gid_t)-1, &e), -EADDRINUSE);
    assert_int_equal(access(a.sun_path, F_OK), 0);
    listener_close(&l, false);
    assert_int_equal(access(a.sun_path, F_OK), -1);
    assert_int_equal(listener_open(&l, &a, (gid_t)-1, &e), 0);
    listener_close(&l, false);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(changes_and_answers, up, down),
        cmocka_unit_test_setup_teardown(sockets_are_the_owners, up, down),
        cmocka_unit_test_setup_teardown(descriptors_wait_for_their_line, up,
                                        down),
        cmocka_unit_test_setup_teardown(labels_stay_with_the_port, up, down),
        cmocka_unit_test_setup_teardown(one_after_the_other, up, down),
        cmocka_unit_test_setup_teardown(readers_only_read, up, down),
        cmocka_unit_test_setup_teardown(clients_go, up, down),
        cmocka_unit_test_setup_teardown(long_requests_too, up, down),
        cmocka_unit_test_setup_teardown(too_long_a_line, up, down),
        cmocka_unit_test_setup_teardown(dumps_are_pulled, up, balance_and_down),
        cmocka_unit_test_setup_teardown(events_wait_for_a_dump, up,
                                        balance_and_down),
        cmocka_unit_test_setup_teardown(a_dumped_bridge_goes, up, down),
        cmocka_unit_test_setup_teardown(waiting_ends, up, down),
        cmocka_unit_test_setup_teardown(entries_of_every_kind, up, down),
        cmocka_unit_test_setup_teardown(flushes_by_kind, up, down),
        cmocka_unit_test_setup_teardown(flushes_interrupted, up, down),
        cmocka_unit_test_setup_teardown(events_carry_the_port, up, down),
        cmocka_unit_test_setup_teardown(monitors_hear, up, down),
        cmocka_unit_test_setup_teardown(tree_on_and_off, up, down),
        cmocka_unit_test_setup_teardown(tree_refusals, up, down),
        cmocka_unit_test_setup_teardown(words_and_values, up, down),
        cmocka_unit_test_setup_teardown(why_says_that_it_is_off, up, down),
        cmocka_unit_test_setup_teardown(tree_is_monitored, up, down),
        cmocka_unit_test_setup_teardown(mem_ports_by_script, up, down),
        cmocka_unit_test(processor_lists),
        cmocka_unit_test(more_processors_than_workers),
        cmocka_unit_test(help_by_its_letter),
        cmocka_unit_test(one_listener_per_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
