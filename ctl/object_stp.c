/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The spanning tree as JSON: times and timers in centiseconds, identifiers as
 * brctl writes them.
 */
#include "base/clock.h"
#include "ctl/object.h"
#include "ctl/table.h"

/* object[key] = value; both may be NULL for want of memory */
static int put(json_t *o, const char *key, json_t *v)
{
    return json_object_set_new(o, key, v);
}

static json_t *finish(json_t *o, int rc)
{
    if (rc == 0)
        return o;
    json_decref(o);
    return NULL;
}

static json_t *id_value(uint64_t id)
{
    char text[STP_ID_TEXT_MAX];

    return json_string(stp_id_format(id, text));
}

static json_t *port_id_value(uint16_t id)
{
    return json_sprintf("%04x", id);
}

static json_t *timer_value(uint64_t ns)
{
    return json_integer((json_int_t)(ns / (NSEC_PER_SEC / 100)));
}

static json_t *time_value(uint16_t t)
{
    return json_integer(stp_time_to_cs(t));
}

/* A port by its number; null: there is none of that number. */
static json_t *name_value(struct bridge *b, uint16_t no)
{
    struct bport *p = no ? bport_by_no(b, no) : NULL;
    struct bport_info i;

    if (!p)
        return json_null();
    bport_info(p, &i);
    return text_value(i.name);
}

static json_t *vector_object(const struct stp_vector *v)
{
    json_t *o = json_object();
    int rc = 0;

    rc |= put(o, "root", id_value(v->root));
    rc |= put(o, "cost", json_integer(v->cost));
    rc |= put(o, "bridge", id_value(v->bridge));
    rc |= put(o, "port", port_id_value(v->port));
    return finish(o, rc);
}

static json_t *times_object(const struct stp_times *t)
{
    json_t *o = json_object();
    int rc = 0;

    rc |= put(o, "message_age", time_value(t->message_age));
    rc |= put(o, "max_age", time_value(t->max_age));
    rc |= put(o, "hello_time", time_value(t->hello));
    rc |= put(o, "forward_delay", time_value(t->forward_delay));
    return finish(o, rc);
}

static const char *version_name(uint8_t version)
{
    return version < 2 ? "stp" : "rstp";
}

/* ---- bridges ---- */

static int put_changes(json_t *o, struct bridge *b, const struct stp_info *i)
{
    uint64_t now = clock_now();
    int rc = 0;

    rc |= put(o, "topology_change", json_boolean(i->change));
    rc |= put(o, "topology_change_detected", json_boolean(i->detected));
    rc |= put(o, "topology_changes", json_integer((json_int_t)i->changes));
    rc |= put(o, "last_change_ago",
              i->change_at && now >= i->change_at
                  ? timer_value(now - i->change_at)
                  : json_null());
    rc |= put(o, "last_change_port", name_value(b, i->change_port));
    return rc;
}

/* As configured, whoever is the root. */
static json_t *own_object(const uint32_t *param)
{
    return json_pack("{s:I,s:I,s:I}", "max_age",
                     (json_int_t)param[BRIDGE_MAX_AGE], "hello_time",
                     (json_int_t)param[BRIDGE_HELLO], "forward_delay",
                     (json_int_t)param[BRIDGE_FORWARD_DELAY]);
}

static json_t *bridge_timers(const struct stp_info *i)
{
    json_t *o = json_object();
    int rc = 0;

    rc |= put(o, "hello", timer_value(i->hello_timer));
    rc |= put(o, "tcn", timer_value(i->tcn_timer));
    rc |= put(o, "topology_change", timer_value(i->change_timer));
    return finish(o, rc);
}

/* What the ports' counters mean. */
static json_t *sentences_object(void)
{
    json_t *counters = json_object(), *bad = json_object(), *o = json_object();
    int rc = 0;

#define X(name, text) rc |= put(counters, #name, json_string(text));
    STP_COUNT_LIST(X)
#undef X
#define X(id, name, text) rc |= put(bad, name, json_string(text));
    BPDU_BAD_LIST(X)
#undef X
    rc |= put(o, "counters", counters);
    rc |= put(o, "bad", bad);
    return finish(o, rc);
}

static int put_tree(json_t *o, struct bridge *b, const struct stp_info *i)
{
    int rc = 0;

    rc |= put(o, "version", json_string(version_name(i->config.force_version)));
    rc |= put(o, "id", id_value(i->config.id));
    rc |= put(o, "root", id_value(i->root.root));
    rc |= put(o, "root_cost", json_integer(i->root.cost));
    rc |= put(o, "root_port", name_value(b, i->root_port));
    rc |= put(o, "root_port_no", json_integer(i->root_port));
    rc |= put(o, "designated_bridge", id_value(i->root.bridge));
    rc |= put(o, "designated_port", port_id_value(i->root.port));
    rc |= put(o, "times", times_object(&i->times));
    rc |= put(o, "tx_hold", json_integer(i->config.tx_hold_count));
    rc |= put(o, "timers", bridge_timers(i));
    rc |= put(o, "sentences", sentences_object());
    return rc | put_changes(o, b, i);
}

json_t *object_stp(struct bridge *b)
{
    json_t *o = json_object();
    struct bridge_info info;
    struct stp_info i;
    bool on = bridge_stp_info(b, &i);
    int rc = 0;

    bridge_info(b, &info);
    rc |= put(o, "bridge", text_value(info.name));
    rc |= put(o, "stp", json_boolean(on));
    if (on)
        rc |= put_tree(o, b, &i);
    rc |= put(o, "own", own_object(info.param));
    rc |= put(o, "path_cost_method",
              json_string(param_word(&bridge_param_names[BRIDGE_LONG_COST],
                                     info.param[BRIDGE_LONG_COST])));
    rc |= put(o, "recovery",
              json_integer((json_int_t)info.param[BRIDGE_RECOVERY]));
    return finish(o, rc);
}

/* ---- ports ---- */

/* Those that are configured, by the names of "port set". */
static json_t *guards_array(const uint32_t *param)
{
    json_t *list = json_array();
    int rc = 0;

    for (int w = BPORT_BPDU_GUARD; w <= BPORT_ASSURANCE; w++)
        if (param[w])
            rc |= json_array_append_new(list,
                                        json_string(port_param_names[w].name));
    return finish(list, rc);
}

static json_t *bad_object(const uint64_t *bad)
{
    json_t *o = json_object();
    int rc = 0;

#define X(id, name, text)                                                      \
    rc |= put(o, name, json_integer((json_int_t)bad[BPDU_BAD_##id]));
    BPDU_BAD_LIST(X)
#undef X
    return finish(o, rc);
}

static json_t *counts_object(const struct stp_counts *c)
{
    json_t *o = json_object();
    int rc = 0;

#define X(name, text) rc |= put(o, #name, json_integer((json_int_t)c->name));
    STP_COUNT_LIST(X)
#undef X
    return finish(o, rc);
}

static json_t *port_timers(const struct stp_port_info *i)
{
    json_t *o = json_object();
    int rc = 0;

    rc |= put(o, "message_age", timer_value(i->age_timer));
    rc |= put(o, "forward_delay", timer_value(i->delay_timer));
    rc |= put(o, "hold", timer_value(i->hold_timer));
    rc |= put(o, "recovery", timer_value(i->recovery_timer));
    rc |= put(o, "topology_change", timer_value(i->change_timer));
    return finish(o, rc);
}

static int put_flags(json_t *o, const struct stp_port_info *i)
{
    const struct {
        const char *key;
        bool value;
    } flag[] = {
        {"edge", i->edge},
        {"p2p", i->config.p2p},
        {"received", i->received},
        {"proposing", i->proposing},
        {"agreed", i->agreed},
        {"synced", i->synced},
        {"disputed", i->disputed},
        {"topology_change_ack", i->change_ack},
        {"config_pending", i->config_pending},
    };
    int rc = 0;

    for (size_t k = 0; k < sizeof(flag) / sizeof(flag[0]); k++)
        rc |= put(o, flag[k].key, json_boolean(flag[k].value));
    return rc;
}

static int put_engine(json_t *o, const struct stp_port_info *i)
{
    int rc = 0;

    rc |= put(o, "role", json_string(stp_role_name(i->role)));
    rc |= put(o, "stp_state", json_string(stp_state_name(i->state)));
    rc |=
        put(o, "guard",
            json_string(i->guard == STP_GUARD_NONE ? "none"
                                                   : stp_guard_name(i->guard)));
    rc |= put_flags(o, i);
    rc |= put(o, "version", json_string(i->stp ? "stp" : "rstp"));
    rc |= put(o, "cost", json_integer(i->config.cost));
    rc |= put(o, "id", port_id_value(i->config.id));
    rc |= put(o, "vector", vector_object(&i->vector));
    rc |= put(o, "designated", vector_object(&i->designated));
    rc |= put(o, "times", times_object(&i->times));
    rc |= put(o, "timers", port_timers(i));
    rc |= put(o, "counters", counts_object(&i->counts));
    rc |= put(o, "bad", bad_object(i->counts.rx_bad));
    return rc;
}

json_t *object_stp_port(struct bport *p)
{
    json_t *o = json_object();
    struct stp_port_info i;
    struct bport_info info;
    int rc = 0;

    bport_info(p, &info);
    rc |= put(o, "port", text_value(info.name));
    rc |= put(o, "no", json_integer(info.no));
    rc |= put(o, "state", json_string(object_state(info.state)));
    rc |= put(o, "why", text_value(info.why));
    rc |= put(o, "admin_edge", json_boolean(info.param[BPORT_ADMIN_EDGE]));
    rc |= put(o, "auto_edge", json_boolean(info.param[BPORT_AUTO_EDGE]));
    rc |= put(o, "guards", guards_array(info.param));
    if (bport_stp_info(p, &i))
        rc |= put_engine(o, &i);
    else
        rc |= put(o, "role", json_null());
    return finish(o, rc);
}
