/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/object.h"

#include "ctl/table.h"

#include <errno.h>
#include <string.h>

/* object[key] = value; both may be NULL for want of memory */
static int put(json_t *o, const char *key, json_t *v)
{
    return json_object_set_new(o, key, v);
}

static json_t *mac_value(const struct mac *m)
{
    char text[MAC_TEXT_MAX];

    return json_string(mac_format(m, text));
}

static json_t *param_value(const struct param_name *p, uint32_t v)
{
    const char *word;

    if (p->unit == UNIT_SWITCH)
        return json_boolean(v);
    if (p->unit != UNIT_WORD)
        return json_integer(v);
    word = param_word(p, v);
    if (strcmp(word, "on") == 0 || strcmp(word, "off") == 0)
        return json_boolean(word[1] == 'n');
    return json_string(word);
}

/* Each parameter under its JSON name. */
static int put_params(json_t *o, const struct param_name *names,
                      const uint32_t *v)
{
    int rc = 0;

    for (int i = 0; names[i].name; i++)
        rc |= put(o, names[i].key, param_value(&names[i], v[i]));
    return rc;
}

json_t *object_fdb(const struct fdb_stats *f)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "entries",
                     (json_int_t)f->entries, "statics", (json_int_t)f->statics,
                     "limit", (json_int_t)f->limit, "slots",
                     (json_int_t)f->slots, "memory", (json_int_t)f->memory,
                     "learned", (json_int_t)f->learned, "moved",
                     (json_int_t)f->moved, "expired", (json_int_t)f->expired,
                     "replaced", (json_int_t)f->replaced, "refused",
                     (json_int_t)f->refused, "resizes", (json_int_t)f->resizes);
}

static json_t *interface_names(struct bridge *b)
{
    json_t *list = json_array();
    int rc = 0;

    for (struct bport *p = bport_next(b, NULL); p; p = bport_next(b, p)) {
        struct bport_info i;

        bport_info(p, &i);
        rc |= json_array_append_new(list, text_value(i.name));
    }
    if (rc == 0)
        return list;
    json_decref(list);
    return NULL;
}

/* "8000.0200deadbeef" */
static json_t *bridge_id(const struct bridge_info *i)
{
    const uint8_t *o = i->mac.octet;

    return json_sprintf("%04x.%02x%02x%02x%02x%02x%02x",
                        i->param[BRIDGE_PRIORITY] & 0xffff, o[0], o[1], o[2],
                        o[3], o[4], o[5]);
}

json_t *object_bridge(struct bridge *b)
{
    json_t *o = json_object();
    struct bridge_info i;
    int rc = 0;

    bridge_info(b, &i);
    rc |= put(o, "name", text_value(i.name));
    rc |= put(o, "id", bridge_id(&i));
    rc |= put(o, "mac", mac_value(&i.mac));
    rc |= put(o, "mac_set", json_boolean(i.mac_set));
    rc |= put(o, "local", json_boolean(i.local));
    if (i.device[0])
        rc |= put(o, "device", text_value(i.device));
    rc |= put(o, "up", json_boolean(i.up));
    rc |= put(o, "carrier", json_boolean(i.carrier));
    rc |= put(o, "mtu", json_integer(i.mtu));
    rc |= put(o, "ifindex", json_integer(i.ifindex));
    rc |= put(o, "netns", json_integer((json_int_t)i.netns));
    rc |= put_params(o, bridge_param_names, i.param);
    rc |= put(o, "fdb", object_fdb(&i.fdb));
    rc |= put(o, "interfaces", interface_names(b));
    if (rc == 0)
        return o;
    json_decref(o);
    return NULL;
}

const char *object_state(enum bport_state s)
{
    static const char *const name[] = {"disabled", "listening", "learning",
                                       "forwarding", "blocking"};

    return (unsigned)s < 5 ? name[s] : "unknown";
}

json_t *object_reasons(const struct bport_stats *s)
{
    json_t *o = json_object();

    for (int r = 0; r < (int)REASON_COUNT; r++) {
        if (s->reason[r] && put(o, reason_name((enum reason)r),
                                json_integer((json_int_t)s->reason[r])) < 0) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

static int put_counters(json_t *o, const struct bport *p)
{
    struct bport_stats s;
    int rc = 0;

    bport_stats(p, &s);
    rc |= put(o, "rx_frames", json_integer((json_int_t)s.rx_frames));
    rc |= put(o, "rx_bytes", json_integer((json_int_t)s.rx_bytes));
    rc |= put(o, "tx_frames", json_integer((json_int_t)s.tx_frames));
    rc |= put(o, "tx_bytes", json_integer((json_int_t)s.tx_bytes));
    rc |= put(o, "reasons", object_reasons(&s));
    return rc;
}

static int put_device(json_t *o, const struct bport_info *i)
{
    int rc = 0;

    rc |= put(o, "link", json_boolean(i->link));
    rc |= put(o, "mtu", json_integer(i->mtu));
    rc |= put(o, "speed", json_integer(i->speed));
    rc |= put(o, "mac", mac_value(&i->mac));
    rc |= put(o, "ifindex", json_integer(i->ifindex));
    rc |= put(o, "netns", json_integer((json_int_t)i->netns));
    rc |= put(o, "device", text_value(i->device));
    rc |= put(o, "detail", text_value(i->detail));
    rc |= put(o, "offloads",
              json_pack("{s:b,s:b,s:b,s:b,s:b}", "vnet", i->vnet, "csum",
                        i->tx_csum, "tso4", i->tx_tso4, "tso6", i->tx_tso6,
                        "uso", i->tx_uso));
    return rc;
}

json_t *object_link(struct bport *p, const char *bridge)
{
    json_t *o = json_object();
    struct bport_info i;
    int rc = 0;

    bport_info(p, &i);
    rc |= put(o, "name", text_value(i.name));
    rc |= put(o, "bridge", text_value(bridge));
    rc |= put(o, "no", json_integer(i.no));
    rc |= put(o, "state", json_string(object_state(i.state)));
    rc |= put(o, "failed", json_boolean(i.failed));
    rc |= put(o, "link", json_boolean(i.link));
    rc |= put(o, "mtu", json_integer(i.mtu));
    rc |= put(o, "ifindex", json_integer(i.ifindex));
    rc |= put(o, "netns", json_integer((json_int_t)i.netns));
    rc |= put_params(o, port_param_names, i.param);
    if (rc == 0)
        return o;
    json_decref(o);
    return NULL;
}

json_t *object_port(struct bport *p, const char *bridge)
{
    json_t *o = json_object();
    struct bport_info i;
    int rc = 0;

    bport_info(p, &i);
    rc |= put(o, "name", text_value(i.name));
    rc |= put(o, "bridge", text_value(bridge));
    rc |= put(o, "no", json_integer(i.no));
    rc |= put(o, "kind", text_value(i.kind));
    rc |= put(o, "spec", text_value(i.spec));
    rc |= put(o, "state", json_string(object_state(i.state)));
    rc |= put(o, "why", text_value(i.why));
    rc |= put(o, "failed", json_boolean(i.failed));
    rc |= put_device(o, &i);
    rc |= put_params(o, port_param_names, i.param);
    rc |= put(o, "fdb_learned", json_integer(i.fdb_learned));
    rc |= put(o, "addresses", object_addresses(p));
    rc |= put_counters(o, p);
    rc |= put(o, "labels", object_labels(p));
    if (rc == 0)
        return o;
    json_decref(o);
    return NULL;
}

/* The states of iproute2: permanent is the host's own, static does not age. */
static const char *entry_state(uint8_t flags)
{
    if (flags & FDB_LOCAL)
        return "permanent";
    return flags & FDB_STATIC ? "static" : "";
}

int object_entry_kind(struct text *out, uint8_t flags)
{
    bool both = (flags & FDB_STICKY) && (flags & FDB_EXTERN);

    return text_addf(out, ",\"flags\":[%s%s%s],\"state\":\"%s\"",
                     flags & FDB_EXTERN ? "\"extern_learn\"" : "",
                     both ? "," : "", flags & FDB_STICKY ? "\"sticky\"" : "",
                     entry_state(flags));
}

int object_entry(struct text *out, const struct fdb_entry *e, uint32_t age_cs,
                 const char *port, const char *bridge)
{
    struct mac mac = mac_from_u64(fdb_key_mac(e->key));
    uint16_t vid = fdb_key_vid(e->key);
    char text[MAC_TEXT_MAX];
    int rc;

    rc = text_addf(out, "{\"mac\":\"%s\",\"ifname\":", mac_format(&mac, text));
    rc |= text_json_string(out, port);
    if (vid)
        rc |= text_addf(out, ",\"vlan\":%u", vid);
    rc |= object_entry_kind(out, e->value.flags);
    rc |= text_add(out, ",\"master\":", 10);
    rc |= text_json_string(out, bridge);
    rc |= text_addf(out, ",\"port_no\":%u,\"age\":%u}", e->value.port, age_cs);
    return rc < 0 ? -ENOMEM : 0;
}
