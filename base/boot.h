/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which run of the machine this is; Linux, random(4).  Any thread.
 */
#ifndef BASE_BOOT_H
#define BASE_BOOT_H

#define BOOT_ID_MAX 40

/* As text; "": it cannot be told. */
void boot_id(char out[BOOT_ID_MAX]);

#endif
