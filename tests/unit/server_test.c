/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket on a real switch with mem ports: clients, their requests
 * and long answers.
 */
#include "ctl/call.h"
#include "ctl/conn.h"
#include "tests/lib/serverrig.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

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
            a = peer_ask(&p, "addif", params);
            if (owner)
                assert_true(!errno_of(a) || strcmp(errno_of(a), "EPERM") != 0);
            else
                assert_string_equal(errno_of(a), "EPERM");
            json_decref(a);
        }
        /* other addresses are for both */
        assert_true(answer_ok(peer_ask(&p, "addif",
                                       "{\"bridge\":\"br0\",\"port\":"
                                       "\"stream:127.0.0.1:1,name=t\"}")));
        assert_true(answer_ok(
            peer_ask(&p, "delif", "{\"bridge\":\"br0\",\"port\":\"t\"}")));
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
    assert_true(answer_ok(peer_line(&p)));
    for (int i = 0; i < 20; i++)
        peer_turn();
    peer_say(&p, "\"params\":{\"bridge\":\"br0\",\"port\":\"mem:z\","
                 "\"netns\":true}}\n");
    assert_true(answer_ok(peer_line(&p)));
    peer_close(&p);
}

static void changes_and_answers(void **state)
{
    struct peer p;
    json_t *a;

    (void)state;
    peer_open(&p, true);
    assert_true(
        answer_ok(peer_ask(&p, "addbr", "{\"bridge\":\"x\",\"local\":false}")));
    a = peer_ask(&p, "addbr", "{\"bridge\":\"x\",\"local\":false}");
    assert_string_equal(
        json_string_value(json_object_get(
            json_object_get(json_object_get(a, "error"), "data"), "errno")),
        "EEXIST");
    json_decref(a);
    assert_true(answer_ok(
        peer_ask(&p, "addif", "{\"bridge\":\"x\",\"port\":\"mem:c\"}")));
    a = peer_ask(&p, "show", "{\"bridge\":\"x\"}");
    assert_string_equal(
        json_string_value(json_array_get(
            json_object_get(json_array_get(json_object_get(a, "result"), 0),
                            "interfaces"),
            0)),
        "c");
    json_decref(a);
    assert_int_equal(
        answer_code(peer_ask(&p, "addif",
                             "{\"bridge\":\"x\",\"port\":\"mem:c,netns=n\"}")),
        RPC_BAD_PARAMS);
    assert_true(
        answer_ok(peer_ask(&p, "stp", "{\"bridge\":\"x\",\"value\":true}")));
    assert_true(
        answer_ok(peer_ask(&p, "stp", "{\"bridge\":\"x\",\"value\":false}")));
    assert_true(answer_ok(peer_ask(&p, "delbr", "{\"bridge\":\"x\"}")));
    peer_close(&p);
    assert_int_equal(srig.server->n_conns, 0);
}

static json_int_t labels_after(struct peer *p, const char *params)
{
    json_t *a = peer_ask(p, "port.label", params);
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
    assert_true(
        answer_ok(peer_ask(&p, "addbr", "{\"bridge\":\"x\",\"local\":false}")));
    for (int round = 0; round < 2; round++) {
        assert_true(answer_ok(
            peer_ask(&p, "addif", "{\"bridge\":\"x\",\"port\":\"mem:c\"}")));
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
        assert_true(answer_ok(
            peer_ask(&p, "delif", "{\"bridge\":\"x\",\"port\":\"c\"}")));
    }
    assert_int_equal(labels_after(&p, "{\"port\":\"c\"}"), -1);
    assert_true(answer_ok(peer_ask(&p, "delbr", "{\"bridge\":\"x\"}")));
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
    peer_say(&p, text);
    for (int i = 0; i < 20; i++) {
        json_t *a = peer_line(&p);

        assert_int_equal(json_integer_value(json_object_get(a, "id")), i);
        assert_true(answer_ok(a));
    }
    peer_close(&p);
}

static void readers_only_read(void **state)
{
    struct peer p;

    (void)state;
    peer_open(&p, false);
    assert_true(answer_ok(peer_ask(&p, "port.show", "{}")));
    assert_int_equal(answer_code(peer_ask(
                         &p, "addbr", "{\"bridge\":\"y\",\"local\":false}")),
                     RPC_DENIED);
    assert_null(bridge_find(srig.rig.sw, "y"));
    /* as a notification, too */
    peer_say(&p,
             "{\"jsonrpc\":\"2.0\",\"method\":\"addbr\",\"params\":{\"bridge\":"
             "\"y\",\"local\":false}}\n");
    assert_true(answer_ok(peer_ask(&p, "ping", "{}")));
    assert_null(bridge_find(srig.rig.sw, "y"));
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
        peer_say(&p, request[i % 6]);
        for (int k = 0; k < i / 6; k++)
            peer_turn();
        peer_close(&p);
    }
    rig_run(&srig.rig, 0.1);
    assert_int_equal(srig.server->n_conns, 0);
    assert_int_equal(srig.server->n_monitors, 0);
    assert_int_equal(srig.server->memory, 0);
    assert_true(LIST_EMPTY(&srig.server->waiters));
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
        peer_say(&p, text);
        assert_true(answer_ok(peer_line(&p)));
    }
    /* gone while it is read */
    peer_open(&q, true);
    peer_say(&q, text);
    peer_turn();
    peer_close(&q);
    assert_true(answer_ok(peer_ask(&p, "ping", "{}")));
    rig_run(&srig.rig, 0.1);
    assert_int_equal(srig.server->n_conns, 1);
    peer_close(&p);
    assert_int_equal(srig.server->memory, 0);
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
    peer_say(&p, text);
    assert_int_equal(answer_code(peer_line(&p)), RPC_LIMIT);
    assert_null(peer_line(&p));
    peer_close(&p);
    assert_int_equal(srig.server->n_conns, 0);
    assert_int_equal(srig.server->memory, 0);
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
        rig_send(&srig.rig, "b", 0xffffffffffffULL, 0x020000000000ULL + i, 60,
                 i);
        if (i % 256 == 255)
            rig_settle(&srig.rig);
    }
    rig_settle(&srig.rig);
    (void)rig_count(&srig.rig, "a");
    bport_info(rig_port(&srig.rig, "b"), &info);
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
    assert_int_equal(rig_set(&srig.rig, "b", BPORT_FDB_LIMIT, 0), 0);
    n = fill_table();
    peer_open(&p, false);
    peer_open(&q, false);
    peer_say(&p,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fdb.show\",\"params\":"
             "{\"bridge\":\"br0\",\"port\":\"b\"}}\n");
    for (int i = 0; i < 2000; i++)
        peer_turn();
    assert_true(text_size(&TAILQ_FIRST(&srig.server->conns)->out) <
                2 * CONN_QUEUE_LOW);
    assert_true(answer_ok(peer_ask(&q, "ping", "{}")));
    a = peer_line(&p);
    assert_true(json_array_size(json_object_get(a, "result")) >= n);
    json_decref(a);
    assert_true(answer_ok(peer_ask(&p, "ping", "{}")));
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
    assert_int_equal(rig_set(&srig.rig, "b", BPORT_FDB_LIMIT, 0), 0);
    peer_open(&p, false);
    assert_true(answer_ok(peer_ask(&p, "monitor", "{\"what\":\"fdb\"}")));
    sw_observe(srig.rig.sw, NULL, NULL); /* what fill_table does is not told */
    fill_table();
    peer_say(&p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fdb.show\"}\n");
    for (int i = 0; i < 2000; i++)
        peer_turn();
    assert_non_null(TAILQ_FIRST(&srig.server->conns)->dump);
    monitor_event(srig.server, &e);
    monitor_event(srig.server, &e);
    a = peer_line(&p);
    assert_true(json_array_size(json_object_get(a, "result")) > 1000);
    json_decref(a);
    for (int i = 0; i < 2; i++) {
        a = peer_line(&p);
        assert_string_equal(json_string_value(json_object_get(a, "method")),
                            "event");
        json_decref(a);
    }
    assert_true(answer_ok(peer_ask(&p, "ping", "{}")));
    peer_close(&p);
}

/* The bridge goes in the middle of the answer: it ends, as JSON. */
static void a_dumped_bridge_goes(void **state)
{
    struct peer p, q;
    unsigned n;
    json_t *a;

    (void)state;
    assert_int_equal(rig_set(&srig.rig, "b", BPORT_FDB_LIMIT, 0), 0);
    n = fill_table();
    peer_open(&p, false);
    peer_open(&q, true);
    peer_say(&p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fdb.show\"}\n");
    for (int i = 0; i < 2000; i++)
        peer_turn();
    assert_true(answer_ok(peer_ask(&q, "delbr", "{\"bridge\":\"br0\"}")));
    a = peer_line(&p);
    assert_true(json_array_size(json_object_get(a, "result")) < n);
    json_decref(a);
    peer_close(&p);
    peer_close(&q);
}

static int balance_and_down(void **state)
{
    rig_balance(&srig.rig);
    return srig_down(state);
}

static void waiting_ends(void **state)
{
    struct peer p, q;
    json_t *a;

    (void)state;
    peer_open(&p, false);
    peer_open(&q, true);
    assert_true(answer_ok(peer_ask(&p, "wait-forwarding", "{\"port\":\"a\"}")));
    assert_int_equal(
        answer_code(peer_ask(&p, "wait-forwarding", "{\"port\":\"nope\"}")),
        RPC_FAILED);
    assert_int_equal(
        answer_code(peer_ask(&p, "wait-forwarding",
                             "{\"port\":\"a\",\"timeout\":100000}")),
        RPC_BAD_PARAMS);
    a = peer_ask(&q, "delif", "{\"bridge\":\"br0\",\"port\":\"a\"}");
    assert_true(answer_ok(a));
    peer_close(&p);
    peer_close(&q);
}

static void mem_ports_by_script(void **state)
{
    struct peer p;
    json_t *a;

    (void)state;
    peer_open(&p, true);
    assert_true(
        answer_ok(peer_ask(&p, "mem.inject",
                           "{\"port\":\"a\",\"copies\":3,\"frame\":"
                           "\"ff:ff:ff:ff:ff:ff 020000000001 88b5 0001\"}")));
    rig_settle(&srig.rig);
    a = peer_ask(&p, "mem.collect", "{\"port\":\"b\",\"max\":2}");
    assert_int_equal(json_array_size(json_object_get(a, "result")), 2);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(a, "result"), 0)),
        "ffffffffffff02000000000188b50001");
    json_decref(a);
    assert_int_equal(answer_code(peer_ask(&p, "mem.inject",
                                          "{\"port\":\"a\",\"frame\":\"0\"}")),
                     RPC_BAD_PARAMS);
    assert_int_equal(answer_code(peer_ask(&p, "mem.fail-after",
                                          "{\"port\":\"a\",\"frames\":-2}")),
                     RPC_BAD_PARAMS);
    assert_true(answer_ok(
        peer_ask(&p, "mem.fail-after", "{\"port\":\"b\",\"frames\":0}")));
    peer_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(changes_and_answers, srig_up,
                                        srig_down),
        cmocka_unit_test_setup_teardown(sockets_are_the_owners, srig_up,
                                        srig_down),
        cmocka_unit_test_setup_teardown(descriptors_wait_for_their_line,
                                        srig_up, srig_down),
        cmocka_unit_test_setup_teardown(labels_stay_with_the_port, srig_up,
                                        srig_down),
        cmocka_unit_test_setup_teardown(one_after_the_other, srig_up,
                                        srig_down),
        cmocka_unit_test_setup_teardown(readers_only_read, srig_up, srig_down),
        cmocka_unit_test_setup_teardown(clients_go, srig_up, srig_down),
        cmocka_unit_test_setup_teardown(long_requests_too, srig_up, srig_down),
        cmocka_unit_test_setup_teardown(too_long_a_line, srig_up, srig_down),
        cmocka_unit_test_setup_teardown(dumps_are_pulled, srig_up,
                                        balance_and_down),
        cmocka_unit_test_setup_teardown(events_wait_for_a_dump, srig_up,
                                        balance_and_down),
        cmocka_unit_test_setup_teardown(a_dumped_bridge_goes, srig_up,
                                        srig_down),
        cmocka_unit_test_setup_teardown(waiting_ends, srig_up, srig_down),
        cmocka_unit_test_setup_teardown(mem_ports_by_script, srig_up,
                                        srig_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
