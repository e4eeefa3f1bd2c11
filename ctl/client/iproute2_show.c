/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridge fdb show: the daemon's table, which may be long and is printed as it
 * comes, and behind it the devices' own lists, which are the kernel's.
 */
#include "ctl/client/field.h"
#include "ctl/client/iproute2.h"

#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>

struct filter {
    const char *br, *dev;
    unsigned vlan; /* 0: all */
    unsigned state;
    bool dynamic;
};

/* An interface of our namespace that is a port. */
struct device {
    int ifindex;
    const json_t *port;
};

struct show {
    struct filter filter;
    struct ip_list list;
    const json_t *ports;
    struct device *device; /* [n_devices], by ifindex */
    size_t n_devices;
    int ifindex; /* filter.dev's, if it has one here */
};

static bool passes(const struct filter *f, const char *state, unsigned vlan)
{
    unsigned bits = ip_state_bits(state);

    return (!f->vlan || f->vlan == vlan) && (!f->state || (f->state & bits)) &&
           !(f->dynamic && (bits & NUD_PERMANENT));
}

static void show_entry(void *arg, const json_t *e)
{
    unsigned vlan = (unsigned)json_integer_value(json_object_get(e, "vlan"));
    struct show *s = arg;

    if (passes(&s->filter, str(e, "state"), vlan))
        ip_list_add(&s->list, ip_entry(e, &s->list.style));
}

/* ---- which device is which port ---- */

static int by_index(const void *a, const void *b)
{
    const struct device *x = a, *y = b;

    return x->ifindex < y->ifindex ? -1 : x->ifindex > y->ifindex;
}

/* There may be a thousand ports, and several entries of each. */
static bool find_devices(struct show *s)
{
    const json_t *p;
    size_t i;

    s->device = calloc(json_array_size(s->ports) + 1, sizeof(*s->device));
    if (!s->device)
        return false;
    json_array_foreach(s->ports, i, p)
    {
        int ifindex = ip_port_index(p);

        if (ifindex)
            s->device[s->n_devices++] = (struct device){ifindex, p};
    }
    qsort(s->device, s->n_devices, sizeof(*s->device), by_index);
    return true;
}

static const json_t *port_by_index(const struct show *s, int ifindex)
{
    const struct device want = {.ifindex = ifindex};
    const struct device *d =
        bsearch(&want, s->device, s->n_devices, sizeof(*s->device), by_index);

    return d ? d->port : NULL;
}

static void show_self(void *arg, const struct kernel_entry *e)
{
    struct show *s = arg;
    const json_t *port = port_by_index(s, e->ifindex);
    char name[IF_NAMESIZE] = "";
    json_t *o;

    if (s->filter.dev && s->ifindex != e->ifindex)
        return;
    if (s->filter.br &&
        (!port || strcmp(str(port, "bridge"), s->filter.br) != 0))
        return;
    if (!port && !if_indextoname((unsigned)e->ifindex, name))
        return; /* it has just gone */
    o = ip_self_entry(e, port ? str(port, "name") : name, &s->list.style);
    if (passes(&s->filter, str(o, "state"), e->vlan))
        ip_list_add(&s->list, o);
    else
        json_decref(o);
}

static int read_state(const char *text, unsigned *state)
{
    unsigned long n;

    if (word_begins(text, "permanent"))
        *state = NUD_PERMANENT;
    else if (word_begins(text, "static") || word_begins(text, "temp"))
        *state = NUD_NOARP;
    else if (word_begins(text, "stale"))
        *state = NUD_STALE;
    else if (word_begins(text, "reachable") || word_begins(text, "dynamic"))
        *state = NUD_REACHABLE;
    else if (strcmp(text, "all") == 0)
        *state = 0;
    else if (word_number(text, 0xffff, &n))
        *state = (unsigned)n;
    else
        return ip_wrong(text, "invalid state");
    return 0;
}

/* One word and what belongs to it: 0, or the exit status. */
static int show_word(struct words *w, const char *word, struct filter *f)
{
    const char *value = NULL;

    if (strcmp(word, "dynamic") == 0) {
        f->dynamic = true;
        return 0;
    }
    if (strcmp(word, "brport") != 0 && strcmp(word, "dev") != 0 &&
        !word_begins(word, "br") && !word_begins(word, "vlan") &&
        !word_begins(word, "state"))
        return ip_complain("\"%s\": what is that?  Known here: br, brport, "
                           "dev, vlan, state, dynamic.",
                           word);
    value = words_value(w);
    if (!value)
        return IP_FAIL;
    if (strcmp(word, "brport") == 0 || strcmp(word, "dev") == 0)
        f->dev = value;
    else if (word_begins(word, "br"))
        f->br = value;
    else if (word_begins(word, "vlan"))
        return word_vlan(value, &f->vlan)
                   ? 0
                   : ip_complain("Error: invalid vlan id.");
    else
        return read_state(value, &f->state);
    return 0;
}

/* What the filter names must exist; *where: the daemon's parameters. */
static int show_place(struct client *c, struct show *s, json_t *where,
                      bool *daemon)
{
    const struct filter *f = &s->filter;
    const json_t *port = f->dev ? ip_port_find(s->ports, f->dev) : NULL;
    int is;

    *daemon = true;
    if (f->br) {
        is = ip_is_bridge(c, f->br);
        if (is <= 0)
            return is < 0
                       ? IP_FAIL
                       : ip_complain("Cannot find bridge device \"%s\"", f->br);
        json_object_set_new(where, "bridge", json_string(f->br));
    }
    if (!f->dev)
        return 0;
    s->ifindex = port ? ip_port_index(port) : (int)if_nametoindex(f->dev);
    if (!port && s->ifindex == 0)
        return ip_complain("Cannot find device \"%s\"", f->dev);
    *daemon = port && (!f->br || strcmp(f->br, str(port, "bridge")) == 0);
    if (*daemon)
        json_object_set_new(where, "port", json_string(f->dev));
    return 0;
}

static int show_all(struct client *c, struct show *s)
{
    json_t *where = json_object();
    int status, rc;
    bool daemon;
    struct reply r;

    status = show_place(c, s, where, &daemon);
    if (status || !daemon) {
        json_decref(where);
        if (status)
            return status;
    } else if (!client_stream(c, "fdb.show", where, show_entry, s, &r)) {
        client_complain(c, &r);
        reply_free(&r);
        return IP_FAIL;
    } else {
        reply_free(&r);
    }
    rc = kernel_entries(show_self, s);
    ip_list_end(&s->list);
    if (rc < 0)
        return ip_complain("the kernel's lists of addresses: %s",
                           strerror(-rc));
    return 0;
}

int run_fdb_show(struct client *c, int argc, char **argv)
{
    struct words w = {argc, argv};
    struct show s = {
        .list = {.out = stdout, .style = ip_style(c), .text = ip_entry_text}};
    json_t *ports;
    const char *word;
    int status;

    while ((word = words_take(&w))) {
        status = show_word(&w, word, &s.filter);
        if (status)
            return status;
    }
    s.list.style.no_dev = s.filter.dev != NULL;
    ports = ip_ports(c);
    if (!ports)
        return IP_FAIL;
    s.ports = ports;
    status = find_devices(&s) ? show_all(c, &s) : ip_complain("out of memory");
    free(s.device);
    json_decref(ports);
    return status;
}
