/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON-RPC messages: what is understood, what is refused and how answers are
 * written.
 */
#include "ctl/rpc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static int parse(const char *line, struct rpc_request *r, struct rpc_error *e)
{
    return rpc_parse(line, strlen(line), r, e);
}

static void requests_are_read(void **state)
{
    struct rpc_request r;
    struct rpc_error e;

    (void)state;
    assert_int_equal(parse("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":"
                           "\"fdb.add\",\"params\":{\"bridge\":\"br0\",\"mac\":"
                           "\"02:00:00:00:00:01\",\"port\":\"a\",\"vlan\":7}}",
                           &r, &e),
                     0);
    assert_ptr_equal(r.cmd, &command_table[CMD_ID_fdb_add]);
    assert_string_equal(json_string_value(r.id), "x");
    assert_string_equal(rpc_string(r.params, "port"), "a");
    assert_int_equal(rpc_number(r.params, "vlan", 0), 7);
    assert_null(rpc_string(r.params, "type"));
    assert_int_equal(rpc_number(r.params, "none", 9), 9);
    rpc_request_free(&r);
    /* a notification; no params at all */
    assert_int_equal(parse("{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}", &r, &e),
                     0);
    assert_null(r.id);
    assert_int_equal(json_object_size(r.params), 0);
    rpc_request_free(&r);
}

static void values_are_numbers_or_switches(void **state)
{
    struct rpc_request r;
    struct rpc_error e;

    (void)state;
    assert_int_equal(parse("{\"jsonrpc\":\"2.0\",\"method\":\"stp\",\"params\":"
                           "{\"bridge\":\"b\",\"value\":true}}",
                           &r, &e),
                     0);
    assert_int_equal(rpc_value(r.params, "value"), 1);
    rpc_request_free(&r);
    assert_int_equal(parse("{\"jsonrpc\":\"2.0\",\"method\":\"stp\",\"params\":"
                           "{\"bridge\":\"b\",\"value\":12}}",
                           &r, &e),
                     0);
    assert_int_equal(rpc_value(r.params, "value"), 12);
    rpc_request_free(&r);
}

static void nonsense_is_refused_with_its_code(void **state)
{
    static const struct {
        const char *line;
        int code;
    } bad[] = {
        {"", RPC_PARSE_ERROR},
        {"nonsense", RPC_PARSE_ERROR},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"ping\"", RPC_PARSE_ERROR},
        {"{} {}", RPC_PARSE_ERROR},
        {"{\"a\":1,\"a\":1}", RPC_PARSE_ERROR},
        {"\"\xff\"", RPC_PARSE_ERROR},
        {"[]", RPC_INVALID_REQUEST},
        {"{}", RPC_INVALID_REQUEST},
        {"{\"jsonrpc\":2.0,\"method\":\"ping\"}", RPC_INVALID_REQUEST},
        {"{\"jsonrpc\":\"2.0\"}", RPC_INVALID_REQUEST},
        {"{\"jsonrpc\":\"2.0\",\"method\":null}", RPC_INVALID_REQUEST},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"id\":[]}",
         RPC_INVALID_REQUEST},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"\"}", RPC_NO_METHOD},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"complete\"}", RPC_NO_METHOD},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"params\":7}",
         RPC_BAD_PARAMS},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"addbr\"}", RPC_BAD_PARAMS},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"addbr\",\"params\":{\"bridge\":"
         "\"b\",\"surplus\":1}}",
         RPC_BAD_PARAMS},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"addbr\",\"params\":{\"bridge\":"
         "\"b\",\"local\":1}}",
         RPC_BAD_PARAMS},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"addbr\",\"params\":{\"bridge\":"
         "\"b\\u0000c\"}}",
         RPC_BAD_PARAMS},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"setfd\",\"params\":{\"bridge\":"
         "\"b\",\"value\":-1}}",
         RPC_BAD_PARAMS},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"setfd\",\"params\":{\"bridge\":"
         "\"b\",\"value\":99999999999999999999}}",
         RPC_PARSE_ERROR},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"fdb.del\",\"params\":{\"bridge\":"
         "\"b\",\"mac\":\"1:2:3:4:5\"}}",
         RPC_BAD_PARAMS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rpc_request r;
        struct rpc_error e;

        assert_int_equal(parse(bad[i].line, &r, &e), -1);
        if (e.code != bad[i].code)
            fail_msg("%s: %d (%s), not %d", bad[i].line, e.code, e.text,
                     bad[i].code);
        assert_true(e.text[0] && !strchr(e.text, '\n'));
        rpc_request_free(&r);
    }
}

static void errors_know_whose_they_are(void **state)
{
    struct rpc_request r;
    struct rpc_error e;

    (void)state;
    assert_int_equal(
        parse("{\"jsonrpc\":\"2.0\",\"method\":\"nope\",\"id\":5}", &r, &e),
        -1);
    assert_int_equal(json_integer_value(r.id), 5);
    rpc_request_free(&r);
}

static void limits_hold(void **state)
{
    char *big = malloc(RPC_REQUEST_MAX + 1);
    struct rpc_request r;
    struct rpc_error e;

    (void)state;
    memset(big, ' ', RPC_REQUEST_MAX + 1);
    assert_int_equal(rpc_parse(big, RPC_REQUEST_MAX + 1, &r, &e), -1);
    assert_int_equal(e.code, RPC_LIMIT);
    assert_int_equal(rpc_parse(big, RPC_REQUEST_MAX, &r, &e), -1);
    assert_int_equal(e.code, RPC_PARSE_ERROR);
    rpc_request_free(&r);
    /* values are counted outside of strings only */
    memset(big, ',', RPC_REQUEST_MAX);
    assert_int_equal(rpc_parse(big, RPC_REQUEST_MAX, &r, &e), -1);
    assert_int_equal(e.code, RPC_LIMIT);
    big[0] = '"';
    big[RPC_REQUEST_MAX - 1] = '"';
    assert_int_equal(rpc_parse(big, RPC_REQUEST_MAX, &r, &e), -1);
    assert_int_equal(e.code, RPC_PARSE_ERROR);
    rpc_request_free(&r);
    free(big);
}

/* ---- answers ---- */

static void check_text(struct text *t, const char *want)
{
    assert_int_equal(text_add(t, "", 1), 0);
    assert_string_equal(t->p + t->head, want);
    text_free(t);
}

static void answers_are_lines(void **state)
{
    struct rpc_error e = {.code = RPC_FAILED, .err = EBUSY, .what = "bridge"};
    json_t *id = json_integer(3), *v = json_pack("{s:b}", "x", 1);
    struct text t = {0};

    (void)state;
    assert_int_equal(rpc_write_result(&t, id, v), 0);
    check_text(&t, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"x\":true}}\n");
    snprintf(e.text, sizeof(e.text), "\"up\"\n");
    assert_int_equal(rpc_write_error(&t, id, &e), 0);
    check_text(&t, "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32000,"
                   "\"message\":\"\\\"up\\\"\\u000a\",\"data\":{\"errno\":"
                   "\"EBUSY\",\"number\":16,\"what\":\"bridge\"}}}\n");
    e = (struct rpc_error){.code = RPC_PARSE_ERROR, .text = "no"};
    assert_int_equal(rpc_write_error(&t, NULL, &e), 0);
    check_text(&t, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":"
                   "-32700,\"message\":\"no\"}}\n");
    json_decref(id);
    json_decref(v);
}

/* Whatever octets a name has, what is written is JSON and says them. */
static void any_octets_make_json(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    struct text t = {0};

    (void)state;
    print_message("seed %u\n", seed);
    for (int i = 0; i < 20000; i++) {
        char name[600];
        size_t n = (size_t)(rand_r(&seed) % (int)sizeof(name));
        json_t *v;

        for (size_t k = 0; k < n; k++)
            name[k] = (char)(1 + rand_r(&seed) % (i & 1 ? 127 : 255));
        name[n] = '\0';
        assert_int_equal(text_json_string(&t, name), 0);
        v = json_loadb(t.p + t.head, text_size(&t), JSON_DECODE_ANY, NULL);
        assert_non_null(v);
        if (i & 1)
            assert_string_equal(json_string_value(v), name);
        json_decref(v);
        text_take(&t, text_size(&t));
    }
    text_free(&t);
}

static void text_is_taken_and_cut(void **state)
{
    struct text t = {0};

    (void)state;
    for (int i = 0; i < 5000; i++)
        assert_int_equal(text_addf(&t, "%04d", i), 0);
    assert_int_equal(text_size(&t), 20000);
    text_take(&t, 19996);
    assert_int_equal(text_addf(&t, "%0600d", 7), 0);
    assert_int_equal(text_size(&t), 604);
    assert_memory_equal(t.p + t.head, "4999000", 7);
    text_cut(&t, 2);
    check_text(&t, "49");
    /* an empty one gives back what it has no use for */
    for (int i = 0; i < 5000; i++)
        assert_int_equal(text_addf(&t, "%04d", i), 0);
    text_take(&t, text_size(&t));
    assert_int_equal(t.cap, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read),
        cmocka_unit_test(values_are_numbers_or_switches),
        cmocka_unit_test(nonsense_is_refused_with_its_code),
        cmocka_unit_test(errors_know_whose_they_are),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(answers_are_lines),
        cmocka_unit_test(any_octets_make_json),
        cmocka_unit_test(text_is_taken_and_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
