/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every method that the daemon has, with every kind of wrong value for its
 * parameters: whatever it is, one answer comes, and the daemon is as well as
 * before.
 */
#include "ctl/table.h"
#include "tests/lib/netrig.h"
#include "tests/lib/serverrig.h"

#include <jansson.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HUGE_NUMBER (INT64_C(1) << 40)
#define LONG_NAME   "a-name-that-is-much-longer-than-names-of-interfaces-are"

/* Values for a name; the bridge and the port that are there among them. */
static const char *const names[] = {"nosuch", "",  "br0",     "a",
                                    "b",      " ", LONG_NAME, "../x"};
#define NAMES (sizeof(names) / sizeof(names[0]))

/* The n-th value for a parameter. */
static json_t *value(const struct command_param *p, unsigned n)
{
    bool odd = n % 2;

    if (!strcmp(p->name, "timeout")) /* so long one has to wait */
        return json_integer(0);
    switch (p->type) {
    case 's':
        return json_string(names[n % NAMES]);
    case 'n':
        return json_integer(odd ? HUGE_NUMBER : 0);
    case 'i':
        return json_integer(odd ? -HUGE_NUMBER : -1);
    /* true would mean descriptors that are not there, or a device "nosuch" */
    case 'b':
        return json_false();
    case 'm':
        return json_string(odd ? "no address" : "02:00:00:00:00:01");
    case 'v':
        return odd ? json_integer(HUGE_NUMBER) : json_true();
    case 'w':
        return odd ? json_string("nosuch") : json_integer(HUGE_NUMBER);
    case 'a':
        return odd ? json_pack("[s]", "nosuch") : json_array();
    default:
        fail_msg("parameter %s has type %c", p->name, p->type);
    }
    return NULL;
}

/*
 * Parameters of round n; without those whose bit is set in 'without', which
 * is how optional ones are left out.
 */
static json_t *parameters(const char *schema, unsigned n, unsigned without)
{
    json_t *o = json_object();
    struct command_param p;

    for (unsigned i = 0; (schema = command_param_next(schema, &p)); i++)
        if (!(without >> i & 1) || !strcmp(p.name, "local") ||
            !strcmp(p.name, "timeout"))
            json_object_set_new(o, p.name, value(&p, n + i * (n / NAMES)));
    return o;
}

/* Takes the parameters over. */
static void answers(const char *method, json_t *params)
{
    json_t *request = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id",
                                1, "method", method, "params", params);
    char *text = json_dumps(request, 0);
    struct peer p;
    json_t *a;

    peer_open(&p, AUTHORITY_OWNER);
    peer_say(&p, text);
    peer_say(&p, "\n");
    a = peer_line(&p);
    if (!a)
        fail_msg("%s: no answer", text);
    if (!json_object_get(a, "result") == !json_object_get(a, "error"))
        fail_msg("%s: neither result nor error, or both", text);
    json_decref(a);
    peer_close(&p);
    free(text);
    json_decref(request);
}

static void method_name(const struct command *c, char *out, size_t n)
{
    snprintf(out, n, "%s", c->name);
    for (char *blank = strchr(out, ' '); blank; blank = strchr(blank, ' '))
        *blank = '.';
}

static void every_method_answers(void **state)
{
    (void)state;
    for (unsigned id = 0; id < COMMAND_COUNT; id++) {
        const struct command *c = &command_table[id];
        char method[64];

        if (c->flags & CMD_CLIENT)
            continue;
        method_name(c, method, sizeof(method));
        for (unsigned n = 0; n < 4 * NAMES; n++)
            for (unsigned without = 0; without < 8; without++)
                answers(method, parameters(c->params, n, without));
    }
    answers("ping", json_object());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_method_answers, srig_up,
                                        srig_down),
    };

    netrig_start(); /* some make devices */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
