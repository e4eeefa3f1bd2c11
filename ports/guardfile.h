/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guard knows of devices, as files: should it be killed together with
 * us, the next daemon puts them back.
 *
 * A file is written and read on one machine, by one version in all likelihood:
 * it is the struct as it is, and is ignored if its length is another one's.  So
 * it is after the next boot, or if the namespace's number is by now another's,
 * where interfaces of the same numbers are others.
 *
 * Threads: one at a time (the guard's lock, or the guard itself).
 */
#ifndef PORTS_GUARDFILE_H
#define PORTS_GUARDFILE_H

#include "ports/guard.h"

/* Where they are: an existing directory that is ours alone.  Before this
 * nothing is written. */
void guardfile_open(const char *dir);

/* Inside the device's network namespace.  Without room for it the device will
 * not be put back by the next daemon. */
void guardfile_write(const struct guard_device *d);
void guardfile_remove(uint64_t netns, int ifindex);

/* Calls back for each in our namespace, and removes those of which 'found' says
 * true, and those of which nothing can be made. */
void guardfile_take_all(bool (*found)(const struct guard_device *d));

#endif
