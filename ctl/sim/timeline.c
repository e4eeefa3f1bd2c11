/* SPDX-License-Identifier: BSD-2-Clause */
/* What people see: lines as things happen, and the tree as it stands. */
#include "ctl/sim/net.h"

#include <stdarg.h>
#include <string.h>

void sim_watch(struct sim *s, void (*line)(void *arg, const struct sim_line *),
               void *arg)
{
    s->line = line;
    s->line_arg = arg;
}

static void say(struct sim *s, enum sim_line_kind kind, const char *who,
                const char *text)
{
    const struct sim_line l = {
        .at = s->now, .kind = kind, .who = who, .text = text};

    if (s->line)
        s->line(s->line_arg, &l);
}

void sim_say(struct sim *s, enum sim_line_kind kind, const char *who,
             const char *fmt, ...)
{
    char text[320];
    va_list ap;

    if (!s->line)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    say(s, kind, who, text);
}

void sim_fail(struct sim *s, enum sim_line_kind kind, const char *who,
              const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (!s->result.first[0])
        snprintf(s->result.first, sizeof(s->result.first), "at %.6f s: %s",
                 (double)s->now / 1e9, text);
    say(s, kind, who, text);
}

/* ---- notes ---- */

struct namer {
    const struct sim *s;
    uint32_t bridge;
    char text[2][24]; /* a note may name two ports */
    unsigned turn;
};

/* "p1 (B2)": the port and who is at the other end, or the LAN. */
static const char *port_name(void *arg, uint16_t port)
{
    struct namer *n = arg;
    char *text = n->text[n->turn++ % 2];

    snprintf(text, sizeof(n->text[0]), "p%u", port);
    return text;
}

/* Identifiers of bridges in a sentence become their names. */
static void put_names(const struct sim *s, const char *from, char *to,
                      size_t size)
{
    char id[STP_ID_TEXT_MAX];
    size_t len = 0;

    while (*from && len + SIM_NAME_MAX < size) {
        const struct sim_bridge *b = NULL;

        /* "8000." */
        for (uint32_t i = 0;
             i < s->bridges && strlen(from) > 16 && from[4] == '.' && !b; i++) {
            (void)stp_id_format(mac_to_u64(&s->bridge[i].mac), id);
            if (strncmp(from + 5, id + 5, 12) == 0)
                b = &s->bridge[i];
        }
        if (b) {
            len += (size_t)snprintf(to + len, size - len, "%s", b->name);
            from += 17;
        } else {
            to[len++] = *from++;
        }
    }
    to[len] = '\0';
}

void sim_say_note(struct sim *s, uint32_t bridge, uint16_t port,
                  const struct stp_note *n)
{
    struct namer namer = {.s = s, .bridge = bridge};
    const struct stp_names names = {.name = port_name, .arg = &namer};
    char raw[STP_TEXT_MAX], text[STP_TEXT_MAX];

    (void)stp_note_format(n, port, &names, raw);
    put_names(s, raw, text, sizeof(text));
    say(s, SIM_LINE_NOTE, s->bridge[bridge].name, text);
}

void sim_print_line(const struct sim_line *l, FILE *out)
{
    static const char *const mark[] = {[SIM_LINE_ORDER] = "--",
                                       [SIM_LINE_NOTE] = "",
                                       [SIM_LINE_LOOP] = "!!",
                                       [SIM_LINE_WRONG] = "!!",
                                       [SIM_LINE_QUIET] = "=="};

    fprintf(out, "%11.6f  %-8s %s\n", (double)l->at / 1e9,
            l->kind == SIM_LINE_NOTE ? l->who : mark[l->kind], l->text);
}

/* ---- the tree ---- */

unsigned sim_bridges(const struct sim *s)
{
    return s->bridges;
}

void sim_bridge_view(const struct sim *s, unsigned bridge,
                     struct sim_bridge_view *v)
{
    const struct sim_bridge *b = &s->bridge[bridge];
    const uint64_t address = 0xffffffffffffULL;

    memset(v, 0, sizeof(*v));
    v->name = b->name;
    v->host = b->host;
    v->dead = b->dead;
    v->ports = b->ports;
    if (!b->stp)
        return;
    stp_info(b->stp, s->now, &v->info);
    for (uint32_t i = 0; i < s->bridges; i++)
        if (mac_to_u64(&s->bridge[i].mac) == (v->info.root.root & address))
            memcpy(v->root, s->bridge[i].name, sizeof(v->root));
}

bool sim_port_view(const struct sim *s, unsigned bridge, uint16_t port,
                   struct stp_port_info *i, char lan[48])
{
    const struct sim_bridge *b = &s->bridge[bridge];

    if (!b->stp || port > b->ports || b->port[port] == SIM_NONE)
        return false;
    (void)sim_lan_name(s, s->port[b->port[port]].lan, lan);
    return stp_port_info(b->stp, port, s->now, i);
}

static void print_port(const struct sim *s, unsigned bridge, uint16_t port,
                       FILE *out)
{
    struct stp_port_info i;
    char lan[48];

    if (!sim_port_view(s, bridge, port, &i, lan))
        return;
    fprintf(out, "    p%-3u %-11s %-11s cost %-8lu %s%s%s%s\n", port,
            stp_role_name(i.role), stp_state_name(i.state),
            (unsigned long)i.config.cost, lan, i.edge ? ", edge" : "",
            i.stp ? ", speaks STP" : "",
            i.guard != STP_GUARD_NONE ? ", shut by its guard" : "");
}

void sim_print_tree(const struct sim *s, FILE *out)
{
    for (uint32_t b = 0; b < s->bridges; b++) {
        struct sim_bridge_view v;

        sim_bridge_view(s, b, &v);
        if (v.host)
            continue;
        if (v.dead)
            fprintf(out, "  %s is dead\n", v.name);
        else if (v.info.root_port == 0)
            fprintf(out, "  %s is the root\n", v.name);
        else
            fprintf(out, "  %s: root %s by p%u, cost %lu\n", v.name, v.root,
                    v.info.root_port, (unsigned long)v.info.root.cost);
        for (unsigned p = 1; p <= v.ports; p++)
            print_port(s, b, (uint16_t)p, out);
    }
}

void sim_print_result(const struct sim *s, FILE *out)
{
    const struct sim_result *r = &s->result;

    if (r->changed_at > r->since)
        fprintf(out, "converged %.6f s after %s; ",
                (double)(r->changed_at - r->since) / 1e9,
                r->since ? "the last order" : "the start");
    else if (r->quiet)
        fprintf(out, "nothing changed after the last order; ");
    fprintf(out, "%llu BPDUs, %llu steps\n", (unsigned long long)r->frames,
            (unsigned long long)r->steps);
    if (r->crossed)
        fprintf(out,
                "%u loops by BPDUs that crossed, the longest of %.6f s: the "
                "standard has no means against these\n",
                r->crossed, (double)r->crossed_longest / 1e9);
    if (r->excused)
        fprintf(out,
                "%u loops that a network that loses frames, or edge ports, "
                "may have\n",
                r->excused);
    if (r->loops || r->wrong)
        fprintf(out, "WRONG: %u loops, %u other; the first %s\n", r->loops,
                r->wrong, r->first);
}
