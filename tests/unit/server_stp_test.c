/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Methods on the spanning tree, and what they say.
 */
#include "ctl/call.h"
#include "tests/lib/serverrig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

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
    v = result(peer_ask(&p, "stp.show", "{\"bridge\":\"br0\"}"));
    assert_true(json_is_false(json_object_get(v, "stp")));
    json_decref(v);
    assert_true(answer_ok(
        peer_ask(&p, "stp", "{\"bridge\":\"br0\",\"value\":\"stp\"}")));
    bridge_info(bridge_find(srig.rig.sw, "br0"), &i);
    assert_int_equal(i.param[BRIDGE_FORCE_VERSION], 0);
    assert_int_equal(i.param[BRIDGE_STP], 1);
    /* brctl's words leave the version alone */
    assert_true(
        answer_ok(peer_ask(&p, "stp", "{\"bridge\":\"br0\",\"value\":false}")));
    assert_true(
        answer_ok(peer_ask(&p, "stp", "{\"bridge\":\"br0\",\"value\":1}")));
    bridge_info(bridge_find(srig.rig.sw, "br0"), &i);
    assert_int_equal(i.param[BRIDGE_FORCE_VERSION], 0);
    assert_true(answer_ok(
        peer_ask(&p, "stp", "{\"bridge\":\"br0\",\"value\":\"rstp\"}")));
    v = result(peer_ask(&p, "stp.show", "{}"));
    assert_true(json_is_true(json_object_get(v, "stp")));
    assert_string_equal(text_of(v, "version"), "rstp");
    assert_string_equal(text_of(v, "root"), text_of(v, "id"));
    assert_int_equal(json_array_size(json_object_get(v, "ports")), 2);
    assert_string_equal(
        text_of(json_array_get(json_object_get(v, "ports"), 1), "role"),
        "designated");
    json_decref(v);
    assert_true(answer_ok(peer_ask(&p, "stp.tcn", "{\"bridge\":\"br0\"}")));
    assert_true(answer_ok(peer_ask(&p, "stp.mcheck", "{\"port\":\"a\"}")));
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
        if (answer_code(peer_ask(&p, t[i].method, t[i].params)) != t[i].code)
            fail_msg("%s %s", t[i].method, t[i].params);
    peer_close(&p);
    peer_open(&p, false);
    assert_true(answer_ok(peer_ask(&p, "stp.show", "{}")));
    assert_int_equal(
        answer_code(peer_ask(&p, "stp.tcn", "{\"bridge\":\"br0\"}")),
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
    assert_true(
        answer_ok(peer_ask(&p, "bridge.set",
                           "{\"bridge\":\"br0\",\"parameter\":"
                           "\"path-cost-method\",\"value\":\"long\"}")));
    assert_true(
        answer_ok(peer_ask(&p, "port.set",
                           "{\"port\":\"a\",\"parameter\":\"path-cost\","
                           "\"value\":200000000}")));
    assert_true(answer_ok(
        peer_ask(&p, "port.set",
                 "{\"port\":\"a\",\"parameter\":\"p2p\",\"value\":false}")));
    v = result(peer_ask(&p, "bridge.show", "{\"bridge\":\"br0\"}"));
    assert_string_equal(text_of(v, "path_cost_method"), "long");
    assert_string_equal(text_of(v, "force_version"), "rstp");
    json_decref(v);
    v = peer_ask(&p, "port.show", "{\"bridge\":\"br0\"}");
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
    v = result(peer_ask(&p, "stp.why", "{\"port\":\"a\"}"));
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
    assert_true(answer_ok(peer_ask(&p, "monitor", "{\"what\":\"stp\"}")));
    assert_true(answer_ok(peer_ask(&all, "monitor", "{\"what\":\"all\"}")));
    assert_int_equal(srig.server->n_stp_monitors, 1);
    assert_int_equal(srig.server->n_monitors, 2);
    assert_true(
        answer_ok(peer_ask(&q, "stp", "{\"bridge\":\"br0\",\"value\":true}")));
    while (!stp || !bpdu) {
        json_t *a = peer_line(&p);
        const char *event = text_of(json_object_get(a, "params"), "event");

        stp |= strcmp(event, "stp") == 0;
        bpdu |= strcmp(event, "bpdu") == 0;
        json_decref(a);
    }
    rig_settle(&srig.rig);
    peer_turn();
    assert_true(peer_receive(&all));
    assert_non_null(memmem(all.buf, all.n, "\"event\":\"stp\"", 13));
    assert_null(memmem(all.buf, all.n, "\"event\":\"bpdu\"", 14));
    peer_close(&p);
    assert_int_equal(srig.server->n_stp_monitors, 0);
    assert_int_equal(srig.server->n_monitors, 1);
    peer_close(&q);
    peer_close(&all);
    assert_int_equal(srig.server->n_monitors, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tree_on_and_off, srig_up, srig_down),
        cmocka_unit_test_setup_teardown(tree_refusals, srig_up, srig_down),
        cmocka_unit_test_setup_teardown(words_and_values, srig_up, srig_down),
        cmocka_unit_test_setup_teardown(why_says_that_it_is_off, srig_up,
                                        srig_down),
        cmocka_unit_test_setup_teardown(tree_is_monitored, srig_up, srig_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
