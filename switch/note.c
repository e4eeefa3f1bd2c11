/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the owner of the switch keeps with a port.  The switch only sees that
 * it ends with the port; a name would not do as a key, since a port may go and
 * another of its name come while nobody looks.
 */
#include "switch/bridge.h"

void bport_set_note(struct bport *p, void *note, void (*release)(void *note))
{
    if (p->note && p->release)
        p->release(p->note);
    p->note = note;
    p->release = release;
}

void *bport_note(const struct bport *p)
{
    return p->note;
}
