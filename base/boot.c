/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/boot.h"

#include <stdio.h>

void boot_id(char out[BOOT_ID_MAX])
{
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

    out[0] = '\0';
    if (!f)
        return;
    if (fscanf(f, "%39s", out) != 1)
        out[0] = '\0';
    fclose(f);
}
