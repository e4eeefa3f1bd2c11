/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iproute2's JSON and text.  An object holds what is shown, its members in
 * the order in which they are printed; both forms are made from it.
 */
#include "ctl/client/field.h"
#include "ctl/client/iproute2.h"

#include <linux/if.h>
#include <linux/neighbour.h>
#include <string.h>

struct ip_style ip_style(const struct client *c)
{
    return (struct ip_style){.json = c->json,
                             .pretty = c->pretty,
                             .details = c->details,
                             .stats = c->stats,
                             .oneline = c->oneline};
}

/* ---- JSON ---- */

static void pretty_value(FILE *out, const json_t *v)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(v)) {
        json_dumpf(v, out, JSON_ENCODE_ANY | JSON_COMPACT);
        return;
    }
    fputs("[ ", out);
    json_array_foreach(v, i, item)
    {
        if (i)
            fputc(',', out);
        json_dumpf(item, out, JSON_ENCODE_ANY | JSON_COMPACT);
    }
    fputs(json_array_size(v) ? " ]" : "]", out);
}

static void pretty_object(FILE *out, const json_t *o)
{
    const char *comma = "";

    fputc('{', out);
    /* json_object_foreach would want it writable */
    for (void *i = json_object_iter((json_t *)(uintptr_t)o); i;
         i = json_object_iter_next((json_t *)(uintptr_t)o, i)) {
        fprintf(out, "%s\n        \"%s\": ", comma, json_object_iter_key(i));
        pretty_value(out, json_object_iter_value(i));
        comma = ",";
    }
    fputs("\n    }", out);
}

void ip_list_add(struct ip_list *l, json_t *o)
{
    if (!l->style.json) {
        l->text(l->out, o, &l->style);
    } else if (l->style.pretty) {
        fputs(l->n ? "," : "[ ", l->out);
        pretty_object(l->out, o);
    } else {
        fputc(l->n ? ',' : '[', l->out);
        json_dumpf(o, l->out, JSON_COMPACT);
    }
    l->n++;
    json_decref(o);
}

void ip_list_end(struct ip_list *l)
{
    if (!l->style.json)
        return;
    if (l->n == 0)
        fputs("[", l->out);
    fputs(l->style.pretty ? " ]\n" : "]\n", l->out);
}

json_t *ip_deleted(json_t *o)
{
    json_t *all = json_pack("{s:b}", "deleted", 1);

    json_object_update(all, o);
    json_decref(o);
    return all;
}

void ip_object_json(FILE *out, const json_t *o, const struct ip_style *s)
{
    if (s->pretty)
        pretty_object(out, o);
    else
        json_dumpf(o, out, JSON_COMPACT);
    fputc('\n', out);
}

/* ---- entries ---- */

unsigned ip_state_bits(const char *state)
{
    if (strcmp(state, "permanent") == 0)
        return NUD_PERMANENT;
    if (strcmp(state, "static") == 0)
        return NUD_NOARP;
    return strcmp(state, "stale") == 0 ? NUD_STALE : NUD_REACHABLE;
}

/* Members of the daemon's entries that go into iproute2's as they are. */
static void take(json_t *to, const json_t *from, const char *key)
{
    json_t *v = json_object_get(from, key);

    if (v)
        json_object_set(to, key, v);
}

json_t *ip_entry(const json_t *e, const struct ip_style *s)
{
    json_t *o = json_object();
    json_int_t age = num(e, "age") / 100;

    take(o, e, "mac");
    if (!s->no_dev)
        take(o, e, "ifname");
    take(o, e, "vlan");
    if (s->stats) { /* one clock for both: when it was last seen */
        json_object_set_new(o, "used", json_integer(age));
        json_object_set_new(o, "updated", json_integer(age));
    }
    take(o, e, "flags");
    take(o, e, "master");
    take(o, e, "state");
    return o;
}

static json_t *self_flags(uint8_t flags)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } known[] = {{NTF_SELF, "self"},
                 {NTF_ROUTER, "router"},
                 {NTF_EXT_LEARNED, "extern_learn"},
                 {NTF_OFFLOADED, "offload"},
                 {NTF_MASTER, "master"},
                 {NTF_STICKY, "sticky"}};
    json_t *list = json_array();

    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (flags & known[i].bit)
            json_array_append_new(list, json_string(known[i].name));
    return list;
}

static json_t *state_of(uint16_t state)
{
    if (state & NUD_PERMANENT)
        return json_string("permanent");
    if (state & NUD_NOARP)
        return json_string("static");
    if (state & NUD_STALE)
        return json_string("stale");
    return state & NUD_REACHABLE ? json_string("")
                                 : json_sprintf("state=%#x", state);
}

json_t *ip_self_entry(const struct kernel_entry *e, const char *ifname,
                      const struct ip_style *s)
{
    char mac[MAC_TEXT_MAX];
    json_t *o = json_pack("{s:s}", "mac", mac_format(&e->mac, mac));

    if (!s->no_dev)
        json_object_set_new(o, "ifname", json_string(ifname));
    if (e->dst[0])
        json_object_set_new(o, "dst", json_string(e->dst));
    if (e->vlan)
        json_object_set_new(o, "vlan", json_integer(e->vlan));
    json_object_set_new(o, "flags", self_flags(e->flags));
    json_object_set_new(o, "state", state_of(e->state));
    return o;
}

static void begin_text(FILE *out, const json_t *o)
{
    if (json_object_get(o, "deleted"))
        fputs("Deleted ", out);
}

void ip_entry_text(FILE *out, const json_t *o, const struct ip_style *s)
{
    const json_t *flags = json_object_get(o, "flags"), *f;
    size_t i;

    (void)s;
    begin_text(out, o);
    fprintf(out, "%s ", str(o, "mac"));
    if (json_object_get(o, "ifname"))
        fprintf(out, "dev %s ", str(o, "ifname"));
    if (json_object_get(o, "dst"))
        fprintf(out, "dst %s ", str(o, "dst"));
    if (json_object_get(o, "vlan"))
        fprintf(out, "vlan %lld ", num(o, "vlan"));
    if (json_object_get(o, "used"))
        fprintf(out, "used %lld/%lld ", num(o, "used"), num(o, "updated"));
    json_array_foreach(flags, i, f)
    {
        fprintf(out, "%s ", json_string_value(f));
    }
    if (json_object_get(o, "master"))
        fprintf(out, "master %s ", str(o, "master"));
    fprintf(out, "%s\n", str(o, "state"));
}

/* ---- links ---- */

static const struct {
    unsigned bit;
    const char *name;
} link_flag[] = {
    {IFF_LOOPBACK, "LOOPBACK"},
    {IFF_BROADCAST, "BROADCAST"},
    {IFF_POINTOPOINT, "POINTOPOINT"},
    {IFF_MULTICAST, "MULTICAST"},
    {IFF_NOARP, "NOARP"},
    {IFF_ALLMULTI, "ALLMULTI"},
    {IFF_PROMISC, "PROMISC"},
    {IFF_MASTER, "MASTER"},
    {IFF_SLAVE, "SLAVE"},
    {IFF_DEBUG, "DEBUG"},
    {IFF_DYNAMIC, "DYNAMIC"},
    {IFF_AUTOMEDIA, "AUTOMEDIA"},
    {IFF_PORTSEL, "PORTSEL"},
    {IFF_NOTRAILERS, "NOTRAILERS"},
    {IFF_UP, "UP"},
    {IFF_LOWER_UP, "LOWER_UP"},
    {IFF_DORMANT, "DORMANT"},
    {IFF_ECHO, "ECHO"},
};

static json_t *link_flags(unsigned flags, bool peer_down)
{
    json_t *list = json_array();

    if ((flags & IFF_UP) && !(flags & IFF_RUNNING))
        json_array_append_new(list, json_string("NO-CARRIER"));
    flags &= ~(unsigned)IFF_RUNNING;
    for (unsigned i = 0; i < sizeof(link_flag) / sizeof(link_flag[0]); i++) {
        if (flags & link_flag[i].bit)
            json_array_append_new(list, json_string(link_flag[i].name));
        flags &= ~link_flag[i].bit;
    }
    if (flags)
        json_array_append_new(list, json_sprintf("%x", flags));
    if (peer_down)
        json_array_append_new(list, json_string("M-DOWN"));
    return list;
}

/* What cannot be asked of the kernel: always up, with carrier while linked. */
static struct kernel_link made_up(const json_t *port)
{
    bool link = json_is_true(json_object_get(port, "link"));

    return (struct kernel_link){.mtu = (uint32_t)num(port, "mtu"),
                                .flags =
                                    IFF_BROADCAST | IFF_MULTICAST | IFF_UP |
                                    (link ? IFF_RUNNING | IFF_LOWER_UP : 0)};
}

/* Features of the kernel's bridge that are not built here are off. */
static void add_details(json_t *o, const json_t *port)
{
    static const struct {
        const char *name;
        const char *ours; /* what the daemon calls it */
    } member[] = {
        {"hairpin", "hairpin"},         {"guard", "bpdu_guard"},
        {"root_block", "root_guard"},   {"fastleave", NULL},
        {"learning", "learning"},       {"flood", "flood"},
        {"mcast_flood", "mcast_flood"}, {"bcast_flood", "bcast_flood"},
        {"mcast_router", NULL},         {"mcast_to_unicast", NULL},
        {"neigh_suppress", NULL},       {"vlan_tunnel", NULL},
        {"isolated", "isolated"},       {"locked", NULL}};

    for (unsigned i = 0; i < sizeof(member) / sizeof(member[0]); i++) {
        const char *name = member[i].name;

        if (strcmp(name, "mcast_router") == 0)
            json_object_set_new(o, name, json_integer(1));
        else if (member[i].ours)
            json_object_set_new(o, name,
                                json_boolean(json_is_true(
                                    json_object_get(port, member[i].ours))));
        else
            json_object_set_new(o, name, json_false());
    }
}

json_t *ip_link(const json_t *port, const struct kernel_link *k,
                const struct ip_style *s)
{
    struct kernel_link own = made_up(port);
    json_t *o;

    if (!k)
        k = &own;
    o = json_pack("{s:i}", "ifindex", k->ifindex);
    if (k->peer[0])
        json_object_set_new(o, "link", json_string(k->peer));
    json_object_set(o, "ifname", json_object_get(port, "name"));
    json_object_set_new(o, "flags", link_flags(k->flags, k->peer_down));
    json_object_set_new(o, "mtu", json_integer(k->mtu));
    json_object_set(o, "master", json_object_get(port, "bridge"));
    take(o, port, "state");
    take(o, port, "priority");
    take(o, port, "cost");
    if (s->details)
        add_details(o, port);
    return o;
}

void ip_link_cut(json_t *o)
{
    bool behind = false;
    const char *key;
    void *tmp;
    json_t *v;

    json_object_foreach_safe(o, tmp, key, v)
    {
        behind |= strcmp(key, "state") == 0;
        if (behind)
            json_object_del(o, key);
    }
}

static void details_text(FILE *out, const json_t *o, const struct ip_style *s)
{
    bool behind = false;

    fputs(s->oneline ? "\\    " : "\n    ", out);
    for (void *i = json_object_iter((json_t *)(uintptr_t)o); i;
         i = json_object_iter_next((json_t *)(uintptr_t)o, i)) {
        const char *key = json_object_iter_key(i);
        const json_t *v = json_object_iter_value(i);

        if (behind && json_is_boolean(v))
            fprintf(out, "%s %s ", key, json_is_true(v) ? "on" : "off");
        else if (behind)
            fprintf(out, "%s %lld ", key, (long long)json_integer_value(v));
        behind |= strcmp(key, "cost") == 0;
    }
}

void ip_link_text(FILE *out, const json_t *o, const struct ip_style *s)
{
    const json_t *flags = json_object_get(o, "flags"), *f;
    const char *link = str(o, "link");
    size_t i;

    begin_text(out, o);
    fprintf(out, "%lld: %s%s%s: <", num(o, "ifindex"), str(o, "ifname"),
            *link ? "@" : "", link);
    json_array_foreach(flags, i, f)
    {
        fprintf(out, "%s%s", i ? "," : "", json_string_value(f));
    }
    fprintf(out, "> mtu %lld master %s ", num(o, "mtu"), str(o, "master"));
    if (json_object_get(o, "state"))
        fprintf(out, "state %s priority %lld cost %lld ", str(o, "state"),
                num(o, "priority"), num(o, "cost"));
    if (json_object_get(o, "hairpin"))
        details_text(out, o, s);
    fputc('\n', out);
}
