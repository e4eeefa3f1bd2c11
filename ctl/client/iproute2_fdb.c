/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridge fdb.  The master's table is the daemon's; the devices' own lists
 * ("self") are the kernel's.  As with the real one, an entry is "self" if
 * neither is said.
 */
#include "ctl/client/iproute2.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

static int not_built(const char *word)
{
    return ip_complain("Error: \"%s\" is not built yet: tunnels and next hops "
                       "have no entries here.",
                       word);
}

/* Keywords of tunnels; they take a value. */
static bool of_tunnels(const char *word)
{
    static const char *const known[] = {"dst",     "nhid", "port", "vni",
                                        "src_vni", "via",  NULL};

    for (int i = 0; known[i]; i++)
        if (strcmp(word, known[i]) == 0)
            return true;
    return false;
}

/* ---- add, append, replace, delete ---- */

struct change {
    bool add;
    unsigned nlflags; /* NLM_F_* */
    const char *dev, *to;
    struct mac mac;
    unsigned flags; /* NTF_* */
    unsigned state; /* NUD_* */
    unsigned vlan;
};

/* Words that stand for themselves. */
static bool change_flag(struct change *ch, const char *word)
{
    if (strcmp(word, "self") == 0) {
        ch->flags |= NTF_SELF;
    } else if (word_begins(word, "master")) {
        ch->flags |= NTF_MASTER;
    } else if (word_begins(word, "router")) {
        ch->flags |= NTF_ROUTER;
    } else if (word_begins(word, "local") || word_begins(word, "permanent")) {
        ch->state |= NUD_PERMANENT;
    } else if (word_begins(word, "temp") || word_begins(word, "static")) {
        ch->state |= NUD_NOARP;
    } else if (word_begins(word, "dynamic")) {
        ch->state |= NUD_REACHABLE;
        ch->state &= ~(unsigned)NUD_NOARP;
    } else if (word_begins(word, "use")) {
        ch->flags |= NTF_USE;
    } else if (word_begins(word, "extern_learn")) {
        ch->flags |= NTF_EXT_LEARNED;
    } else if (word_begins(word, "sticky")) {
        ch->flags |= NTF_STICKY;
    } else {
        return false;
    }
    return true;
}

static int change_vlan(struct words *w, struct change *ch)
{
    const char *value = words_value(w);

    if (!value)
        return IP_FAIL;
    if (ch->vlan)
        return ip_duplicate("vlan", value);
    return word_vlan(value, &ch->vlan) ? 0
                                       : ip_complain("Error: invalid vlan id.");
}

static int change_word(struct words *w, const char *word, struct change *ch)
{
    if (strcmp(word, "dev") == 0) {
        ch->dev = words_value(w);
        return ch->dev ? 0 : IP_FAIL;
    }
    if (of_tunnels(word))
        return words_value(w) ? not_built(word) : IP_FAIL;
    if (word_begins(word, "vlan"))
        return change_vlan(w, ch);
    if (change_flag(ch, word))
        return 0;
    if (strcmp(word, "to") == 0 && !(word = words_value(w)))
        return IP_FAIL;
    if (ch->to)
        return ip_garbage(word);
    ch->to = word;
    return 0;
}

static int change_read(struct change *ch, int argc, char **argv)
{
    struct words w = {argc, argv};
    const char *word;

    while ((word = words_take(&w))) {
        int status = change_word(&w, word, ch);

        if (status)
            return status;
    }
    if (!ch->dev || !ch->to)
        return ip_complain("Device and address are required arguments.");
    if (!mac_parse(ch->to, &ch->mac))
        return ip_complain("Invalid mac address %s", ch->to);
    if (!(ch->flags & (NTF_SELF | NTF_MASTER)))
        ch->flags |= NTF_SELF;
    if (!(ch->state & (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE)))
        ch->state |= NUD_PERMANENT;
    return 0;
}

/* What "add" asks of the daemon.  "use": as if it had just been seen. */
static void add_params(const struct change *ch, json_t *params)
{
    const char *type = "dynamic";

    if (ch->flags & (NTF_USE | NTF_EXT_LEARNED))
        ;
    else if (ch->state & NUD_PERMANENT)
        type = "permanent";
    else if (ch->state & NUD_NOARP)
        type = "static";
    json_object_set_new(params, "type", json_string(type));
    if (ch->flags & NTF_STICKY)
        json_object_set_new(params, "sticky", json_true());
    if (ch->flags & NTF_EXT_LEARNED)
        json_object_set_new(params, "extern", json_true());
    if (ch->nlflags & NLM_F_EXCL)
        json_object_set_new(params, "exclusive", json_true());
}

static int change_daemon(struct client *c, const struct change *ch)
{
    char mac[MAC_TEXT_MAX];
    json_t *params = json_pack("{s:s,s:s}", "port", ch->dev, "mac",
                               mac_format(&ch->mac, mac));
    struct reply r;
    int status = 0;

    if (ch->vlan)
        json_object_set_new(params, "vlan", json_integer(ch->vlan));
    if (ch->add)
        add_params(ch, params);
    if (!client_call(c, ch->add ? "fdb.add" : "fdb.del", params, -1, &r)) {
        if (strcmp(r.what, "port") == 0 && r.err == ENOENT)
            status = ip_answers(EOPNOTSUPP);
        else
            status = ip_said(c, &r);
    }
    reply_free(&r);
    return status;
}

static int change_kernel(const struct change *ch)
{
    struct kernel_entry e = {.ifindex = (int)if_nametoindex(ch->dev),
                             .mac = ch->mac,
                             .state = (uint16_t)ch->state,
                             .vlan = (uint16_t)ch->vlan};
    int rc;

    if (e.ifindex == 0)
        return ip_complain("%s has no interface in this network namespace, "
                           "and no list of its own: say \"master\".",
                           ch->dev);
    e.flags = (uint8_t)((ch->flags & ~(unsigned)NTF_MASTER) | NTF_SELF);
    rc = kernel_entry_set(ch->add, ch->nlflags, &e);
    return rc < 0 ? ip_answers(-rc) : 0;
}

/* Does a device of that name exist, here or as a port?  -1: no daemon. */
static int device_exists(struct client *c, const char *name)
{
    json_t *ports;
    int found;

    if (if_nametoindex(name) != 0)
        return 1;
    ports = ip_ports(c);
    if (!ports)
        return -1;
    found = ip_port_find(ports, name) != NULL;
    json_decref(ports);
    return found;
}

static int change(struct client *c, struct change *ch, int argc, char **argv)
{
    int status = change_read(ch, argc, argv), bridge, exists;

    if (status)
        return status;
    bridge = ip_is_bridge(c, ch->dev);
    exists = bridge > 0 ? 1 : bridge < 0 ? -1 : device_exists(c, ch->dev);
    if (exists <= 0)
        return exists < 0 ? IP_FAIL
                          : ip_complain("Cannot find device \"%s\"", ch->dev);
    if (ch->flags & NTF_ROUTER)
        return ip_complain("Error: \"router\" is not built yet: no table here "
                           "has such entries.");
    if (bridge) /* its own list and its own table are one */
        return ch->flags & NTF_SELF ? change_daemon(c, ch)
                                    : ip_answers(EOPNOTSUPP);
    if (ch->flags & NTF_MASTER)
        status = change_daemon(c, ch);
    if (status == 0 && (ch->flags & NTF_SELF))
        status = change_kernel(ch);
    return status;
}

int run_fdb_add(struct client *c, int argc, char **argv)
{
    struct change ch = {.add = true, .nlflags = NLM_F_CREATE | NLM_F_EXCL};

    return change(c, &ch, argc, argv);
}

int run_fdb_append(struct client *c, int argc, char **argv)
{
    struct change ch = {.add = true, .nlflags = NLM_F_CREATE | NLM_F_APPEND};

    return change(c, &ch, argc, argv);
}

int run_fdb_replace(struct client *c, int argc, char **argv)
{
    struct change ch = {.add = true, .nlflags = NLM_F_CREATE | NLM_F_REPLACE};

    return change(c, &ch, argc, argv);
}

int run_fdb_del(struct client *c, int argc, char **argv)
{
    struct change ch = {.add = false};

    return change(c, &ch, argc, argv);
}

/* ---- get ---- */

struct get {
    const char *br, *dev, *to, *vlan;
    bool self;
};

static int get_word(struct words *w, const char *word, struct get *g)
{
    const char **slot = NULL;

    if (strcmp(word, "br") == 0)
        slot = &g->br;
    else if (strcmp(word, "dev") == 0 || strcmp(word, "brport") == 0)
        slot = &g->dev;
    else if (strcmp(word, "vlan") == 0)
        slot = &g->vlan;
    if (slot) {
        *slot = words_value(w);
        return *slot ? 0 : IP_FAIL;
    }
    if (of_tunnels(word))
        return words_value(w) ? not_built(word) : IP_FAIL;
    if (strcmp(word, "self") == 0)
        g->self = true;
    if (strcmp(word, "self") == 0 || word_begins(word, "master") ||
        word_begins(word, "dynamic"))
        return 0;
    if (strcmp(word, "to") == 0 && !(word = words_value(w)))
        return IP_FAIL;
    if (g->to)
        return ip_garbage(word);
    g->to = word;
    return 0;
}

static int get_refuse(const char *why)
{
    ip_complain("Error: %s.", why);
    return IP_FAIL_GET;
}

/* Whose table?  'where' gets the daemon's parameters. */
static int get_place(struct client *c, const struct get *g, json_t *where)
{
    const char *name = g->br ? g->br : g->dev;
    int bridge = ip_is_bridge(c, name);

    if (bridge < 0)
        return IP_FAIL;
    if (g->br && !bridge)
        return ip_complain("Cannot find bridge device \"%s\"", g->br);
    if (!bridge) {
        int exists = device_exists(c, name);

        if (exists <= 0)
            return exists < 0 ? IP_FAIL
                              : ip_complain("Cannot find device \"%s\"", name);
    }
    if (g->br && g->dev)
        return get_refuse("Master and device are mutually exclusive");
    if (!g->br && g->self && !bridge)
        return get_refuse("Fdb get operation not supported by device");
    if (!g->br && !g->self && bridge)
        return get_refuse("Device is not a bridge port");
    json_object_set_new(where, bridge ? "bridge" : "port", json_string(name));
    return 0;
}

static int get_show(struct client *c, json_t *where)
{
    struct ip_list list = {
        .out = stdout, .style = ip_style(c), .text = ip_entry_text};
    struct reply r;
    int status = 0;

    if (client_call(c, "fdb.get", where, -1, &r)) {
        ip_list_add(&list, ip_entry(r.result, &list.style));
        ip_list_end(&list);
    } else if (strcmp(r.what, "entry") == 0) {
        status = get_refuse("Fdb entry not found");
    } else if (strcmp(r.what, "port") == 0) {
        status = get_refuse("Device is not a bridge port");
    } else {
        ip_said(c, &r);
        status = IP_FAIL_GET;
    }
    reply_free(&r);
    return status;
}

int run_fdb_get(struct client *c, int argc, char **argv)
{
    struct words w = {argc, argv};
    struct get g = {0};
    struct mac mac;
    char text[MAC_TEXT_MAX];
    unsigned vlan = 0;
    const char *word;
    json_t *where;
    int status;

    while ((word = words_take(&w)))
        if ((status = get_word(&w, word, &g)))
            return status;
    if ((!g.br && !g.dev) || !g.to)
        return ip_complain(
            "Device or master and address are required arguments.");
    if (!mac_parse(g.to, &mac))
        return ip_complain("Invalid mac address %s", g.to);
    if (g.vlan && !word_vlan(g.vlan, &vlan))
        return get_refuse("invalid vlan id");
    where = json_pack("{s:s,s:i}", "mac", mac_format(&mac, text), "vlan",
                      (int)vlan);
    status = get_place(c, &g, where);
    if (status == 0)
        return get_show(c, where);
    json_decref(where);
    return status;
}

/* ---- flush ---- */

struct flush {
    const char *dev, *brport;
    bool self, master;
    unsigned state, mask; /* NUD_* */
    json_t *params;
};

/*
 * [no]WORD.  The states go as bits and a mask of those that matter, as with
 * the real one: a permanent entry counts as static, too.
 */
static bool flush_kind(struct flush *f, const char *word)
{
    static const struct {
        const char *word;
        unsigned set, clear, mask;
    } known[] = {
        {"permanent", NUD_PERMANENT, 0, NUD_PERMANENT},
        {"nopermanent", 0, NUD_PERMANENT, NUD_PERMANENT},
        {"static", NUD_NOARP, 0, NUD_NOARP | NUD_PERMANENT},
        {"nostatic", 0, NUD_NOARP, NUD_NOARP},
        {"dynamic", 0, NUD_NOARP, NUD_NOARP | NUD_PERMANENT},
        {"nodynamic", NUD_NOARP, 0, NUD_NOARP},
    };
    bool no = strncmp(word, "no", 2) == 0;

    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(word, known[i].word) != 0)
            continue;
        f->state = (f->state | known[i].set) & ~known[i].clear;
        f->mask |= known[i].mask;
        return true;
    }
    word += no ? 2 : 0;
    if (strcmp(word, "sticky") != 0 && strcmp(word, "extern_learn") != 0)
        return false;
    json_object_set_new(f->params, *word == 's' ? "sticky" : "extern",
                        json_boolean(!no));
    return true;
}

/* What the kernel's bridge tells apart and this one does not. */
static bool flush_unknown(const char *word)
{
    static const char *const known[] = {"added_by_user", "offloaded", "router",
                                        NULL};

    if (strncmp(word, "no", 2) == 0)
        word += 2;
    for (int i = 0; known[i]; i++)
        if (strcmp(word, known[i]) == 0)
            return true;
    return false;
}

static int flush_vlan(struct flush *f, const char *value)
{
    unsigned vid;

    if (!value)
        return IP_FAIL;
    if (!word_vlan(value, &vid))
        return ip_complain("Invalid VLAN ID \"%s\"", value);
    json_object_set_new(f->params, "vlan", json_integer((json_int_t)vid));
    return 0;
}

static int flush_word(struct words *w, const char *word, struct flush *f)
{
    if (strcmp(word, "dev") == 0)
        return (f->dev = words_value(w)) ? 0 : IP_FAIL;
    if (strcmp(word, "brport") == 0)
        return (f->brport = words_value(w)) ? 0 : IP_FAIL;
    if (strcmp(word, "vlan") == 0)
        return flush_vlan(f, words_value(w));
    if (of_tunnels(word))
        return words_value(w) ? not_built(word) : IP_FAIL;
    if (strcmp(word, "self") == 0)
        f->self = true;
    else if (word_begins(word, "master"))
        f->master = true;
    else if (flush_unknown(word))
        return ip_complain("Error: \"%s\" is not built yet: entries here do "
                           "not record that.",
                           word);
    else if (!flush_kind(f, word))
        return ip_complain("\"%s\": what is that?  Try \"bridge fdb help\".",
                           word);
    return 0;
}

/* dev BRIDGE [brport PORT], or dev PORT master. */
static int flush_place(struct client *c, struct flush *f)
{
    int bridge = ip_is_bridge(c, f->dev), exists;

    if (bridge < 0)
        return IP_FAIL;
    exists = bridge ? 1 : device_exists(c, f->dev);
    if (exists <= 0)
        return exists < 0
                   ? IP_FAIL
                   : ip_complain("Cannot find bridge device \"%s\"", f->dev);
    exists = f->brport ? device_exists(c, f->brport) : 1;
    if (exists <= 0)
        return exists < 0 ? IP_FAIL
                          : ip_complain("Cannot find bridge port device \"%s\"",
                                        f->brport);
    if (bridge ? f->master && !f->self : !f->master)
        return ip_answers(EOPNOTSUPP);
    json_object_set_new(f->params, bridge ? "bridge" : "port",
                        json_string(f->dev));
    if (bridge && f->brport)
        json_object_set_new(f->params, "port", json_string(f->brport));
    return 0;
}

static int flush(struct client *c, struct flush *f)
{
    struct reply r;
    int status;

    if (!f->dev)
        return ip_complain("Device is a required argument.");
    status = flush_place(c, f);
    if (status)
        return status;
    json_object_set_new(f->params, "all", json_true());
    if (f->mask & NUD_PERMANENT)
        json_object_set_new(f->params, "permanent",
                            json_boolean(f->state & NUD_PERMANENT));
    if (f->mask & NUD_NOARP)
        json_object_set_new(f->params, "static",
                            json_boolean(f->state & NUD_NOARP));
    if (client_call(c, "fdb.flush", json_incref(f->params), -1, &r))
        status = 0;
    else if (strcmp(r.what, "port") != 0)
        status = ip_said(c, &r);
    else if (f->brport)
        status = ip_complain(
            "Error: bridge: Flush device is not a bridge or bridge port.");
    else
        status = ip_answers(EOPNOTSUPP);
    reply_free(&r);
    return status;
}

int run_fdb_flush(struct client *c, int argc, char **argv)
{
    struct words w = {argc, argv};
    struct flush f = {.params = json_object()};
    const char *word;
    int status = 0;

    while (status == 0 && (word = words_take(&w)))
        status = flush_word(&w, word, &f);
    if (status == 0)
        status = flush(c, &f);
    json_decref(f.params);
    return status;
}
