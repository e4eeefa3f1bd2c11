/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Name servers, by resolvectl where systemd-resolved serves this namespace.
 * resolv.conf is nobody's but the user's.
 */
#include "ctl/l3/child.h"
#include "ctl/l3/impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool dns_there(void)
{
    return child_find("resolvectl", NULL) &&
           owner_runs("systemd-resolved", netns_inode(-1));
}

/* "resolvectl VERB IFNAME WORD ..."; no words: what was set goes. */
static int resolvectl(const char *verb, const char *ifname, const char *words,
                      struct err *e)
{
    const char *argv[CHILD_ARGS_MAX + 1] = {"resolvectl", verb, ifname};
    char copy[1024], out[256], *save = NULL;
    unsigned n = 3;
    int rc;

    snprintf(copy, sizeof(copy), "%s", words);
    for (char *w = strtok_r(copy, " ", &save); w && n < CHILD_ARGS_MAX;
         w = strtok_r(NULL, " ", &save))
        argv[n++] = w;
    if (n == 3)
        argv[n++] = "";
    rc = child_run(argv, out, sizeof(out), e);
    if (rc <= 0)
        return rc;
    out[strcspn(out, "\n")] = 0;
    return err_set(e, EIO, "resolvectl %s %s: %s", verb, ifname, out);
}

int dns_set(const char *ifname, const char *servers, const char *domains,
            struct err *e)
{
    int rc = resolvectl("dns", ifname, servers, e);

    return rc ? rc : resolvectl("domain", ifname, domains, e);
}

static void add_word(char words[L3_WORDS_MAX], const char *w)
{
    size_t n = strlen(words);

    if (n + strlen(w) + 2 < L3_WORDS_MAX)
        snprintf(words + n, L3_WORDS_MAX - n, "%s%s", n ? " " : "", w);
}

void dns_words(const struct conf_l3 *want, char servers[L3_WORDS_MAX],
               char domains[L3_WORDS_MAX])
{
    servers[0] = domains[0] = 0;
    for (unsigned i = 0; want && i < want->n_dns; i++) {
        char ip[INET6_ADDRSTRLEN];

        inet_ntop(want->dns[i].family, &want->dns[i].a, ip, sizeof(ip));
        add_word(servers, ip);
    }
    for (unsigned i = 0; want && i < want->n_search; i++)
        add_word(domains, want->search[i]);
}

/* A DHCP client's script tells both its own and these. */
static bool by_script(const struct conf_l3 *want)
{
    return want && (want->dhcp4 == CONF_ON || want->dhcp6 == CONF_ON);
}

static void note_undone(const struct l3 *l, const char *servers,
                        const char *domains, bool learns, struct l3_notes *n)
{
    if (*servers || *domains)
        l3_note(n,
                "%s: nameservers %s%s%s not applied: no systemd-resolved here; "
                "put them into /etc/resolv.conf yourself",
                l->ifname, servers, *servers && *domains ? ", search " : "",
                domains);
    else if (learns)
        l3_note(n,
                "%s: nameservers from DHCP are not applied: no "
                "systemd-resolved here",
                l->ifname);
}

static bool learns_dns(const struct conf_l3 *want)
{
    return want &&
           ((want->dhcp4 == CONF_ON && want->over4.use_dns != CONF_OFF) ||
            (want->dhcp6 == CONF_ON && want->over6.use_dns != CONF_OFF));
}

void dns_apply(struct l3 *l, const struct conf_l3 *want, bool dry,
               struct l3_notes *n)
{
    char servers[L3_WORDS_MAX], domains[L3_WORDS_MAX], *both = NULL;
    bool there = dns_there();
    struct err e = {""};

    dns_words(want, servers, domains);
    if (asprintf(&both, "%s/%s%s", servers, domains,
                 learns_dns(want) ? "/dhcp" : "") < 0)
        return;
    if (strcmp(both, l->dns ? l->dns : "/") == 0) {
        free(both);
        return;
    }
    if (!there)
        note_undone(l, servers, domains, learns_dns(want), n);
    else if (dry)
        l3_note(n, "%s: nameservers %s, search %s", l->ifname, servers,
                domains);
    else if (!by_script(want) && dns_set(l->ifname, servers, domains, &e))
        l3_note(n, "%s: nameservers not applied: %s", l->ifname, e.text);
    if (dry) {
        free(both);
        return;
    }
    free(l->dns);
    l->dns = both;
}

void dns_release(struct l3 *l)
{
    if (l->dns && strlen(l->dns) > 1 && dns_there())
        (void)dns_set(l->ifname, "", "", NULL);
    free(l->dns);
    l->dns = NULL;
}
