/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/config/lab.h"

#include "ctl/config/draft.h"
#include "ctl/guest/def.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file's sections, and the lab they become. */
struct sections {
    struct lab *lab;
    const struct node *name, *bridges, *guests, *hosts, *links, *uplink;
};

static int section(struct reader *r, const struct node *v, void *to,
                   const struct key *k)
{
    const struct node **at = (void *)((char *)to + k->at);

    (void)r;
    *at = v;
    return 0;
}

#define AT(m) offsetof(struct sections, m)
static const struct key top_keys[] = {
    {"lab", section, AT(name), NULL},
    {"bridges", section, AT(bridges), NULL},
    {"guests", section, AT(guests), NULL},
    {"hosts", section, AT(hosts), NULL},
    {"links", section, AT(links), NULL},
    {"uplink", section, AT(uplink), NULL},
    {"network", NULL, 0,
     "a lab's file has no such section; bascule apply takes such files"},
    {"bascule", NULL, 0,
     "a lab's file has no such section; bascule apply takes such files"},
    {NULL, NULL, 0, NULL},
};

/* ---- the name ---- */

static bool name_is_fit(const char *s)
{
    size_t n = strlen(s);

    if (n == 0 || n >= LAB_NAME_MAX || !isalnum((unsigned char)*s))
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("-_.", *s))
            return false;
    return true;
}

/* A dot would end it in the names of what is beside its state. */
bool lab_name_is_fit(const char *s)
{
    return name_is_fit(s) && !strchr(s, '.');
}

/* Without `lab:`, the file's own name without its folder and ending. */
static int read_name(struct reader *r, const struct sections *s,
                     const char *file)
{
    const char *slash = strrchr(file, '/'), *text = slash ? slash + 1 : file;
    struct conf_pos top = {file, 1, 1};
    char stem[LAB_NAME_MAX + 1];
    int rc = s->name ? value_text(r, s->name, &text) : 0;

    if (rc)
        return rc;
    snprintf(stem, sizeof(stem), "%.*s",
             s->name ? LAB_NAME_MAX : (int)strcspn(text, "."), text);
    if (lab_name_is_fit(stem)) {
        memcpy(s->lab->name, stem, strlen(stem) + 1);
        return 0;
    }
    if (s->name)
        return bad(r, s->name, "letters, digits, '_' and '-', at most %d",
                   LAB_NAME_MAX - 1);
    return bad_at(r, &top,
                  "the file's name is not fit for the lab's: say lab: NAME");
}

/* ---- bridges ---- */

static int read_local(struct reader *r, const struct node *v, void *to,
                      const struct key *k)
{
    struct draft *d = to;

    (void)k;
    return value_switch(r, v, &d->b->local);
}

static int read_addresses(struct reader *r, const struct node *v, void *to,
                          const struct key *k)
{
    struct draft *d = to;

    d->l3_seen[0] = v;
    return addresses_read(r, v, &d->b->l3, k);
}

static const struct key bridge_keys[] = {
    {"local", read_local, 0, NULL},
    {"addresses", read_addresses, 0, NULL},
    {NULL, NULL, 0, NULL},
};

static int read_bridge(struct reader *r, const struct node *key)
{
    struct conf_bridge *b = &r->c->bridge[r->c->n_bridges++];
    struct draft d = {.key = key, .b = b};
    struct keys set[] = {{bridge_keys, &d, NULL},
                         {own_bridge_params, &d, NULL}};
    int rc = value_bridge_name(r, key);

    if (rc)
        return rc;
    snprintf(b->name, sizeof(b->name), "%s", key->text);
    b->pos = key->pos;
    b->local = true;
    conf_l3_init(&b->l3);
    if (!value_null(key->value))
        rc = keys_read(r, key->value, "a bridge", set, 2);
    if (!rc && !b->local && d.l3_seen[0])
        rc = bad(r, d.l3_seen[0], "%s has no interface (local: no)", b->name);
    return rc ? rc : params_settle(r, &d);
}

static int read_bridges(struct reader *r, const struct node *map)
{
    int rc = want_map(r, map);

    if (rc || map->n == 0)
        return rc;
    r->c->bridge = conf_alloc(r->c, map->n * sizeof(*r->c->bridge));
    if (!r->c->bridge)
        return no_memory(r);
    for (const struct node *k = map->first; !rc && k; k = k->next)
        rc = read_bridge(r, k);
    return rc;
}

/* A bridge of this file. */
static int bridge_named(struct reader *r, const struct node *v,
                        const char **name)
{
    const char *text;
    int rc = value_text(r, v, &text);

    if (rc)
        return rc;
    for (unsigned i = 0; i < r->c->n_bridges; i++) {
        if (strcmp(r->c->bridge[i].name, text) == 0) {
            *name = r->c->bridge[i].name;
            return 0;
        }
    }
    return bad(r, v, "there is no %s among the bridges of this file",
               SHOW(text));
}

static int read_bridge_name(struct reader *r, const struct node *v, void *to,
                            const struct key *k)
{
    return bridge_named(r, v, (const char **)(void *)((char *)to + k->at));
}

static int keep_text(struct reader *r, const struct node *v, void *to,
                     const struct key *k)
{
    return value_keep(r, v, (const char **)(void *)((char *)to + k->at));
}

/* ---- names of ports ---- */

static const char names[] = "names";

static int take_name(struct reader *r, const struct node *n, const char *name)
{
    const void *first = NULL;
    char *kept = scratch_text(r, name);
    int rc = kept ? names_put(r, names, kept, &n->pos, &first) : no_memory(r);

    if (!rc && first)
        rc = bad(r, n, "%s is the name of something else already, in %s",
                 SHOW(name), place((const struct conf_pos *)first).text);
    return rc;
}

/* ---- guests ---- */

static int check_guest(struct reader *r, const struct node *key,
                       const struct conf_guest *g)
{
    json_t *o = json_loads(g->def, 0, NULL);
    struct guest_def *d = NULL;
    int rc = o && guest_def_read(&d, o, NULL) == 0 ? 0 : no_memory(r);

    for (unsigned i = 0; !rc && d && i < d->n_nets; i++) {
        bool found = false;

        for (unsigned b = 0; b < r->c->n_bridges; b++)
            found |= strcmp(r->c->bridge[b].name, d->net[i].bridge) == 0;
        rc = found
                 ? take_name(r, key, d->net[i].port)
                 : bad(r, key, "there is no %s among the bridges of this file",
                       SHOW(d->net[i].bridge));
    }
    guest_def_free(d);
    json_decref(o);
    return rc;
}

static int read_guests(struct reader *r, const struct node *map)
{
    int rc = guests_read(r, &map, 1);
    unsigned n = 0;

    for (const struct node *k = map->first; !rc && k; k = k->next)
        rc = check_guest(r, k, &r->c->guest[n++]);
    return rc;
}

/* ---- hosts ---- */

static int read_address(struct reader *r, const struct node *v, void *to,
                        const struct key *k)
{
    struct lab_host *h = to;

    (void)k;
    return value_addr(r, v, ADDR_PREFIX, &h->addr);
}

static int read_gateway(struct reader *r, const struct node *v, void *to,
                        const struct key *k)
{
    struct lab_host *h = to;

    (void)k;
    return value_addr(r, v, ADDR_PLAIN, &h->gateway);
}

static const struct key host_keys[] = {
    {"bridge", read_bridge_name, offsetof(struct lab_host, bridge), NULL},
    {"address", read_address, 0, NULL},
    {"gateway", read_gateway, 0, NULL},
    {"command", keep_text, offsetof(struct lab_host, command), NULL},
    {NULL, NULL, 0, NULL},
};

static int check_host(struct reader *r, const struct node *key,
                      const struct lab_host *h)
{
    if (!h->bridge)
        return bad(r, key, "a host needs bridge:");
    if (h->gateway.family && !h->addr.family)
        return bad(r, key, "a gateway needs an address: of the host's own");
    if (h->gateway.family && h->gateway.family != h->addr.family)
        return bad(r, key, "address and gateway are of two protocols");
    return take_name(r, key, h->name);
}

static int read_host(struct reader *r, const struct node *key,
                     struct lab_host *h)
{
    struct keys set = {host_keys, h, NULL};
    const char *name = NULL;
    int rc = value_ifname(r, key, &name);

    if (!rc && !name_is_fit(key->text))
        rc = bad(r, key, "letters, digits, '.', '_' and '-'");
    if (!rc)
        rc = keys_read(r, key->value, "a host", &set, 1);
    h->name = conf_text(r->c, key->text);
    h->pos = key->pos;
    if (!h->name)
        return no_memory(r);
    return rc ? rc : check_host(r, key, h);
}

static int read_hosts(struct reader *r, struct lab *lab, const struct node *map)
{
    int rc = want_map(r, map);

    if (!rc && map->n > LAB_HOSTS_MAX)
        rc = bad(r, map, "more than %d hosts", LAB_HOSTS_MAX);
    if (rc || map->n == 0)
        return rc;
    lab->host = conf_alloc(r->c, map->n * sizeof(*lab->host));
    if (!lab->host)
        return no_memory(r);
    for (const struct node *k = map->first; !rc && k; k = k->next)
        rc = read_host(r, k, &lab->host[lab->n_hosts++]);
    return rc;
}

/* ---- links ---- */

/* "br0-br1" on br0, "br1-br0" on br1; of a second link, "br0-br1.2". */
static int name_ends(struct reader *r, const struct lab *lab,
                     struct lab_link *l, const struct node *item)
{
    unsigned same = 1;
    char tail[12] = "", name[2 * PORT_NAME_MAX + 16];
    int rc = 0;

    for (const struct lab_link *o = lab->link; o != l; o++)
        same += (strcmp(o->bridge[0], l->bridge[0]) == 0 &&
                 strcmp(o->bridge[1], l->bridge[1]) == 0) ||
                (strcmp(o->bridge[0], l->bridge[1]) == 0 &&
                 strcmp(o->bridge[1], l->bridge[0]) == 0);
    if (same > 1)
        snprintf(tail, sizeof(tail), ".%u", same);
    for (unsigned i = 0; !rc && i < 2; i++) {
        snprintf(name, sizeof(name), "%s-%s%s", l->bridge[i], l->bridge[1 - i],
                 tail);
        if (strlen(name) >= PORT_NAME_MAX)
            return bad(r, item,
                       "its port would be called %s, which is longer than %d: "
                       "give the bridges shorter names",
                       name, PORT_NAME_MAX - 1);
        memcpy(l->port[i], name, strlen(name) + 1);
        rc = take_name(r, item, name);
    }
    return rc;
}

static int read_link(struct reader *r, struct lab *lab, const struct node *item)
{
    struct lab_link *l = &lab->link[lab->n_links];
    int rc = want_list(r, item);

    if (!rc && item->n != 2)
        rc = bad(r, item, "a link joins two bridges: [br0, br1]");
    if (!rc)
        rc = bridge_named(r, item->first, &l->bridge[0]);
    if (!rc)
        rc = bridge_named(r, item->first->next, &l->bridge[1]);
    if (!rc && l->bridge[0] == l->bridge[1])
        rc = bad(r, item, "a link from %s to itself would be a loop",
                 l->bridge[0]);
    l->pos = item->pos;
    if (!rc)
        rc = name_ends(r, lab, l, item);
    lab->n_links++;
    return rc;
}

static int read_links(struct reader *r, struct lab *lab,
                      const struct node *list)
{
    int rc = want_list(r, list);

    if (!rc && list->n > LAB_LINKS_MAX)
        rc = bad(r, list, "more than %d links", LAB_LINKS_MAX);
    if (rc || list->n == 0)
        return rc;
    lab->link = conf_alloc(r->c, list->n * sizeof(*lab->link));
    if (!lab->link)
        return no_memory(r);
    for (const struct node *i = list->first; !rc && i; i = i->next)
        rc = read_link(r, lab, i);
    return rc;
}

/* ---- the uplink ---- */

static const struct key uplink_keys[] = {
    {"interface", keep_text, offsetof(struct lab, uplink), NULL},
    {"bridge", read_bridge_name, offsetof(struct lab, uplink_bridge), NULL},
    {NULL, NULL, 0, NULL},
};

static int read_uplink(struct reader *r, struct lab *lab, const struct node *v)
{
    struct keys set = {uplink_keys, lab, NULL};
    const struct node *ifname = node_child(v, "interface");
    const char *name;
    int rc = keys_read(r, v, "an uplink", &set, 1);

    if (!rc && (!lab->uplink || !lab->uplink_bridge))
        rc = bad(r, v, "an uplink needs interface: and bridge:");
    if (!rc)
        rc = value_ifname(r, ifname, &name);
    lab->uplink_pos = v->pos;
    return rc ? rc : take_name(r, ifname, lab->uplink);
}

/* ---- all of it ---- */

static int take_bridge_names(struct reader *r, const struct node *map)
{
    int rc = 0;

    for (const struct node *k = map->first; !rc && k; k = k->next)
        rc = take_name(r, k, k->text);
    return rc;
}

static int read_sections(struct reader *r, struct sections *s)
{
    int rc = read_bridges(r, s->bridges);

    if (!rc)
        rc = take_bridge_names(r, s->bridges);
    if (!rc && s->guests)
        rc = read_guests(r, s->guests);
    if (!rc && s->hosts)
        rc = read_hosts(r, s->lab, s->hosts);
    if (!rc && s->links)
        rc = read_links(r, s->lab, s->links);
    if (!rc && s->uplink)
        rc = read_uplink(r, s->lab, s->uplink);
    return rc ? rc : lab_check(r, s->lab);
}

static int read_lab(struct reader *r, struct lab *lab, const char *name,
                    const char *text, size_t len)
{
    struct sections s = {.lab = lab};
    struct keys set = {top_keys, &s, NULL};
    struct conf_pos top = {conf_text(r->c, name), 1, 1};
    const struct node *root;
    int rc;

    if (!top.file)
        return no_memory(r);
    if (len > CONF_BYTES_MAX)
        return bad_at(r, &top, "%zu octets long; at most %lu are read", len,
                      CONF_BYTES_MAX);
    rc = tree_read(r, top.file, text, len, &root);
    if (!rc)
        rc = keys_read(r, root, "a lab", &set, 1);
    if (!rc && root->n == 0)
        rc = bad_at(r, &top, "empty; expected %s", r->sections);
    if (!rc && !s.bridges)
        rc = bad(r, root, "a lab needs bridges:");
    if (!rc)
        rc = read_name(r, &s, top.file);
    return rc ? rc : read_sections(r, &s);
}

int lab_load_text(struct lab **out, const char *name, const char *text,
                  size_t len, struct err *e)
{
    struct reader *r = calloc(1, sizeof(*r));
    struct lab *lab = calloc(1, sizeof(*lab));
    int rc = -ENOMEM;

    *out = NULL;
    if (r && lab) {
        r->e = e;
        r->beside = true;
        r->sections = "bridges: and, as needed, lab:, links:, hosts:, guests: "
                      "and uplink:";
        r->draft_tail = &r->draft;
        r->c = lab->conf = conf_new();
        r->scratch = conf_new();
        rc = r->c && r->scratch ? read_lab(r, lab, name, text, len)
                                : no_memory(r);
        conf_free(r->scratch);
    }
    free(r);
    if (rc) {
        lab_free(lab);
        return rc == -ENOMEM ? err_set(e, ENOMEM, "no memory for the lab") : rc;
    }
    *out = lab;
    return 0;
}

int lab_load(struct lab **lab, const char *name, struct err *e)
{
    char *text = NULL;
    size_t len = 0;
    int rc = conf_open_file(NULL, name, NULL, &text, &len, e);

    *lab = NULL;
    if (!rc)
        rc = lab_load_text(lab, name, text, len, e);
    free(text);
    return rc;
}

void lab_free(struct lab *lab)
{
    if (!lab)
        return;
    conf_free(lab->conf);
    free(lab);
}
