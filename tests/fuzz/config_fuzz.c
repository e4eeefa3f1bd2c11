/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration is refused with one sentence that names its place, or what
 * is printed of it is read as the same and printed alike.
 *
 * '\0' in the input ends a file and begins the next, which is called "1", "2"
 * and so on: what the first includes.
 */
#include "ctl/config/equal.h"
#include "ctl/config/load.h"
#include "ctl/config/print.h"
#include "tests/fuzz/check.h"

#include <errno.h>
#include <string.h>

struct input {
    const char *data;
    size_t size;
};

static int open_part(void *arg, const char *name, const char *from, char **text,
                     size_t *len, struct err *e)
{
    const struct input *in = arg;
    const char *at = in->data, *end = in->data + in->size;
    long n = strtol(name, NULL, 10);

    CHECK((from == NULL) == (strcmp(name, "0") == 0));
    for (; n > 0 && at; n--) {
        at = memchr(at, '\0', (size_t)(end - at));
        at = at ? at + 1 : NULL;
    }
    if (!at || n < 0)
        return err_set(e, ENOENT, "%s: there is no such part", name);
    *len = strnlen(at, (size_t)(end - at));
    *text = malloc(*len ? *len : 1);
    memcpy(*text, at, *len);
    return 0;
}

static void check_refusal(const struct err *e, int rc, const struct conf *c)
{
    CHECK(rc < 0 && !c && e->text[0]);
    for (const char *t = e->text; *t; t++)
        CHECK((unsigned char)*t >= 0x20 && *t != 0x7f);
    CHECK(strstr(e->text, ": "));
}

static void check_port(const struct conf_port *p)
{
    CHECK(p->id && strlen(p->spec.name) < PORT_NAME_MAX);
    CHECK(p->match.used || (p->spec.target && p->spec.target[0]));
    CHECK(p->pos.line && p->pos.column);
    for (unsigned i = 0; i < BPORT_PARAMS; i++)
        CHECK(p->set[i] || p->param[i] == 0);
}

static void check_bridge(const struct conf_bridge *b)
{
    CHECK(b->name[0] && strlen(b->name) < PORT_NAME_MAX);
    CHECK(b->set[BRIDGE_STP] && b->param[BRIDGE_STP] <= 1);
    CHECK(!b->param[BRIDGE_STP] || !b->set[BRIDGE_FORWARD_DELAY] ||
          (b->param[BRIDGE_FORWARD_DELAY] >= 200 &&
           b->param[BRIDGE_FORWARD_DELAY] <= 3000));
    CHECK(b->n_ports <= BRIDGE_PORTS_MAX);
    CHECK(b->param[BRIDGE_AGEING] <= 600000);
    for (unsigned i = 0; i < b->n_ports; i++)
        check_port(&b->port[i]);
    for (unsigned i = 0; i < b->l3.n_addrs; i++)
        CHECK(b->l3.addr[i].prefix > 0);
    for (unsigned i = 0; i < b->l3.n_routes; i++)
        CHECK(b->l3.route[i].to.family == AF_INET ||
              b->l3.route[i].to.family == AF_INET6);
}

/* As one file, what was printed. */
static void check_print(const struct conf *c)
{
    char *text = conf_print(c), *again;
    struct conf *d;
    struct err e;
    int rc;

    CHECK(text);
    rc = conf_load_text(&d, text, strlen(text), &e);
    if (rc)
        fprintf(stderr, "%s\n%s", e.text, text);
    CHECK(rc == 0);
    again = conf_print(d);
    CHECK(again && strcmp(again, text) == 0);
    CHECK(conf_equal(c, d));
    conf_free(d);
    free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {(const char *)data, size};
    struct conf *c;
    struct err e = {""};
    int rc = conf_load(&c, "0", open_part, &in, &e);

    if (rc) {
        check_refusal(&e, rc, c);
        return 0;
    }
    for (unsigned i = 0; i < c->n_bridges; i++)
        check_bridge(&c->bridge[i]);
    check_print(c);
    conf_free(c);
    return 0;
}
