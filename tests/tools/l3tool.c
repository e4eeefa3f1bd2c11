/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives ctl/l3 by lines on standard input; a test makes the interface.
 *
 *   l3tool IFNAME STATE_DIR [self|networkd|NetworkManager|find]
 *
 *   take UPLINK | return UPLINK | check | owner | release
 *   apply FILE | plan FILE      FILE has one bridge, whatever its name; "-"
 *                               applies nothing but what uplinks brought
 *   current                     is there one?
 *   recover
 *
 * After each: the notes, and a line "ok" or "error: ...".
 */
#include "ctl/config/load.h"
#include "ctl/l3/l3.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int with_file(struct l3 *l, const char *file, bool dry,
                     struct l3_notes *n, struct err *e)
{
    const struct conf_l3 *want = NULL;
    struct conf *c = NULL;
    int rc = 0;

    if (strcmp(file, "-") != 0)
        rc = conf_load(&c, file, conf_open_file, NULL, e);
    if (!rc && c)
        want = c->n_bridges ? &c->bridge[0].l3 : NULL;
    if (!rc)
        rc = dry ? l3_plan(l, want, n, e) : l3_apply(l, want, n, e);
    if (c)
        conf_free(c);
    return rc;
}

static int obey(struct l3 *l, const char *dir, const char *word,
                const char *arg, struct l3_notes *n, struct err *e)
{
    if (strcmp(word, "take") == 0)
        return l3_take_uplink(l, arg, n, e);
    if (strcmp(word, "apply") == 0 || strcmp(word, "plan") == 0)
        return with_file(l, arg, word[0] == 'p', n, e);
    if (strcmp(word, "check") == 0)
        return l3_check(l, e);
    if (strcmp(word, "return") == 0)
        l3_return_uplink(l, arg, n);
    else if (strcmp(word, "release") == 0)
        l3_release(l, n);
    else if (strcmp(word, "recover") == 0)
        l3_recover(dir, n);
    else if (strcmp(word, "owner") == 0)
        printf("%s\n", l3_owner_name(l3_owner(l)));
    else if (strcmp(word, "current") == 0)
        printf("%s\n", l3_current(l) ? "yes" : "no");
    else
        return err_set(e, EINVAL, "what is %s?", word);
    return 0;
}

int main(int argc, char **argv)
{
    struct l3_config c = {.netns_fd = -1};
    struct l3 *l;
    char line[512];
    int helper;

    if (l3_helper(argc, argv, &helper))
        return helper;
    if (argc < 3)
        return 2;
    c.ifname = argv[1];
    c.state_dir = argv[2];
    if (argc > 3 && strcmp(argv[3], "find") != 0) {
        c.owner_set = true;
        c.owner = strcmp(argv[3], "self") == 0       ? L3_SELF
                  : strcmp(argv[3], "networkd") == 0 ? L3_NETWORKD
                                                     : L3_NM;
    }
    l = l3_new(&c);
    while (l && fgets(line, sizeof(line), stdin)) {
        struct l3_notes n = {.len = 0};
        char word[16] = "", arg[400] = "";
        struct err e = {""};
        int rc;

        sscanf(line, "%15s %399s", word, arg);
        rc = obey(l, argv[2], word, arg, &n, &e);
        printf("%s", n.text);
        if (n.more)
            printf("(%u more)\n", n.more);
        printf(rc ? "error: %s\n" : "ok\n", e.text);
        fflush(stdout);
    }
    l3_free(l);
    return 0;
}
