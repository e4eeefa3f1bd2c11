/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a lab's bridges, and what is between them.
 */
#include "ctl/client/lab_up.h"

static json_t *param_value(const struct param_name *p, uint32_t v)
{
    if (p->unit == UNIT_SWITCH)
        return json_boolean(v);
    if (p->unit == UNIT_WORD)
        return json_string(param_word(p, v));
    return json_integer(v);
}

static int set_param(const struct maker *m, const struct conf_bridge *b,
                     unsigned i)
{
    const struct param_name *p = &bridge_param_names[i];

    if (!b->set[i] || (i == BRIDGE_STP && !b->param[i]))
        return 0; /* off, as it is made */
    return lab_call(m->c, "bridge.set",
                    json_pack("{s:s,s:s,s:o}", "bridge", b->name, "parameter",
                              p->name, "value", param_value(p, b->param[i])),
                    m->e);
}

static int up_bridge(const struct maker *m, const struct conf_bridge *b)
{
    char text[LAB_ADDR_MAX];
    int rc = LAB_IP(m->e, "link", "set", "dev", b->name, "up");

    for (unsigned i = 0; !rc && i < b->l3.n_addrs; i++)
        rc = LAB_IP(m->e, "addr", "add",
                    lab_addr_text(&b->l3.addr[i], true, text), "dev", b->name);
    return rc;
}

/* The spanning tree behind the rest, which it begins with. */
int lab_make_bridge(const struct maker *m, const struct conf_bridge *b)
{
    int rc = lab_note_name(m, "bridge", b->name);

    if (!rc)
        rc = lab_call_in(m->c, "addbr",
                         json_pack("{s:s,s:b,s:b}", "bridge", b->name, "local",
                                   b->local, "netns", true),
                         m->netns, m->e);
    for (unsigned i = 0; !rc && i < BRIDGE_PARAMS; i++)
        if (i != BRIDGE_STP)
            rc = set_param(m, b, i);
    if (!rc)
        rc = set_param(m, b, BRIDGE_STP);
    if (!rc && b->local)
        rc = up_bridge(m, b);
    return lab_at(m, &b->pos, rc);
}

int lab_add_port(const struct maker *m, const char *bridge, const char *spec,
                 int netns)
{
    return lab_call_in(m->c, "addif",
                       json_pack("{s:s,s:s,s:b}", "bridge", bridge, "port",
                                 spec, "netns", true),
                       netns, m->e);
}

/* ---- links and the uplink ---- */

int lab_make_link(const struct maker *m, const struct lab_link *l)
{
    int rc = lab_note_name(m, "link", l->port[0]);

    if (!rc)
        rc = LAB_IP(m->e, "link", "add", "name", l->port[0], "type", "veth",
                    "peer", "name", l->port[1]);
    for (unsigned i = 0; !rc && i < 2; i++) {
        rc = LAB_IP(m->e, "link", "set", "dev", l->port[i], "up");
        if (!rc)
            rc = lab_add_port(m, l->bridge[i], l->port[i], m->netns);
    }
    return lab_at(m, &l->pos, rc);
}

int lab_make_uplink(const struct maker *m)
{
    const struct lab *lab = m->lab;
    int rc;

    if (!lab->uplink)
        return 0;
    rc = lab_note(m, json_pack("{s:s,s:s,s:s}", "what", "uplink", "name",
                               lab->uplink, "bridge", lab->uplink_bridge));
    if (!rc)
        rc = LAB_IP(m->e, "link", "set", "dev", lab->uplink, "up");
    if (!rc)
        rc = lab_add_port(m, lab->uplink_bridge, lab->uplink, m->netns);
    return lab_at(m, &lab->uplink_pos, rc);
}
