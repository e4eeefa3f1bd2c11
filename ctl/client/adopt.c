/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/client/client.h"

#include <string.h>
#include <unistd.h>

int run_adopt(struct client *c, int argc, char **argv)
{
    const char *name = NULL;
    int netns = -1, status;
    bool undo = false, disable = false;
    json_t *params;

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
    status = client_simple_fd(c, "adopt", params, netns);
    if (netns >= 0)
        close(netns);
    return status;
}
