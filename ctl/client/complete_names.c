/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the words of a usage line stand for: names that the daemon, the kernel
 * or the table of parameters has.
 */
#include "ctl/client/complete.h"
#include "ctl/client/lab.h"

#include <linux/if_bridge.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define KERNEL_BRIDGES_MAX 1024 /* as many as its call tells */

/* ---- the daemon's ---- */

void offer_listed(struct client *c, const char *method, json_t *params,
                  bool (*want)(const json_t *o), const char *begun)
{
    const json_t *o;
    struct reply r;
    size_t i;

    if (client_call(c, method, params, -1, &r)) {
        json_array_foreach(r.result, i, o)
        {
            const char *s = json_string_value(json_object_get(o, "name"));

            if (s && (!want || want(o)))
                offer(s, strlen(s), begun);
        }
    }
    reply_free(&r);
}

/* The host's own port has the bridge's name, by which no command takes it. */
static bool is_port(const json_t *o)
{
    return json_integer_value(json_object_get(o, "no")) != 0;
}

/* Its interface is a port of the kernel's bridge of that name. */
static bool is_adopted(const json_t *o)
{
    return json_object_get(o, "device") != NULL;
}

static void offer_ports(const struct line *l)
{
    bool of_bridge = strncmp(l->cmd->args, "<bridge> ", 9) == 0;
    json_t *params = NULL;

    if (of_bridge)
        params = json_pack("{s:s}", "bridge", plain_word(l, 0));
    offer_listed(l->c, "port.show", params, is_port, l->begun);
}

static void offer_guests(const struct line *l)
{
    offer_listed(l->c, "guest.list", NULL, NULL, l->begun);
}

/* ---- the kernel's ---- */

/* Of the namespace we are in, as all interfaces here; sysfs would show that of
 * its mount. */
static void offer_kernel_bridges(const char *begun)
{
    int index[KERNEL_BRIDGES_MAX], n;
    unsigned long args[3] = {BRCTL_GET_BRIDGES, (unsigned long)index,
                             KERNEL_BRIDGES_MAX};
    char name[IF_NAMESIZE];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    n = ioctl(fd, SIOCGIFBR, args);
    close(fd);
    for (int i = 0; i < n; i++)
        if (if_indextoname((unsigned)index[i], name))
            offer(name, strlen(name), begun);
}

static void offer_interfaces(const char *begun)
{
    struct if_nameindex *all = if_nameindex();

    if (!all)
        return;
    for (struct if_nameindex *i = all; i->if_index; i++)
        offer(i->if_name, strlen(i->if_name), begun);
    if_freenameindex(all);
}

/* ---- what depends on the command ---- */

/* Those that are adopted stay the kernel's, and --undo may follow. */
static void offer_bridges(const struct line *l)
{
    bool adopt = command_id_of(l->cmd) == CMD_ID_adopt;

    if (adopt && !has_word(l, "--undo"))
        offer_kernel_bridges(l->begun);
    else
        offer_listed(l->c, "show", NULL, adopt ? is_adopted : NULL, l->begun);
}

static void offer_devices(const struct line *l)
{
    if (command_id_of(l->cmd) == CMD_ID_addif)
        offer_interfaces(l->begun);
    else
        offer_ports(l);
}

static void offer_lab(void *arg, const char *lab)
{
    const char *const *begun = arg;

    offer(lab, strlen(lab), *begun);
}

static void offer_labs(const struct line *l)
{
    const char *begun = l->begun;

    lab_state_each(l->c, offer_lab, &begun);
}

static void offer_files(const struct line *l)
{
    (void)l;
    puts(""); /* the shell knows them */
}

/* ---- parameters ---- */

static const struct param_name *params_of(const struct line *l)
{
    return command_id_of(l->cmd) == CMD_ID_bridge_set ? bridge_param_names
                                                      : port_param_names;
}

static void offer_params(const struct line *l)
{
    for (const struct param_name *p = params_of(l); p->name; p++)
        offer(p->name, strlen(p->name), l->begun);
}

/* Numbers are nothing to offer. */
static void offer_param_values(const struct line *l)
{
    static const struct param_word on_off[] = {
        {"on", 1}, {"off", 0}, {NULL, 0}};
    const struct param_name *p = params_of(l);
    const struct param_word *w = NULL;
    int i = param_find(p, plain_word(l, 1));

    if (i >= 0)
        w = p[i].unit == UNIT_SWITCH ? on_off : p[i].word;
    for (; w && w->text; w++)
        offer(w->text, strlen(w->text), l->begun);
}

/* ---- all of them ---- */

static const struct source {
    const char *word;
    void (*offer)(const struct line *l);
} sources[] = {
    {"<bridge>", offer_bridges},   {"<net>", offer_bridges},
    {"<port>", offer_ports},       {"<device>", offer_devices},
    {"<guest>", offer_guests},     {"<lab>", offer_labs},
    {"<parameter>", offer_params}, {"<value>", offer_param_values},
    {"<file>", offer_files},       {"<path>", offer_files},
    {"<disk>", offer_files},       {"<dir>", offer_files},
    {"<arg>", offer_files},
};

/* Between the bars; "<key>=[<value>]" is none of them. */
void offer_names_for(const struct line *l, const char *usage)
{
    size_t n;

    for (; *usage; usage += n + (usage[n] == '|')) {
        n = strcspn(usage, "|");
        for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
            if (strlen(sources[i].word) == n &&
                strncmp(usage, sources[i].word, n) == 0)
                sources[i].offer(l);
    }
}
