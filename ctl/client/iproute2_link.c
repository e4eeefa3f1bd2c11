/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridge link.  What a port of the daemon's has is set there; what the
 * kernel's bridge has and this one does not is refused by name, unless it is
 * set to what it is anyway.
 */
#include "ctl/client/field.h"
#include "ctl/client/iproute2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- show ---- */

struct shown {
    json_t *object;
    int ifindex;
    json_int_t no;
};

/* As the kernel lists them; those without an interface come last. */
static int by_index(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;

    if ((x->ifindex == 0) != (y->ifindex == 0))
        return x->ifindex == 0 ? 1 : -1;
    if (x->ifindex != y->ifindex)
        return x->ifindex < y->ifindex ? -1 : 1;
    return x->no < y->no ? -1 : x->no > y->no;
}

static struct shown shown(const json_t *port, const struct ip_style *s)
{
    struct kernel_link k;
    bool has = kernel_link(ip_port_index(port), &k);

    return (struct shown){.object = ip_link(port, has ? &k : NULL, s),
                          .ifindex = has ? k.ifindex : 0,
                          .no =
                              json_integer_value(json_object_get(port, "no"))};
}

static bool wanted(const json_t *port, const char *dev, const char *master)
{
    return json_integer_value(json_object_get(port, "no")) != 0 &&
           (!dev || strcmp(dev, str(port, "name")) == 0) &&
           (!master || strcmp(master, str(port, "bridge")) == 0);
}

static int print_links(struct client *c, const json_t *ports, const char *dev,
                       const char *master)
{
    struct ip_list list = {
        .out = stdout, .style = ip_style(c), .text = ip_link_text};
    struct shown *v = calloc(json_array_size(ports) + 1, sizeof(*v));
    const json_t *p;
    size_t i, n = 0;

    if (!v)
        return ip_complain("out of memory");
    json_array_foreach(ports, i, p)
    {
        if (wanted(p, dev, master))
            v[n++] = shown(p, &list.style);
    }
    qsort(v, n, sizeof(*v), by_index);
    for (i = 0; i < n; i++)
        ip_list_add(&list, v[i].object);
    ip_list_end(&list);
    free(v);
    return 0;
}

static int show_words(int argc, char **argv, const char **dev,
                      const char **master)
{
    struct words w = {argc, argv};
    const char *word;

    while ((word = words_take(&w))) {
        bool is_dev = strcmp(word, "dev") == 0;
        const char **slot = is_dev ? dev : master;

        if (!is_dev && strcmp(word, "master") != 0)
            return ip_complain(
                "\"%s\": what is that?  Known here: dev, master.", word);
        word = words_value(&w);
        if (!word)
            return IP_FAIL;
        if (*slot)
            return ip_duplicate(is_dev ? "dev" : "master", word);
        *slot = word;
    }
    return 0;
}

int run_link_show(struct client *c, int argc, char **argv)
{
    const char *dev = NULL, *master = NULL;
    int status = show_words(argc, argv, &dev, &master);
    json_t *ports;

    if (status)
        return status;
    ports = ip_ports(c);
    if (!ports)
        return IP_FAIL;
    if (dev && !ip_port_find(ports, dev) && if_nametoindex(dev) == 0)
        status = ip_complain("Cannot find device \"%s\"", dev);
    else if (master && ip_is_bridge(c, master) <= 0)
        status = ip_complain("Cannot find bridge device \"%s\"", master);
    else
        status = print_links(c, ports, dev, master);
    json_decref(ports);
    return status;
}

/* ---- set ---- */

#define SETTINGS_MAX 16
#define COST_MAX     65535 /* the kernel's; the daemon knows of long ones */
#define COST_LONG    200000000

enum setting_kind {
    SET_SWITCH,  /* on|off, ours */
    SET_NUMBER,  /* ours */
    SET_STATE,   /* the port's state, which follows its link */
    SET_OFF,     /* on|off, not built: off */
    SET_FIXED,   /* a number, not built: 'fixed' */
    SET_REFUSED, /* not built */
    SET_NOTHING, /* not built, and says so itself: takes no value */
};

static const struct parameter {
    const char *word;
    enum setting_kind kind;
    const char *param; /* the daemon's name */
    unsigned long min, max, fixed;
} parameter[] = {
    {"cost", SET_NUMBER, "path-cost", 1, COST_MAX, 0},
    {"priority", SET_NUMBER, "priority", 0, 63, 0},
    {"hairpin", SET_SWITCH, "hairpin", 0, 0, 0},
    {"learning", SET_SWITCH, "learning", 0, 0, 0},
    {"flood", SET_SWITCH, "flood", 0, 0, 0},
    {"mcast_flood", SET_SWITCH, "mcast-flood", 0, 0, 0},
    {"bcast_flood", SET_SWITCH, "bcast-flood", 0, 0, 0},
    {"isolated", SET_SWITCH, "isolated", 0, 0, 0},
    {"state", SET_STATE, NULL, 0, 0, 0},
    {"guard", SET_SWITCH, "bpdu-guard", 0, 0, 0},
    {"root_block", SET_SWITCH, "root-guard", 0, 0, 0},
    {"fastleave", SET_OFF, NULL, 0, 0, 0},
    {"learning_sync", SET_OFF, NULL, 0, 0, 0},
    {"mcast_to_unicast", SET_OFF, NULL, 0, 0, 0},
    {"neigh_suppress", SET_OFF, NULL, 0, 0, 0},
    {"neigh_vlan_suppress", SET_OFF, NULL, 0, 0, 0},
    {"neigh_forward_grat", SET_OFF, NULL, 0, 0, 0},
    {"vlan_tunnel", SET_OFF, NULL, 0, 0, 0},
    {"locked", SET_OFF, NULL, 0, 0, 0},
    {"mab", SET_OFF, NULL, 0, 0, 0},
    {"mcast_router", SET_FIXED, NULL, 0, 255, 1},
    {"mcast_max_groups", SET_FIXED, NULL, 0, UINT32_MAX, 0},
    {"hwmode", SET_REFUSED, NULL, 0, 0, 0},
    {"backup_port", SET_REFUSED, NULL, 0, 0, 0},
    {"backup_nhid", SET_REFUSED, NULL, 0, 0, 0},
    {"nobackup_port", SET_NOTHING, NULL, 0, 0, 0},
};

struct set {
    const char *dev, *state;
    bool self;
    bool long_cost;           /* good where path-cost-method is long */
    const char *out_of_range; /* what the daemon would refuse */
    struct {
        const char *param;
        json_t *value;
    } v[SETTINGS_MAX];
    unsigned n;
};

static int refuse(const char *word, const char *value)
{
    return ip_complain("Error: \"%s %s\" is not built yet.", word, value);
}

static int keep(struct set *s, const char *param, json_t *value)
{
    if (s->n == SETTINGS_MAX) {
        json_decref(value);
        return ip_complain("more than %d settings at once", SETTINGS_MAX);
    }
    s->v[s->n].param = param;
    s->v[s->n++].value = value;
    return 0;
}

/* on or off; else an exit status in *status. */
static bool read_switch(const char *word, const char *value, int *status)
{
    *status = 0;
    if (strcmp(value, "on") == 0 || strcmp(value, "off") == 0)
        return value[1] == 'n';
    ip_complain("Error: argument of \"%s\" must be one of \"off\", \"on\", not "
                "\"%s\"",
                word, value);
    *status = IP_FAIL_ON;
    return false;
}

static int set_switch(struct set *s, const struct parameter *p,
                      const char *value)
{
    int status;
    bool on = read_switch(p->word, value, &status);

    if (status)
        return status;
    if (p->kind == SET_OFF)
        return on ? refuse(p->word, value) : 0;
    return keep(s, p->param, json_boolean(on));
}

static int set_number(struct set *s, const struct parameter *p,
                      const char *value)
{
    unsigned long n;

    if (!word_number(value, UINT32_MAX, &n) || n < p->min)
        return ip_complain("Error: argument \"%s\" is wrong: invalid %s", value,
                           p->word);
    if (p->kind == SET_FIXED)
        return n == p->fixed ? 0 : refuse(p->word, value);
    if (n > p->max && p->max == COST_MAX && n <= COST_LONG)
        s->long_cost = true;
    else if (n > p->max)
        s->out_of_range = p->word;
    return keep(s, p->param, json_integer((json_int_t)n));
}

static int set_state(struct set *s, const char *value)
{
    static const char *const name[] = {"disabled", "listening", "learning",
                                       "forwarding", "blocking"};
    unsigned long n;

    for (unsigned i = 0; i < 5; i++)
        if (strcmp(value, name[i]) == 0 ||
            (word_number(value, 255, &n) && n == i))
            s->state = name[i];
    if (s->state)
        return 0;
    if (word_number(value, 255, &n))
        return ip_answers(EINVAL);
    return ip_complain("Error: invalid STP port state");
}

static int set_parameter(struct set *s, const struct parameter *p,
                         const char *value)
{
    switch (p->kind) {
    case SET_SWITCH:
    case SET_OFF:
        return set_switch(s, p, value);
    case SET_NUMBER:
    case SET_FIXED:
        return set_number(s, p, value);
    case SET_STATE:
        return set_state(s, value);
    default:
        return refuse(p->word, value);
    }
}

static int set_word(struct words *w, const char *word, struct set *s)
{
    const char *value;

    if (strcmp(word, "self") == 0)
        s->self = true;
    if (strcmp(word, "self") == 0 || strcmp(word, "master") == 0)
        return 0;
    if (strcmp(word, "dev") == 0)
        return (s->dev = words_value(w)) ? 0 : IP_FAIL;
    for (unsigned i = 0; i < sizeof(parameter) / sizeof(parameter[0]); i++) {
        if (strcmp(word, parameter[i].word) != 0)
            continue;
        if (parameter[i].kind == SET_NOTHING)
            return 0;
        value = words_value(w);
        return value ? set_parameter(s, &parameter[i], value) : IP_FAIL;
    }
    return ip_complain("\"%s\": what is that?  Try \"bridge link help\".",
                       word);
}

/* The bridge's part of what is to be known. */
static int check_bridge(struct client *c, const struct set *s,
                        const json_t *port)
{
    json_t *params = json_pack("{s:s}", "bridge", str(port, "bridge"));
    const json_t *b;
    struct reply r;
    int status = 0;

    if (!client_call(c, "bridge.show", params, -1, &r)) {
        status = ip_said(c, &r);
        reply_free(&r);
        return status;
    }
    b = json_array_get(r.result, 0);
    /* the kernel refuses so, too */
    if (s->state && json_is_true(json_object_get(b, "stp_state")))
        status = ip_answers(EBUSY);
    else if (s->long_cost && strcmp(str(b, "path_cost_method"), "long") != 0)
        status = ip_answers(ERANGE);
    reply_free(&r);
    return status;
}

/* Everything is known to be good before the first thing is changed. */
static int set_check(struct client *c, const struct set *s)
{
    const json_t *port;
    json_t *ports;
    int status = 0;

    if (!s->dev)
        return ip_complain("Device is a required argument.");
    ports = ip_ports(c);
    if (!ports)
        return IP_FAIL;
    port = ip_port_find(ports, s->dev);
    if (!port && if_nametoindex(s->dev) == 0)
        status = ip_complain("Cannot find bridge device \"%s\"", s->dev);
    else if (!port || json_integer_value(json_object_get(port, "no")) == 0 ||
             s->self)
        status = ip_answers(EOPNOTSUPP);
    else if (s->out_of_range)
        status = ip_answers(ERANGE);
    else if (s->state || s->long_cost)
        status = check_bridge(c, s, port);
    if (status == 0 && s->state && strcmp(s->state, str(port, "state")) != 0)
        status = ip_complain(
            "Error: \"state %s\" is not built yet: a port's state follows its "
            "link; %s is %s.",
            s->state, s->dev, str(port, "state"));
    json_decref(ports);
    return status;
}

static int set_one(struct client *c, const char *dev, const char *param,
                   json_t *value)
{
    struct reply r;
    int status = 0;

    if (!client_call(c, "port.set",
                     json_pack("{s:s,s:s,s:O}", "port", dev, "parameter", param,
                               "value", value),
                     -1, &r))
        status = ip_said(c, &r);
    reply_free(&r);
    return status;
}

int run_link_set(struct client *c, int argc, char **argv)
{
    struct words w = {argc, argv};
    struct set s = {0};
    const char *word;
    int status = 0;

    while (status == 0 && (word = words_take(&w)))
        status = set_word(&w, word, &s);
    if (status == 0)
        status = set_check(c, &s);
    for (unsigned i = 0; i < s.n; i++) {
        if (status == 0)
            status = set_one(c, s.dev, s.v[i].param, s.v[i].value);
        json_decref(s.v[i].value);
    }
    return status;
}
