/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Methods on the forwarding database, and what monitors hear.
 */
#include "ctl/call.h"
#include "tests/lib/serverrig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

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
    json_t *a = peer_ask(p, "fdb.get", where);
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
    assert_true(answer_ok(peer_ask(&p, "fdb.add",
                                   "{\"port\":\"a\",\"exclusive\":true," MAC(
                                       1) ",\"type\":\"dynamic\"}")));
    assert_int_equal(
        number(peer_ask(&p, "fdb.add",
                        "{\"port\":\"b\",\"exclusive\":true," MAC(1) "}")),
        EEXIST);
    assert_string_equal(entry_state(&p, "{\"bridge\":\"br0\"," MAC(1) "}"), "");
    /* without "exclusive" the entry is changed; a port says which bridge */
    assert_true(
        answer_ok(peer_ask(&p, "fdb.add", "{\"port\":\"b\"," MAC(1) "}")));
    assert_string_equal(entry_state(&p, "{\"port\":\"a\"," MAC(1) "}"),
                        "static");
    /* on another port than named there is none */
    assert_int_equal(
        number(peer_ask(&p, "fdb.del", "{\"port\":\"a\"," MAC(1) "}")), ENOENT);
    assert_true(
        answer_ok(peer_ask(&p, "fdb.del", "{\"port\":\"b\"," MAC(1) "}")));
    assert_int_equal(
        number(peer_ask(&p, "fdb.get", "{\"bridge\":\"br0\"," MAC(1) "}")),
        ENOENT);
    /* the bridge's own are permanent */
    assert_int_equal(
        number(peer_ask(&p, "fdb.add", "{\"port\":\"br0\"," MAC(2) "}")),
        EINVAL);
    assert_true(answer_ok(
        peer_ask(&p, "fdb.add",
                 "{\"port\":\"br0\"," MAC(2) ",\"type\":\"permanent\"}")));
    assert_string_equal(entry_state(&p, "{\"bridge\":\"br0\"," MAC(2) "}"),
                        "permanent");
    assert_int_equal(
        number(peer_ask(
            &p, "fdb.add",
            "{\"port\":\"a\",\"type\":\"local\",\"sticky\":true," MAC(3) "}")),
        EINVAL);
    assert_int_equal(number(peer_ask(&p, "fdb.add",
                                     "{\"port\":\"a\",\"vlan\":5," MAC(3) "}")),
                     EINVAL);
    assert_int_equal(
        answer_code(peer_ask(&p, "fdb.add", "{\"bridge\":\"br0\"," MAC(3) "}")),
        RPC_BAD_PARAMS);
    assert_int_equal(answer_code(peer_ask(&p, "fdb.del", "{" MAC(3) "}")),
                     RPC_BAD_PARAMS);
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
        assert_true(answer_ok(peer_ask(p, "fdb.add", add[i])));
}

static const char *left(struct peer *p)
{
    json_t *a = peer_ask(p, "fdb.show", "{\"bridge\":\"br0\"}"), *e;
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
        assert_true(answer_ok(peer_ask(&p, "fdb.flush", step[i].params)));
        assert_string_equal(left(&p), step[i].left);
    }
    assert_int_equal(
        number(peer_ask(&p, "fdb.flush", "{\"bridge\":\"br0\",\"vlan\":4095}")),
        ERANGE);
    assert_int_equal(number(peer_ask(&p, "fdb.flush", "{\"port\":\"nope\"}")),
                     ENOENT);
    assert_int_equal(answer_code(peer_ask(&p, "fdb.flush", "{}")),
                     RPC_BAD_PARAMS);
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
            peer_turn();
        peer_close(&q); /* before it was read, begun, half done */
        peer_turn();
    }
    peer_open(&q, true);
    assert_true(send(q.fd, flush, sizeof(flush) - 1, 0) > 0);
    assert_true(answer_ok(
        peer_ask(&p, "delbr", "{\"bridge\":\"br0\",\"force\":true}")));
    a = peer_line(&q);
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
    assert_true(answer_ok(peer_ask(&p, "monitor", "{\"what\":\"link\"}")));
    assert_true(answer_ok(peer_ask(
        &q, "setpathcost", "{\"bridge\":\"br0\",\"port\":\"a\",\"value\":9}")));
    a = peer_line(&p);
    o = json_object_get(json_object_get(a, "params"), "object");
    assert_int_equal(json_integer_value(json_object_get(o, "cost")), 9);
    assert_string_equal(json_string_value(json_object_get(o, "name")), "a");
    json_decref(a);
    assert_true(answer_ok(
        peer_ask(&q, "delif", "{\"bridge\":\"br0\",\"port\":\"a\"}")));
    a = peer_line(&p);
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
    assert_true(answer_ok(peer_ask(&p, "monitor", "{\"what\":\"fdb\"}")));
    assert_int_equal(srig.server->n_monitors, 1);
    assert_true(answer_ok(peer_ask(&q, "fdb.add",
                                   "{\"bridge\":\"br0\",\"port\":\"a\",\"mac\":"
                                   "\"02:aa:00:00:00:01\"}")));
    a = peer_line(&p);
    name =
        json_string_value(json_object_get(json_object_get(a, "params"), "mac"));
    assert_string_equal(name, "02:aa:00:00:00:01");
    json_decref(a);
    /* other requests still get their answers */
    assert_true(answer_ok(peer_ask(&p, "ping", "{}")));
    peer_close(&p);
    peer_close(&q);
    assert_int_equal(srig.server->n_monitors, 0);
}

/* The answer's result, or what stands first in it. */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_of_every_kind, srig_up,
                                        srig_down),
        cmocka_unit_test_setup_teardown(flushes_by_kind, srig_up, srig_down),
        cmocka_unit_test_setup_teardown(flushes_interrupted, srig_up,
                                        srig_down),
        cmocka_unit_test_setup_teardown(events_carry_the_port, srig_up,
                                        srig_down),
        cmocka_unit_test_setup_teardown(monitors_hear, srig_up, srig_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
