/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/client/client.h"

#include <string.h>
#include <unistd.h>

/* What was taken, and how to give it back. */
static void tell(const json_t *result, const char *name, bool undo)
{
    const json_t *members = json_object_get(result, "members"), *m;
    size_t i;

    if (undo) {
        printf("%s is the kernel's again\n", name);
        return;
    }
    printf("%s is adopted, ", name);
    fputs(json_array_size(members) ? "with " : "without members as yet",
          stdout);
    json_array_foreach(members, i, m)
    {
        printf("%s%s", i ? ", " : "", json_string_value(m));
    }
    printf("; bascule adopt %s --undo gives it back\n", name);
}

int run_adopt(struct client *c, int argc, char **argv)
{
    const char *name = NULL;
    int netns = -1, status = 0;
    bool undo = false, disable = false;
    json_t *params;
    struct reply r;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--undo") == 0)
            undo = true;
        else if (strcmp(argv[i], "--disable") == 0)
            disable = true;
        else if (argv[i][0] == '-' || name)
            return complain(c, "adopt: what is %s?", argv[i]);
        else
            name = argv[i];
    }
    if (!name)
        return complain(c, "adopt: which bridge?");
    if (!undo)
        netns = open_own_netns();
    params = json_pack("{s:s,s:b,s:b,s:b}", "bridge", name, "undo", undo,
                       "disable", disable, "netns", netns >= 0);
    if (!client_call(c, "adopt", params, netns, &r))
        status = client_complain(c, &r);
    else if (c->json)
        print_json(r.result);
    else
        tell(r.result, name, undo);
    reply_free(&r);
    if (netns >= 0)
        close(netns);
    return status;
}
