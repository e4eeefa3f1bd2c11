/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a person may type as a network: it is refused with a sentence that
 * names the place, or it can be simulated for a while.
 */
#include "ctl/sim/sim.h"
#include "tests/fuzz/check.h"

#include <string.h>

#define STEPS 2000

static void check_refusal(const struct sim *s, const struct err *e)
{
    CHECK(!s && !strncmp(e->text, "fuzz:", 5) && !strchr(e->text, '\n'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct err e = {""};
    struct sim *s;

    memcpy(text, data, size);
    if (sim_read(&s, "fuzz", text, size, &e)) {
        check_refusal(s, &e);
        free(text);
        return 0;
    }
    free(text);
    for (unsigned i = 0; i < STEPS && sim_next(s, 30 * SIM_SECOND); i++)
        ;
    sim_free(s);
    return 0;
}
