/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree in words: notes of what changed, and why a port is as it is.
 */
#include "switch/stp/engine.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- names ---- */

const char *stp_role_name(enum stp_role r)
{
    static const char *const name[] = {"disabled", "root", "designated",
                                       "alternate", "backup"};

    return (unsigned)r < 5 ? name[r] : "?";
}

const char *stp_state_name(enum stp_state s)
{
    static const char *const name[] = {"discarding", "learning", "forwarding"};

    return (unsigned)s < 3 ? name[s] : "?";
}

const char *stp_guard_name(enum stp_guard g)
{
    static const char *const name[] = {"none",       "bpdu-guard", "root-guard",
                                       "loop-guard", "assurance",  "self-loop"};

    return (unsigned)g < 6 ? name[g] : "?";
}

#define PORT_TEXT_MAX 32

static const char *port_text(const struct stp_names *names, uint16_t port,
                             char text[PORT_TEXT_MAX])
{
    const char *name = names ? names->name(names->arg, port) : NULL;

    if (name)
        snprintf(text, PORT_TEXT_MAX, "%s", name);
    else
        snprintf(text, PORT_TEXT_MAX, "port %u", port);
    return text;
}

/* ---- causes ---- */

struct told {
    char id[STP_ID_TEXT_MAX], port[PORT_TEXT_MAX];
};

static void cause_format(const struct stp_note *n, uint16_t port,
                         const struct stp_names *names, char *out, size_t size)
{
    struct told t;
    const char *id = stp_id_format(n->cause_bridge, t.id);
    const char *at = port_text(names, n->cause_port, t.port);

    switch (n->cause) {
    case STP_CAUSE_START:
        snprintf(out, size, "the spanning tree begins");
        break;
    case STP_CAUSE_CONFIG:
        snprintf(out, size, "parameters were changed");
        break;
    case STP_CAUSE_LINK_UP:
        snprintf(out, size, "link of %s came up", at);
        break;
    case STP_CAUSE_LINK_DOWN:
        snprintf(out, size, "link of %s went down", at);
        break;
    case STP_CAUSE_GONE:
        snprintf(out, size, "%s left the bridge", at);
        break;
    case STP_CAUSE_BETTER:
        if (n->cause_port == port)
            snprintf(out, size, "better BPDU from %s", id);
        else
            snprintf(out, size, "better BPDU from %s on %s", id, at);
        break;
    case STP_CAUSE_CHANGED:
        snprintf(out, size, "%s on %s says other than before", id, at);
        break;
    case STP_CAUSE_AGED:
        snprintf(out, size, "no BPDU from %s on %s for three hello times", id,
                 at);
        break;
    case STP_CAUSE_EDGE:
        snprintf(out, size, "edge port");
        break;
    case STP_CAUSE_FILTER:
        snprintf(out, size, "BPDU filter: nobody is asked");
        break;
    case STP_CAUSE_AGREED:
        if (n->cause_bridge)
            snprintf(out, size, "%s agreed", id);
        else
            snprintf(out, size, "the neighbour agreed");
        break;
    case STP_CAUSE_DELAY:
        snprintf(out, size, "forward delay is over");
        break;
    case STP_CAUSE_ROOT:
        snprintf(out, size, "root port, and no other has lately been one");
        break;
    case STP_CAUSE_ROLE:
        snprintf(out, size, "%s ports do not forward", stp_role_name(n->role));
        break;
    case STP_CAUSE_SYNC:
        snprintf(out, size, "until the neighbour agrees");
        break;
    case STP_CAUSE_DISPUTE:
        snprintf(out, size, "the neighbour does not hear us");
        break;
    case STP_CAUSE_GUARD:
        snprintf(out, size, "%s", stp_guard_name(n->guard));
        break;
    case STP_CAUSE_RECOVERED:
        snprintf(out, size, "recovery time is over");
        break;
    }
}

/* ---- notes ---- */

static const char *guard_sentence(enum stp_guard g)
{
    static const char *const text[] = {
        [STP_GUARD_NONE] = "no guard shuts it",
        [STP_GUARD_BPDU] =
            "error-disabled by BPDU guard: a bridge is behind it",
        [STP_GUARD_ROOT] = "shut by root guard: a better root is behind it",
        [STP_GUARD_LOOP] = "shut by loop guard: BPDUs ceased",
        [STP_GUARD_ASSURANCE] =
            "shut by bridge assurance: no BPDUs for three hello times",
        [STP_GUARD_SELF] = "shut: it receives its own BPDUs, the segment loops",
    };

    return (unsigned)g < 6 ? text[g] : "?";
}

static const char *edge_sentence(const struct stp_note *n)
{
    if (n->yes)
        return n->cause == STP_CAUSE_EDGE     ? "edge port: no bridge answers"
               : n->cause == STP_CAUSE_FILTER ? "edge port: BPDU filter is on"
                                              : "edge port, as configured";
    switch (n->cause) {
    case STP_CAUSE_BETTER:
        return "no edge port any more: a bridge is behind it";
    case STP_CAUSE_GUARD:
        return "no edge port any more: it hears itself";
    default:
        return "no edge port any more, as configured";
    }
}

static void root_note(const struct stp_note *n, const char *why, char *text)
{
    char id[STP_ID_TEXT_MAX];

    if (n->was == STP_ROLE_ROOT)
        snprintf(text, STP_TEXT_MAX, "root is %s, cost %lu: %s",
                 stp_id_format(n->vector.root, id),
                 (unsigned long)n->vector.cost, why);
    else
        snprintf(text, STP_TEXT_MAX, "this bridge (%s) is the root: %s",
                 stp_id_format(n->vector.root, id), why);
}

const char *stp_note_format(const struct stp_note *n, uint16_t port,
                            const struct stp_names *names,
                            char text[STP_TEXT_MAX])
{
    char why[112], at[PORT_TEXT_MAX];

    cause_format(n, port, names, why, sizeof(why));
    port_text(names, port, at);
    switch (n->type) {
    case STP_NOTE_ROLE:
        snprintf(text, STP_TEXT_MAX, "%s: %s, was %s: %s", at,
                 stp_role_name(n->role), stp_role_name(n->was), why);
        break;
    case STP_NOTE_STATE:
        snprintf(text, STP_TEXT_MAX, "%s: %s: %s", at, stp_state_name(n->state),
                 why);
        break;
    case STP_NOTE_ROOT:
        root_note(n, why, text);
        break;
    case STP_NOTE_GUARD:
        if (n->yes)
            snprintf(text, STP_TEXT_MAX, "%s: %s lets it go on", at,
                     stp_guard_name(n->guard));
        else
            snprintf(text, STP_TEXT_MAX, "%s: %s", at,
                     guard_sentence(n->guard));
        break;
    case STP_NOTE_EDGE:
        snprintf(text, STP_TEXT_MAX, "%s: %s", at, edge_sentence(n));
        break;
    case STP_NOTE_STP:
        snprintf(text, STP_TEXT_MAX, "%s: %s", at,
                 n->yes ? "speaks STP, as its neighbour does"
                        : "speaks RSTP to its neighbour");
        break;
    case STP_NOTE_TC:
        if (port == 0)
            snprintf(text, STP_TEXT_MAX, "topology change, as was asked for");
        else
            snprintf(text, STP_TEXT_MAX, "%s: %s", at,
                     n->yes ? "topology change: it forwards to a network"
                            : "topology change, told by its neighbour");
        break;
    }
    return text;
}

/* ---- why ---- */

struct out {
    char *text;
    size_t size, len;
};

static void add(struct out *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct out *o, const char *fmt, ...)
{
    size_t room = o->size > o->len ? o->size - o->len : 0;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(room ? o->text + o->len : NULL, room, fmt, ap);
    va_end(ap);
    if (n > 0)
        o->len += (size_t)n;
}

static void add_vector(struct out *o, const char *what,
                       const struct stp_vector *v)
{
    char root[STP_ID_TEXT_MAX], bridge[STP_ID_TEXT_MAX];

    add(o, "  %-10s root %s  cost %lu  bridge %s  port %04x\n", what,
        stp_id_format(v->root, root), (unsigned long)v->cost,
        stp_id_format(v->bridge, bridge), v->port);
}

/* The first part of two vectors that differs decides. */
static const char *decided_by(const struct stp_vector *a,
                              const struct stp_vector *b)
{
    if (a->root != b->root)
        return "the root bridge";
    if (a->cost != b->cost)
        return "the cost to the root";
    if (a->bridge != b->bridge)
        return "the sender's bridge identifier";
    if (a->port != b->port)
        return "the sender's port identifier";
    return "nothing: they are equal";
}

/* ... of two ways to the root. */
static const char *decided_path(const struct stp *s, const struct stp_port *q,
                                const struct stp_vector *v)
{
    if (q->config.root_guard)
        return "root guard";
    if (stp_vector_compare(&s->root, v) == 0)
        return "our own port identifier";
    return decided_by(&s->root, v);
}

static void why_disabled(const struct stp_port *p, struct out *o)
{
    if (!p->config.up)
        add(o, "It is disabled: it has no link, or the bridge is down.\n");
    else if (p->bpdu_seen)
        add(o, "It is error-disabled: BPDU guard is on, and a BPDU came.\n");
    else
        add(o, "It is disabled.\n");
}

static void why_root(const struct stp *s, const struct stp_port *p,
                     const struct stp_names *names, struct out *o)
{
    unsigned others = 0;

    add(o, "It is the root port: of all ports it hears of the best way to the "
           "root.\n");
    add_vector(o, "received", &p->port_priority);
    add(o, "  with its own path cost %lu that makes %lu.\n",
        (unsigned long)p->config.cost, (unsigned long)s->root.cost);
    each_port (s, q) {
        struct stp_vector v = stp_path_by(q);
        char at[PORT_TEXT_MAX], id[STP_ID_TEXT_MAX];

        if (q == p || q->info_is != INFO_RECEIVED || q->role == STP_ROLE_BACKUP)
            continue;
        add(o, "  By %s it would be root %s, cost %lu: %s decided.\n",
            port_text(names, q->number, at), stp_id_format(v.root, id),
            (unsigned long)v.cost, decided_path(s, q, &v));
        others++;
    }
    if (!others)
        add(o, "  No other port hears of a root.\n");
}

static void why_designated(const struct stp *s, const struct stp_port *p,
                           uint64_t now, struct out *o)
{
    if (s->root_port == 0)
        add(o, "It is designated: this bridge is the root.\n");
    else
        add(o, "It is designated: for its segment this bridge is the best way "
               "to the root.\n");
    add_vector(o, "sends", &p->designated);
    if (p->msg.vector.bridge) { /* not so in a TCN */
        add_vector(o, "heard", &p->msg.vector);
        add(o, "  ... %.2f s ago.\n",
            (double)(now - p->msg_at) / (double)NS_PER_SECOND);
    }
    if (!p->heard && !p->config.bpdu_filter && !running(s, p->self_until))
        add(o, "  No bridge has been heard since it is up.\n");
}

static void why_blocked(const struct stp *s, const struct stp_port *p,
                        struct out *o)
{
    if (p->role == STP_ROLE_BACKUP)
        add(o, "It is a backup port: another port of this bridge serves the "
               "same segment.\n");
    else if (stp_guard_of(s, p) == STP_GUARD_ROOT)
        add(o, "It is shut by root guard: what is behind it calls for a better "
               "root.\n");
    else
        add(o, "It is an alternate port: another bridge is the better way to "
               "the root for its segment, and the root port is a better way "
               "for this bridge.\n");
    add_vector(o, "received", &p->port_priority);
    add_vector(o, "own", &p->designated);
    add(o, "  The lower one serves the segment; %s decided.\n",
        decided_by(&p->port_priority, &p->designated));
}

static void add_state(const struct stp *s, const struct stp_port *p,
                      const struct stp_names *names, uint64_t now,
                      struct out *o)
{
    enum stp_guard g = stp_guard_of(s, p);
    struct stp_port_info i;
    struct stp_note n = {.cause = p->state_cause.why,
                         .role = p->role,
                         .cause_port = p->state_cause.port,
                         .cause_bridge = p->state_cause.bridge};
    char why[112];

    (void)stp_port_info(s, p->number, now, &i);
    cause_format(&n, p->number, names, why, sizeof(why));
    if (p->oper_edge && p->role == STP_ROLE_DESIGNATED)
        add(o, "It is an edge port%s.\n",
            p->config.bpdu_filter  ? ": BPDU filter is on"
            : p->config.admin_edge ? ", as configured"
                                   : ": no bridge has answered");
    if (p->role != STP_ROLE_DISABLED || g != STP_GUARD_NONE)
        add(o, "It is %s: %s.\n", stp_state_name(i.state),
            g != STP_GUARD_NONE ? guard_sentence(g) : why);
    if (i.delay_timer)
        add(o, "  It waits%s, at most %.2f s more.\n",
            p->proposing && p->send_rst ? " for its neighbour's agreement" : "",
            (double)i.delay_timer / (double)NS_PER_SECOND);
    if (i.recovery_timer)
        add(o, "  It is tried again in %.2f s.\n",
            (double)i.recovery_timer / (double)NS_PER_SECOND);
    else if (p->bpdu_seen)
        add(o, "  It stays so until its link goes down, or `stp mcheck`.\n");
    if (p->config.bpdu_filter)
        add(o, "  BPDU filter is on: it neither sends nor hears BPDUs.\n");
    else if (!p->send_rst && p->enabled && rstp_version(s))
        add(o, "  Its neighbour speaks STP, so this port does.\n");
}

size_t stp_why(const struct stp *s, uint16_t port, uint64_t now,
               const struct stp_names *names, char *text, size_t size)
{
    const struct stp_port *p = &s->port[port <= s->ports ? port : 0];
    struct out o = {.text = text, .size = size};

    if (size)
        text[0] = '\0';
    if (port == 0 || p->number == 0)
        return 0;
    switch (p->role) {
    case STP_ROLE_DISABLED:
        why_disabled(p, &o);
        break;
    case STP_ROLE_ROOT:
        why_root(s, p, names, &o);
        break;
    case STP_ROLE_DESIGNATED:
        why_designated(s, p, now, &o);
        break;
    case STP_ROLE_ALTERNATE:
    case STP_ROLE_BACKUP:
        why_blocked(s, p, &o);
        break;
    }
    add_state(s, p, names, now, &o);
    return o.len < size ? o.len : size ? size - 1 : 0;
}
